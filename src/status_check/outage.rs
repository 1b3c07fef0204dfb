//! Whether GitLab can be reached, and since when it could not: after an outage somebody must look at what it may have
//! told in vain.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::gitlab::Error;

/// A shorter one lost nothing: GitLab calls a status check again for that long.
const WORTH_A_SWEEP: Duration = Duration::from_secs(60);

/// An outage of GitLab's, or of the way to it.
#[derive(Debug, Default)]
pub(super) struct Outage {
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// When the first call failed that no later one made good.
    since: Option<Timestamp>,
    /// When one that is over began.
    past: Option<Timestamp>,
    /// Whether the store has that a sweep is owed for the one that lasts.
    is_owed: bool,
}

impl Outage {
    /// GitLab is down since an instant, whoever found it out. Gives since when a sweep is to be owed, as long as none is.
    pub(super) fn note_down(&self, since: Timestamp) -> Option<Timestamp> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.since = Some(state.since.map_or(since, |earlier| earlier.min(since)));
        state.since.filter(|_| !state.is_owed)
    }

    /// A sweep is owed for it, whoever is alive at its end.
    pub(super) fn note_owed(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_owed = true;
    }

    /// A call failed. What only the circuit can tell, as by a proxy's page, comes by [`Self::note_down`].
    pub(super) fn note_failure(&self, error: &Error, now: Timestamp) {
        if error.is_absence() {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).since.get_or_insert(now);
        }
    }

    /// GitLab answered.
    pub(super) fn note_success(&self, now: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(since) = state.since.take() else { return };
        let was_long = Duration::try_from(now.duration_since(since)).is_ok_and(|time| time >= WORTH_A_SWEEP);
        if was_long || std::mem::take(&mut state.is_owed) {
            state.is_owed = false;
            state.past = Some(state.past.map_or(since, |past| past.min(since)));
            self.over.notify_one();
        }
    }

    /// Waits until an outage is over that was long enough; gives since when it was.
    pub(super) async fn over(&self) -> Timestamp {
        loop {
            if let Some(since) = self.state.lock().unwrap_or_else(PoisonError::into_inner).past.take() {
                return since;
            }
            self.over.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_long_outage_is_told_and_from_its_first_failure_on() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let outage = Outage::default();
        let failure = Error::NoAnswer { route: "GET /x", reason: "refused".to_owned() };
        outage.note_failure(&failure, at(0));
        outage.note_success(at(59));
        outage.note_failure(&Error::NotFound { route: "GET /x", message: String::new() }, at(60));
        outage.note_success(at(500));
        outage.note_failure(&Error::Unavailable { route: "GET /x", status: 500, retry_after: None }, at(600));
        outage.note_success(at(900));
        outage.note_failure(&failure, at(1000));
        outage.note_failure(&failure, at(1030));
        outage.note_success(at(1060));
        let told = tokio::time::timeout(Duration::from_secs(10), outage.over()).await;
        assert_eq!(told, Ok(at(1000)));
    }

    #[tokio::test]
    async fn what_the_store_has_as_owed_is_told_however_short_it_was() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let outage = Outage::default();
        assert_eq!(outage.note_down(at(10)), Some(at(10)));
        assert_eq!(outage.note_down(at(10)), Some(at(10)), "until it was written down");
        outage.note_owed();
        assert_eq!(outage.note_down(at(10)), None);
        outage.note_success(at(20));
        let told = tokio::time::timeout(Duration::from_secs(10), outage.over()).await;
        assert_eq!(told, Ok(at(10)));
        assert_eq!(outage.note_down(at(30)), Some(at(30)), "another one");
    }
}
