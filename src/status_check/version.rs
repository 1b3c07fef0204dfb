//! What this GitLab understands, by its version: asked for once an hour, and not believed before it was had.
//!
//! Once it was had nobody waits for the next question: an outage, or reads that have to wait, must not keep a `passed` from
//! being taken back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::gitlab::{Client, Error, GitlabVersion};
use crate::telemetry::{Repetition, Telling};

use super::answer::Vocabulary;

/// How long a GitLab version that was found by asking is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(3600);
/// How soon it is asked for again after it could not be had; until then nobody waits for it.
const ASKED_AGAIN: Duration = Duration::from_secs(2);

/// What is known of GitLab's version; clones know the same.
#[derive(Clone)]
pub(super) struct KnownVersion(Arc<Inner>);

struct Inner {
    gitlab: Client,
    /// `gitlab.version`.
    configured: Option<GitlabVersion>,
    clock: Clock,
    untold: Repetition,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    proven: Option<Vocabulary>,
    asked_again_at: Option<Timestamp>,
}

impl KnownVersion {
    /// Nothing is known yet.
    pub(super) fn new(gitlab: Client, configured: Option<GitlabVersion>, clock: Clock) -> Self {
        let (untold, state) = (Repetition::default(), Mutex::default());
        Self(Arc::new(Inner { gitlab, configured, clock, untold, state }))
    }

    /// What may be said. Waits for GitLab's word only while there never was one.
    pub(super) async fn vocabulary(&self) -> Vocabulary {
        let mut state = self.0.state.lock().await;
        if state.asked_again_at.is_none_or(|at| at <= self.0.clock.now()) {
            if state.proven.is_some() {
                let until = self.0.clock.now() + BELIEVED_FOR;
                state.asked_again_at = Some(until);
                tokio::spawn(self.clone().ask_beside(until));
            } else {
                let found = self.0.gitlab.gitlab_version().await;
                self.take_in(&mut state, found);
            }
        }
        state.proven.unwrap_or(Vocabulary::Unproven)
    }

    /// Doubts it: a 400 or 404 to an answer may mean that GitLab was up- or downgraded.
    pub(super) async fn doubt(&self) {
        *self.0.state.lock().await = State::default();
    }

    async fn ask_beside(self, believed_until: Timestamp) {
        let found = self.0.gitlab.gitlab_version().await;
        let mut state = self.0.state.lock().await;
        // Doubted meanwhile: what was asked before that proves nothing.
        if state.asked_again_at == Some(believed_until) {
            self.take_in(&mut state, found);
        }
    }

    fn take_in(&self, state: &mut State, found: Result<GitlabVersion, Error>) {
        let now = self.0.clock.now();
        let asked_again = match found {
            Ok(found) => {
                let vocabulary = Vocabulary::of(found, self.0.configured);
                tracing::info!(version = %found, ?vocabulary, "GitLab's version is known");
                state.proven = Some(vocabulary);
                BELIEVED_FOR
            }
            Err(error) => {
                if let Some(Telling { left_out }) = self.0.untold.tell(now) {
                    let proven = state.proven;
                    tracing::warn!(%error, ?proven, left_out, "GitLab does not say its version");
                }
                ASKED_AGAIN
            }
        };
        state.asked_again_at = Some(now + asked_again);
    }
}
