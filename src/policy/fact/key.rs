//! The questions that can be asked of a merge request.

use super::code::LinePattern;
use super::family::Family;
use crate::merge_request::{CommitSha, UserId, VersionId};

/// One question about a merge request. A closed set: what is not here can't be asked by a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKey {
    /// The instant of the evaluation.
    Now,
    /// The list of diff versions, newest first ([`super::Facts::versions`]).
    Versions,
    /// Files and commits of the newest diff version ([`super::Facts::code`]).
    Code,
    /// Files of an older diff version, to tell whether an approval was given for the same patch ([`super::Facts::patches`]).
    Patch(VersionId),
    /// Who approves, now ([`super::Facts::approvals`]).
    Approvals,
    /// The pipeline of the head ([`super::Facts::pipeline`]).
    Pipeline,
    /// Threads that are not resolved ([`super::Facts::threads`]).
    Threads,
    /// Whether a group can be read, by full path ([`super::Facts::groups`]).
    Group(String),
    /// A user's membership in a group, inherited ones included ([`super::Facts::group_members`]).
    GroupMember(String, UserId),
    /// A user's role on the target project, inherited ones included ([`super::Facts::project_members`]).
    ProjectMember(UserId),
    /// A user's role on the target project by a direct membership alone ([`super::Facts::direct_project_members`]).
    DirectProjectMember(UserId),
    /// Which user a commit's email address belongs to ([`super::Facts::emails`]).
    Email(String),
    /// Which user has a username ([`super::Facts::usernames`]).
    Username(String),
    /// What kind of account a user is ([`super::Facts::accounts`]).
    Account(UserId),
    /// The target project ([`super::Facts::project`]).
    Project,
    /// How many commits of the target branch the head does not have ([`super::Facts::behind`]).
    Behind,
    /// How far the reviewers are ([`super::Facts::reviewers`]).
    Reviewers,
    /// Who added and removed which label ([`super::Facts::label_events`]).
    LabelEvents,
    /// Comments and system notes ([`super::Facts::comments`]).
    Comments,
    /// Emoji awarded to the merge request ([`super::Facts::awards`]).
    Awards,
    /// The jobs of a pipeline, by its id ([`super::Facts::jobs`]).
    Jobs(u64),
    /// What others said of the head commit ([`super::Facts::commit_statuses`]).
    CommitStatuses,
    /// Issues that the merge closes ([`super::Facts::closing_issues`]).
    ClosingIssues,
    /// Issues that are mentioned or closed ([`super::Facts::related_issues`]).
    RelatedIssues,
    /// Merge requests that block this one in GitLab ([`super::Facts::blocking_merge_requests`]).
    BlockingMergeRequests,
    /// Another merge request, by its reference `group/project!12` ([`super::Facts::other_merge_requests`]).
    OtherMergeRequest(String),
    /// The CODEOWNERS file of the target branch ([`super::Facts::code_owners`]).
    CodeOwners,
    /// The parents of the newest version's commits ([`super::Facts::parentage`]).
    Parentage,
    /// A commit's signature ([`super::Facts::signatures`]).
    Signature(CommitSha),
    /// Lines of the newest version that match ([`super::Facts::matching_lines`]).
    MatchingLines(LinePattern),
    /// Files of the newest version that GitLab did not list ([`super::Facts::unlisted_files`]).
    UnlistedFiles,
    /// Lines that change in each file of the newest version ([`super::Facts::diff_stats`]).
    DiffStats,
}

impl FactKey {
    /// What it is about.
    pub fn family(&self) -> Family {
        match self {
            Self::Now => Family::Time,
            Self::Versions => Family::Versions,
            Self::Code | Self::MatchingLines(_) | Self::UnlistedFiles | Self::DiffStats => Family::Code,
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
            Self::Group(_)
            | Self::GroupMember(..)
            | Self::ProjectMember(_)
            | Self::DirectProjectMember(_) => Family::Memberships,
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

    /// Whether a question is one of many of its kind (one for each person, commit or pipeline) or needs many calls: those are
    /// asked last.
    pub fn is_one_of_many(&self) -> bool {
        match self {
            Self::Patch(_)
            | Self::Jobs(_)
            | Self::Group(_)
            | Self::GroupMember(..)
            | Self::ProjectMember(_)
            | Self::DirectProjectMember(_)
            | Self::Username(_)
            | Self::Account(_)
            | Self::Email(_)
            | Self::OtherMergeRequest(_)
            | Self::Signature(_)
            | Self::UnlistedFiles => true,
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
            | Self::MatchingLines(_)
            | Self::DiffStats => false,
        }
    }
}
