//! What a sweep needs of the store: since when to look, where, and a place for what it finds.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

use super::column::{column, id, millis, timestamp};
use super::error::StoreError;

/// Notes that something was made durable now: from here a later start looks back.
pub(super) fn note_written(connection: &Connection, now: Timestamp) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("UPDATE life SET written_at = ?1")?.execute([millis(now)])?;
    Ok(())
}

/// When anything was last made durable; none for a new database.
pub(super) fn last_written(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let written: i64 =
        connection.prepare_cached("SELECT written_at FROM life")?.query_row([], |row| row.get(0))?;
    if written == 0 { Ok(None) } else { timestamp(written).map(Some) }
}

/// Owes a sweep from an instant on, or from an earlier one if that is owed already. Gives since when.
pub(super) fn owe(connection: &Connection, since: Timestamp) -> Result<Timestamp, StoreError> {
    let sql = "UPDATE life SET sweep_since = min(coalesce(sweep_since, ?1), ?1) RETURNING sweep_since";
    timestamp(connection.prepare_cached(sql)?.query_row([millis(since)], |row| row.get(0))?)
}

/// The sweep from `since` on was done; what is owed from an earlier instant stays owed.
pub(super) fn done(connection: &Connection, since: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE life SET sweep_since = NULL WHERE sweep_since >= ?1";
    connection.prepare_cached(sql)?.execute([millis(since)])?;
    Ok(())
}

/// The projects of which a merge request was ever seen.
pub(super) fn projects(connection: &Connection) -> Result<Vec<ProjectId>, StoreError> {
    // A step from one project to the next in the key: a plain DISTINCT would read every lane.
    let mut projects = Vec::new();
    let mut last = -1_i64;
    let sql = "SELECT project_id FROM lane WHERE project_id > ?1 ORDER BY project_id LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    while let Some(project) = statement.query_row([last], |row| row.get::<_, i64>(0)).optional()? {
        projects.push(ProjectId::new(id(project)?));
        last = project;
    }
    Ok(projects)
}

/// The open merge requests on which a `passed` may show, after a given one in their order.
pub(super) fn may_pass(
    connection: &Connection,
    after: Option<MergeRequestRef>,
    limit: usize,
) -> Result<Vec<MergeRequestRef>, StoreError> {
    let (project, iid) = match after {
        Some(after) => (column(after.project.get())?, column(after.iid.get())?),
        None => (-1, -1),
    };
    // In the order of the key: a walk over it, without a search by rank and a sort for each page.
    let sql = "SELECT project_id, iid FROM lane
               WHERE +may_pass = 1 AND +is_open = 1 AND (project_id, iid) > (?1, ?2)
               ORDER BY project_id, iid LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map((project, iid, limit), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| {
        let (project, iid) = row?;
        Ok(MergeRequestRef { project: ProjectId::new(id(project)?), iid: MergeRequestIid::new(id(iid)?) })
    })
    .collect()
}

/// The merge requests of a project that can still be merged as far as was ever heard.
pub(super) fn open_lanes(
    connection: &Connection,
    project: ProjectId,
) -> Result<Vec<MergeRequestRef>, StoreError> {
    let sql = "SELECT iid FROM lane WHERE project_id = ?1 AND is_open = 1 ORDER BY iid";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([column(project.get())?], |row| row.get::<_, i64>(0))?;
    rows.map(|iid| Ok(MergeRequestRef { project, iid: MergeRequestIid::new(id(iid?)?) })).collect()
}

/// Whether the last look that came to an end saw a merge request as it says that it is: changed last at that instant.
pub(super) fn was_seen(
    connection: &Connection,
    merge_request: MergeRequestRef,
    updated_at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM lane WHERE project_id = ?1 AND iid = ?2 AND updated_at = ?3";
    let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?, millis(updated_at));
    Ok(connection.prepare_cached(sql)?.exists(key)?)
}

/// How many of these merge requests a sweep has yet to look at.
pub(super) fn left_of(connection: &Connection, which: &[MergeRequestRef]) -> Result<usize, StoreError> {
    let sql = "SELECT 1 FROM lane
               WHERE project_id = ?1 AND iid = ?2 AND (sweep_at IS NOT NULL OR claim IS NOT NULL)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut left = 0;
    for merge_request in which {
        let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?);
        left += usize::from(statement.exists(key)?);
    }
    Ok(left)
}

/// When the last full sweep began that came to its end; none if there was none.
pub(super) fn last_full(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = connection.query_row("SELECT full_sweep_at FROM life", [], |row| row.get(0))?;
    at.map(timestamp).transpose()
}

/// A full sweep that began at an instant has come to its end.
pub(super) fn note_full(connection: &Connection, began: Timestamp) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE life SET full_sweep_at = ?1")?.execute([millis(began)])?;
    Ok(())
}

/// Whether "Status checks must succeed" was ever seen on in a project.
pub(super) fn was_requiring(connection: &Connection, project: ProjectId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM requiring_project WHERE project_id = ?1";
    Ok(connection.prepare_cached(sql)?.exists([column(project.get())?])?)
}

/// "Status checks must succeed" was seen on in a project.
pub(super) fn note_requiring(connection: &Connection, project: ProjectId) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO requiring_project (project_id) VALUES (?1)";
    connection.prepare_cached(sql)?.execute([column(project.get())?])?;
    Ok(())
}

/// Asks for a sweep's look at a merge request at an instant, or earlier where that was asked for already.
pub(super) fn ask(
    connection: &Connection,
    merge_request: MergeRequestRef,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO lane (project_id, iid, generation, sweep_at, due_at, revision, queued_revision)
               SELECT ?1, ?2, 0, ?3, ?3, newest, newest
                   FROM (SELECT coalesce(max(id), 0) AS newest FROM revision) WHERE true
               ON CONFLICT (project_id, iid) DO UPDATE SET
                   sweep_at = min(coalesce(sweep_at, excluded.sweep_at), excluded.sweep_at),
                   due_at = CASE WHEN claim IS NULL THEN min(coalesce(due_at, excluded.due_at), excluded.due_at)
                                 ELSE due_at END";
    let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?);
    connection.prepare_cached(sql)?.execute((key.0, key.1, millis(at)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema::empty_database;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_sweep_stays_owed_from_its_earliest_instant_until_that_was_swept() {
        let connection = empty_database();
        assert_eq!(last_written(&connection).unwrap(), None);
        // A clock that was wrong once must not count for ever.
        note_written(&connection, at(500)).unwrap();
        note_written(&connection, at(50)).unwrap();
        assert_eq!(last_written(&connection).unwrap(), Some(at(50)));
        assert_eq!(owe(&connection, at(30)).unwrap(), at(30));
        assert_eq!(owe(&connection, at(45)).unwrap(), at(30));
        done(&connection, at(45)).unwrap();
        assert_eq!(owe(&connection, at(60)).unwrap(), at(30), "the earlier one is still owed");
        done(&connection, at(30)).unwrap();
        assert_eq!(owe(&connection, at(60)).unwrap(), at(60));
    }

    #[test]
    fn what_is_remembered_of_full_sweeps_and_projects_is_what_was_noted() {
        let connection = empty_database();
        let project = ProjectId::new(7);
        assert_eq!(last_full(&connection).unwrap(), None);
        note_full(&connection, at(9)).unwrap();
        assert_eq!(last_full(&connection).unwrap(), Some(at(9)));
        assert!(!was_requiring(&connection, project).unwrap());
        note_requiring(&connection, project).unwrap();
        note_requiring(&connection, project).unwrap();
        assert!(was_requiring(&connection, project).unwrap());
        assert!(!was_requiring(&connection, ProjectId::new(8)).unwrap());
    }

    #[test]
    fn each_project_is_named_once() {
        let connection = empty_database();
        for (project, iid) in [(2, 1), (9, 1), (2, 2)] {
            let merge_request =
                MergeRequestRef { project: ProjectId::new(project), iid: MergeRequestIid::new(iid) };
            ask(&connection, merge_request, at(0)).unwrap();
        }
        assert_eq!(projects(&connection).unwrap(), [ProjectId::new(2), ProjectId::new(9)]);
    }
}
