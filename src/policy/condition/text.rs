//! `title` and `description`: what their text says; and what any text must say.
//!
//! Both are violated when they do not fit: only an edit mends them.

use git_conventional::Commit;
use regex::Regex;

use super::checklist::{CHECKLIST, Checklist};
use super::kind::{Kind, Test, test};
use super::sections::{SECTIONS, Sections};
use super::vocabulary::TEXTS;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Family, MergeRequestFacts};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::{Wildcard, partial_regex, source_of, whole_regex};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// The title's words.
pub(super) const TITLE: Kind = Kind {
    key: Key::new("title", Shape::Mapping(&TITLE_TABLE), "What the title says."),
    build: |node, builder| test(Text::build(("not", "title"), node, builder).map(Title)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// The description's words.
pub(super) const DESCRIPTION: Kind = Kind {
    key: Key::new("description", Shape::Mapping(&DESCRIPTION_TABLE), "What the description says."),
    build: |node, builder| test(Text::build(("not", "description"), node, builder).map(Description)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

static TITLE_TABLE: Table = Table {
    name: "title",
    doc: "What the title says; all keys must hold, one entry of a list is enough.",
    hint: Some(
        "write `title: {glob: \"fix*\"}`, `title: {regex: …}`, `title: {contains: …}` or `title: {conventional_commit: true}`",
    ),
    keys: &[
        GLOB,
        REGEX,
        CONTAINS,
        Key::new(
            "conventional_commit",
            CONVENTIONAL,
            "The title is a Conventional Commit; GitLab's draft mark in front of it is overlooked.",
        ),
    ],
};

static DESCRIPTION_TABLE: Table = Table {
    name: "description",
    doc: "What the description says; all keys must hold, one entry of a list is enough.",
    hint: Some(
        "write `description: {contains: …}`, `description: {regex: …}` or `description: {not_empty: true}`",
    ),
    keys: &[
        GLOB,
        REGEX,
        CONTAINS,
        NOT_EMPTY,
        Key::new(
            "checklist",
            CHECKLIST,
            "Every task item is ticked, and there is one; `[~]` counts as ticked.",
        ),
        Key::new("sections", SECTIONS, "Below these headings something is written."),
    ],
};

/// What a commit's message says.
pub(super) static MESSAGE_TABLE: Table = Table {
    name: "message",
    doc: "What the whole message of a commit says; all keys must hold, one entry of a list is enough.",
    hint: Some("write `message: {contains: …}` or `message: {regex: …}`"),
    keys: &[GLOB, REGEX, CONTAINS, NOT_EMPTY],
};

/// What the first line of a commit's message says.
pub(super) static SUBJECT_TABLE: Table = Table {
    name: "subject",
    doc: "What the first line of a commit's message says; all keys must hold, one entry of a list is enough.",
    hint: Some(
        "write `subject: {glob: \"fix*\"}`, `subject: {regex: …}` or `subject: {conventional_commit: true}`",
    ),
    keys: &[
        GLOB,
        REGEX,
        CONTAINS,
        Key::new("conventional_commit", CONVENTIONAL, "The first line is a Conventional Commit's."),
    ],
};

const GLOB: Key = Key::new("glob", TEXTS, "The whole text, where `*` stands for any characters.");
const REGEX: Key = Key::new("regex", TEXTS, "A regular expression that matches the whole text.");
const CONTAINS: Key =
    Key::new("contains", WORDS, "Words that occur somewhere, exactly as written, or `{regex: …}`.");
const WORDS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text), Shape::Mapping(&CONTAINS_TABLE)]);
const NOT_EMPTY: Key = Key::new("not_empty", Shape::Flag, "Something is written in it.");
const CONVENTIONAL: Shape = Shape::OneOf(&[Shape::Flag, Shape::Mapping(&CONVENTIONAL_COMMIT)]);

static CONTAINS_TABLE: Table = Table {
    name: "contains",
    doc: "A regular expression that matches somewhere in the text.",
    hint: None,
    keys: &[Key::required("regex", TEXTS, "A regular expression; `^` and `$` match at the ends of lines.")],
};

static CONVENTIONAL_COMMIT: Table = Table {
    name: "conventional_commit",
    doc: "Which Conventional Commits are meant.",
    hint: Some("write `conventional_commit: true`, or `conventional_commit: {types: [feat, fix]}`"),
    keys: &[
        Key::new("types", Shape::List(&Shape::Text), "The types, of which it has one."),
        Key::new("scopes", Shape::List(&Shape::Text), "The scopes, of which it has one."),
    ],
};

/// What a text must say; every test holds.
#[derive(Debug, Clone)]
pub(super) struct Text(Vec<Demand>);

#[derive(Debug, Clone)]
enum Demand {
    Glob(Vec<Wildcard>),
    Regex(Vec<Regex>),
    Contains(Vec<String>),
    ContainsRegex(Vec<Regex>),
    ConventionalCommit { types: Vec<String>, scopes: Vec<String> },
    NotEmpty,
    Checklist(Checklist),
    Sections(Sections),
}

/// How the opposite of a text's test is written: an operator, and the key below it that has the text.
type Opposite<'a> = (&'a str, &'a str);

impl Text {
    pub(super) fn build(opposite: Opposite<'_>, node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let tests: Vec<_> = node
            .entries()
            .iter()
            .map(|entry| build_test(opposite, &entry.key, &entry.value, builder))
            .collect();
        tests.into_iter().collect::<Option<Vec<_>>>().filter(|tests| !tests.is_empty()).map(Self)
    }

    /// Whether a text that is nobody's draft says it.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.0.iter().all(|test| test.holds(text, false))
    }

    /// All of its tests in words.
    pub(super) fn describe(&self) -> String {
        self.0.iter().map(Demand::describe).collect::<Vec<_>>().join(" and ")
    }

    fn of_title(&self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let (truth, tests) = self.judge(&request.title, request.draft);
        let shown: String = request.title.chars().take(80).collect();
        let sentence = match truth {
            Truth::True => format!("the title `{shown}` {tests}"),
            _ => format!("the title `{shown}` is not as required: it must be one that {tests}"),
        };
        Finding::new("title", truth, sentence)
            .mended_by(wanted, [Remedy::EditTitle { to: wish(wanted, &tests) }])
    }

    fn of_description(&self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let (truth, tests) = self.judge(&request.description, false);
        let sentence = if truth == Truth::True {
            format!("the description {tests}")
        } else {
            let gaps = self.0.iter().flat_map(|demand| demand.gaps(&request.description));
            let gaps: Vec<_> = gaps.map(|gap| format!(", {gap}")).collect();
            format!("the description is not as required: it must be one that {tests}{}", gaps.concat())
        };
        let remedy = Remedy::EditDescription { to: wish(wanted, &tests) };
        Finding::new("description", truth, sentence).mended_by(wanted, [remedy])
    }

    /// The truth, and the tests that made it so in words.
    fn judge(&self, text: &str, draft: bool) -> (Truth, String) {
        let (held, failed): (Vec<_>, Vec<_>) = self.0.iter().partition(|test| test.holds(text, draft));
        let truth = if failed.is_empty() { Truth::True } else { Truth::Violated };
        let decisive = if failed.is_empty() { held } else { failed };
        (truth, decisive.into_iter().map(Demand::describe).collect::<Vec<_>>().join(" and "))
    }
}

/// What the title must say.
#[derive(Debug, Clone)]
struct Title(Text);

impl Test for Title {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        Ok(self.0.of_title(&view.facts.merge_request, wanted))
    }
}

/// What the description must say.
#[derive(Debug, Clone)]
struct Description(Text);

impl Test for Description {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        Ok(self.0.of_description(&view.facts.merge_request, wanted))
    }
}

fn wish(wanted: bool, tests: &str) -> String {
    if wanted { format!("one that {tests}") } else { format!("one of which it is not true that it {tests}") }
}

fn build_test(
    opposite: Opposite<'_>,
    key: &str,
    node: &Node,
    builder: &mut Builder<'_, '_>,
) -> Option<Demand> {
    let texts = || node.all_words().into_iter().map(|words| words.text.to_owned()).collect::<Vec<_>>();
    match key {
        "glob" => non_empty(texts())
            .map(|texts| Demand::Glob(texts.iter().map(|text| Wildcard::new(text)).collect())),
        "regex" => regexes(node, whole_regex, builder).map(Demand::Regex),
        "contains" => match node.get("regex") {
            Some(inner) => regexes(inner, partial_regex, builder).map(Demand::ContainsRegex),
            None => non_empty(texts()).map(Demand::Contains),
        },
        "conventional_commit" => build_conventional(opposite, node, builder),
        "not_empty" => only_true(opposite, key, node, builder).then_some(Demand::NotEmpty),
        "checklist" => Checklist::build(node).map(Demand::Checklist),
        "sections" => Sections::build(node).map(Demand::Sections),
        _ => None,
    }
}

fn build_conventional(opposite: Opposite<'_>, node: &Node, builder: &mut Builder<'_, '_>) -> Option<Demand> {
    if node.words().is_some() && !only_true(opposite, "conventional_commit", node, builder) {
        return None;
    }
    let words = |key| {
        let node = node.get(key);
        node.map(|node| node.all_words().into_iter().map(|words| words.text.to_owned()).collect())
            .unwrap_or_default()
    };
    Some(Demand::ConventionalCommit { types: words("types"), scopes: words("scopes") })
}

/// `true` means something and `false` would mean nothing: the opposite is said with `not`.
pub(super) fn only_true(
    (operator, what): Opposite<'_>,
    key: &str,
    node: &Node,
    builder: &mut Builder<'_, '_>,
) -> bool {
    if node.flag() == Some(false) {
        let help = format!("write `{operator}: {{{what}: {{{key}: true}}}}`");
        builder.notes.error(&node.span, format!("`{key}: false` says nothing"), help);
    }
    node.flag() == Some(true)
}

fn non_empty<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

fn regexes(
    node: &Node,
    compile: impl Fn(&str) -> Result<Regex, String>,
    builder: &mut Builder<'_, '_>,
) -> Option<Vec<Regex>> {
    let mut regexes = Vec::new();
    let words = node.all_words();
    for words in &words {
        match compile(words.text) {
            Ok(regex) => regexes.push(regex),
            Err(why) => {
                let help = "escape what is meant literally with a backslash; look-around is not supported";
                builder.notes.error(
                    words.span,
                    format!("`{}` is not a regular expression: {why}", words.text),
                    help,
                );
            }
        }
    }
    non_empty(regexes).filter(|regexes| regexes.len() == words.len())
}

impl Demand {
    fn holds(&self, text: &str, draft: bool) -> bool {
        match self {
            Self::Glob(wildcards) => wildcards.iter().any(|wildcard| wildcard.matches(text)),
            Self::Regex(regexes) | Self::ContainsRegex(regexes) => {
                regexes.iter().any(|regex| regex.is_match(text))
            }
            Self::Contains(words) => words.iter().any(|word| text.contains(word.as_str())),
            Self::ConventionalCommit { types, scopes } => {
                is_conventional(if draft { without_draft_mark(text) } else { text }, types, scopes)
            }
            Self::NotEmpty => !text.trim().is_empty(),
            Self::Checklist(checklist) => checklist.holds(text),
            Self::Sections(sections) => sections.holds(text),
        }
    }

    fn describe(&self) -> String {
        let sources = |regexes: &[Regex]| alternatives(&regexes.iter().map(source_of).collect::<Vec<_>>());
        match self {
            Self::Glob(wildcards) => {
                format!("reads like {}", alternatives(wildcards))
            }
            Self::Regex(regexes) => format!("matches {} as a whole", sources(regexes)),
            Self::Contains(words) => format!("contains {}", alternatives(words)),
            Self::ContainsRegex(regexes) => format!("contains something that matches {}", sources(regexes)),
            Self::ConventionalCommit { types, scopes } => {
                let types = if types.is_empty() {
                    String::new()
                } else {
                    format!(" of type {}", alternatives(types))
                };
                let scopes = if scopes.is_empty() {
                    String::new()
                } else {
                    format!(" in scope {}", alternatives(scopes))
                };
                format!("is a conventional commit{types}{scopes}")
            }
            Self::NotEmpty => "is not empty".to_owned(),
            Self::Checklist(checklist) => checklist.describe(),
            Self::Sections(sections) => sections.describe(),
        }
    }

    /// What exactly is missing, where the words of the demand do not say it.
    fn gaps(&self, text: &str) -> Vec<String> {
        match self {
            Self::Checklist(_) => Checklist::gaps(text),
            Self::Sections(sections) => sections.gaps(text),
            _ => Vec::new(),
        }
    }
}

fn is_conventional(title: &str, types: &[String], scopes: &[String]) -> bool {
    let Ok(commit) = Commit::parse(title) else { return false };
    // The parser takes `feat:x` too; the specification wants the space.
    let spaced = title.trim_end().strip_suffix(commit.description()).is_some_and(|head| head.ends_with(' '));
    let is_type =
        types.is_empty() || types.iter().any(|known| known.eq_ignore_ascii_case(commit.type_().as_str()));
    let is_scope = scopes.is_empty()
        || commit
            .scope()
            .is_some_and(|scope| scopes.iter().any(|known| known.eq_ignore_ascii_case(scope.as_str())));
    spaced && is_type && is_scope
}

/// The title that will land: GitLab takes these marks away when the draft is marked as ready.
fn without_draft_mark(title: &str) -> &str {
    const MARKS: [&str; 3] = ["draft:", "[draft]", "(draft)"];
    let title = title.trim_start();
    let rest = MARKS.iter().find_map(|mark| {
        let head = title.get(..mark.len())?;
        head.eq_ignore_ascii_case(mark).then(|| title.get(mark.len()..)).flatten()
    });
    rest.unwrap_or(title).trim_start()
}

#[cfg(test)]
mod tests {
    use super::without_draft_mark;
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, mistakes, reason, remedies, truth};

    fn title(text: &str, require: &str) -> Truth {
        let mut facts = facts();
        facts.merge_request.title = text.to_owned();
        facts.merge_request.draft = text.starts_with("Draft");
        truth(&format!("{{title: {require}}}"), &facts)
    }

    #[test]
    fn titles_are_matched_whole_or_in_part() {
        assert_eq!(title("fix it", "{glob: \"fix*\"}"), Truth::True);
        assert_eq!(title("a fix it", "{glob: \"fix*\"}"), Truth::Violated);
        assert_eq!(title("ABC-12 x", "{regex: \"[A-Z]+-[0-9]+\"}"), Truth::Violated);
        assert_eq!(title("ABC-12 x", "{contains: {regex: \"[A-Z]+-[0-9]+\"}}"), Truth::True);
        assert_eq!(title("a.b", "{contains: [x, a.b]}"), Truth::True);
        assert_eq!(title("aXb", "{contains: a.b}"), Truth::Violated, "contains is no regex");
        assert_eq!(title("fix a", "{glob: \"fix*\", contains: b}"), Truth::Violated, "all keys hold");
    }

    #[test]
    fn a_conventional_commit_has_its_type_and_scope() {
        let some = "{conventional_commit: {types: [feat, fix], scopes: [cart]}}";
        assert_eq!(title("feat(cart): x", some), Truth::True);
        assert_eq!(title("Feat(cart)!: x", some), Truth::True);
        assert_eq!(title("Draft: fix(cart): x", some), Truth::True, "the mark will not land");
        for wrong in ["feat: x", "chore(cart): x", "feat(cart) x", "feat(cart):x", ""] {
            assert_eq!(title(wrong, some), Truth::Violated, "{wrong}");
        }
        assert_eq!(title("anything(x): y", "{conventional_commit: true}"), Truth::True);
    }

    #[test]
    fn draft_marks_are_gitlabs() {
        for marked in ["Draft: a", "draft:a", "[Draft] a", "(DRAFT)  a"] {
            assert_eq!(without_draft_mark(marked), "a", "{marked}");
        }
        for other in ["Drafty: a", "ö", ""] {
            assert_eq!(without_draft_mark(other), other);
        }
    }

    #[test]
    fn a_description_may_just_have_to_be_there() {
        let mut facts = facts();
        let issue = "{description: {not_empty: true, contains: {regex: \"^Closes #[0-9]+$\"}}}";
        assert_eq!(truth(issue, &facts), Truth::True);
        facts.merge_request.description = "Part of it.\nCloses #12\n".to_owned();
        assert_eq!(truth(issue, &facts), Truth::True);
        facts.merge_request.description = " \n".to_owned();
        let reason = reason(issue, &facts);
        assert_eq!(reason.truth, Truth::Violated);
        insta::assert_snapshot!(reason.sentence, @"the description is not as required: it must be one that is not empty and contains something that matches `^Closes #[0-9]+$`");
    }

    #[test]
    fn remedies_name_what_would_fit() {
        let wish = |require| match remedies(require, &facts()).remove(0) {
            Remedy::EditTitle { to } => to,
            other => panic!("{other:?}"),
        };
        assert_eq!(wish("{title: {glob: \"fix*\"}}"), "one that reads like `fix*`");
        assert_eq!(
            wish("{not: {title: {contains: basket}}}"),
            "one of which it is not true that it contains `basket`"
        );
    }

    #[test]
    fn what_says_nothing_or_is_no_regex_is_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require:\n      title: {conventional_commit: false, regex: \"a(\"}\n      description: {not_empty: false}\n"), @r#"
        p.yaml:5:36: error: `conventional_commit: false` says nothing
          help: write `not: {title: {conventional_commit: true}}`
        p.yaml:5:50: error: `a(` is not a regular expression: unclosed group
          help: escape what is meant literally with a backslash; look-around is not supported
        p.yaml:6:32: error: `not_empty: false` says nothing
          help: write `not: {description: {not_empty: true}}`
        "#);
    }
}
