//! `/groups` and members.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::entity;
use super::page::paginate;
use super::projects::{find_project, project_json};
use crate::merge_request::UserId;
use crate::simulator::namespaces::{Group, Membership, Project};
use crate::simulator::world::World;

/// The group of the first parameter (id or full path), if the caller sees it.
pub(super) fn find_group<'world>(world: &'world World, call: &Call) -> Result<&'world Group, Answer> {
    let key = call.param(0);
    let by_id = || world.groups.values().find(|group| group.id.to_string() == key);
    // GitLab: a path is found whatever its case.
    let by_path = || world.groups.values().find(|group| group.path.eq_ignore_ascii_case(key));
    let found = world.groups.get(key).or_else(by_path).or_else(by_id);
    let account = call.account(world)?;
    found
        .filter(|group| world.sees_group(group, &account))
        .ok_or_else(|| Answer::message(404, "404 Group Not Found"))
}

pub(super) fn group(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let group = find_group(world, call)?;
    let name = group.path.rsplit('/').next().unwrap_or_default();
    let parent = group.path.rsplit_once('/').and_then(|(parent, _)| world.groups.get(parent));
    Ok(Answer::ok(json!({
        "id": group.id,
        "web_url": format!("{}/groups/{}", world.url, group.path),
        "name": name,
        "path": name,
        "description": "",
        "visibility": group.visibility.words().0,
        "full_name": group.path.replace('/', " / "),
        "full_path": group.path,
        "parent_id": parent.map(|group| group.id),
    })))
}

pub(super) fn group_projects(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let below = format!("{}/", find_group(world, call)?.path);
    let account = call.account(world)?;
    let deep = call.query("include_subgroups") == Some("true");
    let archived = call.query("archived").map(|text| text == "true");
    let inside = |project: &&Project| {
        let rest = project.path.strip_prefix(&below);
        rest.is_some_and(|rest| deep || !rest.contains('/'))
            && archived.is_none_or(|archived| project.archived == archived)
            && world.sees_project(project, &account)
    };
    let projects: Vec<&Project> = world.projects.values().filter(inside).collect();
    paginate(world, call, &projects, |project| project_json(world, project))
}

pub(super) fn group_member(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let path = find_group(world, call)?.path.clone();
    let user = call.number(1).map(UserId::new);
    member(world, user.and_then(|user| world.group_membership(&path, user)))
}

pub(super) fn project_member(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let user = call.number(1).map(UserId::new);
    member(world, user.and_then(|user| world.project_membership(project, user)))
}

/// Without inherited memberships and those of invited groups.
pub(super) fn direct_project_member(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let user = call.number(1).map(UserId::new);
    member(world, project.members.iter().find(|member| Some(member.user) == user).cloned())
}

fn member(world: &World, membership: Option<Membership>) -> Result<Answer, Answer> {
    let membership = membership.ok_or_else(Answer::not_found)?;
    let account = world.users.get(&membership.user).ok_or_else(Answer::not_found)?;
    let mut fields = entity::basic_user(world, account);
    let state = if membership.awaiting { "awaiting" } else { "active" };
    fields.insert("access_level".to_owned(), json!(membership.level));
    fields.insert(
        "expires_at".to_owned(),
        membership.expires_at.map_or(Value::Null, |day| json!(day.to_string())),
    );
    fields.insert("membership_state".to_owned(), json!(state));
    Ok(Answer::ok(fields.into()))
}
