//! Deliveries taken per second, durable and signed: the product beside floors that keep less, and beside other people's
//! servers that keep nothing.
//!
//! Each contestant is a process of its own and is alive only while it is measured, on a fresh folder; the rounds go
//! through all of them, each round beginning with another one. Afterwards each is killed, and what it kept is counted.

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

mod contestant;
mod floor;
mod peers;
mod report;
#[path = "../stage/mod.rs"]
#[allow(dead_code, reason = "not every bench needs everything")]
mod stage;
mod turn;

use std::time::Duration;

use tokio::net::TcpSocket;

use self::contestant::{Contestant, Surroundings};
use self::report::Report;
use self::stage::conditions;
use self::stage::options::{Known, Options};
use self::turn::Measure;

const OPTIONS: &[Known] = &[
    ("size", "share of the full measure, which is 5 rounds of up to 40,000 deliveries or 5 s a turn"),
    ("rounds", "how often each contestant has its turn"),
    ("connections", "keep-alive connections of the generator"),
    ("merge-requests", "how many merge requests the deliveries are about"),
    ("without-peers", "leave gidgetlab and express out: neither Python nor Node is needed"),
    ("floor", "be a floor oneself, which the bench asks of itself"),
    ("keep", "where that floor keeps what it takes"),
];

fn main() {
    let options = Options::read(OPTIONS);
    if let Some(name) = options.text("floor") {
        return floor::serve(name, options.text("keep"));
    }
    // The generator is one thread, so that on two cores the servers have at least one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(run(&options));
}

async fn run(options: &Options) {
    let measure = Measure {
        deliveries: options.scaled(40_000, 200),
        limit: Duration::from_secs_f64((5.0 * options.size()).max(0.5)),
        connections: options.value("connections", 64),
        merge_requests: options.value("merge-requests", 500),
    };
    let rounds: usize = options.value("rounds", if options.size() < 0.5 { 1 } else { 5 });
    // Bound and not listened on: it refuses every connection and nobody else gets it.
    let nobody = TcpSocket::new_v4().expect("a socket can be made");
    nobody.bind(([127, 0, 0, 1], 0).into()).expect("a free port is found");
    let gitlab = format!("http://{}", nobody.local_addr().expect("it is bound"));
    let peers = (!options.has("without-peers")).then(peers::install);
    let surroundings = Surroundings { gitlab, peers };

    let folder = conditions::folder();
    measure.print(rounds);
    conditions::print(folder.path());
    let contestants = Contestant::all(surroundings.peers.is_some());
    let mut report = Report::default();
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            let contestant = contestants[(round + turn) % contestants.len()];
            report.add_flood(contestant, &measure.flood(contestant, &surroundings, round).await);
        }
    }
    let rate = report.half_of_product();
    println!("\nat a steady {} a second, half of what the product took:", stage::figures::thousands(rate));
    for round in 0..rounds {
        let mut paced: Vec<_> = contestants.iter().copied().filter(|one| one.is_durable()).collect();
        let length = paced.len();
        paced.rotate_left(round % length);
        for contestant in paced {
            report.add_pace(contestant, &measure.pace(contestant, &surroundings, round, rate).await);
        }
    }
    report.print(rounds);
}
