//! Other ways to answer: a commit status, a note, an approval, labels, and instances of GitLab without external status checks.

mod approval;
mod commit_status;
mod facts;
mod labels;
mod note;
mod together;
mod without_list;

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{HookEvent, NewHook, Note};

use crate::world::{Ground, HOOK_TOKEN, World};

const APPROVE: &str = "POST /projects/:id/merge_requests/:iid/approve";
const UNAPPROVE: &str = "POST /projects/:id/merge_requests/:iid/unapprove";
const CREATE_NOTE: &str = "POST /projects/:id/merge_requests/:iid/notes";
const CHANGE_NOTE: &str = "PUT /projects/:id/merge_requests/:iid/notes/:note_id";
const DELETE_NOTE: &str = "DELETE /projects/:id/merge_requests/:iid/notes/:note_id";
const NOTES: &str = "GET /projects/:id/merge_requests/:iid/notes";
const CHANGE: &str = "PUT /projects/:id/merge_requests/:iid";
const SET_STATUS: &str = "POST /projects/:id/statuses/:sha";
const STATUSES: &str = "GET /projects/:id/repository/commits/:sha/statuses";

/// Passes every merge request without an open thread, and has to read for it.
const THREADS: &str = r"
policy: threads
rules:
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
";

/// Longer than any pause of the service but that of what is parked.
const A_WHILE: Duration = Duration::from_secs(120);

/// A world in which some of the ways are on.
async fn world(policy: &str, keys: &[(&str, &str)]) -> World {
    World::start_on(ground(Ground::prepare(policy).await, keys)).await
}

fn ground(ground: Ground, keys: &[(&str, &str)]) -> Ground {
    keys.iter().fold(ground, |ground, (key, value)| ground.configure(&format!("ANSWERS__{key}"), value))
}

/// Everything that an ordinary webhook can tell is told to a service.
fn tell_everything(world: &World) {
    let hook =
        NewHook::of(world.ground.project, &format!("{}/webhooks/gitlab", world.url())).token(HOOK_TOKEN);
    let events = [HookEvent::MergeRequest, HookEvent::Note, HookEvent::Pipeline];
    world.gitlab.create_hook(events.into_iter().fold(hook, NewHook::event));
}

/// The notes of our own user, the oldest first.
fn own_notes(world: &World, which: MergeRequestRef) -> Vec<Note> {
    let threads = world.gitlab.merge_request(which).unwrap().discussions;
    let notes = threads.into_iter().flat_map(|thread| thread.notes);
    notes.filter(|note| note.author == world.ground.bot && !note.system).collect()
}

/// The text of the one note of ours.
fn own_note(world: &World, which: MergeRequestRef) -> String {
    let notes = own_notes(world, which);
    assert_eq!(notes.len(), 1, "{notes:?}");
    notes[0].body.replace('\u{200b}', "")
}

/// Whether our own user approves.
fn approves(world: &World, which: MergeRequestRef) -> bool {
    let approvals = world.gitlab.merge_request(which).unwrap().approvals;
    approvals.iter().any(|approval| approval.user == world.ground.bot)
}

/// How often GitLab was written to in other ways than by answers to status checks.
fn writes(world: &World) -> u64 {
    let routes = [APPROVE, UNAPPROVE, CREATE_NOTE, CHANGE_NOTE, DELETE_NOTE, CHANGE, SET_STATUS];
    routes.iter().map(|route| world.calls(route)).sum()
}
