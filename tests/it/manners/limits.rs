//! Limits are obeyed before GitLab has to refuse, and a refusal holds back what it is about and nothing else.

use std::time::Duration;

use countersign::clock::Clock;
use countersign::simulator::{CallOutcome, CheckStatus, Fault, NewMergeRequest, SimulatorOptions};
use jiff::Timestamp;

use super::log::{lines, run_logged};
use super::{THREADS_POLICY, pass_until};
use crate::world::{DISCUSSIONS, Ground, ONE, PLAIN_POLICY, RESPOND, World, until};

use CheckStatus::{Failed, Passed, Pending};

const MERGE_REQUESTS: usize = 40;
const MINUTE: Duration = Duration::from_secs(60);

fn refusals(world: &World) -> u64 {
    let counts = world.gitlab.call_counts();
    counts.values().filter_map(|outcomes| outcomes.get(&CallOutcome::Answered(429))).sum()
}

/// How many calls came in the fullest minute.
fn most_in_a_minute(world: &World) -> usize {
    let mut minutes = std::collections::BTreeMap::<i64, usize>::new();
    for call in world.gitlab.calls() {
        *minutes.entry(call.at.as_second().div_euclid(60)).or_default() += 1;
    }
    minutes.into_values().max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gitlab_grants_in_a_minute_is_never_exceeded_and_all_is_decided_in_time() {
    const GRANTED: u64 = 60;
    let world = World::start(THREADS_POLICY).await;
    // GitLab tells its limit with the first answer.
    world.gitlab.set_rate_limit(Some(GRANTED));
    let first = world.open(world.merge_request());
    world.expect(first, Passed, "the first").await;
    world.gitlab.hold_deliveries();
    let all: Vec<_> = (0..MERGE_REQUESTS).map(|_| world.open(world.merge_request())).collect();
    let began = world.gitlab.now();
    world.gitlab.release_deliveries();
    pass_until(&world, "each of them passes", || all.iter().all(|which| world.status(*which) == Passed))
        .await;
    let minutes = world.gitlab.now().duration_since(began).as_secs() / 60;
    assert!(world.metric("countersign_gitlab_rate_limit_remaining{}") > 0.0);
    println!(
        "{MERGE_REQUESTS} merge requests within {GRANTED} calls a minute: {minutes} minutes, {} refusals",
        refusals(&world)
    );
    assert_eq!(refusals(&world), 0, "{}", world.history());
    assert!((1..8).contains(&minutes), "{minutes} minutes for {} calls", world.calls("*"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceiling_of_the_configuration_holds_where_gitlab_has_none() {
    const CEILING: usize = 60;
    let ground =
        Ground::prepare(THREADS_POLICY).await.configure("GITLAB__CALLS_PER_MINUTE", &CEILING.to_string());
    let world = World::start_on(ground).await;
    let all: Vec<_> = (0..MERGE_REQUESTS).map(|_| world.open(world.merge_request())).collect();
    pass_until(&world, "each of them passes", || all.iter().all(|which| world.status(*which) == Passed))
        .await;
    // Our minutes are not GitLab's: two of ours may meet in one of its.
    let most = most_in_a_minute(&world);
    println!("a ceiling of {CEILING}: {most} calls in the fullest minute");
    assert!(most <= 2 * CEILING, "{most}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_refusal_of_all_calls_none_is_made_before_its_time() {
    let world = World::start(PLAIN_POLICY).await;
    let [which, other] = [(); 2].map(|()| world.open(world.merge_request()));
    world.settle().await;
    world.gitlab.fault(Fault::rate_limited(ONE, 40).times(1));
    world.gitlab.edit_title(which, "bad").unwrap();
    until("it is refused", || refusals(&world) == 1).await;
    let calls = world.calls("*");
    world.gitlab.edit_title(other, "bad").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    for _ in 0..3 {
        world.gitlab.advance(Duration::from_secs(12));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.calls("*"), calls, "36 of 40 seconds are over");
    let decisions = world.decisions(which).await.len();
    world.gitlab.advance(Duration::from_secs(12));
    world.expect(which, Failed, "its time has come").await;
    world.expect(other, Failed, "for both").await;
    assert_eq!(world.decisions(which).await.len(), decisions + 1, "what was not asked decided nothing");
    world.end().await;
}

/// The refusal comes in the middle of a look: what is missing then is not unknown, it was not asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_a_limit_cut_short_decides_nothing_and_takes_nothing_back() {
    let world = World::start(THREADS_POLICY).await;
    let which = world.open(world.merge_request().title("good"));
    world.expect(which, Passed, "before").await;
    let decisions = world.decisions(which).await.len();
    world.gitlab.fault(Fault::rate_limited(DISCUSSIONS, 40).times(1));
    world.gitlab.edit_title(which, "good still").unwrap();
    until("it is refused", || refusals(&world) == 1).await;
    world.rest().await;
    assert_eq!(world.decisions(which).await.len(), decisions, "not yet");
    world.pass(Duration::from_secs(45)).await;
    world.expect(which, Passed, "after").await;
    assert_eq!(world.posted(which), [Passed], "nothing was taken back meanwhile");
    assert_eq!(world.decisions(which).await.len(), decisions + 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_whose_refused_read_was_answered_when_made_again_decides() {
    let world = World::start(THREADS_POLICY).await;
    let which = world.open(world.merge_request().title("good"));
    world.expect(which, Passed, "before").await;
    let reads = world.calls(DISCUSSIONS);
    world.gitlab.fault(Fault::rate_limited(DISCUSSIONS, 1).times(1));
    world.gitlab.edit_title(which, "bad").unwrap();
    until("it is refused", || refusals(&world) == 1).await;
    pass_until(&world, "the read is made again", || world.status(which) == Failed).await;
    world.rest().await;
    assert_eq!(world.calls(DISCUSSIONS), reads + 2, "the look is not made anew\n{}", world.history());
    world.end().await;
}

#[test]
fn half_an_hour_of_refusals_makes_a_short_log() {
    run_logged("storm", async {
        let world = World::start(PLAIN_POLICY).await;
        let all: Vec<_> = (0..60).map(|_| world.open(world.merge_request())).collect();
        world.settle().await;
        let fault = world.gitlab.fault(Fault::rate_limited_json(ONE));
        for which in &all {
            world.gitlab.edit_title(*which, "bad").unwrap();
        }
        let over = world.gitlab.now() + Duration::from_secs(1800);
        while world.gitlab.now() < over {
            world.gitlab.advance(Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let loud = lines("storm").iter().filter(|line| line.level <= tracing::Level::WARN).count();
        println!(
            "60 merge requests, one route refused for half an hour: {} refusals, {loud} lines",
            refusals(&world)
        );
        // Ten in five minutes, of two kinds.
        assert!((10..=2 * 10 * 7).contains(&loud), "{loud} lines");
        world.gitlab.lift(fault);
        pass_until(&world, "all is right", || all.iter().all(|which| world.status(*which) == Failed)).await;
        world.end().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_one_route_holds_back_that_route_alone() {
    let world = World::start(THREADS_POLICY).await;
    let fault = world.gitlab.fault(Fault::rate_limited_json(DISCUSSIONS));
    let all: Vec<_> = (0..10).map(|_| world.open(world.merge_request())).collect();
    until("all are looked at", || world.calls(ONE) >= 10).await;
    world.rest().await;
    // A minute of it: longer pauses each time, whoever asks.
    let over = world.gitlab.now() + Duration::from_secs(60);
    while world.gitlab.now() < over {
        world.pass(Duration::from_secs(5)).await;
    }
    let (refused, looks) = (refusals(&world), world.calls(ONE));
    println!("10 merge requests, a route refused for a minute: {refused} refusals, {looks} looks");
    // At first they come together.
    assert!(refused <= 10 + 8, "{refused}");
    assert!(world.metric(r#"countersign_gitlab_calls_held_back_total{reason="route"}"#) > 0.0);
    world.gitlab.lift(fault);
    pass_until(&world, "the route answers again", || all.iter().all(|which| world.status(*which) == Passed))
        .await;
    world.end().await;
}

/// A self-managed GitLab counts by the hour, and a freeze can't wait for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_takes_back_does_not_wait_for_reads_to_be_granted_again() {
    const GRANTED: u64 = 200;
    let clock = Clock::default();
    let hour = Timestamp::from_second((clock.now().as_second() / 3600 + 1) * 3600).unwrap();
    let from = hour + MINUTE * 10;
    let policy = format!(
        "{PLAIN_POLICY}  - id: freeze\n    when: {{ during: {{ from: \"{from}\", to: \"{}\" }} }}
    require: {{ labels: {{ all: [agreed] }} }}\n",
        from + MINUTE * 120
    );
    let options = SimulatorOptions { clock, ..SimulatorOptions::default() };
    let world = World::start_on(Ground::prepare_with(&policy, options).await).await;
    let clock = &world.ground.clock;
    clock.advance(clock.until(hour) + MINUTE);
    world.rest().await;
    world.gitlab.set_hourly_rate_limit(GRANTED);
    let all: Vec<_> = [None, None, Some("agreed")]
        .map(|label| label.into_iter().fold(world.merge_request(), NewMergeRequest::label))
        .map(|new| world.open(new))
        .into();
    for which in &all {
        world.expect(*which, Passed, "before the freeze").await;
    }
    // Somebody else has the same token.
    world.gitlab.spend_calls(world.ground.bot, GRANTED - 20);
    world.gitlab.add_label(all[0], "seen").unwrap();
    world.settle().await;
    world.gitlab.add_label(all[1], "agreed").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    let reads = || world.calls("GET *") - world.calls("GET /version") - world.calls("GET /projects/:id");
    let before = reads();
    // Nor does one that did not take effect wait.
    world.gitlab.fault(Fault::error_page(RESPOND, 502).times(1));
    clock.advance(clock.until(from));
    world
        .until("both are taken back", |_| all[..2].iter().all(|which| world.status(*which) == Pending))
        .await;
    assert_eq!(reads(), before, "no read is left\n{}", world.history());
    assert_eq!((world.status(all[2]), refusals(&world)), (Passed, 0));
    let decision = world.decisions(all[1]).await.pop().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&decision.record).unwrap();
    assert_eq!(record["cause"]["event"], "time", "not what waits to be looked at");
    clock.advance(clock.until(hour + MINUTE * 61));
    pass_until(&world, "the delivery was not forgotten", || world.status(all[1]) == Passed).await;
    world.rest().await;
    assert_ne!(world.status(all[0]), Passed);
    assert_eq!(world.status(all[2]), Passed);
    world.end().await;
}
