//! What else a bot can do to a merge request: approve it, write notes, award emoji, change its labels. And what it can read
//! of reviews: reviewers, label events.

use serde_json::{Value, json};

use super::call::{Answer, Body, Call};
use super::entity;
use super::merge_requests;
use super::page::paginate;
use super::projects::find_project;
use crate::merge_request::MergeRequestRef;
use crate::simulator::access::level;
use crate::simulator::clock::rest_time;
use crate::simulator::merge_requests::{MergeRequest, Note};
use crate::simulator::reviewing::NoteKind;
use crate::simulator::world::World;

/// A merge request that the caller, a Developer, may approve.
fn approvable(world: &World, call: &Call) -> Result<MergeRequestRef, Answer> {
    let project = find_project(world, call)?;
    let merge_request = merge_requests::find_in(world, call, project)?;
    let level = world.level_in_project(project, &call.account(world)?);
    if level < level::DEVELOPER || project.archived {
        return Err(Answer::unauthorized());
    }
    Ok(merge_request.reference)
}

/// GitLab: with `sha` it approves that head only; twice is 401.
pub(super) fn approve(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let which = approvable(world, call)?;
    let head = merge_requests::find(world, call)?.head().map(ToString::to_string).unwrap_or_default();
    if call.field("sha").is_some_and(|sha| sha != head) {
        return Err(Answer::message(409, &format!("SHA does not match HEAD of source branch: {head}")));
    }
    world.approve(which, call.user).map_err(|_| Answer::unauthorized())?;
    Ok(Answer { status: 201, ..merge_requests::approvals(world, call)? })
}

pub(super) fn unapprove(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let which = approvable(world, call)?;
    world.unapprove(which, call.user).map_err(|_| Answer::not_found())?;
    Ok(Answer { status: 201, ..merge_requests::approvals(world, call)? })
}

fn every_note(merge_request: &MergeRequest) -> Vec<&Note> {
    merge_request.discussions.iter().flat_map(|thread| &thread.notes).collect()
}

fn note_json(world: &World, merge_request: &MergeRequest, id: u64) -> Result<Value, Answer> {
    let threads = &merge_request.discussions;
    let thread = threads.iter().find(|thread| thread.notes.iter().any(|note| note.id == id));
    let thread = thread.ok_or_else(Answer::not_found)?;
    let note = thread.notes.iter().find(|note| note.id == id).ok_or_else(Answer::not_found)?;
    Ok(entity::note(world, merge_request, thread, note))
}

/// GitLab: newest first unless `sort=asc`.
pub(super) fn notes(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    let mut notes = every_note(merge_request);
    notes.sort_by_key(|note| note.id);
    if call.query("sort") != Some("asc") {
        notes.reverse();
    }
    paginate(world, call, &notes, |note| note_json(world, merge_request, note.id).unwrap_or_default())
}

pub(super) fn create_note(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let which = merge_requests::find(world, call)?.reference;
    let text = call.field("body").ok_or_else(|| Answer::invalid("body is missing"))?;
    let internal = call.field("internal").as_deref() == Some("true");
    let kind = if internal { NoteKind::Internal } else { NoteKind::Comment };
    let discussed = world.discuss(which, call.user, &text, kind);
    discussed.map_err(|_| Answer::not_found())?;
    let merge_request = merge_requests::find(world, call)?;
    let id = every_note(merge_request).last().map_or(0, |note| note.id);
    Ok(Answer::json(201, note_json(world, merge_request, id)?))
}

/// The id of a note that the caller may change: its author and Maintainers may.
fn changeable_note(world: &World, call: &Call) -> Result<u64, Answer> {
    let notes = every_note(merge_requests::find(world, call)?);
    let id = call.number(2).ok_or_else(Answer::not_found)?;
    let note = notes.into_iter().find(|note| note.id == id).ok_or_else(Answer::not_found)?;
    let level = world.level_in_project(find_project(world, call)?, &call.account(world)?);
    if note.author == call.user || level >= level::MAINTAINER { Ok(id) } else { Err(Answer::forbidden()) }
}

pub(super) fn change_note(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = changeable_note(world, call)?;
    let text = call.field("body").ok_or_else(|| Answer::invalid("body is missing"))?;
    let which = merge_requests::find(world, call)?.reference;
    world.edit_note(which, id, &text).map_err(|_| Answer::forbidden())?;
    Ok(Answer::ok(note_json(world, merge_requests::find(world, call)?, id)?))
}

pub(super) fn delete_note(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = changeable_note(world, call)?;
    let which = merge_requests::find(world, call)?.reference;
    world.delete_note(which, id).map_err(|_| Answer::not_found())?;
    Ok(Answer { status: 204, headers: Vec::new(), body: Body::Empty })
}

pub(super) fn awards(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    paginate(world, call, &merge_request.awards, |award| entity::award(world, merge_request, award))
}

pub(super) fn create_award(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let which = merge_requests::find(world, call)?.reference;
    let name = call.field("name").ok_or_else(|| Answer::invalid("name is missing"))?;
    let award = world.award(which, call.user, name.trim_matches(':')).map_err(|_| Answer::not_found())?;
    Ok(Answer::json(201, entity::award(world, merge_requests::find(world, call)?, &award)))
}

/// GitLab: only whose it is may take it back.
pub(super) fn delete_award(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    let id = call.number(2).ok_or_else(Answer::not_found)?;
    let award = merge_request.awards.iter().find(|award| award.id == id).ok_or_else(Answer::not_found)?;
    if award.user != call.user {
        return Err(Answer::unauthorized());
    }
    let which = merge_request.reference;
    world.take_award_back(which, |award| award.id == id).map_err(|_| Answer::not_found())?;
    Ok(Answer { status: 204, headers: Vec::new(), body: Body::Empty })
}

pub(super) fn label_events(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    paginate(world, call, &merge_request.label_events, |event| {
        json!({
            "id": event.id,
            "user": entity::user(world, event.user),
            "created_at": rest_time(event.created_at),
            "resource_type": "MergeRequest",
            "resource_id": merge_request.id,
            "label": { "id": World::label_id(&event.label), "name": event.label, "color": "#0075ca" },
            "action": if event.added { "add" } else { "remove" },
        })
    })
}

/// Of what can be changed of a merge request, its labels. GitLab: Developers may, and authors their own.
pub(super) fn change(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let merge_request = merge_requests::find_in(world, call, project)?;
    let level = world.level_in_project(project, &call.account(world)?);
    let may = level >= level::DEVELOPER || merge_request.author == call.user;
    if !may || project.archived {
        return Err(Answer::forbidden());
    }
    let which = merge_request.reference;
    let (add, remove) = (call.list("add_labels"), call.list("remove_labels"));
    if add.is_none() && remove.is_none() {
        return Err(Answer::invalid(
            "add_labels, remove_labels are missing, at least one parameter must be provided",
        ));
    }
    let changed =
        world.change_labels(which, call.user, &add.unwrap_or_default(), &remove.unwrap_or_default());
    changed.map_err(|_| Answer::not_found())?;
    Ok(Answer::ok(entity::merge_request(world, merge_requests::find(world, call)?).into()))
}
