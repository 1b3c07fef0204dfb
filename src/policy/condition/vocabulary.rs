//! Every key that a `when` or `require` may say, and the shapes that several conditions share: the reader checks against
//! them, editors learn from them.

use super::kind::{COUNT, KINDS, Kind};
use crate::schema::{Key, Shape, Table};

pub(in crate::policy) const ALL_OF: &str = "all_of";
pub(in crate::policy) const ANY_OF: &str = "any_of";
pub(in crate::policy) const NONE_OF: &str = "none_of";
pub(in crate::policy) const NOT: &str = "not";

/// One text or a list of which one is enough.
pub(super) const TEXTS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Roles, from the weakest up.
pub(super) const ROLES: &[&str] = &["guest", "planner", "reporter", "developer", "maintainer", "owner"];

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

/// People, by alternatives.
pub(super) static PEOPLE: Table = Table {
    name: "people",
    doc: "People: who is in `users`, in one of `groups`, or has the `role`; each key is an alternative.",
    hint: Some("write `{users: […]}`, `{groups: […]}` or `{role: developer}`"),
    keys: &[
        Key::new("users", TEXTS, "Usernames."),
        Key::new("groups", TEXTS, "Full paths of groups; inherited members count."),
        Key::new("role", Shape::Choice(ROLES), "At least this role on the target project."),
    ],
};

pub(super) const AT_LEAST: Key = Key::new("at_least", Shape::Number, "The smallest number that holds.");
pub(super) const AT_MOST: Key = Key::new("at_most", Shape::Number, "The largest number that holds.");
pub(super) const NUMBER_HINT: Option<&str> = Some("write `{at_most: …}` or `{at_least: …}`");

pub(super) static BOUNDS: Table =
    Table { name: "bounds", doc: "Bounds of a number.", hint: NUMBER_HINT, keys: &[AT_LEAST, AT_MOST] };
