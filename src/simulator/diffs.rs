//! What a push brings: files, commits, and the diff version that GitLab makes of them.

use jiff::Timestamp;

use crate::merge_request::{CommitSha, VersionId};

/// GitLab's diff limits: what goes beyond them is not listed, or not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffLimits {
    /// How many files are listed.
    pub files: usize,
    /// Of how many of them the text is shown.
    pub with_text: usize,
}

impl Default for DiffLimits {
    /// What a fresh GitLab has for the files of a diff version.
    fn default() -> Self {
        Self { files: 1000, with_text: 1000 }
    }
}

/// One file of a diff, as GitLab lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct FileChange {
    pub(super) old_path: String,
    pub(super) new_path: String,
    pub(super) modes: (String, String),
    pub(super) diff: String,
    pub(super) kind: Kind,
    pub(super) left_out: LeftOut,
    pub(super) generated: bool,
}

/// What happened to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Deleted,
    Renamed,
    Modified,
}

/// Why the text of a diff is missing, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    No,
    Collapsed,
    TooLarge,
}

/// The mode of an ordinary file.
const PLAIN: &str = "100644";
/// The mode of a file that is not there.
pub(super) const ABSENT: &str = "0";
/// The mode of a symbolic link.
const SYMLINK: &str = "120000";
/// The mode of a submodule.
pub(super) const SUBMODULE: &str = "160000";

impl FileChange {
    fn new(old_path: &str, new_path: &str, kind: Kind, modes: (&str, &str), diff: String) -> Self {
        let modes = (modes.0.to_owned(), modes.1.to_owned());
        let (old_path, new_path) = (old_path.to_owned(), new_path.to_owned());
        Self { old_path, new_path, modes, diff, kind, left_out: LeftOut::No, generated: false }
    }

    /// One line changed.
    pub fn modified(path: &str) -> Self {
        let diff = format!("@@ -1 +1 @@\n-{path}, before\n+{path}, after\n");
        Self::new(path, path, Kind::Modified, (PLAIN, PLAIN), diff)
    }

    /// A new file of one line.
    pub fn added(path: &str) -> Self {
        Self::new(path, path, Kind::Added, (ABSENT, PLAIN), format!("@@ -0,0 +1 @@\n+{path}\n"))
    }

    /// A file of one line removed.
    pub fn deleted(path: &str) -> Self {
        Self::new(path, path, Kind::Deleted, (PLAIN, ABSENT), format!("@@ -1 +0,0 @@\n-{path}\n"))
    }

    /// A file moved, its text unchanged.
    pub fn renamed(old_path: &str, new_path: &str) -> Self {
        Self::new(old_path, new_path, Kind::Renamed, (PLAIN, PLAIN), String::new())
    }

    /// A new symbolic link.
    pub fn symlink(path: &str, target: &str) -> Self {
        let diff = format!("@@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n");
        Self::new(path, path, Kind::Added, (ABSENT, SYMLINK), diff)
    }

    /// A submodule that stands at another commit.
    pub fn submodule(path: &str) -> Self {
        let (old, new) = ("1".repeat(40), "2".repeat(40));
        let diff = format!("@@ -1 +1 @@\n-Subproject commit {old}\n+Subproject commit {new}\n");
        Self::new(path, path, Kind::Modified, (SUBMODULE, SUBMODULE), diff)
    }

    /// A file made executable, its text unchanged.
    pub fn made_executable(path: &str) -> Self {
        Self::new(path, path, Kind::Modified, (PLAIN, "100755"), String::new())
    }

    /// Binary: git shows no lines of it.
    pub fn binary(mut self) -> Self {
        self.diff = format!("Binary files a/{} and b/{} differ\n", self.old_path, self.new_path);
        self
    }

    /// Generated, by the git attributes of the project.
    pub fn generated(mut self) -> Self {
        self.generated = true;
        self
    }

    /// With this diff text (from the first `@@` on).
    pub fn diff(mut self, text: &str) -> Self {
        text.clone_into(&mut self.diff);
        self
    }

    /// With these modes, before and after (`120000` is a symlink, `160000` a submodule).
    pub fn modes(mut self, before: &str, after: &str) -> Self {
        self.modes = (before.to_owned(), after.to_owned());
        self
    }

    /// Listed without its text, since the whole diff got too long.
    pub fn collapsed(mut self) -> Self {
        self.left_out = LeftOut::Collapsed;
        self
    }

    /// Listed without its text, since this file is too large.
    pub fn too_large(mut self) -> Self {
        self.left_out = LeftOut::TooLarge;
        self
    }
}

impl From<&str> for FileChange {
    fn from(path: &str) -> Self {
        Self::modified(path)
    }
}

/// One commit to be pushed; the newest one gets the SHA of the push.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct NewCommit {
    pub(super) sha: Option<CommitSha>,
    pub(super) message: String,
    pub(super) author_email: Option<String>,
    pub(super) committer_email: Option<String>,
    pub(super) parents: Vec<CommitSha>,
    pub(super) signature: Option<Signature>,
}

/// A signature on a commit, and what GitLab makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `PGP`, `SSH` or `X509`.
    pub kind: String,
    /// `verified`, `unverified`, `verified_system`, …
    pub verification_status: String,
}

impl NewCommit {
    /// A commit by whoever pushes.
    pub fn new(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }

    /// Says it was written by that address (and committed by it, unless said otherwise).
    pub fn author_email(mut self, email: &str) -> Self {
        self.author_email = Some(email.to_owned());
        self
    }

    /// Says it was committed by that address.
    pub fn committer_email(mut self, email: &str) -> Self {
        self.committer_email = Some(email.to_owned());
        self
    }

    /// With one more parent (two make a merge commit); the plain one has the commit before it.
    pub fn parent(mut self, sha: CommitSha) -> Self {
        self.parents.push(sha);
        self
    }

    /// With this SHA.
    pub fn sha(mut self, sha: CommitSha) -> Self {
        self.sha = Some(sha);
        self
    }

    /// With a signature (`SSH`), and what GitLab makes of it (`verified`).
    pub fn signed(mut self, kind: &str, verification_status: &str) -> Self {
        let (kind, verification_status) = (kind.to_owned(), verification_status.to_owned());
        self.signature = Some(Signature { kind, verification_status });
        self
    }
}

/// A commit that GitLab knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its SHA.
    pub sha: CommitSha,
    /// The whole message.
    pub message: String,
    /// The author's address as the commit claims it.
    pub author_email: String,
    /// The committer's address as the commit claims it.
    pub committer_email: String,
    /// Its parents.
    pub parents: Vec<CommitSha>,
    /// When it was made.
    pub at: Timestamp,
    /// Its signature.
    pub signature: Option<Signature>,
}

/// One push as GitLab keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffVersion {
    /// GitLab's id; larger is newer.
    pub id: VersionId,
    /// What was pushed.
    pub head: CommitSha,
    /// The merge base.
    pub base: CommitSha,
    /// The head of the target branch at that time.
    pub start: CommitSha,
    /// When GitLab made the version.
    pub created_at: Timestamp,
    /// Its files.
    pub files: Vec<FileChange>,
    /// Its commits, newest first.
    pub commits: Vec<Commit>,
    /// What `real_size` and `changes_count` say, if not the number of files.
    pub said_size: Option<String>,
}

impl DiffVersion {
    /// `real_size` of the version, `changes_count` of the merge request.
    pub(super) fn size(&self, limits: DiffLimits) -> String {
        let counted = || match self.files.len() {
            more if more > limits.files => format!("{}+", limits.files),
            all => all.to_string(),
        };
        self.said_size.clone().unwrap_or_else(counted)
    }

    /// The files that are listed, those beyond the safe limit without their text.
    pub(super) fn listed(&self, limits: DiffLimits) -> Vec<FileChange> {
        let files = self.files.iter().take(limits.files).enumerate();
        files
            .map(|(number, file)| match file.left_out {
                LeftOut::No if number >= limits.with_text => file.clone().collapsed(),
                _ => file.clone(),
            })
            .collect()
    }
}

/// A push to the source branch. The plain one is a new commit that leaves the patch as it is.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Push {
    pub(super) sha: Option<CommitSha>,
    pub(super) base: Option<CommitSha>,
    pub(super) files: Option<Vec<FileChange>>,
    pub(super) commits: Option<Vec<NewCommit>>,
    pub(super) said_size: Option<String>,
}

impl Push {
    /// A new commit, the same patch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this commit. An older head of the same merge request brings its patch and its commits back.
    pub fn to(sha: &CommitSha) -> Self {
        Self { sha: Some(sha.clone()), ..Self::default() }
    }

    /// Onto this base.
    pub fn base(mut self, sha: &CommitSha) -> Self {
        self.base = Some(sha.clone());
        self
    }

    /// With this file changed; the first one replaces the whole patch.
    pub fn file(mut self, file: impl Into<FileChange>) -> Self {
        self.files.get_or_insert_default().push(file.into());
        self
    }

    /// With this commit; the first one replaces all, the last one is the newest.
    pub fn commit(mut self, commit: NewCommit) -> Self {
        self.commits.get_or_insert_default().push(commit);
        self
    }

    /// With a size that GitLab tells although it lists other files (`1000+`).
    pub fn said_size(mut self, size: &str) -> Self {
        self.said_size = Some(size.to_owned());
        self
    }
}
