//! A look back: what changed while nobody listened is found without a delivery.
//!
//! At start, and after a time in which deliveries could not be made durable or GitLab could not be reached: from the
//! last durable write (or the begin of that time) minus ten minutes, over the projects that were ever seen. What is
//! found becomes rows of the queue, within the budget of calls that nobody waits for. A sweep that fails is owed, also
//! after a restart, until it was made.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::gitlab::Error;
use crate::merge_request::{MergeRequestRef, ProjectId};
use crate::store::StoreError;

use super::pause::pause;
use super::resources::Resources;

/// How much further back a sweep looks than the last durable write: clocks differ, and deliveries are under way.
const MARGIN: Duration = Duration::from_secs(600);
/// The least time between two sweeps.
const REST: Duration = Duration::from_secs(30);
/// How many merge requests are queued with one commit.
const QUEUED_AT_ONCE: usize = 200;

/// Why a sweep did not come to its end.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Gitlab(#[from] Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sweeps at start and whenever something may have been lost, until `stop`.
pub(super) async fn sweep_when_needed(resources: Arc<Resources>, stop: CancellationToken) {
    let mut since = resources.queue.last_written().map(|written| written.min(resources.clock.now()));
    loop {
        if let Some(lost_since) = since.take() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sweep_until_done(&resources, lost_since) => {}
            }
            // Whoever makes us turn deliveries away must not make us sweep without end.
            tokio::select! {
                () = stop.cancelled() => return,
                () = resources.clock.sleep(REST) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            lost_since = resources.queue.recovered() => since = Some(lost_since),
            lost_since = resources.outage.over() => since = Some(lost_since),
        }
    }
}

/// Owes the sweep first, so that a crash can't forget it. What was swept once is not swept again for the sake of a project
/// that can't be.
async fn sweep_until_done(resources: &Resources, lost_since: Timestamp) {
    let mut sweep = Sweep {
        since: lost_since.checked_sub(MARGIN).unwrap_or(lost_since),
        left: None,
        found: HashSet::new(),
    };
    for attempt in 1.. {
        let error = match sweep.go_on(resources).await {
            Ok(()) => {
                resources.metrics.sweeps.inc();
                resources.metrics.swept.inc_by(u64::try_from(sweep.found.len()).unwrap_or(u64::MAX));
                let Sweep { since, found, .. } = sweep;
                tracing::info!(%since, found = found.len(), "swept: what changed while nobody listened is queued");
                return;
            }
            Err(error) => error,
        };
        tracing::warn!(since = %sweep.since, attempt, error = &error as &dyn std::error::Error,
            "not swept yet; tried again");
        let asked = if let SweepError::Gitlab(error) = &error { error.retry_after() } else { None };
        resources.clock.sleep(asked.unwrap_or_else(|| pause(attempt))).await;
    }
}

/// A sweep under way.
struct Sweep {
    since: Timestamp,
    /// The projects that are not swept yet; none before it began.
    left: Option<Vec<ProjectId>>,
    /// The merge requests that it queued: each once, for a second turn in the budget would be taken from others.
    found: HashSet<MergeRequestRef>,
}

impl Sweep {
    /// Sweeps what is left; fails with the last of the failures.
    async fn go_on(&mut self, resources: &Resources) -> Result<(), SweepError> {
        let left = if let Some(left) = self.left.take() {
            left
        } else {
            self.since = resources.queue.owe_sweep(self.since).await?;
            let projects = resources.queue.projects_seen().await?;
            queue_what_may_pass(resources, &mut self.found).await?;
            projects
        };
        let (mut failed, mut failure) = (Vec::new(), None);
        for project in left {
            match changed_since(resources, project, self.since).await {
                Ok(changed) => queue(resources, changed, &mut self.found).await?,
                // One project that is gone or hidden must not keep the others from being swept.
                Err(error) if !error.is_curable() => {
                    tracing::warn!(%project, %error, "a project can't be swept");
                }
                Err(error) => {
                    failed.push(project);
                    failure = Some(error);
                }
            }
        }
        self.left = Some(failed);
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(resources.queue.sweep_done(self.since).await?),
        }
    }
}

/// What changed in a project, on GitLab's clock.
async fn changed_since(
    resources: &Resources,
    project: ProjectId,
    since: Timestamp,
) -> Result<Vec<MergeRequestRef>, Error> {
    let since = resources.on_gitlabs_clock(since);
    let changed = resources.decider.gitlab.open_merge_requests_updated_after(project, since).await;
    match &changed {
        Ok(_) => resources.outage.note_success(resources.clock.now()),
        Err(error) => resources.outage.note_failure(error, resources.clock.now()),
    }
    changed
}

/// GitLab dates neither a pipeline nor a membership nor a foreign status into the merge request: where a `passed` may
/// show it is looked at in any case.
async fn queue_what_may_pass(
    resources: &Resources,
    found: &mut HashSet<MergeRequestRef>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = resources.queue.that_may_pass(after, QUEUED_AT_ONCE).await?;
        after = page.last().copied();
        if after.is_none() {
            return Ok(());
        }
        queue(resources, page, found).await?;
    }
}

/// Queues those that were not found before.
async fn queue(
    resources: &Resources,
    mut which: Vec<MergeRequestRef>,
    found: &mut HashSet<MergeRequestRef>,
) -> Result<(), StoreError> {
    which.retain(|merge_request| !found.contains(merge_request));
    for some in which.chunks(QUEUED_AT_ONCE) {
        let now = resources.clock.now();
        let slots = some.iter().map(|merge_request| (*merge_request, resources.background.reserve(now)));
        resources.queue.ask_for_look(slots.collect()).await?;
        // Not before: what could not be written down is to be queued by the next try.
        found.extend(some);
    }
    Ok(())
}
