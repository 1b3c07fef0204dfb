//! Issues and other merge requests.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// An issue that has to do with the merge request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// As people refer to it: `shop/web#12`.
    pub reference: String,
    /// `opened` or `closed`; none for one of another tracker, of which GitLab knows no more than that it is there.
    pub state: Option<String>,
    /// Label titles, sorted.
    pub labels: BTreeSet<String>,
    /// The title of its milestone.
    pub milestone: Option<String>,
}

/// A merge request on which this one depends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// As people refer to it: `shop/web!12`.
    pub reference: String,
    /// `opened`, `closed`, `merged` or `locked`.
    pub state: String,
}
