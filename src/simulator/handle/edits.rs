//! What people change about a merge request.

use serde_json::{Value, json};

use super::gitlab::Gitlab;
use crate::merge_request::{CommitSha, MergeRequestRef, UserId, VersionId};
use crate::simulator::diffs::DiffVersion;
use crate::simulator::error::SimulatorError;
use crate::simulator::merge_requests::{MergeRequest, MergeRequestState};
use crate::simulator::merge_trains::TrainStatus;
use crate::simulator::payload::Happening;
use crate::simulator::reviewing::NoteKind;
use crate::simulator::world::World;

impl Gitlab {
    /// Changes the title.
    pub fn edit_title(&self, which: MergeRequestRef, title: &str) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| title.clone_into(&mut merge_request.title))
    }

    /// Changes the description.
    pub fn edit_description(&self, which: MergeRequestRef, text: &str) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| text.clone_into(&mut merge_request.description))
    }

    /// Adds a label.
    pub fn add_label(&self, which: MergeRequestRef, title: &str) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| _ = merge_request.labels.insert(title.to_owned()))
    }

    /// Removes a label.
    pub fn remove_label(&self, which: MergeRequestRef, title: &str) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| _ = merge_request.labels.remove(title))
    }

    /// Marks it as draft, or as ready.
    pub fn set_draft(&self, which: MergeRequestRef, draft: bool) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| {
            let bare = merge_request.title.trim_start_matches("Draft:").trim().to_owned();
            merge_request.title = if draft { format!("Draft: {bare}") } else { bare };
        })
    }

    /// Chooses another target branch. GitLab makes a new diff version of the same head, and its answers stay.
    pub fn set_target_branch(&self, which: MergeRequestRef, branch: &str) -> Result<(), SimulatorError> {
        self.retarget(which, branch, true)
    }

    /// Chooses another target branch without a new diff version.
    pub fn set_target_branch_only(&self, which: MergeRequestRef, branch: &str) -> Result<(), SimulatorError> {
        self.retarget(which, branch, false)
    }

    fn retarget(&self, which: MergeRequestRef, branch: &str, renew: bool) -> Result<(), SimulatorError> {
        let renewed = self.world(|world| -> Result<_, SimulatorError> {
            let start = world.branch_head(which.project, branch)?;
            let newest = world.merge_request(which)?.versions.last().cloned();
            let (id, created_at) = (VersionId::new(world.fresh_id()), world.now());
            let moves = world.merge_request(which)?.target_branch != branch;
            let renewed = newest.filter(|_| renew && moves);
            Ok(renewed.map(|version| DiffVersion { id, start, created_at, ..version }))
        })?;
        self.edit(which, |merge_request| {
            branch.clone_into(&mut merge_request.target_branch);
            merge_request.versions.extend(renewed);
        })?;
        self.world(|world| {
            let actor = self.actor(world, which)?;
            world.leave_train(which, actor)
        })
    }

    /// Assigns it to these users.
    pub fn set_assignees(&self, which: MergeRequestRef, users: &[UserId]) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| merge_request.assignees = users.to_vec())
    }

    /// Asks these users for a review.
    pub fn set_reviewers(&self, which: MergeRequestRef, users: &[UserId]) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| merge_request.reviewers = users.to_vec())
    }

    /// Sets the milestone, or takes it away.
    pub fn set_milestone(&self, which: MergeRequestRef, title: Option<&str>) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| merge_request.milestone = title.map(str::to_owned))
    }

    /// Sets the tick that squashes commits, or takes it away.
    pub fn set_squash(&self, which: MergeRequestRef, squash: bool) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| merge_request.squash = squash)
    }

    /// Sets the tick that deletes the source branch, or takes it away.
    pub fn set_source_branch_removal(
        &self,
        which: MergeRequestRef,
        removes: bool,
    ) -> Result<(), SimulatorError> {
        self.edit(which, |merge_request| merge_request.removes_source_branch = removes)
    }

    /// Whether it conflicts with its target; none: GitLab has not looked. Nobody is told.
    pub fn set_conflicts(
        &self,
        which: MergeRequestRef,
        conflicts: Option<bool>,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.conflicts = conflicts;
            Ok(())
        })
    }

    /// Whether it is its author's first in the project; none: GitLab does not say.
    pub fn set_first_contribution(
        &self,
        which: MergeRequestRef,
        first: Option<bool>,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.first_contribution = first;
            Ok(())
        })
    }

    /// Forgets every label event, as if labels had come with an import. Nobody is told.
    pub fn forget_label_events(&self, which: MergeRequestRef) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.label_events.clear();
            Ok(())
        })
    }

    /// Lets `detailed_merge_status` say this, or again what follows from the rest. Nobody is told.
    pub fn set_merge_status(
        &self,
        which: MergeRequestRef,
        status: Option<&str>,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.said_merge_status = status.map(str::to_owned);
            Ok(())
        })
    }

    /// Puts it into a state, such as locked. Nobody is told.
    pub fn set_state(&self, which: MergeRequestRef, state: MergeRequestState) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.state = state;
            Ok(())
        })
    }

    /// Closes it.
    pub fn close(&self, which: MergeRequestRef) -> Result<(), SimulatorError> {
        self.turn(which, MergeRequestState::Opened, MergeRequestState::Closed, "close")?;
        self.world(|world| {
            let actor = self.actor(world, which)?;
            world.leave_train(which, actor)
        })
    }

    /// Opens it again.
    pub fn reopen(&self, which: MergeRequestRef) -> Result<(), SimulatorError> {
        self.turn(which, MergeRequestState::Closed, MergeRequestState::Opened, "reopen")
    }

    /// Merges it, if GitLab lets it be merged: otherwise the error names `detailed_merge_status`.
    pub fn merge(&self, which: MergeRequestRef) -> Result<CommitSha, SimulatorError> {
        let sha = self.world(|world| {
            let status = world.detailed_merge_status(world.merge_request(which)?);
            if status != "mergeable" {
                return Err(SimulatorError::Refused(status));
            }
            let target = world.merge_request(which)?.target_branch.clone();
            let email = world.user(self.actor(world, which)?)?.commit_email();
            let before = world.branch_head(which.project, &target)?;
            let sha = world.commit_on(which.project, &target, "Merge", &email)?;
            world.announce_branch_push(which.project, &target, (&before, &sha), "README.md")?;
            world.merge_request_mut(which)?.merge_commit = Some(sha.clone());
            Ok(sha)
        })?;
        self.turn(which, MergeRequestState::Opened, MergeRequestState::Merged, "merge")?;
        if self.merge_request(which)?.on_merge_train() {
            self.set_train_status(which, TrainStatus::Merged)?;
        }
        Ok(sha)
    }

    /// A snapshot.
    pub fn merge_request(&self, which: MergeRequestRef) -> Result<MergeRequest, SimulatorError> {
        self.world(|world| world.merge_request(which).cloned())
    }

    /// The head of the newest diff version; an error while there is none.
    pub fn head(&self, which: MergeRequestRef) -> Result<CommitSha, SimulatorError> {
        let head = self.world(|world| world.merge_request(which).map(|found| found.head().cloned()))?;
        head.ok_or(SimulatorError::NoHead(which))
    }

    /// What `detailed_merge_status` says.
    pub fn merge_status(&self, which: MergeRequestRef) -> Result<String, SimulatorError> {
        self.world(|world| Ok(world.detailed_merge_status(world.merge_request(which)?)))
    }

    fn turn(
        &self,
        which: MergeRequestRef,
        from: MergeRequestState,
        to: MergeRequestState,
        action: &'static str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let merge_request = world.merge_request_mut(which)?;
            if merge_request.state != from {
                return Err(SimulatorError::Refused(format!("it is {}", merge_request.state.words().0)));
            }
            merge_request.state = to;
            let (from, to) = (json!(from.words().1), json!(to.words().1));
            self.announce(world, which, Happening::new(action).changed("state_id", &from, &to))
        })
    }

    /// GitLab notes when the draft mark comes and goes.
    fn note_draft(
        &self,
        world: &mut World,
        which: MergeRequestRef,
        before: &MergeRequest,
    ) -> Result<(), SimulatorError> {
        let draft = world.merge_request(which)?.draft();
        if draft == before.draft() {
            return Ok(());
        }
        let action = if draft { "draft" } else { "ready" };
        let note = format!("marked this merge request as **{action}**");
        let user = self.actor(world, which)?;
        world.discuss(which, user, &note, NoteKind::System).map(drop)
    }

    /// GitLab: an edit that changes nothing sends nothing.
    fn edit(
        &self,
        which: MergeRequestRef,
        deed: impl FnOnce(&mut MergeRequest),
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let before = world.merge_request(which)?.clone();
            deed(world.merge_request_mut(which)?);
            let happening = difference(world, &before, world.merge_request(which)?);
            let user = self.actor(world, which)?;
            world.note_labels(which, user, &before)?;
            self.note_draft(world, which, &before)?;
            if happening.changes.is_empty() {
                return Ok(());
            }
            self.announce(world, which, happening)
        })
    }
}

fn milestone_id(merge_request: &MergeRequest) -> Value {
    json!(merge_request.milestone.as_deref().map(World::milestone_id))
}

/// An `update` with the fields that differ.
fn difference(world: &World, before: &MergeRequest, after: &MergeRequest) -> Happening {
    let people = |users: &[UserId]| -> Value { users.iter().map(|user| world.user_payload(*user)).collect() };
    let fields = [
        ("title", json!(before.title), json!(after.title)),
        ("description", json!(before.description), json!(after.description)),
        ("draft", json!(before.draft()), json!(after.draft())),
        ("target_branch", json!(before.target_branch), json!(after.target_branch)),
        ("milestone_id", milestone_id(before), milestone_id(after)),
        ("squash", json!(before.squash), json!(after.squash)),
        ("merge_params", World::merge_params(before), World::merge_params(after)),
        ("labels", World::labels_payload(before), World::labels_payload(after)),
        ("assignees", people(&before.assignees), people(&after.assignees)),
        ("reviewers", world.reviewers_payload(before), world.reviewers_payload(after)),
    ];
    let changed = fields.into_iter().filter(|(_, previous, current)| previous != current);
    changed.fold(Happening::new("update"), |happening, (field, previous, current)| {
        happening.changed(field, &previous, &current)
    })
}
