//! `…/approvals`, `…/approve` and `…/unapprove`: who approves at the moment, on every tier, and our own approval.

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, MergeRequestRef, UserId};

use super::answer::Dated;
use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;
use super::users::BasicUser;

const ROUTE: &str = "GET /projects/:id/merge_requests/:iid/approvals";
const APPROVE: &str = "POST /projects/:id/merge_requests/:iid/approve";
const UNAPPROVE: &str = "POST /projects/:id/merge_requests/:iid/unapprove";

/// The approvals of a merge request. GitLab's own `approved` is not read: it is true when none are required.
#[derive(Debug, Clone, Deserialize)]
pub struct Approvals {
    /// Who approves.
    pub approved_by: Vec<ApprovedBy>,
}

impl Approvals {
    /// Whether a user's is among them.
    pub fn has(&self, user: UserId) -> bool {
        self.approved_by.iter().any(|approval| approval.user.id == user.get())
    }
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

    /// Approves a head as the token's user, and gives who approves since. GitLab answers 409 when the head is another
    /// one, and 401 to who approves already or may not.
    pub async fn approve(&self, merge_request: MergeRequestRef, sha: &CommitSha) -> Result<Approvals, Error> {
        #[derive(Serialize)]
        struct Head<'a> {
            sha: &'a str,
        }
        let path = merge_request_path(merge_request, "/approve");
        self.write_for(Method::POST, APPROVE, &path, &Head { sha: sha.as_str() }).await
    }

    /// Takes the approval of the token's user back, and gives who approves since. GitLab answers 404 when there is none.
    pub async fn unapprove(&self, merge_request: MergeRequestRef) -> Result<Approvals, Error> {
        #[derive(Serialize)]
        struct Nothing {}
        let path = merge_request_path(merge_request, "/unapprove");
        self.write_for(Method::POST, UNAPPROVE, &path, &Nothing {}).await
    }
}
