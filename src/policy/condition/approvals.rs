//! `approvals`: how many approvals count, and of whom.
//!
//! Waiting when there are too few: people can mend that. Each person counts once, by the best of their approvals
//! ([`super::weight`]), whatever the methods ([`super::methods`]). What is proven against an approval is said with it; what
//! is open for one matters only while its answer could matter. Where approvals in doubt could be enough it is unsettled: it
//! waits for the same people, and makes no `not` true.

use std::collections::{BTreeMap, BTreeSet};

use super::flaw::Flaw;
use super::kind::{Approvers, Kind, Test, test};
use super::membership::Membership;
use super::methods::{APPROVAL, METHOD, Method, Saying, left_out};
use super::people::People;
use super::vocabulary::PEOPLE;
use super::weight::{
    ALLOW_AUTHOR, ALLOW_COMMITTERS, RESET_ON, Tally, UNMATCHED_COMMITTERS, Voice, Weighing, Weight, against,
    approvals, needed, part, remedies,
};
use crate::merge_request::{User, UserId};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Reason, Remedy, Truth};
use crate::policy::fact::{Comment, FactKey, Family, Known, Unknown};
use crate::policy::finding::{Finding, Stop, known, open_of_any};
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
        Family::Comments,
        Family::Emoji,
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
        Key::new(
            "methods",
            Shape::List(&Shape::OneOf(&[Shape::Choice(&[APPROVAL]), Shape::Mapping(&METHOD)])),
            "How one can approve; each entry is enough (`[approval]`).",
        ),
        ALLOW_AUTHOR,
        ALLOW_COMMITTERS,
        UNMATCHED_COMMITTERS,
        RESET_ON,
    ],
};

/// Which approvals are needed.
#[derive(Debug, Clone)]
struct Approvals {
    count: usize,
    methods: Vec<Method>,
    from: Option<People>,
    weighing: Weighing,
}

/// Somebody with all their approvals.
struct Person<'a> {
    user: &'a User,
    voices: Vec<(Voice<'a>, Weight)>,
}

/// Everybody who approves by one of the methods, and what of it could not be had.
struct Poll<'a> {
    people: Vec<Person<'a>>,
    hidden: Option<Unknown>,
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
        let methods = match node.get("methods") {
            Some(methods) => Method::build_all(methods, builder),
            None => Some(vec![Method::Approval]),
        };
        // A `from` that can't be read must not become everybody.
        let from = match from {
            Some(people) => Some(people?),
            None => None,
        };
        let count = usize::try_from(count?).ok().filter(|count| *count > 0)?;
        Some(Self { count, methods: methods?, from, weighing: Weighing::build(node) })
    }

    /// Asks everybody; all methods are asked for at once.
    fn poll<'a>(&self, view: &View<'a>) -> Result<Poll<'a>, Stop> {
        let (mut voices, mut stops) = (Vec::new(), Vec::new());
        let mut hear = |heard: Result<Vec<Voice<'a>>, Stop>| match heard {
            Ok(heard) => voices.extend(heard),
            Err(stop) => stops.push(stop),
        };
        if self.methods.iter().any(|method| matches!(method, Method::Approval)) {
            hear(approvals(view));
        }
        if self.methods.iter().any(Method::is_written) {
            hear(self.comments(view));
        }
        if self.methods.iter().any(|method| matches!(method, Method::Emoji(_))) {
            hear(self.awards(view));
        }
        let hidden = match open_of_any(stops) {
            None => None,
            Some(Stop::Unknown(unknown)) => Some(unknown),
            Some(needs @ Stop::Needs(_)) => return Err(needs),
        };
        let mut people: Vec<Person<'a>> = Vec::new();
        let mut places: BTreeMap<UserId, usize> = BTreeMap::new();
        for voice in voices {
            let weight = self.weigh(&voice, view);
            let place = *places.entry(voice.user.id).or_insert(people.len());
            match people.get_mut(place) {
                Some(person) => person.voices.push((voice, weight)),
                None => people.push(Person { user: voice.user, voices: vec![(voice, weight)] }),
            }
        }
        Ok(Poll { people, hidden })
    }

    fn weigh(&self, voice: &Voice<'_>, view: &View<'_>) -> Weight {
        let worth = self.weighing.judge(voice, view);
        let Some(people) = &self.from else {
            return worth.weigh(&[], false, Ok(Membership::Yes("anybody's counts".to_owned())), view);
        };
        let is_meant = people.names(voice.user) || people.name_bots();
        worth.weigh(&people.describe(), is_meant, people.includes(voice.user, view), view)
    }

    fn asked_of(&self) -> Vec<String> {
        self.from.as_ref().map(People::describe).unwrap_or_default()
    }

    fn comments<'a>(&self, view: &View<'a>) -> Result<Vec<Voice<'a>>, Stop> {
        let comments = known(view.facts.comments.as_ref(), FactKey::Comments)?;
        let voices = comments.iter().filter_map(|comment| self.comment(comment));
        Ok(voices.collect())
    }

    fn comment<'a>(&self, comment: &'a Comment) -> Option<Voice<'a>> {
        let read = |method: &Method| match method.read(comment) {
            // An approval is short: one that is longer than what is kept is none, whatever it says.
            Saying::Nothing | Saying::TooLong => None,
            Saying::Said => Some((None, method.noun())),
            Saying::Flawed(why) => Some((Some(why), method.noun())),
        };
        // What is said well by one method need not be said by another, and well enough is better than not at all.
        let (flaw, method) = self.methods.iter().filter_map(read).min_by_key(|(flaw, _)| match flaw {
            None => 0,
            Some(Flaw::Doubtful(_)) => 1,
            Some(Flaw::Certain(_)) => 2,
        })?;
        Some(Voice {
            user: &comment.author,
            given_at: Some(comment.created_at),
            method: method.to_owned(),
            is_approval: false,
            is_active: comment.is_active,
            flaw: Flaw::gravest(flaw.into_iter().chain(Flaw::of(comment))),
        })
    }

    fn awards<'a>(&self, view: &View<'a>) -> Result<Vec<Voice<'a>>, Stop> {
        let awards = known(view.facts.awards.as_ref(), FactKey::Awards)?;
        let meant = awards.iter().filter(|award| Method::any_is_emoji(&self.methods, &award.name));
        let voices = meant.map(|award| Voice {
            user: &award.user,
            given_at: Some(award.created_at),
            method: format!("emoji `{}`", award.name),
            is_approval: false,
            is_active: award.is_active,
            flaw: None,
        });
        Ok(voices.collect())
    }

    fn finding(&self, poll: &Poll<'_>, tally: &Tally, view: &View<'_>, wanted: bool) -> Finding {
        let names: Vec<_> = poll.people.iter().filter_map(Person::counted).collect();
        let sentence = needed(self.count, tally.counting, &names, &self.asked_of());
        let mut finding = Finding::new("approvals", tally.truth(self.count), sentence);
        finding.reason.parts = poll.people.iter().flat_map(Person::parts).collect();
        finding.reason.parts.extend(self.ignored(view));
        let missing = self.count.saturating_sub(tally.counting);
        finding.mended_by(wanted, self.remedies(poll, missing, wanted))
    }

    /// GitLab's own approvals where they are no method: they are listed if another condition made them known.
    fn ignored(&self, view: &View<'_>) -> Vec<Reason> {
        let Some(Known::Value(approvals)) = &view.facts.approvals else { return Vec::new() };
        if self.methods.iter().any(|method| matches!(method, Method::Approval)) {
            return Vec::new();
        }
        let why = "`approval` is not one of the methods";
        approvals.iter().map(|approval| against("approval", &approval.user, why)).collect()
    }

    fn remedies(&self, poll: &Poll<'_>, missing: usize, wanted: bool) -> Vec<Remedy> {
        let uncounted = poll.people.iter().filter(|person| person.counted().is_none());
        let weights = uncounted.flat_map(|person| person.voices.iter().map(|(_, weight)| weight));
        remedies(wanted, missing, self.asked_of(), weights)
    }
}

impl Test for Approvals {
    fn leaves_out(&self) -> Vec<Family> {
        left_out(self.methods.iter())
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let poll = self.poll(view)?;
        let mut tally = Tally::default();
        for person in &poll.people {
            tally.add(&person.weight());
        }
        if tally.counting < self.count {
            if !tally.needs.is_empty() {
                return Err(Stop::Needs(tally.needs));
            }
            // Anybody may approve by a method that could not be asked for.
            if let Some(hidden) = poll.hidden {
                return Err(Stop::Unknown(hidden));
            }
        }
        Ok(self.finding(&poll, &tally, view, wanted))
    }

    fn approvers(&self, view: &View<'_>) -> Option<Approvers> {
        let mut approvers = Approvers {
            count: self.count,
            from: self.asked_of(),
            certain: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            open: BTreeMap::new(),
            hidden: None,
        };
        match self.poll(view) {
            Err(stop) => approvers.hidden = Some(stop),
            Ok(poll) => {
                approvers.hidden = poll.hidden.map(Stop::Unknown);
                for person in &poll.people {
                    let (id, user) = (person.user.id, person.user.clone());
                    match person.weight() {
                        Weight::Counts(_) => drop(approvers.certain.insert(id, user)),
                        Weight::Doubtful(doubt) => drop(approvers.doubtful.insert(id, (user, doubt))),
                        Weight::Open(stop) => drop(approvers.open.insert(id, stop)),
                        Weight::DoesNotCount { .. } => {}
                    }
                }
            }
        }
        Some(approvers)
    }
}

impl Person<'_> {
    /// What the best of their approvals came to.
    fn weight(&self) -> Weight {
        let weights = || self.voices.iter().map(|(_, weight)| weight);
        if let Some(counts) = weights().find(|weight| matches!(weight, Weight::Counts(_))) {
            return counts.clone();
        }
        let open = weights().filter_map(|weight| match weight {
            Weight::Open(stop) => Some(stop.clone()),
            Weight::Counts(_) | Weight::DoesNotCount { .. } | Weight::Doubtful(_) => None,
        });
        let doubtful = || weights().find(|weight| matches!(weight, Weight::Doubtful(_)));
        match (open_of_any(open), doubtful().or(weights().next())) {
            (None, Some(rest)) => rest.clone(),
            // INVARIANT: there is a weight for each person; without one nothing would count.
            (open, _) => Weight::Open(open.unwrap_or_else(|| Stop::Needs(BTreeSet::new()))),
        }
    }

    /// Who it is and why they count, if they do.
    fn counted(&self) -> Option<String> {
        self.voices.iter().find_map(|(voice, weight)| voice.counted(weight))
    }

    /// The approvals that do not count, as parts of the tree of reasons; open ones only while they could matter.
    fn parts(&self) -> Vec<Reason> {
        let counts = self.counted().is_some();
        let part = |(voice, weight): &(Voice<'_>, Weight)| match weight {
            Weight::Open(Stop::Unknown(_)) if counts => None,
            Weight::Counts(_) | Weight::DoesNotCount { .. } | Weight::Doubtful(_) | Weight::Open(_) => {
                part(voice, weight)
            }
        };
        self.voices.iter().filter_map(part).collect()
    }
}

#[cfg(test)]
mod tests;
