//! Which events must be told beside the status check's own: GitLab calls a check for changes of the merge request itself, and
//! for nothing else (contract section 3.3).

use std::collections::BTreeSet;

use crate::companion::Companion;
use crate::gitlab::{GitlabVersion, Trigger};
use crate::policy::Source;
use crate::policy::fact::Family;

/// What a hook hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// One project.
    Project,
    /// A group and all projects below it.
    Group,
}

/// Since then GitLab tells of a review that was submitted by the merge request's own events; before by its comments alone, and
/// of one without a comment nobody does (contract section 3.3).
pub(super) const TELLS_OF_REVIEWS: GitlabVersion = GitlabVersion { major: 19, minor: 3 };

/// What a hook must tell of for policies that read these facts; empty where no hook is needed. A GitLab whose version is not
/// known is asked for every event, and is not relied on to tell of reviews.
pub(super) fn needed(
    reads: &BTreeSet<Family>,
    version: Option<GitlabVersion>,
    reach: Reach,
) -> BTreeSet<Trigger> {
    let exists = |trigger: &Trigger| version.is_none_or(|version| trigger.exists_in(version));
    let reaches = |trigger: &Trigger| reach == Reach::Group || !trigger.is_for_groups();
    let told = reads.iter().flat_map(|family| tells(*family, version)).copied();
    let mut needed: BTreeSet<_> = told.filter(exists).filter(reaches).collect();
    if !needed.is_empty() {
        // A second way for what the check is told: GitLab repeats neither of them once it was answered.
        needed.insert(Trigger::MergeRequests);
    }
    needed
}

/// What tells of changes of a family's facts, where the status check is not told.
fn tells(family: Family, version: Option<GitlabVersion>) -> impl Iterator<Item = &'static Trigger> {
    let companions = match family.source() {
        Source::Companions(companions) => companions,
        Source::OwnEvents | Source::Clock | Source::Nobody => &[],
    };
    let also = family.also_changed_by().iter().filter(move |companion| is_needed_too(**companion, version));
    companions.iter().chain(also).flat_map(|companion| triggers(*companion))
}

/// Whether an event is asked for that changes facts now and then. Pushes for their own sake are not: each of them wakes all
/// that lead to its branch, and what only a rewritten target branch changes a sweep finds.
fn is_needed_too(companion: Companion, version: Option<GitlabVersion>) -> bool {
    companion == Companion::Note && version.is_none_or(|version| version < TELLS_OF_REVIEWS)
}

/// What a hook of a project is to tell for an event.
fn triggers(companion: Companion) -> &'static [Trigger] {
    match companion {
        Companion::Note => &[Trigger::Notes, Trigger::ConfidentialNotes],
        Companion::Pipeline => &[Trigger::Pipelines],
        Companion::Job => &[Trigger::Jobs],
        Companion::Emoji => &[Trigger::Emoji],
        Companion::Issue => &[Trigger::Issues],
        Companion::Push => &[Trigger::Pushes],
        Companion::Member => &[Trigger::Members],
        // Only the instance's own hooks tell of them.
        Companion::Project | Companion::Move => &[],
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
        listed(&needed(&families.iter().copied().collect(), GitlabVersion::parse(version), Reach::Project))
    }

    #[test]
    fn only_what_the_check_is_not_told_needs_a_hook() {
        assert_eq!(words(&[Family::Approvals, Family::Code, Family::LabelEvents], "18.3"), "");
        assert_eq!(words(&[Family::Pipeline, Family::Jobs], "18.3"), "merge requests, pipelines, jobs");
        assert_eq!(words(&[Family::CodeOwners], "18.3"), "merge requests, pushes");
        assert_eq!(words(&[Family::Conflicts], "18.3"), "merge requests, pushes");
        assert_eq!(
            words(&[Family::Memberships, Family::Project], "18.3"),
            "",
            "a project's hook can't tell of them"
        );
        let members = needed(&BTreeSet::from([Family::People]), None, Reach::Group);
        assert_eq!(listed(&members), "merge requests, members");
        assert_eq!(words(&[Family::Threads], "18.3"), "merge requests, comments, internal comments");
        assert_eq!(words(&[Family::Emoji], "16.2"), "merge requests, emoji");
        assert_eq!(words(&[Family::Emoji], "16.1"), "", "there are no such hooks yet");
        assert_eq!(words(&[Family::Emoji], "unknown"), "merge requests, emoji");
    }

    #[test]
    fn of_a_review_its_comments_tell_until_gitlab_does() {
        let notes = "merge requests, comments, internal comments";
        for (version, expected) in
            [("18.3", notes), ("19.2", notes), ("19.3", ""), ("20.0", ""), ("unknown", notes)]
        {
            assert_eq!(words(&[Family::Reviewers], version), expected, "{version}");
        }
    }
}
