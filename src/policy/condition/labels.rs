//! `labels`: which labels are there, and who set them.
//!
//! Waiting when they are not as required: anybody who triages can set and take away a label, no push is needed. Who set
//! a label is told by GitLab's events. Where they do not tell it, it is unsettled and never false: what is missing in a
//! list must not make a `not` true. GitLab: an event has the label's present name, and nothing says what it was called then.

use std::collections::BTreeSet;

use super::kind::{Kind, Test, test};
use super::marks::{Marks, matching};
use super::membership::Membership;
use super::people::People;
use super::vocabulary::{PEOPLE, TEXTS};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, LabelEvent, MergeRequestFacts};
use crate::policy::finding::{Finding, Stop, known, open_of_all, open_of_any};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Which labels are there.
pub(super) const LABELS: Kind = Kind {
    key: Key::new("labels", Shape::Mapping(&TABLE), "Which labels are there; `*` stands for any characters."),
    build: |node, builder| test(Labels::build(node, builder)),
    reads: &[Family::MergeRequest, Family::LabelEvents, Family::People],
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
        Key::new("set_by", Shape::Mapping(&PEOPLE), "Who must have set those of `all` and `any`."),
    ],
};

/// Which labels must and must not be there.
#[derive(Debug, Clone)]
struct Labels {
    marks: Marks,
    set_by: Option<People>,
}

impl Labels {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        // A `set_by` that can't be read must not become anybody.
        let set_by = match node.get("set_by") {
            Some(people) => Some(People::build(people, builder)?),
            None => None,
        };
        let labels = Self { marks: Marks::build(node, str::to_owned), set_by };
        if labels.set_by.is_some() && !labels.marks.ask_for_some() {
            let help = "name the labels that must be set by them";
            builder.notes.error(&node.span, "`set_by` says nothing without `all` or `any`", help);
        }
        (!labels.marks.is_empty()).then_some(labels)
    }

    fn judge(&self, request: &MergeRequestFacts, wanted: bool) -> Finding {
        let missing = self.marks.missing(&request.labels);
        let faults = self.marks.faults("label", &request.labels);
        let mut remedies: Vec<_> = missing
            .iter()
            .map(|label| Remedy::AddLabel { any_of: vec![label.as_str().to_owned()] })
            .collect();
        if self.marks.lack_alternative(&request.labels) {
            remedies.push(Remedy::AddLabel {
                any_of: self.marks.any.iter().map(|label| label.as_str().to_owned()).collect(),
            });
        }
        remedies.extend(
            self.marks
                .unwanted(&request.labels)
                .into_iter()
                .map(|label| Remedy::RemoveLabel { label: label.clone() }),
        );

        if faults.is_empty() {
            return Finding::new("labels", Truth::True, self.held(request))
                .mended_by(wanted, self.undo(request));
        }
        Finding::new("labels", Truth::Waiting, faults.join(", ")).mended_by(wanted, remedies)
    }

    fn held(&self, request: &MergeRequestFacts) -> String {
        let mut there = matching(&request.labels, &self.marks.all);
        there.extend(matching(&request.labels, &self.marks.any));
        let there: BTreeSet<_> = there.into_iter().map(|label| format!("`{label}`")).collect();
        let there: Vec<_> = there.into_iter().collect();
        match (there.is_empty(), self.marks.none.is_empty()) {
            (true, _) => format!("no label like {} is there", alternatives(&self.marks.none)),
            (false, true) => format!("the labels include {}", there.join(", ")),
            (false, false) => {
                format!(
                    "the labels include {} and none like {}",
                    there.join(", "),
                    alternatives(&self.marks.none)
                )
            }
        }
    }

    /// How to make it false: without the labels it asks for, or with one it forbids.
    fn undo(&self, request: &MergeRequestFacts) -> Vec<Remedy> {
        let mut there = matching(&request.labels, &self.marks.all);
        there.extend(matching(&request.labels, &self.marks.any));
        if there.is_empty() {
            return vec![Remedy::AddLabel {
                any_of: self.marks.none.iter().map(|label| label.as_str().to_owned()).collect(),
            }];
        }
        there.into_iter().map(|label| Remedy::RemoveLabel { label: label.clone() }).collect()
    }
}

/// Who set a label.
enum Setter {
    /// One of those meant.
    Meant(String),
    /// Proven to be none of them.
    Other(String),
    /// The events do not tell.
    Untold(String),
    /// Not known yet.
    Open(Stop),
}

impl Labels {
    /// The labels of each demand: one of them, set by the right people, is enough.
    fn demands<'a>(&self, labels: &'a BTreeSet<String>) -> Vec<Vec<&'a String>> {
        let all = self.marks.all.iter().map(|wildcard| matching(labels, std::slice::from_ref(wildcard)));
        let any = (!self.marks.any.is_empty()).then(|| matching(labels, &self.marks.any));
        all.chain(any).collect()
    }

    /// Labels that are there as required, and now it matters who set them.
    fn judge_setters(&self, people: &People, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let request = &view.facts.merge_request;
        let events = known(view.facts.label_events.as_ref(), FactKey::LabelEvents)?;
        let (mut meant, mut wrong, mut untold) = (Vec::new(), Vec::new(), Vec::new());
        let (mut open, mut remedies) = (Vec::new(), Vec::new());
        for labels in self.demands(&request.labels) {
            let (mut others, mut silent, mut stops) = (Vec::new(), Vec::new(), Vec::new());
            let mut found = None;
            for label in &labels {
                match setter(label, events, people, view) {
                    Setter::Meant(sentence) => found = Some(sentence),
                    Setter::Other(sentence) => others.push(sentence),
                    Setter::Untold(sentence) => silent.push(sentence),
                    Setter::Open(stop) => stops.push(stop),
                }
            }
            if let Some(sentence) = found {
                meant.push(sentence);
                continue;
            }
            let any_of = labels.into_iter().cloned().collect();
            remedies.push(Remedy::SetLabelAgain { any_of, by: people.describe() });
            if stops.is_empty() && silent.is_empty() {
                wrong.extend(others);
            }
            untold.extend(silent);
            open.extend(open_of_any(stops));
        }
        let required = || format!("required: set by {}", people.describe().join(" or "));
        let (truth, sentence) = match open_of_all(open) {
            _ if !wrong.is_empty() => (Truth::Waiting, format!("{}; {}", wrong.join(", "), required())),
            Some(stop) => return Err(stop),
            None if !untold.is_empty() => {
                (Truth::Unsettled, format!("{}; {}", untold.join(", "), required()))
            }
            None => (Truth::True, meant.join(", ")),
        };
        let remedies = if truth == Truth::True { self.undo(request) } else { remedies };
        Ok(Finding::new("labels", truth, sentence).mended_by(wanted, remedies))
    }
}

/// Who set a label last. An account that is gone can't be one of those meant any more.
fn setter(label: &str, events: &[LabelEvent], people: &People, view: &View<'_>) -> Setter {
    let of_label = events.iter().filter(|event| event.label.as_deref() == Some(label));
    match of_label.max_by_key(|event| event.id) {
        Some(LabelEvent { added: true, user: Some(user), .. }) => match people.includes(user, view) {
            Ok(Membership::Yes(why)) => {
                Setter::Meant(format!("`{label}` was set by @{} ({why})", user.username))
            }
            Ok(Membership::No) => Setter::Other(format!("`{label}` was set by @{}", user.username)),
            Err(stop) => Setter::Open(stop),
        },
        Some(LabelEvent { added: true, user: None, .. }) => {
            Setter::Other(format!("`{label}` was set by an account that is gone"))
        }
        Some(LabelEvent { added: false, .. }) | None => {
            Setter::Untold(format!("GitLab does not tell who set `{label}`"))
        }
    }
}

impl Test for Labels {
    fn leaves_out(&self) -> Vec<Family> {
        if self.set_by.is_some() { Vec::new() } else { vec![Family::LabelEvents, Family::People] }
    }

    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let finding = self.judge(&view.facts.merge_request, wanted);
        match &self.set_by {
            Some(people) if finding.truth() == Truth::True => self.judge_setters(people, view, wanted),
            Some(_) | None => Ok(finding),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::RuleState;
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{
        facts, join_group, mistakes, needs, reason, remedies, state, truth, unknown, user,
    };
    use crate::policy::fact::{FactKey, Facts, Known, LabelEvent};

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

    const FREEZE: &str = "{labels: {all: [freeze], set_by: {groups: [shop/release]}}}";

    /// The label `freeze` is there; who added (`+`) and removed (`-`) it, the oldest first.
    fn set(events: &[(char, Option<u64>)]) -> Facts {
        let mut facts = facts();
        facts.merge_request.labels.insert("freeze".to_owned());
        let event = |(number, (sign, by)): (usize, &(char, Option<u64>))| LabelEvent {
            id: number as u64,
            label: Some("freeze".to_owned()),
            added: *sign == '+',
            user: by.map(user),
        };
        facts.label_events = Some(Known::Value(events.iter().enumerate().map(event).collect()));
        join_group(&mut facts, "shop/release", 2, Some(30));
        join_group(&mut facts, "shop/release", 3, None);
        facts
    }

    #[test]
    fn who_set_a_label_is_asked_only_where_it_is_there() {
        let mut facts = facts();
        assert_eq!(truth(FREEZE, &facts), Truth::Waiting);
        facts.merge_request.labels.insert("freeze".to_owned());
        assert_eq!(needs(FREEZE, &facts), [FactKey::LabelEvents]);
    }

    #[test]
    fn whoever_set_a_label_last_must_be_one_of_those_meant() {
        assert_eq!(truth(FREEZE, &set(&[('+', Some(2))])), Truth::True);
        assert_eq!(truth(FREEZE, &set(&[('+', Some(3))])), Truth::Waiting);
        assert_eq!(truth(FREEZE, &set(&[('+', Some(2)), ('-', Some(3)), ('+', Some(3))])), Truth::Waiting);
        assert_eq!(truth(FREEZE, &set(&[('+', Some(3)), ('-', Some(3)), ('+', Some(2))])), Truth::True);
        assert_eq!(truth(FREEZE, &set(&[('+', None)])), Truth::Waiting);
        let wrong = set(&[('+', Some(3))]);
        assert_eq!(
            reason(FREEZE, &wrong).sentence,
            "`freeze` was set by @bob; required: set by members of shop/release"
        );
        let again = Remedy::SetLabelAgain {
            any_of: vec!["freeze".to_owned()],
            by: vec!["members of shop/release".to_owned()],
        };
        assert_eq!(remedies(FREEZE, &wrong), [again]);
        let label = "freeze".to_owned();
        assert_eq!(
            remedies(&format!("{{not: {FREEZE}}}"), &set(&[('+', Some(2))])),
            [Remedy::RemoveLabel { label }]
        );
    }

    #[test]
    fn events_that_are_missing_pass_nothing_whichever_way_it_is_asked() {
        for events in [&[][..], &[('+', Some(2)), ('-', Some(2))]] {
            for require in [FREEZE.to_owned(), format!("{{not: {FREEZE}}}")] {
                assert_eq!(state(&require, &set(events)), RuleState::Waiting, "{require} {events:?}");
            }
        }
        let mut facts = set(&[]);
        facts.label_events = Some(unknown(true));
        assert_eq!(truth(FREEZE, &facts), Truth::Unknown { curable: true });
    }

    #[test]
    fn a_hidden_group_has_set_nothing() {
        let mut facts = set(&[('+', Some(3))]);
        facts.groups.insert("shop/release".to_owned(), unknown(false));
        for require in [FREEZE.to_owned(), format!("{{not: {FREEZE}}}")] {
            assert_eq!(truth(&require, &facts), Truth::Unknown { curable: false }, "{require}");
        }
    }

    #[test]
    fn of_alternatives_one_that_was_set_rightly_is_enough() {
        let facts = set(&[('+', Some(2))]);
        let of = |labels: &str| truth(&format!("{{labels: {{{labels}, set_by: {{users: [ana]}}}}}}"), &facts);
        assert_eq!(of("any: [\"type::*\", freeze]"), Truth::True);
        assert_eq!(of("all: [\"type::*\", freeze]"), Truth::Unsettled, "nobody knows who set the type");
    }

    #[test]
    fn set_by_needs_labels() {
        let text = "policy: p\nrules: [{id: r, require: {labels: {none: [a], set_by: {users: [ana]}}}}]\n";
        assert!(mistakes(text).contains("`set_by` says nothing without `all` or `any`"));
    }
}
