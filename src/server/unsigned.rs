//! Deliveries that nothing vouches for: GitLab before 17.3 can't sign status checks.
//!
//! They are let in only for the projects of `webhooks.allow_unsigned`, and only so many a minute: a stranger could
//! otherwise fill the queue. What they say is a hint like any other, so a forged one costs a look and nothing else.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How many are let in per window.
const CAP: u32 = 300;
const WINDOW: Duration = Duration::from_secs(60);

/// What is left of the cap.
pub(super) struct Allowance {
    possible: bool,
    window: Mutex<(Instant, u32)>,
}

impl Allowance {
    /// `possible` is whether any project may go unsigned.
    pub(super) fn new(possible: bool) -> Self {
        Self { possible, window: Mutex::new((Instant::now(), 0)) }
    }

    /// Whether an unsigned body is worth reading.
    pub(super) fn is_possible(&self) -> bool {
        self.possible
    }

    /// Takes one from the cap.
    pub(super) fn admit(&self) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0.elapsed() >= WINDOW {
            *window = (Instant::now(), 0);
        }
        window.1 += 1;
        window.1 <= CAP
    }
}
