//! Whether merging waits for status checks. Pure.

use super::change::Change;
use super::finding::Finding;
use super::grounds::{Grounds, Part};
use crate::gitlab::CheckedProject;

/// "Status checks must succeed".
pub(super) fn plan(grounds: &Grounds<'_>, project: &CheckedProject) -> Part {
    let subject = &project.path_with_namespace;
    let mut part = Part::default();
    match project.only_allow_merge_if_all_status_checks_passed {
        Some(true) => {
            let what = "merging waits for status checks";
            part.findings.push(Finding::fine("merging", subject, what));
        }
        Some(false) => part.changes.push(Change::RequireChecks(project.id)),
        None if grounds.is_before(15, 5) => {
            let what = format!("{} can't make merging wait for status checks", grounds.gitlab());
            let remedy = "upgrade GitLab to 15.9 or later";
            part.findings.push(Finding::warning("merging", subject, what, remedy));
        }
        None => {
            let what = "GitLab does not say whether merging waits for status checks";
            let remedy = "look for `Status checks must succeed` under Settings → Merge requests; without Ultimate it is not there";
            part.findings.push(Finding::unknown("merging", subject, what, remedy));
        }
    }
    part
}
