//! The shapes of values that several conditions share.

use crate::schema::{Key, Shape, Table};

/// One text or a list of which one is enough.
pub(super) const TEXTS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Path patterns: globs, or globs and regexes.
pub(super) const PATHS: Shape =
    Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text), Shape::Mapping(&PATHS_TABLE)]);

/// Globs and regexes over paths.
static PATHS_TABLE: Table = Table {
    name: "paths",
    doc: "Patterns of paths; each entry of both keys is an alternative.",
    hint: None,
    keys: &[
        Key::new("globs", TEXTS, "Gitignore-like globs, as in a plain list."),
        Key::new("regex", TEXTS, "Regular expressions that match the whole path."),
    ],
};

/// Roles, from the weakest up.
pub(super) const ROLES: &[&str] = &["guest", "planner", "reporter", "developer", "maintainer", "owner"];

/// People, by alternatives.
pub(super) static PEOPLE: Table = Table {
    name: "people",
    doc: "People: who is in `users`, in one of `groups`, has the `role`, or is a bot; each key is an alternative.",
    hint: Some("write `{users: […]}`, `{groups: […]}` or `{role: developer}`"),
    keys: &[
        Key::new("users", TEXTS, "Usernames."),
        Key::new("groups", TEXTS, "Full paths of groups; inherited members count."),
        Key::new("role", Shape::Choice(ROLES), "At least this role on the target project."),
        Key::new(
            "bots",
            Shape::Flag,
            "With `true`: accounts that GitLab says are bots, those of access tokens among them.",
        ),
        Key::new(
            "code_owners",
            Shape::Flag,
            "Whether whoever owns a changed path by CODEOWNERS is one of them.",
        ),
    ],
};

pub(super) const AT_LEAST: Key = Key::new("at_least", Shape::Number, "The smallest number that holds.");
pub(super) const AT_MOST: Key = Key::new("at_most", Shape::Number, "The largest number that holds.");
pub(super) const NUMBER_HINT: Option<&str> = Some("write `{at_most: …}` or `{at_least: …}`");

pub(super) static BOUNDS: Table =
    Table { name: "bounds", doc: "Bounds of a number.", hint: NUMBER_HINT, keys: &[AT_LEAST, AT_MOST] };
