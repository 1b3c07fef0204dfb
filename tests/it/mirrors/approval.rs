//! An approval of our own user: bound to the head, gone before anything else when it no longer holds, and never counted.

use std::time::Duration;

use countersign::merge_request::{MergeRequestIid, MergeRequestRef};
use countersign::simulator::{CheckStatus, Fault, FaultKind, Moment, NewStatusCheck, ProjectSetting, Push};

use super::{A_WHILE, APPROVE, THREADS, UNAPPROVE, approves, world, writes};
use crate::world::{
    APPROVALS, BOUND, DISCUSSIONS, Ground, ONE, PLAIN_POLICY, RESPOND, REVIEW_POLICY, SECRET, World, until,
};

use CheckStatus::{Failed, Passed, Pending, Unanswered};

const APPROVAL: &[(&str, &str)] = &[("APPROVAL", "true")];

/// Passes with approvals of two people, whoever they are.
const TWO: &str = "
policy: two
rules:
  - id: review
    require: { approvals: 2 }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_user_approves_what_passes_and_nothing_else() {
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("ANSWERS__APPROVAL", "true");
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    let which = world.open(world.merge_request());
    world.expect(which, Unanswered, "an approval is missing").await;
    assert!(!approves(&world, which));
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "approved").await;
    assert!(approves(&world, which));
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, Failed, "a bad title").await;
    assert!(!approves(&world, which));
    world.gitlab.edit_title(which, "good").unwrap();
    world.expect(which, Passed, "a good title").await;
    assert!(approves(&world, which));
    world.gitlab.close(which).unwrap();
    world.settle().await;
    assert!(!approves(&world, which), "closed: it could be reopened");
    world.gitlab.reopen(which).unwrap();
    world.expect(which, Passed, "reopened").await;
    assert!(approves(&world, which));
    assert_eq!((world.calls(APPROVE), world.calls(UNAPPROVE)), (3, 2), "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_approval_never_counts() {
    let ground = Ground::prepare(TWO).await.configure("ANSWERS__APPROVAL", "true");
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    let which = world.open(world.merge_request());
    let cem = world.gitlab.create_user("cem");
    world.gitlab.approve(which, bea).unwrap();
    // Somebody used our token by hand.
    world.gitlab.approve(which, world.ground.bot).unwrap();
    world.settle().await;
    assert_eq!(world.status(which), Unanswered, "one person and ourselves are not two");
    assert!(!approves(&world, which), "and what was not given by us is taken back");
    world.gitlab.approve(which, cem).unwrap();
    world.expect(which, Passed, "two people").await;
    assert!(approves(&world, which));
    world.gitlab.unapprove(which, cem).unwrap();
    world.settle().await;
    assert_eq!(world.status(which), Pending, "our own approval does not take the place of one");
    assert!(!approves(&world, which));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_when_nothing_changed() {
    let mut world = world(PLAIN_POLICY, APPROVAL).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    for round in 0..5 {
        world.gitlab.add_label(which, &format!("label-{round}")).unwrap();
        world.settle().await;
    }
    assert_eq!(writes(&world), 1, "{}", world.history());
    world.stop().await;
    world.start_again().await;
    world.gitlab.add_label(which, "after").unwrap();
    world.expect(which, Passed, "after a restart").await;
    assert!(approves(&world, which));
    assert_eq!(writes(&world), 1, "it was read, and stands: {}", world.history());
    world.end().await;
}

/// How an approval comes to stand for a situation that it was not given for.
#[derive(Debug, Clone, Copy)]
enum Overtaken {
    Pushed,
    Retargeted,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_for_another_situation_is_gone_before_any_fact_is_read() {
    for how in [Overtaken::Pushed, Overtaken::Retargeted] {
        let world = world(THREADS, APPROVAL).await;
        let which = world.open(world.merge_request());
        world.expect(which, Passed, "no thread is open").await;
        assert!(approves(&world, which));
        let fault = world.gitlab.fault(Fault::on(DISCUSSIONS, FaultKind::Hang));
        let reads = world.calls(DISCUSSIONS);
        match how {
            Overtaken::Pushed => _ = world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap(),
            Overtaken::Retargeted => world.gitlab.set_target_branch(which, "release/1").unwrap(),
        }
        world.until("its facts are read", |gitlab| gitlab.calls_to(DISCUSSIONS) > reads).await;
        assert!(!approves(&world, which), "{how:?}: while they are read\n{}", world.history());
        world.gitlab.lift(fault);
        world.expect(which, Passed, "decided anew").await;
        until("approved anew", || approves(&world, which)).await;
        world.settle().await;
        world.end().await;
    }
}

/// What is told of the closing alone may be looked at before what is told of the reopening arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_from_before_a_reopening_is_gone_before_any_fact_is_read_for_it() {
    let world = world(THREADS, APPROVAL).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "no thread is open").await;
    until("it is approved", || approves(&world, which)).await;
    world.settle().await;
    world.gitlab.hold_deliveries();
    world.gitlab.close(which).unwrap();
    world.gitlab.reopen(which).unwrap();
    world.gitlab.release_deliveries();
    world.until("approved anew", |gitlab| gitlab.calls_to(APPROVE) == 2).await;
    world.settle().await;
    assert!(approves(&world, which));
    let deeds: Vec<_> = world.gitlab.calls().into_iter().map(|call| call.route).collect();
    let last = |route: &str| deeds.iter().rposition(|deed| deed == route).unwrap();
    let between = deeds.get(last(UNAPPROVE)..last(APPROVE));
    assert!(between.is_some_and(|deeds| deeds.iter().any(|deed| deed == DISCUSSIONS)), "{}", world.history());
    assert_eq!(world.calls(UNAPPROVE), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_goes_before_what_is_granted() {
    const A: &str = "policy: a\napplies_to: {checks: [a]}\nrules: [{id: a, require: {not: {title: {glob: ['bad a*']}}}}]\n";
    const B: &str = "policy: b\napplies_to: {checks: [b]}\nrules: [{id: b, require: {not: {title: {glob: ['bad b*']}}}}]\n";
    let world = world(A, APPROVAL).await;
    world.write_policies(&[("a.yaml", A), ("b.yaml", B)]).await;
    world.gitlab.delete_status_check(world.ground.project, world.check).unwrap();
    let [a, b] = ["a", "b"].map(|name| {
        let url = format!("{}/webhooks/gitlab/{name}", world.url());
        let check = NewStatusCheck::new(name, &url).secret(SECRET);
        world.gitlab.create_status_check(world.ground.project, check).unwrap()
    });
    let shown = |which: MergeRequestRef| [a, b].map(|check| world.gitlab.status(which, check).unwrap());
    let which = world.open(world.merge_request().title("bad a"));
    world.settle().await;
    assert_eq!((shown(which), approves(&world, which)), ([Failed, Passed], false), "all must pass");
    world.gitlab.edit_title(which, "good").unwrap();
    world.settle().await;
    assert_eq!((shown(which), approves(&world, which)), ([Passed, Passed], true));
    world.gitlab.edit_title(which, "bad a").unwrap();
    world.settle().await;
    assert_eq!((shown(which), approves(&world, which)), ([Failed, Passed], false));
    world.gitlab.edit_title(which, "good").unwrap();
    world.settle().await;
    // One check passes from now on and the other does not any more.
    world.gitlab.forget_calls();
    world.gitlab.edit_title(which, "bad b").unwrap();
    world.settle().await;
    let order: Vec<_> = world.gitlab.calls().into_iter().map(|call| call.route).collect();
    let writes: Vec<_> = order.iter().filter(|route| route.starts_with("POST")).collect();
    assert_eq!(writes, [RESPOND, UNAPPROVE]);
    world.gitlab.forget_calls();
    world.gitlab.edit_title(which, "bad a").unwrap();
    world.settle().await;
    assert_eq!(shown(which), [Failed, Passed]);
    world.gitlab.edit_title(which, "good").unwrap();
    world.settle().await;
    let order: Vec<_> = world.gitlab.calls().into_iter().map(|call| call.route).collect();
    let writes: Vec<_> = order.iter().filter(|route| route.starts_with("POST")).collect();
    assert_eq!(writes, [RESPOND, RESPOND, RESPOND, APPROVE], "answers to checks go before");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gitlab_takes_away_with_a_push_is_said_again() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("ANSWERS__APPROVAL", "true");
    ground.gitlab.configure_project(ground.project, ProjectSetting::ResetsApprovals(true)).unwrap();
    let world = World::start_on(ground).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    for _ in 0..2 {
        world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
        world.expect(which, Passed, "pushed").await;
        assert!(approves(&world, which), "{}", world.history());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_moves_under_an_approval_is_not_approved_unseen() {
    let world = world(PLAIN_POLICY, APPROVAL).await;
    let which = MergeRequestRef { project: world.ground.project, iid: MergeRequestIid::new(1) };
    world.gitlab.on_call(Moment::before(APPROVE), move |gitlab| {
        gitlab.hold_deliveries();
        gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
    });
    assert_eq!(world.open(world.merge_request()), which);
    let refused = "countersign_mirrors_total{mirror=\"approval\",outcome=\"failed\"}";
    until("it is refused", || world.count(refused) == 1).await;
    assert!(!approves(&world, which));
    world.gitlab.release_deliveries();
    world.expect(which, Passed, "decided anew").await;
    assert!(approves(&world, which));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_approve_answers_all_the_same() {
    const PARKED: &str = "countersign_lanes_parked_total";
    let world = world(PLAIN_POLICY, APPROVAL).await;
    let fault = Fault::on(
        APPROVE,
        FaultKind::Answer {
            status: 401,
            headers: Vec::new(),
            body: r#"{"message":"401 Unauthorized"}"#.to_owned(),
        },
    );
    let fault = world.gitlab.fault(fault);
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    assert_eq!((approves(&world, which), world.count(PARKED)), (false, 1));
    for label in ["a", "b"] {
        world.gitlab.add_label(which, label).unwrap();
        world.settle().await;
    }
    assert_eq!(world.calls(APPROVE), 1, "parked");
    world.gitlab.lift(fault);
    world.gitlab.advance(Duration::from_secs(601));
    world.gitlab.add_label(which, "c").unwrap();
    world.expect(which, Passed, "mended").await;
    assert!(approves(&world, which));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_of_unclear_fate_is_looked_for_and_not_given_twice() {
    let world = world(PLAIN_POLICY, APPROVAL).await;
    world.gitlab.fault(Fault::on(APPROVE, FaultKind::ApplyThenReset).times(1));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    for _ in 0..10 {
        world.pass(A_WHILE).await;
    }
    assert!(approves(&world, which));
    assert_eq!((world.calls(APPROVE), world.calls(UNAPPROVE)), (1, 0), "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_arrives_late_does_not_stay() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let ground = ground.configure("ANSWERS__APPROVAL", "true").configure("GITLAB__TIMEOUT", "300ms");
    let world = World::start_on(ground).await;
    world.gitlab.fault(Fault::on(APPROVE, FaultKind::ApplyAfter(Duration::from_millis(1500))).times(1));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    // It does not hold any more when it arrives.
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, Failed, "a bad title").await;
    let arrived = world.gitlab.eventually(BOUND, |_| approves(&world, which)).await;
    assert!(arrived, "it is under way");
    for _ in 0..10 {
        world.pass(A_WHILE).await;
    }
    assert!(!approves(&world, which), "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_can_not_be_taken_back_is_tried_until_it_is() {
    let world = world(PLAIN_POLICY, APPROVAL).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    for fault in [Fault::error_page(UNAPPROVE, 503).times(2), Fault::error_page(UNAPPROVE, 403).times(2)] {
        world.gitlab.edit_title(which, "good").unwrap();
        world.settle().await;
        until("approved", || approves(&world, which)).await;
        world.gitlab.fault(fault);
        world.gitlab.edit_title(which, "bad").unwrap();
        world.expect(which, Failed, "the answer does not wait for it").await;
        assert!(approves(&world, which), "it could not be taken back");
        for _ in 0..6 {
            world.pass(Duration::from_secs(700)).await;
        }
        assert!(!approves(&world, which), "{}", world.history());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_decided_any_more_is_not_approved_any_more() {
    let world = world(PLAIN_POLICY, APPROVAL).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    let fault = world.gitlab.fault(Fault::error_page(ONE, 500));
    world.gitlab.add_label(which, "look").unwrap();
    world.until("it is gone", |_| !approves(&world, which)).await;
    world.gitlab.lift(fault);
    for _ in 0..3 {
        world.pass(A_WHILE).await;
    }
    assert_eq!(world.status(which), Passed);
    assert!(approves(&world, which));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_change_take_the_approval_back_without_a_read() {
    let world = world(PLAIN_POLICY, APPROVAL).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    let (reads, asked) = (world.calls(ONE), world.calls(APPROVALS));
    world
        .write_policies(&[("policy.yaml", "policy: p\nrules: [{id: r, require: {title: {glob: [x]}}}]\n")])
        .await;
    world.until("it failed", |gitlab| gitlab.status(which, world.check) == Ok(Failed)).await;
    until("it is gone", || !approves(&world, which)).await;
    let order: Vec<_> = world.gitlab.calls().into_iter().map(|call| call.route).collect();
    let at = |route: &str| order.iter().rposition(|other| other == route);
    assert!(at(RESPOND) < at(UNAPPROVE), "{order:?}");
    world.settle().await;
    // Our own call is an event, and that is looked at.
    assert!(world.calls(ONE) <= reads + 2 && world.calls(APPROVALS) <= asked + 1, "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_goes_when_it_is_turned_off() {
    let mut world = world(PLAIN_POLICY, APPROVAL).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    assert!(approves(&world, which));
    world.stop().await;
    world.ground = world.ground.configure("ANSWERS__APPROVAL", "false");
    world.start_again().await;
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, Passed, "the check is answered as before").await;
    assert!(!approves(&world, which), "nobody would take it back later");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_for_a_person_unless_it_is_asked_for() {
    let world = world(PLAIN_POLICY, &[]).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    assert_eq!((writes(&world), world.calls("GET /user")), (0, 0));
    world.end().await;
}
