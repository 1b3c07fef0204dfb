//! `assignees` and `reviewers`: how many of whom are assigned, or were asked to review.
//!
//! Waiting when out of bounds: anybody who works on it can assign people, and reviewers can go on. Those whose
//! membership is open may count or not; what is open is asked for only where that could matter.

use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::membership::Membership;
use super::people::People;
use super::vocabulary::{AT_LEAST, AT_MOST, PEOPLE};
use crate::merge_request::{User, UserId};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, Unknown};
use crate::policy::finding::{Finding, Stop, known, open_of_any};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Who is assigned.
pub(super) const ASSIGNEES: Kind = Kind {
    key: Key::new("assignees", Shape::Mapping(&ASSIGNEES_TABLE), "How many are assigned, and of whom."),
    build: |node, builder| test(Crowd::build(node, builder).map(Assignees)),
    reads: &[Family::MergeRequest, Family::People],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

/// Who was asked to review.
pub(super) const REVIEWERS: Kind = Kind {
    key: Key::new(
        "reviewers",
        Shape::Mapping(&REVIEWERS_TABLE),
        "How many were asked to review, of whom, and how far they are.",
    ),
    build: |node, builder| test(Reviewers::build(node, builder)),
    reads: &[Family::MergeRequest, Family::Reviewers, Family::People],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

const FROM: Key = Key::new("from", Shape::Mapping(&PEOPLE), "Who counts; without it everybody does.");
const STATE: Shape = Shape::Choice(STATES);

/// GitLab's states of a reviewer.
const STATES: &[&str] =
    &["approved", "reviewed", "requested_changes", "unreviewed", "review_started", "unapproved"];

static ASSIGNEES_TABLE: Table = Table {
    name: "assignees",
    doc: "How many are assigned, and of whom; without a bound beside `from`, `at_least: 1`.",
    hint: Some("write `assignees: {at_least: 1}`"),
    keys: &[AT_LEAST, AT_MOST, FROM],
};

static REVIEWERS_TABLE: Table = Table {
    name: "reviewers",
    doc: "How many were asked to review, of whom, and how far they are; without a bound `at_least: 1`.",
    hint: Some("write `reviewers: {at_least: 1}`"),
    keys: &[
        AT_LEAST,
        AT_MOST,
        FROM,
        Key::new(
            "state",
            Shape::OneOf(&[STATE, Shape::List(&STATE)]),
            "How far they are; one of these is enough.",
        ),
    ],
};

/// How many of whom.
#[derive(Debug, Clone)]
struct Crowd {
    bounds: Bounds,
    from: Option<People>,
}

impl Crowd {
    fn leaves_out(&self) -> Vec<Family> {
        if self.from.is_some() { Vec::new() } else { vec![Family::People] }
    }

    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let is_narrowed = node.get("from").or(node.get("state")).is_some();
        // A `from` that can't be read must not become everybody.
        let from = match node.get("from") {
            Some(from) => Some(People::build(from, builder)?),
            None => None,
        };
        let bounds = if is_narrowed {
            Bounds::build(node, builder).unwrap_or(Bounds { at_least: Some(1), at_most: None })
        } else {
            Bounds::require(node, builder)?
        };
        Some(Self { bounds, from })
    }

    /// Judges people of whom some may be open; none of them need be looked at where their number alone decides.
    fn judge<'a>(
        &self,
        what: &What,
        users: &'a BTreeSet<User>,
        wanted: bool,
        weigh: impl FnOnce() -> Result<Vec<Weighed<'a>>, Stop>,
    ) -> Result<Finding, Stop> {
        let all = users.len() as u64;
        let (holds, sentence) = if let Some(holds) = self.bounds.hold(Count { low: 0, high: Some(all) }) {
            (holds, count_of(all, what.noun, "in all"))
        } else {
            let weighed = weigh()?;
            let counted: Vec<_> = weighed.iter().filter(|(_, counts)| matches!(counts, Ok(true))).collect();
            let low = counted.len() as u64;
            let open = weighed.iter().filter(|(_, counts)| counts.is_err()).count() as u64;
            let names: Vec<_> = counted.iter().map(|(user, _)| format!(" @{}", user.username)).collect();
            let names = if names.is_empty() { String::new() } else { format!(":{}", names.join(",")) };
            let holds = self.bounds.hold(Count { low, high: Some(low + open) });
            let stops = weighed.into_iter().filter_map(|(_, counts)| counts.err());
            // Where some are open and it matters, one more of them may be enough.
            match (holds, open_of_any(stops)) {
                (None, Some(stop)) => return Err(stop),
                (holds, _) => {
                    let counts = count_of(low, what.noun, if low == 1 { "counts" } else { "count" });
                    (holds == Some(true), format!("{counts}{names}"))
                }
            }
        };
        let required = self.describe(&what.state);
        let sentence = if holds { sentence } else { format!("{sentence}; required: {required}") };
        let truth = if holds { Truth::True } else { Truth::Waiting };
        let to = if wanted { required } else { format!("anything but: {required}") };
        Ok(Finding::new(what.condition, truth, sentence).mended_by(wanted, [(what.remedy)(to)]))
    }

    /// Whether somebody of whom the rest is known is one of those who count.
    fn includes(&self, user: &User, view: &View<'_>) -> Result<bool, Stop> {
        match &self.from {
            Some(people) => people.includes(user, view).map(|member| matches!(member, Membership::Yes(_))),
            None => Ok(true),
        }
    }

    fn describe(&self, state: &str) -> String {
        let from = self.from.as_ref().map(|people| format!(" of {}", people.describe().join(" or ")));
        format!("{}{}{state}", self.bounds.describe(), from.unwrap_or_default())
    }
}

/// The words of one of the two conditions.
struct What {
    condition: &'static str,
    noun: &'static str,
    remedy: fn(String) -> Remedy,
    state: String,
}

/// Somebody, and whether they count.
type Weighed<'a> = (&'a User, Result<bool, Stop>);

fn count_of(number: u64, noun: &str, rest: &str) -> String {
    match number {
        0 => format!("no {noun} {rest}"),
        1 => format!("1 {noun} {rest}"),
        many => format!("{many} {noun}s {rest}"),
    }
}

/// How many of whom must be assigned.
#[derive(Debug, Clone)]
struct Assignees(Crowd);

impl Test for Assignees {
    fn leaves_out(&self) -> Vec<Family> {
        self.0.leaves_out()
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let users = &view.facts.merge_request.assignees;
        let remedy = |to| Remedy::ChangeAssignees { to };
        let what = What { condition: "assignees", noun: "assignee", remedy, state: String::new() };
        let weigh = || Ok(users.iter().map(|user| (user, self.0.includes(user, view))).collect());
        self.0.judge(&what, users, wanted, weigh)
    }
}

/// How many of whom must have been asked to review, and how far they must be.
#[derive(Debug, Clone)]
struct Reviewers {
    crowd: Crowd,
    states: Vec<String>,
}

impl Reviewers {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let states = node.get("state").map(Node::all_words).unwrap_or_default();
        let states = states.iter().map(|words| words.text.to_owned()).collect();
        Crowd::build(node, builder).map(|crowd| Self { crowd, states })
    }

    /// Whether a reviewer is as far as required. The list of states is read later than the merge request: somebody who
    /// is not in it may be in any of them, and so may be who has one that GitLab did not have when this was written.
    fn is_so_far(&self, user: &User, states: &BTreeMap<UserId, &str>) -> Result<bool, Stop> {
        let doubt = |why: String, curable| Err(Stop::Unknown(Unknown { why, curable }));
        let name = &user.username;
        match states.get(&user.id) {
            Some(state) if STATES.contains(state) => Ok(self.states.iter().any(|wanted| wanted == state)),
            Some(state) => {
                doubt(format!("`{state}`, the state of the reviewer @{name}, is no known one"), false)
            }
            None => doubt(format!("GitLab does not say how far the reviewer @{name} is"), true),
        }
    }

    fn weigh<'a>(&self, users: &'a BTreeSet<User>, view: &View<'_>) -> Result<Vec<Weighed<'a>>, Stop> {
        if self.states.is_empty() {
            return Ok(users.iter().map(|user| (user, self.crowd.includes(user, view))).collect());
        }
        let listed = known(view.facts.reviewers.as_ref(), FactKey::Reviewers)?;
        let states = listed.iter().map(|reviewer| (reviewer.user.id, reviewer.state.as_str())).collect();
        let weighed = users.iter().map(|user| match self.is_so_far(user, &states) {
            Ok(true) => (user, self.crowd.includes(user, view)),
            // Who is none of those who count is none in any state.
            Err(doubt) => match self.crowd.includes(user, view) {
                Ok(true) => (user, Err(doubt)),
                other => (user, other),
            },
            Ok(false) => (user, Ok(false)),
        });
        Ok(weighed.collect())
    }
}

impl Test for Reviewers {
    fn leaves_out(&self) -> Vec<Family> {
        let stateless = self.states.is_empty().then_some(Family::Reviewers);
        self.crowd.leaves_out().into_iter().chain(stateless).collect()
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let users = &view.facts.merge_request.reviewers;
        let remedy = |to| Remedy::ChangeReviewers { to };
        let state = if self.states.is_empty() {
            String::new()
        } else {
            format!(" whose state is {}", alternatives(&self.states))
        };
        let what = What { condition: "reviewers", noun: "reviewer", remedy, state };
        self.crowd.judge(&what, users, wanted, || self.weigh(users, view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::example::{
        facts, join_group, mistakes, needs, reason, remedies, truth, unknown, user,
    };
    use crate::policy::fact::{Facts, Known, Reviewer};

    const GROUP: &str = "{assignees: {from: {groups: [shop/web]}}}";

    fn assigned(ids: &[u64]) -> Facts {
        let mut facts = facts();
        facts.merge_request.assignees = ids.iter().map(|id| user(*id)).collect();
        facts
    }

    fn reviewing(states: &[(u64, &str)]) -> Facts {
        let mut facts = facts();
        facts.merge_request.reviewers = states.iter().map(|(id, _)| user(*id)).collect();
        let reviewer = |(id, state): &(u64, &str)| Reviewer { user: user(*id), state: (*state).to_owned() };
        facts.reviewers = Some(Known::Value(states.iter().map(reviewer).collect()));
        facts
    }

    #[test]
    fn a_number_of_assignees_asks_nothing() {
        assert_eq!(truth("{assignees: {at_least: 1}}", &assigned(&[])), Truth::Waiting);
        assert_eq!(truth("{assignees: {at_least: 1}}", &assigned(&[2])), Truth::True);
        assert_eq!(truth("{assignees: {at_most: 1}}", &assigned(&[2, 3])), Truth::Waiting);
        assert_eq!(truth("{reviewers: {at_most: 0}}", &facts()), Truth::True);
        assert_eq!(
            reason("{assignees: {at_least: 2}}", &assigned(&[2])).sentence,
            "1 assignee in all; required: at least 2"
        );
        let to = "at least 2".to_owned();
        assert_eq!(remedies("{assignees: {at_least: 2}}", &assigned(&[2])), [Remedy::ChangeAssignees { to }]);
    }

    #[test]
    fn only_those_meant_count_and_one_is_enough() {
        let mut facts = assigned(&[2, 3]);
        assert_eq!(truth("{assignees: {from: {users: [bob]}}}", &facts), Truth::True);
        assert_eq!(needs(GROUP, &facts).len(), 3, "the group and both of them");
        join_group(&mut facts, "shop/web", 2, None);
        join_group(&mut facts, "shop/web", 3, Some(30));
        assert_eq!(reason(GROUP, &facts).sentence, "1 assignee counts: @bob");
        join_group(&mut facts, "shop/web", 3, None);
        assert_eq!(
            reason(GROUP, &facts).sentence,
            "no assignee count; required: at least 1 of members of shop/web"
        );
    }

    #[test]
    fn what_is_open_of_some_matters_only_where_it_could() {
        let mut facts = assigned(&[2, 3]);
        join_group(&mut facts, "shop/web", 2, Some(30));
        facts.group_members.entry("shop/web".to_owned()).or_default().insert(UserId::new(3), unknown(true));
        let of = |bounds: &str| {
            truth(&format!("{{assignees: {{{bounds}, from: {{groups: [shop/web]}}}}}}"), &facts)
        };
        assert_eq!(of("at_least: 1"), Truth::True);
        assert_eq!(of("at_least: 2"), Truth::Unknown { curable: true });
        assert_eq!(of("at_most: 1"), Truth::Unknown { curable: true });
        assert_eq!(of("at_most: 0"), Truth::Waiting);
        assert_eq!(of("at_least: 3"), Truth::Waiting, "there are only two");
        assert_eq!(of("at_most: 2"), Truth::True);
    }

    #[test]
    fn a_hidden_group_passes_nobody() {
        let mut facts = assigned(&[2]);
        join_group(&mut facts, "shop/web", 2, None);
        facts.groups.insert("shop/web".to_owned(), unknown(false));
        for require in [GROUP, "{assignees: {at_most: 0, from: {groups: [shop/web]}}}"] {
            assert_eq!(truth(require, &facts), Truth::Unknown { curable: false }, "{require}");
        }
    }

    #[test]
    fn states_are_asked_for_only_where_they_could_matter() {
        const BLOCKED: &str = "{reviewers: {state: requested_changes, at_most: 0}}";
        assert_eq!(truth(BLOCKED, &facts()), Truth::True, "nobody was asked to review");
        let mut facts = reviewing(&[(2, "approved"), (3, "requested_changes")]);
        assert_eq!(truth(BLOCKED, &facts), Truth::Waiting);
        assert_eq!(truth("{reviewers: {state: approved}}", &facts), Truth::True);
        assert_eq!(
            truth("{reviewers: {state: [approved, requested_changes], at_least: 2}}", &facts),
            Truth::True
        );
        assert_eq!(
            remedies("{reviewers: {state: reviewed, from: {users: [ana]}}}", &facts),
            [Remedy::ChangeReviewers { to: "at least 1 of @ana whose state is `reviewed`".to_owned() }]
        );
        facts.reviewers = None;
        assert_eq!(needs(BLOCKED, &facts), [FactKey::Reviewers]);
        facts.reviewers = Some(unknown(true));
        assert_eq!(truth(BLOCKED, &facts), Truth::Unknown { curable: true });
    }

    #[test]
    fn only_who_is_as_far_as_required_is_asked_for() {
        let facts = reviewing(&[(2, "approved"), (3, "unreviewed")]);
        let asked = needs("{reviewers: {state: approved, from: {role: developer}}}", &facts);
        assert_eq!(asked, [FactKey::ProjectMember(UserId::new(2))]);
    }

    #[test]
    fn a_state_that_is_missing_or_not_known_decides_nothing() {
        const BLOCKED: &str = "{reviewers: {state: requested_changes, at_most: 0}}";
        let mut facts = reviewing(&[(2, "approved"), (3, "changes_wanted")]);
        assert_eq!(truth(BLOCKED, &facts), Truth::Unknown { curable: false });
        assert_eq!(truth("{reviewers: {state: approved}}", &facts), Truth::True);
        facts.merge_request.reviewers.insert(user(4));
        facts.merge_request.reviewers.remove(&user(3));
        assert_eq!(truth(BLOCKED, &facts), Truth::Unknown { curable: true }, "cut short");
    }

    #[test]
    fn a_crowd_without_a_bound_is_refused_unless_something_else_is_said() {
        let of = |text: &str| mistakes(&format!("policy: p\nrules: [{{id: r, require: {text}}}]\n"));
        assert!(of("{reviewers: {from: {}}}").contains("from"));
        assert!(of("{assignees: {}}").contains("assignees"));
        assert!(of("{assignees: {state: approved}}").contains("`state` is no key of `assignees`"));
        assert!(of("{reviewers: {state: done}}").contains("`approved`"));
        assert_eq!(of("{reviewers: {state: approved}}"), "");
    }
}
