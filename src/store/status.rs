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
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "implicit_pending" => Ok(Self::ImplicitPending),
            "posted_pending" => Ok(Self::PostedPending),
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
    /// The target branch for which GitLab listed the check.
    pub target_branch: String,
    /// What shows; none when it must be read again.
    pub shown: Option<Shown>,
    /// Until when an answer of unclear fate may still arrive; what shows must be read again then.
    pub confirm_at: Option<Timestamp>,
    /// Whether a `passed` of ours may show, as far as was ever written: also where `shown` is not believed any more.
    pub may_show_passed: bool,
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
    let sql = "INSERT INTO status (project_id, iid, sha, status_check_id, check_name, target_branch, shown, claim,
                                   confirm_at, since)
               VALUES (:project, :iid, :sha, :check, :name, :target, :shown, :claim, :confirm_at, :now)
               ON CONFLICT DO UPDATE SET check_name = excluded.check_name, target_branch = excluded.target_branch,
                   shown = excluded.shown, claim = excluded.claim, confirm_at = excluded.confirm_at,
                   since = excluded.since";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":project": column(merge_request.project.get())?,
        ":iid": column(merge_request.iid.get())?,
        ":sha": known.sha.as_str(),
        ":check": column(known.check.get())?,
        ":name": known.name.as_str(),
        ":target": known.target_branch,
        ":shown": known.shown.map(Shown::as_str),
        ":claim": claim,
        ":confirm_at": known.confirm_at.map(millis),
        ":now": millis(now),
    })?;
    Ok(())
}

/// All that is remembered of a merge request, newest first. What a claim up to `claims_before` wrote is not believed.
pub(super) fn of(
    connection: &Connection,
    merge_request: MergeRequestRef,
    claims_before: i64,
) -> Result<Vec<KnownStatus>, StoreError> {
    let sql = "SELECT sha, status_check_id, check_name, target_branch, shown, claim, confirm_at FROM status
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
        statuses.push(KnownStatus {
            sha: CommitSha::parse(&row.get::<_, String>(0)?).map_err(unreadable)?,
            check: StatusCheckId::new(id(row.get(1)?)?),
            name: CheckName::parse(&row.get::<_, String>(2)?).map_err(unreadable)?,
            target_branch: row.get(3)?,
            shown: written.filter(|_| is_believed),
            confirm_at: row.get::<_, Option<i64>>(6)?.map(timestamp).transpose()?,
            may_show_passed: matches!(written, None | Some(Shown::Passed)),
        });
    }
    Ok(statuses)
}

#[cfg(test)]
mod tests {
    use crate::merge_request::{MergeRequestIid, ProjectId};

    use super::*;

    const MERGE_REQUEST: MergeRequestRef =
        MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("migrations/0001.sql")).unwrap();
        connection
    }

    fn passed() -> KnownStatus {
        KnownStatus {
            sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
            check: StatusCheckId::new(3),
            name: CheckName::default(),
            target_branch: "main".to_owned(),
            shown: Some(Shown::Passed),
            confirm_at: None,
            may_show_passed: true,
        }
    }

    #[test]
    fn an_answer_that_left_and_was_never_heard_of_stays_in_doubt_for_a_minute() {
        let (connection, now) = (database(), Timestamp::UNIX_EPOCH);
        remember(&connection, MERGE_REQUEST, &passed(), 2, now).unwrap();
        leave_open(&connection, MERGE_REQUEST, &passed(), 3, now).unwrap();
        let known = of(&connection, MERGE_REQUEST, 1).unwrap().remove(0);
        assert_eq!((known.shown, known.confirm_at), (None, Some(now + UNCLEAR_FOR)));
        assert!(known.may_show_passed, "it may have arrived");
        remember(&connection, MERGE_REQUEST, &passed(), 3, now).unwrap();
        assert_eq!(of(&connection, MERGE_REQUEST, 1).unwrap(), [passed()], "confirmed");
    }

    #[test]
    fn what_an_earlier_process_wrote_is_not_believed() {
        let (connection, now) = (database(), Timestamp::UNIX_EPOCH);
        remember(&connection, MERGE_REQUEST, &passed(), 5, now).unwrap();
        assert_eq!(of(&connection, MERGE_REQUEST, 4).unwrap()[0].shown, Some(Shown::Passed));
        let known = of(&connection, MERGE_REQUEST, 5).unwrap().remove(0);
        assert_eq!((known.shown, known.may_show_passed), (None, true));
    }
}
