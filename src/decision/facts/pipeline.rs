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
            let on_train = pipeline.is_on("train", subject.merge_request);
            if on_train == Some(true) {
                continue;
            }
            let sha = CommitSha::parse(&pipeline.sha).map_err(unreadable)?;
            let mut of_head = sha == subject.sha;
            if of_head && on_train.is_none() {
                let why = format!(
                    "GitLab does not say by its `source` whether pipeline {} is a merge train's",
                    pipeline.id
                );
                return Err(Unknown { why, curable: false });
            }
            // Where GitLab does not say what it is, its commit does.
            if !of_head && pipeline.is_on("merge", subject.merge_request) != Some(false) {
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
        // A bridge is no newer run of a job that is called the same.
        let newest = |all: Vec<gitlab::Job>| newest_of_each(all.into_iter().map(job));
        Known::Value([newest(jobs), newest(bridges)].concat())
    }

    /// What others said of the head; what countersign says itself is never among it.
    ///
    /// GitLab lists jobs among it. Whoever can change `.gitlab-ci.yml` can call a job like another system's status, so the newest
    /// of each is kept: neither takes the other one's place.
    pub(super) async fn commit_statuses(&self, facts: &Facts) -> Known<Vec<CommitStatus>> {
        let subject = &facts.merge_request;
        let read = self.gitlab.commit_statuses(subject.merge_request.project, &subject.sha).await;
        known(read.map(|statuses| {
            let foreign = statuses.into_iter().filter(|status| !is_ours(&status.name));
            newest_of_each(foreign.map(|status| {
                let kind = status.is_told_by_another_system();
                let fact = CommitStatus { name: status.name.clone(), status: status.status };
                ((status.name, kind), status.id, fact)
            }))
        }))
    }
}

/// Whether countersign itself says a commit status of that name.
fn is_ours(name: &str) -> bool {
    name == CheckName::DEFAULT || name.starts_with("countersign/")
}

/// By key, and of each key the one with the largest id.
fn newest_of_each<K: Ord, T>(all: impl Iterator<Item = (K, u64, T)>) -> Vec<T> {
    let mut newest: BTreeMap<K, (u64, T)> = BTreeMap::new();
    for (key, id, item) in all {
        if newest.get(&key).is_none_or(|(before, _)| *before < id) {
            newest.insert(key, (id, item));
        }
    }
    newest.into_values().map(|(_, item)| item).collect()
}
