//! The CODEOWNERS file of the target branch.

use super::reader::Reader;
use crate::policy::fact::{CodeOwnersFile, Facts, Known, Unknown};

impl Reader<'_> {
    pub(super) async fn code_owners(&self, _facts: &Facts) -> Known<Option<CodeOwnersFile>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }
}
