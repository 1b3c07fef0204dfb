//! `unresolved_threads`: how many threads are not resolved, perhaps of those that certain people opened.
//!
//! Waiting when out of bounds: whoever takes part in a thread can resolve it, no push is needed.

use std::collections::BTreeSet;

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::membership::Membership;
use super::people::People;
use super::vocabulary::{AT_LEAST, AT_MOST, PEOPLE};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, Thread, Unknown};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// How many threads are open.
pub(super) const UNRESOLVED_THREADS: Kind = Kind {
    key: Key::new("unresolved_threads", Shape::Mapping(&TABLE), "How many threads are not resolved."),
    build: |node, builder| test(UnresolvedThreads::build(node, builder)),
    reads: &[Family::Threads, Family::People],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "unresolved_threads",
    doc: "How many threads are not resolved.",
    hint: Some("write `unresolved_threads: {at_most: 0}`"),
    keys: &[
        AT_LEAST,
        AT_MOST,
        Key::new("opened_by", Shape::Mapping(&PEOPLE), "Only threads that one of these people opened count."),
    ],
};

/// How many threads may be open, and whose count.
#[derive(Debug, Clone)]
struct UnresolvedThreads {
    bounds: Bounds,
    opened_by: Option<People>,
}

impl UnresolvedThreads {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Bounds::require(node, builder);
        // People that can't be read must not become everybody.
        let opened_by = match node.get("opened_by") {
            Some(people) => Some(People::build(people, builder)?),
            None => None,
        };
        Some(Self { bounds: bounds?, opened_by })
    }

    /// How many threads count; those of which that can't be told yet are within the count, and why not stands beside it.
    fn count(&self, threads: &[Thread], view: &View<'_>) -> (Count, Option<Stop>) {
        let Some(people) = &self.opened_by else { return (Count::exactly(threads.len() as u64), None) };
        let (mut certain, mut open, mut needs) = (0, 0, BTreeSet::new());
        let mut unknown: Option<Unknown> = None;
        for thread in threads {
            match people.includes(&thread.author, view) {
                Ok(Membership::Yes(_)) => certain += 1,
                Ok(Membership::No) => {}
                Err(Stop::Needs(keys)) => {
                    open += 1;
                    needs.extend(keys);
                }
                Err(Stop::Unknown(found)) => {
                    open += 1;
                    // What no retry can cure is what stays in the way.
                    if unknown.as_ref().is_none_or(|known| known.curable) {
                        unknown = Some(found);
                    }
                }
            }
        }
        let stop = if needs.is_empty() { unknown.map(Stop::Unknown) } else { Some(Stop::Needs(needs)) };
        (Count { low: certain, high: Some(certain + open) }, stop)
    }

    fn describe(&self, count: Count) -> String {
        let of = match &self.opened_by {
            Some(people) => format!(" of {}", people.describe().join(" or ")),
            None => String::new(),
        };
        match (count.low, count.high) {
            (0, Some(0)) => format!("no thread{of} is unresolved"),
            (1, Some(1)) => format!("1 thread{of} is not resolved"),
            (low, Some(high)) if low < high => format!("{low} to {high} threads{of} are not resolved"),
            (many, _) => format!("{many} threads{of} are not resolved"),
        }
    }
}

impl Test for UnresolvedThreads {
    fn leaves_out(&self) -> Vec<Family> {
        if self.opened_by.is_some() { Vec::new() } else { vec![Family::People] }
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let threads = known(view.facts.threads.as_ref(), FactKey::Threads)?;
        let (count, stop) = self.count(threads, view);
        let truth = match (self.bounds.hold(count), stop) {
            (Some(true), _) => Truth::True,
            (None, Some(stop)) => return Err(stop),
            (Some(false), _) | (None, None) => Truth::Waiting,
        };
        let surplus = self.bounds.at_most.filter(|_| wanted).map_or(0, |most| count.low.saturating_sub(most));
        let resolve = u32::try_from(surplus)
            .ok()
            .filter(|count| *count > 0)
            .map(|count| Remedy::ResolveThreads { count });
        Ok(Finding::new("unresolved_threads", truth, self.describe(count)).mended_by(wanted, resolve))
    }
}

#[cfg(test)]
mod tests {
    use crate::merge_request::UserId;
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, join_group, needs, reason, remedies, truth, unknown, user};
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

    #[test]
    fn only_threads_of_the_people_named_count() {
        const LEADS: &str = "{unresolved_threads: {at_most: 0, opened_by: {users: [ana], groups: [leads]}}}";
        let of = |authors: &[u64]| {
            let thread = |id: &u64| Thread { id: id.to_string(), author: user(*id) };
            Facts { threads: Some(Known::Value(authors.iter().map(thread).collect())), ..facts() }
        };
        assert_eq!(truth(LEADS, &of(&[])), Truth::True, "and no membership is asked for");
        assert_eq!(truth(LEADS, &of(&[2, 3])), Truth::Waiting, "nor if the name alone settles it");
        let member = |id| FactKey::GroupMember("leads".to_owned(), UserId::new(id));
        let group = FactKey::Group("leads".to_owned());
        assert_eq!(needs(LEADS, &of(&[3, 4, 3])), [group, member(3), member(4)]);
        let mut bob = of(&[3, 3]);
        join_group(&mut bob, "leads", 3, None);
        assert_eq!(truth(LEADS, &bob), Truth::True);
        join_group(&mut bob, "leads", 3, Some(30));
        assert_eq!(truth(LEADS, &bob), Truth::Waiting);
        assert_eq!(remedies(LEADS, &bob), [Remedy::ResolveThreads { count: 2 }]);
        bob.groups.insert("leads".to_owned(), unknown(false));
        bob.group_members.clear();
        assert_eq!(truth(LEADS, &bob), Truth::Unknown { curable: false });
        let many = LEADS.replace("at_most: 0", "at_most: 2");
        assert_eq!(truth(&many, &bob), Truth::True, "there are no more than two anyway");
    }
}
