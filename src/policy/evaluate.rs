//! One evaluation: facts in, a verdict with its reasons out, or the facts that are missing.
//!
//! Every rule of every policy that applies is settled, so that an author learns everything at once; within a rule
//! nothing is asked for that can't matter. Nothing open ever passes.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::evaluation::{
    Evaluation, PolicyEvaluation, Reason, Remedy, RuleEvaluation, RuleState, Step, Truth,
};
use super::expression::Aim;
use super::fact::{FactKey, Facts};
use super::finding::{Finding, earliest};
use super::frame::{Policy, Rule};
use super::set::PolicySet;
use super::verdict::{Ground, Tally};
use super::view::View;
use super::wording;
use crate::merge_request::CheckName;

/// Decides a check from facts, or names the facts that are missing.
pub fn evaluate(set: &PolicySet, check: &CheckName, facts: &Facts) -> Step {
    let request = &facts.merge_request;
    let policies: Vec<_> = set.applicable(check, &request.project_path, &request.target_branch).collect();
    let view = View::new(facts, set.globs());
    let mut needs = BTreeSet::new();
    let mut tally = Tally::default();
    let mut evaluated = Vec::new();
    for policy in &policies {
        let mut rules = Vec::new();
        for rule in &policy.rules {
            match settle(rule, &view) {
                Ok(settled) => {
                    tally.add(&settled.rule, settled.ground);
                    tally.recheck_at = earliest(tally.recheck_at, settled.recheck_at);
                    rules.push(settled.rule);
                }
                Err(keys) => needs.extend(keys),
            }
        }
        evaluated.push(PolicyEvaluation { policy: policy.name.clone(), rules });
    }
    if !needs.is_empty() {
        return Step::Needs(needs);
    }
    let otherwise = policies.iter().map(|policy: &&Policy| policy.otherwise).max();
    let verdict = tally.verdict(otherwise);
    let summary = wording::summary(verdict, &evaluated, otherwise, tally.ground);
    Step::Decided(Evaluation { verdict, summary, policies: evaluated, recheck_at: tally.recheck_at })
}

struct Settled {
    rule: RuleEvaluation,
    ground: Ground,
    recheck_at: Option<Timestamp>,
}

fn settle(rule: &Rule, view: &View<'_>) -> Result<Settled, BTreeSet<FactKey>> {
    let Some(when) = &rule.when else {
        let require = rule.require.evaluate(view, Aim::REQUIRE)?;
        let state = state_of(require.truth());
        return Ok(settled(rule, state, Ground::Sure, None, Some(require)));
    };
    let when = when.evaluate(view, Aim::WHEN)?;
    match when.truth() {
        Truth::True => {
            let require = rule.require.evaluate(view, Aim::REQUIRE)?;
            let state = state_of(require.truth());
            Ok(settled(rule, state, Ground::Sure, Some(when), Some(require)))
        }
        Truth::Violated | Truth::Waiting => {
            Ok(settled(rule, RuleState::Skipped, Ground::None, Some(when), None))
        }
        open @ (Truth::Unsettled | Truth::Unknown { .. }) => {
            // Which false it would be does not matter: the rule may not apply at all.
            let require = rule.require.evaluate(view, Aim { wanted: true, shades: false })?;
            let state = if require.truth() == Truth::True { RuleState::Passed } else { state_of(open) };
            Ok(settled(rule, state, Ground::Open(open), Some(when), Some(require)))
        }
    }
}

fn state_of(truth: Truth) -> RuleState {
    match truth {
        Truth::True => RuleState::Passed,
        Truth::Violated => RuleState::Violated,
        Truth::Waiting | Truth::Unsettled => RuleState::Waiting,
        Truth::Unknown { curable } => RuleState::Unknown { curable },
    }
}

fn settled(
    rule: &Rule,
    state: RuleState,
    ground: Ground,
    when: Option<Finding>,
    require: Option<Finding>,
) -> Settled {
    let findings = || when.iter().chain(&require);
    let recheck_at = findings().fold(None, |soonest, finding| earliest(soonest, finding.recheck_at));
    let remedies: Vec<Remedy> = match state {
        RuleState::Skipped | RuleState::Passed => Vec::new(),
        RuleState::Violated | RuleState::Waiting | RuleState::Unknown { .. } => {
            findings().flat_map(|finding| finding.remedies.iter().cloned()).collect()
        }
    };
    let reason = |finding: Option<Finding>| -> Option<Reason> { finding.map(|finding| finding.reason) };
    let rule = RuleEvaluation {
        id: rule.id.clone(),
        name: rule.name.clone(),
        enforce: rule.enforce,
        state,
        when: reason(when),
        require: reason(require),
        remedies,
    };
    Settled { rule, ground, recheck_at }
}
