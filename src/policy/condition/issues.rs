//! `closing_issues` and `related_issues`: how many issues that fit have to do with the merge request.
//!
//! Violated when too few or too many do: the author links an issue, in the description or a commit. Waiting when enough are
//! linked and only their labels, state or milestone do not fit, for people change those. Issues that the token can't see do not
//! count: GitLab leaves them out without a word. Of an issue of another tracker GitLab knows neither labels nor milestone nor
//! state.

use super::bounds::{Bounds, Count};
use super::kind::{Kind, Test, test};
use super::marks::Marks;
use super::vocabulary::{AT_LEAST, AT_MOST, TEXTS};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::{alternatives, joined};
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, Issue, Unknown};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::pattern::Names;
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// Issues that the merge closes.
pub(super) const CLOSING_ISSUES: Kind = Kind {
    key: Key::new("closing_issues", Shape::Mapping(&CLOSING), "How many issues that fit the merge closes."),
    build: |node, builder| test(Issues::build(node, builder).map(ClosingIssues)),
    reads: &[Family::Issues],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

/// Issues that are mentioned or closed.
pub(super) const RELATED_ISSUES: Kind = Kind {
    key: Key::new(
        "related_issues",
        Shape::Mapping(&RELATED),
        "How many issues that fit are mentioned or closed by the merge request.",
    ),
    build: |node, builder| test(Issues::build(node, builder).map(RelatedIssues)),
    reads: &[Family::Issues],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static CLOSING: Table = Table {
    name: "closing_issues",
    doc: "How many issues that fit the merge closes; without a bound at least one.",
    hint: Some("write `closing_issues: {at_least: 1}`"),
    keys: KEYS,
};

static RELATED: Table = Table {
    name: "related_issues",
    doc: "How many issues that fit are mentioned or closed; without a bound at least one.",
    hint: Some("write `related_issues: {at_least: 1}`"),
    keys: KEYS,
};

const KEYS: &[Key] = &[
    AT_LEAST,
    AT_MOST,
    Key::new("labels", Shape::Mapping(&LABELS), "Which labels an issue that fits has."),
    Key::new("state", Shape::Choice(&["opened", "closed"]), "Which state an issue that fits has."),
    Key::new("milestone", TEXTS, "Which milestone an issue that fits has; a quoted leading `!` excludes."),
];

static LABELS: Table = Table {
    name: "issue_labels",
    doc: "Which labels an issue has; `*` stands for any characters.",
    hint: Some(
        "write `labels: {all: […]}` if every one must be there, or `labels: {any: […]}` if one is enough",
    ),
    keys: &[
        Key::new("all", TEXTS, "It has each of these."),
        Key::new("any", TEXTS, "It has at least one of these."),
        Key::new("none", TEXTS, "It has none of these."),
    ],
};

/// Which issues fit, and how many there must be.
#[derive(Debug, Clone)]
struct Issues {
    bounds: Bounds,
    labels: Marks,
    state: Option<String>,
    milestone: Option<Names>,
}

#[derive(Debug, Clone)]
struct ClosingIssues(Issues);

#[derive(Debug, Clone)]
struct RelatedIssues(Issues);

impl Issues {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let bounds = Bounds::build(node, builder);
        let labels = node.get("labels").map(|labels| Marks::build(labels, str::to_owned));
        let milestone = node.get("milestone").map(Node::all_words).filter(|words| !words.is_empty());
        let issues = Self {
            bounds: bounds.unwrap_or(Bounds { at_least: Some(1), at_most: None }),
            labels: labels.unwrap_or_default(),
            state: node.get("state").and_then(Node::words).map(|words| words.text.to_owned()),
            milestone: milestone.map(|words| Names::new(words.iter().map(|words| words.text))),
        };
        (!node.entries().is_empty()).then_some(issues)
    }

    /// Whether an issue fits; none where GitLab can't tell: of one of another tracker it knows no more than that it is there.
    fn fits(&self, issue: &Issue) -> Option<bool> {
        if issue.state.is_none() {
            let asks = !self.labels.is_empty() || self.state.is_some() || self.milestone.is_some();
            return (!asks).then_some(true);
        }
        let milestone = self
            .milestone
            .as_ref()
            .is_none_or(|names| issue.milestone.as_deref().is_some_and(|title| names.matches(title)));
        let state = match (&self.state, issue.state.as_deref()) {
            (None, _) => Some(true),
            (Some(wanted), Some(is @ ("opened" | "closed"))) => Some(wanted == is),
            (Some(_), _) => None,
        };
        if self.labels.hold(&issue.labels) && milestone { state } else { Some(false) }
    }

    fn judge(
        &self,
        condition: &str,
        relation: &str,
        issues: &[Issue],
        wanted: bool,
    ) -> Result<Finding, Stop> {
        let fitting = |verdict| issues.iter().filter(|issue| self.fits(issue) == verdict).count() as u64;
        let low = fitting(Some(true));
        let count = Count { low, high: Some(low + fitting(None)) };
        let names = |issues: &[&Issue]| {
            issues.iter().map(|issue| format!("`{}`", issue.reference)).collect::<Vec<_>>().join(", ")
        };
        let Some(holds) = self.bounds.hold(count) else {
            let open: Vec<_> = issues.iter().filter(|issue| self.fits(issue).is_none()).collect();
            let why = format!("GitLab does not tell what is asked of {}", names(&open));
            return Err(Stop::Unknown(Unknown { why, curable: false }));
        };
        let misfits: Vec<_> = issues.iter().filter(|issue| self.fits(issue) == Some(false)).collect();
        let changeable = |issue: &&Issue| issue.state.is_some() || self.fits(issue) == Some(true);
        let linked = issues.iter().filter(changeable).count() as u64;
        let is_short = self.bounds.at_least.is_some_and(|least| count.high.is_some_and(|high| high < least));
        // Enough are linked, and somebody can still make them fit.
        let can_be_made_fit = is_short && self.bounds.at_least.is_some_and(|least| linked >= least);
        let truth = match (holds, can_be_made_fit) {
            (true, _) => Truth::True,
            (false, true) => Truth::Waiting,
            (false, false) => Truth::Violated,
        };
        let fit: Vec<_> = issues.iter().filter(|issue| self.fits(issue) == Some(true)).collect();
        let fitting = match fit.len() {
            0 => format!("no {}{relation}", self.describe("issue")),
            1 => format!("1 {}{relation}: {}", self.describe("issue"), names(&fit)),
            count => format!("{count} {}{relation}: {}", self.describe("issues"), names(&fit)),
        };
        let linked = (truth == Truth::Waiting).then(|| format!("linked are {}", names(&misfits)));
        let required = (truth != Truth::True).then(|| format!("required is {}", self.bounds.describe()));
        let sentence: Vec<_> = std::iter::once(fitting).chain(linked).chain(required).collect();
        let sentence = sentence.join("; ");
        let to = format!(
            "{}{} {}",
            if wanted { "" } else { "not " },
            self.bounds.describe(),
            self.describe("issues")
        );
        let issues = misfits.iter().map(|issue| issue.reference.clone()).collect();
        let remedy = if truth == Truth::Waiting {
            Remedy::ChangeIssues { issues, to }
        } else {
            Remedy::LinkIssues { to }
        };
        Ok(Finding::new(condition, truth, sentence).mended_by(wanted, [remedy]))
    }

    /// Which issues are meant, in words.
    fn describe(&self, noun: &str) -> String {
        let Marks { all, any, none } = &self.labels;
        let mut demands = Vec::new();
        if !all.is_empty() {
            demands.push(format!("labelled {}", joined(all, " and ")));
        }
        if !any.is_empty() {
            demands.push(format!("labelled {}", alternatives(any)));
        }
        if !none.is_empty() {
            demands.push(format!("not labelled {}", alternatives(none)));
        }
        demands
            .extend(self.milestone.iter().map(|milestone| format!("of milestone {}", milestone.describe())));
        let state = self.state.as_ref().map(|state| format!("{state} ")).unwrap_or_default();
        if demands.is_empty() {
            format!("{state}{noun}")
        } else {
            format!("{state}{noun} {}", demands.join(", "))
        }
    }
}

impl Test for ClosingIssues {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let issues = known(view.facts.closing_issues.as_ref(), FactKey::ClosingIssues)?;
        self.0.judge("closing_issues", " would be closed by the merge", issues, wanted)
    }
}

impl Test for RelatedIssues {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let issues = known(view.facts.related_issues.as_ref(), FactKey::RelatedIssues)?;
        self.0.judge("related_issues", " is mentioned or closed", issues, wanted)
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, mistakes, needs, reason, remedies, truth, unknown};
    use crate::policy::fact::{FactKey, Facts, Issue, Known};

    fn issue(number: u64, state: &str, labels: &[&str], milestone: Option<&str>) -> Issue {
        Issue {
            reference: format!("shop/web#{number}"),
            state: Some(state.to_owned()),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            milestone: milestone.map(str::to_owned),
        }
    }

    fn foreign() -> Issue {
        Issue { reference: "SHOP-1".to_owned(), state: None, labels: [].into(), milestone: None }
    }

    fn closing(issues: &[Issue]) -> Facts {
        Facts { closing_issues: Some(Known::Value(issues.to_vec())), ..facts() }
    }

    #[test]
    fn at_least_one_is_asked_for_unless_said_otherwise() {
        const OPEN: &str = "{closing_issues: {state: opened}}";
        assert_eq!(needs(OPEN, &facts()), [FactKey::ClosingIssues]);
        assert_eq!(needs("{related_issues: {at_least: 1}}", &facts()), [FactKey::RelatedIssues]);
        assert_eq!(truth(OPEN, &closing(&[issue(1, "opened", &[], None)])), Truth::True);
        assert_eq!(truth(OPEN, &closing(&[])), Truth::Violated);
        assert_eq!(truth(OPEN, &closing(&[issue(1, "closed", &[], None)])), Truth::Waiting);
        let hidden = Facts { closing_issues: Some(unknown(true)), ..facts() };
        assert_eq!(truth(OPEN, &hidden), Truth::Unknown { curable: true });
    }

    #[test]
    fn an_issue_fits_if_its_labels_state_and_milestone_do() {
        let fits = |require: &str, issue: Issue| {
            truth(&format!("{{closing_issues: {require}}}"), &closing(&[issue])) == Truth::True
        };
        let bug = || issue(1, "opened", &["type::bug", "p1"], Some("18.1"));
        assert!(fits("{labels: {all: [\"type::*\", p1]}, state: opened, milestone: \"18.*\"}", bug()));
        assert!(fits("{labels: {any: [p0, p1], none: [wontfix]}}", bug()));
        assert!(!fits("{labels: {all: [p0]}}", bug()));
        assert!(!fits("{labels: {none: [\"type::*\"]}}", bug()));
        assert!(!fits("{milestone: [\"!18.1\"]}", bug()));
        assert!(!fits("{milestone: \"*\"}", issue(1, "opened", &[], None)), "it has none");
    }

    #[test]
    fn too_many_is_the_author_s_to_mend_and_what_does_not_fit_is_people_s() {
        const READY: &str = "{closing_issues: {at_least: 2, labels: {all: [ready]}}}";
        let two = [issue(1, "opened", &["ready"], None), issue(2, "opened", &[], None)];
        assert_eq!(truth("{closing_issues: {at_most: 1}}", &closing(&two)), Truth::Violated);
        let waiting = reason(READY, &closing(&two));
        assert_eq!(waiting.truth, Truth::Waiting);
        insta::assert_snapshot!(waiting.sentence, @"1 issue labelled `ready` would be closed by the merge: `shop/web#1`; linked are `shop/web#2`; required is at least 2");
        let to = "at least 2 issues labelled `ready`".to_owned();
        let change = Remedy::ChangeIssues { issues: vec!["shop/web#2".to_owned()], to: to.clone() };
        assert_eq!(remedies(READY, &closing(&two)), [change]);
        assert_eq!(remedies(READY, &closing(&two[1..])), [Remedy::LinkIssues { to }]);
        assert_eq!(truth(READY, &closing(&two[1..])), Truth::Violated);
    }

    #[test]
    fn an_issue_of_another_tracker_counts_and_nothing_else_is_known_of_it() {
        let foreign = closing(&[foreign()]);
        assert_eq!(truth("{closing_issues: {at_least: 1}}", &foreign), Truth::True);
        for asked in [
            "labels: {none: [wontfix]}",
            "labels: {any: [ready]}",
            "at_most: 0, labels: {all: [ready]}",
            "milestone: '18.*'",
            "milestone: ['!18.1']",
            "at_most: 0, milestone: '18.*'",
            "state: opened",
            "at_most: 0, state: closed",
        ] {
            for require in [
                format!("{{closing_issues: {{{asked}}}}}"),
                format!("{{not: {{closing_issues: {{{asked}}}}}}}"),
            ] {
                assert_eq!(truth(&require, &foreign), Truth::Unknown { curable: false }, "{require}");
            }
        }
        assert_eq!(truth("{closing_issues: {at_least: 2, state: opened}}", &foreign), Truth::Violated);
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let wrong = mistakes("policy: p\nrules: [{id: r, require: {closing_issues: {}}}]\n");
        assert!(wrong.contains("`closing_issues` is empty"), "{wrong}");
        let wrong = mistakes("policy: p\nrules: [{id: r, require: {related_issues: {labels: [bug]}}}]\n");
        assert!(wrong.contains("`labels: {all: […]}`"), "{wrong}");
        let wrong = mistakes("policy: p\nrules: [{id: r, require: {closing_issues: {state: open}}}]\n");
        assert!(wrong.contains("it may be `opened`, `closed`"), "{wrong}");
    }
}
