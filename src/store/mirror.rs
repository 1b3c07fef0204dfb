//! What the other ways of answering said last: an approval, commit statuses, labels, a note.
//!
//! As with statuses, memory saves a call and never excuses one: what an earlier process wrote, and what may still be
//! under way, is not believed, and then GitLab is asked.

use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use crate::merge_request::{CheckName, CommitSha, MergeRequestRef};

use super::column::{column, millis, timestamp};
use super::error::StoreError;

/// How many commit statuses of one merge request are remembered, the newest ones.
const REMEMBERED: i64 = 200;

/// A place beside the status checks where a verdict shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mirror {
    /// The approval of our own user.
    Approval,
    /// A commit status.
    CommitStatus {
        /// Of which check.
        check: CheckName,
        /// On which head.
        sha: CommitSha,
    },
    /// Labels on the merge request.
    Labels,
    /// A note on the merge request.
    Note,
}

impl Mirror {
    /// The word of the table, of metrics and of the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::CommitStatus { .. } => "commit_status",
            Self::Labels => "labels",
            Self::Note => "note",
        }
    }

    /// The check and the head that tell it from others of its kind; empty where it has none.
    fn key(&self) -> (&str, &str) {
        match self {
            Self::CommitStatus { check, sha } => (check.as_str(), sha.as_str()),
            Self::Approval | Self::Labels | Self::Note => ("", ""),
        }
    }

    fn parse(word: &str, check: &str, sha: &str) -> Result<Self, StoreError> {
        let unreadable = |error: crate::merge_request::WordError| StoreError::Row(error.to_string());
        match word {
            "approval" => Ok(Self::Approval),
            "labels" => Ok(Self::Labels),
            "note" => Ok(Self::Note),
            "commit_status" => Ok(Self::CommitStatus {
                check: CheckName::parse(check).map_err(unreadable)?,
                sha: CommitSha::parse(sha).map_err(unreadable)?,
            }),
            other => Err(StoreError::Row(format!("`{other}` is no mirror"))),
        }
    }
}

/// What one of them says, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMirror {
    /// Which.
    pub mirror: Mirror,
    /// What it says, in a form that tells one word from another; none when GitLab must be asked.
    pub said: Option<String>,
    /// Whether it says that the merge request passes, or may.
    pub may_pass: bool,
    /// Where it says so: the number of the note, the pipeline of the commit status.
    pub place: Option<String>,
    /// Until when a call of unclear fate may still take effect; GitLab must be asked then.
    pub unclear_until: Option<Timestamp>,
    /// How often in a row it could not be said.
    pub failures: u32,
    /// Not before when it is said again.
    pub again_at: Option<Timestamp>,
    /// Whether somebody must mend something before it can be said: only what brings the lane back anyway tries it again.
    pub parked: bool,
}

impl KnownMirror {
    /// One that never said anything.
    pub fn new(mirror: Mirror) -> Self {
        Self {
            mirror,
            said: None,
            may_pass: false,
            place: None,
            unclear_until: None,
            failures: 0,
            again_at: None,
            parked: false,
        }
    }
}

/// Writes what is known of a mirror.
pub(super) fn remember(
    connection: &Connection,
    merge_request: MergeRequestRef,
    known: &KnownMirror,
    claim: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO mirror (project_id, iid, mirror, check_name, sha, said, may_pass, place,
                                              unclear_until, failures, again_at, parked, claim, since)
               VALUES (:project, :iid, :mirror, :check, :sha, :said, :may_pass, :place, :unclear_until, :failures,
                       :again_at, :parked, :claim, :now)";
    let (check, sha) = known.mirror.key();
    connection.prepare_cached(sql)?.execute(named_params! {
        ":project": column(merge_request.project.get())?,
        ":iid": column(merge_request.iid.get())?,
        ":mirror": known.mirror.as_str(),
        ":check": check,
        ":sha": sha,
        ":said": known.said,
        ":may_pass": known.may_pass,
        ":place": known.place,
        ":unclear_until": known.unclear_until.map(millis),
        ":failures": known.failures,
        ":again_at": known.again_at.map(millis),
        ":parked": known.parked,
        ":claim": claim,
        ":now": millis(now),
    })?;
    Ok(())
}

/// Writes what a claim that lost its lane believed to be said: it may have been overtaken, so GitLab must be asked.
pub(super) fn leave_open(
    connection: &Connection,
    merge_request: MergeRequestRef,
    known: &KnownMirror,
    claim: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let may_pass = known.may_pass || known.mirror != Mirror::Note;
    let open = KnownMirror { said: None, may_pass, ..known.clone() };
    remember(connection, merge_request, &open, claim, now)
}

/// All that is remembered of a merge request. What a claim up to `claims_before` wrote is not believed.
pub(super) fn of(
    connection: &Connection,
    merge_request: MergeRequestRef,
    claims_before: i64,
) -> Result<Vec<KnownMirror>, StoreError> {
    // What there is once stays, however many heads there were since it was last said anew.
    let sql = "SELECT * FROM (SELECT mirror, check_name, sha, said, may_pass, place, unclear_until, failures, again_at, claim, parked
                              FROM mirror WHERE project_id = ?1 AND iid = ?2 AND sha <> '' ORDER BY since DESC LIMIT ?3)
               UNION ALL SELECT mirror, check_name, sha, said, may_pass, place, unclear_until, failures, again_at, claim, parked
                         FROM mirror WHERE project_id = ?1 AND iid = ?2 AND sha = ''";
    let mut statement = connection.prepare_cached(sql)?;
    let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?, REMEMBERED);
    let mut rows = statement.query(key)?;
    let mut mirrors = Vec::new();
    while let Some(row) = rows.next()? {
        mirrors.push(mirror_of(row, claims_before)?);
    }
    Ok(mirrors)
}

fn mirror_of(row: &Row<'_>, claims_before: i64) -> Result<KnownMirror, StoreError> {
    let (word, check, sha): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let is_believed = row.get::<_, i64>(9)? > claims_before;
    let time = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        row.get::<_, Option<i64>>(index)?.map(timestamp).transpose()
    };
    Ok(KnownMirror {
        mirror: Mirror::parse(&word, &check, &sha)?,
        said: row.get::<_, Option<String>>(3)?.filter(|_| is_believed),
        may_pass: row.get(4)?,
        place: row.get(5)?,
        unclear_until: time(6)?,
        failures: row.get(7)?,
        again_at: time(8)?,
        parked: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::empty_database;
    use super::*;
    use crate::merge_request::{MergeRequestIid, ProjectId};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const MERGE_REQUEST: MergeRequestRef =
        MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };

    fn status(digit: &str) -> KnownMirror {
        let sha = CommitSha::parse(&digit.repeat(40)).unwrap();
        let mirror = Mirror::CommitStatus { check: CheckName::default(), sha };
        KnownMirror { said: Some("success".to_owned()), may_pass: true, ..KnownMirror::new(mirror) }
    }

    fn note() -> KnownMirror {
        let (said, place) = (Some("words".to_owned()), Some("17".to_owned()));
        KnownMirror { said, place, again_at: Some(NOW), failures: 2, ..KnownMirror::new(Mirror::Note) }
    }

    #[test]
    fn each_is_remembered_by_itself_and_a_commit_status_for_each_head() {
        let connection = empty_database();
        for known in [status("a"), status("b"), note(), note()] {
            remember(&connection, MERGE_REQUEST, &known, 2, NOW).unwrap();
        }
        let all = of(&connection, MERGE_REQUEST, 1).unwrap();
        assert!([status("a"), status("b"), note()].iter().all(|known| all.contains(known)), "{all:?}");
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn what_an_earlier_process_said_is_not_believed_and_may_still_be_a_pass() {
        let connection = empty_database();
        remember(&connection, MERGE_REQUEST, &status("a"), 5, NOW).unwrap();
        remember(&connection, MERGE_REQUEST, &note(), 5, NOW).unwrap();
        let all = of(&connection, MERGE_REQUEST, 5).unwrap();
        assert!(all.iter().all(|known| known.said.is_none()));
        assert!(all.iter().any(|known| known.may_pass) && all.iter().any(|known| known.place.is_some()));
    }
}
