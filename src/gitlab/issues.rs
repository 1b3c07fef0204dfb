//! `GET …/closes_issues` and `…/related_issues`: issues that have to do with a merge request.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::{Milestone, References, merge_request_path};

const CLOSED: &str = "GET /projects/:id/merge_requests/:iid/closes_issues";
const RELATED: &str = "GET /projects/:id/merge_requests/:iid/related_issues";

/// An issue. GitLab leaves out those that the token can't see.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub enum Issue {
    /// GitLab's own.
    Gitlab(GitlabIssue),
    /// One of another tracker, such as Jira.
    External(ExternalIssue),
}

/// A key is a text and an id is a number: trying both shapes instead would hide which field of an issue is missing.
impl TryFrom<serde_json::Value> for Issue {
    type Error = serde_json::Error;

    fn try_from(json: serde_json::Value) -> Result<Self, serde_json::Error> {
        let is_external = json.get("id").is_some_and(serde_json::Value::is_string);
        if is_external {
            ExternalIssue::deserialize(json).map(Self::External)
        } else {
            GitlabIssue::deserialize(json).map(Self::Gitlab)
        }
    }
}

/// An issue of GitLab's own.
#[derive(Debug, Clone, Deserialize)]
pub struct GitlabIssue {
    /// `opened` or `closed`.
    pub state: String,
    /// Label titles.
    pub labels: BTreeSet<String>,
    /// Its milestone; null for none, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub milestone: Option<Milestone>,
    /// How people refer to it.
    pub references: References,
}

/// An issue of another tracker: GitLab knows no more of it.
#[derive(Debug, Clone, Deserialize)]
pub struct ExternalIssue {
    /// Its key there: `SHOP-12`.
    pub id: String,
}

impl Client {
    /// Reads the issues that the merge closes.
    pub async fn closing_issues(&self, merge_request: MergeRequestRef) -> Result<Vec<Issue>, Error> {
        self.read_list(CLOSED, &merge_request_path(merge_request, "/closes_issues"), &[]).await
    }

    /// Reads the issues that are mentioned in title, description, commits or comments, those that the merge closes among
    /// them (17.x; before there is no such route).
    pub async fn related_issues(&self, merge_request: MergeRequestRef) -> Result<Vec<Issue>, Error> {
        self.read_list(RELATED, &merge_request_path(merge_request, "/related_issues"), &[]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_of_another_tracker_is_told_by_its_key_and_a_part_of_an_issue_is_none() {
        let issue = |json: serde_json::Value| serde_json::from_value::<Issue>(json);
        let own = serde_json::json!({"id": 5, "state": "opened", "labels": ["bug"], "milestone": null, "title": "x",
            "references": {"full": "shop/web#1"}});
        assert!(matches!(issue(own.clone()), Ok(Issue::Gitlab(found)) if found.labels.contains("bug")));
        let jira = issue(serde_json::json!({"id": "SHOP-12", "title": "SHOP-12"}));
        assert!(matches!(jira, Ok(Issue::External(found)) if found.id == "SHOP-12"));
        for key in ["state", "labels", "milestone", "references"] {
            let mut part = own.clone();
            part.as_object_mut().unwrap().remove(key);
            let error = issue(part).unwrap_err().to_string();
            assert!(error.contains(&format!("missing field `{key}`")), "{error}");
        }
    }
}
