//! What GitLab shows, as far as it is known, per check, merge request and SHA.
//!
//! Memory saves a POST, it never excuses one: a row is *known* only after our answer was confirmed or the status list
//! was read; everything doubtful turns it to unknown, and then the list is read again.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, named_params};

use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, StatusCheckId};

use super::column::{column, id, millis, timestamp};
use super::error::StoreError;

/// How many SHAs of one merge request are remembered; older ones are read again should they come back.
const REMEMBERED: i64 = 200;

/// How long an answer of unclear fate may still be on its way.
pub const UNCLEAR_FOR: Duration = Duration::from_secs(60);

/// What GitLab shows for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// `pending`, and nobody posted it as far as we know: it never times out (contract section 1.3).
    ImplicitPending,
    /// `pending` that we posted: GitLab turns it to failed after two minutes (16.6 and later).
    PostedPending,
    /// `failed`, because a `pending` of ours ran out after its period was over: the recorded answer for waiting.
    ExpiredPending,
    /// `passed`.
    Passed,
    /// `failed`.
    Failed,
}

impl Shown {
    fn as_str(self) -> &'static str {
        match self {
            Self::ImplicitPending => "implicit_pending",
            Self::PostedPending => "posted_pending",
            Self::ExpiredPending => "expired_pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "implicit_pending" => Ok(Self::ImplicitPending),
            "posted_pending" => Ok(Self::PostedPending),
            "expired_pending" => Ok(Self::ExpiredPending),
            "passed" => Ok(Self::Passed),
            "failed" => Ok(Self::Failed),
            other => Err(StoreError::Row(format!("`{other}` is no status"))),
        }
    }
}

/// One check on one SHA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStatus {
    /// The SHA.
    pub sha: CommitSha,
    /// GitLab's id of the check.
    pub check: StatusCheckId,
    /// Our name for it.
    pub name: CheckName,
    /// GitLab's own name for it when it was listed last; empty where that is not known.
    pub title: String,
    /// The target branch for which GitLab listed the check.
    pub target_branch: String,
    /// What shows; none when it must be read again.
    pub shown: Option<Shown>,
    /// Until when an answer of unclear fate may still arrive; what shows must be read again then.
    pub confirm_at: Option<Timestamp>,
    /// What was written last, believed or not: what an earlier process knew.
    pub written: Option<Shown>,
    /// Our own word `pending`, while it is the newest that we said.
    pub pending: Option<PendingPeriod>,
}

impl KnownStatus {
    /// Whether a `passed` may show, as far as was ever written.
    pub fn may_show_passed(&self) -> bool {
        matches!(self.written, None | Some(Shown::Passed))
    }
}

/// A time of waiting that GitLab was told of. It is never longer than `answers.heartbeat_for`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingPeriod {
    /// When `pending` was said first.
    pub since: Timestamp,
    /// When it was said last: GitLab lets it run out two minutes later.
    pub said_at: Timestamp,
}

/// Marks a check as not known, whatever the SHA: somebody asked for it anew.
pub(super) fn doubt(
    connection: &Connection,
    merge_request: MergeRequestRef,
    check: StatusCheckId,
) -> Result<(), StoreError> {
    let sql = "UPDATE status SET shown = NULL WHERE project_id = ?1 AND iid = ?2 AND status_check_id = ?3";
    connection.prepare_cached(sql)?.execute((
        column(merge_request.project.get())?,
        column(merge_request.iid.get())?,
        column(check.get())?,
    ))?;
    Ok(())
}

/// Marks a status as not known because an answer is about to leave: should this process end before its fate is known,
/// that is how it stands in the table.
pub(super) fn leave_open(
    connection: &Connection,
    merge_request: MergeRequestRef,
    known: &KnownStatus,
    claim: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let open = KnownStatus { shown: None, confirm_at: Some(now + UNCLEAR_FOR), ..known.clone() };
    remember(connection, merge_request, &open, claim, now)
}

/// Writes what is known of a status.
pub(super) fn remember(
    connection: &Connection,
    merge_request: MergeRequestRef,
    known: &KnownStatus,
    claim: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO status (project_id, iid, sha, status_check_id, check_name, title, target_branch, shown,
                                   claim, confirm_at, since, pending_since, pending_said_at)
               VALUES (:project, :iid, :sha, :check, :name, :title, :target, :shown, :claim, :confirm_at, :now,
                       :pending_since, :pending_said_at)
               ON CONFLICT DO UPDATE SET check_name = excluded.check_name, target_branch = excluded.target_branch,
                   shown = excluded.shown, claim = excluded.claim, confirm_at = excluded.confirm_at,
                   since = excluded.since, pending_since = excluded.pending_since,
                   pending_said_at = excluded.pending_said_at, title = excluded.title";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":project": column(merge_request.project.get())?,
        ":iid": column(merge_request.iid.get())?,
        ":sha": known.sha.as_str(),
        ":check": column(known.check.get())?,
        ":name": known.name.as_str(),
        ":title": known.title,
        ":target": known.target_branch,
        ":shown": known.shown.map(Shown::as_str),
        ":claim": claim,
        ":confirm_at": known.confirm_at.map(millis),
        ":pending_since": known.pending.map(|pending| millis(pending.since)),
        ":pending_said_at": known.pending.map(|pending| millis(pending.said_at)),
        ":now": millis(now),
    })?;
    Ok(())
}

/// Forgets what is remembered of a head for checks that GitLab lists no more.
pub(super) fn forget_others(
    connection: &Connection,
    merge_request: MergeRequestRef,
    sha: &CommitSha,
    listed: &[StatusCheckId],
) -> Result<(), StoreError> {
    let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?);
    let sql = "SELECT status_check_id FROM status WHERE project_id = ?1 AND iid = ?2 AND sha = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let known: Vec<i64> =
        statement.query_map((key.0, key.1, sha.as_str()), |row| row.get(0))?.collect::<Result<_, _>>()?;
    for check in known {
        if !listed.contains(&StatusCheckId::new(id(check)?)) {
            let sql =
                "DELETE FROM status WHERE project_id = ?1 AND iid = ?2 AND sha = ?3 AND status_check_id = ?4";
            connection.prepare_cached(sql)?.execute((key.0, key.1, sha.as_str(), check))?;
        }
    }
    Ok(())
}

/// All that is remembered of a merge request, newest first. What a claim up to `claims_before` wrote is not believed.
pub(super) fn of(
    connection: &Connection,
    merge_request: MergeRequestRef,
    claims_before: i64,
) -> Result<Vec<KnownStatus>, StoreError> {
    let sql =
        "SELECT sha, status_check_id, check_name, target_branch, shown, claim, confirm_at, pending_since,
                      pending_said_at, title FROM status
               WHERE project_id = ?1 AND iid = ?2 ORDER BY since DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?, REMEMBERED);
    let mut rows = statement.query(key)?;
    let mut statuses = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = |error: crate::merge_request::WordError| StoreError::Row(error.to_string());
        let written: Option<String> = row.get(4)?;
        let written = written.as_deref().map(Shown::parse).transpose()?;
        let is_believed = row.get::<_, i64>(5)? > claims_before;
        let time = |index: usize| -> Result<Option<Timestamp>, StoreError> {
            row.get::<_, Option<i64>>(index)?.map(timestamp).transpose()
        };
        let pending = time(7)?.zip(time(8)?).map(|(since, said_at)| PendingPeriod { since, said_at });
        statuses.push(KnownStatus {
            sha: CommitSha::parse(&row.get::<_, String>(0)?).map_err(unreadable)?,
            check: StatusCheckId::new(id(row.get(1)?)?),
            name: CheckName::parse(&row.get::<_, String>(2)?).map_err(unreadable)?,
            title: row.get(9)?,
            target_branch: row.get(3)?,
            shown: written.filter(|_| is_believed),
            confirm_at: time(6)?,
            written,
            pending,
        });
    }
    Ok(statuses)
}

#[cfg(test)]
mod tests {
    use crate::merge_request::{MergeRequestIid, ProjectId};

    use super::super::schema::empty_database;
    use super::*;

    const MERGE_REQUEST: MergeRequestRef =
        MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };

    fn passed() -> KnownStatus {
        KnownStatus {
            sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
            check: StatusCheckId::new(3),
            name: CheckName::default(),
            title: "QA".to_owned(),
            target_branch: "main".to_owned(),
            shown: Some(Shown::Passed),
            confirm_at: None,
            written: Some(Shown::Passed),
            pending: None,
        }
    }

    #[test]
    fn an_answer_that_left_and_was_never_heard_of_stays_in_doubt_for_a_minute() {
        let (connection, now) = (empty_database(), Timestamp::UNIX_EPOCH);
        remember(&connection, MERGE_REQUEST, &passed(), 2, now).unwrap();
        leave_open(&connection, MERGE_REQUEST, &passed(), 3, now).unwrap();
        let known = of(&connection, MERGE_REQUEST, 1).unwrap().remove(0);
        assert_eq!((known.shown, known.confirm_at), (None, Some(now + UNCLEAR_FOR)));
        assert!(known.may_show_passed(), "it may have arrived");
        remember(&connection, MERGE_REQUEST, &passed(), 3, now).unwrap();
        assert_eq!(of(&connection, MERGE_REQUEST, 1).unwrap(), [passed()], "confirmed");
    }

    #[test]
    fn what_an_earlier_process_wrote_is_not_believed() {
        let (connection, now) = (empty_database(), Timestamp::UNIX_EPOCH);
        remember(&connection, MERGE_REQUEST, &passed(), 5, now).unwrap();
        assert_eq!(of(&connection, MERGE_REQUEST, 4).unwrap()[0].shown, Some(Shown::Passed));
        let known = of(&connection, MERGE_REQUEST, 5).unwrap().remove(0);
        assert_eq!((known.shown, known.may_show_passed()), (None, true));
    }

    #[test]
    fn a_period_of_waiting_outlives_the_process_that_began_it() {
        let (connection, now) = (empty_database(), Timestamp::UNIX_EPOCH);
        let pending = Some(PendingPeriod { since: now, said_at: now + UNCLEAR_FOR });
        let shown = Some(Shown::PostedPending);
        let waiting = KnownStatus { shown, written: shown, pending, ..passed() };
        remember(&connection, MERGE_REQUEST, &waiting, 5, now).unwrap();
        let known = of(&connection, MERGE_REQUEST, 5).unwrap().remove(0);
        assert_eq!((known.shown, known.may_show_passed(), known.pending), (None, false, pending));
    }
}
