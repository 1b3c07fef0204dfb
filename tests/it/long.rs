//! Long runs, by name: see `tests/long`. What is small of them runs with all other tests.

use crate::{kill, races};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; run by tests/long"]
async fn kill() {
    kill::random_kills().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; run by tests/long"]
async fn races() {
    races::withdrawn_approvals().await;
    races::pushes_between_reads().await;
}
