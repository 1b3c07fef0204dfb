//! Events of many: whom they wake, how they are spread, and that no crash loses one.

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, DeliveryState, HookEvent, Membership, NewHook, Weather};
use serde_json::json;

use super::{address, crowds, decided, policy, rest, world, world_on};
use crate::sender;
use crate::world::{Ground, HOOK_TOKEN, ONE, REVIEW_POLICY, Service, World, until};

const MAIN: &str = "main";
/// Looks that nobody waits for: twenty at once, then one in five seconds.
const SLOW: &str = "60";
const MANY: usize = 45;

fn push(world: &World) {
    world.gitlab.write_file(world.ground.project, MAIN, "a.txt", Some("a")).unwrap();
}

/// Lets time pass until no crowd is left and nobody is at work, some seconds at a time.
async fn through(world: &World) {
    for _ in 0..400 {
        world.gitlab.advance(Duration::from_secs(3));
        world.rest().await;
        if crowds(world) == 0 && world.calls(ONE) == settled_calls(world).await {
            return;
        }
    }
    panic!("the crowd never ends");
}

/// How often a merge request was read, once nothing is due any more within a minute.
async fn settled_calls(world: &World) -> u64 {
    let before = world.calls(ONE);
    for _ in 0..20 {
        world.gitlab.advance(Duration::from_secs(3));
        world.rest().await;
    }
    if world.calls(ONE) == before { before } else { u64::MAX }
}

/// A crowd: all of them fail until the target branch moves on. No pass shows on any, and none has changed lately, so that nothing
/// but the event leads to them.
async fn crowd(count: usize) -> (World, Vec<MergeRequestRef>) {
    let ground = Ground::prepare(&policy("{not: {behind_target: {at_most: 0}}}")).await;
    let world = world_on(ground.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", SLOW)).await;
    let all: Vec<_> = (0..count).map(|_| world.open(world.merge_request())).collect();
    rest(&world).await;
    for which in &all {
        assert_eq!(world.status(*which), CheckStatus::Failed);
    }
    world.gitlab.advance(Duration::from_secs(3600));
    rest(&world).await;
    (world, all)
}

fn passed(world: &World, all: &[MergeRequestRef]) -> usize {
    all.iter().filter(|which| world.status(**which) == CheckStatus::Passed).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_wakes_the_open_ones_into_its_branch() {
    let world = world(&policy("{behind_target: {at_most: 0}}")).await;
    let into = |branch: &str| world.open(world.merge_request().target_branch(branch));
    let [first, second, elsewhere, closed] = [into(MAIN), into(MAIN), into("release/1"), into(MAIN)];
    let all = [first, second, elsewhere, closed];
    world.settle().await;
    world.gitlab.close(closed).unwrap();
    rest(&world).await;
    let before = decided(&world, &all).await;
    push(&world);
    rest(&world).await;
    assert_eq!(decided(&world, &all).await, [before[0] + 1, before[1] + 1, before[2], before[3]]);
    assert_eq!([world.status(first), world.status(elsewhere)], [CheckStatus::Failed, CheckStatus::Passed]);
    let cause: serde_json::Value =
        serde_json::from_slice(&world.decisions(first).await.last().unwrap().record).unwrap();
    assert_eq!(cause["cause"]["event"], "push", "the record says what brought it about");
    world.end().await;
}

/// GitLab dates no membership into a merge request, and calls no status check for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_a_group_takes_the_passes_along() {
    let world = world(REVIEW_POLICY).await;
    let bea = world.ground.reviewer();
    let all: Vec<_> = (0..3).map(|_| world.open(world.merge_request())).collect();
    for which in &all {
        world.gitlab.approve(*which, bea).unwrap();
        world.expect(*which, CheckStatus::Passed, "bea approves").await;
    }
    // What is known of members is believed for a minute.
    world.gitlab.advance(Duration::from_secs(61));
    world.gitlab.remove_member("shop/payments", bea).unwrap();
    rest(&world).await;
    assert_eq!(passed(&world, &all), 0, "she is none of those who count");
    world.gitlab.add_member("shop/payments", Membership::new(bea, 30)).unwrap();
    rest(&world).await;
    assert_eq!(passed(&world, &all), 3);
    world.end().await;
}

/// Of settings of a project the hooks of the instance alone are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_a_project_wake_its_merge_requests_and_no_others() {
    let world = world(&policy("{not: {project: {topics: {any: [legacy]}}}}")).await;
    let (gitlab, here) = (&world.gitlab, world.ground.project);
    let other = gitlab.create_project("shop/other");
    let both: Vec<_> = (0..2).map(|_| world.open(world.merge_request())).collect();
    for which in &both {
        world.expect(*which, CheckStatus::Passed, "it is new").await;
    }
    rest(&world).await;
    let before = decided(&world, &both).await;
    gitlab.set_topics(other, &["legacy"]).unwrap();
    rest(&world).await;
    assert_eq!(decided(&world, &both).await, before, "it is another project's");
    gitlab.set_topics(here, &["legacy"]).unwrap();
    rest(&world).await;
    assert_eq!(decided(&world, &both).await, [before[0] + 1, before[1] + 1]);
    assert_eq!(passed(&world, &both), 0);
    gitlab.set_topics(here, &[]).unwrap();
    rest(&world).await;
    assert_eq!(passed(&world, &both), 2);
    let told: Vec<_> = gitlab.deliveries().iter().map(|sent| sent.json()["event_name"].clone()).collect();
    assert_eq!(told.iter().filter(|name| *name == "project_update").count(), 3);
    world.end().await;
}

/// Which policies speak for a project goes by its path: the old one reads nothing of projects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_renamed_or_moved_comes_under_other_policies() {
    let text =
        "policy: gate\napplies_to: {projects: [shop/pay]}\nrules: [{id: gate, require: {draft: false}}]\n";
    for (path, event) in [("shop/paid", "project_rename"), ("bank/pay", "project_transfer")] {
        let world = world(text).await;
        let both: Vec<_> = (0..2).map(|_| world.open(world.merge_request())).collect();
        for which in &both {
            world.expect(*which, CheckStatus::Passed, "it is spoken for").await;
        }
        world.gitlab.move_project(world.ground.project, path).unwrap();
        rest(&world).await;
        let told = world.gitlab.deliveries().last().unwrap().json();
        assert_eq!(
            (&told["event_name"], &told["old_path_with_namespace"]),
            (&json!(event), &json!("shop/pay"))
        );
        for which in &both {
            assert_eq!(world.status(*which), CheckStatus::Failed, "{event}: no policy speaks for it");
        }
        world.gitlab.move_project(world.ground.project, "shop/pay").unwrap();
        rest(&world).await;
        assert_eq!(passed(&world, &both), 2, "{event} and back");
        world.end().await;
    }
}

/// GitLab tells a group's new path, and nothing of the projects and merge requests below it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_renamed_brings_its_projects_under_other_policies() {
    let world = world(
        "policy: gate\napplies_to: {projects: [shop/**]}\nrules: [{id: gate, require: {draft: false}}]\n",
    )
    .await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "of a shop").await;
    // GitLab says nothing of the projects of a group that is renamed.
    world.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    world.gitlab.move_project(world.ground.project, "bank/pay").unwrap();
    rest(&world).await;
    world.gitlab.set_weather(Weather::default());
    assert_eq!(world.status(which), CheckStatus::Passed, "nobody told yet");
    let body =
        json!({ "event_name": "group_rename", "group_id": 64, "full_path": "bank", "old_full_path": "shop" });
    let headers = sender::hook("System Hook", HOOK_TOKEN);
    let reply = sender::post(&address(&world), &headers, body.to_string()).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    rest(&world).await;
    assert_eq!(world.status(which), CheckStatus::Failed, "no policy speaks for banks");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_was_taken_and_not_yet_spread_outlives_the_service() {
    let (mut world, all) = crowd(MANY).await;
    push(&world);
    world.gitlab.deliveries_settled().await.unwrap();
    assert_eq!(crowds(&world), 1, "it is on disk");
    world.stop().await;
    assert!(passed(&world, &all) < MANY, "not everybody had a turn");
    assert_eq!(crowds(&world), 1);
    world.start_again().await;
    world.swept(1).await;
    through(&world).await;
    assert_eq!(passed(&world, &all), MANY);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_spread_and_holds_up_no_single_merge_request() {
    let (world, all) = crowd(MANY).await;
    push(&world);
    until("the first ones had their turn", || passed(&world, &all) >= 20).await;
    world.rest().await;
    assert!(crowds(&world) == 1 && passed(&world, &all) < 25, "the others wait");
    // Somebody waits for this one.
    let last = *all.last().unwrap();
    assert_eq!(world.status(last), CheckStatus::Failed);
    world.gitlab.edit_title(last, "feat: another title").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    world
        .until("it is decided at once", |gitlab| {
            gitlab.status(last, world.check).unwrap() == CheckStatus::Passed
        })
        .await;
    assert_eq!(crowds(&world), 1, "while the crowd waits on");
    through(&world).await;
    assert_eq!(passed(&world, &all), MANY);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_event_again_adds_little_to_a_crowd_that_waits() {
    let (world, all) = crowd(MANY).await;
    let before: usize = decided(&world, &all).await.iter().sum();
    push(&world);
    until("the first ones had their turn", || passed(&world, &all) >= 20).await;
    for _ in 0..10 {
        push(&world);
    }
    world.gitlab.deliveries_settled().await.unwrap();
    assert_eq!(crowds(&world), 1, "one row for all of them");
    through(&world).await;
    assert_eq!(passed(&world, &all), MANY);
    let looks = decided(&world, &all).await.iter().sum::<usize>() - before;
    println!("11 pushes at {MANY} merge requests: {looks} looks");
    // Those that had their turn before the others came have another one; whoever was at work then, too.
    assert!(looks <= 2 * MANY + 20, "{looks} looks for 11 pushes");
    world.end().await;
}

/// A small crowd does not wait behind a large one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_take_turns() {
    let (world, all) = crowd(MANY).await;
    let small = world.open(world.merge_request().target_branch("release/1"));
    rest(&world).await;
    push(&world);
    until("the first ones had their turn", || passed(&world, &all) >= 20).await;
    world.gitlab.write_file(world.ground.project, "release/1", "a.txt", Some("a")).unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    for _ in 0..60 {
        if world.status(small) == CheckStatus::Passed {
            break;
        }
        world.gitlab.advance(Duration::from_secs(3));
        world.rest().await;
    }
    assert_eq!(world.status(small), CheckStatus::Passed);
    assert!(passed(&world, &all) < MANY, "the large one is not through");
    world.end().await;
}

/// SIGKILL as soon as GitLab has its 202. Nothing but the event leads to them afterwards: none of them has changed within the
/// last ten minutes, and no pass shows, so that the look back at the start finds none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_right_after_the_202_loses_nobody_of_a_crowd() {
    let ground = Ground::prepare(&policy("{not: {behind_target: {at_most: 0}}}")).await;
    let mut service = Service::start_on(ground.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "3000"));
    let gitlab = service.gitlab.clone();
    let long_ago = gitlab.now() - jiff::SignedDuration::from_hours(2);
    let new = || service.ground.merge_request().created_at(long_ago);
    let all: Vec<_> = (0..MANY).map(|_| gitlab.open_merge_request(new()).unwrap()).collect();
    let passed = |service: &Service| {
        all.iter().filter(|which| gitlab.status(**which, service.check) == Ok(CheckStatus::Passed)).count()
    };
    service.settle().await;
    assert_eq!(passed(&service), 0);
    let hook = NewHook::of(service.ground.project, &format!("{}/webhooks/gitlab", service.url()));
    gitlab.create_hook(hook.token(HOOK_TOKEN).without_merge_requests().event(HookEvent::Push));
    gitlab.write_file(service.ground.project, MAIN, "a.txt", Some("a")).unwrap();
    gitlab.deliveries_settled().await.unwrap();
    service.kill();
    assert_eq!(gitlab.deliveries().last().unwrap().state, DeliveryState::Answered(202));
    let at_the_kill = passed(&service);
    assert!(at_the_kill < MANY, "it was quicker than the kill");
    println!("{at_the_kill} of {MANY} were answered before the kill");
    service.start_again();
    until("everybody had a turn", || passed(&service) == MANY).await;
}
