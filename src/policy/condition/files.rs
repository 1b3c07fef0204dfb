//! `changed_files` and its sisters: which paths change, and how.
//!
//! Violated when they do not fit: the change itself must differ. A rename touches both of its paths. Of a list that
//! is not complete only what is there proves anything: a match that was found, never one that was not.

use super::file_kinds::{Certainty, Selection};
use super::kind::{Kind, Test, test};
use super::paths::Paths;
use super::vocabulary::PATHS;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Code, Family};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::GlobIds;
use crate::policy::view::{TouchedPath, View};
use crate::schema::{Key, Shape, Table};

/// Which paths change.
pub(super) const CHANGED_FILES: Kind = Kind {
    key: Key::new(
        "changed_files",
        Shape::Mapping(&TABLE),
        "Which paths change; a rename touches both of its paths.",
    ),
    build: |node, builder| test(ChangedFiles::build(Selection::Changed, node, builder)),
    reads: &[Family::Code],
    unmet: &[Truth::Violated],
    settled_by_commit: true,
};

/// Which files are new.
pub(super) const ADDED_FILES: Kind = Kind {
    key: Key::new(
        "added_files",
        SHAPE,
        "Which files are new; a rename adds its new path and a copy is a new file.",
    ),
    build: |node, builder| test(ChangedFiles::build(Selection::Added, node, builder)),
    ..CHANGED_FILES
};

/// Which files are there before and after, and are not the same.
pub(super) const MODIFIED_FILES: Kind = Kind {
    key: Key::new("modified_files", SHAPE, "Which files are modified, in their text or in their mode."),
    build: |node, builder| test(ChangedFiles::build(Selection::Modified, node, builder)),
    ..CHANGED_FILES
};

/// Which files go away.
pub(super) const DELETED_FILES: Kind = Kind {
    key: Key::new("deleted_files", SHAPE, "Which files go away; a rename deletes its old path."),
    build: |node, builder| test(ChangedFiles::build(Selection::Deleted, node, builder)),
    ..CHANGED_FILES
};

/// Which files move.
pub(super) const RENAMED_FILES: Kind = Kind {
    key: Key::new("renamed_files", SHAPE, "Which files move; both of their paths count."),
    build: |node, builder| test(ChangedFiles::build(Selection::Renamed, node, builder)),
    ..CHANGED_FILES
};

/// Which changed files are binary.
pub(super) const BINARY_FILES: Kind = Kind {
    key: Key::new("binary_files", SHAPE, "Which changed files git holds to be binary."),
    build: |node, builder| test(ChangedFiles::build(Selection::Binary, node, builder)),
    ..CHANGED_FILES
};

/// Which changed files are generated.
pub(super) const GENERATED_FILES: Kind = Kind {
    key: Key::new("generated_files", SHAPE, "Which changed files GitLab holds to be generated (16.9)."),
    build: |node, builder| test(ChangedFiles::build(Selection::Generated, node, builder)),
    ..CHANGED_FILES
};

static TABLE: Table = Table {
    name: "changed_files",
    doc: "Which paths change; gitignore-like globs, where `*` stops at `/`, or `{globs: […], regex: […]}`.",
    hint: Some(
        "write `changed_files: {any: […]}` if one such file is enough, or `changed_files: {all: […]}` if every file must be one",
    ),
    keys: KEYS,
};

const SHAPE: Shape = Shape::Mapping(&TABLE_OF_A_KIND);

static TABLE_OF_A_KIND: Table = Table {
    name: "files_of_a_kind",
    doc: "Which paths of that kind there are; what is not of that kind is not looked at.",
    hint: Some("write `{any: […]}` if one such file is enough, or `{all: […]}` if every one must be such"),
    keys: KEYS,
};

const KEYS: &[Key] = &[
    Key::new("any", PATHS, "At least one path matches."),
    Key::new("all", PATHS, "Every path matches, and there is one."),
    Key::new("none", PATHS, "No path matches."),
    Key::new("except", PATHS, "Paths that none of the patterns above means."),
];

/// Which paths of a kind there must and must not be.
#[derive(Debug, Clone)]
struct ChangedFiles {
    selection: Selection,
    tests: Vec<Demand>,
    except: GlobIds,
}

#[derive(Debug, Clone)]
struct Demand {
    selection: Selection,
    quantity: Quantity,
    globs: GlobIds,
    words: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Any,
    All,
    None,
}

/// Reads path patterns; each one that can't be read is noted.
pub(super) fn build_globs(node: Option<&Node>, builder: &mut Builder<'_, '_>) -> (GlobIds, Vec<String>) {
    let mut ids = GlobIds::default();
    let mut texts = Vec::new();
    let Some(node) = node else { return (ids, texts) };
    for words in node.get("globs").unwrap_or(node).all_words() {
        texts.push(words.text.to_owned());
        if let Some(rest) = words.text.strip_prefix('!') {
            let help = format!("write `{rest}` under `except`");
            builder.notes.error(words.span, format!("`{}` can't exclude by a leading `!`", words.text), help);
        } else if let Err(why) = builder.globs.add(words.text, &mut ids) {
            builder.notes.plain_error(words.span, format!("`{}` is no path glob: {why}", words.text));
        }
    }
    for words in node.get("regex").map(Node::all_words).unwrap_or_default() {
        texts.push(words.text.to_owned());
        if let Err(why) = builder.globs.add_regex(words.text, &mut ids) {
            let help = "escape what is meant literally with a backslash; look-around is not supported";
            let message = format!("`{}` is not a regular expression: {why}", words.text);
            builder.notes.error(words.span, message, help);
        }
    }
    (ids, texts)
}

impl ChangedFiles {
    fn build(selection: Selection, node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let mut tests = Vec::new();
        for (key, quantity) in [("any", Quantity::Any), ("all", Quantity::All), ("none", Quantity::None)] {
            let (globs, words) = build_globs(node.get(key), builder);
            if !words.is_empty() {
                tests.push(Demand { selection, quantity, globs, words });
            }
        }
        let (except, exceptions) = build_globs(node.get("except"), builder);
        if tests.is_empty() {
            if !exceptions.is_empty() {
                let help = "say which paths are meant: `{any: [\"**\"], except: […]}`";
                builder.notes.error(&node.span, "`except` stands alone", help);
            }
            return None;
        }
        Some(Self { selection, tests, except })
    }
}

impl Test for ChangedFiles {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let code = view.code()?;
        let found: Vec<_> =
            self.tests.iter().map(|test| (test, test.judge(view, code, &self.except))).collect();
        let truth = Truth::all(found.iter().map(|(_, found)| found.truth));
        let decisive = found.iter().filter(|(_, found)| found.truth == truth);
        let sentence =
            decisive.map(|(test, found)| test.sentence(found, code)).collect::<Vec<_>>().join(", ");
        let to = self.tests.iter().map(Demand::wish).collect::<Vec<_>>().join(" and ");
        let to = if wanted { to } else { format!("not {to}") };
        let finding = Finding::new(self.selection.key(), truth, sentence);
        let finding = finding.mended_by(wanted, [Remedy::ChangeFiles { to }]);
        match view.prove_whole(code) {
            // What lies beyond the list is asked for only if the list does not settle it.
            Err(stop) if truth.is_open() => finding.open_for(stop),
            Ok(()) | Err(_) => Ok(finding),
        }
    }
}

/// What one test came to, and the paths that made it so.
struct Found {
    truth: Truth,
    decisive: Paths,
    /// Those that would be decisive if they are of the kind.
    open: Paths,
}

impl Demand {
    fn judge(&self, view: &View<'_>, code: &Code, except: &GlobIds) -> Found {
        let (mut decisive, mut open, mut fitting) = (Paths::default(), Paths::default(), None);
        let possible = self.quantity == Quantity::All || view.touches(code, &self.globs);
        let look = |path: TouchedPath<'_>, certainty| {
            let matches = path.matches(&self.globs) && !path.matches(except);
            // What to look for: a path that matches, or for `all` one that does not.
            if matches != (self.quantity != Quantity::All) {
                if certainty == Certainty::Sure || fitting.is_none() {
                    fitting = Some(certainty);
                }
            } else if certainty == Certainty::Sure {
                decisive.add(path.path);
            } else {
                open.add(path.path);
            }
        };
        if possible {
            self.selection.for_each_path(view, code, look);
        }
        let met = match (self.quantity, decisive.count == 0) {
            (Quantity::Any, false) => Some(true),
            (Quantity::All | Quantity::None, false) => Some(false),
            (_, true) if !code.complete || open.count > 0 => None,
            (Quantity::Any, true) => Some(false),
            (Quantity::None, true) => Some(true),
            // There is none: then nothing is proven of every one either.
            (Quantity::All, true) => match fitting {
                Some(Certainty::Open) => None,
                fitting => Some(fitting.is_some()),
            },
        };
        let truth = match met {
            Some(true) => Truth::True,
            Some(false) => Truth::Violated,
            None => Truth::Unknown { curable: false },
        };
        Found { truth, decisive, open }
    }

    fn sentence(&self, found: &Found, code: &Code) -> String {
        let (globs, is) = (self.globs_in_words(), self.selection.adjective());
        let (files, paths) = (code.files.len(), found.decisive.describe());
        let changed = self.selection == Selection::Changed;
        match (found.truth, self.quantity) {
            (Truth::Unknown { .. }, _) if !code.complete => {
                format!(
                    "GitLab lists only {files} of the changed files, so nothing is known of paths like {globs}"
                )
            }
            (Truth::Unknown { .. }, _) if found.open.count == 0 => {
                format!("GitLab does not say whether a file is {is}")
            }
            (Truth::Unknown { .. }, _) => {
                format!("GitLab does not say whether {} is {is}", found.open.describe())
            }
            (Truth::True, Quantity::Any) if changed => format!("{paths} matches {globs}"),
            (Truth::True, Quantity::Any) => format!("{paths} is {is} and matches {globs}"),
            (Truth::True, Quantity::All) => format!("every {is} path matches {globs}"),
            (_, Quantity::All) if found.decisive.count == 0 => format!("no file is {is}"),
            (_, Quantity::All) if changed => format!("{paths} does not match {globs}"),
            (_, Quantity::All) => format!("{paths} is {is} and does not match {globs}"),
            (Truth::True, Quantity::None) | (_, Quantity::Any) => format!("no {is} path matches {globs}"),
            (_, Quantity::None) if changed => format!("{paths} matches {globs} and must not change"),
            (_, Quantity::None) => format!("{paths} matches {globs} and must not be {is}"),
        }
    }

    fn wish(&self) -> String {
        let globs = self.globs_in_words();
        let (verb, noun) = self.selection.deed();
        match (self.quantity, self.selection) {
            (Quantity::Any, _) => format!("{verb} a {noun} like {globs}"),
            (Quantity::All, Selection::Changed) => format!("change nothing but paths like {globs}"),
            (Quantity::All, _) => format!("{verb} no {noun} but such as {globs}"),
            (Quantity::None, Selection::Changed) => format!("leave paths like {globs} alone"),
            (Quantity::None, _) => format!("{verb} no {noun} like {globs}"),
        }
    }

    fn globs_in_words(&self) -> String {
        alternatives(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::Truth;
    use crate::policy::example::{code, facts, file, mistakes, needs, reason, truth};
    use crate::policy::fact::{ChangeKind, ChangedFile, Code, FactKey, Facts, Known, LineCount};

    fn changing(paths: &[&str]) -> Facts {
        let mut facts = facts();
        facts.code = Some(Known::Value(code(1, paths)));
        facts
    }

    fn listed_in_part(paths: &[&str]) -> Facts {
        let mut code = code(1, paths);
        code.complete = false;
        Facts { code: Some(Known::Value(code)), ..facts() }
    }

    const ANY: &str = "{changed_files: {any: [\"docs/**\"]}}";
    const ALL: &str = "{changed_files: {all: [\"docs/**\"]}}";
    const NONE: &str = "{changed_files: {none: [\"docs/**\"]}}";

    #[test]
    fn any_all_and_none_look_at_every_path() {
        let truths =
            |paths: &[&str]| [ANY, ALL, NONE].map(|require| truth(require, &changing(paths)) == Truth::True);
        assert_eq!(truths(&["docs/a", "src/b"]), [true, false, false]);
        assert_eq!(truths(&["docs/a", "docs/b"]), [true, true, false]);
        assert_eq!(truths(&["src/b"]), [false, false, true]);
        assert_eq!(truths(&[]), [false, false, true], "of no file nothing is proven");
        assert_eq!(truth(ANY, &changing(&["src/b"])), Truth::Violated);
        assert_eq!(needs(ANY, &facts()), [FactKey::Code]);
    }

    #[test]
    fn a_rename_touches_both_paths() {
        let renamed = |from: &str, to: &str| {
            let mut code = code(1, &[]);
            code.files =
                vec![ChangedFile { old_path: from.to_owned(), kind: ChangeKind::Renamed, ..file(to) }];
            Facts { code: Some(Known::Value(code)), ..facts() }
        };
        for facts in [renamed("docs/a", "src/a"), renamed("src/a", "docs/a")] {
            assert_eq!(truth(ANY, &facts), Truth::True);
            assert_eq!(truth(ALL, &facts), Truth::Violated);
            assert_eq!(truth(NONE, &facts), Truth::Violated);
        }
    }

    #[test]
    fn an_incomplete_list_proves_only_what_is_in_it() {
        let unknown = Truth::Unknown { curable: false };
        for (require, with, without) in
            [(ANY, Truth::True, unknown), (NONE, Truth::Violated, unknown), (ALL, unknown, Truth::Violated)]
        {
            assert_eq!(truth(require, &listed_in_part(&["docs/a"])), with, "{require}");
            assert_eq!(truth(require, &listed_in_part(&["src/a"])), without, "{require}");
        }
        assert!(
            reason(ANY, &listed_in_part(&["src/a"])).sentence.contains("lists only 1 of the changed files")
        );
    }

    #[test]
    fn except_takes_paths_away_from_the_globs() {
        let any = "{changed_files: {any: [\"pay/**\"], except: [\"*.md\"]}}";
        assert_eq!(truth(any, &changing(&["pay/a.md"])), Truth::Violated);
        assert_eq!(truth(any, &changing(&["pay/a.md", "pay/a.rs"])), Truth::True);
        let all = "{changed_files: {all: [\"docs/**\"], except: [\"docs/legal/**\"]}}";
        assert_eq!(truth(all, &changing(&["docs/legal/a"])), Truth::Violated);
        let both = "{changed_files: {any: [\"a/**\"], none: [\"b/**\"]}}";
        assert_eq!(truth(both, &changing(&["a/1"])), Truth::True);
        assert_eq!(truth(both, &changing(&["a/1", "b/1"])), Truth::Violated);
        assert_eq!(
            reason(both, &changing(&["a/1", "b/1"])).sentence,
            "`b/1` matches `b/**` and must not change"
        );
    }

    /// The truths of `any`, `all` and `none` of one kind for paths below `docs/`.
    fn of_kind(key: &str, facts: &Facts) -> [Truth; 3] {
        ["any", "all", "none"]
            .map(|quantity| truth(&format!("{{{key}: {{{quantity}: ['docs/**']}}}}"), facts))
    }

    fn with(files: Vec<ChangedFile>) -> Facts {
        Facts { code: Some(Known::Value(Code { files, ..code(1, &[]) })), ..facts() }
    }

    fn of(kind: ChangeKind, path: &str) -> ChangedFile {
        ChangedFile { kind, ..file(path) }
    }

    fn renamed(from: &str, to: &str, lines: Option<LineCount>) -> ChangedFile {
        ChangedFile { old_path: from.to_owned(), lines, ..of(ChangeKind::Renamed, to) }
    }

    const YES: [Truth; 3] = [Truth::True, Truth::True, Truth::Violated];
    const NO: [Truth; 3] = [Truth::Violated, Truth::Violated, Truth::True];
    const OTHER: [Truth; 3] = NO;
    const MIXED: [Truth; 3] = [Truth::True, Truth::Violated, Truth::Violated];
    const OPEN: [Truth; 3] = [Truth::Unknown { curable: false }; 3];
    const SAME: Option<LineCount> = Some(LineCount { added: 0, removed: 0 });

    #[test]
    fn each_kind_looks_at_its_own_files_alone() {
        let facts = with(vec![
            of(ChangeKind::Added, "docs/new"),
            of(ChangeKind::Modified, "docs/same"),
            of(ChangeKind::Modified, "src/same"),
            of(ChangeKind::Deleted, "src/old"),
        ]);
        assert_eq!(of_kind("added_files", &facts), YES);
        assert_eq!(of_kind("modified_files", &facts), MIXED);
        assert_eq!(of_kind("deleted_files", &facts), OTHER);
        assert_eq!(of_kind("renamed_files", &facts), NO, "of no file nothing is proven");
        let sentence = |require| reason(require, &facts).sentence;
        assert_eq!(
            sentence("{added_files: {none: ['docs/**']}}"),
            "`docs/new` matches `docs/**` and must not be added"
        );
        assert_eq!(sentence("{renamed_files: {all: ['docs/**']}}"), "no file is renamed");
    }

    #[test]
    fn a_rename_takes_the_old_path_away_and_brings_the_new_one() {
        for (facts, added, deleted, moved) in [
            (with(vec![renamed("docs/a", "src/a", SAME)]), OTHER, YES, MIXED),
            (with(vec![renamed("src/a", "docs/a", SAME)]), YES, OTHER, MIXED),
            (with(vec![renamed("docs/a", "docs/b", SAME)]), YES, YES, YES),
        ] {
            assert_eq!(of_kind("added_files", &facts), added);
            assert_eq!(of_kind("deleted_files", &facts), deleted);
            assert_eq!(of_kind("renamed_files", &facts), moved);
            assert_eq!(of_kind("modified_files", &facts), NO);
        }
    }

    #[test]
    fn what_is_altered_on_the_way_or_replaced_is_modified() {
        let moved = |file: ChangedFile| with(vec![file]);
        let modified = |facts: &Facts| of_kind("modified_files", facts);
        assert_eq!(
            modified(&moved(renamed("docs/a", "docs/b", Some(LineCount { added: 1, removed: 0 })))),
            YES
        );
        assert_eq!(modified(&moved(renamed("docs/a", "docs/b", None))), OPEN);
        let executable = ChangedFile { new_mode: "100755".to_owned(), ..renamed("docs/a", "docs/b", SAME) };
        assert_eq!(modified(&moved(executable)), YES);
        let binary = ChangedFile { binary: Some(true), ..renamed("docs/a", "docs/b", SAME) };
        assert_eq!(modified(&moved(binary)), YES);
        let replaced = with(vec![of(ChangeKind::Deleted, "docs/a"), of(ChangeKind::Added, "docs/a")]);
        assert_eq!(modified(&replaced), YES, "a symlink in its place");
        let swapped = with(vec![renamed("docs/a", "src/a", SAME), renamed("src/a", "docs/a", SAME)]);
        assert_eq!(modified(&swapped), MIXED);
    }

    #[test]
    fn what_gitlab_does_not_say_of_a_file_is_open_where_it_matters() {
        let says = |binary, generated| with(vec![ChangedFile { binary, generated, ..file("docs/a") }]);
        assert_eq!(of_kind("binary_files", &says(Some(true), None)), YES);
        assert_eq!(of_kind("binary_files", &says(Some(false), None)), NO);
        assert_eq!(of_kind("binary_files", &says(None, Some(true))), OPEN);
        assert_eq!(of_kind("generated_files", &says(None, Some(true))), YES);
        assert_eq!(of_kind("generated_files", &says(None, None)), OPEN);
        let elsewhere = "{binary_files: {none: ['src/**']}}";
        assert_eq!(truth(elsewhere, &says(None, None)), Truth::True, "whatever it is, it is not there");
        assert_eq!(truth("{binary_files: {all: ['src/**']}}", &says(None, None)), OPEN[0]);
        assert_eq!(
            reason("{binary_files: {none: ['docs/**']}}", &says(None, None)).sentence,
            "GitLab does not say whether `docs/a` is binary"
        );
        let Some(Known::Value(mut code)) = says(Some(false), None).code else { panic!("no code") };
        code.complete = false;
        assert_eq!(of_kind("binary_files", &Facts { code: Some(Known::Value(code)), ..facts() }), OPEN);
    }

    #[test]
    fn paths_are_meant_by_globs_or_regexes() {
        let both = "{changed_files: {any: {globs: ['*.md'], regex: ['src/v[0-9]+/.*']}, except: {regex: '.*_test\\.rs'}}}";
        for (path, expected) in [
            ("docs/a.md", Truth::True),
            ("src/v12/a.rs", Truth::True),
            ("lib/src/v12/a.rs", Truth::Violated),
            ("src/v12/a_test.rs", Truth::Violated),
        ] {
            assert_eq!(truth(both, &changing(&[path])), expected, "{path}");
        }
        assert!(reason(both, &changing(&["x"])).sentence.contains("`*.md` or `src/v[0-9]+/.*`"));
    }

    #[test]
    fn ambiguous_and_lonely_lists_are_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {changed_files: [a]}\n  - id: s\n    require: {changed_files: {except: [a]}}\n  - id: t\n    require: {changed_files: {any: [\"!a\", \"a{b\", /]}}\n"), @r#"
        p.yaml:4:30: error: `changed_files` must be a mapping, not a list
          help: write `changed_files: {any: […]}` if one such file is enough, or `changed_files: {all: […]}` if every file must be one
        p.yaml:6:30: error: `except` stands alone
          help: say which paths are meant: `{any: ["**"], except: […]}`
        p.yaml:8:37: error: `!a` can't exclude by a leading `!`
          help: write `a` under `except`
        p.yaml:8:43: error: `a{b` is no path glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
        p.yaml:8:50: error: `/` is no path glob: the pattern names no path
        "#);
    }
}
