//! Pipelines and jobs find their merge requests: by name, by ref, by commit.

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{
    CheckStatus, Fault, FaultKind, HookEvent, Membership, NewHook, NewJob, NewMergeRequest, NewProject,
    PipelineKind, Push,
};

use super::{address, calls, counted, decided, policy, rest, world};
use crate::world::{HOOK_TOKEN, PIPELINES, World};

/// The body that was told last.
fn last_body(world: &World) -> serde_json::Value {
    world.gitlab.deliveries().last().unwrap().json()
}

/// A merge request, and another one that nothing happens to.
async fn pair(world: &World) -> [MergeRequestRef; 2] {
    let both = [world.open(world.merge_request()), world.open(world.merge_request())];
    rest(world).await;
    both
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_s_pipeline_and_a_merged_result_s_find_theirs_and_no_other() {
    for kind in [PipelineKind::Branch, PipelineKind::MergeRequest, PipelineKind::MergedResult] {
        let world = world(&policy("{pipeline: success}")).await;
        let [which, other] = pair(&world).await;
        let id = world.gitlab.run_pipeline(which, kind, "running").unwrap();
        assert_eq!(last_body(&world)["merge_request"].is_null(), kind == PipelineKind::Branch, "{kind:?}");
        rest(&world).await;
        let before = decided(&world, &[which, other]).await;
        world.gitlab.finish_pipeline(which, id, "success").unwrap();
        rest(&world).await;
        assert_eq!(decided(&world, &[which, other]).await, [before[0] + 1, before[1]], "{kind:?}");
        assert_eq!(world.status(which), CheckStatus::Passed, "{kind:?}");
        world.gitlab.finish_pipeline(which, id, "failed").unwrap();
        world.expect(which, CheckStatus::Failed, "the pipeline fails").await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_finds_its_merge_request_by_ref_or_commit() {
    for kind in [PipelineKind::Branch, PipelineKind::MergeRequest, PipelineKind::MergedResult] {
        let world = world(&policy("{jobs: {all: [build]}}")).await;
        let [which, other] = pair(&world).await;
        let id = world.gitlab.run_pipeline(which, kind, "running").unwrap();
        rest(&world).await;
        let before = decided(&world, &[which, other]).await;
        world.gitlab.run_job(which, id, NewJob::new("build", "success")).unwrap();
        assert_eq!(last_body(&world)["object_kind"], "build");
        rest(&world).await;
        assert_eq!(decided(&world, &[which, other]).await, [before[0] + 1, before[1]], "{kind:?}");
        assert_eq!(world.status(which), CheckStatus::Passed, "{kind:?}");
        world.end().await;
    }
}

/// It runs in the fork, which is none of ours, and names nothing but its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_s_pipeline_finds_the_merge_request_of_its_head() {
    let world = world(&policy("{pipeline: success}")).await;
    let fork = world.gitlab.create_project(NewProject::at("ana/pay"));
    for user in [world.ground.author, world.ground.bot] {
        world.gitlab.add_member(fork, Membership::new(user, 30)).unwrap();
    }
    let hook = NewHook::of(fork, &address(&world)).token(HOOK_TOKEN).without_merge_requests();
    world.gitlab.create_hook(hook.event(HookEvent::Pipeline));
    let which = world.open(world.merge_request().fork(fork));
    let other = world.open(world.merge_request());
    rest(&world).await;
    let before = decided(&world, &[which, other]).await;
    world.gitlab.run_pipeline(which, PipelineKind::Branch, "success").unwrap();
    let body = last_body(&world);
    assert_eq!(
        (&body["project"]["path_with_namespace"], body["merge_request"].is_null()),
        (&"ana/pay".into(), true)
    );
    rest(&world).await;
    assert_eq!(decided(&world, &[which, other]).await, [before[0] + 1, before[1]]);
    assert_eq!(world.status(which), CheckStatus::Passed);
    world.end().await;
}

/// A commit that is nobody's head, such as that of the main branch after a merge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_nobody_s_head_costs_no_call() {
    let world = world(&policy("{pipeline: success}")).await;
    let [which, _] = pair(&world).await;
    let id = world.gitlab.run_pipeline(which, PipelineKind::Branch, "success").unwrap();
    world.gitlab.push(which, Push::default()).unwrap();
    rest(&world).await;
    let (before, refused) = (calls(&world), counted(&world, "not_for_us"));
    // That of the head before.
    world.gitlab.finish_pipeline(which, id, "failed").unwrap();
    rest(&world).await;
    assert_eq!(calls(&world), before);
    assert_eq!(counted(&world, "not_for_us"), refused + 1);
    world.end().await;
}

/// The first look at a new head is under way and has read the pipelines; what comes then is not lost, although nothing says
/// yet that the commit is the head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_that_ends_while_its_head_is_looked_at_for_the_first_time_is_not_missed() {
    let world = world(&policy("{pipeline: success}")).await;
    let [which, _] = pair(&world).await;
    let held = world.gitlab.fault(Fault::on(PIPELINES, FaultKind::ApplyThenHang));
    let reads = world.calls(PIPELINES);
    world.gitlab.push(which, Push::default()).unwrap();
    world.until("the pipelines are read", |gitlab| gitlab.calls_to(PIPELINES) > reads).await;
    let refused = counted(&world, "not_for_us");
    world.gitlab.run_pipeline(which, PipelineKind::Branch, "success").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    assert_eq!(counted(&world, "not_for_us"), refused, "it is known whose it is");
    world.gitlab.lift(held);
    world.expect(which, CheckStatus::Passed, "its pipeline succeeded").await;
    world.end().await;
}

/// A sweep looks at one that nobody ever told of: nothing at all says what its head is before it is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_that_ends_while_a_sweep_looks_for_the_first_time_is_not_missed() {
    let world = world(&policy("{pipeline: success}")).await;
    world.settle().await;
    let which = world.open(world.merge_request().quietly());
    let held = world.gitlab.fault(Fault::on(PIPELINES, FaultKind::ApplyThenHang));
    let reads = world.calls(PIPELINES);
    world.app().store().queue().ask_for_sweep(vec![(which, world.gitlab.now())]).await.unwrap();
    world.until("the pipelines are read", |gitlab| gitlab.calls_to(PIPELINES) > reads).await;
    world.gitlab.run_pipeline(which, PipelineKind::Branch, "success").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    world.gitlab.lift(held);
    rest(&world).await;
    world.gitlab.advance(Duration::from_secs(10));
    rest(&world).await;
    world.expect(which, CheckStatus::Passed, "its pipeline succeeded").await;
    world.end().await;
}

/// Several merge requests of one head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_the_head_of_two_wakes_both() {
    let world = world(&policy("{pipeline: success}")).await;
    let first = world.open(world.merge_request().source_branch("card"));
    let head = world.gitlab.head(first).unwrap();
    let second = world.open(
        NewMergeRequest::in_project(world.ground.project)
            .author(world.ground.author)
            .source_branch("card")
            .target_branch("release/1")
            .head(&head),
    );
    rest(&world).await;
    let before = decided(&world, &[first, second]).await;
    world.gitlab.run_pipeline(first, PipelineKind::Branch, "success").unwrap();
    rest(&world).await;
    assert_eq!(decided(&world, &[first, second]).await, [before[0] + 1, before[1] + 1]);
    world.end().await;
}

/// Where pushes are told, one to a source branch comes twice: as an event of the merge request, and as a push to a branch that is
/// nobody's target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_to_a_source_branch_is_looked_at_once() {
    let world = world(&policy("{changed_files: {any: ['**']}}")).await;
    let both = pair(&world).await;
    let before = decided(&world, &both).await;
    world.gitlab.push(both[0], Push::default()).unwrap();
    rest(&world).await;
    let told = world.gitlab.deliveries();
    assert!(told.iter().any(|sent| sent.event == "Push Hook" && sent.json()["ref"] == "refs/heads/change-1"));
    assert_eq!(decided(&world, &both).await, [before[0] + 1, before[1]]);
    world.end().await;
}
