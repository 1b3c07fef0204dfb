//! What a condition sees: the facts, and which globs of the set the changed files match.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::expression::value::Memory;
use super::fact::{Code, FactKey, Facts, Known, Unknown, Version};
use super::finding::{Stop, known};
use super::pattern::{GlobIds, PathGlobs, PathMatches};

/// The facts of one evaluation.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    globs: &'a PathGlobs,
    matches: OnceCell<Matches>,
    memory: Memory<'a>,
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
        Self { facts, globs, matches: OnceCell::new(), memory: Memory::default() }
    }

    /// The values that expressions have read of these facts.
    pub(super) fn memory(&self) -> &Memory<'a> {
        &self.memory
    }

    pub(super) fn now(&self) -> Result<Timestamp, Stop> {
        self.facts.now.ok_or_else(|| Stop::Needs([FactKey::Now].into()))
    }

    /// Files and commits of the newest version; those of another one prove nothing.
    pub(super) fn code(&self) -> Result<&'a Code, Stop> {
        let code = known(self.facts.code.as_ref(), FactKey::Code)?;
        match &self.facts.versions {
            Some(Known::Value(versions))
                if newest(versions).is_some_and(|newest| newest.id != code.version) =>
            {
                Err(unknown("a push came while the facts were read"))
            }
            Some(_) | None => Ok(code),
        }
    }

    /// The newest diff version.
    ///
    /// GitLab: around a push the head that it shows and the newest version can differ for a moment. What is known of
    /// one version says nothing about another head.
    pub(super) fn newest_version(&self) -> Result<&'a Version, Stop> {
        let versions = known(self.facts.versions.as_ref(), FactKey::Versions)?;
        match newest(versions) {
            Some(version) if version.head == self.facts.merge_request.sha => Ok(version),
            Some(_) => Err(unknown("GitLab has no diff version of the newest push yet")),
            None => Err(unknown("GitLab lists no diff version of the merge request yet")),
        }
    }

    /// The paths that each changed file touches, in the order of [`Code::files`].
    pub(super) fn touched<'b>(&'b self, code: &'b Code) -> impl Iterator<Item = Touched<'b>> {
        let matches = self.matches(code);
        code.files.iter().zip(&matches.files).map(|(file, (new, old))| Touched {
            new: TouchedPath { path: &file.new_path, matches: new },
            old: old.as_ref().map(|old| TouchedPath { path: &file.old_path, matches: old }),
        })
    }

    /// Whether any touched path at all matches one of these globs: mostly none does, and no file need be looked at.
    pub(super) fn touches(&self, code: &Code, globs: &GlobIds) -> bool {
        self.matches(code).all.any(globs)
    }

    fn matches(&self, code: &Code) -> &Matches {
        self.matches.get_or_init(|| {
            let mut matches = Matches::default();
            for file in &code.files {
                let new = self.globs.matches(&file.new_path);
                let old = (file.old_path != file.new_path).then(|| self.globs.matches(&file.old_path));
                for path in old.iter().chain([&new]) {
                    matches.all.join(path);
                }
                matches.files.push((new, old));
            }
            matches
        })
    }
}

/// Which globs the paths of each file match, new and old, and all of them together.
#[derive(Debug, Default)]
struct Matches {
    files: Vec<(PathMatches, Option<PathMatches>)>,
    all: PathMatches,
}

fn newest(versions: &[Version]) -> Option<&Version> {
    versions.iter().max_by_key(|version| version.id)
}

/// A doubt that ends by itself.
fn unknown(why: &str) -> Stop {
    Stop::Unknown(Unknown { why: why.to_owned(), curable: true })
}
