//! A line of the log that could come for each of a thousand merge requests: the first ones are told, then how many more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// So many are told within that time.
const TOLD: u64 = 10;
const WITHIN: Duration = Duration::from_secs(300);

/// One kind of line.
#[derive(Debug, Default)]
pub struct Repetition(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the time began in which lines are counted.
    since: Option<Timestamp>,
    count: u64,
    left_out: u64,
}

/// The right to tell a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// How many were left out since the last one, if any were.
    pub left_out: Option<u64>,
}

impl Repetition {
    /// Whether a line is to be told now; if not, it is counted for the next one.
    pub fn tell(&self, now: Timestamp) -> Option<Telling> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Timestamp| now.duration_since(since).unsigned_abs() >= WITHIN;
        if state.since.is_none_or(is_over) {
            (state.since, state.count) = (Some(now), 0);
        }
        state.count += 1;
        if state.count > TOLD {
            state.left_out += 1;
            return None;
        }
        let left_out = std::mem::take(&mut state.left_out);
        Some(Telling { left_out: (left_out > 0).then_some(left_out) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_by_its_first_lines_and_its_number() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let line = Repetition::default();
        let told = (0..100).filter_map(|_| line.tell(at(0))).count();
        assert_eq!(told, 10);
        assert_eq!(line.tell(at(299)), None);
        assert_eq!(line.tell(at(300)), Some(Telling { left_out: Some(91) }));
        assert_eq!(line.tell(at(301)), Some(Telling { left_out: None }));
    }
}
