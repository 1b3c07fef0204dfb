//! Folders and files at a commit, with ids as git gives them: the same id is the same content, of a folder all that is in it.

use std::collections::{BTreeMap, BTreeSet};

use super::diffs::SUBMODULE;
use super::digest;

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) path: String,
    pub(super) mode: String,
}

/// All folders at one commit.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    folders: BTreeMap<String, Vec<Entry>>,
}

/// Mode and id of each file.
pub(super) type Files = BTreeMap<String, (String, String)>;

impl Snapshot {
    /// Of mode and id of each file.
    pub(super) fn of(files: Files) -> Self {
        let mut folders: BTreeMap<String, Vec<Entry>> = BTreeMap::from([(String::new(), Vec::new())]);
        let mut missing: BTreeSet<String> = BTreeSet::new();
        for (path, (mode, id)) in files {
            let (folder, name) = split(&path);
            let kind = if mode == SUBMODULE { "commit" } else { "blob" };
            let (folder, name) = (folder.to_owned(), name.to_owned());
            missing.extend(ancestors(&folder).map(str::to_owned));
            folders.entry(folder).or_default().push(Entry { id, name, kind, path, mode });
        }
        // The deepest first: a folder's id is made of the ids in it.
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_by_key(|path| std::cmp::Reverse(path.matches('/').count()));
        for path in missing {
            let inside = folders.entry(path.clone()).or_default();
            inside.sort_by(|one, other| one.name.cmp(&other.name));
            let content: Vec<String> =
                inside.iter().map(|entry| format!("{} {} {}\0", entry.mode, entry.name, entry.id)).collect();
            let (folder, name) = split(&path);
            let (folder, name) = (folder.to_owned(), name.to_owned());
            let entry =
                Entry { id: id_of(&content.concat()), name, kind: "tree", path, mode: "040000".to_owned() };
            folders.entry(folder).or_default().push(entry);
        }
        for inside in folders.values_mut() {
            inside.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Self { folders }
    }

    /// What lies in a folder, or in it and below; none if there is no such folder.
    pub(super) fn list(&self, folder: &str, recursive: bool) -> Option<Vec<&Entry>> {
        let mut entries = Vec::new();
        for entry in self.folders.get(folder)? {
            entries.push(entry);
            if recursive && entry.kind == "tree" {
                entries.extend(self.list(&entry.path, true).unwrap_or_default());
            }
        }
        Some(entries)
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A folder and those that it is in, but for the root.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    let first = Some(folder).filter(|folder| !folder.is_empty());
    std::iter::successors(first, |folder| folder.rsplit_once('/').map(|(above, _)| above))
}

/// An id as git would give it.
pub(super) fn id_of(content: &str) -> String {
    digest::hex_of(content.as_bytes()).chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(files: &[(&str, &str)]) -> Snapshot {
        let file = |(path, id): &(&str, &str)| ((*path).to_owned(), ("100644".to_owned(), (*id).to_owned()));
        Snapshot::of(files.iter().map(file).collect())
    }

    #[test]
    fn a_folder_has_the_same_id_exactly_if_all_in_it_is_the_same() {
        let one = snapshot(&[("a/b/c", "1"), ("a/d", "2"), ("e/f", "3"), ("g", "4")]);
        let other = snapshot(&[("a/b/c", "1"), ("a/d", "9"), ("e/f", "3"), ("g", "4")]);
        let id = |of: &Snapshot, folder: &str, name: &str| {
            let entries = of.list(folder, false).unwrap();
            entries.iter().find(|entry| entry.name == name).unwrap().id.clone()
        };
        assert_ne!(id(&one, "", "a"), id(&other, "", "a"));
        assert_eq!(id(&one, "", "e"), id(&other, "", "e"));
        assert_eq!(id(&one, "a", "b"), id(&other, "a", "b"));
        let deep: Vec<_> = one.list("", true).unwrap().iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(deep, ["a", "a/b", "a/b/c", "a/d", "e", "e/f", "g"]);
        assert!(one.list("nowhere", false).is_none());
    }
}
