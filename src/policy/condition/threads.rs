//! `unresolved_threads`: how many threads are not resolved.
//!
//! Waiting when out of bounds: whoever takes part in a thread can resolve it, no push is needed.

use super::bounds::{Bounds, Count};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::FactKey;
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;

/// How many threads may be open.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct UnresolvedThreads(Bounds);

impl UnresolvedThreads {
    pub(super) fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        Bounds::require(node, builder).map(Self)
    }

    pub(super) fn evaluate(self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let threads = known(view.facts.threads.as_ref(), FactKey::Threads)?;
        let count = Count::exactly(threads.len() as u64);
        let truth = if self.0.hold(count) == Some(true) { Truth::True } else { Truth::Waiting };
        let sentence = match count.low {
            0 => "no thread is unresolved".to_owned(),
            1 => "1 thread is not resolved".to_owned(),
            many => format!("{many} threads are not resolved"),
        };
        let surplus = self.0.at_most.filter(|_| wanted).map_or(0, |most| count.low.saturating_sub(most));
        let resolve = u32::try_from(surplus)
            .ok()
            .filter(|count| *count > 0)
            .map(|count| Remedy::ResolveThreads { count });
        Ok(Finding::new("unresolved_threads", truth, sentence).mended_by(wanted, resolve))
    }
}
