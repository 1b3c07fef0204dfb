//! Reconciling on demand: what a person asks for who does not want to wait for the next sweep.
//!
//! It examines merge requests as the worker looks at them, only that it writes nothing and says nothing. What is to be mended
//! is asked for as a sweep asks for it; whoever owns the store decides and answers: this process or another one.

use std::sync::Arc;

use crate::decision::{Decided, Failure, Sight};
use crate::gitlab::Error;
use crate::merge_request::{MergeRequestRef, ProjectId};
use crate::policy::evaluation::Verdict;
use crate::store::{Claim, StoreError};

use super::drift::Noticed;
use super::lane::Lane;
use super::pause::pause;
use super::resources::Resources;
use super::survey::{SweepError, not_required, projects, survey};

/// How often one that GitLab gives no answer about, or that moves under our eyes, is examined.
const TRIES: u32 = 4;

/// A project with what is to be examined in it.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its full path.
    pub path: String,
    /// Merge requests that are open, or were when anything was heard of them last.
    pub open: Vec<MergeRequestRef>,
    /// What is otherwise than it should be in its settings.
    pub noticed: Option<Noticed>,
}

/// Examines, and asks for what is to be mended.
pub struct Reconciler(Arc<Resources>);

impl Reconciler {
    /// With what every merge request is decided with.
    pub fn new(resources: Arc<Resources>) -> Self {
        Self(resources)
    }

    /// The projects that were ever seen, and those that the token reaches inside `gitlab.projects`.
    pub async fn projects(&self) -> Result<Vec<ProjectId>, SweepError> {
        Ok(projects(&self.0).await?.into_iter().collect())
    }

    /// What there is to be examined in a project; none where nothing can be answered: outside of `gitlab.projects`, or
    /// archived.
    pub async fn survey(&self, project: ProjectId) -> Result<Option<Project>, SweepError> {
        let Some(surveyed) = survey(&self.0, project).await? else { return Ok(None) };
        let noticed = not_required(&self.0, project, surveyed.requires).await?;
        Ok(Some(Project { path: surveyed.path, open: surveyed.open, noticed }))
    }

    /// What is otherwise than it should be with a merge request, in turn within the budget of calls. Reads only.
    pub async fn examine(
        &self,
        merge_request: MergeRequestRef,
    ) -> Result<Result<Vec<Noticed>, Failure>, StoreError> {
        let resources = &*self.0;
        for attempt in 1..=TRIES {
            let slot = resources.background.reserve(resources.clock.now());
            resources.clock.sleep_until(slot).await;
            let mut lane = Lane::open(resources, Claim::of_nobody(merge_request)).await?;
            let wait = match lane.examine().await {
                Ok(Some(noticed)) => return Ok(Ok(noticed)),
                Ok(None) => pause(attempt),
                // What is gone by now has nothing that could be wrong.
                Err(Failure::Gitlab(Error::NotFound { .. })) => return Ok(Ok(Vec::new())),
                Err(Failure::Gitlab(error)) if error.is_curable() && attempt < TRIES => {
                    error.retry_after().unwrap_or_else(|| pause(attempt))
                }
                Err(failure) => return Ok(Err(failure)),
            };
            resources.clock.sleep(wait).await;
        }
        Ok(Err(Failure::Unreadable("it changed at every try".to_owned())))
    }

    /// Asks for a look at each of these merge requests, by whoever owns the store.
    pub async fn ask(&self, which: &[MergeRequestRef]) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        self.0.queue.ask_for_sweep(which.iter().map(|merge_request| (*merge_request, now)).collect()).await
    }

    /// How many of these merge requests are yet to be looked at.
    pub async fn left_of(&self, which: &[MergeRequestRef]) -> Result<usize, StoreError> {
        self.0.queue.left_of(which.to_vec()).await
    }
}

impl Lane<'_> {
    /// What is otherwise than it should be; none if it moved while its facts were read.
    async fn examine(&mut self) -> Result<Option<Vec<Noticed>>, Failure> {
        let policies = Arc::clone(&self.resources.bundle.current().set);
        let open = match self.sight().await? {
            Sight::Open(open) => *open,
            Sight::Closed(open) => {
                let mut noticed = self.compare(&open, true);
                noticed.extend(self.missed_passes(&open));
                return Ok(Some(noticed));
            }
            Sight::NoCheck(open) => return Ok(Some(self.compare(&open, false))),
            Sight::Ended | Sight::Preparing | Sight::OutOfScope => return Ok(Some(Vec::new())),
        };
        let mut noticed = self.compare(&open, false);
        let remembered = self.remembered_facts();
        let decided = self.resources.decider.decide(&policies, &remembered, open).await;
        let Some(Decided { checks, facts, listed, .. }) = decided else { return Ok(None) };
        if let Some((_, undecided)) =
            checks.iter().find(|(_, evaluation)| evaluation.verdict == Verdict::UndecidedCurable)
        {
            return Err(Failure::Unreadable(undecided.summary.clone()));
        }
        let weighed = self.weigh(&facts.merge_request, &checks, listed.as_ref()).await;
        let of_status = weighed.iter().filter_map(|weighed| self.drift_of(weighed));
        // What is foreign is told once, with all that is known of it.
        let told: Vec<_> = noticed.iter().filter_map(|noticed| noticed.check.clone()).collect();
        noticed.extend(of_status.filter(|one| one.check.as_ref().is_none_or(|check| !told.contains(check))));
        Ok(Some(noticed))
    }
}
