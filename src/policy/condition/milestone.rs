//! `milestone`: whether one is set, and which.
//!
//! Waiting when it is not as required: anybody who triages sets it, no push is needed.

use super::kind::{Kind, Test, test};
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::Family;
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::Names;
use crate::policy::view::View;
use crate::schema::{Key, Shape};

/// Which milestone is set.
pub(super) const MILESTONE: Kind = Kind {
    key: Key::new(
        "milestone",
        Shape::OneOf(SHAPES),
        "Whether one is set (`true`, `false`), or its title; `*` is any characters, a quoted leading `!` excludes.",
    ),
    build: |node, _| test(Milestone::build(node)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

/// A scalar is read as the first of them, which any fits; `true` and `false` without quotes are told apart afterwards.
const SHAPES: &[Shape] = &[Shape::Text, Shape::Flag, Shape::List(&Shape::Text)];

/// What the milestone must be.
#[derive(Debug, Clone)]
enum Milestone {
    Set(bool),
    Named(Names),
}

impl Milestone {
    fn build(node: &Node) -> Option<Self> {
        if let Some(set) = node.flag() {
            return Some(Self::Set(set));
        }
        let words = node.all_words();
        (!words.is_empty()).then(|| Self::Named(Names::new(words.iter().map(|words| words.text))))
    }

    /// Without a milestone there is no name that could fit, not even in a list that only excludes.
    fn fits(&self, title: Option<&str>) -> bool {
        match self {
            Self::Set(set) => title.is_some() == *set,
            Self::Named(names) => title.is_some_and(|title| names.matches(title)),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Set(true) => "one".to_owned(),
            Self::Set(false) => "none".to_owned(),
            Self::Named(names) => names.describe(),
        }
    }
}

impl Test for Milestone {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let title = view.facts.merge_request.milestone.as_deref();
        let fits = self.fits(title);
        let there =
            title.map_or("no milestone is set".to_owned(), |title| format!("the milestone is `{title}`"));
        let sentence = if fits { there } else { format!("{there}; required: {}", self.describe()) };
        let to = if wanted { self.describe() } else { format!("anything but: {}", self.describe()) };
        let truth = if fits { Truth::True } else { Truth::Waiting };
        Ok(Finding::new("milestone", truth, sentence).mended_by(wanted, [Remedy::SetMilestone { to }]))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, mistakes, reason, remedies, truth};

    fn of(title: Option<&str>, milestone: &str) -> Truth {
        let mut facts = facts();
        facts.merge_request.milestone = title.map(str::to_owned);
        truth(&format!("{{milestone: {milestone}}}"), &facts)
    }

    #[test]
    fn a_milestone_is_set_or_has_a_name() {
        assert_eq!((of(Some("v1"), "true"), of(None, "true")), (Truth::True, Truth::Waiting));
        assert_eq!((of(Some("v1"), "false"), of(None, "false")), (Truth::Waiting, Truth::True));
        assert_eq!(of(Some("v1.2"), "[v2, \"v1*\"]"), Truth::True);
        assert_eq!(of(Some("v1.2"), "[\"!v1.2\", \"v1*\"]"), Truth::Waiting);
        assert_eq!(of(Some("true"), "\"true\""), Truth::True, "in quotes it is a name");
    }

    #[test]
    fn no_milestone_has_no_name() {
        for names in ["v1", "\"*\"", "\"!backlog\"", "\"true\""] {
            assert_eq!(of(None, names), Truth::Waiting, "{names}");
        }
    }

    #[test]
    fn it_says_what_is_there_and_what_would_fit() {
        assert_eq!(reason("{milestone: \"v1*\"}", &facts()).sentence, "no milestone is set; required: `v1*`");
        let to = |to: &str| [Remedy::SetMilestone { to: to.to_owned() }];
        assert_eq!(remedies("{milestone: \"v1*\"}", &facts()), to("`v1*`"));
        assert_eq!(remedies("{not: {milestone: false}}", &facts()), to("anything but: none"));
        assert!(
            mistakes("policy: p\nrules: [{id: r, require: {milestone: {title: v1}}}]\n").contains("must be")
        );
    }
}
