//! The same delivery twenty times at once.

use std::sync::Arc;
use std::time::Duration;

use countersign::simulator::CheckStatus;

use crate::policies;
use crate::stage::delivery::{PATH, signature};
use crate::stage::ground::Ground;
use crate::stage::load::{self, Requests};

const TIMES: usize = 20;

pub async fn run(latency: Duration) {
    println!("\n{TIMES} equal deliveries on one merge request, {latency:?} a call, approvals by group");
    let ground = Ground::start(policies::APPROVALS).await;
    ground.slow_down(latency);
    let which = ground.open_quietly(1)[0];
    ground.gitlab.add_label(which, "look").expect("a label");
    ground.settle().await;
    ground.silently(|| ground.approve(which));
    let delivery = ground.gitlab.deliveries().pop().expect("GitLab wrote one");
    let mut requests = Requests::default();
    for _ in 0..TIMES {
        requests.push(PATH, &signature(&delivery.body), &delivery.body);
    }
    ground.gitlab.forget_calls();
    let before = ground.metrics.read().await.evaluations();
    let address = ground.product.address();
    let outcome = load::flood(address, &Arc::new(requests), 0..TIMES, TIMES, Duration::from_secs(30)).await;
    let taken = outcome.all_taken("the product").taken();
    ground.metrics.until_idle(Duration::from_secs(30)).await;
    assert_eq!(taken, TIMES, "all are taken");
    assert_eq!(ground.status(which), CheckStatus::Passed, "the approval counts");
    let evaluations = ground.metrics.read().await.evaluations() - before;
    let (reads, posts) = ground.calls();
    println!("  {taken} taken: {evaluations:.0} evaluations, {reads} reads, {posts} posts");
    ground.end().await;
    println!("  quoted, not run here: policy-bot 20 evaluations, 180 calls, 20 of them posts");
}
