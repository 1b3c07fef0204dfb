//! `source_branch` and `target_branch`: names with GitLab's own wildcards.
//!
//! Violated when they do not fit: only the author can choose other branches.

use super::kind::{Kind, Test, test};
use super::vocabulary::TEXTS;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Family, MergeRequestFacts};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::Names;
use crate::policy::view::View;
use crate::schema::Key;

/// The branch that would be merged.
pub(super) const SOURCE_BRANCH: Kind = Kind {
    key: Key::new(
        "source_branch",
        TEXTS,
        "The branch that would be merged; `*` crosses `/`, a quoted leading `!` excludes.",
    ),
    build: |node, _| test(Branch::build(node).map(Source)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Violated],
    settled_by_commit: true,
};

/// The branch it would be merged into.
pub(super) const TARGET_BRANCH: Kind = Kind {
    key: Key::new(
        "target_branch",
        TEXTS,
        "The branch it would be merged into; `*` crosses `/`, a quoted leading `!` excludes.",
    ),
    build: |node, _| test(Branch::build(node).map(Target)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// Which branches fit.
#[derive(Debug, Clone)]
struct Branch(Names);

impl Branch {
    fn build(node: &Node) -> Option<Self> {
        let words = node.all_words();
        (!words.is_empty()).then(|| Self(Names::new(words.iter().map(|words| words.text))))
    }

    fn of_source(&self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let remedy = Remedy::ChangeSourceBranch { to: self.wish(wanted) };
        self.judge("source", &request.source_branch).mended_by(wanted, [remedy])
    }

    fn of_target(&self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let remedy = Remedy::ChangeTargetBranch { to: self.wish(wanted) };
        self.judge("target", &request.target_branch).mended_by(wanted, [remedy])
    }

    fn judge(&self, which: &str, branch: &str) -> Finding {
        let condition = format!("{which}_branch");
        let names = self.0.describe();
        if self.0.matches(branch) {
            Finding::new(&condition, Truth::True, format!("the {which} branch `{branch}` is one of {names}"))
        } else {
            Finding::new(
                &condition,
                Truth::Violated,
                format!("the {which} branch `{branch}` is not one of {names}"),
            )
        }
    }

    fn wish(&self, wanted: bool) -> String {
        let names = self.0.describe();
        if wanted { names } else { format!("none of {names}") }
    }
}

#[derive(Debug, Clone)]
struct Source(Branch);

impl Test for Source {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        Ok(self.0.of_source(&view.facts.merge_request, wanted))
    }
}

#[derive(Debug, Clone)]
struct Target(Branch);

impl Test for Target {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        Ok(self.0.of_target(&view.facts.merge_request, wanted))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, reason, remedies, truth};

    #[test]
    fn branches_follow_gitlabs_wildcards() {
        let mut facts = facts();
        facts.merge_request.target_branch = "release/1.2/hot".to_owned();
        assert_eq!(truth("{target_branch: [main, \"release/*\"]}", &facts), Truth::True);
        assert_eq!(truth("{target_branch: [\"!release/1*\", \"release/*\"]}", &facts), Truth::Violated);
        assert_eq!(truth("{source_branch: \"*/basket\"}", &facts), Truth::True);
        let sentence = reason("{target_branch: main}", &facts).sentence;
        assert_eq!(sentence, "the target branch `release/1.2/hot` is not one of `main`");
        let to = "`main`".to_owned();
        assert_eq!(remedies("{target_branch: main}", &facts), [Remedy::ChangeTargetBranch { to }]);
    }
}
