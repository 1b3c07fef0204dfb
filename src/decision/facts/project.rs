//! The target project, and how far the head is behind its target branch.

use super::reader::{Moved, Reader};
use crate::policy::fact::{Facts, Known, ProjectFacts, Unknown};

impl Reader<'_> {
    pub(super) async fn project(&self, _facts: &Facts) -> Known<ProjectFacts> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn behind(&self, _facts: &Facts) -> Result<Known<u64>, Moved> {
        Ok(Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false }))
    }
}
