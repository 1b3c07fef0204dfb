//! The conditions: a closed set, one file for each family, and [`catalogue`] lists them.
//!
//! A condition is built once from the policy's text and then answers from facts alone. It is true, violated (only a
//! change by the author mends it), waiting (people or time mend it), unsettled, or unknown. Each file says what its
//! conditions read and which false they come to ([`kind::Kind`]), and the table in `policies/README.md` says the same.

mod age;
mod approvals;
mod assigned;
mod bounds;
mod branch;
pub(super) mod catalogue;
mod checklist;
mod code_owners;
mod commit_statuses;
mod commits;
mod committers;
mod dependencies;
mod draft;
mod during;
mod excluded;
mod expression;
mod file_kinds;
mod files;
mod flaw;
mod issues;
mod jobs;
mod kind;
mod labels;
mod lines;
mod makers;
mod markdown;
mod marks;
mod membership;
mod merge_after;
mod merging;
mod methods;
mod milestone;
mod origin;
mod outcomes;
mod owners;
mod paths;
mod people;
mod pipeline;
mod project;
mod recurrence;
mod revocation;
mod same_patch;
mod sections;
mod size;
mod text;
mod threads;
mod trailers;
mod unseen;
mod vetoes;
mod vocabulary;
mod weight;
mod zone;

use std::sync::Arc;

use self::catalogue::KINDS;
pub(super) use self::kind::Approvers;
use self::kind::{Kind, Test};
use super::builder::Builder;
use super::document::Entry;
use super::fact::Family;
use super::finding::{Outcome, settle};
use super::view::View;

/// One compiled condition.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    kind: Kind,
    test: Arc<dyn Test>,
}

impl Condition {
    /// Builds the condition of one key; none if its value is wrong, and then that was noted.
    pub(super) fn build(entry: &Entry, builder: &mut Builder<'_, '_>) -> Option<Self> {
        // An unknown key: the reader has reported it.
        let kind = KINDS.into_iter().find(|kind| kind.key.name == entry.key)?;
        (kind.build)(&entry.value, builder).map(|test| Self { kind, test })
    }

    /// The key that writes it.
    pub(super) fn word(&self) -> &'static str {
        self.kind.key.name
    }

    /// Whether a commit settles it once and for all: everything else can change while the head stays.
    pub(super) fn is_settled_by_commit(&self) -> bool {
        self.kind.settled_by_commit
    }

    /// The families of facts that it may ask for.
    pub(super) fn reads(&self) -> impl Iterator<Item = Family> {
        let left_out = self.test.leaves_out();
        self.kind.reads.iter().copied().filter(move |family| !left_out.contains(family))
    }

    /// Whether it may ask for a family of facts.
    fn may_ask(&self, family: Family) -> bool {
        self.kind.may_ask(family) && !self.test.leaves_out().contains(&family)
    }

    /// Whether it counts people who approve.
    pub(super) fn counts_approvers(&self) -> bool {
        self.kind.key.name == approvals::APPROVALS.key.name
    }

    /// Whom it counts, if it counts people.
    pub(super) fn approvers(&self, view: &View<'_>) -> Option<Approvers> {
        self.test.approvers(view)
    }

    /// Settles it, or names the facts it needs; `wanted` is the truth that serves the rule.
    pub(super) fn evaluate(&self, view: &View<'_>, wanted: bool) -> Outcome {
        let outcome = settle(self.word(), self.test.evaluate(view, wanted));
        // INVARIANT: what a kind says of itself is true; the reference for authors repeats it.
        match &outcome {
            Ok(finding) => debug_assert!(
                !finding.truth().is_false() || self.kind.unmet.contains(&finding.truth()),
                "`{}` came to {:?}",
                self.word(),
                finding.truth()
            ),
            Err(keys) => debug_assert!(
                keys.iter().all(|key| self.may_ask(key.family())),
                "`{}` asked for {keys:?}",
                self.word()
            ),
        }
        outcome
    }
}
