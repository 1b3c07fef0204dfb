//! `GET …/pipelines` of a merge request, and the parents of the commits they ran on.

use serde::Deserialize;

use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId};

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;

const LIST: &str = "GET /projects/:id/merge_requests/:iid/pipelines";
const COMMIT: &str = "GET /projects/:id/repository/commits/:sha";

/// A pipeline of a merge request.
#[derive(Debug, Clone, Deserialize)]
pub struct Pipeline {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// The commit it ran on: the head, or a commit that merges the head.
    pub sha: String,
    /// The ref it ran on; `refs/merge-requests/:iid/train` is the merge train's.
    pub r#ref: String,
    /// `success`, `failed`, `running`, …
    pub status: String,
}

/// A commit of the repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// What it was made on.
    pub parent_ids: Vec<String>,
}

impl Client {
    /// Reads the pipelines of a merge request, newest first.
    pub async fn pipelines(&self, merge_request: MergeRequestRef) -> Result<Vec<Pipeline>, Error> {
        let mut pipelines: Vec<Pipeline> =
            self.read_list(LIST, &merge_request_path(merge_request, "/pipelines"), &[]).await?;
        pipelines.sort_by_key(|pipeline| std::cmp::Reverse(pipeline.id));
        Ok(pipelines)
    }

    /// Reads a commit. What it says never changes.
    pub async fn commit(&self, project: ProjectId, sha: &CommitSha) -> Result<Commit, Error> {
        self.read(COMMIT, &format!("projects/{project}/repository/commits/{sha}")).await
    }
}
