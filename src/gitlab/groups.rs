//! `/groups`: which projects lie below one, and which number it has.

use serde::Deserialize;

use super::client::Client;
use super::error::Error;
use super::members::encode;
use super::projects::ListedProject;

const ONE: &str = "GET /groups/:id";
const PROJECTS: &str = "GET /groups/:id/projects";

/// A group.
#[derive(Debug, Clone, Deserialize)]
pub struct Group {
    /// The numeric id.
    pub id: u64,
}

impl Client {
    /// Reads a group by its full path.
    pub async fn group(&self, path: &str) -> Result<Group, Error> {
        self.read(ONE, &format!("groups/{}?with_projects=false", encode(path))).await
    }

    /// Reads the projects of a group that are not archived; with those of its subgroups if `deep`.
    pub async fn group_projects(&self, path: &str, deep: bool) -> Result<Vec<ListedProject>, Error> {
        let deep = if deep { "true" } else { "false" };
        // Projects that are only shared with the group belong to another one.
        let query = [
            ("include_subgroups", deep),
            ("archived", "false"),
            ("with_shared", "false"),
            ("simple", "true"),
            ("order_by", "id"),
            ("sort", "asc"),
        ];
        self.read_sparse_list(PROJECTS, &format!("groups/{}/projects", encode(path)), &query).await
    }
}
