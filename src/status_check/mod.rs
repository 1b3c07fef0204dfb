//! From a claimed lane to a given answer.
//!
//! The worker claims merge requests that are due, decides each with the room below, writes the decision down, answers
//! GitLab, and settles the claim. It meets the server only in the store.

mod aftermath;
mod answer;
mod crowd;
mod lane;
mod lines;
mod look;
mod mirror;
mod outage;
mod pause;
mod posting;
mod rate;
mod recall;
mod record;
mod resources;
mod revision;
mod settings;
mod standing;
mod sweep;
mod weighing;
mod worker;

pub use self::answer::{Answer, Circumstances, Vocabulary, answer};
pub use self::record::{Cause, Record};
pub use self::resources::Resources;
pub use self::settings::{Mirrors, Settings, StateLabels};
pub use self::worker::Worker;
