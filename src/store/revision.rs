//! Which policies are in force, as a row, and which lanes were decided under which.
//!
//! A new set of policies queues every open merge request: those on which a `passed` may show first of all. Each is
//! decided from what is remembered of it; only who could be granted something is looked at.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::column::{id, millis};
use super::error::StoreError;

/// The release that evaluates: another one may come to other verdicts by the same words.
pub(super) const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// Makes a revision the one in force. Nothing is written if it is that already.
pub(super) fn activate(connection: &Connection, revision: &str, now: Timestamp) -> Result<(), StoreError> {
    let newest: Option<(String, String)> = connection
        .prepare_cached("SELECT revision, engine FROM revision ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if newest.is_some_and(|(newest, engine)| newest == revision && engine == ENGINE) {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO revision (revision, engine, since) VALUES (?1, ?2, ?3)")?
        .execute((revision, ENGINE, millis(now)))?;
    Ok(())
}

/// Queues up to `limit` open lanes that were not yet queued for the revision in force; gives how many.
pub(super) fn queue(
    connection: &Connection,
    limit: usize,
    others: bool,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut queued = 0;
    let ranks: &[i64] = if others { &[1, 0] } else { &[1] };
    for may_pass in ranks {
        let rest = limit - i64::try_from(queued).unwrap_or(i64::MAX);
        let sql = "UPDATE lane SET
                       queued_revision = (SELECT coalesce(max(id), 0) FROM revision),
                       recall_at = min(coalesce(recall_at, ?2), ?2),
                       due_at = CASE WHEN claim IS NULL THEN min(coalesce(due_at, ?2), ?2) ELSE due_at END
                   WHERE (project_id, iid) IN
                       (SELECT project_id, iid FROM lane
                        WHERE is_open = 1 AND may_pass = ?1
                          AND queued_revision < (SELECT coalesce(max(id), 0) FROM revision) LIMIT ?3)";
        queued += connection.prepare_cached(sql)?.execute((may_pass, millis(now), rest))?;
    }
    Ok(queued)
}

/// Notes under which revision a lane was decided; one that is not in force any more leaves it to be decided again.
/// `looked`: by a look, and not by what was remembered.
pub(super) fn decided(
    connection: &Connection,
    key: (i64, i64),
    revision: &str,
    looked: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE lane SET revision = newest.id, queued_revision = newest.id,
                               look_revision = CASE WHEN ?5 THEN newest.id ELSE look_revision END
               FROM (SELECT id, revision, engine FROM revision ORDER BY id DESC LIMIT 1) AS newest
               WHERE project_id = ?1 AND iid = ?2 AND newest.revision = ?3 AND newest.engine = ?4";
    connection.prepare_cached(sql)?.execute((key.0, key.1, revision, ENGINE, looked))?;
    Ok(())
}

/// How many open lanes were not yet decided under the revision in force.
pub(super) fn remaining(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM lane
               WHERE is_open = 1 AND revision < (SELECT coalesce(max(id), 0) FROM revision)";
    id(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::super::claiming::claim;
    use super::super::lane::{Settlement, Work, settle};
    use super::super::schema::empty_database;
    use super::super::sweep;
    use super::*;
    use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A database with lanes 1 to 3, decided under `first`; the third one has ended.
    fn decided_under(first: &str) -> Connection {
        let connection = empty_database();
        activate(&connection, first, NOW).unwrap();
        for iid in 1..=3 {
            let merge_request =
                MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(iid) };
            sweep::ask(&connection, merge_request, NOW).unwrap();
            let claim = claim(&connection, 1, None, NOW).unwrap().remove(0);
            let settlement =
                Settlement { revision: Some(first.to_owned()), ended: iid == 3, ..Settlement::default() };
            settle(&connection, &claim, &settlement, NOW).unwrap();
        }
        connection
    }

    #[test]
    fn a_new_revision_queues_each_open_lane_once_for_a_recall() {
        let connection = decided_under("a");
        activate(&connection, "a", NOW).unwrap();
        assert_eq!((queue(&connection, 9, true, NOW).unwrap(), remaining(&connection).unwrap()), (0, 0));
        activate(&connection, "b", NOW).unwrap();
        assert_eq!(remaining(&connection).unwrap(), 2);
        assert_eq!(
            [queue(&connection, 1, true, NOW), queue(&connection, 9, true, NOW)].map(Result::unwrap),
            [1, 1]
        );
        assert_eq!(queue(&connection, 9, true, NOW).unwrap(), 0);
        let claims = claim(&connection, 9, None, NOW).unwrap();
        assert!(claims.len() == 2 && claims.iter().all(|claim| claim.work == Work::Recall));
        for (claim, revision) in claims.iter().zip(["b", "a"]) {
            let settlement = Settlement { revision: Some(revision.to_owned()), ..Settlement::default() };
            settle(&connection, claim, &settlement, NOW).unwrap();
        }
        assert_eq!(remaining(&connection).unwrap(), 1, "one was decided under the old policies");
    }

    #[test]
    fn a_revision_that_comes_back_is_a_new_one() {
        let connection = decided_under("a");
        activate(&connection, "b", NOW).unwrap();
        activate(&connection, "a", NOW).unwrap();
        assert_eq!(remaining(&connection).unwrap(), 2);
    }
}
