//! One integration binary: everything that is tested through the front door.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test that can't go on has failed, nobody uses a test from outside, and figures are for whoever runs it"
)]

mod bent;
mod burst;
mod cli_check;
mod companions;
mod conditions;
mod config;
mod credentials;
mod decisions;
mod demo;
mod drift;
mod durability;
mod equivalence;
mod faults;
mod gitlab;
mod heartbeats;
mod house;
mod kill;
mod life;
mod long;
mod lost_store;
mod manners;
mod memory;
mod mirrors;
mod overload;
mod payloads;
mod policies;
mod policy_change;
mod policy_properties;
mod races;
mod readme;
mod reconcile;
mod reload;
mod samples;
mod secrets;
mod sender;
mod setup;
mod shutdown;
mod simulator;
mod sizes;
mod statuses;
mod sweep;
mod sweep_full;
mod taking_back;
mod time;
mod versions;
mod world;
