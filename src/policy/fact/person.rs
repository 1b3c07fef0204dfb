//! People, and what this service saw of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::merge_request::{UserId, VersionId};

/// A role on a project or in a group: GitLab's access level (10 guest, 15 planner, 20 reporter, 30 developer,
/// 40 maintainer, 50 owner).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessLevel(pub u8);

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whether it is a bot's.
    pub bot: bool,
}

/// What this service saw itself, from its store: it can only make an approval count for less.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// Users whom a delivery named as having pushed to the source branch.
    pub pushers: BTreeSet<UserId>,
    /// The target branch that the merge request had when a version was first seen as the newest.
    pub version_targets: BTreeMap<VersionId, String>,
}
