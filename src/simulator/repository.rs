//! Just enough of git: branches, commits, and the files at a commit.

use std::collections::BTreeMap;

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

    /// A commit that a branch name or a SHA stands for.
    pub(super) fn commit(&self, reference: &str) -> Option<&Commit> {
        let sha = self.branches.get(reference).map_or(reference, CommitSha::as_str);
        self.commits.get(sha)
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
        };
        repository.add_commit(commit(&one, vec![]));
        repository.write(&one, "a", Some(b"1"));
        repository.add_commit(commit(&two, vec![one.clone()]));
        repository.write(&two, "a", Some(b"2"));
        repository.set_branch("main", two);
        assert_eq!(repository.tree("main").unwrap().get("a").unwrap(), b"2");
        assert_eq!(repository.tree(one.as_str()).unwrap().get("a").unwrap(), b"1");
        assert!(repository.tree("other").is_none());
    }
}
