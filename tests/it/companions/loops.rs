//! What the service itself says in GitLab comes back as an event: that wakes, and then nothing more is said.

use countersign::simulator::{CheckStatus, PipelineKind};

use super::{counted, policy, rest, tell_everything};
use crate::world::{Ground, World};

const WRITES: [&str; 3] = [
    "POST /projects/:id/merge_requests/:iid/notes",
    "PUT /projects/:id/merge_requests/:iid/notes/:note_id",
    "POST /projects/:id/statuses/:sha",
];

fn writes(world: &World) -> u64 {
    WRITES.iter().map(|route| world.calls(route)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_note_wakes_and_is_not_written_again() {
    let ground = Ground::prepare(&policy("{unresolved_threads: {at_most: 0}}")).await;
    let world = World::start_on(ground.configure("ANSWERS__NOTE", "true")).await;
    tell_everything(&world);
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "there is no thread").await;
    let thread = world.gitlab.open_thread(which, "why?").unwrap();
    rest(&world).await;
    assert_ne!(world.status(which), CheckStatus::Passed);
    world.gitlab.resolve_thread(which, &thread).unwrap();
    rest(&world).await;
    let told = world.gitlab.deliveries();
    let own =
        told.iter().filter(|sent| sent.json()["object_attributes"]["author_id"] == world.ground.bot.get());
    assert!(own.count() >= 2, "GitLab tells of our note, written and edited");
    let (said, taken) = (writes(&world), counted(&world, "taken"));
    rest(&world).await;
    assert_eq!((writes(&world), said <= 3), (said, true), "once for each verdict: {said}");
    assert_eq!(counted(&world, "taken"), taken, "nothing goes on by itself");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_commit_status_wakes_and_is_not_set_again() {
    let ground = Ground::prepare(&policy("{not: {title: {glob: ['bad*']}}}")).await;
    let world = World::start_on(ground.configure("ANSWERS__COMMIT_STATUS", "true")).await;
    tell_everything(&world);
    let which = world.open(world.merge_request());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    rest(&world).await;
    let said = writes(&world);
    assert!(said > 0, "it goes into the new pipeline although no policy reads pipelines");
    let told = world.gitlab.deliveries().iter().filter(|sent| sent.event == "Pipeline Hook").count();
    assert!(told >= 2, "GitLab tells of the pipeline again");
    rest(&world).await;
    assert_eq!(writes(&world), said);
    assert!(said <= 2, "{said}");
    world.end().await;
}
