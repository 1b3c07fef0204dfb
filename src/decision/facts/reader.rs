//! Who answers: what it has at hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::decision::own::Own;
use crate::gitlab::{Client, Error, VersionDetail};
use crate::merge_request::{MergeRequestRef, UserId, VersionId};
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
    /// All of them but our own.
    pub approvals: Vec<Approval>,
    /// Whether our own user approves.
    pub own: bool,
}

/// Another push showed up between two reads.
pub(in crate::decision) struct Moved;

/// Answers questions about one merge request.
pub(in crate::decision) struct Reader<'a> {
    pub(in crate::decision) gitlab: &'a Client,
    pub(in crate::decision) approvals: &'a ApprovalMemory,
    /// GitLab's clock at the read of the merge request: one clock dates pushes, approvals and the present.
    pub(in crate::decision) now: Timestamp,
    /// The newest version as it was read.
    pub(in crate::decision) newest: NewestVersion,
    /// What this service itself says in GitLab.
    pub(in crate::decision) own: Own,
}

/// The longest text of a version that is kept: a longer one is read again by whoever needs it again.
const KEPT_TEXT: usize = 8 * 1024 * 1024;

/// The newest version's files with their texts, kept during one evaluation: later rounds may ask for what is in them.
#[derive(Debug, Default)]
pub(in crate::decision) struct NewestVersion(Mutex<Option<Arc<VersionDetail>>>);

impl NewestVersion {
    /// What was kept of a version, else by reading it.
    pub(super) async fn read(
        &self,
        gitlab: &Client,
        merge_request: MergeRequestRef,
        version: VersionId,
    ) -> Result<Arc<VersionDetail>, Error> {
        if let Some(kept) = self.kept(version) {
            return Ok(kept);
        }
        let detail = Arc::new(gitlab.version(merge_request, version).await?);
        let text = detail.diffs.iter().filter_map(|diff| diff.diff.as_ref()).map(String::len).sum::<usize>();
        if text <= KEPT_TEXT {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&detail));
        }
        Ok(detail)
    }

    fn kept(&self, version: VersionId) -> Option<Arc<VersionDetail>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| kept.id == version.get()).map(Arc::clone)
    }
}
