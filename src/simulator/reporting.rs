//! Commit statuses as GitLab keeps them: each is a part of a pipeline, and the pipeline stands as its parts do.

use super::error::SimulatorError;
use super::merge_requests::{MergeRequest, PipelineRun};
use super::namespaces::CommitStatus;
use super::world::World;
use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, UserId};

/// What somebody says of a commit.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) project: ProjectId,
    pub(super) sha: CommitSha,
    pub(super) state: String,
    pub(super) name: String,
    pub(super) reference: Option<String>,
    pub(super) pipeline: Option<u64>,
    pub(super) target_url: Option<String>,
    pub(super) description: Option<String>,
    pub(super) user: UserId,
}

/// Why GitLab does not take it: a status code and words.
pub(super) type Refusal = (u16, String);

impl World {
    /// Takes a commit status. It goes into the newest pipeline of the commit that fits; where there is none, GitLab makes
    /// one. What has not ended is changed, and can't become what it is.
    pub(super) fn report(&mut self, report: Report) -> Result<CommitStatus, Refusal> {
        let Report { project, sha, state, name, reference, pipeline: wanted, target_url, description, user } =
            report;
        let fitting = self.fitting_run(project, &sha, reference.as_deref(), wanted);
        if wanted.is_some() && fitting.is_none() && self.release.finds_pipelines_for_statuses() {
            return Err((404, "404 Pipeline for pipeline_id, sha and ref Not Found".to_owned()));
        }
        let reference = match (reference, &fitting) {
            (Some(reference), _) => reference,
            (None, Some((_, run))) => run.reference.clone(),
            (None, None) => {
                let branches = &self.project(project)?.repository;
                let found = branches.branch_at(&sha).map(str::to_owned);
                found.ok_or((404, "404 References for commit Not Found".to_owned()))?
            }
        };
        let (owner, pipeline) = match fitting {
            Some((owner, run)) => (Some(owner), Some(run.id)),
            None => self.external_run(project, &sha, &reference)?,
        };
        let said = CommitStatus {
            id: self.fresh_id(),
            sha,
            state,
            name,
            target_url,
            description,
            user,
            reference: Some(reference),
            pipeline,
            retried: false,
        };
        let taken = said.put(&mut self.project_mut(project)?.commit_statuses)?;
        self.reports.push(taken.clone());
        if let (Some(owner), Some(pipeline)) = (owner, pipeline) {
            let run = self.merge_request(owner)?.pipelines.iter();
            let run = run.into_iter().find(|run| run.id == pipeline).cloned();
            if let Some(run) = run {
                self.announce_pipeline(owner, user, &run)?;
            }
        }
        Ok(taken)
    }

    /// The newest pipeline of a commit, by ref and number if they are given, with a merge request that shows it.
    fn fitting_run(
        &self,
        project: ProjectId,
        sha: &CommitSha,
        reference: Option<&str>,
        wanted: Option<u64>,
    ) -> Option<(MergeRequestRef, PipelineRun)> {
        let runs = self.merge_requests.values().flat_map(|merge_request| {
            merge_request.pipelines.iter().map(|run| (merge_request.reference, run.clone()))
        });
        runs.filter(|(_, run)| run.project == project && run.sha == *sha)
            .filter(|(_, run)| reference.is_none_or(|reference| run.reference == reference))
            .filter(|(_, run)| wanted.is_none_or(|wanted| run.id == wanted))
            .max_by_key(|(_, run)| run.id)
    }

    /// GitLab makes a pipeline for a status that belongs to none. It is shown by the merge requests of that branch.
    fn external_run(
        &mut self,
        project: ProjectId,
        sha: &CommitSha,
        reference: &str,
    ) -> Result<(Option<MergeRequestRef>, Option<u64>), SimulatorError> {
        let shows = |merge_request: &&MergeRequest| {
            merge_request.source_project == Some(project)
                && merge_request.source_branch == reference
                && merge_request.head() == Some(sha)
        };
        let owner = self.merge_requests.values().find(shows).map(|merge_request| merge_request.reference);
        let Some(owner) = owner else { return Ok((None, None)) };
        let (id, created_at) = (self.fresh_id(), self.now());
        let (sha, reference, jobs) = (sha.clone(), reference.to_owned(), Vec::new());
        let run = PipelineRun {
            id,
            sha,
            reference,
            status: String::new(),
            source: "external",
            created_at,
            project,
            jobs,
        };
        self.merge_request_mut(owner)?.pipelines.push(run);
        Ok((Some(owner), Some(id)))
    }

    /// How a pipeline stands: as its own jobs make it, which a test says, with what is reported in it.
    pub(super) fn pipeline_status(&self, run: &PipelineRun) -> String {
        let reported = self.projects.get(&run.project).map_or(&[][..], |project| &project.commit_statuses);
        let reported = reported.iter().filter(|status| status.pipeline == Some(run.id) && !status.retried);
        let own = Some(run.status.as_str()).filter(|own| !own.is_empty());
        let words: Vec<&str> = own.into_iter().chain(reported.map(|status| status.state.as_str())).collect();
        let only = |some: &[&str]| words.iter().all(|word| some.contains(word));
        let has = |some: &[&str]| words.iter().any(|word| some.contains(word));
        let status = match () {
            () if words.len() == 1 => words.first().copied().unwrap_or_default(),
            () if only(&["skipped"]) => "skipped",
            () if only(&["success", "skipped"]) => "success",
            () if only(&["canceled", "success", "skipped"]) => "canceled",
            () if only(&["pending", "created", "skipped"]) => "pending",
            () if has(&["running", "pending"]) => "running",
            () if has(&["manual"]) => "manual",
            () if has(&["created"]) => "running",
            () => "failed",
        };
        status.to_owned()
    }
}

impl From<SimulatorError> for Refusal {
    fn from(error: SimulatorError) -> Self {
        (404, error.to_string())
    }
}

impl CommitStatus {
    /// Puts it among those of the project, as what it replaces allows.
    fn put(self, statuses: &mut Vec<Self>) -> Result<Self, Refusal> {
        let same = |status: &&mut Self| {
            status.sha == self.sha
                && status.pipeline == self.pipeline
                && status.name == self.name
                && !status.retried
        };
        let before = statuses.iter_mut().find(same);
        let is_open = |status: &Self| {
            status.user == self.user && matches!(status.state.as_str(), "pending" | "running")
        };
        if let Some(before) = before {
            if is_open(before) {
                return before.go_on(self);
            }
            before.retried = true;
        }
        statuses.push(self.clone());
        Ok(self)
    }

    /// What has not ended is changed, and can't become what it is.
    fn go_on(&mut self, said: Self) -> Result<Self, Refusal> {
        let state = &said.state;
        if self.state == *state {
            let event = if state == "pending" { "enqueue" } else { "run" };
            let why = format!(
                "Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via \"{event}\")"
            );
            return Err((400, why));
        }
        self.state = said.state;
        self.target_url = said.target_url.or(self.target_url.take());
        self.description = said.description.or(self.description.take());
        Ok(self.clone())
    }
}
