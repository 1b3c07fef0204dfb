//! The schema and its steps: a database of an older release is brought up to date, one of a newer is refused.

use std::time::Duration;

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// The steps, one per release that changed the schema; a step is never edited once released.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
];
/// How long a connection waits for another one's lock (backups and the `sqlite3` shell take some).
const BUSY: Duration = Duration::from_secs(5);

/// More statements than there are: each is compiled once.
const STATEMENTS: usize = 128;

/// Sets what every connection needs. A plan depends on no bound value: SQLite would compile a statement anew each time that
/// such a value changes, which costs more than the statement itself.
pub(super) fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Sets what a writing connection needs.
pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    keep_plans(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: the WAL is synced at each commit, before anyone hears of it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(())
}

/// Says what is in force, which need not be what was asked for: the file system has a say in how SQLite journals.
pub(super) fn tell_settings(connection: &Connection) -> Result<(), StoreError> {
    let journal_mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    tracing::info!(journal_mode, synchronous, "store opened");
    Ok(())
}

/// How many of the steps the database has seen; one of a newer release is refused.
pub(super) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(StoreError::Newer { found, known: MIGRATIONS.len() });
    }
    Ok(found)
}

/// Brings the schema up to date; a database of a newer release is left alone.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    for (version, sql) in (1_u32..).zip(MIGRATIONS).skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A connection that only reads. A database that an older release left behind must be brought up to date first.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    keep_plans(&connection)?;
    let found = version(&connection)?;
    if found < MIGRATIONS.len() {
        return Err(StoreError::Older { found, known: MIGRATIONS.len() });
    }
    Ok(connection)
}

/// A database in which there is nothing and into which nothing can be written.
pub(super) fn nothing() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    keep_plans(&connection)?;
    migrate(&mut connection)?;
    connection.pragma_update(None, "query_only", "ON")?;
    Ok(connection)
}

/// An empty database in memory, for the tests of this room.
#[cfg(test)]
pub(super) fn empty_database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    connection
}
