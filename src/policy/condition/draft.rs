//! `draft`: whether the merge request is marked as draft.
//!
//! Waiting when it is not as required: a draft says of itself that it is not finished, and nothing is wrong with
//! that; the mark goes away without a change of the code.

use super::kind::{Kind, Test, test};
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::Family;
use crate::policy::finding::{Finding, Stop};
use crate::policy::view::View;
use crate::schema::{Key, Shape};

/// Whether it is a draft.
pub(super) const DRAFT: Kind = Kind {
    key: Key::new("draft", Shape::Flag, "Whether the merge request is marked as draft."),
    build: |node, _| test(node.flag().map(Draft)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

/// What the mark must be.
#[derive(Debug, Clone, Copy)]
struct Draft(bool);

impl Test for Draft {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let request = &view.facts.merge_request;
        let truth = if request.draft == self.0 { Truth::True } else { Truth::Waiting };
        let sentence = if request.draft { "it is marked as draft" } else { "it is not marked as draft" };
        let remedy = Remedy::SetDraft { draft: self.0 == wanted };
        Ok(Finding::new("draft", truth, sentence).mended_by(wanted, [remedy]))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, remedies, truth};

    #[test]
    fn a_draft_waits_until_the_mark_is_gone() {
        let mut facts = facts();
        assert_eq!(truth("{draft: false}", &facts), Truth::True);
        facts.merge_request.draft = true;
        assert_eq!(truth("{draft: false}", &facts), Truth::Waiting);
        for require in ["{draft: false}", "{not: {draft: true}}"] {
            assert_eq!(remedies(require, &facts), [Remedy::SetDraft { draft: false }], "{require}");
        }
    }
}
