//! Ordinary webhooks of projects and groups: how they are set up, and what became of their deliveries (contract section
//! 4). For Maintainers of the project, Owners of the group.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reqwest::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::merge_request::ProjectId;

use super::client::Client;
use super::error::Error;
use super::external_status_checks::exposed;
use super::metadata::GitlabVersion;

/// So many deliveries are looked at: each comes with its whole body.
const EVENTS_PER_PAGE: &str = "20";

/// Where a hook hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPlace {
    /// At a project.
    Project(ProjectId),
    /// At a group: it hears of all projects below it.
    Group(u64),
}

impl HookPlace {
    fn path(self) -> String {
        match self {
            Self::Project(id) => format!("projects/{id}/hooks"),
            Self::Group(id) => format!("groups/{id}/hooks"),
        }
    }

    fn route(self, project: &'static str, group: &'static str) -> &'static str {
        match self {
            Self::Project(_) => project,
            Self::Group(_) => group,
        }
    }
}

/// What a hook can be told to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Merge requests.
    MergeRequests,
    /// Comments.
    Notes,
    /// Internal comments.
    ConfidentialNotes,
    /// Pipelines.
    Pipelines,
    /// Jobs.
    Jobs,
    /// Emoji.
    Emoji,
    /// Issues.
    Issues,
    /// Pushes.
    Pushes,
    /// Members of groups.
    Members,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 9] = [
        Self::MergeRequests,
        Self::Notes,
        Self::ConfidentialNotes,
        Self::Pipelines,
        Self::Jobs,
        Self::Emoji,
        Self::Issues,
        Self::Pushes,
        Self::Members,
    ];

    /// The field of the API.
    fn flag(self) -> &'static str {
        match self {
            Self::MergeRequests => "merge_requests_events",
            Self::Notes => "note_events",
            Self::ConfidentialNotes => "confidential_note_events",
            Self::Pipelines => "pipeline_events",
            Self::Jobs => "job_events",
            Self::Emoji => "emoji_events",
            Self::Issues => "issues_events",
            Self::Pushes => "push_events",
            Self::Members => "member_events",
        }
    }

    /// What it tells of, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::MergeRequests => "merge requests",
            Self::Notes => "comments",
            Self::ConfidentialNotes => "internal comments",
            Self::Pipelines => "pipelines",
            Self::Jobs => "jobs",
            Self::Emoji => "emoji",
            Self::Issues => "issues",
            Self::Pushes => "pushes",
            Self::Members => "members",
        }
    }

    /// Whether a GitLab of this version has it.
    pub fn exists_in(self, version: GitlabVersion) -> bool {
        let since = match self {
            Self::Emoji => GitlabVersion { major: 16, minor: 2 },
            // Since then of those who leave as well.
            Self::Members => GitlabVersion { major: 13, minor: 8 },
            _ => return true,
        };
        version >= since
    }

    /// Whether only hooks of groups have it.
    pub fn is_for_groups(self) -> bool {
        self == Self::Members
    }
}

/// A hook as it is set up. Its tokens can't be read.
#[derive(Debug, Clone, Deserialize)]
pub struct Hook {
    /// GitLab's id.
    pub id: u64,
    /// Where it calls.
    pub url: String,
    /// Whether certificates are verified.
    pub enable_ssl_verification: Option<bool>,
    /// `executable`, `temporarily_disabled` or `disabled`.
    pub alert_status: Option<String>,
    /// Until when it is disabled.
    pub disabled_until: Option<Timestamp>,
    /// Whether it has a secret token, where GitLab says so.
    pub token_present: Option<bool>,
    /// Whether it has a signing token (19.0 and later).
    pub signing_token_present: Option<bool>,
    /// What it sends instead of GitLab's body.
    pub custom_webhook_template: Option<String>,
    #[serde(flatten)]
    flags: Map<String, Value>,
}

impl Hook {
    /// Whether it tells of something.
    pub fn tells_of(&self, trigger: Trigger) -> bool {
        self.flags.get(trigger.flag()) == Some(&Value::Bool(true))
    }
}

/// What a hook is to be; what is none or not named stays as it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HookSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    token: Option<SecretString>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    signing_token: Option<SecretString>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_ssl_verification: Option<bool>,
    #[serde(flatten)]
    flags: BTreeMap<&'static str, bool>,
}

impl HookSettings {
    /// A new hook. GitLab ticks pushes where nothing is said of them.
    pub fn at(url: &str) -> Self {
        Self {
            url: Some(url.to_owned()),
            flags: BTreeMap::from([(Trigger::Pushes.flag(), false)]),
            ..Self::default()
        }
    }

    /// That it tells of these as well.
    #[must_use]
    pub fn telling_of(mut self, triggers: &BTreeSet<Trigger>) -> Self {
        self.flags.extend(triggers.iter().map(|trigger| (trigger.flag(), true)));
        self
    }

    /// With credentials; what is none stays as it is.
    #[must_use]
    pub fn with_credentials(mut self, token: Option<SecretString>, signing: Option<SecretString>) -> Self {
        (self.token, self.signing_token) = (token, signing);
        self
    }

    /// That certificates are verified.
    #[must_use]
    pub fn verifying_certificates(mut self) -> Self {
        self.enable_ssl_verification = Some(true);
        self
    }
}

/// What became of one delivery.
#[derive(Debug, Clone, Deserialize)]
pub struct HookDelivery {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// When it was sent.
    pub created_at: Option<Timestamp>,
    /// The status code that it was answered with, or `internal error`.
    pub response_status: Option<String>,
    /// How long it took, in seconds.
    pub execution_duration: Option<f64>,
    /// The beginning of the answer.
    pub response_body: Option<String>,
    /// What went wrong on GitLab's side, where it says so.
    pub internal_error_message: Option<String>,
}

impl Client {
    /// Reads the hooks of a project or group.
    pub async fn hooks(&self, place: HookPlace) -> Result<Vec<Hook>, Error> {
        let route = place.route("GET /projects/:id/hooks", "GET /groups/:id/hooks");
        self.read_list(route, &place.path(), &[]).await
    }

    /// Creates a hook.
    pub async fn create_hook(&self, place: HookPlace, settings: &HookSettings) -> Result<Hook, Error> {
        let route = place.route("POST /projects/:id/hooks", "POST /groups/:id/hooks");
        self.write_for(Method::POST, route, &place.path(), settings).await
    }

    /// Changes a hook.
    pub async fn change_hook(
        &self,
        place: HookPlace,
        hook: u64,
        settings: &HookSettings,
    ) -> Result<Hook, Error> {
        let route = place.route("PUT /projects/:id/hooks/:hook_id", "PUT /groups/:id/hooks/:hook_id");
        self.write_for(Method::PUT, route, &format!("{}/{hook}", place.path()), settings).await
    }

    /// Reads what became of the newest deliveries of a hook, newest first (17.3 and later).
    pub async fn hook_deliveries(&self, place: HookPlace, hook: u64) -> Result<Vec<HookDelivery>, Error> {
        let route =
            place.route("GET /projects/:id/hooks/:hook_id/events", "GET /groups/:id/hooks/:hook_id/events");
        let path = format!("{}/{hook}/events", place.path());
        let (mut deliveries, _): (Vec<HookDelivery>, bool) =
            self.read_page(route, &path, &[("per_page", EVENTS_PER_PAGE)]).await?;
        deliveries.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
        Ok(deliveries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_tells_of_what_is_ticked_and_is_sent_only_what_is_meant() {
        let hook: Hook = serde_json::from_value(serde_json::json!({
            "id": 7, "url": "https://gate.example/webhooks/gitlab", "note_events": true, "pipeline_events": false,
            "alert_status": "executable", "disabled_until": null, "created_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        assert!(hook.tells_of(Trigger::Notes) && !hook.tells_of(Trigger::Pipelines));
        assert!(!hook.tells_of(Trigger::Emoji) && hook.token_present.is_none());
        let settings = HookSettings::default().telling_of(&BTreeSet::from([Trigger::Emoji]));
        let settings = settings.with_credentials(Some("sesame".into()), None);
        let sent = serde_json::to_value(&settings).unwrap();
        assert_eq!(sent, serde_json::json!({ "token": "sesame", "emoji_events": true }));
        assert!(!format!("{settings:?}").contains("sesame"));
    }

    #[test]
    fn emoji_are_told_of_since_16_2() {
        let known = |text| Trigger::ALL.map(|it| it.exists_in(GitlabVersion::parse(text).unwrap()));
        assert_eq!(known("16.1").iter().filter(|known| !**known).count(), 1);
        assert_eq!(known("16.2"), [true; 9]);
    }
}
