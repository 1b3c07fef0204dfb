//! The events that accompany merge requests and belong to none, or to many: jobs, emoji, issues, pushes to branches, members,
//! projects, access tokens. Their bodies are those of GitLab's data builders (contract section 4).

use serde_json::{Value, json};

use super::clock::{hook_time, rest_time};
use super::error::SimulatorError;
use super::hooks::HookEvent;
use super::merge_requests::{Award, PipelineRun};
use super::namespaces::Place;
use super::world::World;
use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, UserId};

/// What becomes of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberDeed {
    Joins,
    Changes,
    Leaves,
}

impl MemberDeed {
    fn event_name(self, place: &Place) -> &'static str {
        match (self, place) {
            (Self::Joins, Place::Project(_)) => "user_add_to_team",
            (Self::Changes, Place::Project(_)) => "user_update_for_team",
            (Self::Leaves, Place::Project(_)) => "user_remove_from_team",
            (Self::Joins, Place::Group(_)) => "user_add_to_group",
            (Self::Changes, Place::Group(_)) => "user_update_for_group",
            (Self::Leaves, Place::Group(_)) => "user_remove_from_group",
        }
    }
}

impl World {
    /// Tells the hooks of a job. GitLab: it names its pipeline, its ref as it is, and no merge request.
    pub(super) fn announce_job(
        &mut self,
        which: MergeRequestRef,
        run: &PipelineRun,
        id: u64,
    ) -> Result<(), SimulatorError> {
        let author = self.merge_request(which)?.author;
        let job = run.jobs.iter().find(|job| job.id == id).filter(|job| !job.is_bridge);
        let Some(job) = job else { return Ok(()) };
        let project = self.project(run.project)?;
        let body = json!({
            "object_kind": "build",
            "ref": run.reference,
            "tag": false,
            "before_sha": "0".repeat(40),
            "sha": run.sha,
            "build_id": job.id,
            "build_name": job.name,
            "build_stage": "test",
            "build_status": job.status,
            "build_allow_failure": job.allow_failure,
            "pipeline_id": run.id,
            "project_id": project.id,
            "project_name": project.path.replace('/', " / "),
            "user": self.user_payload(author),
            "commit": { "id": run.id, "name": null, "sha": run.sha, "status": run.status },
            "repository": self.repository_payload(run.project),
            "environment": null,
        });
        self.tell_hooks(run.project, HookEvent::Job, None, &body)
    }

    /// Tells the hooks of an emoji that was awarded (`award`) or taken back (`revoke`).
    pub(super) fn announce_award(
        &mut self,
        which: MergeRequestRef,
        award: &Award,
        deed: &'static str,
    ) -> Result<(), SimulatorError> {
        if !self.release.has_emoji_hooks() {
            return Ok(());
        }
        let merge_request = self.merge_request(which)?;
        let body = json!({
            "object_kind": "emoji",
            "event_type": deed,
            "user": self.user_payload(award.user),
            "project_id": which.project,
            "project": self.project_payload(Some(which.project)),
            "object_attributes": {
                "id": award.id,
                "user_id": award.user,
                "name": award.name,
                "awardable_type": "MergeRequest",
                "awardable_id": merge_request.id,
                "created_at": hook_time(award.at),
                "updated_at": hook_time(award.at),
                "action": deed,
                "awarded_on_url": self.merge_request_url(merge_request),
            },
            "merge_request": self.subject_attributes(merge_request),
        });
        self.tell_hooks(which.project, HookEvent::Emoji, Some(deed), &body)
    }

    /// Tells the hooks of an issue that was changed.
    pub(super) fn announce_issue(&mut self, project: ProjectId, iid: u64) -> Result<(), SimulatorError> {
        let issue = self.issue(project, iid).ok_or(SimulatorError::NoIssue(project, iid))?;
        let body = json!({
            "object_kind": "issue",
            "event_type": "issue",
            "user": self.user_payload(issue.author),
            "project": self.project_payload(Some(project)),
            "object_attributes": {
                "id": issue.id,
                "iid": iid,
                "project_id": project,
                "title": issue.title,
                "state": if issue.closed { "closed" } else { "opened" },
                "action": "update",
            },
            "labels": [],
            "changes": {},
            "repository": self.repository_payload(project),
        });
        self.tell_hooks(project, HookEvent::Issue, Some("update"), &body)
    }

    /// Tells the hooks of a push to a branch that is no merge request's.
    pub(super) fn announce_branch_push(
        &mut self,
        project: ProjectId,
        branch: &str,
        (before, after): (&CommitSha, &CommitSha),
        changed: &str,
    ) -> Result<(), SimulatorError> {
        let commit = json!({
            "id": after,
            "message": format!("Write {changed}"),
            "author": { "name": "Administrator", "email": "[REDACTED]" },
            "added": [],
            "modified": [changed],
            "removed": [],
        });
        let body = json!({
            "object_kind": "push",
            "event_name": "push",
            "before": before,
            "after": after,
            "checkout_sha": after,
            "ref": format!("refs/heads/{branch}"),
            "user_id": 1,
            "user_name": "Administrator",
            "user_username": "root",
            "user_email": null,
            "project_id": project,
            "project": self.project_payload(Some(project)),
            "repository": self.repository_payload(project),
            "total_commits_count": 1,
            "commits": [commit],
        });
        self.tell_hooks(project, HookEvent::Push, None, &body)
    }

    /// Tells the hooks of a member. GitLab: of members of a project only the instance's own hooks hear.
    pub(super) fn announce_member(
        &mut self,
        place: &Place,
        user: UserId,
        level: u8,
        deed: MemberDeed,
    ) -> Result<(), SimulatorError> {
        let account = self.user(user)?;
        let mut body = json!({
            "created_at": rest_time(self.clock.now()),
            "updated_at": rest_time(self.clock.now()),
            "event_name": deed.event_name(place),
            "user_username": account.username,
            "user_name": account.name,
            "user_email": "[REDACTED]",
            "user_id": user,
        });
        let role = match level {
            50 => "Owner",
            40 => "Maintainer",
            30 => "Developer",
            20 => "Reporter",
            _ => "Guest",
        };
        let fields = match place {
            Place::Project(id) => {
                let project = self.project(*id)?;
                json!({
                    "access_level": role,
                    "project_id": id,
                    "project_name": project.name(),
                    "project_path": project.name(),
                    "project_path_with_namespace": project.path,
                    "project_visibility": project.visibility.words().0,
                })
            }
            Place::Group(path) => json!({
                "group_access": role,
                "group_id": self.groups.get(path).map(|group| group.id),
                "group_name": path.rsplit('/').next(),
                "group_path": path.rsplit('/').next(),
            }),
        };
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        match place {
            Place::Project(_) => self.tell_system_hooks(HookEvent::Member, &body),
            Place::Group(path) => self.tell_group_hooks(path, HookEvent::Member, &body),
        }
        Ok(())
    }

    /// Tells the hooks of the instance of a project that was changed; with its old path of one that was renamed, or moved to
    /// another group. GitLab: then no change is told beside it.
    pub(super) fn announce_project(
        &mut self,
        project: ProjectId,
        old_path: Option<&str>,
    ) -> Result<(), SimulatorError> {
        let project = self.project(project)?;
        let event_name = match old_path.map(|old| old.rsplit_once('/').map_or("", |(namespace, _)| namespace))
        {
            None => "project_update",
            Some(namespace) if namespace == project.namespace() => "project_rename",
            Some(_) => "project_transfer",
        };
        let mut body = json!({
            "created_at": rest_time(self.clock.now()),
            "updated_at": rest_time(self.clock.now()),
            "event_name": event_name,
            "name": project.name(),
            "path": project.name(),
            "path_with_namespace": project.path,
            "project_id": project.id,
            "owner_name": project.namespace(),
            "owner_email": null,
            "owners": [],
            "project_visibility": project.visibility.words().0,
        });
        if let (Some(body), Some(old)) = (body.as_object_mut(), old_path) {
            body.insert("old_path_with_namespace".to_owned(), old.into());
        }
        self.tell_system_hooks(HookEvent::Project, &body);
        Ok(())
    }

    /// Tells the hooks of a project that the access token of one of its bots expires in a week.
    pub(super) fn announce_expiring_token(
        &mut self,
        project: ProjectId,
        user: UserId,
    ) -> Result<(), SimulatorError> {
        let expires_at = self.clock.now() + jiff::SignedDuration::from_hours(7 * 24);
        let day = expires_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let body = json!({
            "object_kind": "access_token",
            "project": self.project_payload(Some(project)),
            "object_attributes": {
                "user_id": user,
                "created_at": hook_time(self.clock.now()),
                "id": 25,
                "name": "gate",
                "expires_at": day.to_string(),
            },
            "event_name": "expiring_access_token",
        });
        self.tell_hooks(project, HookEvent::AccessToken, None, &body)
    }
}
