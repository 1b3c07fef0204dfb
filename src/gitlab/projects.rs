//! `GET /projects/:id`: what a project says of itself.

use serde::Deserialize;

use crate::merge_request::ProjectId;

use super::client::Client;
use super::error::Error;

const ROUTE: &str = "GET /projects/:id";

#[derive(Deserialize)]
struct Project {
    merge_trains_enabled: Option<bool>,
}

impl Client {
    /// Whether a project may have merge trains: false only where it says that it has none (Premium says so, and GitLab
    /// below Premium has neither the attribute nor trains).
    pub async fn has_merge_trains(&self, project: ProjectId) -> Result<bool, Error> {
        let project: Project = self.read(ROUTE, &format!("projects/{project}")).await?;
        Ok(project.merge_trains_enabled != Some(false))
    }
}
