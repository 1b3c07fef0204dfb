//! `approvals`: how many approvals count, and of whom.
//!
//! Waiting when there are too few: people can mend that. An approval counts when three things are proven: the
//! approver is one of those asked for, the change is still the one that was approved ([`super::same_patch`]), and the
//! approver had no hand in it ([`super::excluded`]). What is proven against an approval is said with it; what is open
//! for one matters only while its answer could matter.

use std::collections::BTreeSet;

use super::excluded::{Excluded, Exclusion, is_access_token};
use super::kind::{Kind, Test, test};
use super::membership::Membership;
use super::people::People;
use super::same_patch::{ResetOn, Standing};
use super::vocabulary::PEOPLE;
use crate::merge_request::User;
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
        Family::People,
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
        ALLOW_AUTHOR,
        ALLOW_COMMITTERS,
        UNMATCHED_COMMITTERS,
        RESET_ON,
    ],
};

pub(super) const ALLOW_AUTHOR: Key =
    Key::new("allow_author", Shape::Flag, "Whether the author's own approval counts (no).");
pub(super) const ALLOW_COMMITTERS: Key = Key::new(
    "allow_committers",
    Shape::Flag,
    "Whether approvals of people who committed or pushed count (no).",
);
pub(super) const UNMATCHED_COMMITTERS: Key = Key::new(
    "unmatched_committers",
    Shape::Choice(&["wait", "allow"]),
    "What a commit email that belongs to no user does: wait (the default) or nothing.",
);
pub(super) const RESET_ON: Key = Key::new(
    "reset_on",
    Shape::Choice(&["change", "never"]),
    "When approvals stop counting: when the change differs (the default) or never.",
);

/// Which approvals are needed.
#[derive(Debug, Clone)]
struct Approvals {
    count: usize,
    from: Option<People>,
    weighing: Weighing,
}

/// What makes an approval count or not, whoever is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighing {
    excluded: Excluded,
    reset_on: ResetOn,
}

/// What is known of one approval, whoever is asked for.
pub(super) struct Worth<'a> {
    approval: &'a Approval,
    exclusion: Result<Exclusion, Stop>,
    standing: Result<Standing, Stop>,
}

/// How many approvals are needed, and of whom in words; nothing means of anybody.
pub(super) struct Demand {
    pub(super) count: usize,
    pub(super) from: Vec<String>,
}

/// What one approval came to.
pub(super) enum Weight {
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
        // A `from` that can't be read must not become everybody.
        let from = match from {
            Some(people) => Some(people?),
            None => None,
        };
        let count = usize::try_from(count?).ok().filter(|count| *count > 0)?;
        Some(Self { count, from, weighing: Weighing::build(node) })
    }

    fn demand(&self) -> Demand {
        let from = self.from.as_ref().map(People::describe).unwrap_or_default();
        Demand { count: self.count, from }
    }

    fn weigh(&self, worth: &Worth<'_>, demand: &Demand, view: &View<'_>) -> Weight {
        let Some(people) = &self.from else {
            return worth.weigh(demand, false, Ok(Membership::Yes("anybody's counts".to_owned())));
        };
        let is_meant = people.names(worth.user()) || people.name_bots();
        worth.weigh(demand, is_meant, people.includes(worth.user(), view))
    }
}

impl Weighing {
    /// Reads it from the keys beside the others.
    pub(super) fn build(node: &Node) -> Self {
        let flag = |key| node.get(key).and_then(Node::flag).unwrap_or(false);
        let word = |key| node.get(key).and_then(Node::words).map(|words| words.text);
        let reset_on = if word("reset_on") == Some("never") { ResetOn::Never } else { ResetOn::Change };
        let excluded = Excluded {
            allow_author: flag("allow_author"),
            allow_committers: flag("allow_committers"),
            allow_unmatched: word("unmatched_committers") == Some("allow"),
        };
        Self { excluded, reset_on }
    }

    /// What is known of each approval; a person counts once, however often GitLab lists them.
    pub(super) fn judge<'a>(self, approvals: &'a [Approval], view: &View<'_>) -> Vec<Worth<'a>> {
        let mut seen = BTreeSet::new();
        approvals
            .iter()
            .filter(|approval| seen.insert(approval.user.id))
            .map(|approval| Worth {
                approval,
                exclusion: self.excluded.judge(&approval.user, view),
                standing: self.reset_on.judge(approval, view),
            })
            .collect()
    }
}

impl<'a> Worth<'a> {
    /// Whose approval it is.
    pub(super) fn user(&self) -> &'a User {
        &self.approval.user
    }

    /// Weighs it for those who are asked for: what is proven against it settles it, else everything open is asked for at
    /// once. `is_named` says whether its giver is asked for by name, `membership` whether at all.
    pub(super) fn weigh(
        &self,
        demand: &Demand,
        is_named: bool,
        membership: Result<Membership, Stop>,
    ) -> Weight {
        let against = |why: String, mend| Weight::DoesNotCount { why, mend };
        let username = &self.user().username;
        if is_access_token(username) && !is_named {
            let why =
                "an access token is nobody; name it under `users`, or write `bots: true`, if it is to count";
            return against(why.to_owned(), None);
        }
        match &self.exclusion {
            Ok(Exclusion::Excluded(why)) => return against(why.clone(), None),
            Ok(Exclusion::Unmatched(email)) => return unmatched(email),
            Ok(Exclusion::Free) | Err(_) => {}
        }
        if let Ok(Membership::No) = &membership {
            return against(format!("not one of {}", demand.from.join(" or ")), None);
        }
        if let Ok(Standing::Lost(why)) = &self.standing {
            return against(why.clone(), Some(Remedy::ApproveAgain { username: username.clone() }));
        }
        match (&self.exclusion, membership, &self.standing) {
            (Ok(_), Ok(Membership::Yes(why)), Ok(_)) => Weight::Counts(why),
            (exclusion, membership, standing) => {
                let stops =
                    [exclusion.as_ref().err().cloned(), membership.err(), standing.as_ref().err().cloned()];
                open(stops.into_iter().flatten())
            }
        }
    }
}

impl Demand {
    /// What the approvals come to, as the condition of that word.
    pub(super) fn finding(
        &self,
        condition: &str,
        weighed: &[(&User, Weight)],
        tally: &Tally,
        wanted: bool,
    ) -> Finding {
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
            .filter_map(|(user, weight)| match weight {
                Weight::Counts(why) => Some(format!("@{} ({why})", user.username)),
                Weight::DoesNotCount { .. } | Weight::Open(_) => None,
            })
            .collect();
        let by = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let mut sentence =
            format!("{} of {} approvals needed{by}", tally.counting.min(self.count), self.count);
        if missing > 0 {
            let more = if missing == 1 { "1 more is".to_owned() } else { format!("{missing} more are") };
            let from = match &*self.from {
                [] => String::new(),
                from => format!(" from {}", from.join(" or ")),
            };
            sentence = format!("{sentence}; {more} needed{from}");
        }
        let mut finding = Finding::new(condition, truth, sentence);
        finding.reason.parts = weighed.iter().filter_map(|(user, weight)| part(user, weight)).collect();
        let remedies = if wanted { self.remedies(weighed, missing) } else { Vec::new() };
        finding.mended_by(wanted, remedies)
    }

    fn remedies(&self, weighed: &[(&User, Weight)], missing: usize) -> Vec<Remedy> {
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
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = Remedy::Approve { missing, from: self.from.clone() };
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
        let demand = self.demand();
        let weighed: Vec<_> = self
            .weighing
            .judge(approvals, view)
            .iter()
            .map(|worth| (worth.user(), self.weigh(worth, &demand, view)))
            .collect();
        let tally = Tally::of(&weighed);
        if tally.counting < self.count && !tally.needs.is_empty() {
            return Err(Stop::Needs(tally.needs));
        }
        Ok(demand.finding("approvals", &weighed, &tally, wanted))
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
pub(super) struct Tally {
    pub(super) counting: usize,
    curable: usize,
    incurable: usize,
    /// What must be asked for before more can be said.
    pub(super) needs: BTreeSet<FactKey>,
    /// How many of them wait for an answer.
    asking: usize,
}

impl Tally {
    pub(super) fn of(weighed: &[(&User, Weight)]) -> Self {
        let mut tally = Self::default();
        for (_, weight) in weighed {
            tally.add(weight);
        }
        tally
    }

    /// The most that can still count.
    pub(super) fn at_most(&self) -> usize {
        self.counting + self.open() + self.asking
    }

    fn add(&mut self, weight: &Weight) {
        match weight {
            Weight::Counts(_) => self.counting += 1,
            Weight::DoesNotCount { .. } => {}
            Weight::Open(Stop::Needs(keys)) => {
                self.asking += 1;
                self.needs.extend(keys.iter().cloned());
            }
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
fn part(user: &User, weight: &Weight) -> Option<Reason> {
    let username = &user.username;
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
