//! Families of facts: what one question, or a handful of the same kind, costs and is called.

use super::FactKey;

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// What the merge request says of itself: read anyway.
    MergeRequest,
    /// The present: read off the answer to the read of the merge request.
    Time,
    /// The list of diff versions.
    Versions,
    /// Files and commits of the newest version.
    Code,
    /// Files of older versions.
    OlderCode,
    /// Approvals.
    Approvals,
    /// The head's pipeline.
    Pipeline,
    /// Its jobs.
    Jobs,
    /// Commit statuses of the head.
    CommitStatuses,
    /// Threads.
    Threads,
    /// Comments and system notes.
    Comments,
    /// Emoji.
    Emoji,
    /// The states of reviewers.
    Reviewers,
    /// Label events.
    LabelEvents,
    /// Groups, their members, and roles on the project.
    Memberships,
    /// Accounts and usernames.
    Accounts,
    /// Whose a commit's email address is.
    Emails,
    /// The target project.
    Project,
    /// How far the head is behind its target.
    Behind,
    /// Issues.
    Issues,
    /// Other merge requests.
    OtherMergeRequests,
    /// The CODEOWNERS file.
    CodeOwners,
    /// The parents of commits.
    Parentage,
    /// Signatures of commits.
    Signatures,
}

impl Family {
    /// The family in the words of `policies/README.md`.
    pub fn word(self) -> &'static str {
        match self {
            Self::MergeRequest => "the merge request",
            Self::Time => "the time",
            Self::Versions => "versions",
            Self::Code => "files and commits",
            Self::OlderCode => "files of older versions",
            Self::Approvals => "approvals",
            Self::Pipeline => "the pipeline",
            Self::Jobs => "jobs",
            Self::CommitStatuses => "commit statuses",
            Self::Threads => "threads",
            Self::Comments => "comments",
            Self::Emoji => "emoji",
            Self::Reviewers => "states of reviewers",
            Self::LabelEvents => "label events",
            Self::Memberships => "memberships",
            Self::Accounts => "accounts",
            Self::Emails => "commit emails",
            Self::Project => "the project",
            Self::Behind => "the target branch",
            Self::Issues => "issues",
            Self::OtherMergeRequests => "other merge requests",
            Self::CodeOwners => "CODEOWNERS",
            Self::Parentage => "parents of commits",
            Self::Signatures => "signatures",
        }
    }
}

impl FactKey {
    /// What it is about.
    pub fn family(&self) -> Family {
        match self {
            Self::Now => Family::Time,
            Self::Versions => Family::Versions,
            Self::Code | Self::MatchingLines(_) => Family::Code,
            Self::Patch(_) => Family::OlderCode,
            Self::Approvals => Family::Approvals,
            Self::Pipeline => Family::Pipeline,
            Self::Jobs(_) => Family::Jobs,
            Self::CommitStatuses => Family::CommitStatuses,
            Self::Threads => Family::Threads,
            Self::Comments => Family::Comments,
            Self::Awards => Family::Emoji,
            Self::Reviewers => Family::Reviewers,
            Self::LabelEvents => Family::LabelEvents,
            Self::Group(_) | Self::GroupMember(..) | Self::ProjectMember(_) => Family::Memberships,
            Self::Username(_) | Self::Account(_) => Family::Accounts,
            Self::Email(_) => Family::Emails,
            Self::Project => Family::Project,
            Self::Behind => Family::Behind,
            Self::ClosingIssues | Self::RelatedIssues => Family::Issues,
            Self::BlockingMergeRequests | Self::OtherMergeRequest(_) => Family::OtherMergeRequests,
            Self::CodeOwners => Family::CodeOwners,
            Self::Parentage => Family::Parentage,
            Self::Signature(_) => Family::Signatures,
        }
    }

    /// Whether a question is one of many of its kind (one for each person, commit or pipeline): those are asked last.
    pub fn is_one_of_many(&self) -> bool {
        match self {
            Self::Patch(_)
            | Self::Jobs(_)
            | Self::Group(_)
            | Self::GroupMember(..)
            | Self::ProjectMember(_)
            | Self::Username(_)
            | Self::Account(_)
            | Self::Email(_)
            | Self::OtherMergeRequest(_)
            | Self::Signature(_) => true,
            Self::Now
            | Self::Versions
            | Self::Code
            | Self::Approvals
            | Self::Pipeline
            | Self::Threads
            | Self::Project
            | Self::Behind
            | Self::Reviewers
            | Self::LabelEvents
            | Self::Comments
            | Self::Awards
            | Self::CommitStatuses
            | Self::ClosingIssues
            | Self::RelatedIssues
            | Self::BlockingMergeRequests
            | Self::CodeOwners
            | Self::Parentage
            | Self::MatchingLines(_) => false,
        }
    }
}
