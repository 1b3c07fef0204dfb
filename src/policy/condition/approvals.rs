//! `approvals`: how many approvals count, and of whom.
//!
//! Waiting when there are too few: people can mend that. An approval counts when three things are proven: the
//! approver is one of those asked for, the change is still the one that was approved ([`super::same_patch`]), and the
//! approver had no hand in it ([`super::excluded`]). What is proven against an approval is said with it; what is open
//! for one matters only while its answer could matter.

use std::collections::BTreeSet;

use super::excluded::{Excluded, Exclusion, is_access_token};
use super::kind::{Kind, Test, test};
use super::people::{Membership, People};
use super::same_patch::{ResetOn, Standing};
use super::vocabulary::PEOPLE;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Reason, Remedy, Truth};
use crate::policy::fact::{Approval, FactKey, Family, Unknown};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

const SHAPES: &[Shape] = &[Shape::Number, Shape::Mapping(&TABLE)];

/// Who approves.
pub(super) const APPROVALS: Kind = Kind {
    key: Key::new(
        "approvals",
        Shape::OneOf(SHAPES),
        "How many approvals count; a number alone means that many of anybody.",
    ),
    build: |node, builder| test(Approvals::build(node, builder)),
    reads: &[
        Family::Approvals,
        Family::Versions,
        Family::Code,
        Family::OlderCode,
        Family::Memberships,
        Family::Accounts,
        Family::Emails,
    ],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "approvals",
    doc: "Approvals that count.",
    hint: Some("write `approvals: {count: 2}`"),
    keys: &[
        Key::required("count", Shape::Number, "How many are needed."),
        Key::new("from", Shape::Mapping(&PEOPLE), "Whose count; without it anybody's do."),
        Key::new("allow_author", Shape::Flag, "Whether the author's own approval counts (no)."),
        Key::new(
            "allow_committers",
            Shape::Flag,
            "Whether approvals of people who committed or pushed count (no).",
        ),
        Key::new(
            "unmatched_committers",
            Shape::Choice(&["wait", "allow"]),
            "What a commit email that belongs to no user does: wait (the default) or nothing.",
        ),
        Key::new(
            "reset_on",
            Shape::Choice(&["change", "never"]),
            "When approvals stop counting: when the change differs (the default) or never.",
        ),
    ],
};

/// Which approvals are needed.
#[derive(Debug, Clone)]
struct Approvals {
    count: usize,
    from: Option<People>,
    excluded: Excluded,
    reset_on: ResetOn,
}

/// What one approval came to.
enum Weight {
    /// It counts, because of this.
    Counts(String),
    /// It does not, because of this.
    DoesNotCount { why: String, mend: Option<Remedy> },
    /// Not known yet.
    Open(Stop),
}

impl Approvals {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let count_node = node.get("count").unwrap_or(node);
        let count = count_node.number();
        if count == Some(0) {
            let help = "take the condition away, or say how many are needed";
            builder.notes.error(&count_node.span, "no approval at all is always there", help);
        }
        let from = node.get("from").map(|from| People::build(from, builder));
        let flag = |key| node.get(key).and_then(Node::flag).unwrap_or(false);
        let word = |key| node.get(key).and_then(Node::words).map(|words| words.text);
        let reset_on = if word("reset_on") == Some("never") { ResetOn::Never } else { ResetOn::Change };
        let excluded = Excluded {
            allow_author: flag("allow_author"),
            allow_committers: flag("allow_committers"),
            allow_unmatched: word("unmatched_committers") == Some("allow"),
        };
        // A `from` that can't be read must not become everybody.
        let from = match from {
            Some(people) => Some(people?),
            None => None,
        };
        let count = usize::try_from(count?).ok().filter(|count| *count > 0)?;
        Some(Self { count, from, excluded, reset_on })
    }

    /// Weighs one approval: what is proven against it settles it, else everything open is asked for at once.
    fn weigh(&self, approval: &Approval, view: &View<'_>) -> Weight {
        let against = |why: String, mend| Weight::DoesNotCount { why, mend };
        let is_meant = |people: &People| people.names(&approval.user) || people.name_bots();
        if is_access_token(&approval.user.username) && !self.from.as_ref().is_some_and(is_meant) {
            let why =
                "an access token is nobody; name it under `users`, or write `bots: true`, if it is to count";
            return against(why.to_owned(), None);
        }
        let exclusion = self.excluded.judge(&approval.user, view);
        match exclusion {
            Ok(Exclusion::Excluded(why)) => return against(why, None),
            Ok(Exclusion::Unmatched(email)) => return unmatched(&email),
            Ok(Exclusion::Free) | Err(_) => {}
        }
        let membership = match &self.from {
            Some(people) => people.includes(&approval.user, view),
            None => Ok(Membership::Yes("anybody's counts".to_owned())),
        };
        if let (Ok(Membership::No), Some(people)) = (&membership, &self.from) {
            return against(format!("not one of {}", people.describe().join(" or ")), None);
        }
        let standing = self.reset_on.judge(approval, view);
        if let Ok(Standing::Lost(why)) = standing {
            let username = approval.user.username.clone();
            return against(why, Some(Remedy::ApproveAgain { username }));
        }
        match (exclusion, membership, standing) {
            (Ok(_), Ok(Membership::Yes(why)), Ok(_)) => Weight::Counts(why),
            (exclusion, membership, standing) => {
                let stops = [exclusion.err(), membership.err(), standing.err()];
                open(stops.into_iter().flatten())
            }
        }
    }

    fn finding(&self, weighed: &[(&Approval, Weight)], tally: &Tally, wanted: bool) -> Finding {
        let missing = self.count.saturating_sub(tally.counting);
        let truth = if missing == 0 {
            Truth::True
        } else if tally.counting + tally.open() < self.count {
            Truth::Waiting
        } else {
            Truth::Unknown { curable: tally.counting + tally.curable >= self.count }
        };
        let names: Vec<_> = weighed
            .iter()
            .filter_map(|(approval, weight)| match weight {
                Weight::Counts(why) => Some(format!("@{} ({why})", approval.user.username)),
                Weight::DoesNotCount { .. } | Weight::Open(_) => None,
            })
            .collect();
        let by = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let mut sentence =
            format!("{} of {} approvals needed{by}", tally.counting.min(self.count), self.count);
        if missing > 0 {
            let more = if missing == 1 { "1 more is".to_owned() } else { format!("{missing} more are") };
            let from = self.from.as_ref().map(|people| format!(" from {}", people.describe().join(" or ")));
            sentence = format!("{sentence}; {more} needed{}", from.unwrap_or_default());
        }
        let mut finding = Finding::new("approvals", truth, sentence);
        finding.reason.parts =
            weighed.iter().filter_map(|(approval, weight)| part(approval, weight)).collect();
        let remedies = if wanted { self.remedies(weighed, missing) } else { Vec::new() };
        finding.mended_by(wanted, remedies)
    }

    fn remedies(&self, weighed: &[(&Approval, Weight)], missing: usize) -> Vec<Remedy> {
        let mends = weighed.iter().filter_map(|(_, weight)| match weight {
            Weight::DoesNotCount { mend, .. } => mend.clone(),
            Weight::Counts(_) | Weight::Open(_) => None,
        });
        let operator = weighed.iter().filter_map(|(_, weight)| match weight {
            Weight::Open(Stop::Unknown(Unknown { why, curable: false })) => {
                Some(Remedy::AskOperator { what: why.clone() })
            }
            _ => None,
        });
        let from = self.from.as_ref().map(People::describe).unwrap_or_default();
        let more = Remedy::Approve { missing: u32::try_from(missing).unwrap_or(u32::MAX), from };
        let mut remedies = vec![more];
        for remedy in mends.chain(operator) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        remedies
    }
}

impl Test for Approvals {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let approvals = known(view.facts.approvals.as_ref(), FactKey::Approvals)?;
        let mut seen = BTreeSet::new();
        let weighed: Vec<_> = approvals
            .iter()
            .filter(|approval| seen.insert(approval.user.id))
            .map(|approval| (approval, self.weigh(approval, view)))
            .collect();
        let mut tally = Tally::default();
        for (_, weight) in &weighed {
            tally.add(weight);
        }
        if tally.counting < self.count && !tally.needs.is_empty() {
            return Err(Stop::Needs(tally.needs));
        }
        Ok(self.finding(&weighed, &tally, wanted))
    }
}

/// No approval counts while nobody knows whose second address a commit email is.
fn unmatched(email: &str) -> Weight {
    let what = format!(
        "give the commit email `{email}` to a user of GitLab, or write `unmatched_committers: allow` in the policy"
    );
    let why = format!("the commit email `{email}` belongs to no user of GitLab");
    Weight::DoesNotCount { why, mend: Some(Remedy::AskOperator { what }) }
}

/// How many approvals count, and how many might.
#[derive(Default)]
struct Tally {
    counting: usize,
    curable: usize,
    incurable: usize,
    needs: BTreeSet<FactKey>,
}

impl Tally {
    fn add(&mut self, weight: &Weight) {
        match weight {
            Weight::Counts(_) => self.counting += 1,
            Weight::DoesNotCount { .. } => {}
            Weight::Open(Stop::Needs(keys)) => self.needs.extend(keys.iter().cloned()),
            Weight::Open(Stop::Unknown(unknown)) if unknown.curable => self.curable += 1,
            Weight::Open(Stop::Unknown(_)) => self.incurable += 1,
        }
    }

    fn open(&self) -> usize {
        self.curable + self.incurable
    }
}

/// What is open about one approval: what has not been asked goes first, then a doubt that no retry can cure.
fn open(stops: impl Iterator<Item = Stop>) -> Weight {
    let mut needs = BTreeSet::new();
    let mut unknown: Option<Unknown> = None;
    for stop in stops {
        match stop {
            Stop::Needs(keys) => needs.extend(keys),
            Stop::Unknown(found) if unknown.as_ref().is_none_or(|known| known.curable) => {
                unknown = Some(found);
            }
            Stop::Unknown(_) => {}
        }
    }
    Weight::Open(match unknown {
        Some(unknown) if needs.is_empty() => Stop::Unknown(unknown),
        _ => Stop::Needs(needs),
    })
}

/// The approval's place in the tree of reasons, if it does not count.
fn part(approval: &Approval, weight: &Weight) -> Option<Reason> {
    let username = &approval.user.username;
    let (truth, sentence) = match weight {
        Weight::Counts(_) | Weight::Open(Stop::Needs(_)) => return None,
        Weight::DoesNotCount { why, .. } => {
            (Truth::Waiting, format!("the approval by @{username} does not count: {why}"))
        }
        Weight::Open(Stop::Unknown(Unknown { why, curable })) => {
            let sentence = format!("whether the approval by @{username} counts is not known: {why}");
            (Truth::Unknown { curable: *curable }, sentence)
        }
    };
    Some(Reason { condition: "approval".to_owned(), truth, sentence, parts: Vec::new() })
}

#[cfg(test)]
mod tests;
