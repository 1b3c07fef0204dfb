//! From an event to envelopes: which checks and hooks hear of it, and with which headers.
//!
//! A status-check delivery carries nothing but its content type and, with a secret, a signature; a hook carries
//! the whole set of its version (contract sections 3.1 and 4.1). The two must never borrow from each other.

use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::{Map, Value, json};

use super::digest;
use super::envelope::{Envelope, Recipient};
use super::error::SimulatorError;
use super::hooks::{Hook, HookEvent, HookPlace};
use super::merge_requests::{MergeRequest, PipelineRun};
use super::namespaces::Place;
use super::payload::Happening;
use super::status_checks::StatusCheck;
use super::world::World;
use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, StatusCheckId, UserId};

/// How long GitLab waits for a hook.
const HOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long GitLab waits for a status check.
const STATUS_CHECK_TIMEOUT: Duration = Duration::from_secs(20);
/// How often GitLab sends a status check again after a transport failure.
const STATUS_CHECK_RETRIES: u32 = 3;

impl World {
    /// Tells every applicable check and every hook what happened to a merge request.
    pub(super) fn announce(
        &mut self,
        which: MergeRequestRef,
        actor: UserId,
        happening: &Happening,
    ) -> Result<(), SimulatorError> {
        let merge_request = self.merge_request(which)?;
        let body = self.merge_request_payload(merge_request, actor, happening);
        let checks: Vec<StatusCheck> = if self.release.edition == super::release::Edition::Ultimate {
            self.applicable_checks(merge_request).into_iter().cloned().collect()
        } else {
            Vec::new()
        };
        for check in &checks {
            let envelope = self.status_check_envelope(check, happening, body.clone());
            self.outbox.push(envelope);
        }
        self.tell_hooks(which.project, HookEvent::MergeRequest, happening.action, &body.into())
    }

    /// Sends a merge request to one check again: no `action`, no changes.
    pub(super) fn announce_retry(
        &mut self,
        which: MergeRequestRef,
        check: StatusCheckId,
        actor: UserId,
    ) -> Result<(), SimulatorError> {
        let happening = Happening::default();
        let check = self.check(which.project, check)?.clone();
        let body = self.merge_request_payload(self.merge_request(which)?, actor, &happening);
        let envelope = self.status_check_envelope(&check, &happening, body);
        self.outbox.push(envelope);
        Ok(())
    }

    fn status_check_envelope(
        &self,
        check: &StatusCheck,
        happening: &Happening,
        mut body: Map<String, Value>,
    ) -> Envelope {
        let rule = json!({ "id": check.id, "name": check.name, "external_url": check.external_url });
        body.insert("external_approval_rule".to_owned(), rule);
        let body = Bytes::from(Value::from(body).to_string());
        let signs = self.release.signs_status_checks();
        let content_type = if signs { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut headers = vec![("Content-Type", content_type.to_owned()), ("User-Agent", "Ruby".to_owned())];
        let secret = check.shared_secret.as_deref().filter(|_| signs);
        if let Some(signature) = secret.and_then(|secret| digest::status_check_signature(secret, &body)) {
            headers.push(("X-Gitlab-Signature", signature));
        }
        Envelope {
            recipient: Recipient::StatusCheck(check.id),
            event: "status check",
            action: happening.action.map(str::to_owned),
            url: check.external_url.clone(),
            headers,
            body,
            standard_webhook: None,
            timeout: STATUS_CHECK_TIMEOUT,
            retries: STATUS_CHECK_RETRIES,
        }
    }

    /// Tells the hooks of a project, of the groups above it, and of the instance.
    pub(super) fn tell_hooks(
        &mut self,
        project: ProjectId,
        event: HookEvent,
        action: Option<&str>,
        body: &Value,
    ) -> Result<(), SimulatorError> {
        let project = self.project(project)?;
        let (id, path) = (Some(project.id), project.path.clone());
        self.send(event, action, body, |place| match place {
            Place::Project(hooked) => Some(*hooked) == id,
            Place::Group(group) => World::ancestors(&path).contains(&group.as_str()),
        });
        Ok(())
    }

    /// Tells the hooks of the instance alone.
    pub(super) fn tell_system_hooks(&mut self, event: HookEvent, body: &Value) {
        self.send(event, None, body, |_| false);
    }

    /// Tells the hooks of a group, of those above it, and of the instance.
    pub(super) fn tell_group_hooks(&mut self, group: &str, event: HookEvent, body: &Value) {
        self.send(event, None, body, |place| match place {
            Place::Project(_) => false,
            Place::Group(hooked) => hooked == group || World::ancestors(group).contains(&hooked.as_str()),
        });
    }

    fn send(
        &mut self,
        event: HookEvent,
        action: Option<&str>,
        body: &Value,
        is_near: impl Fn(&Place) -> bool,
    ) {
        let hears = |hook: &&Hook| {
            let wants = hook.events.contains(&event);
            let near = match &hook.place {
                HookPlace::System => event.reaches_system_hooks() && (wants || event.comes_unasked()),
                HookPlace::Below(place) => wants && is_near(place),
            };
            near && self.disabled(hook).is_none()
        };
        let hooks: Vec<Hook> = self.hooks.iter().filter(hears).cloned().collect();
        if hooks.is_empty() {
            return;
        }
        let (bytes, event_uuid) = (Bytes::from(body.to_string()), self.uuid());
        for hook in hooks {
            let envelope = self.hook_envelope(&hook, event, action, &bytes, &event_uuid);
            self.outbox.push(envelope);
        }
    }

    fn hook_envelope(
        &mut self,
        hook: &Hook,
        event: HookEvent,
        action: Option<&str>,
        body: &Bytes,
        event_uuid: &str,
    ) -> Envelope {
        let name = if hook.place == HookPlace::System { "System Hook" } else { event.header() };
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", format!("GitLab/{}", self.release.text)),
            ("X-Gitlab-Event", name.to_owned()),
        ];
        if self.release.has_event_uuid() {
            headers.push(("X-Gitlab-Event-UUID", event_uuid.to_owned()));
        }
        if self.release.names_the_instance() {
            headers.push(("X-Gitlab-Instance", self.url.clone()));
        }
        if self.release.has_webhook_uuid() {
            let uuid = self.uuid();
            headers.push(("X-Gitlab-Webhook-UUID", uuid));
        }
        headers.extend(hook.token.clone().map(|token| ("X-Gitlab-Token", token)));
        let key = self.uuid();
        let standard = self.release.has_standard_webhooks();
        let standard_webhook = standard.then(|| (key.clone(), hook.signing_token.clone()));
        if self.release.has_idempotency_key() {
            headers.push(("Idempotency-Key", key));
        }
        Envelope {
            recipient: Recipient::Hook(hook.id),
            event: name,
            action: action.map(str::to_owned),
            url: hook.url.clone(),
            headers,
            body: body.clone(),
            standard_webhook,
            timeout: HOOK_TIMEOUT,
            retries: 0,
        }
    }

    /// Tells the hooks of a pipeline, where it ran. GitLab: one of a merge request says which, and its ref is the source branch;
    /// one of a branch says no more than its commit.
    pub(super) fn announce_pipeline(
        &mut self,
        which: MergeRequestRef,
        actor: UserId,
        pipeline: &PipelineRun,
    ) -> Result<(), SimulatorError> {
        let merge_request = self.merge_request(which)?;
        let newest = merge_request.newest_version().and_then(|version| version.commits.first());
        let of_merge_request = pipeline.source == "merge_request_event";
        let reference = if of_merge_request { &merge_request.source_branch } else { &pipeline.reference };
        let named = of_merge_request.then(|| self.subject_attributes(merge_request));
        let body = json!({
            "object_kind": "pipeline",
            "object_attributes": {
                "id": pipeline.id,
                "iid": pipeline.id,
                "ref": reference,
                "tag": false,
                "sha": pipeline.sha,
                "before_sha": "0".repeat(40),
                "source": pipeline.source,
                "status": self.pipeline_status(pipeline),
                "detailed_status": self.pipeline_status(pipeline),
                "created_at": super::clock::hook_time(pipeline.created_at),
            },
            "merge_request": named,
            "user": self.user_payload(actor),
            "project": self.project_payload(Some(pipeline.project)),
            "commit": newest.map(|commit| self.commit_payload(merge_request, commit)),
            "builds": [],
        });
        self.tell_hooks(pipeline.project, HookEvent::Pipeline, None, &body)
    }

    /// Tells the hooks of a new note, the last one of its discussion.
    pub(super) fn announce_note(
        &mut self,
        which: MergeRequestRef,
        discussion: &str,
        actor: UserId,
    ) -> Result<(), SimulatorError> {
        let threads = &self.merge_request(which)?.discussions;
        let thread = threads.iter().find(|thread| thread.id == discussion);
        let note = thread.and_then(|thread| thread.notes.last()).map(|note| note.id);
        let note = note.ok_or_else(|| SimulatorError::NoDiscussion(discussion.to_owned()))?;
        self.tell_of_note(which, note, actor, "create")
    }

    /// Tells the hooks of a note.
    pub(super) fn tell_of_note(
        &mut self,
        which: MergeRequestRef,
        note: u64,
        actor: UserId,
        action: &str,
    ) -> Result<(), SimulatorError> {
        let merge_request = self.merge_request(which)?;
        let mut notes = merge_request
            .discussions
            .iter()
            .flat_map(|thread| thread.notes.iter().map(move |note| (thread, note)));
        let found = notes.find(|(_, found)| found.id == note);
        let Some((thread, note)) = found else {
            return Err(SimulatorError::Refused(format!("there is no note {note}")));
        };
        let event = if note.internal { HookEvent::ConfidentialNote } else { HookEvent::Note };
        let body = json!({
            "object_kind": "note",
            "event_type": "note",
            "user": self.user_payload(actor),
            "project_id": which.project,
            "project": self.project_payload(Some(which.project)),
            "object_attributes": {
                "id": note.id,
                "note": note.body,
                "noteable_type": "MergeRequest",
                "noteable_id": merge_request.id,
                "author_id": note.author,
                "project_id": which.project,
                "system": note.system,
                "discussion_id": thread.id,
                "created_at": super::clock::hook_time(note.created_at),
                "updated_at": super::clock::hook_time(note.updated_at),
                "url": format!("{}#note_{}", self.merge_request_url(merge_request), note.id),
                "action": action,
            },
            "repository": self.repository_payload(which.project),
            "merge_request": self.subject_attributes(merge_request),
        });
        self.tell_hooks(which.project, event, Some(action), &body)
    }

    /// Tells the hooks of the source project of a push.
    pub(super) fn announce_push(
        &mut self,
        merge_request: &MergeRequest,
        actor: UserId,
        before: Option<&CommitSha>,
    ) -> Result<(), SimulatorError> {
        let (Some(project), Some(version)) = (merge_request.source_project, merge_request.versions.last())
        else {
            return Ok(());
        };
        let user = self.user(actor)?;
        let commits: Vec<Value> =
            version.commits.iter().map(|commit| self.commit_payload(merge_request, commit)).collect();
        let body = json!({
            "object_kind": "push",
            "event_name": "push",
            "before": before.map_or_else(|| "0".repeat(40), ToString::to_string),
            "after": version.head,
            "checkout_sha": version.head,
            "ref": format!("refs/heads/{}", merge_request.source_branch),
            "user_id": actor,
            "user_name": user.name,
            "user_username": user.username,
            "user_email": null,
            "project_id": project,
            "project": self.project_payload(Some(project)),
            "repository": self.repository_payload(project),
            "total_commits_count": commits.len(),
            "commits": commits,
        });
        self.tell_hooks(project, HookEvent::Push, None, &body)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::runtime::Handle;

    use super::super::post_office::PostOffice;
    use super::super::release::{Edition, Release};
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn gitlab_waits_ten_seconds_for_a_hook_and_twenty_for_a_status_check() {
        let (clock, release) = (Clock::default(), Release::new("18.3.0-ee", Edition::Ultimate));
        let client = reqwest::Client::new();
        let office = PostOffice::new(client, clock.clone(), 1, Duration::ZERO, Handle::current());
        let mut world = World::new(String::new(), clock, release, 1, Arc::new(office));
        let hook = Hook {
            id: 1,
            place: HookPlace::System,
            url: String::new(),
            token: None,
            signing_token: None,
            events: [HookEvent::MergeRequest].into(),
            verifies: true,
            template: None,
            disabled: None,
        };
        let sent = world.hook_envelope(&hook, HookEvent::MergeRequest, None, &Bytes::new(), "");
        assert_eq!((sent.timeout, sent.retries), (Duration::from_secs(10), 0));
        let check = StatusCheck {
            id: StatusCheckId::new(1),
            project: ProjectId::new(1),
            name: String::new(),
            external_url: String::new(),
            shared_secret: None,
            protected_branches: Vec::new(),
        };
        let sent = world.status_check_envelope(&check, &Happening::default(), Map::new());
        assert_eq!((sent.timeout, sent.retries), (Duration::from_secs(20), 3));
    }
}
