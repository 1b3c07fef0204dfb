//! What only time changes: a freeze that begins takes back from memory, one that ends gives back, and what has to ripen
//! does, at GitLab's instant and without anybody's doing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use countersign::clock::Clock;
use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Push, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};

use crate::world::{Ground, ONE, RESPOND, World};

use CheckStatus::{Failed, Passed, Pending, Unanswered};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A time that policies can be written with.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// What passes all that is not bad, but in a freeze only what was agreed.
fn freeze(from: Timestamp, to: Timestamp) -> String {
    format!(
        r#"
policy: freeze
rules:
  - id: title
    require: {{ not: {{ title: {{ glob: ["bad*"] }} }} }}
  - id: freeze
    when: {{ during: {{ from: "{from}", to: "{to}" }} }}
    require: {{ labels: {{ all: ["agreed"] }} }}
"#
    )
}

/// Merge requests that pass.
async fn standing(world: &World, count: usize) -> Vec<MergeRequestRef> {
    let all: Vec<_> = (0..count).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    assert!(all.iter().all(|which| world.status(*which) == Passed));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_takes_back_a_thousand_passes_at_its_first_instant_without_a_read_and_gives_them_back() {
    const MERGE_REQUESTS: usize = 1000;
    let clock = Clock::default();
    let from = whole(clock.now() + HOUR);
    let options = SimulatorOptions { clock, ..SimulatorOptions::default() };
    let world = World::start_on(Ground::prepare_with(&freeze(from, from + HOUR * 2), options).await).await;
    let agreed = world.open(world.merge_request().label("agreed"));
    let all = standing(&world, MERGE_REQUESTS).await;
    world.expect(agreed, Passed, "not yet").await;
    let clock = &world.ground.clock;

    clock.advance(clock.until(from - SECOND * 20));
    world.rest().await;
    assert!(all.iter().all(|which| world.status(*which) == Passed), "not yet");
    world.gitlab.forget_calls();
    clock.advance(clock.until(from));
    world.until("all are taken back", |_| all.iter().all(|which| world.status(*which) == Pending)).await;
    world.rest().await;
    let late: Vec<SignedDuration> = all
        .iter()
        .map(|which| world.gitlab.responses(*which, world.check).last().unwrap().created_at)
        .map(|taken| taken.duration_since(from))
        .collect();
    let (first, last) = (late.iter().min().unwrap(), late.iter().max().unwrap());
    println!(
        "{MERGE_REQUESTS} passes taken back: the first {first:#} after the freeze began, the last {last:#}"
    );
    assert!(*first >= SignedDuration::ZERO, "before it began: {first:#}");
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for call in world.gitlab.calls() {
        *counts.entry(call.route).or_default() += 1;
    }
    println!("calls: {counts:?}");
    assert_eq!(counts.remove(RESPOND), Some(MERGE_REQUESTS.try_into().unwrap()), "one answer each");
    // Which words there are, and whether the project has merge trains, is asked for all of them.
    for (route, count) in counts {
        assert!(["GET /version", "GET /projects/:id"].contains(&&*route) && count == 1, "{route}: {count}");
    }
    assert_eq!(world.status(agreed), Passed, "it was agreed");

    clock.advance(HOUR);
    world.rest().await;
    assert!(all.iter().all(|which| world.status(*which) == Failed), "nobody keeps them pending for an hour");
    let looks = world.calls(ONE);
    clock.advance(clock.until(from + HOUR * 2));
    world.until("all pass again", |_| all.iter().all(|which| world.status(*which) == Passed)).await;
    world.rest().await;
    assert!(world.calls(ONE) - looks >= MERGE_REQUESTS.try_into().unwrap(), "each was looked at");
    assert_eq!(world.posted(agreed), [Passed]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_right_any_more_when_a_freeze_ends_does_not_pass_again() {
    let clock = Clock::default();
    let from = whole(clock.now() + HOUR);
    let options = SimulatorOptions { clock, ..SimulatorOptions::default() };
    let world = World::start_on(Ground::prepare_with(&freeze(from, from + HOUR), options).await).await;
    let which = standing(&world, 1).await[0];
    let clock = &world.ground.clock;
    clock.advance(clock.until(from) + SECOND);
    world.rest().await;
    assert_eq!(world.status(which), Pending);
    // Nobody is told.
    world.gitlab.hold_deliveries();
    world.gitlab.edit_title(which, "bad").unwrap();
    clock.advance(HOUR);
    world.rest().await;
    assert_eq!(world.status(which), Failed);
    assert!(!world.posted(which)[1..].contains(&Passed), "{:?}", world.posted(which));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_that_began_while_the_service_was_away_takes_back_at_its_start() {
    let clock = Clock::default();
    let from = whole(clock.now() + HOUR);
    let options = SimulatorOptions { clock, ..SimulatorOptions::default() };
    let mut world =
        World::start_on(Ground::prepare_with(&freeze(from, from + HOUR * 9), options).await).await;
    let all = standing(&world, 5).await;
    world.stop().await;
    world.gitlab.advance(HOUR * 2);
    world.start_again().await;
    world.until("all are taken back", |_| all.iter().all(|which| world.status(*which) == Pending)).await;
    world.swept(1).await;
    assert!(all.iter().all(|which| world.posted(*which) == [Passed, Pending]), "and told once");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_to_ripen_passes_by_itself_when_it_is_old_enough() {
    const RIPE: &str = "
policy: ripe
rules:
  - id: opened
    require: { age: { since: opened, at_least: 2h } }
  - id: pushed
    require: { age: { since: last_push, at_least: 1h } }
";
    let world = World::start(RIPE).await;
    let [still, pushed] = [0, 1].map(|_| world.open(world.merge_request()));
    let opened = world.gitlab.now();
    world.settle().await;
    let clock = &world.ground.clock;
    clock.advance(clock.until(opened + HOUR + MINUTE * 30));
    world.gitlab.push(pushed, Push::new().file("src/late.rs")).unwrap();
    world.settle().await;
    // The clock stands still for nobody: so close to the instant as this.
    clock.advance(clock.until(opened + HOUR * 2 - SECOND * 20));
    world.rest().await;
    assert_eq!((world.status(still), world.status(pushed)), (Unanswered, Unanswered), "too young");
    clock.advance(clock.until(opened + HOUR * 2) + SECOND);
    world.until("it is ripe", |_| world.status(still) == Passed).await;
    world.rest().await;
    assert_eq!(world.status(pushed), Unanswered, "its push is half an hour old");
    clock.advance(clock.until(opened + HOUR * 2 + MINUTE * 30 - SECOND * 20));
    world.rest().await;
    assert_eq!(world.status(pushed), Unanswered, "its push is too young");
    clock.advance(SECOND * 25);
    world.until("its push is ripe", |_| world.status(pushed) == Passed).await;
    assert_eq!((world.posted(still), world.posted(pushed)), (vec![Passed], vec![Passed]));
    world.end().await;
}

/// A world in which GitLab's clock and ours differ by five minutes.
async fn skewed(gitlab_ahead: bool) -> (World, Timestamp) {
    let [gitlabs, ours] = [0, 1].map(|_| Clock::default());
    if gitlab_ahead { &gitlabs } else { &ours }.advance(MINUTE * 5);
    let from = whole(gitlabs.now() + HOUR);
    let options = SimulatorOptions { clock: gitlabs, ..SimulatorOptions::default() };
    let ground = Ground::prepare_with(&freeze(from, from + HOUR * 9), options).await;
    (World::start_on(ground.with_own_clock(ours)).await, from)
}

/// Lets time pass for both.
async fn pass(world: &World, time: Duration) {
    world.gitlab.advance(time);
    world.ground.clock.advance(time);
    world.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_begins_at_gitlabs_instant_whatever_our_clock_shows() {
    for gitlab_ahead in [true, false] {
        for restarted in [false, true] {
            let began = Instant::now();
            let (mut world, from) = skewed(gitlab_ahead).await;
            let which = standing(&world, 1).await[0];
            if restarted {
                world.stop().await;
                world.start_again().await;
                world.swept(1).await;
            }
            let then = from - MINUTE * 7;
            let until_then = Duration::try_from(then.duration_since(world.gitlab.now())).unwrap();
            pass(&world, until_then).await;
            while world.gitlab.now() < from + SECOND * 5 {
                let before = world.gitlab.now() < from;
                let shown = world.status(which);
                assert!(!before || shown == Passed, "{shown:?} at {}, before {from}", world.gitlab.now());
                let near = world.gitlab.now() > from - SECOND * 5;
                pass(&world, if near { SECOND / 5 } else { SECOND * 5 }).await;
            }
            let scene = format!("GitLab is ahead: {gitlab_ahead}, restarted: {restarted}");
            assert_eq!(world.posted(which), [Passed, Pending], "{scene}");
            let taken = world.gitlab.responses(which, world.check)[1].created_at;
            let (late, slow) =
                (taken.duration_since(from), SignedDuration::try_from(began.elapsed()).unwrap());
            println!("{scene}: taken back {late:#} after the freeze began");
            assert!(
                late >= SignedDuration::ZERO && late <= SignedDuration::from_secs(2) + slow,
                "{scene}: {late:#}"
            );
            world.end().await;
        }
    }
}
