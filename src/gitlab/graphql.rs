//! `/api/graphql`: the one question that REST has no answer to, how many lines change in every file of a large change.
//!
//! GitLab answers 200 to errors as well, and a field that failed is null beside an entry in `errors`: where anything failed,
//! nothing is taken from the answer (contract section 5.3).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;

const ROUTE: &str = "POST /api/graphql";
/// Below the API's version 4.
const PATH: &str = "../graphql";
/// Every field of it is in the Community Edition, too. Ids are written as `gid://gitlab/Project/42`, and an iid is text.
const QUERY: &str = "query($project: ID!, $iid: String!) { project(fullPath: $project) { id mergeRequest(iid: $iid) { \
diffHeadSha diffRefs { baseSha headSha } diffStatsSummary { fileCount additions deletions } \
diffStats { path additions deletions } } } }";

/// How many lines change in each file of a merge request's newest push, as git counts them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffStats {
    /// The head of that push.
    pub diff_head_sha: String,
    /// Between which commits.
    pub diff_refs: DiffRefs,
    /// Of every file; GitLab's diff limits do not cut this list.
    #[serde(rename = "diffStats")]
    pub files: Vec<FileDiffStats>,
    #[serde(rename = "diffStatsSummary")]
    summary: Summary,
}

/// The two commits of a diff.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffRefs {
    /// Where the source branch leaves the target branch.
    pub base_sha: Option<String>,
    /// The head.
    pub head_sha: String,
}

/// Lines of one file.
#[derive(Debug, Clone, Deserialize)]
pub struct FileDiffStats {
    /// The path after the change.
    pub path: String,
    /// Lines added; 0 of a binary file.
    pub additions: u64,
    /// Lines removed; 0 of a binary file.
    pub deletions: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    file_count: usize,
    additions: u64,
    deletions: u64,
}

#[derive(Debug, Deserialize)]
struct Reply {
    // Read only where nothing failed: a field that did is null.
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Debug, Deserialize)]
struct Complaint {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Data {
    project: Option<Project>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    id: String,
    merge_request: Option<DiffStats>,
}

impl Client {
    /// Reads how many lines change in each file of the newest push. A project is found by its path alone, and another one may
    /// have it by now: that is an error.
    pub async fn diff_stats(
        &self,
        merge_request: MergeRequestRef,
        project_path: &str,
    ) -> Result<DiffStats, Error> {
        let variables = json!({ "project": project_path, "iid": merge_request.iid.to_string() });
        let reply = self.ask(ROUTE, PATH, &json!({ "query": QUERY, "variables": variables })).await?;
        let stats = read(reply, &format!("gid://gitlab/Project/{}", merge_request.project))?;
        let sum = |lines: fn(&FileDiffStats) -> u64| stats.files.iter().map(lines).sum::<u64>();
        let (added, removed) = (sum(|file| file.additions), sum(|file| file.deletions));
        let Summary { file_count, additions, deletions } = stats.summary;
        if (stats.files.len(), added, removed) != (file_count, additions, deletions) {
            return Err(malformed("its files and its sums differ"));
        }
        Ok(stats)
    }
}

fn read(reply: Reply, project_id: &str) -> Result<DiffStats, Error> {
    if let Some(Complaint { message }) = reply.errors.into_iter().next() {
        let message: String = message.chars().filter(|character| !character.is_control()).take(200).collect();
        // Asking again helps unless the question itself is refused.
        let refused = message.contains("doesn't exist on type") || message.contains("complexity");
        return Err(if refused {
            Error::Refused { route: ROUTE, status: 200, message }
        } else {
            malformed(&format!("it says `{message}`"))
        });
    }
    let absent = |what: &str| Error::NotFound { route: ROUTE, message: format!("no {what}") };
    let data = reply.data.ok_or_else(|| malformed("it has no data"))?;
    let Data { project } = serde_json::from_value(data).map_err(|error| malformed(&error.to_string()))?;
    let project = project.ok_or_else(|| absent("project"))?;
    if project.id != project_id {
        return Err(malformed(&format!("it is about {}", project.id)));
    }
    project.merge_request.ok_or_else(|| absent("merge request"))
}

fn malformed(reason: &str) -> Error {
    Error::Malformed { route: ROUTE, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(reply: Value) -> Result<DiffStats, Error> {
        read(serde_json::from_value(reply).unwrap(), "gid://gitlab/Project/7")
    }

    #[test]
    fn an_answer_with_an_error_is_no_answer_whatever_else_it_has() {
        let stats = json!({"diffHeadSha": "b", "diffRefs": {"baseSha": "a", "headSha": "b"},
            "diffStatsSummary": {"fileCount": 0, "additions": 0, "deletions": 0}, "diffStats": []});
        let data = |id: &str| json!({"project": {"id": id, "mergeRequest": stats}});
        let ours = data("gid://gitlab/Project/7");
        assert!(read_json(json!({"data": ours})).is_ok());
        let curable = |reply| read_json(reply).unwrap_err().is_curable();
        assert!(curable(json!({"data": ours, "errors": [{"message": "Timeout", "path": ["project"]}]})));
        assert!(curable(json!({"data": data("gid://gitlab/Project/8")})), "another project has the path now");
        assert!(curable(json!({"data": null})));
        assert!(!curable(json!({"data": {"project": null}})));
        assert!(!curable(
            json!({"errors": [{"message": "Field 'diffStats' doesn't exist on type 'MergeRequest'"}]})
        ));
        assert!(!curable(
            json!({"errors": [{"message": "Query has complexity of 300, which exceeds max complexity of 250"}]})
        ));
    }
}
