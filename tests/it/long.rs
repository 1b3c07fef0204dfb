//! The long runs of `tests/long`, which says how they are called and what they read. What is small of them runs with all
//! other tests.

use crate::world::{scale, seed};
use crate::{bent, burst, kill, manners, policy_properties, races};

#[test]
#[ignore = "long: `tests/long fuzz-policy`"]
fn fuzz_policy() {
    policy_properties::compile_mutated_texts(seed(), 6_000 * scale());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long burst`"]
async fn burst() {
    burst::burst().await;
    burst::burst_within_a_rate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long drift`"]
async fn drift() {
    crate::drift::drift().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long fuzz-webhook`"]
async fn fuzz_webhook() {
    bent::bent_bodies(seed(), scale()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long kill`"]
async fn kill() {
    kill::kills_under_load().await;
    kill::answers_that_outlive_their_sender().await;
}

#[test]
#[ignore = "long: `tests/long outage`"]
fn outage() {
    manners::day::play_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/long races`"]
async fn races() {
    races::withdrawn_approvals().await;
    races::late_answers().await;
    races::there_and_back().await;
    races::pushes_between_reads().await;
}
