//! Times in findings.

use jiff::Timestamp;

/// An instant as people write it, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
