//! How a worker comes to rest.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long claimed merge requests may take once the service stops; with the server's own time it stays below 10 s.
const DRAIN: Duration = Duration::from_secs(5);

/// Waits for a worker that was told to stop; what it does not finish in time is handed back.
pub(super) async fn drain(mut working: JoinHandle<()>, abort: &CancellationToken) {
    if tokio::time::timeout(DRAIN, &mut working).await.is_err() {
        tracing::warn!("handing back what is not finished");
        abort.cancel();
        let _worked = working.await;
    }
}
