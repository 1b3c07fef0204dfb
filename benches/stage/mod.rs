//! What all benches stand on: options, figures, the conditions of a run, servers as processes, a load of deliveries, and
//! a GitLab to decide against.

pub mod conditions;
pub mod delivery;
pub mod figures;
pub mod ground;
pub mod load;
pub mod metrics;
pub mod options;
pub mod process;
pub mod product;
pub mod wire;
