//! One contestant's turn: started, warmed up, measured, killed, counted.

use std::sync::Arc;
use std::time::Duration;

use crate::contestant::{Contestant, Surroundings};
use crate::stage::conditions;
use crate::stage::delivery::{LENGTH, Writer};
use crate::stage::figures::thousands;
use crate::stage::load::{self, Outcome, Requests};
use crate::stage::process::{Process, own_cpu};
use crate::stage::product;

/// So much of a load comes before the clock starts: interpreters compile what is hot, caches fill.
const WARM_UP: f64 = 0.1;
/// Any project, any check: nobody answers questions about them here.
const PROJECT: u64 = 1006;
const CHECK: u64 = 17;

/// How much is sent, and how.
pub struct Measure {
    pub deliveries: usize,
    pub limit: Duration,
    pub connections: usize,
    pub merge_requests: usize,
}

/// What a turn came to.
pub struct Turn {
    pub outcome: Outcome,
    /// CPU of the contestant for each delivery, in µs.
    pub cpu: f64,
    /// How busy the generator kept one core.
    pub generator: f64,
    /// How many answers 202 it gave in all, warm-up included, and how many deliveries it kept.
    pub promised: usize,
    pub kept: Option<usize>,
    /// What the product says of its store.
    pub settings: Option<String>,
}

impl Measure {
    pub fn print(&self, rounds: usize) {
        println!(
            "intake      {rounds} rounds; a turn is up to {} deliveries or {:.1} s, and a tenth of them before it to \
             warm up",
            thousands(self.deliveries as f64),
            self.limit.as_secs_f64()
        );
        println!(
            "deliveries  to a status check, signed, {LENGTH} bytes, no two of a turn the same, about {} merge \
             requests, over {} connections",
            self.merge_requests, self.connections
        );
        println!(
            "GitLab      refuses every connection: the product's worker claims, fails, logs and backs off while it is \
             measured, and nothing is decided"
        );
    }

    /// As many as it takes.
    pub async fn flood(&self, contestant: Contestant, surroundings: &Surroundings, round: usize) -> Turn {
        let requests = Arc::new(self.load(round, self.deliveries));
        self.turn(contestant, surroundings, requests, None).await
    }

    /// So many a second.
    pub async fn pace(
        &self,
        contestant: Contestant,
        surroundings: &Surroundings,
        round: usize,
        rate: f64,
    ) -> Turn {
        let count = (rate * self.limit.as_secs_f64()).ceil() as usize;
        let requests = Arc::new(self.load(round, count));
        self.turn(contestant, surroundings, requests, Some(rate)).await
    }

    /// The load of a round, the same for all contestants, with the warm-up in front.
    fn load(&self, round: usize, count: usize) -> Requests {
        let count = count + warm_up(count);
        let writer = Writer::new(PROJECT, CHECK, 1000, self.merge_requests);
        writer.requests(round * count..(round + 1) * count)
    }

    async fn turn(
        &self,
        contestant: Contestant,
        surroundings: &Surroundings,
        requests: Arc<Requests>,
        rate: Option<f64>,
    ) -> Turn {
        let folder = conditions::folder();
        let process = contestant.start(surroundings, folder.path());
        let cold = requests.len() - requests.len() * 10 / 11;
        let warmed = load::flood(process.address(), &requests, 0..cold, self.connections, self.limit).await;
        let warmed = warmed.all_taken(&contestant.to_string());
        let (before, own_before) = (process.cpu(), own_cpu());
        let range = cold..requests.len();
        let outcome = match rate {
            None => load::flood(process.address(), &requests, range, self.connections, self.limit).await,
            Some(rate) => load::pace(process.address(), &requests, range, self.connections, rate).await,
        };
        let outcome = outcome.all_taken(&contestant.to_string());
        let used = |process: &Process| process.cpu().saturating_sub(before).as_secs_f64();
        let cpu = used(&process) * 1e6 / outcome.taken() as f64;
        let generator = own_cpu().saturating_sub(own_before).as_secs_f64() / outcome.elapsed.as_secs_f64();
        let settings = (contestant == Contestant::Product).then(|| product::store_settings(&process));
        // Without a farewell: what was answered with 202 must be there all the same.
        process.kill();
        let promised = warmed.taken() + outcome.taken();
        let kept = contestant.kept(folder.path());
        if let Some(kept) = kept {
            assert_eq!(kept, promised, "{contestant} kept {kept} deliveries and answered 202 to {promised}");
        }
        Turn { outcome, cpu, generator, promised, kept, settings }
    }
}

fn warm_up(count: usize) -> usize {
    (count as f64 * WARM_UP).ceil() as usize
}
