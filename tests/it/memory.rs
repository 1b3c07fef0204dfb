//! What is remembered of approvals, where GitLab does not say when they were given.

use std::time::Duration;

use countersign::simulator::{CheckStatus, Push};

use crate::world::{Ground, World};

const POLICY: &str = r#"
policy: review
rules:
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

/// A GitLab that says who approves, and not since when.
async fn older_gitlab() -> World {
    let ground = Ground::prepare(POLICY).await;
    ground.gitlab.say_approved_at(false);
    World::start_on(ground).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_seen_to_appear_counts() {
    let world = older_gitlab().await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.gitlab.advance(Duration::from_secs(5));
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, CheckStatus::Unanswered, "not approved").await;
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Passed, "seen to appear after the newest version").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_older_than_our_first_look_does_not_count_until_it_is_given_again() {
    let world = older_gitlab().await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request().quietly());
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Unanswered, "approved before we looked").await;
    assert!(world.account(which).await.contains("revoked and given again"));
    world.gitlab.advance(Duration::from_secs(5));
    world.gitlab.unapprove(which, bea).unwrap();
    world.settle().await;
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Passed, "given again").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_from_before_a_push_does_not_pass_what_was_pushed() {
    for says_when in [true, false] {
        let world = older_gitlab().await;
        world.gitlab.say_approved_at(says_when);
        let bea = world.ground.reviewer();
        let which = world.open(world.merge_request());
        world.settle().await;
        world.gitlab.advance(Duration::from_secs(5));
        world.gitlab.add_label(which, "look").unwrap();
        world.settle().await;
        world.gitlab.approve(which, bea).unwrap();
        world.expect(which, CheckStatus::Passed, "approved").await;
        world.gitlab.advance(Duration::from_secs(5));
        world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
        world.expect(which, CheckStatus::Unanswered, "pushed, not approved again").await;
        world.gitlab.add_label(which, "look-again").unwrap();
        world.expect(which, CheckStatus::Unanswered, "still not").await;
        world.end().await;
    }
}

/// Approved while B stood between A and A: nobody can tell that it was A.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_may_have_been_for_another_push_does_not_count() {
    let world = older_gitlab().await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request().file("src/a.rs"));
    world.gitlab.advance(Duration::from_secs(5));
    world.gitlab.add_label(which, "look").unwrap();
    world.settle().await;
    let first = world.gitlab.merge_request(which).unwrap().head().unwrap().clone();
    world.gitlab.advance(Duration::from_secs(5));
    world.gitlab.hold_deliveries();
    world.gitlab.push(which, Push::new().file("src/b.rs")).unwrap();
    world.gitlab.approve(which, bea).unwrap();
    world.gitlab.push(which, Push::to(&first)).unwrap();
    world.gitlab.release_deliveries();
    world.expect(which, CheckStatus::Unanswered, "it was given for B").await;
    world.end().await;
}
