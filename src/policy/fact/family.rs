//! Families of facts: what one question, or a handful of the same kind, costs and is called.

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
    /// Whatever tells whether somebody is one of the people that are meant: see [`Family::tells_of_people`].
    People,
    /// Whose a commit's email address is.
    Emails,
    /// The target project.
    Project,
    /// How far the head is behind its target.
    Behind,
    /// Whether it conflicts with its target: the merge request says it, and a push to the target changes it.
    Conflicts,
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
    /// Every family.
    pub const ALL: [Self; 26] = [
        Self::MergeRequest,
        Self::Time,
        Self::Versions,
        Self::Code,
        Self::OlderCode,
        Self::Approvals,
        Self::Pipeline,
        Self::Jobs,
        Self::CommitStatuses,
        Self::Threads,
        Self::Comments,
        Self::Emoji,
        Self::Reviewers,
        Self::LabelEvents,
        Self::Memberships,
        Self::Accounts,
        Self::People,
        Self::Emails,
        Self::Project,
        Self::Behind,
        Self::Conflicts,
        Self::Issues,
        Self::OtherMergeRequests,
        Self::CodeOwners,
        Self::Parentage,
        Self::Signatures,
    ];

    /// Whether it can be asked for to tell who is one of the people meant: by group and role, by account, and by owning a
    /// changed path.
    pub fn tells_of_people(self) -> bool {
        matches!(self, Self::Memberships | Self::Accounts | Self::Code | Self::CodeOwners | Self::Emails)
    }

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
            Self::People => "people",
            Self::Emails => "commit emails",
            Self::Project => "the project",
            Self::Behind => "the target branch",
            Self::Conflicts => "conflicts",
            Self::Issues => "issues",
            Self::OtherMergeRequests => "other merge requests",
            Self::CodeOwners => "CODEOWNERS",
            Self::Parentage => "parents of commits",
            Self::Signatures => "signatures",
        }
    }
}
