//! What is too large, too slow or too much, and what can't be made durable: refused so that the sender comes again.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use countersign::simulator::CheckStatus;

use crate::samples;
use crate::sender::{self, Headers, counted, curl, hook, signed};
use crate::world::{BOUND, Ground, HOOK_TOKEN, PLAIN_POLICY, Process, SECRET, World, until_async};

const MIB: usize = 1024 * 1024;
/// Over 25 MiB.
const TOO_LARGE: usize = 26 * MIB;

/// A connection on which a test says every byte itself.
struct Wire(TcpStream);

impl Wire {
    async fn open(server: &str) -> Self {
        Self(TcpStream::connect(server.strip_prefix("http://").unwrap()).await.unwrap())
    }

    async fn head(&mut self, headers: &Headers, length: usize) {
        let mut head =
            format!("POST /webhooks/gitlab HTTP/1.1\r\nHost: gate\r\nContent-Length: {length}\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        self.0.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    }
}

fn credentials() -> [(&'static str, Headers); 2] {
    // The body never arrives, so any signature is as good.
    [("status check", signed(SECRET, b"{}")), ("hook", hook("Note Hook", HOOK_TOKEN))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_25_mib_is_refused_whether_its_length_is_announced_or_not() {
    let world = World::start(PLAIN_POLICY).await;
    let url = format!("{}/webhooks/gitlab", world.url());
    let body = vec![b' '; TOO_LARGE];
    for (what, headers) in credentials() {
        let announced = sender::post(&url, &headers, body.clone()).await;
        assert_eq!(announced.status, 413, "{what}");
        for arguments in [&[][..], &["--header", "Transfer-Encoding: chunked"], &["--header", "Expect:"]] {
            let (url, headers, body) = (url.clone(), headers.clone(), body.clone());
            let heard =
                tokio::task::spawn_blocking(move || curl(&url, &headers, &body, arguments)).await.unwrap();
            assert_eq!(heard, Some(413), "{what}, curl {arguments:?}");
        }
    }
    assert_eq!(counted(world.url(), "too_large").await, 8);
    let fits =
        [b"{\"object_kind\":\"note\",\"x\":\"".to_vec(), vec![b'x'; 25 * MIB - 30], b"\"}".to_vec()].concat();
    assert_eq!(sender::post(&url, &hook("Note Hook", HOOK_TOKEN), fits).await.status, 200, "just below");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_stalls_or_trickles_is_cut_off() {
    let world = World::start(PLAIN_POLICY).await;
    let mut senders = tokio::task::JoinSet::new();
    for trickles in [false, true] {
        for (what, headers) in credentials() {
            let server = world.url().to_owned();
            senders.spawn(async move {
                let mut wire = Wire::open(&server).await;
                wire.head(&headers, MIB).await;
                wire.0.write_all(b"{").await.unwrap();
                let began = Instant::now();
                let (mut reading, mut writing) = wire.0.into_split();
                let mut said = Vec::new();
                let end = reading.read_to_end(&mut said);
                tokio::pin!(end);
                let mut ticks = tokio::time::interval(std::time::Duration::from_millis(500));
                loop {
                    tokio::select! {
                        _how = &mut end => break,
                        _ = ticks.tick() => if trickles { let _closed = writing.write_all(b" ").await; },
                    }
                    assert!(began.elapsed() < BOUND, "{what}, trickling {trickles}: still connected");
                }
                (what, said)
            });
        }
    }
    while let Some(ended) = senders.join_next().await {
        let (what, said) = ended.unwrap();
        assert!(said.is_empty(), "{what} was answered: {}", String::from_utf8_lossy(&said));
    }
    assert_eq!(counted(world.url(), "cut_off").await, 4);
    let body = samples::own()[0].bytes.clone();
    let url = format!("{}/webhooks/gitlab", world.url());
    assert_eq!(sender::post(&url, &signed(SECRET, &body), body).await.status, 202, "others are served");
    world.end().await;
}

/// The most memory that a process ever held, in MiB.
fn peak(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_bodies_at_once_and_bodies_that_swell_stay_within_the_memory_budget() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let mut environment = ground.environment();
    environment.push(("COUNTERSIGN__WEBHOOKS__MASTER_SECRET".to_owned(), "sesame-of-the-master".to_owned()));
    let process = Process::serve(&environment);
    let url = format!("{}/webhooks/gitlab", process.url());
    let before = peak(&process);
    // A list of numbers takes far more memory than its text, if anybody keeps it.
    let list = [b"{\"user\":[0".to_vec(), b",0".repeat(12 * MIB), b"]}".to_vec()].concat();
    let alone = sender::post(&url, &signed("nobody's secret", &list), list.clone()).await;
    assert_eq!(alone.status, 401);
    println!("peak memory: {before} MiB before, {} MiB after one that swells", peak(&process));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (url, list) = (url.clone(), list.clone());
        senders.spawn(async move { sender::try_post(&url, &signed("nobody's secret", &list), list).await });
    }
    for answered in senders.join_all().await {
        // Who found no memory in time was hung up on.
        let status = answered.map(|reply| reply.status);
        assert!(matches!(status, Err(_) | Ok(401)), "{status:?}");
    }
    let after = peak(&process);
    println!("peak memory: {before} MiB before, {after} MiB after");
    // The bodies of 64 MiB, and twice as much again while their buffers grow; kept, one list alone takes 400 MiB.
    assert!(after < before + 3 * 64, "{before} MiB before, {after} MiB after");
    process.terminate();
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_to_disk_is_refused_so_that_it_comes_again_and_taken_once_there_is_room() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    // The write-ahead log can't grow beyond this: as on a full disk, with the signal that comes with it.
    let process = Process::serve_under("prlimit", &["--fsize=400000:unlimited"], &ground.environment());
    let url = format!("{}/webhooks/gitlab", process.url());
    let hook_of = |number: usize| {
        let mut body = samples::merge_request("opened", Some("update"));
        body["object_attributes"]["iid"] = number.into();
        serde_json::to_vec(&body).unwrap()
    };
    let headers = || hook("Merge Request Hook", HOOK_TOKEN);
    let mut taken = 0;
    let refusal = loop {
        let reply = sender::post(&url, &headers(), hook_of(taken + 1)).await;
        if reply.status != 202 {
            break reply;
        }
        taken += 1;
        assert!(taken < 2000, "the disk does not fill up");
    };
    assert_eq!((refusal.status, refusal.retry_after.as_deref()), (503, Some("10")), "{refusal:?}");
    assert!(taken > 0, "there was room in the beginning");
    // Small writes may still fit; nothing does in the end.
    until_async("not ready", async || sender::get(&format!("{}/readyz", process.url())).await.status == 503)
        .await;
    assert_eq!(sender::get(&format!("{}/healthz", process.url())).await.status, 200, "alive all the same");

    let mut check = samples::merge_request("opened", Some("open"));
    check["external_approval_rule"] = serde_json::json!({ "id": 1, "name": "gate" });
    let check = serde_json::to_vec(&check).unwrap();
    let lost = sender::try_post(&url, &signed(SECRET, &check), check.clone()).await;
    assert!(lost.is_err(), "a status check hears no status: {lost:?}");
    let (curled, body) = (url.clone(), check.clone());
    let heard =
        tokio::task::spawn_blocking(move || curl(&curled, &signed(SECRET, &body), &body, &[])).await.unwrap();
    assert_eq!(heard, None, "neither does curl");

    // GitLab itself comes again by itself, until it is heard.
    let check_id = ground.create_check(process.url());
    ground.gitlab.hold_deliveries();
    let merge_request = ground.gitlab.open_merge_request(ground.merge_request().title("feat: room")).unwrap();
    let relieved = std::process::Command::new("prlimit")
        .args(["--pid", &process.id().to_string(), "--fsize=unlimited"])
        .status()
        .unwrap();
    assert!(relieved.success());
    until_async("ready again", async || {
        sender::get(&format!("{}/readyz", process.url())).await.status == 200
    })
    .await;
    ground.gitlab.release_deliveries();
    let passed = || ground.gitlab.status(merge_request, check_id).unwrap() == CheckStatus::Passed;
    crate::world::until("what comes after the relief is decided", passed).await;
    assert_eq!(
        sender::post(&url, &headers(), hook_of(taken + 1)).await.status,
        202,
        "what was refused is taken"
    );
    let (code, output) = process.terminate();
    assert_eq!(code, Some(0), "{output}");
    ground.simulator.stop().await;
}
