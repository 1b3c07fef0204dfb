//! What must not stand while it is decided anew is taken back first; what can't be merged keeps no `passed`; and on a
//! merge train a pass is taken back for cause alone.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, StatusCheckId};
use countersign::simulator::{CheckStatus, Fault, FaultKind, NewHook, NewStatusCheck, Push, Weather};

use crate::sender::{self, hook};
use crate::world::{
    DISCUSSIONS, Ground, HOOK_TOKEN, LIST, ONE, PLAIN_POLICY, RESPOND, REVIEW_POLICY, SECRET, World,
};

use CheckStatus::{Failed, Passed, Pending};

/// Passes every merge request without an open thread, and has to read for it.
const THREADS: &str = r"
policy: threads
rules:
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
";

/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9/";
const PROJECT: &str = "GET /projects/:id";
const VERSION: &str = "GET /version";
const TRAIN: &str = "GET /projects/:id/merge_trains/merge_requests/:iid";

/// How an old `passed` comes to show for a situation that it was not given for.
#[derive(Debug, Clone, Copy)]
enum BroughtBack {
    Reopened,
    ClosedAndReopenedUnseen,
    ReopenedAfterALostClose,
    Retargeted,
    RetargetedWithoutANewVersion,
    OldHeadPushedBack,
}

const BROUGHT_BACK: [BroughtBack; 6] = [
    BroughtBack::Reopened,
    BroughtBack::ClosedAndReopenedUnseen,
    BroughtBack::ReopenedAfterALostClose,
    BroughtBack::Retargeted,
    BroughtBack::RetargetedWithoutANewVersion,
    BroughtBack::OldHeadPushedBack,
];

/// Whatever happens from here on is told to nobody.
fn lose_deliveries(world: &World, lost: bool) {
    world.gitlab.set_weather(Weather { drop: if lost { 1.0 } else { 0.0 }, ..Weather::default() });
}

impl BroughtBack {
    /// What has to be before.
    async fn prepare(self, world: &World, which: MergeRequestRef) {
        match self {
            Self::Reopened => {
                world.gitlab.close(which).unwrap();
                world.settle().await;
            }
            Self::ReopenedAfterALostClose => {
                lose_deliveries(world, true);
                world.gitlab.close(which).unwrap();
                lose_deliveries(world, false);
            }
            Self::OldHeadPushedBack => {
                world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
                world.expect(which, Passed, "another head").await;
            }
            Self::ClosedAndReopenedUnseen | Self::Retargeted | Self::RetargetedWithoutANewVersion => {}
        }
    }

    fn happen(self, world: &World, which: MergeRequestRef, first: &Push) {
        let gitlab = &world.gitlab;
        match self {
            Self::Reopened | Self::ReopenedAfterALostClose => gitlab.reopen(which).unwrap(),
            Self::ClosedAndReopenedUnseen => {
                gitlab.hold_deliveries();
                gitlab.close(which).unwrap();
                gitlab.reopen(which).unwrap();
                gitlab.release_deliveries();
            }
            Self::Retargeted => gitlab.set_target_branch(which, "release/1").unwrap(),
            Self::RetargetedWithoutANewVersion => gitlab.set_target_branch_only(which, "release/1").unwrap(),
            Self::OldHeadPushedBack => _ = gitlab.push(which, first.clone()).unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passed_that_comes_back_is_taken_back_before_its_facts_are_read() {
    for how in BROUGHT_BACK {
        let world = World::start(THREADS).await;
        let which = world.open(world.merge_request());
        world.expect(which, Passed, "no thread is open").await;
        let first = Push::to(&world.gitlab.head(which).unwrap());
        how.prepare(&world, which).await;
        let fault = world.gitlab.fault(Fault::on(DISCUSSIONS, FaultKind::Hang));
        let (reads, rows) = (world.calls(DISCUSSIONS), world.posted(which).len());
        how.happen(&world, which, &first);
        world.until("its facts are read", |gitlab| gitlab.calls_to(DISCUSSIONS) > reads).await;
        // The news of the close alone is a look of its own, if it is taken before that of the reopening.
        if !matches!(how, BroughtBack::ClosedAndReopenedUnseen) {
            assert_eq!(world.status(which), Pending, "{how:?}: while they are read");
        }
        world.gitlab.lift(fault);
        world.expect(which, Passed, &format!("{how:?}: decided anew")).await;
        let posted = world.posted(which).split_off(rows);
        let closed_before = matches!(how, BroughtBack::Reopened);
        let expected: &[_] = if closed_before { &[Passed] } else { &[Pending, Passed] };
        assert_eq!(posted, expected, "{how:?}");
        // What is decided now stays: it is not brought back again by the next event.
        world.gitlab.add_label(which, "look").unwrap();
        world.expect(which, Passed, &format!("{how:?}: one more look")).await;
        assert_eq!(world.posted(which).len(), rows + expected.len(), "{how:?}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passed_that_comes_back_wrongly_ends_as_what_is_right() {
    for how in BROUGHT_BACK {
        let world = World::start(THREADS).await;
        let which = world.open(world.merge_request());
        world.expect(which, Passed, "no thread is open").await;
        let first = Push::to(&world.gitlab.head(which).unwrap());
        how.prepare(&world, which).await;
        // Nobody is told of it.
        world.gitlab.open_thread(which, "not so").unwrap();
        how.happen(&world, which, &first);
        world.expect(which, Pending, &format!("{how:?}: a thread is open")).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopening_that_is_told_twice_takes_back_once() {
    for late in [false, true] {
        let world = World::start(THREADS).await;
        let ours = format!("{}/webhooks/gitlab", world.url());
        let told_at = if late { NOWHERE } else { ours.as_str() };
        world.gitlab.create_hook(NewHook::of(world.ground.project, told_at).token(HOOK_TOKEN));
        let which = world.open(world.merge_request());
        world.expect(which, Passed, "no thread is open").await;
        lose_deliveries(&world, true);
        world.gitlab.close(which).unwrap();
        lose_deliveries(&world, false);
        world.gitlab.reopen(which).unwrap();
        world.expect(which, Passed, "reopened").await;
        assert_eq!(world.posted(which), [Passed, Pending, Passed], "late: {late}");
        if late {
            let told = world.gitlab.deliveries();
            let told = told.iter().rfind(|told| told.event == "Merge Request Hook").unwrap();
            assert_eq!(told.action.as_deref(), Some("reopen"));
            let headers = hook("Merge Request Hook", HOOK_TOKEN);
            assert_eq!(sender::post(&ours, &headers, told.body.to_vec()).await.status, 202);
            world.expect(which, Passed, "the same news").await;
        }
        assert_eq!(world.posted(which), [Passed, Pending, Passed], "late: {late}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_keeps_no_passed_and_what_is_merged_keeps_it() {
    let world = World::start(PLAIN_POLICY).await;
    let [closed, merged, bad] =
        ["good", "good", "bad"].map(|title| world.open(world.merge_request().title(title)));
    world.expect(closed, Passed, "good").await;
    world.expect(merged, Passed, "good").await;
    world.expect(bad, Failed, "bad").await;
    world.gitlab.close(closed).unwrap();
    world.gitlab.close(bad).unwrap();
    world.gitlab.merge(merged).unwrap();
    world.expect(closed, Pending, "closed").await;
    world.expect(merged, Passed, "merged").await;
    world.expect(bad, Failed, "nothing to take back").await;
    // Nobody keeps it alive.
    for _ in 0..15 {
        world.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(world.posted(closed), [Passed, Pending]);
    assert_eq!(world.posted(merged), [Passed]);
    assert_eq!(world.posted(bad), [Failed]);
    world.gitlab.reopen(closed).unwrap();
    world.expect(closed, Passed, "reopened").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_the_new_target_does_not_ask_is_left_alone_until_it_is_asked_again() {
    let world = World::start(THREADS).await;
    let url = format!("{}/webhooks/gitlab/only-main", world.url());
    let only_main = NewStatusCheck::new("only-main", &url).secret(SECRET).branch("main");
    let only_main = world.gitlab.create_status_check(world.ground.project, only_main).unwrap();
    let which = world.open(world.merge_request());
    let said = |check: StatusCheckId| -> Vec<_> {
        world.gitlab.responses(which, check).iter().map(|row| row.posted).collect()
    };
    world.expect(which, Passed, "no thread is open").await;
    assert_eq!(said(only_main), [Passed]);
    world.gitlab.set_target_branch(which, "release/1").unwrap();
    world.expect(which, Passed, "for the other target").await;
    assert_eq!((said(world.check), said(only_main)), (vec![Passed, Pending, Passed], vec![Passed]));
    world.gitlab.open_thread(which, "not so").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, Pending, "a thread is open").await;
    assert_eq!(said(only_main), [Passed], "GitLab does not list it");
    // Back at the first target its old row shows again.
    let fault = world.gitlab.fault(Fault::on(DISCUSSIONS, FaultKind::Hang));
    let reads = world.calls(DISCUSSIONS);
    world.gitlab.set_target_branch(which, "main").unwrap();
    world.until("its facts are read", |gitlab| gitlab.calls_to(DISCUSSIONS) > reads).await;
    assert_eq!(world.gitlab.status(which, only_main), Ok(Pending), "while they are read");
    world.gitlab.lift(fault);
    world.expect(which, Pending, "a thread is open").await;
    assert_eq!(said(only_main), [Passed, Pending]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_merge_train_a_pass_stays_for_what_is_missing_and_goes_for_what_is_wrong() {
    let world = World::start(REVIEW_POLICY).await;
    let bea = world.ground.reviewer();
    let [wrong, off] = [0, 1].map(|_| world.open(world.merge_request()));
    for which in [wrong, off] {
        world.gitlab.approve(which, bea).unwrap();
        world.expect(which, Passed, "approved").await;
        world.gitlab.put_on_merge_train(which).unwrap();
        world.gitlab.unapprove(which, bea).unwrap();
        world.expect(which, Passed, "an approval is missing, and it is on its way").await;
        assert_eq!(world.posted(which), [Passed]);
    }
    world.gitlab.edit_title(wrong, "bad").unwrap();
    world.expect(wrong, Failed, "violated").await;
    // It goes on standing for as long as it is on the train, and no longer. GitLab tells nobody.
    for _ in 0..5 {
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(world.status(off), Passed);
    }
    world.gitlab.take_off_merge_train(off).unwrap();
    for _ in 0..3 {
        world.pass(Duration::from_secs(60)).await;
    }
    assert_ne!(world.status(off), Passed, "withdrawn at the next look");
    assert_eq!(world.posted(off)[..2], [Passed, Pending]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_without_merge_trains_is_asked_for_them_once() {
    const MERGE_REQUESTS: usize = 40;
    let world = World::start(REVIEW_POLICY).await;
    let bea = world.ground.reviewer();
    let all: Vec<_> = (0..MERGE_REQUESTS).map(|_| world.open(world.merge_request())).collect();
    for which in &all {
        world.gitlab.approve(*which, bea).unwrap();
    }
    for which in &all {
        world.expect(*which, Passed, "approved").await;
    }
    assert_eq!(world.calls(PROJECT), 0, "nothing was withdrawn");
    for which in &all {
        world.gitlab.unapprove(*which, bea).unwrap();
    }
    world.settle().await;
    assert!(all.iter().all(|which| world.status(*which) == Pending));
    println!("{MERGE_REQUESTS} withdrawals: {} reads of the project", world.calls(PROJECT));
    assert_eq!((world.calls(PROJECT), world.calls(TRAIN)), (1, 0));
    world.end().await;
}

const WITHOUT: &str = r#"
policy: without
applies_to: { checks: ["without"] }
rules:
  - id: without
    require: { labels: { none: ["x"] } }
"#;

const WITH: &str = r#"
policy: with
applies_to: { checks: ["with"] }
rules:
  - id: with
    require: { labels: { all: ["x"] } }
"#;

/// `without` and `with`, in place of the one that is there.
fn two_checks(world: &World) -> [StatusCheckId; 2] {
    world.gitlab.delete_status_check(world.ground.project, world.check).unwrap();
    ["without", "with"].map(|name| {
        let url = format!("{}/webhooks/gitlab/{name}", world.url());
        let check = NewStatusCheck::new(name, &url).secret(SECRET);
        world.gitlab.create_status_check(world.ground.project, check).unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_checks_what_is_taken_back_goes_before_what_is_granted() {
    let world = World::start(WITHOUT).await;
    world.write_policies(&[("without.yaml", WITHOUT), ("with.yaml", WITH)]).await;
    let [without, with] = two_checks(&world);
    let which = world.open(world.merge_request());
    world.settle().await;
    let said =
        || -> Vec<_> { world.gitlab.all_responses().iter().map(|row| (row.check, row.posted)).collect() };
    assert_eq!(said(), [(without, Passed)]);
    world.gitlab.add_label(which, "x").unwrap();
    world.settle().await;
    assert_eq!(said()[1..], [(without, Pending), (with, Passed)]);
    world.gitlab.remove_label(which, "x").unwrap();
    world.settle().await;
    assert_eq!(said()[3..], [(with, Pending), (without, Passed)]);
    assert_eq!(world.calls(RESPOND), 5);
    assert!(world.calls(LIST) <= 1, "all of it was known");
    world.end().await;
}

/// Other policies: by one of them no title here passes, and for the other GitLab has to be asked, of which one a minute is allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_check_must_take_back_does_not_wait_for_what_another_has_to_ask() {
    let ground = Ground::prepare(WITHOUT).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "5");
    let world = World::start_on(ground).await;
    world.write_policies(&[("policy.yaml", WITHOUT), ("with.yaml", WITH)]).await;
    let [without, with] = two_checks(&world);
    let all: Vec<_> = (0..30).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    let shows =
        |check, status| all.iter().filter(|which| world.gitlab.status(**which, check) == Ok(status)).count();
    assert_eq!(shows(without, Passed), all.len());
    let looks = world.calls(ONE);
    let stricter = WITHOUT.replace("{ labels: { none: [\"x\"] } }", "{ title: { glob: [\"fix*\"] } }");
    let asking = WITH.replace("{ labels: { all: [\"x\"] } }", "{ pipeline: success }");
    world.write_policies(&[("policy.yaml", &stricter), ("with.yaml", &asking)]).await;
    world.until("all are taken back", |_| shows(without, Failed) == all.len()).await;
    world.rest().await;
    assert!((world.calls(ONE) - looks) < 30, "without a look at each: {}", world.calls(ONE) - looks);
    assert_eq!(shows(with, Passed), 0, "nothing is granted by memory");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_version_that_is_not_told_again_holds_up_no_withdrawal() {
    let world = World::start(PLAIN_POLICY).await;
    let [which, other] = [(); 2].map(|()| world.open(world.merge_request()));
    world.expect(which, Passed, "good").await;
    world.gitlab.edit_title(other, "bad").unwrap();
    world.expect(other, Failed, "bad, and so the version is known").await;
    world.settle().await;
    let asked = world.calls(VERSION);
    let hang = world.gitlab.fault(Fault::on(VERSION, FaultKind::Hang));
    world.gitlab.advance(Duration::from_secs(3700));
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, Failed, "taken back").await;
    world.until("the version is asked for", |gitlab| gitlab.calls_to(VERSION) > asked).await;
    assert_eq!(world.calls(VERSION), asked + 1, "the question is open still");
    world.gitlab.lift(hang);
    world.end().await;
}
