//! Approvals, notes and labels: what both people (by the handle) and bots (by the API) do.

use serde_json::json;

use super::clock::hook_time;
use super::digest;
use super::error::SimulatorError;
use super::merge_requests::{Approved, Award, Discussion, LabelEvent, MergeRequest, Note};
use super::payload::Happening;
use super::release::Edition;
use super::world::World;
use crate::merge_request::{MergeRequestRef, UserId};

impl World {
    /// Something happens to a merge request: its `updated_at` moves and everybody is told.
    pub(super) fn happen(
        &mut self,
        which: MergeRequestRef,
        actor: UserId,
        mut happening: Happening,
    ) -> Result<(), SimulatorError> {
        let now = self.now();
        let before = std::mem::replace(&mut self.merge_request_mut(which)?.updated_at, now);
        if !happening.changes.is_empty() {
            let time = |at| json!(hook_time(at));
            happening = happening.changed("updated_at", &time(before), &time(now));
        }
        self.announce(which, actor, &happening)
    }

    /// Somebody approves. GitLab: EE tells `approval` until none is left, CE always tells `approved`.
    pub(super) fn approve(&mut self, which: MergeRequestRef, user: UserId) -> Result<(), SimulatorError> {
        self.user(user)?;
        let at = self.now();
        let free = self.release.edition == Edition::Community;
        let merge_request = self.merge_request_mut(which)?;
        if merge_request.approvals.iter().any(|approval| approval.user == user) {
            return Err(SimulatorError::Refused("already approved".to_owned()));
        }
        merge_request.approvals.push(Approved { user, at });
        merge_request.reviewer_states.insert(user, "approved".to_owned());
        let complete = free || merge_request.approvals_left() == 0;
        self.happen(which, user, Happening::new(if complete { "approved" } else { "approval" }))
    }

    /// Somebody takes an approval back.
    pub(super) fn unapprove(&mut self, which: MergeRequestRef, user: UserId) -> Result<(), SimulatorError> {
        let free = self.release.edition == Edition::Community;
        let merge_request = self.merge_request_mut(which)?;
        let approved = merge_request.approvals_left() == 0;
        let count = merge_request.approvals.len();
        merge_request.approvals.retain(|approval| approval.user != user);
        if merge_request.approvals.len() == count {
            return Err(SimulatorError::Refused("not approved".to_owned()));
        }
        // Who asks for changes takes an approval back as well, and stays one who asked for them.
        let state = merge_request.reviewer_states.entry(user).or_default();
        if state != "requested_changes" {
            "unapproved".clone_into(state);
        }
        let lost = free || (approved && merge_request.approvals_left() > 0);
        self.happen(which, user, Happening::new(if lost { "unapproved" } else { "unapproval" }))
    }

    /// A note that begins a thread. Note hooks hear of it unless GitLab wrote it; status checks never do.
    pub(super) fn discuss(
        &mut self,
        which: MergeRequestRef,
        author: UserId,
        body: &str,
        kind: NoteKind,
    ) -> Result<String, SimulatorError> {
        let (id, created_at) = (self.fresh_id(), self.now());
        let (discussion, system) = (digest::sha(id, "discussion")?.to_string(), kind == NoteKind::System);
        let (internal, updated_at) = (kind == NoteKind::Internal, created_at);
        let note = Note { id, author, body: body.to_owned(), system, internal, created_at, updated_at };
        let resolvable = kind == NoteKind::Thread;
        let thread = Discussion { id: discussion.clone(), resolvable, resolved: false, notes: vec![note] };
        let merge_request = self.merge_request_mut(which)?;
        merge_request.discussions.push(thread);
        merge_request.updated_at = created_at;
        if !system {
            self.announce_note(which, &discussion, author)?;
        }
        Ok(discussion)
    }

    /// Somebody writes another text into a note. GitLab keeps who that was for itself: its REST API shows only that
    /// `updated_at` moved.
    pub(super) fn edit_note(
        &mut self,
        which: MergeRequestRef,
        id: u64,
        body: &str,
    ) -> Result<(), SimulatorError> {
        let now = self.now();
        let merge_request = self.merge_request_mut(which)?;
        let mut notes = merge_request.discussions.iter_mut().flat_map(|thread| &mut thread.notes);
        let note = notes.find(|note| note.id == id && !note.system);
        let note = note.ok_or_else(|| SimulatorError::Refused(format!("there is no note {id} to edit")))?;
        body.clone_into(&mut note.body);
        note.touch(now);
        let author = note.author;
        merge_request.updated_at = now;
        if self.release.tells_of_edited_notes() {
            self.tell_of_note(which, id, author, "update")?;
        }
        Ok(())
    }

    /// A note goes, and its thread if it was the only one there.
    pub(super) fn delete_note(&mut self, which: MergeRequestRef, id: u64) -> Result<(), SimulatorError> {
        let merge_request = self.merge_request_mut(which)?;
        for thread in &mut merge_request.discussions {
            thread.notes.retain(|note| note.id != id);
        }
        merge_request.discussions.retain(|thread| !thread.notes.is_empty());
        Ok(())
    }

    /// Somebody awards an emoji, each name once. GitLab: the merge request's `updated_at` stays.
    pub(super) fn award(
        &mut self,
        which: MergeRequestRef,
        user: UserId,
        name: &str,
    ) -> Result<Award, SimulatorError> {
        self.user(user)?;
        let (id, at) = (self.fresh_id(), self.now());
        let awards = &mut self.merge_request_mut(which)?.awards;
        if awards.iter().any(|award| award.user == user && award.name == name) {
            return Err(SimulatorError::Refused(format!("`{name}` was awarded already")));
        }
        let award = Award { id, name: name.to_owned(), user, at };
        awards.push(award.clone());
        self.announce_award(which, &award, "award")?;
        Ok(award)
    }

    /// Somebody takes an emoji back.
    pub(super) fn take_award_back(
        &mut self,
        which: MergeRequestRef,
        is_meant: impl Fn(&Award) -> bool,
    ) -> Result<(), SimulatorError> {
        let awards = &mut self.merge_request_mut(which)?.awards;
        let gone: Vec<Award> = awards.extract_if(.., |award| is_meant(award)).collect();
        gone.iter().try_for_each(|award| self.announce_award(which, award, "revoke"))
    }

    /// A reviewer submits a review, with a comment or without one. GitLab: before 19.3 nothing but the comment is told of it; and
    /// who asks for changes takes an approval back, which is told as always.
    pub(super) fn review(
        &mut self,
        which: MergeRequestRef,
        user: UserId,
        state: &str,
        comment: Option<&str>,
    ) -> Result<(), SimulatorError> {
        self.user(user)?;
        if let Some(comment) = comment {
            self.discuss(which, user, comment, NoteKind::Comment)?;
        }
        let now = self.now();
        let before = self.reviewers_payload(self.merge_request(which)?);
        let tells = self.release.tells_of_reviews() && !matches!(state, "review_started" | "unreviewed");
        let merge_request = self.merge_request_mut(which)?;
        if !merge_request.reviewers.contains(&user) {
            merge_request.reviewers.push(user);
        }
        merge_request.reviewer_states.insert(user, state.to_owned());
        let approved = merge_request.approvals.iter().any(|approval| approval.user == user);
        if tells {
            let after = self.reviewers_payload(self.merge_request(which)?);
            self.happen(which, user, Happening::new("update").changed("reviewers", &before, &after))?;
        } else {
            // GitLab notes it, and a note touches what it is about.
            merge_request.updated_at = now;
        }
        if approved && state == "requested_changes" {
            self.unapprove(which, user)?;
        }
        Ok(())
    }

    /// Somebody adds labels and takes others away. GitLab remembers who did what; an edit that changes nothing sends nothing.
    pub(super) fn change_labels(
        &mut self,
        which: MergeRequestRef,
        user: UserId,
        add: &[String],
        remove: &[String],
    ) -> Result<(), SimulatorError> {
        let before = self.merge_request(which)?.clone();
        let labels = &mut self.merge_request_mut(which)?.labels;
        labels.extend(add.iter().cloned());
        labels.retain(|label| !remove.contains(label));
        let after = self.merge_request(which)?.clone();
        if before.labels == after.labels {
            return Ok(());
        }
        self.note_labels(which, user, &before)?;
        let (before, after) = (Self::labels_payload(&before), Self::labels_payload(&after));
        self.happen(which, user, Happening::new("update").changed("labels", &before, &after))
    }

    /// GitLab remembers who added and removed which label.
    pub(super) fn note_labels(
        &mut self,
        which: MergeRequestRef,
        user: UserId,
        before: &MergeRequest,
    ) -> Result<(), SimulatorError> {
        let after = self.merge_request(which)?.labels.clone();
        for label in before.labels.symmetric_difference(&after) {
            let (id, created_at, added) = (self.fresh_id(), self.now(), after.contains(label));
            let event = LabelEvent { id, user, created_at, label: label.clone(), added };
            self.merge_request_mut(which)?.label_events.push(event);
        }
        Ok(())
    }
}

/// What kind of note begins a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteKind {
    /// One that can be resolved.
    Thread,
    /// A comment, which can't.
    Comment,
    /// A comment that only project members see.
    Internal,
    /// GitLab's own.
    System,
}
