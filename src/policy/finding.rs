//! What one condition comes to, and how it asks for what it does not know.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::evaluation::{Reason, Remedy, Truth};
use super::fact::{FactKey, Known, Unknown};

/// A settled condition: its reason, what would mend it, and when time alone may change it.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) reason: Reason,
    pub(super) remedies: Vec<Remedy>,
    pub(super) recheck_at: Option<Timestamp>,
}

impl Finding {
    pub(super) fn new(condition: &str, truth: Truth, sentence: impl Into<String>) -> Self {
        let reason =
            Reason { condition: condition.to_owned(), truth, sentence: sentence.into(), parts: Vec::new() };
        Self { reason, remedies: Vec::new(), recheck_at: None }
    }

    pub(super) fn truth(&self) -> Truth {
        self.reason.truth
    }

    /// Adds what would mend it; a finding that already is as wanted needs none.
    pub(super) fn mended_by(mut self, wanted: bool, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        let as_wanted = if wanted { self.truth() == Truth::True } else { self.truth().is_false() };
        if !as_wanted {
            self.remedies.extend(remedies);
        }
        self
    }

    /// An open finding that more knowledge might settle: that is asked for, and where it can't be had, the finding says why.
    pub(super) fn open_for(mut self, more: Stop) -> Result<Self, Stop> {
        let Stop::Unknown(Unknown { why, curable }) = more else { return Err(more) };
        self.reason.truth = Truth::Unknown { curable };
        self.reason.sentence = format!("{}; {why}", self.reason.sentence);
        Ok(self)
    }

    /// Both must hold.
    pub(super) fn and(self, other: Self) -> Self {
        let truth = Truth::all([self.truth(), other.truth()]);
        let decisive = [&self, &other].into_iter().filter(|part| part.truth() == truth);
        let sentence = decisive.map(|part| part.reason.sentence.as_str()).collect::<Vec<_>>().join("; ");
        let mut both = Self::new("all_of", truth, sentence);
        both.recheck_at = earliest(self.recheck_at, other.recheck_at);
        both.remedies = self.remedies.into_iter().chain(other.remedies).collect();
        both.reason.parts = vec![self.reason, other.reason];
        both.with_distinct_remedies(true)
    }

    /// Drops remedies that say the same, and all of them if an operator is as wanted whatever its parts are.
    pub(super) fn with_distinct_remedies(mut self, wanted: bool) -> Self {
        let mut distinct = Vec::new();
        for remedy in std::mem::take(&mut self.remedies) {
            if !distinct.contains(&remedy) {
                distinct.push(remedy);
            }
        }
        self.mended_by(wanted, distinct)
    }

    pub(super) fn recheck_at(mut self, at: Option<Timestamp>) -> Self {
        self.recheck_at = at;
        self
    }
}

/// Why a condition could not be settled from the facts given.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// These facts have not been asked for yet.
    Needs(BTreeSet<FactKey>),
    /// A fact could not be had.
    Unknown(Unknown),
}

/// Why something may count or not although all that was asked for is known: people left it unclear, and they can make it
/// plain. No fact is missing, and still it proves nothing either way.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    pub(super) why: String,
    pub(super) mend: Option<Remedy>,
}

/// A condition's answer: settled, or the facts it needs.
pub(super) type Outcome = Result<Finding, BTreeSet<FactKey>>;

/// Reads a fact, or says why that can't be done.
pub(super) fn known<T>(fact: Option<&Known<T>>, key: FactKey) -> Result<&T, Stop> {
    match fact {
        Some(Known::Value(value)) => Ok(value),
        Some(Known::Unknown(unknown)) => Err(Stop::Unknown(unknown.clone())),
        None => Err(Stop::Needs(BTreeSet::from([key]))),
    }
}

/// Two facts that are needed together: both are asked for at once, and neither if one is known to be out of reach.
pub(super) fn both<A, B>(one: Result<A, Stop>, other: Result<B, Stop>) -> Result<(A, B), Stop> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(Stop::Unknown(unknown)), _) | (_, Err(Stop::Unknown(unknown))) => Err(Stop::Unknown(unknown)),
        (Err(Stop::Needs(mut keys)), Err(Stop::Needs(more))) => {
            keys.extend(more);
            Err(Stop::Needs(keys))
        }
        (Err(Stop::Needs(keys)), Ok(_)) | (Ok(_), Err(Stop::Needs(keys))) => Err(Stop::Needs(keys)),
    }
}

/// Facts that are needed together, however many.
pub(super) fn all<T>(facts: impl Iterator<Item = Result<T, Stop>>) -> Result<Vec<T>, Stop> {
    let mut all = Ok(Vec::new());
    for one in facts {
        all = both(all, one).map(|(mut all, one)| {
            all.push(one);
            all
        });
    }
    all
}

/// What is open of several things that are all needed: what has not been asked goes first, then a doubt that no retry can
/// cure.
pub(super) fn open_of_all(stops: impl IntoIterator<Item = Stop>) -> Option<Stop> {
    open(stops, false)
}

/// What is open of several things of which one may be enough: what has not been asked goes first, then a doubt that a
/// retry can cure.
pub(super) fn open_of_any(stops: impl IntoIterator<Item = Stop>) -> Option<Stop> {
    open(stops, true)
}

fn open(stops: impl IntoIterator<Item = Stop>, curable_first: bool) -> Option<Stop> {
    let (mut needs, mut doubt) = (BTreeSet::new(), None::<Unknown>);
    for stop in stops {
        match stop {
            Stop::Needs(keys) => needs.extend(keys),
            Stop::Unknown(found) if doubt.as_ref().is_none_or(|doubt| doubt.curable != curable_first) => {
                doubt = Some(found);
            }
            Stop::Unknown(_) => {}
        }
    }
    if needs.is_empty() { doubt.map(Stop::Unknown) } else { Some(Stop::Needs(needs)) }
}

/// A condition that stopped at an unknown fact is unknown; one that lacks facts needs them.
pub(super) fn settle(condition: &str, result: Result<Finding, Stop>) -> Outcome {
    match result {
        Ok(finding) => Ok(finding),
        Err(Stop::Needs(keys)) => Err(keys),
        Err(Stop::Unknown(Unknown { why, curable })) => {
            let finding = Finding::new(condition, Truth::Unknown { curable }, format!("not known: {why}"));
            let ask = (!curable).then_some(Remedy::AskOperator { what: why });
            Ok(finding.mended_by(true, ask))
        }
    }
}

/// The earlier of two instants.
pub(super) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
