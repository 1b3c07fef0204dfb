//! What can go wrong with the store.

use std::path::PathBuf;
use std::sync::Arc;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `store.url` names no database that this build can open.
    #[error("`{0}` is no store that can be opened; use `sqlite:PATH`")]
    Url(String),
    /// Another process holds the database.
    #[error("the database `{0}` is in use by another countersign; one process serves one database")]
    InUse(PathBuf),
    /// The lock file or its folder can't be used.
    #[error("the lock `{path}` can't be taken")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file was written by a newer release.
    #[error(
        "the database has schema {found}, this release knows {known}; run the newer release or restore a backup"
    )]
    Newer {
        /// In the file.
        found: usize,
        /// In this build.
        known: usize,
    },
    /// The file was written by an older release and may not be changed now.
    #[error(
        "the database has schema {found}, this release knows {known}; start `serve` of this release once"
    )]
    Older {
        /// In the file.
        found: usize,
        /// In this build.
        known: usize,
    },
    /// SQLite said no.
    #[error("the database refused a statement")]
    Sqlite(#[from] rusqlite::Error),
    /// The commit that would have held the work failed (disk full, input/output error).
    #[error("the database could not commit")]
    Commit(#[source] Arc<rusqlite::Error>),
    /// A piece of work panicked; its changes were undone.
    #[error("a write panicked and was undone")]
    Panicked,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A thread could not be started.
    #[error("a database thread could not be started")]
    Thread(#[source] std::io::Error),
    /// A row does not read as what was written.
    #[error("a row of the database can't be read: {0}")]
    Row(String),
}
