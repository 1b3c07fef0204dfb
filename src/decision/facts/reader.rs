//! Who answers: what it has at hand.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::gitlab::Client;
use crate::merge_request::UserId;
use crate::policy::fact::Approval;

/// What is remembered of approvals.
#[derive(Debug, Clone, Default)]
pub struct ApprovalMemory {
    /// Approvals seen at the last read, and not before when each was given.
    pub seen: BTreeMap<UserId, Option<Timestamp>>,
    /// When that read was, on GitLab's clock.
    pub read_at: Option<Timestamp>,
}

/// The approvals of one read, to be remembered.
#[derive(Debug, Clone)]
pub struct ReadApprovals {
    /// When, on GitLab's clock; none when GitLab did not say.
    pub read_at: Option<Timestamp>,
    /// All of them.
    pub approvals: Vec<Approval>,
}

/// Another push showed up between two reads.
pub(in crate::decision) struct Moved;

/// Answers questions about one merge request.
pub(in crate::decision) struct Reader<'a> {
    pub(in crate::decision) gitlab: &'a Client,
    pub(in crate::decision) approvals: &'a ApprovalMemory,
    /// GitLab's clock at the read of the merge request: one clock dates pushes, approvals and the present.
    pub(in crate::decision) now: Timestamp,
}
