//! `/repository/commits`: the commits of a range with their parents, and what GitLab makes of a signature.

use serde::Deserialize;

use crate::merge_request::{CommitSha, ProjectId};

use super::client::Client;
use super::error::Error;

const LIST: &str = "GET /projects/:id/repository/commits";
const SIGNATURE: &str = "GET /projects/:id/repository/commits/:sha/signature";

/// A commit of the repository, in a list.
#[derive(Debug, Clone, Deserialize)]
pub struct ListedCommit {
    /// Its SHA.
    pub id: String,
    /// What it was made on.
    pub parent_ids: Vec<String>,
}

/// A commit's signature.
#[derive(Debug, Clone, Deserialize)]
pub struct CommitSignature {
    /// `PGP`, `X509` or `SSH` (13.3 and later; before there was PGP alone).
    pub signature_type: Option<String>,
    /// What GitLab makes of it: `verified`, `unverified`, `verified_system`, …
    pub verification_status: Option<String>,
}

impl Client {
    /// Reads the commits that `head` has and `base` has not. What it says never changes.
    pub async fn commits_between(
        &self,
        project: ProjectId,
        base: &CommitSha,
        head: &CommitSha,
    ) -> Result<Vec<ListedCommit>, Error> {
        let range = format!("{base}..{head}");
        let path = format!("projects/{project}/repository/commits");
        self.read_list(LIST, &path, &[("ref_name", &range)]).await
    }

    /// Reads what GitLab makes of a commit's signature at this moment. A 404 says in its words what was not found.
    pub async fn signature(&self, project: ProjectId, sha: &CommitSha) -> Result<CommitSignature, Error> {
        self.read(SIGNATURE, &format!("projects/{project}/repository/commits/{sha}/signature")).await
    }
}
