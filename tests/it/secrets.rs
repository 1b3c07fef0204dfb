//! No secret leaves the process: not in what it prints at its most talkative, not in what it answers, not on disk.

use std::io::Read;

use countersign::merge_request::CheckName;
use countersign::shared_secret::derive_secret;
use countersign::simulator::{CheckStatus, HookEvent, NewHook, NewStatusCheck, Push};
use flate2::read::ZlibDecoder;
use rusqlite::{Connection, OpenFlags};
use secrecy::ExposeSecret;

use crate::samples;
use crate::sender::{self, Headers, SIGNING_TOKEN, hook, signed, signed_hook};
use crate::world::{BOUND, Ground, HOOK_TOKEN, PLAIN_POLICY, Process, SECRET, until};

const MASTER: &str = "sesame-of-the-master";
const IN_A_QUERY: &str = "sesame-in-the-query";

/// Everything that left the process, by where it was found.
#[derive(Default)]
struct Found(Vec<(String, Vec<u8>)>);

impl Found {
    fn add(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.to_owned(), bytes.into()));
    }

    fn search(&self, what: &str, secret: &str) {
        assert!(secret.len() >= 12, "{what}: too short to be told from chance");
        for (place, bytes) in &self.0 {
            let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
            let context = found.map(|at| {
                let around = &bytes[at.saturating_sub(300)..(at + secret.len() + 60).min(bytes.len())];
                String::from_utf8_lossy(around).into_owned()
            });
            assert!(context.is_none(), "{what} stands in {place}: …{}…", context.unwrap_or_default());
        }
    }
}

/// The database as bytes, and what is compressed in it in plain.
fn read_database(ground: &Ground, found: &mut Found) {
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", ground.database().display());
        if let Ok(bytes) = std::fs::read(path) {
            found.add(&format!("the file `countersign.db{suffix}`"), bytes);
        }
    }
    let connection =
        Connection::open_with_flags(ground.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare("SELECT bytes FROM blob").unwrap();
    let blobs = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let mut count = 0;
    for blob in blobs {
        let mut plain = Vec::new();
        ZlibDecoder::new(blob.unwrap().as_slice()).read_to_end(&mut plain).unwrap();
        found.add("a blob of the database", plain);
        count += 1;
    }
    assert!(count > 0, "there are facts to look through");
}

fn derived_secret(ground: &Ground, check: &str) -> String {
    let check = CheckName::parse(check).unwrap();
    derive_secret(&MASTER.into(), ground.project, &check).expose_secret().to_owned()
}

/// A bit of everything: right and wrong credentials, events of people, faults of GitLab.
async fn session(ground: &Ground, process: &Process, found: &mut Found) {
    let gitlab = &ground.gitlab;
    let url = format!("{}/webhooks/gitlab", process.url());
    let secret_url = format!("{url}?key={IN_A_QUERY}");
    let derived = derived_secret(ground, "countersign");
    let checks = [(&secret_url, SECRET.to_owned()), (&format!("{url}/security?key={IN_A_QUERY}"), derived)];
    let checks = checks.map(|(url, secret)| {
        let name = if url.contains("security") { "security" } else { "gate" };
        gitlab.create_status_check(ground.project, NewStatusCheck::new(name, url).secret(&secret)).unwrap()
    });
    gitlab.create_hook(NewHook::of(ground.project, &secret_url).token(HOOK_TOKEN).event(HookEvent::Note));
    let merge_request = gitlab.open_merge_request(ground.merge_request().title("feat: secrets")).unwrap();
    until("the first answer", || gitlab.status(merge_request, checks[0]).unwrap() == CheckStatus::Passed)
        .await;
    gitlab.push(merge_request, Push::new().file("src/a.rs")).unwrap();
    gitlab.comment(merge_request, "looks good").unwrap();
    until("the second answer", || gitlab.status(merge_request, checks[0]).unwrap() == CheckStatus::Passed)
        .await;
    // A token that is not valid any more: GitLab's refusals are logged.
    gitlab.revoke_token(&ground.token);
    gitlab.edit_title(merge_request, "bad: after the token was revoked").unwrap();
    until("the refused call", || gitlab.calls().iter().any(|call| format!("{call:?}").contains("(401)")))
        .await;

    let body = &samples::own()[0].bytes;
    let event = "Merge Request Hook";
    let nearly = |secret: &str| format!("{secret}x");
    let attempts: Vec<Headers> = vec![
        signed(SECRET, body),
        signed(&nearly(SECRET), body),
        hook(event, HOOK_TOKEN),
        hook(event, &nearly(HOOK_TOKEN)),
        hook(event, MASTER),
        signed_hook(event, SIGNING_TOKEN, "1", body),
        signed_hook(event, SIGNING_TOKEN, "1", b"another body"),
        vec![
            ("Authorization", format!("Bearer {}", ground.token)),
            ("X-Gitlab-Token", HOOK_TOKEN.to_owned()),
        ],
    ];
    for headers in &attempts {
        for body in [body.clone(), b"no json".to_vec()] {
            for url in [&url, &secret_url] {
                found.add("an answer", sender::post(url, headers, body.clone()).await.text);
            }
        }
    }
    for path in ["/metrics", "/healthz", "/readyz", "/webhooks/gitlab", "/nowhere"] {
        for query in [String::new(), format!("?key={IN_A_QUERY}")] {
            found.add(path, sender::get(&format!("{}{path}{query}", process.url())).await.text);
        }
    }
    tokio::time::timeout(BOUND, gitlab.deliveries_settled()).await.unwrap().unwrap();
}

async fn look_for_secrets_at(level: &str, format: &str) {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let mut environment = ground.environment();
    for (key, value) in [
        ("LOG__LEVEL", level),
        ("LOG__FORMAT", format),
        ("WEBHOOKS__MASTER_SECRET", MASTER),
        ("WEBHOOKS__SIGNING_TOKENS", SIGNING_TOKEN),
    ] {
        environment.push((format!("COUNTERSIGN__{key}"), value.to_owned()));
    }
    let process = Process::serve(&environment);
    let mut found = Found::default();
    session(&ground, &process, &mut found).await;
    read_database(&ground, &mut found);
    let (code, output) = process.terminate();
    assert_eq!(code, Some(0));
    assert!(output.contains("delivery taken"), "at {level} deliveries are told");
    println!("{level}: {} places, {} lines of output", found.0.len(), output.lines().count());
    found.add("the output", output);
    read_database(&ground, &mut found);

    let derived = derived_secret(&ground, "countersign");
    let security = derived_secret(&ground, "security");
    for (what, secret) in [
        ("the check's secret", SECRET),
        ("the rotated secret", "sesame-of-the-rotation"),
        ("the hook's token", HOOK_TOKEN),
        ("the signing token", SIGNING_TOKEN.trim_start_matches("whsec_")),
        ("the signing token's bytes", "sesame-of-the-signing-token"),
        ("the master secret", MASTER),
        ("a derived secret", &derived),
        ("another derived secret", &security),
        ("the GitLab token", &ground.token),
        ("the key in a URL's query", IN_A_QUERY),
    ] {
        found.search(what, secret);
    }
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_printed_answered_or_stored_while_debugging() {
    look_for_secrets_at("debug", "json").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_printed_answered_or_stored_while_everything_is_traced() {
    look_for_secrets_at("trace", "json").await;
}
