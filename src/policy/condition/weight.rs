//! Whether one approval counts: three things must be proven of it. The approver is one of those asked for, the change is
//! still the one that was approved ([`super::same_patch`]), and the approver had no hand in it ([`super::excluded`]).
//! What is proven against an approval settles it; else everything open is asked for at once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::excluded::{Excluded, Exclusion, is_access_token};
use super::people::{Membership, People};
use super::same_patch::{ResetOn, Standing};
use crate::merge_request::User;
use crate::policy::evaluation::Remedy;
use crate::policy::fact::{FactKey, Unknown};
use crate::policy::finding::{Stop, known};
use crate::policy::view::View;

/// What is asked of every approval.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) from: Option<People>,
    pub(super) excluded: Excluded,
    pub(super) reset_on: ResetOn,
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

impl Terms {
    /// Weighs one approval.
    pub(super) fn weigh(&self, voice: &Voice<'_>, view: &View<'_>) -> Weight {
        let user = voice.user;
        let again = || Some(Remedy::ApproveAgain { username: user.username.clone() });
        let against = |why: String, mend| Weight::DoesNotCount { why, mend };
        if let Some(flaw) = &voice.flaw {
            return against(flaw.clone(), again());
        }
        let is_named = self.from.as_ref().is_some_and(|people| people.names(user));
        if is_access_token(&user.username) && !is_named {
            let why = "an access token is nobody; name it under `users` if it is to count";
            return against(why.to_owned(), None);
        }
        let exclusion = self.excluded.judge(user, view);
        match exclusion {
            Ok(Exclusion::Excluded(why)) => return against(why, None),
            Ok(Exclusion::Unmatched(email)) => return unmatched(&email),
            Ok(Exclusion::Free) | Err(_) => {}
        }
        let membership = match &self.from {
            Some(people) => people.includes(user, view),
            None => Ok(Membership::Yes("anybody's counts".to_owned())),
        };
        if let (Ok(Membership::No), Some(people)) = (&membership, &self.from) {
            return against(format!("not one of {}", people.describe().join(" or ")), None);
        }
        let standing = self.reset_on.judge(voice.given_at, view);
        if let Ok(Standing::Lost(why)) = standing {
            return against(why, again());
        }
        let person = if voice.is_approval || is_named { Ok(true) } else { is_person(user, view) };
        if let Ok(false) = person {
            return against("a bot is nobody; name it under `users` if it is to count".to_owned(), None);
        }
        match (exclusion, membership, standing, person) {
            (Ok(_), Ok(Membership::Yes(why)), Ok(_), Ok(_)) => Weight::Counts(why),
            (exclusion, membership, standing, person) => {
                let stops = [exclusion.err(), membership.err(), standing.err(), person.err()];
                Weight::Open(joined(stops.into_iter().flatten(), false))
            }
        }
    }
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

/// What is open about one thing: what has not been asked goes first. Of doubts, one that no retry can cure outweighs the
/// others where all must be cleared, and the other way round where one is `enough`.
pub(super) fn joined(stops: impl Iterator<Item = Stop>, enough: bool) -> Stop {
    let mut needs = BTreeSet::new();
    let mut unknown: Option<Unknown> = None;
    for stop in stops {
        match stop {
            Stop::Needs(keys) => needs.extend(keys),
            Stop::Unknown(found) if unknown.as_ref().is_none_or(|known| known.curable != enough) => {
                unknown = Some(found);
            }
            Stop::Unknown(_) => {}
        }
    }
    match unknown {
        Some(unknown) if needs.is_empty() => Stop::Unknown(unknown),
        _ => Stop::Needs(needs),
    }
}
