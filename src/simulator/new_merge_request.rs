//! What a test or the demo says of a merge request that is to be opened.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::diffs::{FileChange, NewCommit};
use crate::merge_request::{CommitSha, ProjectId, UserId};

/// A merge request to be opened.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewMergeRequest {
    pub(super) project: ProjectId,
    pub(super) iid: Option<u64>,
    pub(super) id: Option<u64>,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) labels: BTreeSet<String>,
    pub(super) source_branch: Option<String>,
    pub(super) target_branch: Option<String>,
    pub(super) fork: Option<ProjectId>,
    pub(super) author: Option<UserId>,
    pub(super) assignees: Vec<UserId>,
    pub(super) reviewers: Vec<UserId>,
    pub(super) milestone: Option<String>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) head: Option<CommitSha>,
    pub(super) base: Option<CommitSha>,
    pub(super) files: Vec<FileChange>,
    pub(super) commits: Vec<NewCommit>,
    pub(super) approvals_required: Option<u32>,
    pub(super) stage: Stage,
}

/// How far GitLab is with a merge request that is being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Ready, and everybody was told.
    Announced,
    /// Ready, and nobody was told.
    Quiet,
    /// Not ready: no `sha`, nobody told.
    Preparing,
    /// Without a single commit.
    Empty,
}

impl NewMergeRequest {
    /// One file changed in one commit by the person `author`, into the default branch.
    pub fn in_project(project: ProjectId) -> Self {
        Self {
            project,
            iid: None,
            id: None,
            title: "feat: change something".to_owned(),
            description: String::new(),
            labels: BTreeSet::new(),
            source_branch: None,
            target_branch: None,
            fork: None,
            author: None,
            assignees: Vec::new(),
            reviewers: Vec::new(),
            milestone: None,
            created_at: None,
            head: None,
            base: None,
            files: Vec::new(),
            commits: Vec::new(),
            approvals_required: None,
            stage: Stage::Announced,
        }
    }

    /// With this number within its project.
    pub fn iid(mut self, iid: u64) -> Self {
        self.iid = Some(iid);
        self
    }

    /// With this id, unique in all of GitLab.
    pub fn id(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// With this title.
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// With this description.
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    /// With one more label.
    pub fn label(mut self, title: &str) -> Self {
        self.labels.insert(title.to_owned());
        self
    }

    /// From this branch.
    pub fn source_branch(mut self, name: &str) -> Self {
        self.source_branch = Some(name.to_owned());
        self
    }

    /// Into this branch.
    pub fn target_branch(mut self, name: &str) -> Self {
        self.target_branch = Some(name.to_owned());
        self
    }

    /// From this fork.
    pub fn fork(mut self, project: ProjectId) -> Self {
        self.fork = Some(project);
        self
    }

    /// Opened by this user.
    pub fn author(mut self, user: UserId) -> Self {
        self.author = Some(user);
        self
    }

    /// With one more assignee.
    pub fn assignee(mut self, user: UserId) -> Self {
        self.assignees.push(user);
        self
    }

    /// With one more reviewer.
    pub fn reviewer(mut self, user: UserId) -> Self {
        self.reviewers.push(user);
        self
    }

    /// With this milestone.
    pub fn milestone(mut self, title: &str) -> Self {
        self.milestone = Some(title.to_owned());
        self
    }

    /// Opened (and pushed) at that moment.
    pub fn created_at(mut self, at: Timestamp) -> Self {
        self.created_at = Some(at);
        self
    }

    /// With this head.
    pub fn head(mut self, sha: &CommitSha) -> Self {
        self.head = Some(sha.clone());
        self
    }

    /// With this merge base.
    pub fn base(mut self, sha: &CommitSha) -> Self {
        self.base = Some(sha.clone());
        self
    }

    /// With one more file; the first one replaces the default `README.md`.
    pub fn file(mut self, file: impl Into<FileChange>) -> Self {
        self.files.push(file.into());
        self
    }

    /// With one more commit; the first one replaces the default, the last one is the newest.
    pub fn commit(mut self, commit: NewCommit) -> Self {
        self.commits.push(commit);
        self
    }

    /// With so many approvals required, whatever the project says.
    pub fn approvals_required(mut self, count: u32) -> Self {
        self.approvals_required = Some(count);
        self
    }

    /// Nobody is told: it was there before anybody listened.
    pub fn quietly(mut self) -> Self {
        self.stage = Stage::Quiet;
        self
    }

    /// GitLab still prepares it, until `Gitlab::finish_preparing`.
    pub fn preparing(mut self) -> Self {
        self.stage = Stage::Preparing;
        self
    }

    /// Without commits: `last_commit` is null and there is nothing to answer.
    pub fn empty(mut self) -> Self {
        self.stage = Stage::Empty;
        self
    }
}
