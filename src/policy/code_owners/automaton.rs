//! All patterns of a file together: a path is looked at once, and not once for each entry.
//!
//! A folder's pattern is matched against the folders that the path lies in, where a name is found by its hash: as the
//! beginning of any path it would be one more way through the automaton at every `/`. Patterns that are no plain names go
//! into several automata of a bounded size, for one of thousands would be built anew at every step.

use globset::{Candidate, Error, Glob, GlobSet, GlobSetBuilder};

/// How many patterns one automaton has.
const PATTERNS: usize = 128;

/// What a pattern is matched against.
#[derive(Debug, Clone)]
pub(super) enum PathGlob {
    /// The path itself.
    File(Glob),
    /// One of the folders that it lies in.
    Folder(Glob),
}

/// The patterns of all entries.
#[derive(Debug)]
pub(super) struct Automaton {
    files: Vec<Part>,
    folders: Vec<Part>,
}

/// Some of the patterns, with the entry of each.
#[derive(Debug)]
struct Part {
    globs: GlobSet,
    entries: Vec<usize>,
}

impl Automaton {
    /// From the patterns with the number of the entry of each.
    pub(super) fn build(patterns: Vec<(usize, PathGlob)>) -> Result<Self, Error> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for (entry, glob) in patterns {
            match glob {
                PathGlob::File(glob) => files.push((entry, glob)),
                PathGlob::Folder(glob) => folders.push((entry, glob)),
            }
        }
        Ok(Self { files: parts(&files)?, folders: parts(&folders)? })
    }

    /// The entries that match a path, in their order, each once.
    pub(super) fn matches(&self, path: &str) -> Vec<usize> {
        let (mut found, mut room) = (Vec::new(), Vec::new());
        find(&self.files, path, &mut room, &mut found);
        for (at, _) in path.match_indices('/') {
            find(&self.folders, path.get(..at).unwrap_or_default(), &mut room, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn parts(patterns: &[(usize, Glob)]) -> Result<Vec<Part>, Error> {
    let part = |patterns: &[(usize, Glob)]| {
        let mut builder = GlobSetBuilder::new();
        for (_, glob) in patterns {
            builder.add(glob.clone());
        }
        let entries = patterns.iter().map(|(entry, _)| *entry).collect();
        builder.build().map(|globs| Part { globs, entries })
    };
    patterns.chunks(PATTERNS).map(part).collect()
}

fn find(parts: &[Part], path: &str, room: &mut Vec<usize>, found: &mut Vec<usize>) {
    let candidate = Candidate::new(path);
    for part in parts {
        part.globs.matches_candidate_into(&candidate, room);
        found.extend(room.iter().filter_map(|glob| part.entries.get(*glob)));
    }
}
