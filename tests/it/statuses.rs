//! Which checks are answered, and which merge requests: no foreign one, none out of scope, none that has ended.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, StatusCheckId};
use countersign::simulator::{CheckStatus, NewStatusCheck, Push};

use crate::world::{LIST, ONE, PLAIN_POLICY, RESPOND, SECRET, World};

const TWO_CHECKS: &str = r#"
policy: two
otherwise: pass
applies_to: { checks: ["a"] }
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
"#;

const B: &str = r#"
policy: b
applies_to: { checks: ["b"] }
rules:
  - id: label
    require: { labels: { none: ["b-bad"] } }
"#;

const REVIEW: &str = "
policy: review
rules:
  - id: review
    require: { approvals: 1 }
";

fn add_check(world: &World, name: &str) -> StatusCheckId {
    let url = format!("{}/webhooks/gitlab/{name}", world.url());
    let check = NewStatusCheck::new(name, &url).secret(SECRET);
    world.gitlab.create_status_check(world.ground.project, check).unwrap()
}

async fn shown(world: &World, which: MergeRequestRef, checks: [StatusCheckId; 2]) -> [CheckStatus; 2] {
    world.settle().await;
    checks.map(|check| world.gitlab.status(which, check).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_checks_of_one_project_are_decided_in_one_lane_each_by_its_own_policies() {
    let world = World::start(TWO_CHECKS).await;
    world.write_policies(&[("two.yaml", TWO_CHECKS), ("b.yaml", B)]).await;
    world.gitlab.delete_status_check(world.ground.project, world.check).unwrap();
    let checks = [add_check(&world, "a"), add_check(&world, "b")];
    let which = world.open(world.merge_request());
    assert_eq!(shown(&world, which, checks).await, [CheckStatus::Passed, CheckStatus::Passed]);
    world.gitlab.add_label(which, "b-bad").unwrap();
    assert_eq!(shown(&world, which, checks).await, [CheckStatus::Passed, CheckStatus::Pending]);
    world.gitlab.edit_title(which, "bad").unwrap();
    assert_eq!(shown(&world, which, checks).await, [CheckStatus::Failed, CheckStatus::Pending]);
    world.gitlab.remove_label(which, "b-bad").unwrap();
    assert_eq!(shown(&world, which, checks).await, [CheckStatus::Failed, CheckStatus::Passed]);
    assert_eq!(world.gitlab.all_responses().len(), 5, "only what changed was posted");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_created_later_is_answered_at_its_first_event() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "a good title").await;
    let later = add_check(&world, "later");
    world.gitlab.add_label(which, "look").unwrap();
    assert_eq!(shown(&world, which, [world.check, later]).await, [CheckStatus::Passed; 2]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_check_and_one_of_another_branch_are_never_answered() {
    let world = World::start(PLAIN_POLICY).await;
    let create = |check| world.gitlab.create_status_check(world.ground.project, check).unwrap();
    let foreign = create(NewStatusCheck::new("foreign", &format!("{}/elsewhere", world.url())));
    let url = format!("{}/webhooks/gitlab/release", world.url());
    let release = create(NewStatusCheck::new("release", &url).secret(SECRET).branch("release/*"));
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "ours").await;
    assert!(world.gitlab.responses(which, foreign).is_empty());
    assert!(world.gitlab.responses(which, release).is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_request_without_a_check_of_ours_is_left_alone() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().title("bad"));
    world.expect(which, CheckStatus::Failed, "bad").await;
    world.gitlab.hold_deliveries();
    world.gitlab.edit_title(which, "good").unwrap();
    world.gitlab.delete_status_check(world.ground.project, world.check).unwrap();
    world.gitlab.release_deliveries();
    world.settle().await;
    assert_eq!(world.posted(which), [CheckStatus::Failed], "a check that is gone is not answered");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_or_merged_settles_without_an_answer() {
    let world = World::start(PLAIN_POLICY).await;
    let closed = world.open(world.merge_request().quietly());
    world.gitlab.close(closed).unwrap();
    let merged = world.open(world.merge_request().quietly());
    world.gitlab.merge(merged).unwrap();
    world.settle().await;
    assert_eq!(world.calls(RESPOND), 0, "{}", world.history());
    world.gitlab.reopen(closed).unwrap();
    world.expect(closed, CheckStatus::Passed, "reopened").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_gitlab_prepares_nothing_is_answered_and_then_it_is() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().quietly());
    world.gitlab.set_preparing(which, true).unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.until("it was looked at", |gitlab| gitlab.calls_to(ONE) >= 1).await;
    assert_eq!(world.calls(RESPOND), 0);
    // Nobody is told that it is ready.
    world.gitlab.set_preparing(which, false).unwrap();
    world.expect(which, CheckStatus::Passed, "ready").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_leads_to_an_answer_each_time() {
    for (policy, title) in [(PLAIN_POLICY, "good"), (PLAIN_POLICY, "bad"), (REVIEW, "waits")] {
        let world = World::start(policy).await;
        let which = world.open(world.merge_request().title(title));
        world.settle().await;
        for round in 1..=3 {
            let failed = CheckStatus::Failed;
            if world.status(which) != failed {
                world.gitlab.post_status_as(world.ground.author, which, world.check, failed).unwrap();
            }
            let before = world.calls(RESPOND);
            world.gitlab.retry(which, world.check).unwrap();
            world.settle().await;
            assert_eq!(world.calls(RESPOND), before + 1, "{title}, Retry {round}\n{}", world.history());
            // Explicit pending runs out; while its period lasts it is said again.
            world.gitlab.advance(Duration::from_mins(4));
            world.settle().await;
        }
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_read_at_first_sight_and_in_doubt_and_not_else() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "opened").await;
    assert_eq!(world.calls(LIST), 1, "at first sight");
    for label in ["a", "b", "c"] {
        world.gitlab.add_label(which, label).unwrap();
        world.settle().await;
    }
    assert_eq!(world.calls(LIST), 1, "nothing is in doubt");
    assert_eq!(world.calls(ONE), 4);
    world.gitlab.push(which, Push::new()).unwrap();
    world.expect(which, CheckStatus::Passed, "pushed").await;
    assert_eq!(world.calls(LIST), 2, "a push");
    world.gitlab.close(which).unwrap();
    world.settle().await;
    world.gitlab.hold_deliveries();
    world.gitlab.reopen(which).unwrap();
    world.gitlab.release_deliveries();
    world.settle().await;
    let reopened = world.calls(LIST);
    assert!(reopened > 2, "reopened");
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, CheckStatus::Failed, "bad").await;
    assert_eq!(world.calls(LIST), reopened, "our own answer is known");
    world.gitlab.retry(which, world.check).unwrap();
    world.settle().await;
    assert_eq!(world.calls(LIST), reopened + 1, "a Retry");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_already_shows_is_not_posted_again() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request());
    for round in 0..10 {
        world.gitlab.add_label(which, &format!("label-{round}")).unwrap();
        world.settle().await;
    }
    assert_eq!(world.posted(which), [CheckStatus::Passed]);
    world.gitlab.edit_title(which, "bad").unwrap();
    world.settle().await;
    for round in 0..10 {
        world.gitlab.edit_description(which, &format!("{round}")).unwrap();
        world.settle().await;
    }
    assert_eq!(world.posted(which), [CheckStatus::Passed, CheckStatus::Failed]);
    world.end().await;
}
