//! How much may be done in a time, evenly: for what nobody waits for and what leaves a trace in GitLab.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// So many a minute; what was not used is saved up to a bound.
#[derive(Debug)]
pub(super) struct Rate {
    interval: Duration,
    /// How far ahead of the even pace one may be.
    credit: Duration,
    /// When the next one would be due at an even pace.
    next: Mutex<Timestamp>,
}

impl Rate {
    /// At most `per_minute`, and up to `at_once` of them together.
    pub(super) fn new(per_minute: u32, at_once: u32) -> Self {
        Self::every(Duration::from_secs(60) / per_minute.max(1), at_once)
    }

    /// One in each interval, and up to `at_once` of them together.
    fn every(interval: Duration, at_once: u32) -> Self {
        let credit = interval * at_once.saturating_sub(1);
        Self { interval, credit, next: Mutex::new(Timestamp::UNIX_EPOCH) }
    }

    /// Takes one now if there is one, else says when there will be.
    pub(super) fn take(&self, now: Timestamp) -> Result<(), Timestamp> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = self.slot_after(*next, now);
        if slot > now {
            return Err(slot);
        }
        *next = (*next).max(now) + self.interval;
        Ok(())
    }

    /// Every so many of another rate's, for [`Self::take_with`].
    pub(super) fn share_of(whole: &Self, part: u32) -> Self {
        Self::every(whole.interval.saturating_mul(part), 1)
    }

    /// Takes one now, or one of a share that the others can't use up: that counts here all the same, and they come later by
    /// it.
    pub(super) fn take_with(&self, share: &Self, now: Timestamp) -> Result<(), Timestamp> {
        let Err(slot) = self.take(now) else { return Ok(()) };
        share.take(now).map_err(|of_share| of_share.min(slot))?;
        self.reserve(now);
        Ok(())
    }

    /// How long after the first of many the one with an index has its turn.
    pub(super) fn pace(&self, index: u32) -> Duration {
        self.interval.saturating_mul(index).saturating_sub(self.credit)
    }

    /// Reserves the next one and says when it is due.
    pub(super) fn reserve(&self, now: Timestamp) -> Timestamp {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = self.slot_after(*next, now);
        *next = (*next).max(now) + self.interval;
        slot
    }

    /// When the next one would be due; nothing is taken.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        self.slot_after(*self.next.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    fn slot_after(&self, next: Timestamp, now: Timestamp) -> Timestamp {
        next.checked_sub(self.credit).map_or(now, |slot| slot.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_few_go_at_once_and_the_others_evenly() {
        let rate = Rate::new(6, 2);
        let slots: Vec<_> = (0..4).map(|_| rate.reserve(at(0))).collect();
        assert_eq!(slots, [at(0), at(0), at(10), at(20)]);
        assert_eq!([0, 1, 2, 3].map(|index| at(0) + rate.pace(index)), slots.as_slice());
        assert_eq!(rate.take(at(5)), Err(at(30)));
        assert_eq!(rate.take(at(30)), Ok(()));
        assert_eq!(rate.take(at(31)), Err(at(40)));
        assert_eq!([rate.take(at(90)), rate.take(at(90)), rate.take(at(90))], [Ok(()), Ok(()), Err(at(100))]);
    }

    #[test]
    fn who_reserves_ahead_without_end_leaves_the_others_their_share_and_pays_for_it() {
        let rate = Rate::new(60, 20);
        let share = Rate::share_of(&rate, 4);
        let (mut taken, mut reserved) = (0, 0);
        for second in 0..3600 {
            // As crowds do: twenty at a time, some seconds ahead.
            while rate.next(at(second)) <= at(second + 5) {
                (0..20).for_each(|_| _ = rate.reserve(at(second)));
                reserved += 20;
            }
            taken += i32::from(rate.take_with(&share, at(second)).is_ok());
        }
        assert_eq!(taken, 900);
        assert!(taken + reserved <= 3600 + 50, "{reserved} besides");
    }
}
