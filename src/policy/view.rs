//! What a condition sees: the facts, and which path patterns of the set the changed files match.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::code_owners::CodeOwners;
use super::expression::value::Memory;
use super::fact::{ChangedFile, Code, Commit, DiffStats, FactKey, Facts, Known, Unknown, Version};
use super::finding::{Stop, both, known};
use super::pattern::{GlobIds, PathGlobs, PathMatches};

/// The facts of one evaluation.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    globs: &'a PathGlobs,
    matches: OnceCell<Matches>,
    code_owners: OnceCell<Result<CodeOwners, String>>,
    winners: OnceCell<Vec<(&'a str, Vec<usize>)>>,
    memory: Memory<'a>,
}

/// What the CODEOWNERS file says of the touched paths.
#[derive(Clone, Copy)]
pub(super) struct OwnedPaths<'b> {
    pub(super) file: &'b CodeOwners,
    pub(super) code: &'b Code,
    /// Every touched path with the entries that win for it ([`CodeOwners::winners`]).
    pub(super) paths: &'b [(&'b str, Vec<usize>)],
}

/// What one changed file touches: a rename touches the path that it leaves, too.
pub(super) struct Touched<'a> {
    /// The path after the change.
    pub(super) new: TouchedPath<'a>,
    /// The path before, where it is another one.
    pub(super) old: Option<TouchedPath<'a>>,
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
    /// Whether one of these patterns matches it.
    pub(super) fn matches(&self, globs: &GlobIds) -> bool {
        self.matches.any(globs)
    }
}

impl<'a> View<'a> {
    pub(super) fn new(facts: &'a Facts, globs: &'a PathGlobs) -> Self {
        let (matches, code_owners, winners) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { facts, globs, matches, code_owners, winners, memory: Memory::default() }
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

    /// The commits of the newest version, if the head is among them: a list without it is another push's, or a part, and
    /// proves nothing of who made the change or of what they wrote.
    pub(super) fn commits(&self) -> Result<&'a [Commit], Stop> {
        let commits = self.code()?.commits.as_slice();
        if commits.iter().any(|commit| commit.sha == self.facts.merge_request.sha) {
            Ok(commits)
        } else {
            Err(unknown("GitLab does not list the commits of the newest push"))
        }
    }

    /// That the files of the code are all that change; else what tells the others, or why they can't be had.
    pub(super) fn prove_whole(&self, code: &Code) -> Result<(), Stop> {
        if code.complete {
            return Ok(());
        }
        match known(self.facts.unlisted_files.as_ref(), FactKey::UnlistedFiles) {
            Ok(()) => Err(unknown("a push came while the facts were read")),
            Err(stop) => Err(stop),
        }
    }

    /// How many lines change in each file of the code, listed or not.
    pub(super) fn diff_stats(&self, code: &Code) -> Result<&'a DiffStats, Stop> {
        let stats = known(self.facts.diff_stats.as_ref(), FactKey::DiffStats)?;
        let same = stats.version == code.version;
        same.then_some(stats).ok_or_else(|| unknown("a push came while the facts were read"))
    }

    /// Whether one of these patterns matches a path that is none of [`View::touched`].
    pub(super) fn matches_path(&self, path: &str, globs: &GlobIds) -> bool {
        self.globs.matches(path).any(globs)
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

    /// The CODEOWNERS file of the target branch, read once; none if there is none.
    pub(super) fn code_owners(&self) -> Result<Option<&CodeOwners>, Stop> {
        let file = known(self.facts.code_owners.as_ref(), FactKey::CodeOwners)?;
        let Some(file) = file else { return Ok(None) };
        match self.code_owners.get_or_init(|| CodeOwners::parse(file)) {
            Ok(owners) => Ok(Some(owners)),
            Err(why) => Err(Stop::Unknown(Unknown { why: why.clone(), curable: false })),
        }
    }

    /// What it says of the touched paths; none if there is no such file.
    pub(super) fn owned_paths(&self) -> Result<Option<OwnedPaths<'_>>, Stop> {
        let file = match self.code_owners() {
            Ok(None) => return Ok(None),
            Ok(Some(file)) => Ok(file),
            Err(stop) => Err(stop),
        };
        let (file, code) = both(file, self.code())?;
        let paths = self.winners.get_or_init(|| {
            let moved = |file: &ChangedFile| file.old_path != file.new_path;
            let old = |file: &'a ChangedFile| moved(file).then_some(file.old_path.as_str());
            let touched =
                code.files.iter().flat_map(|file| old(file).into_iter().chain([file.new_path.as_str()]));
            touched.map(|path| (path, file.winners(path))).collect()
        });
        Ok(Some(OwnedPaths { file, code, paths }))
    }

    /// The paths that each changed file touches, in the order of [`Code::files`].
    pub(super) fn touched<'b>(&'b self, code: &'b Code) -> impl Iterator<Item = Touched<'b>> {
        let matches = self.matches(code);
        code.files.iter().zip(&matches.files).map(|(file, (new, old))| Touched {
            new: TouchedPath { path: &file.new_path, matches: new },
            old: old.as_ref().map(|old| TouchedPath { path: &file.old_path, matches: old }),
        })
    }

    /// Whether any touched path at all matches one of these patterns: mostly none does, and no file need be looked at.
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

/// Which patterns the paths of each file match, new and old, and all of them together.
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
