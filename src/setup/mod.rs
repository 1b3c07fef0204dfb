//! Setting up GitLab's side: what `doctor` looks at, and what `install` makes.
//!
//! Both compare what a project has with what the policies and the configuration ask for (`checks`, `hooks`, `merging`): the
//! one names the difference, the other makes it ([`Change`]). So whatever `install` would do the doctor finds, and a second
//! `install` finds nothing to do. What must never be: a secret in a finding or a change's line, a check or hook touched
//! whose address is not ours, a call that changes anything while the doctor looks.
//!
//! [`watch_token`] is the one thing here that runs beside the service: it tells days ahead that our token expires.

mod change;
mod checks;
mod doctor;
mod examination;
mod expiry;
mod finding;
mod grounds;
mod hooks;
mod install;
mod installation;
mod merging;
mod selection;
mod silence;
mod survey;
mod trigger;
mod wording;

pub use self::change::{Change, HookCredential};
pub use self::doctor::{Diagnosis, Patient, examine};
pub use self::expiry::watch as watch_token;
pub use self::finding::{Finding, Severity};
pub use self::grounds::Wishes;
pub use self::install::{Account, HookOrder, Order, Outcome, install};
pub use self::installation::{Credentials, Installation};
pub use self::selection::{Naming, Selected, Selection, select};
