//! The lines of the log that an outage or a limit would bring for every merge request: each kind is told a few times and
//! then counted. What each merge request comes to is in the metrics and in its decisions.

use crate::telemetry::Repetition;

/// Each kind of line.
#[derive(Default)]
pub(super) struct Lines {
    /// There is no verdict yet.
    pub(super) undecided: Repetition,
    /// There is no verdict before somebody mends something.
    pub(super) parked: Repetition,
    /// An answer did not take effect as meant.
    pub(super) unanswered: Repetition,
    /// Another way of answering did not.
    pub(super) unmirrored: Repetition,
    /// It is not known whether there are merge trains.
    pub(super) trains: Repetition,
}
