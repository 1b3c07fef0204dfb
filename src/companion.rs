//! The events that accompany a merge request: what GitLab tells beside the merge request's own.
//!
//! One word for each, shared by whoever reads them off a body, keeps them, and asks which facts they can change.

/// What GitLab tells by ordinary webhooks alone: a status check hears nothing of it (contract section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Companion {
    /// A comment was written or edited.
    Note,
    /// A pipeline got another status.
    Pipeline,
    /// A job got another status.
    Job,
    /// An emoji was awarded or taken back.
    Emoji,
    /// An issue was changed.
    Issue,
    /// A branch was pushed to. For a source branch, the merge request's own events tell it.
    Push,
    /// Somebody became a member, got another role, or left.
    Member,
    /// A project's settings were changed.
    Project,
    /// A project or a group of projects was renamed or moved: other policies may speak for it.
    Move,
}

impl Companion {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::Note,
        Self::Pipeline,
        Self::Job,
        Self::Emoji,
        Self::Issue,
        Self::Push,
        Self::Member,
        Self::Project,
        Self::Move,
    ];

    /// The word of the store, of logs and of records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Pipeline => "pipeline",
            Self::Job => "job",
            Self::Emoji => "emoji",
            Self::Issue => "issue",
            Self::Push => "push",
            Self::Member => "member",
            Self::Project => "project",
            Self::Move => "move",
        }
    }

    /// The event that is called so.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|companion| companion.as_str() == word)
    }
}
