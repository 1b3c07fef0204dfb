//! Claims what is due and carries each merge request through: look, record, answer, settle.
//!
//! Desired: everything after the claim may be repeated after a crash without harm; an answer leaves only while the
//! claim's lease outlasts the client's whole timeout, nothing newer came and the policies are still those that were
//! evaluated. What must never be: two lanes of one merge request at a time (the store sees to that), or a memory of
//! what GitLab shows that was not confirmed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bundle::Bundle;
use crate::decision::{Decider, Failure, Look};
use crate::gitlab::Error;
use crate::store::{Claim, Queue, Settlement, StoreError};
use crate::telemetry::Metrics;

use super::answer::Vocabulary;
use super::lane::{self, Lane};

/// How many merge requests are decided at the same time.
const LANES: usize = 16;
/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The pause where no retry helps before somebody mends something.
const PARKED_FOR: Duration = Duration::from_secs(600);
/// How often a merge request that GitLab says is absent is looked at before it is given up.
const ABSENT_TRIES: u32 = 3;
/// The pause while GitLab prepares a merge request.
const PREPARING_PAUSE: Duration = Duration::from_secs(2);
/// How long the queue is left alone when nothing says that anything is due.
const IDLE_LOOK: Duration = Duration::from_secs(30);
/// How long a GitLab version that was found by asking is believed.
const VERSION_BELIEVED_FOR: Duration = Duration::from_secs(3600);

/// What the configuration says of answers.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `answers.waiting = "failed"`.
    pub waiting_is_failed: bool,
    /// `answers.undecided_after`.
    pub undecided_after: Duration,
    /// `policies.stale_after`.
    pub stale_after: Duration,
}

/// The part of the service that decides.
pub struct Worker {
    pub(super) queue: Queue,
    pub(super) decider: Decider,
    pub(super) bundle: Arc<Bundle>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: Settings,
    version: Mutex<Option<(Vocabulary, tokio::time::Instant)>>,
}

impl Worker {
    /// Puts the parts together.
    pub fn new(
        queue: Queue,
        decider: Decider,
        bundle: Arc<Bundle>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        Self { queue, decider, bundle, metrics, settings, version: Mutex::new(None) }
    }

    /// Works until `stop`; then waits for what is claimed until `abort`, at which it hands the rest back undone.
    pub async fn run(self: Arc<Self>, stop: CancellationToken, abort: CancellationToken) {
        let slots = Arc::new(Semaphore::new(LANES));
        let lanes = TaskTracker::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                result = self.claim_due(&slots, &lanes, &abort) => if let Err(error) = result {
                    tracing::error!(error = &error as &dyn std::error::Error, "the queue can't be read");
                    tokio::time::sleep(FIRST_PAUSE).await;
                },
            }
        }
        lanes.close();
        lanes.wait().await;
    }

    /// Claims what is due for the free slots, or waits until something may be.
    async fn claim_due(
        self: &Arc<Self>,
        slots: &Arc<Semaphore>,
        lanes: &TaskTracker,
        abort: &CancellationToken,
    ) -> Result<(), StoreError> {
        let Ok(first) = Arc::clone(slots).acquire_owned().await else { return Ok(()) };
        let due = self.queue.next_due().await?;
        let wait = due.map_or(IDLE_LOOK, |due| until(due).min(IDLE_LOOK));
        if !wait.is_zero() {
            drop(first);
            tokio::select! {
                () = self.queue.woken() => {}
                () = tokio::time::sleep(wait) => {}
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
            let claims = worker.queue.claim(permits.len()).await?;
            for (claim, permit) in claims.into_iter().zip(permits) {
                let worker = Arc::clone(&worker);
                lanes_of.spawn(worker.hold(claim, permit, abort.clone()));
            }
            Ok::<_, StoreError>(())
        });
        claiming.await.unwrap_or(Err(StoreError::Closed))
    }

    /// One claim, from its begin to its settlement or its return.
    async fn hold(self: Arc<Self>, claim: Claim, permit: OwnedSemaphorePermit, abort: CancellationToken) {
        let returned = claim.clone();
        let ended = tokio::select! {
            ended = self.serve(claim) => ended,
            () = abort.cancelled() => self.queue.release(returned).await,
        };
        if let Err(error) = ended {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a merge request could not be settled; its lease brings it back"
            );
        }
        drop(permit);
    }

    async fn serve(&self, claim: Claim) -> Result<(), StoreError> {
        let lane = Lane::open(self, claim).await?;
        let policies = self.bundle.current();
        let looked = lane.look(&policies).await;
        match looked {
            Ok(Look::Decided(decided)) => lane.answer(&policies, *decided).await,
            Ok(Look::Ended) => lane.settle(Settlement { settled_as: "ended", ..Settlement::default() }).await,
            Ok(Look::OutOfScope) => {
                lane.settle(Settlement { settled_as: "out of scope", ..Settlement::default() }).await
            }
            Ok(Look::NoCheck) => {
                lane.settle(Settlement { settled_as: "no check", ..Settlement::default() }).await
            }
            Ok(Look::Preparing | Look::Moving) => {
                let settlement = lane::again("preparing", PREPARING_PAUSE);
                lane.settle(settlement).await
            }
            Err(failure) => {
                let settlement = self.after_failure(&lane.claim, &failure);
                lane.settle(settlement).await
            }
        }
    }

    fn after_failure(&self, claim: &Claim, failure: &Failure) -> Settlement {
        let Claim { merge_request, attempt, .. } = claim;
        let (project, iid) = (merge_request.project, merge_request.iid);
        match failure {
            Failure::Gitlab(error @ Error::NotFound { .. }) => {
                if *attempt >= ABSENT_TRIES {
                    tracing::warn!(%project, %iid, %error, "given up: the merge request is absent or hidden");
                    return Settlement { settled_as: "absent", ..Settlement::default() };
                }
                lane::again("absent", pause(*attempt))
            }
            Failure::Gitlab(error) if error.is_curable() => {
                tracing::warn!(%project, %iid, attempt, %error, "not decided yet; tried again");
                let pause = error.retry_after().unwrap_or_else(|| pause(*attempt));
                Settlement { undecided: true, ..lane::again("undecided", pause) }
            }
            Failure::Gitlab(_) | Failure::UrlsHidden | Failure::Unreadable(_) => {
                self.metrics.parked.inc();
                tracing::error!(%project, %iid, %failure, "can't be decided before somebody mends this");
                Settlement { undecided: true, ..lane::again("parked", PARKED_FOR) }
            }
        }
    }

    /// What this GitLab understands; asked for once an hour, and not believed before it was had.
    pub(super) async fn vocabulary(&self) -> Vocabulary {
        let mut version = self.version.lock().await;
        if let Some((vocabulary, asked)) = *version
            && asked.elapsed() < VERSION_BELIEVED_FOR
        {
            return vocabulary;
        }
        match self.decider.gitlab.gitlab_version().await {
            Ok(found) => {
                let vocabulary = Vocabulary::from(found);
                tracing::info!(version = %found, ?vocabulary, "GitLab's version is known");
                *version = Some((vocabulary, tokio::time::Instant::now()));
                vocabulary
            }
            Err(error) => {
                tracing::warn!(%error, "GitLab's version is not known; nothing but a proven pass is posted");
                Vocabulary::Unproven
            }
        }
    }

    /// Doubts the version: a 400 or 404 to an answer may mean that GitLab was up- or downgraded.
    pub(super) async fn doubt_version(&self) {
        *self.version.lock().await = None;
    }

    /// Whether new passes may be given.
    pub(super) fn may_grant(&self) -> bool {
        self.bundle.broken_since().is_none_or(|since| since_then(since) < self.settings.stale_after)
    }
}

/// The pause after the given number of tries, with jitter.
pub(super) fn pause(attempt: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)));
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// The pause where only somebody's help changes anything.
pub(super) const fn parked() -> Duration {
    PARKED_FOR
}

fn until(instant: Timestamp) -> Duration {
    instant.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO)
}

/// How long ago an instant was; zero if it is yet to come.
pub(super) fn since_then(instant: Timestamp) -> Duration {
    Timestamp::now().duration_since(instant).try_into().unwrap_or(Duration::ZERO)
}
