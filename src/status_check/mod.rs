//! From a claimed lane to a given answer.
//!
//! The worker claims merge requests that are due, decides each with the room below, writes the decision down, answers
//! GitLab, and settles the claim. It meets the server only in the store.

mod aftermath;
mod answer;
mod comparison;
mod crowd;
mod drift;
mod lane;
mod lines;
mod look;
mod mirror;
mod outage;
mod pause;
mod posting;
mod rate;
mod recall;
mod reconciliation;
mod record;
mod resources;
mod revision;
mod settings;
mod standing;
mod survey;
mod sweep;
mod version;
mod weighing;
mod worker;

pub use self::answer::{Answer, Circumstances, Vocabulary, answer};
pub use self::drift::{Drift, Noticed};
pub use self::reconciliation::{Project, Reconciler};
pub use self::record::{Cause, Record};
pub use self::resources::Resources;
pub use self::settings::{Mirrors, Settings, StateLabels};
pub use self::survey::SweepError;
pub use self::sweep::SweepKind;
pub use self::worker::Worker;
