//! What a condition sees: the facts, and which globs of the set the changed files match.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::fact::{Code, FactKey, Facts, Version};
use super::finding::{Stop, known};
use super::pattern::{GlobIds, PathGlobs, PathMatches};

/// The facts of one evaluation.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    globs: &'a PathGlobs,
    matches: OnceCell<Vec<[PathMatches; 2]>>,
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
            Stop::Unknown(super::fact::Unknown { why, curable: true })
        })
    }

    /// The paths that each changed file touches: both of a rename, in the order of [`Code::files`].
    pub(super) fn touched<'b>(&'b self, code: &'b Code) -> impl Iterator<Item = [TouchedPath<'b>; 2]> {
        let matches = self.matches.get_or_init(|| {
            let both = |file: &super::fact::ChangedFile| {
                let new = self.globs.matches(&file.new_path);
                let old = if file.old_path == file.new_path {
                    new.clone()
                } else {
                    self.globs.matches(&file.old_path)
                };
                [old, new]
            };
            code.files.iter().map(both).collect()
        });
        code.files.iter().zip(matches).map(|(file, [old, new])| {
            [
                TouchedPath { path: &file.old_path, matches: old },
                TouchedPath { path: &file.new_path, matches: new },
            ]
        })
    }
}
