//! What GitLab does not show of a change, so that a number of it is known only from below.

use super::paths::Paths;
use crate::policy::evaluation::Remedy;
use crate::policy::fact::Code;

/// What is not shown of the files that count.
pub(super) struct Unseen {
    /// How many files GitLab lists, if those are not all.
    listed: Option<usize>,
    /// Files of which the changed lines are not shown.
    lines: Paths,
    /// Files of which it is not said whether they are generated.
    generated: Paths,
    /// Files of which it is not said whether they moved to where they are.
    moved: Paths,
}

impl Unseen {
    /// Of a code of which all files are known, or not.
    pub(super) fn of(code: &Code, all_known: bool) -> Self {
        let listed = (!all_known).then(|| code.listed().count());
        Self { listed, lines: Paths::default(), generated: Paths::default(), moved: Paths::default() }
    }

    pub(super) fn add_lines(&mut self, path: &str) {
        self.lines.add(path);
    }

    pub(super) fn add_generated(&mut self, path: &str) {
        self.generated.add(path);
    }

    pub(super) fn add_moved(&mut self, path: &str) {
        self.moved.add(path);
    }

    pub(super) fn describe(&self) -> String {
        let mut parts = Vec::new();
        if let Some(listed) = self.listed {
            parts.push(format!("lists only {listed} of the changed files"));
        }
        if self.lines.count > 0 {
            parts.push(format!("shows no lines of {}", self.lines.describe()));
        }
        if self.generated.count > 0 {
            parts.push(format!("does not say whether {} is generated", self.generated.describe()));
        }
        if self.moved.count > 0 {
            parts.push(format!("does not say whether {} moved there", self.moved.describe()));
        }
        format!("GitLab {}", parts.join(" and "))
    }

    /// Only whoever writes the policy can say that nobody need see the lines of a file.
    pub(super) fn remedy(&self) -> Option<Remedy> {
        let files = self.lines.describe();
        let what = format!("name {files} under `except` in the policy, if nobody need see these lines");
        (self.lines.count > 0).then_some(Remedy::AskOperator { what })
    }
}
