//! `…/notes`: what was written into a merge request, one by one, and what we write ourselves.

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/notes";
const CREATE: &str = "POST /projects/:id/merge_requests/:iid/notes";
const CHANGE: &str = "PUT /projects/:id/merge_requests/:iid/notes/:note_id";
const DELETE: &str = "DELETE /projects/:id/merge_requests/:iid/notes/:note_id";

/// A note, in a list without threads.
#[derive(Debug, Clone, Deserialize)]
pub struct ListedNote {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// `DiscussionNote` in a thread, `DiffNote` on a line; null for a comment on the whole, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub r#type: Option<String>,
    /// The text.
    pub body: String,
    /// Who wrote it.
    pub author: BasicUser,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last touched.
    pub updated_at: Timestamp,
    /// Whether GitLab wrote it.
    pub system: bool,
    /// Whether only members see it (15.2 and later).
    pub internal: Option<bool>,
    /// The older word for `internal`.
    pub confidential: Option<bool>,
}

impl ListedNote {
    /// Whether only members see it; none where neither word is there.
    pub fn is_internal(&self) -> Option<bool> {
        self.internal.or(self.confidential)
    }
}

/// A note that was just written.
#[derive(Debug, Deserialize)]
struct Written {
    id: u64,
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
}

impl Client {
    /// Reads all notes, the oldest first.
    ///
    /// GitLab takes notes that the token may not see out of a page after it was cut, so a page that is not full says
    /// nothing about whether there is another one.
    pub async fn notes(&self, merge_request: MergeRequestRef) -> Result<Vec<ListedNote>, Error> {
        let query = [("sort", "asc"), ("order_by", "created_at")];
        self.read_sparse_list(ROUTE, &merge_request_path(merge_request, "/notes"), &query).await
    }

    /// Writes a note, and gives its id.
    pub async fn create_note(&self, merge_request: MergeRequestRef, body: &str) -> Result<u64, Error> {
        let path = merge_request_path(merge_request, "/notes");
        let written: Written = self.write_for(Method::POST, CREATE, &path, &Text { body }).await?;
        Ok(written.id)
    }

    /// Gives a note another text.
    pub async fn change_note(
        &self,
        merge_request: MergeRequestRef,
        note: u64,
        body: &str,
    ) -> Result<(), Error> {
        let path = merge_request_path(merge_request, &format!("/notes/{note}"));
        let _written: Written = self.write_for(Method::PUT, CHANGE, &path, &Text { body }).await?;
        Ok(())
    }

    /// Deletes a note.
    pub async fn delete_note(&self, merge_request: MergeRequestRef, note: u64) -> Result<(), Error> {
        self.delete(DELETE, &merge_request_path(merge_request, &format!("/notes/{note}"))).await
    }
}
