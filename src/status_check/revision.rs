//! New policies: every open merge request is decided again, those first on which a `passed` may show.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::StoreError;

use super::pause::pause;
use super::resources::Resources;

/// How many merge requests are queued with one commit; deliveries wait for no more than that.
const QUEUED_AT_ONCE: usize = 500;
/// How soon it is looked again whether fewer are waiting.
const DRAINING: Duration = Duration::from_millis(50);
/// How often the policies in force are compared with the row that says so.
const GLANCE: Duration = Duration::from_millis(500);

/// Follows the policies in force: writes them down as a row and queues what was decided under others, until `stop`.
pub(super) async fn follow(resources: Arc<Resources>, stop: CancellationToken) {
    let (mut followed, mut attempt) = (None, 0);
    loop {
        let revision = resources.bundle.current().revision().clone();
        if followed.as_ref() != Some(&revision) {
            match queue_for(&resources, revision.as_str(), &stop).await {
                Ok(()) => (followed, attempt) = (Some(revision), 0),
                Err(error) => {
                    attempt += 1;
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "new policies are not followed yet"
                    );
                }
            }
        }
        let rest = if attempt == 0 { GLANCE } else { pause(attempt) };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(rest) => {}
        }
    }
}

async fn queue_for(
    resources: &Resources,
    revision: &str,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    resources.queue.activate_revision(revision.to_owned()).await?;
    let mut queued = 0;
    while !stop.is_cancelled() {
        if resources.bundle.current().revision().as_str() != revision {
            // Others are in force by now, and these are a row of their own when they come back.
            break;
        }
        // Events must not wait behind all merge requests that there are; those on which a pass may show must not wait.
        let crowded = resources.queue.due_now(QUEUED_AT_ONCE).await? == QUEUED_AT_ONCE;
        let some = resources.queue.queue_for_revision(QUEUED_AT_ONCE, !crowded).await?;
        queued += some;
        match (some, crowded) {
            (0, false) => break,
            (0, true) => tokio::time::sleep(DRAINING).await,
            _ => {}
        }
    }
    if queued > 0 {
        tracing::info!(queued, "open merge requests are decided again under the policies in force");
    }
    Ok(())
}
