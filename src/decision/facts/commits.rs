//! What commits are beyond their messages: their parents and signatures.

use super::reader::Reader;
use crate::merge_request::CommitSha;
use crate::policy::fact::{Facts, Known, Parentage, Signature, Unknown};

impl Reader<'_> {
    pub(super) async fn parentage(&self, _facts: &Facts) -> Known<Vec<Parentage>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn signature(&self, _facts: &Facts, _sha: &CommitSha) -> Known<Option<Signature>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }
}
