//! Things that happen while others are under way: the last word is the right word.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::merge_request::{CommitSha, MergeRequestRef, UserId};
use countersign::simulator::{CheckStatus, Fault, FaultKind, FileChange, Gitlab, Moment, Push};
use jiff::{SignedDuration, Timestamp};

use crate::world::{
    Chance, DISCUSSIONS, Ground, LIST, ONE, PLAIN_POLICY, RESPOND, REVIEW_POLICY, VERSION, VERSIONS, World,
    scale,
};

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

/// How many merge requests have a late answer at the same time: no more than are decided at once.
const LATE_AT_ONCE: usize = 25;
/// How much faster than the machine's the clock runs where nothing real is waited for.
const SPEED: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passed_that_is_applied_after_we_gave_it_up_and_spoke_again_does_not_stay() {
    late_answers().await;
}

/// A `passed` is held up for longer than we wait for an answer, and applied when it is long withdrawn.
pub async fn late_answers() {
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("GITLAB__TIMEOUT", "1s");
    let world = World::start_on(ground).await;
    let bea = world.ground.reviewer();
    let mut chance = Chance::new("late answers");
    // What is printed of the full size was waited for in real time.
    let (waves, speed) = if scale() > 1 { (4, 1) } else { (1, SPEED) };
    let mut late = Vec::new();
    for _ in 0..waves {
        late.extend(wave_of_late_answers(&world, bea, &mut chance, speed).await);
    }
    let all = waves * LATE_AT_ONCE;
    let after_newer = late.iter().filter(|late| late.after_newer).count();
    let mut wrong_for: Vec<_> = late.iter().map(|late| late.wrong_for.as_secs_f64()).collect();
    wrong_for.sort_by(f64::total_cmp);
    println!(
        "{all} answers held up longer than our timeout: {} passed were applied when they were withdrawn, \
         {after_newer} of them after something newer was said; wrong for {:.1} s in the median, {:.1} s at most \
         (clock at {speed} x); 0 ended as passed",
        late.len(),
        wrong_for[wrong_for.len() / 2],
        wrong_for[wrong_for.len() - 1],
    );
    assert!(after_newer > 0, "nothing was late: the race was not run");
    world.end().await;
}

/// A `passed` that was applied when it was no longer true.
struct Late {
    /// From its row to the next one that does not say `passed`.
    wrong_for: SignedDuration,
    /// Whether a newer word was there before it.
    after_newer: bool,
}

async fn wave_of_late_answers(world: &World, bea: UserId, chance: &mut Chance, speed: u32) -> Vec<Late> {
    let gitlab = &world.gitlab;
    let all: Vec<_> = (0..LATE_AT_ONCE).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    let before = world.calls(RESPOND);
    for index in 0..all.len() {
        let held_up = Duration::from_millis(1200 + chance.below(4800));
        let fault = Fault::on(RESPOND, FaultKind::ApplyAfter(held_up));
        gitlab.fault(fault.skip(u64::try_from(index).unwrap()).times(1));
    }
    for which in &all {
        gitlab.approve(*which, bea).unwrap();
    }
    let held_up = before + u64::try_from(all.len()).unwrap();
    world.until("the answers are held up", |gitlab| gitlab.calls_to(RESPOND) >= held_up).await;
    let mut moments: Vec<_> = all.iter().map(|which| (chance.below(4000), *which)).collect();
    moments.sort_unstable();
    let mut withdrawn = BTreeMap::new();
    let mut passed = 0;
    for (millis, which) in moments {
        tokio::time::sleep(Duration::from_millis(millis - passed)).await;
        passed = millis;
        // Without the approval it waits, with a bad title it fails.
        if chance.coin() {
            gitlab.unapprove(which, bea).unwrap();
        } else {
            gitlab.edit_title(which, "bad").unwrap();
        }
        withdrawn.insert(which, gitlab.now());
    }
    let is_applied =
        |gitlab: &Gitlab| gitlab.calls_to(RESPOND) == u64::try_from(gitlab.all_responses().len()).unwrap();
    world.until("every answer is applied", is_applied).await;
    let none_passes = || all.iter().all(|which| world.status(*which) != CheckStatus::Passed);
    world.until_with_the_clock_at(speed, "no late passed shows any more", none_passes).await;
    // Nothing is under way any more: what is left of the minute may pass at once.
    let over = gitlab.now() + Duration::from_secs(70);
    world.until_with_the_clock_at(SPEED, "every doubt is over", || gitlab.now() > over).await;
    world.settle().await;
    for which in &all {
        assert_ne!(world.status(*which), CheckStatus::Passed, "{which}: {}", world.account(*which).await);
    }
    gitlab.lift_all();
    withdrawn.into_iter().filter_map(|(which, at)| late(world, which, at)).collect()
}

/// The `passed` that a merge request got after it was withdrawn at an instant, if it got one.
fn late(world: &World, which: MergeRequestRef, withdrawn_at: Timestamp) -> Option<Late> {
    let rows = world.gitlab.responses(which, world.check);
    let is_passed = |posted: CheckStatus| posted == CheckStatus::Passed;
    let first = rows.iter().position(|row| is_passed(row.posted) && row.created_at > withdrawn_at)?;
    let mended = rows.iter().skip(first).find(|row| !is_passed(row.posted)).unwrap();
    let wrong_for = mended.created_at.duration_since(rows[first].created_at);
    let after_newer = rows.iter().take(first).any(|row| row.created_at > withdrawn_at);
    Some(Late { wrong_for, after_newer })
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_head_that_was_gone_for_a_moment_does_not_pass_with_the_files_of_that_moment() {
    there_and_back().await;
}

/// A is bad, B is good; B is pushed and then A again, both at random moments of our reads.
pub async fn there_and_back() {
    let world = World::start(CODE).await;
    let mut chance = Chance::new("there and back");
    let rounds = if scale() > 1 { 200 } else { 20 };
    let mut heads = Vec::new();
    for round in 0..rounds {
        let which = world.open(world.merge_request().file(BAD).quietly());
        let head = world.gitlab.head(which).unwrap();
        heads.push((which, head.clone()));
        let mut moment = |routes: &[&str]| {
            let route = chance.pick(routes);
            let moment = if chance.coin() { Moment::before(route) } else { Moment::after(route) };
            moment.skip(chance.below(8) / 7)
        };
        let (there, back) =
            (moment(&[ONE, LIST, VERSIONS]), moment(&[VERSIONS, VERSION, DISCUSSIONS, RESPOND]));
        // Where no event tells of the pushes, the facts alone must.
        let (at_once, silent) = (chance.below(8) == 0, chance.below(3) > 0);
        world.gitlab.on_call(there, move |gitlab| {
            if silent {
                gitlab.hold_deliveries();
            }
            gitlab.push(which, Push::new().file(GOOD)).unwrap();
            let again = move |gitlab: &Gitlab| _ = gitlab.push(which, Push::to(&head)).unwrap();
            if at_once {
                again(gitlab);
            } else {
                gitlab.on_call(back, again);
            }
        });
        world.gitlab.add_label(which, "look").unwrap();
        world.settle().await;
        no_bad_head_ever_passed(&world, which, round);
        world.gitlab.release_deliveries();
        world.settle().await;
        no_bad_head_ever_passed(&world, which, round);
    }
    // A push whose moment did not come in its own round came in a later one.
    world.settle().await;
    let mut back = 0;
    for (round, (which, head)) in heads.iter().enumerate() {
        no_bad_head_ever_passed(&world, *which, round);
        let now = world.gitlab.merge_request(*which).unwrap();
        if now.versions.len() == 3 && now.head() == Some(head) {
            back += 1;
            assert_ne!(world.status(*which), CheckStatus::Passed, "round {round}");
        }
    }
    println!("{rounds} bad heads, {back} of them back after a good one in between, 0 passed");
    assert!(back * 2 > rounds, "{back}: the pushes did not come");
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
