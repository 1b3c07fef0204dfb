//! The trees of commits.
//!
//! What was pushed to a merge request is said as files that changed, so the trees follow from that: what a version changes,
//! deletes or moves was there at its base, and its head has all of the base but for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diffs::{ABSENT, DiffVersion, FileChange, Kind};
use super::digest;
use super::snapshot::{Files, Snapshot, id_of};
use super::world::World;
use crate::merge_request::{CommitSha, ProjectId};

impl World {
    /// The folders at a commit of a project; kept until something is pushed.
    pub(super) fn snapshot(&mut self, project: ProjectId, sha: &CommitSha) -> Arc<Snapshot> {
        let key = (project, sha.clone());
        if let Some(kept) = self.snapshots.get(&key) {
            return Arc::clone(kept);
        }
        let made = Arc::new(Snapshot::of(self.files_at(project, sha)));
        self.snapshots.insert(key, Arc::clone(&made));
        made
    }

    fn files_at(&self, project: ProjectId, sha: &CommitSha) -> Files {
        let Some(version) = self.versions_of(project).filter(|version| version.head == *sha).last() else {
            return self.base_files(project, sha);
        };
        let mut files = self.base_files(project, &version.base);
        let mut moved = BTreeMap::new();
        for file in version.files.iter().filter(|file| file.kind != Kind::Added) {
            moved.extend(files.remove(&file.old_path).map(|old| (file.old_path.as_str(), old)));
        }
        for file in version.files.iter().filter(|file| file.kind != Kind::Deleted) {
            let unchanged = moved.get(file.old_path.as_str()).filter(|_| file.diff.is_empty());
            let id = match unchanged {
                Some((_, id)) => id.clone(),
                None => id_of(&format!("{} {} {}", version.head, file.new_path, file.diff)),
            };
            files.insert(file.new_path.clone(), (file.modes.1.clone(), id));
        }
        files
    }

    /// The files at a commit that nothing but versions build upon: those that were written, and those that must have been there.
    fn base_files(&self, project: ProjectId, sha: &CommitSha) -> Files {
        let written = self.projects.get(&project).and_then(|project| project.repository.tree(sha.as_str()));
        let mut files: Files = written
            .into_iter()
            .flatten()
            .map(|(path, content)| {
                (path.clone(), ("100644".to_owned(), digest::hex_of(content).chars().take(40).collect()))
            })
            .collect();
        let was_there = |file: &&FileChange| file.modes.0 != ABSENT;
        for version in self.versions_of(project).filter(|version| version.base == *sha) {
            for file in version.files.iter().filter(was_there) {
                let content = (file.modes.0.clone(), id_of(&file.old_path));
                files.entry(file.old_path.clone()).or_insert(content);
            }
        }
        files
    }

    fn versions_of(&self, project: ProjectId) -> impl Iterator<Item = &DiffVersion> {
        let concerns = move |which: &crate::merge_request::MergeRequestRef| which.project == project;
        self.merge_requests
            .iter()
            .filter(move |(which, merge_request)| {
                concerns(which) || merge_request.source_project == Some(project)
            })
            .flat_map(|(_, merge_request)| &merge_request.versions)
    }
}
