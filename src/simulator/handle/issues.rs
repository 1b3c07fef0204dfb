//! Issues, and merge requests that have to be merged first.

use super::gitlab::Gitlab;
use crate::merge_request::{MergeRequestRef, ProjectId};
use crate::simulator::accounts::NewUser;
use crate::simulator::error::SimulatorError;
use crate::simulator::issues::{Issue, NewIssue};

impl Gitlab {
    /// Opens an issue and returns its number. Nobody is told.
    pub fn create_issue(&self, project: ProjectId, new: NewIssue) -> Result<u64, SimulatorError> {
        self.world(|world| {
            world.project(project)?;
            let author = self.actor.unwrap_or_else(|| world.ensure_user(&NewUser::named("author")));
            let (id, created_at) = (world.fresh_id(), world.now());
            let numbers = world.issues.iter().filter(|issue| issue.project == project).map(|issue| issue.iid);
            let iid = numbers.max().unwrap_or_default() + 1;
            let NewIssue { title, labels, milestone } = new;
            world.issues.push(Issue {
                id,
                project,
                iid,
                title,
                closed: false,
                labels,
                milestone,
                author,
                created_at,
            });
            Ok(iid)
        })
    }

    /// Changes an issue: its labels, its milestone, whether it is closed. Only issue hooks hear of it.
    pub fn change_issue(
        &self,
        project: ProjectId,
        iid: u64,
        change: impl FnOnce(&mut Issue),
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let mut issues = world.issues.iter_mut();
            let issue = issues.find(|issue| (issue.project, issue.iid) == (project, iid));
            issue.map(change).ok_or(SimulatorError::NoIssue(project, iid))?;
            world.announce_issue(project, iid)
        })
    }

    /// A comment or commit of the merge request mentions an issue. Nobody is told.
    pub fn mention_issue(
        &self,
        which: MergeRequestRef,
        project: ProjectId,
        iid: u64,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.issue(project, iid).ok_or(SimulatorError::NoIssue(project, iid))?;
            world.merge_request_mut(which)?.mentioned_issues.push((project, iid));
            Ok(())
        })
    }

    /// The merge closes an issue of another tracker. Nobody is told.
    pub fn close_external_issue(&self, which: MergeRequestRef, key: &str) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.external_issues.push(key.to_owned());
            Ok(())
        })
    }

    /// Another merge request has to be merged first. Nobody is told.
    pub fn block(&self, which: MergeRequestRef, by: MergeRequestRef) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request(by)?;
            let id = world.fresh_id();
            world.merge_request_mut(which)?.blocked_by.push((id, by));
            Ok(())
        })
    }

    /// It does not any more. Nobody is told.
    pub fn unblock(&self, which: MergeRequestRef, by: MergeRequestRef) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.blocked_by.retain(|(_, other)| *other != by);
            Ok(())
        })
    }
}
