//! `GET …/pipelines/:id/jobs` and `…/bridges`: what a pipeline is made of.

use serde::Deserialize;

use crate::merge_request::ProjectId;

use super::client::Client;
use super::error::Error;

const JOBS: &str = "GET /projects/:id/pipelines/:pipeline_id/jobs";
const BRIDGES: &str = "GET /projects/:id/pipelines/:pipeline_id/bridges";

/// A job, or a bridge to another pipeline.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `success`, `failed`, `running`, …
    pub status: String,
    /// Whether the pipeline does not mind its failure.
    pub allow_failure: bool,
}

impl Client {
    /// Reads the jobs of a pipeline; of a job that was retried only the newest run.
    pub async fn jobs(&self, project: ProjectId, pipeline: u64) -> Result<Vec<Job>, Error> {
        let path = format!("projects/{project}/pipelines/{pipeline}/jobs");
        self.read_list(JOBS, &path, &[("include_retried", "false")]).await
    }

    /// Reads the bridges of a pipeline: the jobs that start other pipelines.
    pub async fn bridges(&self, project: ProjectId, pipeline: u64) -> Result<Vec<Job>, Error> {
        self.read_list(BRIDGES, &format!("projects/{project}/pipelines/{pipeline}/bridges"), &[]).await
    }
}
