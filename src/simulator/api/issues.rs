//! What a merge request has to do with issues and other merge requests.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::page::paginate;
use super::{entity, merge_requests};
use crate::merge_request::MergeRequestRef;
use crate::simulator::access::level;
use crate::simulator::clock::rest_time;
use crate::simulator::issues::Issue;
use crate::simulator::merge_requests::MergeRequest;
use crate::simulator::namespaces::Visibility;
use crate::simulator::world::World;

/// GitLab: those that the caller sees, and then those of another tracker, of which it knows the key.
pub(super) fn closing(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    list(world, call, merge_request, world.closing_issues(merge_request))
}

pub(super) fn related(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    list(world, call, merge_request, world.related_issues(merge_request))
}

fn list(
    world: &World,
    call: &Call,
    merge_request: &MergeRequest,
    issues: Vec<&Issue>,
) -> Result<Answer, Answer> {
    let account = call.account(world)?;
    let seen = |issue: &&Issue| {
        world.projects.get(&issue.project).is_some_and(|project| world.sees_project(project, &account))
    };
    let own = issues.into_iter().filter(seen).map(|issue| issue_json(world, issue));
    let foreign = merge_request.external_issues.iter().map(|key| json!({ "title": key, "id": key }));
    let all: Vec<Value> = own.chain(foreign).collect();
    paginate(world, call, &all, Value::clone)
}

fn issue_json(world: &World, issue: &Issue) -> Value {
    let path = world.projects.get(&issue.project).map_or("", |project| project.path.as_str());
    json!({
        "id": issue.id,
        "iid": issue.iid,
        "project_id": issue.project,
        "title": issue.title,
        "description": null,
        "state": if issue.closed { "closed" } else { "opened" },
        "created_at": rest_time(issue.created_at),
        "updated_at": rest_time(issue.created_at),
        "labels": issue.labels,
        "milestone": issue.milestone.as_ref().map(|title| json!({ "title": title, "state": "active" })),
        "assignees": [],
        "author": entity::user(world, issue.author),
        "type": "ISSUE",
        "confidential": false,
        "web_url": format!("{}/{path}/-/issues/{}", world.url, issue.iid),
        "references": {
            "short": format!("#{}", issue.iid),
            "relative": format!("#{}", issue.iid),
            "full": format!("{path}#{}", issue.iid),
        },
    })
}

/// GitLab: the entry stays, and what the caller can't see is left out of it.
pub(super) fn blocks(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let merge_request = merge_requests::find(world, call)?;
    let account = call.account(world)?;
    let sees = |which: &MergeRequestRef| {
        let project = world.projects.get(&which.project);
        project.is_some_and(|project| {
            project.visibility != Visibility::Private
                || world.level_in_project(project, &account) >= level::REPORTER
        })
    };
    paginate(world, call, &merge_request.blocked_by, |(id, by)| {
        let blocked = entity::basic_merge_request(world, merge_request);
        let mut entry = json!({
            "id": id,
            "blocked_merge_request": blocked,
            "project_id": merge_request.reference.project,
        });
        let blocking = world.merge_requests.get(by).filter(|_| sees(by));
        if let (Some(fields), Some(blocking)) = (entry.as_object_mut(), blocking) {
            let blocking = entity::basic_merge_request(world, blocking).into();
            fields.insert("blocking_merge_request".to_owned(), blocking);
        }
        entry
    })
}
