//! `/repository`: branches, and files and folders at a commit.

use serde::Deserialize;

use crate::merge_request::{CommitSha, ProjectId};

use super::client::Client;
use super::error::Error;
use super::members::encode;
use super::paging::CallAllowance;

const BRANCH: &str = "GET /projects/:id/repository/branches/:branch";
const TREE: &str = "GET /projects/:id/repository/tree";
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

/// What lies in a folder. The same id is the same content, of a folder all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TreeEntry {
    /// git's id of the content; of a submodule the commit.
    pub id: String,
    /// `blob`, `tree` or `commit` (a submodule).
    pub r#type: String,
    /// The whole path.
    pub path: String,
    /// The mode, as git writes it.
    pub mode: String,
}

impl TreeEntry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.r#type == "tree"
    }
}

impl Client {
    /// Reads what lies in a folder at a commit (the root is empty), or in it and all below; none if that takes more calls
    /// than are allowed. What it says never changes.
    pub async fn tree(
        &self,
        project: ProjectId,
        sha: &CommitSha,
        folder: &str,
        recursive: bool,
        allowance: &CallAllowance,
    ) -> Result<Option<Vec<TreeEntry>>, Error> {
        let path = format!("projects/{project}/repository/tree");
        let mut query = vec![("ref", sha.as_str()), ("pagination", "keyset")];
        query.extend((!folder.is_empty()).then_some(("path", folder)));
        query.extend(recursive.then_some(("recursive", "true")));
        let (entries, complete) = self.read_list_within(TREE, &path, &query, allowance).await?;
        Ok(complete.then_some(entries))
    }

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
