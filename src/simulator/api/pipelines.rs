//! `/pipelines`: the jobs and bridges of one.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::entity;
use super::page::paginate;
use super::projects::find_project;
use crate::simulator::access::level;
use crate::simulator::clock::rest_time;
use crate::simulator::merge_requests::{PipelineJob, PipelineRun};
use crate::simulator::world::World;

pub(super) fn jobs(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    list(world, call, false)
}

pub(super) fn bridges(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    list(world, call, true)
}

/// GitLab: newest first, and without the runs that were retried unless `include_retried` asks for them.
fn list(world: &World, call: &Call, bridges: bool) -> Result<Answer, Answer> {
    let run = find(world, call)?;
    let all = call.query("include_retried") == Some("true");
    let listed = |job: &&PipelineJob| job.is_bridge == bridges && (all || !job.retried);
    let jobs: Vec<_> = run.jobs.iter().rev().filter(listed).collect();
    paginate(world, call, &jobs, |job| job_json(world, run, job))
}

/// The pipeline of the first two parameters. GitLab: it is found in the project where it ran, by its members.
fn find<'world>(world: &'world World, call: &Call) -> Result<&'world PipelineRun, Answer> {
    let project = find_project(world, call)?;
    if world.level_in_project(project, &call.account(world)?) < level::REPORTER {
        return Err(Answer::forbidden());
    }
    let wanted = call.number(1);
    let mut runs = world.merge_requests.values().flat_map(|merge_request| &merge_request.pipelines);
    let found = runs.find(|run| Some(run.id) == wanted && run.project == project.id);
    found.ok_or_else(Answer::not_found)
}

fn job_json(world: &World, run: &PipelineRun, job: &PipelineJob) -> Value {
    let mut json = json!({
        "id": job.id,
        "status": job.status,
        "stage": "test",
        "name": job.name,
        "ref": run.reference,
        "tag": false,
        "coverage": null,
        "allow_failure": job.allow_failure,
        "created_at": rest_time(run.created_at),
        "started_at": null,
        "finished_at": null,
        "duration": null,
        "user": null,
        "commit": { "id": run.sha },
        "pipeline": entity::pipeline(world, run),
        "web_url": format!("{}/-/jobs/{}", world.url, job.id),
    });
    if let (Some(fields), true) = (json.as_object_mut(), job.is_bridge) {
        fields.insert("downstream_pipeline".to_owned(), Value::Null);
    }
    json
}
