//! One busy project keeps no other waiting.

use countersign::merge_request::{MergeRequestRef, StatusCheckId};
use countersign::simulator::{
    CheckStatus, Fault, FaultKind, Membership, NewMergeRequest, NewProject, NewStatusCheck,
};

use crate::world::{ONE, PLAIN_POLICY, SECRET, World, scale, until};

const SMALL: usize = 20;
/// How many merge requests are decided at the same time.
const LANES: usize = 32;

/// A further project with our bot and our check in it, and a merge request in it.
pub fn open_elsewhere(world: &World, path: &str) -> (MergeRequestRef, StatusCheckId) {
    let (gitlab, ground) = (&world.gitlab, &world.ground);
    let project = gitlab.create_project(NewProject::at(path));
    gitlab.add_member(project, Membership::new(ground.bot, 30)).unwrap();
    gitlab.add_member(project, Membership::new(ground.author, 30)).unwrap();
    let url = format!("{}/webhooks/gitlab", world.url());
    let check = NewStatusCheck::new("countersign", &url).secret(SECRET);
    let check = gitlab.create_status_check(project, check).unwrap();
    (world.open(NewMergeRequest::in_project(project).author(ground.author)), check)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monorepo_with_hundreds_of_events_keeps_no_small_project_waiting() {
    let busy = if scale() > 1 { 500 } else { 200 };
    let world = World::start(PLAIN_POLICY).await;
    let gitlab = &world.gitlab;
    let hang = gitlab.fault(Fault::on(ONE, FaultKind::Hang));
    // All of the busy project's are there first, and then one event in each of the small ones.
    for _ in 0..busy {
        world.open(world.merge_request());
    }
    gitlab.deliveries_settled().await.unwrap();
    until("every lane is taken", || gitlab.calls_to(ONE) == LANES as u64).await;
    let small: Vec<_> =
        (0..SMALL).map(|number| open_elsewhere(&world, &format!("shop/small-{number}")).0).collect();
    gitlab.deliveries_settled().await.unwrap();
    let rows = gitlab.all_responses().len();
    gitlab.lift(hang);
    until("all are answered", || gitlab.all_responses().len() >= rows + busy + SMALL).await;
    let order = gitlab.all_responses().split_off(rows);
    let places: Vec<_> = small
        .iter()
        .map(|which| order.iter().position(|row| row.merge_request == *which).unwrap() + 1)
        .collect();
    let last = *places.iter().max().unwrap();
    println!(
        "{busy} events of a busy project, then one of each of {SMALL}: the last of those is answer {last} of {}",
        order.len()
    );
    // What was taken before they came, then every other place; what runs beside them may overtake.
    assert!(last <= LANES + 2 * (SMALL + 1) + LANES, "{places:?}");
    world.settle().await;
    assert!(order.iter().all(|row| row.posted == CheckStatus::Passed));
    world.end().await;
}
