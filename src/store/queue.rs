//! Deliveries and lanes: what was taken, what is to be decided, who is at it.
//!
//! The key of a lane is the merge request, so everything that arrives for it coalesces: while a lane waits, a further
//! delivery only raises its generation; while it is claimed, it makes exactly one more run.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::merge_request::MergeRequestRef;

use super::column::timestamp;
use super::decisions::{self, NewDecision};
use super::error::StoreError;
use super::hint::{Hint, Taken};
use super::intake::{prune, take};
use super::lane::{Claim, Depth, Recorded, Settlement, claim, depth, prove, release, renew, settle};
use super::memory::{Memory, Observations, memory, observe};
use super::status::{self, KnownStatus};
use super::writer::Thread;

/// Deliveries and lanes.
#[derive(Clone)]
pub struct Queue {
    writer: Thread,
    reader: Thread,
    woken: Arc<Notify>,
    /// The last number of a claim before this process: what such a claim remembered is not believed.
    claims_before: i64,
}

impl Queue {
    pub(super) fn new(writer: Thread, reader: Thread, claims_before: i64) -> Self {
        Self { writer, reader, woken: Arc::new(Notify::new()), claims_before }
    }

    /// Puts a delivery on disk. When this returns `Ok`, it is there.
    pub async fn take(&self, hint: Hint) -> Result<Taken, StoreError> {
        let taken = self.writer.run(move |connection| take(connection, &hint, Timestamp::now())).await?;
        if taken == Taken::New {
            self.woken.notify_one();
        }
        Ok(taken)
    }

    /// Waits until a delivery was taken or a claim has ended since the last call.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Claims up to `limit` due lanes, oldest first.
    pub async fn claim(&self, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.writer.run(move |connection| claim(connection, limit, Timestamp::now())).await
    }

    /// When the next lane is due, if any ever is.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reader
            .run(|connection| {
                let sql = "SELECT min(due_at) FROM lane WHERE due_at IS NOT NULL";
                let due: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                due.map(timestamp).transpose()
            })
            .await
    }

    /// What is remembered of a merge request.
    pub async fn memory(&self, merge_request: MergeRequestRef) -> Result<Memory, StoreError> {
        let claims_before = self.claims_before;
        self.reader.run(move |connection| memory(connection, merge_request, claims_before)).await
    }

    /// Writes decisions down before anyone outside is told, proves the claim and renews its lease. Statuses that are
    /// about to be answered become unknown in the same commit, so a crash in between leaves no false memory.
    pub async fn record(
        &self,
        claim: &Claim,
        decisions: Vec<NewDecision>,
        observations: Observations,
        answering: Vec<KnownStatus>,
    ) -> Result<(Recorded, Vec<i64>), StoreError> {
        let claim = claim.clone();
        self.writer
            .run(move |connection| {
                let now = Timestamp::now();
                let recorded = prove(connection, &claim, now)?;
                observe(connection, claim.merge_request, &observations)?;
                let ids = decisions
                    .iter()
                    .map(|decision| decisions::insert(connection, claim.merge_request, decision))
                    .collect::<Result<Vec<_>, _>>()?;
                if recorded == Recorded::Current {
                    for known in &answering {
                        status::leave_open(connection, claim.merge_request, known, claim.number, now)?;
                    }
                }
                Ok((recorded, ids))
            })
            .await
    }

    /// Whether a claim still holds its lane and nothing newer came: asked again before each further answer.
    pub async fn is_current(&self, claim: &Claim) -> Result<bool, StoreError> {
        let claim = claim.clone();
        let recorded = self.writer.run(move |connection| prove(connection, &claim, Timestamp::now())).await?;
        Ok(recorded == Recorded::Current)
    }

    /// Renews the lease of a claim that is at work; false when it does not hold its lane any more.
    pub async fn renew(&self, claim: &Claim) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.writer.run(move |connection| renew(connection, &claim, Timestamp::now())).await
    }

    /// Ends a claim. What arrived meanwhile makes the lane due at once.
    pub async fn settle(&self, claim: Claim, settlement: Settlement) -> Result<(), StoreError> {
        self.writer.run(move |connection| settle(connection, &claim, &settlement, Timestamp::now())).await?;
        // Whoever waits for the next lane thought that this one is due when its lease ends.
        self.woken.notify_one();
        Ok(())
    }

    /// Hands a claim back undone, for another process or the next start.
    pub async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.writer.run(move |connection| release(connection, &claim, Timestamp::now())).await
    }

    /// How much is waiting now.
    pub async fn depth(&self) -> Result<Depth, StoreError> {
        self.reader.run(|connection| depth(connection, Timestamp::now())).await
    }

    /// Forgets deliveries that nothing needs any more, a bounded number at a time.
    pub async fn prune(&self) -> Result<usize, StoreError> {
        self.writer.run(|connection| prune(connection, Timestamp::now())).await
    }
}
