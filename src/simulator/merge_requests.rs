//! Merge requests and what is said of them: approvals, threads, pipelines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::diffs::DiffVersion;
use super::merge_trains::TrainCar;
use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, UserId};

/// GitLab's states of a merge request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeRequestState {
    /// Open.
    Opened,
    /// Closed without being merged.
    Closed,
    /// Merged.
    Merged,
    /// Being merged at this moment.
    Locked,
}

impl MergeRequestState {
    /// GitLab's word and number.
    pub(super) fn words(self) -> (&'static str, u8) {
        match self {
            Self::Opened => ("opened", 1),
            Self::Closed => ("closed", 2),
            Self::Merged => ("merged", 3),
            Self::Locked => ("locked", 4),
        }
    }
}

/// An approval that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// By whom.
    pub user: UserId,
    /// Since when.
    pub at: Timestamp,
}

/// A thread (GitLab's discussion).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discussion {
    /// GitLab's id, forty hex digits.
    pub id: String,
    /// Whether it can be resolved at all: a plain comment and a system note cannot.
    pub resolvable: bool,
    /// Whether it is resolved.
    pub resolved: bool,
    /// Its notes, oldest first.
    pub notes: Vec<Note>,
}

/// One note of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// GitLab's id.
    pub id: u64,
    /// Who wrote it, or whose action GitLab noted.
    pub author: UserId,
    /// The text.
    pub body: String,
    /// Whether GitLab wrote it.
    pub system: bool,
    /// Whether only project members see it.
    pub internal: bool,
    /// When.
    pub created_at: Timestamp,
    /// When anything of it last moved: an edit, a resolution, the first reply to it.
    pub updated_at: Timestamp,
}

impl Note {
    /// Something of it moves; never within the millisecond in which it was written, that nobody can tell from untouched.
    pub(super) fn touch(&mut self, now: Timestamp) {
        self.updated_at = now.max(self.created_at + Duration::from_millis(1));
    }
}

/// An emoji that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Award {
    /// GitLab's id.
    pub id: u64,
    /// The emoji's name.
    pub name: String,
    /// By whom.
    pub user: UserId,
    /// Since when.
    pub at: Timestamp,
}

/// A label that was added or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelEvent {
    /// GitLab's id.
    pub id: u64,
    /// By whom.
    pub user: UserId,
    /// When.
    pub created_at: Timestamp,
    /// The title.
    pub label: String,
    /// Whether it was added.
    pub added: bool,
}

/// What a pipeline ran on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PipelineKind {
    /// The source branch.
    Branch,
    /// The merge request (`refs/merge-requests/:iid/head`).
    #[default]
    MergeRequest,
    /// The merged result (`refs/merge-requests/:iid/merge`): a commit whose parents are target and head.
    MergedResult,
    /// A merge train (`refs/merge-requests/:iid/train`).
    Train,
}

/// A pipeline of a merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineRun {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// The commit it ran on.
    pub sha: CommitSha,
    /// The ref it ran on.
    pub reference: String,
    /// GitLab's word.
    pub status: String,
    /// What started it.
    pub source: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// The project it ran in.
    pub project: ProjectId,
    /// Its jobs and bridges, oldest first; a job that was retried has several.
    pub jobs: Vec<PipelineJob>,
}

/// One run of a job, or a bridge to another pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineJob {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// GitLab's word.
    pub status: String,
    /// Whether the pipeline does not mind its failure.
    pub allow_failure: bool,
    /// Whether a newer run has taken its place.
    pub retried: bool,
    /// Whether it starts another pipeline.
    pub is_bridge: bool,
}

/// A run of a job that begins.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewJob {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) allow_failure: bool,
    pub(super) is_bridge: bool,
}

impl NewJob {
    /// A job with a status.
    pub fn new(name: &str, status: &str) -> Self {
        Self { name: name.to_owned(), status: status.to_owned(), allow_failure: false, is_bridge: false }
    }

    /// Whose failure the pipeline does not mind.
    pub fn allow_failure(mut self) -> Self {
        self.allow_failure = true;
        self
    }

    /// That starts another pipeline.
    pub fn bridge(mut self) -> Self {
        self.is_bridge = true;
        self
    }
}

impl PipelineRun {
    /// Whether it has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.status.as_str(), "success" | "failed" | "canceled" | "skipped")
    }
}

/// A merge request as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeRequest {
    /// Which one.
    pub reference: MergeRequestRef,
    /// The id that is unique in all of GitLab.
    pub id: u64,
    /// The title, `Draft:` included.
    pub title: String,
    /// The description.
    pub description: String,
    /// Label titles.
    pub labels: BTreeSet<String>,
    /// The branch that would be merged.
    pub source_branch: String,
    /// The branch it would be merged into.
    pub target_branch: String,
    /// The project of the source branch; none when the fork was deleted.
    pub source_project: Option<ProjectId>,
    /// Who opened it.
    pub author: UserId,
    /// To whom it is assigned.
    pub assignees: Vec<UserId>,
    /// Who was asked for a review.
    pub reviewers: Vec<UserId>,
    /// How far reviewers are, in GitLab's words; who is not in it has not reviewed.
    pub reviewer_states: BTreeMap<UserId, String>,
    /// The title of its milestone.
    pub milestone: Option<String>,
    /// Whether its commits will be squashed.
    pub squash: bool,
    /// Whether the merge deletes the source branch.
    pub removes_source_branch: bool,
    /// Whether it conflicts with its target; none while GitLab has not looked.
    pub conflicts: Option<bool>,
    /// Whether it is its author's first in the project; none where GitLab does not say.
    pub first_contribution: Option<bool>,
    /// Open, closed, merged.
    pub state: MergeRequestState,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// Whether GitLab still prepares it: then it has no `sha` yet.
    pub preparing: bool,
    /// Every push, oldest first.
    pub versions: Vec<DiffVersion>,
    /// Who approves.
    pub approvals: Vec<Approved>,
    /// How many approvals are required.
    pub approvals_required: u32,
    /// Emoji on it, oldest first.
    pub awards: Vec<Award>,
    /// Threads, oldest first.
    pub discussions: Vec<Discussion>,
    /// Who added and removed which label when, oldest first.
    pub label_events: Vec<LabelEvent>,
    /// Pipelines, oldest first.
    pub pipelines: Vec<PipelineRun>,
    /// Which merge requests have to be merged first, each with the id of that entry.
    pub blocked_by: Vec<(u64, MergeRequestRef)>,
    /// Issues that a commit or comment mentions, by project and number, beside those of title and description.
    pub mentioned_issues: Vec<(ProjectId, u64)>,
    /// Issues of another tracker that the merge closes, by their keys.
    pub external_issues: Vec<String>,
    /// Its place on a merge train, if it is on one or a train has merged it.
    pub train_car: Option<TrainCar>,
    /// The commit that merged it.
    pub merge_commit: Option<CommitSha>,
    /// What `detailed_merge_status` says, if not what follows from the rest.
    pub said_merge_status: Option<String>,
}

impl MergeRequest {
    /// The newest diff version; none while GitLab prepares, or when there are no commits.
    pub fn newest_version(&self) -> Option<&DiffVersion> {
        if self.preparing { None } else { self.versions.last() }
    }

    /// The head of the newest diff version (`sha`, `diff_head_sha`).
    pub fn head(&self) -> Option<&CommitSha> {
        self.newest_version().map(|version| &version.head)
    }

    /// Whether the title marks it as draft.
    pub fn draft(&self) -> bool {
        self.title.starts_with("Draft:")
    }

    /// How far a reviewer is, in GitLab's word.
    pub fn reviewer_state(&self, user: UserId) -> &str {
        self.reviewer_states.get(&user).map_or("unreviewed", String::as_str)
    }

    /// How many approvals are missing.
    pub fn approvals_left(&self) -> u32 {
        let given = u32::try_from(self.approvals.len()).unwrap_or(u32::MAX);
        self.approvals_required.saturating_sub(given)
    }

    /// Whether it is on a merge train at this moment.
    pub fn on_merge_train(&self) -> bool {
        self.train_car.as_ref().is_some_and(|car| !car.status.is_over())
    }

    /// Whether no thread is open.
    pub fn all_resolved(&self) -> bool {
        self.discussions.iter().all(|thread| thread.resolved || !thread.resolvable)
    }
}
