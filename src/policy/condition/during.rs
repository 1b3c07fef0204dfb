//! `during`: whether the evaluation falls into a window of time, such as a freeze.
//!
//! The window is [from, to): it holds at `from` and no longer at `to`. Either may be left out, and then it is open on
//! that side. Before it the condition waits, since time brings it; after it the condition is violated, since nothing
//! does. At each of its ends the verdict is looked at again.
//!
//! A window may come again: `from` and `to` are then times of day (`09:00`), of the week (`friday 16:00`) or of the year
//! (`12-20T00:00`), or `weekdays` says on which days. Outside of it the condition waits, for it always comes.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::{AmbiguousTimestamp, TimeZone};

use super::kind::{Kind, Test, test};
use super::recurrence::Recurrence;
use super::zone::zone;
use crate::policy::builder::Builder;
use crate::policy::diagnostic::Collector;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::Family;
use crate::policy::finding::{Finding, Stop};
use crate::policy::moment::{Moment, WEEKDAYS};
use crate::policy::reader::Words;
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Whether it is a given time.
pub(super) const DURING: Kind = Kind {
    key: Key::new("during", Shape::Mapping(&TABLE), "Whether it is a given time now: from when, to when."),
    build: |node, builder| {
        if Recurrence::is_meant(node) {
            test(Recurrence::build(node, builder).map(Recurring))
        } else {
            test(During::build(node, builder))
        }
    },
    reads: &[Family::Time],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "during",
    doc: "A window of time: it holds at `from` and no longer at `to`; one of them may be left out.",
    hint: Some("write `during: {from: 2026-12-20T00:00, to: 2027-01-03T00:00, timezone: Europe/Berlin}`"),
    keys: &[
        Key::new("from", Shape::WindowEnd, "The first moment of the window."),
        Key::new("to", Shape::WindowEnd, "The first moment after the window."),
        Key::new(
            "weekdays",
            Shape::OneOf(&[WEEKDAY, Shape::List(&WEEKDAY)]),
            "On which days of the week it begins; without times of day, the whole day.",
        ),
        Key::new(
            "timezone",
            Shape::Text,
            "Where the clocks show these times, as an IANA name; for times without an offset.",
        ),
    ],
};

const WEEKDAY: Shape = Shape::Choice(WEEKDAYS);

/// From when to when.
#[derive(Debug, Clone)]
struct During {
    from: Option<Bound>,
    to: Option<Bound>,
    timezone: Option<TimeZone>,
}

/// One end of the window.
#[derive(Debug, Clone)]
struct Bound {
    at: Timestamp,
    written: String,
}

impl During {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let (from, to) = (node.get("from"), node.get("to"));
        if from.or(to).is_none() && !node.entries().is_empty() {
            builder.notes.error(&node.span, "no bound is given", "write `from` or `to`");
        }
        let timezone = match node.get("timezone").and_then(Node::words) {
            Some(name) => Some((zone(name, builder.notes)?, name.span)),
            None => None,
        };
        // A local time that the clocks show twice, or skip, takes the reading that makes the window longer: a freeze
        // then blocks through the doubled hour, and it neither begins late nor ends early for the lack of one.
        let from = from
            .map(|node| bound("from", node, timezone.as_ref(), AmbiguousTimestamp::earlier, builder.notes));
        let to =
            to.map(|node| bound("to", node, timezone.as_ref(), AmbiguousTimestamp::later, builder.notes));
        // An end that can't be read must not become an open one.
        let from = if let Some(from) = from { Some(from?) } else { None };
        let to = if let Some(to) = to { Some(to?) } else { None };
        if let (Some(from), Some(to)) = (&from, &to)
            && from.at >= to.at
        {
            let message = format!("`from` {} is not before `to` {}", from.written, to.written);
            builder.notes.error(&node.span, message, "the window holds from `from` on and ends at `to`");
            return None;
        }
        (from.is_some() || to.is_some()).then_some(Self {
            from,
            to,
            timezone: timezone.map(|(zone, _)| zone),
        })
    }

    fn judge(&self, now: Timestamp, wanted: bool) -> Finding {
        let ahead = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.at).filter(|at| *at > now);
        let (from, to) = (ahead(&self.from), ahead(&self.to));
        let truth = match (from, &self.to, to) {
            (Some(_), _, _) => Truth::Waiting,
            (None, Some(_), None) => Truth::Violated,
            (None, _, _) => Truth::True,
        };
        let next = from.or(to);
        // Below a `not` the window's end is what helps.
        let remedy = match (truth, wanted) {
            (Truth::Waiting, true) | (Truth::True, false) => next,
            _ => None,
        };
        Finding::new(
            "during",
            truth,
            format!("it is {}, {}", clock(self.timezone.as_ref(), now), self.describe(truth)),
        )
        .recheck_at(next)
        .mended_by(wanted, remedy.map(|at| Remedy::WaitUntil { at }))
    }

    fn describe(&self, truth: Truth) -> String {
        let written =
            |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.written.clone()).unwrap_or_default();
        let (from, to) = (written(&self.from), written(&self.to));
        match truth {
            Truth::Waiting => format!("not yet {from}"),
            Truth::Violated => format!("no longer before {to}"),
            _ if self.from.is_none() => format!("before {to}"),
            _ if self.to.is_none() => format!("{from} or later"),
            _ => format!("within {from} to {to}"),
        }
    }
}

impl Test for During {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        Ok(self.judge(view.now()?, wanted))
    }
}

/// The time where the policy's author looks at the clock.
fn clock(timezone: Option<&TimeZone>, now: Timestamp) -> String {
    match timezone {
        Some(zone) => {
            let place = zone.iana_name().unwrap_or_default();
            format!("{} in {place}", now.display_with_offset(zone.to_offset(now)))
        }
        None => now.to_string(),
    }
}

/// A window that comes again.
#[derive(Debug, Clone)]
struct Recurring(Recurrence);

impl Test for Recurring {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let now = view.now()?;
        let standing = self.0.standing(now);
        let (truth, where_) =
            if standing.is_inside { (Truth::True, "within") } else { (Truth::Waiting, "outside of") };
        let clock = clock(Some(self.0.zone()), now);
        let sentence = format!("it is {clock}, {where_} {}", self.0.describe());
        let wait = standing.changes_at.map(|at| Remedy::WaitUntil { at });
        Ok(Finding::new("during", truth, sentence).recheck_at(standing.changes_at).mended_by(wanted, wait))
    }
}

/// Reads one end; none if that can't be done, and then it was noted.
fn bound(
    key: &str,
    node: &Node,
    timezone: Option<&(TimeZone, &Range<usize>)>,
    reading: fn(AmbiguousTimestamp) -> Result<Timestamp, jiff::Error>,
    notes: &mut Collector<'_>,
) -> Option<Bound> {
    let Words { text, span } = node.words()?;
    let at = match (node.moment()?, timezone) {
        (Moment::Fixed(at), None) => at,
        (Moment::Fixed(_), Some((_, timezone))) => {
            let message = format!("`{key}` has an offset of its own, and `timezone` beside it");
            notes.error(timezone, message, "leave out one of the two");
            return None;
        }
        (Moment::Local(_), None) => {
            let message = format!("`{key}` is a local time, and no `timezone` says where");
            let help = format!("write `timezone: Europe/Berlin`, or an offset: `{text}Z`");
            notes.error(span, message, help);
            return None;
        }
        (Moment::Local(local), Some((timezone, _))) => {
            let Ok(at) = reading(timezone.to_ambiguous_timestamp(local)) else {
                notes.plain_error(span, format!("`{key}` is beyond the calendar"));
                return None;
            };
            at
        }
    };
    Some(Bound { at, written: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::merge_request::CheckName;
    use crate::policy::evaluation::{Remedy, RuleState, Step, Truth};
    use crate::policy::example::{facts, mistakes, needs, reason, remedies, state, step, truth};
    use crate::policy::fact::{FactKey, Facts};

    const FREEZE: &str = "{during: {from: 2026-12-20T00:00, to: 2027-01-03T00:00, timezone: Europe/Berlin}}";
    const FREEZE_BEGINS: &str = "2026-12-19T23:00:00Z";
    const FREEZE_ENDS: &str = "2027-01-02T23:00:00Z";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now(text: &str) -> Facts {
        Facts { now: Some(time(text)), ..facts() }
    }

    fn recheck_at(require: &str, facts: &Facts) -> Option<Timestamp> {
        match step(require, facts) {
            Step::Decided(evaluation) => evaluation.recheck_at,
            Step::Needs(keys) => panic!("needs {keys:?}"),
        }
    }

    fn below_not(condition: &str) -> String {
        format!("{{not: {condition}}}")
    }

    #[test]
    fn a_window_is_waited_for_holds_and_is_over_for_good() {
        assert_eq!(needs(FREEZE, &facts()), [FactKey::Now]);
        for (at, expected) in [
            ("2026-12-19T22:59:59Z", Truth::Waiting),
            (FREEZE_BEGINS, Truth::True),
            ("2027-01-02T22:59:59Z", Truth::True),
            (FREEZE_ENDS, Truth::Violated),
        ] {
            assert_eq!(truth(FREEZE, &now(at)), expected, "{at}");
        }
    }

    #[test]
    fn it_is_looked_at_again_at_the_end_that_lies_ahead() {
        for (at, next) in [
            ("2026-12-01T00:00:00Z", Some(FREEZE_BEGINS)),
            (FREEZE_BEGINS, Some(FREEZE_ENDS)),
            (FREEZE_ENDS, None),
        ] {
            assert_eq!(recheck_at(FREEZE, &now(at)), next.map(time), "{at}");
            assert_eq!(recheck_at(&below_not(FREEZE), &now(at)), next.map(time), "{at}");
        }
    }

    #[test]
    fn a_rule_that_a_freeze_skips_is_looked_at_again_when_it_begins() {
        let text = format!(
            "policy: p\notherwise: pass\nrules:\n  - id: r\n    when: {FREEZE}\n    require: {{draft: true}}\n"
        );
        let set = crate::policy::example::compile(&text);
        let decide = |at| match crate::policy::evaluate(&set, &CheckName::default(), &now(at)) {
            Step::Decided(evaluation) => (evaluation.policies[0].rules[0].state, evaluation.recheck_at),
            Step::Needs(keys) => panic!("needs {keys:?}"),
        };
        assert_eq!(decide("2026-12-01T00:00:00Z"), (RuleState::Skipped, Some(time(FREEZE_BEGINS))));
        assert_eq!(decide("2026-12-24T00:00:00Z"), (RuleState::Waiting, Some(time(FREEZE_ENDS))));
        assert_eq!(decide("2027-02-01T00:00:00Z"), (RuleState::Skipped, None));
    }

    #[test]
    fn only_waiting_helps_and_the_remedy_says_until_when() {
        let (before, inside, after) =
            (now("2026-12-01T00:00:00Z"), now("2026-12-24T00:00:00Z"), now("2027-02-01T00:00:00Z"));
        let wait = |until: &str| vec![Remedy::WaitUntil { at: time(until) }];
        assert_eq!(remedies(FREEZE, &before), wait(FREEZE_BEGINS));
        assert_eq!(remedies(FREEZE, &inside), []);
        assert_eq!(remedies(FREEZE, &after), []);
        let (frozen, none_of) = (below_not(FREEZE), format!("{{none_of: [{FREEZE}]}}"));
        for outside_of_it in [frozen.as_str(), &none_of] {
            assert_eq!(state(outside_of_it, &before), RuleState::Passed);
            assert_eq!(state(outside_of_it, &inside), RuleState::Violated);
            assert_eq!(remedies(outside_of_it, &inside), wait(FREEZE_ENDS));
            assert_eq!(state(outside_of_it, &after), RuleState::Passed);
        }
    }

    #[test]
    fn a_window_may_be_open_on_one_side() {
        const FROM: &str = "{during: {from: 2026-12-20T00:00Z}}";
        const TO: &str = "{during: {to: 2026-12-20T00:00:30+01:00}}";
        assert_eq!(truth(FROM, &now("2026-12-19T23:59:59Z")), Truth::Waiting);
        assert_eq!(truth(FROM, &now("2026-12-20T00:00:00Z")), Truth::True);
        assert_eq!(recheck_at(FROM, &now("2026-12-20T00:00:00Z")), None);
        assert_eq!(remedies(&below_not(FROM), &now("2026-12-20T00:00:00Z")), [], "it never ends");
        assert_eq!(truth(TO, &now("2026-12-19T23:00:29Z")), Truth::True);
        assert_eq!(truth(TO, &now("2026-12-19T23:00:30Z")), Truth::Violated);
    }

    #[test]
    fn a_local_time_that_the_clocks_show_twice_makes_the_window_longer() {
        const FROM: &str = "{during: {from: 2026-10-25T02:30, timezone: Europe/Berlin}}";
        const TO: &str = "{during: {to: 2026-10-25T02:30, timezone: Europe/Berlin}}";
        const HOUR: &str =
            "{during: {from: 2026-10-25T02:30, to: 2026-10-25T02:30, timezone: Europe/Berlin}}";
        assert_eq!(recheck_at(FROM, &now("2026-10-24T00:00:00Z")), Some(time("2026-10-25T00:30:00Z")));
        assert_eq!(recheck_at(TO, &now("2026-10-24T00:00:00Z")), Some(time("2026-10-25T01:30:00Z")));
        assert_eq!(truth(HOUR, &now("2026-10-25T01:00:00Z")), Truth::True, "the doubled hour itself");
    }

    #[test]
    fn a_local_time_that_the_clocks_skip_makes_the_window_longer() {
        const FROM: &str = "{during: {from: 2026-03-29T02:30, timezone: Europe/Berlin}}";
        const TO: &str = "{during: {to: 2026-03-29T02:30, timezone: Europe/Berlin}}";
        assert_eq!(recheck_at(FROM, &now("2026-03-28T00:00:00Z")), Some(time("2026-03-29T00:30:00Z")));
        assert_eq!(recheck_at(TO, &now("2026-03-28T00:00:00Z")), Some(time("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn it_says_what_time_it_is_where_the_author_lives() {
        let sentence = |condition: &str, at| reason(condition, &now(at)).sentence;
        insta::assert_snapshot!(sentence(FREEZE, "2026-12-01T12:00:00Z"), @"it is 2026-12-01T13:00:00+01:00 in Europe/Berlin, not yet 2026-12-20T00:00");
        insta::assert_snapshot!(sentence(FREEZE, "2026-12-24T12:00:00Z"), @"it is 2026-12-24T13:00:00+01:00 in Europe/Berlin, within 2026-12-20T00:00 to 2027-01-03T00:00");
        insta::assert_snapshot!(sentence(FREEZE, FREEZE_ENDS), @"it is 2027-01-03T00:00:00+01:00 in Europe/Berlin, no longer before 2027-01-03T00:00");
        insta::assert_snapshot!(sentence("{during: {from: 2026-12-20T00:00Z}}", "2026-12-24T12:00:00Z"), @"it is 2026-12-24T12:00:00Z, 2026-12-20T00:00Z or later");
        insta::assert_snapshot!(sentence("{during: {to: 2026-12-20T00:00Z}}", "2026-12-01T12:00:00Z"), @"it is 2026-12-01T12:00:00Z, before 2026-12-20T00:00Z");
    }

    #[test]
    fn a_window_that_comes_again_is_waited_for_and_never_over() {
        const HOURS: &str = "{during: {weekdays: [monday, tuesday], from: \"09:00\", to: \"17:00\", timezone: Europe/Berlin}}";
        const WEEKEND: &str = "{during: {from: friday 16:00, to: monday 08:00, timezone: Europe/Berlin}}";
        const YEAR_END: &str = "{during: {from: 12-20T00:00, to: 01-03T00:00, timezone: Europe/Berlin}}";
        const DAYS: &str = "{during: {weekdays: [saturday, sunday], timezone: Europe/Berlin}}";
        const NIGHT: &str = "{during: {from: \"22:00\", to: \"06:00\", timezone: Europe/Berlin}}";
        // 2026-12-04 is a friday.
        for (window, at, truth_then, next) in [
            (HOURS, "2026-12-04T12:00:00Z", Truth::Waiting, "2026-12-07T08:00:00Z"),
            (HOURS, "2026-12-07T08:00:00Z", Truth::True, "2026-12-07T16:00:00Z"),
            (HOURS, "2026-12-07T16:00:00Z", Truth::Waiting, "2026-12-08T08:00:00Z"),
            (WEEKEND, "2026-12-04T14:59:59Z", Truth::Waiting, "2026-12-04T15:00:00Z"),
            (WEEKEND, "2026-12-06T00:00:00Z", Truth::True, "2026-12-07T07:00:00Z"),
            (YEAR_END, "2026-12-04T12:00:00Z", Truth::Waiting, "2026-12-19T23:00:00Z"),
            (YEAR_END, "2027-01-01T12:00:00Z", Truth::True, "2027-01-02T23:00:00Z"),
            (YEAR_END, "2027-01-02T23:00:00Z", Truth::Waiting, "2027-12-19T23:00:00Z"),
            (DAYS, "2026-12-05T12:00:00Z", Truth::True, "2026-12-06T23:00:00Z"),
            (NIGHT, "2026-12-05T03:00:00Z", Truth::True, "2026-12-05T05:00:00Z"),
            (NIGHT, "2026-12-05T12:00:00Z", Truth::Waiting, "2026-12-05T21:00:00Z"),
        ] {
            assert_eq!(truth(window, &now(at)), truth_then, "{window} {at}");
            assert_eq!(recheck_at(window, &now(at)), Some(time(next)), "{window} {at}");
            let wait = [Remedy::WaitUntil { at: time(next) }];
            let helped = if truth_then == Truth::True { below_not(window) } else { window.to_owned() };
            assert_eq!(remedies(&helped, &now(at)), wait, "{window} {at}");
        }
        let sentence = reason(HOURS, &now("2026-12-04T12:00:00Z")).sentence;
        insta::assert_snapshot!(sentence, @"it is 2026-12-04T13:00:00+01:00 in Europe/Berlin, outside of monday, tuesday 09:00 to 17:00");
    }

    #[test]
    fn a_window_that_comes_again_must_be_whole_and_alike() {
        let rules = [
            "{weekdays: [monday]}",
            "{weekdays: monday, from: \"09:00\", timezone: Europe/Berlin}",
            "{weekdays: mon, timezone: Europe/Berlin}",
            "{weekdays: [monday, tuesday, wednesday, thursday, friday, saturday, sunday], timezone: Europe/Berlin}",
            "{from: 9:00, to: \"24:00\", timezone: Europe/Berlin}",
            "{from: \"09:00\", to: friday 09:00, timezone: Europe/Berlin}",
            "{from: \"09:00\", to: 2026-12-20T00:00, timezone: Europe/Berlin}",
            "{from: \"09:00\", to: \"09:00\", timezone: Europe/Berlin}",
            "{weekdays: monday, from: friday 16:00, to: monday 08:00, timezone: Europe/Berlin}",
            "{from: 02-29T00:00, to: 03-01T00:00, timezone: Europe/Berlin}",
        ];
        let rules: Vec<_> = rules
            .iter()
            .enumerate()
            .map(|(id, during)| format!("  - id: r{id}\n    require: {{during: {during}}}\n"))
            .collect();
        insta::assert_snapshot!(mistakes(&format!("policy: p\nrules:\n{}", rules.concat())), @r#"
        p.yaml:4:23: error: the window comes again on local clocks, and no `timezone` says where
          help: write `timezone: Europe/Berlin`
        p.yaml:6:23: error: a window that comes again needs `from` and `to`
          help: write both, such as `from: "09:00", to: "17:00"`
        p.yaml:8:34: error: `mon` is no value of `weekdays`
          help: it may be `monday`, `tuesday`, `wednesday`, `thursday`, `friday`, `saturday`, `sunday`
        p.yaml:10:23: error: every day of the week is always
          help: leave out the days that are not meant
        p.yaml:12:30: error: `from` must be a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`, not `9:00`
          help: write `09:00`
        p.yaml:12:40: error: `to` must be a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`, not `24:00`
          help: write `00:00`
        p.yaml:14:23: error: `from` and `to` come again differently
          help: write both as `09:00`, both as `friday 16:00` or both as `12-20T09:00`
        p.yaml:16:23: error: one of `from` and `to` comes again, and the other once
          help: write both as `09:00`, both as `friday 16:00`, both as `12-20T09:00`, or both with a year
        p.yaml:18:23: error: `from` is `to`
          help: the window holds from `from` on and ends at `to`
        p.yaml:20:23: error: `weekdays` stands beside times that are no times of day
          help: leave it out, or write `from: "09:00"`
        p.yaml:22:30: error: `from` must be a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`, not `02-29T00:00`
        "#);
    }

    #[test]
    fn times_must_be_whole_ordered_and_somewhere() {
        let rules = [
            "{}",
            "{timezone: Europe/Berlin}",
            "{from: 2026-12-20, to: 2027-01-03 00:00, timezone: Europe/Berlin}",
            "{from: 2026-12-20T00:00}",
            "{from: 2026-12-20T00:00Z, timezone: Europe/Berlin}",
            "{from: 2026-12-20T00:00, to: 2026-12-20T00:00, timezone: Europe/Berlin}",
            "{from: 2026-12-20T00:00Z, to: 2026-12-20T00:00+01:00}",
            "{from: 2026-12-20T00:00, timezone: Europe/Berln}",
            "{from: 2026-12-20T00:00, timezone: berlin}",
            "{from: 2026-12-20T00:00, timezone: MEZ}",
            "{from: 2026-12-20T00:00, timezone: Etc/Unknown}",
            "{from: christmas, until: new year}",
        ];
        let rules: Vec<_> = rules
            .iter()
            .enumerate()
            .map(|(id, during)| format!("  - id: r{id}\n    require: {{during: {during}}}\n"))
            .collect();
        insta::assert_snapshot!(mistakes(&format!("policy: p\nrules:\n{}", rules.concat())), @r#"
        p.yaml:4:23: error: `during` is empty
          help: it may say `from`, `to`, `weekdays`, `timezone`
        p.yaml:6:23: error: no bound is given
          help: write `from` or `to`
        p.yaml:8:30: error: `from` must be a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`, not `2026-12-20`
          help: write `2026-12-20T00:00`
        p.yaml:8:46: error: `to` must be a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`, not `2027-01-03 00:00`
          help: write `2027-01-03T00:00`
        p.yaml:10:30: error: `from` is a local time, and no `timezone` says where
          help: write `timezone: Europe/Berlin`, or an offset: `2026-12-20T00:00Z`
        p.yaml:12:59: error: `from` has an offset of its own, and `timezone` beside it
          help: leave out one of the two
        p.yaml:14:23: error: `from` 2026-12-20T00:00 is not before `to` 2026-12-20T00:00
          help: the window holds from `from` on and ends at `to`
        p.yaml:16:23: error: `from` 2026-12-20T00:00Z is not before `to` 2026-12-20T00:00+01:00
          help: the window holds from `from` on and ends at `to`
        p.yaml:18:58: error: `Europe/Berln` is no time zone
          help: did you mean `Europe/Berlin`?
        p.yaml:20:58: error: `berlin` is no time zone
          help: did you mean `Europe/Berlin`?
        p.yaml:22:58: error: `MEZ` is no time zone
          help: write a name of the IANA time zone database, such as `Europe/Berlin`
        p.yaml:24:58: error: `Etc/Unknown` is no time zone
          help: write a name of the IANA time zone database, such as `Europe/Berlin`
        p.yaml:26:30: error: `from` must be a time such as `2026-12-20T09:00`, `09:00`, `friday 16:00` or `12-20T09:00`, not `christmas`
        p.yaml:26:41: error: `until` is no key of `during`
          help: it may say `from`, `to`, `weekdays`, `timezone`
        "#);
    }
}
