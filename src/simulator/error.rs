//! What can be wrong about what a test or the demo says.

use crate::merge_request::{MergeRequestRef, ProjectId, StatusCheckId, UserId, WordError};

/// What was said cannot happen in this GitLab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulatorError {
    /// There is no such project.
    #[error("there is no project {0}")]
    NoProject(ProjectId),
    /// There is no such group.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// There is no such merge request.
    #[error("there is no merge request {0}")]
    NoMergeRequest(MergeRequestRef),
    /// There is no such user.
    #[error("there is no user {0}")]
    NoUser(UserId),
    /// There is no such check in that project.
    #[error("there is no status check {0} in that project")]
    NoCheck(StatusCheckId),
    /// There is no such thread.
    #[error("there is no thread `{0}`")]
    NoDiscussion(String),
    /// There is no such issue.
    #[error("there is no issue {0}#{1}")]
    NoIssue(ProjectId, u64),
    /// There is no such pipeline, or no such job of it.
    #[error("there is no pipeline {0} with such a job")]
    NoJob(u64),
    /// The merge request has no head yet.
    #[error("merge request {0} has no commits yet")]
    NoHead(MergeRequestRef),
    /// GitLab refuses it.
    #[error("GitLab refuses: {0}")]
    Refused(String),
    /// A made SHA was none. Cannot happen.
    #[error(transparent)]
    Word(#[from] WordError),
    /// Deliveries were still under way when the bound was reached.
    #[error("{0} deliveries are still under way")]
    Unsettled(usize),
}
