//! One claimed merge request: what is remembered of it, its look, its answers, its settlement.

use std::time::Duration;

use jiff::Timestamp;

use crate::decision::{ApprovalMemory, Check, Decided, Failure, Look, Remembered};
use crate::gitlab::{Error, Status};
use crate::merge_request::{CheckName, StatusCheckId};
use crate::policy::PolicySet;
use crate::policy::evaluation::{Evaluation, Reason, RuleState, Truth, Verdict};
use crate::policy::fact::{Known, MergeRequestFacts, Sightings};
use crate::store::{
    Claim, KnownStatus, LEASE, Memory, NewAnswer, NewDecision, Observations, Recorded, Settlement, Shown,
    SightedApproval, StoreError, UNCLEAR_FOR,
};
use crate::telemetry::EvaluationLabels;

use super::answer::{Answer, Circumstances, Vocabulary, answer};
use super::pause::{PARKED_FOR, pause, since_then};
use super::record::{Cause, Particulars, Shared, canonical, verdict_word};
use super::resources::Resources;

/// How soon a rule that waits for a pipeline or for GitLab is looked at again without any event.
const UNSETTLED_LOOK: Duration = Duration::from_secs(120);
/// The least pause before time is looked at again: GitLab dates to the second.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// A claimed merge request with what is remembered of it.
pub(super) struct Lane<'a> {
    resources: &'a Resources,
    pub(super) claim: Claim,
    memory: Memory,
}

/// One check's verdict and what will be said about it.
struct Said {
    check: Check,
    verdict: Verdict,
    shown: Option<Shown>,
    answer: Answer,
}

/// What became of an answer.
struct Outcome {
    shown: Option<Shown>,
    answer: NewAnswer,
    /// Whether it may still take effect.
    unclear: bool,
    /// When to come back, if the answer did not take effect as meant.
    again: Option<Duration>,
}

/// A settlement that comes back after a pause.
pub(super) fn again(settled_as: &'static str, pause: Duration) -> Settlement {
    let next = Some(Timestamp::now() + pause);
    Settlement { unfinished: true, next, settled_as, ..Settlement::default() }
}

impl<'a> Lane<'a> {
    pub(super) async fn open(resources: &'a Resources, claim: Claim) -> Result<Self, StoreError> {
        let memory = resources.queue.memory(claim.merge_request).await?;
        Ok(Self { resources, claim, memory })
    }

    /// Looks at the merge request with everything that is remembered of it.
    ///
    /// A look may take longer than a lease when GitLab is slow, so the lease is renewed meanwhile: else the lane would be
    /// claimed again and again, and no look would ever count. None when the lease was lost all the same (the machine
    /// slept, say): what was read by then is old.
    pub(super) async fn look(
        &self,
        policies: &PolicySet,
    ) -> Result<Option<Result<Look, Failure>>, StoreError> {
        let looking = self.read(policies);
        tokio::pin!(looking);
        loop {
            tokio::select! {
                looked = &mut looking => return Ok(Some(looked)),
                () = tokio::time::sleep(LEASE / 3) => if !self.resources.queue.renew(&self.claim).await? {
                    return Ok(None);
                },
            }
        }
    }

    async fn read(&self, policies: &PolicySet) -> Result<Look, Failure> {
        let remembered = Remembered {
            sightings: Sightings {
                pushers: self.memory.pushers.iter().copied().collect(),
                version_targets: self.memory.version_targets.clone(),
            },
            approvals: ApprovalMemory {
                seen: self.memory.approvals.clone(),
                read_at: self.memory.approvals_read_at,
            },
        };
        let list = self.claim.distrust || self.memory.statuses.is_empty();
        let known = |subject: &MergeRequestFacts| self.known_checks(subject);
        self.resources.decider.look(self.claim.merge_request, policies, &remembered, list, &known).await
    }

    /// The checks that are remembered for this very SHA and target branch; none of them if any is in doubt, or if
    /// GitLab asked one that is not among them: it may have been added since.
    fn known_checks(&self, subject: &MergeRequestFacts) -> Vec<Check> {
        let of_head: Vec<_> = self.of_head(subject).collect();
        let is_strange = |asked: &StatusCheckId| !of_head.iter().any(|known| known.check == *asked);
        let is_doubted = |known: &&KnownStatus| known.shown.is_none() || known.confirm_at.is_some();
        if of_head.iter().any(is_doubted) || self.memory.asked.iter().any(is_strange) {
            return Vec::new();
        }
        of_head.iter().map(|known| Check { id: known.check, name: known.name.clone() }).collect()
    }

    fn of_head(&self, subject: &MergeRequestFacts) -> impl Iterator<Item = &KnownStatus> {
        self.memory
            .statuses
            .iter()
            .filter(|known| known.sha == subject.sha && known.target_branch == subject.target_branch)
    }

    /// Records what was decided, says what is to be said, and settles.
    pub(super) async fn answer(self, policies: &PolicySet, decided: Decided) -> Result<(), StoreError> {
        let said = self.weigh(&decided).await;
        let (decisions, observations) = self.write_down(policies, &decided, &said)?;
        let mut settlement = self.aftermath(&decided, &said);
        let posts: Vec<_> = said
            .iter()
            .zip(&settlement.statuses)
            .filter(|(said, _)| matches!(said.answer, Answer::Post(_)))
            .map(|(_, known)| known.clone())
            .collect();
        if posts.is_empty() {
            settlement.decisions = decisions;
            settlement.observations = observations;
            return self.settle(settlement).await;
        }
        let queue = &self.resources.queue;
        let (recorded, numbers) = queue.record(&self.claim, decisions, observations, posts).await?;
        if recorded == Recorded::Superseded {
            settlement.settled_as = "superseded";
            settlement.superseded = true;
            return self.settle(settlement).await;
        }
        for (index, (said, number)) in said.iter().zip(numbers).enumerate() {
            let Answer::Post(status) = said.answer else { continue };
            if !self.may_still_speak(index == 0, policies).await? {
                settlement.settled_as = "superseded";
                forget(&mut settlement, said.check.id);
                continue;
            }
            let outcome = self.post(&decided.facts.merge_request, said, number, status).await;
            take_in(&mut settlement, said.check.id, outcome);
        }
        self.settle(settlement).await
    }

    /// Whether nothing newer came and no other policies came into force. The first answer follows the record at once,
    /// which proved the claim in the same commit.
    async fn may_still_speak(&self, just_recorded: bool, policies: &PolicySet) -> Result<bool, StoreError> {
        if self.resources.bundle.current().revision() != policies.revision() {
            return Ok(false);
        }
        Ok(just_recorded || self.resources.queue.is_current(&self.claim).await?)
    }

    /// What each verdict means for what GitLab shows.
    async fn weigh(&self, decided: &Decided) -> Vec<Said> {
        // Who can't say anything but passed need not ask which words there are.
        let only_passes = decided.checks.iter().all(|(_, evaluation)| evaluation.verdict == Verdict::Passed);
        let vocabulary = if only_passes { Vocabulary::Unproven } else { self.resources.vocabulary().await };
        let undecided_for = self.claim.undecided_since.map_or(Duration::ZERO, since_then);
        let mut said = Vec::new();
        for (check, evaluation) in &decided.checks {
            let shown = self.shown(decided, check.id);
            let circumstances = Circumstances {
                shown,
                vocabulary,
                waiting_is_failed: self.resources.settings.waiting_is_failed,
                undecided_too_long: undecided_for >= self.resources.settings.undecided_after,
                may_grant: self.resources.may_grant(),
            };
            let answer = answer(evaluation.verdict, circumstances);
            self.tell(&decided.facts.merge_request, &check.name, evaluation, answer, vocabulary);
            said.push(Said { check: check.clone(), verdict: evaluation.verdict, shown, answer });
        }
        said
    }

    fn shown(&self, decided: &Decided, check: StatusCheckId) -> Option<Shown> {
        if let Some(listed) = &decided.listed {
            let status = listed.iter().find(|(id, _)| *id == check).map(|(_, status)| status);
            return status.map(|status| match status {
                Status::Passed => Shown::Passed,
                Status::Failed => Shown::Failed,
                Status::Pending => Shown::ImplicitPending,
            });
        }
        self.of_head(&decided.facts.merge_request).find(|known| known.check == check)?.shown
    }

    /// Until when an earlier answer to a check may still arrive.
    fn still_unclear(&self, subject: &MergeRequestFacts, check: StatusCheckId) -> Option<Timestamp> {
        let known = self.of_head(subject).find(|known| known.check == check)?;
        known.confirm_at.filter(|at| *at > Timestamp::now())
    }

    fn tell(
        &self,
        subject: &MergeRequestFacts,
        check: &CheckName,
        evaluation: &Evaluation,
        answer: Answer,
        vocabulary: Vocabulary,
    ) {
        let verdict = verdict_word(evaluation.verdict);
        self.resources.metrics.evaluations.get_or_create(&EvaluationLabels { verdict }).inc();
        let (project, iid, sha) =
            (subject.merge_request.project, subject.merge_request.iid, subject.sha.short());
        tracing::info!(%project, %iid, sha, %check, verdict, ?answer, summary = evaluation.summary, "decided");
        if answer == Answer::Unsayable {
            tracing::error!(%project, %iid, sha, %check, verdict, ?vocabulary,
                "the verdict can't be said to this GitLab now; what it shows may be wrong");
        }
    }

    /// The canonical records, and what the evaluation saw that later ones need.
    fn write_down(
        &self,
        policies: &PolicySet,
        decided: &Decided,
        said: &[Said],
    ) -> Result<(Vec<NewDecision>, Observations), StoreError> {
        let unwritable = |error: serde_json::Error| StoreError::Row(error.to_string());
        let shared = Shared::new(&decided.facts, policies).map_err(unwritable)?;
        let cause = self.cause();
        let decided_at = Timestamp::now();
        let sha = &decided.facts.merge_request.sha;
        let mut decisions = Vec::new();
        for (said, (check, evaluation)) in said.iter().zip(&decided.checks) {
            let answer = if let Answer::Post(status) = said.answer { Some(status) } else { None };
            let particulars = Particulars {
                decided_at,
                cause: &cause,
                merge_request: self.claim.merge_request,
                sha,
                check: check.id,
                check_name: &check.name,
                evaluation,
                answer,
            };
            decisions.push(NewDecision {
                decided_at,
                sha: sha.clone(),
                check: check.id,
                name: check.name.clone(),
                verdict: verdict_word(said.verdict),
                record: canonical(&shared, &particulars).map_err(unwritable)?,
                blobs: shared.blobs(),
            });
        }
        Ok((decisions, observations(decided)))
    }

    fn cause(&self) -> Cause {
        let delivery = self.claim.waiting_since.and(self.memory.newest_delivery.clone());
        let (event, action) = delivery.unwrap_or_else(|| ("time".to_owned(), None));
        Cause { event, action, delivery: self.claim.generation, attempt: self.claim.attempt }
    }

    /// The settlement as it is before anything was said: what shows, and when to come back.
    fn aftermath(&self, decided: &Decided, said: &[Said]) -> Settlement {
        let subject = &decided.facts.merge_request;
        let statuses = said.iter().map(|said| KnownStatus {
            sha: subject.sha.clone(),
            check: said.check.id,
            name: said.check.name.clone(),
            target_branch: subject.target_branch.clone(),
            shown: said.shown,
            confirm_at: self.still_unclear(subject, said.check.id),
        });
        let mut settlement =
            Settlement { statuses: statuses.collect(), settled_as: "answered", ..Settlement::default() };
        settlement.next = settlement.statuses.iter().filter_map(|known| known.confirm_at).min();
        for (_, evaluation) in &decided.checks {
            let next = evaluation.recheck_at.map(|at| wake_at(at, decided.facts.now, Timestamp::now()));
            settlement.next = earliest(settlement.next, next);
            if is_unsettled(evaluation) {
                settlement.next = earliest(settlement.next, Some(Timestamp::now() + UNSETTLED_LOOK));
            }
        }
        let curable = said.iter().any(|said| said.verdict == Verdict::UndecidedCurable);
        if curable || said.iter().any(|said| said.answer == Answer::Unsayable) {
            settlement.unfinished = true;
            settlement.undecided = curable;
            settlement.settled_as = "undecided";
            settlement.next = earliest(settlement.next, Some(Timestamp::now() + pause(self.claim.attempt)));
        }
        settlement
    }

    async fn post(&self, subject: &MergeRequestFacts, said: &Said, decision: i64, status: Status) -> Outcome {
        let sent_at = Timestamp::now();
        let gitlab = &self.resources.decider.gitlab;
        let result = gitlab.respond(self.claim.merge_request, said.check.id, &subject.sha, status).await;
        let reply = match &result {
            Ok(()) => "taken".to_owned(),
            Err(error) => error.to_string(),
        };
        let answer = NewAnswer {
            decision,
            status: status.as_str(),
            sent_at,
            replied_at: Timestamp::now(),
            reply: reply.clone(),
        };
        let (project, iid, sha) =
            (subject.merge_request.project, subject.merge_request.iid, subject.sha.short());
        let metrics = &self.resources.metrics;
        let error = match result {
            Ok(()) => {
                metrics.count_answer(status.as_str());
                tracing::info!(%project, %iid, sha, check = %said.check.name, status = status.as_str(), "answered");
                let shown = match status {
                    Status::Passed => Shown::Passed,
                    Status::Failed => Shown::Failed,
                    Status::Pending => Shown::PostedPending,
                };
                return Outcome { shown: Some(shown), answer, unclear: false, again: None };
            }
            Err(error) => error,
        };
        tracing::warn!(%project, %iid, sha, check = %said.check.name, status = status.as_str(), %reply, "not answered");
        let pause = self.after_refusal(&error).await;
        Outcome { shown: None, answer, unclear: error.is_unclear(), again: Some(pause) }
    }

    /// How long to wait after an answer that did not take effect as meant, or whose fate is unclear.
    async fn after_refusal(&self, error: &Error) -> Duration {
        let metrics = &self.resources.metrics;
        match error {
            Error::HeadMoved { .. } => {
                metrics.count_answer("superseded");
                // The new head is looked at once; a GitLab that goes on naming another one is given time.
                if self.claim.attempt == 1 { Duration::ZERO } else { pause(self.claim.attempt - 1) }
            }
            Error::RateLimited { retry_after, .. } => {
                metrics.count_answer("refused");
                retry_after.unwrap_or_else(|| pause(self.claim.attempt))
            }
            Error::Unavailable { .. } | Error::NoAnswer { .. } | Error::Malformed { .. } => {
                metrics.count_answer("unclear");
                error.retry_after().unwrap_or_else(|| pause(self.claim.attempt))
            }
            Error::Unauthorized { .. }
            | Error::Forbidden { .. }
            | Error::NotFound { .. }
            | Error::Refused { .. } => {
                metrics.count_answer("refused");
                metrics.parked.inc();
                self.resources.doubt_version().await;
                PARKED_FOR
            }
        }
    }

    /// Ends the claim.
    pub(super) async fn settle(self, settlement: Settlement) -> Result<(), StoreError> {
        if !settlement.unfinished
            && !settlement.superseded
            && let Some(since) = self.claim.waiting_since
        {
            self.resources.metrics.delivery_to_answer.observe(since_then(since).as_secs_f64());
        }
        self.resources.queue.settle(self.claim, settlement).await
    }
}

/// What later evaluations need of this one's reads.
fn observations(decided: &Decided) -> Observations {
    let newest = match &decided.facts.versions {
        Some(Known::Value(versions)) => versions.first().map(|version| version.id),
        _ => None,
    };
    let target = decided.facts.merge_request.target_branch.clone();
    let approvals = decided.approvals.as_ref().and_then(|read| {
        let sighted = read
            .approvals
            .iter()
            .map(|approval| SightedApproval { user: approval.user.id, not_before: approval.not_before });
        Some((read.read_at?, sighted.collect()))
    });
    Observations { version_target: newest.map(|newest| (newest, target)), approvals }
}

/// Whether a blocking rule waits for something that no person has to do.
fn is_unsettled(evaluation: &Evaluation) -> bool {
    fn has_unsettled(reason: &Reason) -> bool {
        reason.truth == Truth::Unsettled || reason.parts.iter().any(has_unsettled)
    }
    evaluation.policies.iter().flat_map(|policy| &policy.rules).any(|rule| {
        rule.state == RuleState::Waiting && rule.when.iter().chain(&rule.require).any(has_unsettled)
    })
}

/// When, on our clock, an instant on GitLab's comes: were ours ahead, the lane would run each second until it came.
fn wake_at(at: Timestamp, gitlab_now: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let ahead = gitlab_now.map_or(jiff::SignedDuration::ZERO, |gitlab_now| now.duration_since(gitlab_now));
    at.checked_add(ahead).unwrap_or(at).max(now + LEAST_PAUSE)
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// What shows for a check is not known any more.
fn forget(settlement: &mut Settlement, check: StatusCheckId) {
    for known in settlement.statuses.iter_mut().filter(|known| known.check == check) {
        known.shown = None;
    }
    settlement.unfinished = true;
    settlement.next = earliest(settlement.next, Some(Timestamp::now()));
}

fn take_in(settlement: &mut Settlement, check: StatusCheckId, outcome: Outcome) {
    for known in settlement.statuses.iter_mut().filter(|known| known.check == check) {
        known.shown = outcome.shown;
        if outcome.unclear {
            known.confirm_at = Some(Timestamp::now() + UNCLEAR_FOR);
        }
    }
    settlement.answers.push(outcome.answer);
    if let Some(pause) = outcome.again {
        settlement.unfinished = true;
        settlement.settled_as = "not answered";
        settlement.next = earliest(settlement.next, Some(Timestamp::now() + pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_on_gitlabs_clock_is_awaited_by_ours() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        assert_eq!(wake_at(at(60), Some(at(0)), at(300)), at(360), "ours is ahead");
        assert_eq!(wake_at(at(60), Some(at(300)), at(0)), at(1), "ours is behind, and the instant is over");
        assert_eq!(wake_at(at(600), Some(at(300)), at(0)), at(300));
        assert_eq!(wake_at(at(60), None, at(0)), at(60));
    }
}
