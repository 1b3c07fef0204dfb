//! One integration binary: everything that is tested through the front door.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test that can't go on has failed, nobody uses a test from outside, and figures are for whoever runs it"
)]

mod cli_check;
mod decisions;
mod demo;
mod faults;
mod house;
mod kill;
mod life;
mod long;
mod lost_store;
mod memory;
mod policies;
mod policy_properties;
mod races;
mod readme;
mod reload;
mod shutdown;
mod simulator;
mod statuses;
mod world;
