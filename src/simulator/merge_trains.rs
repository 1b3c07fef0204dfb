//! Merge trains: where a merge request waits for its turn, and for a pipeline on the result with those before it.

use jiff::Timestamp;

use crate::merge_request::UserId;

/// GitLab's statuses of a merge request on a train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainStatus {
    /// It has no pipeline yet.
    Idle,
    /// Its pipeline ran on what is no longer before it.
    Stale,
    /// Its pipeline runs on what is before it.
    Fresh,
    /// Being merged at this moment.
    Merging,
    /// Merged by the train.
    Merged,
    /// Merged at once, past the train.
    SkipMerged,
}

impl TrainStatus {
    /// GitLab's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Stale => "stale",
            Self::Fresh => "fresh",
            Self::Merging => "merging",
            Self::Merged => "merged",
            Self::SkipMerged => "skip_merged",
        }
    }

    /// Whether it has left the train by being merged.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Merged | Self::SkipMerged)
    }
}

/// A merge request's place on a train (GitLab calls it a car). It stays when the train has merged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainCar {
    /// GitLab's id.
    pub id: u64,
    /// Who put it there.
    pub user: UserId,
    /// Its newest pipeline.
    pub pipeline: u64,
    /// Since when.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// How it stands.
    pub status: TrainStatus,
}
