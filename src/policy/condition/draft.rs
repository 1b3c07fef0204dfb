//! `draft`: whether the merge request is marked as draft.
//!
//! Waiting when it is not as required: a draft says of itself that it is not finished, and nothing is wrong with
//! that; the mark goes away without a change of the code.

use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::MergeRequestFacts;
use crate::policy::finding::Finding;

/// What the mark must be.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Draft(bool);

impl Draft {
    pub(super) fn build(node: &Node) -> Option<Self> {
        node.flag().map(Self)
    }

    pub(super) fn evaluate(self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let truth = if request.draft == self.0 { Truth::True } else { Truth::Waiting };
        let sentence = if request.draft { "it is marked as draft" } else { "it is not marked as draft" };
        let remedy = Remedy::SetDraft { draft: self.0 == wanted };
        Finding::new("draft", truth, sentence).mended_by(wanted, [remedy])
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
