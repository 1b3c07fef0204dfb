//! `age`: how long ago the merge request was opened, pushed to, or marked as ready.
//!
//! When a draft was marked as ready stands in GitLab's own notes, which nobody else can write; one that never was a draft
//! was ready when it was opened. A draft waits, nobody knows until when.
//!
//! Runs from GitLab's own instants, never from commit dates, which anybody can write. Waiting while it is too young,
//! and the finding says when that ends; violated once it is too old, for only a push mends that.

use jiff::{SignedDuration, Timestamp};

use super::kind::{Kind, Test, test};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::duration::render;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Comment, FactKey, Family, Unknown};
use crate::policy::finding::{Finding, Stop, both, earliest, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// How long it has been there.
pub(super) const AGE: Kind = Kind {
    key: Key::new("age", Shape::Mapping(&TABLE), "How long the merge request has been there."),
    build: |node, builder| test(Age::build(node, builder)),
    reads: &[Family::MergeRequest, Family::Time, Family::Versions, Family::Comments],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "age",
    doc: "How long ago the merge request was opened, pushed to, or marked as ready.",
    hint: Some("write `age: {since: opened, at_least: 2h}`"),
    keys: &[
        Key::required(
            "since",
            Shape::Choice(&["opened", "last_push", "ready"]),
            "From when on the time is counted; `ready` is when the draft mark was last removed.",
        ),
        Key::new("at_least", Shape::Duration, "The shortest time that holds."),
        Key::new("at_most", Shape::Duration, "The longest time that holds."),
    ],
};

/// How old it must and may be.
#[derive(Debug, Clone, Copy)]
struct Age {
    since: Since,
    at_least: Option<SignedDuration>,
    at_most: Option<SignedDuration>,
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Opened,
    LastPush,
    Ready,
}

/// GitLab's notes of a draft that became ready: of 13.x and later, and before.
const READY: &[&str] = &["marked this merge request as **ready**", "unmarked as a **Work In Progress**"];
/// The same when it became one.
const DRAFT: &[&str] = &["marked this merge request as **draft**", "marked as a **Work In Progress**"];

impl Age {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bound = |key| node.get(key).and_then(Node::duration);
        let (at_least, at_most) = (bound("at_least"), bound("at_most"));
        if node.get("at_least").or(node.get("at_most")).is_none() && node.get("since").is_some() {
            builder.notes.error(&node.span, "no bound is given", "write `at_least` or `at_most`");
        }
        if let (Some(least), Some(most)) = (at_least, at_most)
            && least > most
        {
            builder.notes.error(
                &node.span,
                format!("nothing is at least {} and at most {} old", render(least), render(most)),
                "the shorter time belongs to `at_least`",
            );
        }
        let since = match node.get("since")?.words()?.text {
            "opened" => Since::Opened,
            "last_push" => Since::LastPush,
            "ready" => Since::Ready,
            _ => return None,
        };
        (at_least.is_some() || at_most.is_some()).then_some(Self { since, at_least, at_most })
    }

    fn judge(self, now: Timestamp, since: Timestamp, wanted: bool) -> Finding {
        // An instant beyond the calendar never comes.
        let instant = |bound: Option<SignedDuration>| bound.and_then(|bound| since.checked_add(bound).ok());
        let (ripe_at, last_at) = (instant(self.at_least), instant(self.at_most));
        // At `last_at` itself it still holds, a second later it does not: GitLab's instants are no finer.
        let stale_at = last_at.and_then(|last| last.checked_add(SignedDuration::from_secs(1)).ok());
        let young = self.at_least.is_some() && ripe_at.is_none_or(|ripe| now < ripe);
        let old = stale_at.is_some_and(|stale| now >= stale);
        let truth = match (young, old) {
            (_, true) => Truth::Violated,
            (true, false) => Truth::Waiting,
            (false, false) => Truth::True,
        };
        let next = earliest(ripe_at.filter(|at| *at > now), stale_at.filter(|at| *at > now));
        let remedy = match (truth, wanted) {
            (Truth::Waiting, true) => ripe_at,
            (Truth::True, false) => stale_at,
            _ => None,
        };
        let event = match self.since {
            Since::Opened => "it was opened",
            Since::LastPush => "the last push was",
            Since::Ready => "it became ready",
        };
        let ago = render(now.duration_since(since).max(SignedDuration::ZERO));
        Finding::new("age", truth, format!("{event} {ago} ago, required is {}", self.describe()))
            .recheck_at(next)
            .mended_by(wanted, remedy.map(|at| Remedy::WaitUntil { at }))
    }

    fn describe(self) -> String {
        let least = self.at_least.map(|least| format!("at least {}", render(least)));
        let most = self.at_most.map(|most| format!("at most {}", render(most)));
        least.into_iter().chain(most).collect::<Vec<_>>().join(" and ")
    }
}

impl Test for Age {
    fn leaves_out(&self) -> Vec<Family> {
        if matches!(self.since, Since::Ready) { Vec::new() } else { vec![Family::Comments] }
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let opened = view.facts.merge_request.created_at;
        if matches!(self.since, Since::Ready) && view.facts.merge_request.draft {
            return Ok(Finding::new("age", Truth::Waiting, "it is marked as draft")
                .mended_by(wanted, [Remedy::SetDraft { draft: false }]));
        }
        let (now, since) = match self.since {
            Since::Opened => (view.now()?, opened),
            Since::LastPush => {
                let (now, version) = both(view.now(), view.newest_version())?;
                (now, version.created_at)
            }
            Since::Ready => {
                let comments = known(view.facts.comments.as_ref(), FactKey::Comments);
                let (now, comments) = both(view.now(), comments)?;
                (now, ready_since(comments)?.unwrap_or(opened))
            }
        };
        Ok(self.judge(now, since, wanted))
    }
}

/// When the draft mark was last removed; none if there never was one.
fn ready_since(comments: &[Comment]) -> Result<Option<Timestamp>, Stop> {
    let noted = |texts: &'static [&'static str]| {
        let is_one = move |comment: &&Comment| {
            comment.system && comment.body.as_deref().is_some_and(|body| texts.contains(&body.trim()))
        };
        comments.iter().filter(is_one).map(|comment| comment.created_at).max()
    };
    let (ready, draft) = (noted(READY), noted(DRAFT));
    if draft > ready {
        let why = "GitLab notes that it became a draft, and not that it is ready".to_owned();
        return Err(Stop::Unknown(Unknown { why, curable: true }));
    }
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::merge_request::CheckName;
    use crate::policy::evaluation::{Remedy, Step, Truth};
    use crate::policy::example::{
        at, facts, mistakes, needs, remedies, step, truth, unknown, user, versions,
    };
    use crate::policy::fact::{Comment, FactKey, Facts, Known};

    fn recheck_at(require: &str, facts: &Facts) -> Option<Timestamp> {
        match step(require, facts) {
            Step::Decided(evaluation) => evaluation.recheck_at,
            Step::Needs(keys) => panic!("needs {keys:?}"),
        }
    }

    #[test]
    fn a_young_one_waits_and_says_until_when() {
        const HOUR: &str = "{age: {since: opened, at_least: 1h}}";
        assert_eq!(needs(HOUR, &facts()), [FactKey::Now]);
        let young = Facts { now: Some(at(59)), ..facts() };
        assert_eq!(truth(HOUR, &young), Truth::Waiting);
        assert_eq!(recheck_at(HOUR, &young), Some(at(60)));
        assert_eq!(remedies(HOUR, &young), [Remedy::WaitUntil { at: at(60) }]);
        let ripe = Facts { now: Some(at(60)), ..facts() };
        assert_eq!(truth(HOUR, &ripe), Truth::True);
        assert_eq!(recheck_at(HOUR, &ripe), None);
    }

    #[test]
    fn a_push_starts_the_time_again_and_can_be_too_long_ago() {
        const DAY: &str = "{age: {since: last_push, at_least: 5m, at_most: 1d}}";
        assert_eq!(needs(DAY, &facts()), [FactKey::Now, FactKey::Versions]);
        let at_minute = |minute| Facts { now: Some(at(minute)), versions: Some(versions(2)), ..facts() };
        assert_eq!(truth(DAY, &at_minute(14)), Truth::Waiting);
        assert_eq!(recheck_at(DAY, &at_minute(14)), Some(at(15)));
        assert_eq!(truth(DAY, &at_minute(10 + 24 * 60)), Truth::True);
        let stale_at = Timestamp::from_second(at(10 + 24 * 60).as_second() + 1).unwrap();
        assert_eq!(recheck_at(DAY, &at_minute(20)), Some(stale_at));
        assert_eq!(truth(DAY, &at_minute(11 + 24 * 60)), Truth::Violated);
        assert_eq!(remedies(DAY, &at_minute(11 + 24 * 60)), []);
    }

    #[test]
    fn a_draft_that_became_ready_is_as_old_as_that() {
        const HOUR: &str = "{age: {since: ready, at_least: 1h}}";
        let note = |minute, body: &str, system| Comment {
            id: u64::try_from(minute).unwrap(),
            author: user(2),
            is_active: true,
            body: Some(body.to_owned()),
            created_at: at(minute),
            updated_at: at(minute),
            internal: false,
            in_thread: false,
            system,
        };
        let with = |notes: &[Comment], now| Facts {
            now: Some(at(now)),
            comments: Some(Known::Value(notes.to_vec())),
            ..facts()
        };
        assert_eq!(needs(HOUR, &facts()), [FactKey::Now, FactKey::Comments]);
        assert_eq!(truth(HOUR, &with(&[], 60)), Truth::True, "it never was a draft");
        let (new, old) = ("marked this merge request as **ready**", "unmarked as a **Work In Progress**");
        for words in [new, old] {
            let notes = [note(5, words, true), note(30, words, true), note(20, "resolved all threads", true)];
            assert_eq!(truth(HOUR, &with(&notes, 89)), Truth::Waiting);
            assert_eq!(recheck_at(HOUR, &with(&notes, 89)), Some(at(90)));
            assert_eq!(truth(HOUR, &with(&notes, 90)), Truth::True);
        }
        let told = [note(30, new, true), note(80, new, false), note(81, "marked as ready", true)];
        assert_eq!(truth(HOUR, &with(&told, 90)), Truth::True, "what people write is no such note");
        let unsaid = [note(30, new, true), note(40, "marked this merge request as **draft**", true)];
        assert_eq!(
            truth(HOUR, &with(&unsaid, 200)),
            Truth::Unknown { curable: true },
            "ready, but since when"
        );
        let hidden = Facts { now: Some(at(90)), comments: Some(unknown(true)), ..facts() };
        assert_eq!(truth(HOUR, &hidden), Truth::Unknown { curable: true });
        let mut draft = facts();
        draft.merge_request.draft = true;
        assert_eq!(truth(HOUR, &draft), Truth::Waiting);
        assert_eq!(recheck_at(HOUR, &draft), None);
        assert_eq!(remedies(HOUR, &draft), [Remedy::SetDraft { draft: false }]);
    }

    #[test]
    fn a_skipped_rule_is_looked_at_again_when_time_may_apply_it() {
        let text = "policy: p\notherwise: pass\nrules:\n  - id: r\n    when: {age: {since: opened, at_least: 1h}}\n    require: {draft: true}\n";
        let facts = Facts { now: Some(at(1)), ..facts() };
        let set = crate::policy::example::compile(text);
        let Step::Decided(evaluation) = crate::policy::evaluate(&set, &CheckName::default(), &facts) else {
            panic!("needs more")
        };
        assert_eq!(evaluation.recheck_at, Some(at(60)));
    }

    #[test]
    fn bounds_must_be_given_and_possible() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {age: {since: opened}}\n  - id: s\n    require: {age: {since: birth, at_least: 2h, at_most: 1h}}\n  - id: t\n    require: {age: {at_least: 2 hours}}\n"), @r#"
        p.yaml:4:20: error: no bound is given
          help: write `at_least` or `at_most`
        p.yaml:6:20: error: nothing is at least 2h and at most 1h old
          help: the shorter time belongs to `at_least`
        p.yaml:6:28: error: `birth` is no value of `since`
          help: it may be `opened`, `last_push`, `ready`
        p.yaml:8:20: error: `since` is missing in `age`
          help: write `since: …`, one of `opened`, `last_push` or `ready`
        p.yaml:8:31: error: `at_least` must be a length of time such as `10m`, `2h` or `3d`, not `2 hours`
        "#);
    }
}
