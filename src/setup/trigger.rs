//! Which events must be told beside the status check's own: GitLab calls a check for changes of the merge request itself, and
//! for nothing else (contract section 3.3).

use std::collections::BTreeSet;

use crate::gitlab::{GitlabVersion, Trigger};
use crate::policy::fact::Family;

/// What a hook must tell of for policies that read these facts; empty where no hook is needed. A GitLab whose version is not
/// known is taken for a new one.
pub(super) fn needed(reads: &BTreeSet<Family>, version: Option<GitlabVersion>) -> BTreeSet<Trigger> {
    let told = reads.iter().flat_map(|family| tells(*family)).copied();
    let mut needed: BTreeSet<_> =
        told.filter(|trigger| version.is_none_or(|version| trigger.exists_in(version))).collect();
    if !needed.is_empty() {
        // A second way for what the check is told: GitLab repeats neither of them once it was answered.
        needed.insert(Trigger::MergeRequests);
    }
    needed
}

/// The events that can change facts of a family while GitLab does not call the check.
fn tells(family: Family) -> &'static [Trigger] {
    match family {
        // GitLab tells of statuses of others as of the pipeline that they belong to.
        Family::Pipeline | Family::CommitStatuses => &[Trigger::Pipelines],
        Family::Jobs => &[Trigger::Pipelines, Trigger::Jobs],
        Family::Threads | Family::Comments => &[Trigger::Notes, Trigger::ConfidentialNotes],
        Family::Emoji => &[Trigger::Emoji],
        Family::Issues => &[Trigger::Issues],
        // Of the target branch.
        Family::Behind | Family::CodeOwners => &[Trigger::Pushes],
        Family::MergeRequest
        | Family::Time
        | Family::Versions
        | Family::Code
        | Family::OlderCode
        | Family::Approvals
        | Family::Reviewers
        | Family::LabelEvents
        | Family::Memberships
        | Family::Accounts
        | Family::People
        | Family::Emails
        | Family::Project
        | Family::OtherMergeRequests
        | Family::Parentage
        | Family::Signatures => &[],
    }
}

/// What of these the status check is not told, in words; where it is told all of them, they.
pub(super) fn beside(triggers: &BTreeSet<Trigger>) -> String {
    let untold: BTreeSet<_> =
        triggers.iter().copied().filter(|trigger| *trigger != Trigger::MergeRequests).collect();
    listed(if untold.is_empty() { triggers } else { &untold })
}

/// Triggers in words.
pub(super) fn listed(triggers: &BTreeSet<Trigger>) -> String {
    triggers.iter().map(|trigger| trigger.word()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(families: &[Family], version: &str) -> String {
        listed(&needed(&families.iter().copied().collect(), GitlabVersion::parse(version)))
    }

    #[test]
    fn only_what_the_check_is_not_told_needs_a_hook() {
        assert_eq!(words(&[Family::Approvals, Family::Code, Family::LabelEvents], "18.3"), "");
        assert_eq!(words(&[Family::Pipeline, Family::Jobs], "18.3"), "merge requests, pipelines, jobs");
        assert_eq!(words(&[Family::CodeOwners], "18.3"), "merge requests, pushes");
        assert_eq!(words(&[Family::Threads], "18.3"), "merge requests, comments, internal comments");
        assert_eq!(words(&[Family::Emoji], "16.2"), "merge requests, emoji");
        assert_eq!(words(&[Family::Emoji], "16.1"), "", "there are no such hooks yet");
        assert_eq!(words(&[Family::Emoji], "unknown"), "merge requests, emoji");
    }
}
