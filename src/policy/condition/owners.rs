//! Whether somebody is an owner whom CODEOWNERS names.
//!
//! An owner that can't be resolved (a group that is hidden or not there, an address that GitLab shows nobody for) proves
//! nothing: whether somebody is meant by it stays open, and it is said whom to look for.

use std::collections::BTreeSet;

use super::membership::{Membership, any, in_group};
use crate::merge_request::{User, UserId};
use crate::policy::code_owners::{Owned, Owner};
use crate::policy::fact::{FactKey, Unknown};
use crate::policy::finding::{Stop, known, open_of_any};
use crate::policy::view::View;

/// Somebody, of whom the username may not be known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) id: UserId,
    pub(super) username: Option<&'a str>,
}

impl<'a> From<&'a User> for Who<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: user.id, username: Some(&user.username) }
    }
}

impl Who<'_> {
    fn is_called(self, name: &str) -> bool {
        self.username.is_some_and(|username| name.eq_ignore_ascii_case(username))
    }
}

/// Whether somebody is one of these owners.
pub(super) fn is_owner(owners: &[Owner], user: Who<'_>, view: &View<'_>) -> Result<Membership, Stop> {
    // The name alone settles it: nothing need be asked for the others then.
    if is_named(owners, user) {
        return Ok(Membership::Yes("an owner by name".to_owned()));
    }
    any(owners.iter().map(|owner| (is_meant(owner, user, view), format!("an owner: {}", owner.in_words()))))
}

/// Whether the username is among the owners.
pub(super) fn is_named(owners: &[Owner], user: Who<'_>) -> bool {
    owners.iter().any(|owner| match owner {
        Owner::Name(name) => user.is_called(name),
        Owner::Role(..) | Owner::Email(_) => false,
    })
}

/// Those who can approve, in words, if they are provably fewer than `count`: somebody who is `barred` can't. How many people
/// a group or a role has is not asked; whether a name is a group's, only where it matters.
pub(super) fn find_shortage(
    owners: &[Owner],
    count: usize,
    barred: Option<&User>,
    view: &View<'_>,
) -> Result<Option<Vec<String>>, Stop> {
    let is_barred =
        |owner: &Owner| barred.is_some_and(|user| is_named(std::slice::from_ref(owner), user.into()));
    let able: Vec<_> = owners.iter().filter(|owner| !is_barred(owner)).collect();
    if able.len() >= count {
        return Ok(None);
    }
    let mut needs = BTreeSet::new();
    for owner in &able {
        match owner {
            Owner::Email(_) => {}
            Owner::Name(name) if !name.contains('/') => {
                match known(view.facts.usernames.get(name), FactKey::Username(name.clone())) {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(Stop::Unknown(_)) => return Ok(None),
                    Err(Stop::Needs(keys)) => needs.extend(keys),
                }
            }
            Owner::Name(_) | Owner::Role(..) => return Ok(None),
        }
    }
    if needs.is_empty() {
        Ok(Some(able.into_iter().map(Owner::in_words).collect()))
    } else {
        Err(Stop::Needs(needs))
    }
}

/// Whether somebody owns at least one touched path; nobody does where there is no CODEOWNERS file.
pub(super) fn owns_a_path(user: Who<'_>, view: &View<'_>) -> Result<bool, Stop> {
    let Some(owned) = view.owned_paths()? else { return Ok(false) };
    let winners: BTreeSet<usize> =
        owned.paths.iter().flat_map(|(_, winners)| winners.iter().copied()).collect();
    let (mut owners, mut doubt) = (BTreeSet::new(), None);
    for (entry, _) in winners.iter().filter_map(|winner| owned.file.entry(*winner)) {
        match &entry.owned {
            Owned::By(named) => owners.extend(named.iter().cloned()),
            Owned::ByNobody => {}
            Owned::Unreadable(why) => doubt = Some(format!("`{}`: {why}", owned.file.path)),
        }
    }
    let owners: Vec<_> = owners.into_iter().collect();
    let stop = match is_owner(&owners, user, view) {
        Ok(Membership::Yes(_)) => return Ok(true),
        Ok(Membership::No) => None,
        Err(needs @ Stop::Needs(_)) => return Err(needs),
        Err(stop) => Some(stop),
    };
    let doubt = doubt.map(|why| Stop::Unknown(Unknown { why, curable: false }));
    // Of the files that GitLab does not list somebody may own one, whatever is in doubt of the others.
    let rest = view.prove_whole(owned.code).err();
    open_of_any(stop.into_iter().chain(doubt).chain(rest)).map_or(Ok(false), Err)
}

fn is_meant(owner: &Owner, user: Who<'_>, view: &View<'_>) -> Result<bool, Stop> {
    let facts = view.facts;
    match owner {
        Owner::Name(name) if user.is_called(name) => Ok(true),
        Owner::Name(name) if name.contains('/') => group_member(name, user, view),
        // GitLab: users and top-level groups share one space of names.
        Owner::Name(name) => match known(facts.usernames.get(name), FactKey::Username(name.clone()))? {
            Some(id) => Ok(*id == user.id),
            None => group_member(name, user, view),
        },
        Owner::Role(_, level) => {
            let members = &facts.direct_project_members;
            let member = known(members.get(&user.id), FactKey::DirectProjectMember(user.id))?;
            Ok(*member == Some(*level))
        }
        Owner::Email(email) => match known(facts.emails.get(email), FactKey::Email(email.clone()))? {
            Some(id) => Ok(*id == user.id),
            None => Err(unresolved(email, "GitLab shows no user for it", false)),
        },
    }
}

fn group_member(group: &str, user: Who<'_>, view: &View<'_>) -> Result<bool, Stop> {
    in_group(group, user.id, view).map_err(|stop| match stop {
        Stop::Unknown(Unknown { why, curable }) => unresolved(&format!("@{group}"), &why, curable),
        Stop::Needs(keys) => Stop::Needs(keys),
    })
}

fn unresolved(owner: &str, why: &str, curable: bool) -> Stop {
    Stop::Unknown(Unknown {
        why: format!("who the owner `{owner}` in CODEOWNERS is can't be told: {why}"),
        curable,
    })
}
