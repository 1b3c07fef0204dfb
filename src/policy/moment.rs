//! Points in time as people write them: `2026-12-20T00:00` on the clocks of some place, `2026-12-20T00:00Z` everywhere
//! at once.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};

/// A point in time as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// What a clock on the wall shows; only a time zone says when that is.
    Local(DateTime),
    /// Written with its own offset, or with `Z`.
    Fixed(Timestamp),
}

/// Reads a point in time; none when it is not one.
///
/// Stricter than ISO 8601: one day has one spelling, as the pattern of the JSON Schema says. A day alone is refused,
/// for nobody could tell whether a window that ends with it includes it.
pub(super) fn parse(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_once('T')?;
    let (time, offset) = rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len()));
    let written = format!("{date}T{time}");
    let local: DateTime = written.parse().ok()?;
    if date.len() != 10 || !matches!(time.len(), 5 | 8) || !local.to_string().starts_with(&written) {
        return None;
    }
    let fixed = || format!("{written}{offset}").parse().ok().map(Moment::Fixed);
    match offset.as_bytes() {
        [] => Some(Moment::Local(local)),
        [b'Z'] | [b'+' | b'-', _, _, b':', _, _] => fixed(),
        _ => None,
    }
}

/// A time that comes again, on the clocks of some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recurring {
    /// `09:00`.
    Daily(Time),
    /// `friday 16:00`.
    Weekly(Weekday, Time),
    /// `12-20T09:00`: month, day and time.
    Yearly(i8, i8, Time),
}

/// The days of the week as they are written.
pub(super) const WEEKDAYS: &[&str] =
    &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads a day of the week.
pub(super) fn weekday(text: &str) -> Option<Weekday> {
    let at = WEEKDAYS.iter().position(|day| *day == text)?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

/// Reads a time that comes again; none when it is not one. The 29th of February does not come every year.
pub(super) fn parse_recurring(text: &str) -> Option<Recurring> {
    if let Some(time) = clock(text) {
        return Some(Recurring::Daily(time));
    }
    if let Some((day, time)) = text.split_once(' ') {
        return Some(Recurring::Weekly(weekday(day)?, clock(time)?));
    }
    let (day, time) = text.split_once('T').filter(|(day, _)| day.len() == 5)?;
    // A year without a 29th of February.
    let date: Date = format!("2025-{day}").parse().ok()?;
    Some(Recurring::Yearly(date.month(), date.day(), clock(time)?))
}

/// Reads `09:00`.
fn clock(text: &str) -> Option<Time> {
    let time: Time = text.parse().ok().filter(|_| text.len() == 5)?;
    time.to_string().starts_with(text).then_some(time)
}

/// What a misspelt time that comes again most likely meant.
pub(super) fn meant_recurring(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let candidates = [
        lower.clone(),
        format!("0{text}"),
        lower.replacen(' ', " 0", 1),
        text.replace("24:00", "00:00"),
        format!("{text}T00:00"),
        format!("{lower} 00:00"),
        text.replacen(' ', "T", 1),
    ];
    candidates.into_iter().find(|candidate| parse_recurring(candidate).is_some())
}

/// What a misspelt one most likely meant: a day without its hour, or the two with a space between them.
pub(super) fn meant(text: &str) -> Option<String> {
    let candidate = match text.parse::<Date>() {
        Ok(_) if !text.contains(['T', ' ']) => format!("{text}T00:00"),
        _ => text.replacen(' ', "T", 1),
    };
    parse(&candidate).map(|_| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_has_one_spelling() {
        let local = |text: &str| Some(Moment::Local(text.parse().unwrap()));
        let fixed = |text: &str| Some(Moment::Fixed(text.parse().unwrap()));
        assert_eq!(parse("2026-12-20T00:00"), local("2026-12-20T00:00:00"));
        assert_eq!(parse("2026-12-20T07:05:09"), local("2026-12-20T07:05:09"));
        assert_eq!(parse("2026-12-20T00:00Z"), fixed("2026-12-20T00:00:00Z"));
        assert_eq!(parse("2026-12-20T00:00:00+01:00"), fixed("2026-12-19T23:00:00Z"));
        for wrong in [
            "",
            "T",
            "2026-12-20",
            "2026-12-20 00:00",
            "2026-12-20t00:00",
            "20261220T00:00",
            "2026-12-20T0000",
            "2026-12-20T00",
            "2026-12-20T24:00",
            "2026-02-30T00:00",
            "2026-12-20T23:59:60",
            "2026-12-20T00:00:00.5",
            "2026-12-20T00:00z",
            "2026-12-20T00:00+01",
            "2026-12-20T00:00+0100",
            "2026-12-20T00:00+ö:00",
            "2026-12-20T00:00[Europe/Berlin]",
            "2026-12-20T00:00Z[UTC]",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_comes_again_has_one_spelling_as_well() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        assert_eq!(parse_recurring("09:05"), Some(Recurring::Daily(time("09:05"))));
        assert_eq!(parse_recurring("friday 16:00"), Some(Recurring::Weekly(Weekday::Friday, time("16:00"))));
        assert_eq!(parse_recurring("12-20T00:00"), Some(Recurring::Yearly(12, 20, time("00:00"))));
        for wrong in [
            "",
            "9:00",
            "24:00",
            "09:60",
            "09:00:00",
            "0900",
            "09",
            "T09:00",
            "Friday 16:00",
            "fri 16:00",
            "friday",
            "friday  16:00",
            "02-29T00:00",
            "13-01T00:00",
            "12-20",
            "12-20 00:00",
            "1220T00:00",
            "2026-12-20T00:00",
        ] {
            assert_eq!(parse_recurring(wrong), None, "{wrong}");
        }
        for (written, meant) in [
            ("9:00", "09:00"),
            ("Friday 16:00", "friday 16:00"),
            ("friday 9:00", "friday 09:00"),
            ("24:00", "00:00"),
            ("sunday 24:00", "sunday 00:00"),
            ("12-20", "12-20T00:00"),
            ("12-20 08:00", "12-20T08:00"),
            ("Friday", "friday 00:00"),
        ] {
            assert_eq!(meant_recurring(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(meant_recurring("noon"), None);
    }

    #[test]
    fn a_day_alone_and_a_space_are_understood_and_corrected() {
        assert_eq!(meant("2026-12-20").as_deref(), Some("2026-12-20T00:00"));
        assert_eq!(meant("2026-12-20 08:00").as_deref(), Some("2026-12-20T08:00"));
        assert_eq!(meant("christmas"), None);
    }
}
