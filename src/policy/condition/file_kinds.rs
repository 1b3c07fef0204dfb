//! Kinds of changed files: which of the paths that a file touches are of which kind.
//!
//! A rename takes a path away and brings another one: the old path is deleted, the new one added, and both are renamed.
//! What was there before and is there after, with other content, is modified, however the list words that: a file that a
//! symlink replaces is listed as deleted and as added.

use std::collections::BTreeSet;

use crate::policy::fact::{ChangeKind, ChangedFile, Code, LineCount, TreeChange};
use crate::policy::view::{TouchedPath, View};

/// Files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    Changed,
    Added,
    Modified,
    Deleted,
    Renamed,
    Binary,
    Generated,
}

/// Whether a path is of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Sure,
    /// GitLab left out what would tell.
    Open,
}

impl Selection {
    /// The key that asks for them.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Changed => "changed_files",
            Self::Added => "added_files",
            Self::Modified => "modified_files",
            Self::Deleted => "deleted_files",
            Self::Renamed => "renamed_files",
            Self::Binary => "binary_files",
            Self::Generated => "generated_files",
        }
    }

    /// What such a file is.
    pub(super) fn adjective(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
            Self::Binary => "binary",
            Self::Generated => "generated",
        }
    }

    /// What makes such a file: a verb and its object.
    pub(super) fn deed(self) -> (&'static str, &'static str) {
        match self {
            Self::Changed => ("change", "path"),
            Self::Added => ("add", "file"),
            Self::Modified => ("modify", "file"),
            Self::Deleted => ("delete", "file"),
            Self::Renamed => ("rename", "file"),
            Self::Binary => ("change", "binary file"),
            Self::Generated => ("change", "generated file"),
        }
    }

    /// Shows every path of this kind, in the order of the files. (A loop: chained iterators take three times as long.)
    pub(super) fn for_each_path<'b>(
        self,
        view: &'b View<'_>,
        code: &'b Code,
        mut look: impl FnMut(TouchedPath<'b>, Certainty),
    ) {
        let replaced = if self == Self::Modified { replaced(code) } else { BTreeSet::new() };
        let again = |path: &str| (!replaced.is_empty() && replaced.contains(path)).then_some(Certainty::Sure);
        for (file, touched) in code.files.iter().zip(view.touched(code)) {
            let (before, after) = self.certainty(file);
            if let Some(old) = touched.old
                && let Some(certainty) = before.or_else(|| again(old.path))
            {
                look(old, certainty);
            }
            if let Some(certainty) = after.or_else(|| again(touched.new.path)) {
                look(touched.new, certainty);
            }
        }
    }

    /// Whether the path before and the path after are of this kind.
    fn certainty(self, file: &ChangedFile) -> (Option<Certainty>, Option<Certainty>) {
        let sure = |is: bool| is.then_some(Certainty::Sure);
        let twice = |certainty| (certainty, certainty);
        let renamed = file.kind == ChangeKind::Renamed;
        if let ChangeKind::Unlisted(change) = file.kind {
            return twice(self.certainty_by_trees(change));
        }
        match self {
            Self::Changed => twice(sure(true)),
            Self::Added => {
                (sure(file.kind == ChangeKind::Added), sure(file.kind == ChangeKind::Added || renamed))
            }
            Self::Deleted => {
                (sure(file.kind == ChangeKind::Deleted || renamed), sure(file.kind == ChangeKind::Deleted))
            }
            Self::Renamed => twice(sure(renamed)),
            Self::Modified if renamed => twice(altered(file)),
            Self::Modified => twice(sure(file.kind == ChangeKind::Modified)),
            Self::Binary => twice(told(file.binary)),
            Self::Generated => twice(told(file.generated)),
        }
    }

    /// The same of a path of which only the trees tell. A rename adds one path and deletes another, so those two kinds are sure;
    /// whether it is a rename, and whether its text was altered then, nobody said.
    fn certainty_by_trees(self, change: TreeChange) -> Option<Certainty> {
        let (sure, open) = (Some(Certainty::Sure), Some(Certainty::Open));
        match (self, change) {
            (Self::Changed, _)
            | (Self::Added, TreeChange::Appears)
            | (Self::Deleted, TreeChange::Disappears)
            | (Self::Modified, TreeChange::Differs) => sure,
            (Self::Added | Self::Deleted, _) | (Self::Renamed, TreeChange::Differs) => None,
            (Self::Modified | Self::Renamed, TreeChange::Appears | TreeChange::Disappears)
            | (Self::Binary | Self::Generated, _) => open,
        }
    }
}

/// What GitLab says of a file; where it says nothing, it may be.
fn told(is: Option<bool>) -> Option<Certainty> {
    match is {
        Some(true) => Some(Certainty::Sure),
        Some(false) => None,
        None => Some(Certainty::Open),
    }
}

/// Whether a file that moved was altered on the way.
fn altered(file: &ChangedFile) -> Option<Certainty> {
    // git says that binary files differ only of those that do.
    if file.old_mode != file.new_mode || file.binary == Some(true) {
        return Some(Certainty::Sure);
    }
    told(file.lines.map(|lines| lines != LineCount { added: 0, removed: 0 }))
}

/// Paths that one file leaves and another one takes.
fn replaced(code: &Code) -> BTreeSet<&str> {
    let of = |kinds: [ChangeKind; 2]| code.files.iter().filter(move |file| kinds.contains(&file.kind));
    let left: BTreeSet<_> =
        of([ChangeKind::Deleted, ChangeKind::Renamed]).map(|file| file.old_path.as_str()).collect();
    let taken = of([ChangeKind::Added, ChangeKind::Renamed]).map(|file| file.new_path.as_str());
    taken.filter(|path| left.contains(path)).collect()
}
