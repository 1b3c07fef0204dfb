//! Whether one approval counts: three things must be proven of it. The approver is one of those asked for, the change is
//! still the one that was approved ([`super::same_patch`]), and the approver had no hand in it ([`super::excluded`]).
//! What is proven against an approval settles it; else everything open is asked for at once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::excluded::{Excluded, Exclusion, is_access_token};
use super::membership::Membership;
use super::methods::APPROVAL;
use super::same_patch::{ResetOn, Standing};
use crate::merge_request::User;
use crate::policy::document::Node;
use crate::policy::evaluation::{Reason, Remedy, Truth};
use crate::policy::fact::{FactKey, Unknown};
use crate::policy::finding::{Stop, known, open_of_all};
use crate::policy::view::View;
use crate::schema::{Key, Shape};

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

/// What makes an approval count or not, whoever is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighing {
    excluded: Excluded,
    reset_on: ResetOn,
}

/// What is known of one approval, whoever is asked for.
pub(super) struct Worth<'a> {
    voice: &'a Voice<'a>,
    exclusion: Result<Exclusion, Stop>,
    standing: Result<Standing, Stop>,
}

/// Somebody's yes, by whatever method.
#[derive(Debug, Clone)]
pub(super) struct Voice<'a> {
    pub(super) user: &'a User,
    /// The earliest moment at which it can have been given; none: not known.
    pub(super) given_at: Option<Timestamp>,
    /// By which method, as a noun.
    pub(super) method: String,
    /// Whether it is GitLab's own approval: other accounts than people's can say the rest all too easily.
    pub(super) is_approval: bool,
    /// Why nobody can rely on it, if so.
    pub(super) flaw: Option<String>,
}

/// What one approval came to.
#[derive(Debug, Clone)]
pub(super) enum Weight {
    /// It counts, because of this.
    Counts(String),
    /// It does not, because of this.
    DoesNotCount { why: String, mend: Option<Remedy> },
    /// Not known yet.
    Open(Stop),
}

impl Voice<'_> {
    /// Who it is and why they count, if they do.
    pub(super) fn counted(&self, weight: &Weight) -> Option<String> {
        let username = &self.user.username;
        match weight {
            Weight::Counts(why) if self.is_approval => Some(format!("@{username} ({why})")),
            Weight::Counts(why) => Some(format!("@{username} ({why}, by {})", self.method)),
            Weight::DoesNotCount { .. } | Weight::Open(_) => None,
        }
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

    /// The author, if their approval never counts.
    pub(super) fn barred<'a>(self, view: &View<'a>) -> Option<&'a User> {
        (!self.excluded.allow_author).then_some(&view.facts.merge_request.author)
    }

    pub(super) fn judge<'a>(self, voice: &'a Voice<'a>, view: &View<'_>) -> Worth<'a> {
        let exclusion = self.excluded.judge(voice.user, view);
        let standing = self.reset_on.judge(voice.given_at, view);
        Worth { voice, exclusion, standing }
    }
}

impl<'a> Worth<'a> {
    /// Whose approval it is.
    pub(super) fn user(&self) -> &'a User {
        self.voice.user
    }

    pub(super) fn voice(&self) -> &'a Voice<'a> {
        self.voice
    }

    /// Weighs it for those who are asked for, `from` in words. `is_meant` says whether its giver is asked for by name, or
    /// as a bot, `membership` whether at all.
    pub(super) fn weigh(
        &self,
        from: &[String],
        is_meant: bool,
        membership: Result<Membership, Stop>,
        view: &View<'_>,
    ) -> Weight {
        let user = self.user();
        let again = || Some(Remedy::ApproveAgain { username: user.username.clone() });
        let against = |why: String, mend| Weight::DoesNotCount { why, mend };
        if let Some(flaw) = &self.voice.flaw {
            return against(flaw.clone(), again());
        }
        if is_access_token(&user.username) && !is_meant {
            return against(format!("an access token is nobody; {NAME_IT}"), None);
        }
        match &self.exclusion {
            Ok(Exclusion::Excluded(why)) => return against(why.clone(), None),
            Ok(Exclusion::Unmatched(email)) => return unmatched(email),
            Ok(Exclusion::Free) | Err(_) => {}
        }
        if let Ok(Membership::No) = &membership {
            return against(format!("not one of {}", from.join(" or ")), None);
        }
        if let Ok(Standing::Lost(why)) = &self.standing {
            return against(why.clone(), again());
        }
        let person = if self.voice.is_approval || is_meant { Ok(true) } else { is_person(user, view) };
        if let Ok(false) = person {
            return against(format!("a bot is nobody; {NAME_IT}"), None);
        }
        match (&self.exclusion, membership, &self.standing, person) {
            (Ok(_), Ok(Membership::Yes(why)), Ok(_), Ok(_)) => Weight::Counts(why),
            (exclusion, membership, standing, person) => {
                let exclusion = exclusion.as_ref().err().cloned();
                let stops = [exclusion, membership.err(), standing.as_ref().err().cloned(), person.err()];
                // INVARIANT: what does not match above is open.
                let open = open_of_all(stops.into_iter().flatten());
                Weight::Open(open.unwrap_or_else(|| Stop::Needs(BTreeSet::new())))
            }
        }
    }
}

const NAME_IT: &str = "name it under `users`, or write `bots: true`, if it is to count";

/// GitLab's own approvals; a person counts once, however often GitLab lists them.
pub(super) fn approvals<'a>(view: &View<'a>) -> Result<Vec<Voice<'a>>, Stop> {
    let approvals = known(view.facts.approvals.as_ref(), FactKey::Approvals)?;
    let mut seen = BTreeSet::new();
    let voices = approvals.iter().filter(|approval| seen.insert(approval.user.id)).map(|approval| Voice {
        user: &approval.user,
        given_at: approval.not_before,
        method: APPROVAL.to_owned(),
        is_approval: true,
        flaw: None,
    });
    Ok(voices.collect())
}

/// How many approvals there are of those that are needed, in words.
pub(super) fn needed(count: usize, counting: usize, names: &[String], from: &[String]) -> String {
    let by = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let sentence = format!("{} of {count} approvals needed{by}", counting.min(count));
    let more = match count.saturating_sub(counting) {
        0 => return sentence,
        1 => "1 more is".to_owned(),
        missing => format!("{missing} more are"),
    };
    let from = if from.is_empty() { String::new() } else { format!(" from {}", from.join(" or ")) };
    format!("{sentence}; {more} needed{from}")
}

/// How many people count, and how many might.
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
    pub(super) fn add(&mut self, weight: &Weight) {
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

    /// The most that can still count.
    pub(super) fn at_most(&self) -> usize {
        self.counting + self.curable + self.incurable + self.asking
    }

    /// Whether so many count, once nothing more is asked for.
    pub(super) fn truth(&self, count: usize) -> Truth {
        if self.counting >= count {
            Truth::True
        } else if self.counting + self.curable + self.incurable < count {
            Truth::Waiting
        } else {
            Truth::Unknown { curable: self.counting + self.curable >= count }
        }
    }
}

/// What would mend it: more approvals, and whatever makes those count that do not.
pub(super) fn remedies<'a>(
    missing: usize,
    from: Vec<String>,
    weights: impl Iterator<Item = &'a Weight> + Clone,
) -> Vec<Remedy> {
    let mends = weights.clone().filter_map(|weight| match weight {
        Weight::DoesNotCount { mend, .. } => mend.clone(),
        Weight::Counts(_) | Weight::Open(_) => None,
    });
    let operator = weights.filter_map(|weight| match weight {
        Weight::Open(Stop::Unknown(Unknown { why, curable: false })) => {
            Some(Remedy::AskOperator { what: why.clone() })
        }
        _ => None,
    });
    let more = Remedy::Approve { missing: u32::try_from(missing).unwrap_or(u32::MAX), from };
    let mut remedies = vec![more];
    for remedy in mends.chain(operator) {
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

/// The approval's place in the tree of reasons, if it does not count.
pub(super) fn part(voice: &Voice<'_>, weight: &Weight) -> Option<Reason> {
    match weight {
        Weight::Counts(_) | Weight::Open(Stop::Needs(_)) => None,
        Weight::DoesNotCount { why, .. } => Some(against(&voice.method, voice.user, why)),
        Weight::Open(Stop::Unknown(Unknown { why, curable })) => {
            let (method, username) = (&voice.method, &voice.user.username);
            let sentence = format!("whether the {method} by @{username} counts is not known: {why}");
            Some(reason(Truth::Unknown { curable: *curable }, sentence))
        }
    }
}

/// An approval that does not count.
pub(super) fn against(method: &str, user: &User, why: &str) -> Reason {
    reason(Truth::Waiting, format!("the {method} by @{} does not count: {why}", user.username))
}

fn reason(truth: Truth, sentence: String) -> Reason {
    Reason { condition: APPROVAL.to_owned(), truth, sentence, parts: Vec::new() }
}

fn is_person(user: &User, view: &View<'_>) -> Result<bool, Stop> {
    known(view.facts.accounts.get(&user.id), FactKey::Account(user.id)).map(|account| !account.bot)
}

/// No approval counts while nobody knows whose second address a commit email is.
fn unmatched(email: &str) -> Weight {
    let what = format!(
        "give the commit email `{email}` to a user of GitLab, or write `unmatched_committers: allow` in the policy"
    );
    let why = format!("the commit email `{email}` belongs to no user of GitLab");
    Weight::DoesNotCount { why, mend: Some(Remedy::AskOperator { what }) }
}
