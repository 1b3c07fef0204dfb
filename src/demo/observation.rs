//! What happened since the last look: read from the simulator and the decision log, not from the story.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::DemoError;
use super::stage::Stage;
use crate::merge_request::MergeRequestRef;
use crate::simulator::{ApiCall, CallOutcome, CheckStatus, DeliveryState};
use crate::store::StoredDecision;

/// How far was looked already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    calls: usize,
    deliveries: usize,
    decision: i64,
}

/// What happened to one merge request.
#[derive(Debug)]
pub(super) struct Observation {
    /// What GitLab was asked, in words, each with how often; answers left out.
    pub(super) asked: Vec<Asked>,
    /// The verdicts, oldest first.
    pub(super) decisions: Vec<Decided>,
    /// What deliveries were refused with.
    pub(super) refused: Vec<u16>,
    /// What GitLab shows now.
    pub(super) shown: CheckStatus,
}

/// Calls of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// In a word or two.
    pub(super) what: &'static str,
    /// How often.
    pub(super) count: usize,
    /// What GitLab answered instead of what was asked for.
    pub(super) failures: BTreeSet<u16>,
}

/// A verdict in a sentence, and what was said.
#[derive(Debug)]
pub(super) struct Decided {
    /// Which verdict, and why.
    pub(super) sentence: String,
    /// Approvals that do not count, each with its reason.
    pub(super) discounted: Vec<String>,
    /// What was said.
    pub(super) said: Said,
}

/// What was said to GitLab.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// This, and GitLab's reply unless it simply took it.
    Posted(String, Option<String>),
    /// This was meant and not said: something newer had come.
    Superseded(String),
    /// Nothing.
    Nothing,
}

impl Mark {
    /// Everything that was there before.
    pub(super) fn now(stage: &Stage) -> Self {
        let (calls, deliveries) = (stage.gitlab.calls().len(), stage.gitlab.deliveries().len());
        Self { calls, deliveries, decision: 0 }
    }

    /// What happened since, and how far was looked now.
    pub(super) async fn observe(
        self,
        stage: &Stage,
        which: MergeRequestRef,
    ) -> Result<(Observation, Self), DemoError> {
        let (calls, deliveries) = (stage.gitlab.calls(), stage.gitlab.deliveries());
        let decisions = stage.decisions(which).await?;
        let refusal = |state: &DeliveryState| match state {
            DeliveryState::Answered(status @ 400..) => Some(*status),
            _ => None,
        };
        let new = decisions.iter().filter(|decision| decision.id > self.decision);
        let observation = Observation {
            asked: asked(calls.get(self.calls..).unwrap_or_default()),
            decisions: new.map(decided).collect(),
            refused: deliveries
                .iter()
                .skip(self.deliveries)
                .filter_map(|delivery| refusal(&delivery.state))
                .collect(),
            shown: stage.shown(which)?,
        };
        let decision = decisions.last().map_or(self.decision, |decision| decision.id.max(self.decision));
        Ok((observation, Self { calls: calls.len(), deliveries: deliveries.len(), decision }))
    }
}

/// The verdict of a decision in one sentence.
pub(super) fn sentence(decision: &StoredDecision) -> String {
    let record: Value = serde_json::from_slice(&decision.record).unwrap_or_default();
    let summary = record.pointer("/evaluation/summary").and_then(Value::as_str);
    let summary = summary.unwrap_or_default();
    if summary.starts_with(&decision.verdict) {
        return summary.to_owned();
    }
    format!("{}: {summary}", decision.verdict)
}

fn decided(decision: &StoredDecision) -> Decided {
    let record: Value = serde_json::from_slice(&decision.record).unwrap_or_default();
    let meant = record.get("answer").and_then(Value::as_str);
    let said = match (decision.answers.last(), meant) {
        (Some(answer), _) => {
            let reply = Some(answer.reply.clone()).filter(|reply| reply != "taken");
            Said::Posted(answer.status.clone(), reply)
        }
        (None, Some(meant)) => Said::Superseded(meant.to_owned()),
        (None, None) => Said::Nothing,
    };
    Decided { sentence: sentence(decision), discounted: discounted(&record), said }
}

/// What calls ask for, in the order in which they are told: those made at the same time have none.
const KINDS: [(&str, &str); 16] = [
    ("GET /version", "GitLab's version"),
    ("GET /metadata", "GitLab's version"),
    ("GET /projects", "projects"),
    ("GET /projects/:id/merge_requests", "what changed"),
    ("GET /projects/:id/merge_requests/:iid", "merge request"),
    ("GET /projects/:id/merge_requests/:iid/status_checks", "status checks"),
    ("GET /projects/:id/merge_requests/:iid/versions", "versions"),
    ("GET /projects/:id/merge_requests/:iid/versions/:version_id", "diff of a version"),
    ("GET /projects/:id/merge_requests/:iid/discussions", "threads"),
    ("GET /projects/:id/merge_requests/:iid/pipelines", "pipelines"),
    ("GET /projects/:id/merge_requests/:iid/approvals", "approvals"),
    ("GET /users", "user by email"),
    ("GET /projects/:id/members/all/:user_id", "project member"),
    ("GET /groups/:id", "group"),
    ("GET /groups/:id/members/all/:user_id", "group member"),
    ("GET /projects/:id/repository/commits/:sha", "commit"),
];
/// The one call that is no question; the timeline has a line of its own for it.
const ANSWER: &str = "POST /projects/:id/merge_requests/:iid/status_check_responses";

fn asked(calls: &[ApiCall]) -> Vec<Asked> {
    let mut asked: BTreeMap<usize, Asked> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.route != ANSWER) {
        let rank = KINDS.iter().position(|(route, _)| *route == call.route).unwrap_or(KINDS.len());
        let what = KINDS.get(rank).map_or("something else", |(_, what)| *what);
        let entry = asked.entry(rank).or_insert(Asked { what, count: 0, failures: BTreeSet::new() });
        entry.count += 1;
        match call.outcome {
            // A 404 is an answer too: "no such member".
            CallOutcome::Answered(status) if status >= 400 && status != 404 => {
                entry.failures.insert(status);
            }
            CallOutcome::Answered(_) | CallOutcome::Reset | CallOutcome::UnderWay => {}
        }
    }
    asked.into_values().collect()
}

/// Why approvals do not count, of the rules that wait.
fn discounted(record: &Value) -> Vec<String> {
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let evaluation = record.get("evaluation").unwrap_or(&Value::Null);
    let policies = list(evaluation, "policies");
    let rules = policies.iter().flat_map(|policy| list(policy, "rules"));
    let waiting = rules.filter(|rule| rule.get("state").is_some_and(|state| state == "waiting"));
    let reasons = waiting.filter_map(|rule| rule.get("require").cloned());
    let approvals = reasons.filter(|reason| reason.get("condition").is_some_and(|name| name == "approvals"));
    let parts = approvals.flat_map(|reason| list(&reason, "parts"));
    parts.filter_map(|part| part.get("sentence").and_then(Value::as_str).map(str::to_owned)).collect()
}
