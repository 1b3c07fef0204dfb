//! `distinct_approvers`: rules that must be approved by different people.
//!
//! Each rule by itself says who counts for it; here nobody stands for two of them. Rules are served in the order of their
//! ids, whatever their order in the file, so it is always the later ids that stay short ([`super::assignment`]).
//!
//! What is open (an approval of which a fact is missing, or which is in doubt, a rule of which nobody knows whether it applies)
//! may turn out either way, and a rule is settled only if it comes out the same each time. How many people the first k rules get together
//! grows with what people can do, and a rule gets the fewer the more rules stand before it; so between what is certain and
//! what is possible lie bounds for every rule, and only where they meet is anything said.

use std::collections::{BTreeMap, BTreeSet};

use super::assignment::{Demand, assign, rank};
use super::condition::Approvers;
use super::enumeration::list;
use super::evaluation::{Reason, Remedy, Truth};
use super::fact::{FactKey, Unknown};
use super::finding::{Doubt, Finding, Stop};
use crate::merge_request::UserId;

const WORD: &str = "distinct_approvers";

/// One of the rules, with the people who may stand for it.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) rule: String,
    /// Whether it is open if the rule applies; none where it surely does.
    pub(super) open_when: Option<Truth>,
    pub(super) approvers: Approvers,
}

/// Who can stand for a rule: a known person, or somebody of whom nothing is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Candidate {
    Known(UserId),
    /// The one with this number who may show up for the rule with that number.
    Unheard(usize, usize),
}

/// What each rule comes to beside its own conditions, or the facts that are missing. A rule that nobody is kept from is
/// left to its own conditions.
pub(super) fn judge(mut seats: Vec<Seat>) -> Result<BTreeMap<String, Finding>, BTreeSet<FactKey>> {
    seats.sort_by(|one, other| one.rule.cmp(&other.rule));
    let mut needs = BTreeSet::new();
    let mut findings = BTreeMap::new();
    for rivals in rivals(&seats).into_iter().filter(|rivals| rivals.len() > 1) {
        let table = Table::of(&rivals);
        let truths: Vec<_> = (0..rivals.len()).map(|index| table.truth(index)).collect();
        if truths.iter().any(Option::is_none) {
            needs.extend(rivals.iter().flat_map(|seat| needs_of(seat)));
        }
        for ((index, seat), truth) in rivals.iter().enumerate().zip(truths) {
            if let Some(finding) = table.finding(index, seat, truth) {
                findings.insert(seat.rule.clone(), finding);
            }
        }
    }
    if needs.is_empty() { Ok(findings) } else { Err(needs) }
}

/// Rules that may want the same person, directly or by way of others; in the order of their ids.
fn rivals(seats: &[Seat]) -> Vec<Vec<&Seat>> {
    let meet = |one: &Seat, other: &Seat| {
        let anybody = one.approvers.hidden.is_some() || other.approvers.hidden.is_some();
        anybody || possible(one).any(|id| possible(other).any(|other| other == id))
    };
    let mut groups: Vec<Vec<&Seat>> = Vec::new();
    for seat in seats {
        let (theirs, mut apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|other| meet(other, seat)));
        let mut joined: Vec<_> = theirs.into_iter().flatten().chain([seat]).collect();
        joined.sort_by(|one, other| one.rule.cmp(&other.rule));
        apart.push(joined);
        groups = apart;
    }
    groups
}

/// Everybody of whom something is known that may count.
fn possible(seat: &Seat) -> impl Iterator<Item = UserId> + '_ {
    let Approvers { certain, doubtful, open, .. } = &seat.approvers;
    certain.keys().chain(doubtful.keys()).chain(open.keys()).copied()
}

/// Everything that is open about who counts.
fn open(seat: &Seat) -> impl Iterator<Item = &Stop> {
    seat.approvers.open.values().chain(&seat.approvers.hidden)
}

fn needs_of(seat: &Seat) -> BTreeSet<FactKey> {
    let needs = open(seat).filter_map(|stop| match stop {
        Stop::Needs(keys) => Some(keys.iter().cloned()),
        Stop::Unknown(_) => None,
    });
    needs.flatten().collect()
}

/// Rivals with what they can have, certainly and possibly.
struct Table<'a> {
    seats: &'a [&'a Seat],
    certain: Vec<Demand<Candidate>>,
    possible: Vec<Demand<Candidate>>,
    /// Who stands for which rule by what is certain.
    assigned: Vec<BTreeSet<Candidate>>,
}

impl<'a> Table<'a> {
    fn of(seats: &'a [&'a Seat]) -> Self {
        let certain: Vec<_> = seats
            .iter()
            .map(|seat| Demand {
                count: seat.approvers.count,
                people: seat.approvers.certain.keys().map(|id| Candidate::Known(*id)).collect(),
            })
            .collect();
        let with_open = |(index, seat): (usize, &&Seat)| {
            let count = seat.approvers.count;
            let mut people: BTreeSet<_> = possible(seat).map(Candidate::Known).collect();
            if seat.approvers.hidden.is_some() {
                // Anybody: as many strangers as it needs, and whoever stands for the others.
                people.extend((0..count).map(|number| Candidate::Unheard(index, number)));
                people.extend(seats.iter().flat_map(|other| possible(other)).map(Candidate::Known));
            }
            Demand { count, people }
        };
        let possible = seats.iter().enumerate().map(with_open).collect();
        let assigned = assign(&certain);
        Self { seats, certain, possible, assigned }
    }

    /// True if the rule has all it needs however the open turns out, waiting if it never has, none if that is open.
    fn truth(&self, index: usize) -> Option<Truth> {
        let count = self.certain.get(index).map_or(0, |demand| demand.count);
        // The worst: every rule before it applies. The best: only those that surely do.
        let before = |demands: &[Demand<Candidate>]| rank(demands.get(..index).unwrap_or_default());
        let with_it = |demands: &[Demand<Candidate>]| rank(demands.get(..=index).unwrap_or_default());
        let (certain, possible) =
            (self.sure_before(&self.certain, index), self.sure_before(&self.possible, index));
        let possible_with_it: Vec<_> =
            possible.into_iter().chain(self.possible.get(index).cloned()).collect();
        let least = with_it(&self.certain).saturating_sub(before(&self.possible));
        let most = rank(&possible_with_it).saturating_sub(rank(&certain));
        match () {
            () if least >= count => Some(Truth::True),
            () if most < count => Some(Truth::Waiting),
            () => None,
        }
    }

    /// The demands before one of those rules that surely apply.
    fn sure_before(&self, demands: &[Demand<Candidate>], index: usize) -> Vec<Demand<Candidate>> {
        let before = demands.iter().zip(self.seats).take(index);
        before.filter(|(_, seat)| seat.open_when.is_none()).map(|(demand, _)| demand.clone()).collect()
    }

    fn finding(&self, index: usize, seat: &Seat, truth: Option<Truth>) -> Option<Finding> {
        let approvers = &seat.approvers;
        let here: Vec<_> = self.assigned.get(index)?.iter().filter_map(|one| name(approvers, one)).collect();
        let missing = approvers.count.saturating_sub(here.len());
        let names = list(&self.seats.iter().map(|seat| seat.rule.as_str()).collect::<Vec<_>>());
        let Some(truth) = truth else { return self.open_finding(approvers, &names) };
        if truth == Truth::True {
            let sentence = format!("for this rule and no other of {names}: {}", here.join(", "));
            return Some(Finding::new(WORD, truth, sentence));
        }
        // Too few by itself: its own condition says so.
        if missing <= approvers.count.saturating_sub(approvers.certain.len()) {
            return None;
        }
        let elsewhere = self.elsewhere(index, approvers).join(", ");
        let more = if missing == 1 { "1 more is".to_owned() } else { format!("{missing} more are") };
        let sentence = format!("nobody stands for two of {names}: {elsewhere}; {more} needed here");
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let remedy = Remedy::Approve { missing, from: approvers.from.clone() };
        Some(Finding::new(WORD, truth, sentence).mended_by(true, [remedy]))
    }

    fn open_finding(&self, approvers: &Approvers, names: &str) -> Option<Finding> {
        let (truth, why) = self.doubt();
        // What is unsettled here as well adds nothing to a rule that is short by itself: its own condition says so.
        if truth == Truth::Unsettled && approvers.certain.len() < approvers.count {
            return None;
        }
        let sentence = format!("whether different people approve for {names} is not known: {why}");
        let mut finding = Finding::new(WORD, truth, sentence);
        if truth == Truth::Unsettled {
            let doubts = || self.seats.iter().flat_map(|seat| in_doubt(seat));
            finding.reason.parts = doubts().map(|(sentence, _)| in_words(sentence)).collect();
            finding = finding.mended_by(true, doubts().filter_map(|(_, doubt)| doubt.mend.clone()));
        }
        Some(finding.with_distinct_remedies(true))
    }

    /// Who could stand for a rule and is needed for another one.
    fn elsewhere(&self, index: usize, approvers: &Approvers) -> Vec<String> {
        let others = self.assigned.iter().zip(self.seats).enumerate().filter(|(place, _)| *place != index);
        let needed = others.flat_map(|(_, (people, seat))| {
            let names = people.iter().filter_map(|candidate| name(approvers, candidate));
            names.map(|name| format!("{name} is needed for `{}`", seat.rule))
        });
        needed.collect()
    }

    /// What is open, and whether a retry may help: one that does may be enough.
    fn doubt(&self) -> (Truth, String) {
        let of = |seat: &&Seat| {
            let open_when = seat.open_when.map(|truth| (truth, format!("`{}` may not apply", seat.rule)));
            let unknown = open(seat).filter_map(|stop| match stop {
                Stop::Unknown(Unknown { why, curable }) => {
                    Some((Truth::Unknown { curable: *curable }, why.clone()))
                }
                Stop::Needs(_) => None,
            });
            let doubtful = in_doubt(seat).map(|(sentence, _)| (Truth::Unsettled, sentence));
            unknown.chain(open_when).chain(doubtful).collect::<Vec<_>>()
        };
        let doubts: Vec<_> = self.seats.iter().flat_map(of).collect();
        let truth = Truth::any(doubts.iter().map(|(truth, _)| *truth));
        let why = doubts.into_iter().find(|(of, _)| *of == truth).map(|(_, why)| why);
        // Nothing but what is asked for anyway: the caller never sees this.
        why.map_or((Truth::Unknown { curable: true }, "it was not asked".to_owned()), |why| (truth, why))
    }
}

/// Everybody who is in doubt for a rule, each with a sentence.
fn in_doubt(seat: &Seat) -> impl Iterator<Item = (String, &Doubt)> {
    seat.approvers.doubtful.values().map(|(user, doubt)| {
        let sentence =
            format!("it is not plain whether @{} counts for `{}`: {}", user.username, seat.rule, doubt.why);
        (sentence, doubt)
    })
}

/// A doubt as a part of the tree of reasons: people make it plain.
fn in_words(sentence: String) -> Reason {
    Reason { condition: WORD.to_owned(), truth: Truth::Waiting, sentence, parts: Vec::new() }
}

fn name(approvers: &Approvers, candidate: &Candidate) -> Option<String> {
    match candidate {
        Candidate::Known(id) => approvers.certain.get(id).map(|user| format!("@{}", user.username)),
        Candidate::Unheard(..) => None,
    }
}

#[cfg(test)]
mod tests;
