//! How a merge request stands: what there is to show in other ways than by its status checks.

use std::borrow::Cow;

use crate::decision::Seen;
use crate::merge_request::{CheckName, CommitSha, ProjectId};
use crate::policy::evaluation::{Evaluation, Verdict};

/// How a check, or all of them together, stands; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::status_check) enum State {
    /// It passes.
    Passed,
    /// People or time can mend it.
    Waiting,
    /// It can't be decided.
    Undecided,
    /// The author must change something.
    Failed,
}

impl State {
    /// The word for people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Waiting => "waiting",
            Self::Undecided => "undecided",
            Self::Failed => "failed",
        }
    }
}

impl From<Verdict> for State {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Waiting => Self::Waiting,
            Verdict::UndecidedCurable | Verdict::UndecidedIncurable => Self::Undecided,
            Verdict::Failed => Self::Failed,
        }
    }
}

/// What is said of a check where GitLab has words of its own for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_check) enum Word {
    /// It passes.
    Passed,
    /// What shows stays, for no pass is given now and none is taken back: on a merge train, or while the policies on disk
    /// are broken.
    Kept,
    /// Something is missing.
    Pending,
    /// It does not pass.
    Failed,
}

/// One check.
#[derive(Debug)]
pub(in crate::status_check) struct CheckStanding<'a> {
    pub(in crate::status_check) name: CheckName,
    pub(in crate::status_check) word: Word,
    pub(in crate::status_check) evaluation: Cow<'a, Evaluation>,
}

impl CheckStanding<'_> {
    pub(super) fn state(&self) -> State {
        self.evaluation.verdict.into()
    }
}

/// A merge request with all of its checks.
#[derive(Debug)]
pub(in crate::status_check) struct Standing<'a> {
    /// The head that was decided.
    pub(in crate::status_check) sha: CommitSha,
    /// Where the head is: a project and a branch; none where that is not known.
    pub(in crate::status_check) source: Option<(ProjectId, String)>,
    /// The checks; never empty.
    pub(in crate::status_check) checks: Vec<CheckStanding<'a>>,
    /// What the look showed of our own words; none if it was decided by memory.
    pub(in crate::status_check) seen: Option<&'a Seen>,
    /// Whether our own user approves.
    pub(in crate::status_check) approves: Approves,
}

/// What is known of our own user's approval beside memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_check) enum Approves {
    /// The approvals were read, and it is among them, or not.
    Read(bool),
    /// They were not read, and something happened that may have changed them.
    Doubted,
    /// They were not read.
    Unread,
}

impl Standing<'_> {
    /// Whether any check passes.
    pub(in crate::status_check) fn grants(&self) -> bool {
        self.checks.iter().any(|check| check.word == Word::Passed)
    }

    /// The worst of its checks.
    pub(super) fn state(&self) -> State {
        self.checks.iter().map(CheckStanding::state).max().unwrap_or(State::Undecided)
    }

    /// What is said of all of them together: a pass only if each passes.
    pub(super) fn word(&self) -> Word {
        let has = |word| self.checks.iter().any(|check| check.word == word);
        match () {
            () if has(Word::Failed) || self.checks.is_empty() => Word::Failed,
            () if has(Word::Pending) => Word::Pending,
            () if has(Word::Kept) => Word::Kept,
            () => Word::Passed,
        }
    }
}
