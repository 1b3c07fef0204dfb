//! What GitLab sends: when, to whom, with which headers and body.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, ProjectId};
use countersign::simulator::{
    Delivery, DeliveryState, Edition, Gitlab, HookEvent, NewHook, NewMergeRequest, NewProject,
    NewStatusCheck, NewUser, Push, Recipient, Simulator, SimulatorOptions, Weather,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::{Received, receiver};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9/";

async fn opened(url: &str) -> (Simulator, Gitlab, ProjectId, MergeRequestRef) {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let gitlab = simulator.gitlab();
    let project = gitlab.create_project("shop/web");
    gitlab.create_status_check(project, NewStatusCheck::new("countersign", url).secret("s3cret")).unwrap();
    let merge_request = gitlab.open_merge_request(NewMergeRequest::in_project(project)).unwrap();
    (simulator, gitlab, project, merge_request)
}

/// The `action` of every status-check delivery, in order.
fn actions(gitlab: &Gitlab) -> Vec<Option<String>> {
    let sent = gitlab.deliveries().into_iter();
    sent.filter(|sent| matches!(sent.recipient, Recipient::StatusCheck(_))).map(|sent| sent.action).collect()
}

fn last(gitlab: &Gitlab) -> Delivery {
    gitlab.deliveries().pop().unwrap()
}

#[tokio::test]
async fn a_status_check_gets_a_signed_body_and_no_other_header_of_gitlab_s() {
    let (url, received) = receiver(500);
    let (_simulator, gitlab, _, _) = opened(&url).await;
    gitlab.deliveries_settled().await.unwrap();
    assert_eq!(last(&gitlab).state, DeliveryState::Answered(500));
    assert_eq!(last(&gitlab).attempts, 1, "an answer is an answer");

    let received = received.lock().unwrap();
    let (headers, body) = received.first().unwrap();
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(body);
    assert_eq!(header("x-gitlab-signature"), Some(hex::encode(mac.finalize().into_bytes()).as_str()));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("user-agent"), Some("Ruby"));
    let of_gitlab =
        |name: &str| name.starts_with("x-gitlab") || name.starts_with("webhook") || name.starts_with("idem");
    assert_eq!(headers.iter().filter(|(name, _)| of_gitlab(name)).count(), 1);
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["external_approval_rule"]["external_url"], json!(url));
    assert_eq!(body["object_attributes"]["action"], "open");
    let commit = &body["object_attributes"]["last_commit"];
    assert!(commit["id"].is_string() && commit["timestamp"].as_str().unwrap().ends_with("+00:00"));
    assert!(body.get("assignees").is_none() && body.get("reviewers").is_none());
}

#[tokio::test]
async fn before_17_3_a_status_check_is_a_form_without_a_signature() {
    let (_simulator, gitlab, _, merge_request) = opened(NOWHERE).await;
    gitlab.install("17.2.0-ee", Edition::Ultimate);
    gitlab.edit_title(merge_request, "other").unwrap();
    assert_eq!(last(&gitlab).header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(last(&gitlab).header("x-gitlab-signature"), None);
}

#[tokio::test]
async fn each_action_sends_what_gitlab_would_send_and_the_silent_ones_send_nothing() {
    let (_simulator, gitlab, _, which) = opened(NOWHERE).await;
    let ana = gitlab.create_user("ana");
    gitlab.edit_title(which, "fix: other").unwrap();
    assert!(last(&gitlab).json()["changes"]["title"]["previous"].is_string());
    gitlab.edit_title(which, "fix: other").unwrap();
    gitlab.edit_description(which, "text").unwrap();
    gitlab.add_label(which, "ready").unwrap();
    assert_eq!(last(&gitlab).json()["labels"][0]["title"], "ready");
    gitlab.remove_label(which, "ready").unwrap();
    gitlab.set_draft(which, true).unwrap();
    assert_eq!(last(&gitlab).json()["changes"]["draft"], json!({ "previous": false, "current": true }));
    gitlab.set_target_branch(which, "stable").unwrap();
    assert_eq!(actions(&gitlab).len(), 7);

    let thread = gitlab.open_thread(which, "why?").unwrap();
    let second = gitlab.open_thread(which, "and why?").unwrap();
    gitlab.set_pipeline(which, "running").unwrap();
    gitlab.set_pipeline(which, "success").unwrap();
    gitlab.resolve_thread(which, &thread).unwrap();
    assert_eq!(actions(&gitlab).len(), 7, "threads, comments and pipelines are silent");
    gitlab.resolve_thread(which, &second).unwrap();
    assert_eq!(last(&gitlab).json()["changes"], json!({}), "the last thread is not");
    gitlab.resolve_thread(which, &second).unwrap();
    gitlab.unresolve_thread(which, &second).unwrap();
    assert_eq!(actions(&gitlab).len(), 8);

    gitlab.approve(which, ana).unwrap();
    gitlab.close(which).unwrap();
    gitlab.reopen(which).unwrap();
    let tail: Vec<String> = actions(&gitlab).into_iter().skip(8).flatten().collect();
    assert_eq!(tail, ["approved", "close", "reopen"]);
}

#[tokio::test]
async fn approvals_are_told_apart_by_what_is_left() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let gitlab = simulator.gitlab();
    let project = gitlab.create_project(NewProject::at("shop/web").approvals_required(2).resets_approvals());
    gitlab.create_status_check(project, NewStatusCheck::new("c", NOWHERE)).unwrap();
    let which = gitlab.open_merge_request(NewMergeRequest::in_project(project)).unwrap();
    let (ana, ben) = (gitlab.create_user("ana"), gitlab.create_user("ben"));
    gitlab.approve(which, ana).unwrap();
    gitlab.approve(which, ben).unwrap();
    gitlab.unapprove(which, ben).unwrap();
    gitlab.unapprove(which, ana).unwrap();
    let told: Vec<String> = actions(&gitlab).into_iter().skip(1).flatten().collect();
    assert_eq!(told, ["approval", "approved", "unapproved", "unapproval"]);
    assert!(gitlab.unapprove(which, ana).is_err());

    gitlab.approve(which, ana).unwrap();
    gitlab.push(which, Push::new()).unwrap();
    assert_eq!(last(&gitlab).json()["object_attributes"]["action"], "update", "silent before 18.6");
    assert!(gitlab.merge_request(which).unwrap().approvals.is_empty());

    gitlab.install("18.8.0-ee", Edition::Ultimate);
    gitlab.approve(which, ana).unwrap();
    gitlab.push(which, Push::new()).unwrap();
    let reset = last(&gitlab).json();
    assert_eq!(reset["object_attributes"]["system_action"], "approvals_reset_on_push");
    assert_eq!(reset["object_attributes"]["action"], "unapproval");
}

#[tokio::test]
async fn a_push_names_the_old_head_and_a_retry_names_nothing() {
    let (_simulator, gitlab, _, which) = opened(NOWHERE).await;
    let before = gitlab.merge_request(which).unwrap().head().cloned();
    let after = gitlab.push(which, Push::new()).unwrap();
    let attributes = last(&gitlab).json()["object_attributes"].clone();
    assert_eq!(attributes["oldrev"], json!(before));
    assert_eq!(attributes["last_commit"]["id"], json!(after));

    let Recipient::StatusCheck(check) = last(&gitlab).recipient else { panic!("not a check") };
    assert!(gitlab.retry(which, check).is_err(), "it has not failed");
    let ana = gitlab.create_user("ana");
    gitlab.post_status_as(ana, which, check, countersign::simulator::CheckStatus::Failed).unwrap();
    gitlab.acting_as(ana).retry(which, check).unwrap();
    assert_eq!(last(&gitlab).action, None);
    let body = last(&gitlab).json();
    assert!(body["object_attributes"].get("action").is_none());
    assert_eq!((&body["changes"], &body["user"]["id"]), (&json!({}), &json!(ana)));
}

#[tokio::test]
async fn hooks_carry_the_headers_of_their_version() {
    let (url, received) = receiver(200);
    let simulator = Simulator::start(SimulatorOptions { version: "19.1.0-ee".into(), ..Default::default() })
        .await
        .unwrap();
    let gitlab = simulator.gitlab();
    let project = gitlab.create_project("shop/web");
    let token = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    gitlab.create_hook(NewHook::of(project, &url).token("t0ken").signing_token(token));
    let which = gitlab.open_merge_request(NewMergeRequest::in_project(project)).unwrap();
    gitlab.deliveries_settled().await.unwrap();
    {
        let received = received.lock().unwrap();
        let (headers, body) = received.first().unwrap();
        let map = http_headers(headers);
        standardwebhooks::Webhook::new(token).unwrap().verify(body, &map).unwrap();
        assert_eq!(map["idempotency-key"], map["webhook-id"]);
        assert_eq!(map["user-agent"], "GitLab/19.1.0-ee");
        assert_eq!(map["x-gitlab-event"], "Merge Request Hook");
        assert_eq!(map["x-gitlab-token"], "t0ken");
        assert_eq!(map["x-gitlab-instance"], simulator.url());
        assert!(!map.contains_key("x-gitlab-signature"), "hooks have another signature");
    }
    gitlab.install("14.0.0-ee", Edition::Ultimate);
    gitlab.edit_title(which, "other").unwrap();
    for absent in ["idempotency-key", "webhook-id", "webhook-signature", "x-gitlab-instance"] {
        assert_eq!(last(&gitlab).header(absent), None, "{absent}");
    }
}

fn http_headers(headers: &[(String, String)]) -> reqwest::header::HeaderMap {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn group_and_system_hooks_hear_what_they_want_to_hear() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let gitlab = simulator.gitlab();
    let project = gitlab.create_project("shop/tools/web");
    gitlab.create_project("other/web");
    let group = gitlab.create_hook(NewHook::of("shop", NOWHERE).event(HookEvent::Pipeline));
    gitlab.create_hook(NewHook::of("other", NOWHERE));
    let notes =
        gitlab.create_hook(NewHook::of(project, NOWHERE).without_merge_requests().event(HookEvent::Note));
    let system = gitlab.create_hook(NewHook::system(NOWHERE));
    let which = gitlab.open_merge_request(NewMergeRequest::in_project(project)).unwrap();
    gitlab.set_pipeline(which, "success").unwrap();
    gitlab.open_thread(which, "why?").unwrap();
    let heard: Vec<(Recipient, &str)> =
        gitlab.deliveries().into_iter().map(|sent| (sent.recipient, sent.event)).collect();
    let expected = [
        (Recipient::Hook(group), "Merge Request Hook"),
        (Recipient::Hook(system), "System Hook"),
        (Recipient::Hook(group), "Pipeline Hook"),
        (Recipient::Hook(notes), "Note Hook"),
    ];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_check_that_nobody_takes_is_sent_four_times_and_a_hook_once() {
    let (_simulator, gitlab, project, which) = opened(NOWHERE).await;
    gitlab.create_hook(NewHook::of(project, NOWHERE));
    gitlab.edit_title(which, "other").unwrap();
    gitlab.deliveries_settled().await.unwrap();
    let attempts: Vec<u32> = gitlab.deliveries().iter().map(|sent| sent.attempts).collect();
    assert_eq!(attempts, [4, 4, 1]);
    assert!(gitlab.deliveries().iter().all(|sent| matches!(sent.state, DeliveryState::Failed(_))));
}

#[tokio::test]
async fn deliveries_can_be_kept_back_lost_and_doubled_and_show_the_moment_of_their_event() {
    let (url, received) = receiver(200);
    let (_simulator, gitlab, _, which) = opened(&url).await;
    gitlab.deliveries_settled().await.unwrap();
    gitlab.hold_deliveries();
    gitlab.edit_title(which, "one").unwrap();
    gitlab.edit_title(which, "two").unwrap();
    gitlab.deliveries_settled().await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 1);
    assert_eq!(last(&gitlab).state, DeliveryState::Held);
    gitlab.set_weather(Weather { duplicate: 1.0, ..Weather::default() });
    gitlab.release_deliveries();
    gitlab.deliveries_settled().await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 5);
    let titles: Vec<Value> =
        gitlab.deliveries().iter().map(|sent| sent.json()["object_attributes"]["title"].clone()).collect();
    assert_eq!(titles, ["feat: change something", "one", "two"]);
    gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    gitlab.edit_title(which, "three").unwrap();
    assert_eq!(last(&gitlab).state, DeliveryState::Dropped);
    assert_eq!(received.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_late_delivery_is_overtaken() {
    let (url, received) = receiver(200);
    let (_simulator, gitlab, _, which) = opened(&url).await;
    gitlab.deliveries_settled().await.unwrap();
    gitlab.set_weather(Weather { reorder: 1.0, ..Weather::default() });
    gitlab.edit_title(which, "one").unwrap();
    gitlab.set_weather(Weather::default());
    gitlab.edit_title(which, "two").unwrap();
    gitlab.deliveries_settled().await.unwrap();
    let title =
        |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["object_attributes"]["title"].clone();
    let titles: Vec<Value> = received.lock().unwrap().iter().skip(1).map(|(_, body)| title(body)).collect();
    assert_eq!(titles, ["two", "one"]);
}

#[tokio::test]
async fn deliveries_are_under_way_at_the_same_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (_simulator, gitlab, _, which) = opened(&url).await;
    gitlab.edit_title(which, "one").unwrap();
    // Neither is answered before both are there.
    let mut both = Vec::new();
    for _ in 0..2 {
        let next = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await;
        both.push(next.expect("one waits for the other").unwrap().0);
    }
    for stream in &mut both {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    }
    gitlab.deliveries_settled().await.unwrap();
    let ended: Vec<_> = gitlab.deliveries().into_iter().map(|sent| (sent.state, sent.attempts)).collect();
    assert_eq!(ended, [(DeliveryState::Answered(200), 1), (DeliveryState::Answered(200), 1)]);
}

/// One more comment, and how many were taken by now.
async fn told(gitlab: &Gitlab, which: MergeRequestRef, received: &Received) -> usize {
    gitlab.comment(which, "x").unwrap();
    gitlab.deliveries_settled().await.unwrap();
    received.lock().unwrap().len()
}

/// Status checks and hooks of the instance are called whatever they answer.
#[tokio::test]
async fn a_hook_that_fails_four_times_rests_for_a_minute_then_for_two_and_in_the_end_for_good() {
    let ((url, received), (elsewhere, pushes)) = (receiver(500), receiver(500));
    let (_simulator, gitlab, project, which) = opened(NOWHERE).await;
    gitlab.disable_failing_hooks(true);
    gitlab.create_hook(NewHook::of(project, &url).without_merge_requests().event(HookEvent::Note));
    gitlab.create_hook(NewHook::system(&elsewhere).without_merge_requests().event(HookEvent::Push));
    for count in 1..=4 {
        assert_eq!(told(&gitlab, which, &received).await, count);
    }
    for (rest, before, after) in [(60, 4, 5), (120, 5, 6), (240, 6, 7)] {
        gitlab.advance(Duration::from_secs(rest - 1));
        assert_eq!(told(&gitlab, which, &received).await, before, "it rests for {rest} s");
        gitlab.advance(Duration::from_secs(2));
        assert_eq!(told(&gitlab, which, &received).await, after, "after {rest} s");
    }
    for count in 8..=40 {
        gitlab.advance(Duration::from_hours(24) + Duration::from_secs(1));
        assert_eq!(told(&gitlab, which, &received).await, count, "it never rests for more than a day");
    }
    gitlab.advance(Duration::from_hours(1000));
    assert_eq!(told(&gitlab, which, &received).await, 40);
    for _ in 0..6 {
        gitlab.write_file(project, "main", "a", Some("a")).unwrap();
        gitlab.deliveries_settled().await.unwrap();
    }
    assert_eq!(pushes.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn a_hook_that_takes_something_again_is_called_as_before() {
    let (url, received) = receiver(200);
    let (_simulator, gitlab, project, which) = opened(NOWHERE).await;
    gitlab.disable_failing_hooks(true);
    gitlab.create_hook(NewHook::of(project, &url).without_merge_requests().event(HookEvent::Note));
    gitlab.allow_local_network(false);
    for _ in 0..6 {
        assert_eq!(told(&gitlab, which, &received).await, 0);
    }
    gitlab.allow_local_network(true);
    assert_eq!(told(&gitlab, which, &received).await, 0, "it rests");
    gitlab.advance(Duration::from_secs(61));
    for count in 1..=3 {
        assert_eq!(told(&gitlab, which, &received).await, count);
    }
    gitlab.allow_local_network(false);
    assert_eq!(told(&gitlab, which, &received).await, 3);
    gitlab.allow_local_network(true);
    assert_eq!(told(&gitlab, which, &received).await, 4, "one failure after a success is the first one");
}

#[tokio::test]
async fn a_hook_that_is_sent_again_keeps_its_key() {
    let (_simulator, gitlab, project, which) = opened(NOWHERE).await;
    gitlab.create_hook(NewHook::of(project, NOWHERE));
    gitlab.edit_title(which, "other").unwrap();
    let first = gitlab.deliveries().len() - 1;
    gitlab.resend(first).unwrap();
    gitlab.deliveries_settled().await.unwrap();
    let sent = gitlab.deliveries();
    assert_eq!(sent[first].header("idempotency-key"), sent[first + 1].header("idempotency-key"));
    assert_eq!(sent[first].body, sent[first + 1].body);
    assert!(gitlab.resend(99).is_err());
}

#[tokio::test]
async fn each_request_of_a_hook_has_a_webhook_uuid_of_its_own_that_says_nothing() {
    let (_simulator, gitlab, project, which) = opened(NOWHERE).await;
    let hooks = [(); 2].map(|()| gitlab.create_hook(NewHook::of(project, NOWHERE)));
    gitlab.edit_title(which, "one").unwrap();
    gitlab.edit_title(which, "two").unwrap();
    gitlab.resend(gitlab.deliveries().len() - 1).unwrap();
    let mut sent = gitlab.deliveries();
    sent.retain(|sent| matches!(sent.recipient, Recipient::Hook(_)));
    let to: Vec<_> = sent.iter().map(|sent| sent.recipient).collect();
    let [one, two] = hooks.map(Recipient::Hook);
    assert_eq!(to, [one, two, one, two, two]);
    let different = |name: &str| {
        let values = sent.iter().map(|sent| sent.header(name).unwrap().to_owned());
        values.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(different("x-gitlab-webhook-uuid"), 5, "neither a hook nor a delivery is known by it");
    assert_eq!(different("x-gitlab-event-uuid"), 2, "one for each event");
    assert_eq!(different("idempotency-key"), 4, "one for each event and hook");
    gitlab.install("16.1.0-ee", Edition::Ultimate);
    gitlab.edit_title(which, "three").unwrap();
    assert_eq!(last(&gitlab).header("x-gitlab-webhook-uuid"), None);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_redacted_and_people_are_listed_when_there_are_some() {
    let (_simulator, gitlab, project, _) = opened(NOWHERE).await;
    let shy = gitlab.create_user(NewUser::named("shy").public_email(None));
    gitlab.open_merge_request(NewMergeRequest::in_project(project).author(shy).assignee(shy)).unwrap();
    let body = last(&gitlab).json();
    assert_eq!((&body["user"]["email"], &body["assignees"][0]["id"]), (&json!("[REDACTED]"), &json!(shy)));
}

#[tokio::test]
async fn unlicensed_gitlabs_send_no_status_checks_but_hooks() {
    let (_simulator, gitlab, project, which) = opened(NOWHERE).await;
    gitlab.install("18.3.0-ee", Edition::Unlicensed);
    gitlab.create_hook(NewHook::of(project, NOWHERE));
    gitlab.edit_title(which, "other").unwrap();
    assert_eq!(gitlab.deliveries().len(), 2);
    assert_eq!(last(&gitlab).event, "Merge Request Hook");
}
