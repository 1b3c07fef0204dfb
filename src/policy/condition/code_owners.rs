//! `code_owners`: whether every changed path has an owner by CODEOWNERS, and whether its owners approve.
//!
//! The file is that of the target branch, so the change that is judged can't decide who judges it. Violated where the
//! file is missing, lacks a section that the policy names, names no owner for a path, or asks for more approvals than its
//! owners can give; waiting where approvals are missing. One person may approve for several entries and counts once in
//! each. A line that can't be read leaves the paths that it may mean unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::{Kind, Test, test};
use super::owners::{find_shortage, is_named, is_owner};
use super::paths::Paths;
use super::vocabulary::TEXTS;
use super::weight::{
    ALLOW_AUTHOR, ALLOW_COMMITTERS, RESET_ON, Tally, UNMATCHED_COMMITTERS, Weighing, Worth, approvals,
    needed, part, remedies,
};
use crate::merge_request::User;
use crate::policy::builder::Builder;
use crate::policy::code_owners::{CodeOwners, Entry, Owned, Owner, Section};
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family};
use crate::policy::finding::{Finding, Outcome, Stop, all, both, settle};
use crate::policy::view::{OwnedPaths, View};
use crate::schema::{Key, Shape, Table};

const WORD: &str = "code_owners";

/// Who owns what changes.
pub(super) const CODE_OWNERS: Kind = Kind {
    key: Key::new(
        WORD,
        Shape::Mapping(&TABLE),
        "Whether every changed path has an owner by CODEOWNERS, and whether its owners approve.",
    ),
    build: |node, builder| test(CodeOwned::build(node, builder)),
    reads: &[
        Family::CodeOwners,
        Family::Code,
        Family::Approvals,
        Family::Versions,
        Family::OlderCode,
        Family::People,
        Family::Emails,
    ],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "code_owners",
    doc: "What CODEOWNERS of the target branch asks for.",
    hint: Some("write `code_owners: {approved: true}`"),
    keys: &[
        Key::new("every_file_owned", Shape::Flag, "Whether each changed path must have an owner."),
        Key::new("approved", Shape::Flag, "Whether the owners of what changes must approve."),
        Key::new("sections", TEXTS, "Only these sections of the file; without it, all of them."),
        Key::new("optional_sections", Shape::Flag, "Whether optional sections must be approved, too (no)."),
        ALLOW_AUTHOR,
        ALLOW_COMMITTERS,
        UNMATCHED_COMMITTERS,
        RESET_ON,
    ],
};

/// Entries named in a sentence; more are counted.
const SHOWN: usize = 3;
/// Entries in the tree of reasons; a change can touch thousands.
const LISTED: usize = 20;

/// What the file must say, and who must approve.
#[derive(Debug, Clone)]
struct CodeOwned {
    every_file_owned: bool,
    approved: Option<Approved>,
    sections: Vec<String>,
}

/// Which approvals count, and where.
#[derive(Debug, Clone, Copy)]
struct Approved {
    optional_sections: bool,
    weighing: Weighing,
}

/// An entry that wins for a changed path.
struct Hit<'a> {
    entry: &'a Entry,
    section: &'a Section,
    path: &'a str,
    paths: usize,
}

/// What an entry came to, or what must be asked for first.
type Entered = Result<Finding, BTreeSet<FactKey>>;

impl CodeOwned {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let flag = |key| node.get(key).and_then(Node::flag).unwrap_or(false);
        let (every_file_owned, approved) = (flag("every_file_owned"), flag("approved"));
        let of_approvals =
            ["optional_sections", "allow_author", "allow_committers", "unmatched_committers", "reset_on"];
        if !every_file_owned && !approved {
            let help = "write `every_file_owned: true`, `approved: true`, or both";
            builder.notes.error(&node.span, "`code_owners` asks for nothing", help);
            return None;
        }
        for key in of_approvals.into_iter().filter(|_| !approved) {
            if let Some(value) = node.get(key) {
                let help = "write `approved: true` beside it, or leave it out";
                builder.notes.error(&value.span, format!("`{key}` says nothing without `approved`"), help);
            }
        }
        let sections = node.get("sections").map(Node::all_words).unwrap_or_default();
        let sections = sections.iter().map(|words| words.text.to_owned()).collect();
        let weighing = Weighing::build(node);
        let approved =
            approved.then_some(Approved { optional_sections: flag("optional_sections"), weighing });
        Some(Self { every_file_owned, approved, sections })
    }

    /// What is wrong with the file as a whole: it is not there, or not as the policy takes it to be.
    fn fault(&self, file: Option<&CodeOwners>, view: &View<'_>, wanted: bool) -> Option<Finding> {
        let branch = &view.facts.merge_request.target_branch;
        let (sentence, to) = match file {
            None => (format!("`{branch}` has no CODEOWNERS file"), format!("be there in `{branch}`")),
            Some(file) => {
                let name = self.sections.iter().find(|name| !file.has_section(name))?;
                let sentence = format!("`{}` of `{branch}` has no section `{name}`", file.path);
                (sentence, format!("have a section `{name}`"))
            }
        };
        let remedy = wanted.then_some(Remedy::EditCodeOwners { to });
        Some(Finding::new(WORD, Truth::Violated, sentence).mended_by(wanted, remedy))
    }

    fn means(&self, section: &Section) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|name| section.may_be(name))
    }

    /// The entries that win for a path in the sections that are meant.
    fn winners<'a>(
        &self,
        owned: &OwnedPaths<'a>,
        winners: &'a [usize],
    ) -> impl Iterator<Item = (usize, &'a Entry, &'a Section)> {
        let file = owned.file;
        winners
            .iter()
            .filter_map(move |winner| file.entry(*winner).map(|(entry, section)| (*winner, entry, section)))
            .filter(|(_, _, section)| self.means(section))
    }

    /// Whether each path has an owner.
    fn judge_owned(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let Some(owned) = view.owned_paths()? else { return Ok(nothing_to_approve()) };
        let (mut unowned, mut doubt) = (Paths::default(), None);
        for (path, winners) in owned.paths {
            let mut unread = None;
            let is_owned = self.winners(&owned, winners).any(|(_, entry, _)| match &entry.owned {
                Owned::By(_) => true,
                Owned::ByNobody => false,
                Owned::Unreadable(why) => {
                    unread = Some(why);
                    false
                }
            });
            match unread {
                _ if is_owned => {}
                Some(why) => doubt = doubt.or_else(|| Some(format!("`{}`: {why}", owned.file.path))),
                None => unowned.add(path),
            }
        }
        let finding = match (unowned.count, doubt) {
            (0, _) if owned.paths.is_empty() && owned.code.complete => {
                Finding::new(WORD, Truth::Violated, "no file changes, so none is owned")
            }
            (0, Some(why)) => unread(&why),
            (0, None) if !owned.code.complete => unlisted(view.prove_whole(owned.code))?,
            (0, None) => {
                let sentence = format!("every changed path has an owner by `{}`", owned.file.path);
                Finding::new(WORD, Truth::True, sentence)
            }
            _ => {
                let sentence = format!("by `{}` nobody owns {}", owned.file.path, unowned.describe());
                Finding::new(WORD, Truth::Violated, sentence)
            }
        };
        let remedy = if wanted {
            Remedy::EditCodeOwners { to: format!("name an owner of {}", unowned.describe()) }
        } else {
            Remedy::ChangeFiles { to: "a path that nobody owns".to_owned() }
        };
        let settled =
            finding.truth() == Truth::True || (unowned.count > 0 && finding.truth() == Truth::Violated);
        Ok(finding.mended_by(wanted, settled.then_some(remedy)))
    }

    /// Whether the owners of every entry approve.
    fn judge_approved(&self, approved: Approved, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let owned = view.owned_paths();
        let hits = match &owned {
            Ok(Some(owned)) => self.hits(approved, owned),
            Ok(None) | Err(_) => Vec::new(),
        };
        if let Ok(Some(owned)) = &owned
            && hits.is_empty()
        {
            return match view.prove_whole(owned.code) {
                Ok(()) => Ok(nothing_to_approve()),
                rest => unlisted(rest),
            };
        }
        let (owned, voices) = both(owned, approvals(view))?;
        let Some(owned) = owned else { return Ok(nothing_to_approve()) };
        let judged: Vec<_> = voices.iter().map(|voice| approved.weighing.judge(voice, view)).collect();
        let shortages =
            hits.iter().map(|hit| hit.judge_shortage(approved.weighing.barred(view), view, wanted));
        let shortages = all(shortages)?;
        let entered: Vec<_> = hits
            .iter()
            .zip(shortages)
            .map(|(hit, shortage)| shortage.map_or_else(|| hit.judge(owned.file, &judged, view, wanted), Ok))
            .collect();
        // What is not met in any case is not, whatever is learnt of the other entries.
        let unmet = entered.iter().flatten().any(|finding| finding.truth().is_false());
        let mut needs: BTreeSet<FactKey> =
            entered.iter().filter_map(|entered| entered.as_ref().err()).flatten().cloned().collect();
        let rest = view.prove_whole(owned.code);
        if let Err(Stop::Needs(more)) = &rest {
            needs.extend(more.iter().cloned());
        }
        if !unmet && !needs.is_empty() {
            return Err(Stop::Needs(needs));
        }
        let rest = rest.is_err().then(|| unlisted(rest).unwrap_or_else(|_| not_looked_at(UNLISTED)));
        Ok(tell(&hits, entered, rest, &owned).with_distinct_remedies(wanted))
    }

    fn hits<'a>(&self, approved: Approved, owned: &OwnedPaths<'a>) -> Vec<Hit<'a>> {
        let mut hits: BTreeMap<usize, Hit<'a>> = BTreeMap::new();
        for (path, winners) in owned.paths {
            for (winner, entry, section) in self.winners(owned, winners) {
                let asks = approved.optional_sections || !section.optional;
                if asks && !matches!(entry.owned, Owned::ByNobody) {
                    hits.entry(winner).or_insert(Hit { entry, section, path, paths: 0 }).paths += 1;
                }
            }
        }
        hits.into_values().collect()
    }
}

impl Hit<'_> {
    /// What an entry comes to whose owners are too few: GitLab is content with as many as there are, and a gate is not.
    fn judge_shortage(
        &self,
        barred: Option<&User>,
        view: &View<'_>,
        wanted: bool,
    ) -> Result<Option<Finding>, Stop> {
        let Owned::By(owners) = &self.entry.owned else { return Ok(None) };
        let Entry { count, pattern, line, .. } = self.entry;
        let Some(able) = find_shortage(owners, *count, barred, view)? else { return Ok(None) };
        let who = match able.as_slice() {
            [] => "none of its owners can approve".to_owned(),
            some => format!("only {} of its owners can approve: {}", some.len(), some.join(", ")),
        };
        let author = if able.len() < owners.len() { "; the author can't" } else { "" };
        let approvals = if *count == 1 { "1 approval is" } else { &format!("{count} approvals are") };
        let sentence = format!("{}: {approvals} needed, and {who}{author}", self.in_words());
        let missing = count.saturating_sub(able.len());
        let owners = if missing == 1 { "1 more owner" } else { &format!("{missing} more owners") };
        let edit = Remedy::EditCodeOwners { to: format!("name {owners} of `{pattern}` (line {line})") };
        let finding = Finding::new(WORD, Truth::Violated, sentence);
        Ok(Some(finding.mended_by(wanted, [edit])))
    }

    fn judge(&self, file: &CodeOwners, judged: &[Worth<'_>], view: &View<'_>, wanted: bool) -> Entered {
        match &self.entry.owned {
            Owned::By(owners) => self.weigh(owners, judged, view, wanted),
            Owned::ByNobody => Ok(nothing_to_approve()),
            Owned::Unreadable(why) => {
                let why = format!("`{}`: {why}; it may say who owns `{}`", file.path, self.path);
                Ok(unread(&why))
            }
        }
    }

    fn weigh(&self, owners: &[Owner], judged: &[Worth<'_>], view: &View<'_>, wanted: bool) -> Entered {
        let from: Vec<_> = owners.iter().map(Owner::in_words).collect();
        let mut tally = Tally::default();
        let weighed: Vec<_> = judged
            .iter()
            .map(|worth| {
                let user = worth.user();
                let (is_named, is_owner) =
                    (is_named(owners, user.into()), is_owner(owners, user.into(), view));
                let weight = worth.weigh(&from, is_named, is_owner, view);
                tally.add(&weight);
                (worth.voice(), weight)
            })
            .collect();
        let count = self.entry.count;
        if tally.counting < count && tally.at_most() >= count && !tally.needs.is_empty() {
            return Err(tally.needs);
        }
        let names: Vec<_> = weighed.iter().filter_map(|(voice, weight)| voice.counted(weight)).collect();
        let sentence = needed(count, tally.counting, &names, &from);
        let mut finding = Finding::new(WORD, tally.truth(count), sentence);
        finding.reason.parts = weighed.iter().filter_map(|(voice, weight)| part(voice, weight)).collect();
        let missing = count.saturating_sub(tally.counting);
        let remedies = remedies(wanted, missing, from, weighed.iter().map(|(_, weight)| weight));
        let mut finding = finding.mended_by(wanted, remedies);
        finding.reason.sentence = format!("{}: {}", self.in_words(), finding.reason.sentence);
        Ok(finding)
    }

    fn in_words(&self) -> String {
        let section = self.section.in_words().map(|name| format!(" in {name}")).unwrap_or_default();
        let more = match self.paths.saturating_sub(1) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let Entry { pattern, line, .. } = self.entry;
        format!("`{pattern}`{section} (line {line}; `{}`{more})", self.path)
    }
}

/// All entries together: those that are not met are told, the first ones in the sentence.
fn tell(hits: &[Hit<'_>], entered: Vec<Entered>, rest: Option<Finding>, owned: &OwnedPaths<'_>) -> Finding {
    let findings: Vec<_> = hits
        .iter()
        .zip(entered)
        .map(|(hit, entered)| entered.unwrap_or_else(|_| not_looked_at(&hit.in_words())))
        .chain(rest)
        .collect();
    let truth = Truth::all(findings.iter().map(Finding::truth));
    let mut decisive = findings.iter().filter(|finding| finding.truth() == truth);
    let sentence = if truth == Truth::True {
        let entries = if hits.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", hits.len()) };
        format!("the owners of {entries} of `{}` approve", owned.file.path)
    } else {
        let told: Vec<_> =
            decisive.by_ref().take(SHOWN).map(|finding| finding.reason.sentence.as_str()).collect();
        match decisive.count() {
            0 => told.join("; "),
            more => format!("{}; and {more} more entries", told.join("; ")),
        }
    };
    let mut finding = Finding::new(WORD, truth, sentence);
    let unmet = findings.into_iter().filter(|finding| finding.truth() != Truth::True);
    for part in unmet.take(LISTED) {
        finding.remedies.extend(part.remedies);
        finding.reason.parts.push(part.reason);
    }
    finding
}

impl Test for CodeOwned {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        if let Ok(file) = view.code_owners()
            && let Some(fault) = self.fault(file, view, wanted)
        {
            return Ok(fault);
        }
        let owned = self.every_file_owned.then(|| settle(WORD, self.judge_owned(view, wanted)));
        let approved =
            self.approved.map(|approved| settle(WORD, self.judge_approved(approved, view, wanted)));
        join(owned.into_iter().chain(approved).collect(), wanted)
    }
}

/// Both demands together; one that is violated needs no answer for the other.
fn join(outcomes: Vec<Outcome>, wanted: bool) -> Result<Finding, Stop> {
    let violated = outcomes.iter().flatten().any(|finding| finding.truth() == Truth::Violated);
    let needs: BTreeSet<_> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).flatten().cloned().collect();
    if !violated && !needs.is_empty() {
        return Err(Stop::Needs(needs));
    }
    let findings: Vec<Finding> = outcomes.into_iter().flatten().collect();
    let truth = Truth::all(findings.iter().map(Finding::truth));
    let decisive = findings.iter().filter(|finding| finding.truth() == truth);
    let sentence = decisive.map(|finding| finding.reason.sentence.as_str()).collect::<Vec<_>>().join("; ");
    let mut joined = Finding::new(WORD, truth, sentence);
    for finding in findings {
        joined.remedies.extend(finding.remedies);
        joined.reason.parts.extend(finding.reason.parts);
    }
    Ok(joined.with_distinct_remedies(wanted))
}

/// No entry asks for an approval; of a list that is not complete that proves nothing.
fn nothing_to_approve() -> Finding {
    Finding::new(WORD, Truth::True, "nothing changes that an owner must approve")
}

fn not_looked_at(what: &str) -> Finding {
    let sentence = format!("{what}: not looked at: other entries are not met anyway");
    Finding::new(WORD, Truth::Unsettled, sentence)
}

const UNLISTED: &str = "the files that GitLab does not list";

/// What is not known of the files that GitLab does not list, unless more can be asked for.
fn unlisted(rest: Result<(), Stop>) -> Result<Finding, Stop> {
    let truth = Truth::Unknown { curable: false };
    let finding = Finding::new(WORD, truth, "not known: GitLab does not list all of the changed files");
    rest.map_or_else(|stop| finding.clone().open_for(stop), |()| Ok(finding.clone()))
}

/// A line that can't be read: only whoever keeps the file can mend that.
fn unread(why: &str) -> Finding {
    let finding = Finding::new(WORD, Truth::Unknown { curable: false }, format!("not known: {why}"));
    finding.mended_by(true, [Remedy::AskOperator { what: why.to_owned() }])
}

#[cfg(test)]
mod tests;
