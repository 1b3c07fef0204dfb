//! The verdict in one sentence: what is missing, in the words of the rules.

use super::evaluation::{Enforce, PolicyEvaluation, Reason, RuleEvaluation, RuleState, Truth, Verdict};
use super::frame::Otherwise;
use super::verdict::Ground;

/// Rules named in the sentence; more are counted.
const SHOWN: usize = 3;

/// Writes the summary of an evaluation.
pub(super) fn summary(
    verdict: Verdict,
    policies: &[PolicyEvaluation],
    otherwise: Option<Otherwise>,
    ground: Ground,
) -> String {
    if otherwise.is_none() {
        return "no policy speaks for this merge request".to_owned();
    }
    let rules: Vec<_> = policies
        .iter()
        .flat_map(|policy| &policy.rules)
        .filter(|rule| rule.enforce == Enforce::Block)
        .collect();
    let open = listed(&rules);
    match verdict {
        Verdict::Passed => match rules.iter().filter(|rule| rule.state == RuleState::Passed).count() {
            0 => "no rule applies, and the policies let that pass".to_owned(),
            1 => "the one rule that applies is met".to_owned(),
            count => format!("all {count} rules that apply are met"),
        },
        Verdict::Failed if open.is_empty() => {
            "no rule applies, and the policies do not let that pass".to_owned()
        }
        Verdict::Waiting if open.is_empty() && ground == Ground::None => {
            "no rule applies, and the policies let that wait".to_owned()
        }
        Verdict::Failed => format!("not met: {open}"),
        Verdict::Waiting if open.is_empty() => "it is not settled yet whether a rule applies".to_owned(),
        Verdict::Waiting => format!("waiting: {open}"),
        Verdict::UndecidedCurable | Verdict::UndecidedIncurable if open.is_empty() => {
            "it could not be decided whether a rule applies".to_owned()
        }
        Verdict::UndecidedCurable | Verdict::UndecidedIncurable => format!("could not be decided: {open}"),
    }
}

/// The rules that are not met, the worst first, each with its reason.
fn listed(rules: &[&RuleEvaluation]) -> String {
    let rank = |rule: &&&RuleEvaluation| match rule.state {
        RuleState::Violated => 0,
        RuleState::Unknown { .. } => 1,
        RuleState::Waiting => 2,
        RuleState::Passed | RuleState::Skipped => 3,
    };
    let mut unmet: Vec<_> = rules.iter().filter(|rule| rank(rule) < 3).collect();
    unmet.sort_by_key(rank);
    let sentences: Vec<_> =
        unmet.iter().take(SHOWN).map(|rule| format!("{}: {}", rule.name, rule.why())).collect();
    match unmet.len().saturating_sub(SHOWN) {
        0 => sentences.join("; "),
        more => format!("{}; and {more} more", sentences.join("; ")),
    }
}

impl RuleEvaluation {
    /// The sentence that made the rule what it is: that of `when` while it is open whether the rule applies.
    pub fn why(&self) -> &str {
        let open_when = self.when.as_ref().filter(|when| when.truth.is_open());
        open_when.or(self.require.as_ref()).map_or("", |reason| culprit(reason).sentence.as_str())
    }
}

/// What could not be had, however deep it lies below an unknown reason; the reason itself for any other truth.
fn culprit(reason: &Reason) -> &Reason {
    let is_unknown = |reason: &&Reason| matches!(reason.truth, Truth::Unknown { .. });
    let part = Some(reason).filter(is_unknown).and_then(|reason| reason.parts.iter().find(is_unknown));
    part.map_or(reason, culprit)
}
