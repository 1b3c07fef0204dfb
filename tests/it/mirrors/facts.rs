//! What countersign itself says never enters a fact.

use std::collections::BTreeSet;

use countersign::decision::Own;
use countersign::policy::RuleState;
use countersign::simulator::Membership;

use crate::conditions::Stage;

/// A stage on which all ways are on.
async fn stage() -> Stage {
    let mut stage = Stage::new().await;
    stage.own = Own {
        user: Some(stage.ground.bot),
        approves: true,
        sets_commit_statuses: true,
        labels: BTreeSet::from(["gate::passed".to_owned()]),
    };
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_approval_review_and_label_count_for_nothing() {
    let stage = stage().await;
    let (gitlab, bot) = (stage.ground.gitlab.clone(), stage.ground.bot);
    let which = gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    let as_bot = gitlab.acting_as(bot);
    gitlab.set_reviewers(which, &[bot]).unwrap();
    gitlab.approve(which, bot).unwrap();
    as_bot.add_label(which, "gate::passed").unwrap();
    for require in [
        "{approvals: 1}",
        "{approvals: {count: 1, from: {users: [countersign], bots: true}}}",
        "{labels: {any: ['gate::passed']}}",
        "{labels: {any: ['gate::*'], set_by: {users: [countersign]}}}",
        "{reviewers: {at_least: 1}}",
    ] {
        let played = stage.play(which, require).await;
        assert_ne!(played.state(), RuleState::Passed, "{require}: {}", played.sentence());
    }
    // The same of somebody else counts.
    let bea = gitlab.create_user("bea");
    gitlab.add_member(stage.ground.project, Membership::new(bea, 30)).unwrap();
    gitlab.approve(which, bea).unwrap();
    gitlab.add_label(which, "gate::other").unwrap();
    gitlab.set_reviewers(which, &[bot, bea]).unwrap();
    for require in ["{approvals: 1}", "{labels: {any: ['gate::*']}}", "{reviewers: {at_least: 1}}"] {
        assert_eq!(stage.play(which, require).await.state(), RuleState::Passed, "{require}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_note_says_no_to_nothing_and_everybody_else_still_does() {
    const VETO: &str = "{vetoes: {at_most: 0, by: [request_changes, {comment: {regex: '(?s).*STOP.*'}}], from: {users: [countersign, bea]}}}";
    const NOTE: &str = "<!-- countersign:merge-request -->\nthe title `STOP` is not as required";
    let stage = stage().await;
    let (gitlab, bot) = (stage.ground.gitlab.clone(), stage.ground.bot);
    let bea = gitlab.create_user("bea");
    let open = || gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    let which = open();
    gitlab.acting_as(bot).comment(which, NOTE).unwrap();
    assert_eq!(stage.play(which, VETO).await.state(), RuleState::Passed, "our own note");
    gitlab.acting_as(bea).comment(which, NOTE).unwrap();
    assert_ne!(stage.play(which, VETO).await.state(), RuleState::Passed, "who copies the marker");
    let which = open();
    gitlab.acting_as(bot).comment(which, "STOP").unwrap();
    assert_ne!(stage.play(which, VETO).await.state(), RuleState::Passed, "a word by our user's hand");
    let which = open();
    gitlab.review(which, bot, "requested_changes").unwrap();
    assert_ne!(stage.play(which, VETO).await.state(), RuleState::Passed, "and a review");
}
