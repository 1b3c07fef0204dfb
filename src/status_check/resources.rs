//! What every claimed merge request is decided with.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bundle::Bundle;
use crate::decision::Decider;
use crate::store::Queue;
use crate::telemetry::Metrics;

use super::answer::Vocabulary;
use super::pause::since_then;

/// How long a GitLab version that was found by asking is believed.
const VERSION_BELIEVED_FOR: Duration = Duration::from_secs(3600);
/// How soon it is asked for again after it could not be had; until then nobody waits for it.
const VERSION_ASKED_AGAIN: Duration = Duration::from_secs(2);

/// What the configuration says of answers.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `answers.waiting = "failed"`.
    pub waiting_is_failed: bool,
    /// `answers.undecided_after`.
    pub undecided_after: Duration,
    /// `policies.stale_after`.
    pub stale_after: Duration,
}

/// The store, GitLab, the policies, and what is known of this GitLab.
pub struct Resources {
    pub(super) queue: Queue,
    pub(super) decider: Decider,
    pub(super) bundle: Arc<Bundle>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: Settings,
    version: Mutex<Version>,
}

/// What is known of GitLab's version.
#[derive(Default)]
struct Version {
    proven: Option<Vocabulary>,
    asked_again_at: Option<Instant>,
}

impl Resources {
    /// Puts the parts together; nothing is known of GitLab's version yet.
    pub fn new(
        queue: Queue,
        decider: Decider,
        bundle: Arc<Bundle>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        Self { queue, decider, bundle, metrics, settings, version: Mutex::default() }
    }

    /// What this GitLab understands; asked for once an hour, and not believed before it was had. What was had stands
    /// while the next question finds no answer: an outage must not keep a `passed` from being taken back.
    pub(super) async fn vocabulary(&self) -> Vocabulary {
        let mut version = self.version.lock().await;
        if version.asked_again_at.is_none_or(|at| at <= Instant::now()) {
            match self.decider.gitlab.gitlab_version().await {
                Ok(found) => {
                    let vocabulary = Vocabulary::from(found);
                    tracing::info!(version = %found, ?vocabulary, "GitLab's version is known");
                    version.proven = Some(vocabulary);
                    version.asked_again_at = Some(Instant::now() + VERSION_BELIEVED_FOR);
                }
                Err(error) => {
                    tracing::warn!(%error, proven = ?version.proven, "GitLab does not say its version");
                    version.asked_again_at = Some(Instant::now() + VERSION_ASKED_AGAIN);
                }
            }
        }
        version.proven.unwrap_or(Vocabulary::Unproven)
    }

    /// Doubts the version: a 400 or 404 to an answer may mean that GitLab was up- or downgraded.
    pub(super) async fn doubt_version(&self) {
        *self.version.lock().await = Version::default();
    }

    /// Whether new passes may be given.
    pub(super) fn may_grant(&self) -> bool {
        self.bundle.trouble().is_none_or(|trouble| since_then(trouble.since) < self.settings.stale_after)
    }
}
