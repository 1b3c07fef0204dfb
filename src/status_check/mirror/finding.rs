//! What shows of a mirror's word, where memory does not tell it, and what is left to do.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::decision::{Own, commit_status_name};
use crate::gitlab::{Error, ListedNote};
use crate::merge_request::{CheckName, MergeRequestRef};
use crate::status_check::resources::Resources;
use crate::store::KnownMirror;

use super::account::essence;
use super::place::{self, PIPELINE_APPEARS_WITHIN, Place};
use super::standing::{Approves, Standing};
use super::wish::{Content, NOT_APPROVED, Wish};

/// What is to be done about a wish.
#[derive(Debug)]
pub(super) enum Finding {
    /// GitLab shows it, at this place if it has one.
    Settled(Option<String>),
    /// This call is to be made.
    Missing(Step),
    /// It can't be said yet: not before an instant.
    NotYet(Timestamp),
    /// There is no place where it could be said.
    Nowhere,
}

/// A call to be made.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Approve,
    Unapprove,
    ChangeLabels {
        add: Vec<String>,
        remove: Vec<String>,
    },
    SetStatus(Place),
    /// `note` is ours if there is one; `doubles` are ours as well and one too many.
    WriteNote {
        note: Option<u64>,
        doubles: Vec<u64>,
    },
}

/// Finds out what is left to do.
pub(super) async fn find_out(
    resources: &Resources,
    merge_request: MergeRequestRef,
    wish: &Wish,
    known: &KnownMirror,
    standing: &Standing<'_>,
) -> Result<Finding, Error> {
    let now = resources.clock.now();
    match &wish.content {
        Content::Approval { given } => {
            let stands = match (standing.approves, believed(known)) {
                (Approves::Read(stands), _) => stands,
                (Approves::Unread, Some(said)) => said != NOT_APPROVED,
                (Approves::Doubted, _) | (_, None) => approval_stands(resources, merge_request).await?,
            };
            Ok(match (stands == *given, given) {
                (true, _) => Finding::Settled(None),
                (false, true) => Finding::Missing(Step::Approve),
                (false, false) => Finding::Missing(Step::Unapprove),
            })
        }
        Content::Label { wanted, others } => {
            let seen = standing.seen.map(|seen| &seen.labels);
            let (add, remove) = label_change(wanted.as_ref(), others, seen);
            let nothing = add.is_empty() && remove.is_empty();
            let step = || Step::ChangeLabels { add, remove };
            Ok(if nothing { Finding::Settled(None) } else { Finding::Missing(step()) })
        }
        Content::Status { check, state, description } => {
            let may_be_on_branch = known.again_at.is_some_and(|at| at <= now);
            let place = place::find(&resources.decider.gitlab, known, standing, may_be_on_branch).await?;
            let Some(place) = place else {
                let is_somewhere = standing.source.is_some();
                let appears_at = known.again_at.unwrap_or(now + PIPELINE_APPEARS_WITHIN);
                return Ok(if is_somewhere { Finding::NotYet(appears_at) } else { Finding::Nowhere });
            };
            let is_doubted = believed(known).is_none() && Place::of(known).as_ref() == Some(&place);
            let shows = is_doubted && status_shows(resources, check, &place, state, description).await?;
            Ok(if shows {
                Finding::Settled(place.written())
            } else {
                Finding::Missing(Step::SetStatus(place))
            })
        }
        Content::Note { .. } => note_finding(resources, merge_request, wish, known, now).await,
    }
}

/// What was said, if nothing casts doubt on it.
pub(super) fn believed(known: &KnownMirror) -> Option<&str> {
    known.said.as_deref().filter(|_| known.unclear_until.is_none())
}

/// Whether our own user approves.
pub(super) async fn approval_stands(
    resources: &Resources,
    merge_request: MergeRequestRef,
) -> Result<bool, Error> {
    let user = resources.own_user().await?;
    Ok(resources.decider.gitlab.approvals(merge_request).await?.value.has(user))
}

/// The labels to add and to remove; all that could be, where it is not known which are there.
pub(super) fn label_change(
    wanted: Option<&String>,
    others: &[String],
    seen: Option<&BTreeSet<String>>,
) -> (Vec<String>, Vec<String>) {
    let is_there = |label: &String, unknown: bool| seen.map_or(unknown, |seen| seen.contains(label));
    let add = wanted.into_iter().filter(|label| !is_there(label, false)).cloned().collect();
    let remove = others.iter().filter(|label| is_there(label, true)).cloned().collect();
    (add, remove)
}

/// Whether the newest status of ours at a place says so.
async fn status_shows(
    resources: &Resources,
    check: &CheckName,
    place: &Place,
    state: &str,
    description: &str,
) -> Result<bool, Error> {
    let own = Own { user: Some(resources.own_user().await?), ..Own::default() };
    let gitlab = &resources.decider.gitlab;
    let statuses = gitlab.commit_statuses_on(place.project, &place.sha, &place.r#ref).await?;
    let name = commit_status_name(check);
    let is_here =
        |pipeline: Option<u64>| place.pipeline.is_none() || pipeline.is_none() || pipeline == place.pipeline;
    let ours = statuses.iter().filter(|status| status.name == name && own.said(status));
    let newest = ours.filter(|status| is_here(status.pipeline_id)).max_by_key(|status| status.id);
    Ok(newest.is_some_and(|newest| match state {
        "pending" => matches!(newest.status.as_str(), "pending" | "running"),
        state => newest.status == state && newest.description.as_deref() == Some(description),
    }))
}

async fn note_finding(
    resources: &Resources,
    merge_request: MergeRequestRef,
    wish: &Wish,
    known: &KnownMirror,
    now: Timestamp,
) -> Result<Finding, Error> {
    let remembered = known.place.as_deref().and_then(|place| place.parse().ok());
    if let (Some(note), Some(_)) = (remembered, believed(known)) {
        return Ok(Finding::Missing(Step::WriteNote { note: Some(note), doubles: Vec::new() }));
    }
    let mut notes = own_notes(resources, merge_request).await?.into_iter();
    let Some(oldest) = notes.next() else {
        // A note that may still arrive would be one too many.
        return Ok(match known.unclear_until {
            Some(at) if at > now => Finding::NotYet(at),
            _ => Finding::Missing(Step::WriteNote { note: None, doubles: Vec::new() }),
        });
    };
    let doubles: Vec<_> = notes.map(|note| note.id).collect();
    Ok(if doubles.is_empty() && essence(&oldest.body) == wish.said {
        Finding::Settled(Some(oldest.id.to_string()))
    } else {
        Finding::Missing(Step::WriteNote { note: Some(oldest.id), doubles })
    })
}

/// The notes of our own user with our marker, the oldest first: it stays, whoever else writes one at the same time.
pub(super) async fn own_notes(
    resources: &Resources,
    merge_request: MergeRequestRef,
) -> Result<Vec<ListedNote>, Error> {
    let own = Own { user: Some(resources.own_user().await?), ..Own::default() };
    let mut notes = resources.decider.gitlab.notes(merge_request).await?;
    notes.retain(|note| own.wrote(&note.author, &note.body));
    notes.sort_by_key(|note| note.id);
    Ok(notes)
}
