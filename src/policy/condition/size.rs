//! `changed_files_count` and `changed_lines`: how large the change is.
//!
//! Violated when out of bounds: the change itself must differ. Where GitLab left a text out or did not list every
//! file, the number is only known from below, and decides only what more could not change.

use super::bounds::{Bounds, Count};
use super::files::build_globs;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::ChangedFile;
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::GlobIds;
use crate::policy::view::View;

/// How many files may change.
#[derive(Debug, Clone)]
pub(in crate::policy) struct ChangedFilesCount {
    bounds: Bounds,
    except: GlobIds,
}

/// How many lines may change.
#[derive(Debug, Clone)]
pub(in crate::policy) struct ChangedLines {
    total: Option<Bounds>,
    added: Option<Bounds>,
    removed: Option<Bounds>,
    except: GlobIds,
}

impl ChangedFilesCount {
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Bounds::require(node, builder);
        let (except, _) = build_globs(node.get("except"), builder);
        Some(Self { bounds: bounds?, except })
    }

    pub(super) fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let complete = view.code()?.complete;
        let low = counted(view, &self.except)?.len() as u64;
        let count = Count { low, high: complete.then_some(low) };
        Ok(judge("changed_files_count", "files", &[(self.bounds, count)], wanted))
    }
}

impl ChangedLines {
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let total = Bounds::build(node, builder);
        let mut part = |key| node.get(key).and_then(|node| Bounds::require(node, builder));
        let (added, removed) = (part("added"), part("removed"));
        let (except, exceptions) = build_globs(node.get("except"), builder);
        if total.or(added).or(removed).is_none() {
            if !exceptions.is_empty() {
                builder.notes.error(&node.span, "no bound is given", "write `at_most` or `at_least`");
            }
            return None;
        }
        Some(Self { total, added, removed, except })
    }

    pub(super) fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let complete = view.code()?.complete;
        let files = counted(view, &self.except)?;
        let whole = complete && files.iter().all(|file| file.lines.is_some());
        let lines = || files.iter().filter_map(|file| file.lines);
        let count = |low: u64| Count { low, high: whole.then_some(low) };
        let added = count(lines().fold(0, |sum, lines| sum.saturating_add(lines.added)));
        let removed = count(lines().fold(0, |sum, lines| sum.saturating_add(lines.removed)));
        let parts = [(self.total, added.plus(removed)), (self.added, added), (self.removed, removed)];
        let bounded: Vec<_> =
            parts.into_iter().filter_map(|(bounds, count)| Some((bounds?, count))).collect();
        Ok(judge("changed_lines", "lines", &bounded, wanted))
    }
}

/// The files that count: one is left out when every path it touches is excepted.
fn counted<'a>(view: &View<'a>, except: &GlobIds) -> Result<Vec<&'a ChangedFile>, Stop> {
    let code = view.code()?;
    let touched = view.touched(code);
    let counts =
        code.files.iter().zip(touched).filter(|(_, paths)| !paths.iter().all(|path| path.matches(except)));
    Ok(counts.map(|(file, _)| file).collect())
}

fn judge(condition: &str, things: &str, bounded: &[(Bounds, Count)], wanted: bool) -> Finding {
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
        sentence += "; GitLab left a part of the change out";
    }
    let wish = bounded.iter().map(|(bounds, _)| bounds.describe()).collect::<Vec<_>>().join(" and ");
    let to = if wanted {
        format!("change {wish} {things}")
    } else {
        format!("change a number of {things} other than {wish}")
    };
    Finding::new(condition, truth, sentence).mended_by(wanted, [Remedy::ChangeFiles { to }])
}
