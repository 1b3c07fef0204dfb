//! `/repository`: the commits of a range with their parents, where two commits part, and what GitLab makes of a signature.

use serde::Deserialize;

use crate::merge_request::{CommitSha, ProjectId};

use super::client::Client;
use super::error::Error;
use super::paging::CallAllowance;

const LIST: &str = "GET /projects/:id/repository/commits";
const MERGE_BASE: &str = "GET /projects/:id/repository/merge_base";
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
    /// `PGP`, `X509` or `SSH`.
    pub signature_type: String,
    /// What GitLab makes of it: `verified`, `unverified`, `verified_system`, …
    pub verification_status: String,
}

#[derive(Deserialize)]
struct MergeBase {
    id: String,
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
        self.read_list(LIST, &listing_path(project), &[("ref_name", &range)]).await
    }

    /// Reads so many pages of the commits that `head` has and `base` has not, and says whether that is all of them. What it
    /// says never changes. GitLab gives an empty list also where it does not know one of the two.
    pub async fn newest_commits_between(
        &self,
        project: ProjectId,
        base: &CommitSha,
        head: &CommitSha,
        pages: usize,
    ) -> Result<(Vec<ListedCommit>, bool), Error> {
        let range = format!("{base}..{head}");
        let allowance = CallAllowance::new(pages);
        self.read_list_within(LIST, &listing_path(project), &[("ref_name", &range)], &allowance).await
    }

    /// Reads the SHA of the commit at which two commits part: one of the two, if the other one has it. What it says never
    /// changes; a commit that GitLab does not know is an error.
    pub async fn merge_base(
        &self,
        project: ProjectId,
        one: &CommitSha,
        other: &CommitSha,
    ) -> Result<String, Error> {
        let path = format!("projects/{project}/repository/merge_base?refs[]={one}&refs[]={other}");
        self.read::<MergeBase>(MERGE_BASE, &path).await.map(|commit| commit.id)
    }

    /// Reads what GitLab makes of a commit's signature at this moment. A 404 says in its words what was not found.
    pub async fn signature(&self, project: ProjectId, sha: &CommitSha) -> Result<CommitSignature, Error> {
        self.read(SIGNATURE, &format!("projects/{project}/repository/commits/{sha}/signature")).await
    }
}

fn listing_path(project: ProjectId) -> String {
    format!("projects/{project}/repository/commits")
}
