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

impl Test for Condition {
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
