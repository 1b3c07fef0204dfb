//! A recorded delivery that comes again: it is taken once, by what was signed.

use serde_json::{Value, json};

use super::{counted, crowds, decided, policy, rest, world_on};
use crate::sender::{self, Headers, SIGNING_TOKEN, signed_hook};
use crate::world::{Ground, World};

const OTHER: &str = "whsec_c2VzYW1lLW9mLXRoZS1vdGhlci1zaWduaW5nLTAwMDA=";

async fn world(require: &str) -> World {
    let ground = Ground::prepare(&policy(require)).await;
    world_on(ground.configure("WEBHOOKS__SIGNING_TOKENS", &format!("{SIGNING_TOKEN},{OTHER}"))).await
}

fn without(mut headers: Headers, name: &str) -> Headers {
    headers.retain(|header| header.0 != name);
    headers
}

fn with(headers: Headers, name: &'static str, value: &str) -> Headers {
    let mut headers = without(headers, name);
    headers.push((name, value.to_owned()));
    headers
}

async fn post(world: &World, headers: &Headers, body: &[u8]) -> u16 {
    let reply = sender::post(&super::address(world), headers, body.to_vec()).await;
    world.gitlab.deliveries_settled().await.unwrap();
    reply.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_delivery_counts_once_whatever_its_unsigned_headers_say() {
    let world = world("{unresolved_threads: {at_most: 9}}").await;
    let which = world.open(world.merge_request());
    rest(&world).await;
    let note = json!({
        "object_kind": "note",
        "project": { "id": which.project, "path_with_namespace": "shop/pay" },
        "merge_request": { "iid": which.iid, "target_project_id": which.project },
    });
    let body = serde_json::to_vec(&note).unwrap();
    let before = decided(&world, &[which]).await[0];
    let recorded = signed_hook("Note Hook", SIGNING_TOKEN, "5e1f", &body);
    assert_eq!(post(&world, &recorded, &body).await, 202);
    rest(&world).await;
    assert_eq!(decided(&world, &[which]).await[0], before + 1);
    let taken = counted(&world, "taken");
    for again in [
        recorded.clone(),
        without(recorded.clone(), "Idempotency-Key"),
        with(recorded.clone(), "Idempotency-Key", "another"),
        with(recorded.clone(), "X-Gitlab-Event-UUID", "another"),
    ] {
        assert_eq!(post(&world, &again, &body).await, 202, "{again:?}");
    }
    rest(&world).await;
    assert_eq!(decided(&world, &[which]).await[0], before + 1, "it is not looked at again");
    assert_eq!(counted(&world, "taken"), taken);
    assert_eq!(counted(&world, "duplicate"), 4, "each is counted");
    // What was signed can't be changed.
    for (name, value) in
        [("webhook-id", "another"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA")]
    {
        assert_eq!(post(&world, &with(recorded.clone(), name, value), &body).await, 401, "{name}");
    }
    assert_eq!(post(&world, &with(recorded, "webhook-id", &"x".repeat(200)), &body).await, 401);
    // The next event is another one.
    let next = signed_hook("Note Hook", OTHER, "5e20", &body);
    assert_eq!(post(&world, &next, &body).await, 202, "any of the tokens signs");
    rest(&world).await;
    assert_eq!(decided(&world, &[which]).await[0], before + 2);
    world.end().await;
}

/// Any of several signatures is enough, and none of them excuses another secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_signatures_may_stand_in_one_header() {
    let world = world("{unresolved_threads: {at_most: 9}}").await;
    let body = br#"{"object_kind":"note","project_id":1,"issue":{"iid":1}}"#;
    let signatures =
        |headers: &Headers| headers.iter().find(|header| header.0 == "webhook-signature").unwrap().1.clone();
    let right = signed_hook("Note Hook", OTHER, "5e1f", body);
    let stranger =
        signed_hook("Note Hook", "whsec_c29tZWJvZHktZWxzZS1zaWduZWQtd2l0aC10aGlzLTA=", "5e1f", body);
    for (several, status) in [
        (format!("v1,AAAA {}", signatures(&right)), 200),
        (format!("{} v2,whatever", signatures(&right)), 200),
        (format!("{} v1,AAAA", signatures(&stranger)), 401),
        ("v2,whatever".to_owned(), 401),
    ] {
        let headers = with(right.clone(), "webhook-signature", &several);
        assert_eq!(post(&world, &headers, body).await, status, "{several}");
    }
    world.end().await;
}

/// Of a commit and of many, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_without_a_merge_request_count_once_as_well() {
    let world = world("{all_of: [{pipeline: success}, {behind_target: {at_most: 9}}]}").await;
    let which = world.open(world.merge_request());
    rest(&world).await;
    let project: Value = json!({ "id": which.project, "path_with_namespace": "shop/pay" });
    let pipeline = json!({
        "object_kind": "pipeline",
        "project": project,
        "merge_request": null,
        "object_attributes": { "ref": "card", "sha": world.gitlab.head(which).unwrap(), "status": "success" },
    });
    let push = json!({ "object_kind": "push", "ref": "refs/heads/main", "project_id": which.project, "project": project });
    for (event, id, body) in [("Pipeline Hook", "one", &pipeline), ("Push Hook", "two", &push)] {
        let body = serde_json::to_vec(body).unwrap();
        let before = decided(&world, &[which]).await[0];
        let recorded = without(signed_hook(event, SIGNING_TOKEN, id, &body), "Idempotency-Key");
        let duplicates = counted(&world, "duplicate");
        for _ in 0..3 {
            assert_eq!(post(&world, &recorded, &body).await, 202, "{event}");
            rest(&world).await;
        }
        assert_eq!(decided(&world, &[which]).await[0], before + 1, "{event}");
        assert_eq!(counted(&world, "duplicate"), duplicates + 2, "{event}");
        assert_eq!(crowds(&world), 0);
    }
    world.end().await;
}
