//! The long runs of `tests/long`, which says how they are called and what they read.

use crate::bent;

/// A variable of a long run.
fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

fn seed() -> u64 {
    variable("COUNTERSIGN_TEST_SEED", 1)
}

fn scale() -> usize {
    variable("COUNTERSIGN_TEST_SCALE", 1).try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long fuzz-webhook`"]
async fn fuzz_webhook() {
    bent::bent_bodies(seed(), scale()).await;
}
