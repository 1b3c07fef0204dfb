//! Whether GitLab reaches us: what GitLab says became of a webhook's deliveries, and what we ever took. GitLab keeps no log of
//! the calls of status checks (contract section 3.1), so for those only our own memory tells.

use crate::gitlab::HookDelivery;
use crate::setup::finding::Finding;
use crate::setup::wording::moment;
use crate::store::Received;

const TOPIC: &str = "webhook-deliveries";
/// GitLab gives a webhook ten seconds.
const TIMED_OUT: f64 = 9.5;

/// What the newest deliveries of a hook say; `local`: our address is one of the local network.
pub(in crate::setup) fn examine(
    subject: &str,
    hook: u64,
    deliveries: &[HookDelivery],
    local: bool,
) -> Finding {
    let Some(newest) = deliveries.first() else {
        let what = format!("GitLab has sent nothing by webhook {hook} in the last days");
        let remedy = "press Test under Settings → Webhooks, then ask again";
        return Finding::unknown(TOPIC, subject, what, remedy);
    };
    let failures = deliveries.iter().filter(|delivery| trouble(delivery, local).is_some()).count();
    let at = newest.created_at.map(|at| format!(", {}", moment(at))).unwrap_or_default();
    match trouble(newest, local) {
        Some((cause, remedy)) => {
            let status = newest.response_status.as_deref().unwrap_or("no status");
            let what = format!(
                "webhook {hook}: the last delivery failed ({status}{at}), {failures} of the last {}: {cause}",
                deliveries.len()
            );
            Finding::wrong(TOPIC, subject, what, remedy)
        }
        None if failures > 0 => {
            let what = format!(
                "webhook {hook}: the last delivery was taken{at}, {failures} of the last {} failed",
                deliveries.len()
            );
            let remedy =
                "look at Settings → Webhooks → Edit → Recent events; what was lost can be sent again there";
            Finding::warning(TOPIC, subject, what, remedy)
        }
        None => {
            let what = format!("webhook {hook}: the last delivery was taken{at}, so were those before it");
            Finding::fine(TOPIC, subject, what)
        }
    }
}

/// What went wrong, and what to do.
fn trouble(delivery: &HookDelivery, local: bool) -> Option<(String, &'static str)> {
    let status = delivery.response_status.as_deref().unwrap_or_default();
    let Ok(code) = status.parse::<u16>() else { return Some(without_answer(delivery, local)) };
    let (cause, remedy) = match code {
        200..=299 => return None,
        300..=399 => (
            "it was sent elsewhere, and GitLab lost the body",
            "give the webhook the final address: no redirect from http to https, no sign-in before it",
        ),
        401 => (
            "we refused it: its token or signature is another one",
            "`countersign install --rotate` sets it again; or add the one that GitLab has to `webhooks.tokens`",
        ),
        403..=405 => (
            "something else answers at this address",
            "let `server.public_url` and the proxy lead to the service itself",
        ),
        413 => (
            "it was too large for something on the way",
            "let the proxy take 25 MiB (nginx: `client_max_body_size 25m`)",
        ),
        502 | 504 => {
            ("the proxy did not reach us", "start the service, and look at what the proxy says of it")
        }
        503 => ("we could not write it down", "look at `/readyz`, the log and the disk"),
        _ => ("it was answered so", "look at our log of that time"),
    };
    Some((cause.to_owned(), remedy))
}

/// GitLab got no answer. Some versions say why; where none is said, it is read off what is known.
fn without_answer(delivery: &HookDelivery, local: bool) -> (String, &'static str) {
    let texts = [&delivery.internal_error_message, &delivery.response_body];
    let text = texts.into_iter().flatten().find(|text| !text.is_empty()).map_or("", String::as_str);
    let words = text.to_lowercase();
    let says = |wanted: &[&str]| wanted.iter().any(|word| words.contains(word));
    let slow = delivery.execution_duration.is_some_and(|seconds| seconds >= TIMED_OUT);
    let remedy = if says(&["blocked", "local network"]) || (text.is_empty() && local && !slow) {
        "Admin → Settings → Network → Outbound requests: add our host and port to the allowed addresses"
    } else if says(&["ssl", "certificate", "tls"]) {
        "give our address a certificate that GitLab trusts, for this very name, with its whole chain"
    } else if says(&["resolve", "getaddrinfo", "name or service"]) {
        "let GitLab's machines resolve our name (DNS)"
    } else if says(&["expired", "timeout", "timed out"]) || slow {
        "open the way from GitLab's machines to our port: a firewall drops what is sent"
    } else if says(&["refused", "failed to open", "reset", "unreachable"]) {
        "start the service, and let it listen where GitLab calls (`server.listen`, the proxy)"
    } else {
        "read the cause under Settings → Webhooks → Edit → Recent events"
    };
    let cause = match text {
        "" if slow => "GitLab waited in vain".to_owned(),
        "" => "GitLab got no answer and does not say why".to_owned(),
        text => text.chars().filter(|character| !character.is_control()).take(160).collect(),
    };
    (cause, remedy)
}

/// What we took of a project; `applies` when a status check of ours is there.
pub(in crate::setup) fn received(subject: &str, received: Received, applies: bool) -> Finding {
    let topic = "deliveries";
    let hook = received.hook.map(|at| format!("; from a webhook {}", moment(at))).unwrap_or_default();
    match received.status_check {
        Some(at) => {
            let what = format!("the last delivery of a status check was taken {}{hook}", moment(at));
            Finding::fine(topic, subject, what)
        }
        None if !applies => {
            let what = format!("no delivery of a status check was taken in 30 days{hook}");
            Finding::unknown(topic, subject, what, "set the check up first")
        }
        None => {
            let what = format!("no delivery of a status check was taken in 30 days{hook}");
            let remedy = "change a merge request and ask again; if nothing comes look, in this order, at GitLab's local network setting, DNS and firewall from GitLab's machines, the certificate, the check's branches, its secret (401 in `countersign_deliveries_total`)";
            Finding::warning(topic, subject, what, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::finding::Severity;

    fn delivery(status: &str, body: &str, seconds: f64) -> HookDelivery {
        serde_json::from_value(serde_json::json!({
            "id": 1, "created_at": "2026-01-02T03:04:05.678Z", "response_status": status, "response_body": body,
            "execution_duration": seconds,
        }))
        .unwrap()
    }

    #[test]
    fn each_failure_says_what_to_look_at() {
        for (status, body, seconds, local, words) in [
            ("301", "", 0.1, false, "final address"),
            ("401", "{}", 0.1, false, "--rotate"),
            ("404", "<html>", 0.1, false, "server.public_url"),
            ("413", "", 0.1, false, "25 MiB"),
            ("502", "<html>", 0.1, false, "start the service"),
            ("503", "", 0.1, false, "/readyz"),
            ("418", "", 0.1, false, "our log"),
            (
                "internal error",
                "URL is blocked: Requests to localhost are not allowed",
                0.0,
                true,
                "Outbound",
            ),
            ("internal error", "", 0.0, true, "Outbound"),
            ("internal error", "", 10.0, true, "firewall"),
            ("internal error", "", 0.0, false, "Recent events"),
            ("internal error", "execution expired", 10.0, false, "firewall"),
            (
                "internal error",
                "SSL_connect returned=1 errno=0 state=error: certificate verify failed",
                0.1,
                false,
                "certificate",
            ),
            ("internal error", "getaddrinfo: Name or service not known", 0.1, false, "DNS"),
            (
                "internal error",
                "Failed to open TCP connection to gate:443 (Connection refused)",
                0.1,
                false,
                "server.listen",
            ),
        ] {
            let finding = examine("shop/pay", 7, &[delivery(status, body, seconds)], local);
            assert_eq!(finding.severity(), Severity::Wrong, "{status} {body}");
            assert!(finding.remedy().unwrap().contains(words), "{status} {body}: {finding:?}");
        }
    }

    #[test]
    fn what_failed_before_is_a_warning_and_nothing_is_not_known() {
        let (good, bad) = (delivery("202", "", 0.1), delivery("502", "", 0.1));
        let severity = |deliveries: &[HookDelivery]| examine("shop/pay", 7, deliveries, false).severity();
        assert_eq!(severity(&[good.clone(), good.clone()]), Severity::Fine);
        assert_eq!(severity(&[good.clone(), bad.clone()]), Severity::Warning);
        assert_eq!(severity(&[bad, good]), Severity::Wrong);
        assert_eq!(severity(&[]), Severity::Unknown);
        let finding = examine("shop/pay", 7, &[delivery("502", "", 0.1)], false);
        assert!(finding.what.contains("2026-01-02 03:04 UTC"), "{finding:?}");
    }
}
