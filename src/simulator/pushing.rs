//! How a push becomes a diff version.

use super::diffs::{Commit, DiffVersion, FileChange, NewCommit, Push};
use super::error::SimulatorError;
use super::merge_requests::MergeRequest;
use super::world::World;
use crate::merge_request::{CommitSha, ProjectId, UserId, VersionId};

impl World {
    /// The head of a branch; an unknown branch springs from the default branch.
    pub(super) fn branch_head(
        &mut self,
        project: ProjectId,
        branch: &str,
    ) -> Result<CommitSha, SimulatorError> {
        let found = self.project(project)?.repository.branch(branch).cloned();
        if let Some(sha) = found {
            return Ok(sha);
        }
        let default = self.project(project)?.default_branch.clone();
        let sha = match self.project(project)?.repository.branch(&default).cloned() {
            Some(sha) => sha,
            None => self.commit_on(project, &default, "Initial commit", "root@example.com")?,
        };
        self.project_mut(project)?.repository.set_branch(branch, sha.clone());
        Ok(sha)
    }

    /// Puts a commit on top of a branch.
    pub(super) fn commit_on(
        &mut self,
        project: ProjectId,
        branch: &str,
        message: &str,
        email: &str,
    ) -> Result<CommitSha, SimulatorError> {
        let sha = self.fresh_sha(message)?;
        let at = self.now();
        let repository = &mut self.project_mut(project)?.repository;
        let commit = Commit {
            sha: sha.clone(),
            message: message.to_owned(),
            author_email: email.to_owned(),
            committer_email: email.to_owned(),
            parents: repository.branch(branch).cloned().into_iter().collect(),
            at,
            signature: None,
        };
        repository.add_commit(commit);
        repository.set_branch(branch, sha.clone());
        Ok(sha)
    }

    /// Makes a version of a push and keeps its commits in the repositories.
    pub(super) fn new_version(
        &mut self,
        merge_request: &MergeRequest,
        push: Push,
        pusher: UserId,
    ) -> Result<DiffVersion, SimulatorError> {
        let project = merge_request.reference.project;
        let start = self.branch_head(project, &merge_request.target_branch)?;
        let newest_commit = push.commits.iter().flatten().next_back();
        let head = match push.sha.or_else(|| newest_commit.and_then(|commit| commit.sha.clone())) {
            Some(sha) => sha,
            None => self.fresh_sha(&merge_request.title)?,
        };
        let revived = merge_request.versions.iter().rev().find(|version| version.head == head);
        let before = revived.or(merge_request.versions.last());
        let base = push.base.or(before.map(|version| version.base.clone())).unwrap_or(start.clone());
        let files = push.files.or(before.map(|version| version.files.clone()));
        let commits = match (&push.commits, revived) {
            (None, Some(revived)) => revived.commits.clone(),
            (None, None) => {
                let message = merge_request.title.trim_start_matches("Draft:").trim();
                let below = before.map_or(&[][..], |version| version.commits.as_slice());
                let parent = before.map_or(&base, |version| &version.head).clone();
                let top = self.new_commits(&[NewCommit::new(message)], &head, &parent, pusher)?;
                top.into_iter().chain(below.iter().cloned()).collect()
            }
            (Some(commits), _) => self.new_commits(commits, &head, &base, pusher)?,
        };
        self.keep_commits(merge_request, &commits)?;
        self.snapshots.clear();
        Ok(DiffVersion {
            id: VersionId::new(self.fresh_id()),
            head,
            base,
            start,
            created_at: self.now(),
            files: files.unwrap_or_else(|| vec![FileChange::modified("README.md")]),
            commits,
            said_size: push.said_size,
        })
    }

    /// Commits, newest first; the newest one has the head's SHA.
    fn new_commits(
        &mut self,
        commits: &[NewCommit],
        head: &CommitSha,
        base: &CommitSha,
        pusher: UserId,
    ) -> Result<Vec<Commit>, SimulatorError> {
        let email = self.user(pusher)?.commit_email();
        let at = self.now();
        let mut made: Vec<Commit> = Vec::new();
        for (index, commit) in commits.iter().enumerate() {
            let sha = match &commit.sha {
                _ if index.saturating_add(1) == commits.len() => head.clone(),
                Some(sha) => sha.clone(),
                None => self.fresh_sha(&commit.message)?,
            };
            let author_email = commit.author_email.clone().unwrap_or_else(|| email.clone());
            let committer_email = commit.committer_email.clone().unwrap_or_else(|| author_email.clone());
            let parent = made.last().map_or(base, |commit| &commit.sha).clone();
            let parents = if commit.parents.is_empty() { vec![parent] } else { commit.parents.clone() };
            let message = commit.message.clone();
            let signature = commit.signature.clone();
            made.push(Commit { sha, message, author_email, committer_email, parents, at, signature });
        }
        made.reverse();
        Ok(made)
    }

    /// Target and source project know the commits; the source branch stands at the newest.
    fn keep_commits(
        &mut self,
        merge_request: &MergeRequest,
        commits: &[Commit],
    ) -> Result<(), SimulatorError> {
        let source = merge_request.source_project;
        for commit in commits.iter().rev() {
            let target = self.project_mut(merge_request.reference.project)?;
            target.repository.add_commit(commit.clone());
            if let Some(source) = source.and_then(|source| self.projects.get_mut(&source)) {
                source.repository.add_commit(commit.clone());
            }
        }
        let (Some(source), Some(newest)) = (source, commits.first()) else { return Ok(()) };
        if let Some(source) = self.projects.get_mut(&source) {
            source.repository.set_branch(&merge_request.source_branch, newest.sha.clone());
        }
        Ok(())
    }
}
