//! `/projects` and repositories.

use serde_json::{Value, json};

use super::call::{Answer, Body, Call};
use super::entity;
use super::page::{paginate, paginate_by_key};
use crate::merge_request::ProjectId;
use crate::simulator::access::level;
use crate::simulator::diffs::{DiffVersion, FileChange};
use crate::simulator::namespaces::Project;
use crate::simulator::pattern;
use crate::simulator::payload::into_map;
use crate::simulator::snapshot::Entry;
use crate::simulator::world::World;

/// The project of the first parameter (id or full path), if the caller sees it.
///
/// GitLab: by an old path a GET is sent on to the id, anything else finds nothing.
pub(super) fn find_project<'world>(world: &'world World, call: &Call) -> Result<&'world Project, Answer> {
    let key = call.param(0);
    let id = key.parse().ok().map(ProjectId::new).or_else(|| world.paths.get(key).copied());
    let found = id.and_then(|id| world.projects.get(&id));
    let account = call.account(world)?;
    let absent = || Answer::message(404, "404 Project Not Found");
    let Some(project) = found else { return Err(moved(world, call, key).unwrap_or_else(absent)) };
    Some(project).filter(|project| world.sees_project(project, &account)).ok_or_else(absent)
}

fn moved(world: &World, call: &Call, old: &str) -> Option<Answer> {
    let project =
        world.projects.values().find(|project| project.moved_from.iter().any(|path| path == old))?;
    let account = call.account(world).ok()?;
    if call.method != "GET" || !world.sees_project(project, &account) {
        return None;
    }
    let rest =
        call.path.strip_prefix("/api/v4/projects/")?.split_once('/').map(|(_, rest)| format!("/{rest}"));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(&call.query).finish();
    let mark = if query.is_empty() { "" } else { "?" };
    let location =
        format!("{}/api/v4/projects/{}{}{mark}{query}", world.url, project.id, rest.unwrap_or_default());
    Some(Answer::message(301, "301 Moved Permanently").header("Location", location))
}

/// A project the caller has at least this level in.
pub(super) fn project_as<'world>(
    world: &'world World,
    call: &Call,
    level: u8,
) -> Result<&'world Project, Answer> {
    let project = find_project(world, call)?;
    let enough = world.level_in_project(project, &call.account(world)?) >= level;
    if enough { Ok(project) } else { Err(Answer::forbidden()) }
}

/// A project.
pub(super) fn project_json(world: &World, project: &Project) -> Value {
    let mut fields = into_map(json!({
        "id": project.id,
        "description": null,
        "name": project.name(),
        "path": project.name(),
        "path_with_namespace": project.path,
        "default_branch": project.default_branch,
        "visibility": project.visibility.words().0,
        "archived": project.archived,
        "web_url": world.web_url(project),
        "namespace": {
            "id": world.groups.get(project.namespace()).map(|group| group.id),
            "kind": "group",
            "full_path": project.namespace(),
        },
        "merge_trains_enabled": project.has_merge_trains,
        "only_allow_merge_if_pipeline_succeeds": false,
        "only_allow_merge_if_all_discussions_are_resolved": false,
        "topics": project.topics,
        "merge_method": project.merge_method,
    }));
    if world.release.can_require_status_checks() {
        let required = json!(project.checks_must_pass);
        fields.insert("only_allow_merge_if_all_status_checks_passed".to_owned(), required);
    }
    fields.extend(project.squash_option.map(|option| ("squash_option".to_owned(), json!(option))));
    fields.into()
}

pub(super) fn one(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(project_json(world, find_project(world, call)?)))
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let account = call.account(world)?;
    let member = call.query("membership") == Some("true");
    let least = call.query("min_access_level").and_then(|text| text.parse().ok()).unwrap_or(u8::from(member));
    let archived = call.query("archived").map(|text| text == "true");
    let seen = |project: &&Project| {
        world.sees_project(project, &account)
            && world.level_in_project(project, &account) >= least
            && archived.is_none_or(|archived| project.archived == archived)
    };
    let projects: Vec<&Project> = world.projects.values().filter(seen).collect();
    paginate(world, call, &projects, |project| project_json(world, project))
}

pub(super) fn change(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = project_as(world, call, level::MAINTAINER)?.id;
    // GitLab: what it does not know it passes over without a word.
    let known = world.release.can_require_status_checks();
    let wanted = call.field("only_allow_merge_if_all_status_checks_passed").filter(|_| known);
    if let (Some(wanted), Ok(project)) = (wanted, world.project_mut(id)) {
        project.checks_must_pass = wanted == "true";
    }
    one(world, call)
}

pub(super) fn protected_branches(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = project_as(world, call, level::DEVELOPER)?;
    paginate(
        world,
        call,
        &project.protected_branches,
        |branch| json!({ "id": branch.id, "name": branch.name, "push_access_levels": [], "merge_access_levels": [] }),
    )
}

pub(super) fn branch(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (project, name) = (find_project(world, call)?, call.param(1));
    let absent = || Answer::message(404, "404 Branch Not Found");
    let sha = project.repository.branch(name).ok_or_else(absent)?;
    let commit = project.repository.commit(sha.as_str()).ok_or_else(absent)?;
    let protected = project.protected_branches.iter().any(|branch| pattern::fits(&branch.name, name));
    Ok(Answer::ok(json!({
        "name": name,
        "commit": entity::commit(world, commit, true),
        "merged": false,
        "protected": protected,
        "developers_can_push": !protected,
        "developers_can_merge": !protected,
        "can_push": true,
        "default": name == project.default_branch,
        "web_url": format!("{}/-/tree/{name}", world.web_url(project)),
    })))
}

pub(super) fn commit(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = find_project(world, call)?.repository.commit(call.param(1));
    let commit = found.ok_or_else(|| Answer::message(404, "404 Commit Not Found"))?;
    Ok(Answer::ok(entity::commit(world, commit, true)))
}

/// GitLab: `ref_name` is a branch, a SHA or a range of two; these commits have their parents.
pub(super) fn commits(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let reference = call.query("ref_name").unwrap_or(&project.default_branch);
    let (base, head) = match reference.split_once("..") {
        Some((base, head)) => (Some(base), head),
        None => (None, reference),
    };
    let commits = project.repository.commits_since(base, head).unwrap_or_default();
    paginate(world, call, &commits, |commit| entity::commit(world, commit, true))
}

pub(super) fn signature(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = find_project(world, call)?.repository.commit(call.param(1));
    let commit = found.ok_or_else(|| Answer::message(404, "404 Commit Not Found"))?;
    let signature = commit.signature.as_ref();
    let signature = signature.ok_or_else(|| Answer::message(404, "404 Signature Not Found"))?;
    Ok(Answer::ok(entity::signature(commit, signature)))
}

pub(super) fn raw_file(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let reference = call.query("ref").filter(|text| *text != "HEAD").unwrap_or(&project.default_branch);
    let commit = project.repository.commit(reference);
    let commit = commit.ok_or_else(|| Answer::message(404, "404 Commit Not Found"))?.sha.to_string();
    let tree = project.repository.tree(reference);
    let content = tree.and_then(|tree| tree.get(call.param(1)));
    let content = content.ok_or_else(|| Answer::message(404, "404 File Not Found"))?.clone();
    let body = Body::Bytes("text/plain; charset=utf-8", content);
    Ok(Answer { status: 200, headers: vec![("X-Gitlab-Commit-Id", commit)], body })
}

/// What lies in a folder at a commit; by offset, or after a key.
pub(super) fn tree(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let reference = call.query("ref").unwrap_or(&project.default_branch);
    let absent = || Answer::message(404, "404 invalid revision or path Not Found");
    let sha = project.repository.commit(reference).ok_or_else(absent)?.sha.clone();
    let snapshot = world.snapshot(project.id, &sha);
    let deep = call.query("recursive") == Some("true");
    let entries = snapshot.list(call.query("path").unwrap_or_default(), deep).ok_or_else(absent)?;
    let json = |entry: &&Entry| json!({ "id": entry.id, "name": entry.name, "type": entry.kind, "path": entry.path, "mode": entry.mode });
    if call.query("pagination") == Some("keyset") {
        return Ok(paginate_by_key(world, call, &entries, |entry| &entry.path, json));
    }
    paginate(world, call, &entries, json)
}

/// Where two commits part.
pub(super) fn merge_base(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = &find_project(world, call)?.repository;
    let references = call.list("refs").unwrap_or_default();
    let [one, other] = references.as_slice() else {
        return Err(Answer::message(400, "Provide exactly 2 refs"));
    };
    for reference in &references {
        let unknown = || Answer::message(400, &format!("Could not find ref: {reference}"));
        repository.commit(reference).ok_or_else(unknown)?;
    }
    let base = repository.merge_base(one, other);
    let base = base.ok_or_else(|| Answer::message(404, "404 Merge Base Not Found"))?;
    Ok(Answer::ok(entity::commit(world, base, true)))
}

/// Between two commits: what a diff version says of them, else the files that differ.
pub(super) fn compare(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let project = find_project(world, call)?;
    let known = |name: &str| {
        let reference = call.query(name).ok_or_else(|| Answer::invalid(&format!("{name} is missing")))?;
        let commit = project.repository.commit(reference);
        commit.ok_or_else(|| Answer::message(404, "404 Ref Not Found"))
    };
    let (from, to) = (known("from")?, known("to")?);
    let mut versions = world.merge_requests.values().flat_map(|merge_request| &merge_request.versions);
    let fits = |version: &&DiffVersion| version.head == to.sha && version.base == from.sha;
    let (files, commits) = match versions.find(fits) {
        Some(version) => (version.listed(world.diff_limits), version.commits.clone()),
        None => (differing_files(project, from.sha.as_str(), to.sha.as_str()), vec![to.clone()]),
    };
    let same = from.sha == to.sha;
    let commits = if same { Vec::new() } else { commits };
    Ok(Answer::ok(json!({
        "commit": entity::commit(world, to, true),
        "commits": commits.iter().map(|commit| entity::commit(world, commit, true)).collect::<Vec<_>>(),
        "diffs": files.iter().map(|file| entity::diff(world, file)).collect::<Vec<_>>(),
        "compare_timeout": false,
        "compare_same_ref": same,
        "web_url": format!("{}/-/compare/{}...{}", world.web_url(project), from.sha, to.sha),
    })))
}

fn differing_files(project: &Project, from: &str, to: &str) -> Vec<FileChange> {
    let (Some(before), Some(after)) = (project.repository.tree(from), project.repository.tree(to)) else {
        return Vec::new();
    };
    let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| FileChange::deleted(path));
    let rest = after.iter().filter_map(|(path, content)| match before.get(path) {
        None => Some(FileChange::added(path)),
        Some(old) if old != content => Some(FileChange::modified(path)),
        Some(_) => None,
    });
    gone.chain(rest).collect()
}
