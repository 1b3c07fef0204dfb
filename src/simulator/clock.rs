//! The simulator's clock: real time plus an offset that a test moves forward.
//!
//! Everything that GitLab would stamp (versions, approvals, rows, the `Date` header, the timeout of explicit
//! `pending`) asks this clock, so an hour passes in one call. It must never run backwards.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Real time plus an offset.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_millis: AtomicI64,
}

impl Clock {
    /// Now, as this GitLab sees it.
    pub(super) fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_millis.load(Ordering::SeqCst));
        let real = Timestamp::now();
        real.checked_add(offset).unwrap_or(real)
    }

    /// Lets time pass.
    pub(super) fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

/// A time as the REST API writes it: `2025-08-05T21:48:25.123Z`.
pub(super) fn rest_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time as the body of a webhook writes it: `2025-08-05 21:48:25 UTC`.
pub(super) fn hook_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time as the body of a webhook writes a commit's: `2025-08-05T21:48:25+00:00`.
pub(super) fn commit_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// A time as HTTP headers write it: `Tue, 05 Aug 2025 21:48:25 GMT`.
pub(super) fn http_time(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_in_gitlab_s_four_manners() {
        let at: Timestamp = "2025-08-05T21:48:25.1234Z".parse().unwrap();
        assert_eq!(rest_time(at), "2025-08-05T21:48:25.123Z");
        assert_eq!(commit_time(at), "2025-08-05T21:48:25+00:00");
        assert_eq!(hook_time(at), "2025-08-05 21:48:25 UTC");
        assert_eq!(http_time(at), "Tue, 05 Aug 2025 21:48:25 GMT");
    }

    #[test]
    fn advancing_moves_now_and_adds_up() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_mins(1));
        clock.advance(Duration::from_mins(1));
        assert!(clock.now().duration_since(before) >= SignedDuration::from_secs(120));
    }
}
