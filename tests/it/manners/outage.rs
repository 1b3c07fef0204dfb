//! GitLab is away: it is asked seldom and gently, the log stays short, nothing is lost, and what must not stand goes first.

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Fault, FaultId, FaultKind, StatusRow};
use tracing::Level;

use super::log::{lines, run_logged};
use super::pass_until;
use crate::world::{ONE, PLAIN_POLICY, World, until};

use CheckStatus::{Failed, Passed};

const MINUTE: Duration = Duration::from_secs(60);
/// Merge requests that pass when GitLab goes away, and as many that fail.
const EACH: usize = 20;

/// Every way for GitLab not to be there.
fn absences() -> [(&'static str, Fault); 4] {
    [
        ("reset", Fault::on("*", FaultKind::Reset)),
        ("502 of a proxy", Fault::error_page("*", 502)),
        ("503 of a proxy", Fault::error_page("*", 503)),
        ("200 with a page of a proxy", Fault::error_page("*", 200)),
    ]
}

fn is_down(world: &World) -> bool {
    world.metric("countersign_gitlab_down") > 0.0
}

/// Lets time pass in steps in which leases can be kept.
async fn pass(world: &World, time: Duration) {
    const STEP: Duration = Duration::from_secs(10);
    let over = world.gitlab.now() + time;
    while world.gitlab.now() < over {
        world.gitlab.advance(STEP);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// GitLab is there again, and all comes right; gives what was posted meanwhile, in its order.
async fn come_back(
    world: &World,
    absence: FaultId,
    losing: &[MergeRequestRef],
    gaining: &[MergeRequestRef],
) -> Vec<StatusRow> {
    let rows = world.gitlab.all_responses().len();
    world.gitlab.lift(absence);
    pass_until(world, "all is right", || {
        losing.iter().all(|which| world.status(*which) == Failed)
            && gaining.iter().all(|which| world.status(*which) == Passed)
    })
    .await;
    world.gitlab.all_responses().split_off(rows)
}

async fn an_hour_of(name: &'static str, absence: Fault) {
    let world = World::start(PLAIN_POLICY).await;
    let open = |title| world.open(world.merge_request().title(title));
    let losing: Vec<_> = (0..EACH).map(|_| open("good")).collect();
    let gaining: Vec<_> = (0..EACH).map(|_| open("bad")).collect();
    world.settle().await;
    let before = lines("outage").len();
    let absence = world.gitlab.fault(absence);
    for (index, which) in gaining.iter().chain(&losing).enumerate() {
        let title = if index < EACH { "good" } else { "bad" };
        world.gitlab.edit_title(*which, title).unwrap();
    }
    until(name, || is_down(&world)).await;
    world.rest().await;
    let began = world.gitlab.now();
    let (calls, looks) = (world.calls("*"), world.calls(ONE));
    let mut decisions = 0;
    for which in &losing {
        decisions += world.decisions(*which).await.len();
    }
    pass(&world, MINUTE * 60).await;
    let probes = world.calls("*") - calls;
    assert!((50..110).contains(&probes), "{name}: {probes} calls in an hour");
    assert_eq!(world.calls(ONE), looks, "{name}: no lane was begun");
    let mut decisions_after = 0;
    for which in &losing {
        decisions_after += world.decisions(*which).await.len();
    }
    assert_eq!(decisions_after, decisions, "{name}: what could not be asked left no decision");
    let order = come_back(&world, absence, &losing, &gaining).await;
    let last = order.iter().rposition(|row| losing.contains(&row.merge_request)).unwrap();
    let first = order.iter().position(|row| row.posted == Passed).unwrap();
    let kept: Vec<_> = lines("outage").split_off(before);
    let loud: Vec<_> = kept.iter().filter(|line| line.level <= Level::WARN).collect();
    println!(
        "{name}: {probes} calls in an hour; withdrawal {} is the last, grant {} the first; {} lines, {} of them warnings; {:?}",
        last + 1,
        first + 1,
        kept.len(),
        loud.len(),
        world.gitlab.now().duration_since(began),
    );
    let told = |words: &str| kept.iter().filter(|line| line.text.contains(words)).count();
    assert_eq!(
        (told("message=GitLab is down"), told("message=GitLab answers again")),
        (1, 1),
        "{name}: {kept:#?}"
    );
    assert!((8..=13).contains(&told("still down")), "{name}: every five minutes");
    assert!(loud.len() <= 60, "{name}: {loud:#?}");
    assert!(!is_down(&world));
    pass_until(&world, "it has looked back", || world.sweeps() > 0).await;
    world.end().await;
}

#[test]
fn an_hour_without_gitlab_takes_few_calls_and_few_lines_and_loses_nothing() {
    run_logged("outage", async {
        for (name, absence) in absences() {
            an_hour_of(name, absence).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_withdrawals_go_before_grants_that_waited_longer() {
    let world = World::start(PLAIN_POLICY).await;
    let open = |title| world.open(world.merge_request().title(title));
    let losing: Vec<_> = (0..60).map(|_| open("good")).collect();
    let gaining: Vec<_> = (0..60).map(|_| open("bad")).collect();
    world.settle().await;
    let absence = world.gitlab.fault(Fault::on("*", FaultKind::Reset));
    for which in &gaining {
        world.gitlab.edit_title(*which, "good").unwrap();
    }
    until("it is down", || is_down(&world)).await;
    world.rest().await;
    // Hours later.
    pass(&world, MINUTE * 120).await;
    for which in &losing {
        world.gitlab.edit_title(*which, "bad").unwrap();
    }
    world.gitlab.deliveries_settled().await.unwrap();
    let order = come_back(&world, absence, &losing, &gaining).await;
    let first = order.iter().position(|row| row.posted == Passed).unwrap();
    let late = order.iter().skip(first).filter(|row| losing.contains(&row.merge_request)).count();
    println!(
        "60 withdrawals of this minute, 60 grants of hours ago: {late} withdrawals came after the first grant"
    );
    assert!(late < 32, "no more than are decided at the same time");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_failures_between_answers_are_no_outage() {
    let world = World::start(PLAIN_POLICY).await;
    world.gitlab.fault(Fault::error_page("*", 502).percent(30));
    let all: Vec<_> = (0..40).map(|_| world.open(world.merge_request())).collect();
    pass_until(&world, "all pass", || all.iter().all(|which| world.status(*which) == Passed)).await;
    assert!(!is_down(&world));
    world.end().await;
}
