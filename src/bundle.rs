//! The policies in force: read from a directory, swapped as a whole, never worse than the last good set.
//!
//! Loading compares contents and never times: a [`Bundle::reload`] may be called as often as anybody likes. A set
//! that does not compile never replaces one that did; the bundle remembers since when it could not be replaced, so
//! that others can refuse to pass anything on policies that are too old.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use crate::companion::Companion;
use crate::policy::{Diagnostics, PolicySet, PolicySource, Revision};

/// The longest file that is read at all; the compiler's own limit is smaller and says so better.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The deepest folder below the directory.
const MAX_DEPTH: usize = 16;
/// The largest number of policy files.
const MAX_FILES: usize = 2_000;

/// The policies that ship, compiled in: what `demo` runs with.
const SHIPPED: [(&str, &str); 5] = [
    ("code-review.yaml", include_str!("../policies/code-review.yaml")),
    ("conventional-title.yaml", include_str!("../policies/conventional-title.yaml")),
    ("pipeline-and-threads.yaml", include_str!("../policies/pipeline-and-threads.yaml")),
    ("protected-paths.yaml", include_str!("../policies/protected-paths.yaml")),
    ("release-branches.yaml", include_str!("../policies/release-branches.yaml")),
];

/// Why there is no set of policies.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The policies do not compile.
    #[error("{diagnostics}")]
    Policies {
        /// Everything that is wrong.
        diagnostics: Diagnostics,
        /// The texts that were compiled.
        sources: Vec<PolicySource>,
    },
    /// A file or folder could not be read.
    #[error("`{}` can't be read: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is no policy where policies were looked for.
    #[error("`{}` holds no policy: put a `.yaml` file there, or name another directory", .0.display())]
    Empty(PathBuf),
    /// A folder nests too deep, or holds too many files.
    #[error("`{}` is no directory of policies: it nests deeper than {MAX_DEPTH} or holds more than {MAX_FILES} files", .0.display())]
    TooLarge(PathBuf),
}

impl LoadError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

/// Reads the policy texts below a directory, or one file; paths are relative to the directory and sorted.
///
/// Hidden files, and folders such as the `..data` of a mounted Kubernetes volume, are left out; links are followed, so
/// the files of such a volume are found once, where it shows them.
pub fn read(path: &Path) -> Result<Vec<PolicySource>, LoadError> {
    let metadata = fs::metadata(path).map_err(LoadError::io(path))?;
    if !metadata.is_dir() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![PolicySource { path: name, text: read_text(path)? }]);
    }
    let mut walk = Walk { root: path, visited: BTreeSet::new(), sources: Vec::new() };
    walk.folder(path, 0)?;
    if walk.sources.is_empty() {
        return Err(LoadError::Empty(path.to_owned()));
    }
    walk.sources.sort();
    Ok(walk.sources)
}

/// Reads and compiles a directory of policies.
pub fn load(path: &Path) -> Result<Arc<PolicySet>, LoadError> {
    compile(read(path)?)
}

/// The texts of the policies that ship.
pub fn shipped() -> Vec<PolicySource> {
    SHIPPED
        .iter()
        .map(|(path, text)| PolicySource { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}

fn compile(sources: Vec<PolicySource>) -> Result<Arc<PolicySet>, LoadError> {
    match PolicySet::compile(&sources) {
        Ok(set) => Ok(Arc::new(set)),
        Err(diagnostics) => Err(LoadError::Policies { diagnostics, sources }),
    }
}

struct Walk<'a> {
    root: &'a Path,
    visited: BTreeSet<PathBuf>,
    sources: Vec<PolicySource>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), LoadError> {
        if depth > MAX_DEPTH {
            return Err(LoadError::TooLarge(self.root.to_owned()));
        }
        // A link may lead back up: each folder is read once.
        if !self.visited.insert(fs::canonicalize(folder).map_err(LoadError::io(folder))?) {
            return Ok(());
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(LoadError::io(folder))? {
            paths.push(entry.map_err(LoadError::io(folder))?.path());
        }
        paths.sort();
        for path in paths {
            self.entry(&path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            return Ok(());
        }
        if fs::metadata(path).map_err(LoadError::io(path))?.is_dir() {
            return self.folder(path, depth + 1);
        }
        if !is_policy(&name) {
            return Ok(());
        }
        if self.sources.len() >= MAX_FILES {
            return Err(LoadError::TooLarge(self.root.to_owned()));
        }
        let relative = path.strip_prefix(self.root).unwrap_or(path);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        self.sources.push(PolicySource { path: parts.join("/"), text: read_text(path)? });
        Ok(())
    }
}

/// Whether a file's name says that it is a policy, and not the cases that test one.
fn is_policy(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem.strip_suffix(".cases").is_none())
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let mut text = String::new();
    let file = File::open(path).map_err(LoadError::io(path))?;
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(LoadError::io(path))?;
    Ok(text)
}

/// One set of policies, since when it is in force.
#[derive(Debug)]
pub struct Snapshot {
    /// The compiled policies.
    pub set: Arc<PolicySet>,
    /// When they were loaded.
    pub loaded_at: Timestamp,
}

impl Snapshot {
    /// Which content this is.
    pub fn revision(&self) -> &Revision {
        self.set.revision()
    }
}

/// Why the newest policies are not in force.
#[derive(Debug)]
pub struct Trouble {
    /// Since when loading has failed.
    pub since: Timestamp,
    /// What the newest attempt said.
    pub error: LoadError,
}

/// What a reload came to.
#[derive(Debug)]
pub enum Reloaded {
    /// The content is that in force, or is another one for the first time.
    Unchanged,
    /// Another content is in force now.
    Replaced(Revision),
    /// The content can't be used; the last good one stays in force.
    Broken(Arc<Trouble>),
}

/// The policies in force, and where newer ones come from.
#[derive(Debug)]
pub struct Bundle {
    directory: Option<PathBuf>,
    current: ArcSwap<Snapshot>,
    trouble: ArcSwapOption<Trouble>,
    /// What the last reload found and did not yet put in force.
    reloading: Mutex<Option<Revision>>,
}

impl Bundle {
    /// Starts with the policies of a directory; a broken one is refused.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, LoadError> {
        Ok(Self::with(load(directory)?, Some(directory.to_owned()), now))
    }

    /// Starts with the policies that ship; a reload changes nothing.
    pub fn embedded(now: Timestamp) -> Result<Self, LoadError> {
        Ok(Self::with(compile(shipped())?, None, now))
    }

    fn with(set: Arc<PolicySet>, directory: Option<PathBuf>, now: Timestamp) -> Self {
        let current = ArcSwap::from_pointee(Snapshot { set, loaded_at: now });
        Self { directory, current, trouble: ArcSwapOption::empty(), reloading: Mutex::new(None) }
    }

    /// The set in force; it stays usable, whatever is loaded meanwhile.
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Why the newest policies are not in force, and since when; none when they are.
    pub fn trouble(&self) -> Option<Arc<Trouble>> {
        self.trouble.load_full()
    }

    /// Whether an event may change what the policies say of merge requests of a project, none where it is not known which
    /// one it is. While those on disk can't be used it may in any case: which ones come is not known.
    pub fn is_moved_by(&self, companion: Companion, project: Option<&str>) -> bool {
        self.trouble().is_some() || self.current().set.is_moved_by(companion, project)
    }

    /// Reads the directory again and puts its policies in force if they are others, compile, and are the same as at the
    /// reload before: in the middle of a checkout a file is cut short or missing, and what is left may read as a set that
    /// asks for less.
    pub fn reload(&self, now: Timestamp) -> Reloaded {
        let Some(directory) = &self.directory else { return Reloaded::Unchanged };
        let mut found = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = found.take();
        match self.newer(directory) {
            Ok(None) => {
                self.trouble.store(None);
                Reloaded::Unchanged
            }
            Ok(Some(set)) => {
                let revision = set.revision().clone();
                if before.as_ref() != Some(&revision) {
                    *found = Some(revision);
                    return Reloaded::Unchanged;
                }
                self.current.store(Arc::new(Snapshot { set, loaded_at: now }));
                self.trouble.store(None);
                Reloaded::Replaced(revision)
            }
            Err(error) => {
                let since = self.trouble().map_or(now, |trouble| trouble.since);
                let trouble = Arc::new(Trouble { since, error });
                self.trouble.store(Some(Arc::clone(&trouble)));
                Reloaded::Broken(trouble)
            }
        }
    }

    fn newer(&self, directory: &Path) -> Result<Option<Arc<PolicySet>>, LoadError> {
        let sources = read(directory)?;
        if Revision::of(&sources) == *self.current().revision() {
            return Ok(None);
        }
        compile(sources).map(Some)
    }
}

#[cfg(test)]
mod tests;
