//! Issues and other merge requests.

use super::reader::Reader;
use crate::policy::fact::{Dependency, Facts, Issue, Known, Unknown};

impl Reader<'_> {
    pub(super) async fn closing_issues(&self, _facts: &Facts) -> Known<Vec<Issue>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn related_issues(&self, _facts: &Facts) -> Known<Vec<Issue>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn blocking_merge_requests(&self, _facts: &Facts) -> Known<Vec<Dependency>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn other_merge_request(&self, _reference: &str) -> Known<Option<Dependency>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }
}
