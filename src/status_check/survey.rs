//! Where a sweep looks: the projects that were ever seen and those that the token reaches, and what is open in each.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::gitlab::Error;
use crate::merge_request::{MergeRequestRef, ProjectId};
use crate::store::StoreError;

use super::drift::Noticed;
use super::resources::Resources;

/// Who answers status checks is a Developer at least.
const DEVELOPER: u8 = 30;

/// Why a sweep did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// GitLab did not say what is to be looked at.
    #[error(transparent)]
    Gitlab(#[from] Error),
    /// It could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A project as it stands.
pub(super) struct Surveyed {
    /// What merge requests of it may have to be looked at: those that GitLab says are open, and those that were open when
    /// anything was heard of them last.
    pub(super) open: Vec<MergeRequestRef>,
    /// Its full path.
    pub(super) path: String,
    /// Whether "Status checks must succeed" is on, where GitLab says so.
    pub(super) requires: Option<bool>,
}

/// The projects that were ever seen, and those that the token reaches inside `gitlab.projects`.
pub(super) async fn projects(resources: &Resources) -> Result<BTreeSet<ProjectId>, SweepError> {
    let mut projects: BTreeSet<_> = resources.queue.projects_seen().await?.into_iter().collect();
    let decider = &resources.decider;
    match noting(resources, decider.gitlab.joined_projects(DEVELOPER).await) {
        Ok(joined) => {
            let ours = joined.iter().filter(|project| decider.scope.contains(&project.path_with_namespace));
            projects.extend(ours.map(|project| project.id));
        }
        Err(error) if !error.is_curable() => {
            tracing::warn!(%error, "which projects the token reaches is not known: only those that were seen are swept");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(projects)
}

/// What of a project is to be looked at; none where nothing can be answered: outside of `gitlab.projects`, or archived.
pub(super) async fn survey(
    resources: &Resources,
    project: ProjectId,
) -> Result<Option<Surveyed>, SweepError> {
    let decider = &resources.decider;
    let checked = noting(resources, decider.gitlab.checked_project(&project.to_string()).await)?;
    if checked.archived || !decider.scope.contains(&checked.path_with_namespace) {
        return Ok(None);
    }
    let listed = changed_since(resources, project, Timestamp::UNIX_EPOCH).await?;
    let listed = listed.into_iter().map(|(merge_request, _)| merge_request);
    // What was closed or merged without a word shows what it showed before.
    let mut open: BTreeSet<_> = listed.collect();
    open.extend(resources.queue.open_lanes(project).await?);
    Ok(Some(Surveyed {
        open: open.into_iter().collect(),
        path: checked.path_with_namespace,
        requires: checked.only_allow_merge_if_all_status_checks_passed,
    }))
}

/// Open merge requests that changed in a project since an instant on GitLab's clock.
pub(super) async fn changed_since(
    resources: &Resources,
    project: ProjectId,
    since: Timestamp,
) -> Result<Vec<(MergeRequestRef, Timestamp)>, Error> {
    noting(resources, resources.decider.gitlab.open_merge_requests_updated_after(project, since).await)
}

/// That "Status checks must succeed" was on and is off.
pub(super) async fn not_required(
    resources: &Resources,
    project: ProjectId,
    requires: Option<bool>,
) -> Result<Option<Noticed>, StoreError> {
    let was = requires == Some(false) && resources.queue.was_requiring_checks(project).await?;
    Ok(was.then(Noticed::not_required))
}

/// Tells whoever watches for outages how a call went.
fn noting<T>(resources: &Resources, result: Result<T, Error>) -> Result<T, Error> {
    match &result {
        Ok(_) => resources.outage.note_success(resources.clock.now()),
        Err(error) => resources.outage.note_failure(error, resources.clock.now()),
    }
    result
}
