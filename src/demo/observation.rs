//! What happened since the last look: read from the simulator and the decision log, not from the story.

use std::collections::BTreeSet;

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
    let record: serde_json::Value = serde_json::from_slice(&decision.record).unwrap_or_default();
    let summary = record.pointer("/evaluation/summary").and_then(serde_json::Value::as_str);
    let summary = summary.unwrap_or_default();
    if summary.starts_with(&decision.verdict) {
        return summary.to_owned();
    }
    format!("{}: {summary}", decision.verdict)
}

fn decided(decision: &StoredDecision) -> Decided {
    let record: serde_json::Value = serde_json::from_slice(&decision.record).unwrap_or_default();
    let meant = record.get("answer").and_then(serde_json::Value::as_str);
    let said = match (decision.answers.last(), meant) {
        (Some(answer), _) => {
            let reply = Some(answer.reply.clone()).filter(|reply| reply != "taken");
            Said::Posted(answer.status.clone(), reply)
        }
        (None, Some(meant)) => Said::Superseded(meant.to_owned()),
        (None, None) => Said::Nothing,
    };
    Decided { sentence: sentence(decision), said }
}

fn asked(calls: &[ApiCall]) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    for call in calls {
        let Some(what) = in_words(&call.route) else { continue };
        let failure = match call.outcome {
            // A 404 is an answer too: "no such member".
            CallOutcome::Answered(status) if status >= 400 && status != 404 => Some(status),
            _ => None,
        };
        if let Some(known) = asked.iter_mut().find(|asked| asked.what == what) {
            known.count += 1;
            known.failures.extend(failure);
        } else {
            asked.push(Asked { what, count: 1, failures: failure.into_iter().collect() });
        }
    }
    asked
}

/// What a call asks for; none for an answer, which stands in a line of its own.
fn in_words(route: &str) -> Option<&'static str> {
    let what = match route {
        "GET /version" | "GET /metadata" => "GitLab's version",
        "GET /users" => "user by email",
        "GET /groups/:id" => "group",
        "GET /groups/:id/members/all/:user_id" => "group member",
        "GET /projects/:id/members/all/:user_id" => "project member",
        "GET /projects/:id/repository/commits/:sha" => "commit",
        _ => match route.split_once("/merge_requests/:iid") {
            Some(("GET /projects/:id", "")) => "merge request",
            Some(("GET /projects/:id", "/status_checks")) => "status checks",
            Some(("GET /projects/:id", "/versions")) => "versions",
            Some(("GET /projects/:id", "/versions/:version_id")) => "diff of a version",
            Some(("GET /projects/:id", "/approvals")) => "approvals",
            Some(("GET /projects/:id", "/pipelines")) => "pipelines",
            Some(("GET /projects/:id", "/discussions")) => "threads",
            Some(("POST /projects/:id", "/status_check_responses")) => return None,
            _ => "something else",
        },
    };
    Some(what)
}
