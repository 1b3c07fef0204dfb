//! The frame of a policy file: its name, for what it speaks, and its rules.

use std::collections::BTreeSet;

use super::builder::Builder;
use super::clause::Clause;
use super::condition::catalogue::CONDITIONS;
use super::diagnostic::Collector;
use super::document::Node;
use super::evaluation::Enforce;
use super::fact::Family;
use super::pattern::{Names, PathGlobsBuilder, ProjectGlobs, check_project_glob};
use super::reader::Words;
use crate::merge_request::CheckName;
use crate::schema::{Key, Shape, Table, nearest};

/// The longest name of a policy or rule.
const LONGEST_SLUG: usize = 64;
const TEXTS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

/// A whole policy file.
pub(super) static POLICY: Table = Table {
    name: "policy",
    doc: "A policy: the rules of merge requests, and for which merge requests they speak.",
    hint: Some("a policy begins with `policy:` and its name"),
    keys: &[
        Key::required("policy", Shape::Text, "The policy's name: lower-case letters, digits, `-` and `_`."),
        Key::new("description", Shape::Text, "What the policy is for, in a sentence or two."),
        Key::new(
            "applies_to",
            Shape::Mapping(&APPLIES_TO),
            "For which merge requests it speaks; all keys must hold.",
        ),
        Key::new(
            "otherwise",
            Shape::Choice(&["fail", "wait", "pass"]),
            "What holds when no rule applies (fail).",
        ),
        Key::new(
            "distinct_approvers",
            Shape::List(&Shape::Text),
            "Ids of rules that must be approved by different people.",
        ),
        Key::required("rules", Shape::List(&Shape::Mapping(&RULE)), "The rules; each of them must be met."),
    ],
};

static APPLIES_TO: Table = Table {
    name: "applies_to",
    doc: "For which merge requests a policy speaks; a quoted leading `!` excludes, whatever the order.",
    hint: Some("write `applies_to: {projects: [\"shop/**\"]}`"),
    keys: &[
        Key::new("checks", TEXTS, "Names of status checks; `*` stands for any characters."),
        Key::new("projects", TEXTS, "Full paths of target projects; `*` stops at `/`, `**` does not."),
        Key::new("target_branches", TEXTS, "Target branches; `*` crosses `/`."),
    ],
};

static RULE: Table = Table {
    name: "rule",
    doc: "A rule: when it applies, and what it then requires.",
    hint: Some("begin a rule with `- id:` and its slug"),
    keys: &[
        Key::required(
            "id",
            Shape::Text,
            "The rule's slug, unique in the policy: lower-case letters, digits, `-` and `_`.",
        ),
        Key::new("name", Shape::Text, "The rule in words, for people."),
        Key::new("description", Shape::Text, "Why the rule exists."),
        Key::new("when", Shape::Mapping(&CONDITIONS), "When the rule applies; without it always."),
        Key::required("require", Shape::Mapping(&CONDITIONS), "What must hold when it applies."),
        Key::new("enforce", Shape::Choice(&["block", "warn", "shadow"]), "How much it counts (block)."),
    ],
};

/// A compiled policy.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) otherwise: Otherwise,
    pub(super) rules: Vec<Rule>,
    /// The ids of rules among whose approvers nobody may stand for two.
    pub(super) distinct: BTreeSet<String>,
    /// The families of facts that its rules may ask for.
    pub(super) reads: BTreeSet<Family>,
}

/// What holds when no rule applies; the stricter ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Otherwise {
    Pass,
    Wait,
    Fail,
}

/// For which merge requests a policy speaks.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    checks: Option<Names>,
    projects: Option<ProjectGlobs>,
    target_branches: Option<Names>,
}

/// A compiled rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) when: Option<Clause>,
    pub(super) require: Clause,
    pub(super) enforce: Enforce,
}

impl Policy {
    /// Builds a policy; none if a part of it is wrong, and then that was noted.
    pub(super) fn build(
        root: &Node,
        notes: &mut Collector<'_>,
        globs: &mut PathGlobsBuilder,
    ) -> Option<Self> {
        let name = root.get("policy").and_then(Node::words).and_then(|name| slug(name, "policy", notes));
        let scope = Scope::build(root.get("applies_to"), notes);
        let otherwise = match root.get("otherwise").and_then(Node::words).map(|words| words.text) {
            Some("pass") => Otherwise::Pass,
            Some("wait") => Otherwise::Wait,
            _ => Otherwise::Fail,
        };
        let mut ids = BTreeSet::new();
        let items = root.get("rules").map(Node::items).unwrap_or_default();
        let mut builder = Builder { notes, globs };
        let rules: Vec<_> = items.iter().map(|node| Rule::build(node, &mut ids, &mut builder)).collect();
        let rules = rules.into_iter().collect::<Option<Vec<_>>>()?;
        let distinct = match root.get("distinct_approvers") {
            Some(node) => build_distinct(node, &rules, notes)?,
            None => BTreeSet::new(),
        };
        let parts = rules.iter().flat_map(|rule| rule.when.iter().chain([&rule.require]));
        let reads = parts.flat_map(Clause::reads).collect();
        Some(Self { name: name?, scope: scope?, otherwise, rules, distinct, reads })
    }
}

/// The rules whose approvers must be distinct; none if they can't be, and then that was noted.
fn build_distinct(node: &Node, rules: &[Rule], notes: &mut Collector<'_>) -> Option<BTreeSet<String>> {
    let mut distinct = BTreeSet::new();
    let mut enforce = None;
    let mut fits = true;
    for words in node.all_words() {
        let id = words.text;
        let rule = rules.iter().find(|rule| rule.id == id);
        let (message, help) = match rule {
            None => {
                let meant = nearest(id, rules.iter().map(|rule| rule.id.as_str()));
                let help = meant.map_or_else(
                    || "name rules of this policy by their ids".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                (format!("there is no rule `{id}` in this policy"), help)
            }
            Some(_) if !distinct.insert(id.to_owned()) => {
                (format!("`{id}` is named twice"), "name each rule once".to_owned())
            }
            Some(rule) if rule.require.sole_approvals().is_none() => {
                let message =
                    format!("`{id}` does not require `approvals` exactly once, whatever else holds");
                (message, "put one `approvals` directly under its `require`, not below `any_of`, `none_of` or `not`".to_owned())
            }
            Some(rule) if *enforce.get_or_insert(rule.enforce) != rule.enforce => {
                let message = format!("`{id}` is not enforced like the rules named before it");
                (message, "one that only warns must not take people from one that blocks".to_owned())
            }
            Some(_) => continue,
        };
        notes.error(words.span, message, help);
        fits = false;
    }
    if fits && distinct.len() == 1 {
        notes.error(&node.span, "one rule alone always has different approvers", "name at least two");
    }
    (fits && distinct.len() > 1).then_some(distinct)
}

impl Rule {
    fn build(node: &Node, ids: &mut BTreeSet<String>, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let id = node.get("id").and_then(Node::words);
        if let Some(id) = id
            && !ids.insert(id.text.to_owned())
        {
            let message = format!("the rule id `{}` is taken by a rule above", id.text);
            builder.notes.error(
                id.span,
                message,
                "give this rule another id: history and statistics refer to it",
            );
        }
        let id = id.and_then(|id| slug(id, "id", builder.notes));
        let when = node.get("when").map(|when| Clause::build(when, builder));
        let require = node.get("require").and_then(|require| Clause::build(require, builder));
        // A `when` that can't be read must not become a rule that always applies, nor the reverse.
        let when = match when {
            Some(expression) => Some(expression?),
            None => None,
        };
        let enforce = match node.get("enforce").and_then(Node::words).map(|words| words.text) {
            Some("warn") => Enforce::Warn,
            Some("shadow") => Enforce::Shadow,
            _ => Enforce::Block,
        };
        let id = id?;
        let name =
            node.get("name").and_then(Node::words).map_or_else(|| id.clone(), |words| words.text.to_owned());
        Some(Self { id, name, when, require: require?, enforce })
    }
}

impl Scope {
    fn build(node: Option<&Node>, notes: &mut Collector<'_>) -> Option<Self> {
        let words =
            |key| node.and_then(|node| node.get(key)).map(Node::all_words).filter(|words| !words.is_empty());
        for words in [words("checks"), words("target_branches")].into_iter().flatten().flatten() {
            check_exclusion(words, notes);
        }
        for project in words("projects").into_iter().flatten() {
            check_exclusion(project, notes);
            if let Err(why) = check_project_glob(project.text) {
                notes.plain_error(project.span, format!("`{}` is no project glob: {why}", project.text));
            }
        }
        let names = |key| words(key).map(|words| Names::new(words.iter().map(|words| words.text)));
        let projects = words("projects").map(|words| ProjectGlobs::new(words.iter().map(|words| words.text)));
        let projects = match projects {
            Some(globs) => Some(globs?),
            None => None,
        };
        Some(Self { checks: names("checks"), projects, target_branches: names("target_branches") })
    }

    /// Whether the policy speaks for a check of a merge request.
    pub(super) fn includes(&self, check: &CheckName, project: &str, target_branch: &str) -> bool {
        self.may_include(check, project)
            && self.target_branches.as_ref().is_none_or(|names| names.matches(target_branch))
    }

    /// Whether the policy speaks for a check of merge requests of a project, by their target branches.
    pub(super) fn may_include(&self, check: &CheckName, project: &str) -> bool {
        self.checks.as_ref().is_none_or(|names| names.matches(check.as_str()))
            && self.includes_project(project)
    }

    /// Whether the policy speaks for some check of merge requests of a project.
    pub(super) fn includes_project(&self, project: &str) -> bool {
        self.projects.as_ref().is_none_or(|globs| globs.matches(project))
    }

    /// The target branches that it names; none where it speaks for all of them, or for all but some.
    pub(super) fn named_branches(&self) -> Option<&Names> {
        let all = |names: &Names| names.included.iter().any(|name| name.as_str() == "*");
        self.target_branches.as_ref().filter(|names| !names.included.is_empty() && !all(names))
    }
}

fn check_exclusion(words: Words<'_>, notes: &mut Collector<'_>) {
    if words.text == "!" {
        notes.error(words.span, "`!` excludes nothing", "write what is excluded behind it");
    }
}

fn slug(words: Words<'_>, key: &str, notes: &mut Collector<'_>) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = words.text.len() <= LONGEST_SLUG
        && words.text.bytes().next().is_some_and(plain)
        && words.text.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'));
    if !fits {
        let help = format!("use lower-case letters, digits, `-` and `_`, at most {LONGEST_SLUG}");
        notes.error(words.span, format!("`{}` can't be the `{key}`", words.text), help);
    }
    fits.then(|| words.text.to_owned())
}
