//! `/projects`: what a project says of itself, how it is set up for checks, and which ones there are.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::merge_request::ProjectId;

use super::client::Client;
use super::error::Error;
use super::members::encode;

const ROUTE: &str = "GET /projects/:id";
const CHANGE: &str = "PUT /projects/:id";
const LIST: &str = "GET /projects";

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

/// A project in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedProject {
    /// The numeric id.
    pub id: ProjectId,
    /// The full path.
    pub path_with_namespace: String,
}

/// What of a project's settings checks depend on.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckedProject {
    /// The numeric id.
    pub id: ProjectId,
    /// The full path.
    pub path_with_namespace: String,
    /// Whether nothing can be changed in it.
    #[serde(default)]
    pub archived: bool,
    /// "Status checks must succeed": none where GitLab has no such setting (before 15.5, or without Ultimate).
    pub only_allow_merge_if_all_status_checks_passed: Option<bool>,
    namespace: Option<Namespace>,
}

#[derive(Debug, Clone, Deserialize)]
struct Namespace {
    kind: String,
}

impl CheckedProject {
    /// Whether it is in the namespace of a user, above which there is no group.
    pub fn is_personal(&self) -> bool {
        self.namespace.as_ref().is_some_and(|namespace| namespace.kind == "user")
    }
}

#[derive(Serialize)]
struct Blocking {
    only_allow_merge_if_all_status_checks_passed: bool,
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

    /// Reads a project by its full path or its id.
    pub async fn checked_project(&self, path_or_id: &str) -> Result<CheckedProject, Error> {
        self.read(ROUTE, &format!("projects/{}", encode(path_or_id))).await
    }

    /// Ticks "Status checks must succeed". GitLab without that setting takes the call and changes nothing, so what it made
    /// of it tells.
    pub async fn require_status_checks(&self, project: ProjectId) -> Result<CheckedProject, Error> {
        let body = Blocking { only_allow_merge_if_all_status_checks_passed: true };
        self.write_for(Method::PUT, CHANGE, &format!("projects/{project}"), &body).await
    }

    /// Reads the projects in which the token's user has a role of at least a level (10: any), those that are archived left
    /// out.
    pub async fn joined_projects(&self, least: u8) -> Result<Vec<ListedProject>, Error> {
        let least = least.to_string();
        let query = [
            ("membership", "true"),
            ("min_access_level", least.as_str()),
            ("archived", "false"),
            ("simple", "true"),
            ("order_by", "id"),
            ("sort", "asc"),
        ];
        self.read_sparse_list(LIST, "projects", &query).await
    }

    /// Whether a project may have merge trains: false only where it says that it has none (Premium says so, and GitLab
    /// below Premium has neither the attribute nor trains).
    pub async fn has_merge_trains(&self, project: ProjectId) -> Result<bool, Error> {
        let project: MergeTrains = self.read_at_once(ROUTE, &format!("projects/{project}")).await?;
        Ok(project.merge_trains_enabled != Some(false))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_project_of_a_user_has_no_group_above_it() {
        for (namespace, expected) in
            [(json!({ "kind": "user" }), true), (json!({ "kind": "group" }), false), (json!(null), false)]
        {
            let text = json!({ "id": 1, "path_with_namespace": "bea/dotfiles", "namespace": namespace });
            let project: CheckedProject = serde_json::from_value(text).unwrap();
            assert_eq!(project.is_personal(), expected, "{namespace}");
        }
    }
}
