//! The bodies that GitLab sends (contract section 5.1).
//!
//! A body is a snapshot of the moment of its event. It is complete enough for every field that the contract
//! names; `assignees` and `reviewers` are absent when empty, and addresses that are not public are redacted.

use serde_json::{Map, Value, json};

use super::clock::{commit_time, hook_time};
use super::diffs::Commit;
use super::merge_requests::MergeRequest;
use super::namespaces::Project;
use super::status_checks::CheckStatus;
use super::world::World;
use crate::merge_request::{CommitSha, ProjectId, UserId};

/// What happened to a merge request, as its event tells it.
#[derive(Debug, Clone, Default)]
pub(super) struct Happening {
    /// `open`, `update`, …; a retry has none.
    pub(super) action: Option<&'static str>,
    /// `changes`.
    pub(super) changes: Map<String, Value>,
    /// The head before a push.
    pub(super) oldrev: Option<CommitSha>,
    /// `system_action` of an approval reset.
    pub(super) system_action: Option<&'static str>,
}

impl Happening {
    /// An event with an action and without changes.
    pub(super) fn new(action: &'static str) -> Self {
        Self { action: Some(action), ..Self::default() }
    }

    /// With one changed field.
    pub(super) fn changed(mut self, field: &str, previous: &Value, current: &Value) -> Self {
        self.changes.insert(field.to_owned(), json!({ "previous": previous, "current": current }));
        self
    }
}

impl World {
    /// `user` of a body.
    pub(super) fn user_payload(&self, id: UserId) -> Value {
        let Some(account) = self.users.get(&id) else { return Value::Null };
        json!({
            "id": id,
            "name": account.name,
            "username": account.username,
            "avatar_url": null,
            "email": account.public_email.as_deref().unwrap_or("[REDACTED]"),
        })
    }

    /// `reviewers` of a body, with how far they are where this version says it.
    pub(super) fn reviewers_payload(&self, merge_request: &MergeRequest) -> Value {
        let reviewer = |id: &UserId| {
            let mut user = self.user_payload(*id);
            if let (true, Some(fields)) = (self.release.sends_reviewer_states(), user.as_object_mut()) {
                fields.insert("state".to_owned(), json!(merge_request.reviewer_state(*id)));
                fields.insert("re_requested".to_owned(), json!(false));
            }
            user
        };
        merge_request.reviewers.iter().map(reviewer).collect()
    }

    /// `project` of a body, null when the project is gone.
    pub(super) fn project_payload(&self, id: Option<ProjectId>) -> Value {
        let Some(project) = id.and_then(|id| self.projects.get(&id)) else { return Value::Null };
        let (http, ssh) = (self.web_url(project), format!("git@gitlab.example.com:{}.git", project.path));
        json!({
            "id": project.id,
            "name": project.name(),
            "description": null,
            "web_url": http,
            "avatar_url": null,
            "git_ssh_url": ssh,
            "git_http_url": format!("{http}.git"),
            "namespace": project.namespace(),
            "visibility_level": project.visibility.words().1,
            "path_with_namespace": project.path,
            "default_branch": project.default_branch,
            "ci_config_path": null,
            "homepage": http,
            "url": ssh,
            "ssh_url": ssh,
            "http_url": format!("{http}.git"),
        })
    }

    /// A project's address for people.
    pub(super) fn web_url(&self, project: &Project) -> String {
        format!("{}/{}", self.url, project.path)
    }

    /// A merge request's address for people.
    pub(super) fn merge_request_url(&self, merge_request: &MergeRequest) -> String {
        let reference = merge_request.reference;
        let project = self.projects.get(&reference.project).map(|project| self.web_url(project));
        format!("{}/-/merge_requests/{}", project.unwrap_or_default(), reference.iid)
    }

    /// `repository` of a body.
    pub(super) fn repository_payload(&self, id: ProjectId) -> Value {
        let Some(project) = self.projects.get(&id) else { return Value::Null };
        json!({
            "name": project.name(),
            "url": format!("git@gitlab.example.com:{}.git", project.path),
            "description": null,
            "homepage": self.web_url(project),
        })
    }

    /// `labels` of a body.
    pub(super) fn labels_payload(merge_request: &MergeRequest) -> Value {
        let label = |title: &String| {
            json!({
                "id": Self::label_id(title),
                "title": title,
                "color": "#0075ca",
                "project_id": merge_request.reference.project,
                "created_at": hook_time(merge_request.created_at),
                "updated_at": hook_time(merge_request.created_at),
                "template": false,
                "description": null,
                "type": "ProjectLabel",
                "group_id": null,
            })
        };
        merge_request.labels.iter().map(label).collect()
    }

    /// The whole body of a merge request event, without `external_approval_rule`.
    pub(super) fn merge_request_payload(
        &self,
        merge_request: &MergeRequest,
        actor: UserId,
        happening: &Happening,
    ) -> Map<String, Value> {
        let project = merge_request.reference.project;
        let mut body = Map::new();
        body.insert("object_kind".to_owned(), json!("merge_request"));
        body.insert("event_type".to_owned(), json!("merge_request"));
        body.insert("user".to_owned(), self.user_payload(actor));
        body.insert("project".to_owned(), self.project_payload(Some(project)));
        body.insert("object_attributes".to_owned(), self.attributes(merge_request, happening).into());
        body.insert("labels".to_owned(), Self::labels_payload(merge_request));
        body.insert("changes".to_owned(), happening.changes.clone().into());
        body.insert("repository".to_owned(), self.repository_payload(project));
        let assignees: Vec<Value> =
            merge_request.assignees.iter().map(|user| self.user_payload(*user)).collect();
        if !assignees.is_empty() {
            body.insert("assignees".to_owned(), assignees.into());
        }
        if !merge_request.reviewers.is_empty() {
            body.insert("reviewers".to_owned(), self.reviewers_payload(merge_request));
        }
        body
    }

    fn attributes(&self, merge_request: &MergeRequest, happening: &Happening) -> Map<String, Value> {
        let mut attributes = self.subject_attributes(merge_request);
        attributes.extend(self.state_attributes(merge_request));
        if let Some(action) = happening.action {
            attributes.insert("action".to_owned(), json!(action));
        }
        if let Some(oldrev) = &happening.oldrev {
            attributes.insert("oldrev".to_owned(), json!(oldrev));
        }
        if self.release.announces_approval_resets() && happening.action.is_some() {
            attributes.insert("system".to_owned(), json!(happening.system_action.is_some()));
            if let Some(action) = happening.system_action {
                attributes.insert("system_action".to_owned(), json!(action));
            }
        }
        attributes
    }

    /// Which merge request it is, and what people wrote.
    pub(super) fn subject_attributes(&self, merge_request: &MergeRequest) -> Map<String, Value> {
        let project = merge_request.reference.project;
        let attributes = json!({
            "id": merge_request.id,
            "iid": merge_request.reference.iid,
            "title": merge_request.title,
            "description": merge_request.description,
            "draft": merge_request.draft(),
            "work_in_progress": merge_request.draft(),
            "source_branch": merge_request.source_branch,
            "source_project_id": merge_request.source_project,
            "target_branch": merge_request.target_branch,
            "target_project_id": project,
            "author_id": merge_request.author,
            "assignee_id": merge_request.assignees.first(),
            "assignee_ids": merge_request.assignees,
            "reviewer_ids": merge_request.reviewers,
            "labels": Self::labels_payload(merge_request),
            "milestone_id": merge_request.milestone.as_deref().map(Self::milestone_id),
            "url": self.merge_request_url(merge_request),
            "source": self.project_payload(merge_request.source_project),
            "target": self.project_payload(Some(project)),
            "created_at": hook_time(merge_request.created_at),
            "updated_at": hook_time(merge_request.updated_at),
        });
        into_map(attributes)
    }

    /// How it stands.
    fn state_attributes(&self, merge_request: &MergeRequest) -> Map<String, Value> {
        let (state, state_id) = merge_request.state.words();
        let last_commit = merge_request.newest_version().and_then(|version| version.commits.first());
        let attributes = json!({
            "state": state,
            "state_id": state_id,
            "head_pipeline_id": merge_request.pipelines.last().map(|pipeline| pipeline.id),
            "last_commit": last_commit.map(|commit| self.commit_payload(merge_request, commit)),
            "merge_status": if merge_request.preparing { "preparing" } else { "checking" },
            "detailed_merge_status": self.detailed_merge_status(merge_request),
            "merge_error": null,
            "merge_params": Self::merge_params(merge_request),
            "merge_when_pipeline_succeeds": false,
            "merge_user_id": null,
            "merge_commit_sha": merge_request.merge_commit,
            "blocking_discussions_resolved": merge_request.all_resolved(),
            "first_contribution": merge_request.first_contribution,
            "prepared_at": (!merge_request.preparing).then(|| hook_time(merge_request.created_at)),
            "last_edited_at": null,
            "last_edited_by_id": null,
            "updated_by_id": null,
            "time_change": 0,
            "time_estimate": 0,
            "total_time_spent": 0,
            "human_time_change": null,
            "human_time_estimate": null,
            "human_total_time_spent": null,
            "approval_rules": [],
        });
        into_map(attributes)
    }

    /// `last_commit` of a body.
    pub(super) fn commit_payload(&self, merge_request: &MergeRequest, commit: &Commit) -> Value {
        let project =
            self.projects.get(&merge_request.reference.project).map(|project| self.web_url(project));
        json!({
            "id": commit.sha,
            "message": commit.message,
            "title": commit.message.lines().next().unwrap_or_default(),
            "timestamp": commit_time(commit.at),
            "url": format!("{}/-/commit/{}", project.unwrap_or_default(), commit.sha),
            "author": { "name": commit.author_email, "email": "[REDACTED]" },
        })
    }

    /// `merge_params` of a body.
    pub(super) fn merge_params(merge_request: &MergeRequest) -> Value {
        json!({ "force_remove_source_branch": if merge_request.removes_source_branch { "1" } else { "0" } })
    }

    /// `detailed_merge_status`, from the first thing that stands in the way.
    pub(super) fn detailed_merge_status(&self, merge_request: &MergeRequest) -> String {
        let checks_pass = || {
            let Some(head) = merge_request.head() else { return false };
            self.applicable_checks(merge_request).iter().all(|check| {
                let key = (check.id, merge_request.reference, head.clone());
                self.rows.status(&key) == CheckStatus::Passed
            })
        };
        let project = self.projects.get(&merge_request.reference.project);
        let gated =
            self.release.has_status_checks() && project.is_some_and(|project| project.checks_must_pass);
        let status = match () {
            () if merge_request.preparing => "preparing",
            () if merge_request.state.words().0 != "opened" => "not_open",
            () if merge_request.draft() => "draft_status",
            () if merge_request.versions.is_empty() => "commits_status",
            () if merge_request.conflicts == Some(true) => "conflict",
            () if merge_request.conflicts.is_none() => "unchecked",
            () if merge_request.approvals_left() > 0 => "not_approved",
            () if gated && !checks_pass() => "status_checks_must_pass",
            () => "mergeable",
        };
        merge_request.said_merge_status.clone().unwrap_or_else(|| status.to_owned())
    }
}

/// The fields of a JSON object.
pub(super) fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
