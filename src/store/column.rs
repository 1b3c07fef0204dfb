//! How our types stand in columns: times as milliseconds, ids as signed numbers.

use jiff::Timestamp;

use super::error::StoreError;

/// Milliseconds since 1970, as the tables keep times.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// The time of a column.
pub(super) fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::Row(error.to_string()))
}

/// GitLab's ids are positive and far below 2⁶³; what is not would not fit a column.
pub(super) fn column(id: u64) -> Result<i64, StoreError> {
    i64::try_from(id).map_err(|_| StoreError::Row(format!("the id {id} is out of range")))
}

/// The id of a column.
pub(super) fn id(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Row(format!("the id {column} is negative")))
}
