//! `from_fork` and `first_contribution`: where a merge request comes from.
//!
//! Violated when they do not fit: the author must open another one.

use super::kind::{Kind, Test, test};
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Family, Unknown};
use crate::policy::finding::{Finding, Stop};
use crate::policy::view::View;
use crate::schema::{Key, Shape};

/// Whether the source branch lies in another project.
pub(super) const FROM_FORK: Kind = Kind {
    key: Key::new("from_fork", Shape::Flag, "Whether the source branch lies in a fork."),
    build: |node, _| test(node.flag().map(FromFork)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// Whether it is the author's first one.
pub(super) const FIRST_CONTRIBUTION: Kind = Kind {
    key: Key::new(
        "first_contribution",
        Shape::Flag,
        "Whether GitLab calls it the author's first contribution to the project.",
    ),
    build: |node, _| test(node.flag().map(FirstContribution)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Violated],
    settled_by_commit: false,
};

/// Whether it must come from a fork.
#[derive(Debug, Clone, Copy)]
struct FromFork(bool);

impl Test for FromFork {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let request = &view.facts.merge_request;
        // Only a fork can be deleted and leave a merge request behind.
        let is_fork = request.source_project != Some(request.merge_request.project);
        let sentence = match request.source_project {
            None => "it comes from a fork that was deleted",
            Some(_) if is_fork => "it comes from a fork",
            Some(_) => "it comes from a branch of the project itself",
        };
        let truth = if is_fork == self.0 { Truth::True } else { Truth::Violated };
        let remedy = Remedy::ChangeSourceProject { fork: self.0 == wanted };
        Ok(Finding::new("from_fork", truth, sentence).mended_by(wanted, [remedy]))
    }
}

/// Whether it must be the first.
#[derive(Debug, Clone, Copy)]
struct FirstContribution(bool);

impl Test for FirstContribution {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let request = &view.facts.merge_request;
        let Some(is_first) = request.first_contribution else {
            let why = "this GitLab does not say whether it is its author's first contribution".to_owned();
            return Err(Stop::Unknown(Unknown { why, curable: false }));
        };
        let author = &request.author.username;
        let sentence = if is_first {
            format!("it is the first contribution of @{author}")
        } else {
            format!("it is not the first contribution of @{author}")
        };
        let truth = if is_first == self.0 { Truth::True } else { Truth::Violated };
        let to = if self.0 == wanted {
            "somebody who has not contributed yet"
        } else {
            "somebody who has contributed before"
        };
        let remedy = Remedy::ChangeAuthor { to: to.to_owned() };
        Ok(Finding::new("first_contribution", truth, sentence).mended_by(wanted, [remedy]))
    }
}

#[cfg(test)]
mod tests {
    use crate::merge_request::ProjectId;
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, reason, remedies, truth};

    #[test]
    fn a_deleted_fork_is_one() {
        let mut facts = facts();
        assert_eq!(truth("{from_fork: false}", &facts), Truth::True);
        assert_eq!(remedies("{from_fork: true}", &facts), [Remedy::ChangeSourceProject { fork: true }]);
        for source in [Some(ProjectId::new(8)), None] {
            facts.merge_request.source_project = source;
            assert_eq!(truth("{from_fork: true}", &facts), Truth::True);
            assert_eq!(truth("{from_fork: false}", &facts), Truth::Violated);
        }
        assert_eq!(
            remedies("{not: {from_fork: true}}", &facts),
            [Remedy::ChangeSourceProject { fork: false }]
        );
    }

    #[test]
    fn a_first_contribution_that_gitlab_does_not_tell_is_neither() {
        let mut facts = facts();
        assert_eq!(truth("{first_contribution: false}", &facts), Truth::True);
        let told = reason("{first_contribution: true}", &facts);
        assert_eq!(
            (told.truth, told.sentence.as_str()),
            (Truth::Violated, "it is not the first contribution of @author")
        );
        facts.merge_request.first_contribution = None;
        for require in
            ["{first_contribution: true}", "{first_contribution: false}", "{not: {first_contribution: true}}"]
        {
            assert_eq!(truth(require, &facts), Truth::Unknown { curable: false }, "{require}");
        }
    }
}
