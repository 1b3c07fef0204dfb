//! Points in time as people write them: `2026-12-20T00:00` on the clocks of some place, `2026-12-20T00:00Z` everywhere
//! at once.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

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
    fn a_day_alone_and_a_space_are_understood_and_corrected() {
        assert_eq!(meant("2026-12-20").as_deref(), Some("2026-12-20T00:00"));
        assert_eq!(meant("2026-12-20 08:00").as_deref(), Some("2026-12-20T08:00"));
        assert_eq!(meant("christmas"), None);
    }
}
