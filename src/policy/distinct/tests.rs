//! Rules with different approvers, by example and against every way in which what is open can turn out.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Seat, judge};
use crate::merge_request::{CheckName, User, UserId};
use crate::policy::condition::Approvers;
use crate::policy::evaluate;
use crate::policy::evaluation::{Evaluation, Remedy, RuleState, Step, Truth, Verdict};
use crate::policy::example::{approval, code, compile, facts, join_group, mistakes, unknown, versions};
use crate::policy::fact::{Approval, FactKey, Facts, Known, Unknown};
use crate::policy::finding::{Doubt, Finding, Stop};

const POLICY: &str = "policy: p
distinct_approvers: [b, a]
rules:
  - {id: b, require: {approvals: {count: 1, from: {groups: [gb], users: [cleo]}}}}
  - {id: a, require: {target_branch: main, approvals: {count: 1, from: {groups: [ga]}}}}
";

/// Who approved, and who is in which of the two groups.
fn approved(by: &[u64], in_a: &[u64], in_b: &[u64]) -> Facts {
    let mut facts = facts();
    facts.approvals = Some(Known::Value(by.iter().map(|id| approval(*id, 5)).collect()));
    facts.versions = Some(versions(1));
    facts.code = Some(Known::Value(code(1, &["src/a.rs"])));
    for id in 1..5 {
        join_group(&mut facts, "ga", id, in_a.contains(&id).then_some(30));
        join_group(&mut facts, "gb", id, in_b.contains(&id).then_some(30));
    }
    facts
}

fn step(text: &str, facts: &Facts) -> Step {
    evaluate(&compile(text), &CheckName::default(), facts)
}

fn decided(text: &str, facts: &Facts) -> Evaluation {
    match step(text, facts) {
        Step::Decided(evaluation) => evaluation,
        Step::Needs(keys) => panic!("needs {keys:?}"),
    }
}

fn states(text: &str, facts: &Facts) -> BTreeMap<String, RuleState> {
    let mut evaluation = decided(text, facts);
    evaluation.policies.remove(0).rules.into_iter().map(|rule| (rule.id, rule.state)).collect()
}

#[test]
fn one_person_who_could_stand_for_both_stands_for_one() {
    let facts = approved(&[2], &[2], &[2]);
    let evaluation = decided(POLICY, &facts);
    assert_eq!(evaluation.verdict, Verdict::Waiting);
    assert_eq!(
        evaluation.summary,
        "waiting: b: nobody stands for two of `a`, `b`: @ana is needed for `a`; 1 more is needed here"
    );
    let from = vec!["@cleo".to_owned(), "members of gb".to_owned()];
    assert_eq!(evaluation.policies[0].rules[0].remedies, [Remedy::Approve { missing: 1, from }]);
    let apart = POLICY.replace("distinct_approvers: [b, a]\n", "");
    assert_eq!(decided(&apart, &facts).verdict, Verdict::Passed);
    assert_eq!(decided(POLICY, &approved(&[2, 3], &[2], &[2, 3])).verdict, Verdict::Passed);
    assert_eq!(
        decided(POLICY, &approved(&[2, 3], &[2, 3], &[2])).verdict,
        Verdict::Passed,
        "@bob moves to `a`"
    );
}

#[test]
fn the_order_of_the_file_says_nothing() {
    let lines: Vec<_> = POLICY.lines().collect();
    let turned = [lines[0], "distinct_approvers: [a, b]", lines[2], lines[4], lines[3]].join("\n");
    let facts = approved(&[2], &[2], &[2]);
    let expected =
        BTreeMap::from([("a".to_owned(), RuleState::Passed), ("b".to_owned(), RuleState::Waiting)]);
    assert_eq!(states(POLICY, &facts), expected);
    assert_eq!(states(&turned, &facts), expected);
}

/// What each rule's approvals came to.
fn truths(facts: &Facts) -> Vec<Truth> {
    let mut evaluation = decided(POLICY, facts);
    let rules = evaluation.policies.remove(0).rules;
    rules.into_iter().map(|rule| rule.require.unwrap().truth).collect()
}

#[test]
fn an_approval_in_doubt_leaves_open_what_it_might_fill() {
    let undated = |id| Approval { not_before: None, ..approval(id, 0) };
    let with = |approvals: Vec<Approval>, in_a: &[u64], in_b: &[u64]| Facts {
        approvals: Some(Known::Value(approvals)),
        ..approved(&[], in_a, in_b)
    };
    let one = with(vec![approval(2, 5), undated(3)], &[2], &[3]);
    assert_eq!(truths(&one), [Truth::Unsettled, Truth::True], "@bob may stand for `b`");
    assert_eq!(decided(POLICY, &one).verdict, Verdict::Waiting);
    let apart = with(vec![approval(2, 5), undated(3)], &[2], &[]);
    assert_eq!(truths(&apart), [Truth::Waiting, Truth::True], "@bob is not one of those asked for");
    let both = with(vec![undated(2)], &[2], &[2]);
    assert_eq!(truths(&both), [Truth::Unsettled; 2], "one of the two at most, and nobody can tell which");
    assert_eq!(decided(POLICY, &both).verdict, Verdict::Waiting);
}

#[test]
fn a_rule_that_is_skipped_needs_nobody() {
    let skipped = POLICY.replace("id: a, ", "id: a, when: {draft: true}, ");
    assert_eq!(decided(&skipped, &approved(&[2], &[2], &[2])).verdict, Verdict::Passed);
    let open = POLICY.replace("id: a, ", "id: a, when: {pipeline: success}, ");
    let mut facts = approved(&[2], &[2], &[2]);
    facts.pipeline = Some(unknown(true));
    let evaluation = decided(&open, &facts);
    assert_eq!(evaluation.verdict, Verdict::UndecidedCurable);
    let b = evaluation.policies[0].rules.iter().find(|rule| rule.id == "b").unwrap();
    assert!(b.require.as_ref().unwrap().sentence.ends_with("is not known: `a` may not apply"), "{b:?}");
    facts.approvals = Some(Known::Value(vec![approval(2, 5), approval(3, 5)]));
    join_group(&mut facts, "ga", 3, Some(30));
    assert_eq!(decided(&open, &facts).verdict, Verdict::Passed, "met whether `a` applies or not");
}

#[test]
fn approvals_that_a_rule_alone_did_not_need_are_asked_for_now() {
    let mut facts = approved(&[2, 4], &[2, 4], &[2]);
    facts.group_members.get_mut("ga").unwrap().remove(&UserId::new(4));
    // @cleo is named for `b`, so nothing need be known of anybody else.
    assert_eq!(decided(POLICY, &facts).verdict, Verdict::Passed);
    facts.approvals = Some(Known::Value(vec![approval(2, 5), approval(3, 5)]));
    facts.group_members.get_mut("ga").unwrap().remove(&UserId::new(3));
    let Step::Needs(keys) = step(POLICY, &facts) else { panic!("@bob may be needed") };
    assert_eq!(keys, BTreeSet::from([FactKey::GroupMember("ga".to_owned(), UserId::new(3))]));
    for (answer, expected) in [(Some(30), Verdict::Passed), (None, Verdict::Waiting)] {
        join_group(&mut facts, "ga", 3, answer);
        assert_eq!(decided(POLICY, &facts).verdict, expected);
    }
    facts.group_members.get_mut("ga").unwrap().insert(UserId::new(3), unknown(true));
    assert_eq!(decided(POLICY, &facts).verdict, Verdict::UndecidedCurable);
}

#[test]
fn rules_that_can_t_be_kept_apart_are_refused() {
    insta::assert_snapshot!(mistakes("policy: p
distinct_approvers: [a, a, none, any, two, warn, bb]
rules:
  - {id: a, require: {approvals: 1}}
  - {id: bbb, require: {approvals: 1}}
  - {id: none, require: {draft: false}}
  - {id: any, require: {any_of: [{approvals: 1}, {draft: true}]}}
  - {id: two, require: {approvals: 1, all_of: [{approvals: 2}]}}
  - {id: warn, enforce: warn, require: {approvals: 1}}
"), @r#"
    p.yaml:2:25: error: `a` is named twice
      help: name each rule once
    p.yaml:2:28: error: `none` does not require `approvals` exactly once, whatever else holds
      help: put one `approvals` directly under its `require`, not below `any_of`, `none_of` or `not`
    p.yaml:2:34: error: `any` does not require `approvals` exactly once, whatever else holds
      help: put one `approvals` directly under its `require`, not below `any_of`, `none_of` or `not`
    p.yaml:2:39: error: `two` does not require `approvals` exactly once, whatever else holds
      help: put one `approvals` directly under its `require`, not below `any_of`, `none_of` or `not`
    p.yaml:2:44: error: `warn` is not enforced like the rules named before it
      help: one that only warns must not take people from one that blocks
    p.yaml:2:50: error: there is no rule `bb` in this policy
      help: did you mean `bbb`?
    "#);
    insta::assert_snapshot!(mistakes("policy: p\ndistinct_approvers: [a]\nrules: [{id: a, require: {approvals: 1}}]\n"), @r#"
    p.yaml:2:21: error: one rule alone always has different approvers
      help: name at least two
    "#);
}

/// A rule of which something is open: how many it needs, who counts, who may, who is in doubt, who anybody else is, whether it
/// applies.
#[derive(Debug, Clone)]
struct Sketch {
    count: usize,
    certain: BTreeSet<u64>,
    open: BTreeSet<u64>,
    doubtful: BTreeSet<u64>,
    hidden: bool,
    may_not_apply: bool,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let people = || prop::collection::btree_set(1_u64..5, 0..3);
    let rarely = || prop::bool::weighted(0.15);
    (1_usize..3, people(), people(), people(), rarely(), rarely()).prop_map(
        |(count, certain, open, doubtful, hidden, may_not_apply)| Sketch {
            count,
            doubtful: &(&doubtful - &certain) - &open,
            open: &open - &certain,
            certain,
            hidden,
            may_not_apply,
        },
    )
}

fn seat(index: usize, sketch: &Sketch) -> Seat {
    let unknown = Stop::Unknown(Unknown { why: "hidden".to_owned(), curable: true });
    let id = |id: &u64| UserId::new(*id);
    let user = |one: &u64| User { id: id(one), username: format!("u{one}") };
    let doubt = Doubt { why: "edited".to_owned(), mend: None };
    Seat {
        rule: format!("r{index}"),
        open_when: sketch.may_not_apply.then_some(Truth::Unsettled),
        approvers: Approvers {
            count: sketch.count,
            from: vec![],
            certain: sketch.certain.iter().map(|one| (id(one), user(one))).collect(),
            doubtful: sketch.doubtful.iter().map(|one| (id(one), (user(one), doubt.clone()))).collect(),
            open: sketch.open.iter().map(|one| (id(one), unknown.clone())).collect(),
            hidden: sketch.hidden.then(|| unknown.clone()),
        },
    }
}

/// What it comes to for each rule: its own count and what `judge` adds; a rule alone is settled by its own count.
fn outcome(sketches: &[Sketch]) -> BTreeMap<String, Truth> {
    let seats: Vec<_> = sketches.iter().enumerate().map(|(index, sketch)| seat(index, sketch)).collect();
    let found = judge(seats.clone()).unwrap();
    let own = |seat: &Seat| match &seat.approvers {
        approvers if approvers.certain.len() >= approvers.count => Truth::True,
        approvers
            if approvers.hidden.is_some()
                || approvers.certain.len() + approvers.open.len() >= approvers.count =>
        {
            Truth::Unknown { curable: true }
        }
        approvers
            if approvers.certain.len() + approvers.open.len() + approvers.doubtful.len()
                >= approvers.count =>
        {
            Truth::Unsettled
        }
        _ => Truth::Waiting,
    };
    let truth =
        |seat: &Seat| Truth::all(found.get(&seat.rule).into_iter().map(Finding::truth).chain([own(seat)]));
    seats.iter().map(|seat| (seat.rule.clone(), truth(seat))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the open turns out, what was settled stays so; and it passes exactly if there are enough different people.
    #[test]
    fn more_knowledge_never_overturns(
        sketches in prop::collection::vec(sketch(), 2..4), answers in any::<u64>(),
    ) {
        let mut bits = answers;
        let mut bit = || { let one = bits & 1 == 1; bits = bits.rotate_right(1); one };
        let known: Vec<_> = sketches
            .iter()
            .map(|sketch| {
                let mut certain = sketch.certain.clone();
                certain.extend(sketch.open.iter().chain(&sketch.doubtful).filter(|_| bit()));
                if sketch.hidden {
                    certain.extend((1..7).filter(|_| bit()));
                }
                let applies = !sketch.may_not_apply || bit();
                let known = Sketch { certain, open: BTreeSet::new(), doubtful: BTreeSet::new(), hidden: false, may_not_apply: false, ..*sketch };
                (known, applies)
            })
            .collect();
        let before = outcome(&sketches);
        let applying: Vec<_> = known.iter().enumerate().filter(|(_, (_, applies))| *applies).collect();
        let seats: Vec<_> = applying.iter().map(|(index, (sketch, _))| seat(*index, sketch)).collect();
        let found = judge(seats.clone()).unwrap();
        let mut all_met = true;
        for seat in &seats {
            let own = seat.approvers.certain.len() >= seat.approvers.count;
            let met = own && found.get(&seat.rule).is_none_or(|finding| finding.truth() == Truth::True);
            all_met &= met;
            match before[&seat.rule] {
                Truth::True => prop_assert!(met, "{} was met", seat.rule),
                Truth::Waiting => prop_assert!(!met, "{} was not", seat.rule),
                _ => {}
            }
        }
        let enough = enough(&applying.iter().map(|(_, (sketch, _))| sketch).collect::<Vec<_>>());
        prop_assert_eq!(all_met, enough);
    }
}

/// Whether different people can stand for every rule, found by trying all.
fn enough(sketches: &[&Sketch]) -> bool {
    fn fill(slots: &[&BTreeSet<u64>], taken: &mut BTreeSet<u64>) -> bool {
        let Some((first, rest)) = slots.split_first() else { return true };
        first.iter().any(|person| {
            taken.insert(*person) && {
                let filled = fill(rest, taken);
                taken.remove(person);
                filled
            }
        })
    }
    let slots: Vec<_> =
        sketches.iter().flat_map(|sketch| std::iter::repeat_n(&sketch.certain, sketch.count)).collect();
    fill(&slots, &mut BTreeSet::new())
}
