//! What the configuration says, as far as setting up needs it.

use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use crate::clock::Clock;
use crate::gitlab::{Client, GitlabVersion};
use crate::merge_request::{CheckName, ProjectId};
use crate::scope::{CheckAddress, ProjectScope, WEBHOOK_PATH};
use crate::shared_secret::derive_secret;

/// Which GitLab, as whom, and what is ours there.
pub struct Installation {
    /// GitLab.
    pub gitlab: Client,
    /// What calls our own address as GitLab does.
    pub http_as_gitlab: reqwest::Client,
    /// Where GitLab reaches us, in front of `/webhooks/gitlab`.
    pub public_url: Option<Url>,
    /// Which URLs are ours.
    pub address: CheckAddress,
    /// Which projects are served.
    pub scope: Arc<ProjectScope>,
    /// Which projects' checks may come without a signature.
    pub allow_unsigned: ProjectScope,
    /// What GitLab is to prove itself with.
    pub credentials: Credentials,
    /// Whether verdicts are told in other ways than by status checks: then no GitLab needs to have these.
    pub answers_otherwise: bool,
    /// `gitlab.version`
    pub gitlab_version: Option<GitlabVersion>,
    /// What time it is.
    pub clock: Clock,
}

/// What GitLab is to prove itself with: of several that are valid, the first.
#[derive(Default)]
pub struct Credentials {
    /// `webhooks.master_secret`
    pub master: Option<SecretString>,
    /// The first of `webhooks.status_check_secrets`.
    pub status_check: Option<SecretString>,
    /// The first of `webhooks.tokens`.
    pub token: Option<SecretString>,
    /// The first of `webhooks.signing_tokens`.
    pub signing: Option<SecretString>,
}

impl Credentials {
    /// What a check's deliveries are to be signed with: the project's own secret, if there is one to derive it from.
    pub(super) fn shared_secret(&self, project: ProjectId, check: &CheckName) -> Option<SecretString> {
        let own = self.master.as_ref().map(|master| derive_secret(master, project, check));
        own.or_else(|| self.status_check.clone())
    }
}

/// The address of a check, or of a hook by the name of the plain check.
pub(super) fn address_of(public_url: &Url, check: &CheckName) -> String {
    let base = public_url.as_str().trim_end_matches('/');
    if *check == CheckName::default() {
        format!("{base}{WEBHOOK_PATH}")
    } else {
        format!("{base}{WEBHOOK_PATH}/{check}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_as_ours() {
        let public = Url::parse("https://gate.example/cs/").unwrap();
        let address = CheckAddress::new(Some(public.clone()));
        for (name, url) in [
            ("countersign", "https://gate.example/cs/webhooks/gitlab"),
            ("security", "https://gate.example/cs/webhooks/gitlab/security"),
        ] {
            let name = CheckName::parse(name).unwrap();
            assert_eq!(address_of(&public, &name), url);
            assert_eq!(address.name_of(url), Some(name));
        }
    }
}
