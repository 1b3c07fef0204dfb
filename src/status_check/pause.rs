//! How long to wait before the next try.

use std::time::Duration;

use jiff::Timestamp;

/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The pause where no retry helps before somebody mends something.
pub(super) const PARKED_FOR: Duration = Duration::from_secs(600);
/// How soon it is looked what shows while an answer of unclear fate may still arrive: the longest time that a stale one stands.
pub(super) const UNCLEAR_LOOK: Duration = Duration::from_secs(10);

/// The pause after the given number of tries, with jitter.
pub(super) fn pause(attempt: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)));
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// When a `pending` that was said at an instant is to be said again: 65 to 85 seconds later, so that many do not come at
/// once, and well before GitLab lets it run out.
pub(super) fn next_heartbeat(said_at: Timestamp) -> Timestamp {
    said_at + Duration::from_millis(65_000 + fastrand::u64(..20_000))
}
