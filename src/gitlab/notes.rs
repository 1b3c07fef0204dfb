//! `GET …/notes`: comments, and what GitLab notes by itself.

use jiff::Timestamp;
use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/notes";

/// A note of a merge request.
#[derive(Debug, Clone, Deserialize)]
pub struct MergeRequestNote {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// Who wrote it, or whose action GitLab noted.
    pub author: BasicUser,
    /// The text.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last touched.
    pub updated_at: Timestamp,
    /// Whether GitLab wrote it: nobody else can write such a one.
    pub system: bool,
}

impl Client {
    /// Reads all notes, oldest first: what is written meanwhile comes at the end.
    pub async fn notes(&self, merge_request: MergeRequestRef) -> Result<Vec<MergeRequestNote>, Error> {
        let query = [("sort", "asc"), ("order_by", "created_at")];
        self.read_list(ROUTE, &merge_request_path(merge_request, "/notes"), &query).await
    }
}
