//! External status checks: answering, listing, retrying, configuring.
//!
//! The order of refusals is the contract's (section 1.3): token, project, licence, parameters, merge request,
//! permission to approve, check, SHA, permission to answer.

use serde_json::{Value, json};

use super::call::{Answer, Body, Call};
use super::entity;
use super::merge_requests;
use super::page::paginate;
use super::projects::find_project;
use crate::merge_request::{ProjectId, StatusCheckId};
use crate::simulator::access::level;
use crate::simulator::error::SimulatorError;
use crate::simulator::namespaces::{Project, Visibility};
use crate::simulator::release::Edition;
use crate::simulator::status_checks::{CheckStatus, NewStatusCheck, StatusCheck};
use crate::simulator::world::World;

/// A visible project of a licensed GitLab. GitLab: no licence is 401, as if the token were bad.
fn licensed<'world>(world: &'world World, call: &Call) -> Result<&'world Project, Answer> {
    let project = find_project(world, call)?;
    if world.release.edition == Edition::Ultimate { Ok(project) } else { Err(Answer::unauthorized()) }
}

fn caller_level(world: &World, call: &Call, project: &Project) -> Result<u8, Answer> {
    Ok(world.level_in_project(project, &call.account(world)?))
}

/// GitLab: Developers may approve, and so may Reporters whom a rule names; nobody may in an archived project.
fn may_approve(world: &World, call: &Call, project: &Project) -> Result<bool, Answer> {
    let level = caller_level(world, call, project)?;
    let named = level >= level::REPORTER && project.approvers.contains(&call.user);
    Ok(!project.archived && (level >= level::DEVELOPER || named))
}

/// The parameters of an answer, or the sentence about what is wrong with them.
fn parameters(world: &World, call: &Call) -> Result<(StatusCheckId, String, CheckStatus), Answer> {
    let mut wrong = Vec::new();
    let check = match call.field("external_status_check_id").map(|text| text.parse().ok()) {
        Some(Some(id)) => id,
        Some(None) => {
            wrong.push("external_status_check_id is invalid");
            0
        }
        None => {
            wrong.push("external_status_check_id is missing");
            0
        }
    };
    let sha = call.field("sha");
    if sha.is_none() {
        wrong.push("sha is missing");
    }
    let status = match call.field("status").filter(|_| world.release.reads_status()).as_deref() {
        Some("passed") => CheckStatus::Passed,
        Some("failed") => CheckStatus::Failed,
        Some("pending") if world.release.accepts_pending() => CheckStatus::Pending,
        Some(_) => {
            wrong.push("status does not have a valid value");
            CheckStatus::Failed
        }
        None if world.release.requires_status() => {
            wrong.push("status is missing, status does not have a valid value");
            CheckStatus::Failed
        }
        // GitLab: before `status` was read, every answer approves.
        None => CheckStatus::Passed,
    };
    if wrong.is_empty() {
        Ok((StatusCheckId::new(check), sha.unwrap_or_default(), status))
    } else {
        Err(Answer::invalid(&wrong.join(", ")))
    }
}

pub(super) fn respond(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = licensed(world, call)?;
    let (check, sha, status) = parameters(world, call)?;
    let merge_request = merge_requests::find_in(world, call, project)?;
    if !may_approve(world, call, project)? {
        return Err(Answer::forbidden());
    }
    let found = project.checks.iter().find(|other| other.id == check).ok_or_else(Answer::not_found)?;
    let head = merge_request.head().map(ToString::to_string).unwrap_or_default();
    if head != sha {
        let text = format!("SHA does not match HEAD of source branch: {head}");
        return Err(Answer::message(409, &text));
    }
    if caller_level(world, call, project)? < level::DEVELOPER {
        return Err(Answer::not_found());
    }
    let shown = if world.release.trims_responses() {
        json!({ "id": found.id, "name": found.name, "external_url": without_query(&found.external_url) })
    } else {
        config_json(world, project, found)
    };
    let (which, body) = (merge_request.reference, entity::basic_merge_request(world, merge_request));
    let id = world.answer(which, check, call.user, status).map_err(|_| Answer::not_found())?;
    let body = json!({ "id": id, "merge_request": body, "external_status_check": shown });
    Ok(Answer::json(201, body))
}

pub(super) fn statuses(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = licensed(world, call)?;
    let merge_request = merge_requests::find(world, call)?;
    let level = caller_level(world, call, project)?;
    let allowed = if world.release.shows_statuses_to_reporters() {
        level >= level::REPORTER || project.visibility == Visibility::Internal
    } else {
        level >= level::DEVELOPER || may_approve(world, call, project)?
    };
    if !allowed {
        return Err(Answer::forbidden());
    }
    let url = |check: &StatusCheck| match () {
        () if level < level::DEVELOPER => String::new(),
        () if world.release.is_past_14() => without_query(&check.external_url),
        () => check.external_url.clone(),
    };
    let current = |check: &StatusCheck| {
        let head = merge_request.head().cloned();
        head.map_or(CheckStatus::Unanswered, |head| {
            world.rows.status(&(check.id, merge_request.reference, head))
        })
    };
    // GitLab: before 15.0, and without the feature flag, any row approves.
    let said = |status: CheckStatus| match status {
        _ if world.release.reads_status() => status.word(),
        CheckStatus::Unanswered => "pending",
        CheckStatus::Pending | CheckStatus::Passed | CheckStatus::Failed => "approved",
    };
    let applicable = world.applicable_checks(merge_request);
    let answer = paginate(
        world,
        call,
        &applicable,
        |check| json!({ "id": check.id, "name": check.name, "external_url": url(check), "status": said(current(check)) }),
    )?;
    Ok(answer.header("Poll-Interval", "10000".to_owned()))
}

pub(super) fn retry(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = licensed(world, call)?;
    let which = merge_requests::find_in(world, call, project)?.reference;
    if !may_approve(world, call, project)? || caller_level(world, call, project)? < level::DEVELOPER {
        return Err(Answer::forbidden());
    }
    let check = call.number(2).map(StatusCheckId::new).ok_or_else(Answer::not_found)?;
    match world.retry(which, check, call.user) {
        Ok(()) => Ok(Answer::message(202, "202 Accepted")),
        Err(SimulatorError::Refused(why)) => Err(Answer::message(422, &why)),
        Err(_) => Err(Answer::not_found()),
    }
}

fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

fn config_json(world: &World, project: &Project, check: &StatusCheck) -> Value {
    let branches =
        project.protected_branches.iter().filter(|branch| check.protected_branches.contains(&branch.id));
    let branches: Vec<Value> =
        branches.map(|branch| json!({ "id": branch.id, "name": branch.name })).collect();
    let mut body = json!({
        "id": check.id,
        "name": check.name,
        "project_id": check.project,
        "external_url": check.external_url,
        "protected_branches": branches,
    });
    if let (true, Some(fields)) = (world.release.signs_status_checks(), body.as_object_mut()) {
        fields.insert("hmac".to_owned(), json!(check.shared_secret.is_some()));
    }
    body
}

/// `shared_secret`, where this GitLab knows it.
fn shared_secret(world: &World, call: &Call) -> Result<Option<String>, Answer> {
    let secret = call.field("shared_secret").filter(|_| world.release.signs_status_checks());
    let too_long = secret.as_ref().is_some_and(|secret| secret.len() > 255);
    if too_long && world.release.bounds_shared_secrets() {
        let why = "Shared secret is too long (maximum is 255 characters)";
        return Err(refusal(&SimulatorError::Refused(why.to_owned())));
    }
    Ok(secret)
}

/// GitLab: who may not configure checks is told 401, not 403.
fn configurable(world: &World, call: &Call) -> Result<ProjectId, Answer> {
    let project = licensed(world, call)?;
    let enough = caller_level(world, call, project)? >= level::MAINTAINER;
    if enough { Ok(project.id) } else { Err(Answer::unauthorized()) }
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    configurable(world, call)?;
    let project = find_project(world, call)?;
    paginate(world, call, &project.checks, |check| config_json(world, project, check))
}

fn shown(world: &World, id: ProjectId, check: StatusCheckId) -> Result<Value, Answer> {
    let project = world.projects.get(&id).ok_or_else(Answer::not_found)?;
    let check = project.checks.iter().find(|other| other.id == check).ok_or_else(Answer::not_found)?;
    Ok(config_json(world, project, check))
}

fn refusal(error: &SimulatorError) -> Answer {
    match error {
        SimulatorError::Refused(why) => Answer::json(422, json!({ "message": [why] })),
        _ => Answer::not_found(),
    }
}

/// `protected_branch_ids`, each of which must be a protected branch of the project.
fn branches(world: &World, call: &Call, project: ProjectId) -> Result<Option<Vec<u64>>, Answer> {
    let Some(texts) = call.list("protected_branch_ids") else { return Ok(None) };
    let protected = world.projects.get(&project).map_or(&[][..], |project| &project.protected_branches);
    let known = |text: &String| {
        let id = text.parse().ok().filter(|id| protected.iter().any(|branch| branch.id == *id));
        id.ok_or_else(|| refusal(&SimulatorError::Refused("Protected branches all must exist".to_owned())))
    };
    texts.iter().map(known).collect::<Result<_, _>>().map(Some)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = configurable(world, call)?;
    let wanted = |name: &str| call.field(name).ok_or_else(|| Answer::invalid(&format!("{name} is missing")));
    let mut new = NewStatusCheck::new(&wanted("name")?, &wanted("external_url")?);
    new.shared_secret = shared_secret(world, call)?;
    let branches = branches(world, call, project)?.unwrap_or_default();
    let id = world.create_check(project, new).map_err(|error| refusal(&error))?;
    edit(world, project, id, |check| check.protected_branches = branches)?;
    Ok(Answer::json(201, shown(world, project, id)?))
}

fn edit(
    world: &mut World,
    project: ProjectId,
    id: StatusCheckId,
    deed: impl FnOnce(&mut StatusCheck),
) -> Result<(), Answer> {
    let project = world.projects.get_mut(&project).ok_or_else(Answer::not_found)?;
    let check = project.checks.iter_mut().find(|check| check.id == id).ok_or_else(Answer::not_found)?;
    deed(check);
    Ok(())
}

pub(super) fn change(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = configurable(world, call)?;
    let id = call.number(1).map(StatusCheckId::new).ok_or_else(Answer::not_found)?;
    let before = world.check(project, id).map_err(|_| Answer::not_found())?.clone();
    let name = call.field("name").unwrap_or(before.name);
    let url = call.field("external_url").unwrap_or(before.external_url);
    let secret = shared_secret(world, call)?.or(before.shared_secret);
    let branches = branches(world, call, project)?.unwrap_or(before.protected_branches);
    world.validate_check(project, Some(id), &name, &url).map_err(|error| refusal(&error))?;
    edit(world, project, id, |check| {
        check.name = name;
        check.external_url = url;
        check.shared_secret = secret;
        check.protected_branches = branches;
    })?;
    Ok(Answer::ok(shown(world, project, id)?))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = configurable(world, call)?;
    let id = call.number(1).map(StatusCheckId::new).ok_or_else(Answer::not_found)?;
    world.check(project, id).map_err(|_| Answer::not_found())?;
    let project = world.project_mut(project).map_err(|_| Answer::not_found())?;
    project.checks.retain(|check| check.id != id);
    Ok(Answer { status: 204, headers: Vec::new(), body: Body::Empty })
}
