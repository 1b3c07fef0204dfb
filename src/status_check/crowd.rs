//! Events that may concern many merge requests: a push to a target branch, a member who comes or goes. Each of those whom
//! the event can concern is looked at, within the budget of calls that nobody waits for.
//!
//! Crowds take turns, a few merge requests each, and no turn comes long before its looks are due: a small crowd does not wait
//! behind a large one, a merge request that somebody waits for behind neither, and the same event again adds nothing to
//! what has not begun. What was done is on disk, so that a crash repeats one turn at most.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::companion::Companion;
use crate::store::{CrowdTurn, StoreError};

use super::pause::pause;
use super::resources::Resources;

/// How many merge requests have their turn together.
const AT_ONCE: usize = 20;
/// How long before its looks are due a turn may come.
const AHEAD: Duration = Duration::from_secs(5);

/// Queues whom crowds concern, until `stop`.
pub(super) async fn serve_crowds(resources: Arc<Resources>, stop: CancellationToken) {
    let mut attempt = 0;
    loop {
        let turned = tokio::select! {
            () = stop.cancelled() => return,
            turned = turn(&resources) => turned,
        };
        match turned {
            Ok(()) => attempt = 0,
            Err(error) => {
                attempt += 1;
                tracing::error!(error = &error as &dyn std::error::Error, "a crowd is not queued yet");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause(attempt)) => {}
                }
            }
        }
    }
}

/// One turn of one crowd, or the wait for it.
async fn turn(resources: &Resources) -> Result<(), StoreError> {
    let Some(turn) = resources.queue.next_crowd().await? else {
        resources.queue.crowded().await;
        return Ok(());
    };
    let slot = resources.background.next(resources.clock.now());
    if let Some(begin) = slot.checked_sub(AHEAD).ok().filter(|begin| *begin > resources.clock.now()) {
        // Whoever comes meanwhile may have an earlier turn.
        tokio::select! {
            () = resources.clock.sleep_until(begin) => {}
            () = resources.queue.crowded() => {}
        }
        return Ok(());
    }
    let members = resources.queue.members(turn.clone(), AT_ONCE, slot).await?;
    let last = members.last().filter(|_| members.len() >= AT_ONCE).map(|member| member.merge_request);
    let now = resources.clock.now();
    let looks: Vec<_> = members
        .iter()
        .filter(|member| !member.is_covered && concerns(resources, &turn, member.project_path.as_deref()))
        .map(|member| (member.merge_request, resources.background.reserve(now)))
        .collect();
    let looks_count = looks.len();
    if looks_count > 0 {
        let event = turn.crowd.companion.as_str();
        tracing::debug!(event, looks = looks_count, "merge requests are looked at for an event of many");
    }
    resources.queue.advance(turn, looks, last).await
}

/// Whether the event can concern merge requests of a project, by its path at their last look.
fn concerns(resources: &Resources, turn: &CrowdTurn, project_path: Option<&str>) -> bool {
    match turn.crowd.companion {
        // The path at the last look is that of before.
        Companion::Move => true,
        companion => resources.bundle.is_moved_by(companion, project_path),
    }
}
