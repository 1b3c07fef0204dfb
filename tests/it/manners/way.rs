//! The way to GitLab: a private authority, a proxy, and what the doctor says of them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::simulator::CheckStatus;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::world::{Ground, PLAIN_POLICY, World, join, tls};

/// A name that no resolver knows.
const NAME: &str = "gitlab.internal.invalid";

/// A forward proxy that lets through who knows its password, and leads every name to one server: by a tunnel, or by handing
/// on what was asked in clear.
struct ForwardProxy {
    port: u16,
    connections: Arc<AtomicU64>,
}

async fn forward_proxy(to: u16) -> ForwardProxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let is_known =
                    head.contains("Basic Ym90OnNlc2FtZQ==") || head.contains("basic Ym90OnNlc2FtZQ==");
                if !is_known {
                    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
                    let _gone = stream.write_all(refusal).await;
                    return;
                }
                counter.fetch_add(1, Ordering::Relaxed);
                let to = ([127, 0, 0, 1], to).into();
                if head.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                    join(stream, to).await;
                } else {
                    assert!(head.contains(" http://"), "a proxy must be told where to: {head}");
                    let (reading, writing) = tokio::io::split(stream);
                    join(tokio::io::join(std::io::Cursor::new(head).chain(reading), writing), to).await;
                }
            });
        }
    });
    ForwardProxy { port, connections }
}

fn write(ground: &Ground, name: &str, text: &str) -> PathBuf {
    let path = ground.folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Opens a merge request and demands that it passes.
async fn demand_service(ground: Ground) {
    let world = World::start_on(ground).await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "by this way").await;
    world.end().await;
}

/// What `doctor` says of GitLab, as topic, severity, words and remedy.
async fn doctor(ground: &Ground) -> Vec<[String; 4]> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["doctor", "--output", "json"]).env_clear().envs(ground.environment());
    command.current_dir(ground.folder.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap().iter();
    let of_gitlab = findings.filter(|finding| finding["subject"] == "GitLab");
    of_gitlab
        .map(|finding| {
            ["topic", "severity", "what", "remedy"]
                .map(|field| finding[field].as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gitlab_of_a_private_authority_is_believed_with_its_certificate_and_not_without() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let tls = tls("localhost", ground.simulator.url()).await;
    let ground = ground.configure("GITLAB__URL", &format!("https://localhost:{}", tls.port));
    let found = doctor(&ground).await;
    assert_eq!((found[0][0].as_str(), found[0][1].as_str()), ("reach", "wrong"), "{found:?}");
    assert!(
        found[0][2].contains("certificate") && found[0][3].contains("gitlab.ca_certificates"),
        "{found:?}"
    );
    assert_eq!(ground.gitlab.calls_to("*"), 0, "no token went to a stranger");
    let other = crate::world::tls("localhost", ground.simulator.url()).await;
    let wrong = write(&ground, "other.pem", &other.ca);
    let ground = ground.configure("GITLAB__CA_CERTIFICATES", wrong.to_str().unwrap());
    assert_eq!(doctor(&ground).await[0][0], "reach", "another authority's");
    let right = write(&ground, "ca.pem", &format!("{}{}", other.ca, tls.ca));
    let ground = ground.configure("GITLAB__CA_CERTIFICATES", right.to_str().unwrap());
    let found = doctor(&ground).await;
    assert_eq!((found[0][0].as_str(), found[0][1].as_str()), ("way", "fine"), "{found:?}");
    assert!(found[0][2].contains("ca.pem"), "{found:?}");
    demand_service(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_name_is_not_believed() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let tls = tls(NAME, ground.simulator.url()).await;
    let path = write(&ground, "ca.pem", &tls.ca);
    let ground = ground
        .configure("GITLAB__URL", &format!("https://localhost:{}", tls.port))
        .configure("GITLAB__CA_CERTIFICATES", path.to_str().unwrap());
    assert_eq!(doctor(&ground).await[0][0], "reach");
    assert_eq!(ground.gitlab.calls_to("*"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_is_reached_through_the_proxy_that_is_configured() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let tls = tls(NAME, ground.simulator.url()).await;
    let proxy = forward_proxy(tls.port).await;
    let (ca, stranger) = (write(&ground, "ca.pem", &tls.ca), format!("http://127.0.0.1:{}", proxy.port));
    let known = write(&ground, "proxy", &format!("http://bot:sesame@127.0.0.1:{}\n", proxy.port));
    let ground = ground
        .configure("GITLAB__URL", &format!("https://{NAME}"))
        .configure("GITLAB__CA_CERTIFICATES", ca.to_str().unwrap())
        .configure("GITLAB__PROXY", &stranger);
    let found = doctor(&ground).await;
    assert_eq!(found[0][0], "reach", "{found:?}");
    assert!(found[0][3].contains("gitlab.proxy"), "{found:?}");
    let ground = ground.without("GITLAB__PROXY").configure("GITLAB__PROXY_FILE", known.to_str().unwrap());
    let found = doctor(&ground).await;
    assert_eq!(found[0][0], "way", "{found:?}");
    let way = &found[0][2];
    assert!(way.contains(&format!("http://127.0.0.1:{}", proxy.port)) && !way.contains("sesame"), "{way}");
    let connections = proxy.connections.load(Ordering::Relaxed);
    demand_service(ground).await;
    assert!(proxy.connections.load(Ordering::Relaxed) > connections);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_with_tls_is_believed_by_the_configured_authorities_and_not_without() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let gitlab = tls(NAME, ground.simulator.url()).await;
    let proxy = forward_proxy(gitlab.port).await;
    let before = tls("localhost", &format!("http://127.0.0.1:{}", proxy.port)).await;
    let alone = write(&ground, "gitlab.pem", &gitlab.ca);
    let both = write(&ground, "both.pem", &format!("{}{}", gitlab.ca, before.ca));
    let ground = ground
        .configure("GITLAB__URL", &format!("https://{NAME}"))
        .configure("GITLAB__PROXY", &format!("https://bot:sesame@localhost:{}", before.port))
        .configure("GITLAB__CA_CERTIFICATES", alone.to_str().unwrap());
    let found = doctor(&ground).await;
    assert_eq!((found[0][0].as_str(), found[0][1].as_str()), ("reach", "wrong"), "{found:?}");
    assert!(found[0][2].contains("certificate") && found[0][3].contains("proxy"), "{found:?}");
    assert_eq!(proxy.connections.load(Ordering::Relaxed), 0, "no password went to a stranger");
    let ground = ground.configure("GITLAB__CA_CERTIFICATES", both.to_str().unwrap());
    let found = doctor(&ground).await;
    assert_eq!((found[0][0].as_str(), found[0][1].as_str()), ("way", "fine"), "{found:?}");
    let way = &found[0][2];
    assert!(way.contains(&format!("https://localhost:{}", before.port)) && !way.contains("sesame"), "{way}");
    let connections = proxy.connections.load(Ordering::Relaxed);
    demand_service(ground).await;
    assert!(proxy.connections.load(Ordering::Relaxed) > connections);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gitlab_in_clear_is_reached_through_a_proxy_with_tls_and_without() {
    for is_encrypted in [false, true] {
        let ground = Ground::prepare(PLAIN_POLICY).await;
        let port = ground.simulator.url().rsplit_once(':').unwrap().1.parse().unwrap();
        let proxy = forward_proxy(port).await;
        let mut ground = ground.configure("GITLAB__URL", &format!("http://{NAME}"));
        let at = if is_encrypted {
            let before = tls("localhost", &format!("http://127.0.0.1:{}", proxy.port)).await;
            let ca = write(&ground, "ca.pem", &before.ca);
            ground = ground.configure("GITLAB__CA_CERTIFICATES", ca.to_str().unwrap());
            ("https", format!("localhost:{}", before.port))
        } else {
            ("http", format!("127.0.0.1:{}", proxy.port))
        };
        let ground = ground.configure("GITLAB__PROXY", &format!("{}://{}", at.0, at.1));
        let found = doctor(&ground).await;
        assert_eq!(found[0][0], "reach", "{found:?}");
        assert!(found[0][3].contains("gitlab.proxy"), "{found:?}");
        assert_eq!(ground.gitlab.calls_to("*"), 0, "{found:?}");
        let ground = ground.configure("GITLAB__PROXY", &format!("{}://bot:sesame@{}", at.0, at.1));
        let found = doctor(&ground).await;
        assert_eq!(found[0][0], "way", "{found:?}");
        assert!(found[0][2].contains(&at.1) && !found[0][2].contains("sesame"), "{found:?}");
        let connections = proxy.connections.load(Ordering::Relaxed);
        demand_service(ground).await;
        assert!(proxy.connections.load(Ordering::Relaxed) > connections);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_is_used_but_for_what_is_excepted() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let tls = tls(NAME, ground.simulator.url()).await;
    let proxy = forward_proxy(tls.port).await;
    let ca = write(&ground, "ca.pem", &tls.ca);
    let ground = ground
        .configure("GITLAB__URL", &format!("https://{NAME}"))
        .configure("GITLAB__CA_CERTIFICATES", ca.to_str().unwrap());
    let reach = async |more: &[(&str, &str)], proxy: Option<&str>| {
        let mut environment = ground.environment();
        environment.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        environment.extend(proxy.map(|proxy| ("COUNTERSIGN__GITLAB__PROXY".to_owned(), proxy.to_owned())));
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["doctor", "--output", "json"]).env_clear().envs(environment);
        command.current_dir(ground.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        !String::from_utf8(output.stdout).unwrap().contains("\"reach\"")
    };
    let address = format!("http://bot:sesame@127.0.0.1:{}", proxy.port);
    assert!(reach(&[("HTTPS_PROXY", &address)], None).await);
    assert!(!reach(&[("HTTPS_PROXY", &address), ("NO_PROXY", "internal.invalid")], None).await);
    assert!(!reach(&[("HTTPS_PROXY", &address)], Some("none")).await);
    assert!(!reach(&[], None).await, "nobody knows its name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_or_address_is_told_before_anything_starts() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    for (key, value, words) in [
        (
            "GITLAB__CA_CERTIFICATES",
            "/nowhere/ca.pem",
            "`gitlab.ca_certificates` names `/nowhere/ca.pem`, which can't be read",
        ),
        ("GITLAB__PROXY", "bot:sesame@proxy", "`gitlab.proxy` is no address"),
        ("GITLAB__CALLS_PER_MINUTE", "3", "`gitlab.calls_per_minute` is 3"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("serve").env_clear().envs(ground.environment());
        command.env(format!("COUNTERSIGN__{key}"), value).current_dir(ground.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && !said.contains("sesame"), "{said}");
    }
}
