//! `GET …/resource_label_events`: who added and removed which label.

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/resource_label_events";

/// A label was added or removed.
#[derive(Debug, Clone, Deserialize)]
pub struct LabelEvent {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// Who did it; null when the account was deleted, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub user: Option<BasicUser>,
    /// Which label; null when it was deleted, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub label: Option<Label>,
    /// `add` or `remove`.
    pub action: String,
}

/// A label as its event names it.
#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    /// Its title at this moment.
    pub name: String,
}

impl Client {
    /// Reads all label events.
    pub async fn label_events(&self, merge_request: MergeRequestRef) -> Result<Vec<LabelEvent>, Error> {
        self.read_list(ROUTE, &merge_request_path(merge_request, "/resource_label_events"), &[]).await
    }
}
