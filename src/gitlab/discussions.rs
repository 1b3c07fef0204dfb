//! `GET …/discussions`: threads and whether they are resolved.

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/discussions";

/// A discussion: one note, or a thread of them.
#[derive(Debug, Clone, Deserialize)]
pub struct Discussion {
    /// GitLab's id.
    pub id: String,
    /// Its notes, oldest first.
    pub notes: Vec<Note>,
}

/// A note.
#[derive(Debug, Clone, Deserialize)]
pub struct Note {
    /// Who wrote it.
    pub author: BasicUser,
    /// Whether it can be resolved.
    pub resolvable: bool,
    /// Whether it is resolved; GitLab leaves it out where it can't be.
    pub resolved: Option<bool>,
}

impl Client {
    /// Reads all discussions.
    pub async fn discussions(&self, merge_request: MergeRequestRef) -> Result<Vec<Discussion>, Error> {
        self.read_list(ROUTE, &merge_request_path(merge_request, "/discussions"), &[]).await
    }
}
