//! All ways at once: what our own words wake, and what they must not.

use countersign::simulator::{CheckStatus, Fault, PipelineKind, Push};

use super::{
    A_WHILE, APPROVE, CHANGE, CREATE_NOTE, SET_STATUS, approves, ground, own_note, tell_everything, writes,
};
use crate::world::{Ground, ONE, RESPOND, REVIEW_POLICY, World};

use CheckStatus::{Passed, Unanswered};

const ALL: &[(&str, &str)] = &[
    ("COMMIT_STATUS", "true"),
    ("APPROVAL", "true"),
    ("NOTE", "true"),
    ("LABELS__PASSED", "gate::passed"),
    ("LABELS__WAITING", "gate::waiting"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_words_wake_a_look_each_and_lead_to_no_further_word() {
    let ground = ground(Ground::prepare(REVIEW_POLICY).await, ALL);
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    tell_everything(&world);
    let which = world.open(world.merge_request().quietly());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    world.settle().await;
    assert_eq!(world.status(which), Unanswered);
    // A commit status, a label and a note; there was no approval to take back.
    assert_eq!(writes(&world), 3, "{}", world.history());
    let (looks, before) = (world.calls(ONE), writes(&world));
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "approved").await;
    assert_eq!(writes(&world), before + 4, "{}", world.history());
    assert!(approves(&world, which) && own_note(&world, which).contains("countersign: passed"));
    let news = 1 + 4;
    assert!(world.calls(ONE) - looks <= news, "{} looks\n{}", world.calls(ONE) - looks, world.history());
    for _ in 0..5 {
        world.pass(A_WHILE).await;
    }
    assert_eq!((writes(&world), world.posted(which)), (before + 4, vec![Passed]), "and so it stays");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_all_this_keeps_a_check_from_being_answered() {
    let ground = ground(Ground::prepare(REVIEW_POLICY).await, ALL);
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    for route in [APPROVE, CHANGE, CREATE_NOTE, SET_STATUS] {
        world.gitlab.fault(Fault::error_page(route, 500));
    }
    let which = world.open(world.merge_request().quietly());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "answered").await;
    assert_eq!(world.calls(RESPOND), 1);
    world.gitlab.lift_all();
    for _ in 0..20 {
        world.pass(A_WHILE).await;
    }
    assert!(approves(&world, which) && own_note(&world, which).contains("countersign: passed"));
    assert_eq!(world.gitlab.reports().pop().unwrap().state, "success");
    assert_eq!(world.calls(RESPOND), 1);
    world.gitlab.push(which, Push::new()).unwrap();
    world.settle().await;
    world.end().await;
}
