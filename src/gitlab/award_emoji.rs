//! `GET …/award_emoji`: emoji on the merge request itself.

use jiff::Timestamp;
use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/award_emoji";

/// An emoji.
#[derive(Debug, Clone, Deserialize)]
pub struct AwardEmoji {
    /// Its name without colons; aliases are GitLab's to resolve (`+1` is `thumbsup`).
    pub name: String,
    /// Whose.
    pub user: BasicUser,
    /// Since when.
    pub created_at: Timestamp,
}

impl Client {
    /// Reads all emoji of a merge request, those on its notes left out.
    pub async fn award_emoji(&self, merge_request: MergeRequestRef) -> Result<Vec<AwardEmoji>, Error> {
        self.read_list(ROUTE, &merge_request_path(merge_request, "/award_emoji"), &[]).await
    }
}
