//! `changed_files`: which paths change.
//!
//! Violated when they do not fit: the change itself must differ. A rename touches both of its paths. Of a list that
//! is not complete only what is there proves anything: a match that was found, never one that was not.

use super::kind::{Kind, Test, test};
use super::vocabulary::TEXTS;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Code, Family};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::GlobIds;
use crate::policy::view::{Touched, TouchedPath, View};
use crate::schema::{Key, Shape, Table};

/// Which paths change.
pub(super) const CHANGED_FILES: Kind = Kind {
    key: Key::new(
        "changed_files",
        Shape::Mapping(&TABLE),
        "Which paths change; a rename touches both of its paths.",
    ),
    build: |node, builder| test(ChangedFiles::build(node, builder)),
    reads: &[Family::Code],
    unmet: &[Truth::Violated],
    settled_by_commit: true,
};

static TABLE: Table = Table {
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

/// Paths named in a sentence; more are counted.
const SHOWN: usize = 3;

/// Which paths must and must not change.
#[derive(Debug, Clone)]
struct ChangedFiles {
    tests: Vec<Demand>,
    except: GlobIds,
}

#[derive(Debug, Clone)]
struct Demand {
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

/// Reads a list of path globs; each one that can't be read is noted.
pub(super) fn build_globs(node: Option<&Node>, builder: &mut Builder<'_, '_>) -> (GlobIds, Vec<String>) {
    let mut globs = GlobIds::default();
    let mut texts = Vec::new();
    for words in node.map(Node::all_words).unwrap_or_default() {
        texts.push(words.text.to_owned());
        if let Some(rest) = words.text.strip_prefix('!') {
            let help = format!("write `{rest}` under `except`");
            builder.notes.error(words.span, format!("`{}` can't exclude by a leading `!`", words.text), help);
        } else if let Err(why) = builder.globs.add(words.text, &mut globs) {
            builder.notes.plain_error(words.span, format!("`{}` is no path glob: {why}", words.text));
        }
    }
    (globs, texts)
}

impl ChangedFiles {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let mut tests = Vec::new();
        for (key, quantity) in [("any", Quantity::Any), ("all", Quantity::All), ("none", Quantity::None)] {
            let (globs, words) = build_globs(node.get(key), builder);
            if !words.is_empty() {
                tests.push(Demand { quantity, globs, words });
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
        Some(Self { tests, except })
    }
}

impl Test for ChangedFiles {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let code = view.code()?;
        let found: Vec<_> =
            self.tests.iter().map(|test| (test, test.judge(view, code, &self.except))).collect();
        let truth = Truth::all(found.iter().map(|(_, found)| found.truth));
        let decisive = found.iter().filter(|(_, found)| found.truth == truth);
        let sentence = decisive
            .map(|(test, found)| test.sentence(found, code.files.len()))
            .collect::<Vec<_>>()
            .join(", ");
        let to = self.tests.iter().map(Demand::wish).collect::<Vec<_>>().join(" and ");
        let to = if wanted { to } else { format!("not {to}") };
        Ok(Finding::new("changed_files", truth, sentence).mended_by(wanted, [Remedy::ChangeFiles { to }]))
    }
}

/// What one test came to, and the paths that made it so: the first ones, and how many there are.
struct Found {
    truth: Truth,
    paths: Vec<String>,
    count: usize,
}

impl Demand {
    fn judge(&self, view: &View<'_>, code: &Code, except: &GlobIds) -> Found {
        // What to look for: a path that matches, or for `all` one that does not.
        let sought = |path: &TouchedPath<'_>| {
            (path.matches(&self.globs) && !path.matches(except)) == (self.quantity != Quantity::All)
        };
        let (mut paths, mut count): (Vec<String>, usize) = (Vec::new(), 0);
        let possible = self.quantity == Quantity::All || view.touches(code, &self.globs);
        let files = possible.then(|| view.touched(code)).into_iter().flatten();
        for touched in files.flat_map(Touched::paths).filter(sought) {
            count += 1;
            if paths.len() < SHOWN {
                paths.push(touched.path.to_owned());
            }
        }
        let met = match (self.quantity, count == 0) {
            (_, true) if !code.complete => None,
            // Nothing changed: then nothing is proven of every file either.
            (Quantity::All, true) => Some(!code.files.is_empty()),
            (Quantity::Any, false) | (Quantity::None, true) => Some(true),
            (Quantity::Any, true) | (Quantity::All | Quantity::None, false) => Some(false),
        };
        let truth = match met {
            Some(true) => Truth::True,
            Some(false) => Truth::Violated,
            None => Truth::Unknown { curable: false },
        };
        Found { truth, paths, count }
    }

    fn sentence(&self, found: &Found, files: usize) -> String {
        let globs = self.globs_in_words();
        let paths = shown(found);
        match (found.truth, self.quantity) {
            (Truth::Unknown { .. }, _) => {
                format!(
                    "GitLab lists only {files} of the changed files, so nothing is known of paths like {globs}"
                )
            }
            (Truth::True, Quantity::Any) => format!("{paths} matches {globs}"),
            (Truth::True, Quantity::All) => format!("every changed path matches {globs}"),
            (_, Quantity::All) if files == 0 => "no file is changed".to_owned(),
            (_, Quantity::All) => format!("{paths} does not match {globs}"),
            (Truth::True, Quantity::None) | (_, Quantity::Any) => format!("no changed path matches {globs}"),
            (_, Quantity::None) => format!("{paths} matches {globs} and must not change"),
        }
    }

    fn wish(&self) -> String {
        let globs = self.globs_in_words();
        match self.quantity {
            Quantity::Any => format!("change a path like {globs}"),
            Quantity::All => format!("change nothing but paths like {globs}"),
            Quantity::None => format!("leave paths like {globs} alone"),
        }
    }

    fn globs_in_words(&self) -> String {
        self.words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
    }
}

fn shown(found: &Found) -> String {
    let some = found.paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    match found.count.saturating_sub(found.paths.len()) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::Truth;
    use crate::policy::example::{code, facts, file, mistakes, needs, reason, truth};
    use crate::policy::fact::{ChangeKind, ChangedFile, FactKey, Facts, Known};

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
