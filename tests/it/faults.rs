//! What goes wrong between us and GitLab, on every route: never a pass that is not proven, and right after recovery.

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Edition, Fault, FaultKind, Membership, Push, SimulatorOptions};
use futures_util::StreamExt;

use crate::world::{
    APPROVALS, DISCUSSIONS, GROUP, GROUP_MEMBER, Ground, LIST, ONE, PIPELINES, PLAIN_POLICY, RESPOND,
    REVIEW_POLICY, Service, VERSION, VERSIONS, World, until,
};

const EVERYTHING: &str = r#"
policy: everything
rules:
  - id: files
    require: { changed_files: { none: ["secret/"] } }
  - id: pipeline
    require: { pipeline: success }
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

/// Every route that a look at a merge request calls, and the answer's.
const ROUTES: [&str; 10] =
    [ONE, LIST, VERSIONS, VERSION, APPROVALS, PIPELINES, DISCUSSIONS, GROUP, GROUP_MEMBER, RESPOND];
/// How many worlds go wrong at the same time.
const WORLDS: usize = 20;

fn faults_on(route: &str) -> Vec<(&'static str, Fault)> {
    vec![
        ("503 with HTML", Fault::error_page(route, 503)),
        ("408 of a connection that was idle", Fault::error_page(route, 408)),
        ("429 with Retry-After", Fault::rate_limited(route, 1)),
        ("429 without it", Fault::rate_limited_json(route)),
        ("200 with HTML", Fault::error_page(route, 200)),
        ("hang", Fault::on(route, FaultKind::Hang)),
        ("reset", Fault::on(route, FaultKind::Reset)),
        ("garbage", Fault::on(route, FaultKind::Garbage)),
        ("half a body", Fault::on(route, FaultKind::Truncate)),
    ]
}

/// A merge request that passes by `EVERYTHING`, of which nobody was told yet.
fn passing(world: &World) -> MergeRequestRef {
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request().quietly());
    world.gitlab.hold_deliveries();
    world.gitlab.set_pipeline(which, "success").unwrap();
    world.gitlab.approve(which, bea).unwrap();
    which
}

async fn a_route_goes_wrong(route: &'static str, name: &'static str, fault: Fault) {
    let world = World::start(EVERYTHING).await;
    let which = passing(&world);
    let fault = world.gitlab.fault(fault);
    world.gitlab.release_deliveries();
    // One look that failed for good; a call that hangs is seen at once.
    let enough = if name == "hang" || route == RESPOND { 1 } else { 3 };
    world.until(&format!("{name} on {route}"), |gitlab| gitlab.calls_to(route) >= enough).await;
    if route != RESPOND {
        assert_ne!(world.status(which), CheckStatus::Passed, "{name} on {route}");
    }
    world.gitlab.lift(fault);
    world.expect(which, CheckStatus::Passed, &format!("after {name} on {route}")).await;
    assert!(world.calls(RESPOND) < 10, "{name} on {route}: it hammers");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_on_whatever_route_nothing_passes_unproven_and_all_is_right_afterwards() {
    let all = ROUTES.iter().flat_map(|route| faults_on(route).into_iter().map(move |fault| (*route, fault)));
    let runs = all.map(|(route, (name, fault))| a_route_goes_wrong(route, name, fault));
    let count = futures_util::stream::iter(runs).buffer_unordered(WORLDS).count().await;
    println!("{count} pairs of route and fault");
}

/// It was right to pass, then what it was given for may have changed, and GitLab does not say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passed_that_can_not_be_proven_any_more_is_taken_back() {
    for route in [ONE, APPROVALS, GROUP_MEMBER, VERSIONS] {
        let world = World::start(EVERYTHING).await;
        let which = passing(&world);
        world.gitlab.release_deliveries();
        world.expect(which, CheckStatus::Passed, "proven").await;
        let fault = world.gitlab.fault(Fault::error_page(route, 503));
        world.gitlab.unapprove(which, world.ground.reviewer()).unwrap();
        world.until(route, |_| world.status(which) != CheckStatus::Passed).await;
        world.gitlab.lift(fault);
        world.settle().await;
        assert_ne!(world.status(which), CheckStatus::Passed, "{route}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_reply_was_lost_is_read_back_and_not_said_twice() {
    for kind in [FaultKind::ApplyThenReset, FaultKind::Truncate] {
        let world = World::start(PLAIN_POLICY).await;
        world.gitlab.fault(Fault::on(RESPOND, kind.clone()).times(1));
        let which = world.open(world.merge_request());
        world.expect(which, CheckStatus::Passed, "it was applied").await;
        assert_eq!(world.posted(which), [CheckStatus::Passed], "{kind:?}");
        assert_eq!(world.calls(LIST), 2, "{kind:?}: at first sight, and to read it back");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_answer_parks_the_merge_request_and_does_not_hammer() {
    for status in [401, 403, 404] {
        let mut service = Service::start(PLAIN_POLICY).await;
        let refusal = FaultKind::Answer { status, headers: Vec::new(), body: String::new() };
        let fault = service.gitlab.fault(Fault::on(RESPOND, refusal));
        let which = service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
        until("it is refused", || service.gitlab.calls_to(RESPOND) == 1).await;
        service.until_metric("countersign_lanes_parked_total", 1.0).await;
        service.gitlab.lift(fault);
        let other = service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
        until("others go on", || service.gitlab.status(other, service.check) == Ok(CheckStatus::Passed))
            .await;
        assert_eq!(service.gitlab.calls_to(RESPOND), 2, "{status}: one each");
        assert_eq!(service.gitlab.status(which, service.check), Ok(CheckStatus::Unanswered));
        let (_, output) = service.terminate();
        assert!(output.contains("not answered") && output.contains(&status.to_string()), "{output}");
        service.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_hidden_from_us_proves_nothing() {
    let world = World::start(REVIEW_POLICY).await;
    let bea = world.ground.reviewer();
    world.gitlab.remove_member("shop/payments", world.ground.bot).unwrap();
    let which = world.open(world.merge_request());
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Failed, "no retry cures it").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_files_that_gitlab_cut_off_does_not_prove_that_a_file_is_absent() {
    let world = World::start(EVERYTHING).await;
    let which = passing(&world);
    world.gitlab.push(which, Push::new().file("src/a.rs").said_size("1000+")).unwrap();
    world.gitlab.set_pipeline(which, "success").unwrap();
    world.gitlab.release_deliveries();
    world.settle().await;
    assert!(!world.posted(which).contains(&CheckStatus::Passed), "{}", world.account(which).await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_gitlabs_version_is_not_known_nothing_but_a_proven_pass_is_posted() {
    let world = World::start(PLAIN_POLICY).await;
    let fault = world.gitlab.fault(Fault::error_page("GET /version", 503));
    let good = world.open(world.merge_request());
    let bad = world.open(world.merge_request().title("bad"));
    world.until("the good one passes", |_| world.status(good) == CheckStatus::Passed).await;
    world.until("the version is asked for", |gitlab| gitlab.calls_to("GET /version") >= 4).await;
    assert!(world.posted(bad).is_empty());
    world.gitlab.lift(fault);
    world.expect(bad, CheckStatus::Failed, "the version is known").await;
    world.end().await;
}

/// A world with an older GitLab, which can't sign.
async fn older(version: &str) -> World {
    let options = SimulatorOptions {
        version: version.to_owned(),
        edition: Edition::Ultimate,
        ..SimulatorOptions::default()
    };
    let ground = Ground::prepare_with(REVIEW_POLICY, options).await;
    World::start_on(ground.configure("WEBHOOKS__ALLOW_UNSIGNED", "shop/**")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_15_takes_a_passed_back_by_failed() {
    let world = older("15.11.0-ee").await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Unanswered, "waiting is silent").await;
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Passed, "approved").await;
    world.gitlab.unapprove(which, bea).unwrap();
    world.expect(which, CheckStatus::Failed, "there is no word for pending").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_14_gets_nothing_but_passed() {
    let world = older("14.5.0-ee").await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Unanswered, "waiting").await;
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, CheckStatus::Unanswered, "any answer would approve").await;
    world.gitlab.edit_title(which, "good").unwrap();
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Passed, "approved").await;
    let calls = world.calls(ONE);
    world.gitlab.edit_title(which, "bad again").unwrap();
    world.settle().await;
    assert_eq!(world.posted(which), [CheckStatus::Passed], "it can't be taken back");
    assert_eq!(world.calls(ONE), calls + 1, "and is not tried again and again");
    assert!(world.metric("countersign_lanes_parked_total") >= 1.0, "an operator sees it");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_request_that_was_deleted_is_given_up() {
    let world = World::start(PLAIN_POLICY).await;
    world.gitlab.hold_deliveries();
    world.open(world.merge_request());
    world.gitlab.delete_project(world.ground.project).unwrap();
    world.gitlab.release_deliveries();
    world.settle().await;
    assert!(world.calls(ONE) <= 3 && world.calls(RESPOND) == 0, "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_sees_no_urls_of_checks_parks_and_answers_nothing() {
    let world = World::start(PLAIN_POLICY).await;
    world.gitlab.add_member(world.ground.project, Membership::new(world.ground.bot, 20)).unwrap();
    let which = world.open(world.merge_request());
    world.until("it is parked", |_| world.metric("countersign_lanes_parked_total") >= 1.0).await;
    assert!(world.posted(which).is_empty());
    assert!(world.calls(LIST) <= 2, "{}", world.history());
    world.end().await;
}

/// GitLab is slow, and sixteen lanes wait for it: a short outage of one route does not stop the others for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_gitlab_is_waited_for() {
    let world = World::start(EVERYTHING).await;
    world.gitlab.fault(Fault::on("*", FaultKind::Latency(Duration::from_millis(100))));
    let which = passing(&world);
    world.gitlab.release_deliveries();
    world.expect(which, CheckStatus::Passed, "slowly").await;
    world.end().await;
}
