//! What every claimed merge request is decided with.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify};

use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::decision::Decider;
use crate::gitlab::Error;
use crate::merge_request::{MergeRequestRef, ProjectId, UserId};
use crate::policy::PolicySet;
use crate::store::{Decisions, Queue, Store};
use crate::telemetry::{Metrics, Telling};

use super::drift::Book;
use super::lines::Lines;
use super::outage::Outage;
use super::rate::Rate;
use super::settings::Settings;
use super::version::KnownVersion;

/// How long it is believed whose the token is.
const USER_BELIEVED_FOR: Duration = Duration::from_secs(3600);
/// How long it is believed that a project has merge trains, or none.
const TRAINS_BELIEVED_FOR: Duration = Duration::from_secs(600);
/// How soon a project is asked again that did not say whether it has any.
const TRAINS_ASKED_AGAIN: Duration = Duration::from_secs(2);
/// Clocks that differ by less may be equal: `Date` has whole seconds, and the answer was under way.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(2);
/// How many calls one look takes, for budgets: the merge request, the list, and a page of some fact families.
const CALLS_PER_LOOK: u32 = 5;
/// How many looks that nobody waits for may be made at once after a time of rest.
const LOOKS_AT_ONCE: u32 = 20;
/// One of so many of those looks is a sweep's, however many others are asked for.
const SWEEPS_SHARE: u32 = 4;
/// How many heartbeats may be said at once after a time of rest.
const HEARTBEATS_AT_ONCE: u32 = 20;

/// The store, GitLab, the policies, and what is known of this GitLab.
pub struct Resources {
    pub(super) queue: Queue,
    pub(super) decisions: Decisions,
    pub(super) decider: Decider,
    pub(super) bundle: Arc<Bundle>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    /// Heartbeats: each is a row and an audit event in GitLab.
    pub(super) heartbeats: Rate,
    /// Looks that nobody waits for.
    pub(super) background: Rate,
    /// Those among them that are left to sweeps when crowds and policies reserve them all.
    pub(super) sweeps: Rate,
    /// When sweeps' looks come back for which there was no room in that.
    pub(super) put_off: Rate,
    /// What the log tells of many.
    pub(super) lines: Lines,
    /// Whether GitLab can be reached.
    pub(super) outage: Outage,
    /// What was found to be otherwise than it should be.
    pub(super) drift: Book,
    /// Sweeps that somebody wants now.
    pub(super) wanted: Wanted,
    /// What this GitLab understands.
    pub(super) version: KnownVersion,
    /// Whose the token is, until when that is believed, and of which token it is.
    own_user: Mutex<Option<(UserId, Timestamp, u64)>>,
    /// What is believed of projects and merge trains.
    trains: SyncMutex<HashMap<ProjectId, Arc<Mutex<Option<Believed>>>>>,
    /// How far our clock is ahead of GitLab's, in milliseconds.
    ahead_millis: AtomicI64,
}

/// Sweeps that somebody wants now.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) recent: Notify,
    pub(super) full: Notify,
}

/// Whether a project may have merge trains, and until when that is believed.
type Believed = (bool, Timestamp);

impl Resources {
    /// Puts the parts together; nothing is known of GitLab's version yet.
    pub fn new(
        store: &Store,
        decider: Decider,
        bundle: Arc<Bundle>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        let looks_per_minute = (settings.background_calls_per_minute / CALLS_PER_LOOK).max(1);
        let background = Rate::new(looks_per_minute, LOOKS_AT_ONCE);
        let heartbeats = Rate::new(settings.heartbeats_per_minute, HEARTBEATS_AT_ONCE);
        let clock = store.clock().clone();
        let version = KnownVersion::new(decider.gitlab.clone(), settings.gitlab_version, clock.clone());
        Self {
            queue: store.queue().clone(),
            decisions: store.decisions(),
            decider,
            bundle,
            metrics,
            settings,
            clock,
            heartbeats,
            sweeps: Rate::share_of(&background, SWEEPS_SHARE),
            background,
            put_off: Rate::new(looks_per_minute, 1),
            lines: Lines::default(),
            outage: Outage::default(),
            drift: Book::default(),
            wanted: Wanted::default(),
            version,
            own_user: Mutex::default(),
            trains: SyncMutex::default(),
            ahead_millis: AtomicI64::new(0),
        }
    }

    /// Whose the token is; asked for once an hour, after the token was not accepted, and after it was replaced.
    pub(super) async fn own_user(&self) -> Result<UserId, Error> {
        let mut known = self.own_user.lock().await;
        let token = *self.decider.gitlab.token_replaced().borrow();
        if let Some((user, until, of)) = *known
            && until > self.clock.now()
            && of == token
        {
            return Ok(user);
        }
        *known = None;
        let user = self.decider.gitlab.myself().await?.id;
        *known = Some((user, self.clock.now() + USER_BELIEVED_FOR, token));
        Ok(user)
    }

    /// Doubts whose the token is: one that is not accepted may have been replaced by another user's.
    pub(super) async fn doubt_own_user(&self) {
        *self.own_user.lock().await = None;
    }

    /// Whether new passes may be given.
    pub(super) fn may_grant(&self) -> bool {
        let stale = |since| self.clock.since(since) >= self.settings.stale_after;
        self.bundle.trouble().is_none_or(|trouble| !stale(trouble.since))
    }

    /// Whether these policies are in force still.
    pub(super) fn is_in_force(&self, policies: &PolicySet) -> bool {
        self.bundle.current().revision() == policies.revision()
    }

    /// Whether a merge request is on a merge train; what can't be told is not.
    pub(super) async fn is_on_merge_train(&self, merge_request: MergeRequestRef) -> bool {
        if !self.may_have_merge_trains(merge_request.project).await {
            return false;
        }
        self.decider.gitlab.is_on_merge_train(merge_request).await.unwrap_or_else(|error| {
            if let Some(Telling { left_out }) = self.lines.trains.tell(self.clock.now()) {
                tracing::warn!(%error, left_out, "whether it is on a merge train is not known: it counts as not");
            }
            false
        })
    }

    /// A project is asked once in a while, by one for all of its merge requests: a freeze withdraws a thousand at once.
    async fn may_have_merge_trains(&self, project: ProjectId) -> bool {
        let asked = {
            let mut trains = self.trains.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(trains.entry(project).or_default())
        };
        let mut believed = asked.lock().await;
        if let Some((has, until)) = *believed
            && until > self.clock.now()
        {
            return has;
        }
        let (has, time) = match self.decider.gitlab.has_merge_trains(project).await {
            Ok(has) => (has, TRAINS_BELIEVED_FOR),
            Err(error) => {
                if let Some(Telling { left_out }) = self.lines.trains.tell(self.clock.now()) {
                    tracing::warn!(%project, %error, left_out, "whether the project has merge trains is not known: it may");
                }
                (true, TRAINS_ASKED_AGAIN)
            }
        };
        *believed = Some((has, self.clock.now() + time));
        has
    }

    /// Notes GitLab's clock as it was at some moment since `asked_at` on ours. Clocks that may agree do.
    pub(super) fn note_time(&self, gitlab_now: Timestamp, asked_at: Timestamp) {
        let (least, most) =
            (asked_at.duration_since(gitlab_now), self.clock.now().duration_since(gitlab_now));
        let ahead = match (least > CLOCKS_AGREE, most < -CLOCKS_AGREE) {
            (true, _) => least,
            (false, true) => most,
            (false, false) => SignedDuration::ZERO,
        };
        self.ahead_millis.store(i64::try_from(ahead.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    fn ahead(&self) -> SignedDuration {
        SignedDuration::from_millis(self.ahead_millis.load(Ordering::Relaxed))
    }

    /// When, on our clock, an instant on GitLab's comes.
    pub(super) fn on_our_clock(&self, at: Timestamp) -> Timestamp {
        at.checked_add(self.ahead()).unwrap_or(at)
    }

    /// What GitLab's clock shows at an instant on ours.
    pub(super) fn on_gitlabs_clock(&self, at: Timestamp) -> Timestamp {
        at.checked_sub(self.ahead()).unwrap_or(at)
    }
}
