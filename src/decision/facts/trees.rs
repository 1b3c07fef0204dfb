//! The files of a change that GitLab does not list, off the trees of its base and its head.
//!
//! GitLab cuts the list of files by its diff limits, but the folders of a commit can be read whole, and the same id of a
//! folder is the same content: only folders that differ are read. Base and head are commits of one version, so what is read
//! belongs to that push whatever is pushed meanwhile. git's guess of what was renamed is not made here: a path comes, goes or
//! differs. Whoever pushes can make a walk as long as they like, so it is bounded, and half of it proves nothing.

use std::collections::BTreeMap;

use futures_util::future;
use futures_util::stream::{self, StreamExt};

use super::diff_stats::newest_code;
use super::reader::Reader;
use super::size::fits;
use crate::decision::doubt::unknown;
use crate::gitlab::{CallAllowance, Error, TreeEntry};
use crate::merge_request::{CommitSha, ProjectId};
use crate::policy::fact::{ChangeKind, ChangedFile, Code, Facts, TreeChange, Unknown};

/// How many calls a walk may make.
const CALLS: usize = 200;
/// How many folders are read at the same time.
const AT_ONCE: usize = 4;
/// The mode of what is not there, as GitLab writes it.
const ABSENT: &str = "0";

/// A folder to be read, and on which sides it is there.
struct Folder {
    path: String,
    before: bool,
    after: bool,
}

impl Folder {
    /// How many calls it takes at least.
    fn sides(&self) -> usize {
        usize::from(self.before) + usize::from(self.after)
    }
}

/// What a folder, or all of them, came to.
#[derive(Default)]
struct Changes {
    files: Vec<ChangedFile>,
    folders: Vec<Folder>,
}

impl Reader<'_> {
    /// Those files of the newest version that its code does not list.
    pub(super) async fn unlisted_files(&self, facts: &Facts) -> Result<Vec<ChangedFile>, Unknown> {
        let (version, code) = newest_code(facts)?;
        let incurable = |why: &str| Unknown { why: why.to_owned(), curable: false };
        let base = version.base.as_ref().ok_or_else(|| {
            incurable("GitLab does not say where the source branch leaves the target branch")
        })?;
        let merge_request = facts.merge_request.merge_request;
        let (gitlab, project) = (self.gitlab, merge_request.project);
        let trees =
            Trees { gitlab, project, base, head: &version.head, allowance: CallAllowance::new(CALLS) };
        let walked = trees.walk().await?;
        let size = self.newest.read(self.gitlab, merge_request, version.id).await.map_err(unknown)?;
        unlisted(code, walked, size.real_size.as_deref()).map_err(|why| incurable(&why))
    }
}

/// Two trees side by side.
struct Trees<'a> {
    gitlab: &'a crate::gitlab::Client,
    // The target project has the head of every merge request, whatever became of the fork that it came from.
    project: ProjectId,
    base: &'a CommitSha,
    head: &'a CommitSha,
    allowance: CallAllowance,
}

impl Trees<'_> {
    async fn walk(&self) -> Result<Vec<ChangedFile>, Unknown> {
        let mut files = Vec::new();
        let mut level = vec![Folder { path: String::new(), before: true, after: true }];
        while !level.is_empty() {
            let read = stream::iter(level).map(|folder| self.compare(folder));
            let mut below = Vec::new();
            let mut unread = 0;
            for compared in read.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
                match compared.map_err(unknown)? {
                    Ok(changes) => {
                        files.extend(changes.files);
                        below.extend(changes.folders);
                    }
                    Err(sides) => unread += sides,
                }
            }
            if unread > 0 {
                let least = CALLS + unread + below.iter().map(Folder::sides).sum::<usize>();
                let why = format!(
                    "to find the others in the trees takes at least {least} calls of GitLab, and no more than {CALLS} are made"
                );
                return Err(Unknown { why, curable: false });
            }
            level = below;
        }
        Ok(files)
    }

    /// What differs between the two sides of a folder, or how many of them take more calls than are left.
    async fn compare(&self, folder: Folder) -> Result<Result<Changes, usize>, Error> {
        // What lies on one side alone differs wholly.
        let whole = folder.before != folder.after;
        let read = async |there: bool, sha| {
            if there {
                self.gitlab.tree(self.project, sha, &folder.path, whole, &self.allowance).await
            } else {
                Ok(Some(Vec::new()))
            }
        };
        let (before, after) =
            future::try_join(read(folder.before, self.base), read(folder.after, self.head)).await?;
        let unread = usize::from(before.is_none()) + usize::from(after.is_none());
        let (Some(before), Some(after)) = (before, after) else { return Ok(Err(unread)) };
        let (mut before, after) = (by_path(&folder, before)?, by_path(&folder, after)?);
        let mut changes = Changes::default();
        for (path, entry) in after {
            changes.add(before.remove(&path), Some(entry), whole);
        }
        for (_, entry) in before {
            changes.add(Some(entry), None, whole);
        }
        Ok(Ok(changes))
    }
}

/// A list that names a path twice, or one from elsewhere, is not to be trusted: pages may have overlapped.
fn by_path(folder: &Folder, entries: Vec<TreeEntry>) -> Result<BTreeMap<String, TreeEntry>, Error> {
    let malformed = |path: &str| Error::Malformed {
        route: "GET /projects/:id/repository/tree",
        reason: format!("`{path}` is there twice, or in another folder"),
    };
    let below = |path: &str| {
        folder.path.is_empty() || path.strip_prefix(&folder.path).is_some_and(|rest| rest.starts_with('/'))
    };
    let mut all = BTreeMap::new();
    for entry in entries {
        let path = entry.path.clone();
        if !below(&path) || all.insert(path.clone(), entry).is_some() {
            return Err(malformed(&path));
        }
    }
    Ok(all)
}

impl Changes {
    /// Takes in what is at one path before and after; `whole` if everything below was listed, too.
    fn add(&mut self, before: Option<TreeEntry>, after: Option<TreeEntry>, whole: bool) {
        if before == after {
            return;
        }
        let split = |entry: Option<TreeEntry>| match entry {
            Some(entry) if entry.is_folder() => (None, Some(entry.path)),
            file => (file, None),
        };
        let ((old, old_folder), (new, new_folder)) = (split(before), split(after));
        self.files.extend(changed_file(old, new));
        let (before, after) = (old_folder.is_some(), new_folder.is_some());
        let path = new_folder.or(old_folder).filter(|_| !whole);
        self.folders.extend(path.map(|path| Folder { path, before, after }));
    }
}

fn changed_file(old: Option<TreeEntry>, new: Option<TreeEntry>) -> Option<ChangedFile> {
    let change = match (&old, &new) {
        (None, None) => return None,
        (None, Some(_)) => TreeChange::Appears,
        (Some(_), None) => TreeChange::Disappears,
        (Some(_), Some(_)) => TreeChange::Differs,
    };
    let mode = |entry: &Option<TreeEntry>| {
        entry.as_ref().map_or_else(|| ABSENT.to_owned(), |entry| entry.mode.clone())
    };
    let (old_mode, new_mode) = (mode(&old), mode(&new));
    let path = new.or(old)?.path;
    Some(ChangedFile {
        old_path: path.clone(),
        new_path: path,
        old_mode,
        new_mode,
        kind: ChangeKind::Unlisted(change),
        lines: None,
        binary: None,
        generated: None,
        hunks_sha256: None,
    })
}

/// Those that the code does not list, in the order of their paths; the error says what does not fit.
fn unlisted(code: &Code, walked: Vec<ChangedFile>, size: Option<&str>) -> Result<Vec<ChangedFile>, String> {
    let mut found: BTreeMap<String, ChangedFile> =
        walked.into_iter().map(|file| (file.new_path.clone(), file)).collect();
    for path in code.listed().flat_map(|file| [&file.old_path, &file.new_path]) {
        if !found.contains_key(path) {
            return Err(format!("the trees do not show that `{path}` changes, which GitLab lists"));
        }
    }
    for path in code.listed().flat_map(|file| [&file.old_path, &file.new_path]) {
        found.remove(path);
    }
    let rest: Vec<_> = found.into_values().collect();
    let count = |change| rest.iter().filter(|file| file.kind == ChangeKind::Unlisted(change)).count();
    let (appear, disappear) = (count(TreeChange::Appears), count(TreeChange::Disappears));
    let listed = code.listed().count();
    // A file that goes and one that comes may be one that moved.
    let (least, most) = (listed + rest.len() - appear.min(disappear), listed + rest.len());
    let counted = size.unwrap_or_default();
    fits(size, least..=most)
        .then_some(rest)
        .ok_or_else(|| format!("GitLab counts {counted} files, and the trees show {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_request::VersionId;

    fn file(old: Option<&str>, new: Option<&str>, path: &str) -> ChangedFile {
        let entry = |id: &str| TreeEntry {
            id: id.to_owned(),
            r#type: "blob".to_owned(),
            path: path.to_owned(),
            mode: "100644".to_owned(),
        };
        changed_file(old.map(entry), new.map(entry)).unwrap()
    }

    fn code(paths: &[&str]) -> Code {
        let listed =
            |path: &&str| ChangedFile { kind: ChangeKind::Modified, ..file(Some("1"), Some("2"), path) };
        let files = paths.iter().map(listed).collect();
        Code { version: VersionId::new(1), files, complete: false, commits: Vec::new() }
    }

    #[test]
    fn what_the_list_and_the_trees_say_must_fit() {
        let walked =
            || vec![file(Some("1"), Some("2"), "a"), file(Some("1"), None, "b"), file(None, Some("1"), "c")];
        let rest = unlisted(&code(&["a"]), walked(), Some("1+")).unwrap();
        assert_eq!(rest.iter().map(|file| file.new_path.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert!(unlisted(&code(&["z"]), walked(), Some("1+")).is_err(), "listed, and not in the trees");
        for (size, fits) in [
            ("2", true),
            ("3", true),
            ("1", false),
            ("4", false),
            ("3+", true),
            ("4+", false),
            ("many", false),
        ] {
            assert_eq!(unlisted(&code(&["a"]), walked(), Some(size)).is_ok(), fits, "{size}");
        }
    }

    #[test]
    fn a_path_that_is_listed_twice_or_from_elsewhere_is_no_list() {
        let entry = |path: &str| TreeEntry {
            id: "1".to_owned(),
            r#type: "blob".to_owned(),
            path: path.to_owned(),
            mode: "100644".to_owned(),
        };
        let folder = Folder { path: "a".to_owned(), before: true, after: true };
        assert!(by_path(&folder, vec![entry("a/b"), entry("a/c")]).is_ok());
        assert!(by_path(&folder, vec![entry("a/b"), entry("a/b")]).is_err());
        assert!(by_path(&folder, vec![entry("ab/c")]).is_err());
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_both() {
        let entry = |kind: &str| TreeEntry {
            id: "1".to_owned(),
            r#type: kind.to_owned(),
            path: "a".to_owned(),
            mode: "100644".to_owned(),
        };
        let mut changes = Changes::default();
        changes.add(Some(entry("blob")), Some(entry("tree")), false);
        assert_eq!(changes.files[0].kind, ChangeKind::Unlisted(TreeChange::Disappears));
        assert_eq!((changes.folders[0].before, changes.folders[0].after), (false, true));
        let mut same = Changes::default();
        same.add(Some(entry("tree")), Some(entry("tree")), false);
        assert!(same.files.is_empty() && same.folders.is_empty(), "the same id is the same content");
        let mut submodule = Changes::default();
        submodule.add(Some(entry("blob")), Some(entry("commit")), false);
        assert_eq!(submodule.files[0].kind, ChangeKind::Unlisted(TreeChange::Differs));
    }
}
