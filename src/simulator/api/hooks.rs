//! `/projects/:id/hooks` and `/groups/:id/hooks`, and what became of their deliveries.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::call::{Answer, Body, Call};
use super::namespaces::find_group;
use super::page::paginate;
use super::projects::project_as;
use crate::simulator::access::level;
use crate::simulator::clock::rest_time;
use crate::simulator::envelope::Recipient;
use crate::simulator::hooks::{Hook, HookDisabled, HookEvent, HookPlace};
use crate::simulator::namespaces::Place;
use crate::simulator::post_office::{Delivery, DeliveryState};
use crate::simulator::world::World;

/// The flags of a hook, and what they stand for.
const HOOK_FLAGS: [(&str, HookEvent); 10] = [
    ("merge_requests_events", HookEvent::MergeRequest),
    ("note_events", HookEvent::Note),
    ("pipeline_events", HookEvent::Pipeline),
    ("push_events", HookEvent::Push),
    ("confidential_note_events", HookEvent::ConfidentialNote),
    ("job_events", HookEvent::Job),
    ("emoji_events", HookEvent::Emoji),
    ("issues_events", HookEvent::Issue),
    ("member_events", HookEvent::Member),
    ("resource_access_token_events", HookEvent::AccessToken),
];
/// How long GitLab shows what became of a delivery.
const SHOWN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

fn hook_json(world: &World, hook: &Hook) -> Value {
    let disabled = world.disabled(hook);
    let mut body = json!({
        "id": hook.id,
        "url": hook.url,
        "created_at": rest_time(Timestamp::UNIX_EPOCH),
        "token_present": hook.token.is_some(),
        "signing_token_present": hook.signing_token.is_some(),
        "enable_ssl_verification": hook.verifies,
        "alert_status": HookDisabled::alert_status(disabled),
        "disabled_until": disabled.and_then(HookDisabled::until).map(rest_time),
        "custom_webhook_template": hook.template,
    });
    let Some(fields) = body.as_object_mut() else { return body };
    let (key, id) = match &hook.place {
        HookPlace::Below(Place::Project(id)) => ("project_id", json!(id)),
        HookPlace::Below(Place::Group(path)) => ("group_id", json!(world.groups.get(path).map(|it| it.id))),
        HookPlace::System => return body,
    };
    fields.insert(key.to_owned(), id);
    for (flag, event) in HOOK_FLAGS {
        if is_known(world, &hook.place, event) {
            fields.insert(flag.to_owned(), json!(hook.events.contains(&event)));
        }
    }
    body
}

/// Whether a hook there can want an event.
fn is_known(world: &World, place: &HookPlace, event: HookEvent) -> bool {
    match event {
        HookEvent::Emoji => world.release.has_emoji_hooks(),
        HookEvent::Member => matches!(place, HookPlace::Below(Place::Group(_))),
        _ => true,
    }
}

/// Where the call's first parameter leads, for those who may configure hooks there.
type Find = fn(&World, &Call) -> Result<HookPlace, Answer>;

fn at_project(world: &World, call: &Call) -> Result<HookPlace, Answer> {
    Ok(HookPlace::Below(Place::Project(project_as(world, call, level::MAINTAINER)?.id)))
}

/// GitLab: hooks of a group are for its Owners.
fn at_group(world: &World, call: &Call) -> Result<HookPlace, Answer> {
    let path = find_group(world, call)?.path.clone();
    let account = call.account(world)?;
    let member = world.group_membership(&path, account.id).map_or(0, |member| member.level);
    if account.admin || member >= level::OWNER {
        Ok(HookPlace::Below(Place::Group(path)))
    } else {
        Err(Answer::forbidden())
    }
}

fn list_at(world: &World, call: &Call, find: Find) -> Result<Answer, Answer> {
    let here = find(world, call)?;
    let hooks: Vec<&Hook> = world.hooks.iter().filter(|hook| hook.place == here).collect();
    paginate(world, call, &hooks, |hook| hook_json(world, hook))
}

/// GitLab: before 19.0 a signing token is ignored without a word, and push events are on unless said otherwise.
fn create_at(world: &mut World, call: &Call, find: Find) -> Result<Answer, Answer> {
    let place = find(world, call)?;
    let url = call.field("url").ok_or_else(|| Answer::invalid("url is missing"))?;
    let http = url::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !http {
        return Err(Answer::message(422, "Invalid url given"));
    }
    let wants = |flag: &str| call.field(flag).map_or(flag == "push_events", |value| value == "true");
    let wanted = HOOK_FLAGS.iter().filter(|(flag, event)| wants(flag) && is_known(world, &place, *event));
    let events = wanted.map(|(_, event)| *event).collect();
    let signs = world.release.has_standard_webhooks();
    let hook = Hook {
        id: world.fresh_id(),
        place,
        url,
        token: call.field("token"),
        signing_token: call.field("signing_token").filter(|_| signs),
        events,
        verifies: call.field("enable_ssl_verification").as_deref() != Some("false"),
        template: None,
        disabled: None,
    };
    let body = hook_json(world, &hook);
    world.hooks.push(hook);
    Ok(Answer::json(201, body))
}

/// The hook of the second parameter, if it hangs where the first one leads.
fn own(world: &World, call: &Call, find: Find) -> Result<usize, Answer> {
    let (wanted, here) = (call.number(1), find(world, call)?);
    let place = world.hooks.iter().position(|hook| Some(hook.id) == wanted && hook.place == here);
    place.ok_or_else(Answer::not_found)
}

fn change_at(world: &mut World, call: &Call, find: Find) -> Result<Answer, Answer> {
    let signs = world.release.has_standard_webhooks();
    let index = own(world, call, find)?;
    let hook = world.hooks.get_mut(index).ok_or_else(Answer::not_found)?;
    hook.url = call.field("url").unwrap_or_else(|| hook.url.clone());
    hook.token = call.field("token").or_else(|| hook.token.clone());
    hook.signing_token = call.field("signing_token").filter(|_| signs).or_else(|| hook.signing_token.clone());
    if let Some(verifies) = call.field("enable_ssl_verification") {
        hook.verifies = verifies == "true";
    }
    for (flag, event) in HOOK_FLAGS {
        match call.field(flag).as_deref() {
            Some("true") => _ = hook.events.insert(event),
            Some(_) => _ = hook.events.remove(&event),
            None => {}
        }
    }
    let hook = world.hooks.get(index).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(hook_json(world, hook)))
}

/// GitLab keeps what it sent and what it heard, newest first; of an answer that never came it does not say why.
fn events_at(world: &World, call: &Call, find: Find) -> Result<Answer, Answer> {
    let index = own(world, call, find)?;
    let hook = world.hooks.get(index).ok_or_else(Answer::not_found)?.id;
    let since = world.clock.now().checked_sub(SHOWN_FOR).unwrap_or(Timestamp::MIN);
    let sent = world.post_office.log();
    let mut shown: Vec<(usize, &Delivery)> = sent.iter().enumerate().collect();
    shown.retain(|(_, delivery)| {
        let ended = matches!(delivery.state, DeliveryState::Answered(_) | DeliveryState::Failed(_));
        delivery.recipient == Recipient::Hook(hook) && delivery.at >= since && ended
    });
    shown.reverse();
    paginate(world, call, &shown, |(index, delivery)| event_json(*index, delivery))
}

fn event_json(index: usize, delivery: &Delivery) -> Value {
    let status = match &delivery.state {
        DeliveryState::Answered(status) => status.to_string(),
        _ => "internal error".to_owned(),
    };
    let hidden = |name: &str| name == "X-Gitlab-Token";
    let headers = delivery
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(if hidden(name) { "[REDACTED]" } else { value })));
    json!({
        "id": index + 1,
        "url": delivery.url,
        "trigger": format!("{}s", delivery.event.to_lowercase().replace(' ', "_")),
        "request_headers": headers.collect::<serde_json::Map<_, _>>(),
        "request_data": delivery.json(),
        "response_headers": {},
        "response_body": "",
        "execution_duration": delivery.took.as_secs_f64(),
        "response_status": status,
        "created_at": rest_time(delivery.at),
    })
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    list_at(world, call, at_project)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    create_at(world, call, at_project)
}

pub(super) fn change(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    change_at(world, call, at_project)
}

pub(super) fn events(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    events_at(world, call, at_project)
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let index = own(world, call, at_project)?;
    world.hooks.remove(index);
    Ok(Answer { status: 204, headers: Vec::new(), body: Body::Empty })
}

pub(super) fn group_list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    list_at(world, call, at_group)
}

pub(super) fn group_create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    create_at(world, call, at_group)
}

pub(super) fn group_change(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    change_at(world, call, at_group)
}

pub(super) fn group_events(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    events_at(world, call, at_group)
}
