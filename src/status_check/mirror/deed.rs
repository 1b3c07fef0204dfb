//! The one call by which a mirror says its word, and what GitLab's refusals mean.

use crate::decision::commit_status_name;
use crate::gitlab::{Error, NewCommitStatus};
use crate::merge_request::MergeRequestRef;
use crate::status_check::resources::Resources;

use super::finding::{Step, approval_stands, own_notes};
use super::place::Place;
use super::standing::Standing;
use super::wish::{Content, Wish};

const APPROVE: &str = "POST /projects/:id/merge_requests/:iid/approve";
const CHANGE: &str = "PUT /projects/:id/merge_requests/:iid";

/// Does what is left to do; gives the place where it is said now, if it has one.
pub(super) async fn carry_out(
    resources: &Resources,
    merge_request: MergeRequestRef,
    wish: &Wish,
    step: Step,
    standing: &Standing<'_>,
) -> Result<Option<String>, Error> {
    let gitlab = &resources.decider.gitlab;
    match (step, &wish.content) {
        (Step::Approve, _) => {
            let result = gitlab.approve(merge_request, &standing.sha).await.map(drop);
            unless_so(resources, merge_request, true, result).await
        }
        (Step::Unapprove, _) => {
            let result = gitlab.unapprove(merge_request).await.map(drop);
            unless_so(resources, merge_request, false, result).await
        }
        (Step::ChangeLabels { add, remove }, _) => {
            let labels = gitlab.change_labels(merge_request, &add, &remove).await?;
            // GitLab: who may not make a label is not told so.
            if let Some(label) = add.iter().find(|label| !labels.contains(*label)) {
                let message = format!("it did not set the label `{label}`: does the project have it?");
                return Err(Error::Refused { route: CHANGE, status: 200, message });
            }
            Ok(None)
        }
        (Step::SetStatus(place), Content::Status { check, state, description }) => {
            let page = resources.settings.mirrors.page_of(check);
            let status = NewCommitStatus {
                state,
                name: &commit_status_name(check),
                r#ref: &place.r#ref,
                pipeline_id: place.pipeline,
                description,
                target_url: page.as_deref(),
            };
            let pipeline = match gitlab.set_commit_status(place.project, &place.sha, &status).await {
                Ok(set) => set.pipeline_id,
                Err(error) if is_so_already(&error) => None,
                Err(error) => return Err(error),
            };
            Ok(Place { pipeline: place.pipeline.or(pipeline), ..place }.written())
        }
        (Step::WriteNote { note, doubles }, Content::Note { body }) => {
            write_note(resources, merge_request, body, note, doubles).await.map(|note| Some(note.to_string()))
        }
        (Step::SetStatus(_) | Step::WriteNote { .. }, _) => Ok(None),
    }
}

/// GitLab: who approves already, or may not, is told 401, and who has no approval to take back 404. The list tells which.
async fn unless_so(
    resources: &Resources,
    merge_request: MergeRequestRef,
    wanted: bool,
    result: Result<(), Error>,
) -> Result<Option<String>, Error> {
    match result {
        Ok(()) => Ok(None),
        Err(error @ (Error::Unauthorized { .. } | Error::NotFound { .. } | Error::Forbidden { .. })) => {
            if approval_stands(resources, merge_request).await? == wanted {
                return Ok(None);
            }
            let why = "the token's user may not approve it: its author, or not among those who can";
            Err(match error {
                Error::Unauthorized { .. } => {
                    Error::Refused { route: APPROVE, status: 401, message: why.to_owned() }
                }
                other => other,
            })
        }
        Err(error) => Err(error),
    }
}

/// GitLab: a status can't become what it is.
fn is_so_already(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 400, message, .. } if message.contains("Cannot transition"))
}

/// Writes the note, and sees to it that there is one: who wrote one at the same time looks as well after it is written, so
/// whoever looks last sees both, and all keep the oldest.
async fn write_note(
    resources: &Resources,
    merge_request: MergeRequestRef,
    body: &str,
    note: Option<u64>,
    mut doubles: Vec<u64>,
) -> Result<u64, Error> {
    let gitlab = &resources.decider.gitlab;
    let mut kept = note;
    if let Some(note) = note {
        match gitlab.change_note(merge_request, note, body).await {
            Ok(()) => {}
            // Somebody deleted it.
            Err(Error::NotFound { .. }) => kept = None,
            Err(error) => return Err(error),
        }
    }
    let kept = if let Some(note) = kept {
        note
    } else {
        let created = gitlab.create_note(merge_request, body).await?;
        let notes: Vec<_> = own_notes(resources, merge_request).await?.iter().map(|note| note.id).collect();
        let oldest = notes.first().copied().unwrap_or(created);
        if oldest != created {
            gitlab.change_note(merge_request, oldest, body).await?;
        }
        doubles = notes.into_iter().filter(|note| *note != oldest).collect();
        oldest
    };
    for double in doubles {
        match gitlab.delete_note(merge_request, double).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}
