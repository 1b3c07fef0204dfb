//! What 202 promises: the delivery is on disk before the answer leaves, once, and duplicates cost nothing.

use std::collections::BTreeMap;
use std::path::Path;

use countersign::simulator::CheckStatus;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::samples;
use crate::sender::{self, Headers, hook, signed};
use crate::world::{Ground, HOOK_TOKEN, ONE, PLAIN_POLICY, Process, SECRET, World, signal};

/// One finished system call.
#[derive(Debug)]
struct Call {
    name: String,
    /// Arguments and result, as strace writes them.
    text: String,
    /// The lines on which it began and ended: the order of the trace.
    began: usize,
    ended: usize,
}

/// What the product reads, writes and syncs, by strace. Fails where strace may not look.
fn strace(trace: &Path, environment: &[(String, String)]) -> Process {
    let may = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let may = may.expect("strace is installed (tests/run installs it)");
    assert!(
        may.status.success(),
        "strace can't trace here; allow ptrace (in a container: --cap-add=SYS_PTRACE): {}",
        String::from_utf8_lossy(&may.stderr)
    );
    let calls =
        "trace=fdatasync,fsync,sync_file_range,pwrite64,write,writev,sendto,sendmsg,read,readv,recvfrom";
    let arguments = ["-f", "-y", "-s", "64", "-e", calls, "-o", trace.to_str().unwrap()];
    Process::serve_under("strace", &arguments, environment)
}

/// The calls of a trace, those that strace tells in two lines put together.
fn calls(trace: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(trace).unwrap();
    let mut unfinished: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((thread, told)) = line.split_once(char::is_whitespace) else { continue };
        let told = told.trim_start();
        if let Some(start) = told.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread.to_owned(), (start.to_owned(), at));
            continue;
        }
        let (whole, began) = match told.strip_prefix("<... ") {
            Some(resumed) => {
                let Some((start, began)) = unfinished.remove(thread) else { continue };
                (start + resumed.split_once("resumed>").map_or("", |(_, rest)| rest), began)
            }
            None => (told.to_owned(), at),
        };
        if let Some((name, _)) = whole.split_once('(') {
            calls.push(Call { name: name.to_owned(), began, ended: at, text: whole });
        }
    }
    calls
}

fn is_sync_of_log(call: &Call) -> bool {
    matches!(call.name.as_str(), "fdatasync" | "fsync")
        && call.text.contains("countersign.db-wal>")
        && call.text.trim_end().ends_with("= 0")
}

fn is_write_to_log(call: &Call) -> bool {
    matches!(call.name.as_str(), "pwrite64" | "write" | "writev") && call.text.contains("countersign.db-wal>")
}

fn is_answer(call: &Call) -> bool {
    matches!(call.name.as_str(), "write" | "writev" | "sendto" | "sendmsg")
        && call.text.contains("HTTP/1.1 202")
}

fn is_delivery(call: &Call) -> bool {
    matches!(call.name.as_str(), "read" | "readv" | "recvfrom")
        && call.text.contains("\"POST /webhooks/gitlab")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_synced_between_a_delivery_and_its_202() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let trace = ground.folder.path().join("trace");
    let process = strace(&trace, &ground.environment());
    let body = samples::own()[0].bytes.clone();
    let url = format!("{}/webhooks/gitlab", process.url());
    assert_eq!(sender::post(&url, &signed(SECRET, &body), body).await.status, 202);
    terminate(process);
    let calls = calls(&trace);
    let answer = calls.iter().find(|call| is_answer(call)).expect("the answer is in the trace");
    let delivery = calls.iter().find(|call| is_delivery(call)).expect("the delivery is in the trace");
    let mut written = calls
        .iter()
        .filter(|call| is_write_to_log(call) && call.began > delivery.ended && call.ended < answer.began);
    let written = written.next_back().expect("something is written to the log before the answer");
    let synced = calls
        .iter()
        .find(|call| is_sync_of_log(call) && call.began > written.ended && call.ended < answer.began);
    assert!(synced.is_some(), "the answer left before the log was on disk:\n{calls:#?}");
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_come_together_share_their_syncs() {
    const TOGETHER: usize = 200;
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let trace = ground.folder.path().join("trace");
    let process = strace(&trace, &ground.environment());
    let url = format!("{}/webhooks/gitlab", process.url());
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..TOGETHER {
        let mut headers = hook("Merge Request Hook", HOOK_TOKEN);
        headers.push(("Idempotency-Key", number.to_string()));
        let url = url.clone();
        let body = serde_json::to_vec(&samples::merge_request("opened", Some("update"))).unwrap();
        senders.spawn(async move { sender::post(&url, &headers, body).await.status });
    }
    assert!(senders.join_all().await.iter().all(|status| *status == 202));
    terminate(process);
    let calls = calls(&trace);
    let (deliveries, answers) = (count(&calls, is_delivery), count(&calls, is_answer));
    let syncs = count(&calls, is_sync_of_log);
    println!("{deliveries} deliveries, {answers} answers, {syncs} syncs of the log");
    assert_eq!((deliveries, answers), (TOGETHER, TOGETHER));
    assert!(syncs < TOGETHER, "{syncs} syncs for {TOGETHER} deliveries");
    assert_eq!(rows(&ground), TOGETHER, "and every one is there");
    ground.simulator.stop().await;
}

fn count(calls: &[Call], is: impl Fn(&Call) -> bool) -> usize {
    calls.iter().filter(|call| is(call)).count()
}

/// strace hands the signal on to nobody: it goes to what strace started.
fn terminate(process: Process) {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.id())).unwrap();
    let child = children.split_whitespace().next().expect("strace has a child").parse().unwrap();
    signal("-TERM", child);
    let (code, output) = process.wait();
    assert_eq!(code, Some(0), "{output}");
}

/// How many deliveries are in the table.
fn rows(ground: &Ground) -> usize {
    let connection =
        Connection::open_with_flags(ground.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0)).unwrap();
    rows.try_into().unwrap()
}

/// A world with a merge request that was opened before anybody listened, and a sender for bodies about it.
async fn quiet_world() -> (World, countersign::merge_request::MergeRequestRef) {
    let world = World::start(PLAIN_POLICY).await;
    let merge_request = world.open(world.merge_request().title("feat: twice").quietly());
    (world, merge_request)
}

fn body_about(which: countersign::merge_request::MergeRequestRef, action: Option<&str>) -> serde_json::Value {
    let mut body = samples::merge_request("opened", action);
    body["object_attributes"]["target_project_id"] = json!(which.project);
    body["object_attributes"]["iid"] = json!(which.iid);
    // A head that GitLab does not show would be looked for a few times.
    body["object_attributes"]["last_commit"] = json!(null);
    body
}

async fn send(world: &World, headers: &Headers, body: &[u8]) -> u16 {
    let status =
        sender::post(&format!("{}/webhooks/gitlab", world.url()), headers, body.to_vec()).await.status;
    world.settle().await;
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_twice_is_taken_once_and_decided_once() {
    let (world, merge_request) = quiet_world().await;
    let mut asked = body_about(merge_request, Some("update"));
    asked["external_approval_rule"] = json!({ "id": world.check, "name": "gate" });
    let asked = serde_json::to_vec(&asked).unwrap();
    let headers = signed(SECRET, &asked);
    assert_eq!(send(&world, &headers, &asked).await, 202);
    let (rows_once, decided_once) = (rows(&world.ground), world.decisions(merge_request).await.len());
    assert_eq!((rows_once, decided_once), (1, 1));
    let posts = world.posted(merge_request).len();
    assert_eq!(
        send(&world, &headers, &asked).await,
        202,
        "the same body of a status check, once it was served"
    );
    assert_eq!((rows(&world.ground), world.decisions(merge_request).await.len()), (2, 2), "is looked at");
    assert_eq!(world.posted(merge_request).len(), posts, "and nothing more is said");

    let update = serde_json::to_vec(&body_about(merge_request, Some("update"))).unwrap();
    let keyed = |key: &str| {
        let mut headers = hook("Merge Request Hook", HOOK_TOKEN);
        headers.push(("Idempotency-Key", key.to_owned()));
        headers
    };
    for _ in 0..3 {
        assert_eq!(send(&world, &keyed("one"), &update).await, 202);
    }
    assert_eq!(
        (rows(&world.ground), world.decisions(merge_request).await.len()),
        (3, 3),
        "a key, three times"
    );
    assert_eq!(send(&world, &headers, &asked).await, 202);
    assert_eq!(send(&world, &keyed("one"), &update).await, 202, "a key is known, whatever came since");
    assert_eq!(rows(&world.ground), 4);
    assert_eq!(
        send(&world, &keyed("two"), &update).await,
        202,
        "another key is another event, whatever its body"
    );
    assert_eq!(rows(&world.ground), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_is_answered_each_time_although_its_body_is_the_same() {
    let (world, merge_request) = quiet_world().await;
    let mut retry = body_about(merge_request, None);
    retry["external_approval_rule"] = json!({ "id": world.check, "name": "gate" });
    let retry = serde_json::to_vec(&retry).unwrap();
    for run in 1..=2 {
        world.gitlab.forget_calls();
        assert_eq!(send(&world, &signed(SECRET, &retry), &retry).await, 202);
        assert_eq!((rows(&world.ground), world.decisions(merge_request).await.len()), (run, run));
        let lists = world.gitlab.calls_to("GET /projects/:id/merge_requests/:iid/status_checks");
        assert!(lists > 0, "what GitLab shows is read again");
    }
    assert_eq!(world.status(merge_request), CheckStatus::Passed);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_given_taken_and_given_again_within_a_second_is_three_events() {
    let (world, merge_request) = quiet_world().await;
    for (taken, action) in (1..).zip(["approved", "unapproved", "approved", "unapproved"]) {
        let mut body = body_about(merge_request, Some(action));
        body["external_approval_rule"] = json!({ "id": world.check, "name": "gate" });
        let body = serde_json::to_vec(&body).unwrap();
        assert_eq!(send(&world, &signed(SECRET, &body), &body).await, 202, "{action}");
        assert_eq!(
            (rows(&world.ground), world.decisions(merge_request).await.len()),
            (taken, taken),
            "{action}"
        );
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_before_a_restart_is_known_after_it() {
    let (mut world, merge_request) = quiet_world().await;
    let mut asked = body_about(merge_request, Some("update"));
    asked["external_approval_rule"] = json!({ "id": world.check, "name": "gate" });
    let asked = serde_json::to_vec(&asked).unwrap();
    let mut headers = hook("Merge Request Hook", HOOK_TOKEN);
    headers.push(("Idempotency-Key", "one".to_owned()));
    assert_eq!(send(&world, &headers, &asked).await, 202);
    world.stop().await;
    world.start_again().await;
    assert_eq!(send(&world, &headers, &asked).await, 202);
    assert_eq!(rows(&world.ground), 1);
    let shown = world.check;
    let passed = |gitlab: &countersign::simulator::Gitlab| {
        gitlab.status(merge_request, shown).is_ok_and(|status| status == CheckStatus::Passed)
    };
    world.until("it stays answered", passed).await;
    world.end().await;
}

/// A replica of GitLab's database may lag behind what its deliveries tell of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_a_delivery_names_and_gitlab_does_not_show_yet_is_looked_for_again() {
    let (world, merge_request) = quiet_world().await;
    let mut body = body_about(merge_request, Some("update"));
    let update = serde_json::to_vec(&body).unwrap();
    assert_eq!(send(&world, &hook("Merge Request Hook", HOOK_TOKEN), &update).await, 202);
    let looks = world.calls(ONE);
    body["object_attributes"]["last_commit"] = json!({ "id": "b".repeat(40) });
    let ahead = serde_json::to_vec(&body).unwrap();
    let url = format!("{}/webhooks/gitlab", world.url());
    assert_eq!(sender::post(&url, &hook("Merge Request Hook", HOOK_TOKEN), ahead).await.status, 202);
    for _ in 0..8 {
        world.pass(std::time::Duration::from_secs(10)).await;
    }
    assert_eq!(world.calls(ONE), looks + 4, "a few times, and not for ever");
    assert_eq!(world.status(merge_request), CheckStatus::Passed);
    world.end().await;
}
