//! GitLab's REST API and webhooks as they are, and nothing of policy.
//!
//! One file per REST resource, each with the shapes that the product reads (a field that GitLab leaves out in some
//! version is optional here, one whose absence would read as "there is none" is not) and one function per call. What GitLab's answers *mean* is decided a floor above.

mod approvals;
mod award_emoji;
mod client;
mod discussions;
mod error;
mod members;
mod merge_requests;
mod merge_trains;
mod metadata;
mod notes;
mod pipelines;
mod projects;
mod reviewers;
mod status_checks;
mod users;
mod versions;
pub mod webhook;

pub use self::approvals::{Approvals, ApprovedBy};
pub use self::award_emoji::AwardEmoji;
pub use self::client::{Client, ClientError, Dated};
pub use self::discussions::{Discussion, Note};
pub use self::error::Error;
pub use self::members::Member;
pub use self::merge_requests::{MergeRequest, Milestone, References};
pub use self::metadata::GitlabVersion;
pub use self::notes::ListedNote;
pub use self::pipelines::{Commit, Pipeline};
pub use self::reviewers::Reviewer;
pub use self::status_checks::{Status, StatusCheck};
pub use self::users::{Account, BasicUser};
pub use self::versions::{Diff, Version, VersionCommit, VersionDetail};
