//! Every key that a `when` or `require` may say, as tables: the reader checks against them, editors learn from them.

use crate::schema::{Key, Shape, Table};

pub(in crate::policy) const ALL_OF: &str = "all_of";
pub(in crate::policy) const ANY_OF: &str = "any_of";
pub(in crate::policy) const NONE_OF: &str = "none_of";
pub(in crate::policy) const NOT: &str = "not";
pub(super) const TITLE: &str = "title";
pub(super) const DESCRIPTION: &str = "description";
pub(super) const LABELS: &str = "labels";
pub(super) const DRAFT: &str = "draft";
pub(super) const SOURCE_BRANCH: &str = "source_branch";
pub(super) const TARGET_BRANCH: &str = "target_branch";
pub(super) const AUTHOR: &str = "author";
pub(super) const CHANGED_FILES: &str = "changed_files";
pub(super) const CHANGED_FILES_COUNT: &str = "changed_files_count";
pub(super) const CHANGED_LINES: &str = "changed_lines";
pub(super) const APPROVALS: &str = "approvals";
pub(super) const PIPELINE: &str = "pipeline";
pub(super) const UNRESOLVED_THREADS: &str = "unresolved_threads";
pub(super) const AGE: &str = "age";
pub(super) const DURING: &str = "during";

/// One text or a list of which one is enough.
const TEXTS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Pipeline statuses at which a pipeline stays, and `missing` for none at all.
pub(super) const PIPELINE_STATUSES: &[&str] =
    &["success", "failed", "canceled", "skipped", "manual", "missing"];
/// Roles, from the weakest up.
pub(super) const ROLES: &[&str] = &["guest", "planner", "reporter", "developer", "maintainer", "owner"];

const STATUS: Shape = Shape::Choice(PIPELINE_STATUSES);
const STATUS_LIST: Shape = Shape::List(&STATUS);

/// The conditions, with the operators that join them.
pub(in crate::policy) static CONDITIONS: Table = Table {
    name: "conditions",
    doc: "Conditions; all of them must hold.",
    hint: Some(
        "write conditions as keys, such as `title: {contains: fix}`, and several of them under `all_of` or `any_of`",
    ),
    keys: &[
        Key::new(ALL_OF, Shape::List(&Shape::Mapping(&CONDITIONS)), "Every entry must hold."),
        Key::new(ANY_OF, Shape::List(&Shape::Mapping(&CONDITIONS)), "At least one entry must hold."),
        Key::new(NONE_OF, Shape::List(&Shape::Mapping(&CONDITIONS)), "No entry may hold."),
        Key::new(NOT, Shape::Mapping(&CONDITIONS), "The conditions below may not hold all together."),
        Key::new(TITLE, Shape::Mapping(&TITLE_TABLE), "What the title says."),
        Key::new(DESCRIPTION, Shape::Mapping(&DESCRIPTION_TABLE), "What the description says."),
        Key::new(
            LABELS,
            Shape::Mapping(&LABELS_TABLE),
            "Which labels are there; `*` stands for any characters.",
        ),
        Key::new(DRAFT, Shape::Flag, "Whether the merge request is marked as draft."),
        Key::new(
            SOURCE_BRANCH,
            TEXTS,
            "The branch that would be merged; `*` crosses `/`, a quoted leading `!` excludes.",
        ),
        Key::new(
            TARGET_BRANCH,
            TEXTS,
            "The branch it would be merged into; `*` crosses `/`, a quoted leading `!` excludes.",
        ),
        Key::new(
            AUTHOR,
            Shape::Mapping(&PEOPLE),
            "Who opened the merge request; each key is an alternative.",
        ),
        Key::new(
            CHANGED_FILES,
            Shape::Mapping(&FILES),
            "Which paths change; a rename touches both of its paths.",
        ),
        Key::new(CHANGED_FILES_COUNT, Shape::Mapping(&FILES_COUNT), "How many files change."),
        Key::new(CHANGED_LINES, Shape::Mapping(&LINES), "How many lines change."),
        Key::new(
            APPROVALS,
            Shape::OneOf(&[Shape::Number, Shape::Mapping(&APPROVALS_TABLE)]),
            "How many approvals count; a number alone means that many of anybody.",
        ),
        Key::new(
            PIPELINE,
            Shape::OneOf(&[STATUS, STATUS_LIST, Shape::Mapping(&PIPELINE_TABLE)]),
            "How the pipeline of the head ended; one of the statuses listed is enough.",
        ),
        Key::new(UNRESOLVED_THREADS, Shape::Mapping(&THREADS), "How many threads are not resolved."),
        Key::new(AGE, Shape::Mapping(&AGE_TABLE), "How long the merge request has been there."),
        Key::new(
            DURING,
            Shape::Mapping(&DURING_TABLE),
            "Whether it is a given time now: from when, to when.",
        ),
    ],
};

static TITLE_TABLE: Table = Table {
    name: "title",
    doc: "What the title says; all keys must hold, one entry of a list is enough.",
    hint: Some(
        "write `title: {glob: \"fix*\"}`, `title: {regex: …}`, `title: {contains: …}` or `title: {conventional_commit: true}`",
    ),
    keys: &[
        Key::new("glob", TEXTS, "The whole text, where `*` stands for any characters."),
        Key::new("regex", TEXTS, "A regular expression that matches the whole text."),
        Key::new("contains", CONTAINS, "Words that occur somewhere, exactly as written, or `{regex: …}`."),
        Key::new(
            "conventional_commit",
            Shape::OneOf(&[Shape::Flag, Shape::Mapping(&CONVENTIONAL_COMMIT)]),
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
        Key::new("glob", TEXTS, "The whole text, where `*` stands for any characters."),
        Key::new("regex", TEXTS, "A regular expression that matches the whole text."),
        Key::new("contains", CONTAINS, "Words that occur somewhere, exactly as written, or `{regex: …}`."),
        Key::new("not_empty", Shape::Flag, "Something is written in it."),
    ],
};

const CONTAINS: Shape =
    Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text), Shape::Mapping(&CONTAINS_TABLE)]);

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

static LABELS_TABLE: Table = Table {
    name: "labels",
    doc: "Which labels are there; `*` stands for any characters.",
    hint: Some(
        "write `labels: {all: […]}` if every one must be there, or `labels: {any: […]}` if one is enough",
    ),
    keys: &[
        Key::new("all", TEXTS, "Each of these is there."),
        Key::new("any", TEXTS, "At least one of these is there."),
        Key::new("none", TEXTS, "None of these is there."),
    ],
};

/// People, by alternatives.
static PEOPLE: Table = Table {
    name: "people",
    doc: "People: who is in `users`, in one of `groups`, or has the `role`; each key is an alternative.",
    hint: Some("write `{users: […]}`, `{groups: […]}` or `{role: developer}`"),
    keys: &[
        Key::new("users", TEXTS, "Usernames."),
        Key::new("groups", TEXTS, "Full paths of groups; inherited members count."),
        Key::new("role", Shape::Choice(ROLES), "At least this role on the target project."),
    ],
};

static FILES: Table = Table {
    name: "changed_files",
    doc: "Which paths change; gitignore-like globs, where `*` stops at `/`.",
    hint: Some(
        "write `changed_files: {any: […]}` if one such file is enough, or `changed_files: {all: […]}` if every file must be one",
    ),
    keys: &[
        Key::new("any", TEXTS, "At least one changed path matches."),
        Key::new("all", TEXTS, "Every changed path matches, and something changes."),
        Key::new("none", TEXTS, "No changed path matches."),
        Key::new("except", TEXTS, "Paths that none of the globs above means."),
    ],
};

const AT_LEAST: Key = Key::new("at_least", Shape::Number, "The smallest number that holds.");
const AT_MOST: Key = Key::new("at_most", Shape::Number, "The largest number that holds.");
const UNCOUNTED: Key = Key::new("except", TEXTS, "Files that are not counted.");
const NUMBER_HINT: Option<&str> = Some("write `{at_most: …}` or `{at_least: …}`");

static FILES_COUNT: Table = Table {
    name: "changed_files_count",
    doc: "How many files change.",
    hint: NUMBER_HINT,
    keys: &[AT_LEAST, AT_MOST, UNCOUNTED],
};

static BOUNDS: Table =
    Table { name: "bounds", doc: "Bounds of a number.", hint: NUMBER_HINT, keys: &[AT_LEAST, AT_MOST] };

static LINES: Table = Table {
    name: "changed_lines",
    doc: "How many lines change: added and removed ones together, or each alone.",
    hint: NUMBER_HINT,
    keys: &[
        AT_LEAST,
        AT_MOST,
        Key::new("added", Shape::Mapping(&BOUNDS), "Bounds of the added lines alone."),
        Key::new("removed", Shape::Mapping(&BOUNDS), "Bounds of the removed lines alone."),
        UNCOUNTED,
    ],
};

static APPROVALS_TABLE: Table = Table {
    name: "approvals",
    doc: "Approvals that count.",
    hint: Some("write `approvals: {count: 2}`"),
    keys: &[
        Key::required("count", Shape::Number, "How many are needed."),
        Key::new("from", Shape::Mapping(&PEOPLE), "Whose count; without it anybody's do."),
        Key::new("allow_author", Shape::Flag, "Whether the author's own approval counts (no)."),
        Key::new(
            "allow_committers",
            Shape::Flag,
            "Whether approvals of people who committed or pushed count (no).",
        ),
        Key::new(
            "unmatched_committers",
            Shape::Choice(&["wait", "allow"]),
            "What a commit email that belongs to no user does: wait (the default) or nothing.",
        ),
        Key::new(
            "reset_on",
            Shape::Choice(&["change", "never"]),
            "When approvals stop counting: when the change differs (the default) or never.",
        ),
    ],
};

static PIPELINE_TABLE: Table = Table {
    name: "pipeline",
    doc: "How the pipeline of the head ended.",
    hint: Some("write `pipeline: success`"),
    keys: &[
        Key::required("status", Shape::OneOf(&[STATUS, STATUS_LIST]), "One of these statuses is enough."),
        Key::new("missing_after", Shape::Duration, "How long after a push a pipeline may be missing (10m)."),
    ],
};

static THREADS: Table = Table {
    name: "unresolved_threads",
    doc: "How many threads are not resolved.",
    hint: Some("write `unresolved_threads: {at_most: 0}`"),
    keys: &[AT_LEAST, AT_MOST],
};

static AGE_TABLE: Table = Table {
    name: "age",
    doc: "How long ago the merge request was opened or pushed to.",
    hint: Some("write `age: {since: opened, at_least: 2h}`"),
    keys: &[
        Key::required("since", Shape::Choice(&["opened", "last_push"]), "From when on the time is counted."),
        Key::new("at_least", Shape::Duration, "The shortest time that holds."),
        Key::new("at_most", Shape::Duration, "The longest time that holds."),
    ],
};

static DURING_TABLE: Table = Table {
    name: "during",
    doc: "A window of time: it holds at `from` and no longer at `to`; one of them may be left out.",
    hint: Some("write `during: {from: 2026-12-20T00:00, to: 2027-01-03T00:00, timezone: Europe/Berlin}`"),
    keys: &[
        Key::new("from", Shape::Time, "The first moment of the window."),
        Key::new("to", Shape::Time, "The first moment after the window."),
        Key::new(
            "timezone",
            Shape::Text,
            "Where the clocks show these times, as an IANA name; for times without an offset.",
        ),
    ],
};
