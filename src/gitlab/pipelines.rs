//! `GET …/pipelines` of a merge request, and the parents of the commits they ran on.

use serde::Deserialize;

use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId};

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;

const LIST: &str = "GET /projects/:id/merge_requests/:iid/pipelines";
const COMMIT: &str = "GET /projects/:id/repository/commits/:sha";

/// A pipeline of a merge request.
#[derive(Debug, Clone, Deserialize)]
pub struct Pipeline {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// The commit it ran on: the head, or a commit that merges the head.
    pub sha: String,
    /// The ref it ran on; `refs/merge-requests/:iid/train` is the merge train's.
    pub r#ref: String,
    /// `success`, `failed`, `running`, …
    pub status: String,
    /// The project it ran in: of a fork's change mostly the fork. Old versions leave it out.
    pub project_id: Option<u64>,
    /// What started it; `merge_request_event` for GitLab's own pipelines of a merge request. Old versions leave it out.
    pub source: Option<String>,
}

impl Pipeline {
    /// Whether it ran on GitLab's own ref of that kind (`merge`, `train`) of this merge request. Branches can be named
    /// alike, and then are branches: none where GitLab does not say which of the two it is.
    pub fn is_on(&self, kind: &str, merge_request: MergeRequestRef) -> Option<bool> {
        if self.r#ref == format!("refs/merge-requests/{}/{kind}", merge_request.iid) {
            self.source.as_deref().map(|source| source == "merge_request_event")
        } else {
            Some(false)
        }
    }
}

/// A commit of the repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// What it was made on.
    pub parent_ids: Vec<String>,
}

impl Client {
    /// Reads the pipelines of a merge request, newest first.
    pub async fn pipelines(&self, merge_request: MergeRequestRef) -> Result<Vec<Pipeline>, Error> {
        let mut pipelines: Vec<Pipeline> =
            self.read_list(LIST, &merge_request_path(merge_request, "/pipelines"), &[]).await?;
        pipelines.sort_by_key(|pipeline| std::cmp::Reverse(pipeline.id));
        Ok(pipelines)
    }

    /// Reads a commit. What it says never changes.
    pub async fn commit(&self, project: ProjectId, sha: &CommitSha) -> Result<Commit, Error> {
        self.read(COMMIT, &format!("projects/{project}/repository/commits/{sha}")).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_request::MergeRequestIid;

    #[test]
    fn a_branch_named_like_a_merge_train_is_a_branch() {
        let merge_request = MergeRequestRef { project: ProjectId::new(1), iid: MergeRequestIid::new(5) };
        let on_train = |r#ref: &str, source: Option<&str>| {
            let pipeline =
                serde_json::json!({"id": 1, "sha": "x", "ref": r#ref, "status": "failed", "source": source});
            serde_json::from_value::<Pipeline>(pipeline).unwrap().is_on("train", merge_request)
        };
        assert_eq!(on_train("refs/merge-requests/5/train", Some("merge_request_event")), Some(true));
        assert_eq!(on_train("refs/merge-requests/5/train", Some("push")), Some(false));
        assert_eq!(on_train("refs/merge-requests/5/train", None), None);
        for elsewhere in ["refs/merge-requests/6/train", "mine/train"] {
            assert_eq!(on_train(elsewhere, None), Some(false));
        }
    }
}
