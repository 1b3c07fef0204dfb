//! `changed_files`: which paths change.
//!
//! Violated when they do not fit: the change itself must differ. A rename touches both of its paths. Of a list that
//! is not complete only what is there proves anything: a match that was found, never one that was not.

use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::GlobIds;
use crate::policy::view::{TouchedPath, View};

/// Paths named in a sentence; more are counted.
const SHOWN: usize = 3;

/// Which paths must and must not change.
#[derive(Debug, Clone)]
pub(in crate::policy) struct ChangedFiles {
    tests: Vec<Test>,
    except: GlobIds,
}

#[derive(Debug, Clone)]
struct Test {
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
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let mut tests = Vec::new();
        for (key, quantity) in [("any", Quantity::Any), ("all", Quantity::All), ("none", Quantity::None)] {
            let (globs, words) = build_globs(node.get(key), builder);
            if !words.is_empty() {
                tests.push(Test { quantity, globs, words });
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

    pub(super) fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let code = view.code()?;
        let found: Vec<_> = self.tests.iter().map(|test| (test, test.judge(view, &self.except))).collect();
        let truth = Truth::all(found.iter().map(|(_, found)| found.truth));
        let decisive = found.iter().filter(|(_, found)| found.truth == truth);
        let sentence = decisive
            .map(|(test, found)| test.sentence(found, code.files.len()))
            .collect::<Vec<_>>()
            .join(", ");
        let to = self.tests.iter().map(Test::wish).collect::<Vec<_>>().join(" and ");
        let to = if wanted { to } else { format!("not {to}") };
        Ok(Finding::new("changed_files", truth, sentence).mended_by(wanted, [Remedy::ChangeFiles { to }]))
    }
}

/// What one test came to, and the paths that made it so.
struct Found {
    truth: Truth,
    paths: Vec<String>,
}

impl Test {
    fn judge(&self, view: &View<'_>, except: &GlobIds) -> Found {
        let Ok(code) = view.code() else {
            return Found { truth: Truth::Unknown { curable: true }, paths: Vec::new() };
        };
        let meant = |path: &TouchedPath<'_>| path.matches(&self.globs) && !path.matches(except);
        // What to look for: a path that matches, or for `all` one that does not.
        let sought = |path: &TouchedPath<'_>| meant(path) == (self.quantity != Quantity::All);
        let mut paths: Vec<_> =
            view.touched(code).flatten().filter(sought).map(|touched| touched.path.to_owned()).collect();
        paths.dedup();
        let met = match (self.quantity, paths.is_empty()) {
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
        Found { truth, paths }
    }

    fn sentence(&self, found: &Found, files: usize) -> String {
        let globs = self.globs_in_words();
        let paths = shown(&found.paths);
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

fn shown(paths: &[String]) -> String {
    let some = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}
