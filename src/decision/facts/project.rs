//! The target project, and how far the head is behind its target branch.

use super::reader::Reader;
use crate::decision::doubt::{known, unknown, unreadable};
use crate::merge_request::CommitSha;
use crate::policy::fact::{Distance, Facts, Known, ProjectFacts, Unknown};

/// How many pages of commits are read to count how far the head is behind: nobody asks whether it is 1,000 or 20,000.
const PAGES_COUNTED: usize = 10;

impl Reader<'_> {
    pub(super) async fn project(&self, facts: &Facts) -> Known<ProjectFacts> {
        let read = self.gitlab.project(facts.merge_request.merge_request.project).await;
        known(read.map(|project| ProjectFacts {
            topics: project.topics,
            visibility: project.visibility,
            merge_method: project.merge_method,
            squash_option: project.squash_option,
        }))
    }

    /// How far the head is behind the target branch as it stands now.
    pub(super) async fn behind(&self, facts: &Facts) -> Known<Distance> {
        self.distance(facts).await.into()
    }

    /// Counted between two commits, and not as the merge request tells it: GitLab's `diverged_commits_count` is of whatever the
    /// source branch is at that moment, which another push may have moved past the head that stands beside it, and 0 where
    /// that branch is gone.
    async fn distance(&self, facts: &Facts) -> Result<Distance, Unknown> {
        let subject = &facts.merge_request;
        let (project, head) = (subject.merge_request.project, &subject.sha);
        let branch = self.gitlab.branch(project, &subject.target_branch).await.map_err(unknown)?;
        let target = CommitSha::parse(&branch.commit.id).map_err(unreadable)?;
        let read = self.gitlab.newest_commits_between(project, head, &target, PAGES_COUNTED).await;
        let (commits, all) = read.map_err(unknown)?;
        // No commit is no proof: a list is empty also where GitLab does not find what it is asked for.
        let is_of_target = if commits.is_empty() {
            self.gitlab.merge_base(project, head, &target).await.map_err(unknown)? == target.as_str()
        } else {
            commits.iter().any(|commit| commit.id == target.as_str())
        };
        if !is_of_target {
            let why =
                format!("GitLab does not list what `{}` has and the head has not", subject.target_branch);
            return Err(Unknown { why, curable: true });
        }
        Ok(Distance { commits: commits.len() as u64, all })
    }
}
