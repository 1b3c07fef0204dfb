//! `/repository`: branches, and files at a commit.

use serde::Deserialize;

use crate::merge_request::{CommitSha, ProjectId};

use super::client::Client;
use super::error::Error;
use super::members::encode;

const BRANCH: &str = "GET /projects/:id/repository/branches/:branch";
const RAW_FILE: &str = "GET /projects/:id/repository/files/:path/raw";
/// Which commit a file was read at.
const COMMIT_ID: &str = "x-gitlab-commit-id";

/// A branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    /// Its head.
    pub commit: BranchHead,
}

/// The head of a branch.
#[derive(Debug, Clone, Deserialize)]
pub struct BranchHead {
    /// Its SHA.
    pub id: String,
}

impl Client {
    /// Reads a branch.
    pub async fn branch(&self, project: ProjectId, name: &str) -> Result<Branch, Error> {
        self.read(BRANCH, &format!("projects/{project}/repository/branches/{}", encode(name))).await
    }

    /// Reads a file's content at a commit; 404 means that it is not there if the commit is. GitLab says in a header at which
    /// commit it read: an answer that does not is somebody else's, a login page of a proxy perhaps.
    pub async fn file_at(&self, project: ProjectId, path: &str, sha: &CommitSha) -> Result<Vec<u8>, Error> {
        let path = format!("projects/{project}/repository/files/{}/raw?ref={sha}", encode(path));
        let (headers, body) = self.read_bytes(RAW_FILE, &path).await?;
        if headers.get(COMMIT_ID).is_none_or(|commit| commit.as_bytes() != sha.as_str().as_bytes()) {
            let reason = format!("it does not say that it is of {sha}");
            return Err(Error::Malformed { route: RAW_FILE, reason });
        }
        Ok(body)
    }
}
