//! Whether the change is still the one that was approved.
//!
//! An approval belongs to the newest diff version that existed when it was given. When another push followed, it
//! stands only if that push brought the same patch for the same target branch: a rebase keeps it, a changed byte does
//! not. What can't be compared does not count either, but it proves no change: that is a doubt.

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
    /// Nobody can tell, for this reason; giving it again would help.
    Doubtful(String),
}

/// What differs between two patches.
enum Difference {
    /// This, for certain.
    Certain(String),
    /// Something may, for what can't be compared.
    Possible(String),
}

impl ResetOn {
    /// Judges an approval by the earliest moment at which it can have been given, if that is known.
    pub(super) fn judge(self, given_at: Option<Timestamp>, view: &View<'_>) -> Result<Standing, Stop> {
        let Some(given_at) = given_at else {
            let why = "when it was given is not known; it must be revoked and given again";
            return Ok(Standing::Doubtful(why.to_owned()));
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
            None => Ok(Standing::Doubtful("given before the first push that GitLab lists".to_owned())),
        }
    }
}

/// An approval of the newest version stands unless that version was first seen under another target branch.
fn of_target(newest: &Version, view: &View<'_>) -> Standing {
    match view.facts.sightings.version_targets.get(&newest.id) {
        Some(seen) if *seen != view.facts.merge_request.target_branch => {
            Standing::Doubtful(format!("the target branch was `{seen}` when it was given, or may have been"))
        }
        Some(_) | None => Standing::Stands,
    }
}

/// An approval of an older version: same target, same patch, or it does not count. Under which target branch a version was
/// first seen says nothing about a later approval of it.
fn after_push(approved: &Version, view: &View<'_>) -> Result<Standing, Stop> {
    let short = approved.head.short();
    let target = &view.facts.merge_request.target_branch;
    let unseen = match view.facts.sightings.version_targets.get(&approved.id) {
        Some(seen) if seen == target => None,
        Some(seen) => Some(format!("given for {short}, when the target branch was `{seen}`")),
        None => Some(format!("given for {short}, whose target branch was not seen")),
    };
    if let Some(why) = unseen {
        return Ok(Standing::Doubtful(why));
    }
    let patch = known(view.facts.patches.get(&approved.id), FactKey::Patch(approved.id));
    let (old, new) = both(patch, view.code())?;
    Ok(match difference(old, new) {
        None => Standing::Stands,
        Some(Difference::Certain(what)) => Standing::Lost(format!("given for {short}; since then {what}")),
        Some(Difference::Possible(what)) => {
            Standing::Doubtful(format!("given for {short}; since then {what}"))
        }
    })
}

/// What differs between two patches; none when they are the same. One certain difference is enough, whatever can't be
/// compared. Only what GitLab lists is compared: the trees, where they were read, tell nothing of what was approved before,
/// and whether another rule had them read must not matter.
fn difference(old: &Code, new: &Code) -> Option<Difference> {
    let by_path = |code: &Code| -> BTreeMap<_, _> {
        code.listed().map(|file| ((file.new_path.clone(), file.old_path.clone()), file.clone())).collect()
    };
    let (old_files, new_files) = (by_path(old), by_path(new));
    if old_files.len() != old.listed().count() || new_files.len() != new.listed().count() {
        let what = "the change can't be compared, for GitLab lists a file twice";
        return Some(Difference::Possible(what.to_owned()));
    }
    let (old_is_whole, new_is_whole) = (old.is_listed(), new.is_listed());
    let mut possible = (!old_is_whole || !new_is_whole)
        .then(|| "the change can't be compared, for GitLab does not list all of its files".to_owned());
    for paths in new_files.keys().chain(old_files.keys()) {
        let same = match (old_files.get(paths), new_files.get(paths)) {
            (Some(old), Some(new)) => same_file(old, new),
            // What an incomplete list lacks may be there all the same.
            (Some(_), None) => new_is_whole.then_some(false),
            (None, Some(_)) => old_is_whole.then_some(false),
            (None, None) => Some(true),
        };
        let (path, _) = paths;
        match same {
            Some(true) => {}
            Some(false) => return Some(Difference::Certain(format!("`{path}` has changed"))),
            None => {
                let what = || format!("`{path}` may have changed: its text is left out");
                possible = possible.or_else(|| Some(what()));
            }
        }
    }
    possible.map(Difference::Possible)
}

/// Whether a file is changed in the same way; none where GitLab left the text out, which tells nothing.
fn same_file(old: &ChangedFile, new: &ChangedFile) -> Option<bool> {
    if old.kind != new.kind || old.old_mode != new.old_mode || old.new_mode != new.new_mode {
        return Some(false);
    }
    let (old, new) = (old.hunks_sha256.as_ref()?, new.hunks_sha256.as_ref()?);
    Some(old == new)
}
