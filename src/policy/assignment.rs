//! Who stands for which demand, when nobody may stand for two: the assignment problem.
//!
//! Demands are served in their order, and one that is served once is never given up for a later one: people are moved to
//! other demands that they can serve as well, along augmenting paths. So the number of people for each demand depends on
//! the order of the demands alone, the first ones get as many as they can have at all, and all together get as many as
//! any assignment could give.

use std::collections::{BTreeMap, BTreeSet};

/// How many people are needed, and who can be one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand<P> {
    pub(super) count: usize,
    pub(super) people: BTreeSet<P>,
}

/// Whom each demand gets.
pub(super) fn assign<P: Ord + Copy>(demands: &[Demand<P>]) -> Vec<BTreeSet<P>> {
    let mut owners: BTreeMap<P, usize> = BTreeMap::new();
    for (index, demand) in demands.iter().enumerate() {
        for _ in 0..demand.count.min(demand.people.len()) {
            if !augment(demands, index, &mut owners, &mut BTreeSet::new()) {
                break;
            }
        }
    }
    let mut served = vec![BTreeSet::new(); demands.len()];
    for (person, owner) in owners {
        if let Some(people) = served.get_mut(owner) {
            people.insert(person);
        }
    }
    served
}

/// How many people all demands can get together.
pub(super) fn rank<P: Ord + Copy>(demands: &[Demand<P>]) -> usize {
    assign(demands).iter().map(BTreeSet::len).sum()
}

/// Finds one more person for a demand, perhaps by moving others along.
fn augment<P: Ord + Copy>(
    demands: &[Demand<P>],
    index: usize,
    owners: &mut BTreeMap<P, usize>,
    tried: &mut BTreeSet<P>,
) -> bool {
    let Some(demand) = demands.get(index) else { return false };
    for person in &demand.people {
        if owners.get(person) == Some(&index) || !tried.insert(*person) {
            continue;
        }
        let free = match owners.get(person).copied() {
            None => true,
            // The other demand lets the person go only for somebody else in return.
            Some(other) => augment(demands, other, owners, tried),
        };
        if free {
            owners.insert(*person, index);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn demand(count: usize, people: &[u8]) -> Demand<u8> {
        Demand { count, people: people.iter().copied().collect() }
    }

    fn sizes(demands: &[Demand<u8>]) -> Vec<usize> {
        assign(demands).iter().map(BTreeSet::len).collect()
    }

    #[test]
    fn people_are_moved_so_that_everybody_is_served() {
        assert_eq!(sizes(&[demand(1, &[1, 2]), demand(1, &[1])]), [1, 1]);
        assert_eq!(sizes(&[demand(1, &[1, 2]), demand(1, &[1, 3]), demand(1, &[1])]), [1, 1, 1]);
        assert_eq!(sizes(&[demand(2, &[1, 2, 3]), demand(1, &[1])]), [2, 1]);
        assert_eq!(sizes(&[demand(1, &[1]), demand(1, &[1])]), [1, 0], "the first one keeps what it has");
    }

    /// The best that any assignment can do, found by trying all.
    fn best(demands: &[Demand<u8>]) -> usize {
        fn of(people: &[u8], demands: &[Demand<u8>], left: &mut Vec<usize>) -> usize {
            let Some((person, rest)) = people.split_first() else { return 0 };
            let mut best = of(rest, demands, left);
            for (index, demand) in demands.iter().enumerate() {
                if left[index] > 0 && demand.people.contains(person) {
                    left[index] -= 1;
                    best = best.max(1 + of(rest, demands, left));
                    left[index] += 1;
                }
            }
            best
        }
        let everybody: BTreeSet<_> = demands.iter().flat_map(|demand| &demand.people).copied().collect();
        let everybody: Vec<_> = everybody.into_iter().collect();
        of(&everybody, demands, &mut demands.iter().map(|demand| demand.count).collect())
    }

    fn demands() -> impl Strategy<Value = Vec<Demand<u8>>> {
        let people = prop::collection::btree_set(0_u8..6, 0..5);
        prop::collection::vec((0_usize..4, people).prop_map(|(count, people)| Demand { count, people }), 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_assignment_is_better(demands in demands()) {
            let served = assign(&demands);
            let mut seen = BTreeSet::new();
            for (demand, people) in demands.iter().zip(&served) {
                prop_assert!(people.len() <= demand.count && people.is_subset(&demand.people));
                prop_assert!(people.iter().all(|person| seen.insert(*person)), "nobody stands for two");
            }
            prop_assert_eq!(seen.len(), best(&demands));
        }

        #[test]
        fn the_first_demands_get_all_they_can(demands in demands()) {
            let sizes = sizes(&demands);
            for end in 0..=demands.len() {
                prop_assert_eq!(sizes[..end].iter().sum::<usize>(), best(&demands[..end]));
            }
        }

        #[test]
        fn who_people_are_says_nothing(demands in demands(), shift in 1_u8..6) {
            let renamed: Vec<_> = demands
                .iter()
                .map(|demand| Demand {
                    count: demand.count,
                    people: demand.people.iter().map(|person| (person + shift) % 6).collect(),
                })
                .collect();
            prop_assert_eq!(sizes(&demands), sizes(&renamed));
        }
    }
}
