//! One thing that is to be different in GitLab, and how it is said: to whoever installs, and to whoever asks the doctor.

use std::collections::BTreeSet;
use std::fmt;

use secrecy::SecretString;

use super::finding::Finding;
use super::trigger::{beside, listed};
use crate::gitlab::{HookPlace, ProtectedBranch, Trigger};
use crate::merge_request::{ProjectId, StatusCheckId};

/// A change. Secrets travel in it and are never shown.
#[derive(Debug, Clone)]
pub enum Change {
    /// A status check that is not there.
    CreateCheck {
        /// Where.
        project: ProjectId,
        /// Its name in GitLab, and ours.
        name: String,
        /// Where it calls.
        url: String,
        /// The protected branches that it is bound to; empty means all branches.
        branches: Vec<ProtectedBranch>,
        /// What GitLab signs with, where it can.
        secret: Option<SecretString>,
    },
    /// A status check that calls another address.
    MoveCheck {
        /// Where.
        project: ProjectId,
        /// Which.
        check: StatusCheckId,
        /// Its name in GitLab.
        name: String,
        /// Where it calls, without the query.
        from: String,
        /// Where it is to call.
        to: String,
    },
    /// The secret of a status check.
    SetSecret {
        /// Where.
        project: ProjectId,
        /// Which.
        check: StatusCheckId,
        /// Its name in GitLab.
        name: String,
        /// What GitLab is to sign with.
        secret: SecretString,
        /// Whether there was none.
        first: bool,
    },
    /// The protected branches that a status check is bound to.
    BindCheck {
        /// Where.
        project: ProjectId,
        /// Which.
        check: StatusCheckId,
        /// Its name in GitLab.
        name: String,
        /// To which it is bound; empty means all branches.
        from: Vec<ProtectedBranch>,
        /// To which it is to be bound.
        to: Vec<ProtectedBranch>,
    },
    /// A webhook that is not there.
    CreateHook {
        /// Where it is to hang.
        place: HookPlace,
        /// Where it calls.
        url: String,
        /// What it tells of.
        triggers: BTreeSet<Trigger>,
        /// What it proves itself with.
        credential: HookCredential,
    },
    /// Further events of a webhook.
    TellMore {
        /// Where it hangs.
        place: HookPlace,
        /// Which.
        hook: u64,
        /// What it is to tell of as well.
        triggers: BTreeSet<Trigger>,
    },
    /// What a webhook proves itself with.
    SetCredential {
        /// Where it hangs.
        place: HookPlace,
        /// Which.
        hook: u64,
        /// With what.
        credential: HookCredential,
        /// Whether there was none.
        first: bool,
    },
    /// Certificates that a webhook does not look at.
    VerifyCertificates {
        /// Where it hangs.
        place: HookPlace,
        /// Which.
        hook: u64,
    },
    /// "Status checks must succeed".
    RequireChecks(ProjectId),
}

/// What a webhook proves itself with.
#[derive(Debug, Clone)]
pub enum HookCredential {
    /// A token in clear.
    Token(SecretString),
    /// A signature (19.0 and later).
    Signing(SecretString),
}

impl HookCredential {
    fn noun(&self) -> &'static str {
        match self {
            Self::Token(_) => "secret token",
            Self::Signing(_) => "signing token",
        }
    }
}

/// A line of a diff: `+` what comes, `~` what becomes another.
impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateCheck { name, url, branches, secret, .. } => {
                let signed = if secret.is_some() { "signed" } else { "unsigned" };
                write!(formatter, "+ status check `{name}` → {url}, {signed}, on {}", branch_names(branches))
            }
            Self::MoveCheck { name, from, to, .. } => {
                write!(formatter, "~ status check `{name}`: address {from} → {to}")
            }
            Self::SetSecret { name, first, .. } => {
                write!(formatter, "~ status check `{name}`: shared secret {}", set(*first))
            }
            Self::BindCheck { name, from, to, .. } => {
                let (from, to) = (branch_names(from), branch_names(to));
                write!(formatter, "~ status check `{name}`: on {from} → {to}")
            }
            Self::CreateHook { url, triggers, credential, .. } => {
                write!(formatter, "+ webhook → {url}: {}; with a {}", listed(triggers), credential.noun())
            }
            Self::TellMore { hook, triggers, .. } => {
                write!(formatter, "~ webhook {hook}: also {}", listed(triggers))
            }
            Self::SetCredential { hook, credential, first, .. } => {
                write!(formatter, "~ webhook {hook}: {} {}", credential.noun(), set(*first))
            }
            Self::VerifyCertificates { hook, .. } => {
                write!(formatter, "~ webhook {hook}: certificates verified: no → yes")
            }
            Self::RequireChecks(_) => write!(formatter, "~ merging: status checks must succeed: no → yes"),
        }
    }
}

impl Change {
    /// That it has not been made yet, as the doctor says it.
    pub(super) fn finding(&self, subject: &str) -> Finding {
        let install = format!("countersign install {subject}");
        match self {
            Self::CreateCheck { url, .. } => {
                let what = format!("no status check calls {url}: GitLab asks nobody, and nothing is held up");
                Finding::wrong("status-check", subject, what, install)
            }
            Self::MoveCheck { name, from, to, .. } => {
                let what = format!("status check `{name}` calls {from} instead of {to}");
                Finding::wrong("status-check", subject, what, install)
            }
            Self::SetSecret { name, .. } => {
                let what =
                    format!("status check `{name}` has no shared secret: its deliveries are refused (401)");
                Finding::wrong("shared-secret", subject, what, install)
            }
            Self::BindCheck { name, from, to, .. } => {
                let (from, to) = (branch_names(from), branch_names(to));
                let what = format!("status check `{name}` applies on {from}, and the policies speak of {to}");
                Finding::warning("branches", subject, what, install)
            }
            Self::CreateHook { triggers, .. } => {
                let what = format!(
                    "no webhook tells of {}, which the policies read: what changes there is seen late",
                    beside(triggers)
                );
                Finding::warning("webhook", subject, what, install)
            }
            Self::TellMore { hook, triggers, .. } => {
                let what = format!(
                    "webhook {hook} does not tell of {}, which the policies read: what changes there is seen late",
                    beside(triggers)
                );
                Finding::warning("webhook-events", subject, what, install)
            }
            Self::SetCredential { hook, credential, .. } => {
                let what =
                    format!("webhook {hook} has no {}: its deliveries are refused (401)", credential.noun());
                Finding::wrong("webhook-token", subject, what, install)
            }
            Self::VerifyCertificates { hook, .. } => {
                let what =
                    format!("webhook {hook} does not verify certificates: its token goes to whoever answers");
                Finding::warning("webhook-certificates", subject, what, install)
            }
            Self::RequireChecks(_) => {
                let what = "`Status checks must succeed` is off: the check is shown and holds nothing up";
                Finding::warning("merging", subject, what, install)
            }
        }
    }
}

fn set(first: bool) -> &'static str {
    if first { "set, where there was none" } else { "set again" }
}

/// Branches in words.
pub(super) fn branch_names(branches: &[ProtectedBranch]) -> String {
    let names: Vec<_> = branches.iter().map(|branch| branch.name.as_str()).collect();
    if names.is_empty() { "all branches".to_owned() } else { names.join(", ") }
}
