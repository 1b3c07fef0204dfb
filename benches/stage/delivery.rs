//! Deliveries as GitLab sends them to a status check: written after its documentation, padded to 5,500 bytes, no two the
//! same.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::load::Requests;
use super::product::SECRET;

/// Where the product takes deliveries; floors and peers do so too.
pub const PATH: &str = "/webhooks/gitlab";
/// How long a body is. GitLab's are 5 to 6.5 KB before somebody writes a long description.
pub const LENGTH: usize = 5500;
/// Every so many-th delivery tells of a push.
const PUSHES: usize = 4;

const IID: &str = "@iid@";
const HEAD: &str = "@head@";
const NUMBER: &str = "@number@";
const PADDING: &str = "@padding@";
const WORDS: &str = "all work and no play ";

/// Writes deliveries about the merge requests of one project.
pub struct Writer {
    update: String,
    push: String,
    first_iid: usize,
    merge_requests: usize,
}

impl Writer {
    /// About so many merge requests of a project, the first of which has this number.
    pub fn new(project: u64, check: u64, first_iid: usize, merge_requests: usize) -> Self {
        let update = body(project, check);
        let mut push = update.clone();
        push["object_attributes"]["oldrev"] = json!("36b5813240a9d2daa29b05046d56a53e18f39a3e");
        // A number is a number, and has no quotes.
        let text =
            |body: Value| body.to_string().replace(&format!("\"iid\":\"{IID}\""), &format!("\"iid\":{IID}"));
        Self { update: text(update), push: text(push), first_iid, merge_requests }
    }

    /// None of them tells of a push.
    pub fn without_pushes(mut self) -> Self {
        self.push.clone_from(&self.update);
        self
    }

    /// Delivery `number`: about merge requests in turn, with a head and a title of its own.
    pub fn body(&self, number: usize) -> Vec<u8> {
        // The turn shifts, so that pushes come to every merge request.
        let turn = number + number / self.merge_requests;
        let template = if turn.is_multiple_of(PUSHES) { &self.push } else { &self.update };
        let iid = self.first_iid + number % self.merge_requests;
        let text = template
            .replace(IID, &iid.to_string())
            .replace(HEAD, &format!("{number:040x}"))
            .replace(NUMBER, &number.to_string());
        let room = (LENGTH + PADDING.len()).checked_sub(text.len()).expect("there is room for a description");
        let words: String = WORDS.chars().cycle().take(room).collect();
        text.replacen(PADDING, &words, 1).into_bytes()
    }

    /// Deliveries by their numbers, signed and ready to be sent.
    pub fn requests(&self, numbers: impl Iterator<Item = usize>) -> Requests {
        let mut requests = Requests::default();
        for number in numbers {
            let body = self.body(number);
            requests.push(PATH, &signature(&body), &body);
        }
        requests
    }
}

/// `X-Gitlab-Signature`: HMAC-SHA256 over the body, in hex.
pub fn signature(body: &[u8]) -> String {
    let hmac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length is one");
    hex::encode(hmac.chain_update(body).finalize().into_bytes())
}

fn body(project: u64, check: u64) -> Value {
    let web = "https://gitlab.example.com/shop/pay";
    let person = json!({
        "id": 9, "name": "Ana Example", "username": "ana", "email": "[REDACTED]",
        "avatar_url": "https://gitlab.example.com/uploads/-/system/user/avatar/9/avatar.png",
    });
    let label = json!({
        "id": 4186, "title": "type::feature", "color": "#0075ca", "project_id": project,
        "created_at": "2026-01-02 00:40:00 UTC", "updated_at": "2026-01-02 00:40:00 UTC", "template": false,
        "description": null, "type": "ProjectLabel", "group_id": null,
    });
    let repository = json!({
        "id": project, "name": "pay", "description": null, "web_url": web, "avatar_url": null,
        "git_ssh_url": "git@gitlab.example.com:shop/pay.git", "git_http_url": format!("{web}.git"),
        "namespace": "shop", "visibility_level": 0, "path_with_namespace": "shop/pay", "default_branch": "main",
        "ci_config_path": "", "homepage": web, "url": "git@gitlab.example.com:shop/pay.git",
        "ssh_url": "git@gitlab.example.com:shop/pay.git", "http_url": format!("{web}.git"),
    });
    let mut attributes = json!({
        "id": 405_095, "iid": IID, "title": format!("feat: change {NUMBER}"), "description": PADDING,
        "state": "opened", "state_id": 1, "action": "update", "draft": false, "work_in_progress": false,
        "source_branch": format!("change-{IID}"), "target_branch": "main", "source_project_id": project,
        "target_project_id": project, "author_id": 9, "assignee_id": 9, "assignee_ids": [9], "reviewer_ids": [],
        "labels": [label], "url": format!("{web}/-/merge_requests/{IID}"), "created_at": "2026-01-05 21:48:25 UTC",
        "updated_at": "2026-01-05 21:48:27 UTC", "prepared_at": "2026-01-05 21:48:27 UTC",
        "merge_status": "checking", "detailed_merge_status": "checking", "approval_rules": [],
        "merge_params": { "force_remove_source_branch": "1" }, "blocking_discussions_resolved": true,
    });
    for nothing in ["merge_when_pipeline_succeeds", "first_contribution"] {
        attributes[nothing] = json!(false);
    }
    for nothing in ["time_change", "time_estimate", "total_time_spent"] {
        attributes[nothing] = json!(0);
        attributes[format!("human_{nothing}")] = Value::Null;
    }
    for nothing in
        ["milestone_id", "last_edited_at", "last_edited_by_id", "updated_by_id", "head_pipeline_id"]
    {
        attributes[nothing] = Value::Null;
    }
    for nothing in ["merge_error", "merge_commit_sha", "merge_user_id"] {
        attributes[nothing] = Value::Null;
    }
    attributes["source"] = repository.clone();
    attributes["target"] = repository.clone();
    attributes["last_commit"] = json!({
        "id": HEAD, "message": format!("Change {NUMBER}"), "title": format!("Change {NUMBER}"),
        "timestamp": "2026-01-05T21:45:58+00:00", "url": format!("{web}/-/commit/{HEAD}"),
        "author": { "name": "Ana Example", "email": "[REDACTED]" },
    });
    let mut body = json!({
        "object_kind": "merge_request", "event_type": "merge_request", "user": person, "project": repository,
        "object_attributes": attributes, "labels": [label], "assignees": [person],
        "changes": { "updated_at": { "previous": "2026-01-05 21:48:25 UTC", "current": "2026-01-05 21:48:27 UTC" } },
        "repository": { "name": "pay", "url": "git@gitlab.example.com:shop/pay.git", "homepage": web },
    });
    body["external_approval_rule"] = json!({ "id": check, "name": "countersign", "external_url": format!("https://gate.example.com{PATH}") });
    body
}
