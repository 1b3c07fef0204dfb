//! Answers to status checks, retries, and the checks themselves: what both the API and the handle can do.

use super::error::SimulatorError;
use super::namespaces::ProtectedBranch;
use super::status_checks::{CheckStatus, NewStatusCheck, StatusCheck};
use super::world::World;
use crate::merge_request::{MergeRequestRef, ProjectId, StatusCheckId, UserId};

impl World {
    /// Takes an answer for the current head, as a row of its own.
    pub(super) fn answer(
        &mut self,
        which: MergeRequestRef,
        check: StatusCheckId,
        user: UserId,
        status: CheckStatus,
    ) -> Result<u64, SimulatorError> {
        self.check(which.project, check)?;
        let head = self.merge_request(which)?.head().cloned().ok_or(SimulatorError::NoHead(which))?;
        let now = self.now();
        Ok(self.rows.add((check, which, head), status, user, now))
    }

    /// What a check shows for the current head.
    pub(super) fn status(
        &self,
        which: MergeRequestRef,
        check: StatusCheckId,
    ) -> Result<CheckStatus, SimulatorError> {
        let head = self.merge_request(which)?.head().cloned();
        let status = |head| self.rows.status(&(check, which, head));
        Ok(head.map_or(CheckStatus::Unanswered, status))
    }

    /// Retry: only a failed check can be asked again.
    pub(super) fn retry(
        &mut self,
        which: MergeRequestRef,
        check: StatusCheckId,
        user: UserId,
    ) -> Result<(), SimulatorError> {
        self.check(which.project, check)?;
        if self.status(which, check)? != CheckStatus::Failed {
            return Err(SimulatorError::Refused("External status check must be failed".to_owned()));
        }
        let head = self.merge_request(which)?.head().cloned().ok_or(SimulatorError::NoHead(which))?;
        let now = self.now();
        self.rows.retry(&(check, which, head), now);
        self.announce_retry(which, check, user)
    }

    /// Creates a check; names and URLs are unique within a project.
    pub(super) fn create_check(
        &mut self,
        project: ProjectId,
        new: NewStatusCheck,
    ) -> Result<StatusCheckId, SimulatorError> {
        self.validate_check(project, None, &new.name, &new.external_url)?;
        let branches: Result<Vec<u64>, _> =
            new.branches.iter().map(|name| self.protect(project, name)).collect();
        let id = StatusCheckId::new(self.id_or_fresh(new.id));
        let check = StatusCheck {
            id,
            project,
            name: new.name,
            external_url: new.external_url,
            shared_secret: new.shared_secret,
            protected_branches: branches?,
        };
        self.project_mut(project)?.checks.push(check);
        Ok(id)
    }

    /// Whether a project may have a check with this name and URL, `except` its own.
    pub(super) fn validate_check(
        &self,
        project: ProjectId,
        except: Option<StatusCheckId>,
        name: &str,
        url: &str,
    ) -> Result<(), SimulatorError> {
        let checks = &self.project(project)?.checks;
        let others = || checks.iter().filter(|check| Some(check.id) != except);
        let refused = |text: &str| Err(SimulatorError::Refused(text.to_owned()));
        if name.is_empty() || name.len() > 255 {
            return refused("Name can't be blank");
        }
        let http = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !http {
            return refused("External url must be a valid URL");
        }
        if others().any(|check| check.name == name) {
            return refused("Name has already been taken");
        }
        if others().any(|check| check.external_url == url) {
            return refused("External url has already been taken");
        }
        Ok(())
    }

    /// Protects a branch, or finds that it is.
    pub(super) fn protect(&mut self, project: ProjectId, name: &str) -> Result<u64, SimulatorError> {
        let protected = &self.project(project)?.protected_branches;
        if let Some(branch) = protected.iter().find(|branch| branch.name == name) {
            return Ok(branch.id);
        }
        let id = self.fresh_id();
        self.project_mut(project)?.protected_branches.push(ProtectedBranch { id, name: name.to_owned() });
        Ok(id)
    }
}
