//! `committers`: who made the commits: authors, committers and co-authors of every commit, and whoever was seen pushing.
//!
//! Violated when somebody who made them is proven wrong: other commits are needed. A commit email that belongs to no
//! user may be anybody's, and commits that are not listed may be anybody's too: neither proves anything. An email is
//! unsettled until somebody connects it with a user, and never false: it must not make a `not` true either.

use std::collections::BTreeSet;

use super::kind::{Kind, Test, test};
use super::makers::Makers;
use super::membership::Membership;
use super::people::People;
use super::text::only_true;
use super::vocabulary::PEOPLE;
use crate::merge_request::UserId;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::Family;
use crate::policy::finding::{Finding, Stop, open_of_all, open_of_any};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Who made the commits.
pub(super) const COMMITTERS: Kind = Kind {
    key: Key::new("committers", Shape::Mapping(&TABLE), "Who made the commits."),
    build: |node, builder| test(Committers::build(node, builder)),
    reads: &[Family::MergeRequest, Family::Code, Family::Emails, Family::People],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "committers",
    doc: "Who made the commits: authors, committers and co-authors of every commit, and whoever was seen pushing.",
    hint: Some("write `committers: {all: {groups: […]}}`, `committers: {any: …}` or `committers: {none: …}`"),
    keys: &[
        Key::new("all", Shape::Mapping(&PEOPLE), "Everybody who made them is one of these."),
        Key::new("any", Shape::Mapping(&PEOPLE), "Somebody who made them is one of these."),
        Key::new("none", Shape::Mapping(&PEOPLE), "Nobody who made them is one of these."),
        Key::new(
            "only_author",
            Shape::Flag,
            "With `true`: nobody but the author of the merge request made them.",
        ),
        Key::new(
            "unmatched",
            Shape::Choice(&["wait", "allow"]),
            "What a commit email that belongs to no user does: wait (the default) or nothing.",
        ),
    ],
};

/// Who must and must not have made the commits.
#[derive(Debug, Clone)]
struct Committers {
    demands: Vec<Demand>,
    allow_unmatched: bool,
}

#[derive(Debug, Clone)]
enum Demand {
    All(People),
    Any(People),
    None(People),
    OnlyAuthor,
}

/// Those who made the commits, as far as they are known.
struct Crew {
    users: BTreeSet<UserId>,
    /// A commit email that belongs to no user.
    unmatched: Option<String>,
    /// Why there may be more of them.
    more: Option<Stop>,
}

/// What a demand comes to.
enum Part {
    Met,
    /// Proven wrong, because of this.
    Wrong(String),
    Open(Stop),
    /// It hangs on whose this email is.
    Unmatched(String),
}

impl Committers {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let mut people = |key: &str, demand: fn(People) -> Demand| {
            node.get(key).map(|people| People::build(people, builder).map(demand))
        };
        let mut demands =
            vec![people("all", Demand::All), people("any", Demand::Any), people("none", Demand::None)];
        let only_author = node.get("only_author");
        demands.push(only_author.map(|flag| {
            only_true(("not", "committers"), "only_author", flag, builder).then_some(Demand::OnlyAuthor)
        }));
        if !node.entries().is_empty() && demands.iter().all(Option::is_none) {
            let help = "write `all`, `any`, `none` or `only_author: true`";
            builder.notes.error(&node.span, "`committers` does not say who", help);
        }
        // A demand that can't be read must not be left out.
        let demands = demands.into_iter().flatten().collect::<Option<Vec<_>>>()?;
        let unmatched = node.get("unmatched").and_then(Node::words).map(|words| words.text);
        (!demands.is_empty()).then_some(Self { demands, allow_unmatched: unmatched == Some("allow") })
    }

    fn describe(&self) -> String {
        self.demands.iter().map(Demand::describe).collect::<Vec<_>>().join(" and ")
    }
}

impl Demand {
    fn describe(&self) -> String {
        let of = |people: &People| people.describe().join(" or ");
        match self {
            Self::All(people) => format!("everybody who made the commits is one of {}", of(people)),
            Self::Any(people) => format!("somebody who made the commits is one of {}", of(people)),
            Self::None(people) => format!("nobody who made the commits is one of {}", of(people)),
            Self::OnlyAuthor => "nobody but the author made the commits".to_owned(),
        }
    }

    fn judge(&self, crew: &Crew, allow_unmatched: bool, view: &View<'_>) -> Part {
        let mut open = crew.more.iter().cloned().collect::<Vec<_>>();
        for id in &crew.users {
            let is_wrong = match self {
                Self::OnlyAuthor => Ok((*id != view.facts.merge_request.author.id).then(String::new)),
                Self::All(people) => people.includes_id(*id, view).map(|member| match member {
                    Membership::Yes(_) => None,
                    Membership::No => Some(format!(", and is not one of {}", people.describe().join(" or "))),
                }),
                Self::None(people) => people.includes_id(*id, view).map(|member| match member {
                    Membership::Yes(why) => Some(format!(", and is {why}")),
                    Membership::No => None,
                }),
                Self::Any(people) => match people.includes_id(*id, view) {
                    Ok(Membership::Yes(_)) => return Part::Met,
                    other => other.map(|_| None),
                },
            };
            match is_wrong {
                Ok(Some(why)) => return Part::Wrong(format!("{} made commits{why}", called(*id, view))),
                Ok(None) => {}
                Err(stop) => open.push(stop),
            }
        }
        let open = if matches!(self, Self::Any(_)) { open_of_any(open) } else { open_of_all(open) };
        if let Some(stop) = open {
            return Part::Open(stop);
        }
        match (&crew.unmatched, self) {
            (Some(email), _) if !allow_unmatched => Part::Unmatched(email.clone()),
            // What is said of everybody must be known of somebody.
            (Some(email), Self::All(_) | Self::OnlyAuthor) if crew.users.is_empty() => {
                Part::Unmatched(email.clone())
            }
            (_, Self::Any(people)) => Part::Wrong(format!(
                "nobody who made the commits is one of {}",
                people.describe().join(" or ")
            )),
            (_, Self::All(_) | Self::None(_) | Self::OnlyAuthor) => Part::Met,
        }
    }
}

impl Crew {
    fn read(view: &View<'_>) -> Self {
        let mut users = view.facts.sightings.pushers.clone();
        let code = match view.code() {
            Ok(code) => code,
            Err(stop) => return Self { users, unmatched: None, more: Some(stop) },
        };
        let makers = Makers::read(&code.commits, &view.facts.emails);
        users.extend(&makers.users);
        let unmatched = makers.unmatched.first().cloned();
        // Where the list is not all of them, those who are on it are known all the same.
        Self { users, unmatched, more: open_of_all(makers.stop().into_iter().chain(view.commits().err())) }
    }
}

/// Somebody in words: the merge request names some people, of others only the id is known.
fn called(id: UserId, view: &View<'_>) -> String {
    let request = &view.facts.merge_request;
    let mut named = std::iter::once(&request.author).chain(&request.assignees).chain(&request.reviewers);
    match named.find(|user| user.id == id) {
        Some(user) => format!("@{}", user.username),
        None => format!("the user with the id {id}"),
    }
}

impl Test for Committers {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let crew = Crew::read(view);
        let (mut wrong, mut open, mut unmatched) = (Vec::new(), Vec::new(), None);
        for demand in &self.demands {
            match demand.judge(&crew, self.allow_unmatched, view) {
                Part::Met => {}
                Part::Wrong(why) => wrong.push(why),
                Part::Open(stop) => open.push(stop),
                Part::Unmatched(email) => unmatched = Some(email),
            }
        }
        let to = if wanted { self.describe() } else { format!("it is not true that {}", self.describe()) };
        let change = Remedy::ChangeCommitters { to };
        if !wrong.is_empty() {
            let finding = Finding::new("committers", Truth::Violated, wrong.join("; "));
            return Ok(finding.mended_by(wanted, [change]));
        }
        if let Some(stop) = open_of_all(open) {
            return Err(stop);
        }
        if let Some(email) = unmatched {
            let sentence = format!("the commit email `{email}` belongs to no user of GitLab");
            let what = format!(
                "give the commit email `{email}` to a user of GitLab, or write `unmatched: allow` in the policy"
            );
            let finding = Finding::new("committers", Truth::Unsettled, sentence);
            return Ok(finding.mended_by(wanted, [Remedy::AskOperator { what }]));
        }
        Ok(Finding::new("committers", Truth::True, self.describe()).mended_by(wanted, [change]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::evaluation::RuleState;
    use crate::policy::example::{
        code, facts, join_group, mistakes, needs, reason, remedies, sha, state, truth, unknown,
    };
    use crate::policy::fact::{Account, FactKey, Facts, Known};

    const ALL: &str = "{committers: {all: {groups: [shop/web]}}}";
    const ANY: &str = "{committers: {any: {groups: [shop/web]}}}";
    const NONE: &str = "{committers: {none: {groups: [shop/web]}}}";
    const ONLY: &str = "{committers: {only_author: true}}";

    /// A change whose head was committed from this address.
    fn by(email: &str) -> Facts {
        let mut facts = facts();
        let mut code = code(1, &["src/a.rs"]);
        code.commits[0].sha = sha('b');
        code.commits[0].committer_email = email.to_owned();
        facts.code = Some(Known::Value(code));
        facts
    }

    fn private(id: u64) -> Facts {
        by(&format!("{id}-x@users.noreply.gitlab.example"))
    }

    #[test]
    fn emails_are_asked_for_beside_the_memberships_of_those_known() {
        assert_eq!(needs(ALL, &facts()), [FactKey::Code]);
        let asked = [
            FactKey::Group("shop/web".to_owned()),
            FactKey::GroupMember("shop/web".to_owned(), UserId::new(1)),
            FactKey::Email("bob@x.org".to_owned()),
        ];
        assert_eq!(needs(ALL, &by("bob@x.org")), asked);
        assert_eq!(needs(ONLY, &by("bob@x.org")), [FactKey::Email("bob@x.org".to_owned())]);
    }

    #[test]
    fn everybody_somebody_and_nobody() {
        for (author, other, expected) in [
            (Some(30), Some(30), [Truth::True, Truth::True, Truth::Violated]),
            (Some(30), None, [Truth::Violated, Truth::True, Truth::Violated]),
            (None, Some(30), [Truth::Violated, Truth::True, Truth::Violated]),
            (None, None, [Truth::Violated, Truth::Violated, Truth::True]),
        ] {
            let mut facts = private(3);
            join_group(&mut facts, "shop/web", 1, author);
            join_group(&mut facts, "shop/web", 3, other);
            assert_eq!([ALL, ANY, NONE].map(|require| truth(require, &facts)), expected);
        }
    }

    #[test]
    fn only_the_author_is_nobody_else() {
        assert_eq!(truth(ONLY, &private(1)), Truth::True);
        assert_eq!(reason(ONLY, &private(3)).sentence, "the user with the id 3 made commits");
        let mut pushed = private(1);
        pushed.sightings.pushers.insert(UserId::new(3));
        assert_eq!(truth(ONLY, &pushed), Truth::Violated, "who pushed made it too");
        pushed.code = None;
        assert_eq!(truth(ONLY, &pushed), Truth::Violated, "whatever the commits are");
        let to = "nobody but the author made the commits".to_owned();
        assert_eq!(remedies(ONLY, &private(3)), [Remedy::ChangeCommitters { to }]);
    }

    #[test]
    fn a_name_is_looked_up_for_those_of_whom_only_the_id_is_known() {
        const NAMED: &str = "{committers: {all: {users: [Bob, author]}}}";
        let mut facts = private(3);
        assert_eq!(
            needs(NAMED, &facts),
            [FactKey::Username("author".to_owned()), FactKey::Username("bob".to_owned())]
        );
        facts.usernames.insert("bob".to_owned(), Known::Value(Some(UserId::new(3))));
        assert_eq!(truth(NAMED, &facts), Truth::True);
        facts.usernames.insert("bob".to_owned(), Known::Value(None));
        facts.usernames.insert("author".to_owned(), Known::Value(Some(UserId::new(1))));
        assert_eq!(truth(NAMED, &facts), Truth::Violated);
        facts.usernames.insert("bob".to_owned(), unknown(true));
        assert_eq!(truth(NAMED, &facts), Truth::Unknown { curable: true });
    }

    #[test]
    fn bots_are_known_by_their_accounts() {
        let mut facts = private(3);
        facts.accounts.insert(UserId::new(1), Known::Value(Account { bot: false }));
        facts.accounts.insert(UserId::new(3), Known::Value(Account { bot: true }));
        assert_eq!(truth("{committers: {any: {bots: true}}}", &facts), Truth::True);
        assert_eq!(truth("{committers: {none: {bots: true}}}", &facts), Truth::Violated);
    }

    #[test]
    fn an_email_of_nobody_passes_nothing() {
        let mut facts = by("who@x.org");
        facts.emails.insert("who@x.org".to_owned(), Known::Value(None));
        join_group(&mut facts, "shop/web", 1, Some(30));
        for require in [ALL, ONLY] {
            for require in [require.to_owned(), format!("{{not: {require}}}")] {
                assert_eq!(state(&require, &facts), RuleState::Waiting, "{require}");
            }
        }
        assert_eq!(reason(ALL, &facts).sentence, "the commit email `who@x.org` belongs to no user of GitLab");
        assert!(
            matches!(&remedies(ALL, &facts)[..], [Remedy::AskOperator { what }] if what.contains("who@x.org"))
        );
        assert_eq!(truth(ANY, &facts), Truth::True, "it does not matter where somebody else fits");
        assert_eq!(truth(NONE, &facts), Truth::Violated, "nor where somebody else is wrong");
        join_group(&mut facts, "shop/web", 1, None);
        for require in [ANY, NONE] {
            assert_eq!(state(require, &facts), RuleState::Waiting, "{require}");
        }
        assert_eq!(
            truth("{committers: {none: {groups: [shop/web]}, unmatched: allow}}", &facts),
            Truth::True
        );
        assert_eq!(
            truth("{committers: {any: {groups: [shop/web]}, unmatched: allow}}", &facts),
            Truth::Violated
        );
        assert_eq!(truth("{committers: {only_author: true, unmatched: allow}}", &facts), Truth::True);
    }

    #[test]
    fn what_is_said_of_everybody_must_be_known_of_somebody() {
        let mut facts = by("who@x.org");
        if let Some(Known::Value(code)) = &mut facts.code {
            code.commits[0].author_email = String::new();
        }
        facts.emails.insert("who@x.org".to_owned(), Known::Value(None));
        for require in [
            "{committers: {all: {role: guest}, unmatched: allow}}",
            "{committers: {only_author: true, unmatched: allow}}",
        ] {
            assert_eq!(state(require, &facts), RuleState::Waiting, "{require}");
        }
    }

    #[test]
    fn a_list_that_is_empty_or_cut_short_proves_nothing_of_everybody() {
        for cut in [true, false] {
            let mut facts = private(1);
            if let Some(Known::Value(code)) = &mut facts.code {
                if cut { code.commits[0].sha = sha('d') } else { code.commits.clear() }
            }
            join_group(&mut facts, "shop/web", 1, Some(30));
            for require in [ALL, ONLY, NONE] {
                assert!(!matches!(truth(require, &facts), Truth::True), "{require}");
            }
            assert_eq!(truth(ALL, &facts), Truth::Unknown { curable: true });
            let any = if cut { Truth::True } else { Truth::Unknown { curable: true } };
            assert_eq!(truth(ANY, &facts), any);
        }
    }

    #[test]
    fn a_hidden_group_passes_nothing() {
        let mut facts = private(1);
        join_group(&mut facts, "shop/web", 1, None);
        facts.groups.insert("shop/web".to_owned(), unknown(false));
        for require in [ALL, ANY, NONE] {
            assert_eq!(truth(require, &facts), Truth::Unknown { curable: false }, "{require}");
        }
    }

    #[test]
    fn who_says_nothing_of_anybody_is_told_so() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {committers: {unmatched: allow}}\n  - id: s\n    require: {committers: {only_author: false}}\n"), @r"
        p.yaml:4:27: error: `committers` does not say who
          help: write `all`, `any`, `none` or `only_author: true`
        p.yaml:6:41: error: `only_author: false` says nothing
          help: write `not: {committers: {only_author: true}}`
        ");
    }
}
