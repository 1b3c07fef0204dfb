//! What is kept of a delivery: where to look. The body itself is forgotten.

use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, StatusCheckId, UserId};

/// What kind of delivery woke a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// GitLab asks a status check.
    StatusCheck,
    /// An ordinary hook about the merge request itself.
    MergeRequest,
    /// An ordinary hook about something of it: a comment, a pipeline, an emoji.
    Companion,
}

impl Event {
    /// The word of the table and of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatusCheck => "status_check",
            Self::MergeRequest => "merge_request",
            Self::Companion => "companion",
        }
    }
}

/// What is kept of a delivery: where to look. The body itself is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Which merge request to look at.
    pub merge_request: MergeRequestRef,
    /// What sent us there.
    pub event: Event,
    /// GitLab's `action`; none on a Retry.
    pub action: Option<String>,
    /// The check that was asked, if one was.
    pub status_check: Option<StatusCheckId>,
    /// Our name for that check, by the URL that GitLab has for it.
    pub check_name: Option<CheckName>,
    /// The head that the body names.
    pub sha: Option<CommitSha>,
    /// Who pushed, if the body says that somebody did.
    pub pusher: Option<UserId>,
    /// Whether GitLab may show something else now than we remember (a Retry, a push, a reopening, a retarget).
    pub distrust: bool,
    /// Whether nothing vouched for the delivery: its lane waits until those that something vouched for had their turn.
    pub unsigned: bool,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// `Idempotency-Key` (GitLab 17.4 and later, ordinary hooks).
    pub idempotency_key: Option<String>,
}

#[cfg(test)]
impl Hint {
    /// A signed update, for the tests of this room; `byte` tells its body from others.
    pub(super) fn example(merge_request: MergeRequestRef, byte: u8) -> Self {
        Self {
            merge_request,
            event: Event::MergeRequest,
            action: Some("update".to_owned()),
            status_check: None,
            check_name: None,
            sha: None,
            pusher: None,
            distrust: false,
            unsigned: false,
            digest: [byte; 32],
            idempotency_key: None,
        }
    }
}

/// What became of a delivery, after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, and its lane will run.
    New,
    /// The same event was taken before; nothing was written.
    Duplicate,
}
