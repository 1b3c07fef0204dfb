//! External status checks and the rows of answers to them.
//!
//! GitLab keeps every answer as a row; the newest row for (check, merge request, SHA) is the status, and no row
//! means pending for ever. Only rows time out. Nothing here may ever reorder a row, or forget one but when it is said.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, StatusCheckId, UserId};

/// Explicit `pending` older than this turns `failed` (contract section 1.3).
pub(super) const PENDING_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// What a project asks of an outside service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusCheck {
    pub(super) id: StatusCheckId,
    pub(super) project: ProjectId,
    pub(super) name: String,
    pub(super) external_url: String,
    pub(super) shared_secret: Option<String>,
    /// Ids of protected branches; none means all branches.
    pub(super) protected_branches: Vec<u64>,
}

/// A status check to be created; the plain one has no secret and applies to every branch.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewStatusCheck {
    pub(super) id: Option<u64>,
    pub(super) name: String,
    pub(super) external_url: String,
    pub(super) shared_secret: Option<String>,
    pub(super) branches: Vec<String>,
}

impl NewStatusCheck {
    /// A check that calls this URL.
    pub fn new(name: &str, external_url: &str) -> Self {
        Self {
            id: None,
            name: name.to_owned(),
            external_url: external_url.to_owned(),
            shared_secret: None,
            branches: Vec::new(),
        }
    }

    /// With this id.
    pub fn id(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// Signed with this secret.
    pub fn secret(mut self, secret: &str) -> Self {
        self.shared_secret = Some(secret.to_owned());
        self
    }

    /// Only for this branch (or wildcard), which becomes protected.
    pub fn branch(mut self, name: &str) -> Self {
        self.branches.push(name.to_owned());
        self
    }
}

/// What GitLab shows for a check at a SHA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckStatus {
    /// No row: shown as pending, and never times out.
    Unanswered,
    /// A row that says pending: it times out.
    Pending,
    /// A row that says passed.
    Passed,
    /// A row that says failed, or said pending for too long.
    Failed,
}

impl CheckStatus {
    /// GitLab's word since 15.0.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unanswered | Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    /// Rows are numbered in the order in which GitLab took them.
    pub id: u64,
    /// To which check.
    pub check: StatusCheckId,
    /// On which merge request.
    pub merge_request: MergeRequestRef,
    /// For which head.
    pub sha: CommitSha,
    /// What was posted.
    pub posted: CheckStatus,
    /// What it counts as now: a pending one may have timed out, a failed one may have been retried.
    pub status: CheckStatus,
    /// By whom.
    pub user: UserId,
    /// When it was taken.
    pub created_at: Timestamp,
    /// When somebody last pressed Retry.
    pub retried_at: Option<Timestamp>,
}

type Key = (StatusCheckId, MergeRequestRef, CommitSha);

/// All rows of this GitLab.
#[derive(Debug, Default)]
pub(super) struct StatusRows {
    rows: Vec<StatusRow>,
    newest: BTreeMap<Key, usize>,
    pending: BTreeSet<usize>,
    lost: BTreeSet<usize>,
}

impl StatusRows {
    /// Takes an answer.
    pub(super) fn add(&mut self, key: Key, status: CheckStatus, user: UserId, at: Timestamp) -> u64 {
        let index = self.rows.len();
        let id = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let (check, merge_request, sha) = key.clone();
        let row = StatusRow {
            id,
            check,
            merge_request,
            sha,
            posted: status,
            status,
            user,
            created_at: at,
            retried_at: None,
        };
        self.rows.push(row);
        self.newest.insert(key, index);
        if status == CheckStatus::Pending {
            self.pending.insert(index);
        }
        id
    }

    /// The status of a check on a merge request at a SHA.
    pub(super) fn status(&self, key: &Key) -> CheckStatus {
        let row = self.newest.get(key).and_then(|index| self.rows.get(*index));
        row.map_or(CheckStatus::Unanswered, |row| row.status)
    }

    /// Loses the newest row: what was taken before it counts again. Gives whether there was one.
    pub(super) fn lose(&mut self, key: &Key) -> bool {
        let Some(index) = self.newest.remove(key) else { return false };
        self.lost.insert(index);
        let is_of_key = |row: &StatusRow| (row.check, row.merge_request, &row.sha) == (key.0, key.1, &key.2);
        let mut older = self.rows.iter().enumerate().take(index).rev();
        let before = older.find(|(index, row)| is_of_key(row) && !self.lost.contains(index));
        if let Some((before, _)) = before {
            self.newest.insert(key.clone(), before);
        }
        true
    }

    /// Every row that was ever taken, oldest first: lost ones as well.
    pub(super) fn all(&self) -> &[StatusRow] {
        &self.rows
    }

    /// Turns explicit `pending` that is too old into `failed`. GitLab's cron does this each minute; here it is
    /// done before every look.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let Self { rows, pending, .. } = self;
        pending.retain(|index| {
            let Some(row) = rows.get_mut(*index) else { return false };
            let since = row.retried_at.unwrap_or(row.created_at);
            let overdue = now.duration_since(since) > PENDING_TIMEOUT;
            if overdue {
                row.status = CheckStatus::Failed;
            }
            !overdue
        });
    }

    /// Retry: the newest row is pending again, and its time begins anew.
    pub(super) fn retry(&mut self, key: &Key, now: Timestamp) {
        let Some(index) = self.newest.get(key) else { return };
        if let Some(row) = self.rows.get_mut(*index) {
            row.status = CheckStatus::Pending;
            row.retried_at = Some(now);
            self.pending.insert(*index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_request::MergeRequestIid;
    use crate::simulator::digest;

    fn key(counter: u64) -> Key {
        let merge_request = MergeRequestRef { project: ProjectId::new(1), iid: MergeRequestIid::new(1) };
        (StatusCheckId::new(1), merge_request, digest::sha(counter, "").unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_newest_row_of_a_sha_is_its_status_and_no_row_is_pending_for_ever() {
        let mut rows = StatusRows::default();
        assert_eq!(rows.status(&key(1)), CheckStatus::Unanswered);
        rows.add(key(1), CheckStatus::Failed, UserId::new(1), at(0));
        rows.add(key(1), CheckStatus::Passed, UserId::new(1), at(1));
        rows.add(key(2), CheckStatus::Failed, UserId::new(1), at(2));
        rows.sweep(at(1_000_000));
        assert_eq!(rows.status(&key(1)), CheckStatus::Passed);
        assert_eq!(rows.status(&key(3)), CheckStatus::Unanswered);
    }

    #[test]
    fn explicit_pending_fails_after_two_minutes_and_a_retry_begins_them_anew() {
        let mut rows = StatusRows::default();
        rows.add(key(1), CheckStatus::Pending, UserId::new(1), at(0));
        rows.sweep(at(120));
        assert_eq!(rows.status(&key(1)), CheckStatus::Pending);
        rows.sweep(at(121));
        assert_eq!(rows.status(&key(1)), CheckStatus::Failed);
        rows.retry(&key(1), at(200));
        rows.sweep(at(320));
        assert_eq!(rows.status(&key(1)), CheckStatus::Pending);
        rows.sweep(at(321));
        assert_eq!(rows.status(&key(1)), CheckStatus::Failed);
    }

    #[test]
    fn when_the_newest_row_is_lost_the_one_before_it_counts_again() {
        let mut rows = StatusRows::default();
        rows.add(key(1), CheckStatus::Passed, UserId::new(1), at(0));
        rows.add(key(2), CheckStatus::Failed, UserId::new(1), at(1));
        for _ in 0..2 {
            rows.add(key(1), CheckStatus::Failed, UserId::new(1), at(2));
            assert!(rows.lose(&key(1)));
            assert_eq!(rows.status(&key(1)), CheckStatus::Passed);
        }
        assert!(rows.lose(&key(1)));
        assert_eq!(
            [rows.status(&key(1)), rows.status(&key(2))],
            [CheckStatus::Unanswered, CheckStatus::Failed]
        );
        assert!(!rows.lose(&key(1)) && rows.all().len() == 4);
    }

    #[test]
    fn a_heartbeat_keeps_pending_while_older_rows_fail() {
        let mut rows = StatusRows::default();
        rows.add(key(1), CheckStatus::Pending, UserId::new(1), at(0));
        rows.add(key(1), CheckStatus::Pending, UserId::new(1), at(80));
        rows.sweep(at(150));
        assert_eq!(rows.status(&key(1)), CheckStatus::Pending);
        assert_eq!(rows.all().first().map(|row| row.status), Some(CheckStatus::Failed));
    }
}
