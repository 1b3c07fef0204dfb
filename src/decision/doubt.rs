//! From an error of GitLab's to a fact that could not be had.

use crate::gitlab::Error;
use crate::merge_request::WordError;
use crate::policy::fact::{Known, Unknown};

pub(super) fn known<T>(read: Result<T, Error>) -> Known<T> {
    read.map_err(unknown).into()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn unknown(error: Error) -> Unknown {
    Unknown { curable: error.is_curable(), why: error.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn unreadable(error: WordError) -> Unknown {
    Unknown { why: error.to_string(), curable: true }
}

impl<T> From<Result<T, Unknown>> for Known<T> {
    fn from(result: Result<T, Unknown>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(unknown) => Self::Unknown(unknown),
        }
    }
}
