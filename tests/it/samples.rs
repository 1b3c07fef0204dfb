//! Bodies as GitLab sends them: a few of our own, written after its documentation, and every recorded one in the folder
//! that `COUNTERSIGN_TEST_PAYLOADS` names.

use std::path::Path;

use serde_json::{Value, json};

/// The environment variable that names a folder of recorded bodies.
const FOLDER: &str = "COUNTERSIGN_TEST_PAYLOADS";
const SHA: &str = "2f7670508b771e7e77839402be8b34b13787aba8";

/// A body and where it is from.
#[derive(Debug, Clone)]
pub struct Sample {
    pub name: String,
    pub bytes: Vec<u8>,
    pub body: Value,
}

/// The merge request that a body is about, as far as the body knows it.
#[derive(Debug, Clone)]
pub struct About {
    pub project: u64,
    pub path: String,
    pub id: Option<u64>,
    pub iid: u64,
    pub state: String,
    pub source_branch: Option<String>,
    pub target_branch: Option<String>,
    pub sha: Option<String>,
}

impl Sample {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        let body = serde_json::from_slice(&bytes).expect("a sample is JSON");
        Self { name: name.to_owned(), bytes, body }
    }

    fn own(name: &str, body: &Value) -> Self {
        Self::new(name, serde_json::to_vec(body).unwrap())
    }

    /// Whether it is a delivery to a status check.
    pub fn is_status_check(&self) -> bool {
        self.body["external_approval_rule"].is_object()
    }

    pub fn check(&self) -> Option<u64> {
        self.body["external_approval_rule"]["id"].as_u64()
    }

    /// `X-Gitlab-Event`, as GitLab would say it.
    pub fn event(&self) -> String {
        if self.body["event_name"].is_string() && self.body["object_kind"] != "push" {
            return "System Hook".to_owned();
        }
        let kind = self.body["object_kind"].as_str().unwrap_or("system");
        let words = kind.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
        format!("{} Hook", words.collect::<Vec<_>>().join(" "))
    }

    /// Whether it is an event of a merge request itself.
    pub fn is_merge_request_event(&self) -> bool {
        self.body["object_kind"] == "merge_request"
    }

    /// Whether anybody may be concerned: branches were pushed, people joined or left, or other policies may speak for it.
    pub fn may_concern_many(&self) -> bool {
        let name = self.body["event_name"].as_str().or(self.body["object_kind"].as_str()).unwrap_or_default();
        let is_membership =
            name.starts_with("user_") && (name.ends_with("_team") || name.ends_with("_group"));
        let is_move = matches!(name, "project_rename" | "project_transfer" | "group_rename");
        is_membership || is_move || matches!(name, "push" | "repository_update")
    }

    /// Which merge request it is about, read by other code than the product's.
    pub fn about(&self) -> Option<About> {
        let attributes =
            &self.body[if self.is_merge_request_event() { "object_attributes" } else { "merge_request" }];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let project = &self.body["project"];
        Some(About {
            project: attributes["target_project_id"].as_u64().or(project["id"].as_u64())?,
            path: text(&attributes["target"]["path_with_namespace"])
                .or(text(&project["path_with_namespace"]))?,
            id: attributes["id"].as_u64(),
            iid: attributes["iid"].as_u64()?,
            state: text(&attributes["state"]).unwrap_or_else(|| "opened".to_owned()),
            source_branch: text(&attributes["source_branch"]),
            target_branch: text(&attributes["target_branch"]),
            sha: text(&attributes["last_commit"]["id"]),
        })
    }
}

/// All samples: ours, then the recorded ones by name.
pub fn all() -> Vec<Sample> {
    let mut samples = own();
    if let Some(folder) = std::env::var_os(FOLDER) {
        samples.extend(recorded(Path::new(&folder)));
    }
    samples
}

/// Every event body of the folder. What REST answers, and the list of headers, are no events.
fn recorded(folder: &Path) -> Vec<Sample> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{FOLDER}={}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap().to_str().unwrap().to_owned();
    files.retain(|file| {
        let name = name(file);
        name != "headers" && !name.starts_with("rest_errors__") && !name.contains("_rest__")
    });
    assert!(!files.is_empty(), "{FOLDER}={} holds no bodies", folder.display());
    files.iter().map(|file| Sample::new(&name(file), std::fs::read(file).unwrap())).collect()
}

/// Ours, one of each kind that matters.
pub fn own() -> Vec<Sample> {
    let rule = json!({ "id": 17, "name": "gate", "external_url": "https://gate.example.com/hook?key=1" });
    let check = |action| {
        let mut body = merge_request("opened", action);
        body["external_approval_rule"] = rule.clone();
        body
    };
    let mut push = merge_request("opened", Some("update"));
    push["object_attributes"]["oldrev"] = json!("36b5813240a9d2daa29b05046d56a53e18f39a3e");
    let mut system = merge_request("opened", Some("open"));
    system["event_name"] = json!("merge_request");
    let bodies = [
        ("own check open", check(Some("open"))),
        ("own check retry", check(None)),
        ("own open", merge_request("opened", Some("open"))),
        ("own push", push),
        ("own approved", merge_request("opened", Some("approved"))),
        ("own close", merge_request("closed", Some("close"))),
        ("own merge", merge_request("merged", Some("merge"))),
        ("own system hook", system),
        ("own note", companion("note", &json!({ "id": 1244, "noteable_type": "MergeRequest" }))),
        ("own pipeline", companion("pipeline", &json!({ "id": 31, "iid": 3, "status": "success" }))),
        ("own emoji", companion("emoji", &json!({ "id": 1, "action": "revoke", "name": "thumbsup" }))),
        ("own push of a branch", json!({ "object_kind": "push", "event_name": "push", "project_id": 1006 })),
        ("own member", json!({ "event_name": "user_add_to_team", "project_id": 1006, "user_id": 41 })),
        (
            "own member of a group",
            json!({ "event_name": "user_remove_from_group", "group_id": 78, "user_id": 41 }),
        ),
        ("own project", json!({ "event_name": "project_create", "path_with_namespace": "bank/pay" })),
    ];
    bodies.iter().map(|(name, body)| Sample::own(name, body)).collect()
}

/// A merge request event.
pub fn merge_request(state: &str, action: Option<&str>) -> Value {
    let project = json!({
        "id": 1006, "name": "pay", "path_with_namespace": "bank/pay", "default_branch": "main",
        "web_url": "https://gitlab.example.com/bank/pay",
    });
    let mut body = json!({
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": { "id": 9, "name": "Ana", "username": "ana", "email": "[REDACTED]" },
        "project": project,
        "object_attributes": {
            "id": 405, "iid": 3, "title": "feat: pay", "state": state, "source_branch": "card",
            "target_branch": "main", "source_project_id": 1006, "target_project_id": 1006,
            "source": project, "target": project, "labels": [], "updated_at": "2026-01-05 21:48:25 UTC",
            "last_commit": { "id": SHA, "message": "Pay by card", "timestamp": "2026-01-05T21:48:25+00:00" },
        },
        "labels": [],
        "changes": {},
    });
    if let Some(action) = action {
        body["object_attributes"]["action"] = json!(action);
    }
    body
}

/// An event about something that belongs to a merge request.
fn companion(kind: &str, attributes: &Value) -> Value {
    let mut body = merge_request("opened", None);
    body["merge_request"] = body["object_attributes"].take();
    body["object_kind"] = json!(kind);
    body["event_type"] = json!(kind);
    body["object_attributes"] = attributes.clone();
    body
}
