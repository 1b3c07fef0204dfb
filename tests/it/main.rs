//! One integration binary: everything that is tested through the front door.

mod house;
mod simulator;
