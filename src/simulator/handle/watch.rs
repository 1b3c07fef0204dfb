//! Time, the network, and what was seen on it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::gitlab::Gitlab;
use crate::merge_request::UserId;
use crate::simulator::calls::{ApiCall, CallOutcome};
use crate::simulator::diffs::DiffLimits;
use crate::simulator::error::SimulatorError;
use crate::simulator::faults::{Fault, FaultId, Moment};
use crate::simulator::post_office::{Delivery, Weather};
use crate::simulator::release::{Edition, Release};
use crate::simulator::world::RateLimit;

/// How often [`Gitlab::eventually`] looks.
const GLANCE: Duration = Duration::from_millis(2);
/// How long [`Gitlab::deliveries_settled`] waits at most.
const SETTLING_BOUND: Duration = Duration::from_secs(30);

impl Gitlab {
    /// Now, as this GitLab sees it.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Lets time pass at once.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// Upgrades (or downgrades) this GitLab.
    pub fn install(&self, version: &str, edition: Edition) {
        self.world(|world| {
            let flag = world.release.status_field_flag;
            world.release = Release::new(version, edition);
            world.release.status_field_flag = flag;
        });
    }

    /// Turns on the feature flag `status_checks_add_status_field` (14.9 and 14.10).
    pub fn set_status_field_flag(&self, on: bool) {
        self.world(|world| world.release.status_field_flag = on);
    }

    /// How much of a diff this GitLab lists, and of how much of that it shows the text.
    pub fn set_diff_limits(&self, limits: DiffLimits) {
        self.world(|world| world.diff_limits = limits);
    }

    /// Lets a field of GraphQL's merge request fail with a message, or ends that.
    pub fn fail_field(&self, name: &str, message: Option<&str>) {
        self.world(|world| {
            match message {
                Some(message) => world.failing_fields.insert(name.to_owned(), message.to_owned()),
                None => world.failing_fields.remove(name),
            };
        });
    }

    /// Answers 429 to what goes beyond so many calls per minute and user.
    pub fn set_rate_limit(&self, per_minute: Option<u64>) {
        self.world(|world| world.rate_limit = per_minute.map(|calls| RateLimit { calls, period: 60 }));
    }

    /// Answers 429 to what goes beyond so many calls per hour and user, as a self-managed GitLab does by default once its
    /// administrator turns the limit on.
    pub fn set_hourly_rate_limit(&self, calls: u64) {
        self.world(|world| world.rate_limit = Some(RateLimit { calls, period: 3600 }));
    }

    /// Counts calls that others made in a user's name: they leave the user so many less.
    pub fn spend_calls(&self, user: UserId, calls: u64) {
        self.world(|world| world.spend(user, calls));
    }

    /// Makes something go wrong.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.shared.faults.add(fault)
    }

    /// Ends a fault; calls that hang go on.
    pub fn lift(&self, fault: FaultId) {
        self.shared.faults.lift(Some(fault));
    }

    /// Ends all faults; calls that hang go on.
    pub fn lift_all(&self) {
        self.shared.faults.lift(None);
    }

    /// Lets calls that hang go on; the faults stay.
    pub fn release_hanging(&self) {
        self.shared.faults.release();
    }

    /// Does something at a precise moment of a call, once.
    pub fn on_call(&self, moment: Moment, deed: impl FnOnce(&Self) + Send + 'static) {
        let actor = self.actor;
        let deed = move |shared: &_| deed(&Self { shared: std::sync::Arc::clone(shared), actor });
        self.shared.faults.at(moment, Box::new(deed));
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<ApiCall> {
        self.shared.calls.listed()
    }

    /// How often each route ended how; a route is `GET /projects/:id/…`.
    pub fn call_counts(&self) -> BTreeMap<String, BTreeMap<CallOutcome, u64>> {
        self.shared.calls.counts()
    }

    /// How many calls came to the routes that fit, whether or not they have ended.
    pub fn calls_to(&self, route: &str) -> u64 {
        self.shared.calls.count(route)
    }

    /// Calls that this GitLab does not know; a test asserts that there are none.
    pub fn unknown_calls(&self) -> Vec<String> {
        self.shared.calls.unknown()
    }

    /// Forgets all calls so far.
    pub fn forget_calls(&self) {
        self.shared.calls.forget();
    }

    /// Changes how badly the network treats deliveries.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.post_office.set_weather(weather);
    }

    /// Whether the administrator allows calls of the local network. Here that is so unless something else is said, since
    /// everything lives there; an installed GitLab does not allow it.
    pub fn allow_local_network(&self, allowed: bool) {
        self.shared.post_office.shun_local_network(!allowed);
    }

    /// Whether GitLab stops calling hooks of projects and groups that fail, as GitLab.com does. At first it does not.
    pub fn disable_failing_hooks(&self, disables: bool) {
        self.world(|world| world.disables_failing_hooks = disables);
    }

    /// Keeps deliveries back from now on.
    pub fn hold_deliveries(&self) {
        self.shared.post_office.hold();
    }

    /// Sends what was kept back.
    pub fn release_deliveries(&self) {
        self.shared.post_office.release();
    }

    /// Sends the delivery with this index of [`Gitlab::deliveries`] again, as GitLab's "resend" does.
    pub fn resend(&self, index: usize) -> Result<(), SimulatorError> {
        let found = self.shared.post_office.resend(index);
        found.then_some(()).ok_or_else(|| SimulatorError::Refused(format!("there is no delivery {index}")))
    }

    /// Every delivery so far, in the order of the events.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.post_office.log()
    }

    /// Waits until something is true of this GitLab; false when it was not within that time.
    pub async fn eventually(&self, within: Duration, mut condition: impl FnMut(&Self) -> bool) -> bool {
        let waiting = async {
            while !condition(self) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(within, waiting).await.is_ok()
    }

    /// Waits until no delivery is under way (those kept back are not), for half a minute at most.
    pub async fn deliveries_settled(&self) -> Result<(), SimulatorError> {
        let mut under_way = self.shared.post_office.under_way();
        let settled = tokio::time::timeout(SETTLING_BOUND, under_way.wait_for(|count| *count == 0)).await;
        match settled {
            Ok(_) => Ok(()),
            Err(_) => Err(SimulatorError::Unsettled(*self.shared.post_office.under_way().borrow())),
        }
    }
}
