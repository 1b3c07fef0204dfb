//! People: the ones named, the members of groups, everybody with a role, bots; and `author`, who opened the merge
//! request.
//!
//! The keys are alternatives. That somebody is no member is proven only beside a group that could be read itself:
//! GitLab answers 404 both for a stranger and for a group that is hidden from the token. That somebody is a bot is
//! proven by the account alone: anybody may choose a name that looks like one. `author` is violated when it does not
//! fit: nobody can change who opened a merge request.
//!
//! GitLab: no two usernames and no two groups differ in case alone, and both are found whatever the case.

use super::kind::{Kind, Test, test};
use super::membership::{Membership, any, in_group};
use super::owners::{Who, owns_a_path};
use super::vocabulary::{PEOPLE, ROLES};
use crate::merge_request::{User, UserId};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{AccessLevel, FactKey, Family};
use crate::policy::finding::{Finding, Stop, known};
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
    reads: &[Family::MergeRequest, Family::People],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// GitLab's access levels of [`ROLES`], in the same order.
const LEVELS: [u8; 6] = [10, 15, 20, 30, 40, 50];

/// Why somebody whom the policy names is one of them.
const NAMED: &str = "named in the policy";

/// A set of people.
#[derive(Debug, Clone)]
pub(super) struct People {
    users: Vec<String>,
    groups: Vec<String>,
    role: Option<(String, AccessLevel)>,
    bots: bool,
    code_owners: bool,
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
        let groups = groups.into_iter().map(|path| path.to_ascii_lowercase()).collect();
        let bots = node.get("bots").and_then(|bots| bots.flag().map(|flag| (bots, flag)));
        if let Some((bots, false)) = bots {
            let help = "take it away: bots are meant only where `bots: true` is written";
            builder.notes.error(&bots.span, "`bots: false` says nothing", help);
        }
        let bots = bots.is_some_and(|(_, flag)| flag);
        let role = node.get("role").and_then(Node::words).and_then(|words| role_level(words.text));
        let owning = node.get("code_owners");
        let code_owners = owning.and_then(Node::flag).unwrap_or(false);
        if let Some(owning) = owning.filter(|owning| owning.flag() == Some(false)) {
            let help = "leave it out, or write `code_owners: true`";
            builder.notes.error(&owning.span, "`code_owners: false` means nobody", help);
        }
        let people = Self { users, groups, role, bots, code_owners };
        let means_somebody = !people.users.is_empty()
            || !people.groups.is_empty()
            || people.role.is_some()
            || people.bots
            || people.code_owners;
        means_somebody.then_some(people)
    }

    /// Everybody with at least a role on the target project.
    pub(super) fn with_role(word: &str) -> Self {
        Self {
            users: Vec::new(),
            groups: Vec::new(),
            role: role_level(word),
            bots: false,
            code_owners: false,
        }
    }

    /// Whether the policy names the user.
    pub(super) fn names(&self, user: &User) -> bool {
        self.users.iter().any(|name| name.eq_ignore_ascii_case(&user.username))
    }

    /// Whether the policy names bots.
    pub(super) fn name_bots(&self) -> bool {
        self.bots
    }

    /// Whether a user may have been one of them while the account was active: its memberships end with that, and so they prove
    /// nothing against it.
    pub(super) fn may_have_included(&self, user: &User) -> bool {
        let by_name_alone = self.groups.is_empty() && self.role.is_none() && !self.bots && !self.code_owners;
        self.names(user) || !by_name_alone
    }

    /// Whether a user is one of them; asks for everything that can tell at once, and for nothing if the name does.
    pub(super) fn includes(&self, user: &User, view: &View<'_>) -> Result<Membership, Stop> {
        if self.names(user) {
            return Ok(Membership::Yes(NAMED.to_owned()));
        }
        self.includes_by(std::iter::empty(), user.into(), view)
    }

    /// The same of a user of whom only the id is known.
    pub(super) fn includes_id(&self, id: UserId, view: &View<'_>) -> Result<Membership, Stop> {
        let author = &view.facts.merge_request.author;
        if author.id == id {
            return self.includes(author, view);
        }
        let by_name = self.users.iter().map(|name| (is_called(name, id, view), NAMED.to_owned()));
        self.includes_by(by_name, Who { id, username: None }, view)
    }

    fn includes_by(
        &self,
        by_name: impl Iterator<Item = (Result<bool, Stop>, String)>,
        who: Who<'_>,
        view: &View<'_>,
    ) -> Result<Membership, Stop> {
        let id = who.id;
        let by_group =
            self.groups.iter().map(|group| (in_group(group, id, view), format!("member of `{group}`")));
        let by_role = self
            .role
            .iter()
            .map(|(word, level)| (has_role(*level, id, view), format!("{word} of the project")));
        let by_account = self.bots.then(|| (is_bot(id, view), "a bot".to_owned()));
        let by_file =
            self.code_owners.then(|| (owns_a_path(who, view), "owner of a changed path".to_owned()));
        any(by_name.chain(by_group).chain(by_role).chain(by_account).chain(by_file))
    }

    /// The alternatives in words.
    pub(super) fn describe(&self) -> Vec<String> {
        let users = self.users.iter().map(|name| format!("@{name}"));
        let groups = self.groups.iter().map(|group| format!("members of {group}"));
        let role = self.role.iter().map(|(word, _)| format!("people with at least the role {word}"));
        let bots = self.bots.then(|| "bots".to_owned());
        let owners = self.code_owners.then(|| "code owners of a changed path".to_owned());
        users.chain(groups).chain(role).chain(bots).chain(owners).collect()
    }
}

fn role_level(word: &str) -> Option<(String, AccessLevel)> {
    let (word, level) = ROLES.iter().zip(LEVELS).find(|(known, _)| **known == word)?;
    Some(((*word).to_owned(), AccessLevel(level)))
}

/// Whether a username is a user's.
fn is_called(name: &str, id: UserId, view: &View<'_>) -> Result<bool, Stop> {
    let name = name.to_lowercase();
    let called = known(view.facts.usernames.get(&name), FactKey::Username(name.clone()))?;
    Ok(*called == Some(id))
}

fn is_bot(id: UserId, view: &View<'_>) -> Result<bool, Stop> {
    known(view.facts.accounts.get(&id), FactKey::Account(id)).map(|account| account.bot)
}

fn has_role(level: AccessLevel, id: UserId, view: &View<'_>) -> Result<bool, Stop> {
    let member = known(view.facts.project_members.get(&id), FactKey::ProjectMember(id))?;
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
    use crate::policy::example::{AUTHOR, facts, join_group, mistakes, needs, remedies, truth, unknown};
    use crate::policy::fact::{AccessLevel, Account, FactKey, Known};

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

    #[test]
    fn a_bot_is_one_by_its_account_and_not_by_its_name() {
        const BOTS: &str = "{author: {bots: true}}";
        let mut facts = facts();
        facts.merge_request.author.username = "project_7_bot_0a1b".to_owned();
        let author = UserId::new(AUTHOR);
        assert_eq!(needs(BOTS, &facts), [FactKey::Account(author)]);
        for (bot, expected) in [(true, Truth::True), (false, Truth::Violated)] {
            facts.accounts.insert(author, Known::Value(Account { bot }));
            assert_eq!(truth(BOTS, &facts), expected);
        }
        facts.accounts.insert(author, unknown(true));
        assert_eq!(truth(BOTS, &facts), Truth::Unknown { curable: true });
        assert_eq!(truth("{not: {author: {bots: true}}}", &facts), Truth::Unknown { curable: true });
    }

    #[test]
    fn bots_false_says_nothing() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {author: {role: owner, bots: false}}\n"), @r"
        p.yaml:4:43: error: `bots: false` says nothing
          help: take it away: bots are meant only where `bots: true` is written
        ");
    }

    #[test]
    fn a_group_is_the_same_in_any_case() {
        let mut facts = facts();
        join_group(&mut facts, "shop/web", AUTHOR, Some(10));
        assert_eq!(truth("{author: {groups: [/Shop/WEB/]}}", &facts), Truth::True);
    }
}
