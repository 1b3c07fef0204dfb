//! Just enough of git: branches, commits, and the files at a commit.

use std::collections::{BTreeMap, BTreeSet};

use super::diffs::Commit;
use crate::merge_request::CommitSha;

/// The files at one commit.
pub(super) type Tree = BTreeMap<String, Vec<u8>>;

/// What a project's repository holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Repository {
    branches: BTreeMap<String, CommitSha>,
    commits: BTreeMap<String, Commit>,
    trees: BTreeMap<String, Tree>,
}

impl Repository {
    /// The head of a branch.
    pub(super) fn branch(&self, name: &str) -> Option<&CommitSha> {
        self.branches.get(name)
    }

    /// A branch that stands at a commit.
    pub(super) fn branch_at(&self, sha: &CommitSha) -> Option<&str> {
        self.branches.iter().find(|(_, head)| *head == sha).map(|(name, _)| name.as_str())
    }

    /// A commit that a branch name or a SHA stands for.
    pub(super) fn commit(&self, reference: &str) -> Option<&Commit> {
        let sha = self.branches.get(reference).map_or(reference, CommitSha::as_str);
        self.commits.get(sha)
    }

    /// The commits that a branch or a SHA has and another one has not, newest first; none if one of them is unknown.
    pub(super) fn commits_since(&self, base: Option<&str>, head: &str) -> Option<Vec<&Commit>> {
        let before = match base {
            Some(base) => self.reachable(base, &BTreeSet::new())?,
            None => Vec::new(),
        };
        let before = before.iter().map(|commit| commit.sha.as_str()).collect();
        self.reachable(head, &before)
    }

    /// The newest commit that two branches or SHAs have in common.
    pub(super) fn merge_base(&self, one: &str, other: &str) -> Option<&Commit> {
        let common = self.reachable(one, &BTreeSet::new())?;
        let common: BTreeSet<_> = common.iter().map(|commit| commit.sha.as_str()).collect();
        let all = self.reachable(other, &BTreeSet::new())?;
        all.into_iter().find(|commit| common.contains(commit.sha.as_str()))
    }

    fn reachable<'a>(&'a self, head: &str, stop: &BTreeSet<&'a str>) -> Option<Vec<&'a Commit>> {
        let mut seen = stop.clone();
        let mut found = Vec::new();
        let mut next = vec![self.commit(head)?];
        while !next.is_empty() {
            next.retain(|commit| seen.insert(commit.sha.as_str()));
            found.extend(next.iter().copied());
            let parents = next.iter().flat_map(|commit| &commit.parents);
            next = parents.filter_map(|parent| self.commit(parent.as_str())).collect();
        }
        Some(found)
    }

    /// The files at a branch or a SHA; none if that is unknown.
    pub(super) fn tree(&self, reference: &str) -> Option<&Tree> {
        self.trees.get(self.commit(reference)?.sha.as_str())
    }

    /// Keeps a commit; it has its first parent's files unless it is known already.
    pub(super) fn add_commit(&mut self, commit: Commit) {
        let key = commit.sha.as_str().to_owned();
        if !self.trees.contains_key(&key) {
            let inherited = commit.parents.first().and_then(|parent| self.trees.get(parent.as_str()));
            let tree = inherited.cloned().unwrap_or_default();
            self.trees.insert(key.clone(), tree);
        }
        self.commits.entry(key).or_insert(commit);
    }

    /// Lets a branch stand at a commit.
    pub(super) fn set_branch(&mut self, name: &str, sha: CommitSha) {
        self.branches.insert(name.to_owned(), sha);
    }

    /// Writes or removes a file at a commit.
    pub(super) fn write(&mut self, sha: &CommitSha, path: &str, content: Option<&[u8]>) {
        let tree = self.trees.entry(sha.as_str().to_owned()).or_default();
        match content {
            Some(content) => tree.insert(path.to_owned(), content.to_vec()),
            None => tree.remove(path),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::digest;

    #[test]
    fn a_commit_has_the_files_of_its_parent_and_changes_nothing_behind_it() {
        let mut repository = Repository::default();
        let (one, two) = (digest::sha(1, "").unwrap(), digest::sha(2, "").unwrap());
        let commit = |sha: &CommitSha, parents: Vec<CommitSha>| Commit {
            sha: sha.clone(),
            message: String::new(),
            author_email: String::new(),
            committer_email: String::new(),
            parents,
            at: jiff::Timestamp::UNIX_EPOCH,
            signature: None,
        };
        repository.add_commit(commit(&one, vec![]));
        repository.write(&one, "a", Some(b"1"));
        repository.add_commit(commit(&two, vec![one.clone()]));
        repository.write(&two, "a", Some(b"2"));
        repository.set_branch("main", two.clone());
        assert_eq!(repository.tree("main").unwrap().get("a").unwrap(), b"2");
        assert_eq!(repository.tree(one.as_str()).unwrap().get("a").unwrap(), b"1");
        assert!(repository.tree("other").is_none());
        let since = |base: Option<&CommitSha>, head: &str| {
            let commits = repository.commits_since(base.map(CommitSha::as_str), head);
            commits.map(|commits| commits.iter().map(|commit| commit.sha.clone()).collect::<Vec<_>>())
        };
        assert_eq!(since(None, "main"), Some(vec![two.clone(), one.clone()]));
        assert_eq!(since(Some(&one), "main"), Some(vec![two.clone()]));
        assert_eq!((since(Some(&two), one.as_str()), since(None, "other")), (Some(vec![]), None));
        let base =
            |one: &str, other: &str| repository.merge_base(one, other).map(|commit| commit.sha.clone());
        assert_eq!(
            (base("main", one.as_str()), base(one.as_str(), "main")),
            (Some(one.clone()), Some(one.clone()))
        );
        assert_eq!((base("main", "main"), base("main", "other")), (Some(two.clone()), None));
    }
}
