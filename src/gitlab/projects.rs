//! `GET /projects/:id`: what a project says of itself.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::merge_request::ProjectId;

use super::client::Client;
use super::error::Error;

const ROUTE: &str = "GET /projects/:id";

/// How a project is set up.
#[derive(Debug, Clone, Deserialize)]
pub struct Project {
    /// Its topics (14.0 and later).
    pub topics: BTreeSet<String>,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// `merge`, `rebase_merge` or `ff`.
    pub merge_method: String,
    /// `never`, `always`, `default_on` or `default_off` (13.8 and later).
    pub squash_option: Option<String>,
}

#[derive(Deserialize)]
struct MergeTrains {
    merge_trains_enabled: Option<bool>,
}

impl Client {
    /// Reads how a project is set up.
    pub async fn project(&self, project: ProjectId) -> Result<Project, Error> {
        self.read(ROUTE, &format!("projects/{project}")).await
    }

    /// Whether a project may have merge trains: false only where it says that it has none (Premium says so, and GitLab
    /// below Premium has neither the attribute nor trains).
    pub async fn has_merge_trains(&self, project: ProjectId) -> Result<bool, Error> {
        let project: MergeTrains = self.read(ROUTE, &format!("projects/{project}")).await?;
        Ok(project.merge_trains_enabled != Some(false))
    }
}
