//! What survives a restart: deliveries, lanes, what GitLab shows, decisions.
//!
//! SQLite in one file, `WAL` with `synchronous=FULL`: when a write returns, it is on disk. Bodies of deliveries are
//! never stored; what is kept of one is in [`Hint`]. One process owns the file, which a lock beside it proves (others may
//! read, and ask for looks: [`Store::visit`]), so
//! leases of an earlier process are void at start. Nothing here knows GitLab's wire or evaluates anything.
//!
//! The seam for a second database is this door: rooms above speak [`Queue`], [`Decisions`] and the types listed here,
//! never SQL.

mod claiming;
mod column;
mod crowd;
mod decisions;
mod error;
mod hint;
mod inspection;
mod intake;
mod lane;
mod location;
mod memory;
mod mirror;
mod queue;
mod revision;
mod schema;
mod status;
mod sweep;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use crate::clock::Clock;

pub use self::crowd::{CrowdTurn, Member};
pub use self::decisions::{Blob, Decisions, NewAnswer, NewDecision, StoredAnswer, StoredDecision};
pub use self::error::StoreError;
pub use self::hint::{Concerned, Crowd, Event, Hint, Proof, Taken};
pub use self::inspection::{Inspection, Received};
pub use self::intake::PRUNED_AT_ONCE;
pub use self::lane::{Claim, Depth, LEASE, Recorded, Settlement, Work};
pub use self::memory::{
    Asked, LastDecision, LastLook, Memory, NewestDelivery, Observations, SightedApproval,
};
pub use self::mirror::{KnownMirror, Mirror};
pub use self::queue::Queue;
pub use self::status::{KnownStatus, PendingPeriod, Shown, UNCLEAR_FOR};

use self::location::path_of;
use self::writer::Thread;

/// The open database.
pub struct Store {
    writer: Thread,
    reader: Thread,
    queue: Queue,
    clock: Clock,
    threads: Mutex<Option<(JoinHandle<()>, JoinHandle<()>)>>,
    // INVARIANT: held for as long as the store is open, by the one process that decides; dropping it lets another one in.
    _lock: Option<File>,
}

impl Store {
    /// Opens or creates the database that `url` (`sqlite:PATH`) names, brings its schema up to date, and voids the
    /// leases of an earlier process.
    pub fn open(url: &str, clock: Clock) -> Result<Self, StoreError> {
        let path = path_of(url)?;
        let lock = lock(path)?;
        let mut connection = Connection::open(path)?;
        schema::prepare(&connection)?;
        schema::tell_settings(&connection)?;
        schema::migrate(&mut connection)?;
        let claims_before = lane::void_leases(&connection, clock.now())?;
        let last_written = sweep::last_written(&connection)?;
        let reading = schema::open_to_read(path)?;
        let known = (claims_before, last_written);
        Self::begin((connection, reading), clock, known, Some(lock))
    }

    /// Opens the database beside the process that owns it, to read what is remembered and to ask for looks. Nothing of it is
    /// believed to show, and no lane may be claimed: the owner alone decides.
    pub fn visit(url: &str, clock: Clock) -> Result<Self, StoreError> {
        let path = path_of(url)?;
        let writing = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        schema::keep_plans(&writing)?;
        let reading = schema::open_to_read(path)?;
        Self::begin((writing, reading), clock, (i64::MAX, None), None)
    }

    /// Opens the database, owned or not, to read what is remembered; every write fails. Where there is none, nothing is
    /// remembered, and none is made.
    pub fn read(url: &str, clock: Clock) -> Result<Self, StoreError> {
        let path = path_of(url)?;
        let both = if path.try_exists().unwrap_or(true) {
            (schema::open_to_read(path)?, schema::open_to_read(path)?)
        } else {
            (schema::nothing()?, schema::nothing()?)
        };
        Self::begin(both, clock, (i64::MAX, None), None)
    }

    /// Starts the threads; `known` is the last claim before this process, and when anything was last made durable.
    fn begin(
        (writing, reading): (Connection, Connection),
        clock: Clock,
        known: (i64, Option<jiff::Timestamp>),
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        let (writer, writing) = Thread::writing(writing, clock.clone())?;
        let (reader, reading) = Thread::reading(reading)?;
        let queue = Queue::new(writer.clone(), reader.clone(), clock.clone(), known.0, known.1);
        Ok(Self { writer, reader, queue, clock, threads: Mutex::new(Some((writing, reading))), _lock: lock })
    }

    /// Deliveries and lanes.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What tells the time of everything in it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Decisions, answers and their blobs.
    pub fn decisions(&self) -> Decisions {
        Decisions::new(self.reader.clone())
    }

    /// Proves that a write reaches the disk.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.writer
            .run(|connection| {
                connection.prepare_cached("UPDATE claim_counter SET value = value + 1")?.execute([])?;
                Ok(())
            })
            .await
    }

    /// Finishes what is queued and closes the database; whatever comes later fails. The writer is the last to close, so
    /// that SQLite folds the WAL into the file.
    pub async fn close(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((writing, reading)) = threads else { return };
        for (thread, handle) in [(&self.reader, reading), (&self.writer, writing)] {
            thread.stop().await;
            let _joined = tokio::task::spawn_blocking(move || handle.join()).await;
        }
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let failed = |source| StoreError::Lock { path: lock_path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

    #[tokio::test]
    async fn beside_the_owner_one_may_ask_and_a_reader_not_even_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        let (url, clock) = (format!("sqlite:{}", path.display()), Clock::default());
        let merge_request = MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };
        let ask = async |store: &Store| store.queue().ask_for_sweep(vec![(merge_request, clock.now())]).await;

        let nothing = Store::read(&url, clock.clone()).unwrap();
        assert!(nothing.queue().projects_seen().await.unwrap().is_empty());
        assert!(ask(&nothing).await.is_err() && !path.exists());
        nothing.close().await;

        let owner = Store::open(&url, clock.clone()).unwrap();
        assert!(matches!(Store::open(&url, clock.clone()), Err(StoreError::InUse(_))));
        let reader = Store::read(&url, clock.clone()).unwrap();
        assert!(ask(&reader).await.is_err());
        let visitor = Store::visit(&url, clock.clone()).unwrap();
        ask(&visitor).await.unwrap();
        assert_eq!(reader.queue().left_of(vec![merge_request]).await.unwrap(), 1);
        let claim = owner.queue().claim(1, None).await.unwrap().remove(0);
        assert_eq!((claim.merge_request, claim.work), (merge_request, Work::Sweep));
        owner.queue().settle(claim, Settlement::default()).await.unwrap();
        assert_eq!(visitor.queue().left_of(vec![merge_request]).await.unwrap(), 0);
        // Who holds no claim says nothing.
        let nobody = Claim::of_nobody(merge_request);
        assert!(!visitor.queue().is_current(&nobody).await.unwrap());
        for store in [visitor, reader, owner] {
            store.close().await;
        }
    }
}
