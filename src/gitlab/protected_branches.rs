//! `/projects/:id/protected_branches`: what a check can be bound to.

use serde::Deserialize;

use crate::merge_request::ProjectId;

use super::client::Client;
use super::error::Error;

const LIST: &str = "GET /projects/:id/protected_branches";

/// A protected branch, or a wildcard over branches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProtectedBranch {
    /// GitLab's id.
    pub id: u64,
    /// Its name; `*` stands for any characters.
    pub name: String,
}

impl Client {
    /// Reads the protected branches of a project.
    pub async fn protected_branches(&self, project: ProjectId) -> Result<Vec<ProtectedBranch>, Error> {
        self.read_list(LIST, &format!("projects/{project}/protected_branches"), &[]).await
    }
}
