//! The JSON of things.

use serde_json::{Map, Value, json};

use crate::merge_request::UserId;
use crate::simulator::accounts::Account;
use crate::simulator::clock::rest_time;
use crate::simulator::diffs::{Commit, DiffVersion, FileChange, Kind, LeftOut, Signature};
use crate::simulator::merge_requests::{
    Award, Discussion, MergeRequest, MergeRequestState, Note, PipelineRun,
};
use crate::simulator::payload::into_map;
use crate::simulator::world::World;

/// A user as part of something else.
pub(super) fn user(world: &World, id: UserId) -> Value {
    world.users.get(&id).map_or(Value::Null, |account| basic_user(world, account).into())
}

/// The fields that every user has.
pub(super) fn basic_user(world: &World, account: &Account) -> Map<String, Value> {
    into_map(json!({
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "state": account.state_word(),
        "locked": false,
        "avatar_url": null,
        "web_url": format!("{}/{}", world.url, account.username),
        "public_email": account.public_email.as_deref().unwrap_or_default(),
    }))
}

/// A merge request in a list.
pub(super) fn basic_merge_request(world: &World, merge_request: &MergeRequest) -> Map<String, Value> {
    let reference = merge_request.reference;
    let path = world.projects.get(&reference.project).map_or("", |project| project.path.as_str());
    let merged = merge_request.state == MergeRequestState::Merged;
    let mut fields = into_map(json!({
        "id": merge_request.id,
        "iid": reference.iid,
        "project_id": reference.project,
        "title": merge_request.title,
        "description": merge_request.description,
        "state": merge_request.state.words().0,
        "created_at": rest_time(merge_request.created_at),
        "updated_at": rest_time(merge_request.updated_at),
        "prepared_at": (!merge_request.preparing).then(|| rest_time(merge_request.created_at)),
        "merged_at": merged.then(|| rest_time(merge_request.updated_at)),
        "target_branch": merge_request.target_branch,
        "source_branch": merge_request.source_branch,
        "source_project_id": merge_request.source_project,
        "target_project_id": reference.project,
        "author": user(world, merge_request.author),
        "assignees": merge_request.assignees.iter().map(|id| user(world, *id)).collect::<Value>(),
        "assignee": merge_request.assignees.first().map(|id| user(world, *id)),
        "reviewers": merge_request.reviewers.iter().map(|id| user(world, *id)).collect::<Value>(),
        "labels": merge_request.labels,
        "draft": merge_request.draft(),
        "work_in_progress": merge_request.draft(),
        "milestone": merge_request.milestone.as_deref().map(milestone),
    }));
    fields.extend(into_map(json!({
        "sha": merge_request.head(),
        "merge_commit_sha": merge_request.merge_commit,
        "squash_commit_sha": null,
        "merge_when_pipeline_succeeds": false,
        "merge_status": merge_status(merge_request),
        "detailed_merge_status": world.detailed_merge_status(merge_request),
        "references": {
            "short": format!("!{}", reference.iid),
            "relative": format!("!{}", reference.iid),
            "full": format!("{path}!{}", reference.iid),
        },
        "web_url": world.merge_request_url(merge_request),
        "has_conflicts": merge_request.conflicts == Some(true),
        "squash": merge_request.squash,
        "force_remove_source_branch": merge_request.removes_source_branch,
        "should_remove_source_branch": null,
        "blocking_discussions_resolved": merge_request.all_resolved(),
        "user_notes_count": merge_request.discussions.len(),
    })));
    fields
}

/// A merge request by itself.
pub(super) fn merge_request(world: &World, merge_request: &MergeRequest) -> Map<String, Value> {
    let version = merge_request.newest_version();
    let head_pipeline = merge_request.pipelines.iter().rev().find(|run| !run.reference.ends_with("/train"));
    let mut fields = basic_merge_request(world, merge_request);
    fields.extend(into_map(json!({
        "diff_refs": version.map(|version| json!({
            "base_sha": version.base,
            "head_sha": version.head,
            "start_sha": version.start,
        })),
        "changes_count": version.map(|version| version.size(world.diff_limits)),
        "head_pipeline": head_pipeline.map(|run| pipeline(world, run)),
        "merge_error": null,
        "subscribed": false,
        "user": { "can_merge": true },
    })));
    let first = merge_request.first_contribution;
    fields.extend(first.map(|first| ("first_contribution".to_owned(), json!(first))));
    fields
}

fn milestone(title: &str) -> Value {
    json!({ "id": World::milestone_id(title), "title": title, "state": "active" })
}

/// GitLab: conflicts are unknown until somebody has looked.
fn merge_status(merge_request: &MergeRequest) -> &'static str {
    match merge_request.conflicts {
        _ if merge_request.preparing => "preparing",
        None => "unchecked",
        Some(true) => "cannot_be_merged",
        Some(false) => "can_be_merged",
    }
}

/// A reviewer.
pub(super) fn reviewer(world: &World, merge_request: &MergeRequest, id: UserId) -> Value {
    let state = merge_request.reviewer_state(id);
    json!({
        "user": user(world, id),
        "state": state,
        "created_at": rest_time(merge_request.created_at),
    })
}

/// A pipeline.
pub(super) fn pipeline(world: &World, run: &PipelineRun) -> Value {
    let project = world.projects.get(&run.project).map(|project| world.web_url(project));
    json!({
        "id": run.id,
        "iid": run.id,
        "project_id": run.project,
        "sha": run.sha,
        "ref": run.reference,
        "status": world.pipeline_status(run),
        "source": run.source,
        "created_at": rest_time(run.created_at),
        "updated_at": rest_time(run.created_at),
        "web_url": format!("{}/-/pipelines/{}", project.unwrap_or_default(), run.id),
    })
}

/// A diff version in the list.
pub(super) fn version(
    world: &World,
    merge_request: &MergeRequest,
    version: &DiffVersion,
) -> Map<String, Value> {
    let size = version.size(world.diff_limits);
    let state = match () {
        () if size.ends_with('+') => "overflow",
        () if version.files.is_empty() => "empty",
        () => "collected",
    };
    into_map(json!({
        "id": version.id,
        "head_commit_sha": version.head,
        "base_commit_sha": version.base,
        "start_commit_sha": version.start,
        "created_at": rest_time(version.created_at),
        "merge_request_id": merge_request.id,
        "state": state,
        "real_size": size,
        "patch_id_sha": null,
    }))
}

/// A commit; GitLab keeps no parents for those that it lists with a merge request.
pub(super) fn commit(world: &World, commit: &Commit, with_parents: bool) -> Value {
    let name = |email: &str| email.split('@').next().unwrap_or_default().to_owned();
    let at = rest_time(commit.at);
    json!({
        "id": commit.sha,
        "short_id": commit.sha.short(),
        "created_at": at,
        "parent_ids": if with_parents { commit.parents.as_slice() } else { &[] },
        "title": commit.message.lines().next().unwrap_or_default(),
        "message": commit.message,
        "author_name": name(&commit.author_email),
        "author_email": commit.author_email,
        "authored_date": at,
        "committer_name": name(&commit.committer_email),
        "committer_email": commit.committer_email,
        "committed_date": at,
        "trailers": {},
        "web_url": format!("{}/-/commit/{}", world.url, commit.sha),
    })
}

/// What GitLab makes of a signature; its key is shown in a shape of its kind.
pub(super) fn signature(commit: &Commit, signature: &Signature) -> Value {
    let mut fields = into_map(json!({
        "signature_type": signature.kind,
        "verification_status": signature.verification_status,
        "commit_source": "gitaly",
    }));
    match signature.kind.as_str() {
        "PGP" => fields.extend(into_map(json!({
            "gpg_key_id": 1,
            "gpg_key_primary_keyid": "8254AAB3FBD54AC9",
            "gpg_key_user_name": null,
            "gpg_key_user_email": commit.committer_email,
            "gpg_key_subkey_id": null,
        }))),
        "X509" => {
            let certificate =
                json!({ "id": 1, "email": commit.committer_email, "certificate_status": "good" });
            fields.insert("x509_certificate".to_owned(), certificate);
        }
        _ => {
            let key = json!({ "id": 1, "title": "key", "usage_type": "auth_and_signing" });
            fields.insert("key".to_owned(), key);
        }
    }
    fields.into()
}

/// A file of a diff.
pub(super) fn diff(world: &World, file: &FileChange) -> Value {
    let text = if file.left_out == LeftOut::No { file.diff.as_str() } else { "" };
    let mut fields = into_map(json!({
        "old_path": file.old_path,
        "new_path": file.new_path,
        "a_mode": file.modes.0,
        "b_mode": file.modes.1,
        "diff": text,
        "new_file": file.kind == Kind::Added,
        "renamed_file": file.kind == Kind::Renamed,
        "deleted_file": file.kind == Kind::Deleted,
    }));
    if world.release.says_generated() {
        fields.insert("generated_file".to_owned(), json!(file.generated));
    }
    if world.release.says_too_large() {
        fields.insert("collapsed".to_owned(), json!(file.left_out == LeftOut::Collapsed));
        fields.insert("too_large".to_owned(), json!(file.left_out == LeftOut::TooLarge));
    }
    fields.into()
}

/// A note of a thread.
pub(super) fn note(world: &World, merge_request: &MergeRequest, thread: &Discussion, note: &Note) -> Value {
    let mut fields = into_map(json!({
        "id": note.id,
        "type": if thread.resolvable { Some("DiscussionNote") } else { None },
        "body": note.body,
        "author": user(world, note.author),
        "created_at": rest_time(note.created_at),
        "updated_at": rest_time(note.updated_at),
        "system": note.system,
        "noteable_id": merge_request.id,
        "noteable_type": "MergeRequest",
        "noteable_iid": merge_request.reference.iid,
        "project_id": merge_request.reference.project,
        "resolvable": thread.resolvable,
        "confidential": note.internal,
        "internal": note.internal,
    }));
    if thread.resolvable {
        fields.insert("resolved".to_owned(), json!(thread.resolved));
    }
    fields.into()
}

/// An emoji on a merge request.
pub(super) fn award(world: &World, merge_request: &MergeRequest, award: &Award) -> Value {
    json!({
        "id": award.id,
        "name": award.name,
        "user": user(world, award.user),
        "created_at": rest_time(award.at),
        "updated_at": rest_time(award.at),
        "awardable_id": merge_request.id,
        "awardable_type": "MergeRequest",
        "url": null,
    })
}

/// A thread.
pub(super) fn discussion(world: &World, merge_request: &MergeRequest, thread: &Discussion) -> Value {
    let notes = thread.notes.iter().map(|one| note(world, merge_request, thread, one));
    json!({
        "id": thread.id,
        "individual_note": !thread.resolvable,
        "notes": notes.collect::<Vec<_>>(),
    })
}
