//! The head's pipeline, its jobs, and commit statuses.

use super::reader::Reader;
use crate::decision::doubt::{unknown, unreadable};
use crate::merge_request::CommitSha;
use crate::policy::fact::{CommitStatus, Facts, Job, Known, Pipeline, Unknown};

/// How many merge commits are looked at to find the pipeline of the head.
const PIPELINES_TRACED: usize = 5;

impl Reader<'_> {
    pub(super) async fn pipeline(&self, facts: &Facts) -> Known<Option<Pipeline>> {
        self.newest_of_head(facts).await.into()
    }

    /// The newest pipeline whose commit is the head or merges it, merge trains left out (design section 4).
    async fn newest_of_head(&self, facts: &Facts) -> Result<Option<Pipeline>, Unknown> {
        let subject = &facts.merge_request;
        let pipelines = self.gitlab.pipelines(subject.merge_request).await.map_err(unknown)?;
        let mut traced = 0;
        for pipeline in pipelines {
            if pipeline.is_on("train", subject.merge_request) {
                continue;
            }
            let sha = CommitSha::parse(&pipeline.sha).map_err(unreadable)?;
            let mut of_head = sha == subject.sha;
            if !of_head && pipeline.is_on("merge", subject.merge_request) {
                if traced == PIPELINES_TRACED {
                    let why = "too many pipelines of other commits stand before the head's".to_owned();
                    return Err(Unknown { why, curable: true });
                }
                traced += 1;
                let commit =
                    self.gitlab.commit(subject.merge_request.project, &sha).await.map_err(unknown)?;
                of_head = commit.parent_ids.iter().any(|parent| parent == subject.sha.as_str());
            }
            if of_head {
                return Ok(Some(Pipeline {
                    id: pipeline.id,
                    status: pipeline.status,
                    sha,
                    r#ref: pipeline.r#ref,
                }));
            }
        }
        Ok(None)
    }

    pub(super) async fn jobs(&self, _facts: &Facts, _pipeline: u64) -> Known<Vec<Job>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn commit_statuses(&self, _facts: &Facts) -> Known<Vec<CommitStatus>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }
}
