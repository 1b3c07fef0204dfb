//! Which GitLab it is, what it can be told, and whether its clock is ours.

use jiff::Timestamp;

use crate::gitlab::{Dated, Error, GitlabVersion, Instance};
use crate::setup::finding::Finding;
use crate::setup::installation::Installation;
use crate::status_check::Vocabulary;

const SUBJECT: &str = "GitLab";
/// A signed webhook is refused when its time is five minutes off (contract section 4.2).
const TOO_FAR: u64 = 240;
/// Beyond this a clock is not kept.
const FAR: u64 = 30;

/// What is found of the instance; `now` is our own time of the answer.
pub(in crate::setup) fn examine(
    instance: &Result<Dated<Instance>, Error>,
    installation: &Installation,
    now: Timestamp,
) -> Vec<Finding> {
    let Dated { value: instance, date } = match instance {
        Ok(instance) => instance,
        // The token's own finding says what is wrong with it.
        Err(Error::Unauthorized { .. }) => return Vec::new(),
        Err(error) => return vec![unreached(error)],
    };
    let way = installation.gitlab.way();
    let mut findings: Vec<_> = way.map(|way| Finding::fine("way", SUBJECT, way)).into_iter().collect();
    findings.push(version(instance, installation.gitlab_version));
    if instance.enterprise == Some(false) && installation.answers_otherwise {
        let what = "this is the Community Edition; verdicts are told in the other ways that `answers` names";
        findings.push(Finding::fine("edition", SUBJECT, what));
    } else if instance.enterprise == Some(false) {
        let what = "this is the Community Edition, which has no external status checks";
        let remedy = "install the Enterprise Edition with an Ultimate licence";
        findings.push(Finding::wrong("edition", SUBJECT, what, remedy));
    }
    findings.extend(date.map(|date| clock(date, now)));
    findings
}

fn unreached(error: &Error) -> Finding {
    let remedy = match error {
        Error::Redirected { .. } => {
            "`gitlab.url` must be the final address: redirects elsewhere are not followed"
        }
        Error::NoAnswer { reason, .. } if reason.contains("certificate") => {
            "`gitlab.ca_certificates` must name the certificate of the authority that signed GitLab's (and a proxy's that is called by https), and `gitlab.url` its host"
        }
        Error::NoAnswer { reason, .. } if reason.contains("tunnel") || reason.contains("proxy") => {
            "look at `gitlab.proxy`, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY: the proxy does not let us through"
        }
        _ => "look at `gitlab.url`, DNS, the proxy and the certificate from this machine",
    };
    Finding::wrong("reach", SUBJECT, error.to_string(), remedy)
}

/// `told`: as which version it is to be answered, if the operator says so.
fn version(instance: &Instance, told: Option<GitlabVersion>) -> Finding {
    let topic = "version";
    let text = match told {
        Some(told) => format!("{}, answered as {told} (`gitlab.version`),", instance.text),
        None => instance.text.clone(),
    };
    let Some(version) = instance.version else {
        let what = format!("`{text}` is no version that is understood: nothing but a proven pass is said");
        return Finding::warning(topic, SUBJECT, what, "tell the people who make countersign");
    };
    let upgrade = "upgrade GitLab to 17.3 or later";
    match Vocabulary::of(version, told) {
        _ if version < (GitlabVersion { major: 14, minor: 1 }) => {
            let what = format!("{text} has no external status checks that can be relied on");
            Finding::wrong(topic, SUBJECT, what, upgrade)
        }
        Vocabulary::OnlyPassed => {
            let what = format!("{text} can be told `passed` alone: a pass that does not hold any more stays");
            let remedy = format!("{upgrade}; `countersign check --gitlab-version {version}` names the rules");
            Finding::warning(topic, SUBJECT, what, remedy)
        }
        Vocabulary::WithoutPending | Vocabulary::Unproven => {
            let what = format!("{text} takes `passed` and `failed`, and does not sign its deliveries");
            Finding::warning(topic, SUBJECT, what, upgrade)
        }
        Vocabulary::Full if version < (GitlabVersion { major: 17, minor: 3 }) => {
            let what = format!("{text} takes every answer, and does not sign its deliveries");
            Finding::warning(topic, SUBJECT, what, upgrade)
        }
        Vocabulary::Full => Finding::fine(topic, SUBJECT, format!("{text} takes every answer and signs")),
    }
}

/// GitLab dates to the second, and its answer took its time.
fn clock(date: Timestamp, now: Timestamp) -> Finding {
    let off = date.as_second().abs_diff(now.as_second());
    let what = format!("its clock and ours are {off} s apart");
    let remedy = "let both keep their time (NTP)";
    match off {
        off if off <= FAR => Finding::fine("clock", SUBJECT, what),
        off if off <= TOO_FAR => Finding::warning("clock", SUBJECT, what, remedy),
        _ => Finding::wrong("clock", SUBJECT, format!("{what}: signed webhooks are refused"), remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::finding::Severity;

    #[test]
    fn each_version_says_what_it_can_be_told() {
        for (text, severity, words) in [
            ("13.12.1-ee", Severity::Wrong, "no external status checks"),
            ("14.9.0-ee", Severity::Warning, "`passed` alone"),
            ("15.4.6-ee", Severity::Warning, "`passed` and `failed`"),
            ("16.5.0-ee", Severity::Warning, "does not sign"),
            ("17.2.9-ee", Severity::Warning, "does not sign"),
            ("17.3.0-ee", Severity::Fine, "signs"),
            ("master", Severity::Warning, "no version"),
        ] {
            let version = GitlabVersion::parse(text);
            let found = super::version(&Instance { text: text.to_owned(), version, enterprise: None }, None);
            assert!(found.severity() == severity && found.what.contains(words), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_wrong_is_told_before_it_matters() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (off, severity) in [(0, Severity::Fine), (-60, Severity::Warning), (600, Severity::Wrong)] {
            assert_eq!(clock(at(10_000 + off), at(10_000)).severity(), severity, "{off}");
        }
    }
}
