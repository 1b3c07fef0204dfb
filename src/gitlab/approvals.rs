//! `GET …/approvals`: who approves at the moment, on every tier.

use jiff::Timestamp;
use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::{Client, Dated};
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/approvals";

/// The approvals of a merge request. GitLab's own `approved` is not read: it is true when none are required.
#[derive(Debug, Clone, Deserialize)]
pub struct Approvals {
    /// Who approves.
    pub approved_by: Vec<ApprovedBy>,
}

/// One approval.
#[derive(Debug, Clone, Deserialize)]
pub struct ApprovedBy {
    /// Whose.
    pub user: BasicUser,
    /// When it was given (newer versions only).
    pub approved_at: Option<Timestamp>,
}

impl Client {
    /// Reads the approvals, and when they were read on GitLab's clock.
    pub async fn approvals(&self, merge_request: MergeRequestRef) -> Result<Dated<Approvals>, Error> {
        self.read_dated(ROUTE, &merge_request_path(merge_request, "/approvals")).await
    }
}
