//! `merge_after`: whether the time has come that the description names in a line such as `Merge-After: 2026-12-01T10:00Z`.
//!
//! Waiting before it: time brings it. Violated when such a line can't be read: the author meant something, and only an edit
//! says what. Of several lines the latest time counts. A local time that the clocks show twice, or skip, takes the later
//! reading: a merge must never come too early.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::kind::{Kind, Test, test};
use super::markdown::lines_of;
use super::zone::zone;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::Family;
use crate::policy::finding::{Finding, Stop};
use crate::policy::moment::{self, Moment};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

const SHAPES: &[Shape] = &[Shape::Flag, Shape::Mapping(&TABLE)];

/// Whether the time has come that the description names.
pub(super) const MERGE_AFTER: Kind = Kind {
    key: Key::new(
        "merge_after",
        Shape::OneOf(SHAPES),
        "The time has come that a line `Merge-After: 2026-12-01T10:00Z` of the description names, if one does.",
    ),
    build: |node, builder| test(MergeAfter::build(node, builder)),
    reads: &[Family::MergeRequest, Family::Time],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "merge_after",
    doc: "How the times are read that the description names.",
    hint: Some("write `merge_after: true`, or `merge_after: {timezone: Europe/Berlin}`"),
    keys: &[Key::required(
        "timezone",
        Shape::Text,
        "Where the clocks show times without an offset, and days, as an IANA name.",
    )],
};

/// The word that begins the line.
const WORD: &str = "Merge-After";

/// Where local times are at home.
#[derive(Debug, Clone)]
struct MergeAfter {
    timezone: Option<TimeZone>,
}

impl MergeAfter {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        if let Some(name) = node.get("timezone").and_then(Node::words) {
            return zone(name, builder.notes).map(|timezone| Self { timezone: Some(timezone) });
        }
        if node.flag() == Some(false) {
            let help = "leave it out, or write `not: {merge_after: true}`";
            builder.notes.error(&node.span, "`merge_after: false` says nothing", help);
        }
        (node.flag() == Some(true)).then_some(Self { timezone: None })
    }

    /// When a line says it; the error is what is wrong with it.
    fn read(&self, text: &str) -> Result<Timestamp, String> {
        let day = || Some(Moment::Local(text.parse::<Date>().ok()?.to_datetime(Time::midnight())));
        let written = moment::parse(text).or_else(|| day().filter(|_| text.len() == 10));
        match (written, &self.timezone) {
            (Some(Moment::Fixed(at)), _) => Ok(at),
            (Some(Moment::Local(local)), Some(timezone)) => timezone
                .to_ambiguous_timestamp(local)
                .later()
                .map_err(|_| "is beyond the calendar".to_owned()),
            (Some(Moment::Local(_)), None) => {
                Err("is a local time, and the policy names no `timezone`: write it with an offset or `Z`"
                    .to_owned())
            }
            (None, _) => Err("names no time such as `2026-12-01T10:00+01:00`".to_owned()),
        }
    }

    fn judge(now: Timestamp, after: Timestamp, wanted: bool) -> Finding {
        let (truth, sentence) = if now < after {
            (Truth::Waiting, format!("it is not to be merged before {after}"))
        } else {
            (Truth::True, format!("it was not to be merged before {after}, which is over"))
        };
        let next = Some(after).filter(|after| now < *after);
        Finding::new("merge_after", truth, sentence)
            .recheck_at(next)
            .mended_by(wanted, wanted.then_some(Remedy::WaitUntil { at: after }))
    }
}

impl Test for MergeAfter {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let lines = lines_of(WORD, &view.facts.merge_request.description);
        let mut latest: Option<Timestamp> = None;
        for line in &lines {
            match self.read(line) {
                Ok(at) => latest = latest.max(Some(at)),
                Err(why) => {
                    let shown: String = line.chars().take(80).collect();
                    let sentence = format!("`{WORD}: {shown}` {why}");
                    let to = format!("one in which each line `{WORD}:` names a time");
                    return Ok(Finding::new("merge_after", Truth::Violated, sentence)
                        .mended_by(wanted, [Remedy::EditDescription { to }]));
                }
            }
        }
        if let Some(latest) = latest {
            return Ok(Self::judge(view.now()?, latest, wanted));
        }
        let sentence = format!("no line `{WORD}:` of the description names a time");
        let to = format!("one with a line `{WORD}:` that names a time to come");
        let edit = Remedy::EditDescription { to };
        Ok(Finding::new("merge_after", Truth::True, sentence).mended_by(wanted, [edit]))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::policy::evaluation::{Remedy, RuleState, Step, Truth};
    use crate::policy::example::{facts, mistakes, needs, reason, remedies, state, step, truth};
    use crate::policy::fact::{FactKey, Facts};

    const PLAIN: &str = "{merge_after: true}";
    const BERLIN: &str = "{merge_after: {timezone: Europe/Berlin}}";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn described(text: &str, now: Option<&str>) -> Facts {
        let mut facts = facts();
        facts.merge_request.description = text.to_owned();
        facts.now = now.map(time);
        facts
    }

    #[test]
    fn it_waits_for_the_latest_time_that_is_named() {
        const TEXT: &str =
            "Ship it.\nMerge-After: 2026-12-01T10:00+01:00\n- merge-after: 2026-12-02T00:00Z\n";
        assert_eq!(truth(PLAIN, &described("Ship it.", None)), Truth::True, "and the time is not asked for");
        assert_eq!(needs(PLAIN, &described(TEXT, None)), [FactKey::Now]);
        let before = described(TEXT, Some("2026-12-01T23:59:59Z"));
        assert_eq!(truth(PLAIN, &before), Truth::Waiting);
        let at = time("2026-12-02T00:00:00Z");
        assert_eq!(remedies(PLAIN, &before), [Remedy::WaitUntil { at }]);
        let Step::Decided(evaluation) = step(PLAIN, &before) else { panic!("needs more") };
        assert_eq!(evaluation.recheck_at, Some(at));
        assert_eq!(truth(PLAIN, &described(TEXT, Some("2026-12-02T00:00:00Z"))), Truth::True);
    }

    #[test]
    fn local_times_and_days_need_a_place() {
        let decided = |text: &str| match step(BERLIN, &described(text, Some("2020-01-01T00:00:00Z"))) {
            Step::Decided(evaluation) => evaluation.recheck_at,
            Step::Needs(keys) => panic!("needs {keys:?}"),
        };
        assert_eq!(decided("Merge-After: 2026-12-01"), Some(time("2026-11-30T23:00:00Z")));
        assert_eq!(decided("Merge-After: 2026-12-01T10:00"), Some(time("2026-12-01T09:00:00Z")));
        assert_eq!(decided("Merge-After: 2026-10-25T02:30"), Some(time("2026-10-25T01:30:00Z")), "doubled");
        assert_eq!(decided("Merge-After: 2026-03-29T02:30"), Some(time("2026-03-29T01:30:00Z")), "skipped");
        assert_eq!(truth(PLAIN, &described("Merge-After: 2026-12-01", None)), Truth::Violated);
    }

    #[test]
    fn what_can_not_be_read_is_named_and_never_passes() {
        for text in ["tomorrow", "", "2026-13-01", "2026-12-01 10:00", "01.12.2026"] {
            let facts = described(&format!("Merge-After: {text}\nMerge-After: 2020-01-01T00:00Z"), None);
            assert_eq!(state(BERLIN, &facts), RuleState::Violated, "{text}");
        }
        let facts = described("Merge-After: tomorrow", None);
        assert_eq!(
            reason(PLAIN, &facts).sentence,
            "`Merge-After: tomorrow` names no time such as `2026-12-01T10:00+01:00`"
        );
        assert_eq!(truth(PLAIN, &described("<!-- Merge-After: YYYY-MM-DD -->", None)), Truth::True);
    }

    #[test]
    fn false_and_unknown_places_are_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {merge_after: false}\n  - id: s\n    require: {merge_after: {timezone: berlin}}\n"), @r#"
        p.yaml:4:28: error: `merge_after: false` says nothing
          help: leave it out, or write `not: {merge_after: true}`
        p.yaml:6:39: error: `berlin` is no time zone
          help: did you mean `Europe/Berlin`?
        "#);
    }
}
