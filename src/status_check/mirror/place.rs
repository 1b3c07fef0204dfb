//! Where a commit status goes: into the pipeline that GitLab itself goes by.
//!
//! GitLab: a status becomes a part of a pipeline, found by project, commit, ref and number. Where none fits, it makes a new
//! one of the kind `external`, which would stand beside the pipeline that the change is judged by, or in its place. So what
//! is said of a head waits a moment for its pipeline, and goes beside none only where none comes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decision::Seen;
use crate::gitlab::{Client, Error, HeadPipeline};
use crate::merge_request::{CommitSha, ProjectId};
use crate::store::KnownMirror;

use super::standing::Standing;

/// How long a head's pipeline is awaited before GitLab makes one for the status.
pub(super) const PIPELINE_APPEARS_WITHIN: Duration = Duration::from_secs(30);

/// A place for a commit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) project: ProjectId,
    pub(super) sha: CommitSha,
    pub(super) r#ref: String,
    /// None where GitLab is to find or to make one.
    pub(super) pipeline: Option<u64>,
}

impl Place {
    /// Where it was said last.
    pub(super) fn of(known: &KnownMirror) -> Option<Self> {
        serde_json::from_str(known.place.as_deref()?).ok()
    }

    /// For the memory.
    pub(super) fn written(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// In a pipeline of a merge request.
    fn in_pipeline(pipeline: &HeadPipeline, sha: CommitSha, standing: &Standing<'_>) -> Option<Self> {
        let source = standing.source.as_ref().map(|(project, _)| *project);
        let project = pipeline.project_id.map(ProjectId::new).or(source)?;
        Some(Self { project, sha, r#ref: pipeline.r#ref.clone(), pipeline: Some(pipeline.id) })
    }

    /// Beside every pipeline: on the source branch.
    fn on_branch(standing: &Standing<'_>) -> Option<Self> {
        let (project, branch) = standing.source.clone()?;
        Some(Self { project, sha: standing.sha.clone(), r#ref: branch, pipeline: None })
    }
}

/// Whether what was said before stands where it belongs. Not certain for a pipeline of a merged result that was not seen
/// before: whether it is of this head must be asked.
pub(super) fn is_right(known: &KnownMirror, standing: &Standing<'_>) -> bool {
    let Some(place) = Place::of(known) else { return false };
    match standing.seen.and_then(|seen| seen.pipeline.as_ref()) {
        None => true,
        Some(pipeline) if is_merged_result(pipeline) || pipeline.sha == standing.sha.as_str() => {
            place.pipeline == Some(pipeline.id)
        }
        // Of the head before.
        Some(_) => true,
    }
}

/// Where to say it now; none where no place is known.
pub(super) async fn find(
    gitlab: &Client,
    known: &KnownMirror,
    standing: &Standing<'_>,
    may_be_on_branch: bool,
) -> Result<Option<Place>, Error> {
    let said = Place::of(known);
    let of_head = match standing.seen {
        Some(seen) => in_head_pipeline(gitlab, said.as_ref(), seen, standing).await?,
        None => None,
    };
    Ok(of_head.or(said).or_else(|| Place::on_branch(standing).filter(|_| may_be_on_branch)))
}

async fn in_head_pipeline(
    gitlab: &Client,
    said: Option<&Place>,
    seen: &Seen,
    standing: &Standing<'_>,
) -> Result<Option<Place>, Error> {
    let Some(pipeline) = &seen.pipeline else { return Ok(None) };
    let Ok(sha) = CommitSha::parse(&pipeline.sha) else { return Ok(None) };
    let is_of_head = if sha == standing.sha || said.is_some_and(|said| said.pipeline == Some(pipeline.id)) {
        true
    } else if is_merged_result(pipeline) {
        let project = pipeline.project_id.map(ProjectId::new);
        let project = project.or(standing.source.as_ref().map(|(project, _)| *project));
        let Some(project) = project else { return Ok(None) };
        let commit = gitlab.commit(project, &sha).await?;
        commit.parent_ids.iter().any(|parent| parent == standing.sha.as_str())
    } else {
        false
    };
    Ok(Place::in_pipeline(pipeline, sha, standing).filter(|_| is_of_head))
}

/// Whether it ran on a commit that merges the head into its target, which GitLab makes for the merge request.
fn is_merged_result(pipeline: &HeadPipeline) -> bool {
    pipeline.r#ref.starts_with("refs/merge-requests/") && pipeline.r#ref.ends_with("/merge")
}
