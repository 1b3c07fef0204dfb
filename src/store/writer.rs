//! The one thread that writes, and the one that reads.
//!
//! SQLite has one writer at a time, so ours is a thread: pieces of work that arrive while it syncs the disk are
//! committed together by the next sync. That is what lets many deliveries share one commit. A caller hears of its
//! result only after the commit that holds it is on disk; if that commit fails, every piece in it failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;

use super::error::StoreError;
use super::sweep;

/// How many pieces of work may share one commit; a bound on how long one of them can wait for the others.
const BATCH: usize = 512;
/// How many pieces of work may wait for the thread before callers wait to hand theirs over.
const BACKLOG: usize = 4096;

/// How often the instant of the last commit is written down; the sweep's ten minutes of margin make more needless.
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// A piece of work: run inside the transaction, told afterwards whether it was committed.
trait Work: Send {
    fn run(&mut self, connection: &Connection);
    fn finish(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Piece<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    savepoint: bool,
}

impl<T, F> Work for Piece<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) {
        let Some(work) = self.work.take() else { return };
        let savepoint = self.savepoint;
        // A panic in one piece must not take the thread, and with it all deliveries, down.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if savepoint { in_savepoint(connection, work) } else { work(connection) }
        }));
        self.result = Some(outcome.unwrap_or_else(|_| {
            if savepoint {
                let _undone = connection.execute_batch("ROLLBACK TO piece; RELEASE piece");
            }
            Err(StoreError::Panicked)
        }));
    }

    fn finish(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or(Err(StoreError::Closed)),
            Err(error) => Err(StoreError::Commit(error)),
        };
        // A caller that stopped waiting does not need the answer.
        let _unheard = self.reply.send(result);
    }
}

/// Undoes a piece that failed without undoing its neighbours.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("SAVEPOINT piece")?.execute([])?;
    let result = work(connection);
    if result.is_err() {
        connection.execute_batch("ROLLBACK TO piece")?;
    }
    connection.prepare_cached("RELEASE piece")?.execute([])?;
    result
}

/// What a thread is told: some work, or nothing, which ends it.
type Message = Option<Box<dyn Work>>;

/// A handle on one database thread.
#[derive(Clone)]
pub(super) struct Thread {
    pieces: mpsc::Sender<Message>,
    writes: bool,
}

impl Thread {
    /// Starts a thread that commits pieces of work in batches.
    pub(super) fn writing(
        connection: Connection,
        clock: Clock,
    ) -> Result<(Self, thread::JoinHandle<()>), StoreError> {
        Self::start("store-writer", true, move |inbox| write_batches(&connection, inbox, &clock))
    }

    /// Starts a thread that runs pieces of work on a connection that can't write.
    pub(super) fn reading(connection: Connection) -> Result<(Self, thread::JoinHandle<()>), StoreError> {
        Self::start("store-reader", false, move |inbox| read_pieces(&connection, inbox))
    }

    fn start(
        name: &str,
        writes: bool,
        work: impl FnOnce(mpsc::Receiver<Message>) + Send + 'static,
    ) -> Result<(Self, thread::JoinHandle<()>), StoreError> {
        let (pieces, inbox) = mpsc::channel(BACKLOG);
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(inbox))
            .map_err(StoreError::Thread)?;
        Ok((Self { pieces, writes }, handle))
    }

    /// Runs `work` on the thread; the result comes after its commit.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let piece = Piece { work: Some(work), result: None, reply, savepoint: self.writes };
        self.pieces.send(Some(Box::new(piece))).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the thread after what it was given before.
    pub(super) async fn stop(&self) {
        // A thread that is gone needs no telling.
        let _gone = self.pieces.send(None).await;
    }
}

fn write_batches(connection: &Connection, mut inbox: mpsc::Receiver<Message>, clock: &Clock) {
    let mut noted = None;
    let mut messages: Vec<Message> = Vec::with_capacity(BATCH);
    let mut stopped = false;
    while !stopped && inbox.blocking_recv_many(&mut messages, BATCH) > 0 {
        stopped = messages.iter().any(Option::is_none);
        let mut batch: Vec<_> = messages.drain(..).flatten().collect();
        let now = clock.now();
        let note =
            noted.is_none_or(|noted: Timestamp| now.duration_since(noted) >= NOTED_EVERY).then_some(now);
        let committed = write_batch(connection, &mut batch, note).map_err(Arc::new);
        if let Err(error) = &committed {
            tracing::error!(%error, pieces = batch.len(), "a commit failed; nothing of it was taken");
            if !connection.is_autocommit() {
                let _undone = connection.execute_batch("ROLLBACK");
            }
        }
        if committed.is_ok() {
            noted = note.or(noted);
        }
        for piece in batch {
            piece.finish(committed.clone());
        }
    }
}

fn write_batch(
    connection: &Connection,
    batch: &mut [Box<dyn Work>],
    note: Option<Timestamp>,
) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for piece in batch.iter_mut() {
        piece.run(connection);
    }
    if let Some(now) = note {
        sweep::note_written(connection, now)?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

fn read_pieces(connection: &Connection, mut inbox: mpsc::Receiver<Message>) {
    while let Some(Some(mut piece)) = inbox.blocking_recv() {
        piece.run(connection);
        piece.finish(Ok(()));
    }
}
