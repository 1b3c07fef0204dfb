//! `labels`: which labels are there.
//!
//! Waiting when they are not as required: anybody who triages can set and take away a label, no push is needed.

use std::collections::BTreeSet;

use super::kind::{Kind, Test, test};
use super::vocabulary::TEXTS;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Family, MergeRequestFacts};
use crate::policy::finding::{Finding, Stop};
use crate::policy::pattern::Wildcard;
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Which labels are there.
pub(super) const LABELS: Kind = Kind {
    key: Key::new("labels", Shape::Mapping(&TABLE), "Which labels are there; `*` stands for any characters."),
    build: |node, _| test(Labels::build(node)),
    reads: &[Family::MergeRequest],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "labels",
    doc: "Which labels are there; `*` stands for any characters.",
    hint: Some(
        "write `labels: {all: […]}` if every one must be there, or `labels: {any: […]}` if one is enough",
    ),
    keys: &[
        Key::new("all", TEXTS, "Each of these is there."),
        Key::new("any", TEXTS, "At least one of these is there."),
        Key::new("none", TEXTS, "None of these is there."),
    ],
};

/// Which labels must and must not be there.
#[derive(Debug, Clone)]
struct Labels {
    all: Vec<Wildcard>,
    any: Vec<Wildcard>,
    none: Vec<Wildcard>,
}

impl Labels {
    fn build(node: &Node) -> Option<Self> {
        let wildcards = |key| {
            let node: Option<&Node> = node.get(key);
            node.map(Node::all_words)
                .unwrap_or_default()
                .iter()
                .map(|words| Wildcard::new(words.text))
                .collect()
        };
        let labels = Self { all: wildcards("all"), any: wildcards("any"), none: wildcards("none") };
        let says_something = !(labels.all.is_empty() && labels.any.is_empty() && labels.none.is_empty());
        says_something.then_some(labels)
    }

    fn judge(&self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let there = |wildcard: &&Wildcard| request.labels.iter().any(|label| wildcard.matches(label));
        let missing: Vec<_> = self.all.iter().filter(|wildcard| !there(wildcard)).collect();
        let no_alternative = !self.any.is_empty() && !self.any.iter().any(|wildcard| there(&wildcard));
        let unwanted = matching(&request.labels, &self.none);

        let mut faults: Vec<_> =
            missing.iter().map(|label| format!("the label `{}` is missing", label.as_str())).collect();
        if no_alternative {
            faults.push(format!("none of the labels {} is there", names(&self.any)));
        }
        faults.extend(unwanted.iter().map(|label| format!("the label `{label}` must not be there")));
        let mut remedies: Vec<_> = missing
            .iter()
            .map(|label| Remedy::AddLabel { any_of: vec![label.as_str().to_owned()] })
            .collect();
        if no_alternative {
            remedies.push(Remedy::AddLabel {
                any_of: self.any.iter().map(|label| label.as_str().to_owned()).collect(),
            });
        }
        remedies.extend(unwanted.iter().map(|label| Remedy::RemoveLabel { label: (*label).clone() }));

        if faults.is_empty() {
            return Finding::new("labels", Truth::True, self.held(request))
                .mended_by(wanted, self.undo(request));
        }
        Finding::new("labels", Truth::Waiting, faults.join(", ")).mended_by(wanted, remedies)
    }

    fn held(&self, request: &MergeRequestFacts) -> String {
        let mut there = matching(&request.labels, &self.all);
        there.extend(matching(&request.labels, &self.any));
        let there: BTreeSet<_> = there.into_iter().map(|label| format!("`{label}`")).collect();
        let there: Vec<_> = there.into_iter().collect();
        match (there.is_empty(), self.none.is_empty()) {
            (true, _) => format!("no label like {} is there", names(&self.none)),
            (false, true) => format!("the labels include {}", there.join(", ")),
            (false, false) => {
                format!("the labels include {} and none like {}", there.join(", "), names(&self.none))
            }
        }
    }

    /// How to make it false: without the labels it asks for, or with one it forbids.
    fn undo(&self, request: &MergeRequestFacts) -> Vec<Remedy> {
        let mut there = matching(&request.labels, &self.all);
        there.extend(matching(&request.labels, &self.any));
        if there.is_empty() {
            return vec![Remedy::AddLabel {
                any_of: self.none.iter().map(|label| label.as_str().to_owned()).collect(),
            }];
        }
        there.into_iter().map(|label| Remedy::RemoveLabel { label: label.clone() }).collect()
    }
}

impl Test for Labels {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        Ok(self.judge(&view.facts.merge_request, wanted))
    }
}

fn matching<'a>(labels: &'a BTreeSet<String>, wildcards: &[Wildcard]) -> Vec<&'a String> {
    labels.iter().filter(|label| wildcards.iter().any(|wildcard| wildcard.matches(label))).collect()
}

fn names(wildcards: &[Wildcard]) -> String {
    wildcards.iter().map(|wildcard| format!("`{}`", wildcard.as_str())).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, mistakes, reason, remedies, truth};

    #[test]
    fn labels_are_met_by_globs_and_wait_otherwise() {
        let facts = facts();
        assert_eq!(truth("{labels: {any: [\"type::*\", bug]}}", &facts), Truth::True);
        assert_eq!(truth("{labels: {all: [\"type::*\", bug]}}", &facts), Truth::Waiting);
        assert_eq!(truth("{labels: {none: [bug]}}", &facts), Truth::True);
        assert_eq!(truth("{labels: {none: [\"type::*\"]}}", &facts), Truth::Waiting);
        assert_eq!(truth("{labels: {any: \"type::*\", none: [bug]}}", &facts), Truth::True);
        let missing = reason("{labels: {all: [bug], any: [a, b]}}", &facts).sentence;
        assert_eq!(missing, "the label `bug` is missing, none of the labels `a` or `b` is there");
    }

    #[test]
    fn remedies_lead_to_what_is_wanted_also_below_not() {
        let facts = facts();
        let label = "type::feature".to_owned();
        assert_eq!(
            remedies("{labels: {any: [a, b]}}", &facts),
            [Remedy::AddLabel { any_of: vec!["a".to_owned(), "b".to_owned()] }]
        );
        assert_eq!(
            remedies("{labels: {none: [\"type::*\"]}}", &facts),
            [Remedy::RemoveLabel { label: label.clone() }]
        );
        assert_eq!(
            remedies("{not: {labels: {any: [\"type::*\"]}}}", &facts),
            [Remedy::RemoveLabel { label }]
        );
    }

    #[test]
    fn a_bare_list_is_refused_with_both_spellings() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require:\n      labels: [bug]\n"), @r#"
        p.yaml:5:15: error: `labels` must be a mapping, not a list
          help: write `labels: {all: […]}` if every one must be there, or `labels: {any: […]}` if one is enough
        "#);
    }
}
