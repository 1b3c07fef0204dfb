//! The pure core: policy texts in, facts in, a verdict with its reasons out.
pub mod evaluation;
pub mod fact;
