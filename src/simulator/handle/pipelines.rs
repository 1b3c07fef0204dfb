//! The jobs of pipelines.

use super::gitlab::Gitlab;
use crate::merge_request::MergeRequestRef;
use crate::simulator::error::SimulatorError;
use crate::simulator::merge_requests::{NewJob, PipelineJob};

impl Gitlab {
    /// A job of a pipeline runs; if it has run before, this is a retry. Only job hooks hear of it.
    pub fn run_job(&self, which: MergeRequestRef, pipeline: u64, new: NewJob) -> Result<u64, SimulatorError> {
        self.world(|world| {
            let id = world.fresh_id();
            let mut runs = world.merge_request_mut(which)?.pipelines.iter_mut();
            let run = runs.find(|run| run.id == pipeline).ok_or(SimulatorError::NoJob(pipeline))?;
            let is_again = |job: &&mut PipelineJob| job.name == new.name && job.is_bridge == new.is_bridge;
            for job in run.jobs.iter_mut().filter(is_again) {
                job.retried = true;
            }
            let NewJob { name, status, allow_failure, is_bridge } = new;
            run.jobs.push(PipelineJob { id, name, status, allow_failure, retried: false, is_bridge });
            let run = run.clone();
            world.announce_job(which, &run, id)?;
            Ok(id)
        })
    }

    /// The newest run of a job has this status. Only job hooks hear of it.
    pub fn finish_job(
        &self,
        which: MergeRequestRef,
        pipeline: u64,
        name: &str,
        status: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let mut runs = world.merge_request_mut(which)?.pipelines.iter_mut();
            let run = runs.find(|run| run.id == pipeline).ok_or(SimulatorError::NoJob(pipeline))?;
            let job = run.jobs.iter_mut().rev().find(|job| job.name == name);
            let job = job.ok_or(SimulatorError::NoJob(pipeline))?;
            status.clone_into(&mut job.status);
            let (id, run) = (job.id, run.clone());
            world.announce_job(which, &run, id)
        })
    }
}
