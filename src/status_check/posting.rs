//! One answer on its way to GitLab, and what became of it.
//!
//! An answer is said once and never repeated here: between two tries the right one may change, so whoever decides
//! decides again. What may have taken effect although nobody said so stays in doubt for a while.

use std::time::Duration;

use jiff::Timestamp;

use crate::gitlab::{Error, Status};
use crate::merge_request::{CheckName, CommitSha, StatusCheckId};
use crate::store::{Claim, NewAnswer, Settlement, Shown, UNCLEAR_FOR, Work};
use crate::telemetry::Telling;

use super::pause::{PARKED_FOR, pause};
use super::resources::Resources;

/// An answer that is about to leave.
pub(super) struct Saying<'a> {
    pub(super) sha: &'a CommitSha,
    pub(super) check: StatusCheckId,
    pub(super) name: &'a CheckName,
    pub(super) status: Status,
    /// The decision's number.
    pub(super) decision: i64,
    /// Whether GitLab lists the check now, as opposed to being remembered to have listed it.
    pub(super) listed: bool,
}

/// What became of an answer.
pub(super) struct Outcome {
    shown: Option<Shown>,
    answer: NewAnswer,
    /// Whether it may still take effect.
    unclear: bool,
    /// When to come back, if the answer did not take effect as meant.
    again: Option<Duration>,
    /// Whether the same may be said then: nothing that GitLab is asked would change it.
    as_before: bool,
}

/// Says it to GitLab, once, and tells what became of it.
pub(super) async fn post(resources: &Resources, claim: &Claim, saying: Saying<'_>) -> Outcome {
    let Saying { sha, check, name, status, decision, listed } = saying;
    let sent_at = resources.clock.now();
    let gitlab = &resources.decider.gitlab;
    let result = gitlab.respond(claim.merge_request, check, sha, status).await;
    let reply = match &result {
        Ok(()) => "taken".to_owned(),
        Err(error) => error.to_string(),
    };
    let answer = NewAnswer {
        decision,
        status: status.as_str(),
        sent_at,
        replied_at: resources.clock.now(),
        reply: reply.clone(),
    };
    let (project, iid, sha) = (claim.merge_request.project, claim.merge_request.iid, sha.short());
    let metrics = &resources.metrics;
    let error = match result {
        Ok(()) => {
            metrics.count_answer(status.as_str());
            tracing::info!(%project, %iid, sha, check = %name, status = status.as_str(), "answered");
            let shown = match status {
                Status::Passed => Shown::Passed,
                Status::Failed => Shown::Failed,
                Status::Pending => Shown::PostedPending,
            };
            return Outcome { shown: Some(shown), answer, unclear: false, again: None, as_before: false };
        }
        Err(error) => error,
    };
    if let Some(Telling { left_out }) = resources.lines.unanswered.tell(resources.clock.now()) {
        let status = status.as_str();
        tracing::warn!(%project, %iid, sha, check = %name, status, %reply, left_out, "not answered");
    }
    let pause = after_refusal(resources, claim, &error, listed).await;
    let as_before = error.is_curable();
    Outcome { shown: None, answer, unclear: error.is_unclear(), again: Some(pause), as_before }
}

/// How long to wait after an answer that did not take effect as meant, or whose fate is unclear.
async fn after_refusal(resources: &Resources, claim: &Claim, error: &Error, listed: bool) -> Duration {
    let metrics = &resources.metrics;
    match error {
        Error::HeadMoved { .. } => {
            metrics.count_answer("superseded");
            // The new head is looked at once; a GitLab that goes on naming another one is given time.
            if claim.attempt <= 2 { Duration::ZERO } else { pause(claim.attempt - 2) }
        }
        Error::RateLimited { .. } | Error::HeldBack { .. } => {
            metrics.count_answer("refused");
            error.retry_after().unwrap_or_else(|| pause(claim.attempt))
        }
        Error::Unavailable { .. } | Error::NoAnswer { .. } | Error::Malformed { .. } => {
            metrics.count_answer("unclear");
            error.retry_after().unwrap_or_else(|| pause(claim.attempt))
        }
        // The check may be gone or may apply no more: the list tells.
        Error::NotFound { .. } if !listed => {
            metrics.count_answer("refused");
            Duration::ZERO
        }
        Error::Unauthorized { .. }
        | Error::Forbidden { .. }
        | Error::NotFound { .. }
        | Error::Redirected { .. }
        | Error::Refused { .. } => {
            metrics.count_answer("refused");
            metrics.parked.inc();
            if matches!(error, Error::NotFound { .. } | Error::Refused { status: 400, .. }) {
                resources.version.doubt().await;
            }
            PARKED_FOR
        }
    }
}

/// Puts what became of an answer into the settlement. What was said by memory can be said again by memory, before GitLab is
/// asked if that has to wait.
pub(super) fn take_in(
    settlement: &mut Settlement,
    work: Work,
    check: StatusCheckId,
    outcome: Outcome,
    now: Timestamp,
) {
    for known in settlement.statuses.iter_mut().filter(|known| known.check == check) {
        known.shown = outcome.shown;
        if outcome.unclear {
            known.confirm_at = Some(now + UNCLEAR_FOR);
        }
    }
    settlement.answers.push(outcome.answer);
    if let Some(pause) = outcome.again {
        settlement.unfinished = true;
        settlement.settled_as = "not answered";
        settlement.look_by(now + pause);
        if work == Work::Recall && outcome.as_before {
            settlement.recall_by(now + pause);
        }
        settlement.revision = None;
    }
}
