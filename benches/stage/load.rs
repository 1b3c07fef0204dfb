//! A load: requests that are ready before the clock starts, sent over many connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::figures::Durations;
use super::wire::Wire;

/// Requests one behind the other in memory.
#[derive(Default)]
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Adds a signed delivery.
    pub fn push(&mut self, path: &str, signature: &str, body: &[u8]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: gate.example.com\r\nContent-Type: application/json\r\n\
             X-Gitlab-Signature: {signature}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}

/// What became of a load.
#[derive(Default)]
pub struct Outcome {
    /// How often each status was answered.
    pub answers: BTreeMap<u16, usize>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of each request; of a paced one from the moment at which it was due.
    pub latencies: Durations,
}

impl Outcome {
    /// How many were answered with 202.
    pub fn taken(&self) -> usize {
        self.answers.get(&202).copied().unwrap_or(0)
    }

    /// Taken per second.
    pub fn rate(&self) -> f64 {
        self.taken() as f64 / self.elapsed.as_secs_f64()
    }

    /// Fails if anything but 202 was answered.
    pub fn all_taken(self, who: &str) -> Self {
        let others = self.answers.keys().any(|status| *status != 202);
        assert!(!others, "{who} did not take everything: {:?}", self.answers);
        self
    }
}

/// Sends as fast as answers come, until the range or the time is over.
pub async fn flood(
    address: SocketAddr,
    requests: &Arc<Requests>,
    range: Range<usize>,
    connections: usize,
    limit: Duration,
) -> Outcome {
    let next = Arc::new(AtomicUsize::new(range.start));
    let wires = open(address, connections).await;
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for mut wire in wires {
        let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
        senders.spawn(async move {
            let mut outcome = Outcome::default();
            while start.elapsed() < limit {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= range.end {
                    break;
                }
                let begun = Instant::now();
                note(&mut outcome, wire.exchange(requests.get(index)).await, begun);
            }
            outcome
        });
    }
    together(senders, start).await
}

/// Sends at a steady rate, whatever the answers do; a request that finds no free connection waits, and its wait counts.
pub async fn pace(
    address: SocketAddr,
    requests: &Arc<Requests>,
    range: Range<usize>,
    connections: usize,
    rate: f64,
) -> Outcome {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let due = Arc::new(Semaphore::new(0));
    let next = Arc::new(AtomicUsize::new(0));
    let wires = open(address, connections).await;
    let (count, first) = (range.len(), range.start);
    let start = Instant::now();
    let at = move |index: usize| start + interval * u32::try_from(index).expect("fewer than 2³² requests");
    // A thread of its own: the timers of the runtime are a millisecond coarse.
    let pacing = Arc::clone(&due);
    let pacer = thread::spawn(move || {
        for index in 0..count {
            while let Some(wait) =
                at(index).checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
            {
                thread::park_timeout(wait);
            }
            pacing.add_permits(1);
        }
        pacing.add_permits(connections);
    });
    let mut senders = JoinSet::new();
    for mut wire in wires {
        let (requests, next, due) = (Arc::clone(requests), Arc::clone(&next), Arc::clone(&due));
        senders.spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                due.acquire().await.expect("it is never closed").forget();
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return outcome;
                }
                note(&mut outcome, wire.exchange(requests.get(first + index)).await, at(index));
            }
        });
    }
    let outcome = together(senders, start).await;
    pacer.join().expect("the pacer ends");
    outcome
}

async fn open(address: SocketAddr, connections: usize) -> Vec<Wire> {
    let mut wires = Vec::new();
    for _ in 0..connections {
        wires.push(Wire::open(address).await.expect("the server accepts a connection"));
    }
    wires
}

fn note(outcome: &mut Outcome, status: std::io::Result<u16>, since: Instant) {
    let status = status.unwrap_or_else(|error| panic!("a delivery was not answered: {error}"));
    *outcome.answers.entry(status).or_default() += 1;
    outcome.latencies.push(since.elapsed());
}

async fn together(senders: JoinSet<Outcome>, start: Instant) -> Outcome {
    let outcomes = senders.join_all().await;
    let mut all = Outcome { elapsed: start.elapsed(), ..Outcome::default() };
    for outcome in outcomes {
        for (status, count) in outcome.answers {
            *all.answers.entry(status).or_default() += count;
        }
        all.latencies.extend(outcome.latencies);
    }
    all
}
