//! `commits`: how many commits there are, and what each or one of them is.
//!
//! Violated when they are not as required: only another push mends that. What the messages settle asks for no parents, and
//! what the parents settle for no signature.

use std::collections::BTreeSet;

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::membership::Membership;
use super::people::People;
use super::text::{MESSAGE_TABLE, SUBJECT_TABLE, Text};
use super::trailers::{has_trailer, is_signed_off_by};
use super::vocabulary::{AT_LEAST, AT_MOST, PEOPLE, TEXTS};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Commit, FactKey, Family, Unknown};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// What the commits are.
pub(super) const COMMITS: Kind = Kind {
    key: Key::new(
        "commits",
        Shape::Mapping(&TABLE),
        "How many commits there are, and what each or one of them is.",
    ),
    build: |node, builder| test(Commits::build(node, builder)),
    reads: &[Family::Code, Family::Parentage, Family::Signatures, Family::Emails, Family::People],
    unmet: &[Truth::Violated],
    // A key can be revoked, and people leave groups.
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "commits",
    doc: "The commits of the newest push: how many there are, and what each or one of them is.",
    hint: Some("write `commits: {all: {…}}`, `commits: {none: {…}}` or `commits: {at_most: …}`"),
    keys: &[
        Key::new("any", COMMIT, "At least one commit is such."),
        Key::new("all", COMMIT, "Every commit is such, and there is one."),
        Key::new("none", COMMIT, "No commit is such."),
        AT_LEAST,
        AT_MOST,
    ],
};

const COMMIT: Shape = Shape::Mapping(&COMMIT_TABLE);

static COMMIT_TABLE: Table = Table {
    name: "commit",
    doc: "What a commit is; all keys must hold for the same commit.",
    hint: Some("write `{subject: {…}}`, `{signed_off_by: author}`, `{merge: true}` or `{verified: true}`"),
    keys: &[
        Key::new("message", Shape::Mapping(&MESSAGE_TABLE), "What its whole message says."),
        Key::new("subject", Shape::Mapping(&SUBJECT_TABLE), "What the first line of its message says."),
        Key::new("trailers", TEXTS, "Names of trailers in the last paragraph of its message: each is there."),
        Key::new(
            "signed_off_by",
            Shape::Choice(&["author", "committer"]),
            "A `Signed-off-by` trailer has the address of the commit's author or committer.",
        ),
        Key::new("merge", Shape::Flag, "It has more than one parent."),
        Key::new("verified", Shape::Flag, "GitLab has verified its signature, or signed it itself."),
        Key::new(
            "signed_by",
            Shape::Mapping(&PEOPLE),
            "GitLab has verified that one of these people signed it; each key is an alternative.",
        ),
    ],
};

/// GitLab: the signature is good, and the committer's address is one of the key's owner.
const VERIFIED: &str = "verified";
/// GitLab: the signature is its own, on a commit that it made for somebody (in the editor, by a merge or a rebase).
const VERIFIED_SYSTEM: &str = "verified_system";
/// GitLab's words for signatures that prove nothing. A word that is not here may mean anything.
const NOT_VERIFIED: [&str; 9] = [
    "unverified",
    "unverified_key",
    "unverified_author_email",
    "unknown_key",
    "same_user_different_email",
    "other_user",
    "multiple_signatures",
    "revoked_key",
    "expired_key",
];
/// Commits named in a sentence; more are counted.
const SHOWN: usize = 3;

/// How many commits there must be, and what they must be.
#[derive(Debug, Clone)]
struct Commits {
    bounds: Option<Bounds>,
    demands: Vec<Demand>,
}

#[derive(Debug, Clone)]
struct Demand {
    quantity: Quantity,
    pattern: Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Any,
    All,
    None,
}

/// What one commit is; everything that is said holds.
#[derive(Debug, Clone)]
struct Pattern {
    message: Option<Text>,
    subject: Option<Text>,
    trailers: Vec<String>,
    signed_off_by: Option<Role>,
    merge: bool,
    verified: bool,
    signed_by: Option<People>,
}

/// One of the two people whom a commit names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Author,
    Committer,
}

impl Commits {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Bounds::build(node, builder);
        let demands: Vec<_> = [("any", Quantity::Any), ("all", Quantity::All), ("none", Quantity::None)]
            .into_iter()
            .filter_map(|(key, quantity)| Some((quantity, node.get(key)?)))
            .map(|(quantity, node)| Pattern::build(node, builder).map(|pattern| Demand { quantity, pattern }))
            .collect();
        let demands = demands.into_iter().collect::<Option<Vec<_>>>()?;
        (bounds.is_some() || !demands.is_empty()).then_some(Self { bounds, demands })
    }
}

impl Pattern {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let mut text = |key| match node.get(key) {
            Some(text) => Text::build(("none", key), text, builder).map(Some),
            None => Some(None),
        };
        let (message, subject) = (text("message"), text("subject"));
        let signed_by = match node.get("signed_by") {
            Some(people) => People::build(people, builder).map(Some),
            None => Some(None),
        };
        for key in ["merge", "verified"] {
            if let Some(flag) = node.get(key).filter(|flag| flag.flag() == Some(false)) {
                let help = format!("write `none: {{{key}: true}}`");
                builder.notes.error(&flag.span, format!("`{key}: false` says nothing"), help);
            }
        }
        let trailers = node.get("trailers").map(Node::all_words).unwrap_or_default();
        for words in &trailers {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if !words.text.bytes().all(is_name) {
                let help = "write the name alone, such as `Signed-off-by`";
                builder.notes.error(words.span, format!("`{}` is no trailer's name", words.text), help);
            }
        }
        let is_set = |key| node.get(key).and_then(Node::flag) == Some(true);
        let pattern = Self {
            message: message?,
            subject: subject?,
            trailers: trailers.iter().map(|words| words.text.to_owned()).collect(),
            signed_off_by: node.get("signed_off_by").and_then(Node::words).and_then(|words| {
                match words.text {
                    "author" => Some(Role::Author),
                    "committer" => Some(Role::Committer),
                    _ => None,
                }
            }),
            merge: is_set("merge"),
            verified: is_set("verified"),
            signed_by: signed_by?,
        };
        (!pattern.phrases().is_empty()).then_some(pattern)
    }

    /// Whether it holds for a commit; what is cheap to know comes first, and is enough where it does not.
    fn holds(&self, commit: &Commit, view: &View<'_>) -> Result<bool, Stop> {
        if !self.is_written(commit) {
            return Ok(false);
        }
        let mut unknown = None;
        for part in [Self::is_merge, Self::is_verified, Self::is_signed] {
            match part(self, commit, view) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(Stop::Needs(keys)) => return Err(Stop::Needs(keys)),
                Err(Stop::Unknown(found)) => unknown = unknown.or(Some(found)),
            }
        }
        unknown.map_or(Ok(true), |unknown| Err(Stop::Unknown(unknown)))
    }

    /// What the message alone tells.
    fn is_written(&self, commit: &Commit) -> bool {
        let message = commit.message.trim_end();
        let subject = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim_end();
        self.message.as_ref().is_none_or(|text| text.holds(message))
            && self.subject.as_ref().is_none_or(|text| text.holds(subject))
            && self.trailers.iter().all(|name| has_trailer(message, name))
            && self.signed_off_by.is_none_or(|role| {
                let email = match role {
                    Role::Author => &commit.author_email,
                    Role::Committer => &commit.committer_email,
                };
                is_signed_off_by(message, email)
            })
    }

    fn is_merge(&self, commit: &Commit, view: &View<'_>) -> Result<bool, Stop> {
        if !self.merge {
            return Ok(true);
        }
        let parentage = known(view.facts.parentage.as_ref(), FactKey::Parentage)?;
        match parentage.iter().find(|parentage| parentage.sha == commit.sha) {
            Some(parentage) => Ok(parentage.parents.len() > 1),
            None => Err(unknown(format!("GitLab does not list the parents of {}", commit.sha.short()))),
        }
    }

    fn is_verified(&self, commit: &Commit, view: &View<'_>) -> Result<bool, Stop> {
        if !self.verified && self.signed_by.is_none() {
            return Ok(true);
        }
        let signature =
            known(view.facts.signatures.get(&commit.sha), FactKey::Signature(commit.sha.clone()))?;
        match signature.as_ref().map(|signature| signature.verification_status.as_str()) {
            Some(VERIFIED) => Ok(true),
            // It is GitLab's own, and nobody's.
            Some(VERIFIED_SYSTEM) => Ok(self.signed_by.is_none()),
            Some(word) if NOT_VERIFIED.contains(&word) => Ok(false),
            Some(word) => {
                Err(unknown(format!("GitLab calls a signature `{word}`, which is not a known word")))
            }
            None => Ok(false),
        }
    }

    /// Whose a verified signature is: GitLab's `verified` says that the committer's address is the key's owner's.
    fn is_signed(&self, commit: &Commit, view: &View<'_>) -> Result<bool, Stop> {
        let Some(people) = &self.signed_by else { return Ok(true) };
        // A private commit address names its user, but its host is whatever somebody owns: here it must be looked up.
        let email = commit.committer_email.trim().to_lowercase();
        let owner = match view.facts.emails.get(&email) {
            _ if email.is_empty() => None,
            owner => *known(owner, FactKey::Email(email.clone()))?,
        };
        // The address is somebody's, for GitLab has verified it: that it is nobody's we know of proves nothing.
        let owner = owner.ok_or_else(|| unknown(format!("GitLab does not show whose `{email}` is")))?;
        Ok(matches!(people.includes_id(owner, view)?, Membership::Yes(_)))
    }

    /// All that is said of a commit, in words.
    fn phrases(&self) -> Vec<String> {
        let mut phrases = Vec::new();
        phrases.extend(self.message.iter().map(|text| format!("has a message that {}", text.describe())));
        phrases.extend(self.subject.iter().map(|text| format!("has a subject that {}", text.describe())));
        phrases.extend(self.trailers.iter().map(|name| format!("has the trailer `{name}`")));
        phrases.extend(self.signed_off_by.map(|role| match role {
            Role::Author => "is signed off by its author".to_owned(),
            Role::Committer => "is signed off by its committer".to_owned(),
        }));
        phrases.extend(self.merge.then(|| "is a merge".to_owned()));
        phrases.extend(self.verified.then(|| "is verified by GitLab".to_owned()));
        let people = self.signed_by.iter().map(|people| people.describe().join(" or "));
        phrases.extend(people.map(|people| format!("is signed by {people}")));
        phrases
    }
}

impl Demand {
    /// Whether it is met, and in words why.
    fn judge(&self, commits: &[Commit], view: &View<'_>) -> Result<(bool, String), Stop> {
        let (mut needs, mut doubt): (BTreeSet<FactKey>, Option<Unknown>) = (BTreeSet::new(), None);
        let mut decisive = Vec::new();
        for commit in commits {
            match self.pattern.holds(commit, view) {
                // What to look for: a commit that is such, or for `all` one that is not.
                Ok(holds) if holds == (self.quantity != Quantity::All) => decisive.push(commit.sha.short()),
                Ok(_) => {}
                Err(Stop::Needs(keys)) => needs.extend(keys),
                // A retry that can help one commit is enough.
                Err(Stop::Unknown(found)) if doubt.as_ref().is_none_or(|doubt| !doubt.curable) => {
                    doubt = Some(found);
                }
                Err(Stop::Unknown(_)) => {}
            }
        }
        match doubt {
            _ if !decisive.is_empty() => Ok((self.quantity == Quantity::Any, self.sentence(&decisive))),
            _ if !needs.is_empty() => Err(Stop::Needs(needs)),
            Some(doubt) => Err(Stop::Unknown(doubt)),
            None => Ok((self.quantity != Quantity::Any, self.sentence(&decisive))),
        }
    }

    fn sentence(&self, decisive: &[&str]) -> String {
        let is = self.pattern.phrases().join(" and ");
        let some = decisive.iter().take(SHOWN).map(|sha| format!("`{sha}`")).collect::<Vec<_>>().join(", ");
        let some = match decisive.len().saturating_sub(SHOWN) {
            0 => some,
            more => format!("{some} and {more} more"),
        };
        match (self.quantity, decisive.is_empty()) {
            (Quantity::All, true) => format!("every commit {is}"),
            (Quantity::All, false) => format!("not every commit {is}: {some}"),
            (Quantity::Any | Quantity::None, true) => format!("no commit {is}"),
            (Quantity::Any, false) => format!("a commit {is}: {some}"),
            (Quantity::None, false) => format!("a commit {is} and must not: {some}"),
        }
    }

    fn wish(&self) -> String {
        let is = self.pattern.phrases().join(" and ");
        match self.quantity {
            Quantity::Any => format!("one commit {is}"),
            Quantity::All => format!("every commit {is}"),
            Quantity::None => format!("no commit {is}"),
        }
    }
}

impl Commits {
    fn wish(&self) -> String {
        let bounds = self.bounds.iter().map(|bounds| format!("there are {} commits", bounds.describe()));
        bounds.chain(self.demands.iter().map(Demand::wish)).collect::<Vec<_>>().join(" and ")
    }
}

impl Test for Commits {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let commits = view.commits()?;
        let (mut needs, mut doubt): (BTreeSet<FactKey>, Option<Stop>) = (BTreeSet::new(), None);
        let (mut met, mut unmet) = (Vec::new(), Vec::new());
        let count = Count::exactly(commits.len() as u64);
        let counted = self.bounds.map(|bounds| {
            let sentence = format!("there are {} commits, the bounds are {}", count.low, bounds.describe());
            Ok((bounds.hold(count) == Some(true), sentence))
        });
        for part in counted.into_iter().chain(self.demands.iter().map(|demand| demand.judge(commits, view))) {
            match part {
                Ok((true, sentence)) => met.push(sentence),
                Ok((false, sentence)) => unmet.push(sentence),
                Err(Stop::Needs(keys)) => needs.extend(keys),
                Err(unknown @ Stop::Unknown(_)) => doubt = doubt.or(Some(unknown)),
            }
        }
        let to = self.wish();
        let remedy = Remedy::ChangeCommits { to: if wanted { to } else { format!("not: {to}") } };
        if !unmet.is_empty() {
            let finding = Finding::new("commits", Truth::Violated, unmet.join(", "));
            return Ok(finding.mended_by(wanted, [remedy]));
        }
        // One question for all commits may save one for each of them.
        if needs.iter().any(|key| !key.is_one_of_many()) {
            needs.retain(|key| !key.is_one_of_many());
        }
        match doubt {
            _ if !needs.is_empty() => Err(Stop::Needs(needs)),
            Some(doubt) => Err(doubt),
            None => Ok(Finding::new("commits", Truth::True, met.join(", ")).mended_by(wanted, [remedy])),
        }
    }
}

/// A doubt that no retry ends.
fn unknown(why: String) -> Stop {
    Stop::Unknown(Unknown { why, curable: false })
}

#[cfg(test)]
mod tests;
