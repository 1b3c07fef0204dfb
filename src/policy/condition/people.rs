//! People: the ones named, the members of groups, everybody with a role; and `author`, who opened the merge request.
//!
//! The keys are alternatives. That somebody is no member is proven only beside a group that could be read itself:
//! GitLab answers 404 both for a stranger and for a group that is hidden from the token. `author` is violated when
//! it does not fit: nobody can change who opened a merge request.

use std::collections::BTreeSet;

use super::kind::{Kind, Test, test};
use super::vocabulary::{PEOPLE, ROLES};
use crate::merge_request::User;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{AccessLevel, FactKey, Family, Known, Unknown};
use crate::policy::finding::{Finding, Stop, both, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape};

/// Who opened it.
pub(super) const AUTHOR: Kind = Kind {
    key: Key::new(
        "author",
        Shape::Mapping(&PEOPLE),
        "Who opened the merge request; each key is an alternative.",
    ),
    build: |node, builder| test(People::build(node, builder).map(Author)),
    reads: &[Family::MergeRequest, Family::Memberships],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// GitLab's access levels of [`ROLES`], in the same order.
const LEVELS: [u8; 6] = [10, 15, 20, 30, 40, 50];

/// A set of people.
#[derive(Debug, Clone)]
pub(super) struct People {
    users: Vec<String>,
    groups: Vec<String>,
    role: Option<(String, AccessLevel)>,
}

/// Whether somebody is one of them.
pub(super) enum Membership {
    /// Yes, because of this.
    Yes(String),
    /// Proven not.
    No,
}

impl People {
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let mut names = |key: &str, plain: fn(&str) -> &str| {
            let mut names = Vec::new();
            for words in node.get(key).map(Node::all_words).unwrap_or_default() {
                let name = plain(words.text);
                if name.is_empty() || name.contains([' ', '*', '!', ',']) {
                    let help = "write the name as GitLab's address shows it; patterns are not read here";
                    builder.notes.error(words.span, format!("`{}` is no name for `{key}`", words.text), help);
                }
                names.push(name.to_owned());
            }
            names
        };
        let users = names("users", |name| name.strip_prefix('@').unwrap_or(name));
        let groups = names("groups", |path| path.trim_matches('/'));
        let role = node.get("role").and_then(Node::words).and_then(|words| role_level(words.text));
        let people = Self { users, groups, role };
        (!people.users.is_empty() || !people.groups.is_empty() || people.role.is_some()).then_some(people)
    }

    /// Everybody with at least a role on the target project.
    pub(super) fn with_role(word: &str) -> Self {
        Self { users: Vec::new(), groups: Vec::new(), role: role_level(word) }
    }

    /// Whether the policy names the user.
    pub(super) fn names(&self, user: &User) -> bool {
        self.users.iter().any(|name| name.eq_ignore_ascii_case(&user.username))
    }

    /// Whether a user is one of them; asks for everything that can tell at once, and for nothing if the name does.
    pub(super) fn includes(&self, user: &User, view: &View<'_>) -> Result<Membership, Stop> {
        if self.names(user) {
            return Ok(Membership::Yes("named in the policy".to_owned()));
        }
        let by_group =
            self.groups.iter().map(|group| (in_group(group, user, view), format!("member of `{group}`")));
        let by_role = self
            .role
            .iter()
            .map(|(word, level)| (has_role(*level, user, view), format!("{word} of the project")));
        let mut needs = BTreeSet::new();
        let mut unknown: Option<Unknown> = None;
        for (answer, why) in by_group.chain(by_role) {
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

    /// The alternatives in words.
    pub(super) fn describe(&self) -> Vec<String> {
        let users = self.users.iter().map(|name| format!("@{name}"));
        let groups = self.groups.iter().map(|group| format!("members of {group}"));
        let role = self.role.iter().map(|(word, _)| format!("people with at least the role {word}"));
        users.chain(groups).chain(role).collect()
    }
}

fn role_level(word: &str) -> Option<(String, AccessLevel)> {
    let (word, level) = ROLES.iter().zip(LEVELS).find(|(known, _)| **known == word)?;
    Some(((*word).to_owned(), AccessLevel(level)))
}

fn in_group(group: &str, user: &User, view: &View<'_>) -> Result<bool, Stop> {
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

fn has_role(level: AccessLevel, user: &User, view: &View<'_>) -> Result<bool, Stop> {
    let member = known(view.facts.project_members.get(&user.id), FactKey::ProjectMember(user.id))?;
    Ok(member.is_some_and(|has| has >= level))
}

/// Who must have opened the merge request.
#[derive(Debug, Clone)]
struct Author(People);

impl Test for Author {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let author = &view.facts.merge_request.author;
        let people = self.0.describe().join(" or ");
        let finding = match self.0.includes(author, view)? {
            Membership::Yes(why) => {
                Finding::new("author", Truth::True, format!("the author @{} is {why}", author.username))
            }
            Membership::No => {
                let sentence = format!("the author @{} is not one of {people}", author.username);
                Finding::new("author", Truth::Violated, sentence)
            }
        };
        let to = if wanted { people } else { format!("none of {people}") };
        Ok(finding.mended_by(wanted, [Remedy::ChangeAuthor { to }]))
    }
}

#[cfg(test)]
mod tests {
    use crate::merge_request::UserId;
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{AUTHOR, facts, join_group, needs, remedies, truth, unknown};
    use crate::policy::fact::{AccessLevel, FactKey, Known};

    const GROUP: &str = "{author: {groups: [shop/web]}}";

    #[test]
    fn the_name_alone_can_settle_it() {
        assert_eq!(
            truth("{author: {users: [\"@AUTHOR\"], groups: [shop/web], role: owner}}", &facts()),
            Truth::True
        );
        assert_eq!(truth("{author: {users: [ana]}}", &facts()), Truth::Violated);
        let to = "@ana".to_owned();
        assert_eq!(remedies("{author: {users: [ana]}}", &facts()), [Remedy::ChangeAuthor { to }]);
    }

    #[test]
    fn all_alternatives_are_asked_for_at_once() {
        let author = UserId::new(AUTHOR);
        assert_eq!(
            needs("{author: {groups: [a, b], role: owner}}", &facts()),
            [
                FactKey::Group("a".to_owned()),
                FactKey::Group("b".to_owned()),
                FactKey::GroupMember("a".to_owned(), author),
                FactKey::GroupMember("b".to_owned(), author),
                FactKey::ProjectMember(author),
            ]
        );
    }

    #[test]
    fn a_missing_membership_is_a_proof_only_beside_its_group() {
        let mut facts = facts();
        join_group(&mut facts, "shop/web", AUTHOR, None);
        assert_eq!(truth(GROUP, &facts), Truth::Violated);
        facts.groups.insert("shop/web".to_owned(), unknown(false));
        assert_eq!(truth(GROUP, &facts), Truth::Unknown { curable: false });
        assert_eq!(
            remedies(GROUP, &facts),
            [Remedy::AskOperator { what: "GitLab did not answer".to_owned() }]
        );
        join_group(&mut facts, "shop/web", AUTHOR, Some(10));
        facts.groups.insert("shop/web".to_owned(), unknown(false));
        assert_eq!(truth(GROUP, &facts), Truth::True, "a membership that was read is one");
    }

    #[test]
    fn a_role_is_a_least_one() {
        let mut facts = facts();
        for (level, expected) in
            [(None, Truth::Violated), (Some(20), Truth::Violated), (Some(30), Truth::True)]
        {
            facts.project_members.insert(UserId::new(AUTHOR), Known::Value(level.map(AccessLevel)));
            assert_eq!(truth("{author: {role: developer}}", &facts), expected);
        }
    }
}
