//! Answering status checks: the table of the contract's section 1.3, rows, and time.

use std::time::Duration;

use countersign::merge_request::CommitSha;
use countersign::simulator::{
    CheckStatus, Edition, NewMergeRequest, NewStatusCheck, NewToken, NewUser, ProjectSetting, Push, Scope,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{scene, scene_of_edition, scene_of_version};

#[tokio::test]
async fn an_answer_is_created_and_echoes_neither_status_nor_sha() {
    let scene = scene().await;
    for status in ["passed", "failed", "pending", "pending"] {
        let (code, body) = scene.post(status).await;
        assert_eq!(code, 201, "{body}");
        assert_eq!(body["merge_request"]["iid"], json!(scene.merge_request.iid));
        assert_eq!(body["external_status_check"]["id"], json!(scene.check));
        assert!(body.get("status").is_none() && body.get("sha").is_none());
        assert_eq!(scene.shown().await, status);
    }
    assert_eq!(scene.gitlab.responses(scene.merge_request, scene.check).len(), 4);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_its_envelope() {
    let scene = scene().await;
    let answer = |change: &dyn Fn(&mut Value)| {
        let mut answer = scene.answer("passed");
        change(&mut answer);
        answer
    };
    let without = |name: &str| answer(&|answer| _ = answer.as_object_mut().unwrap().remove(name));
    let with = |name: &str, value: Value| answer(&|answer| answer[name] = value.clone());
    let message = |text: &str| json!({ "message": text });
    let error = |text: &str| json!({ "error": text });
    let (reporter, stranger) = (scene.member("reporter", 20), scene.stranger());
    let missing = "status is missing, status does not have a valid value";
    let moved = format!("SHA does not match HEAD of source branch: {}", scene.head());
    let token = &scene.token;
    let cases = [
        ("nobody", scene.answer("passed"), 401, message("401 Unauthorized")),
        (stranger.as_str(), scene.answer("passed"), 404, message("404 Project Not Found")),
        (reporter.as_str(), scene.answer("passed"), 403, message("403 Forbidden")),
        (token, without("sha"), 400, error("sha is missing")),
        (token, without("status"), 400, error(missing)),
        (token, with("status", json!("approved")), 400, error("status does not have a valid value")),
        (token, with("external_status_check_id", json!(7)), 404, message("404 Not found")),
        (token, with("sha", json!("6f1e0e92")), 409, message(&moved)),
    ];
    for (token, body, code, expected) in cases {
        assert_eq!(scene.post_as(token, body.clone()).await, (code, expected), "{body}");
    }
    assert!(scene.gitlab.all_responses().is_empty());
}

#[tokio::test]
async fn refusals_come_in_gitlab_s_order() {
    let scene = scene().await;
    let reporter = scene.member("reporter", 20);
    let nothing = json!({});
    assert_eq!(scene.post_as(&scene.stranger(), nothing.clone()).await.0, 404, "project before parameters");
    assert_eq!(scene.post_as(&reporter, nothing).await.0, 400, "parameters before permission");
    let wrong = json!({ "external_status_check_id": 7, "sha": "0", "status": "passed" });
    assert_eq!(scene.post_as(&reporter, wrong.clone()).await.0, 403, "permission before check");
    assert_eq!(scene.post_as(&scene.token, wrong).await.0, 404, "check before sha");
    let user = scene.gitlab.create_user("reporter");
    scene.gitlab.configure_project(scene.project, ProjectSetting::ReporterApprover(user)).unwrap();
    let old = json!({ "external_status_check_id": scene.check, "sha": "0", "status": "passed" });
    assert_eq!(scene.post_as(&reporter, old).await.0, 409, "sha before permission to answer");
    assert_eq!(scene.post_as(&reporter, scene.answer("passed")).await.0, 404, "an approver is no Developer");
}

#[tokio::test]
async fn tokens_that_are_not_good_enough_say_why() {
    let scene = scene().await;
    let bot = scene.gitlab.create_user("countersign");
    let reader = scene.gitlab.create_token(NewToken::of(bot).scope(Scope::ReadApi)).unwrap();
    let (code, body) = scene.post_as(&reader, scene.answer("passed")).await;
    assert_eq!((code, &body["error"], &body["scope"]), (403, &json!("insufficient_scope"), &json!("api")));
    assert_eq!(scene.get_as(&reader, &scene.below("")).await.0, 200);
    scene.gitlab.expire_token(&reader, scene.gitlab.now());
    let (code, body) = scene.get_as(&reader, "/user").await;
    assert_eq!((code, &body["error"]), (401, &json!("invalid_token")));
    scene.gitlab.revoke_token(&scene.token);
    let (code, body) = scene.post("passed").await;
    assert_eq!((code, &body["error"]), (401, &json!("invalid_token")));
}

#[tokio::test]
async fn a_bearer_token_is_as_good() {
    let scene = scene().await;
    let request = scene.http.get(scene.url("/user")).bearer_auth(&scene.token);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn another_project_s_check_is_not_found_and_a_check_for_another_branch_is_taken_unseen() {
    let scene = scene().await;
    let other = scene.gitlab.create_project("shop/other");
    let foreign =
        scene.gitlab.create_status_check(other, NewStatusCheck::new("x", "https://x.test/")).unwrap();
    let narrow = NewStatusCheck::new("release", "https://y.test/").branch("release/*");
    let narrow = scene.gitlab.create_status_check(scene.project, narrow).unwrap();
    let answer =
        |check| json!({ "external_status_check_id": check, "sha": scene.head(), "status": "passed" });
    assert_eq!(scene.post_as(&scene.token, answer(foreign)).await.0, 404);
    assert_eq!(scene.post_as(&scene.token, answer(narrow)).await.0, 201);
    assert_eq!(scene.get(&scene.below("/status_checks")).await.as_array().unwrap().len(), 1);
    scene.gitlab.set_target_branch(scene.merge_request, "release/1").unwrap();
    let list = scene.get(&scene.below("/status_checks")).await;
    assert_eq!(list[1]["status"], "passed");
}

#[tokio::test]
async fn closed_merge_requests_are_answered_and_archived_projects_are_not() {
    let scene = scene().await;
    scene.gitlab.close(scene.merge_request).unwrap();
    assert_eq!(scene.post("passed").await.0, 201);
    scene.gitlab.configure_project(scene.project, ProjectSetting::Archived(true)).unwrap();
    assert_eq!(scene.post("passed").await, (403, json!({ "message": "403 Forbidden" })));
}

#[tokio::test]
async fn without_ultimate_the_routes_answer_401_and_in_the_community_edition_there_are_none() {
    let unlicensed = scene_of_edition(Edition::Unlicensed).await;
    assert_eq!(unlicensed.post("passed").await, (401, json!({ "message": "401 Unauthorized" })));
    let (code, _) = unlicensed.get_as(&unlicensed.token, "/personal_access_tokens/self").await;
    assert_eq!(code, 200);
    assert_eq!(unlicensed.post_as(&unlicensed.stranger(), json!({})).await.0, 404);
    let community = scene_of_edition(Edition::Community).await;
    assert_eq!(community.post("passed").await, (404, json!({ "error": "404 Not Found" })));
    assert!(community.gitlab.unknown_calls().is_empty());
}

#[tokio::test]
async fn explicit_pending_fails_after_two_minutes_and_implicit_pending_never_does() {
    let scene = scene().await;
    scene.gitlab.advance(Duration::from_hours(24));
    assert_eq!(scene.shown().await, "pending");
    scene.post("pending").await;
    scene.gitlab.advance(Duration::from_secs(110));
    assert_eq!(scene.shown().await, "pending");
    scene.post("pending").await;
    scene.gitlab.advance(Duration::from_secs(110));
    assert_eq!(scene.shown().await, "pending", "the heartbeat counts");
    scene.gitlab.advance(Duration::from_secs(15));
    assert_eq!(scene.shown().await, "failed");
    scene.post("passed").await;
    assert_eq!(scene.shown().await, "passed");
}

#[tokio::test]
async fn retry_wants_a_failed_check_and_starts_its_time_anew() {
    let scene = scene().await;
    let path = scene.below(&format!("/status_checks/{}/retry", scene.check));
    let retry = async || super::taken_apart(scene.send(Method::POST, &path, &scene.token, None).await).await;
    let refused = json!({ "message": "External status check must be failed" });
    assert_eq!(retry().await, (422, refused));
    scene.post("failed").await;
    scene.gitlab.advance(Duration::from_mins(10));
    assert_eq!(retry().await, (202, json!({ "message": "202 Accepted" })));
    assert_eq!(scene.shown().await, "pending");
    scene.gitlab.advance(Duration::from_secs(125));
    assert_eq!(scene.shown().await, "failed");
    assert_eq!(scene.gitlab.responses(scene.merge_request, scene.check).len(), 1, "a retry adds no row");
}

#[tokio::test]
async fn a_push_makes_all_pending_again_and_pushing_back_revives_the_old_rows() {
    let scene = scene().await;
    let first = CommitSha::parse(&scene.head()).unwrap();
    scene.post("passed").await;
    let second = scene.gitlab.push(scene.merge_request, Push::new()).unwrap();
    assert_eq!(scene.gitlab.status(scene.merge_request, scene.check), Ok(CheckStatus::Unanswered));
    scene.post("failed").await;
    scene.gitlab.push(scene.merge_request, Push::to(&first)).unwrap();
    assert_eq!(scene.shown().await, "passed");
    let versions = scene.get(&scene.below("/versions")).await;
    let heads: Vec<&Value> =
        versions.as_array().unwrap().iter().map(|version| &version["head_commit_sha"]).collect();
    assert_eq!(heads, [&json!(first), &json!(second), &json!(first)]);
    let snapshot = scene.gitlab.merge_request(scene.merge_request).unwrap();
    let commits: Vec<_> = snapshot.versions.iter().map(|version| &version.commits).collect();
    assert_eq!((commits[0], commits[1].len()), (commits[2], 2), "the commits come back too");
    assert_eq!(commits[0].len(), 1);
}

#[tokio::test]
async fn gitlab_merges_only_what_passed_for_the_head() {
    let scene = scene().await;
    scene.gitlab.configure_project(scene.project, ProjectSetting::ChecksMustPass(true)).unwrap();
    assert_eq!(scene.get(&scene.below("")).await["detailed_merge_status"], "status_checks_must_pass");
    assert!(scene.gitlab.merge(scene.merge_request).is_err());
    scene.post("passed").await;
    scene.gitlab.push(scene.merge_request, Push::new()).unwrap();
    assert!(scene.gitlab.merge(scene.merge_request).is_err());
    scene.post("passed").await;
    scene.gitlab.merge(scene.merge_request).unwrap();
    assert_eq!(scene.get(&scene.below("")).await["state"], "merged");
}

#[tokio::test]
async fn versions_differ_in_what_they_take_and_show() {
    let scene = scene_of_version("14.0.0-ee").await;
    assert_eq!(scene.shown().await, "pending");
    assert_eq!(scene.post("failed").await.0, 201);
    assert_eq!(scene.shown().await, "approved", "any row approves");
    let rows = scene.gitlab.responses(scene.merge_request, scene.check);
    assert_eq!(rows[0].posted, CheckStatus::Passed, "`status` was not read");

    scene.gitlab.install("14.9.0-ee", Edition::Ultimate);
    assert_eq!(scene.shown().await, "approved");
    scene.gitlab.set_status_field_flag(true);
    scene.post("failed").await;
    assert_eq!(scene.shown().await, "failed");

    scene.gitlab.install("15.4.0-ee", Edition::Ultimate);
    let invalid = json!({ "error": "status does not have a valid value" });
    assert_eq!(scene.post("pending").await, (400, invalid));
    let path = scene.below(&format!("/status_checks/{}/retry", scene.check));
    assert_eq!(
        scene.send(Method::POST, &path, &scene.token, None).await.status(),
        404,
        "retry came with 15.7"
    );

    scene.gitlab.install("16.5.0-ee", Edition::Ultimate);
    assert_eq!(scene.post("pending").await.0, 201);
    scene.gitlab.advance(Duration::from_mins(10));
    assert_eq!(scene.shown().await, "pending", "the timeout came with 16.6");
    let whole = scene.post("passed").await.1;
    assert!(whole["external_status_check"].get("protected_branches").is_some());
    assert!(
        whole["external_status_check"].get("hmac").is_none(),
        "a GitLab that can't sign has no word for it"
    );

    scene.gitlab.install("17.3.0-ee", Edition::Ultimate);
    assert_eq!(scene.post("passed").await.1["external_status_check"]["hmac"], false);

    scene.gitlab.install("19.2.0-ee", Edition::Ultimate);
    let (_, body) = scene.post("passed").await;
    let trimmed = json!({ "id": scene.check, "name": "countersign", "external_url": "http://127.0.0.1:9/webhooks/gitlab" });
    assert_eq!(body["external_status_check"], trimmed);
}

#[tokio::test]
async fn somebody_else_s_answer_counts_like_ours() {
    let scene = scene().await;
    scene.post("failed").await;
    let other = scene.gitlab.create_user(NewUser::named("other").id(77));
    scene.gitlab.post_status_as(other, scene.merge_request, scene.check, CheckStatus::Passed).unwrap();
    assert_eq!(scene.shown().await, "passed");
    let rows = scene.gitlab.responses(scene.merge_request, scene.check);
    assert_eq!(rows.last().map(|row| (row.user, row.posted)), Some((other, CheckStatus::Passed)));
}

#[tokio::test]
async fn a_merge_request_that_is_being_prepared_has_no_head_to_answer() {
    let scene = scene().await;
    let new = NewMergeRequest::in_project(scene.project).iid(30).preparing();
    let which = scene.gitlab.open_merge_request(new).unwrap();
    let path = format!("/projects/{}/merge_requests/30", scene.project);
    let body = scene.get(&path).await;
    assert_eq!((&body["sha"], &body["diff_refs"]), (&Value::Null, &Value::Null));
    assert_eq!(body["detailed_merge_status"], "preparing");
    scene.gitlab.finish_preparing(which).unwrap();
    assert!(scene.get(&path).await["sha"].is_string());
}
