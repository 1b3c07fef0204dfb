//! Every key that a `when` or `require` may say: the operators and the conditions. The reader checks against the table, and
//! editors learn from it.

use super::kind::Kind;
use super::{
    age, approvals, branch, draft, during, expression, files, labels, people, pipeline, size, text, threads,
};
use crate::schema::{Key, Shape, Table};

pub(in crate::policy) const ALL_OF: &str = "all_of";
pub(in crate::policy) const ANY_OF: &str = "any_of";
pub(in crate::policy) const NONE_OF: &str = "none_of";
pub(in crate::policy) const NOT: &str = "not";

/// How many conditions there are.
const COUNT: usize = 16;

/// Every condition, in the order in which the reference shows them.
pub(in crate::policy) const KINDS: [Kind; COUNT] = [
    text::TITLE,
    text::DESCRIPTION,
    labels::LABELS,
    draft::DRAFT,
    branch::SOURCE_BRANCH,
    branch::TARGET_BRANCH,
    people::AUTHOR,
    files::CHANGED_FILES,
    size::CHANGED_FILES_COUNT,
    size::CHANGED_LINES,
    approvals::APPROVALS,
    pipeline::PIPELINE,
    threads::UNRESOLVED_THREADS,
    age::AGE,
    during::DURING,
    expression::EXPRESSION,
];

/// The conditions, with the operators that join them.
pub(in crate::policy) static CONDITIONS: Table = Table {
    name: "conditions",
    doc: "Conditions; all of them must hold.",
    hint: Some(
        "write conditions as keys, such as `title: {contains: fix}`, and several of them under `all_of` or `any_of`",
    ),
    keys: &KEYS,
};

static KEYS: [Key; 4 + COUNT] = join(
    [
        Key::new(ALL_OF, Shape::List(&MAPPING), "Every entry must hold."),
        Key::new(ANY_OF, Shape::List(&MAPPING), "At least one entry must hold."),
        Key::new(NONE_OF, Shape::List(&MAPPING), "No entry may hold."),
        Key::new(NOT, Shape::Mapping(&CONDITIONS), "The conditions below may not hold all together."),
    ],
    KINDS,
);

static MAPPING: Shape = Shape::Mapping(&CONDITIONS);

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn join<const N: usize, const M: usize, const S: usize>(
    operators: [Key; N],
    kinds: [Kind; M],
) -> [Key; S] {
    let mut keys = [operators[0]; S];
    let mut at = 0;
    while at < S {
        keys[at] = if at < N { operators[at] } else { kinds[at - N].key };
        at += 1;
    }
    keys
}
