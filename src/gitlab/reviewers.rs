//! `GET …/reviewers`: who was asked to review, and how far that is (15.3 and later).

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/reviewers";

/// A reviewer.
#[derive(Debug, Clone, Deserialize)]
pub struct Reviewer {
    /// Who.
    pub user: BasicUser,
    /// GitLab's word: `unreviewed`, `requested_changes`, …
    pub state: String,
}

impl Client {
    /// Reads the reviewers with their states.
    pub async fn reviewers(&self, merge_request: MergeRequestRef) -> Result<Vec<Reviewer>, Error> {
        self.read_list(ROUTE, &merge_request_path(merge_request, "/reviewers"), &[]).await
    }
}
