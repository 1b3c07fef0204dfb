//! Who is let in, and what everybody else is told: the answers of the webhook address, one by one.

use countersign::merge_request::{CheckName, ProjectId};
use countersign::shared_secret::derive_secret;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::samples::{self, Sample};
use crate::sender::{self, Headers, SIGNING_TOKEN, counted, curl, hook, signature, signed, signed_hook};
use crate::world::{Ground, HOOK_TOKEN, PLAIN_POLICY, Process, SECRET, World};

const MASTER: &str = "sesame-of-the-master";
/// The second of two signing tokens.
const OTHER_SIGNING_TOKEN: &str = "whsec_c2VzYW1lLW9mLXRoZS1vdGhlci1zaWduaW5nLTAwMDA=";
const STRANGER: &str = "whsec_c29tZWJvZHktZWxzZS1zaWduZWQtd2l0aC10aGlzLTA=";

fn sample(name: &str) -> Sample {
    samples::own().into_iter().find(|sample| sample.name == name).unwrap()
}

fn with(mut headers: Headers, name: &'static str, value: &str) -> Headers {
    headers.push((name, value.to_owned()));
    headers
}

fn without(mut headers: Headers, name: &str) -> Headers {
    headers.retain(|header| header.0 != name);
    headers
}

fn replaced(headers: Headers, name: &'static str, value: &str) -> Headers {
    with(without(headers, name), name, value)
}

/// A world with further settings.
async fn world(settings: &[(&str, &str)]) -> World {
    let tokens = format!("{HOOK_TOKEN},sesame-of-the-second-hook");
    let signing = format!("{SIGNING_TOKEN},{OTHER_SIGNING_TOKEN}");
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let ground =
        ground.configure("WEBHOOKS__TOKENS", &tokens).configure("WEBHOOKS__SIGNING_TOKENS", &signing);
    World::start_on(settings.iter().fold(ground, |ground, (key, value)| ground.configure(key, value))).await
}

fn address(world: &World) -> String {
    format!("{}/webhooks/gitlab", world.url())
}

/// Sends the same with reqwest and with curl, which must hear the same.
async fn status(url: &str, headers: &Headers, body: &[u8]) -> u16 {
    let reply = sender::post(url, headers, body.to_vec()).await;
    let (url, headers, body) = (url.to_owned(), headers.clone(), body.to_vec());
    let heard =
        tokio::task::spawn_blocking(move || (curl(&url, &headers, &body, &[]), headers)).await.unwrap();
    assert_eq!(heard.0, Some(reply.status), "curl hears something else: {:?}", heard.1);
    if reply.status == 401 {
        assert_eq!(
            reply.text, r#"{"message":"signature or token wrong or missing"}"#,
            "a stranger learns nothing"
        );
    }
    reply.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_check_comes_in_with_a_right_signature_and_with_nothing_else() {
    let world = world(&[]).await;
    let (url, body) = (address(&world), sample("own check open").bytes);
    let right = signature(SECRET, &body);
    let name = "X-Gitlab-Signature";
    for secret in [SECRET, "sesame-of-the-rotation"] {
        assert_eq!(status(&url, &signed(secret, &body), &body).await, 202, "{secret}");
    }
    let flipped =
        if right.starts_with('0') { right.replacen('0', "1", 1) } else { format!("0{}", &right[1..]) };
    let one = |value: &str| vec![(name, value.to_owned())];
    let refused = [
        ("nothing", vec![]),
        ("empty", one("")),
        ("of another secret", signed("sesame", &body)),
        ("of another body", signed(SECRET, b"{}")),
        ("one digit wrong", one(&flipped)),
        ("truncated", one(&right[..62])),
        ("too long", one(&format!("{right}00"))),
        ("in capitals", one(&right.to_uppercase())),
        ("with a prefix", one(&format!("sha256={right}"))),
        ("twice the same", with(one(&right), name, &right)),
        ("right and wrong", with(one(&right), name, &flipped)),
        ("two in one", one(&format!("{right}, {right}"))),
        ("the secret itself", one(SECRET)),
        ("wrong, with the hook's token", with(one(&flipped), "X-Gitlab-Token", HOOK_TOKEN)),
        ("the hook's token without an event", vec![("X-Gitlab-Token", HOOK_TOKEN.to_owned())]),
        (
            "the hook's signature without an event",
            without(signed_hook("x", SIGNING_TOKEN, "1", &body), "X-Gitlab-Event"),
        ),
        ("wrong, as a hook with the token", with(hook("Merge Request Hook", HOOK_TOKEN), name, &flipped)),
        ("right, as a hook without a token", with(one(&right), "X-Gitlab-Event", "Merge Request Hook")),
    ];
    for (what, headers) in &refused {
        assert_eq!(status(&url, headers, &body).await, 401, "{what}");
    }
    assert_eq!(counted(world.url(), "unauthorized").await, 2 * refused.len() as u64);
    assert_eq!(counted(world.url(), "taken").await + counted(world.url(), "duplicate").await, 4);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_comes_in_with_a_right_token_or_a_right_signature_and_with_nothing_else() {
    let world = world(&[]).await;
    let (url, sample) = (address(&world), sample("own open"));
    let (body, event) = (&sample.bytes, sample.event());
    let signed = |token: &str| signed_hook(&event, token, "f5e5f430", body);
    let signature_of = |token: &str| signed(token).pop().unwrap().1;
    let stale = |age: i64| {
        let sent = jiff::Timestamp::now().as_second() - age;
        let signature =
            standardwebhooks::Webhook::new(SIGNING_TOKEN).unwrap().sign("f5e5f430", sent, body).unwrap();
        let headers = replaced(signed(SIGNING_TOKEN), "webhook-timestamp", &sent.to_string());
        replaced(headers, "webhook-signature", &signature)
    };
    let (wrong, right) = (signature_of(STRANGER), signature_of(SIGNING_TOKEN));
    let accepted = [
        ("the first token", hook(&event, HOOK_TOKEN)),
        ("the second token", hook(&event, "sesame-of-the-second-hook")),
        ("the first signing token", signed(SIGNING_TOKEN)),
        ("the second signing token", signed(OTHER_SIGNING_TOKEN)),
        (
            "several signatures, one right",
            replaced(signed(STRANGER), "webhook-signature", &format!("{wrong} {right}")),
        ),
        ("a right signature with a wrong token", with(signed(SIGNING_TOKEN), "X-Gitlab-Token", "wrong")),
        ("signed a while ago", stale(200)),
        ("a system hook", hook("System Hook", HOOK_TOKEN)),
    ];
    for (what, headers) in &accepted {
        assert_eq!(status(&url, headers, body).await, 202, "{what}");
    }
    let event_header = || vec![("X-Gitlab-Event", event.clone())];
    let refused = [
        ("nothing", event_header()),
        ("an empty token", hook(&event, "")),
        ("a wrong token", hook(&event, "sesame")),
        ("a truncated token", hook(&event, &HOOK_TOKEN[..HOOK_TOKEN.len() - 1])),
        ("a token with more behind it", hook(&event, &format!("{HOOK_TOKEN}x"))),
        ("a token in capitals", hook(&event, &HOOK_TOKEN.to_uppercase())),
        ("both tokens in one", hook(&event, &format!("{HOOK_TOKEN},sesame-of-the-second-hook"))),
        ("the check's secret", hook(&event, SECRET)),
        ("the token twice", with(hook(&event, HOOK_TOKEN), "X-Gitlab-Token", HOOK_TOKEN)),
        ("the event twice", with(hook(&event, HOOK_TOKEN), "X-Gitlab-Event", &event)),
        (
            "a right token and a check's signature",
            with(hook(&event, HOOK_TOKEN), "X-Gitlab-Signature", &signature(SECRET, body)),
        ),
        ("another's signature", signed(STRANGER)),
        ("another's signature and a right token", with(signed(STRANGER), "X-Gitlab-Token", HOOK_TOKEN)),
        (
            "an empty signature and a right token",
            with(replaced(signed(SIGNING_TOKEN), "webhook-signature", ""), "X-Gitlab-Token", HOOK_TOKEN),
        ),
        (
            "a truncated signature",
            replaced(signed(SIGNING_TOKEN), "webhook-signature", &right[..right.len() - 4]),
        ),
        (
            "a signature without its version",
            replaced(signed(SIGNING_TOKEN), "webhook-signature", &right[3..]),
        ),
        ("the signature twice", with(signed(SIGNING_TOKEN), "webhook-signature", &right)),
        ("another id than was signed", replaced(signed(SIGNING_TOKEN), "webhook-id", "another")),
        ("no id", without(signed(SIGNING_TOKEN), "webhook-id")),
        ("no time", without(signed(SIGNING_TOKEN), "webhook-timestamp")),
        ("another time than was signed", replaced(signed(SIGNING_TOKEN), "webhook-timestamp", "1744300000")),
        ("no number for a time", replaced(signed(SIGNING_TOKEN), "webhook-timestamp", "now")),
        ("the idempotency key twice", with(signed(SIGNING_TOKEN), "Idempotency-Key", "f5e5f430")),
        ("signed long ago", stale(600)),
        ("signed in the future", stale(-600)),
    ];
    for (what, headers) in &refused {
        assert_eq!(status(&url, headers, body).await, 401, "{what}");
    }
    assert_eq!(
        status(&url, &signed_hook(&event, SIGNING_TOKEN, "1", b"{}"), body).await,
        401,
        "another body"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_derived_secret_opens_for_its_own_project_and_check_and_no_other() {
    let world = world(&[("WEBHOOKS__MASTER_SECRET", MASTER)]).await;
    let derived = |project, name| {
        let check = CheckName::parse(name).unwrap();
        derive_secret(&MASTER.into(), ProjectId::new(project), &check).expose_secret().to_owned()
    };
    let body_for = |project: u64, path: &str| {
        let mut body = samples::merge_request("opened", Some("open"));
        body["object_attributes"]["target_project_id"] = json!(project);
        body["external_approval_rule"] =
            json!({ "id": 1, "name": "gate", "external_url": format!("{}{path}", world.url()) });
        serde_json::to_vec(&body).unwrap()
    };
    let (plain, named) = (address(&world), format!("{}/security", address(&world)));
    let body = body_for(1006, "/webhooks/gitlab");
    assert_eq!(status(&plain, &signed(&derived(1006, "countersign"), &body), &body).await, 202);
    assert_eq!(status(&plain, &signed(SECRET, &body), &body).await, 202, "the shared secret stays valid");
    for (what, secret) in [
        ("another project's", derived(1007, "countersign")),
        ("another check's", derived(1006, "security")),
        ("the master secret", MASTER.to_owned()),
        ("none of ours", "sesame".to_owned()),
    ] {
        assert_eq!(status(&plain, &signed(&secret, &body), &body).await, 401, "{what}");
    }
    let security = body_for(1006, "/webhooks/gitlab/security");
    assert_eq!(status(&named, &signed(&derived(1006, "security"), &security), &security).await, 202);
    assert_eq!(status(&named, &signed(&derived(1006, "countersign"), &security), &security).await, 401);
    let foreign = body_for(1006, "/somewhere/else");
    assert_eq!(
        status(&plain, &signed(&derived(1006, "countersign"), &foreign), &foreign).await,
        401,
        "not our URL"
    );
    let garbage = b"no json".to_vec();
    assert_eq!(status(&plain, &signed(&derived(1006, "countersign"), &garbage), &garbage).await, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_projects_that_cannot_sign_come_in_unsigned_and_only_as_status_checks() {
    let world = world(&[("WEBHOOKS__ALLOW_UNSIGNED", "bank/*")]).await;
    let url = address(&world);
    let check = sample("own check open").bytes;
    assert_eq!(status(&url, &vec![], &check).await, 202);
    // GitLab before 17.3 says that it sends a form.
    let form = vec![("Content-Type", "application/x-www-form-urlencoded".to_owned())];
    assert_eq!(status(&url, &form, &check).await, 202);
    let wrong = vec![("X-Gitlab-Signature", signature("sesame", &check))];
    assert_eq!(status(&url, &wrong, &check).await, 401, "a wrong signature is not excused");
    let mut elsewhere = sample("own check open").body;
    for path in ["/project/path_with_namespace", "/object_attributes/target/path_with_namespace"] {
        *elsewhere.pointer_mut(path).unwrap() = json!("shop/pay");
    }
    assert_eq!(status(&url, &vec![], &serde_json::to_vec(&elsewhere).unwrap()).await, 401, "another project");
    let hook = sample("own open").bytes;
    assert_eq!(status(&url, &vec![], &hook).await, 401, "a hook's body without an event header");
    let event = vec![("X-Gitlab-Event", "Merge Request Hook".to_owned())];
    assert_eq!(status(&url, &event, &hook).await, 401, "a hook without a token");
    assert_eq!(status(&url, &vec![], b"no json").await, 401, "nothing that can be vouched for");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_understood_and_not_for_us_is_answered_and_counted_and_not_evaluated() {
    let world = world(&[("GITLAB__PROJECTS", "bank/**")]).await;
    let (url, server) = (address(&world), world.url());
    let token = || hook("Note Hook", HOOK_TOKEN);

    let unknown = br#"{"object_kind":"weather_forecast","rain":true}"#;
    assert_eq!(status(&url, &token(), unknown).await, 200);
    assert_eq!(counted(server, "not_for_us").await, 2);

    let mut outside = sample("own open").body;
    outside["object_attributes"]["target"]["path_with_namespace"] = json!("shop/pay");
    assert_eq!(status(&url, &token(), &serde_json::to_vec(&outside).unwrap()).await, 200);
    assert_eq!(counted(server, "out_of_scope").await, 2);

    let mut named = sample("own check open").body;
    named["external_approval_rule"]["external_url"] = json!(format!("{url}/security"));
    let named = serde_json::to_vec(&named).unwrap();
    assert_eq!(status(&url, &signed(SECRET, &named), &named).await, 200);
    assert_eq!(status(&format!("{url}/other"), &signed(SECRET, &named), &named).await, 200);
    assert_eq!(counted(server, "misdirected").await, 4);
    assert_eq!(
        status(&format!("{url}/security"), &signed(SECRET, &named), &named).await,
        202,
        "where it belongs"
    );

    for broken in
        [&b"no json"[..], b"", b"[]", b"{\"object_kind\":", b"{\"object_kind\":\"note\"}\n}", b"\xff\xfe{}"]
    {
        assert_eq!(status(&url, &token(), broken).await, 400, "not JSON: {broken:?}");
    }
    for strange in [&b"{}"[..], br#"{"kind":"merge_request"}"#, br#"{"object_kind":7}"#] {
        assert_eq!(status(&url, &token(), strange).await, 400, "no event: {strange:?}");
        assert_eq!(
            status(&url, &signed(SECRET, strange), strange).await,
            400,
            "no status check: {strange:?}"
        );
    }
    let hook_body = sample("own note").bytes;
    assert_eq!(status(&url, &signed(SECRET, &hook_body), &hook_body).await, 400, "a hook without its header");
    assert_eq!(counted(server, "malformed").await, 2 * (6 + 6 + 1));
    world.settle().await;
    assert!(
        world.gitlab.calls().iter().all(|call| !format!("{call:?}").contains("POST")),
        "{}",
        world.history()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_find_a_page_and_nobody_finds_anything_elsewhere() {
    let world = world(&[]).await;
    for path in ["/webhooks/gitlab", "/webhooks/gitlab/security"] {
        let page = sender::get(&format!("{}{path}", world.url())).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.contains("<html") && page.text.contains("countersign"), "{path}: {}", page.text);
    }
    let body = sample("own open").bytes;
    let hook = hook("Merge Request Hook", HOOK_TOKEN);
    for path in ["/", "/webhooks", "/webhooks/gitlab/a/b", "/webhooks/gitlab/no%20name", "/webhook/gitlab"] {
        assert_eq!(status(&format!("{}{path}", world.url()), &hook, &body).await, 404, "{path}");
    }
    for (path, text) in
        [("/healthz", "alive"), ("/readyz", "ready"), ("/metrics", "countersign_queue_length")]
    {
        let reply = sender::get(&format!("{}{path}", world.url())).await;
        assert!(reply.status == 200 && reply.text.contains(text), "{path}: {reply:?}");
    }
    world.end().await;
}

/// Uses the process, so that it can be seen whether it lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_takes_what_it_should_with_signals_and_all() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let process = Process::serve(&ground.environment());
    let body = sample("own check open").bytes;
    assert_eq!(
        status(&format!("{}/webhooks/gitlab", process.url()), &signed(SECRET, &body), &body).await,
        202
    );
    let (code, output) = process.terminate();
    assert_eq!(code, Some(0), "{output}");
    ground.simulator.stop().await;
}
