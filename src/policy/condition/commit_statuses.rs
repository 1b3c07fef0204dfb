//! `commit_statuses`: what other systems said of the head commit.
//!
//! The newest word under each name counts, whatever ref it was said for; where a job is called the same, both count. What
//! countersign itself says never enters: a gate must not wait for its own answer. A missing status is waited for as long as a
//! missing pipeline is.

use super::kind::{Kind, Test, test};
use super::outcomes::{KEYS, Named, Outcomes, Patience};
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// What other systems said of the head.
pub(super) const COMMIT_STATUSES: Kind = Kind {
    key: Key::new("commit_statuses", Shape::Mapping(&TABLE), "What other systems said of the head commit."),
    build: |node, builder| test(Outcomes::build(node, builder).map(CommitStatuses)),
    reads: &[Family::CommitStatuses, Family::Versions, Family::Time],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "commit_statuses",
    doc: "What other systems said of the head commit.",
    hint: Some(
        "write `commit_statuses: {all: […]}` if every one must be there, or `commit_statuses: {any: […]}` if one is enough",
    ),
    keys: KEYS,
};

/// Which statuses the head must have.
#[derive(Debug, Clone)]
struct CommitStatuses(Outcomes);

impl CommitStatuses {
    fn judge(&self, view: &View<'_>, found: &[Named<'_>]) -> Result<Finding, Stop> {
        let judge = |missing| self.0.judge("commit_statuses", "commit status", found, missing);
        let open = judge(Truth::Unsettled);
        // How long it is missing matters only if that could still make a difference.
        if !self.0.misses_something(found) || matches!(open.truth(), Truth::True | Truth::Violated) {
            return Ok(open);
        }
        Ok(match self.0.patience(view)? {
            Patience::Until(at) => open.recheck_at(at),
            Patience::Over => judge(if self.0.if_present { Truth::True } else { Truth::Violated }),
        })
    }
}

impl Test for CommitStatuses {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let statuses = known(view.facts.commit_statuses.as_ref(), FactKey::CommitStatuses)?;
        let found: Vec<_> =
            statuses.iter().map(|status| Named { name: &status.name, status: &status.status }).collect();
        let report = Remedy::ReportStatuses { names: self.0.names(), statuses: self.0.allowed.clone() };
        Ok(self.judge(view, &found)?.mended_by(wanted, wanted.then_some(report)))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Step, Truth};
    use crate::policy::example::{at, facts, needs, reason, remedies, step, truth, unknown, versions};
    use crate::policy::fact::{CommitStatus, FactKey, Facts, Known};

    const SCAN: &str = "{commit_statuses: {all: \"scan/*\"}}";

    fn with(statuses: &[(&str, &str)]) -> Facts {
        let status = |(name, status): &(&str, &str)| CommitStatus {
            name: (*name).to_owned(),
            status: (*status).to_owned(),
        };
        Facts { commit_statuses: Some(Known::Value(statuses.iter().map(status).collect())), ..facts() }
    }

    #[test]
    fn what_was_said_settles_it_without_further_questions() {
        assert_eq!(needs(SCAN, &facts()), [FactKey::CommitStatuses]);
        assert_eq!(truth(SCAN, &with(&[("scan/a", "success"), ("other", "failed")])), Truth::True);
        assert_eq!(truth(SCAN, &with(&[("scan/a", "success"), ("scan/b", "failed")])), Truth::Violated);
        assert_eq!(truth(SCAN, &with(&[("scan/a", "pending")])), Truth::Unsettled);
        let both = "{commit_statuses: {all: [a, b]}}";
        assert_eq!(truth(both, &with(&[("a", "failed")])), Truth::Violated, "b does not matter any more");
        assert_eq!(truth("{commit_statuses: {any: [a, b]}}", &with(&[("a", "success")])), Truth::True);
        assert_eq!(needs(both, &with(&[("a", "running")])), [FactKey::Now, FactKey::Versions]);
        let hidden = Facts { commit_statuses: Some(unknown(true)), ..facts() };
        assert_eq!(truth(SCAN, &hidden), Truth::Unknown { curable: true });
    }

    #[test]
    fn a_missing_status_is_awaited_for_a_while() {
        let at_minute = |minute| Facts { now: Some(at(minute)), versions: Some(versions(2)), ..with(&[]) };
        assert_eq!(truth(SCAN, &at_minute(19)), Truth::Unsettled);
        let Step::Decided(evaluation) = step(SCAN, &at_minute(19)) else { panic!("needs more") };
        assert_eq!(evaluation.recheck_at, Some(at(20)));
        assert_eq!(truth(SCAN, &at_minute(20)), Truth::Violated);
        assert_eq!(reason(SCAN, &at_minute(20)).sentence, "there is no commit status `scan/*`");
        let lenient = "{commit_statuses: {any: [a, \"scan/*\"], if_present: true}}";
        assert_eq!(truth(lenient, &at_minute(19)), Truth::Unsettled, "it may still come and be bad");
        assert_eq!(truth(lenient, &at_minute(20)), Truth::True);
        let report =
            Remedy::ReportStatuses { names: vec!["scan/*".to_owned()], statuses: vec!["success".to_owned()] };
        assert_eq!(remedies(SCAN, &at_minute(20)), [report]);
    }
}
