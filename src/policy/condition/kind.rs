//! What there is to know of a condition before any policy is read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::merge_request::{User, UserId};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::Truth;
use crate::policy::fact::Family;
use crate::policy::finding::{Doubt, Finding, Stop};
use crate::policy::view::View;
use crate::schema::Key;

/// A condition as the language knows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Kind {
    /// Its key, with the shape of its value and a sentence about it.
    pub(in crate::policy) key: Key,
    /// Builds it from its value; none if that is wrong, and then it was noted.
    pub(super) build: fn(&Node, &mut Builder<'_, '_>) -> Option<Arc<dyn Test>>,
    /// The families of facts that it may ask for.
    pub(in crate::policy) reads: &'static [Family],
    /// What it is when it does not hold.
    pub(in crate::policy) unmet: &'static [Truth],
    /// Whether a commit settles it once and for all: everything else can change while the head stays.
    pub(in crate::policy) settled_by_commit: bool,
}

impl Kind {
    /// Whether it says of itself that it may ask for a family of facts.
    pub(super) fn may_ask(&self, family: Family) -> bool {
        self.reads.contains(&family) || (family.tells_of_people() && self.reads.contains(&Family::People))
    }
}

/// One condition of one policy.
pub(super) trait Test: fmt::Debug + Send + Sync {
    /// Settles it, or says what stops it; `wanted` is the truth that serves the rule.
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop>;

    /// Families that its kind may ask for, and this one never does.
    fn leaves_out(&self) -> Vec<Family> {
        Vec::new()
    }

    /// Who approves, where people are counted: none for every other condition.
    fn approvers(&self, _view: &View<'_>) -> Option<Approvers> {
        None
    }
}

/// The people whom one condition counts, beyond how many it needs.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Approvers {
    /// How many it needs.
    pub(in crate::policy) count: usize,
    /// Whose count, in words; empty for anybody's.
    pub(in crate::policy) from: Vec<String>,
    /// Who counts.
    pub(in crate::policy) certain: BTreeMap<UserId, User>,
    /// Who may count or not although all is known of them.
    pub(in crate::policy) doubtful: BTreeMap<UserId, (User, Doubt)>,
    /// Who may count, and what is open.
    pub(in crate::policy) open: BTreeMap<UserId, Stop>,
    /// Anybody else may, while this is not known.
    pub(in crate::policy) hidden: Option<Stop>,
}

/// What [`Kind::build`] gives for a condition that was built.
pub(super) fn test<T: Test + 'static>(built: Option<T>) -> Option<Arc<dyn Test>> {
    built.map(|built| -> Arc<dyn Test> { Arc::new(built) })
}
