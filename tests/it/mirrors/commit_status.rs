//! A commit status for each check, in the pipeline that GitLab goes by.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, ProjectId};
use countersign::simulator::{
    CheckStatus, CommitStatus, Fault, Membership, NewJob, NewProject, NewStatusCheck, PipelineKind, Push,
    SimulatorOptions,
};

use super::{A_WHILE, SET_STATUS, STATUSES, ground, tell_everything, world, writes};
use crate::world::{Ground, ONE, PIPELINES, PLAIN_POLICY, REVIEW_POLICY, SECRET, World, until};

use CheckStatus::{Failed, Passed, Unanswered};

const STATUS: &[(&str, &str)] = &[("COMMIT_STATUS", "true")];

const PIPELINE: &str = r#"
policy: pipeline
rules:
  - id: pipeline
    require: { pipeline: success }
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
"#;

/// What was said under our name in each pipeline, in its order.
fn said(world: &World) -> Vec<(Option<u64>, String)> {
    world.gitlab.reports().into_iter().map(|report| (report.pipeline, report.state)).collect()
}

fn newest(world: &World) -> CommitStatus {
    world.gitlab.reports().pop().expect("something was said")
}

/// How GitLab shows the pipelines of a merge request, oldest first.
async fn pipelines(world: &World, which: MergeRequestRef) -> Vec<(u64, String)> {
    let path = format!(
        "{}/api/v4/projects/{}/merge_requests/{}/pipelines",
        world.ground.simulator.url(),
        which.project,
        which.iid
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(path).header("PRIVATE-TOKEN", &world.ground.token).send().await.unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let one =
        |run: &serde_json::Value| (run["id"].as_u64().unwrap(), run["status"].as_str().unwrap().to_owned());
    list.iter().rev().map(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_follows_the_verdict_in_the_pipeline_of_the_head() {
    let ground = ground(Ground::prepare(REVIEW_POLICY).await, STATUS)
        .configure("SERVER__PUBLIC_URL", "https://countersign.example/cs/");
    let bea = ground.reviewer();
    let world = World::start_on(ground).await;
    let address = "https://countersign.example/cs/webhooks/gitlab";
    world.gitlab.set_check_url(world.ground.project, world.check, address).unwrap();
    let which = world.open(world.merge_request().quietly());
    let first = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    tell_everything(&world);
    world.gitlab.add_label(which, "look").unwrap();
    world.settle().await;
    let status = newest(&world);
    assert_eq!(
        (status.state.as_str(), status.pipeline, status.user),
        ("pending", Some(first), world.ground.bot)
    );
    assert_eq!(status.reference.as_deref(), Some("refs/merge-requests/1/head"));
    assert_eq!((status.name.as_str(), status.target_url.as_deref()), ("countersign", Some(address)));
    assert!(status.description.unwrap().starts_with("waiting: review: 0 of 1 approvals needed"));
    assert_eq!(pipelines(&world, which).await, [(first, "running".to_owned())]);

    world.gitlab.approve(which, bea).unwrap();
    world.settle().await;
    assert_eq!(newest(&world).description.as_deref(), Some("all 2 rules that apply are met"));
    world.gitlab.edit_title(which, "bad").unwrap();
    world.settle().await;
    let second = {
        world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
        world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap()
    };
    world.settle().await;
    world.pass(A_WHILE).await;
    let words = ["pending", "success", "failed", "failed"].map(str::to_owned);
    let places = [first, first, first, second].map(Some);
    assert_eq!(said(&world), places.into_iter().zip(words).collect::<Vec<_>>(), "{}", world.history());
    assert_eq!(pipelines(&world, which).await.len(), 2, "no pipeline but the two");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_twice() {
    let mut world = world(PLAIN_POLICY, STATUS).await;
    tell_everything(&world);
    let which = world.open(world.merge_request().quietly());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    for label in ["a", "b", "c"] {
        world.gitlab.add_label(which, label).unwrap();
        world.settle().await;
    }
    assert_eq!(writes(&world), 1, "{}", world.history());
    world.stop().await;
    world.start_again().await;
    world.gitlab.add_label(which, "after").unwrap();
    world.settle().await;
    assert_eq!((writes(&world), world.calls(STATUSES)), (1, 1), "it was read: {}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_that_shows_is_left_alone() {
    const WAITS: &str =
        "policy: w\nrules: [{id: r, require: {any_of: [{approvals: 1}, {title: {glob: [x]}}]}}]\n";
    let world = world(WAITS, STATUS).await;
    let which = world.open(world.merge_request().quietly());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    world.gitlab.add_label(which, "a").unwrap();
    world.settle().await;
    // The other sentence of a pending can't be told to GitLab.
    world.gitlab.edit_title(which, "another").unwrap();
    world.settle().await;
    assert_eq!(world.calls(SET_STATUS), 1);
    // And where it was said and nobody knows, GitLab refuses to say it again: then it shows.
    world.gitlab.fault(Fault::error_page(STATUSES, 500));
    let mut world = world;
    world.stop().await;
    world.start_again().await;
    world.gitlab.lift_all();
    world.gitlab.edit_title(which, "yet another").unwrap();
    world.settle().await;
    assert_eq!(world.count("countersign_mirrors_total{mirror=\"commit_status\",outcome=\"refused\"}"), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_awaited_before_gitlab_makes_one_for_the_status() {
    let world = world(PLAIN_POLICY, STATUS).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "the answer does not wait").await;
    assert!(said(&world).is_empty());
    // It comes a moment after the push, and nobody tells.
    let id = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "running").unwrap();
    world.pass(A_WHILE).await;
    assert_eq!(said(&world), [(Some(id), "success".to_owned())]);
    assert_eq!(pipelines(&world, which).await.len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_without_pipelines_gets_one_for_the_status_and_then_no_other() {
    let world = world(PLAIN_POLICY, STATUS).await;
    tell_everything(&world);
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "the answer does not wait").await;
    for title in ["good", "bad", "good"] {
        world.gitlab.edit_title(which, title).unwrap();
        world.settle().await;
        world.pass(A_WHILE).await;
        world.pass(A_WHILE).await;
    }
    let words: Vec<_> = said(&world).into_iter().map(|(_, state)| state).collect();
    assert_eq!(words, ["success", "failed", "success"]);
    assert_eq!(pipelines(&world, which).await.len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_asks_for_the_pipeline_does_not_wait_for_ourselves() {
    // Older versions do not say to which pipeline a status belongs.
    for version in ["18.3.0-ee", "16.9.0-ee"] {
        let options = SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() };
        let world = World::start_on(ground(Ground::prepare_with(PIPELINE, options).await, STATUS)).await;
        tell_everything(&world);
        let which = world.open(world.merge_request());
        let id = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "running").unwrap();
        world.gitlab.run_job(which, id, NewJob::new("build", "running")).unwrap();
        world.gitlab.run_job(which, id, NewJob::new("lint", "failed").allow_failure()).unwrap();
        world.settle().await;
        assert_eq!(
            (world.status(which), newest(&world).state.as_str()),
            (Unanswered, "pending"),
            "{version}"
        );
        world.gitlab.finish_job(which, id, "build", "success").unwrap();
        world.gitlab.finish_pipeline(which, id, "success").unwrap();
        world.expect(which, Passed, "the pipeline runs on account of our own word alone").await;
        assert_eq!(pipelines(&world, which).await, [(id, "success".to_owned())], "{version}");

        world.gitlab.edit_title(which, "bad").unwrap();
        world.expect(which, Failed, "a bad title").await;
        assert_eq!(pipelines(&world, which).await, [(id, "failed".to_owned())], "by our own word");
        world.gitlab.edit_title(which, "good").unwrap();
        world.expect(which, Passed, "our own failure does not keep it").await;
        assert_eq!(pipelines(&world, which).await, [(id, "success".to_owned())]);

        // A failure of others counts as before, with our success beside it.
        world.gitlab.finish_job(which, id, "build", "failed").unwrap();
        world.gitlab.finish_pipeline(which, id, "failed").unwrap();
        world.expect(which, Failed, "the build failed").await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_our_own_words_alone_proves_nothing() {
    const EITHER: &str =
        "policy: e\nrules: [{id: r, require: {any_of: [{pipeline: success}, {labels: {any: [go]}}]}}]\n";
    let world = world(EITHER, STATUS).await;
    tell_everything(&world);
    let which = world.open(world.merge_request().label("go"));
    world.expect(which, Passed, "the label").await;
    world.pass(A_WHILE).await;
    assert_eq!(
        pipelines(&world, which).await.iter().map(|run| run.1.as_str()).collect::<Vec<_>>(),
        ["success"]
    );
    world.gitlab.remove_label(which, "go").unwrap();
    world.settle().await;
    assert_ne!(world.status(which), Passed, "the only success is our own");
    assert_eq!(newest(&world).state, "pending");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_s_job_of_our_name_hides_nothing() {
    let world = world(PIPELINE, STATUS).await;
    tell_everything(&world);
    let which = world.open(world.merge_request());
    let id = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "failed").unwrap();
    world.gitlab.run_job(which, id, NewJob::new("countersign/build", "failed")).unwrap();
    world.expect(which, Failed, "it is nobody's but the author's").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_pipeline_of_the_same_head_is_told_as_well() {
    let world = world(PLAIN_POLICY, STATUS).await;
    tell_everything(&world);
    let which = world.open(world.merge_request());
    let ids: Vec<u64> = ["success", "failed"]
        .map(|status| {
            let id = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, status).unwrap();
            (id, status)
        })
        .map(|(id, _)| id)
        .to_vec();
    world.settle().await;
    world.pass(A_WHILE).await;
    assert_eq!(said(&world).last(), Some(&(Some(ids[1]), "success".to_owned())));
    let third = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "running").unwrap();
    world.settle().await;
    assert_eq!(said(&world).last(), Some(&(Some(third), "success".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merged_result_is_told_at_its_own_commit_and_one_of_the_head_before_is_not() {
    let world = world(PLAIN_POLICY, STATUS).await;
    let which = world.open(world.merge_request().quietly());
    let id = world.gitlab.run_pipeline(which, PipelineKind::MergedResult, "running").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.settle().await;
    let status = newest(&world);
    assert_eq!(
        (status.pipeline, status.reference.as_deref()),
        (Some(id), Some("refs/merge-requests/1/merge"))
    );
    assert_ne!(status.sha, world.gitlab.head(which).unwrap());
    // The new head has no pipeline yet, and the old one goes on being shown.
    world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
    world.settle().await;
    assert_eq!(said(&world).len(), 1, "{:?}", said(&world));
    let next = world.gitlab.run_pipeline(which, PipelineKind::MergedResult, "running").unwrap();
    world.pass(A_WHILE).await;
    assert_eq!(said(&world).last(), Some(&(Some(next), "success".to_owned())));
    assert_eq!(pipelines(&world, which).await.len(), 2);
    world.end().await;
}

/// A fork of the project, with its author in it.
fn fork(world: &World) -> ProjectId {
    let fork = world.gitlab.create_project(NewProject::at("ana/pay"));
    world.gitlab.add_member(fork, Membership::new(world.ground.author, 30)).unwrap();
    fork
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_from_a_fork_is_told_where_its_pipeline_ran() {
    let world = world(PLAIN_POLICY, STATUS).await;
    let fork = fork(&world);
    let which = world.open(world.merge_request().fork(fork).quietly());
    let id = world.gitlab.run_pipeline(which, PipelineKind::Branch, "running").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, Passed, "answered although the fork is closed to us").await;
    assert!(said(&world).is_empty());
    assert_eq!(world.count("countersign_mirrors_total{mirror=\"commit_status\",outcome=\"refused\"}"), 1);
    // Its author lets us in.
    world.gitlab.add_member(fork, Membership::new(world.ground.bot, 30)).unwrap();
    world.gitlab.advance(Duration::from_secs(601));
    world.gitlab.add_label(which, "again").unwrap();
    world.settle().await;
    assert_eq!(said(&world), [(Some(id), "success".to_owned())]);
    assert_eq!(world.gitlab.commit_statuses(fork).unwrap().len(), 1);
    // A member of the project ran one there.
    let own = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "running").unwrap();
    world.gitlab.add_label(which, "third").unwrap();
    world.settle().await;
    assert_eq!(said(&world).last(), Some(&(Some(own), "success".to_owned())));
    assert_eq!(world.gitlab.commit_statuses(world.ground.project).unwrap().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_check_has_a_status_of_its_own_and_a_long_sentence_is_cut() {
    let long = format!(
        "policy: l\nrules: [{{id: r, name: {}, require: {{title: {{glob: [x]}}}}}}]\n",
        "x".repeat(400)
    );
    let world = world(&long, STATUS).await;
    let url = format!("{}/webhooks/gitlab/security", world.url());
    let check = NewStatusCheck::new("security", &url).secret(SECRET);
    world.gitlab.create_status_check(world.ground.project, check).unwrap();
    let which = world.open(world.merge_request().quietly());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.settle().await;
    let reports = world.gitlab.reports();
    let mut names: Vec<_> = reports.iter().map(|report| report.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["countersign", "countersign/security"]);
    assert!(reports.iter().all(|report| report.description.as_ref().unwrap().chars().count() == 255));
    assert!(reports.iter().all(|report| report.target_url.is_none()), "nobody said where we can be reached");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_is_taken_back_before_the_facts_are_read() {
    use countersign::simulator::FaultKind;

    use super::THREADS;
    use crate::world::DISCUSSIONS;
    let world = world(THREADS, STATUS).await;
    let which = world.open(world.merge_request().quietly());
    let id = world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, Passed, "no thread is open").await;
    let fault = world.gitlab.fault(Fault::on(DISCUSSIONS, FaultKind::Hang));
    let reads = world.calls(DISCUSSIONS);
    world.gitlab.set_target_branch(which, "release/1").unwrap();
    world.until("its facts are read", |gitlab| gitlab.calls_to(DISCUSSIONS) > reads).await;
    assert_eq!(said(&world).last(), Some(&(Some(id), "pending".to_owned())), "{}", world.history());
    world.gitlab.lift(fault);
    world.expect(which, Passed, "decided anew").await;
    until("and said anew", || newest(&world).state == "success").await;
    assert!(world.calls(ONE) > 0 && world.calls(PIPELINES) == 0, "GitLab's own word is enough");
    world.settle().await;
    world.end().await;
}
