//! `GET …/reviewers`: who was asked to review, and how far they are.

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/reviewers";

/// Somebody who was asked to review.
#[derive(Debug, Clone, Deserialize)]
pub struct Reviewer {
    /// Who.
    pub user: BasicUser,
    /// `unreviewed`, `review_started`, `reviewed`, `requested_changes`, `approved`, `unapproved`.
    pub state: String,
}

impl Client {
    /// Reads all reviewers.
    pub async fn reviewers(&self, merge_request: MergeRequestRef) -> Result<Vec<Reviewer>, Error> {
        self.read_list(ROUTE, &merge_request_path(merge_request, "/reviewers"), &[]).await
    }
}
