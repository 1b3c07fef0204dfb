//! A label for each way a merge request can stand.

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Fault, FaultKind, Push};

use super::{A_WHILE, CHANGE, world, writes};
use crate::world::{Ground, PLAIN_POLICY, REVIEW_POLICY, World};

use CheckStatus::{Failed, Passed, Unanswered};

const LABELS: &[(&str, &str)] = &[
    ("LABELS__PASSED", "gate::passed"),
    ("LABELS__FAILED", "gate::failed"),
    ("LABELS__WAITING", "gate::waiting"),
];

fn labels(world: &World, which: MergeRequestRef) -> Vec<String> {
    world.gitlab.merge_request(which).unwrap().labels.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_label_shows_how_it_stands_and_the_others_go() {
    let ground = super::ground(Ground::prepare(REVIEW_POLICY).await, LABELS);
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    let which = world.open(world.merge_request().label("mine"));
    world.expect(which, Unanswered, "an approval is missing").await;
    assert_eq!(labels(&world, which), ["gate::waiting", "mine"]);
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "approved").await;
    assert_eq!(labels(&world, which), ["gate::passed", "mine"]);
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, Failed, "a bad title").await;
    assert_eq!(labels(&world, which), ["gate::failed", "mine"]);
    assert_eq!(world.calls(CHANGE), 3, "one call each: {}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_labels_wake_one_look_and_write_nothing_more() {
    let mut world = world(PLAIN_POLICY, LABELS).await;
    super::tell_everything(&world);
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "a good title").await;
    assert_eq!(writes(&world), 1, "{}", world.history());
    world.gitlab.push(which, Push::new()).unwrap();
    world.expect(which, Passed, "another commit").await;
    world.stop().await;
    world.start_again().await;
    world.gitlab.add_label(which, "after").unwrap();
    world.expect(which, Passed, "after a restart").await;
    // The push took the pass back for a moment, which is no state to show.
    assert_eq!(
        (writes(&world), labels(&world, which)),
        (1, vec!["after".to_owned(), "gate::passed".to_owned()])
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_with_our_labels_is_put_right_and_policies_do_not_see_them() {
    const FOOLED: &str = r#"
policy: fooled
rules:
  - id: passed
    require: { any_of: [ { labels: { any: ["gate::passed"] } }, { title: { glob: ["good*"] } } ] }
"#;
    let world = world(FOOLED, LABELS).await;
    let which = world.open(world.merge_request().title("bad").label("gate::passed"));
    world.expect(which, Unanswered, "whoever sets our label proves nothing").await;
    assert_eq!(labels(&world, which), ["gate::waiting"]);
    world.gitlab.edit_title(which, "good").unwrap();
    world.expect(which, Passed, "a good title").await;
    world.gitlab.remove_label(which, "gate::passed").unwrap();
    world.gitlab.add_label(which, "gate::waiting").unwrap();
    world.settle().await;
    assert_eq!(labels(&world, which), ["gate::passed"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_set_labels_answers_all_the_same() {
    let world = world(PLAIN_POLICY, LABELS).await;
    world.gitlab.fault(Fault::error_page(CHANGE, 403));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, Failed, "answered").await;
    assert_eq!(world.calls(CHANGE), 1, "parked");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_unclear_fate_is_looked_at_again() {
    let world = world(PLAIN_POLICY, LABELS).await;
    world.gitlab.fault(Fault::on(CHANGE, FaultKind::Reset).times(1));
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "answered").await;
    for _ in 0..8 {
        world.pass(A_WHILE).await;
    }
    assert_eq!((labels(&world, which), world.calls(CHANGE)), (vec!["gate::passed".to_owned()], 2));
    world.end().await;
}
