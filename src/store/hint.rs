//! What is kept of a delivery: where to look. The body itself is forgotten.

use crate::companion::Companion;
use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, ProjectId, StatusCheckId, UserId};

/// What kind of delivery woke a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// GitLab asks a status check.
    StatusCheck,
    /// An ordinary hook about the merge request itself.
    MergeRequest,
    /// An ordinary hook about something of it, of a known kind or another.
    Companion(Option<Companion>),
}

impl Event {
    /// The word of the table and of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatusCheck => "status_check",
            Self::MergeRequest => "merge_request",
            Self::Companion(Some(companion)) => companion.as_str(),
            Self::Companion(None) => "companion",
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
    /// The target branch that it names.
    pub target_branch: Option<String>,
    /// Who pushed, if the body says that somebody did.
    pub pusher: Option<UserId>,
    /// Whether GitLab may show something else now than we remember (a Retry, a push, a reopening, a retarget).
    pub distrust: bool,
    /// Whether nothing vouched for the delivery: its lane waits until those that something vouched for had their turn.
    pub unsigned: bool,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// What GitLab says at each repetition of one event (17.4 and later, ordinary hooks).
    pub idempotency_key: Option<String>,
}

impl Hint {
    /// Of an event that accompanies a merge request.
    pub fn of_companion(merge_request: MergeRequestRef, companion: Option<Companion>, proof: Proof) -> Self {
        let Proof { digest, idempotency_key } = proof;
        Self {
            merge_request,
            event: Event::Companion(companion),
            action: None,
            status_check: None,
            check_name: None,
            sha: None,
            target_branch: None,
            pusher: None,
            distrust: false,
            unsigned: false,
            digest,
            idempotency_key,
        }
    }
}

/// What tells one delivery from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// The same at each repetition of one event, if GitLab says it.
    pub idempotency_key: Option<String>,
}

/// The open merge requests that one event may concern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Crowd {
    /// What the event is about.
    pub companion: Companion,
    /// Of this project; none for any.
    pub project: Option<ProjectId>,
    /// Into this branch; none for any.
    pub target_branch: Option<String>,
}

/// Whether an event can concern merge requests of a project, by its path as it was at the last look; none where there was
/// none.
pub type Concerned = dyn Fn(Option<&str>) -> bool + Send + Sync;

#[cfg(test)]
impl Hint {
    /// A signed update, for the tests of this room; `byte` tells its body from others.
    pub(super) fn example(merge_request: MergeRequestRef, byte: u8) -> Self {
        let proof = Proof { digest: [byte; 32], idempotency_key: None };
        Self {
            event: Event::MergeRequest,
            action: Some("update".to_owned()),
            ..Self::of_companion(merge_request, None, proof)
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
    /// It concerns no merge request that is remembered; nothing was written.
    Nobody,
}
