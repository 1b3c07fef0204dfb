//! One thing happens, the service comes to rest, and the timeline tells what came of it.

use super::error::DemoError;
use super::observation::Mark;
use super::stage::{BOUND, Stage};
use super::timeline::Timeline;
use crate::merge_request::MergeRequestRef;
use crate::simulator::{Gitlab, NewMergeRequest, SimulatorError};

/// A story that is being played.
pub(super) struct Play<'a> {
    pub(super) stage: &'a Stage,
    pub(super) timeline: Timeline<'a>,
    mark: Mark,
    played: Vec<(&'static str, MergeRequestRef)>,
}

impl<'a> Play<'a> {
    pub(super) fn new(stage: &'a Stage, timeline: Timeline<'a>) -> Self {
        Self { stage, timeline, mark: Mark::now(stage), played: Vec::new() }
    }

    /// The merge requests so far, with their names.
    pub(super) fn played(&self) -> &[(&'static str, MergeRequestRef)] {
        &self.played
    }

    /// A merge request of Ana's in the project.
    pub(super) fn new_merge_request(&self, title: &str) -> NewMergeRequest {
        NewMergeRequest::in_project(self.stage.project).author(self.stage.cast.ana).title(title)
    }

    /// A merge request is opened; nothing is waited for. `lesson` says what it shows.
    pub(super) fn open(
        &mut self,
        name: &'static str,
        lesson: &str,
        new: NewMergeRequest,
    ) -> Result<MergeRequestRef, DemoError> {
        let which = self.stage.gitlab.open_merge_request(new)?;
        let title = self.stage.gitlab.merge_request(which)?.title;
        self.timeline.heading(name, which, &title, lesson)?;
        self.played.push((name, which));
        Ok(which)
    }

    /// A merge request is opened and looked at.
    pub(super) async fn begin(
        &mut self,
        name: &'static str,
        lesson: &str,
        new: NewMergeRequest,
    ) -> Result<MergeRequestRef, DemoError> {
        let which = self.open(name, lesson, new)?;
        self.tell(which, "ana opens it").await?;
        Ok(which)
    }

    /// Something happens to a merge request.
    pub(super) async fn then<R>(
        &mut self,
        which: MergeRequestRef,
        what: &str,
        deed: impl FnOnce(&Gitlab) -> Result<R, SimulatorError>,
    ) -> Result<R, DemoError> {
        let result = deed(&self.stage.gitlab)?;
        self.tell(which, what).await?;
        Ok(result)
    }

    /// Waits until the service is at rest and tells what came of what happened.
    pub(super) async fn tell(&mut self, which: MergeRequestRef, what: &str) -> Result<(), DemoError> {
        self.stage.settle().await?;
        let (observation, mark) = self.mark.observe(self.stage, which).await?;
        self.mark = mark;
        self.timeline.event(what, &observation)
    }

    /// Waits until something is true of GitLab.
    pub(super) async fn until(
        &self,
        what: &'static str,
        condition: impl FnMut(&Gitlab) -> bool,
    ) -> Result<(), DemoError> {
        let came = self.stage.gitlab.eventually(BOUND, condition).await;
        came.then_some(()).ok_or(DemoError::Overdue(what))
    }
}
