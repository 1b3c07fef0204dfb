//! `pipeline`: how the pipeline of the head ended.
//!
//! Unsettled while it runs, and for a word that GitLab may invent later. Violated when it ended otherwise than
//! required: failed, canceled and skipped pipelines don't mend themselves. Waiting at `manual`, where a person has to
//! press a button. No pipeline at all is unsettled until one had time to appear, and violated from then on.

use jiff::SignedDuration;

use super::kind::{Kind, Test, test};
use super::outcomes::{MISSING_AFTER, Patience, status_truth};
use crate::policy::document::Node;
use crate::policy::duration::render;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, Pipeline};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

const SHAPES: &[Shape] = &[STATUS, STATUS_LIST, Shape::Mapping(&TABLE)];

/// How the pipeline of the head ended.
pub(super) const PIPELINE: Kind = Kind {
    key: Key::new(
        "pipeline",
        Shape::OneOf(SHAPES),
        "How the pipeline of the head ended; one of the statuses listed is enough.",
    ),
    build: |node, _| test(PipelineStatus::build(node)),
    reads: &[Family::Pipeline, Family::Versions, Family::Time],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

/// Statuses at which a pipeline stays, and `missing` for none at all.
const STATUSES: &[&str] = &["success", "failed", "canceled", "skipped", "manual", "missing"];
const STATUS: Shape = Shape::Choice(STATUSES);
const STATUS_LIST: Shape = Shape::List(&STATUS);

static TABLE: Table = Table {
    name: "pipeline",
    doc: "How the pipeline of the head ended.",
    hint: Some("write `pipeline: success`"),
    keys: &[
        Key::required("status", Shape::OneOf(&[STATUS, STATUS_LIST]), "One of these statuses is enough."),
        Key::new("missing_after", Shape::Duration, "How long after a push a pipeline may be missing (10m)."),
    ],
};

/// The word for no pipeline at all.
const MISSING: &str = "missing";

/// Which statuses are enough.
#[derive(Debug, Clone)]
struct PipelineStatus {
    allowed: Vec<String>,
    missing_after: SignedDuration,
}

impl PipelineStatus {
    fn build(node: &Node) -> Option<Self> {
        let statuses = node.get("status").unwrap_or(node);
        let allowed: Vec<_> = statuses.all_words().iter().map(|words| words.text.to_owned()).collect();
        let missing_after = node.get("missing_after").and_then(Node::duration).unwrap_or(MISSING_AFTER);
        (!allowed.is_empty()).then_some(Self { allowed, missing_after })
    }

    fn judge(&self, pipeline: &Pipeline) -> Finding {
        let status = pipeline.status.as_str();
        let truth = status_truth(status, &self.allowed);
        let sentence = match truth {
            Truth::True => format!("the pipeline {} ended as `{status}`", pipeline.id),
            Truth::Waiting => {
                format!("the pipeline {} waits for somebody to start a manual job", pipeline.id)
            }
            Truth::Violated => {
                format!(
                    "the pipeline {} ended as `{status}`, not as {}",
                    pipeline.id,
                    alternatives(&self.allowed)
                )
            }
            Truth::Unsettled | Truth::Unknown { .. } => {
                format!("the pipeline {} is not done: `{status}`", pipeline.id)
            }
        };
        Finding::new("pipeline", truth, sentence)
    }

    fn judge_missing(&self, patience: &Patience) -> Finding {
        match patience {
            Patience::Until(None) => Finding::new("pipeline", Truth::Unsettled, "there is no pipeline yet"),
            Patience::Until(Some(expected_by)) => {
                let sentence = format!("there is no pipeline yet; one is expected by {expected_by}");
                Finding::new("pipeline", Truth::Unsettled, sentence).recheck_at(Some(*expected_by))
            }
            Patience::Over => {
                let allowed = self.allowed.iter().any(|allowed| allowed == MISSING);
                let truth = if allowed { Truth::True } else { Truth::Violated };
                let sentence =
                    format!("there was no pipeline within {} of the push", render(self.missing_after));
                Finding::new("pipeline", truth, sentence)
            }
        }
    }
}

impl Test for PipelineStatus {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let pipeline = known(view.facts.pipeline.as_ref(), FactKey::Pipeline)?;
        let finding = if let Some(pipeline) = pipeline {
            self.judge(pipeline)
        } else {
            self.judge_missing(&Patience::since_push(self.missing_after, view)?)
        };
        Ok(finding.mended_by(wanted, wanted.then(|| Remedy::RunPipeline { statuses: self.allowed.clone() })))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{RuleState, Step, Truth};
    use crate::policy::example::{at, facts, mistakes, needs, remedies, sha, state, step, truth, versions};
    use crate::policy::fact::{FactKey, Facts, Known, Pipeline};

    fn with(status: &str) -> Facts {
        let (status, r#ref) = (status.to_owned(), "x".to_owned());
        let pipeline = Pipeline { id: 9, status, sha: sha('b'), r#ref, project: None };
        Facts { pipeline: Some(Known::Value(Some(pipeline))), ..facts() }
    }

    #[test]
    fn only_a_listed_end_is_good_enough() {
        for (status, expected) in [
            ("success", Truth::True),
            ("failed", Truth::Violated),
            ("canceled", Truth::Violated),
            ("skipped", Truth::Violated),
            ("manual", Truth::Waiting),
            ("running", Truth::Unsettled),
            ("waiting_for_resource", Truth::Unsettled),
            ("a_word_of_tomorrow", Truth::Unsettled),
            ("missing", Truth::Unsettled),
        ] {
            assert_eq!(truth("{pipeline: success}", &with(status)), expected, "{status}");
        }
        assert_eq!(truth("{pipeline: [success, manual]}", &with("manual")), Truth::True);
        assert_eq!(truth("{pipeline: {status: skipped}}", &with("success")), Truth::Violated);
        assert_eq!(state("{pipeline: success}", &with("running")), RuleState::Waiting);
        assert_eq!(remedies("{pipeline: success}", &with("failed")).len(), 1);
    }

    #[test]
    fn a_missing_pipeline_is_awaited_for_a_while() {
        let mut facts = Facts { pipeline: Some(Known::Value(None)), ..facts() };
        assert_eq!(needs("{pipeline: success}", &facts), [FactKey::Now, FactKey::Versions]);
        facts.versions = Some(versions(2));
        facts.now = Some(at(19));
        assert_eq!(truth("{pipeline: success}", &facts), Truth::Unsettled);
        let Step::Decided(evaluation) = step("{pipeline: success}", &facts) else { panic!("needs more") };
        assert_eq!(evaluation.recheck_at, Some(at(20)));
        facts.now = Some(at(20));
        assert_eq!(truth("{pipeline: success}", &facts), Truth::Violated);
        assert_eq!(truth("{pipeline: [success, missing]}", &facts), Truth::True);
        assert_eq!(truth("{pipeline: {status: success, missing_after: 1h}}", &facts), Truth::Unsettled);
    }

    #[test]
    fn a_status_nobody_knows_is_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require: {pipeline: [sucess, running]}\n"), @r#"
        p.yaml:4:26: error: `sucess` is no value of an entry of `pipeline`
          help: did you mean `success`?
        p.yaml:4:34: error: `running` is no value of an entry of `pipeline`
          help: it may be `success`, `failed`, `canceled`, `skipped`, `manual`, `missing`
        "#);
    }
}
