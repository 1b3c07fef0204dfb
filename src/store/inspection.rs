//! A look at a database from outside, while a service may be at work on it: nothing is locked, created or changed.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use crate::merge_request::ProjectId;

use super::column::{column, timestamp};
use super::error::StoreError;
use super::hint::Event;
use super::location::path_of;
use super::schema;

/// A database as a stranger finds it.
pub struct Inspection {
    path: PathBuf,
    connection: Option<Connection>,
}

/// When the newest deliveries of a project were taken, of those that are remembered (30 days).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// From a status check.
    pub status_check: Option<Timestamp>,
    /// From an ordinary hook.
    pub hook: Option<Timestamp>,
}

impl Inspection {
    /// Opens the database that `url` names, if it is there.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let path = path_of(url)?.to_owned();
        let exists = path.try_exists().unwrap_or(true);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = exists.then(|| Connection::open_with_flags(&path, flags)).transpose()?;
        if let Some(connection) = &connection {
            schema::keep_plans(connection)?;
        }
        Ok(Self { path, connection })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of its schema; none where there is no database yet. One of a newer release is an error.
    pub fn schema(&self) -> Result<Option<usize>, StoreError> {
        self.connection.as_ref().map(schema::version).transpose()
    }

    /// How SQLite journals in it.
    pub fn journal_mode(&self) -> Result<Option<String>, StoreError> {
        let read = |connection: &Connection| {
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(StoreError::from)
        };
        self.connection.as_ref().map(read).transpose()
    }

    /// Whether a delivery of any status check was ever taken, of those that are remembered.
    pub fn was_called(&self) -> Result<bool, StoreError> {
        let Some(connection) = self.filled()? else { return Ok(false) };
        let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE event = ?1)";
        Ok(connection.query_row(sql, [Event::StatusCheck.as_str()], |row| row.get(0))?)
    }

    /// The database, once it has tables.
    fn filled(&self) -> Result<Option<&Connection>, StoreError> {
        match &self.connection {
            Some(connection) if schema::version(connection)? > 0 => Ok(Some(connection)),
            Some(_) | None => Ok(None),
        }
    }

    /// When the newest deliveries of a project were taken; none where there is no database yet.
    pub fn received(&self, project: ProjectId) -> Result<Option<Received>, StoreError> {
        let Some(connection) = self.filled()? else { return Ok(None) };
        let sql = "SELECT max(taken_at) FILTER (WHERE event = ?2), max(taken_at) FILTER (WHERE event <> ?2)
                   FROM delivery WHERE project_id = ?1";
        let status_check = Event::StatusCheck.as_str();
        let newest: (Option<i64>, Option<i64>) =
            connection.query_row(sql, (column(project.get())?, status_check), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(Some(Received {
            status_check: newest.0.map(timestamp).transpose()?,
            hook: newest.1.map(timestamp).transpose()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;
    use crate::merge_request::{MergeRequestIid, MergeRequestRef};
    use crate::store::{Hint, Store};

    use super::*;

    #[tokio::test]
    async fn a_database_at_work_tells_what_it_has_taken_and_one_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        let url = format!("sqlite:{}", path.display());
        let absent = Inspection::open(&url).unwrap();
        assert_eq!(absent.schema().unwrap(), None);
        assert_eq!(absent.received(ProjectId::new(7)).unwrap(), None);
        assert!(!absent.was_called().unwrap());
        assert!(!path.exists());

        let clock = Clock::default();
        let store = Store::open(&url, clock.clone()).unwrap();
        let merge_request = MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };
        let hook = Hint::example(merge_request, 1);
        let check = Hint { event: Event::StatusCheck, ..Hint::example(merge_request, 2) };
        let begun = Timestamp::from_millisecond(clock.now().as_millisecond()).unwrap();
        store.queue().take(hook).await.unwrap();
        let inspection = Inspection::open(&url).unwrap();
        assert!(inspection.schema().unwrap().is_some_and(|version| version > 0));
        assert_eq!(inspection.journal_mode().unwrap().as_deref(), Some("wal"));
        let received = inspection.received(ProjectId::new(7)).unwrap().unwrap();
        assert!(!inspection.was_called().unwrap());
        assert!(received.hook.is_some_and(|at| at >= begun) && received.status_check.is_none());
        store.queue().take(check).await.unwrap();
        let received = inspection.received(ProjectId::new(7)).unwrap().unwrap();
        assert!(received.status_check.is_some_and(|at| at >= begun) && inspection.was_called().unwrap());
        assert_eq!(inspection.received(ProjectId::new(8)).unwrap(), Some(Received::default()));
        store.close().await;
    }

    #[test]
    fn a_database_of_a_newer_release_is_told_from_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
        let inspection = Inspection::open(&format!("sqlite:{}", path.display())).unwrap();
        assert!(matches!(inspection.schema(), Err(StoreError::Newer { found: 999, .. })));
    }
}
