//! Status checks, hooks, and the answers that came.

use super::gitlab::Gitlab;
use crate::merge_request::{MergeRequestRef, ProjectId, StatusCheckId, UserId};
use crate::simulator::error::SimulatorError;
use crate::simulator::hooks::{Hook, HookSetting, NewHook};
use crate::simulator::namespaces::CommitStatus;
use crate::simulator::status_checks::{CheckStatus, NewStatusCheck, StatusRow};

impl Gitlab {
    /// Creates an external status check. Open merge requests list it at once and are told nothing.
    pub fn create_status_check(
        &self,
        project: ProjectId,
        new: NewStatusCheck,
    ) -> Result<StatusCheckId, SimulatorError> {
        self.world(|world| world.create_check(project, new))
    }

    /// Deletes a status check.
    pub fn delete_status_check(
        &self,
        project: ProjectId,
        check: StatusCheckId,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.check(project, check)?;
            world.project_mut(project)?.checks.retain(|other| other.id != check);
            Ok(())
        })
    }

    /// Lets a check call another URL: at no moment is it absent from the list.
    pub fn set_check_url(
        &self,
        project: ProjectId,
        check: StatusCheckId,
        url: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let checks = &mut world.project_mut(project)?.checks;
            let found = checks.iter_mut().find(|other| other.id == check);
            url.clone_into(&mut found.ok_or(SimulatorError::NoCheck(check))?.external_url);
            Ok(())
        })
    }

    /// Gives a check another name.
    pub fn rename_check(
        &self,
        project: ProjectId,
        check: StatusCheckId,
        name: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let checks = &mut world.project_mut(project)?.checks;
            let found = checks.iter_mut().find(|other| other.id == check);
            name.clone_into(&mut found.ok_or(SimulatorError::NoCheck(check))?.name);
            Ok(())
        })
    }

    /// Changes the shared secret of a check; there is no overlap of two.
    pub fn set_check_secret(
        &self,
        project: ProjectId,
        check: StatusCheckId,
        secret: Option<&str>,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let checks = &mut world.project_mut(project)?.checks;
            let found = checks.iter_mut().find(|other| other.id == check);
            found.ok_or(SimulatorError::NoCheck(check))?.shared_secret = secret.map(str::to_owned);
            Ok(())
        })
    }

    /// Creates an ordinary hook.
    pub fn create_hook(&self, new: NewHook) -> u64 {
        self.world(|world| {
            let id = world.fresh_id();
            let NewHook { place, url, token, signing_token, events } = new;
            world.hooks.push(Hook {
                id,
                place,
                url,
                token,
                signing_token,
                events,
                verifies: true,
                template: None,
                disabled: None,
            });
            id
        })
    }

    /// Changes a hook; one that is not there is not changed.
    pub fn configure_hook(&self, id: u64, setting: HookSetting) {
        self.world(|world| {
            let Some(hook) = world.hooks.iter_mut().find(|hook| hook.id == id) else { return };
            match setting {
                HookSetting::Verifies(verifies) => hook.verifies = verifies,
                HookSetting::Template(template) => hook.template = template,
                HookSetting::Disabled(disabled) => hook.disabled = disabled,
                HookSetting::Token(token) => hook.token = token,
                HookSetting::Event(event, true) => _ = hook.events.insert(event),
                HookSetting::Event(event, false) => _ = hook.events.remove(&event),
            }
        });
    }

    /// Deletes a hook.
    pub fn delete_hook(&self, id: u64) {
        self.world(|world| world.hooks.retain(|hook| hook.id != id));
    }

    /// Presses Retry: only a failed check can be asked again.
    pub fn retry(&self, which: MergeRequestRef, check: StatusCheckId) -> Result<(), SimulatorError> {
        self.world(|world| {
            let actor = self.actor(world, which)?;
            world.retry(which, check, actor)
        })
    }

    /// What a check shows for the current head.
    pub fn status(
        &self,
        which: MergeRequestRef,
        check: StatusCheckId,
    ) -> Result<CheckStatus, SimulatorError> {
        self.world(|world| world.status(which, check))
    }

    /// Every answer that was ever taken for a check of a merge request, oldest first, whatever the SHA.
    pub fn responses(&self, which: MergeRequestRef, check: StatusCheckId) -> Vec<StatusRow> {
        let ours = |row: &&StatusRow| row.merge_request == which && row.check == check;
        self.world(|world| world.rows.all().iter().filter(ours).cloned().collect())
    }

    /// Every answer that was ever taken, oldest first.
    pub fn all_responses(&self) -> Vec<StatusRow> {
        self.world(|world| world.rows.all().to_vec())
    }

    /// The commit statuses of a project, oldest first; one that had not ended was changed in place.
    pub fn commit_statuses(&self, project: ProjectId) -> Result<Vec<CommitStatus>, SimulatorError> {
        self.world(|world| Ok(world.project(project)?.commit_statuses.clone()))
    }

    /// Every commit status that was ever taken, as it was said, oldest first.
    pub fn reports(&self) -> Vec<CommitStatus> {
        self.world(|world| world.reports.clone())
    }

    /// Another system says something of the head, beside all pipelines. Nobody is told.
    pub fn report_status(
        &self,
        which: MergeRequestRef,
        name: &str,
        state: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let (user, id) = (self.actor(world, which)?, world.fresh_id());
            let head = world.merge_request(which)?.head().cloned();
            let sha = head.ok_or(SimulatorError::NoHead(which))?;
            let (name, state) = (name.to_owned(), state.to_owned());
            let target_url = Some("https://ci.example/1".to_owned());
            let (description, reference, pipeline) = (None, None, None);
            let status = CommitStatus {
                id,
                sha,
                state,
                name,
                target_url,
                description,
                user,
                reference,
                pipeline,
                retried: false,
            };
            world.project_mut(which.project)?.commit_statuses.push(status);
            Ok(())
        })
    }

    /// Somebody else answers for the current head.
    pub fn post_status_as(
        &self,
        user: UserId,
        which: MergeRequestRef,
        check: StatusCheckId,
        status: CheckStatus,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.user(user)?;
            world.answer(which, check, user, status).map(drop)
        })
    }

    /// GitLab loses the newest answer for the current head, as when a copy of its database comes back: what it took before
    /// shows again. Nobody is told. Gives whether there was one.
    pub fn lose_answer(&self, which: MergeRequestRef, check: StatusCheckId) -> Result<bool, SimulatorError> {
        self.world(|world| {
            let head = world.merge_request(which)?.head().cloned().ok_or(SimulatorError::NoHead(which))?;
            Ok(world.rows.lose(&(check, which, head)))
        })
    }
}
