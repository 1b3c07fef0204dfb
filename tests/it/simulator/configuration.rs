//! Checks and hooks as the API lists and configures them.

use countersign::simulator::{
    DeliveryState, Edition, Membership, NewHook, NewStatusCheck, NewToken, Visibility,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{scene, taken_apart};

#[tokio::test]
async fn the_list_hides_urls_by_role_and_says_when_to_come_back() {
    let scene = scene().await;
    let response = scene.send(Method::GET, &scene.below("/status_checks"), &scene.token, None).await;
    assert_eq!(response.headers()["poll-interval"], "10000");
    let list: Value = response.json().await.unwrap();
    assert_eq!(list[0]["external_url"], "http://127.0.0.1:9/webhooks/gitlab");
    let reporter = scene.member("reporter", 20);
    let (code, list) = scene.get_as(&reporter, &scene.below("/status_checks")).await;
    assert_eq!((code, &list[0]["external_url"]), (200, &json!("")));
    scene.gitlab.install("17.9.0-ee", Edition::Ultimate);
    assert_eq!(scene.get_as(&reporter, &scene.below("/status_checks")).await.0, 403);
    scene.gitlab.set_visibility(scene.project, Visibility::Internal).unwrap();
    scene.gitlab.install("18.0.0-ee", Edition::Ultimate);
    assert_eq!(scene.get_as(&scene.stranger(), &scene.below("/status_checks")).await.0, 200);
}

#[tokio::test]
async fn the_list_of_statuses_has_pages() {
    let scene = scene().await;
    for number in 2..=25 {
        let new = NewStatusCheck::new(&format!("check {number}"), &format!("https://c{number}.test/"));
        scene.gitlab.create_status_check(scene.project, new).unwrap();
    }
    let page = async |query: &str| {
        let path = scene.below(&format!("/status_checks{query}"));
        let response = scene.send(Method::GET, &path, &scene.token, None).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["poll-interval"]),
            (200, &"10000".parse().unwrap())
        );
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (next, total, link) = (header("x-next-page"), header("x-total"), header("link"));
        let list: Value = response.json().await.unwrap();
        let names = list.as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), next, total, link.contains("rel=\"next\""))
    };
    let (first, next, total, is_linked) = page("").await;
    assert_eq!((first.len(), next.as_str(), total.as_str(), is_linked), (20, "2", "25", true));
    let (second, next, total, is_linked) = page("?page=2").await;
    assert_eq!((second.len(), next.as_str(), total.as_str(), is_linked), (5, "", "25", false));
    let (whole, ..) = page("?per_page=100").await;
    assert_eq!([first, second].concat(), whole, "each is on one page");
}

#[tokio::test]
async fn maintainers_configure_checks() {
    let scene = scene().await;
    let maintainer = scene.member("maintainer", 40);
    let path = format!("/projects/{}/external_status_checks", scene.project);
    let branch = scene.gitlab.protect_branch(scene.project, "stable").unwrap();
    let body = json!({ "name": "second", "external_url": "https://two.test/?a=1", "shared_secret": "s",
        "protected_branch_ids": [branch] });
    let send = async |method, path: String, body| {
        taken_apart(scene.send(method, &path, &maintainer, body).await).await
    };
    let (code, made) = send(Method::POST, path.clone(), Some(body.clone())).await;
    assert_eq!(
        (code, &made["hmac"], &made["protected_branches"][0]["name"]),
        (201, &json!(true), &json!("stable"))
    );
    assert_eq!(made["external_url"], "https://two.test/?a=1");
    let (code, body) = send(Method::POST, path.clone(), Some(body)).await;
    assert_eq!((code, body), (422, json!({ "message": ["Name has already been taken"] })));
    let one = format!("{path}/{}", made["id"]);
    let (code, changed) = send(Method::PUT, one.clone(), Some(json!({ "name": "third" }))).await;
    assert_eq!((code, &changed["name"], &changed["hmac"]), (200, &json!("third"), &json!(true)));
    assert_eq!(send(Method::DELETE, one, None).await.0, 204);
    assert_eq!(send(Method::GET, path.clone(), None).await.1.as_array().unwrap().len(), 1);
    assert_eq!(scene.get_as(&scene.token, &path).await.0, 401, "a Developer is not told why");
}

#[tokio::test]
async fn maintainers_hang_hooks_and_a_signing_token_is_ignored_before_19() {
    let scene = scene().await;
    let maintainer = scene.member("maintainer", 40);
    let path = format!("/projects/{}/hooks", scene.project);
    let body = json!({ "url": "https://hook.test/", "token": "t", "signing_token": "whsec_AA==", "note_events": true,
        "push_events": false });
    assert_eq!(
        scene.send(Method::POST, &path, &scene.token, Some(body.clone())).await.status(),
        403,
        "a Developer may not"
    );
    let made = taken_apart(scene.send(Method::POST, &path, &maintainer, Some(body)).await).await;
    assert_eq!(
        (made.0, &made.1["token_present"], &made.1["signing_token_present"]),
        (201, &json!(true), &json!(false))
    );
    assert_eq!((&made.1["note_events"], &made.1["merge_requests_events"]), (&json!(true), &json!(false)));
    let one = format!("{path}/{}", made.1["id"]);
    let change = json!({ "merge_requests_events": true });
    let changed = taken_apart(scene.send(Method::PUT, &one, &maintainer, Some(change)).await).await;
    assert_eq!((changed.0, &changed.1["merge_requests_events"]), (200, &json!(true)));
    assert_eq!(scene.send(Method::DELETE, &one, &maintainer, None).await.status(), 204);
    assert_eq!(scene.get_as(&maintainer, &path).await, (200, json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_hook_s_deliveries_is_listed_newest_first() {
    let scene = scene().await;
    let maintainer = scene.member("maintainer", 40);
    let (url, _) = super::receiver(418);
    let hook = scene.gitlab.create_hook(NewHook::of(scene.project, &url).token("sesame"));
    let dead = scene.gitlab.create_hook(NewHook::of(scene.project, "http://127.0.0.1:9/"));
    for title in ["one", "two"] {
        scene.gitlab.edit_title(scene.merge_request, title).unwrap();
        scene.gitlab.deliveries_settled().await.unwrap();
    }
    let path = |hook: u64| format!("/projects/{}/hooks/{hook}/events", scene.project);
    let (code, events) = scene.get_as(&maintainer, &path(hook)).await;
    assert_eq!((code, events.as_array().unwrap().len()), (200, 2));
    assert_eq!(events[0]["request_data"]["object_attributes"]["title"], "two");
    assert_eq!(
        (&events[0]["response_status"], &events[0]["trigger"]),
        (&json!("418"), &json!("merge_request_hooks"))
    );
    assert_eq!(events[0]["request_headers"]["X-Gitlab-Token"], "[REDACTED]");
    let (_, events) = scene.get_as(&maintainer, &path(dead)).await;
    assert_eq!(
        (&events[0]["response_status"], &events[0]["response_body"]),
        (&json!("internal error"), &json!(""))
    );
    assert_eq!(scene.get_as(&scene.token, &path(hook)).await.0, 403);
    scene.gitlab.advance(std::time::Duration::from_hours(8 * 24));
    assert_eq!(scene.get_as(&maintainer, &path(hook)).await, (200, json!([])), "for seven days");
    scene.gitlab.install("17.2.0-ee", Edition::Ultimate);
    assert_eq!(scene.get_as(&maintainer, &path(hook)).await.0, 404);
}

#[tokio::test]
async fn a_group_s_hooks_are_for_its_owners() {
    let scene = scene().await;
    let owner = scene.gitlab.create_user("owner");
    scene.gitlab.add_member("shop", Membership::new(owner, 50)).unwrap();
    let owner = scene.gitlab.create_token(NewToken::of(owner)).unwrap();
    let maintainer = scene.member("maintainer", 40);
    let body = json!({ "url": "https://hook.test/", "push_events": false, "enable_ssl_verification": false });
    let path = "/groups/shop/hooks";
    let refused = scene.send(Method::POST, path, &maintainer, Some(body.clone())).await;
    assert_eq!(refused.status(), 403);
    let (code, made) = taken_apart(scene.send(Method::POST, path, &owner, Some(body)).await).await;
    assert_eq!((code, &made["enable_ssl_verification"]), (201, &json!(false)));
    let change = json!({ "pipeline_events": true, "enable_ssl_verification": true });
    let one = format!("{path}/{}", made["id"]);
    let (code, changed) = taken_apart(scene.send(Method::PUT, &one, &owner, Some(change)).await).await;
    assert_eq!((code, &changed["pipeline_events"]), (200, &json!(true)));
    assert_eq!(changed["enable_ssl_verification"], true);
    assert_eq!(scene.get_as(&owner, path).await.1.as_array().unwrap().len(), 1);
    assert_eq!(scene.get_as(&maintainer, &format!("/projects/{}/hooks", scene.project)).await.1, json!([]));
    scene.gitlab.install("18.3.0", Edition::Community);
    assert_eq!(scene.get_as(&owner, path).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_the_local_network_is_called_only_where_that_is_allowed() {
    let scene = scene().await;
    let (url, received) = super::receiver(200);
    scene.gitlab.create_hook(NewHook::of(scene.project, &url));
    scene.gitlab.allow_local_network(false);
    scene.gitlab.edit_title(scene.merge_request, "one").unwrap();
    scene.gitlab.deliveries_settled().await.unwrap();
    let sent = scene.gitlab.deliveries();
    assert_eq!(sent.len(), 2, "to the check and to the hook");
    assert!(
        sent.iter()
            .all(|it| it.state == DeliveryState::Failed("URL is blocked".to_owned()) && it.attempts == 0)
    );
    scene.gitlab.allow_local_network(true);
    scene.gitlab.edit_title(scene.merge_request, "two").unwrap();
    scene.gitlab.deliveries_settled().await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_version_does_not_know_it_passes_over_without_a_word() {
    let scene = scene().await;
    let maintainer = scene.member("maintainer", 40);
    let (project, key) =
        (format!("/projects/{}", scene.project), "only_allow_merge_if_all_status_checks_passed");
    let put = async |path: &str, body: Value| {
        taken_apart(scene.send(Method::PUT, path, &maintainer, Some(body)).await).await
    };
    let check = format!("{project}/external_status_checks/{}", scene.check);
    for (version, edition, known) in [
        ("15.5.0-ee", Edition::Ultimate, true),
        ("15.4.0-ee", Edition::Ultimate, false),
        ("18.3.0-ee", Edition::Unlicensed, false),
    ] {
        scene.gitlab.install(version, edition);
        let (code, body) = put(&project, json!({ key: known })).await;
        assert_eq!((code, body.get(key)), (200, known.then_some(&json!(true))), "{version}");
    }
    scene.gitlab.install("17.2.0-ee", Edition::Ultimate);
    assert_eq!(put(&check, json!({ "shared_secret": "s" })).await.1.get("hmac"), None);
    scene.gitlab.install("17.3.0-ee", Edition::Ultimate);
    assert_eq!(put(&check, json!({ "name": "x" })).await.1["hmac"], false, "it was not kept");
    assert_eq!(put(&check, json!({ "shared_secret": "s".repeat(300) })).await.1["hmac"], true);
    scene.gitlab.install("19.0.0-ee", Edition::Ultimate);
    assert_eq!(put(&check, json!({ "shared_secret": "s".repeat(300) })).await.0, 422);
}
