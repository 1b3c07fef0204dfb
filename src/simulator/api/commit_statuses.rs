//! `/statuses`: what outside services say of commits, and the jobs that stand among it.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::entity;
use super::page::paginate;
use super::projects::{find_project, project_as};
use crate::merge_request::CommitSha;
use crate::simulator::access::level;
use crate::simulator::merge_requests::{PipelineJob, PipelineRun};
use crate::simulator::namespaces::CommitStatus;
use crate::simulator::reporting::Report;
use crate::simulator::world::World;

/// The states that GitLab takes.
const STATES: [&str; 6] = ["pending", "running", "success", "failed", "canceled", "skipped"];
/// GitLab takes no longer description and no longer address.
const LONGEST_TEXT: usize = 255;

pub(super) fn set(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = project_as(world, call, level::DEVELOPER)?.id;
    let state = call.field("state").ok_or_else(|| Answer::invalid("state is missing"))?;
    if !STATES.contains(&state.as_str()) {
        return Err(Answer::invalid("state does not have a valid value"));
    }
    let absent = || Answer::message(404, "404 Commit Not Found");
    let sha = CommitSha::parse(call.param(1)).map_err(|_| absent())?;
    find_project(world, call)?.repository.commit(sha.as_str()).ok_or_else(absent)?;
    let name = call.field("name").or_else(|| call.field("context")).unwrap_or_else(|| "default".to_owned());
    let (target_url, description) = (call.field("target_url"), call.field("description"));
    for (field, text) in [("target_url", &target_url), ("description", &description)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_TEXT) {
            let why = json!({ field: ["is too long (maximum is 255 characters)"] });
            return Err(Answer::json(400, json!({ "message": why })));
        }
    }
    let reference = call.field("ref").filter(|reference| !reference.is_empty());
    let pipeline = call.field("pipeline_id").and_then(|id| id.parse().ok());
    let user = call.user;
    let report = Report { project, sha, state, name, reference, pipeline, target_url, description, user };
    let taken = world.report(report).map_err(|(status, why)| Answer::message(status, &why))?;
    Ok(Answer::json(201, shown(world, &taken)))
}

fn shown(world: &World, status: &CommitStatus) -> Value {
    let mut shown = json!({
        "id": status.id,
        "sha": status.sha,
        "ref": status.reference,
        "status": status.state,
        "name": status.name,
        "target_url": status.target_url,
        "description": status.description,
        "allow_failure": false,
        "author": entity::user(world, status.user),
    });
    with_pipeline(world, &mut shown, status.pipeline);
    shown
}

fn job_shown(world: &World, run: &PipelineRun, job: &PipelineJob) -> Value {
    let mut shown = json!({
        "id": job.id,
        "sha": run.sha,
        "ref": run.reference,
        "status": job.status,
        "name": job.name,
        "target_url": null,
        "description": null,
        "allow_failure": job.allow_failure,
        "author": null,
    });
    with_pipeline(world, &mut shown, Some(run.id));
    shown
}

fn with_pipeline(world: &World, shown: &mut Value, pipeline: Option<u64>) {
    if let (true, Some(fields)) = (world.release.says_pipelines_of_statuses(), shown.as_object_mut()) {
        fields.insert("pipeline_id".to_owned(), json!(pipeline));
    }
}

/// The newest status of each name in each pipeline, jobs and bridges among them.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let world = &*world;
    let project = find_project(world, call)?;
    let is_wanted =
        |reference: Option<&str>| call.query("ref").is_none_or(|wanted| reference == Some(wanted));
    let of_commit = |status: &&CommitStatus| {
        status.sha.as_str() == call.param(1) && !status.retried && is_wanted(status.reference.as_deref())
    };
    let mut newest: Vec<&CommitStatus> = Vec::new();
    for status in project.commit_statuses.iter().rev().filter(of_commit) {
        let same = |other: &CommitStatus| other.name == status.name && other.pipeline == status.pipeline;
        if !newest.iter().any(|other| same(other)) {
            newest.push(status);
        }
    }
    let runs = world.merge_requests.values().flat_map(|merge_request| &merge_request.pipelines);
    let runs = runs.filter(|run| run.project == project.id && run.sha.as_str() == call.param(1));
    let jobs = runs.filter(|run| is_wanted(Some(&run.reference))).flat_map(|run| {
        run.jobs.iter().filter(|job| !job.retried).map(move |job| job_shown(world, run, job))
    });
    let all: Vec<Value> = newest.iter().map(|status| shown(world, status)).chain(jobs).collect();
    paginate(world, call, &all, Value::clone)
}
