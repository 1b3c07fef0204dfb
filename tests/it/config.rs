//! How `serve` refuses to start: the reason, the remedy, and the exit code.

use std::process::{Command, Stdio};

use crate::sender;
use crate::world::{Ground, PLAIN_POLICY, Process, SECRET, delete_database, until};

const WRONG_INPUT: i32 = 2;
const FAILED: i32 = 3;

/// Runs `serve` to its end, which must come by itself.
fn serve(environment: &[(String, String)], arguments: &[&str]) -> (i32, String) {
    // A service that starts after all would run for ever.
    let output = Command::new("timeout")
        .args(["30", env!("CARGO_BIN_EXE_countersign"), "serve"])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "stdout is for data: {output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().unwrap(), said)
}

fn without(environment: &[(String, String)], key: &str) -> Vec<(String, String)> {
    environment.iter().filter(|(name, _)| *name != format!("COUNTERSIGN__{key}")).cloned().collect()
}

fn with(environment: &[(String, String)], key: &str, value: &str) -> Vec<(String, String)> {
    let mut environment = without(environment, key);
    environment.push((format!("COUNTERSIGN__{key}"), value.to_owned()));
    environment
}

/// Demands an end with a code and words that must be said.
fn refuses(environment: &[(String, String)], arguments: &[&str], code: i32, words: &[&str]) -> String {
    let (ended, said) = serve(environment, arguments);
    for word in words {
        assert!(said.contains(word), "`{word}` is not said: {said}");
    }
    assert_eq!(ended, code, "{said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_misspelt_is_named_with_what_would_be_right() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let whole = ground.environment();
    let missing = [
        ("GITLAB__URL", ["`gitlab.url`", "https://gitlab.example.com"]),
        ("GITLAB__TOKEN", ["`gitlab.token`", "scope `api`"]),
    ];
    for (key, words) in missing {
        refuses(&without(&whole, key), &[], WRONG_INPUT, &words);
    }
    let no_secret = without(&without(&whole, "WEBHOOKS__STATUS_CHECK_SECRETS"), "WEBHOOKS__TOKENS");
    refuses(
        &no_secret,
        &[],
        WRONG_INPUT,
        &["`webhooks.status_check_secrets`", "`allow_unsigned`", "no delivery"],
    );
    refuses(
        &with(&whole, "GITLAB__TOKENN", "x"),
        &[],
        WRONG_INPUT,
        &["gitlab.tokenn", "did you mean `gitlab.token`?"],
    );
    refuses(
        &with(&whole, "WEBHOOK__TOKENS", "x"),
        &[],
        WRONG_INPUT,
        &["webhook.tokens", "did you mean `webhooks.tokens`?"],
    );
    refuses(&with(&whole, "STORE__URL", "mysql://x"), &[], WRONG_INPUT, &["sqlite:PATH"]);
    refuses(&with(&whole, "GITLAB__URL", "not a url"), &[], WRONG_INPUT, &["gitlab.url"]);
    refuses(
        &with(&whole, "GITLAB__PROJECTS", "shop/[a"),
        &[],
        WRONG_INPUT,
        &["`gitlab.projects`", "shop/[a"],
    );
    refuses(&with(&whole, "LOG__LEVEL", "loud=loud"), &[], WRONG_INPUT, &["log.level", "loud"]);
    refuses(
        &with(&whole, "WEBHOOKS__SIGNING_TOKENS", "whsec_c2hvcnQ="),
        &[],
        WRONG_INPUT,
        &["`webhooks.signing_tokens`", "32 bytes"],
    );
    refuses(&with(&whole, "GITLAB__TOKEN_FILE", "/nowhere/token"), &[], WRONG_INPUT, &["gitlab.token"]);
    refuses(&whole, &["--config", "/nowhere/countersign.toml"], WRONG_INPUT, &["/nowhere/countersign.toml"]);
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_is_shown_without_the_secrets_in_it() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let file = ground.folder.path().join("countersign.toml");
    let path = file.to_str().unwrap();
    let environment = without(&ground.environment(), "GITLAB__TOKEN");
    let environment = without(&without(&environment, "WEBHOOKS__STATUS_CHECK_SECRETS"), "WEBHOOKS__TOKENS");
    let secret = "sesame-in-a-broken-file";
    for (what, text, words) in [
        ("an open quote", format!("[gitlab]\ntoken = \"{secret}\n"), &["countersign.toml", "line 2"][..]),
        ("no quotes", format!("[gitlab]\ntoken = {secret}\n"), &["countersign.toml", "line 2"]),
        (
            "twice",
            format!("[gitlab]\ntoken = \"{secret}\"\ntoken = \"{secret}\"\n"),
            &["line 3", "duplicate"],
        ),
        ("text for a list", format!("[webhooks]\ntokens = \"{secret}\"\n"), &["webhooks.tokens"]),
        (
            "text for a list of secrets",
            format!("[webhooks]\nstatus_check_secrets = \"{secret}\"\n"),
            &["webhooks.status_check_secrets"],
        ),
        ("a list for text", format!("[gitlab]\ntoken = [\"{secret}\"]\n"), &["gitlab.token"]),
        ("a table for a list", format!("[webhooks.tokens]\nx = \"{secret}\"\n"), &["webhooks.tokens"]),
        ("a section that is text", format!("gitlab = \"{secret}\"\n"), &["gitlab"]),
        ("no such key", format!("[gitlab]\ntokem = \"{secret}\"\n"), &["did you mean `gitlab.token`?"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let said = refuses(&environment, &["--config", path], WRONG_INPUT, words);
        assert!(!said.contains(secret), "{what}: {said}");
    }
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_policy_is_shown_at_its_place() {
    let ground =
        Ground::prepare("policy: broken\nrules:\n  - id: a\n    require: { titel: { glob: \"x\" } }\n").await;
    refuses(&ground.environment(), &[], WRONG_INPUT, &["policy.yaml:4:16", "`titel`", "`title`"]);
    std::fs::remove_dir_all(ground.folder.path().join("policies")).unwrap();
    refuses(&ground.environment(), &[], WRONG_INPUT, &["policies"]);
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_another_process_holds_is_left_alone() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let first = Process::serve(&ground.environment());
    let database = ground.database();
    let words =
        ["is in use by another countersign", "one process serves one database", database.to_str().unwrap()];
    refuses(&ground.environment(), &[], FAILED, &words);
    assert_eq!(
        sender::get(&format!("{}/readyz", first.url())).await.status,
        200,
        "the first is not disturbed"
    );
    first.kill();
    let next = Process::serve(&ground.environment());
    assert_eq!(next.terminate().0, Some(0), "a killed process holds nothing");
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_used_is_refused_with_the_reason() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    Process::serve(&ground.environment()).terminate();
    let connection = rusqlite::Connection::open(ground.database()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    refuses(&ground.environment(), &[], FAILED, &["schema 99", "newer release", "backup"]);
    delete_database(&ground.database());
    std::fs::write(ground.database(), "no database, but a text that somebody put here").unwrap();
    refuses(&ground.environment(), &[], FAILED, &["countersign.db", "not a database"]);
    let nowhere = with(&ground.environment(), "STORE__URL", "sqlite:/nowhere/countersign.db");
    refuses(&nowhere, &[], FAILED, &["/nowhere/countersign.db", "No such file or directory"]);
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_named() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let address = ground.simulator.url().strip_prefix("http://").unwrap().to_owned();
    let environment = with(&ground.environment(), "SERVER__LISTEN", &address);
    refuses(&environment, &[], FAILED, &["`server.listen`", &address, "in use"]);
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_alone_is_enough_and_secrets_may_lie_in_files_of_their_own() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let path = |name: &str| ground.folder.path().join(name).display().to_string();
    std::fs::write(path("token"), format!("{}\n", ground.token)).unwrap();
    std::fs::write(path("secrets"), format!("{SECRET}\nanother\n")).unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[gitlab]\nurl = \"{}\"\ntoken_file = \"{}\"\n[webhooks]\n\
         status_check_secrets_file = \"{}\"\n[store]\nurl = \"sqlite:{}\"\n[policies]\npath = \"{}\"\n",
        ground.simulator.url(),
        path("token"),
        path("secrets"),
        path("countersign.db"),
        path("policies"),
    );
    std::fs::write(path("countersign.toml"), text).unwrap();
    let process = Process::serve(&[("COUNTERSIGN_CONFIG".to_owned(), path("countersign.toml"))]);
    let check = ground.create_check(process.url());
    let merge_request = ground.gitlab.open_merge_request(ground.merge_request().title("feat: file")).unwrap();
    let passed = || !ground.gitlab.responses(merge_request, check).is_empty();
    until("an answer", passed).await;
    assert_eq!(process.terminate().0, Some(0));
    ground.simulator.stop().await;
}
