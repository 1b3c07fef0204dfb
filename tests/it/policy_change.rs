//! Policies that change: every open merge request is decided again, nobody has to touch it. What stands to lose a
//! `passed` goes first and from memory, what may be given one is looked at in turn.

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Weather};
use jiff::Timestamp;
use rusqlite::Connection;

use crate::sender;
use crate::world::{Ground, ONE, PLAIN_POLICY, RESPOND, REVIEW_POLICY, World, metric, until, until_async};

use CheckStatus::{Failed, Passed, Pending, Unanswered};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// How many looks that nobody waits for are made at once after a rest.
const LOOKS_AT_ONCE: u64 = 20;
/// How many merge requests are decided at the same time.
const LANES: usize = 32;

/// What passes only what is titled `fix*`.
const STRICTER: &str = r#"
policy: stricter
rules:
  - id: title
    require: { title: { glob: ["fix*"] } }
"#;

/// What asks of everybody twice as much as `REVIEW_POLICY` does.
const TWO_REVIEWS: &str = r#"
policy: review
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: review
    require: { approvals: { count: 2, from: { groups: ["shop/payments"] } } }
"#;

/// What asks for something that was never read before.
const PIPELINE: &str = "
policy: pipeline
rules:
  - id: pipeline
    require: { pipeline: success }
";

const BROKEN: &str = "policy: broken\nrule: []\n";

/// Puts a policy in force.
async fn put_in_force(world: &World, policy: &str) {
    world.ground.write_policy(policy);
    let path = world.ground.folder.path().join("policies");
    let revision = countersign::bundle::load(&path).unwrap().revision().clone();
    until("the policy is in force", || {
        world.bundle().reload(world.gitlab.now());
        *world.bundle().current().revision() == revision
    })
    .await;
}

async fn remaining(world: &World) -> u64 {
    world.app().store().queue().remaining_for_revision().await.unwrap()
}

/// Waits until every open merge request was decided by the policies in force.
async fn followed(world: &World) {
    let revision = world.bundle().current().revision().clone();
    let database = Connection::open(world.ground.database()).unwrap();
    let sql = "SELECT revision FROM revision ORDER BY id DESC LIMIT 1";
    let active = || database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let is_followed = async || active() == revision.as_str() && remaining(world).await == 0;
    until_async(&format!("{} is followed", revision.short()), is_followed).await;
    world.rest().await;
}

/// Merge requests with these titles, each with what it shows by the policy in force.
async fn opened(world: &World, titles: &[(&str, CheckStatus)]) -> Vec<MergeRequestRef> {
    let open = |(title, _): &(&str, _)| world.open(world.merge_request().title(title));
    let all: Vec<_> = titles.iter().map(open).collect();
    for (which, (title, status)) in all.iter().zip(titles) {
        world.expect(*which, *status, title).await;
    }
    all
}

async fn demand(world: &World, all: &[MergeRequestRef], statuses: &[CheckStatus], why: &str) {
    for (which, status) in all.iter().zip(statuses) {
        world.expect(*which, *status, why).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tightened_policy_takes_back_what_stands_without_a_delivery_and_without_a_read() {
    let world = World::start(PLAIN_POLICY).await;
    let titles = [("feat: a", Passed), ("fix: b", Passed), ("feat: c", Passed), ("bad", Failed)];
    let all = opened(&world, &titles).await;
    let (reads, posts) = (world.calls("GET *"), world.calls(RESPOND));
    put_in_force(&world, STRICTER).await;
    followed(&world).await;
    demand(&world, &all, &[Failed, Passed, Failed, Failed], "by the stricter policy").await;
    assert_eq!((world.calls("GET *") - reads, world.calls(RESPOND) - posts), (0, 2), "{}", world.history());
    let decision = world.decisions(all[0]).await.pop().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&decision.record).unwrap();
    assert_eq!(record["cause"]["event"], "policies", "{record:#}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_asks_for_more_of_what_was_read_takes_back_from_memory() {
    let world = World::start(REVIEW_POLICY).await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "one approval").await;
    let other = world.open(world.merge_request());
    world.expect(other, Unanswered, "none").await;
    world.gitlab.forget_calls();
    put_in_force(&world, TWO_REVIEWS).await;
    followed(&world).await;
    world.expect(which, Pending, "two are asked for").await;
    world.expect(other, Unanswered, "still none").await;
    let reads: Vec<_> =
        world.gitlab.call_counts().into_keys().filter(|route| route.starts_with("GET")).collect();
    assert!(reads.iter().all(|route| ["GET /version", "GET /projects/:id"].contains(&&**route)), "{reads:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_asks_for_what_was_never_read_is_followed_by_a_look() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().quietly());
    world.gitlab.set_pipeline(which, "failed").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, Passed, "a good title").await;
    put_in_force(&world, PIPELINE).await;
    followed(&world).await;
    world.expect(which, Failed, "its pipeline failed").await;
    world.end().await;
}

/// How many have to wait for their turn.
const LATE: usize = 4;

/// Many that pass, and GitLab may be asked for one of them in a minute after the first twenty.
async fn many_passed() -> (World, Vec<MergeRequestRef>) {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "5");
    let world = World::start_on(ground).await;
    let passing = vec![("feat: x", Passed); usize::try_from(LOOKS_AT_ONCE).unwrap() + LATE];
    let all = opened(&world, &passing).await;
    // Nobody is told of it: only a look finds it.
    world.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    for which in &all {
        world.gitlab.set_pipeline(*which, "success").unwrap();
    }
    (world, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_pass_any_more_is_taken_back_at_once_although_not_all_was_read() {
    let (world, all) = many_passed().await;
    let looks = world.calls(ONE);
    put_in_force(&world, &format!("{PIPELINE}  - id: title\n    require: {{ title: {{ glob: [fix*] }} }}\n"))
        .await;
    followed(&world).await;
    assert!(all.iter().all(|which| world.status(*which) == Failed), "its title says it all");
    assert_eq!(world.calls(ONE) - looks, LOOKS_AT_ONCE, "and the others will be looked at in their turn");
    let mut partial = 0;
    for which in &all {
        let decision = world.decisions(*which).await.pop().unwrap();
        partial += usize::from(String::from_utf8(decision.record).unwrap().contains("GitLab was not asked"));
    }
    assert_eq!(partial, LATE, "their records say what is not known");
    for _ in 0..LATE {
        world.pass(MINUTE).await;
    }
    assert_eq!(world.calls(ONE) - looks, all.len() as u64);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_turn_keeps_a_pass_until_time_makes_plain_that_it_can_not() {
    let (world, all) = many_passed().await;
    let looks = world.calls(ONE);
    let from = Timestamp::from_second((world.gitlab.now() + MINUTE * 5 / 6).as_second()).unwrap();
    let freeze = format!(
        "{PIPELINE}  - id: freeze\n    when: {{ during: {{ from: \"{from}\", to: \"{}\" }} }}
    require: {{ labels: {{ all: [agreed] }} }}\n",
        from + HOUR
    );
    put_in_force(&world, &freeze).await;
    until_async("the others are decided", async || remaining(&world).await == LATE as u64).await;
    world.rest().await;
    assert!(all.iter().all(|which| world.status(*which) == Passed), "each as far as it is known");
    assert_eq!(world.calls(ONE) - looks, LOOKS_AT_ONCE, "some wait for their turn");
    world.gitlab.advance(world.ground.clock.until(from) + Duration::from_secs(1));
    world.rest().await;
    let shown: Vec<_> = all.iter().map(|which| world.status(*which)).collect();
    assert!(shown.iter().all(|status| *status == Pending), "nothing passes in a freeze: {shown:?}");
    assert!(world.calls(ONE) - looks < all.len() as u64, "the turn of some has not come");
    world.end().await;
}

/// What needs a label beside what was never read.
fn agreed() -> String {
    format!("{PIPELINE}  - id: agreed\n    require: {{ labels: {{ all: [agreed] }} }}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_by_memory_is_looked_at_in_its_turn_whatever_is_said_meanwhile() {
    let (world, all) = many_passed().await;
    let looks = world.calls(ONE);
    put_in_force(&world, &agreed()).await;
    followed(&world).await;
    assert!(all.iter().all(|which| world.status(*which) == Pending), "nothing is agreed");
    let said = world.calls(RESPOND);
    // A pending is said again before two minutes are over.
    world.gitlab.advance(MINUTE + Duration::from_secs(30));
    world.rest().await;
    assert!(world.calls(RESPOND) > said, "it is said again");
    let done = world.calls(ONE) - looks;
    assert!((LOOKS_AT_ONCE..=LOOKS_AT_ONCE + 2).contains(&done), "{done} looks");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_read_is_no_cause_to_leave_a_merge_train() {
    let (world, all) = many_passed().await;
    for which in &all {
        world.gitlab.put_on_merge_train(*which).unwrap();
    }
    let looks = world.calls(ONE);
    put_in_force(&world, &agreed()).await;
    followed(&world).await;
    assert_eq!(world.calls(ONE) - looks, LOOKS_AT_ONCE);
    assert!(all.iter().all(|which| world.status(*which) == Passed), "each keeps its place");
    // For as long as it is there: GitLab tells nobody when it is not.
    for which in &all {
        world.gitlab.take_off_merge_train(*which).unwrap();
    }
    world.gitlab.advance(MINUTE * 3);
    world.rest().await;
    assert!(all.iter().all(|which| world.status(*which) != Passed), "each was looked at");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_policy_passes_nothing_and_takes_nothing_back() {
    let world = World::start(STRICTER).await;
    let titles = [("fix: a", Passed), ("feat: b", Failed)];
    let all = opened(&world, &titles).await;
    let calls = world.calls("*");
    world.ground.write_policy(BROKEN);
    until("it is broken", || {
        world.bundle().reload(world.gitlab.now());
        world.bundle().trouble().is_some()
    })
    .await;
    for _ in 0..5 {
        // Longer than it takes to notice that policies have changed.
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.pass(MINUTE * 5).await;
    }
    demand(&world, &all, &[Passed, Failed], "by the last good policy").await;
    assert_eq!(world.calls("*"), calls, "there is nothing to ask and nothing to say");
    // Whatever happens is decided by the last good one.
    world.gitlab.edit_title(all[0], "feat: a").unwrap();
    world.gitlab.edit_title(all[1], "feat: c").unwrap();
    demand(&world, &all, &[Failed, Failed], "by the last good policy").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loosened_policy_passes_what_is_right_at_this_very_moment_without_a_delivery() {
    let world = World::start(STRICTER).await;
    let titles = [("feat: a", Failed), ("feat: b", Failed), ("fix: c", Passed)];
    let all = opened(&world, &titles).await;
    // Nobody is told of it.
    world.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    world.gitlab.edit_title(all[1], "bad").unwrap();
    let (looks, posts) = (world.calls(ONE), world.calls(RESPOND));
    put_in_force(&world, PLAIN_POLICY).await;
    followed(&world).await;
    demand(&world, &all, &[Passed, Failed, Passed], "by the looser policy").await;
    assert_eq!((world.calls(ONE) - looks, world.calls(RESPOND) - posts), (2, 1), "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_to_lose_a_passed_goes_before_what_may_get_one() {
    const EACH: usize = 50;
    // The same number passes before and after, and none of them twice.
    let policy = |title: &str| {
        format!("policy: p\nrules:\n  - id: t\n    require: {{ title: {{ glob: [\"{title}*\"] }} }}\n")
    };
    let ground = Ground::prepare(&policy("fix")).await;
    let world = World::start_on(ground.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "100000")).await;
    // Those that may get one have waited for longer.
    let titles: Vec<_> = (0..2 * EACH).map(|index| if index < EACH { "feat" } else { "fix" }).collect();
    let all: Vec<_> =
        titles.iter().map(|title| world.open(world.merge_request().title(title).quietly())).collect();
    for which in &all {
        world.gitlab.add_label(*which, "look").unwrap();
    }
    world.settle().await;
    world.gitlab.forget_calls();
    let rows = world.gitlab.all_responses().len();
    put_in_force(&world, &policy("feat")).await;
    followed(&world).await;
    for (which, title) in all.iter().zip(&titles) {
        let right = if *title == "feat" { Passed } else { Failed };
        world.expect(*which, right, title).await;
    }
    let posted: Vec<_> = world.gitlab.all_responses().split_off(rows).iter().map(|row| row.posted).collect();
    assert_eq!(posted.len(), 2 * EACH);
    let calls = world.gitlab.calls();
    let first_look = calls.iter().position(|call| call.route == ONE).unwrap();
    let before = calls[..first_look].iter().filter(|call| call.route == RESPOND).count();
    let first_grant = posted.iter().position(|status| *status == Passed).unwrap();
    println!(
        "{before} of {EACH} withdrawals had left before the first look, {first_grant} before the first grant"
    );
    // What is decided at the same time has no order.
    assert!(before + LANES >= EACH, "a look came before {} withdrawals", EACH - before);
    assert!(before > 0 && first_grant + LANES >= EACH);
    world.end().await;
}

/// A policy that passes many that failed before, and GitLab has others to serve.
async fn many_failed(count: usize) -> (World, Vec<MergeRequestRef>) {
    let ground = Ground::prepare(STRICTER).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "30");
    let world = World::start_on(ground).await;
    let all = opened(&world, &vec![("feat: x", Failed); count]).await;
    // So long ago that no sweep after a restart looks at them.
    world.gitlab.advance(HOUR * 2);
    let late = world.open(world.merge_request().title("fix: y"));
    world.expect(late, Passed, "a fix").await;
    (world, all)
}

fn passing(world: &World, all: &[MergeRequestRef]) -> u64 {
    all.iter().filter(|which| world.status(**which) == Passed).count().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_for_new_policies_keep_to_their_budget_and_a_metric_says_how_many_remain() {
    const LOOKS_PER_MINUTE: u64 = 6;
    let (world, all) = many_failed(40).await;
    let exposed = async || {
        let exposition = sender::get(&format!("{}/metrics", world.url())).await.text;
        metric(&exposition, "countersign_revision_remaining")
    };
    assert!(exposed().await < 0.5, "nothing has changed");
    let looks = world.calls(ONE);
    put_in_force(&world, PLAIN_POLICY).await;
    let began = world.gitlab.now();
    until_async("those at once are through", async || passing(&world, &all) >= LOOKS_AT_ONCE).await;
    world.rest().await;
    let mut remained = Vec::new();
    loop {
        let (time, done) = (world.gitlab.now().duration_since(began).as_secs(), world.calls(ONE) - looks);
        let allowed = LOOKS_AT_ONCE + 1 + u64::try_from(time).unwrap() * LOOKS_PER_MINUTE / 60;
        assert!(done <= allowed, "{done} looks after {time} s");
        remained.push(remaining(&world).await);
        let (told, known) = (exposed().await, remained.last().unwrap());
        assert!((told - f64::from(u32::try_from(*known).unwrap())).abs() < 0.5, "{told} instead of {known}");
        if *known == 0 {
            break;
        }
        assert!(remained.len() < 10, "it does not come to its end: {remained:?}");
        world.gitlab.advance(MINUTE);
        world.rest().await;
    }
    println!("remaining from minute to minute: {remained:?}");
    assert!(remained.is_sorted_by(|one, other| one > other), "{remained:?}");
    assert!(remained.len() >= 3, "{remained:?}");
    assert_eq!(passing(&world, &all), 40);
    assert!(world.calls(ONE) - looks <= 41, "each of them once");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_change_while_the_service_is_down_are_followed_at_its_next_start() {
    let (mut world, failed) = many_failed(3).await;
    let standing = world.open(world.merge_request().title("fix: z"));
    world.expect(standing, Passed, "a fix").await;
    world.stop().await;
    world.ground.write_policy(PLAIN_POLICY);
    world.start_again().await;
    followed(&world).await;
    demand(&world, &failed, &[Passed; 3], "by the looser policy").await;
    world.gitlab.advance(HOUR * 2);
    world.stop().await;
    world.ground.write_policy(STRICTER);
    world.start_again().await;
    followed(&world).await;
    demand(&world, &failed, &[Failed; 3], "by the stricter policy").await;
    world.expect(standing, Passed, "by both").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_yet_decided_again_at_a_stop_is_decided_after_the_next_start() {
    let (mut world, all) = many_failed(60).await;
    put_in_force(&world, PLAIN_POLICY).await;
    until_async("those at once are through", async || passing(&world, &all) >= LOOKS_AT_ONCE).await;
    world.rest().await;
    world.stop().await;
    let before = passing(&world, &all);
    assert!(before < 30, "{before} at once");
    world.start_again().await;
    world.swept(1).await;
    for _ in 0..10 {
        world.gitlab.advance(MINUTE);
        world.rest().await;
    }
    println!("{before} of {} were decided before the stop, the others after it", all.len());
    assert_eq!((passing(&world, &all), remaining(&world).await), (60, 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_come_back_are_new_ones() {
    let world = World::start(PLAIN_POLICY).await;
    let all = opened(&world, &[("feat: a", Passed), ("fix: b", Passed), ("bad", Failed)]).await;
    for _ in 0..2 {
        put_in_force(&world, STRICTER).await;
        followed(&world).await;
        demand(&world, &all, &[Failed, Passed, Failed], "by the stricter policy").await;
        put_in_force(&world, PLAIN_POLICY).await;
        followed(&world).await;
        demand(&world, &all, &[Passed, Passed, Failed], "by the plain policy").await;
    }
    assert_eq!(world.posted(all[0]), [Passed, Failed, Passed, Failed, Passed]);
    assert_eq!((world.posted(all[1]), world.posted(all[2])), (vec![Passed], vec![Failed]));
    world.end().await;
}
