//! The target project, and how far the head is behind its target branch.

use super::reader::{Moved, Reader};
use crate::decision::doubt::{known, unknown};
use crate::policy::fact::{Facts, Known, ProjectFacts, Unknown};

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

    /// The count is of the head and the target branch that stand beside it in the same answer.
    pub(super) async fn behind(&self, facts: &Facts) -> Result<Known<u64>, Moved> {
        let subject = &facts.merge_request;
        let doubt = |why: &str, curable| Known::Unknown(Unknown { why: why.to_owned(), curable });
        // GitLab: without a source branch there is nothing to compare, and it says 0.
        if subject.source_project.is_none() {
            return Ok(doubt("the fork that it comes from was deleted, so nothing is counted", false));
        }
        let read = match self.gitlab.divergence(subject.merge_request).await {
            Ok(read) => read,
            Err(error) => return Ok(Known::Unknown(unknown(error))),
        };
        match (read.sha, read.diverged_commits_count) {
            (Some(sha), _) if sha != subject.sha.as_str() || read.target_branch != subject.target_branch => {
                Err(Moved)
            }
            (Some(_), Some(count)) => Ok(Known::Value(count)),
            (None, _) => Ok(doubt("GitLab still prepares the merge request", true)),
            (Some(_), None) => Ok(doubt("GitLab does not say how far it is behind its target branch", true)),
        }
    }
}
