//! What follows from an evaluation for the lane: what later ones need of it, and when the next one is due.

use std::time::Duration;

use jiff::Timestamp;

use crate::decision::{Check, Decided};
use crate::merge_request::StatusCheckId;
use crate::policy::evaluation::{Evaluation, Reason, RuleState, Truth, Verdict};
use crate::policy::fact::Known;
use crate::store::{Claim, Observations, Settlement, Shown, SightedApproval};

use super::answer::{Answer, Vocabulary, Weighed};
use super::pause::{PARKED_FOR, UNCLEAR_LOOK, next_heartbeat, pause};
use super::resources::Resources;

/// How soon a rule that waits for a pipeline or for GitLab is looked at again without any event.
pub(super) const UNSETTLED_LOOK: Duration = Duration::from_secs(120);
/// The least pause before time is looked at again: GitLab dates to the second.
pub(super) const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// How soon a heartbeat is tried again for which the budget had no room.
const LATE_HEARTBEAT: Duration = Duration::from_secs(10);

/// How a settlement ends to which something newer came.
pub(super) const SUPERSEDED: &str = "superseded";

/// A settlement that comes back after a pause.
pub(super) fn again(settled_as: &'static str, pause: Duration, now: Timestamp) -> Settlement {
    Settlement { unfinished: true, look_at: Some(now + pause), settled_as, ..Settlement::default() }
}

/// The settlement as it is before anything was said: what shows, and when to come back. What was not asked (`is_partial`) is no
/// failure.
pub(super) fn after(
    resources: &Resources,
    claim: &Claim,
    checks: &[(Check, Evaluation)],
    weighed: Vec<Weighed>,
    is_partial: bool,
) -> Settlement {
    let now = resources.clock.now();
    let mut settlement = Settlement { settled_as: "answered", ..Settlement::default() };
    for (_, evaluation) in checks {
        if let Some(at) = evaluation.recheck_at {
            settlement.recall_by(resources.on_our_clock(at).max(now + LEAST_PAUSE));
        }
        if is_unsettled(evaluation) {
            settlement.look_by(now + UNSETTLED_LOOK);
        }
    }
    let is_curable = |weighed: &Weighed| weighed.verdict == Verdict::UndecidedCurable;
    let curable = !is_partial && weighed.iter().any(is_curable);
    let unsayable = || weighed.iter().filter(|weighed| weighed.answer == Answer::Unsayable);
    // A GitLab without the word gets it with an upgrade at the earliest.
    if unsayable().any(|weighed| weighed.vocabulary == Vocabulary::OnlyPassed) {
        resources.metrics.parked.inc();
        settlement.settled_as = "unsayable";
        settlement.look_by(now + PARKED_FOR);
    }
    // A pass that stays on a merge train stays only for as long as it is on it.
    if weighed.iter().any(|weighed| weighed.on_merge_train && weighed.answer == Answer::Silence) {
        settlement.look_by(now + UNSETTLED_LOOK);
    }
    if curable || unsayable().any(|weighed| weighed.vocabulary != Vocabulary::OnlyPassed) {
        settlement.unfinished = true;
        settlement.undecided = curable;
        settlement.settled_as = "undecided";
        settlement.look_by(now + pause(claim.attempt));
    }
    settlement.statuses = weighed.into_iter().filter_map(|weighed| weighed.known).collect();
    settlement
}

/// When what was said or may have been said is to be looked at again: a heartbeat from memory, an answer of unclear
/// fate by the list of statuses, a few times until it can't arrive any more.
pub(super) fn plan_heartbeats(settlement: &mut Settlement, resources: &Resources) {
    let now = resources.clock.now();
    let statuses = std::mem::take(&mut settlement.statuses);
    for known in &statuses {
        if let Some(confirm_at) = known.confirm_at.filter(|at| *at > now) {
            let glance = confirm_at.min(now + UNCLEAR_LOOK);
            settlement.look_by(glance);
        }
        let Some(pending) = known.pending.filter(|_| known.shown == Some(Shown::PostedPending)) else {
            continue;
        };
        let next = next_heartbeat(pending.said_at).max(now + LATE_HEARTBEAT);
        if !settlement.ended && next < pending.since + resources.settings.heartbeat_for {
            settlement.recall_by(next);
        }
    }
    settlement.statuses = statuses;
}

/// What later evaluations need of this one's reads.
pub(super) fn observations(decided: &Decided) -> Observations {
    let newest = match &decided.facts.versions {
        Some(Known::Value(versions)) => versions.first().map(|version| version.id),
        _ => None,
    };
    let target = decided.facts.merge_request.target_branch.clone();
    let approvals = decided.approvals.as_ref().and_then(|read| {
        let sighted = read
            .approvals
            .iter()
            .map(|approval| SightedApproval { user: approval.user.id, not_before: approval.not_before });
        Some((read.read_at?, sighted.collect()))
    });
    Observations { version_target: newest.map(|newest| (newest, target)), approvals }
}

/// Whether a blocking rule waits for something that no person has to do. What has parts is what they make it: approvals in
/// doubt are unsettled, and wait for people.
pub(super) fn is_unsettled(evaluation: &Evaluation) -> bool {
    fn has_unsettled(reason: &Reason) -> bool {
        match reason.parts.as_slice() {
            [] => reason.truth == Truth::Unsettled,
            parts => parts.iter().any(has_unsettled),
        }
    }
    evaluation.policies.iter().flat_map(|policy| &policy.rules).any(|rule| {
        rule.state == RuleState::Waiting && rule.when.iter().chain(&rule.require).any(has_unsettled)
    })
}

/// Something newer came, or the right to speak was lost: nothing that was asked is served yet.
pub(super) fn supersede(settlement: &mut Settlement, now: Timestamp) {
    settlement.settled_as = SUPERSEDED;
    settlement.unfinished = true;
    settlement.look_by(now);
    // What was decided is not what will be said.
    settlement.revision = None;
}

/// What shows for a check is not known any more.
pub(super) fn forget(settlement: &mut Settlement, check: StatusCheckId) {
    for known in settlement.statuses.iter_mut().filter(|known| known.check == check) {
        known.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::evaluation::{Enforce, PolicyEvaluation, RuleEvaluation};

    fn reason(truth: Truth, parts: Vec<Reason>) -> Reason {
        Reason { condition: "c".to_owned(), truth, sentence: String::new(), parts }
    }

    fn waits(require: Reason) -> bool {
        let rule = RuleEvaluation {
            id: "r".to_owned(),
            name: "r".to_owned(),
            enforce: Enforce::Block,
            state: RuleState::Waiting,
            when: None,
            require: Some(require),
            remedies: Vec::new(),
        };
        let policies = vec![PolicyEvaluation { policy: "p".to_owned(), rules: vec![rule] }];
        let evaluation =
            Evaluation { policies, ..Evaluation::without_policies(Verdict::Waiting, String::new()) };
        is_unsettled(&evaluation)
    }

    #[test]
    fn a_pipeline_is_looked_at_again_and_a_doubt_that_people_must_clear_is_not() {
        let pipeline = || reason(Truth::Unsettled, vec![]);
        let in_doubt = || reason(Truth::Unsettled, vec![reason(Truth::Waiting, vec![])]);
        assert!(waits(pipeline()));
        assert!(!waits(reason(Truth::Waiting, vec![])));
        assert!(!waits(in_doubt()));
        assert!(waits(reason(Truth::Unsettled, vec![in_doubt(), pipeline()])));
        assert!(waits(reason(Truth::Waiting, vec![reason(Truth::Waiting, vec![]), pipeline()])));
        assert!(!waits(reason(Truth::Unsettled, vec![in_doubt(), reason(Truth::Waiting, vec![])])));
    }
}
