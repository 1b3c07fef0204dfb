//! `expression`: what no other condition says, in CEL.
//!
//! False is violated unless its author says that people or time mend it (`otherwise: waiting`). What it speaks of, and how
//! it is kept within bounds, stands in `policy/expression/`.

use super::kind::{Kind, Test, test};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::expression::{Answer, Expression};
use crate::policy::fact::Family;
use crate::policy::finding::{Finding, Stop};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

const SHAPES: &[Shape] = &[Shape::Text, Shape::Mapping(&TABLE)];

/// What no other condition says.
pub(super) const EXPRESSION: Kind = Kind {
    key: Key::new(
        "expression",
        Shape::OneOf(SHAPES),
        "What no other condition says, in CEL: an expression that is true or false.",
    ),
    build: |node, builder| test(Condition::build(node, builder)),
    reads: &[
        Family::MergeRequest,
        Family::Time,
        Family::Versions,
        Family::Code,
        Family::Approvals,
        Family::Pipeline,
        Family::Threads,
        Family::Conflicts,
    ],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "expression",
    doc: "What no other condition says, in CEL.",
    hint: Some("write `expression: \"size(title) <= 72\"`"),
    keys: &[
        Key::required("holds", Shape::Text, "The expression; it must be true or false."),
        Key::new(
            "otherwise",
            Shape::Choice(&["violated", "waiting"]),
            "What it is when it is false (violated): waiting, if people or time mend it.",
        ),
        Key::new("because", Shape::Text, "What people read when it is false, in a sentence."),
    ],
};

/// The longest part of an expression that a sentence repeats.
const SHOWN: usize = 160;

/// An expression, and what it means that it is false.
#[derive(Debug)]
struct Condition {
    expression: Expression,
    otherwise: Truth,
    because: Option<String>,
}

impl Condition {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let words = node.get("holds").unwrap_or(node).words()?;
        let expression = Expression::compile(words, builder);
        let text = |key| node.get(key).and_then(Node::words).map(|words| words.text.trim());
        let otherwise = if text("otherwise") == Some("waiting") { Truth::Waiting } else { Truth::Violated };
        Some(Self { expression: expression?, otherwise, because: text("because").map(str::to_owned) })
    }

    /// The expression in a sentence.
    fn shown(&self) -> String {
        let text = self.expression.text();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("`{} …`", text.get(..end).unwrap_or_default()),
            None => format!("`{text}`"),
        }
    }
}

/// The families that are asked for by some names alone.
const ASKED_BY: &[(Family, &[&str])] = &[
    (Family::Versions, &["quiet_for"]),
    (Family::Code, &["changed_paths", "files", "commits", "touches", "touches_only"]),
    (Family::Approvals, &["approvers"]),
    (Family::Pipeline, &["pipeline_status"]),
    (Family::Threads, &["unresolved_threads"]),
    (Family::Conflicts, &["has_conflicts"]),
];

impl Test for Condition {
    fn leaves_out(&self) -> Vec<Family> {
        let speaks_of = |name: &&str| self.expression.speaks_of(name);
        let unread = ASKED_BY.iter().filter(|(_, names)| !names.iter().any(speaks_of));
        unread.map(|(family, _)| *family).collect()
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let shown = self.shown();
        let (answer, recheck_at) = self.expression.evaluate(view)?;
        let (truth, sentence) = match answer {
            Answer::Settled(true) => (Truth::True, format!("{shown} holds")),
            Answer::Settled(false) => {
                let because = self.because.clone();
                (self.otherwise, because.unwrap_or_else(|| format!("{shown} does not hold")))
            }
            Answer::Unsettled(why) => (Truth::Unsettled, why),
        };
        let remedy = Remedy::MeetExpression { expression: self.expression.text().to_owned(), holds: wanted };
        Ok(Finding::new("expression", truth, sentence).recheck_at(recheck_at).mended_by(wanted, [remedy]))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, RuleState, Truth};
    use crate::policy::example::{approval, at, facts, mistakes, reason, remedies, state, truth};
    use crate::policy::fact::{Facts, Known};

    const TWO: &str =
        "{holds: approvers.size() >= 2, otherwise: waiting, because: two people look at it first}";

    fn approved_by(people: &[u64]) -> Facts {
        let approvals = people.iter().map(|id| approval(*id, 5)).collect();
        Facts { approvals: Some(Known::Value(approvals)), now: Some(at(10)), ..facts() }
    }

    #[test]
    fn false_is_violated_unless_people_mend_it() {
        let two = format!("{{expression: {TWO}}}");
        assert_eq!(truth("{expression: approvers.size() >= 2}", &approved_by(&[2])), Truth::Violated);
        assert_eq!(truth(&two, &approved_by(&[2])), Truth::Waiting);
        assert_eq!(truth(&two, &approved_by(&[2, 3])), Truth::True);
        assert_eq!(truth("{expression: {holds: draft, otherwise: violated}}", &facts()), Truth::Violated);
        assert_eq!(state(&format!("{{not: {two}}}"), &approved_by(&[2, 3])), RuleState::Violated);
    }

    #[test]
    fn its_sentence_is_the_authors_or_the_expression_itself() {
        let sentence = |require: &str, people: &[u64]| reason(require, &approved_by(people)).sentence;
        let two = format!("{{expression: {TWO}}}");
        assert_eq!(sentence(&two, &[2]), "two people look at it first");
        assert_eq!(sentence(&two, &[2, 3]), "`approvers.size() >= 2` holds");
        assert_eq!(sentence("{expression: \"draft  ||\\n squash\"}", &[]), "`draft || squash` does not hold");
        let long = format!("{{expression: \"title == '{}'\"}}", "ö".repeat(500));
        assert_eq!(sentence(&long, &[]).chars().count(), super::SHOWN + "` …` does not hold".len() - 2);
    }

    #[test]
    fn its_remedy_is_that_it_holds_or_that_it_does_not() {
        let wish = |holds| [Remedy::MeetExpression { expression: "draft".to_owned(), holds }];
        assert_eq!(remedies("{expression: draft}", &facts()), wish(true));
        assert_eq!(remedies("{not: {expression: draft}}", &facts()), []);
        let mut facts = facts();
        facts.merge_request.draft = true;
        assert_eq!(remedies("{expression: draft}", &facts), []);
        assert_eq!(remedies("{not: {expression: draft}}", &facts), wish(false));
    }

    #[test]
    fn its_table_is_checked_as_any_other() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {expression: [draft]}\n  - id: s\n    when: {expression: {otherwise: wait, becuase: x}}\n    require: {expression: {holds: drafts}}\n  - id: t\n    require: {expression: ''}\n"), @r#"
        p.yaml:4:27: error: `expression` must be some text or a mapping, not a list
          help: write `expression: "size(title) <= 72"`
        p.yaml:6:24: error: `holds` is missing in `expression`
          help: write `holds: …`, some text
        p.yaml:6:36: error: `wait` is no value of `otherwise`
          help: it may be `violated`, `waiting`
        p.yaml:6:42: error: `becuase` is no key of `expression`
          help: did you mean `because`?
        p.yaml:7:35: error: `drafts` is not known here
          help: did you mean `draft`?
        p.yaml:9:27: error: `expression` has no value
          help: give it some text or a mapping
        "#);
    }
}
