//! Whether somebody belongs to something, and to one of several things.

use std::collections::BTreeSet;

use crate::merge_request::User;
use crate::policy::fact::{FactKey, Known, Unknown};
use crate::policy::finding::{Stop, both, known};
use crate::policy::view::View;

/// Whether somebody is one of those who are meant.
pub(super) enum Membership {
    /// Yes, because of this.
    Yes(String),
    /// Proven not.
    No,
}

/// Whether one of several answers is yes, each with its reason; asks for everything that can tell at once.
pub(super) fn any(answers: impl Iterator<Item = (Result<bool, Stop>, String)>) -> Result<Membership, Stop> {
    let mut needs = BTreeSet::new();
    let mut unknown: Option<Unknown> = None;
    for (answer, why) in answers {
        match answer {
            Ok(true) => return Ok(Membership::Yes(why)),
            Err(Stop::Needs(keys)) => needs.extend(keys),
            // A retry that can help one alternative is enough.
            Err(Stop::Unknown(found)) if unknown.as_ref().is_none_or(|known| !known.curable) => {
                unknown = Some(found);
            }
            Ok(false) | Err(Stop::Unknown(_)) => {}
        }
    }
    match unknown {
        _ if !needs.is_empty() => Err(Stop::Needs(needs)),
        Some(unknown) => Err(Stop::Unknown(unknown)),
        None => Ok(Membership::No),
    }
}

/// Whether somebody is a member of a group, inherited memberships included.
pub(super) fn in_group(group: &str, user: &User, view: &View<'_>) -> Result<bool, Stop> {
    let facts = view.facts;
    let member = facts.group_members.get(group).and_then(|members| members.get(&user.id));
    // A membership that was read is a proof by itself; its absence needs the group beside it.
    if let Some(Known::Value(Some(_))) = member {
        return Ok(true);
    }
    let group_read = known(facts.groups.get(group), FactKey::Group(group.to_owned()));
    let member = known(member, FactKey::GroupMember(group.to_owned(), user.id));
    both(group_read, member).map(|((), member)| member.is_some())
}
