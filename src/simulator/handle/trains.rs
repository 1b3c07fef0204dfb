//! Merge trains.

use super::gitlab::Gitlab;
use crate::merge_request::MergeRequestRef;
use crate::simulator::error::SimulatorError;
use crate::simulator::merge_requests::PipelineKind;
use crate::simulator::merge_trains::TrainStatus;

impl Gitlab {
    /// Puts it on the merge train of its target branch; a pipeline of the train runs then, whose id is returned.
    ///
    /// GitLab sends no event of the merge request for that. A push, another target branch and closing take it off again.
    pub fn put_on_merge_train(&self, which: MergeRequestRef) -> Result<u64, SimulatorError> {
        self.world(|world| world.may_board(which))?;
        let pipeline = self.run_pipeline(which, PipelineKind::Train, "running")?;
        self.world(|world| {
            let actor = self.actor(world, which)?;
            world.project_mut(which.project)?.has_merge_trains = true;
            world.board(which, actor, pipeline)
        })?;
        Ok(pipeline)
    }

    /// Takes it off the train; its pipeline there is canceled.
    pub fn take_off_merge_train(&self, which: MergeRequestRef) -> Result<(), SimulatorError> {
        self.world(|world| {
            if !world.merge_request(which)?.on_merge_train() {
                return Err(SimulatorError::Refused("it is on no merge train".to_owned()));
            }
            let actor = self.actor(world, which)?;
            world.leave_train(which, actor)
        })
    }

    /// Changes how it stands on the train.
    pub fn set_train_status(
        &self,
        which: MergeRequestRef,
        status: TrainStatus,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let now = world.now();
            let car = world.merge_request_mut(which)?.train_car.as_mut();
            let car = car.ok_or_else(|| SimulatorError::Refused("it is on no merge train".to_owned()))?;
            (car.status, car.updated_at) = (status, now);
            Ok(())
        })
    }
}
