//! The one integration test binary: each module tells one journey.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets what it does not expect has failed, and says so by ending"
)]

mod cli_check;
mod policies;
mod policy_properties;
