//! Whether somebody belongs to something, and to one of several things.

use crate::merge_request::UserId;
use crate::policy::fact::{FactKey, Known};
use crate::policy::finding::{Stop, both, known, open_of_any};
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
    let mut open = Vec::new();
    for (answer, why) in answers {
        match answer {
            Ok(true) => return Ok(Membership::Yes(why)),
            Ok(false) => {}
            Err(stop) => open.push(stop),
        }
    }
    open_of_any(open).map_or(Ok(Membership::No), Err)
}

/// Whether somebody is a member of a group, inherited memberships included.
pub(super) fn in_group(group: &str, id: UserId, view: &View<'_>) -> Result<bool, Stop> {
    let facts = view.facts;
    let member = facts.group_members.get(group).and_then(|members| members.get(&id));
    // A membership that was read is a proof by itself; its absence needs the group beside it.
    if let Some(Known::Value(Some(_))) = member {
        return Ok(true);
    }
    let group_read = known(facts.groups.get(group), FactKey::Group(group.to_owned()));
    let member = known(member, FactKey::GroupMember(group.to_owned(), id));
    both(group_read, member).map(|((), member)| member.is_some())
}
