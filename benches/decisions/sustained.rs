//! Decisions a second that can be kept up, with calls that take their time: first what is possible at all, then a steady
//! load below it, and whether the queue grows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::merge_request::MergeRequestRef;

use crate::policies;
use crate::stage::delivery::Writer;
use crate::stage::figures::median;
use crate::stage::ground::Ground;
use crate::stage::load::{self, Requests};

const CONNECTIONS: usize = 64;
/// The steady load is this share of what was found to be possible.
const SHARE: f64 = 0.9;
/// How often the queue is looked at under the steady load.
const LOOKS: u32 = 40;

pub async fn run(count: usize, lasting: Duration, latency: Duration, rate: Option<f64>) {
    for (name, policy) in [("title and labels", policies::TITLE), ("approvals by group", policies::APPROVALS)]
    {
        println!("\nsustained, {latency:?} a call, {count} merge requests, {name}");
        let ground = Ground::start(policy).await;
        ground.slow_down(latency);
        let merge_requests = ground.open_quietly(count);
        ground.silently(|| merge_requests.iter().for_each(|which| ground.approve(*which)));
        let load = Load::new(&ground, &merge_requests);
        let first = drain(&ground, load.next(count)).await;
        println!("  seen for the first time, all at once: {first:.0} decisions/s, each with its answer");
        let possible = drain(&ground, load.next(count)).await;
        println!("  known and unchanged, all at once: {possible:.0} decisions/s, nothing to say");
        steady(&ground, &load, rate.unwrap_or(possible * SHARE), lasting).await;
        println!(
            "  memory of the product: {:.1} MB now, {:.1} at most",
            ground.product.resident(),
            ground.product.peak()
        );
        ground.end().await;
    }
    println!("  quoted, not run here, at 20 ms a call: policy-bot about 50 evaluations/s, mergeable below 1");
}

/// Deliveries that never come twice.
struct Load {
    writer: Writer,
    sent: std::cell::Cell<usize>,
}

impl Load {
    fn new(ground: &Ground, merge_requests: &[MergeRequestRef]) -> Self {
        let first = merge_requests[0].iid.get() as usize;
        let writer = Writer::new(ground.project.get(), ground.check.get(), first, merge_requests.len());
        // None of them tells of a push: after one GitLab's list of statuses is read again.
        Self { writer: writer.without_pushes(), sent: std::cell::Cell::new(0) }
    }

    fn next(&self, count: usize) -> Arc<Requests> {
        let start = self.sent.replace(self.sent.get() + count);
        Arc::new(self.writer.requests(start..start + count))
    }
}

/// Sends all of them as fast as they are taken; decisions a second until the last one is made.
async fn drain(ground: &Ground, requests: Arc<Requests>) -> f64 {
    ground.gitlab.forget_calls();
    let before = ground.metrics.read().await.evaluations();
    let begun = Instant::now();
    let limit = Duration::from_secs(60);
    let sent = load::flood(ground.product.address(), &requests, 0..requests.len(), CONNECTIONS, limit).await;
    assert_eq!(sent.all_taken("the product").taken(), requests.len(), "all were sent");
    ground.metrics.until_idle(Duration::from_secs(300)).await;
    let decided = ground.metrics.read().await.evaluations() - before;
    assert!(decided >= requests.len() as f64, "{decided} decisions for {} merge requests", requests.len());
    decided / begun.elapsed().as_secs_f64()
}

/// Sends at a steady rate and looks at the queue meanwhile.
async fn steady(ground: &Ground, load: &Load, rate: f64, lasting: Duration) {
    ground.gitlab.forget_calls();
    let requests = load.next((rate * lasting.as_secs_f64()).ceil() as usize);
    let before = ground.metrics.read().await.evaluations();
    let (address, count) = (ground.product.address(), requests.len());
    let begun = Instant::now();
    let sending =
        tokio::spawn(async move { load::pace(address, &requests, 0..count, CONNECTIONS, rate).await });
    let mut depths = Vec::new();
    for look in 1..=LOOKS {
        tokio::time::sleep_until((begun + lasting * look / LOOKS).into()).await;
        depths.push(ground.metrics.read().await.queue());
    }
    let decided = ground.metrics.read().await.evaluations() - before;
    let elapsed = begun.elapsed().as_secs_f64();
    let outcome = sending.await.expect("the load ends").all_taken("the product");
    assert_eq!(outcome.taken(), count, "all were sent");
    ground.metrics.until_idle(Duration::from_secs(300)).await;
    let quarter = depths.len() / 4;
    let (early, late) = (median(&depths[..quarter]), median(&depths[depths.len() - quarter..]));
    println!(
        "  steady load of {rate:.0} deliveries/s for {elapsed:.1} s: {:.0} decisions/s; the queue holds {early:.0} in \
         the first quarter and {late:.0} in the last (medians; at most {:.0})",
        decided / elapsed,
        depths.iter().copied().fold(0.0, f64::max),
    );
    println!(
        "  taken with p50 {:.1} ms and p99 {:.1} ms meanwhile",
        outcome.latencies.percentile(0.5),
        outcome.latencies.percentile(0.99)
    );
}
