//! `…/repository/commits/:sha/statuses` and `…/statuses/:sha`: what was said of a commit, and what we say of it.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, ProjectId};

use super::client::Client;
use super::error::Error;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/repository/commits/:sha/statuses";
const SET: &str = "POST /projects/:id/statuses/:sha";

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
    /// The pipeline that it is part of; newer versions only.
    pub pipeline_id: Option<u64>,
    /// Whether the pipeline does not mind its failure.
    pub allow_failure: bool,
    /// Who said it, or started the job; null when the account was deleted, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub author: Option<BasicUser>,
}

impl CommitStatus {
    /// Whether another system said it. GitLab does not say what is a job, but no job has an address or a description.
    pub fn is_told_by_another_system(&self) -> bool {
        self.target_url.is_some() || self.description.is_some()
    }
}

/// What is said of a commit.
#[derive(Debug, Clone, Serialize)]
pub struct NewCommitStatus<'a> {
    /// `pending`, `success` or `failed`.
    pub state: &'static str,
    /// What distinguishes it from others of the same commit.
    pub name: &'a str,
    /// The ref of the pipeline that it becomes a part of.
    pub r#ref: &'a str,
    /// That pipeline; without it the newest of the commit and the ref, or one that GitLab makes for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<u64>,
    /// A sentence, of at most 255 characters.
    pub description: &'a str,
    /// Where to read more, in at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<&'a str>,
}

impl Client {
    /// Reads the statuses of a commit, of all refs and pipelines.
    pub async fn commit_statuses(
        &self,
        project: ProjectId,
        sha: &CommitSha,
    ) -> Result<Vec<CommitStatus>, Error> {
        self.read_list(ROUTE, &statuses_path(project, sha), &[]).await
    }

    /// Reads the statuses of a commit in the pipelines of one ref.
    pub async fn commit_statuses_on(
        &self,
        project: ProjectId,
        sha: &CommitSha,
        r#ref: &str,
    ) -> Result<Vec<CommitStatus>, Error> {
        self.read_list(ROUTE, &statuses_path(project, sha), &[("ref", r#ref)]).await
    }

    /// Says something of a commit. GitLab answers 400 to what it was told already and has not ended.
    pub async fn set_commit_status(
        &self,
        project: ProjectId,
        sha: &CommitSha,
        status: &NewCommitStatus<'_>,
    ) -> Result<CommitStatus, Error> {
        let path = format!("projects/{project}/statuses/{sha}");
        self.write_for(Method::POST, SET, &path, status).await
    }
}

fn statuses_path(project: ProjectId, sha: &CommitSha) -> String {
    format!("projects/{project}/repository/commits/{sha}/statuses")
}
