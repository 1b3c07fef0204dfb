//! Conditions joined by `all_of`, `any_of`, `none_of` and `not`, at any depth.
//!
//! A clause stops asking as soon as no answer could change what it comes to. Every part carries the [`Aim`]
//! with which it is looked at, so that remedies lead to what the rule wants, also below a `not`.

use std::collections::BTreeSet;

use super::builder::Builder;
use super::condition::{Condition, catalogue};
use super::document::{Entry, Node};
use super::evaluation::{Reason, Truth};
use super::fact::{FactKey, Family};
use super::finding::{Finding, Outcome, earliest};
use super::view::View;

/// The deepest nesting of operators.
const MAX_DEPTH: usize = 32;

/// A compiled `when` or `require`.
#[derive(Debug, Clone)]
pub(super) enum Clause {
    /// Every part holds.
    All(Vec<Self>),
    /// At least one part holds.
    Any(Vec<Self>),
    /// The part does not hold; the word is `not` or `none_of`.
    Not(&'static str, Box<Self>),
    /// One condition.
    Condition(Condition),
}

/// What a part is looked at for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    /// The truth that serves the rule: false below a `not`.
    pub(super) wanted: bool,
    /// Whether it matters which false it is: not below a `not`, and not in `when`.
    pub(super) shades: bool,
}

impl Aim {
    /// The aim of a rule's `require`.
    pub(super) const REQUIRE: Self = Self { wanted: true, shades: true };
    /// The aim of a rule's `when`.
    pub(super) const WHEN: Self = Self { wanted: true, shades: false };

    fn below_not(self) -> Self {
        Self { wanted: !self.wanted, shades: false }
    }
}

impl Clause {
    /// Builds a mapping of conditions; none if a part of it is wrong, and then that was noted.
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        Self::build_at(node, 0, builder)
    }

    fn build_at(node: &Node, depth: usize, builder: &mut Builder<'_, '_>) -> Option<Self> {
        if depth > MAX_DEPTH {
            let help = "split the condition into several rules";
            builder.notes.error(&node.span, format!("operators nest deeper than {MAX_DEPTH}"), help);
            return None;
        }
        let entries = node.entries();
        // Every entry is built, so that all mistakes are found, before a missing one counts.
        let parts: Vec<_> = entries.iter().map(|entry| Self::build_entry(entry, depth, builder)).collect();
        let mut parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Self::All(parts)),
        }
    }

    fn build_entry(entry: &Entry, depth: usize, builder: &mut Builder<'_, '_>) -> Option<Self> {
        match entry.key.as_str() {
            catalogue::ALL_OF => Self::build_list(&entry.value, depth, builder).map(Self::All),
            catalogue::ANY_OF => Self::build_list(&entry.value, depth, builder).map(Self::Any),
            catalogue::NONE_OF => {
                let parts = Self::build_list(&entry.value, depth, builder)?;
                Some(Self::Not(catalogue::NONE_OF, Box::new(Self::Any(parts))))
            }
            catalogue::NOT => match Self::build_at(&entry.value, depth + 1, builder)? {
                // A doubled `not` says nothing: it would only lose which false it was.
                Self::Not(_, inner) => Some(*inner),
                inner @ (Self::All(_) | Self::Any(_) | Self::Condition(_)) => {
                    Some(Self::Not(catalogue::NOT, Box::new(inner)))
                }
            },
            _ => Condition::build(entry, builder).map(Self::Condition),
        }
    }

    /// The conditions in it that can change while the head stays.
    pub(super) fn changeable(&self) -> BTreeSet<&'static str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::changeable).collect(),
            Self::Not(_, inner) => inner.changeable(),
            Self::Condition(condition) if condition.is_settled_by_commit() => BTreeSet::new(),
            Self::Condition(condition) => BTreeSet::from([condition.word()]),
        }
    }

    /// The families of facts that it may ask for.
    pub(super) fn reads(&self) -> BTreeSet<Family> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::reads).collect(),
            Self::Not(_, inner) => inner.reads(),
            Self::Condition(condition) => condition.reads().collect(),
        }
    }

    /// The one condition that counts approvers, if there is no other in it and nothing joins it to the rest but "and".
    pub(super) fn sole_approvals(&self) -> Option<&Condition> {
        let mut found = Vec::new();
        self.collect_approvals(true, &mut found);
        match found.as_slice() {
            [Some(sole)] => Some(sole),
            _ => None,
        }
    }

    fn collect_approvals<'a>(&'a self, must_hold: bool, found: &mut Vec<Option<&'a Condition>>) {
        match self {
            Self::All(parts) => parts.iter().for_each(|part| part.collect_approvals(must_hold, found)),
            Self::Any(parts) => parts.iter().for_each(|part| part.collect_approvals(false, found)),
            Self::Not(_, inner) => inner.collect_approvals(false, found),
            Self::Condition(condition) if condition.counts_approvers() => {
                found.push(Some(condition).filter(|_| must_hold));
            }
            Self::Condition(_) => {}
        }
    }

    fn build_list(node: &Node, depth: usize, builder: &mut Builder<'_, '_>) -> Option<Vec<Self>> {
        let parts: Vec<_> =
            node.items().iter().map(|item| Self::build_at(item, depth + 1, builder)).collect();
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        (!parts.is_empty()).then_some(parts)
    }

    /// The word that names it in the tree of reasons.
    fn word(&self) -> &'static str {
        match self {
            Self::All(_) => catalogue::ALL_OF,
            Self::Any(_) => catalogue::ANY_OF,
            Self::Not(word, _) => word,
            Self::Condition(condition) => condition.word(),
        }
    }

    /// Settles it from the facts, or names those that are missing.
    pub(super) fn evaluate(&self, view: &View<'_>, aim: Aim) -> Outcome {
        match self {
            Self::All(parts) => {
                let settles = |truth: Truth| truth == Truth::Violated || (!aim.shades && truth.is_false());
                join(self.word(), parts, view, aim, settles, Truth::all)
            }
            Self::Any(parts) => {
                let settles = |truth| truth == Truth::True;
                join(self.word(), parts, view, aim, settles, Truth::any)
            }
            Self::Not(word, inner) => {
                let inner = inner.evaluate(view, aim.below_not())?;
                let mut finding = Finding::new(word, inner.truth().negate(), inner.reason.sentence.clone());
                finding.recheck_at = inner.recheck_at;
                finding.remedies = inner.remedies;
                finding.reason.parts = vec![inner.reason];
                Ok(finding)
            }
            Self::Condition(condition) => condition.evaluate(view, aim.wanted),
        }
    }
}

/// Joins the parts of an operator; `settles` tells a truth that no other part can change any more.
fn join(
    word: &'static str,
    parts: &[Clause],
    view: &View<'_>,
    aim: Aim,
    settles: impl Fn(Truth) -> bool,
    combine: impl Fn(Vec<Truth>) -> Truth,
) -> Outcome {
    let mut needs: BTreeSet<FactKey> = BTreeSet::new();
    let mut settled = false;
    let outcomes: Vec<_> = parts.iter().map(|part| (part.word(), part.evaluate(view, aim))).collect();
    for (_, outcome) in &outcomes {
        match outcome {
            Ok(finding) => settled |= settles(finding.truth()),
            Err(keys) => needs.extend(keys.iter().cloned()),
        }
    }
    if !settled && !needs.is_empty() {
        return Err(cheapest(needs));
    }
    let truth = combine(
        outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()).map(Finding::truth).collect(),
    );
    let mut finding = Finding::new(word, truth, String::new());
    for (word, outcome) in outcomes {
        match outcome {
            Ok(part) => {
                finding.recheck_at = earliest(finding.recheck_at, part.recheck_at);
                finding.remedies.extend(part.remedies);
                finding.reason.parts.push(part.reason);
            }
            Err(_) => finding.reason.parts.push(not_looked_at(word)),
        }
    }
    finding.reason.sentence = sentence(&finding.reason, aim);
    Ok(finding.with_distinct_remedies(aim.wanted))
}

/// What is asked once for a merge request goes before what is asked for each person, commit or job: it may settle the rest.
fn cheapest(needs: BTreeSet<FactKey>) -> BTreeSet<FactKey> {
    let (many, once): (BTreeSet<_>, BTreeSet<_>) = needs.into_iter().partition(FactKey::is_one_of_many);
    if once.is_empty() { many } else { once }
}

fn not_looked_at(word: &str) -> Reason {
    let sentence = "not looked at: the other parts already decide".to_owned();
    Reason { condition: word.to_owned(), truth: Truth::Unsettled, sentence, parts: Vec::new() }
}

/// The parts that made the operator what it is, in one sentence.
fn sentence(reason: &Reason, aim: Aim) -> String {
    let decisive = |part: &&Reason| {
        part.truth == reason.truth || (!aim.shades && reason.truth.is_false() && part.truth.is_false())
    };
    let parts: Vec<_> = reason.parts.iter().filter(decisive).map(|part| part.sentence.as_str()).collect();
    if parts.is_empty() {
        return "nothing decides".to_owned();
    }
    let joint =
        if reason.condition == catalogue::ANY_OF && reason.truth != Truth::True { ", nor: " } else { "; " };
    parts.join(joint)
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{RuleState, Truth};
    use crate::policy::example::{code, facts, mistakes, needs, reason, state, truth, unknown};
    use crate::policy::fact::{FactKey, Facts, Known};

    const OPEN: &str = "{unresolved_threads: {at_most: 0}}";

    #[test]
    fn what_is_settled_asks_for_nothing() {
        let facts = facts();
        let settled = [
            "{all_of: [{target_branch: other}, THREADS]}",
            "{any_of: [{target_branch: main}, THREADS]}",
            "{none_of: [{target_branch: main}, THREADS]}",
            "{target_branch: other, unresolved_threads: {at_most: 0}}",
            "{not: {all_of: [{draft: true}, THREADS]}}",
        ];
        for require in settled {
            reason(&require.replace("THREADS", OPEN), &facts);
        }
        assert_eq!(truth(&settled[1].replace("THREADS", OPEN), &facts), Truth::True);
        let reason = reason(&settled[0].replace("THREADS", OPEN), &facts);
        assert_eq!(reason.sentence, "the target branch `main` is not one of `other`");
        assert_eq!(reason.parts[1].sentence, "not looked at: the other parts already decide");
    }

    #[test]
    fn what_could_still_be_violated_asks_on() {
        let waiting_or_worse = "{all_of: [{draft: true}, {pipeline: success}]}";
        assert_eq!(needs(waiting_or_worse, &facts()), [FactKey::Pipeline]);
        let both = "{all_of: [{unresolved_threads: {at_most: 0}}, {pipeline: success}]}";
        assert_eq!(needs(both, &facts()), [FactKey::Pipeline, FactKey::Threads], "at once");
    }

    #[test]
    fn what_is_asked_once_goes_before_what_is_asked_for_each_person() {
        let both = "{author: {groups: [g]}, changed_files: {any: [a]}}";
        assert_eq!(needs(both, &facts()), [FactKey::Code]);
        let elsewhere = Facts { code: Some(Known::Value(code(1, &["b"]))), ..facts() };
        assert_eq!(truth(both, &elsewhere), Truth::Violated, "and the group was never asked for");
        let there = Facts { code: Some(Known::Value(code(1, &["a"]))), ..facts() };
        assert_eq!(needs(both, &there).len(), 2);
        let any = "{any_of: [{author: {groups: [g]}}, {pipeline: success}]}";
        assert_eq!(needs(any, &facts()), [FactKey::Pipeline]);
    }

    #[test]
    fn a_doubled_not_keeps_which_false_it_was() {
        assert_eq!(truth("{not: {not: {draft: true}}}", &facts()), Truth::Waiting);
        assert_eq!(truth("{not: {draft: false}}", &facts()), Truth::Violated);
        assert_eq!(truth("{not: {none_of: [{draft: true}]}}", &facts()), Truth::Waiting);
    }

    #[test]
    fn a_false_any_of_waits_if_one_part_does() {
        assert_eq!(state("{any_of: [{draft: true}, {target_branch: x}]}", &facts()), RuleState::Waiting);
        assert_eq!(state("{all_of: [{draft: true}, {target_branch: x}]}", &facts()), RuleState::Violated);
        let hidden = Facts { threads: Some(unknown(true)), ..facts() };
        let any = format!("{{any_of: [{{draft: true}}, {OPEN}]}}");
        assert_eq!(state(&any, &hidden), RuleState::Unknown { curable: true });
    }

    #[test]
    fn empty_and_bottomless_operators_are_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {all_of: [], any_of: [draft], not: []}\n"), @r#"
        p.yaml:4:23: error: `all_of` is an empty list
          help: name at least one, or leave the key out
        p.yaml:4:36: error: an entry of `any_of` must be a mapping, not `draft`
          help: write conditions as keys, such as `title: {contains: fix}`, and several of them under `all_of` or `any_of`
        p.yaml:4:49: error: `not` must be a mapping, not a list
          help: write conditions as keys, such as `title: {contains: fix}`, and several of them under `all_of` or `any_of`
        "#);
        let deep = format!(
            "policy: p\nrules:\n  - id: r\n    require: {}{{draft: true}}{}\n",
            "{not: ".repeat(40),
            "}".repeat(40)
        );
        assert!(mistakes(&deep).contains("operators nest deeper than 32"));
        let deeper = format!(
            "policy: p\nrules:\n  - id: r\n    require: {}{{draft: true}}{}\n",
            "{not: ".repeat(90),
            "}".repeat(90)
        );
        assert!(mistakes(&deeper).contains("nest deeper than 64"));
    }
}
