//! What stands in GitLab's place when a test wants to say every byte itself: credentials, deliveries, answers.

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::world::{BOUND, sample};

/// The signing token that worlds of these tests know.
pub const SIGNING_TOKEN: &str = "whsec_c2VzYW1lLW9mLXRoZS1zaWduaW5nLXRva2VuLTAwMDA=";

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| client().build().unwrap());

/// A client that reuses no connection: its pool would outlive the runtime of the test that made it.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(BOUND)
}

pub type Headers = Vec<(&'static str, String)>;

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    pub text: String,
}

/// `X-Gitlab-Signature`, as GitLab makes it.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hex::encode(hmac.chain_update(body).finalize().into_bytes())
}

/// The only header of ours that a status-check delivery has.
pub fn signed(secret: &str, body: &[u8]) -> Headers {
    vec![("X-Gitlab-Signature", signature(secret, body))]
}

/// An ordinary hook with its token.
pub fn hook(event: &str, token: &str) -> Headers {
    vec![("X-Gitlab-Event", event.to_owned()), ("X-Gitlab-Token", token.to_owned())]
}

/// An ordinary hook as GitLab 19.1 signs it; the signature comes from another library than the product's.
pub fn signed_hook(event: &str, signing_token: &str, id: &str, body: &[u8]) -> Headers {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let oracle = standardwebhooks::Webhook::new(signing_token).unwrap();
    vec![
        ("X-Gitlab-Event", event.to_owned()),
        ("Idempotency-Key", id.to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", now.to_string()),
        ("webhook-signature", oracle.sign(id, now, body).unwrap()),
    ]
}

/// Posts with reqwest. An error is one of transport: nothing was answered.
pub async fn try_post(
    url: &str,
    headers: &Headers,
    body: impl Into<reqwest::Body>,
) -> Result<Reply, reqwest::Error> {
    let request = CLIENT.post(url).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    read(request.send().await?).await
}

pub async fn post(url: &str, headers: &Headers, body: impl Into<reqwest::Body>) -> Reply {
    try_post(url, headers, body).await.expect("the delivery is answered")
}

pub async fn get(url: &str) -> Reply {
    read(CLIENT.get(url).send().await.expect("the page is answered")).await.unwrap()
}

async fn read(response: reqwest::Response) -> Result<Reply, reqwest::Error> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    Ok(Reply { status, retry_after, text: response.text().await? })
}

/// Posts with curl. None: the server closed the connection without a word.
pub fn curl(url: &str, headers: &Headers, body: &[u8], arguments: &[&str]) -> Option<u16> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body).unwrap();
    let mut command = Command::new("curl");
    command.args(["--silent", "--noproxy", "*", "--max-time", &BOUND.as_secs().to_string()]);
    command.args(["--output", "/dev/null", "--write-out", "%{http_code}", "--request", "POST"]);
    for (name, value) in headers {
        // A header without a value needs a semicolon, or curl leaves it out.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        command.args(["--header", &header]);
    }
    command.args(["--data-binary", &format!("@{}", file.path().display())]).args(arguments).arg(url);
    let output = command.stdin(Stdio::null()).output().expect("curl is installed");
    let said = String::from_utf8(output.stdout).unwrap();
    match said.parse().unwrap() {
        0 => {
            // 52: an empty reply; 55 and 56: the connection broke while sending or receiving.
            assert!(
                matches!(output.status.code(), Some(52 | 55 | 56)),
                "curl failed: {output:?}",
                output = output.status
            );
            None
        }
        status => Some(status),
    }
}

/// The value of a metric, 0 while nothing was counted.
pub async fn metric(server: &str, name: &str) -> u64 {
    let text = get(&format!("{server}/metrics")).await.text;
    sample(&text, name).map_or(0, |value| value.parse().unwrap())
}

/// How many deliveries ended so.
pub async fn counted(server: &str, outcome: &str) -> u64 {
    metric(server, &format!("countersign_deliveries_total{{outcome=\"{outcome}\"}}")).await
}
