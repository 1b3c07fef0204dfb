//! The long runs of `tests/long`, which says how they are called and what they read. What is small of them runs with all
//! other tests.

use crate::{bent, kill, races};

/// A variable of a long run.
fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long fuzz-webhook`"]
async fn fuzz_webhook() {
    let scale = variable("COUNTERSIGN_TEST_SCALE", 1).try_into().unwrap();
    bent::bent_bodies(variable("COUNTERSIGN_TEST_SEED", 1), scale).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long kill`"]
async fn kill() {
    kill::random_kills().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long races`"]
async fn races() {
    races::withdrawn_approvals().await;
    races::pushes_between_reads().await;
}
