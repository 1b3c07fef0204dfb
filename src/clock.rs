//! What time it is: one value that the composition root hands to everything that acts on time.
//!
//! Real time plus an offset. The offset is zero in every product run; a test moves it, and with it leases, heartbeats,
//! rechecks and whoever sleeps on this clock, so a weekend passes in a second. It must never run backwards. What bounds a
//! call or a lease against a stopped process stays with the machine's monotonic clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The longest sleep at a time: the machine's clock may be set while somebody sleeps.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// Real time plus an offset; clones tell the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    offset_millis: AtomicI64,
    moved: watch::Sender<()>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { offset_millis: AtomicI64::new(0), moved: watch::Sender::new(()) }
    }
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.0.offset_millis.load(Ordering::SeqCst));
        let real = Timestamp::now();
        real.checked_add(offset).unwrap_or(real)
    }

    /// How long ago an instant was; zero if it is yet to come.
    pub fn since(&self, instant: Timestamp) -> Duration {
        self.now().duration_since(instant).try_into().unwrap_or(Duration::ZERO)
    }

    /// How long until an instant; zero if it is over.
    pub fn until(&self, instant: Timestamp) -> Duration {
        instant.duration_since(self.now()).try_into().unwrap_or(Duration::ZERO)
    }

    /// Sleeps until an instant on this clock.
    pub async fn sleep_until(&self, instant: Timestamp) {
        let mut moved = self.0.moved.subscribe();
        loop {
            let rest = self.until(instant);
            if rest.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(rest.min(LONGEST_NAP)) => {}
                // The sender lives in `self`.
                _ = moved.changed() => {}
            }
        }
    }

    /// Sleeps for a time on this clock.
    pub async fn sleep(&self, time: Duration) {
        let now = self.now();
        self.sleep_until(now.checked_add(time).unwrap_or(now)).await;
    }

    /// Lets time pass; only tests and the simulator's stories do.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.offset_millis.fetch_add(millis, Ordering::SeqCst);
        self.0.moved.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_now_for_every_clone_and_adds_up() {
        let clock = Clock::default();
        let (before, other) = (clock.now(), clock.clone());
        clock.advance(Duration::from_mins(1));
        clock.advance(Duration::from_mins(1));
        assert!(other.now().duration_since(before) >= SignedDuration::from_secs(120));
        assert!(other.since(before) >= Duration::from_mins(2));
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_time_is_moved_beyond_its_instant() {
        let clock = Clock::default();
        let hour = clock.now() + Duration::from_hours(1);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(hour).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_hours(2));
        assert!(tokio::time::timeout(Duration::from_secs(10), sleeper).await.is_ok());
    }
}
