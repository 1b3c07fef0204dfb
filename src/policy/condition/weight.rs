//! Whether one approval counts: three things must be proven of it. The approver is one of those asked for, the change is
//! still the one that was approved ([`super::same_patch`]), and the approver had no hand in it ([`super::excluded`]).
//! What is proven against an approval settles it; else everything open is asked for at once. What is left is a doubt where
//! people left it unclear: such an approval does not count, and that it does not is not settled either.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::excluded::{Excluded, Exclusion, is_access_token};
use super::flaw::Flaw;
use super::membership::Membership;
use super::methods::APPROVAL;
use super::same_patch::{ResetOn, Standing};
use crate::merge_request::User;
use crate::policy::document::Node;
use crate::policy::evaluation::{Reason, Remedy, Truth};
use crate::policy::fact::{FactKey, Unknown};
use crate::policy::finding::{Doubt, Stop, known, open_of_all};
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
    /// Whether the account can still be used: one that was blocked vouches for nothing any more.
    pub(super) is_active: bool,
    /// Why nobody can rely on it, if so.
    pub(super) flaw: Option<Flaw>,
}

/// What one approval came to.
#[derive(Debug, Clone)]
pub(super) enum Weight {
    /// It counts, because of this.
    Counts(String),
    /// It does not, because of this.
    DoesNotCount { why: String, mend: Option<Remedy> },
    /// It does not until people make it plain, and nothing proves that it does not.
    Doubtful(Doubt),
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
            Weight::DoesNotCount { .. } | Weight::Doubtful(_) | Weight::Open(_) => None,
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
        if !self.voice.is_active {
            return against("the account is no longer active".to_owned(), None);
        }
        if let Some(Flaw::Certain(why)) = &self.voice.flaw {
            return against(why.clone(), again());
        }
        if is_access_token(&user.username) && !is_meant {
            return against(format!("an access token is nobody; {NAME_IT}"), None);
        }
        if let Ok(Exclusion::Excluded(why)) = &self.exclusion {
            return against(why.clone(), None);
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
            (Ok(_), Ok(Membership::Yes(why)), Ok(_), Ok(_)) => {
                self.doubt().map_or(Weight::Counts(why), Weight::Doubtful)
            }
            (exclusion, membership, standing, person) => {
                let exclusion = exclusion.as_ref().err().cloned();
                let stops = [exclusion, membership.err(), standing.as_ref().err().cloned(), person.err()];
                // INVARIANT: what does not match above is open.
                let open = open_of_all(stops.into_iter().flatten());
                Weight::Open(open.unwrap_or_else(|| Stop::Needs(BTreeSet::new())))
            }
        }
    }

    /// What nobody can tell of it, once nothing is proven against it.
    fn doubt(&self) -> Option<Doubt> {
        let again = Some(Remedy::ApproveAgain { username: self.user().username.clone() });
        if let Some(Flaw::Doubtful(why)) = &self.voice.flaw {
            return Some(Doubt { why: why.clone(), mend: again });
        }
        if let Ok(Exclusion::Unmatched(email)) = &self.exclusion {
            return Some(unmatched(email));
        }
        match &self.standing {
            Ok(Standing::Doubtful(why)) => Some(Doubt { why: why.clone(), mend: again }),
            Ok(Standing::Stands | Standing::Lost(_)) | Err(_) => None,
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
        is_active: true,
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
    doubtful: usize,
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
            Weight::Doubtful(_) => self.doubtful += 1,
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
        self.counting + self.doubtful + self.curable + self.incurable + self.asking
    }

    /// Whether so many count, once nothing more is asked for. A doubt alone leaves it unsettled; what could not be had goes
    /// before it wherever it could settle the matter.
    pub(super) fn truth(&self, count: usize) -> Truth {
        let without_doubtful = self.counting + self.curable + self.incurable;
        if self.counting >= count {
            Truth::True
        } else if without_doubtful + self.doubtful < count {
            Truth::Waiting
        } else if without_doubtful >= count {
            Truth::Unknown { curable: self.counting + self.curable >= count }
        } else if self.counting + self.doubtful >= count {
            Truth::Unsettled
        } else {
            Truth::Unknown { curable: self.curable > 0 }
        }
    }
}

/// What would mend it: more approvals, and whatever makes those count that do not. Where it is wanted that they do not count,
/// what makes it plain whether those in doubt do.
pub(super) fn remedies<'a>(
    wanted: bool,
    missing: usize,
    from: Vec<String>,
    weights: impl Iterator<Item = &'a Weight>,
) -> Vec<Remedy> {
    let (mut mends, mut operator) = (Vec::new(), Vec::new());
    for weight in weights {
        match weight {
            Weight::DoesNotCount { mend, .. } if wanted => mends.extend(mend.clone()),
            Weight::Doubtful(doubt) if missing > 0 => mends.extend(doubt.mend.clone()),
            Weight::Open(Stop::Unknown(Unknown { why, curable: false })) if wanted => {
                operator.push(Remedy::AskOperator { what: why.clone() });
            }
            Weight::Counts(_) | Weight::DoesNotCount { .. } | Weight::Doubtful(_) | Weight::Open(_) => {}
        }
    }
    let more = Remedy::Approve { missing: u32::try_from(missing).unwrap_or(u32::MAX), from };
    let mut remedies = Vec::from_iter(wanted.then_some(more));
    for remedy in mends.into_iter().chain(operator) {
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
        Weight::DoesNotCount { why, .. } | Weight::Doubtful(Doubt { why, .. }) => {
            Some(against(&voice.method, voice.user, why))
        }
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
fn unmatched(email: &str) -> Doubt {
    let what = format!(
        "give the commit email `{email}` to a user of GitLab, or write `unmatched_committers: allow` in the policy"
    );
    let why = format!("the commit email `{email}` belongs to no user of GitLab");
    Doubt { why, mend: Some(Remedy::AskOperator { what }) }
}
