//! On whose behalf calls are made, without a word of it in every signature between.
//!
//! It never travels into a spawned task: what is spawned asks for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::merge_request::ProjectId;

use super::turns::Share;

tokio::task_local! {
    static ASKER: Asker;
}

#[derive(Clone)]
struct Asker {
    project: ProjectId,
    held_back: Arc<AtomicBool>,
}

/// Makes all calls of `work` on behalf of a project: where calls have to wait, projects take turns.
pub async fn on_behalf_of<T>(project: ProjectId, work: impl Future<Output = T>) -> T {
    ASKER.scope(Asker { project, held_back: Arc::default() }, work).await
}

/// Whether a call of the work at hand got no answer for no other reason than that all calls have to wait: what came of it
/// says nothing of what was asked for.
pub fn was_held_back() -> bool {
    ASKER.try_with(|asker| asker.held_back.load(Ordering::Relaxed)).unwrap_or(false)
}

pub(super) fn note_held_back() {
    // Whoever asks for nobody is told by the error alone.
    let _nobody = ASKER.try_with(|asker| asker.held_back.store(true, Ordering::Relaxed));
}

pub(super) fn share() -> Share {
    ASKER.try_with(|asker| asker.project).ok()
}
