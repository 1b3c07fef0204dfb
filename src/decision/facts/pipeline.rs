//! The head's pipeline, its jobs, and commit statuses.

use std::collections::BTreeMap;

use futures_util::future::join;

use super::reader::Reader;
use crate::decision::doubt::{known, unknown, unreadable};
use crate::gitlab;
use crate::merge_request::{CheckName, CommitSha, ProjectId};
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
                    project: pipeline.project_id.map(ProjectId::new),
                }));
            }
        }
        Ok(None)
    }

    /// Jobs and bridges, in the project where the pipeline ran.
    pub(super) async fn jobs(&self, facts: &Facts, pipeline: u64) -> Known<Vec<Job>> {
        let ran = match &facts.pipeline {
            Some(Known::Value(Some(ran))) if ran.id == pipeline => ran.project,
            _ => None,
        };
        let project = ran.unwrap_or(facts.merge_request.merge_request.project);
        let read = join(self.gitlab.jobs(project, pipeline), self.gitlab.bridges(project, pipeline)).await;
        let (jobs, bridges) = match read {
            (Ok(jobs), Ok(bridges)) => (jobs, bridges),
            (Err(error), _) | (_, Err(error)) => return Known::Unknown(unknown(error)),
        };
        let job = |job: gitlab::Job| {
            let fact = Job { name: job.name.clone(), status: job.status, allow_failure: job.allow_failure };
            (job.name, job.id, fact)
        };
        Known::Value(newest_of_each_name(jobs.into_iter().chain(bridges).map(job)))
    }

    /// What others said of the head; what countersign says itself is never among it.
    pub(super) async fn commit_statuses(&self, facts: &Facts) -> Known<Vec<CommitStatus>> {
        let subject = &facts.merge_request;
        let read = self.gitlab.commit_statuses(subject.merge_request.project, &subject.sha).await;
        known(read.map(|statuses| {
            let foreign = statuses.into_iter().filter(|status| !is_ours(&status.name));
            newest_of_each_name(foreign.map(|status| {
                let fact = CommitStatus { name: status.name.clone(), status: status.status };
                (status.name, status.id, fact)
            }))
        }))
    }
}

/// Whether countersign itself says a commit status of that name.
fn is_ours(name: &str) -> bool {
    name == CheckName::DEFAULT || name.starts_with("countersign/")
}

/// By name, and of each name the one with the largest id.
fn newest_of_each_name<T>(all: impl Iterator<Item = (String, u64, T)>) -> Vec<T> {
    let mut newest: BTreeMap<String, (u64, T)> = BTreeMap::new();
    for (name, id, item) in all {
        if newest.get(&name).is_none_or(|(before, _)| *before < id) {
            newest.insert(name, (id, item));
        }
    }
    newest.into_values().map(|(_, item)| item).collect()
}
