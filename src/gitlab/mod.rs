//! GitLab's REST API, one question to its GraphQL API, and webhooks as they are, and nothing of policy.
//!
//! One file per REST resource, each with the shapes that the product reads and one function per call. A field is optional here
//! only where GitLab leaves it out, in some version or where it does not apply; one that GitLab always sends is required even if
//! it may be null, for its absence means that somebody took it away and never that there is nothing. What GitLab's answers
//! *mean* is decided a floor above.

mod access;
mod answer;
mod approvals;
mod asker;
mod award_emoji;
mod budget;
mod circuit;
mod client;
mod commit_statuses;
mod commits;
mod credential;
mod dependencies;
mod discussions;
mod error;
mod external_status_checks;
mod graphql;
mod groups;
mod hooks;
mod issues;
mod jobs;
mod label_events;
mod members;
mod merge_requests;
mod merge_trains;
mod metadata;
mod notes;
mod paging;
mod pipelines;
mod projects;
mod protected_branches;
mod repository;
mod reviewers;
mod status_checks;
mod tokens;
mod turns;
mod users;
mod versions;
pub mod webhook;
mod window;

pub use self::access::{Access, ClientError, ReadToken};
pub use self::answer::Dated;
pub use self::approvals::{Approvals, ApprovedBy};
pub use self::asker::{on_behalf_of, was_held_back};
pub use self::award_emoji::AwardEmoji;
pub use self::budget::MayBegin;
pub use self::client::Client;
pub use self::commit_statuses::{CommitStatus, NewCommitStatus};
pub use self::commits::{CommitSignature, ListedCommit};
pub use self::dependencies::Block;
pub use self::discussions::{Discussion, Note};
pub use self::error::{Error, Hold};
pub use self::external_status_checks::{ExternalStatusCheck, StatusCheckSettings};
pub use self::graphql::{DiffRefs, DiffStats, FileDiffStats};
pub use self::groups::Group;
pub use self::hooks::{Hook, HookDelivery, HookPlace, HookSettings, Trigger};
pub use self::issues::{ExternalIssue, GitlabIssue, Issue};
pub use self::jobs::Job;
pub use self::label_events::{Label, LabelEvent};
pub use self::members::Member;
pub use self::merge_requests::{HeadPipeline, MergeRequest, Milestone, References};
pub use self::metadata::{GitlabVersion, Instance};
pub use self::notes::ListedNote;
pub use self::paging::CallAllowance;
pub use self::pipelines::{Commit, Pipeline};
pub use self::projects::{CheckedProject, ListedProject, Project};
pub use self::protected_branches::ProtectedBranch;
pub use self::repository::{Branch, BranchHead, TreeEntry};
pub use self::reviewers::Reviewer;
pub use self::status_checks::{Status, StatusCheck};
pub use self::tokens::OwnToken;
pub use self::users::{Account, BasicUser, FoundUser, Myself};
pub use self::versions::{Diff, Version, VersionCommit, VersionDetail};
