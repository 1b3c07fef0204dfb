//! What the configuration says of answers.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use crate::gitlab::GitlabVersion;
use crate::merge_request::CheckName;
use crate::scope::WEBHOOK_PATH;

/// GitLab takes no longer address for a commit status.
const LONGEST_PAGE: usize = 255;

/// What the configuration says of answers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `answers.waiting = "failed"`.
    pub waiting_is_failed: bool,
    /// `answers.heartbeat_for`.
    pub heartbeat_for: Duration,
    /// `answers.heartbeats_per_minute`.
    pub heartbeats_per_minute: u32,
    /// `answers.undecided_after`.
    pub undecided_after: Duration,
    /// `policies.stale_after`.
    pub stale_after: Duration,
    /// `sweep.recent`; none for never.
    pub sweep_recent: Option<Duration>,
    /// `sweep.full`; none for never.
    pub sweep_full: Option<Duration>,
    /// `gitlab.background_calls_per_minute`.
    pub background_calls_per_minute: u32,
    /// `gitlab.version`.
    pub gitlab_version: Option<GitlabVersion>,
    /// The other ways to answer.
    pub mirrors: Mirrors,
}

/// The other ways to answer, each on or off.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    /// `answers.commit_status`.
    pub commit_status: bool,
    /// `answers.note`.
    pub note: bool,
    /// `answers.approval`.
    pub approval: bool,
    /// `answers.labels`.
    pub labels: StateLabels,
    /// `server.public_url`: where people can read more.
    pub public_url: Option<Url>,
}

/// The label of each state, where one is named.
#[derive(Debug, Clone, Default)]
pub struct StateLabels {
    /// Every check passes.
    pub passed: Option<String>,
    /// A check fails.
    pub failed: Option<String>,
    /// Something is missing.
    pub waiting: Option<String>,
    /// It can't be decided.
    pub undecided: Option<String>,
}

impl Mirrors {
    /// Whether any is on: then a verdict shows somewhere although GitLab has no status checks.
    pub fn is_any(&self) -> bool {
        self.commit_status || self.note || self.approval || !self.labels.all().is_empty()
    }

    /// The address of the page about a check, where there is one that GitLab takes.
    pub(super) fn page_of(&self, check: &CheckName) -> Option<String> {
        let base = self.public_url.as_ref()?.as_str().trim_end_matches('/');
        let name = if *check == CheckName::default() { String::new() } else { format!("/{check}") };
        let page = format!("{base}{WEBHOOK_PATH}{name}");
        (page.len() <= LONGEST_PAGE).then_some(page)
    }
}

impl StateLabels {
    /// All of them: they are ours, whoever sets them.
    pub(super) fn all(&self) -> BTreeSet<String> {
        let labels = [&self.passed, &self.failed, &self.waiting, &self.undecided];
        labels.into_iter().flatten().cloned().collect()
    }
}
