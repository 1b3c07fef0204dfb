//! One integration binary: everything that is tested through the front door.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that can't go on has failed"
)]

mod cli_check;
mod demo;
mod house;
mod life;
mod policies;
mod policy_properties;
mod readme;
mod simulator;
mod world;
