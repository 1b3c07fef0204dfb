//! `squash`, `removes_source_branch`, `conflicts`, `behind_target`: how it would be merged, and whether it can be.
//!
//! The first two are ticks in GitLab and wait when they are not as required: no push is needed. The other two are
//! violated: the author must rebase or merge. Conflicts that GitLab has not looked for yet are unsettled.

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::vocabulary::{AT_LEAST, AT_MOST};
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Distance, FactKey, Family};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Whether the commits will be squashed.
pub(super) const SQUASH: Kind = Kind {
    key: Key::new("squash", Shape::Flag, "Whether its commits will be squashed."),
    build: |node, _| test(node.flag().map(Squash)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

/// Whether the source branch goes.
pub(super) const REMOVES_SOURCE_BRANCH: Kind = Kind {
    key: Key::new("removes_source_branch", Shape::Flag, "Whether the merge deletes the source branch."),
    build: |node, _| test(node.flag().map(RemovesSourceBranch)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

/// Whether it conflicts with its target branch.
pub(super) const CONFLICTS: Kind = Kind {
    key: Key::new("conflicts", Shape::Flag, "Whether it conflicts with its target branch."),
    build: |node, _| test(node.flag().map(Conflicts)),
    reads: &[Family::MergeRequest, Family::Conflicts],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// How far it is behind its target branch.
pub(super) const BEHIND_TARGET: Kind = Kind {
    key: Key::new(
        "behind_target",
        Shape::Mapping(&TABLE),
        "How many commits of the target branch the head does not have.",
    ),
    build: |node, builder| test(Bounds::require(node, builder).map(BehindTarget)),
    reads: &[Family::Behind],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "behind_target",
    doc: "How many commits of the target branch the head does not have.",
    hint: Some("write `behind_target: {at_most: 0}`"),
    keys: &[AT_LEAST, AT_MOST],
};

/// What the tick must be.
#[derive(Debug, Clone, Copy)]
struct Squash(bool);

impl Test for Squash {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let is_set = view.facts.merge_request.squash;
        let truth = if is_set == self.0 { Truth::True } else { Truth::Waiting };
        let sentence =
            if is_set { "its commits will be squashed" } else { "its commits will not be squashed" };
        let remedy = Remedy::SetSquash { squash: self.0 == wanted };
        Ok(Finding::new("squash", truth, sentence).mended_by(wanted, [remedy]))
    }
}

/// What the tick must be.
#[derive(Debug, Clone, Copy)]
struct RemovesSourceBranch(bool);

impl Test for RemovesSourceBranch {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let is_set = view.facts.merge_request.removes_source_branch;
        let truth = if is_set == self.0 { Truth::True } else { Truth::Waiting };
        let sentence =
            if is_set { "the merge deletes the source branch" } else { "the merge keeps the source branch" };
        let remedy = Remedy::SetSourceBranchRemoval { removes: self.0 == wanted };
        Ok(Finding::new("removes_source_branch", truth, sentence).mended_by(wanted, [remedy]))
    }
}

/// Whether there must be conflicts.
#[derive(Debug, Clone, Copy)]
struct Conflicts(bool);

impl Test for Conflicts {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let (truth, sentence) = match view.facts.merge_request.has_conflicts {
            None => {
                (Truth::Unsettled, "GitLab has not found out yet whether it conflicts with its target branch")
            }
            Some(true) => (self.truth(true), "it conflicts with its target branch"),
            Some(false) => (self.truth(false), "it does not conflict with its target branch"),
        };
        let has_some = view.facts.merge_request.has_conflicts == Some(true);
        let remedy = (has_some && self.0 != wanted).then_some(Remedy::ResolveConflicts);
        Ok(Finding::new("conflicts", truth, sentence).mended_by(wanted, remedy))
    }
}

impl Conflicts {
    fn truth(self, has_conflicts: bool) -> Truth {
        if has_conflicts == self.0 { Truth::True } else { Truth::Violated }
    }
}

/// How far behind it may be.
#[derive(Debug, Clone, Copy)]
struct BehindTarget(Bounds);

impl Test for BehindTarget {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let Distance { commits: behind, all } = *known(view.facts.behind.as_ref(), FactKey::Behind)?;
        let count = Count { low: behind, high: all.then_some(behind) };
        let target = &view.facts.merge_request.target_branch;
        let sentence = match behind {
            0 => format!("the head has all commits of `{target}`"),
            1 => format!("the head lacks 1 commit of `{target}`"),
            _ => format!("the head lacks {} commits of `{target}`", count.describe()),
        };
        let truth = match self.0.hold(count) {
            Some(true) => Truth::True,
            Some(false) => Truth::Violated,
            None => Truth::Unknown { curable: false },
        };
        let sentence = match truth {
            Truth::True => sentence,
            _ => format!("{sentence}; required: {}", self.0.describe()),
        };
        let most =
            if wanted { self.0.at_most } else { self.0.at_least.and_then(|least| least.checked_sub(1)) };
        // Nobody can be asked to fall behind.
        let rebase = most
            .filter(|most| behind > *most)
            .map(|most| Remedy::Rebase { to: format!("at most {most} behind") });
        Ok(Finding::new("behind_target", truth, sentence).mended_by(wanted, rebase))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, mistakes, needs, reason, remedies, truth, unknown};
    use crate::policy::fact::{Distance, FactKey, Facts, Known};

    #[test]
    fn ticks_wait_for_whoever_may_set_them() {
        let facts = facts();
        assert_eq!(truth("{squash: false, removes_source_branch: true}", &facts), Truth::True);
        assert_eq!(truth("{squash: true}", &facts), Truth::Waiting);
        assert_eq!(truth("{removes_source_branch: false}", &facts), Truth::Waiting);
        assert_eq!(remedies("{squash: true}", &facts), [Remedy::SetSquash { squash: true }]);
        assert_eq!(remedies("{not: {squash: false}}", &facts), [Remedy::SetSquash { squash: true }]);
        assert_eq!(
            remedies("{removes_source_branch: false}", &facts),
            [Remedy::SetSourceBranchRemoval { removes: false }]
        );
    }

    #[test]
    fn conflicts_are_open_until_gitlab_has_looked_for_them() {
        let mut facts = facts();
        assert_eq!(truth("{conflicts: false}", &facts), Truth::True);
        facts.merge_request.has_conflicts = Some(true);
        assert_eq!(truth("{conflicts: false}", &facts), Truth::Violated);
        assert_eq!(remedies("{conflicts: false}", &facts), [Remedy::ResolveConflicts]);
        assert_eq!(remedies("{not: {conflicts: true}}", &facts), [Remedy::ResolveConflicts]);
        facts.merge_request.has_conflicts = None;
        for require in ["{conflicts: false}", "{conflicts: true}", "{not: {conflicts: true}}"] {
            assert_eq!(truth(require, &facts), Truth::Unsettled, "{require}");
        }
    }

    #[test]
    fn what_is_too_far_behind_must_be_rebased() {
        const LEVEL: &str = "{behind_target: {at_most: 0}}";
        let counted =
            |commits, all| Facts { behind: Some(Known::Value(Distance { commits, all })), ..facts() };
        let behind = |commits| counted(commits, true);
        assert_eq!(needs(LEVEL, &facts()), [FactKey::Behind]);
        assert_eq!(truth(LEVEL, &behind(0)), Truth::True);
        assert_eq!(truth(LEVEL, &behind(1)), Truth::Violated);
        assert_eq!(truth("{behind_target: {at_least: 2, at_most: 5}}", &behind(3)), Truth::True);
        assert_eq!(
            reason(LEVEL, &behind(2)).sentence,
            "the head lacks 2 commits of `main`; required: at most 0"
        );
        let rebase = |to: &str| [Remedy::Rebase { to: to.to_owned() }];
        assert_eq!(remedies(LEVEL, &behind(2)), rebase("at most 0 behind"));
        assert_eq!(remedies("{not: {behind_target: {at_least: 2}}}", &behind(2)), rebase("at most 1 behind"));
        assert_eq!(remedies("{behind_target: {at_least: 2}}", &behind(0)), []);
        let far = counted(1_000, false);
        assert_eq!(truth(LEVEL, &far), Truth::Violated);
        assert_eq!(
            reason(LEVEL, &far).sentence,
            "the head lacks 1000 or more commits of `main`; required: at most 0"
        );
        assert_eq!(truth("{behind_target: {at_least: 9}}", &far), Truth::True);
        for open in ["{behind_target: {at_most: 2000}}", "{not: {behind_target: {at_most: 1000}}}"] {
            assert_eq!(truth(open, &far), Truth::Unknown { curable: false }, "{open}");
        }
        let hidden = Facts { behind: Some(unknown(true)), ..facts() };
        assert_eq!(truth(LEVEL, &hidden), Truth::Unknown { curable: true });
        assert!(
            mistakes("policy: p\nrules: [{id: r, require: {behind_target: {}}}]\n").contains("behind_target")
        );
    }
}
