//! Whether the change is still the one that was approved.
//!
//! An approval belongs to the newest diff version that existed when it was given. When another push followed, it
//! stands only if that push brought the same patch for the same target branch: a rebase keeps it, a changed byte does
//! not. Whatever can't be compared counts as changed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::policy::fact::{ChangedFile, Code, FactKey, Version};
use crate::policy::finding::{Stop, both, known};
use crate::policy::view::View;

/// When approvals stop counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResetOn {
    /// When the change differs from the approved one.
    Change,
    /// Never: it must be written to be so.
    Never,
}

/// Whether an approval still stands.
pub(super) enum Standing {
    /// It does.
    Stands,
    /// It does not, for this reason; giving it again would help.
    Lost(String),
}

impl ResetOn {
    /// Judges an approval by the earliest moment at which it can have been given, if that is known.
    pub(super) fn judge(self, given_at: Option<Timestamp>, view: &View<'_>) -> Result<Standing, Stop> {
        let Some(given_at) = given_at else {
            let why = "when it was given is not known; it must be revoked and given again";
            return Ok(Standing::Lost(why.to_owned()));
        };
        if self == Self::Never {
            return Ok(Standing::Stands);
        }
        let newest = view.newest_version()?;
        let versions = known(view.facts.versions.as_ref(), FactKey::Versions)?;
        let approved =
            versions.iter().filter(|version| version.created_at <= given_at).max_by_key(|version| version.id);
        match approved {
            Some(approved) if approved.id == newest.id => Ok(of_target(approved, view)),
            Some(approved) => after_push(approved, view),
            None => Ok(Standing::Lost("given before the first push that GitLab lists".to_owned())),
        }
    }
}

/// An approval of the newest version stands unless that version was first seen under another target branch.
fn of_target(newest: &Version, view: &View<'_>) -> Standing {
    match view.facts.sightings.version_targets.get(&newest.id) {
        Some(seen) if *seen != view.facts.merge_request.target_branch => {
            Standing::Lost(format!("the target branch was `{seen}` when it was given, or may have been"))
        }
        Some(_) | None => Standing::Stands,
    }
}

/// An approval of an older version: same target, same patch, or lost.
fn after_push(approved: &Version, view: &View<'_>) -> Result<Standing, Stop> {
    let short = approved.head.short();
    let target = &view.facts.merge_request.target_branch;
    match view.facts.sightings.version_targets.get(&approved.id) {
        Some(seen) if seen == target => {}
        Some(seen) => {
            return Ok(Standing::Lost(format!("given for {short}, when the target branch was `{seen}`")));
        }
        None => return Ok(Standing::Lost(format!("given for {short}, whose target branch was not seen"))),
    }
    let patch = known(view.facts.patches.get(&approved.id), FactKey::Patch(approved.id));
    let (old, new) = both(patch, view.code())?;
    match difference(old, new) {
        None => Ok(Standing::Stands),
        Some(what) => Ok(Standing::Lost(format!("given for {short}; since then {what}"))),
    }
}

/// What differs between two patches, in words; none when they are the same.
fn difference(old: &Code, new: &Code) -> Option<String> {
    if !old.complete || !new.complete {
        return Some("the change can't be compared, for GitLab does not list all of its files".to_owned());
    }
    let by_path = |code: &Code| -> BTreeMap<_, _> {
        code.files.iter().map(|file| ((file.new_path.clone(), file.old_path.clone()), file.clone())).collect()
    };
    let (old_files, new_files) = (by_path(old), by_path(new));
    if old_files.len() != old.files.len() || new_files.len() != new.files.len() {
        return Some("the change can't be compared, for GitLab lists a file twice".to_owned());
    }
    let touched = new_files.keys().chain(old_files.keys());
    let changed = touched.filter(|paths| !same_file(old_files.get(*paths), new_files.get(*paths)));
    changed.map(|(new_path, _)| format!("`{new_path}` has changed")).next()
}

fn same_file(old: Option<&ChangedFile>, new: Option<&ChangedFile>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return false };
    // No hash means that the text was left out: it can't be told, so it counts as changed.
    let same_text = old.hunks_sha256.is_some() && old.hunks_sha256 == new.hunks_sha256;
    same_text && old.kind == new.kind && old.old_mode == new.old_mode && old.new_mode == new.new_mode
}
