//! Memory while deliveries come steadily and GitLab takes 20 ms for each call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stage::delivery::Writer;
use crate::stage::figures::median;
use crate::stage::ground::Ground;
use crate::stage::load;

const POLICY: &str = r#"
policy: review
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: held
    require: { labels: { none: ["do-not-merge"] } }
"#;
const LATENCY: Duration = Duration::from_millis(20);
const CONNECTIONS: usize = 64;
/// How often memory is looked at.
const LOOKS: u32 = 40;

pub async fn run(rate: f64, lasting: Duration, merge_requests: usize) {
    let ground = Ground::start(POLICY).await;
    ground.slow_down(LATENCY);
    let first = ground.open_quietly(merge_requests)[0].iid.get() as usize;
    let writer = Writer::new(ground.project.get(), ground.check.get(), first, merge_requests);
    let requests = Arc::new(writer.requests(0..(rate * lasting.as_secs_f64()).ceil() as usize));
    let (address, count) = (ground.product.address(), requests.len());
    let begun = Instant::now();
    let sending =
        tokio::spawn(async move { load::pace(address, &requests, 0..count, CONNECTIONS, rate).await });
    let mut resident = Vec::new();
    for look in 1..=LOOKS {
        tokio::time::sleep_until((begun + lasting * look / LOOKS).into()).await;
        resident.push(ground.product.resident());
    }
    let taken = sending.await.expect("the load ends").all_taken("the product").taken();
    assert_eq!(taken, count, "all were sent");
    ground.metrics.until_idle(Duration::from_secs(300)).await;
    let evaluations = ground.metrics.read().await.evaluations();
    println!(
        "memory under {rate:.0} deliveries/s for {lasting:?}, {LATENCY:?} a call, title and labels: median {:.1} MB, at \
         most {:.1} MB ({taken} taken, {evaluations:.0} decisions)",
        median(&resident),
        ground.product.peak()
    );
    ground.end().await;
}
