//! What follows from an evaluation for the lane: what later ones need of it, and when the next one is due.

use std::time::Duration;

use jiff::Timestamp;

use crate::decision::Decided;
use crate::merge_request::StatusCheckId;
use crate::policy::evaluation::{Evaluation, Reason, RuleState, Truth};
use crate::policy::fact::Known;
use crate::store::{Observations, Settlement, SightedApproval};

/// How soon a rule that waits for a pipeline or for GitLab is looked at again without any event.
pub(super) const UNSETTLED_LOOK: Duration = Duration::from_secs(120);
/// The least pause before time is looked at again: GitLab dates to the second.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// A settlement that comes back after a pause.
pub(super) fn again(settled_as: &'static str, pause: Duration) -> Settlement {
    let next = Some(Timestamp::now() + pause);
    Settlement { unfinished: true, next, settled_as, ..Settlement::default() }
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

/// Whether a blocking rule waits for something that no person has to do.
pub(super) fn is_unsettled(evaluation: &Evaluation) -> bool {
    fn has_unsettled(reason: &Reason) -> bool {
        reason.truth == Truth::Unsettled || reason.parts.iter().any(has_unsettled)
    }
    evaluation.policies.iter().flat_map(|policy| &policy.rules).any(|rule| {
        rule.state == RuleState::Waiting && rule.when.iter().chain(&rule.require).any(has_unsettled)
    })
}

/// When, on our clock, an instant on GitLab's comes: were ours ahead, the lane would run each second until it came.
pub(super) fn wake_at(at: Timestamp, gitlab_now: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let ahead = gitlab_now.map_or(jiff::SignedDuration::ZERO, |gitlab_now| now.duration_since(gitlab_now));
    at.checked_add(ahead).unwrap_or(at).max(now + LEAST_PAUSE)
}

/// The earlier of two instants.
pub(super) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Something newer came, or the right to speak was lost: nothing that was asked is served yet.
pub(super) fn supersede(settlement: &mut Settlement) {
    settlement.settled_as = "superseded";
    settlement.unfinished = true;
    settlement.next = earliest(settlement.next, Some(Timestamp::now()));
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

    #[test]
    fn an_instant_on_gitlabs_clock_is_awaited_by_ours() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        assert_eq!(wake_at(at(60), Some(at(0)), at(300)), at(360), "ours is ahead");
        assert_eq!(wake_at(at(60), Some(at(300)), at(0)), at(1), "ours is behind, and the instant is over");
        assert_eq!(wake_at(at(600), Some(at(300)), at(0)), at(300));
        assert_eq!(wake_at(at(60), None, at(0)), at(60));
    }
}
