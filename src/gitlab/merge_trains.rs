//! `GET /projects/:id/merge_trains/merge_requests/:iid`: whether a merge request is on a merge train.

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;

const ROUTE: &str = "GET /projects/:id/merge_trains/merge_requests/:iid";

/// The statuses of what is on its way. What was merged keeps its entry as `merged` or `skip_merged`, and a word that
/// GitLab may add later is no proof of anything.
const UNDER_WAY: [&str; 4] = ["idle", "stale", "fresh", "merging"];

/// A merge request's entry on a train. GitLab's documentation lists no statuses; these are its state machine's.
#[derive(Debug, Deserialize)]
struct Entry {
    status: String,
}

impl Client {
    /// Whether the merge request is on a merge train at this moment (Premium, GitLab 15.6 and later).
    ///
    /// 404 is a no: it is on none, or this GitLab is too old to say, and then it is treated like one that is not.
    pub async fn is_on_merge_train(&self, merge_request: MergeRequestRef) -> Result<bool, Error> {
        let MergeRequestRef { project, iid } = merge_request;
        let path = format!("projects/{project}/merge_trains/merge_requests/{iid}");
        match self.read_at_once::<Entry>(ROUTE, &path).await {
            Ok(entry) => Ok(UNDER_WAY.contains(&entry.status.as_str())),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
