//! What no webhook of a project can tell of what its policies read. Nothing wakes a merge request when that changes, so what
//! shows stands until a sweep looks: whoever sets up must be told so, and who could tell it. Pure.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::grounds::Grounds;
use super::hooks::reads;
use super::survey::Sight;
use super::trigger::{Reach, TELLS_OF_REVIEWS, needed};
use crate::companion::Companion;
use crate::gitlab::{Hook, Trigger};
use crate::policy::Source;
use crate::policy::fact::Family;

/// What is to be said of a project.
pub(super) fn examine(grounds: &Grounds<'_>, sight: &Sight) -> Vec<Finding> {
    let Some(reads) = reads(grounds, sight) else { return Vec::new() };
    members(grounds, sight, &reads).into_iter().chain(others(grounds, sight, &reads)).collect()
}

/// Whether there can be webhooks of groups above a project at all.
fn can_be_told_by_groups(grounds: &Grounds<'_>, sight: &Sight) -> bool {
    grounds.enterprise != Some(false) && !sight.project.is_personal()
}

/// Whether members of groups are told, where webhooks of groups above it can do so.
fn members(grounds: &Grounds<'_>, sight: &Sight, reads: &BTreeSet<Family>) -> Option<Finding> {
    let told_by_groups = needed(reads, grounds.version, Reach::Group);
    if !told_by_groups.contains(&Trigger::Members) || !can_be_told_by_groups(grounds, sight) {
        return None;
    }
    let (topic, subject) = ("members", &sight.project.path_with_namespace);
    let hooks = sight.above.iter().map(|(_, hook)| hook);
    let mut telling = hooks.filter(|hook| is_ours(grounds, hook) && hook.tells_of(Trigger::Members));
    if let Some(hook) = telling.next() {
        let what = format!(
            "webhook {} of a group above tells of members of that group and of those below it; of others a system hook, else \
             a sweep within `sweep.full`",
            hook.id
        );
        return Some(Finding::fine(topic, subject, what));
    }
    let (group, below) = subject.split_once('/').unwrap_or((subject, ""));
    let deep = if below.contains('/') { " --recursive" } else { "" };
    let remedy = format!(
        "`countersign install --group {group}{deep} --group-hook` with an Owner's token (GitLab Premium), or a system hook"
    );
    Some(if sight.above_is_hidden {
        let what = "GitLab shows to Owners only whether a webhook of a group above tells of members, whom the policies read; \
                    if none does, who left counts until a sweep looks (`sweep.full`)";
        Finding::unknown(topic, subject, what, remedy)
    } else {
        let what = "no webhook of a group above tells of members, whom the policies read: who left counts until a sweep \
                    looks (`sweep.full`)";
        Finding::warning(topic, subject, what, remedy)
    })
}

/// What else is not told: there is nothing to be mended, and it is to be known.
fn others(grounds: &Grounds<'_>, sight: &Sight, reads: &BTreeSet<Family>) -> Option<Finding> {
    let silent: Vec<_> = [
        (words(reads, |family| family.source() == Source::Nobody), "nobody does"),
        (words(reads, |family| is_for_the_instance(grounds, sight, family)), "a system hook does"),
        (words(reads, |family| is_too_new(grounds, family)), "GitLab 16.2 and later do"),
        (reviews(grounds, reads), "GitLab 19.3 and later do"),
        (rewritten(grounds, sight, reads), "push events do"),
    ]
    .into_iter()
    .filter(|(what, _)| !what.is_empty())
    .map(|(what, who)| format!("{what} ({who})"))
    .collect();
    if silent.is_empty() {
        return None;
    }
    let what = format!(
        "no webhook here tells of {}: a sweep finds what changes, within `sweep.full`",
        silent.join(", ")
    );
    Some(Finding::fine("sweep", &sight.project.path_with_namespace, what))
}

fn words(reads: &BTreeSet<Family>, is_meant: impl Fn(Family) -> bool) -> String {
    let meant = reads.iter().filter(|family| is_meant(**family));
    meant.map(|family| family.word()).collect::<Vec<_>>().join(", ")
}

/// Whether only the instance's own hooks tell of it.
fn is_for_the_instance(grounds: &Grounds<'_>, sight: &Sight, family: Family) -> bool {
    let Source::Companions(companions) = family.source() else { return false };
    companions.contains(&Companion::Project)
        || companions.contains(&Companion::Member) && !can_be_told_by_groups(grounds, sight)
}

fn is_too_new(grounds: &Grounds<'_>, family: Family) -> bool {
    family == Family::Emoji && grounds.version.is_some_and(|version| !Trigger::Emoji.exists_in(version))
}

/// A review wakes by its comments until GitLab tells of it.
fn reviews(grounds: &Grounds<'_>, reads: &BTreeSet<Family>) -> String {
    let told = grounds.version.is_some_and(|version| version >= TELLS_OF_REVIEWS);
    let reads = reads.contains(&Family::Reviewers) && !told;
    if reads { "reviews without a comment".to_owned() } else { String::new() }
}

/// Whether files change without a word. Where webhooks are not shown, nothing is claimed of them.
fn rewritten(grounds: &Grounds<'_>, sight: &Sight, reads: &BTreeSet<Family>) -> String {
    let mut read = reads.iter().filter(|family| family.also_changed_by().contains(&Companion::Push));
    let told = match &sight.hooks {
        Ok(own) => {
            let mut hooks = own.iter().chain(sight.above.iter().map(|(_, hook)| hook));
            hooks.any(|hook| is_ours(grounds, hook) && hook.tells_of(Trigger::Pushes))
        }
        Err(_) => true,
    };
    let wanted = needed(reads, grounds.version, Reach::Project).contains(&Trigger::Pushes);
    let silent = !told && !wanted && read.next().is_some();
    if silent { "a rewritten target branch".to_owned() } else { String::new() }
}

fn is_ours(grounds: &Grounds<'_>, hook: &Hook) -> bool {
    grounds.name_of(&hook.url).is_some()
}
