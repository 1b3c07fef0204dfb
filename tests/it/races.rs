//! Things that happen while others are under way: the last word is the right word.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::merge_request::{CommitSha, MergeRequestRef};
use countersign::simulator::{CheckStatus, Fault, FaultKind, FileChange, Gitlab, Moment, Push};

use crate::world::{Chance, DISCUSSIONS, LIST, ONE, PLAIN_POLICY, RESPOND, VERSION, VERSIONS, World, scale};

const REVIEW: &str = r#"
policy: review
rules:
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

const CODE: &str = r#"
policy: code
rules:
  - id: no-secrets
    require: { changed_files: { none: ["secret/"] } }
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
  - id: review
    when: { labels: { any: ["review"] } }
    require: { approvals: 1 }
"#;

const GOOD: &str = "src/card.rs";
const BAD: &str = "secret/key.pem";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_that_turns_bad_during_an_evaluation_does_not_pass() {
    let world = World::start(PLAIN_POLICY).await;
    for moment in [Moment::after(ONE), Moment::before(LIST), Moment::before(RESPOND), Moment::after(RESPOND)]
    {
        let which = world.open(world.merge_request().quietly());
        let turn_bad = move |gitlab: &Gitlab| gitlab.edit_title(which, "bad").unwrap();
        world.gitlab.on_call(moment.clone(), turn_bad);
        world.gitlab.add_label(which, "look").unwrap();
        world
            .until("the title turned bad", |gitlab| gitlab.merge_request(which).unwrap().title == "bad")
            .await;
        world.expect(which, CheckStatus::Failed, &format!("{moment:?}")).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_withdrawn_while_its_passed_is_under_way_never_ends_as_passed() {
    withdrawn_approvals().await;
}

pub async fn withdrawn_approvals() {
    let world = World::start(REVIEW).await;
    let bea = world.ground.reviewer();
    let mut chance = Chance::new("approval withdrawn under way");
    let rounds = if scale() > 1 { 100 } else { 20 };
    for round in 0..rounds {
        let which = world.open(world.merge_request());
        world.settle().await;
        let kind = chance.pick(&[FaultKind::Hang, FaultKind::ApplyThenHang]);
        let fault = world.gitlab.fault(Fault::on(RESPOND, kind.clone()).times(1));
        let before = world.calls(RESPOND);
        world.gitlab.approve(which, bea).unwrap();
        world.until("the answer is held up", |gitlab| gitlab.calls_to(RESPOND) > before).await;
        world.gitlab.unapprove(which, bea).unwrap();
        if chance.coin() {
            world.gitlab.deliveries_settled().await.unwrap();
        }
        world.gitlab.lift(fault);
        let shown = world.settled_status(which).await;
        assert_ne!(shown, CheckStatus::Passed, "round {round}, {kind:?}");
    }
    println!("{rounds} approvals withdrawn under way, 0 ended as passed");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_of_one_push_never_decide_for_another() {
    pushes_between_reads().await;
}

/// Pushes come at random moments between the reads: B after A, or B and then A again.
pub async fn pushes_between_reads() {
    let world = World::start(CODE).await;
    let mut chance = Chance::new("pushes between reads");
    for round in 0..20 * scale() {
        let (first, second) = chance.pick(&[(GOOD, BAD), (BAD, GOOD)]);
        let which = world.open(world.merge_request().file(first).quietly());
        let head = world.gitlab.merge_request(which).unwrap().head().unwrap().clone();
        let route = chance.pick(&[ONE, LIST, VERSIONS, VERSION, DISCUSSIONS, RESPOND]);
        let back = chance.coin();
        let moment = if chance.coin() { Moment::before(route) } else { Moment::after(route) };
        let there = move |gitlab: &Gitlab| _ = gitlab.push(which, Push::new().file(second)).unwrap();
        let again = move |gitlab: &Gitlab| _ = gitlab.push(which, Push::to(&head)).unwrap();
        if back && chance.coin() {
            // Both pushes between the same two reads.
            world.gitlab.on_call(moment, move |gitlab| {
                there(gitlab);
                again(gitlab);
            });
        } else {
            world.gitlab.on_call(moment, there);
            if back {
                let later = chance.pick(&[VERSIONS, VERSION, DISCUSSIONS, RESPOND]);
                world.gitlab.on_call(Moment::before(later).skip(chance.below(2)), again);
            }
        }
        world.gitlab.add_label(which, "look").unwrap();
        world.settle().await;
        // A push that waited for a second call may not have come yet: one more event makes that call.
        world.gitlab.add_label(which, "look-again").unwrap();
        world.settle().await;
        no_bad_head_ever_passed(&world, which, round);
        let head_is_good = is_good(&world, which, world.gitlab.merge_request(which).unwrap().head().unwrap());
        let right = if head_is_good { CheckStatus::Passed } else { CheckStatus::Failed };
        world.expect(which, right, &format!("round {round}: {first}, {second}, {route}, back: {back}")).await;
    }
    world.end().await;
}

/// A is bad, B is good, and A is back before the answer leaves: B's files must not pass it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_push_between_two_bad_ones_passes_neither() {
    let world = World::start(CODE).await;
    for later in [VERSION, DISCUSSIONS, RESPOND] {
        let which = world.open(world.merge_request().file(BAD).quietly());
        let head = world.gitlab.merge_request(which).unwrap().head().unwrap().clone();
        let (there, again) = (Moment::before(VERSIONS), Moment::before(later));
        world.gitlab.on_call(there, move |gitlab| {
            // No event tells of the pushes: the facts alone must.
            gitlab.hold_deliveries();
            gitlab.push(which, Push::new().file(GOOD)).unwrap();
            gitlab.on_call(again, move |gitlab| _ = gitlab.push(which, Push::to(&head)).unwrap());
        });
        world.gitlab.add_label(which, "look").unwrap();
        world.until(later, |gitlab| gitlab.merge_request(which).unwrap().versions.len() == 3).await;
        world.expect(which, CheckStatus::Failed, later).await;
        no_bad_head_ever_passed(&world, which, 0);
        world.gitlab.release_deliveries();
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_posted_once_something_newer_was_taken() {
    let world = World::start(PLAIN_POLICY).await;
    let hang = world.gitlab.fault(Fault::on(LIST, FaultKind::Hang).times(1));
    let which = world.open(world.merge_request());
    let is_read =
        |gitlab: &Gitlab| gitlab.calls().iter().any(|call| call.route == ONE && call.ended_at.is_some());
    world.until("the good title was read", is_read).await;
    world.until("the list hangs", |gitlab| gitlab.calls_to(LIST) == 1).await;
    world.gitlab.edit_title(which, "bad").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    world.gitlab.lift(hang);
    world.expect(which, CheckStatus::Failed, "the title is bad").await;
    assert_eq!(world.posted(which), [CheckStatus::Failed], "not even for a moment");
    world.end().await;
}

fn is_good(world: &World, which: MergeRequestRef, sha: &CommitSha) -> bool {
    let versions = world.gitlab.merge_request(which).unwrap().versions;
    let version = versions.iter().find(|version| version.head == *sha).unwrap();
    !version.files.contains(&FileChange::modified(BAD))
}

fn no_bad_head_ever_passed(world: &World, which: MergeRequestRef, round: usize) {
    for row in world.gitlab.responses(which, world.check) {
        let good = is_good(world, which, &row.sha);
        assert!(good || row.posted != CheckStatus::Passed, "round {round}: {} passed", row.sha);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_409_leads_to_the_new_head_without_any_event() {
    let world = World::start(CODE).await;
    let which = world.open(world.merge_request().file(GOOD).quietly());
    world.gitlab.on_call(Moment::before(RESPOND), move |gitlab| {
        gitlab.hold_deliveries();
        gitlab.push(which, Push::new().file(BAD)).unwrap();
    });
    world.gitlab.add_label(which, "look").unwrap();
    world.until("the new head is answered", |gitlab| !gitlab.responses(which, world.check).is_empty()).await;
    world.expect(which, CheckStatus::Failed, "the new head is bad").await;
    no_bad_head_ever_passed(&world, which, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_during_an_evaluation_make_exactly_one_more_run() {
    let world = World::start(PLAIN_POLICY).await;
    let hang = world.gitlab.fault(Fault::on(ONE, FaultKind::Hang).times(1));
    let which = world.open(world.merge_request());
    world.until("the evaluation hangs", |gitlab| gitlab.calls_to(ONE) == 1).await;
    for label in ["a", "b", "c", "d", "e"] {
        world.gitlab.add_label(which, label).unwrap();
    }
    world.gitlab.deliveries_settled().await.unwrap();
    world.gitlab.lift(hang);
    world.expect(which, CheckStatus::Passed, "a good title").await;
    assert_eq!(world.calls(ONE), 2, "{}", world.history());
    assert_eq!(world.posted(which), [CheckStatus::Passed]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_equal_deliveries_make_two_evaluations_at_most_and_one_post() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().title("bad").quietly());
    world.gitlab.hold_deliveries();
    world.gitlab.edit_title(which, "good").unwrap();
    let hang = world.gitlab.fault(Fault::on(ONE, FaultKind::Hang).times(1));
    world.gitlab.release_deliveries();
    world.until("the first one is served", |gitlab| gitlab.calls_to(ONE) == 1).await;
    for _ in 0..19 {
        world.gitlab.resend(0).unwrap();
    }
    world.gitlab.deliveries_settled().await.unwrap();
    world.gitlab.lift(hang);
    world.expect(which, CheckStatus::Passed, "the title is good").await;
    assert!(world.calls(ONE) <= 2, "{}", world.history());
    assert_eq!(world.posted(which), [CheckStatus::Passed]);
    world.end().await;
}

/// Two events of one second can have the same body. The second one is no repetition of the first: what it tells came
/// after the first was read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_with_the_body_of_an_earlier_one_is_served_too() {
    let world = World::start(CODE).await;
    let which = world.open(world.merge_request().file(GOOD));
    let thread = world.gitlab.open_thread(which, "really?").unwrap();
    world.settle().await;
    let (reopened, resolved) = (thread.clone(), thread.clone());
    world.gitlab.on_call(Moment::before(DISCUSSIONS), move |gitlab| {
        gitlab.unresolve_thread(which, &reopened).unwrap();
    });
    world.gitlab.on_call(Moment::after(DISCUSSIONS), move |gitlab| {
        gitlab.resolve_thread(which, &resolved).unwrap();
    });
    world.gitlab.resolve_thread(which, &thread).unwrap();
    world.expect(which, CheckStatus::Passed, "in the end the thread is resolved").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_leaves_every_merge_request_right_and_no_two_answers_of_one_at_once() {
    let world = World::start(PLAIN_POLICY).await;
    world.gitlab.fault(Fault::on(RESPOND, FaultKind::Latency(Duration::from_millis(5))));
    let mut chance = Chance::new("burst");
    let all: Vec<_> = (0..100).map(|_| world.open(world.merge_request())).collect();
    let mut bad = BTreeMap::new();
    for which in &all {
        let title = chance.pick(&["bad", "good"]);
        world.gitlab.edit_title(*which, title).unwrap();
        bad.insert(*which, title == "bad");
    }
    world.settle().await;
    for (which, bad) in bad {
        let right = if bad { CheckStatus::Failed } else { CheckStatus::Passed };
        assert_eq!(world.status(which), right, "{which:?}");
    }
    no_two_answers_of_one_at_once(&world);
    world.end().await;
}

fn no_two_answers_of_one_at_once(world: &World) {
    let mut answers: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for call in world.gitlab.calls().into_iter().filter(|call| call.route == RESPOND) {
        answers.entry(call.target.clone()).or_default().push((call.at, call.ended_at.unwrap()));
    }
    assert!(!answers.is_empty());
    for (target, times) in &answers {
        assert!(times.is_sorted_by(|one, other| one.1 <= other.0), "{target}: {times:?}");
    }
}
