//! `changed_files_count` and `changed_lines`: how large the change is.
//!
//! Violated when out of bounds: the change itself must differ. Where GitLab shows no lines of a file (it left the text out,
//! or git holds the file to be binary) or did not list every file, the number is only known from below, and decides only
//! what more could not change.

use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{Bounds, Count};
use super::files::build_globs;
use super::kind::{Kind, Test, test};
use super::unseen::Unseen;
use super::vocabulary::{AT_LEAST, AT_MOST, BOUNDS, NUMBER_HINT, PATHS};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{ChangeKind, ChangedFile, Code, DiffStats, Family, LineCount, TreeChange};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::GlobIds;
use crate::policy::view::{Touched, View};
use crate::schema::{Key, Shape, Table};

/// How many files change.
pub(super) const CHANGED_FILES_COUNT: Kind = Kind {
    key: Key::new("changed_files_count", Shape::Mapping(&FILES_TABLE), "How many files change."),
    build: |node, builder| test(ChangedFilesCount::build(node, builder)),
    reads: &[Family::Code],
    unmet: &[Truth::Violated],
    settled_by_commit: true,
};

/// How many lines change.
pub(super) const CHANGED_LINES: Kind = Kind {
    key: Key::new("changed_lines", Shape::Mapping(&LINES_TABLE), "How many lines change."),
    build: |node, builder| test(ChangedLines::build(node, builder)),
    reads: &[Family::Code],
    unmet: &[Truth::Violated],
    settled_by_commit: true,
};

const UNCOUNTED: Key = Key::new("except", PATHS, "Files that are not counted.");
const EXCEPT_GENERATED: Key = Key::new(
    "except_generated",
    Shape::Flag,
    "Whether files that GitLab holds to be generated are left out (no).",
);

static FILES_TABLE: Table = Table {
    name: "changed_files_count",
    doc: "How many files change.",
    hint: NUMBER_HINT,
    keys: &[AT_LEAST, AT_MOST, UNCOUNTED, EXCEPT_GENERATED],
};

static LINES_TABLE: Table = Table {
    name: "changed_lines",
    doc: "How many lines change: added and removed ones together, or each alone.",
    hint: NUMBER_HINT,
    keys: &[
        AT_LEAST,
        AT_MOST,
        Key::new("added", Shape::Mapping(&BOUNDS), "Bounds of the added lines alone."),
        Key::new("removed", Shape::Mapping(&BOUNDS), "Bounds of the removed lines alone."),
        UNCOUNTED,
        EXCEPT_GENERATED,
    ],
};

/// How many files may change.
#[derive(Debug, Clone)]
struct ChangedFilesCount {
    bounds: Bounds,
    except: Uncounted,
}

/// How many lines may change.
#[derive(Debug, Clone)]
struct ChangedLines {
    total: Option<Bounds>,
    added: Option<Bounds>,
    removed: Option<Bounds>,
    except: Uncounted,
}

/// Files that are not counted.
#[derive(Debug, Clone)]
struct Uncounted {
    globs: GlobIds,
    generated: bool,
}

impl ChangedFilesCount {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Bounds::require(node, builder);
        let except = Uncounted::build(node, builder);
        Some(Self { bounds: bounds?, except })
    }
}

impl Test for ChangedFilesCount {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        self.except.settle(view, |code, files, all_known| {
            let low = files.iter().filter(|file| file.sure()).count() as u64;
            let count = Count { low, high: all_known.then_some(files.len() as u64) };
            let unseen = unseen(code, files, all_known);
            (judge("changed_files_count", "files", &[(self.bounds, count)], &unseen, wanted), !all_known)
        })
    }
}

impl ChangedLines {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let total = Bounds::build(node, builder);
        let mut part = |key| node.get(key).and_then(|node| Bounds::require(node, builder));
        let (added, removed) = (part("added"), part("removed"));
        let except = Uncounted::build(node, builder);
        if total.or(added).or(removed).is_none() {
            if except.generated || !except.globs.is_empty() {
                builder.notes.error(&node.span, "no bound is given", "write `at_most` or `at_least`");
            }
            return None;
        }
        Some(Self { total, added, removed, except })
    }
}

impl Test for ChangedLines {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        self.except.settle(view, |code, files, all_known| {
            let rest = Count { low: 0, high: all_known.then_some(0) };
            let count = |part: fn(LineCount) -> u64| {
                files.iter().map(|counted| counted.lines(part)).fold(rest, Count::plus)
            };
            let (added, removed) = (count(|lines| lines.added), count(|lines| lines.removed));
            let parts = [(self.total, added.plus(removed)), (self.added, added), (self.removed, removed)];
            let bounded: Vec<_> =
                parts.into_iter().filter_map(|(bounds, count)| Some((bounds?, count))).collect();
            let mut unseen = unseen(code, files, all_known);
            for counted in files.iter().filter(|counted| counted.lines.is_none()) {
                unseen.add_lines(counted.path);
            }
            let uncounted = files.iter().any(|file| file.lines.is_none() && !file.binary);
            (judge("changed_lines", "lines", &bounded, &unseen, wanted), !all_known || uncounted)
        })
    }
}

/// A file that counts, or may count.
struct Counted<'a> {
    path: &'a str,
    lines: Option<LineCount>,
    binary: bool,
    doubt: Option<Doubt>,
}

/// Why a file may not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It may be generated.
    Generated,
    /// It lies where nothing counts, and may have moved there from where it does.
    Moved,
}

impl Counted<'_> {
    fn sure(&self) -> bool {
        self.doubt.is_none()
    }

    fn lines(&self, part: fn(LineCount) -> u64) -> Count {
        let lines = self.lines.map(part);
        Count { low: lines.filter(|_| self.sure()).unwrap_or(0), high: lines }
    }
}

impl Uncounted {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Self {
        let (globs, _) = build_globs(node.get("except"), builder);
        Self { globs, generated: node.get("except_generated").and_then(Node::flag) == Some(true) }
    }

    /// Judges by what GitLab lists; where that leaves it open and the judgement says that they would help, by what git
    /// counts; and where a file may have moved to where it does not count, by the trees.
    fn settle(
        &self,
        view: &View<'_>,
        judge: impl Fn(&Code, &[Counted<'_>], bool) -> (Finding, bool),
    ) -> Result<Finding, Stop> {
        let code = view.code()?;
        let (finding, numbers_help) = judge(code, &self.listed(view, code, None), code.is_listed());
        if !finding.truth().is_open() || !numbers_help {
            return Ok(finding);
        }
        let stats = match view.diff_stats(code) {
            Ok(stats) => stats,
            Err(stop) => return finding.open_for(stop),
        };
        let mut files = self.listed(view, code, Some(stats));
        if !code.is_listed() {
            files.extend(self.unlisted(view, code, stats));
        }
        let (finding, _) = judge(code, &files, true);
        let may_have_moved = files.iter().any(|file| file.doubt == Some(Doubt::Moved));
        match view.prove_whole(code) {
            Err(stop) if finding.truth().is_open() && may_have_moved => finding.open_for(stop),
            Ok(()) | Err(_) => Ok(finding),
        }
    }

    /// Those of the listed files that count: one is left out when every path it touches is excepted, or when it is
    /// generated.
    fn listed<'a>(&self, view: &View<'a>, code: &'a Code, stats: Option<&'a DiffStats>) -> Vec<Counted<'a>> {
        let excepted = |touched: Touched<'_>| touched.paths().all(|path| path.matches(&self.globs));
        let mut once = BTreeMap::new();
        for file in code.listed().filter(|_| stats.is_some()) {
            *once.entry(file.new_path.as_str()).or_insert(0_usize) += 1;
        }
        // git counts a path once that the list has twice, where one kind of file replaces another.
        let counted = |file: &ChangedFile| {
            let path = file.new_path.as_str();
            let of_this_file = file.binary != Some(true) && once.get(path) == Some(&1);
            stats?.files.get(path).copied().flatten().filter(|_| of_this_file)
        };
        let files = code.files.iter().zip(view.touched(code)).filter_map(|(file, touched)| {
            let generated = if self.generated { file.generated } else { Some(false) };
            let listed = !matches!(file.kind, ChangeKind::Unlisted(_));
            (listed && generated != Some(true) && !excepted(touched)).then(|| Counted {
                path: &file.new_path,
                lines: file.lines.or_else(|| counted(file)),
                binary: file.binary == Some(true),
                doubt: generated.is_none().then_some(Doubt::Generated),
            })
        });
        files.collect()
    }

    /// Those of the other files that count, or may.
    fn unlisted<'a>(&self, view: &View<'a>, code: &'a Code, stats: &'a DiffStats) -> Vec<Counted<'a>> {
        let listed: BTreeSet<_> = code.listed().map(|file| file.new_path.as_str()).collect();
        let leaves = |file: &ChangedFile| {
            file.kind == ChangeKind::Unlisted(TreeChange::Disappears)
                && !view.matches_path(&file.old_path, &self.globs)
        };
        // What comes from where files count still counts, wherever it went.
        let may_move = !code.complete || code.files.iter().any(leaves);
        let rest = stats.files.iter().filter(|(path, _)| !listed.contains(path.as_str()));
        let files = rest.filter_map(|(path, lines)| {
            let excepted = view.matches_path(path, &self.globs);
            let doubt = match (excepted, self.generated) {
                (true, _) => Some(Doubt::Moved),
                (false, true) => Some(Doubt::Generated),
                (false, false) => None,
            };
            (!excepted || may_move).then_some(Counted { path, lines: *lines, binary: false, doubt })
        });
        files.collect()
    }
}

/// What is not shown of which files there are that count.
fn unseen(code: &Code, files: &[Counted<'_>], all_known: bool) -> Unseen {
    let mut unseen = Unseen::of(code, all_known);
    for counted in files {
        match counted.doubt {
            Some(Doubt::Generated) => unseen.add_generated(counted.path),
            Some(Doubt::Moved) => unseen.add_moved(counted.path),
            None => {}
        }
    }
    unseen
}

fn judge(
    condition: &str,
    things: &str,
    bounded: &[(Bounds, Count)],
    unseen: &Unseen,
    wanted: bool,
) -> Finding {
    let truth = Truth::all(bounded.iter().map(|(bounds, count)| match bounds.hold(*count) {
        Some(true) => Truth::True,
        Some(false) => Truth::Violated,
        None => Truth::Unknown { curable: false },
    }));
    let texts = bounded.iter().map(|(bounds, count)| {
        format!("{} {things} change, the bounds are {}", count.describe(), bounds.describe())
    });
    let mut sentence = texts.collect::<Vec<_>>().join(", ");
    if truth.is_open() {
        sentence = format!("{sentence}; {}", unseen.describe());
    }
    let wish = bounded.iter().map(|(bounds, _)| bounds.describe()).collect::<Vec<_>>().join(" and ");
    let to = if wanted {
        format!("change {wish} {things}")
    } else {
        format!("change a number of {things} other than {wish}")
    };
    let policy = unseen.remedy().filter(|_| truth.is_open());
    Finding::new(condition, truth, sentence)
        .mended_by(wanted, [Remedy::ChangeFiles { to }].into_iter().chain(policy))
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::Truth;
    use crate::policy::example::{code, facts, mistakes, reason, truth};
    use crate::policy::fact::{Code, Facts, Known};

    /// Two files with 10 added and 5 removed lines each.
    fn change(alter: impl Fn(&mut Code)) -> Facts {
        let mut code = code(1, &["src/a.rs", "Cargo.lock"]);
        alter(&mut code);
        Facts { code: Some(Known::Value(code)), ..facts() }
    }

    #[test]
    fn files_and_lines_are_counted() {
        let facts = change(|_| {});
        for (require, holds) in [
            ("{changed_files_count: {at_most: 2}}", true),
            ("{changed_files_count: {at_most: 1}}", false),
            ("{changed_files_count: {at_most: 1, except: [\"*.lock\"]}}", true),
            ("{changed_lines: {at_most: 30}}", true),
            ("{changed_lines: {at_most: 29}}", false),
            ("{changed_lines: {at_least: 15, at_most: 15, except: [\"*.lock\"]}}", true),
            ("{changed_lines: {added: {at_most: 20}, removed: {at_most: 9}}}", false),
            ("{changed_lines: {added: {at_most: 20}, removed: {at_least: 10}}}", true),
        ] {
            assert_eq!(
                truth(require, &facts),
                if holds { Truth::True } else { Truth::Violated },
                "{require}"
            );
        }
        assert_eq!(
            reason("{changed_lines: {at_most: 29}}", &facts).sentence,
            "30 lines change, the bounds are at most 29"
        );
    }

    #[test]
    fn what_was_left_out_decides_nothing_it_could_change() {
        let unknown = Truth::Unknown { curable: false };
        let partial = change(|code| code.complete = false);
        assert_eq!(truth("{changed_files_count: {at_most: 2}}", &partial), unknown);
        assert_eq!(truth("{changed_files_count: {at_most: 1}}", &partial), Truth::Violated);
        assert_eq!(truth("{changed_files_count: {at_least: 2}}", &partial), Truth::True);
        let collapsed = change(|code| code.files[1].lines = None);
        assert_eq!(truth("{changed_lines: {at_most: 15}}", &collapsed), unknown);
        assert_eq!(truth("{changed_lines: {at_most: 14}}", &collapsed), Truth::Violated);
        assert_eq!(truth("{changed_lines: {at_most: 15, except: [\"*.lock\"]}}", &collapsed), Truth::True);
        assert_eq!(truth("{changed_files_count: {at_most: 2}}", &collapsed), Truth::True);
    }

    #[test]
    fn generated_files_may_be_left_out_where_gitlab_tells_them() {
        let generated = |says| change(move |code| code.files[1].generated = says);
        let unknown = Truth::Unknown { curable: false };
        for (require, known, open) in [
            ("{changed_files_count: {at_most: 1, except_generated: true}}", Truth::True, unknown),
            ("{changed_files_count: {at_least: 2, except_generated: true}}", Truth::Violated, unknown),
            ("{changed_files_count: {at_most: 0, except_generated: true}}", Truth::Violated, Truth::Violated),
            ("{changed_files_count: {at_most: 2, except_generated: true}}", Truth::True, Truth::True),
            ("{changed_lines: {at_most: 15, except_generated: true}}", Truth::True, unknown),
            ("{changed_lines: {at_most: 30, except_generated: true}}", Truth::True, Truth::True),
            (
                "{changed_lines: {added: {at_most: 9}, except_generated: true}}",
                Truth::Violated,
                Truth::Violated,
            ),
            ("{changed_lines: {at_most: 29, except_generated: false}}", Truth::Violated, Truth::Violated),
        ] {
            assert_eq!(truth(require, &generated(Some(true))), known, "{require}");
            assert_eq!(truth(require, &generated(None)), open, "{require}");
        }
        let hidden = change(|code| {
            code.files[1].generated = None;
            code.files[1].lines = None;
        });
        assert_eq!(truth("{changed_lines: {at_most: 30, except_generated: true}}", &hidden), unknown);
    }

    #[test]
    fn bounds_must_be_given_and_possible() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {changed_files_count: {except: [a]}, changed_lines: {added: {at_least: 3, at_most: 2}}}\n  - id: s\n    require: {changed_files_count: 20, changed_lines: {at_most: \"20\"}}\n"), @r#"
        p.yaml:4:36: error: no bound is given
          help: write `at_most` or `at_least`
        p.yaml:4:74: error: no number is at least 3 and at most 2
          help: the smaller number belongs to `at_least`
        p.yaml:6:36: error: `changed_files_count` must be a mapping, not `20`
          help: write `{at_most: …}` or `{at_least: …}`
        p.yaml:6:65: error: `at_most` must be a whole number, not `20`
          help: write `20`, without quotes
        "#);
    }
}
