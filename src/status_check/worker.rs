//! Claims what is due and carries each merge request through: look, record, answer, settle.
//!
//! Desired: everything after the claim may be repeated after a crash without harm; an answer leaves only while the
//! claim's lease outlasts the client's whole timeout, nothing newer came and the policies are still those that were
//! evaluated. What must never be: two lanes of one merge request at a time (the store sees to that), or a memory of
//! what GitLab shows that was not confirmed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::decision::Failure;
use crate::gitlab::{Error, MayBegin, on_behalf_of, was_held_back};
use crate::policy::PolicySet;
use crate::store::{Claim, KnownStatus, LEASE, Settlement, StoreError, Work};
use crate::telemetry::Telling;

use super::aftermath::{LEAST_PAUSE, again};
use super::lane::Lane;
use super::look::Look;
use super::pause::{PARKED_FOR, pause};
use super::recall::Recalled;
use super::resources::Resources;
use super::sweep::SweepKind;
use super::{crowd, revision, sweep};

/// How many merge requests are decided at the same time.
const LANES: usize = 32;
/// How often a merge request that GitLab says is absent is looked at before it is given up.
const ABSENT_TRIES: u32 = 3;
/// How often one on which a pass may show: for a day.
const HIDDEN_TRIES: u32 = ABSENT_TRIES + 144;
/// How often a merge request that GitLab prepares, or that moves, is looked at before only an event brings it back.
const PREPARING_TRIES: u32 = 30;
/// How long the queue is left alone when nothing says that anything is due: `reconcile` in another process asks for looks
/// without a word.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// The part of the service that decides.
pub struct Worker(Arc<Resources>);

impl Worker {
    /// Decides with what it is given.
    pub fn new(resources: Resources) -> Self {
        Self::sharing(Arc::new(resources))
    }

    /// Decides with what others use as well.
    pub fn sharing(resources: Arc<Resources>) -> Self {
        Self(resources)
    }

    /// Lets a sweep begin now, whenever the next one was due.
    pub fn sweep_now(&self, kind: SweepKind) {
        match kind {
            SweepKind::LookBack => self.0.queue.note_turned_away(),
            SweepKind::Recent => self.0.wanted.recent.notify_one(),
            SweepKind::Full => self.0.wanted.full.notify_one(),
        }
    }

    /// Works until `stop`; then waits for what is claimed until `abort`, at which it hands the rest back undone.
    pub async fn run(self: Arc<Self>, stop: CancellationToken, abort: CancellationToken) {
        let sweeping = tokio::spawn(sweep::sweep_when_needed(Arc::clone(&self.0), stop.clone()));
        let queueing = tokio::spawn(revision::follow(Arc::clone(&self.0), stop.clone()));
        let crowding = tokio::spawn(crowd::serve_crowds(Arc::clone(&self.0), stop.clone()));
        self.decide(stop, abort).await;
        let (_swept, _followed, _crowded) = (sweeping.await, queueing.await, crowding.await);
    }

    /// Decides what is due until `stop`, and puts nothing into the queue by itself; then as [`Self::run`].
    pub async fn decide(self: Arc<Self>, stop: CancellationToken, abort: CancellationToken) {
        let slots = Arc::new(Semaphore::new(LANES));
        let lanes = TaskTracker::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                result = self.claim_due(&slots, &lanes, &abort) => if let Err(error) = result {
                    tracing::error!(error = &error as &dyn std::error::Error, "the queue can't be read");
                    tokio::time::sleep(pause(1)).await;
                },
            }
        }
        lanes.close();
        lanes.wait().await;
    }

    /// Claims what is due for the free slots, or waits until something may be. While no read is left only what memory may have
    /// to take back is claimed.
    async fn claim_due(
        self: &Arc<Self>,
        slots: &Arc<Semaphore>,
        lanes: &TaskTracker,
        abort: &CancellationToken,
    ) -> Result<(), StoreError> {
        let Ok(first) = Arc::clone(slots).acquire_owned().await else { return Ok(()) };
        let clock = &self.0.clock;
        let withdrawals_until = match self.0.decider.gitlab.may_begin() {
            MayBegin::Everything => None,
            MayBegin::Withdrawals(until) => Some(until),
            MayBegin::Nothing(until) => {
                drop(first);
                self.wait_for_gitlab(until).await;
                return Ok(());
            }
        };
        let idle_until = clock.now() + IDLE_LOOK;
        let due = self.0.queue.next_due().await?.map_or(idle_until, |due| due.min(idle_until));
        if due > clock.now() {
            drop(first);
            // An instant and no length of time: the clock may have moved since.
            tokio::select! {
                () = self.0.queue.woken() => {}
                () = clock.sleep_until(due) => {}
            }
            return Ok(());
        }
        let mut permits = vec![first];
        while let Ok(permit) = Arc::clone(slots).try_acquire_owned() {
            permits.push(permit);
        }
        // From here on nothing may be cancelled between the claim and its lane: a lost claim blocks for its lease.
        let worker = Arc::clone(self);
        let (lanes_of, abort) = (lanes.clone(), abort.clone());
        let claiming = lanes.spawn(async move {
            let Resources { queue, decider, .. } = &*worker.0;
            let claims = match withdrawals_until {
                None => queue.claim(permits.len(), decider.gitlab.back_since()).await?,
                Some(_) => queue.claim_recalls(permits.len()).await?,
            };
            let claimed = claims.len();
            for (claim, permit) in claims.into_iter().zip(permits) {
                let worker = Arc::clone(&worker);
                lanes_of.spawn(worker.hold(claim, permit, abort.clone()));
            }
            Ok(claimed)
        });
        let claimed = claiming.await.unwrap_or(Err(StoreError::Closed))?;
        if let (0, Some(until)) = (claimed, withdrawals_until) {
            self.wait_for_gitlab(until).await;
        }
        Ok(())
    }

    /// Nothing is begun while GitLab is down or grants no more calls: what is due keeps its place, and who comes first then is
    /// who must, not who happens to ask.
    async fn wait_for_gitlab(&self, until: Timestamp) {
        let Resources { clock, outage, decider, .. } = &*self.0;
        if let Some(since) = decider.gitlab.down_since()
            && let Some(since) = outage.note_down(since)
        {
            // Who is stopped before it is over must not forget it.
            match sweep::owe_look_back(&self.0, since).await {
                Ok(()) => outage.note_owed(),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a look back is not owed yet");
                }
            }
        }
        // It may be over earlier: another token has another limit.
        clock.sleep_until(until.min(clock.now() + IDLE_LOOK)).await;
        if decider.gitlab.down_since().is_some() && until <= clock.now() {
            decider.gitlab.probe().await;
            if decider.gitlab.down_since().is_none() {
                outage.note_success(clock.now());
            }
        }
    }

    /// One claim, from its begin to its settlement or its return.
    async fn hold(self: Arc<Self>, claim: Claim, permit: OwnedSemaphorePermit, abort: CancellationToken) {
        let held = claim.clone();
        let ended = tokio::select! {
            ended = on_behalf_of(claim.merge_request.project, self.serve(claim)) => ended,
            ended = self.keep(&held) => ended,
            () = abort.cancelled() => self.0.queue.release(held).await,
        };
        if let Err(error) = ended {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a merge request could not be settled; its lease brings it back"
            );
        }
        drop(permit);
    }

    /// Renews the lease of a claim at work: a look may take longer than a lease when GitLab is slow. Ends when the lane
    /// was lost all the same (the machine slept, say): what was read by then is old, and whoever has it decides.
    async fn keep(&self, claim: &Claim) -> Result<(), StoreError> {
        loop {
            self.0.clock.sleep(LEASE / 3).await;
            if !self.0.queue.renew(claim).await? {
                tracing::warn!(merge_request = %claim.merge_request, "the lane was lost while it was decided");
                return Ok(());
            }
        }
    }

    async fn serve(&self, claim: Claim) -> Result<(), StoreError> {
        if claim.work == Work::Sweep
            && let Err(slot) = self.0.background.take_with(&self.0.sweeps, self.0.clock.now())
        {
            // Each to an instant of its own: those that came to one would all be claimed there for the sake of the first.
            return self.0.queue.put_off(claim, self.0.put_off.reserve(slot)).await;
        }
        let mut lane = Lane::open(&self.0, claim).await?;
        let policies = Arc::clone(&self.0.bundle.current().set);
        if lane.claim.work == Work::Recall {
            let recheck_at = match lane.recall(&policies).await? {
                Recalled::Settled(settlement) => return self.settle_recall(lane, *settlement).await,
                Recalled::Look { recheck_at } => recheck_at,
                Recalled::HeldBack => {
                    let recall_at = Some(self.0.clock.now() + pause(lane.claim.attempt));
                    let settled_as = "held back";
                    let later =
                        Settlement { recall_at, unfinished: true, settled_as, ..Settlement::default() };
                    return self.settle_recall(lane, later).await;
                }
            };
            let now = self.0.clock.now();
            // Time has its moment; other policies come to everybody at once, and so in turn.
            let mut look_at = lane.turn(&policies);
            if let MayBegin::Withdrawals(until) = self.0.decider.gitlab.may_begin() {
                look_at = look_at.map(|at| at.max(until));
            }
            if look_at.is_none_or(|at| at > now) {
                return self.settle_recall(lane, self.to_be_looked_at(look_at, recheck_at)).await;
            }
        }
        lane.claim.leaves_delivery = false;
        let looked = lane.look(&policies).await?;
        let said_something = matches!(looked, Ok(Look::Superseded(_)));
        if was_held_back() && !said_something {
            // What was not asked must decide nothing: the lane goes back as it was.
            return self.0.queue.release(lane.claim).await;
        }
        self.note_outcome(&looked);
        match looked {
            Ok(Look::Decided(decided)) => lane.answer(&policies, *decided).await,
            Ok(Look::Closed(open)) => lane.close(&policies, *open).await,
            Ok(Look::Superseded(settlement)) => lane.settle(*settlement).await,
            Ok(Look::Ended) => lane.settle(ended("ended")).await,
            Ok(Look::OutOfScope) => lane.settle(nothing_to_decide("out of scope", &policies)).await,
            Ok(Look::NoCheck(open)) => {
                lane.unlist(&policies, *open, nothing_to_decide("no check", &policies)).await
            }
            Ok(Look::Preparing | Look::Moving) => {
                // One without a single commit stays so: its first push is an event of its own.
                let attempt = lane.claim.attempt;
                let settlement = if attempt < PREPARING_TRIES {
                    again("preparing", pause(attempt), self.0.clock.now())
                } else {
                    Settlement { settled_as: "preparing", ..Settlement::default() }
                };
                lane.settle(settlement).await
            }
            Err(failure) => self.fail(lane, &policies, &failure).await,
        }
    }

    /// A delivery that waits for a look is not served by memory.
    async fn settle_recall(&self, lane: Lane<'_>, mut settlement: Settlement) -> Result<(), StoreError> {
        if lane.claim.leaves_delivery {
            settlement.look_by(self.0.clock.now());
        }
        lane.settle(settlement).await
    }

    /// It keeps its word until it is looked at, unless time makes plain before that it can't. `look_at`: none if a look comes in
    /// any case.
    fn to_be_looked_at(&self, look_at: Option<Timestamp>, recheck_at: Option<Timestamp>) -> Settlement {
        let recall_at = recheck_at.map(|at| self.0.on_our_clock(at).max(self.0.clock.now() + LEAST_PAUSE));
        Settlement { look_at, recall_at, settled_as: "to be looked at", ..Settlement::default() }
    }

    fn note_outcome(&self, looked: &Result<Look, Failure>) {
        let now = self.0.clock.now();
        match looked {
            Ok(_) => self.0.outage.note_success(now),
            Err(Failure::Gitlab(error)) => self.0.outage.note_failure(error, now),
            Err(Failure::UrlsHidden | Failure::Unlisted(_) | Failure::Unreadable(_)) => {}
        }
    }

    async fn fail(&self, lane: Lane<'_>, policies: &PolicySet, failure: &Failure) -> Result<(), StoreError> {
        let settlement = self.after_failure(&lane, failure);
        match failure {
            // Who can't read it can't answer it, and who asks too much is not heard.
            Failure::Gitlab(
                Error::NotFound { .. }
                | Error::Unauthorized { .. }
                | Error::RateLimited { .. }
                | Error::HeldBack { .. },
            ) => lane.settle(settlement).await,
            _ => lane.withdraw(policies, failure, settlement).await,
        }
    }

    fn after_failure(&self, lane: &Lane<'_>, failure: &Failure) -> Settlement {
        let Claim { merge_request, attempt, .. } = &lane.claim;
        let (project, iid) = (merge_request.project, merge_request.iid);
        match failure {
            Failure::Gitlab(error @ Error::NotFound { .. }) => {
                let now = self.0.clock.now();
                // A pass that may show outlives a proxy's slip and a bot that was left out of its group for an hour.
                let may_pass = lane.memory.statuses.iter().any(KnownStatus::may_show_passed);
                match *attempt {
                    attempt if attempt < ABSENT_TRIES => again("absent", pause(attempt), now),
                    attempt if may_pass && attempt < HIDDEN_TRIES => again("hidden", PARKED_FOR, now),
                    _ => {
                        tracing::warn!(%project, %iid, %error, "given up: the merge request is absent or hidden");
                        Settlement { settled_as: "absent", ..Settlement::default() }
                    }
                }
            }
            Failure::Gitlab(error) if error.is_curable() => {
                if let Some(Telling { left_out }) = self.0.lines.undecided.tell(self.0.clock.now()) {
                    tracing::warn!(%project, %iid, attempt, %error, left_out, "not decided yet; tried again");
                }
                let pause = error.retry_after().unwrap_or_else(|| pause(*attempt));
                Settlement { undecided: true, ..again("undecided", pause, self.0.clock.now()) }
            }
            Failure::Gitlab(_) | Failure::UrlsHidden | Failure::Unlisted(_) | Failure::Unreadable(_) => {
                self.0.metrics.parked.inc();
                if let Some(Telling { left_out }) = self.0.lines.parked.tell(self.0.clock.now()) {
                    tracing::error!(%project, %iid, %failure, left_out, "can't be decided before somebody mends this");
                }
                Settlement { undecided: true, ..again("parked", PARKED_FOR, self.0.clock.now()) }
            }
        }
    }
}

/// It is none of ours as things stand: other policies or a sweep look again, for the configuration may have been wrong.
fn nothing_to_decide(settled_as: &'static str, policies: &PolicySet) -> Settlement {
    let revision = Some(policies.revision().as_str().to_owned());
    Settlement { revision, settled_as, ..Settlement::default() }
}

/// Only an event brings it back.
fn ended(settled_as: &'static str) -> Settlement {
    Settlement { ended: true, settled_as, ..Settlement::default() }
}
