//! Who waits for a call: each project has its turn, however many calls one of them waits for.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::merge_request::ProjectId;

/// On whose behalf a call is made; what concerns no project is one more of them.
pub(super) type Share = Option<ProjectId>;

/// A queue for each share, served in turn.
#[derive(Debug)]
pub(super) struct Turns<T> {
    waiting: BTreeMap<Share, VecDeque<T>>,
    served_last: Share,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), served_last: None }
    }
}

impl<T> Turns<T> {
    /// Lets somebody wait.
    pub(super) fn push(&mut self, share: Share, who: T) {
        self.waiting.entry(share).or_default().push_back(who);
    }

    /// Lets those of a share go who wait no more.
    pub(super) fn retain(&mut self, share: Share, waits: impl FnMut(&T) -> bool) {
        let Some(queue) = self.waiting.get_mut(&share) else { return };
        queue.retain(waits);
        if queue.is_empty() {
            self.waiting.remove(&share);
        }
    }

    /// Whose turn it is: the first of the share after the one that was served last.
    pub(super) fn pop(&mut self) -> Option<T> {
        let after = (Bound::Excluded(self.served_last), Bound::Unbounded);
        let share = *self.waiting.range(after).next().or_else(|| self.waiting.first_key_value())?.0;
        let queue = self.waiting.get_mut(&share)?;
        let who = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&share);
        }
        self.served_last = share;
        who
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_project_gets_one_turn_like_any_other() {
        let mut turns = Turns::default();
        let of = |project| Some(ProjectId::new(project));
        for call in 0..5 {
            turns.push(of(7), format!("busy {call}"));
        }
        turns.push(of(9), "small".to_owned());
        turns.push(None, "nobody's".to_owned());
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, ["busy 0", "small", "nobody's", "busy 1", "busy 2", "busy 3", "busy 4"]);
    }
}
