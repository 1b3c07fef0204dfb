//! The shared words: which merge request, which commit, which check, which person.
//!
//! Every room speaks these types, and this file imports none of ours. Each newtype is parsed once, at the border,
//! and is right from then on: a short SHA or a zero id never travels inward.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a word of GitLab's could not be taken for one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct WordError {
    /// What was given.
    pub text: String,
    /// What would have been right, with its article.
    pub expected: &'static str,
}

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps GitLab's number.
            pub const fn new(id: u64) -> Self {
                Self(id)
            }

            /// GitLab's number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

numeric_id! {
    /// A project's numeric id: it stays when the project is moved or renamed.
    ProjectId
}
numeric_id! {
    /// A merge request's number within its target project (`iid`).
    MergeRequestIid
}
numeric_id! {
    /// The id of an external status check (`external_status_check_id`, contract section 1.1).
    StatusCheckId
}
numeric_id! {
    /// A user's numeric id: usernames change, this does not.
    UserId
}
numeric_id! {
    /// The id of a merge request diff version (`/versions`), one for each push.
    VersionId
}

/// Which merge request: the key of everything that countersign keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MergeRequestRef {
    /// The target project.
    pub project: ProjectId,
    /// The number within it.
    pub iid: MergeRequestIid,
}

impl fmt::Display for MergeRequestRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}!{}", self.project, self.iid)
    }
}

/// A full commit SHA in lower-case hex: 40 digits (SHA-1) or 64 (SHA-256). GitLab compares them byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(String);

impl CommitSha {
    /// Takes a full SHA.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        let full = matches!(text.len(), 40 | 64);
        if full && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(WordError {
                text: clip(text),
                expected: "a full commit SHA (40 or 64 lower-case hex digits)",
            })
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, as people write a commit.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for CommitSha {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        Self::parse(&text)
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> Self {
        sha.0
    }
}

/// Our own name for a check: the `{name}` at the end of its URL, else `countersign`. A slug.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckName(String);

impl CheckName {
    /// The name of a check whose URL ends in `/webhooks/gitlab`.
    pub const DEFAULT: &'static str = "countersign";

    /// Takes 1 to 64 letters, digits, `-`, `_` or `.`, the first of them a letter or digit.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(WordError {
                text: clip(text),
                expected: "a check's name (1 to 64 letters, digits, `-`, `_` or `.`)",
            })
        }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CheckName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for CheckName {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        Self::parse(&text)
    }
}

impl From<CheckName> for String {
    fn from(name: CheckName) -> Self {
        name.0
    }
}

/// A GitLab account: the id is who it is, the username is how people call it today.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct User {
    /// The numeric id.
    pub id: UserId,
    /// The name without `@`, at the time of the read.
    pub username: String,
}

/// The first 80 characters of foreign text, for a message.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_or_upper_case_sha_is_refused() {
        assert!(CommitSha::parse("6f1e0e92").is_err());
        assert!(CommitSha::parse(&"A".repeat(40)).is_err());
        assert_eq!(
            CommitSha::parse(&"a".repeat(40)).map(|sha| sha.short().to_owned()),
            Ok("aaaaaaaa".to_owned())
        );
        assert!(CommitSha::parse(&"0".repeat(64)).is_ok());
    }

    #[test]
    fn a_check_name_is_a_slug() {
        for good in ["countersign", "security-2", "a.b_c"] {
            assert!(CheckName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a/b", "a b", &"x".repeat(65)] {
            assert!(CheckName::parse(bad).is_err(), "{bad}");
        }
    }
}
