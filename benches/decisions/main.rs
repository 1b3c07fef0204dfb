//! What a decision costs GitLab and how long it takes: the product as a process, the simulator in this one, real HTTP
//! between them.
//!
//! Both share the cores of this machine. Figures of other programs that are printed here are quoted, and say so.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "a bench that can't go on has failed, nobody uses it from outside, and figures are for whoever runs it"
)]

mod answer;
mod burst;
mod calls;
mod equal;
mod policies;
#[path = "../stage/mod.rs"]
#[allow(dead_code, reason = "not every bench needs everything")]
mod stage;
mod sustained;

use std::time::Duration;

use self::stage::conditions;
use self::stage::options::{Known, Options};

/// The route that answers a check.
const RESPOND: &str = "POST /projects/:id/merge_requests/:iid/status_check_responses";
/// The aim is set for so many merge requests at a time; the product decides up to 32.
const LANES: usize = 16;

const OPTIONS: &[Known] = &[
    ("size", "share of the full measure: 200 answers, 1,000 deliveries in a burst, 20 s of sustained load"),
    ("part", "only this one of calls, answer, burst, equal, sustained"),
    ("latency", "milliseconds that each call of GitLab takes"),
    (
        "rate",
        "deliveries a second of the sustained load, instead of nine tenths of what was found to be possible",
    ),
];

fn main() {
    let options = Options::read(OPTIONS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(run(&options));
}

async fn run(options: &Options) {
    let latency = Duration::from_millis(options.value("latency", 20));
    let wanted = |part| options.wants(part, &["calls", "answer", "burst", "equal", "sustained"]);
    println!(
        "decisions   the simulator in the process of the bench, each of its calls takes {latency:?} where it says so"
    );
    conditions::print(conditions::folder().path());
    if wanted("calls") {
        calls::run().await;
    }
    if wanted("answer") {
        answer::run(options.scaled(200, 5), latency).await;
    }
    if wanted("burst") {
        burst::run(options.scaled(500, 10), latency).await;
    }
    if wanted("equal") {
        equal::run(latency).await;
    }
    if wanted("sustained") {
        let rate = options.has("rate").then(|| options.value("rate", 0.0));
        let lasting = Duration::from_secs_f64((20.0 * options.size()).max(1.0));
        sustained::run(options.scaled(2000, 50), lasting, latency, rate).await;
    }
}
