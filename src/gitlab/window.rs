//! A rate limit: how many calls are left until it begins anew.

use std::time::Duration;

use jiff::Timestamp;

/// Of so many calls one is left to answers.
const RESERVE: u64 = 20;
/// Reads are spread no further: a look takes several, and none waits for long.
const LONGEST_PACE: Duration = Duration::from_secs(60);

/// What an answer says of a rate limit (contract section 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldLimit {
    /// Which of GitLab's limits it is; empty where it has no name.
    pub(super) name: String,
    /// How many calls there may be.
    pub(super) limit: u64,
    /// How many there were, by whomsoever.
    pub(super) observed: u64,
    /// When it begins anew on GitLab's clock, in seconds: which window it is.
    pub(super) window: u64,
    /// How long that was off when GitLab answered.
    pub(super) resets_in: Duration,
}

/// How many calls may be made until an instant.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limit: u64,
    observed: u64,
    /// Which one GitLab told of last, by its end.
    ends: u64,
    /// Not known between its end and the first answer of the next one.
    resets_at: Option<Timestamp>,
}

/// When a read may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// Not before.
    At(Timestamp),
    /// After another call is over, which may tell more.
    AfterAnother,
}

impl Turn {
    /// The later of two.
    pub(super) fn later(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(other)) => Self::At(one.max(other)),
            (Self::AfterAnother, _) | (_, Self::AfterAnother) => Self::AfterAnother,
            (Self::At(at), Self::Now) | (Self::Now, Self::At(at)) => Self::At(at),
            (Self::Now, Self::Now) => Self::Now,
        }
    }
}

impl Window {
    /// A ceiling of our own.
    pub(super) fn of(limit: u64) -> Self {
        Self { limit: limit.max(1), observed: 0, ends: 0, resets_at: None }
    }

    /// What is known after an answer that told of the limit; answers overtake each other.
    pub(super) fn learn(known: Option<Self>, told: &ToldLimit, now: Timestamp) -> Self {
        let ToldLimit { limit, observed, window, resets_in, name: _ } = *told;
        let resets_at = Some(now + resets_in);
        match known {
            // It is over by our clock.
            Some(known) if known.ends == window && known.resets_at.is_none() => known,
            // The end is where the quickest of the answers says it is.
            Some(known) if known.ends == window => Self {
                limit,
                observed: observed.max(known.observed),
                ends: window,
                resets_at: known.resets_at.min(resets_at),
            },
            Some(known) if known.ends > window && known.resets_at.is_some() => known,
            _ => Self { limit, observed, ends: window, resets_at },
        }
    }

    /// Counts a call by ourselves, where nobody tells.
    pub(super) fn count(&mut self, length: Duration, now: Timestamp) {
        self.observed += 1;
        self.resets_at.get_or_insert(now + length);
    }

    /// Begins anew if it is over.
    pub(super) fn roll(&mut self, now: Timestamp) {
        if self.resets_at.is_some_and(|at| at <= now) {
            (self.observed, self.resets_at) = (0, None);
        }
    }

    /// How many calls are left beside those under way, each of which may have been counted already.
    pub(super) fn left(&self, under_way: u64) -> u64 {
        self.limit.saturating_sub(self.observed + under_way)
    }

    /// When it begins anew, where that is known.
    pub(super) fn resets_at(&self) -> Option<Timestamp> {
        self.resets_at
    }

    /// What reads leave to answers.
    pub(super) fn reserve(&self) -> u64 {
        (self.limit / RESERVE).max(1).min(self.limit / 2)
    }

    /// Until when there is nothing left for reads.
    pub(super) fn spent_until(&self, under_way: u64) -> Option<Timestamp> {
        self.resets_at.filter(|_| self.left(under_way) <= self.reserve())
    }

    /// When the next read may be made, if the one before was at `last`. While half of the calls are left, now; then
    /// what is left is spread over the rest of the time, or over its end where it is too little for all of it.
    pub(super) fn next_read(&self, under_way: u64, last: Timestamp, now: Timestamp) -> Turn {
        let left = self.left(under_way);
        let spare = left.saturating_sub(self.reserve());
        match self.resets_at {
            _ if spare > self.limit / 2 => Turn::Now,
            Some(at) if spare == 0 => Turn::At(at),
            Some(at) => {
                let rest = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                let spare = u32::try_from(spare).unwrap_or(u32::MAX);
                let next =
                    if rest / spare > LONGEST_PACE { at - LONGEST_PACE * spare } else { last + rest / spare };
                if next > now { Turn::At(next) } else { Turn::Now }
            }
            // Nobody would ever tell.
            None if spare == 0 && under_way > 0 => Turn::AfterAnother,
            None => Turn::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// Of the window that ends at a second.
    fn told(observed: u64, window: u64, seconds: u64) -> ToldLimit {
        let resets_in = Duration::from_secs(seconds);
        ToldLimit { name: String::new(), limit: 100, observed, window, resets_in }
    }

    #[test]
    fn reads_slow_down_after_half_and_stop_before_the_end() {
        let window = |observed| Window::learn(None, &told(observed, 60, 60), at(0));
        assert_eq!(window(20).next_read(0, at(0), at(0)), Turn::Now);
        assert_eq!(window(65).next_read(0, at(0), at(0)), Turn::At(at(2)), "30 to spare in 60 seconds");
        assert_eq!(window(65).next_read(15, at(0), at(0)), Turn::At(at(4)), "15 are under way");
        assert_eq!(window(65).next_read(0, at(-5), at(0)), Turn::Now, "the last one was long ago");
        assert_eq!(window(95).next_read(0, at(-60), at(0)), Turn::At(at(60)), "the rest is for answers");
        assert_eq!((window(95).left(0), window(95).spent_until(0)), (5, Some(at(60))));
        assert_eq!(window(100).left(0), 0);
    }

    #[test]
    fn too_few_calls_for_an_hour_are_kept_for_its_end() {
        let window = Window::learn(None, &told(85, 3600, 3000), at(0));
        assert_eq!(window.next_read(0, at(-3600), at(0)), Turn::At(at(2400)), "10 to spare, one in a minute");
        assert_eq!(window.next_read(0, at(0), at(2400)), Turn::Now);
        assert_eq!(window.next_read(1, at(2400), at(2400)), Turn::At(at(2460)));
    }

    #[test]
    fn answers_that_overtake_each_other_never_give_calls_back() {
        let known = Window::learn(None, &told(50, 30, 30), at(0));
        let known = Window::learn(Some(known), &told(48, 30, 30), at(5));
        assert_eq!((known.left(0), known.resets_at()), (50, Some(at(30))), "that one took five seconds");
        let known = Window::learn(Some(known), &told(60, 30, 29), at(1));
        assert_eq!((known.left(0), known.resets_at()), (40, Some(at(30))));
        let mut known = Window::learn(Some(known), &told(2, 90, 59), at(31));
        assert_eq!(known.left(0), 98, "a new window");
        known = Window::learn(Some(known), &told(90, 30, 1), at(31));
        assert_eq!(known.left(0), 98, "of the one before");
        known.roll(at(90));
        assert_eq!(known.left(3), 97, "over: all of them again, but those under way");
        assert_eq!(known.next_read(96, at(90), at(90)), Turn::AfterAnother);
        let known = Window::learn(Some(known), &told(99, 90, 1), at(90));
        assert_eq!(known.resets_at(), None, "nobody waits for a window that is over");
    }
}
