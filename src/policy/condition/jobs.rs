//! `jobs`: how named jobs of the head's pipeline ended.
//!
//! Bridges to other pipelines are jobs as well. Which jobs there are is known once the pipeline has some: one that is
//! missing then may still come while the pipeline is not done. Everything else is as for `pipeline`.

use super::kind::{Kind, Test, test};
use super::outcomes::{KEYS, Named, Outcomes, Patience};
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, Job, Pipeline};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// How named jobs ended.
pub(super) const JOBS: Kind = Kind {
    key: Key::new("jobs", Shape::Mapping(&TABLE), "How named jobs of the head's pipeline ended."),
    build: |node, builder| test(Outcomes::build(node, builder).map(Jobs)),
    reads: &[Family::Pipeline, Family::Jobs, Family::Versions, Family::Time],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

static TABLE: Table = Table {
    name: "jobs",
    doc: "How named jobs of the head's pipeline ended.",
    hint: Some("write `jobs: {all: […]}` if every one must be there, or `jobs: {any: […]}` if one is enough"),
    keys: KEYS,
};

/// Which jobs must have ended how.
#[derive(Debug, Clone)]
struct Jobs(Outcomes);

impl Jobs {
    fn judge(&self, pipeline: &Pipeline, jobs: &[Job]) -> Finding {
        let found: Vec<_> = jobs.iter().map(|job| Named { name: &job.name, status: &job.status }).collect();
        self.0.judge("jobs", "job", &found, self.missing(pipeline, jobs))
    }

    /// What a job that the pipeline does not have comes to.
    ///
    /// GitLab: a pipeline of a broken configuration, and one that `[skip ci]` asks for, have no job at all. That proves
    /// nothing of which jobs the change would have.
    fn missing(&self, pipeline: &Pipeline, jobs: &[Job]) -> Truth {
        let known = !jobs.is_empty() && self.0.if_present;
        match pipeline.status.as_str() {
            "pending" | "running" | "waiting_for_resource" | "scheduled" | "canceling" if known => {
                Truth::True
            }
            "success" | "failed" | "canceled" | "skipped" | "manual" if known => Truth::True,
            "success" | "failed" | "canceled" | "skipped" => Truth::Violated,
            "manual" => Truth::Waiting,
            _ => Truth::Unsettled,
        }
    }

    fn without_pipeline(view: &View<'_>, outcomes: &Outcomes) -> Result<Finding, Stop> {
        Ok(match outcomes.patience(view)? {
            Patience::Over => {
                let sentence = "there is no pipeline of the head, so none of its jobs";
                Finding::new("jobs", Truth::Violated, sentence)
            }
            Patience::Until(at) => {
                Finding::new("jobs", Truth::Unsettled, "there is no pipeline yet").recheck_at(at)
            }
        })
    }
}

impl Test for Jobs {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let finding = match known(view.facts.pipeline.as_ref(), FactKey::Pipeline)? {
            Some(pipeline) => {
                let jobs = known(view.facts.jobs.get(&pipeline.id), FactKey::Jobs(pipeline.id))?;
                self.judge(pipeline, jobs)
            }
            None => Self::without_pipeline(view, &self.0)?,
        };
        let run = Remedy::RunJobs { names: self.0.names(), statuses: self.0.allowed.clone() };
        Ok(finding.mended_by(wanted, wanted.then_some(run)))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, RuleState, Step, Truth};
    use crate::policy::example::{
        at, facts, mistakes, needs, reason, remedies, sha, state, step, truth, unknown, versions,
    };
    use crate::policy::fact::{FactKey, Facts, Job, Known, Pipeline};

    fn with(status: &str, jobs: &[(&str, &str)]) -> Facts {
        let pipeline = Pipeline {
            id: 9,
            status: status.to_owned(),
            sha: sha('b'),
            r#ref: "x".to_owned(),
            project: None,
        };
        let job = |(name, status): &(&str, &str)| Job {
            name: (*name).to_owned(),
            status: (*status).to_owned(),
            allow_failure: true,
        };
        let mut facts = Facts { pipeline: Some(Known::Value(Some(pipeline))), ..facts() };
        facts.jobs.insert(9, Known::Value(jobs.iter().map(job).collect()));
        facts
    }

    #[test]
    fn every_job_of_a_name_must_have_ended_well() {
        const BOTH: &str = "{jobs: {all: [build, \"test *\"]}}";
        let met = [("build", "success"), ("test 1/2", "success"), ("test: [a, b]", "failed")];
        assert_eq!(truth(BOTH, &with("failed", &met)), Truth::True, "what is not named does not matter");
        assert_eq!(reason(BOTH, &with("failed", &met)).sentence, "`build`, `test 1/2` ended as `success`");
        assert_eq!(truth("{jobs: {all: \"test*\"}}", &with("failed", &met)), Truth::Violated);
        for (status, expected) in [
            ("success", Truth::True),
            ("failed", Truth::Violated),
            ("canceled", Truth::Violated),
            ("skipped", Truth::Violated),
            ("manual", Truth::Waiting),
            ("running", Truth::Unsettled),
            ("created", Truth::Unsettled),
            ("a_word_of_tomorrow", Truth::Unsettled),
        ] {
            let facts =
                with("running", &[("build", "success"), ("test 1/2", "success"), ("test 2/2", status)]);
            assert_eq!(truth(BOTH, &facts), expected, "{status}");
        }
        let allowed = "{jobs: {all: build, status: [success, manual]}}";
        assert_eq!(truth(allowed, &with("manual", &[("build", "manual")])), Truth::True);
    }

    #[test]
    fn one_of_any_is_enough() {
        const ONE: &str = "{jobs: {any: [unit, \"e2e*\"]}}";
        assert_eq!(truth(ONE, &with("running", &[("unit", "success"), ("e2e", "failed")])), Truth::True);
        assert_eq!(
            truth(ONE, &with("success", &[("e2e 1", "success"), ("e2e 2", "failed")])),
            Truth::Violated
        );
        assert_eq!(truth(ONE, &with("running", &[("unit", "failed"), ("e2e", "running")])), Truth::Unsettled);
        assert_eq!(
            truth(ONE, &with("running", &[("unit", "failed")])),
            Truth::Unsettled,
            "the other may come"
        );
        assert_eq!(truth(ONE, &with("failed", &[("unit", "failed")])), Truth::Violated);
    }

    #[test]
    fn a_missing_job_is_awaited_while_the_pipeline_is_not_done() {
        const BUILD: &str = "{jobs: {all: build}}";
        let others = |status| with(status, &[("lint", "success")]);
        for (status, expected, where_present) in [
            ("created", Truth::Unsettled, Truth::Unsettled),
            ("running", Truth::Unsettled, Truth::True),
            ("manual", Truth::Waiting, Truth::True),
            ("success", Truth::Violated, Truth::True),
            ("failed", Truth::Violated, Truth::True),
            ("a_word_of_tomorrow", Truth::Unsettled, Truth::Unsettled),
        ] {
            assert_eq!(truth(BUILD, &others(status)), expected, "{status}");
            let lenient = "{jobs: {all: build, if_present: true}}";
            assert_eq!(truth(lenient, &others(status)), where_present, "{status}");
        }
        assert_eq!(reason(BUILD, &others("running")).sentence, "there is no job `build` yet");
        assert_eq!(state(BUILD, &others("running")), RuleState::Waiting);
    }

    #[test]
    fn a_pipeline_without_any_job_proves_nothing() {
        const BUILD: &str = "{jobs: {all: build, if_present: true}}";
        for status in ["failed", "skipped", "success"] {
            assert_eq!(truth(BUILD, &with(status, &[])), Truth::Violated, "{status}");
        }
        assert_eq!(truth(BUILD, &with("pending", &[])), Truth::Unsettled);
    }

    #[test]
    fn jobs_are_asked_for_after_their_pipeline_and_no_pipeline_is_as_for_pipeline() {
        const BUILD: &str = "{jobs: {all: build}}";
        assert_eq!(needs(BUILD, &facts()), [FactKey::Pipeline]);
        let mut asked = with("success", &[]);
        asked.jobs.clear();
        assert_eq!(needs(BUILD, &asked), [FactKey::Jobs(9)]);
        asked.jobs.insert(9, unknown(true));
        assert_eq!(truth(BUILD, &asked), Truth::Unknown { curable: true });
        let mut none = Facts { pipeline: Some(Known::Value(None)), ..facts() };
        assert_eq!(needs(BUILD, &none), [FactKey::Now, FactKey::Versions]);
        none.versions = Some(versions(2));
        none.now = Some(at(19));
        let Step::Decided(evaluation) = step(BUILD, &none) else { panic!("needs more") };
        assert_eq!((truth(BUILD, &none), evaluation.recheck_at), (Truth::Unsettled, Some(at(20))));
        none.now = Some(at(20));
        for require in [BUILD, "{jobs: {all: build, if_present: true}}"] {
            assert_eq!(truth(require, &none), Truth::Violated);
        }
        assert_eq!(truth("{jobs: {all: build, missing_after: 1h}}", &none), Truth::Unsettled);
    }

    #[test]
    fn the_remedy_names_the_jobs() {
        let facts = with("failed", &[("build", "failed")]);
        let run = Remedy::RunJobs { names: vec!["build".to_owned()], statuses: vec!["success".to_owned()] };
        assert_eq!(remedies("{jobs: {all: build}}", &facts), [run]);
        let good = with("success", &[("build", "success")]);
        assert_eq!(remedies("{not: {jobs: {all: build}}}", &good), [], "nobody is told to break a job");
    }

    #[test]
    fn a_bare_list_and_a_status_that_is_no_end_are_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {jobs: [build]}\n  - id: s\n    require: {jobs: {all: build, status: running}}\n  - id: t\n    require: {jobs: {status: success}}\n"), @r#"
        p.yaml:4:21: error: `jobs` must be a mapping, not a list
          help: write `jobs: {all: […]}` if every one must be there, or `jobs: {any: […]}` if one is enough
        p.yaml:6:42: error: `running` is no value of `status`
          help: it may be `success`, `failed`, `canceled`, `skipped`, `manual`
        p.yaml:8:21: error: no name is given
          help: write `all: […]` or `any: […]`
        "#);
    }
}
