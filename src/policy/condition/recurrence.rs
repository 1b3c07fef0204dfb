//! Windows of time that come again: on days of the week, every week, every year, on the clocks of some place.
//!
//! Each time it comes is a stretch [from, to) of the local clock. A local time that the clocks show twice, or skip, takes the
//! reading that makes the stretch longer. Stretches that meet or overlap are one: at their seam nothing changes.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::zone::zone;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::moment::{self, Recurring};

/// How many days back a stretch may have begun that still goes on, and how many ahead are looked at to find its end: of those
/// on days of the week, of which seven in a row never all are one.
const DAYS: (i64, i64) = (-2, 10);
/// The same for those of every week: turned clocks can join the stretches of two weeks.
const WEEKLY_DAYS: (i64, i64) = (-16, 24);
/// The same for years.
const YEARS: (i16, i16) = (-2, 3);

/// A window of which one end comes again and the other does not.
const ONCE: (&str, &str) = (
    "one of `from` and `to` comes again, and the other once",
    "write both as `09:00`, both as `friday 16:00`, both as `12-20T09:00`, or both with a year",
);

/// A window that comes again.
#[derive(Debug, Clone)]
pub(super) struct Recurrence {
    when: When,
    zone: TimeZone,
    written: String,
}

#[derive(Debug, Clone)]
enum When {
    /// From one time of day to another, on the days on which it begins.
    Daily { weekdays: Vec<Weekday>, from: Time, to: Time },
    /// From one time of the week to another.
    Weekly { from: (Weekday, Time), to: (Weekday, Time) },
    /// From one time of the year to another, each as month, day and time.
    Yearly { from: (i8, i8, Time), to: (i8, i8, Time) },
}

/// How a window stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_inside: bool,
    /// When that changes.
    pub(super) changes_at: Option<Timestamp>,
}

impl Recurrence {
    /// Whether the mapping means a window that comes again.
    pub(super) fn is_meant(node: &Node) -> bool {
        let recurs = |key| node.get(key).and_then(Node::recurring).is_some();
        node.get("weekdays").is_some() || recurs("from") || recurs("to")
    }

    /// Builds it; none if a part of it is wrong, and then that was noted.
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let name = node.get("timezone").and_then(Node::words);
        if name.is_none() {
            let help = "write `timezone: Europe/Berlin`";
            builder.notes.error(
                &node.span,
                "the window comes again on local clocks, and no `timezone` says where",
                help,
            );
        }
        let zone = name.and_then(|name| zone(name, builder.notes));
        let when = When::build(node, builder)?;
        let words = |key| node.get(key).map(Node::all_words).unwrap_or_default();
        let list = |key| words(key).iter().map(|words| words.text).collect::<Vec<_>>().join(", ");
        let times = [list("from"), list("to")].into_iter().filter(|text| !text.is_empty());
        let parts = std::iter::once(list("weekdays")).chain([times.collect::<Vec<_>>().join(" to ")]);
        let written = parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        Some(Self { when, zone: zone?, written })
    }

    /// The window in the author's words.
    pub(super) fn describe(&self) -> &str {
        &self.written
    }

    /// Where the clocks show its times.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// How it stands, and when that changes, exactly.
    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        let today = self.zone.to_datetime(now).date();
        let read = |local: DateTime| self.zone.to_ambiguous_timestamp(local);
        let stretches = self.when.stretches_around(today).into_iter();
        let mut stretches: Vec<(Timestamp, Timestamp)> = stretches
            .filter_map(|(from, to)| Some((read(from).earlier().ok()?, read(to).later().ok()?)))
            .collect();
        stretches.sort_unstable();
        let mut end: Option<Timestamp> = None;
        for (from, to) in stretches {
            match end {
                // The one that is going on ends when nothing follows at once.
                Some(until) if from <= until => end = Some(until.max(to)),
                Some(_) => break,
                None if from > now => return Standing { is_inside: false, changes_at: Some(from) },
                None if now < to => end = Some(to),
                None => {}
            }
        }
        Standing { is_inside: end.is_some(), changes_at: end }
    }
}

impl When {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let weekdays = node.get("weekdays").map(Node::all_words).unwrap_or_default();
        let weekdays: Vec<_> = weekdays.iter().filter_map(|words| moment::weekday(words.text)).collect();
        let (from, to) = match (node.get("from"), node.get("to")) {
            (Some(from), Some(to)) => (from, to),
            (None, None) => return Self::whole_days(node, weekdays, builder),
            _ => {
                let help = "write both, such as `from: \"09:00\", to: \"17:00\"`";
                builder.notes.error(&node.span, "a window that comes again needs `from` and `to`", help);
                return None;
            }
        };
        let when = match (from.recurring(), to.recurring()) {
            (Some(from), Some(to)) => Self::between(from, to, weekdays),
            (None, _) if from.moment().is_some() => Err(ONCE),
            (_, None) if to.moment().is_some() => Err(ONCE),
            // It is no time at all, which was noted.
            _ => return None,
        };
        when.map_err(|(message, help)| builder.notes.error(&node.span, message, help)).ok()
    }

    /// From one time to another; the error is a mistake with its help.
    fn between(
        from: Recurring,
        to: Recurring,
        weekdays: Vec<Weekday>,
    ) -> Result<Self, (&'static str, &'static str)> {
        let on_days = !weekdays.is_empty();
        match (from, to) {
            _ if from == to => Err(("`from` is `to`", "the window holds from `from` on and ends at `to`")),
            (Recurring::Daily(from), Recurring::Daily(to)) => {
                let every_day = || Weekday::Monday.cycle_forward().take(7).collect();
                let weekdays = if on_days { weekdays } else { every_day() };
                Ok(Self::Daily { weekdays, from, to })
            }
            (Recurring::Weekly(..), Recurring::Weekly(..))
            | (Recurring::Yearly(..), Recurring::Yearly(..))
                if on_days =>
            {
                let help = "leave it out, or write `from: \"09:00\"`";
                Err(("`weekdays` stands beside times that are no times of day", help))
            }
            (Recurring::Weekly(day, time), Recurring::Weekly(last_day, last_time)) => {
                Ok(Self::Weekly { from: (day, time), to: (last_day, last_time) })
            }
            (Recurring::Yearly(month, day, time), Recurring::Yearly(last_month, last_day, last_time)) => {
                Ok(Self::Yearly { from: (month, day, time), to: (last_month, last_day, last_time) })
            }
            _ => {
                let help = "write both as `09:00`, both as `friday 16:00` or both as `12-20T09:00`";
                Err(("`from` and `to` come again differently", help))
            }
        }
    }

    fn whole_days(node: &Node, weekdays: Vec<Weekday>, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let is_always = Weekday::Monday.cycle_forward().take(7).all(|day| weekdays.contains(&day));
        if is_always {
            builder.notes.error(
                &node.span,
                "every day of the week is always",
                "leave out the days that are not meant",
            );
        }
        let midnight = Time::midnight();
        (!weekdays.is_empty() && !is_always).then_some(Self::Daily { weekdays, from: midnight, to: midnight })
    }

    /// The stretches on local clocks that matter around a day.
    fn stretches_around(&self, today: Date) -> Vec<(DateTime, DateTime)> {
        let days =
            |(first, last): (i64, i64)| (first..=last).filter_map(|days| today.checked_add(days.days()).ok());
        match self {
            Self::Daily { weekdays, from, to } => days(DAYS)
                .filter(|day| weekdays.contains(&day.weekday()))
                .filter_map(|day| {
                    let last = if to > from { day } else { day.tomorrow().ok()? };
                    Some((day.to_datetime(*from), last.to_datetime(*to)))
                })
                .collect(),
            Self::Weekly { from, to } => days(WEEKLY_DAYS)
                .filter(|day| day.weekday() == from.0)
                .filter_map(|day| {
                    let days = match i64::from(from.0.until(to.0)) {
                        0 if to.1 <= from.1 => 7,
                        days => days,
                    };
                    let last = day.checked_add(days.days()).ok()?;
                    Some((day.to_datetime(from.1), last.to_datetime(to.1)))
                })
                .collect(),
            Self::Yearly { from, to } => (YEARS.0..=YEARS.1)
                .filter_map(|years| {
                    let year = today.year().checked_add(years)?;
                    let last = if to > from { year } else { year.checked_add(1)? };
                    let on = |year, (month, day, time): (i8, i8, Time)| {
                        Date::new(year, month, day).ok().map(|date| date.to_datetime(time))
                    };
                    Some((on(year, *from)?, on(last, *to)?))
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, DateTime, Time, Weekday, date, time};
    use jiff::tz::TimeZone;
    use jiff::{Timestamp, ToSpan};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::{Recurrence, When};

    const YEARS: i64 = 2;
    /// North and south, a change at midnight, one of half an hour.
    const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe"];

    /// Minutes on the wall since a day before the walk begins.
    fn wall(local: DateTime) -> i64 {
        local.duration_since(date(2025, 12, 10).to_datetime(Time::midnight())).as_mins()
    }

    /// Every minute of two years, and what the clocks of a place show at it: the truth that needs no arithmetic of zones.
    struct Walk {
        start: Timestamp,
        shown: Vec<i64>,
        /// By what the clocks show: the first and the last minute at which they do.
        minutes: Vec<Option<(usize, usize)>>,
    }

    impl Walk {
        fn through(zone: &TimeZone) -> Self {
            let start = date(2025, 12, 15).to_zoned(zone.clone()).unwrap().timestamp();
            let count = usize::try_from(YEARS * 366 * 24 * 60).unwrap();
            let at = |minute: usize| start + (i64::try_from(minute).unwrap()).minutes();
            let shown: Vec<_> = (0..count).map(|minute| wall(zone.to_datetime(at(minute)))).collect();
            let last = usize::try_from(*shown.iter().max().unwrap()).unwrap();
            let mut minutes = vec![None; last + 1];
            for (minute, shown) in shown.iter().enumerate() {
                let seen = minutes[usize::try_from(*shown).unwrap()].get_or_insert((minute, minute));
                seen.1 = minute;
            }
            Self { start, shown, minutes }
        }

        /// The minute at which it is that time: the earliest or the latest reading of it.
        fn reading(&self, shown: i64, latest: bool) -> usize {
            let at = |shown: i64| self.minutes[usize::try_from(shown).unwrap()];
            if let Some((first, last)) = at(shown) {
                return if latest { last } else { first };
            }
            // Skipped: the clocks jump over it. Read with the offset before the jump it is later than the jump, and with the one
            // after it earlier.
            let jump = (1..).find_map(|back| at(shown - back)).unwrap().1 + 1;
            let beyond = |from: i64, to: i64| usize::try_from(to - from).unwrap();
            if latest {
                jump - 1 + beyond(self.shown[jump - 1], shown)
            } else {
                jump - beyond(shown, self.shown[jump])
            }
        }

        /// The minutes at which a window begins and ends, by marking each minute of each stretch.
        fn changes(&self, stretches: &[(DateTime, DateTime)]) -> Vec<(usize, bool)> {
            let mut inside = vec![false; self.shown.len()];
            let (first, last) = (self.shown[0], *self.shown.last().unwrap());
            for (from, to) in stretches.iter().map(|(from, to)| (wall(*from), wall(*to))) {
                if to > first && from < last {
                    let from = if from <= first { 0 } else { self.reading(from, false) };
                    let to = if to >= last { inside.len() } else { self.reading(to, true) };
                    inside[from..to].fill(true);
                }
            }
            let mut before = None;
            let changes = inside.iter().enumerate().filter(|(_, is)| before.replace(**is) != Some(**is));
            changes.map(|(minute, is)| (minute, *is)).collect()
        }
    }

    /// The stretches of a window as a calendar on the wall would show them.
    fn on_the_wall(when: &When) -> Vec<(DateTime, DateTime)> {
        let mut stretches = Vec::new();
        let mut day = date(2024, 11, 1);
        while day < date(2028, 2, 1) {
            let begins = match when {
                When::Daily { weekdays, from, .. } => weekdays.contains(&day.weekday()).then_some(*from),
                When::Weekly { from, .. } => (day.weekday() == from.0).then_some(from.1),
                When::Yearly { from, .. } => ((day.month(), day.day()) == (from.0, from.1)).then_some(from.2),
            };
            if let Some(from) = begins {
                let begin = day.to_datetime(from);
                let ends = |day: Date| match when {
                    When::Daily { to, .. } => day.to_datetime(*to),
                    When::Weekly { to, .. } if day.weekday() == to.0 => day.to_datetime(to.1),
                    When::Yearly { to, .. } if (day.month(), day.day()) == (to.0, to.1) => {
                        day.to_datetime(to.2)
                    }
                    _ => DateTime::MIN,
                };
                let mut last = day;
                while ends(last) <= begin {
                    last = last.tomorrow().unwrap();
                }
                stretches.push((begin, ends(last)));
            }
            day = day.tomorrow().unwrap();
        }
        stretches
    }

    fn clock() -> impl Strategy<Value = Time> {
        // The hours in which clocks are turned are those that matter.
        prop_oneof![(0_i8..4, 0_i8..60), (0_i8..24, Just(0_i8))]
            .prop_map(|(hour, minute)| time(hour, minute, 0, 0))
    }

    fn weekday() -> impl Strategy<Value = Weekday> {
        (0_i8..7).prop_map(|offset| Weekday::from_monday_zero_offset(offset).unwrap())
    }

    fn window() -> impl Strategy<Value = When> {
        let days = prop::collection::vec(weekday(), 1..7);
        let daily =
            (days, clock(), clock()).prop_map(|(weekdays, from, to)| When::Daily { weekdays, from, to });
        let weekly =
            ((weekday(), clock()), (weekday(), clock())).prop_map(|(from, to)| When::Weekly { from, to });
        let yearly = ((1_i8..13, 1_i8..29, clock()), (1_i8..13, 1_i8..29, clock()))
            .prop_map(|(from, to)| When::Yearly { from, to });
        prop_oneof![4 => daily, 3 => weekly, 1 => yearly].prop_filter(
            "nobody can write it",
            |when| match when {
                When::Daily { .. } => true,
                When::Weekly { from, to } => from != to,
                When::Yearly { from, to } => from != to,
            },
        )
    }

    #[test]
    fn it_changes_at_the_very_minutes_that_a_walk_through_two_years_finds() {
        for name in ZONES {
            let zone = TimeZone::get(name).unwrap();
            let walk = Walk::through(&zone);
            let mut runner =
                TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
            runner
                .run(&window(), |when| {
                    let expected = walk.changes(&on_the_wall(&when));
                    let recurrence =
                        Recurrence { when: when.clone(), zone: zone.clone(), written: String::new() };
                    let at = |minute: usize| walk.start + i64::try_from(minute).unwrap().minutes();
                    for (index, (minute, is_inside)) in expected.iter().enumerate() {
                        let next = expected.get(index + 1);
                        let last = next.map_or(*minute, |(next, _)| next - 1);
                        for asked in [*minute, last] {
                            let standing = recurrence.standing(at(asked));
                            prop_assert_eq!(
                                standing.is_inside,
                                *is_inside,
                                "{} {:?} at {}",
                                name,
                                &when,
                                at(asked)
                            );
                            if let Some((next, _)) = next {
                                prop_assert_eq!(
                                    standing.changes_at,
                                    Some(at(*next)),
                                    "{} {:?} at {}",
                                    name,
                                    &when,
                                    at(asked)
                                );
                            }
                        }
                    }
                    Ok(())
                })
                .unwrap();
        }
    }
}
