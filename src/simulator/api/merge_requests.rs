//! `/merge_requests` and what lies below one.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::entity;
use super::page::paginate;
use super::projects::find_project;
use crate::merge_request::{MergeRequestIid, MergeRequestRef};
use crate::simulator::access::level;
use crate::simulator::clock::rest_time;
use crate::simulator::merge_requests::{Approved, MergeRequest};
use crate::simulator::namespaces::{Project, Visibility};
use crate::simulator::release::Edition;
use crate::simulator::world::World;

/// Whether the caller may look into a project's merge requests: a Guest of a private project may not.
fn may_look(world: &World, call: &Call, project: &Project) -> Result<bool, Answer> {
    let level = world.level_in_project(project, &call.account(world)?);
    Ok(project.visibility != Visibility::Private || level >= level::REPORTER)
}

/// The merge request of the first two parameters.
pub(super) fn find<'world>(world: &'world World, call: &Call) -> Result<&'world MergeRequest, Answer> {
    let project = find_project(world, call)?;
    if !may_look(world, call, project)? {
        return Err(Answer::forbidden());
    }
    find_in(world, call, project)
}

/// The merge request of the second parameter in a project.
pub(super) fn find_in<'world>(
    world: &'world World,
    call: &Call,
    project: &Project,
) -> Result<&'world MergeRequest, Answer> {
    let iid = call.number(1).map(MergeRequestIid::new);
    let which = iid.map(|iid| MergeRequestRef { project: project.id, iid });
    which.and_then(|which| world.merge_requests.get(&which)).ok_or_else(Answer::not_found)
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    if !may_look(world, call, project)? {
        return Err(Answer::forbidden());
    }
    let low = MergeRequestRef { project: project.id, iid: MergeRequestIid::new(0) };
    let high = MergeRequestRef { project: project.id, iid: MergeRequestIid::new(u64::MAX) };
    listed(
        world,
        call,
        "all",
        world.merge_requests.range(low..=high).map(|(_, merge_request)| merge_request).collect(),
    )
}

/// GitLab: without `scope=all` these are the caller's own.
pub(super) fn list_everywhere(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let seen = |merge_request: &&MergeRequest| {
        let project = world.projects.get(&merge_request.reference.project);
        project.is_some_and(|project| may_look(world, call, project).unwrap_or(false))
    };
    listed(world, call, "created_by_me", world.merge_requests.values().filter(seen).collect())
}

fn listed(
    world: &World,
    call: &Call,
    default_scope: &str,
    mut found: Vec<&MergeRequest>,
) -> Result<Answer, Answer> {
    let time = |name: &str| -> Result<Option<Timestamp>, Answer> {
        let parse = |text: &str| text.parse().map_err(|_| Answer::invalid(&format!("{name} is invalid")));
        call.query(name).map(parse).transpose()
    };
    let (after, before) = (time("updated_after")?, time("updated_before")?);
    let state = call.query("state").filter(|state| *state != "all");
    let all = call.query("scope").unwrap_or(default_scope) == "all";
    found.retain(|merge_request| {
        (all || merge_request.author == call.user)
            && state.is_none_or(|state| state == merge_request.state.words().0)
            && after.is_none_or(|after| merge_request.updated_at >= after)
            && before.is_none_or(|before| merge_request.updated_at <= before)
    });
    let by_update = call.query("order_by") == Some("updated_at");
    let key = |merge_request: &&MergeRequest| {
        let at = if by_update { merge_request.updated_at } else { merge_request.created_at };
        (at, merge_request.id)
    };
    found.sort_by_key(key);
    if call.query("sort") != Some("asc") {
        found.reverse();
    }
    paginate(world, call, &found, |merge_request| entity::basic_merge_request(world, merge_request).into())
}

pub(super) fn one(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    Ok(Answer::ok(entity::merge_request(world, merge_request).into()))
}

pub(super) fn reviewers(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    paginate(world, call, &merge_request.reviewers, |id| entity::reviewer(world, merge_request, *id))
}

pub(super) fn versions(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    let shown = if merge_request.preparing { &[][..] } else { merge_request.versions.as_slice() };
    let newest_first: Vec<_> = shown.iter().rev().collect();
    paginate(world, call, &newest_first, |version| entity::version(world, merge_request, version).into())
}

pub(super) fn version(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    let wanted = call.number(2);
    let version = merge_request.versions.iter().find(|version| Some(version.id.get()) == wanted);
    let version = version.ok_or_else(Answer::not_found)?;
    let mut fields = entity::version(world, merge_request, version);
    let commits: Vec<Value> =
        version.commits.iter().map(|commit| entity::commit(world, commit, false)).collect();
    let diffs: Vec<Value> =
        version.listed(world.diff_limits).iter().map(|file| entity::diff(world, file)).collect();
    fields.insert("commits".to_owned(), commits.into());
    fields.insert("diffs".to_owned(), diffs.into());
    Ok(Answer::ok(fields.into()))
}

pub(super) fn diffs(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let newest = find(world, call)?.newest_version();
    let files = newest.map_or_else(Vec::new, |version| version.listed(world.diff_limits));
    paginate(world, call, &files, |file| entity::diff(world, file))
}

pub(super) fn commits(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let newest = find(world, call)?.newest_version();
    let commits = newest.map_or(&[][..], |version| version.commits.as_slice());
    paginate(world, call, commits, |commit| entity::commit(world, commit, false))
}

pub(super) fn approvals(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    let approval = |approval: &Approved| {
        let mut entry = json!({ "user": entity::user(world, approval.user) });
        if let (Some(fields), true) = (entry.as_object_mut(), world.says_approved_at) {
            fields.insert("approved_at".to_owned(), json!(rest_time(approval.at)));
        }
        entry
    };
    let mine = merge_request.approvals.iter().any(|approval| approval.user == call.user);
    let mut body = json!({
        "id": merge_request.id,
        "iid": merge_request.reference.iid,
        "project_id": merge_request.reference.project,
        "title": merge_request.title,
        "state": merge_request.state.words().0,
        "created_at": rest_time(merge_request.created_at),
        "updated_at": rest_time(merge_request.updated_at),
        "approved": merge_request.approvals_left() == 0,
        "approved_by": merge_request.approvals.iter().map(approval).collect::<Vec<_>>(),
        "user_has_approved": mine,
        "user_can_approve": !mine,
    });
    if let (Some(fields), true) = (body.as_object_mut(), world.release.edition != Edition::Community) {
        fields.insert("approvals_required".to_owned(), json!(merge_request.approvals_required));
        fields.insert("approvals_left".to_owned(), json!(merge_request.approvals_left()));
        fields.insert("approval_rules_left".to_owned(), json!([]));
    }
    Ok(Answer::ok(body))
}

pub(super) fn pipelines(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    let newest_first: Vec<_> = merge_request.pipelines.iter().rev().collect();
    paginate(world, call, &newest_first, |run| entity::pipeline(world, run))
}

pub(super) fn discussions(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = find(world, call)?;
    paginate(world, call, &merge_request.discussions, |thread| {
        entity::discussion(world, merge_request, thread)
    })
}
