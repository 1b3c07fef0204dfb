//! What this service itself says in GitLab, so that none of it ever enters a fact: a verdict must not follow from a
//! verdict.

use std::collections::BTreeSet;

use crate::gitlab::{BasicUser, CommitStatus, HeadPipeline};
use crate::merge_request::{CheckName, UserId};

/// What our note on a merge request begins with. People don't see it.
pub const NOTE_MARKER: &str = "<!-- countersign:merge-request -->";
/// What stands before a check's name in the name of our commit status.
const STATUS_PREFIX: &str = "countersign/";

/// The name of our commit status for a check.
pub fn commit_status_name(check: &CheckName) -> String {
    if check.as_str() == CheckName::DEFAULT { check.to_string() } else { format!("{STATUS_PREFIX}{check}") }
}

/// Whether countersign says a commit status of that name.
pub(super) fn is_own_status_name(name: &str) -> bool {
    name == CheckName::DEFAULT || name.starts_with(STATUS_PREFIX)
}

/// What this service says in GitLab beside its answers to status checks, or did.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// As whom; none where it says nothing.
    pub user: Option<UserId>,
    /// Whether it approves. A user who approves for it approves nothing as a person.
    pub approves: bool,
    /// Whether it sets commit statuses, which are part of pipelines.
    pub sets_commit_statuses: bool,
    /// The labels that it sets, whoever set them.
    pub labels: BTreeSet<String>,
}

impl Own {
    /// Whether what a user says as a reviewer is our own.
    pub(super) fn reviews_as(&self, user: &BasicUser) -> bool {
        self.approves && self.is(user)
    }

    /// Whether a comment is our note. Whoever copies the marker is somebody else.
    pub fn wrote(&self, author: &BasicUser, body: &str) -> bool {
        self.is(author) && body.starts_with(NOTE_MARKER)
    }

    /// Whether a commit status is ours. Whoever only calls it so may hide nothing behind the name.
    pub fn said(&self, status: &CommitStatus) -> bool {
        is_own_status_name(&status.name) && status.author.as_ref().is_some_and(|author| self.is(author))
    }

    fn is(&self, user: &BasicUser) -> bool {
        self.user.is_some_and(|own| own.get() == user.id)
    }
}

/// What GitLab shows of a merge request that is our own, or where our own goes. It is no fact.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// All labels.
    pub labels: BTreeSet<String>,
    /// The pipeline that GitLab goes by, which may still be that of the head before.
    pub pipeline: Option<HeadPipeline>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_or_a_name_alone_is_not_ours() {
        let own = Own { user: Some(UserId::new(7)), approves: true, ..Own::default() };
        let user = |id| BasicUser { id, username: "x".to_owned(), state: "active".to_owned() };
        let note = format!("{NOTE_MARKER}\ntext");
        assert!(own.wrote(&user(7), &note));
        assert!(!own.wrote(&user(8), &note) && !own.wrote(&user(7), "text"));
        let status = |name: &str, id| {
            let status = serde_json::json!({"id": 1, "name": name, "status": "failed",
                "target_url": null, "description": null,
                "allow_failure": false, "author": {"id": id, "username": "x", "state": "active"}});
            own.said(&serde_json::from_value(status).unwrap())
        };
        assert!(status("countersign", 7) && status("countersign/security", 7));
        assert!(!status("countersign/security", 8), "somebody's job of that name");
        assert!(!status("build", 7) && !status("countersigned", 7));
        assert!(own.reviews_as(&user(7)) && !Own::default().reviews_as(&user(7)));
    }
}
