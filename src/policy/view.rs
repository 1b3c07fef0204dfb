//! What a condition sees: the facts, and which globs of the set the changed files match.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::fact::{ChangedFile, Code, FactKey, Facts, Unknown, Version};
use super::finding::{Stop, known};
use super::pattern::{GlobIds, PathGlobs, PathMatches};

/// The facts of one evaluation.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    globs: &'a PathGlobs,
    matches: OnceCell<Vec<(PathMatches, Option<PathMatches>)>>,
}

/// What one changed file touches: a rename touches the path that it leaves, too.
pub(super) struct Touched<'a> {
    new: TouchedPath<'a>,
    old: Option<TouchedPath<'a>>,
}

impl<'a> Touched<'a> {
    pub(super) fn paths(self) -> impl Iterator<Item = TouchedPath<'a>> {
        self.old.into_iter().chain([self.new])
    }
}

/// One path of a changed file, before or after the change.
pub(super) struct TouchedPath<'a> {
    pub(super) path: &'a str,
    matches: &'a PathMatches,
}

impl TouchedPath<'_> {
    /// Whether one of these globs matches it.
    pub(super) fn matches(&self, globs: &GlobIds) -> bool {
        self.matches.any(globs)
    }
}

impl<'a> View<'a> {
    pub(super) fn new(facts: &'a Facts, globs: &'a PathGlobs) -> Self {
        Self { facts, globs, matches: OnceCell::new() }
    }

    pub(super) fn now(&self) -> Result<Timestamp, Stop> {
        self.facts.now.ok_or_else(|| Stop::Needs([FactKey::Now].into()))
    }

    pub(super) fn code(&self) -> Result<&'a Code, Stop> {
        known(self.facts.code.as_ref(), FactKey::Code)
    }

    /// The diff versions; an empty list would be a fault of the reader and proves nothing.
    pub(super) fn newest_version(&self) -> Result<&'a Version, Stop> {
        let versions = known(self.facts.versions.as_ref(), FactKey::Versions)?;
        versions.iter().max_by_key(|version| version.id).ok_or_else(|| {
            let why = "GitLab lists no diff version of the merge request yet".to_owned();
            Stop::Unknown(Unknown { why, curable: true })
        })
    }

    /// The paths that each changed file touches, in the order of [`Code::files`].
    pub(super) fn touched<'b>(&'b self, code: &'b Code) -> impl Iterator<Item = Touched<'b>> {
        let matches = self.matches.get_or_init(|| {
            let of_file = |file: &ChangedFile| {
                let old = (file.old_path != file.new_path).then(|| self.globs.matches(&file.old_path));
                (self.globs.matches(&file.new_path), old)
            };
            code.files.iter().map(of_file).collect()
        });
        code.files.iter().zip(matches).map(|(file, (new, old))| Touched {
            new: TouchedPath { path: &file.new_path, matches: new },
            old: old.as_ref().map(|old| TouchedPath { path: &file.old_path, matches: old }),
        })
    }
}
