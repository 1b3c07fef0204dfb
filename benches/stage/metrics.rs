//! What the product tells of itself under `/metrics`.

use std::time::{Duration, Instant};

/// How often the queue is looked at while it empties.
const LOOK: Duration = Duration::from_millis(10);

/// One reading.
#[derive(Debug, Clone)]
pub struct Reading(String);

impl Reading {
    /// A metric, all its labels together; 0 while there was nothing to count.
    pub fn sum(&self, name: &str) -> f64 {
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with([' ', '{']) {
                return None;
            }
            rest.rsplit_once(' ')?.1.parse::<f64>().ok()
        };
        self.0.lines().filter_map(value).sum()
    }

    /// Checks decided so far.
    pub fn evaluations(&self) -> f64 {
        self.sum("countersign_evaluations_total")
    }

    /// Merge requests that are due or being decided.
    pub fn queue(&self) -> f64 {
        self.sum("countersign_queue_length")
    }
}

/// Who reads them.
pub struct Metrics {
    client: reqwest::Client,
    url: String,
}

impl Metrics {
    pub fn of(server: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        Self { client, url: format!("{server}/metrics") }
    }

    pub async fn read(&self) -> Reading {
        let answer = self.client.get(&self.url).send().await.expect("the product tells its metrics");
        Reading(answer.text().await.expect("metrics are text"))
    }

    /// Waits until nothing is due or being decided.
    pub async fn until_idle(&self, bound: Duration) {
        let begun = Instant::now();
        while self.read().await.queue() > 0.0 {
            assert!(begun.elapsed() < bound, "the queue does not empty within {bound:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}
