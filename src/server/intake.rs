//! What deliveries are taken with.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::companion::Companion;
use crate::merge_request::UserId;
use crate::scope::{CheckAddress, ProjectScope};
use crate::store::Queue;
use crate::telemetry::Metrics;

use super::authentication::Secrets;

/// What the intake needs.
pub struct Intake {
    /// Where deliveries go.
    pub queue: Queue,
    /// What they are verified with.
    pub secrets: Secrets,
    /// `gitlab.projects`.
    pub scope: Arc<ProjectScope>,
    /// `webhooks.allow_unsigned`.
    pub allow_unsigned: ProjectScope,
    /// Which URLs are ours.
    pub address: CheckAddress,
    /// Where outcomes are counted.
    pub metrics: Arc<Metrics>,
    /// Whether an event can change what is decided of merge requests of a project, by its path if that is known.
    pub is_moved_by: Arc<IsMovedBy>,
    /// Who hears that the access token of a user will expire soon.
    pub expiring_tokens: mpsc::Sender<UserId>,
}

/// See [`Intake::is_moved_by`].
pub type IsMovedBy = dyn Fn(Companion, Option<&str>) -> bool + Send + Sync;
