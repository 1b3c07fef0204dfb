//! `/projects/:id/merge_requests/:iid`: what the merge request says of itself, and its labels as we set them; and the list
//! of those that changed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

use super::answer::Dated;
use super::client::Client;
use super::error::Error;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid";
const CHANGE: &str = "PUT /projects/:id/merge_requests/:iid";
const LIST: &str = "GET /projects/:id/merge_requests";

/// A merge request as GitLab shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct MergeRequest {
    /// The number in its project.
    pub iid: u64,
    /// The target project.
    pub project_id: u64,
    /// The title, `Draft:` prefix included.
    pub title: String,
    /// The description; GitLab gives null for none, and never leaves it out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub description: Option<String>,
    /// `opened`, `closed`, `merged` or `locked` (while it is being merged).
    pub state: String,
    /// Label titles.
    pub labels: BTreeSet<String>,
    /// Whether it is a draft (13.2 and later).
    pub draft: Option<bool>,
    /// The older word for `draft`.
    pub work_in_progress: Option<bool>,
    /// The branch to be merged.
    pub source_branch: String,
    /// The branch it goes into.
    pub target_branch: String,
    /// Where the source branch lives; null when a fork was deleted, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub source_project_id: Option<u64>,
    /// Who opened it.
    pub author: BasicUser,
    /// The head of the newest diff version; null while GitLab prepares it, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub sha: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When anything about it changed last that GitLab dates (statuses, pipelines and memberships are not).
    pub updated_at: Timestamp,
    /// How people refer to it.
    pub references: References,
    /// Its address for browsers.
    pub web_url: String,
    /// Its milestone; null for none, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub milestone: Option<Milestone>,
    /// Who is assigned.
    pub assignees: Vec<BasicUser>,
    /// Who was asked to review (13.9 and later).
    pub reviewers: Vec<BasicUser>,
    /// Whether its commits will be squashed.
    pub squash: bool,
    /// Whether the source branch will be deleted, as its author or the project wants it; null for unsaid, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub force_remove_source_branch: Option<bool>,
    /// The same wish of whoever set it to merge.
    #[serde(deserialize_with = "Option::deserialize")]
    pub should_remove_source_branch: Option<bool>,
    /// Whether it conflicts with its target; false also while GitLab has not found out.
    pub has_conflicts: bool,
    /// How far GitLab is with that: `unchecked`, `checking`, `cannot_be_merged_recheck`, `can_be_merged`,
    /// `cannot_be_merged`, `preparing`.
    pub merge_status: Option<String>,
    /// Whether it is its author's first in the project.
    pub first_contribution: Option<bool>,
    /// The pipeline that GitLab itself goes by; for a moment after a push that of the head before.
    pub head_pipeline: Option<HeadPipeline>,
}

/// The pipeline that GitLab lets decide whether a merge request can be merged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeadPipeline {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// The commit it ran on: the head, or a commit that merges the head.
    pub sha: String,
    /// The ref it ran on.
    pub r#ref: String,
    /// The project it ran in, where GitLab says so.
    pub project_id: Option<u64>,
}

/// A milestone.
#[derive(Debug, Clone, Deserialize)]
pub struct Milestone {
    /// Its title.
    pub title: String,
}

/// The ways to refer to a merge request.
#[derive(Debug, Clone, Deserialize)]
pub struct References {
    /// `group/project!7`.
    pub full: String,
}

/// What the list says of a merge request, as far as it matters there.
#[derive(Debug, Deserialize)]
struct Listed {
    iid: u64,
    updated_at: Timestamp,
}

impl MergeRequest {
    /// The target project's full path at this moment; none where the reference is not one of a merge request.
    pub fn project_path(&self) -> Option<&str> {
        self.references.full.rsplit_once('!').map(|(path, _)| path)
    }
}

impl Client {
    /// Reads a merge request: one call, for everything that it says of itself.
    pub async fn merge_request(&self, merge_request: MergeRequestRef) -> Result<Dated<MergeRequest>, Error> {
        self.read_dated(ROUTE, &merge_request_path(merge_request, "")).await
    }

    /// The merge request of a project that was opened last, if there is one.
    pub async fn newest_merge_request(&self, project: ProjectId) -> Result<Option<MergeRequestRef>, Error> {
        let query = [("scope", "all"), ("order_by", "created_at"), ("sort", "desc"), ("per_page", "1")];
        let path = format!("projects/{project}/merge_requests");
        let (page, _) = self.read_page::<Listed>(LIST, &path, &query).await?;
        let newest = page.first().map(|listed| MergeRequestIid::new(listed.iid));
        Ok(newest.map(|iid| MergeRequestRef { project, iid }))
    }

    /// Adds labels and takes others away, and gives those that are there since.
    pub async fn change_labels(
        &self,
        merge_request: MergeRequestRef,
        add: &[String],
        remove: &[String],
    ) -> Result<BTreeSet<String>, Error> {
        #[derive(Serialize)]
        struct Change {
            #[serde(skip_serializing_if = "String::is_empty")]
            add_labels: String,
            #[serde(skip_serializing_if = "String::is_empty")]
            remove_labels: String,
        }
        #[derive(Deserialize)]
        struct Changed {
            labels: BTreeSet<String>,
        }
        // GitLab parts labels at commas in whatever form they come.
        let change = Change { add_labels: add.join(","), remove_labels: remove.join(",") };
        let path = merge_request_path(merge_request, "");
        let changed: Changed = self.write_for(Method::PUT, CHANGE, &path, &change).await?;
        Ok(changed.labels)
    }

    /// The open merge requests of a project that changed at or after an instant, the longest unchanged first, each with the
    /// instant of its last change.
    ///
    /// GitLab: a list is paged by offset (contract section 5.4). A merge request that changes or is closed between two
    /// pages moves those behind it up, and the first of the next page would be missed. So each further page asks for
    /// what changed since the last entry, which what moves can't slip past.
    pub async fn open_merge_requests_updated_after(
        &self,
        project: ProjectId,
        since: Timestamp,
    ) -> Result<Vec<(MergeRequestRef, Timestamp)>, Error> {
        let path = format!("projects/{project}/merge_requests");
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut since = since;
        loop {
            let updated_after = since.to_string();
            let query = [
                ("scope", "all"),
                ("state", "opened"),
                ("order_by", "updated_at"),
                ("sort", "asc"),
                ("updated_after", updated_after.as_str()),
            ];
            let (mut page, mut more) = self.read_page::<Listed>(LIST, &path, &query).await?;
            let last = page.last().map_or(since, |listed| listed.updated_at);
            if more && last <= since {
                // A whole page of one instant (an import, a change of all at once): no instant leads past it.
                (page, more) = (self.read_list(LIST, &path, &query).await?, false);
            }
            let fresh = page.iter().filter(|listed| seen.insert(listed.iid));
            found.extend(fresh.map(|listed| {
                (MergeRequestRef { project, iid: MergeRequestIid::new(listed.iid) }, listed.updated_at)
            }));
            if !more {
                return Ok(found);
            }
            since = last;
        }
    }
}

/// The path of a merge request's sub-resource (`""` for itself).
pub(super) fn merge_request_path(merge_request: MergeRequestRef, rest: &str) -> String {
    format!("projects/{}/merge_requests/{}{rest}", merge_request.project, merge_request.iid)
}
