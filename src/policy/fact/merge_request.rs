//! The merge request itself, and its project.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, User};

/// What GitLab says of the merge request itself, from one read. Everything else is a further fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRequestFacts {
    /// Which one.
    pub merge_request: MergeRequestRef,
    /// The target project's full path at the time of the read.
    pub project_path: String,
    /// Its address for browsers.
    pub web_url: String,
    /// The head of the newest diff version (`sha`, contract section 1.5).
    pub sha: CommitSha,
    /// The title, `Draft:` prefix included.
    pub title: String,
    /// The description, empty when there is none.
    pub description: String,
    /// Label titles, sorted.
    pub labels: BTreeSet<String>,
    /// Whether it is marked as draft.
    pub draft: bool,
    /// The branch that would be merged.
    pub source_branch: String,
    /// The branch it would be merged into.
    pub target_branch: String,
    /// The project of the source branch; none when a fork was deleted.
    pub source_project: Option<ProjectId>,
    /// Who opened it.
    pub author: User,
    /// When it was opened.
    pub created_at: Timestamp,
    /// The title of its milestone.
    pub milestone: Option<String>,
    /// Who is assigned.
    pub assignees: BTreeSet<User>,
    /// Who was asked to review; their states are a further fact ([`super::FactKey::Reviewers`]).
    pub reviewers: BTreeSet<User>,
    /// Whether its commits will be squashed.
    pub squash: bool,
    /// Whether the source branch will be deleted by the merge.
    pub removes_source_branch: bool,
    /// Whether it conflicts with its target; none while GitLab has not found out.
    pub has_conflicts: Option<bool>,
    /// Whether it is its author's first in this project; none where GitLab does not say.
    pub first_contribution: Option<bool>,
}

/// What GitLab says of the target project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectFacts {
    /// Its topics, sorted.
    pub topics: BTreeSet<String>,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// How it merges: `merge`, `rebase_merge` or `ff`.
    pub merge_method: String,
    /// What it makes of squashing: `never`, `always`, `default_on` or `default_off`; none where GitLab does not say.
    pub squash_option: Option<String>,
}

/// How many commits of the target branch the head does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distance {
    /// Those that were counted.
    pub commits: u64,
    /// Whether that is all of them: nobody counts on for ever.
    pub all: bool,
}
