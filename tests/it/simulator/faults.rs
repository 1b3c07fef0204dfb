//! What goes wrong on demand, moments of a call, and the book of calls.

use std::time::{Duration, Instant};

use countersign::simulator::{CallOutcome, CheckStatus, Fault, FaultKind, Moment, Push};
use reqwest::Method;
use serde_json::json;

use super::scene;

const ONE: &str = "GET /projects/:id/merge_requests/:iid";
const RESPOND: &str = "POST *status_check_responses";

#[tokio::test]
async fn a_reset_connection_is_an_error_of_transport_and_nothing_was_done() {
    let scene = scene().await;
    scene.gitlab.fault(Fault::on(RESPOND, FaultKind::Reset).times(1));
    let url = scene.url(&scene.below("/status_check_responses"));
    let request = scene.http.post(&url).header("PRIVATE-TOKEN", &scene.token).json(&scene.answer("passed"));
    let error = request.send().await.unwrap_err();
    assert!(error.is_request() && error.status().is_none(), "{error:?}");
    assert!(scene.gitlab.all_responses().is_empty());
    assert_eq!(scene.post("passed").await.0, 201, "only the next one was asked for");
    let counts = scene.gitlab.call_counts();
    let route = "POST /projects/:id/merge_requests/:iid/status_check_responses";
    assert_eq!(counts[route][&CallOutcome::Reset], 1);
    assert_eq!(counts[route][&CallOutcome::Answered(201)], 1);
}

#[tokio::test]
async fn an_answer_can_be_taken_without_the_caller_ever_learning() {
    let scene = scene().await;
    scene.gitlab.fault(Fault::on(RESPOND, FaultKind::ApplyThenReset).times(1));
    let url = scene.url(&scene.below("/status_check_responses"));
    let request = scene.http.post(&url).header("PRIVATE-TOKEN", &scene.token).json(&scene.answer("passed"));
    assert!(request.send().await.is_err());
    assert_eq!(scene.gitlab.status(scene.merge_request, scene.check), Ok(CheckStatus::Passed));

    let fault = scene.gitlab.fault(Fault::on(RESPOND, FaultKind::ApplyThenHang));
    let request = scene.http.post(&url).header("PRIVATE-TOKEN", &scene.token).json(&scene.answer("failed"));
    let error = request.timeout(Duration::from_millis(200)).send().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(scene.gitlab.status(scene.merge_request, scene.check), Ok(CheckStatus::Failed));
    scene.gitlab.lift(fault);
    assert_eq!(scene.post("passed").await.0, 201);
}

#[tokio::test]
async fn what_was_taken_in_is_done_later_although_the_caller_has_gone() {
    let scene = scene().await;
    let later = |millis| Fault::on(RESPOND, FaultKind::ApplyAfter(Duration::from_millis(millis))).times(1);
    scene.gitlab.fault(later(1500));
    let url = scene.url(&scene.below("/status_check_responses"));
    let request = scene.http.post(&url).header("PRIVATE-TOKEN", &scene.token).json(&scene.answer("passed"));
    let error = request.timeout(Duration::from_millis(100)).send().await.unwrap_err();
    assert!(error.is_timeout());
    assert!(scene.gitlab.all_responses().is_empty(), "not yet");
    assert_eq!(scene.post("failed").await.0, 201);
    assert_eq!(scene.gitlab.status(scene.merge_request, scene.check), Ok(CheckStatus::Failed));
    let stale = scene.gitlab.eventually(Duration::from_secs(10), |gitlab| {
        gitlab.status(scene.merge_request, scene.check) == Ok(CheckStatus::Passed)
    });
    assert!(stale.await, "the older answer arrived last");

    let began = Instant::now();
    scene.gitlab.fault(later(100));
    let old = scene.answer("failed");
    let which = scene.merge_request;
    scene.gitlab.on_call(Moment::before(RESPOND), move |gitlab| {
        gitlab.push(which, Push::new()).unwrap();
    });
    assert_eq!(scene.post_as(&scene.token, old).await.0, 409, "who waits is answered, by what is so then");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_call_hangs_until_it_is_released() {
    let scene = scene().await;
    scene.gitlab.fault(Fault::on(ONE, FaultKind::Hang));
    let (gitlab, began) = (scene.gitlab.clone(), Instant::now());
    let release = async {
        assert!(gitlab.eventually(Duration::from_secs(10), |gitlab| gitlab.calls_to(ONE) == 1).await);
        assert!(!gitlab.eventually(Duration::from_millis(10), |gitlab| gitlab.calls_to(ONE) == 2).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
        gitlab.lift_all();
    };
    let path = scene.below("");
    let (answer, ()) = tokio::join!(scene.get(&path), release);
    assert!(answer["sha"].is_string() && began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn faults_skip_and_end_and_look_like_proxies_and_limits() {
    let scene = scene().await;
    let path = scene.below("");
    scene.gitlab.fault(Fault::rate_limited(ONE, 30).skip(1).times(1));
    assert_eq!(scene.get_as(&scene.token, &path).await.0, 200);
    let limited = scene.send(Method::GET, &path, &scene.token, None).await;
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"30".parse().unwrap()));
    assert!(limited.headers().contains_key("ratelimit-reset"));
    assert_eq!(limited.text().await.unwrap(), "Retry later\n");
    assert_eq!(scene.get_as(&scene.token, &path).await.0, 200);

    scene.gitlab.fault(Fault::rate_limited_json(ONE).times(1));
    let limited = scene.send(Method::GET, &path, &scene.token, None).await;
    assert!(
        !limited.headers().contains_key("retry-after") && !limited.headers().contains_key("ratelimit-limit")
    );
    scene.gitlab.fault(Fault::error_page("*", 502).times(1));
    let page = scene.send(Method::GET, &path, &scene.token, None).await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["content-type"]),
        (502, &"text/html; charset=utf-8".parse().unwrap())
    );
}

#[tokio::test]
async fn bodies_can_be_garbage_or_break_off() {
    let scene = scene().await;
    let path = scene.below("");
    scene.gitlab.fault(Fault::on(ONE, FaultKind::Garbage).times(1));
    let response = scene.send(Method::GET, &path, &scene.token, None).await;
    assert_eq!(response.status(), 200);
    assert!(response.json::<serde_json::Value>().await.unwrap_err().is_decode());
    scene.gitlab.fault(Fault::on(ONE, FaultKind::Truncate).times(1));
    let request = scene.http.get(scene.url(&path)).header("PRIVATE-TOKEN", &scene.token);
    let body = match request.send().await {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(body.is_err());
}

#[tokio::test]
async fn a_field_can_be_missing_or_say_something_else() {
    let scene = scene().await;
    let path = scene.below("");
    scene.gitlab.fault(Fault::without(ONE, "author.state").times(1));
    scene.gitlab.fault(Fault::saying(ONE, "labels", json!(null)).times(1));
    let bent = scene.get(&path).await;
    assert!(bent["author"].get("state").is_none() && bent["author"]["id"].is_number());
    assert_eq!(bent.get("labels"), Some(&json!(null)));
    scene.gitlab.fault(Fault::without("GET /users", "username").times(1));
    scene.gitlab.fault(Fault::saying("GET /users", "nothing", json!(1)).times(1));
    let users = scene.get("/users").await;
    let has = |user: &serde_json::Value, field: &str| user.get(field).is_some();
    assert!(users.as_array().unwrap().iter().all(|user| !has(user, "username") && !has(user, "nothing")));
    let whole = scene.get(&path).await;
    assert!(whole["labels"].is_array() && whole["author"]["state"].is_string());
}

#[tokio::test]
async fn latency_is_added_and_the_call_goes_on() {
    let scene = scene().await;
    scene.gitlab.fault(Fault::on(ONE, FaultKind::Latency(Duration::from_millis(80))));
    let began = Instant::now();
    scene.get(&scene.below("")).await;
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn something_can_happen_before_a_call_is_processed_or_after_it() {
    let scene = scene().await;
    let which = scene.merge_request;
    let old = scene.head();
    scene.gitlab.on_call(Moment::after(ONE).skip(1), move |gitlab| {
        gitlab.push(which, Push::new()).unwrap();
    });
    assert_eq!(scene.get(&scene.below("")).await["sha"], json!(old));
    assert_eq!(scene.get(&scene.below("")).await["sha"], json!(old), "answered before the push");
    assert_ne!(scene.get(&scene.below("")).await["sha"], json!(old));

    let answer = scene.answer("passed");
    scene.gitlab.on_call(Moment::before(RESPOND), move |gitlab| {
        gitlab.push(which, Push::new()).unwrap();
    });
    let (code, body) = scene.post_as(&scene.token, answer).await;
    let moved = format!("SHA does not match HEAD of source branch: {}", scene.head());
    assert_eq!((code, body), (409, json!({ "message": moved })), "a push overtook the answer");
}

#[tokio::test]
async fn every_call_is_written_down_and_unknown_ones_apart() {
    let scene = scene().await;
    scene.get("/user").await;
    assert_eq!(scene.get_as(&scene.token, "/nothing/here").await, (404, json!({ "error": "404 Not Found" })));
    assert_eq!(scene.gitlab.unknown_calls(), ["GET /api/v4/nothing/here"]);
    let calls = scene.gitlab.calls();
    assert_eq!(calls.iter().map(|call| call.route.as_str()).collect::<Vec<_>>(), ["GET /user", "unknown"]);
    assert_eq!(calls[0].user, Some(scene.gitlab.create_user("countersign")));
    scene.gitlab.forget_calls();
    assert!(scene.gitlab.calls().is_empty());
}

#[tokio::test]
async fn a_rate_limit_is_kept_per_user_and_ends_with_the_minute() {
    let scene = scene().await;
    scene.gitlab.set_rate_limit(Some(2));
    let other = scene.member("other", 30);
    let mut codes = Vec::new();
    for token in [&scene.token, &scene.token, &scene.token, &other] {
        codes.push(scene.get_as(token, "/user").await.0);
    }
    // A minute may end between two calls: then the third is a first one.
    assert!(codes == [200, 200, 429, 200] || codes == [200; 4], "{codes:?}");
    scene.gitlab.advance(Duration::from_mins(1));
    assert_eq!(scene.get_as(&scene.token, "/user").await.0, 200);
}
