//! What a verdict means for what GitLab shows: from evaluations to answers, one for each check.

use std::time::Duration;

use crate::decision::{Check, Listed};
use crate::gitlab::Status;
use crate::merge_request::{CheckName, CommitSha, StatusCheckId};
use crate::policy::evaluation::{Evaluation, Verdict};
use crate::policy::fact::MergeRequestFacts;
use crate::store::{KnownStatus, Shown, StoreError};
use crate::telemetry::EvaluationLabels;

use super::answer::{Answer, Circumstances, Vocabulary, Weighed, answer};
use super::lane::{Lane, Statement};
use super::record::{Shared, verdict_word};

/// GitLab turns a `pending` that is older than two minutes to `failed`, by a job that runs each minute (16.6 and later,
/// contract section 1.3).
const PENDING_RUNS_OUT_AFTER: Duration = Duration::from_secs(120);
/// How long after it was said a `pending` is said again at the earliest.
const HEARTBEAT_AT_LEAST: Duration = Duration::from_secs(60);

impl Lane<'_> {
    /// What each verdict means for what GitLab shows.
    pub(super) async fn weigh(
        &self,
        subject: &MergeRequestFacts,
        checks: &[(Check, Evaluation)],
        listed: Option<&Listed>,
    ) -> Vec<Weighed> {
        // Who can't say anything but passed need not ask which words there are.
        let only_passes = checks
            .iter()
            .all(|(check, evaluation)| check.id.is_none() || evaluation.verdict == Verdict::Passed);
        let vocabulary =
            if only_passes { Vocabulary::Unproven } else { self.resources.version.vocabulary().await };
        let mut weighed = Vec::new();
        for (check, evaluation) in checks {
            let verdict = evaluation.verdict;
            let Some(id) = check.id else {
                let answer = Answer::Silence;
                weighed.push(Weighed { verdict, vocabulary, answer, on_merge_train: false, known: None });
                continue;
            };
            let known = self.known(subject, id, &check.name, listed);
            let takes_back_waiting =
                evaluation.verdict == Verdict::Waiting && known.shown == Some(Shown::Passed);
            let on_merge_train =
                takes_back_waiting && self.resources.is_on_merge_train(self.claim.merge_request).await;
            let circumstances =
                Circumstances { on_merge_train, ..self.circumstances(Some(&known), vocabulary) };
            let answer = self.answer_to(verdict, circumstances);
            weighed.push(Weighed { verdict, vocabulary, answer, on_merge_train, known: Some(known) });
        }
        weighed
    }

    /// The answer; a heartbeat only while the budget has room.
    pub(super) fn answer_to(&self, verdict: Verdict, circumstances: Circumstances) -> Answer {
        let answer = answer(verdict, circumstances);
        let is_heartbeat =
            answer == Answer::Post(Status::Pending) && circumstances.shown == Some(Shown::PostedPending);
        let has_room = || self.resources.heartbeats.take(self.resources.clock.now()).is_ok();
        if is_heartbeat && !has_room() { Answer::Silence } else { answer }
    }

    /// All but the merge train; `known` is what shows, where anything does.
    pub(super) fn circumstances(&self, known: Option<&KnownStatus>, vocabulary: Vocabulary) -> Circumstances {
        let settings = &self.resources.settings;
        let undecided_for = self.claim.undecided_since.map(|since| self.resources.clock.since(since));
        Circumstances {
            shown: known.and_then(|known| known.shown),
            vocabulary,
            waiting_is_failed: settings.waiting_is_failed,
            undecided_too_long: undecided_for.is_some_and(|time| time >= settings.undecided_after),
            heartbeat_due: known.is_some_and(|known| self.is_heartbeat_due(known)),
            on_merge_train: false,
            may_grant: self.resources.may_grant(),
        }
    }

    /// What shows for a check, by the list if it was read, else by memory.
    fn known(
        &self,
        subject: &MergeRequestFacts,
        check: StatusCheckId,
        name: &CheckName,
        listed: Option<&Listed>,
    ) -> KnownStatus {
        let remembered = self.remembered(&subject.sha, check);
        let shown = match listed {
            Some(listed) => {
                let status = listed.iter().find(|(id, _)| *id == check).map(|(_, status)| *status);
                status.and_then(|status| self.shown_by(status, remembered, &subject.sha, check))
            }
            None => self.of_head(subject).find(|known| known.check == check).and_then(|known| known.shown),
        };
        let now = self.resources.clock.now();
        KnownStatus {
            sha: subject.sha.clone(),
            check,
            name: name.clone(),
            title: self
                .title(check)
                .or(remembered.map(|known| known.title.as_str()))
                .unwrap_or("")
                .to_owned(),
            target_branch: subject.target_branch.clone(),
            shown,
            confirm_at: remembered.and_then(|known| known.confirm_at).filter(|at| *at > now),
            written: shown.or(remembered.and_then(|known| known.written)),
            pending: remembered.and_then(|known| known.pending),
        }
    }

    fn title(&self, check: StatusCheckId) -> Option<&str> {
        self.titles.iter().find(|(id, _)| *id == check).map(|(_, title)| title.as_str())
    }

    /// The list tells neither a pending without a row from a row that runs out, nor a failed from a pending that ran out.
    fn shown_by(
        &self,
        status: Status,
        remembered: Option<&KnownStatus>,
        sha: &CommitSha,
        check: StatusCheckId,
    ) -> Option<Shown> {
        let is_pending_ours = remembered.is_some_and(|known| known.pending.is_some());
        let is_retried = self.is_retried(sha, check);
        match status {
            Status::Passed => Some(Shown::Passed),
            Status::Failed => {
                let is_over = remembered.is_some_and(|known| self.has_run_out(known));
                Some(if is_over { Shown::ExpiredPending } else { Shown::Failed })
            }
            // A Retry makes a row, and whoever pressed it wants an answer.
            Status::Pending if is_retried => None,
            Status::Pending if is_pending_ours => Some(Shown::PostedPending),
            Status::Pending => match remembered.map(|known| known.written) {
                None | Some(Some(Shown::ImplicitPending)) => Some(Shown::ImplicitPending),
                // An answer was on its way; that it shows would be seen.
                Some(None | Some(Shown::PostedPending)) => Some(Shown::PostedPending),
                // Something was said, so this is a row, and none of ours: it runs out.
                Some(Some(Shown::Passed | Shown::Failed | Shown::ExpiredPending)) => None,
            },
        }
    }

    /// Whether our `pending` must have run out by now, and its period of waiting is over: then the `failed` that GitLab
    /// makes of it is what it is to show.
    fn has_run_out(&self, known: &KnownStatus) -> bool {
        let now = self.resources.clock.now();
        let must = known.pending.is_some_and(|pending| now >= pending.said_at + PENDING_RUNS_OUT_AFTER);
        must && !self.is_period_running(known)
    }

    /// Whether a `pending` of ours must be said again: its period runs, and it gets old.
    fn is_heartbeat_due(&self, known: &KnownStatus) -> bool {
        let now = self.resources.clock.now();
        let is_old = known.pending.is_some_and(|pending| now >= pending.said_at + HEARTBEAT_AT_LEAST);
        known.shown == Some(Shown::PostedPending) && is_old && self.is_period_running(known)
    }

    /// Whether a period of waiting began that is not over: within it our `pending` is to show.
    pub(super) fn is_period_running(&self, known: &KnownStatus) -> bool {
        let now = self.resources.clock.now();
        known.pending.is_some_and(|pending| now < pending.since + self.resources.settings.heartbeat_for)
    }

    /// Logs and counts what was decided, and puts it into the form that is recorded and said.
    pub(super) fn state(
        &self,
        shared: &Shared<'_>,
        sha: &CommitSha,
        checks: &[(Check, Evaluation)],
        weighed: &[Weighed],
    ) -> Result<Vec<Statement>, StoreError> {
        let pairs = weighed.iter().zip(checks);
        pairs
            .map(|(weighed, (check, evaluation))| {
                self.tell(weighed, sha, check, evaluation);
                self.statement(shared, (sha, check), evaluation, weighed.answer.status())
            })
            .collect()
    }

    fn tell(&self, weighed: &Weighed, sha: &CommitSha, check: &Check, evaluation: &Evaluation) {
        let Weighed { answer, vocabulary, .. } = weighed;
        let (project, iid) = (self.claim.merge_request.project, self.claim.merge_request.iid);
        let (sha, check, verdict) = (sha.short(), &check.name, verdict_word(evaluation.verdict));
        self.resources.metrics.evaluations.get_or_create(&EvaluationLabels { verdict }).inc();
        tracing::info!(%project, %iid, sha, %check, verdict, ?answer, summary = evaluation.summary, "decided");
        if *answer == Answer::Unsayable {
            tracing::error!(%project, %iid, sha, %check, verdict, ?vocabulary,
                "the verdict can't be said to this GitLab now; what it shows may be wrong");
        }
        if weighed.on_merge_train && *answer == Answer::Silence {
            tracing::warn!(%project, %iid, sha, %check, verdict,
                "a pass stays while the merge request is on a merge train: what is missing now was there before");
        }
    }
}
