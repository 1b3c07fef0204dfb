//! What a bot can do to a merge request beside answering, and what people's reviews look like to it.

use countersign::simulator::{
    CheckStatus, Edition, NewHook, NewIssue, NewJob, NewMergeRequest, PipelineKind, Push, Simulator,
    SimulatorOptions,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Scene, scene, taken_apart};

async fn send(scene: &Scene, method: Method, path: &str, body: Value) -> (u16, Value) {
    taken_apart(scene.send(method, path, &scene.token, Some(body)).await).await
}

#[tokio::test]
async fn a_bot_approves_a_head_and_withdraws() {
    let scene = scene().await;
    scene.gitlab.create_hook(NewHook::of(scene.project, "http://127.0.0.1:9/"));
    let path = scene.below("/approve");
    let (code, body) = send(&scene, Method::POST, &path, json!({ "sha": "0" })).await;
    assert_eq!((code, body["message"].as_str().unwrap().starts_with("SHA does not match")), (409, true));
    let (code, body) = send(&scene, Method::POST, &path, json!({ "sha": scene.head() })).await;
    assert_eq!((code, &body["approved_by"][0]["user"]["username"]), (201, &json!("countersign")));
    assert_eq!(send(&scene, Method::POST, &path, json!({})).await.0, 401);
    assert_eq!(send(&scene, Method::POST, &scene.below("/unapprove"), json!({})).await.0, 201);
    assert_eq!(send(&scene, Method::POST, &scene.below("/unapprove"), json!({})).await.0, 404);
    let told: Vec<String> = scene.gitlab.deliveries().into_iter().filter_map(|sent| sent.action).collect();
    assert_eq!(told, ["approved", "approved", "unapproval", "unapproval"], "check and hook");
}

#[tokio::test]
async fn a_bot_keeps_one_note_and_touches_nobody_else_s() {
    let scene = scene().await;
    scene.gitlab.comment(scene.merge_request, "hello").unwrap();
    let (code, note) = send(&scene, Method::POST, &scene.below("/notes"), json!({ "body": "one" })).await;
    assert_eq!(code, 201);
    let mine = scene.below(&format!("/notes/{}", note["id"]));
    assert_eq!(send(&scene, Method::PUT, &mine, json!({ "body": "two" })).await.1["body"], "two");
    let notes = scene.get(&scene.below("/notes")).await;
    assert_eq!((&notes[0]["body"], &notes[1]["body"]), (&json!("two"), &json!("hello")));
    let foreign = scene.below(&format!("/notes/{}", notes[1]["id"]));
    assert_eq!(send(&scene, Method::PUT, &foreign, json!({ "body": "mine" })).await.0, 403);
    assert_eq!(send(&scene, Method::DELETE, &mine, json!({})).await.0, 204);
    assert_eq!(scene.get(&scene.below("/notes?sort=asc")).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_maintainer_edits_anybody_s_note_and_only_updated_at_tells() {
    let scene = scene().await;
    let ana = scene.gitlab.create_user("ana");
    scene.gitlab.acting_as(ana).comment(scene.merge_request, "no").unwrap();
    let notes = scene.below("/notes?sort=asc&order_by=created_at");
    let before = scene.get(&notes).await[0].clone();
    assert_eq!((&before["created_at"], &before["type"]), (&before["updated_at"], &Value::Null));
    let path = scene.below(&format!("/notes/{}", before["id"]));
    let maintainer = scene.member("cleo", 40);
    let sent = scene.send(Method::PUT, &path, &maintainer, Some(json!({ "body": "yes" }))).await;
    assert_eq!(sent.status(), 200);
    let after = scene.get(&notes).await[0].clone();
    assert_eq!((&after["body"], &after["author"]["username"]), (&json!("yes"), &json!("ana")));
    assert_ne!(after["created_at"], after["updated_at"]);
    let body = json!({ "body": "psst", "internal": true });
    assert_eq!(send(&scene, Method::POST, &scene.below("/notes"), body).await.1["internal"], true);
}

#[tokio::test]
async fn an_emoji_is_awarded_once_and_taken_back_by_its_owner() {
    let scene = scene().await;
    let path = scene.below("/award_emoji");
    let (code, award) = send(&scene, Method::POST, &path, json!({ "name": "thumbsup" })).await;
    assert_eq!((code, &award["name"]), (201, &json!("thumbsup")));
    assert_eq!(send(&scene, Method::POST, &path, json!({ "name": "thumbsup" })).await.0, 404);
    let mine = scene.below(&format!("/award_emoji/{}", award["id"]));
    let other = scene.member("cleo", 40);
    assert_eq!(scene.send(Method::DELETE, &mine, &other, None).await.status(), 401);
    assert_eq!(scene.get(&path).await[0]["user"]["username"], "countersign");
    assert_eq!(send(&scene, Method::DELETE, &mine, json!({})).await.0, 204);
    assert_eq!(scene.get(&path).await, json!([]));
}

#[tokio::test]
async fn reviewers_are_listed_with_their_states() {
    let scene = scene().await;
    let (ana, bea) = (scene.gitlab.create_user("ana"), scene.gitlab.create_user("bea"));
    scene.gitlab.set_reviewers(scene.merge_request, &[ana]).unwrap();
    scene.gitlab.approve(scene.merge_request, bea).unwrap();
    scene.gitlab.review(scene.merge_request, bea, "requested_changes").unwrap();
    let reviewers = scene.get(&scene.below("/reviewers")).await;
    assert_eq!((&reviewers[0]["user"]["id"], &reviewers[0]["state"]), (&json!(ana), &json!("unreviewed")));
    assert_eq!(
        (&reviewers[1]["user"]["id"], &reviewers[1]["state"]),
        (&json!(bea), &json!("requested_changes"))
    );
    let approvals = scene.get(&scene.below("/approvals")).await;
    assert_eq!(approvals["approved_by"], json!([]), "who asks for changes does not approve");
}

#[tokio::test]
async fn a_submitted_review_is_told_since_19_3_and_before_by_its_comment_alone() {
    let scene = scene().await;
    let (gitlab, which) = (&scene.gitlab, scene.merge_request);
    gitlab.create_hook(NewHook::of(scene.project, "http://127.0.0.1:9/").everything_else());
    let bea = gitlab.create_user("bea");
    let told = |since: usize| -> Vec<(String, String)> {
        let sent = gitlab.deliveries().into_iter().skip(since);
        let mut told: Vec<_> =
            sent.map(|sent| (sent.event.to_owned(), sent.action.unwrap_or_default())).collect();
        told.sort();
        told
    };
    let pair = |event: &str, action: &str| (event.to_owned(), action.to_owned());
    for (version, state_told) in [("19.2.0-ee", false), ("19.3.0-ee", true)] {
        gitlab.install(version, Edition::Ultimate);
        let expected = if state_told {
            vec![pair("Merge Request Hook", "update"), pair("status check", "update")]
        } else {
            vec![]
        };
        let before = gitlab.deliveries().len();
        gitlab.review(which, bea, "requested_changes").unwrap();
        assert_eq!(told(before), expected, "{version}: without a comment");
        let before = gitlab.deliveries().len();
        gitlab.review_with_comment(which, bea, "reviewed", "well").unwrap();
        let mut expected = expected;
        expected.insert(usize::from(state_told), pair("Note Hook", "create"));
        assert_eq!(told(before), expected, "{version}: with a comment");
        let before = gitlab.deliveries().len();
        gitlab.review(which, bea, "review_started").unwrap();
        assert_eq!(told(before), [], "{version}: nothing was submitted");
    }
    gitlab.approve(which, bea).unwrap();
    let before = gitlab.deliveries().len();
    gitlab.install("19.2.0-ee", Edition::Ultimate);
    gitlab.review(which, bea, "requested_changes").unwrap();
    let actions: Vec<_> = told(before).into_iter().map(|(_, action)| action).collect();
    assert!(actions.len() == 2 && actions.iter().all(|action| action.starts_with("unappro")), "{actions:?}");
    let reviewers = scene.get(&scene.below("/reviewers")).await;
    assert_eq!(reviewers[0]["state"], "requested_changes");
}

#[tokio::test]
async fn a_commit_status_is_kept_and_the_newest_of_a_name_is_listed() {
    let scene = scene().await;
    let path = format!("/projects/{}/statuses/{}", scene.project, scene.head());
    for state in ["running", "success"] {
        let body = json!({ "state": state, "name": "gate", "target_url": "https://gate.test/1" });
        assert_eq!(send(&scene, Method::POST, &path, body).await.0, 201);
    }
    assert_eq!(send(&scene, Method::POST, &path, json!({ "state": "good" })).await.0, 400);
    let list =
        scene.get(&format!("/projects/{}/repository/commits/{}/statuses", scene.project, scene.head())).await;
    assert_eq!((list.as_array().unwrap().len(), &list[0]["status"]), (1, &json!("success")));
    assert_eq!(
        (scene.gitlab.commit_statuses(scene.project).unwrap().len(), scene.gitlab.reports().len()),
        (1, 2)
    );
    let unknown = format!("/projects/{}/statuses/{}", scene.project, "0".repeat(40));
    assert_eq!(send(&scene, Method::POST, &unknown, json!({ "state": "success" })).await.0, 404);
}

#[tokio::test]
async fn ticks_and_conflicts_are_shown_as_gitlab_shows_them() {
    let scene = scene().await;
    let (gitlab, which) = (&scene.gitlab, scene.merge_request);
    gitlab.set_milestone(which, Some("v1")).unwrap();
    gitlab.set_squash(which, true).unwrap();
    gitlab.set_source_branch_removal(which, false).unwrap();
    gitlab.set_conflicts(which, Some(true)).unwrap();
    let shown = scene.get(&scene.below("")).await;
    assert_eq!((&shown["milestone"]["title"], &shown["squash"]), (&json!("v1"), &json!(true)));
    assert_eq!(shown["force_remove_source_branch"], false);
    assert_eq!((&shown["has_conflicts"], &shown["merge_status"]), (&json!(true), &json!("cannot_be_merged")));
    assert_eq!(shown["detailed_merge_status"], "conflict");
    gitlab.set_conflicts(which, None).unwrap();
    let shown = scene.get(&scene.below("")).await;
    assert_eq!((&shown["has_conflicts"], &shown["merge_status"]), (&json!(false), &json!("unchecked")));
}

#[tokio::test]
async fn gitlab_remembers_who_set_a_label() {
    let scene = scene().await;
    let ana = scene.gitlab.create_user("ana");
    scene.gitlab.acting_as(ana).add_label(scene.merge_request, "freeze::exception").unwrap();
    scene.gitlab.remove_label(scene.merge_request, "freeze::exception").unwrap();
    let events = scene.get(&scene.below("/resource_label_events")).await;
    assert_eq!((&events[0]["user"]["id"], &events[0]["action"]), (&json!(ana), &json!("add")));
    assert_eq!(events[1]["action"], "remove");
}

#[tokio::test]
async fn a_retarget_makes_a_version_of_the_same_head_whose_answers_stay() {
    let scene = scene().await;
    scene.post("passed").await;
    scene.gitlab.set_target_branch(scene.merge_request, "stable").unwrap();
    let versions = scene.get(&scene.below("/versions")).await;
    assert_eq!(versions.as_array().unwrap().len(), 2);
    assert_eq!(versions[0]["head_commit_sha"], versions[1]["head_commit_sha"]);
    assert_ne!(versions[0]["id"], versions[1]["id"]);
    assert_eq!(scene.shown().await, "passed");
    scene.gitlab.set_target_branch_only(scene.merge_request, "main").unwrap();
    assert_eq!(scene.get(&scene.below("/versions")).await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_train_s_pipeline_is_listed_and_is_not_the_head_s() {
    let scene = scene().await;
    scene.gitlab.set_pipeline(scene.merge_request, "failed").unwrap();
    let train = scene.gitlab.run_pipeline(scene.merge_request, PipelineKind::Train, "running").unwrap();
    scene.gitlab.finish_pipeline(scene.merge_request, train, "success").unwrap();
    assert_eq!(scene.get(&scene.below("/pipelines")).await[0]["status"], "success");
    assert_eq!(scene.get(&scene.below("")).await["head_pipeline"]["status"], "failed");
}

#[tokio::test]
async fn transient_merge_states_can_be_said() {
    let scene = scene().await;
    scene.gitlab.set_merge_status(scene.merge_request, Some("approvals_syncing")).unwrap();
    assert_eq!(scene.get(&scene.below("")).await["detailed_merge_status"], "approvals_syncing");
    scene.gitlab.set_merge_status(scene.merge_request, None).unwrap();
    assert_eq!(scene.gitlab.merge_status(scene.merge_request).as_deref(), Ok("mergeable"));
}

#[tokio::test]
async fn two_gitlabs_in_one_process_know_nothing_of_each_other() {
    let (one, two) = (scene().await, scene().await);
    one.post("passed").await;
    assert_eq!((one.shown().await, two.shown().await), ("passed".to_owned(), "pending".to_owned()));
    assert_eq!(one.head(), two.head(), "and yet they are made alike");
    assert_eq!(two.gitlab.status(two.merge_request, two.check), Ok(CheckStatus::Unanswered));
}

#[tokio::test]
async fn a_stopped_simulator_answers_nobody() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let (url, gitlab) = (simulator.url().to_owned(), simulator.gitlab());
    let project = gitlab.create_project("shop/web");
    let which = gitlab.open_merge_request(NewMergeRequest::in_project(project)).unwrap();
    simulator.stop().await;
    assert!(reqwest::get(format!("{url}/api/v4/version")).await.is_err());
    assert!(gitlab.push(which, Push::new()).is_ok(), "its world can still be read and changed");
}

#[tokio::test]
async fn a_pipeline_lists_the_newest_run_of_each_job_and_its_bridges_apart() {
    let scene = scene().await;
    let which = scene.merge_request;
    let id = scene.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "running").unwrap();
    for job in [
        NewJob::new("build", "failed"),
        NewJob::new("build", "success").allow_failure(),
        NewJob::new("deploy", "manual").bridge(),
    ] {
        scene.gitlab.run_job(which, id, job).unwrap();
    }
    let path = |what: &str| format!("/projects/{}/pipelines/{id}/{what}", scene.project);
    let jobs = scene.get(&path("jobs")).await;
    assert_eq!((jobs.as_array().unwrap().len(), &jobs[0]["status"]), (1, &json!("success")));
    assert_eq!((&jobs[0]["allow_failure"], &jobs[0]["pipeline"]["id"]), (&json!(true), &json!(id)));
    assert_eq!(scene.get(&path("jobs?include_retried=true")).await.as_array().unwrap().len(), 2);
    assert_eq!(scene.get(&path("bridges")).await[0]["name"], "deploy");
    assert_eq!(scene.get_as(&scene.stranger(), &path("jobs")).await.0, 404);
    let unknown = format!("/projects/{}/pipelines/1/jobs", scene.project);
    assert_eq!(scene.get_as(&scene.token, &unknown).await.0, 404);
}

#[tokio::test]
async fn a_merge_closes_the_issues_that_its_description_says() {
    let scene = scene().await;
    let which = scene.merge_request;
    for title in ["one", "two", "three"] {
        scene.gitlab.create_issue(scene.project, NewIssue::titled(title).label("bug")).unwrap();
    }
    let secret = scene.gitlab.create_project("secret/api");
    scene.gitlab.create_issue(secret, NewIssue::titled("hidden")).unwrap();
    scene.gitlab.edit_description(which, "See #3. Closes #1 and #2, fixes secret/api#1").unwrap();
    scene.gitlab.close_external_issue(which, "SHOP-1").unwrap();
    let closed = scene.get(&scene.below("/closes_issues")).await;
    assert_eq!((&closed[0]["references"]["full"], &closed[1]["iid"]), (&json!("shop/web#1"), &json!(2)));
    assert_eq!(
        (&closed[2], closed.as_array().unwrap().len()),
        (&json!({"id": "SHOP-1", "title": "SHOP-1"}), 3)
    );
    assert_eq!(scene.get(&scene.below("/related_issues")).await.as_array().unwrap().len(), 4);
    scene.gitlab.set_target_branch(which, "stable").unwrap();
    assert_eq!(scene.get(&scene.below("/closes_issues")).await.as_array().unwrap().len(), 1);
    scene.gitlab.install("17.1.0-ee", Edition::Ultimate);
    assert_eq!(scene.get_as(&scene.token, &scene.below("/related_issues")).await.0, 404);
}

#[tokio::test]
async fn what_blocks_is_listed_and_what_is_hidden_is_not_named() {
    let scene = scene().await;
    let which = scene.merge_request;
    let open = |project| NewMergeRequest::in_project(project).quietly();
    let seen = scene.gitlab.open_merge_request(open(scene.project)).unwrap();
    let secret = scene.gitlab.create_project("secret/api");
    let hidden = scene.gitlab.open_merge_request(open(secret)).unwrap();
    scene.gitlab.block(which, seen).unwrap();
    scene.gitlab.block(which, hidden).unwrap();
    let blocks = scene.get(&scene.below("/blocks")).await;
    assert_eq!(blocks[0]["blocking_merge_request"]["references"]["full"], format!("shop/web!{}", seen.iid));
    assert!(blocks[1]["id"].is_u64() && blocks[1].get("blocking_merge_request").is_none());
    scene.gitlab.install("18.3.0", Edition::Community);
    assert_eq!(scene.get_as(&scene.token, &scene.below("/blocks")).await.0, 404);
}

#[tokio::test]
async fn gitlab_notes_when_a_draft_becomes_ready() {
    let scene = scene().await;
    scene.gitlab.set_draft(scene.merge_request, true).unwrap();
    scene.gitlab.edit_title(scene.merge_request, "feat: done").unwrap();
    let notes = scene.get(&scene.below("/notes?sort=asc")).await;
    assert_eq!(notes[0]["body"], "marked this merge request as **draft**");
    assert_eq!(
        (&notes[1]["body"], &notes[1]["system"]),
        (&json!("marked this merge request as **ready**"), &json!(true))
    );
}
