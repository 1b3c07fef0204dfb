//! Whether GitLab is there at all: when it is not, it is asked seldom, gently, by one call at a time.
//!
//! Open means that no call is made but a probe now and then. What must never be: a call that is lost by it (whoever asked is
//! told to come back), a line in the log for each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::telemetry::Metrics;

/// How many calls in a row must fail for GitLab to count as down.
const FAILURES: u32 = 10;
/// The pause before the first probe; it doubles with each one that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often the log tells that it is still down.
const SUMMARY: Duration = Duration::from_secs(300);

/// What a call says of GitLab itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answered.
    Alive,
    /// Nothing did, or something before it said that it is not there.
    Down,
    /// Nothing that tells.
    Unclear,
}

/// One GitLab.
pub(super) struct Circuit {
    clock: Clock,
    metrics: Arc<Metrics>,
    /// A probe may take so long.
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many calls in a row failed, and since when.
    failures: u32,
    failing_since: Option<Timestamp>,
    open: Option<Open>,
    closed_at: Option<Timestamp>,
}

struct Open {
    since: Timestamp,
    probes: u32,
    next_probe: Timestamp,
    told_at: Timestamp,
    held_back: u64,
}

impl Circuit {
    /// It is there until it is not.
    pub(super) fn new(timeout: Duration, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, timeout, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may be made: always while GitLab is there, else as a probe if it is time for one. Fails with how long
    /// that is off.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(open) = &mut state.open else { return Ok(()) };
        if open.next_probe > now {
            open.held_back += 1;
            return Err(self.clock.until(open.next_probe));
        }
        // Nobody else meanwhile, even if this one never comes to its end.
        open.next_probe = now + self.timeout + pause(open.probes);
        open.probes += 1;
        Ok(())
    }

    /// Takes in what a call that was made says.
    pub(super) fn note(&self, sign: Sign, reason: &str) {
        let now = self.clock.now();
        let mut state = self.state();
        match (sign, &mut state.open) {
            (Sign::Unclear, _) => {}
            (Sign::Alive, None) => (state.failures, state.failing_since) = (0, None),
            (Sign::Alive, Some(open)) => {
                let down_for = self.clock.since(open.since).as_secs();
                let (since, probes, held_back) = (open.since, open.probes, open.held_back);
                tracing::info!(%since, down_for, probes, held_back, "GitLab answers again");
                *state = State { closed_at: Some(now), ..State::default() };
                self.metrics.gitlab_down.set(0);
            }
            (Sign::Down, None) => {
                state.failures += 1;
                let since = *state.failing_since.get_or_insert(now);
                if state.failures >= FAILURES {
                    tracing::error!(%since, reason, "GitLab is down: nothing is asked but whether it is back");
                    let next_probe = now + pause(0);
                    state.open = Some(Open { since, probes: 1, next_probe, told_at: now, held_back: 0 });
                    self.metrics.gitlab_down.set(1);
                }
            }
            // Those that were under way when it opened say nothing new.
            (Sign::Down, Some(open)) if open.next_probe <= now => {}
            (Sign::Down, Some(open)) => {
                open.next_probe = open.next_probe.min(now + pause(open.probes.saturating_sub(1)));
                if self.clock.since(open.told_at) >= SUMMARY {
                    open.told_at = now;
                    let (since, probes, held_back) = (open.since, open.probes, open.held_back);
                    tracing::warn!(%since, probes, held_back, reason, "GitLab is still down");
                }
            }
        }
    }

    /// Since when it is down, if it is.
    pub(super) fn down_since(&self) -> Option<Timestamp> {
        self.state().open.as_ref().map(|open| open.since)
    }

    /// When the next probe is due, if it is down.
    pub(super) fn next_probe(&self) -> Option<Timestamp> {
        self.state().open.as_ref().map(|open| open.next_probe)
    }

    /// When it came back last.
    pub(super) fn closed_at(&self) -> Option<Timestamp> {
        self.state().closed_at
    }
}

/// The pause after so many probes, with jitter.
fn pause(probes: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(probes.min(16)));
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit() -> (Clock, Circuit) {
        let clock = Clock::default();
        (clock.clone(), Circuit::new(Duration::from_secs(10), clock, Arc::default()))
    }

    fn fail(circuit: &Circuit, times: u32) {
        (0..times).for_each(|_| circuit.note(Sign::Down, "refused"));
    }

    #[test]
    fn only_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let (clock, circuit) = circuit();
        fail(&circuit, FAILURES - 1);
        circuit.note(Sign::Alive, "");
        fail(&circuit, FAILURES - 1);
        circuit.note(Sign::Unclear, "");
        assert_eq!((circuit.admit(), circuit.down_since()), (Ok(()), None));
        fail(&circuit, 1);
        assert!(circuit.admit().is_err() && circuit.down_since().is_some());
        clock.advance(Duration::from_secs(2));
        assert_eq!(circuit.admit(), Ok(()), "a probe");
        assert!(circuit.admit().is_err(), "one at a time");
        circuit.note(Sign::Alive, "");
        assert_eq!((circuit.admit(), circuit.down_since()), (Ok(()), None));
        assert!(circuit.closed_at().is_some());
    }

    #[test]
    fn an_hour_of_outage_takes_few_probes() {
        let (clock, circuit) = circuit();
        fail(&circuit, FAILURES);
        let (mut probes, mut last) = (0, 0);
        for second in 0..3600 {
            if circuit.admit().is_ok() {
                (probes, last) = (probes + 1, second);
                circuit.note(Sign::Down, "refused");
            }
            clock.advance(Duration::from_secs(1));
        }
        assert!((60..100).contains(&probes), "{probes}");
        assert!(last > 3500, "and yet it never gives up");
    }

    #[test]
    fn a_probe_that_never_ends_keeps_no_other_from_being_made() {
        let (clock, circuit) = circuit();
        fail(&circuit, FAILURES);
        clock.advance(Duration::from_secs(1));
        assert_eq!(circuit.admit(), Ok(()));
        clock.advance(Duration::from_secs(5));
        assert!(circuit.admit().is_err());
        clock.advance(Duration::from_secs(10));
        assert_eq!(circuit.admit(), Ok(()));
    }
}
