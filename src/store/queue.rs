//! Deliveries and lanes: what was taken, what is to be decided, who is at it.
//!
//! The key of a lane is the merge request, so everything that arrives for it coalesces: while a lane waits, a further
//! delivery only raises its generation; while it is claimed, it makes exactly one more run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::companion::Companion;
use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId};

use super::claiming::{claim, claim_recalls};
use super::crowd::{self, CrowdTurn, Member};
use super::decisions::{self, NewDecision};
use super::error::StoreError;
use super::hint::{Concerned, Crowd, Hint, Proof, Taken};
use super::intake::{prune, take, take_crowd, take_for_commit, take_if};
use super::lane::{self, Claim, Depth, Recorded, Settlement, depth, prove, release, renew, settle};
use super::memory::{Memory, Observations, memory, observe};
use super::mirror::{self, KnownMirror};
use super::revision;
use super::status::{self, KnownStatus};
use super::sweep;
use super::writer::Thread;

/// How soon it is tried again whether writing works.
const WRITABLE_LOOK: Duration = Duration::from_secs(1);

/// Deliveries and lanes.
#[derive(Clone)]
pub struct Queue {
    writer: Thread,
    reader: Thread,
    woken: Arc<Notify>,
    crowded: Arc<Notify>,
    clock: Clock,
    /// The last number of a claim before this process: what such a claim remembered is not believed.
    claims_before: i64,
    /// When the process before this one last made something durable.
    last_written: Option<Timestamp>,
    turned_away: Arc<TurnedAway>,
}

/// Whether a delivery could not be made durable, and who waits to hear of it.
#[derive(Debug, Default)]
struct TurnedAway {
    since: Mutex<Option<Timestamp>>,
    noted: Notify,
}

impl Queue {
    pub(super) fn new(
        writer: Thread,
        reader: Thread,
        clock: Clock,
        claims_before: i64,
        last_written: Option<Timestamp>,
    ) -> Self {
        let (woken, crowded, turned_away) = (Arc::default(), Arc::default(), Arc::default());
        Self { writer, reader, woken, crowded, clock, claims_before, last_written, turned_away }
    }

    /// What tells the time of everything in it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs a piece of work on the writer's thread; its "now" is when it runs, not when it was handed over.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, Timestamp) -> Result<T, StoreError> + Send + 'static,
    {
        let clock = self.clock.clone();
        self.writer.run(move |connection| work(connection, clock.now())).await
    }

    /// Puts a delivery on disk. When this returns `Ok`, it is there.
    pub async fn take(&self, hint: Hint) -> Result<Taken, StoreError> {
        let taken = self.write(move |connection, now| take(connection, &hint, now)).await;
        self.note_taken(&taken, &self.woken);
        taken
    }

    /// Puts a delivery on disk, unless it can't concern the project that its merge request is remembered to be of.
    pub async fn take_if(&self, hint: Hint, concerned: Arc<Concerned>) -> Result<Taken, StoreError> {
        let taken = self.write(move |connection, now| take_if(connection, &hint, &*concerned, now)).await;
        self.note_taken(&taken, &self.woken);
        taken
    }

    /// Puts an event of a commit on disk for each open merge request of which that is the head, if it can concern its
    /// project.
    pub async fn take_for_commit(
        &self,
        companion: Companion,
        (project, sha): (ProjectId, CommitSha),
        proof: Proof,
        concerned: Arc<Concerned>,
    ) -> Result<Taken, StoreError> {
        let work = move |connection: &Connection, now| {
            take_for_commit(connection, (companion, project, &sha), &proof, &*concerned, now)
        };
        let taken = self.write(work).await;
        self.note_taken(&taken, &self.woken);
        taken
    }

    /// Puts an event on disk that may concern many. Whom it concerns is found out afterwards.
    pub async fn take_crowd(&self, crowds: Vec<Crowd>, proof: Proof) -> Result<Taken, StoreError> {
        let taken = self.write(move |connection, now| take_crowd(connection, &crowds, &proof, now)).await;
        self.note_taken(&taken, &self.crowded);
        taken
    }

    fn note_taken(&self, taken: &Result<Taken, StoreError>, waiting: &Notify) {
        match taken {
            Ok(Taken::New) => waiting.notify_one(),
            Ok(Taken::Duplicate | Taken::Nobody) => {}
            Err(_) => self.note_turned_away(),
        }
    }

    /// Waits until an event was taken that may concern many.
    pub async fn crowded(&self) {
        self.crowded.notified().await;
    }

    /// The crowd whose turn it is, if there is any.
    pub async fn next_crowd(&self) -> Result<Option<CrowdTurn>, StoreError> {
        self.reader.run(crowd::next).await
    }

    /// The next members of a crowd, up to `limit`; none at the end of its stage. Who is looked at before an instant in any
    /// case is covered.
    pub async fn members(
        &self,
        turn: CrowdTurn,
        limit: usize,
        before: Timestamp,
    ) -> Result<Vec<Member>, StoreError> {
        let now = self.clock.now();
        self.reader.run(move |connection| crowd::members(connection, &turn, limit, (now, before))).await
    }

    /// Asks for looks at some of a crowd at their instants, and ends its turn: it goes on behind `last`, or with its next
    /// stage.
    pub async fn advance(
        &self,
        turn: CrowdTurn,
        looks: Vec<(MergeRequestRef, Timestamp)>,
        last: Option<MergeRequestRef>,
    ) -> Result<(), StoreError> {
        self.write(move |connection, now| crowd::advance(connection, &turn, &looks, last, now)).await?;
        self.woken.notify_one();
        Ok(())
    }

    /// Notes that a delivery was turned away: a sweep must find what it would have told.
    pub fn note_turned_away(&self) {
        let mut since = self.turned_away.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert(self.clock.now());
        self.turned_away.noted.notify_one();
    }

    /// Waits until a delivery was turned away and writing works again; gives since when it did not.
    pub async fn recovered(&self) -> Timestamp {
        loop {
            let since = *self.turned_away.since.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(since) = since else {
                self.turned_away.noted.notified().await;
                continue;
            };
            if self.owe_sweep(since).await.is_ok() {
                // What is turned away from here on is owed anew.
                *self.turned_away.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return since;
            }
            self.clock.sleep(WRITABLE_LOOK).await;
        }
    }

    /// Waits until a delivery was taken or a claim has ended since the last call.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Claims up to `limit` due lanes: the longest due first, and where more are due also project by project. What was due
    /// before `served_since` counts as due since then.
    pub async fn claim(
        &self,
        limit: usize,
        served_since: Option<Timestamp>,
    ) -> Result<Vec<Claim>, StoreError> {
        self.write(move |connection, now| claim(connection, limit, served_since, now)).await
    }

    /// Claims up to `limit` lanes that may have to take a `passed` back by what is remembered of them.
    pub async fn claim_recalls(&self, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.write(move |connection, now| claim_recalls(connection, limit, now)).await
    }

    /// When the next lane is due, if any ever is.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reader.run(lane::next_due).await
    }

    /// How many lanes are due now and not claimed; counted up to a limit.
    pub async fn due_now(&self, limit: usize) -> Result<usize, StoreError> {
        let now = self.clock.now();
        self.reader.run(move |connection| lane::due_now(connection, limit, now)).await
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
        self.write(move |connection, now| {
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
        let recorded = self.write(move |connection, now| prove(connection, &claim, now)).await?;
        Ok(recorded == Recorded::Current)
    }

    /// Proves a claim as [`Self::is_current`] does, and in the same commit marks as not known what is about to be said in
    /// another way than by a status: a crash in between leaves no false memory.
    pub async fn leave_mirror_open(&self, claim: &Claim, open: KnownMirror) -> Result<Recorded, StoreError> {
        let claim = claim.clone();
        self.write(move |connection, now| {
            let recorded = prove(connection, &claim, now)?;
            if recorded == Recorded::Current {
                mirror::remember(connection, claim.merge_request, &open, claim.number, now)?;
            }
            Ok(recorded)
        })
        .await
    }

    /// Renews the lease of a claim that is at work; false when it does not hold its lane any more.
    pub async fn renew(&self, claim: &Claim) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.write(move |connection, now| renew(connection, &claim, now)).await
    }

    /// Writes down what a claim said while it goes on.
    pub async fn note(&self, claim: &Claim, settlement: Settlement) -> Result<(), StoreError> {
        let claim = claim.clone();
        self.write(move |connection, now| lane::note(connection, &claim, &settlement, now)).await
    }

    /// Ends a claim. What arrived meanwhile makes the lane due at once.
    pub async fn settle(&self, claim: Claim, settlement: Settlement) -> Result<(), StoreError> {
        self.write(move |connection, now| settle(connection, &claim, &settlement, now)).await?;
        // Whoever waits for the next lane thought that this one is due when its lease ends.
        self.woken.notify_one();
        Ok(())
    }

    /// Hands a claim back undone, for another process or the next start.
    pub async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.write(move |connection, now| release(connection, &claim, now)).await
    }

    /// How much is waiting now.
    pub async fn depth(&self) -> Result<Depth, StoreError> {
        let now = self.clock.now();
        self.reader.run(move |connection| depth(connection, now)).await
    }

    /// Forgets deliveries that nothing needs any more, a bounded number at a time.
    pub async fn prune(&self) -> Result<usize, StoreError> {
        self.write(prune).await
    }

    /// Makes a revision of the policies the one in force, as a row.
    pub async fn activate_revision(&self, revision: String) -> Result<(), StoreError> {
        self.write(move |connection, now| revision::activate(connection, &revision, now)).await
    }

    /// Queues up to `limit` open merge requests that were not yet queued for the revision in force, those on which a
    /// `passed` may show first and the others only if they are wanted; gives how many.
    pub async fn queue_for_revision(&self, limit: usize, others: bool) -> Result<usize, StoreError> {
        let queued =
            self.write(move |connection, now| revision::queue(connection, limit, others, now)).await?;
        if queued > 0 {
            self.woken.notify_one();
        }
        Ok(queued)
    }

    /// How many open merge requests were not yet decided under the revision in force.
    pub async fn remaining_for_revision(&self) -> Result<u64, StoreError> {
        self.reader.run(revision::remaining).await
    }

    /// When the process before this one last made something durable; none if there was none.
    pub fn last_written(&self) -> Option<Timestamp> {
        self.last_written
    }

    /// Owes a sweep over what changed since an instant, until [`Self::sweep_done`]. Gives since when, which is earlier
    /// where one is owed already.
    pub async fn owe_sweep(&self, since: Timestamp) -> Result<Timestamp, StoreError> {
        self.writer.run(move |connection| sweep::owe(connection, since)).await
    }

    /// The sweep over what changed since an instant was done.
    pub async fn sweep_done(&self, since: Timestamp) -> Result<(), StoreError> {
        self.writer.run(move |connection| sweep::done(connection, since)).await
    }

    /// The projects of which a merge request was ever seen.
    pub async fn projects_seen(&self) -> Result<Vec<ProjectId>, StoreError> {
        self.reader.run(sweep::projects).await
    }

    /// Open merge requests on which a `passed` may show: up to `limit` of them, after a given one in their order.
    pub async fn that_may_pass(
        &self,
        after: Option<MergeRequestRef>,
        limit: usize,
    ) -> Result<Vec<MergeRequestRef>, StoreError> {
        self.reader.run(move |connection| sweep::may_pass(connection, after, limit)).await
    }

    /// Open merge requests of a project, as far as was ever heard of them.
    pub async fn open_lanes(&self, project: ProjectId) -> Result<Vec<MergeRequestRef>, StoreError> {
        self.reader.run(move |connection| sweep::open_lanes(connection, project)).await
    }

    /// Those merge requests that say of themselves that they changed since they were looked at last, or were never looked
    /// at; each comes with the instant of its last change.
    pub async fn unseen(
        &self,
        mut which: Vec<(MergeRequestRef, Timestamp)>,
    ) -> Result<Vec<MergeRequestRef>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut unseen = Vec::new();
                for (merge_request, updated_at) in which.drain(..) {
                    if !sweep::was_seen(connection, merge_request, updated_at)? {
                        unseen.push(merge_request);
                    }
                }
                Ok(unseen)
            })
            .await
    }

    /// How many of these merge requests a sweep has yet to look at.
    pub async fn left_of(&self, which: Vec<MergeRequestRef>) -> Result<usize, StoreError> {
        self.reader.run(move |connection| sweep::left_of(connection, &which)).await
    }

    /// When the last full sweep began that came to its end, in this process or an earlier one.
    pub async fn last_full_sweep(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reader.run(sweep::last_full).await
    }

    /// A full sweep that began at an instant has come to its end.
    pub async fn full_sweep_done(&self, began: Timestamp) -> Result<(), StoreError> {
        self.writer.run(move |connection| sweep::note_full(connection, began)).await
    }

    /// Whether "Status checks must succeed" was ever seen on in a project.
    pub async fn was_requiring_checks(&self, project: ProjectId) -> Result<bool, StoreError> {
        self.reader.run(move |connection| sweep::was_requiring(connection, project)).await
    }

    /// "Status checks must succeed" was seen on in a project.
    pub async fn note_requiring_checks(&self, project: ProjectId) -> Result<(), StoreError> {
        self.writer.run(move |connection| sweep::note_requiring(connection, project)).await
    }

    /// Puts a sweep's claim off to an instant; whatever else the lane waits for stays as it was.
    pub async fn put_off(&self, claim: Claim, until: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection, now| lane::put_off(connection, &claim, until, now)).await?;
        self.woken.notify_one();
        Ok(())
    }

    /// Asks for a sweep's look at merge requests, each at its instant.
    pub async fn ask_for_sweep(&self, which: Vec<(MergeRequestRef, Timestamp)>) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                which.iter().try_for_each(|(merge_request, at)| sweep::ask(connection, *merge_request, *at))
            })
            .await?;
        self.woken.notify_one();
        Ok(())
    }
}
