//! One busy project keeps no other waiting: neither in the order in which merge requests are begun, nor where calls are few.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, StatusCheckId};
use countersign::simulator::{
    CheckStatus, Fault, FaultKind, Membership, NewMergeRequest, NewProject, NewStatusCheck,
};

use rusqlite::Connection;

use super::{THREADS_POLICY, pass_until};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_calls_are_few_a_small_project_has_every_other_one() {
    /// In a minute. When half of them are gone, reads are spread over its rest.
    const GRANTED: u64 = 120;
    const SPENT: u64 = 80;
    /// What the small project's turn may be late by: calls under way, and what goes out before it asks again.
    const LATE: usize = 4;
    // All lanes but a few: whoever comes later is begun at once, and waits for nothing but its calls.
    let busy = LANES - 8;
    let world = World::start(THREADS_POLICY).await;
    let gitlab = &world.gitlab;
    gitlab.set_rate_limit(Some(GRANTED));
    let first = world.open(world.merge_request());
    world.expect(first, CheckStatus::Passed, "the first").await;
    let into_the_minute = u64::try_from(gitlab.now().as_second().rem_euclid(60)).unwrap();
    gitlab.advance(Duration::from_secs(61 - into_the_minute));
    gitlab.spend_calls(world.ground.bot, SPENT);
    gitlab.edit_title(first, "feat: GitLab tells what is left").unwrap();
    world.settle().await;

    let database = Connection::open(world.ground.database()).unwrap();
    let begun = || {
        let sql = "SELECT count(claim) FROM lane";
        let claims: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(claims).unwrap()
    };
    let all: Vec<_> = (0..busy).map(|_| world.open(world.merge_request())).collect();
    gitlab.deliveries_settled().await.unwrap();
    until("all of them are begun", || begun() == busy).await;
    let (small, check) = open_elsewhere(&world, "shop/small");
    gitlab.deliveries_settled().await.unwrap();
    until("the small one is begun", || begun() > busy).await;
    let before = gitlab.calls().len();
    let shown = || gitlab.status(small, check).unwrap();
    pass_until(&world, "the small one passes", || shown() == CheckStatus::Passed).await;

    let calls = gitlab.calls().split_off(before);
    let its = format!("/projects/{}/merge_requests/{}", small.project, small.iid);
    let answered =
        calls.iter().position(|call| call.target.starts_with("POST") && call.target.contains(&its));
    let reads = calls[..answered.unwrap()].iter().filter(|call| call.target.starts_with("GET"));
    let (own, others): (Vec<_>, Vec<_>) = reads.partition(|call| call.target.contains(&its));
    println!(
        "{busy} merge requests of a busy project wait for calls; one of a small one asks {} times, and is answered \
         after {} calls of the others",
        own.len(),
        others.len()
    );
    assert!(others.len() <= own.len() + LATE, "{}", world.history());
    pass_until(&world, "each of them passes", || {
        all.iter().all(|which| world.status(*which) == CheckStatus::Passed)
    })
    .await;
    world.end().await;
}
