//! The floor: `globset` alone. All patterns of all rules as one set, each path looked at once, nothing said.

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// All patterns as one automaton.
pub struct Floor(GlobSet);

impl Floor {
    pub fn new(patterns: &[String]) -> Self {
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(glob(pattern));
        }
        Self(builder.build().expect("a set"))
    }

    /// How many patterns match, over all paths.
    pub fn matches(&self, paths: &[String]) -> usize {
        let (mut matching, mut count) = (Vec::new(), 0);
        for path in paths {
            self.0.matches_into(path, &mut matching);
            count += matching.len();
        }
        count
    }
}

/// Whether a path matches one of `any` and none of `except`: one glob after the other, so that nothing is shared with
/// what this is to prove.
pub fn touched(any: &[String], except: &[String], paths: &[String]) -> bool {
    let compiled = |patterns: &[String]| -> Vec<GlobMatcher> {
        patterns.iter().map(|pattern| glob(pattern).compile_matcher()).collect()
    };
    let (any, except) = (compiled(any), compiled(except));
    let fits = |globs: &[GlobMatcher], path: &str| globs.iter().any(|glob| glob.is_match(path));
    paths.iter().any(|path| fits(&any, path) && !fits(&except, path))
}

/// What a pattern means as a glob: one without a slash matches at any depth, one that ends with a slash what is below.
/// (The rules have none that names a folder without its slash, which would be two globs.)
fn glob(pattern: &str) -> Glob {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let rooted = if anchored { pattern.to_owned() } else { format!("**/{pattern}") };
    let text = if rooted.ends_with('/') { format!("{rooted}**") } else { rooted };
    GlobBuilder::new(&text).literal_separator(true).build().expect("a glob")
}
