//! `/versions` and `/versions/:id`: code by push, never by "latest".

use jiff::Timestamp;
use serde::Deserialize;

use crate::merge_request::{MergeRequestRef, VersionId};

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;

const LIST: &str = "GET /projects/:id/merge_requests/:iid/versions";
const ONE: &str = "GET /projects/:id/merge_requests/:iid/versions/:version_id";

/// One diff version: GitLab makes one for each push.
#[derive(Debug, Clone, Deserialize)]
pub struct Version {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// The head of that push.
    pub head_commit_sha: String,
    /// Where the source branch leaves the target branch; null where GitLab does not know, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub base_commit_sha: Option<String>,
    /// When GitLab made it.
    pub created_at: Timestamp,
}

/// A diff version with its files and commits.
#[derive(Debug, Clone, Deserialize)]
pub struct VersionDetail {
    /// GitLab's id.
    pub id: u64,
    /// The head of that push.
    pub head_commit_sha: String,
    /// `collected`, `empty`, `overflow`, `without_files`, …
    pub state: String,
    /// The number of files as a string: `"12"`, or `"1000+"` when GitLab stopped counting; null where there is nothing to
    /// count, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub real_size: Option<String>,
    /// Commits, newest first.
    pub commits: Vec<VersionCommit>,
    /// Files, as many as GitLab's diff limits let through.
    pub diffs: Vec<Diff>,
}

/// A commit of a version.
#[derive(Debug, Clone, Deserialize)]
pub struct VersionCommit {
    /// Its SHA.
    pub id: String,
    /// The whole message.
    pub message: String,
    /// The author as the commit claims.
    pub author_email: String,
    /// The committer as the commit claims.
    pub committer_email: String,
}

/// A file of a version.
#[derive(Debug, Clone, Deserialize)]
pub struct Diff {
    /// The path before.
    pub old_path: String,
    /// The path after.
    pub new_path: String,
    /// The mode before.
    pub a_mode: String,
    /// The mode after.
    pub b_mode: String,
    /// The hunks; empty when there are none or GitLab left them out, null where it has none to give, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub diff: Option<String>,
    /// Whether the file is new.
    pub new_file: bool,
    /// Whether it was renamed.
    pub renamed_file: bool,
    /// Whether it was deleted.
    pub deleted_file: bool,
    /// Whether the hunks were left out as too many (18.x; absent before).
    pub collapsed: Option<bool>,
    /// Whether the hunks were left out as too large (18.x; absent before).
    pub too_large: Option<bool>,
    /// Whether it was generated, by git attributes or by its name (16.9; absent before).
    pub generated_file: Option<bool>,
}

impl Client {
    /// Reads all diff versions, newest first.
    pub async fn versions(&self, merge_request: MergeRequestRef) -> Result<Vec<Version>, Error> {
        let mut versions: Vec<Version> =
            self.read_list(LIST, &merge_request_path(merge_request, "/versions"), &[]).await?;
        versions.sort_by_key(|version| std::cmp::Reverse(version.id));
        Ok(versions)
    }

    /// Reads one diff version. What it says never changes.
    pub async fn version(
        &self,
        merge_request: MergeRequestRef,
        version: VersionId,
    ) -> Result<VersionDetail, Error> {
        self.read(ONE, &merge_request_path(merge_request, &format!("/versions/{version}"))).await
    }
}
