//! What a plan is made from, and what it is made of. One comparison serves whoever installs and the doctor: what one would
//! change, the other names.

use std::collections::BTreeSet;

use super::change::Change;
use super::finding::Finding;
use super::installation::Installation;
use crate::gitlab::{ExternalStatusCheck, GitlabVersion};
use crate::merge_request::CheckName;
use crate::policy::PolicySet;

/// What is asked for beside what the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Our names of the checks that a project is to have, beside those of ours that it has. Where it has none and none is
    /// named, it is to have `countersign`.
    pub checks: BTreeSet<CheckName>,
    /// Whether secrets that can't be compared are set again.
    pub rotate: bool,
    /// Whether a check of our name that calls another address is to call ours.
    pub adopt: bool,
}

/// What a plan is made from.
pub(super) struct Grounds<'a> {
    /// What the configuration says.
    pub(super) installation: &'a Installation,
    /// The policies.
    pub(super) policies: &'a PolicySet,
    /// Which GitLab it is, if it said so.
    pub(super) version: Option<GitlabVersion>,
    /// Whether it is an Enterprise Edition, if it said so.
    pub(super) enterprise: Option<bool>,
    /// What is asked for.
    pub(super) wishes: &'a Wishes,
}

/// A part of a plan.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// What is to be changed.
    pub(super) changes: Vec<Change>,
    /// What stands in the way, what nobody can change for the operator, and what is fine.
    pub(super) findings: Vec<Finding>,
}

impl Grounds<'_> {
    /// Whether it is known to be older.
    pub(super) fn is_before(&self, major: u16, minor: u16) -> bool {
        self.version.is_some_and(|version| version < (GitlabVersion { major, minor }))
    }

    /// The version in words.
    pub(super) fn gitlab(&self) -> String {
        self.version.map_or_else(|| "this GitLab".to_owned(), |version| format!("GitLab {version}"))
    }

    /// Our name for a check, if it is ours.
    pub(super) fn name_of(&self, url: &str) -> Option<CheckName> {
        self.installation.address.name_of(url)
    }

    /// Our names of the checks that a project has or is to have.
    pub(super) fn names(&self, present: &[ExternalStatusCheck]) -> BTreeSet<CheckName> {
        let present = present.iter().filter_map(|check| self.name_of(&check.external_url));
        let mut names: BTreeSet<_> = present.chain(self.wishes.checks.iter().cloned()).collect();
        if names.is_empty() {
            names.insert(CheckName::default());
        }
        names
    }
}
