//! Issues.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::merge_request::{ProjectId, UserId};

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The id that is unique in all of GitLab.
    pub id: u64,
    /// Its project.
    pub project: ProjectId,
    /// The number in its project.
    pub iid: u64,
    /// The title.
    pub title: String,
    /// Whether it is closed.
    pub closed: bool,
    /// Label titles.
    pub labels: BTreeSet<String>,
    /// The title of its milestone.
    pub milestone: Option<String>,
    /// Who opened it.
    pub author: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// An issue to be opened.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct NewIssue {
    pub(super) title: String,
    pub(super) labels: BTreeSet<String>,
    pub(super) milestone: Option<String>,
}

impl NewIssue {
    /// Without labels or milestone.
    pub fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// With one more label.
    pub fn label(mut self, title: &str) -> Self {
        self.labels.insert(title.to_owned());
        self
    }

    /// Of a milestone.
    pub fn milestone(mut self, title: &str) -> Self {
        self.milestone = Some(title.to_owned());
        self
    }
}
