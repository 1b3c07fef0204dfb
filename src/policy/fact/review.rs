//! What people said: approvals, comments, emoji, labels.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::merge_request::User;

/// Who approves at the moment, per GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The approver.
    pub user: User,
    /// The earliest moment at which it can have been given: GitLab's `approved_at`, else the last moment at which
    /// this service saw that it was not yet there. None: neither is known, and the approval counts for no version.
    pub not_before: Option<Timestamp>,
}

/// A thread that is not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// GitLab's discussion id.
    pub id: String,
    /// Who opened it.
    pub author: User,
}

/// What somebody wrote into the merge request; system notes among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that GitLab tells of it")]
pub struct Comment {
    /// GitLab's note id; larger is newer.
    pub id: u64,
    /// Who wrote it.
    pub author: User,
    /// Whether the author's account can still be used: one that was blocked or deactivated vouches for nothing any more, and
    /// takes nothing back.
    pub is_active: bool,
    /// The text; none when it is longer than [`Comment::LONGEST_BODY`]: too long to be an approval or GitLab's own note.
    pub body: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last touched, by whomever: GitLab's REST API does not tell an edit from a resolution, a first reply or
    /// an emoji on it.
    pub updated_at: Timestamp,
    /// Whether GitLab wrote it to tell what happened.
    pub system: bool,
    /// Whether only members of the project can see it.
    pub internal: bool,
    /// Whether it belongs to a thread or to a line of the change, and not to the merge request as a whole.
    pub in_thread: bool,
}

impl Comment {
    /// The longest text of a comment that is kept, in bytes: facts are recorded with every decision.
    pub const LONGEST_BODY: usize = 4 * 1024;

    /// Whether it may say something else than what its author wrote: a Maintainer can change everybody's comments.
    pub fn may_be_edited(&self) -> bool {
        self.updated_at != self.created_at
    }
}

/// An emoji that somebody awarded to the merge request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Award {
    /// The emoji's name without colons: `thumbsup`.
    pub name: String,
    /// Who awarded it.
    pub user: User,
    /// Whether that account can still be used, as for [`Comment::is_active`].
    pub is_active: bool,
    /// When.
    pub created_at: Timestamp,
}

/// Somebody who was asked to review, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewer {
    /// Who.
    pub user: User,
    /// GitLab's word: `unreviewed`, `review_started`, `reviewed`, `requested_changes`, `approved`, `unapproved`.
    pub state: String,
}

/// A label was added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEvent {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// The label; none when it was deleted since.
    pub label: Option<String>,
    /// Whether it was added.
    pub added: bool,
    /// Who did it; none when the account was deleted.
    pub user: Option<User>,
}
