//! External status checks: the list that GitLab shows, and our answer (contract sections 1 and 2).

use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, MergeRequestRef, StatusCheckId};

use super::budget::Purpose;
use super::client::Client;
use super::error::Error;
use super::merge_requests::merge_request_path;

const LIST: &str = "GET /projects/:id/merge_requests/:iid/status_checks";
const RESPOND: &str = "POST /projects/:id/merge_requests/:iid/status_check_responses";

/// A word of GitLab's for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Good (`approved` before 15.0).
    #[serde(alias = "approved")]
    Passed,
    /// Bad.
    Failed,
    /// Not yet.
    Pending,
}

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Pending => "pending",
        }
    }
}

/// A check that applies to a merge request's target branch.
#[derive(Debug, Clone, Deserialize)]
pub struct StatusCheck {
    /// GitLab's id.
    pub id: u64,
    /// Its name in GitLab.
    pub name: String,
    /// Its URL without the query; empty when the token's role is below Developer.
    pub external_url: String,
    /// What shows for the present head.
    pub status: Status,
}

#[derive(Serialize)]
struct Response<'a> {
    external_status_check_id: u64,
    sha: &'a str,
    status: Status,
}

impl Client {
    /// Reads the checks that apply to a merge request, with what shows for its present head.
    pub async fn status_checks(&self, merge_request: MergeRequestRef) -> Result<Vec<StatusCheck>, Error> {
        self.read_list(LIST, &merge_request_path(merge_request, "/status_checks"), &[]).await
    }

    /// Answers a check for a SHA. The reply says neither status nor SHA; 201 means that it counts.
    pub async fn respond(
        &self,
        merge_request: MergeRequestRef,
        check: StatusCheckId,
        sha: &CommitSha,
        status: Status,
    ) -> Result<(), Error> {
        let response = Response { external_status_check_id: check.get(), sha: sha.as_str(), status };
        let purpose = if status == Status::Passed { Purpose::Write } else { Purpose::Withdrawal };
        self.write(purpose, RESPOND, &merge_request_path(merge_request, "/status_check_responses"), &response)
            .await
    }
}
