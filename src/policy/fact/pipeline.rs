//! Pipelines, their jobs, and commit statuses.

use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, ProjectId};

/// The newest pipeline whose commit is the head or has the head as a parent, merge train pipelines left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// GitLab's id.
    pub id: u64,
    /// GitLab's status word: `success`, `failed`, `running`, `manual`, … An unknown word counts as unsettled.
    pub status: String,
    /// The commit it ran on.
    pub sha: CommitSha,
    /// The ref it ran on.
    pub r#ref: String,
    /// The project it ran in, which may be the fork that the change comes from; none where GitLab does not say, and then
    /// it is the target project.
    pub project: Option<ProjectId>,
}

/// A job of the head's pipeline, or a bridge to another pipeline; retried ones left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name, `test 1/3` for a part of a parallel job.
    pub name: String,
    /// GitLab's status word.
    pub status: String,
    /// Whether the pipeline does not mind its failure.
    pub allow_failure: bool,
}

/// What something outside of GitLab said of the head: the newest word under each name. A job that is called the same stands
/// beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// Its name.
    pub name: String,
    /// GitLab's status word.
    pub status: String,
}
