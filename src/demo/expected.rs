//! What GitLab must show at the end of the story, on each merge request: written by hand, apart from the policies and
//! from the story's code, so that a change of either that changes an outcome is noticed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::simulator::CheckStatus;

/// The table.
const TABLE: [(&str, Status); 13] = [
    ("docs", Status::Passed),
    ("title", Status::Passed),
    ("ci", Status::Passed),
    ("payments", Status::Passed),
    ("withdrawn", Status::Pending),
    ("race", Status::Failed),
    ("outage", Status::Passed),
    ("lost", Status::Passed),
    ("forged", Status::Passed),
    ("stale", Status::Unanswered),
    ("pipeline", Status::Passed),
    ("thread", Status::Passed),
    ("closed", Status::Unanswered),
];

/// What GitLab shows for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `passed`
    Passed,
    /// `failed`
    Failed,
    /// `pending`, which was answered.
    Pending,
    /// `pending`, since nobody has answered: GitLab shows it by itself.
    Unanswered,
}

impl Status {
    const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::Pending, Self::Unanswered];

    /// The word in tables and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Unanswered => "unanswered",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl From<CheckStatus> for Status {
    fn from(status: CheckStatus) -> Self {
        match status {
            CheckStatus::Passed => Self::Passed,
            CheckStatus::Failed => Self::Failed,
            CheckStatus::Pending => Self::Pending,
            CheckStatus::Unanswered => Self::Unanswered,
        }
    }
}

/// What is expected of every merge request of the story.
#[derive(Debug, Clone)]
pub struct Expected(BTreeMap<&'static str, Status>);

impl Default for Expected {
    fn default() -> Self {
        Self(BTreeMap::from(TABLE))
    }
}

impl Expected {
    /// Expects something else of one merge request.
    pub fn set(&mut self, expectation: Expectation) {
        self.0.insert(expectation.name, expectation.status);
    }

    pub(super) fn of(&self, name: &str) -> Option<Status> {
        self.0.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

/// `NAME=STATUS`: what is expected of one merge request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    name: &'static str,
    status: Status,
}

/// A text is no expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpectationError {
    /// It has another form.
    #[error("give NAME=STATUS")]
    Form,
    /// No merge request of the story has that name.
    #[error("no merge request of the story has that name")]
    Name,
    /// There is no such status.
    #[error("the status is `passed`, `failed`, `pending` or `unanswered`")]
    Status,
}

impl FromStr for Expectation {
    type Err = ExpectationError;

    fn from_str(text: &str) -> Result<Self, ExpectationError> {
        let (name, status) = text.split_once('=').ok_or(ExpectationError::Form)?;
        let (name, _) = TABLE.iter().find(|(known, _)| *known == name).ok_or(ExpectationError::Name)?;
        let status = Status::ALL.into_iter().find(|known| known.word() == status);
        Ok(Self { name, status: status.ok_or(ExpectationError::Status)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_names_a_merge_request_and_a_status() {
        let mut expected = Expected::default();
        assert_eq!(expected.of("race"), Some(Status::Failed));
        expected.set("race=passed".parse().unwrap());
        assert_eq!(expected.of("race"), Some(Status::Passed));
        assert_eq!("race".parse::<Expectation>(), Err(ExpectationError::Form));
        assert_eq!("rice=passed".parse::<Expectation>(), Err(ExpectationError::Name));
        assert_eq!("race=green".parse::<Expectation>(), Err(ExpectationError::Status));
    }
}
