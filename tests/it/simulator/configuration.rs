//! Checks and hooks as the API lists and configures them.

use countersign::simulator::{Edition, Visibility};
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
