//! `GET …/repository/commits/:sha/statuses`: what was said of a commit.

use serde::Deserialize;

use crate::merge_request::{CommitSha, ProjectId};

use super::client::Client;
use super::error::Error;

const ROUTE: &str = "GET /projects/:id/repository/commits/:sha/statuses";

/// A status of a commit. GitLab lists the jobs of its pipelines among them.
#[derive(Debug, Clone, Deserialize)]
pub struct CommitStatus {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `pending`, `running`, `success`, `failed`, `canceled`, …
    pub status: String,
    /// Where to read more; null for none, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub target_url: Option<String>,
    /// What it says of itself; null for none, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub description: Option<String>,
}

impl CommitStatus {
    /// Whether another system said it. GitLab does not say what is a job, but no job has an address or a description.
    pub fn is_told_by_another_system(&self) -> bool {
        self.target_url.is_some() || self.description.is_some()
    }
}

impl Client {
    /// Reads the statuses of a commit, of all refs and pipelines.
    pub async fn commit_statuses(
        &self,
        project: ProjectId,
        sha: &CommitSha,
    ) -> Result<Vec<CommitStatus>, Error> {
        self.read_list(ROUTE, &format!("projects/{project}/repository/commits/{sha}/statuses"), &[]).await
    }
}
