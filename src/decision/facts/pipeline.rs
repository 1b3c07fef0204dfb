//! The head's pipeline, its jobs, and commit statuses.

use std::collections::BTreeMap;

use futures_util::future::join;

use super::composite::{Part, composite};
use super::reader::Reader;
use crate::decision::doubt::{known, unknown, unreadable};
use crate::decision::own::is_own_status_name;
use crate::gitlab;
use crate::merge_request::{CommitSha, ProjectId};
use crate::policy::fact::{CommitStatus, Facts, Job, Known, Pipeline, Unknown};

/// How many merge commits are looked at to find the pipeline of the head.
const PIPELINES_TRACED: usize = 5;

impl Reader<'_> {
    pub(super) async fn pipeline(&self, facts: &Facts) -> Known<Option<Pipeline>> {
        self.newest_of_head(facts).await.into()
    }

    /// The newest pipeline whose commit is the head or merges it, merge trains left out (design section 4), and those that
    /// hold nothing but what this service says.
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
            if of_head && let Some(status) = self.status_without_own(facts, &pipeline, &sha).await? {
                return Ok(Some(Pipeline {
                    id: pipeline.id,
                    status,
                    sha,
                    r#ref: pipeline.r#ref,
                    project: pipeline.project_id.map(ProjectId::new),
                }));
            }
        }
        Ok(None)
    }

    /// How a pipeline stands without our own commit statuses, which GitLab counts among its jobs: a rule that asks for its
    /// success would wait for itself, or pass by itself. None where nothing else is in it.
    async fn status_without_own(
        &self,
        facts: &Facts,
        pipeline: &gitlab::Pipeline,
        sha: &CommitSha,
    ) -> Result<Option<String>, Unknown> {
        if !self.own.sets_commit_statuses {
            return Ok(Some(pipeline.status.clone()));
        }
        let project = pipeline.project_id.map_or_else(|| project_of(facts, pipeline), ProjectId::new);
        let statuses =
            self.gitlab.commit_statuses_on(project, sha, &pipeline.r#ref).await.map_err(unknown)?;
        let of_this = |status: &gitlab::CommitStatus| status.pipeline_id.is_none_or(|id| id == pipeline.id);
        let (own, others): (Vec<_>, Vec<_>) =
            statuses.into_iter().filter(of_this).partition(|status| self.own.said(status));
        if own.is_empty() {
            return Ok(Some(pipeline.status.clone()));
        }
        let jobs;
        let mut parts: Vec<_> =
            others.iter().map(|status| part(&status.status, status.allow_failure)).collect();
        if others.iter().any(|status| status.pipeline_id.is_none()) {
            // GitLab does not say which are of this pipeline: its jobs are asked for, the others are all taken for its own.
            let read =
                join(self.gitlab.jobs(project, pipeline.id), self.gitlab.bridges(project, pipeline.id));
            let (read, bridges) = read.await;
            jobs = [read.map_err(unknown)?, bridges.map_err(unknown)?].concat();
            let is_job = |status: &&gitlab::CommitStatus| jobs.iter().any(|job| job.name == status.name);
            let external = others.iter().filter(|status| !is_job(status));
            parts = external
                .map(|status| part(&status.status, status.allow_failure))
                .chain(jobs.iter().map(|job| part(&job.status, job.allow_failure)))
                .collect();
        }
        Ok(composite(&parts).map(str::to_owned))
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
            let foreign = statuses.into_iter().filter(|status| !is_own_status_name(&status.name));
            newest_of_each(foreign.map(|status| {
                let kind = status.is_told_by_another_system();
                let fact = CommitStatus { name: status.name.clone(), status: status.status };
                ((status.name, kind), status.id, fact)
            }))
        }))
    }
}

/// Where a pipeline ran, if GitLab does not say: a branch's ran where the branch is.
fn project_of(facts: &Facts, pipeline: &gitlab::Pipeline) -> ProjectId {
    let target = facts.merge_request.merge_request.project;
    let is_special = pipeline.r#ref.starts_with("refs/merge-requests/");
    facts.merge_request.source_project.filter(|_| !is_special).unwrap_or(target)
}

fn part(status: &str, allow_failure: bool) -> Part<'_> {
    Part { status, allow_failure }
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
