//! `unresolved_threads`: how many threads are not resolved.
//!
//! Waiting when out of bounds: whoever takes part in a thread can resolve it, no push is needed.

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::vocabulary::{AT_LEAST, AT_MOST};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// How many threads are open.
pub(super) const UNRESOLVED_THREADS: Kind = Kind {
    key: Key::new("unresolved_threads", Shape::Mapping(&TABLE), "How many threads are not resolved."),
    build: |node, builder| test(UnresolvedThreads::build(node, builder)),
    reads: &[Family::Threads],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "unresolved_threads",
    doc: "How many threads are not resolved.",
    hint: Some("write `unresolved_threads: {at_most: 0}`"),
    keys: &[AT_LEAST, AT_MOST],
};

/// How many threads may be open.
#[derive(Debug, Clone, Copy)]
struct UnresolvedThreads(Bounds);

impl UnresolvedThreads {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        Bounds::require(node, builder).map(Self)
    }
}

impl Test for UnresolvedThreads {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
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

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, needs, reason, remedies, truth, unknown, user};
    use crate::policy::fact::{FactKey, Facts, Known, Thread};

    #[test]
    fn unresolved_threads_wait_for_people() {
        const NONE: &str = "{unresolved_threads: {at_most: 0}}";
        let open = |count: usize| {
            let thread = |id: usize| Thread { id: id.to_string(), author: user(2) };
            Facts { threads: Some(Known::Value((0..count).map(thread).collect())), ..facts() }
        };
        assert_eq!(needs(NONE, &facts()), [FactKey::Threads]);
        assert_eq!(truth(NONE, &open(0)), Truth::True);
        assert_eq!(truth(NONE, &open(3)), Truth::Waiting);
        assert_eq!(truth("{unresolved_threads: {at_most: 3}}", &open(3)), Truth::True);
        assert_eq!(remedies(NONE, &open(3)), [Remedy::ResolveThreads { count: 3 }]);
        let hidden = Facts { threads: Some(unknown(true)), ..facts() };
        assert_eq!(truth(NONE, &hidden), Truth::Unknown { curable: true });
        assert_eq!(reason(NONE, &hidden).sentence, "not known: GitLab did not answer");
    }
}
