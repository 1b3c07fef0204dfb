//! Facts about code: all of them by diff version or by SHA.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, VersionId};
use crate::policy::pattern::partial_regex;

/// One push, as GitLab keeps it (`/versions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// GitLab's id; larger is newer.
    pub id: VersionId,
    /// The head that was pushed.
    pub head: CommitSha,
    /// Where the source branch leaves the target branch: the commits of the version come after it. None where GitLab
    /// does not say.
    pub base: Option<CommitSha>,
    /// When GitLab made the version: the only trustworthy time of a push.
    pub created_at: Timestamp,
}

/// Files and commits of one diff version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Of which version.
    pub version: VersionId,
    /// The files that GitLab listed, and after them those that it did not, if they were found
    /// ([`super::FactKey::UnlistedFiles`]).
    pub files: Vec<ChangedFile>,
    /// Whether that is all of them: only then does an absent file prove anything.
    pub complete: bool,
    /// The commits of the version, newest first.
    pub commits: Vec<Commit>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// The path before the change (equal to `new_path` unless renamed).
    pub old_path: String,
    /// The path after the change.
    pub new_path: String,
    /// The mode before, as git writes it (`100644`; `120000` is a symlink, `160000` a submodule, `0` absent).
    pub old_mode: String,
    /// The mode after.
    pub new_mode: String,
    /// Added, deleted, renamed or modified.
    pub kind: ChangeKind,
    /// Lines added and removed; none when GitLab shows none of what changed (collapsed, too large, binary).
    pub lines: Option<LineCount>,
    /// Whether it is binary; none when its text was left out.
    pub binary: Option<bool>,
    /// Whether it was generated, by git attributes or by its name (16.9 and later); none where GitLab does not say.
    pub generated: Option<bool>,
    /// SHA-256 (hex) over the byte-exact hunks with their line numbers left out; none where `lines` is none.
    pub hunks_sha256: Option<String>,
}

impl Code {
    /// The files that GitLab listed.
    pub fn listed(&self) -> impl Iterator<Item = &ChangedFile> {
        self.files.iter().filter(|file| !matches!(file.kind, ChangeKind::Unlisted(_)))
    }

    /// Whether GitLab listed all of them: what was found beyond its list shows no text.
    pub fn is_listed(&self) -> bool {
        self.complete && self.listed().count() == self.files.len()
    }
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It did not exist before.
    Added,
    /// It does not exist any more.
    Deleted,
    /// It has another path; both paths are touched.
    Renamed,
    /// Its text or mode changed.
    Modified,
    /// GitLab did not list it: this is what the trees of base and head show.
    Unlisted(TreeChange),
}

/// What became of a path between two trees. Nothing tells a file that moved from one that goes and another that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeChange {
    /// It is there after, and not before: added, or renamed from another path.
    Appears,
    /// It is there before, and not after: deleted, or renamed to another path.
    Disappears,
    /// It is there before and after, with other content or another mode: modified.
    Differs,
}

/// Lines of one file's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCount {
    /// Lines that start with `+` in the diff.
    pub added: u64,
    /// Lines that start with `-` in the diff.
    pub removed: u64,
}

/// One commit of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its SHA.
    pub sha: CommitSha,
    /// The whole message.
    pub message: String,
    /// The author's email as the commit claims it.
    pub author_email: String,
    /// The committer's email as the commit claims it.
    pub committer_email: String,
}

/// Which lines of a change are sought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinePattern {
    /// A regular expression that matches somewhere in one line, its `+` or `-` left out.
    pub regex: String,
    /// Among which lines.
    pub side: LineSide,
}

/// Added lines or removed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineSide {
    /// Lines that start with `+` in the diff.
    Added,
    /// Lines that start with `-` in the diff.
    Removed,
}

impl LinePattern {
    /// The expression, ready to be sought in one line after the other; the error is a sentence about it.
    pub fn compile(&self) -> Result<Regex, String> {
        partial_regex(&self.regex)
    }
}

impl fmt::Display for LinePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.side {
            LineSide::Added => '+',
            LineSide::Removed => '-',
        };
        write!(formatter, "{sign} {}", self.regex)
    }
}

/// How often a [`LinePattern`] was found in the newest version: by new path, files without a match left out, and none for a
/// file whose lines GitLab does not show. The text itself is never recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchingLines {
    /// Of which version.
    pub version: VersionId,
    /// By new path.
    pub files: BTreeMap<String, Option<u64>>,
}

/// How many lines change in each file of the newest version, listed or not, as git counts them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffStats {
    /// Of which version.
    pub version: VersionId,
    /// By new path; none where git counts no line, which it does of binary files, too.
    pub files: BTreeMap<String, Option<LineCount>>,
}

/// A commit with its parents: more than one makes it a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parentage {
    /// Its SHA.
    pub sha: CommitSha,
    /// Its parents.
    pub parents: Vec<CommitSha>,
}

/// A commit's signature, as GitLab judged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `PGP`, `SSH` or `X509`.
    pub kind: String,
    /// GitLab's word: `verified`, `unverified`, `verified_system`, …
    pub verification_status: String,
}

/// The file that says who owns which paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeOwnersFile {
    /// Where it lies.
    pub path: String,
    /// The whole text, of the target branch.
    pub text: String,
}
