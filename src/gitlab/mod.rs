//! GitLab's REST API, one question to its GraphQL API, and webhooks as they are, and nothing of policy.
//!
//! One file per REST resource, each with the shapes that the product reads (a field that GitLab leaves out in some
//! version is optional here, one whose absence would read as "there is none" is not) and one function per call. What GitLab's answers *mean* is decided a floor above.

mod approvals;
mod award_emoji;
mod client;
mod commit_statuses;
mod commits;
mod dependencies;
mod discussions;
mod error;
mod graphql;
mod issues;
mod jobs;
mod label_events;
mod members;
mod merge_requests;
mod merge_trains;
mod metadata;
mod notes;
mod pipelines;
mod projects;
mod repository;
mod reviewers;
mod status_checks;
mod users;
mod versions;
pub mod webhook;

pub use self::approvals::{Approvals, ApprovedBy};
pub use self::award_emoji::AwardEmoji;
pub use self::client::{CallAllowance, Client, ClientError, Dated};
pub use self::commit_statuses::CommitStatus;
pub use self::commits::{CommitSignature, ListedCommit};
pub use self::dependencies::Block;
pub use self::discussions::{Discussion, Note};
pub use self::error::Error;
pub use self::graphql::{DiffRefs, DiffStats, FileDiffStats};
pub use self::issues::{ExternalIssue, GitlabIssue, Issue};
pub use self::jobs::Job;
pub use self::label_events::{Label, LabelEvent};
pub use self::members::Member;
pub use self::merge_requests::{Divergence, MergeRequest, Milestone, References};
pub use self::metadata::GitlabVersion;
pub use self::notes::ListedNote;
pub use self::pipelines::{Commit, Pipeline};
pub use self::projects::Project;
pub use self::repository::{Branch, BranchHead, TreeEntry};
pub use self::reviewers::Reviewer;
pub use self::status_checks::{Status, StatusCheck};
pub use self::users::{Account, BasicUser, FoundUser};
pub use self::versions::{Diff, Version, VersionCommit, VersionDetail};
