//! `GET …/blocks` and other merge requests by path: what has to be merged first.

use serde::Deserialize;

use crate::merge_request::MergeRequestRef;

use super::client::Client;
use super::error::Error;
use super::members::encode;
use super::merge_requests::{References, merge_request_path};

const BLOCKS: &str = "GET /projects/:id/merge_requests/:iid/blocks";
const ONE: &str = "GET /projects/:id/merge_requests/:iid";

/// One merge request that another one waits for.
#[derive(Debug, Clone, Deserialize)]
pub struct Block {
    /// The one that has to be merged first; GitLab leaves it out where the token can't see it.
    pub blocking_merge_request: Option<Blocking>,
}

/// The merge request that blocks.
#[derive(Debug, Clone, Deserialize)]
pub struct Blocking {
    /// How people refer to it.
    pub references: References,
    /// `opened`, `closed`, `merged` or `locked`.
    pub state: String,
}

#[derive(Deserialize)]
struct Standing {
    state: String,
}

impl Client {
    /// Reads which merge requests block this one (Premium, 17.x).
    pub async fn blocks(&self, merge_request: MergeRequestRef) -> Result<Vec<Block>, Error> {
        self.read_list(BLOCKS, &merge_request_path(merge_request, "/blocks"), &[]).await
    }

    /// Reads the state of a merge request, by its project's full path.
    pub async fn merge_request_state(&self, project: &str, iid: u64) -> Result<String, Error> {
        let path = format!("projects/{}/merge_requests/{iid}", encode(project));
        self.read::<Standing>(ONE, &path).await.map(|standing| standing.state)
    }
}
