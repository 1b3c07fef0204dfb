//! The address that GitLab calls, as it looks from here. GitLab may see it otherwise, so what does not answer here is not
//! called wrong; what answers wrongly is.

use std::error::Error;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use url::{Host, Url};

use crate::scope::WEBHOOK_PATH;
use crate::setup::finding::Finding;
use crate::setup::installation::Installation;

const SUBJECT: &str = "address";
const TOPIC: &str = "address";
const PUBLIC_URL: &str = "public-url";
const TIMEOUT: Duration = Duration::from_secs(10);
/// What stands on our page, and on hardly any other.
const OURS: &str = "<title>countersign</title>";

/// What was found of the address.
pub(in crate::setup) struct Address {
    /// What to tell.
    pub(in crate::setup) findings: Vec<Finding>,
    /// Whether GitLab counts it to its local network, which it does not call unless its administrator allows it.
    pub(in crate::setup) local: bool,
}

/// Looks at the address.
pub(in crate::setup) async fn examine(installation: &Installation) -> Address {
    let Some(url) = &installation.public_url else {
        let what = "`server.public_url` is not set: every check whose path ends as ours counts as ours, whatever its host";
        let remedy = "set it to what stands before `/webhooks/gitlab` in the checks' addresses";
        return Address { findings: vec![Finding::warning(PUBLIC_URL, SUBJECT, what, remedy)], local: false };
    };
    let local = is_local(url).await;
    let mut findings = vec![scheme(url, local)];
    findings.push(call(&installation.http_as_gitlab, url).await);
    Address { findings, local }
}

fn scheme(url: &Url, local: bool) -> Finding {
    if url.scheme() == "https" || local {
        return Finding::fine(PUBLIC_URL, SUBJECT, format!("`server.public_url` is {url}"));
    }
    let what = format!("`server.public_url` is {url}: tokens of webhooks travel in clear");
    Finding::warning(PUBLIC_URL, SUBJECT, what, "put a reverse proxy with TLS before it, and say https")
}

/// Reads our own page, as GitLab would come.
async fn call(http: &reqwest::Client, url: &Url) -> Finding {
    let address = format!("{}{WEBHOOK_PATH}", url.as_str().trim_end_matches('/'));
    let answer = match http.get(&address).timeout(TIMEOUT).send().await {
        Ok(answer) => answer,
        Err(error) => return unanswered(&address, &reason_of(&error)),
    };
    let status = answer.status();
    let ours = answer.text().await.is_ok_and(|text| text.contains(OURS));
    if status.is_success() && ours {
        return Finding::fine(TOPIC, SUBJECT, format!("{address} answers with our page"));
    }
    let what = if status.is_redirection() {
        format!("{address} sends callers elsewhere ({}): GitLab loses the body on the way", status.as_u16())
    } else {
        format!("{address} answers with {} and not with our page", status.as_u16())
    };
    let remedy =
        "let `server.public_url` and the proxy lead to the service itself, without a redirect or a sign-in";
    Finding::wrong(TOPIC, SUBJECT, what, remedy)
}

fn unanswered(address: &str, reason: &str) -> Finding {
    // The latter is an authority of the same name with another key, such as one that was made anew.
    if ["UnknownIssuer", "BadSignature"].iter().any(|word| reason.contains(word)) {
        let what = format!(
            "{address} shows a certificate that is believed neither by this machine nor by `gitlab.ca_certificates`: a GitLab that does not believe it either sends nothing, without a word"
        );
        let remedy = "let an authority sign it that GitLab trusts, and name that one in `gitlab.ca_certificates` if it is your own";
        return Finding::wrong(TOPIC, SUBJECT, what, remedy);
    }
    let words = reason.to_lowercase();
    if ["certificate", "tls", "handshake"].iter().any(|word| words.contains(word)) {
        let what = format!("{address}: {reason}");
        let remedy =
            "give it a certificate that GitLab trusts, for this very name; GitLab always verifies it";
        return Finding::wrong(TOPIC, SUBJECT, what, remedy);
    }
    let what = format!("{address} does not answer from here: {reason}");
    let remedy =
        "start the service; else look at DNS, the firewall and the proxy, and try it from GitLab's machine";
    Finding::unknown(TOPIC, SUBJECT, what, remedy)
}

/// The innermost cause.
fn reason_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it took too long".to_owned() } else { cause.to_string() }
}

/// Whether an address is one that GitLab does not call by itself (contract section 3.1): all that its name stands for is
/// private, loopback or link-local.
async fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or(443);
            let found = tokio::net::lookup_host((name, port)).await;
            let addresses: Vec<_> = found.into_iter().flatten().map(|address| address.ip()).collect();
            !addresses.is_empty() && addresses.into_iter().all(is_private)
        }
        None => false,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_private(mapped.into()),
            None => {
                address == Ipv6Addr::UNSPECIFIED
                    || address.is_loopback()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        },
    }
}

/// What GitLab's network setting means for us: whether anything ever came in tells more than the address.
pub(in crate::setup) fn local_network(came_in: bool) -> Finding {
    let topic = "local-network";
    if came_in {
        let what = "it is an address of the local network, and GitLab calls it";
        return Finding::fine(topic, SUBJECT, what);
    }
    let what = "it is an address of the local network, which GitLab does not call unless it is allowed, without a word";
    let remedy =
        "Admin → Settings → Network → Outbound requests: add its host and port to the allowed addresses";
    Finding::warning(topic, SUBJECT, what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::finding::Severity;

    #[tokio::test]
    async fn addresses_of_the_local_network_are_told_from_others() {
        for (url, local) in [
            ("http://127.0.0.1:8080", true),
            ("https://10.0.0.7", true),
            ("https://192.168.1.2/cs", true),
            ("https://169.254.3.4", true),
            ("https://[::1]", true),
            ("https://[fd00::7]", true),
            ("https://[::ffff:10.0.0.7]", true),
            ("http://localhost:8080", true),
            ("https://192.0.2.10", false),
            ("https://[2001:db8::1]", false),
        ] {
            assert_eq!(is_local(&Url::parse(url).unwrap()).await, local, "{url}");
        }
    }

    #[test]
    fn a_bad_certificate_is_wrong_and_silence_is_not_known() {
        let finding = unanswered("https://gate.example", "invalid peer certificate: UnknownIssuer");
        assert_eq!(finding.severity(), Severity::Wrong);
        let finding = unanswered("https://gate.example", "Connection refused (os error 111)");
        assert_eq!(finding.severity(), Severity::Unknown);
    }
}
