//! What the product weighs: its file, its start, its memory at rest, at work, and with a million merge requests that wait.

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

mod load;
#[path = "../stage/mod.rs"]
#[allow(dead_code, reason = "not every bench needs everything")]
mod stage;
mod start;
mod waiting;

use std::time::Duration;

use tokio::net::TcpSocket;

use self::stage::conditions;
use self::stage::options::{Known, Options};

const OPTIONS: &[Known] = &[
    ("size", "share of the full measure: 21 starts, 10 s of rest, 20 s of load, 1,000,000 rows"),
    ("part", "only this one of start, load, waiting"),
    ("rows", "how many merge requests wait"),
    ("rate", "deliveries a second of the load"),
];

fn main() {
    let options = Options::read(OPTIONS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(run(&options));
}

async fn run(options: &Options) {
    let wanted = |part| options.wants(part, &["start", "load", "waiting"]);
    let seconds = |full: f64| Duration::from_secs_f64((full * options.size()).max(1.0));
    println!("footprint   of the product as it is built for this bench");
    conditions::print(conditions::folder().path());
    let file = std::fs::metadata(env!("CARGO_BIN_EXE_countersign")).expect("the product is there").len();
    println!("\nsize of the program: {:.1} MB", file as f64 / 1e6);
    // Bound and not listened on: it refuses every connection and nobody else gets it.
    let nobody = TcpSocket::new_v4().expect("a socket can be made");
    nobody.bind(([127, 0, 0, 1], 0).into()).expect("a free port is found");
    let gitlab = format!("http://{}", nobody.local_addr().expect("it is bound"));
    let rest = seconds(10.0);
    if wanted("start") {
        start::run(&gitlab, options.scaled(21, 3), rest).await;
    }
    if wanted("load") {
        load::run(options.value("rate", 500.0), seconds(20.0), options.scaled(2000, 50)).await;
    }
    if wanted("waiting") {
        waiting::run(&gitlab, options.value("rows", options.scaled(1_000_000, 1000)), rest).await;
    }
}
