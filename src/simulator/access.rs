//! Who may see and do what.

use jiff::tz::TimeZone;

use super::accounts::Account;
use super::namespaces::{Group, Membership, Project, Visibility};
use super::world::World;
use crate::merge_request::UserId;

/// Access levels that decide something.
pub(super) mod level {
    /// May look at most things.
    pub(in crate::simulator) const REPORTER: u8 = 20;
    /// May answer status checks.
    pub(in crate::simulator) const DEVELOPER: u8 = 30;
    /// May configure status checks.
    pub(in crate::simulator) const MAINTAINER: u8 = 40;
    /// May everything.
    pub(in crate::simulator) const OWNER: u8 = 50;
}

impl World {
    /// The membership that counts in a group, inherited and invited ones included: the highest level.
    pub(super) fn group_membership(&self, path: &str, user: UserId) -> Option<Membership> {
        let mut found = Vec::new();
        for group in self.group_and_above(path) {
            found.extend(group.members.iter().filter(|member| member.user == user).cloned());
            found.extend(self.invited_membership(&group.invited, user));
        }
        highest(found)
    }

    /// The membership that counts in a project.
    pub(super) fn project_membership(&self, project: &Project, user: UserId) -> Option<Membership> {
        let mut found: Vec<_> =
            project.members.iter().filter(|member| member.user == user).cloned().collect();
        found.extend(self.invited_membership(&project.invited, user));
        found.extend(self.group_membership(project.namespace(), user));
        highest(found)
    }

    /// The access level that a user has in a project at this moment; expired and awaiting members have none.
    pub(super) fn level_in_project(&self, project: &Project, account: &Account) -> u8 {
        if account.admin {
            return level::OWNER;
        }
        let membership = self.project_membership(project, account.id);
        membership.filter(|member| self.counts(member)).map_or(0, |member| member.level)
    }

    /// Whether a user sees a project.
    pub(super) fn sees_project(&self, project: &Project, account: &Account) -> bool {
        project.visibility != Visibility::Private || self.level_in_project(project, account) > 0
    }

    /// Whether a user sees a group: it is not private, or the user is a member there, above, or below.
    pub(super) fn sees_group(&self, group: &Group, account: &Account) -> bool {
        let member =
            || self.group_membership(&group.path, account.id).is_some_and(|member| self.counts(&member));
        let below = format!("{}/", group.path);
        let mut projects = self.projects.values().filter(|project| project.path.starts_with(&below));
        group.visibility != Visibility::Private
            || account.admin
            || member()
            || projects.any(|project| self.level_in_project(project, account) > 0)
    }

    fn counts(&self, member: &Membership) -> bool {
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        !member.awaiting && member.expires_at.is_none_or(|day| today < day)
    }

    fn group_and_above(&self, path: &str) -> Vec<&Group> {
        let paths = std::iter::once(path).chain(Self::ancestors(path));
        paths.filter_map(|path| self.groups.get(path)).collect()
    }

    fn invited_membership(&self, invited: &[(String, u8)], user: UserId) -> Option<Membership> {
        let memberships = invited.iter().filter_map(|(path, most)| {
            let guests = self.group_and_above(path).into_iter().flat_map(|group| group.members.iter());
            let member = highest(guests.filter(|member| member.user == user).cloned().collect())?;
            Some(Membership { level: member.level.min(*most), ..member })
        });
        highest(memberships.collect())
    }
}

/// Of several memberships of one user: an active one before an awaiting one, then the higher level.
fn highest(memberships: Vec<Membership>) -> Option<Membership> {
    memberships.into_iter().max_by_key(|member| (!member.awaiting, member.level))
}
