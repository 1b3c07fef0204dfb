//! `/merge_trains`: how a merge request stands on one.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::{entity, merge_requests};
use crate::simulator::clock::rest_time;
use crate::simulator::merge_requests::MergeRequest;
use crate::simulator::merge_trains::{TrainCar, TrainStatus};
use crate::simulator::release::Edition;
use crate::simulator::world::World;

/// GitLab: 403 where merge trains are not paid for, 404 for a merge request that was never put on one.
pub(super) fn status(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    if world.release.edition != Edition::Ultimate {
        return Err(Answer::forbidden());
    }
    let absent = || Answer::message(404, "404 Merge Train Merge Request Not Found");
    let car = merge_request.train_car.as_ref().ok_or_else(absent)?;
    Ok(Answer::ok(car_json(world, merge_request, car)))
}

fn car_json(world: &World, merge_request: &MergeRequest, car: &TrainCar) -> Value {
    let run = merge_request.pipelines.iter().find(|run| run.id == car.pipeline);
    let merged = car.status == TrainStatus::Merged || car.status == TrainStatus::SkipMerged;
    let duration = car.updated_at.duration_since(car.created_at).as_secs();
    json!({
        "id": car.id,
        "merge_request": {
            "id": merge_request.id,
            "iid": merge_request.reference.iid,
            "project_id": merge_request.reference.project,
            "title": merge_request.title,
            "description": merge_request.description,
            "state": merge_request.state.words().0,
            "created_at": rest_time(merge_request.created_at),
            "updated_at": rest_time(merge_request.updated_at),
            "web_url": world.merge_request_url(merge_request),
        },
        "user": entity::user(world, car.user),
        "pipeline": run.map(|run| entity::pipeline(world, run)),
        "created_at": rest_time(car.created_at),
        "updated_at": rest_time(car.updated_at),
        "target_branch": merge_request.target_branch,
        "status": car.status.word(),
        "merged_at": merged.then(|| rest_time(car.updated_at)),
        "duration": merged.then_some(duration),
    })
}
