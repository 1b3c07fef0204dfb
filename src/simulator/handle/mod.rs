//! The handle by which tests and the demo say what happens in this GitLab, and read what became of it.
//!
//! Methods are named like what people do there. Each sends exactly the deliveries that GitLab would send
//! (contract section 3.3) and none besides; each returns when the state has changed, not when they have arrived.

mod checks;
mod code;
mod edits;
mod gitlab;
mod issues;
mod people;
mod pipelines;
mod review;
mod trains;
mod watch;

pub use gitlab::Gitlab;
pub use people::ProjectSetting;
