//! One evaluation: facts in, a verdict with its reasons out, or the facts that are missing.
//!
//! Every rule of every policy that applies is settled, so that an author learns everything at once; within a rule
//! nothing is asked for that can't matter. Nothing open ever passes.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::clause::Aim;
use super::distinct::{self, Seat};
use super::evaluation::{
    Evaluation, PolicyEvaluation, Reason, Remedy, RuleEvaluation, RuleState, Step, Truth,
};
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
        match look(policy, &view) {
            Ok(looks) => {
                for settled in looks.into_iter().map(settle) {
                    tally.add(&settled.rule, settled.ground);
                    tally.recheck_at = earliest(tally.recheck_at, settled.recheck_at);
                    rules.push(settled.rule);
                }
            }
            Err(keys) => needs.extend(keys),
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

/// What the parts of one rule came to.
struct Look<'a> {
    rule: &'a Rule,
    when: Option<Finding>,
    require: Option<Finding>,
}

impl Look<'_> {
    /// Whether it is open if the rule applies; none where it is not.
    fn open_when(&self) -> Option<Truth> {
        self.when.as_ref().map(Finding::truth).filter(|truth| truth.is_open())
    }
}

struct Settled {
    rule: RuleEvaluation,
    ground: Ground,
    recheck_at: Option<Timestamp>,
}

/// Looks at every rule of a policy, and at those together whose approvers must be distinct.
fn look<'a>(policy: &'a Policy, view: &View<'_>) -> Result<Vec<Look<'a>>, BTreeSet<FactKey>> {
    let mut needs = BTreeSet::new();
    let mut looks = Vec::new();
    for rule in &policy.rules {
        match look_at(rule, view) {
            Ok(look) => looks.push(look),
            Err(keys) => needs.extend(keys),
        }
    }
    if !needs.is_empty() {
        return Err(needs);
    }
    keep_apart(policy, &mut looks, view)?;
    Ok(looks)
}

/// Nobody stands for two of the rules that are to be approved by different people. Rules that are skipped need nobody.
fn keep_apart(policy: &Policy, looks: &mut [Look<'_>], view: &View<'_>) -> Result<(), BTreeSet<FactKey>> {
    let concerned = |look: &Look<'_>| policy.distinct.contains(&look.rule.id) && look.require.is_some();
    let seats = looks.iter().filter(|look| concerned(look)).filter_map(|look| {
        let approvers = look.rule.require.sole_approvals()?.approvers(view)?;
        Some(Seat { rule: look.rule.id.clone(), open_when: look.open_when(), approvers })
    });
    let mut findings = distinct::judge(seats.collect())?;
    for look in looks {
        if let Some(finding) = findings.remove(&look.rule.id) {
            look.require = look.require.take().map(|require| require.and(finding));
        }
    }
    Ok(())
}

fn look_at<'a>(rule: &'a Rule, view: &View<'_>) -> Result<Look<'a>, BTreeSet<FactKey>> {
    let when = match &rule.when {
        Some(when) => Some(when.evaluate(view, Aim::WHEN)?),
        None => None,
    };
    let aim = match when.as_ref().map(Finding::truth) {
        None | Some(Truth::True) => Aim::REQUIRE,
        Some(Truth::Violated | Truth::Waiting) => return Ok(Look { rule, when, require: None }),
        // Which false it would be does not matter: the rule may not apply at all.
        Some(Truth::Unsettled | Truth::Unknown { .. }) => Aim { wanted: true, shades: false },
    };
    let require = Some(rule.require.evaluate(view, aim)?);
    Ok(Look { rule, when, require })
}

fn settle(look: Look<'_>) -> Settled {
    let (state, ground) = match (&look.require, look.open_when()) {
        (None, _) => (RuleState::Skipped, Ground::None),
        (Some(require), None) => (state_of(require.truth()), Ground::Sure),
        // The rule is met if it does not apply or holds anyway: what is more doubtful of the two decides.
        (Some(require), Some(open)) => (state_of(Truth::any([open, require.truth()])), Ground::Open(open)),
    };
    settled(look.rule, state, ground, look.when, look.require)
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

#[cfg(test)]
mod tests {
    use crate::merge_request::CheckName;
    use crate::policy::evaluation::{RuleState, Step, Verdict};
    use crate::policy::example::{compile, facts, unknown};
    use crate::policy::fact::{Facts, Known, Pipeline};
    use crate::policy::{Evaluation, PolicySet, PolicySource, evaluate};

    fn decide(set: &PolicySet, facts: &Facts) -> Evaluation {
        match evaluate(set, &CheckName::default(), facts) {
            Step::Decided(evaluation) => evaluation,
            Step::Needs(keys) => panic!("needs {keys:?}"),
        }
    }

    fn verdict(rules: &str, facts: &Facts) -> (Verdict, String) {
        let evaluation = decide(&compile(&format!("policy: p\n{rules}")), facts);
        (evaluation.verdict, evaluation.summary)
    }

    fn told(verdict: Verdict, summary: &str) -> (Verdict, String) {
        (verdict, summary.to_owned())
    }

    #[test]
    fn the_worst_blocking_rule_decides() {
        let facts = Facts { threads: Some(unknown(true)), ..facts() };
        let (pass, wait, fail) = ("{target_branch: main}", "{draft: true}", "{target_branch: x}");
        let doubt = "{unresolved_threads: {at_most: 0}}";
        for (rules, expected) in [
            (vec![pass], Verdict::Passed),
            (vec![pass, wait], Verdict::Waiting),
            (vec![wait, doubt, pass], Verdict::UndecidedCurable),
            (vec![doubt, fail, wait], Verdict::Failed),
        ] {
            let rules: Vec<_> = rules
                .iter()
                .enumerate()
                .map(|(id, rule)| format!("{{id: r{id}, require: {rule}}}"))
                .collect();
            assert_eq!(verdict(&format!("rules: [{}]", rules.join(", ")), &facts).0, expected);
        }
    }

    #[test]
    fn rules_that_do_not_block_are_shown_and_do_not_decide() {
        let rules = "rules:\n  - {id: a, require: {target_branch: main}}\n  - {id: b, enforce: warn, require: {target_branch: x}}\n  - {id: c, enforce: shadow, require: {target_branch: x}}\n";
        assert_eq!(verdict(rules, &facts()), told(Verdict::Passed, "the one rule that applies is met"));
        let only_advice = "rules: [{id: b, enforce: warn, require: {target_branch: main}}]";
        assert_eq!(verdict(only_advice, &facts()).0, Verdict::Failed, "advice alone is no ground to pass");
    }

    #[test]
    fn when_no_rule_applies_the_strictest_otherwise_decides() {
        let rules = "rules: [{id: a, when: {target_branch: x}, require: {draft: false}}]";
        let of = |otherwise: &str| verdict(&format!("otherwise: {otherwise}\n{rules}"), &facts());
        assert_eq!(of("pass"), told(Verdict::Passed, "no rule applies, and the policies let that pass"));
        assert_eq!(of("wait"), told(Verdict::Waiting, "no rule applies, and the policies let that wait"));
        assert_eq!(
            of("fail"),
            told(Verdict::Failed, "no rule applies, and the policies do not let that pass")
        );
        assert_eq!(verdict(rules, &facts()).0, Verdict::Failed);
        let sources = ["pass", "wait"].map(|otherwise| PolicySource {
            path: otherwise.to_owned(),
            text: format!("policy: {otherwise}\notherwise: {otherwise}\n{rules}"),
        });
        assert_eq!(decide(&PolicySet::compile(&sources).unwrap(), &facts()).verdict, Verdict::Waiting);
    }

    #[test]
    fn silence_is_never_a_pass() {
        let silent = told(Verdict::Failed, "no policy speaks for this merge request");
        for scope in ["checks: [other]", "projects: [other/**]", "target_branches: [\"!main\"]"] {
            let rules = format!(
                "otherwise: pass\napplies_to: {{{scope}}}\nrules: [{{id: a, require: {{draft: false}}}}]"
            );
            assert_eq!(verdict(&rules, &facts()), silent, "{scope}");
        }
        let empty = decide(&PolicySet::compile(&[]).unwrap(), &facts());
        assert_eq!((empty.verdict, empty.summary), silent);
        let fits = "applies_to: {checks: [\"counter*\"], projects: [\"shop/*\"], target_branches: [main]}\nrules: [{id: a, require: {draft: false}}]";
        assert_eq!(verdict(fits, &facts()).0, Verdict::Passed);
    }

    #[test]
    fn an_open_when_passes_nothing() {
        let pipeline = Pipeline {
            id: 1,
            status: "running".to_owned(),
            sha: crate::policy::example::sha('b'),
            r#ref: "x".to_owned(),
            project: None,
        };
        let running = Facts { pipeline: Some(Known::Value(Some(pipeline))), ..facts() };
        let hidden = Facts { pipeline: Some(unknown(false)), ..facts() };
        let rule =
            |require: &str| format!("rules: [{{id: a, when: {{pipeline: success}}, require: {require}}}]");
        let (met, unmet) = (rule("{draft: false}"), rule("{draft: true}"));
        assert_eq!(verdict(&unmet, &running).0, Verdict::Waiting);
        assert_eq!(verdict(&unmet, &hidden).0, Verdict::UndecidedIncurable);
        assert_eq!(verdict(&met, &running).0, Verdict::Waiting, "it may not apply, and then nothing does");
        assert_eq!(verdict(&met, &hidden).0, Verdict::UndecidedIncurable);
        assert_eq!(
            verdict(&format!("otherwise: pass\n{met}"), &hidden).0,
            Verdict::Passed,
            "either way it passes"
        );
        let beside = met.replace("[{id: a", "[{id: z, require: {draft: false}}, {id: a");
        assert_eq!(
            verdict(&beside, &hidden).0,
            Verdict::Passed,
            "another rule applies, and this one is met anyway"
        );
    }

    #[test]
    fn a_skipped_rule_never_looks_at_what_it_requires() {
        let rules =
            "otherwise: pass\nrules: [{id: a, when: {target_branch: x}, require: {pipeline: success}}]";
        let evaluation = decide(&compile(&format!("policy: p\n{rules}")), &facts());
        let rule = &evaluation.policies[0].rules[0];
        assert_eq!((rule.state, &rule.require), (RuleState::Skipped, &None));
        assert_eq!(rule.when.as_ref().unwrap().sentence, "the target branch `main` is not one of `x`");
    }
}
