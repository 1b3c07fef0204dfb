//! Each condition once over real HTTP: the simulator holds the state, the real client reads it, the real evaluation
//! decides, and the calls are counted.

mod absent;
mod approvals;
mod code;
mod delivery;
mod expression;
mod memberships;
mod owners;
mod reads;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign::decision::{
    Asking, Check, Decider, Failure, Listing, Open, Own, Remembered, Sight, WithoutList,
};
use countersign::gitlab::Client;
use countersign::merge_request::{CheckName, MergeRequestRef, StatusCheckId};
use countersign::policy::{PolicySet, PolicySource, RuleEvaluation, RuleState, Verdict};
use countersign::scope::{CheckAddress, ProjectScope};
use countersign::simulator::FaultKind;
use secrecy::SecretString;

use crate::world::Ground;

/// A GitLab and what decides; no service around it.
pub struct Stage {
    pub ground: Ground,
    /// What countersign itself says in GitLab.
    pub own: Own,
    decider: Decider,
}

/// What came of one decision.
pub struct Played {
    /// The word on the check.
    pub verdict: Verdict,
    /// The rules of the one policy.
    pub rules: Vec<RuleEvaluation>,
    /// How often each route was called.
    pub calls: BTreeMap<String, usize>,
}

impl Stage {
    /// With a project `shop/pay` and its author `@ana`, as in [`Ground`].
    pub async fn new() -> Self {
        Self::on(Ground::prepare("policy: none\nrules: [{id: none, require: {draft: false}}]\n").await)
    }

    pub fn on(ground: Ground) -> Self {
        let token = SecretString::from(ground.token.clone());
        let url = ground.simulator.url();
        let gitlab = Client::new(url, &token, Duration::from_secs(10), Arc::default()).unwrap();
        let address = CheckAddress::new(None);
        let scope = Arc::new(ProjectScope::compile(["**"]).unwrap());
        Self { ground, own: Own::default(), decider: Decider { gitlab, address, scope } }
    }

    /// Decides a policy of one rule that requires these conditions.
    pub async fn play(&self, which: MergeRequestRef, require: &str) -> Played {
        self.play_policy(which, &rule(require)).await
    }

    /// Decides a whole policy.
    pub async fn play_policy(&self, which: MergeRequestRef, text: &str) -> Played {
        self.play_remembering(which, text, &Remembered::default()).await
    }

    async fn sight(&self, which: MergeRequestRef) -> Result<Sight, Failure> {
        let known = |_: &_| vec![Check { id: Some(StatusCheckId::new(1)), name: CheckName::default() }];
        let (listing, own, without_list) = (Listing::UnlessKnown, self.own.clone(), WithoutList::Fails);
        let asking = Asking { merge_request: which, listing, known: &known, own, without_list };
        self.decider.sight(&asking).await
    }

    /// Whether a policy of one rule that requires these conditions passes, if there is a merge request to speak about at all.
    pub async fn passes(&self, which: MergeRequestRef, require: &str) -> bool {
        let Ok(Sight::Open(open)) = self.sight(which).await else { return false };
        let played = self.decide(*open, &rule(require), &Remembered::default()).await;
        played.is_some_and(|played| played.state() == RuleState::Passed)
    }

    /// Decides a whole policy with what was seen before.
    pub async fn play_remembering(
        &self,
        which: MergeRequestRef,
        text: &str,
        remembered: &Remembered,
    ) -> Played {
        self.attempt(which, text, remembered).await.expect("no push in between")
    }

    /// The same; none where the merge request moved while its facts were read.
    pub async fn attempt(
        &self,
        which: MergeRequestRef,
        text: &str,
        remembered: &Remembered,
    ) -> Option<Played> {
        self.ground.gitlab.forget_calls();
        let sight = self.sight(which).await.unwrap();
        let Sight::Open(open) = sight else { panic!("{sight:?}") };
        self.decide(*open, text, remembered).await
    }

    async fn decide(&self, open: Open, text: &str, remembered: &Remembered) -> Option<Played> {
        let source = PolicySource { path: "p.yaml".to_owned(), text: text.to_owned() };
        let set = PolicySet::compile(&[source]).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"));
        let decided = self.decider.decide(&set, remembered, open).await?;
        assert_eq!(decided.panics, 0);
        let mut calls = BTreeMap::new();
        for call in self.ground.gitlab.calls() {
            *calls.entry(call.route).or_default() += 1;
        }
        let mut evaluation = decided.checks.into_iter().next().unwrap().1;
        Some(Played { verdict: evaluation.verdict, rules: evaluation.policies.remove(0).rules, calls })
    }
}

impl Played {
    /// Where the one rule stands.
    pub fn state(&self) -> RuleState {
        self.rules[0].state
    }

    /// The sentence of what the one rule requires.
    pub fn sentence(&self) -> &str {
        &self.rules[0].require.as_ref().unwrap().sentence
    }

    /// How many calls there were beside the read of the merge request itself.
    pub fn further_calls(&self) -> usize {
        self.calls.values().sum::<usize>() - 1
    }
}

/// A policy of one rule that requires these conditions.
fn rule(require: &str) -> String {
    format!("policy: p\nrules: [{{id: r, require: {require}}}]\n")
}

/// A canned answer in JSON.
fn answer(status: u16, body: &serde_json::Value) -> FaultKind {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    FaultKind::Answer { status, headers, body: body.to_string() }
}

/// One read decides what the merge request says of itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_merge_request_says_costs_one_read() {
    let stage = Stage::new().await;
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    stage.ground.gitlab.add_label(which, "type::bug").unwrap();
    let played = stage.play(which, "{labels: {any: ['type::*']}, title: {regex: '.+'}, draft: false}").await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 0), "{:?}", played.calls);
}
