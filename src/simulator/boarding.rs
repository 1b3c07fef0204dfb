//! How a merge request comes on a merge train, and off it again.

use super::error::SimulatorError;
use super::merge_requests::MergeRequestState;
use super::merge_trains::{TrainCar, TrainStatus};
use super::reviewing::NoteKind;
use super::world::World;
use crate::merge_request::{MergeRequestRef, UserId};

impl World {
    /// Whether it can be put on a train.
    pub(super) fn may_board(&self, which: MergeRequestRef) -> Result<(), SimulatorError> {
        let merge_request = self.merge_request(which)?;
        if merge_request.state != MergeRequestState::Opened {
            return Err(SimulatorError::Refused(format!("it is {}", merge_request.state.words().0)));
        }
        if merge_request.on_merge_train() {
            return Err(SimulatorError::Refused("it is on a merge train".to_owned()));
        }
        Ok(())
    }

    /// Puts it on a train with a pipeline that runs already.
    pub(super) fn board(
        &mut self,
        which: MergeRequestRef,
        user: UserId,
        pipeline: u64,
    ) -> Result<(), SimulatorError> {
        let (id, now) = (self.fresh_id(), self.now());
        let status = TrainStatus::Fresh;
        let car = TrainCar { id, user, pipeline, created_at: now, updated_at: now, status };
        self.merge_request_mut(which)?.train_car = Some(car);
        self.discuss(which, user, "started a merge train", NoteKind::System).map(drop)
    }

    /// Takes it off, if it is on one: its place is forgotten, and its pipeline is canceled unless it has ended.
    pub(super) fn leave_train(&mut self, which: MergeRequestRef, user: UserId) -> Result<(), SimulatorError> {
        let merge_request = self.merge_request_mut(which)?;
        if !merge_request.on_merge_train() {
            return Ok(());
        }
        let pipeline = merge_request.train_car.take().map(|car| car.pipeline);
        let mut runs = merge_request.pipelines.iter_mut();
        let run = runs.find(|run| Some(run.id) == pipeline && run.is_under_way());
        let canceled = run.map(|run| {
            "canceled".clone_into(&mut run.status);
            run.clone()
        });
        self.discuss(which, user, "removed this merge request from the merge train", NoteKind::System)?;
        match canceled {
            Some(run) => self.announce_pipeline(which, user, &run),
            None => Ok(()),
        }
    }
}
