//! `/projects/:id/hooks`.

use serde_json::{Value, json};

use super::call::{Answer, Body, Call};
use super::page::paginate;
use super::projects::project_as;
use crate::merge_request::ProjectId;
use crate::simulator::access::level;
use crate::simulator::hooks::{Hook, HookEvent, HookPlace};
use crate::simulator::namespaces::Place;
use crate::simulator::world::World;

/// The flags of a hook, and what they stand for.
const HOOK_FLAGS: [(&str, HookEvent); 4] = [
    ("merge_requests_events", HookEvent::MergeRequest),
    ("note_events", HookEvent::Note),
    ("pipeline_events", HookEvent::Pipeline),
    ("push_events", HookEvent::Push),
];

fn hook_json(hook: &Hook, project: ProjectId) -> Value {
    let mut body = json!({
        "id": hook.id,
        "url": hook.url,
        "project_id": project,
        "token_present": hook.token.is_some(),
        "signing_token_present": hook.signing_token.is_some(),
        "enable_ssl_verification": true,
        "alert_status": "executable",
    });
    for (flag, event) in HOOK_FLAGS {
        if let Some(fields) = body.as_object_mut() {
            fields.insert(flag.to_owned(), json!(hook.events.contains(&event)));
        }
    }
    body
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = project_as(world, call, level::MAINTAINER)?.id;
    let here = HookPlace::Below(Place::Project(project));
    let hooks: Vec<&Hook> = world.hooks.iter().filter(|hook| hook.place == here).collect();
    paginate(world, call, &hooks, |hook| hook_json(hook, project))
}

/// GitLab: before 19.0 a signing token is ignored without a word, and push events are on unless said otherwise.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = project_as(world, call, level::MAINTAINER)?.id;
    let url = call.field("url").ok_or_else(|| Answer::invalid("url is missing"))?;
    let wants = |flag: &str| call.field(flag).map_or(flag == "push_events", |value| value == "true");
    let events = HOOK_FLAGS.iter().filter(|(flag, _)| wants(flag)).map(|(_, event)| *event).collect();
    let signs = world.release.has_standard_webhooks();
    let hook = Hook {
        id: world.fresh_id(),
        place: HookPlace::Below(Place::Project(project)),
        url,
        token: call.field("token"),
        signing_token: call.field("signing_token").filter(|_| signs),
        events,
    };
    let body = hook_json(&hook, project);
    world.hooks.push(hook);
    Ok(Answer::json(201, body))
}

/// The hook of the second parameter, if it hangs at the project of the first.
fn own<'world>(world: &'world mut World, call: &Call) -> Result<(ProjectId, &'world mut Hook), Answer> {
    let project = project_as(world, call, level::MAINTAINER)?.id;
    let (wanted, here) = (call.number(1), HookPlace::Below(Place::Project(project)));
    let hook = world.hooks.iter_mut().find(|hook| Some(hook.id) == wanted && hook.place == here);
    hook.map(|hook| (project, hook)).ok_or_else(Answer::not_found)
}

pub(super) fn change(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let signs = world.release.has_standard_webhooks();
    let (project, hook) = own(world, call)?;
    hook.url = call.field("url").unwrap_or_else(|| hook.url.clone());
    hook.token = call.field("token").or_else(|| hook.token.clone());
    hook.signing_token = call.field("signing_token").filter(|_| signs).or_else(|| hook.signing_token.clone());
    for (flag, event) in HOOK_FLAGS {
        match call.field(flag).as_deref() {
            Some("true") => _ = hook.events.insert(event),
            Some(_) => _ = hook.events.remove(&event),
            None => {}
        }
    }
    Ok(Answer::ok(hook_json(hook, project)))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = own(world, call)?.1.id;
    world.hooks.retain(|hook| hook.id != id);
    Ok(Answer { status: 204, headers: Vec::new(), body: Body::Empty })
}
