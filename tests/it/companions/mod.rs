//! Companion webhooks: what GitLab tells beside the events of a merge request wakes those whose policies read what the event can
//! change, and nobody else.

mod commits;
mod crowds;
mod loops;
mod replays;
mod reviews;
mod wakes;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::NewHook;
use countersign::telemetry::DeliveryLabels;
use rusqlite::{Connection, OpenFlags};

use crate::world::{Ground, HOOK_TOKEN, World, until};

const OWN_TOKEN: &str = "GET /personal_access_tokens/self";

/// A policy of one rule.
fn policy(require: &str) -> String {
    format!("policy: gate\nrules:\n  - id: gate\n    require: {require}\n")
}

/// A world in which everything that accompanies merge requests is told to the service, by a hook of the group and, of members of
/// projects, by one of the instance.
async fn world(policy: &str) -> World {
    world_on(Ground::prepare(policy).await).await
}

async fn world_on(ground: Ground) -> World {
    let world = World::start_on(ground).await;
    tell_everything(&world);
    // The token is looked at once at the start, whatever happens.
    world.until("the token is looked at", |gitlab| gitlab.calls_to(OWN_TOKEN) > 0).await;
    world
}

fn tell_everything(world: &World) {
    let hook = NewHook::of("shop", &address(world)).token(HOOK_TOKEN).without_merge_requests();
    world.gitlab.create_hook(hook.everything_else());
    let hook = NewHook::system(&address(world)).token(HOOK_TOKEN);
    world.gitlab.create_hook(hook.without_merge_requests());
}

fn address(world: &World) -> String {
    format!("{}/webhooks/gitlab", world.url())
}

/// How many crowds are not through.
fn crowds(world: &World) -> i64 {
    let database =
        Connection::open_with_flags(world.ground.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    database.query_row("SELECT count(*) FROM crowd", [], |row| row.get(0)).unwrap()
}

/// Waits until every delivery has arrived, no crowd is left, and nobody is at work: what is said then may be told again.
async fn rest(world: &World) {
    loop {
        let told = world.gitlab.deliveries().len();
        world.gitlab.deliveries_settled().await.unwrap();
        until("no crowd is left", || crowds(world) == 0).await;
        world.rest().await;
        if world.gitlab.deliveries().len() == told {
            return;
        }
    }
}

fn calls(world: &World) -> usize {
    world.gitlab.calls().len()
}

/// How many deliveries came to an outcome.
fn counted(world: &World, outcome: &'static str) -> u64 {
    world.app().metrics().deliveries.get_or_create(&DeliveryLabels { outcome }).get()
}

/// Who was decided how often.
async fn decided(world: &World, which: &[MergeRequestRef]) -> Vec<usize> {
    let mut counts = Vec::new();
    for which in which {
        counts.push(world.decisions(*which).await.len());
    }
    counts
}
