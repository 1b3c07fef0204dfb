//! One claimed merge request: what is remembered of it, its look, its answers, its settlement.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::decision::{ApprovalMemory, Asking, Check, Decided, Failure, Look, Remembered};
use crate::gitlab::{CALL_TIMEOUT, Status};
use crate::merge_request::{CheckName, StatusCheckId};
use crate::policy::PolicySet;
use crate::policy::evaluation::{Evaluation, Verdict};
use crate::policy::fact::{MergeRequestFacts, Sightings};
use crate::store::{
    Asked, Claim, KnownStatus, LEASE, Memory, NewDecision, Observations, Recorded, Settlement, Shown,
    StoreError,
};
use crate::telemetry::EvaluationLabels;

use super::aftermath::{UNSETTLED_LOOK, earliest, forget, is_unsettled, observations, supersede, wake_at};
use super::answer::{Answer, Circumstances, Vocabulary, answer};
use super::pause::{PARKED_FOR, pause, since_then};
use super::posting::{Saying, post, take_in};
use super::record::{Cause, Particulars, Shared, canonical, verdict_word};
use super::resources::Resources;

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
    vocabulary: Vocabulary,
    answer: Answer,
}

impl<'a> Lane<'a> {
    pub(super) async fn open(resources: &'a Resources, claim: Claim) -> Result<Self, StoreError> {
        let memory = resources.queue.memory(claim.merge_request).await?;
        Ok(Self { resources, claim, memory })
    }

    /// Looks at the merge request with everything that is remembered of it.
    pub(super) async fn look(&self, policies: &PolicySet) -> Result<Look, Failure> {
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
        let merge_request = self.claim.merge_request;
        let asked = Asking { merge_request, policies, remembered: &remembered, list, known: &known };
        self.resources.decider.look(&asked).await
    }

    /// The checks that are remembered for this very SHA and target branch; none of them if any is in doubt, or if
    /// GitLab asks one that is not among them or has another name by now.
    fn known_checks(&self, subject: &MergeRequestFacts) -> Vec<Check> {
        let of_head: Vec<_> = self.of_head(subject).collect();
        let is_known = |asked: &Asked| {
            let has_its_name =
                |known: &KnownStatus| asked.name.as_ref().is_none_or(|name| *name == known.name);
            of_head.iter().any(|known| known.check == asked.check && has_its_name(known))
        };
        let is_doubted = |known: &&KnownStatus| known.shown.is_none() || known.confirm_at.is_some();
        if of_head.iter().any(is_doubted) || !self.memory.asked.iter().all(is_known) {
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
            if !self.is_in_force(policies) {
                supersede(&mut settlement);
            }
            return self.settle(settlement).await;
        }
        let queue = &self.resources.queue;
        let proven = Instant::now();
        let (recorded, numbers) = queue.record(&self.claim, decisions, observations, posts).await?;
        if recorded == Recorded::Superseded {
            supersede(&mut settlement);
            return self.settle(settlement).await;
        }
        let mut proven = Some(proven);
        for (said, decision) in said.iter().zip(numbers) {
            let Answer::Post(status) = said.answer else { continue };
            let (check, name) = (said.check.id, &said.check.name);
            if !self.may_still_speak(proven.take(), policies).await? {
                supersede(&mut settlement);
                forget(&mut settlement, check);
                continue;
            }
            let (sha, listed) = (&decided.facts.merge_request.sha, decided.listed.is_some());
            let outcome =
                post(self.resources, &self.claim, Saying { sha, check, name, status, decision, listed })
                    .await;
            take_in(&mut settlement, check, outcome);
        }
        self.settle(settlement).await
    }

    /// Nothing could be decided: a `passed` that may show is taken back, for what it was given for may have changed.
    /// Only of the newest head; GitLab itself refuses if another one came since.
    pub(super) async fn withdraw(
        self,
        policies: &PolicySet,
        failure: &Failure,
        mut settlement: Settlement,
    ) -> Result<(), StoreError> {
        let doubtful: Vec<_> = self.doubtful().cloned().collect();
        let answer = if doubtful.is_empty() { Answer::Silence } else { self.taking_back().await };
        let Answer::Post(status) = answer else { return self.settle(settlement).await };
        let decisions = self.write_down_failure(policies, failure, &doubtful, status)?;
        let posts = doubtful.clone();
        let mut proven = Some(Instant::now());
        let queue = &self.resources.queue;
        let (recorded, numbers) =
            queue.record(&self.claim, decisions, Observations::default(), posts).await?;
        if recorded == Recorded::Superseded {
            supersede(&mut settlement);
            return self.settle(settlement).await;
        }
        for (known, decision) in doubtful.iter().zip(numbers) {
            if !self.may_still_speak(proven.take(), policies).await? {
                break;
            }
            let KnownStatus { sha, check, name, .. } = known;
            let outcome = post(
                self.resources,
                &self.claim,
                Saying { sha, check: *check, name, status, decision, listed: true },
            )
            .await;
            settlement.statuses.push(known.clone());
            take_in(&mut settlement, *check, outcome);
        }
        self.settle(settlement).await
    }

    /// What may show `passed` of the newest head that is known.
    fn doubtful(&self) -> impl Iterator<Item = &KnownStatus> {
        let newest = self.memory.newest_delivery.as_ref().and_then(|delivery| delivery.sha.as_ref());
        let newest = newest.or_else(|| self.memory.statuses.first().map(|known| &known.sha));
        self.memory.statuses.iter().filter(move |known| known.may_show_passed && Some(&known.sha) == newest)
    }

    /// How a `passed` is taken back while nothing can be decided.
    async fn taking_back(&self) -> Answer {
        let circumstances = Circumstances {
            shown: None,
            vocabulary: self.resources.vocabulary().await,
            waiting_is_failed: self.resources.settings.waiting_is_failed,
            undecided_too_long: false,
            may_grant: false,
        };
        answer(Verdict::UndecidedCurable, circumstances)
    }

    fn write_down_failure(
        &self,
        policies: &PolicySet,
        failure: &Failure,
        doubtful: &[KnownStatus],
        status: Status,
    ) -> Result<Vec<NewDecision>, StoreError> {
        let evaluation = Evaluation {
            verdict: Verdict::UndecidedCurable,
            summary: format!("could not be decided: {failure}"),
            policies: Vec::new(),
            recheck_at: None,
        };
        let shared = Shared::without_facts(policies);
        let (cause, decided_at) = (self.cause(), Timestamp::now());
        doubtful
            .iter()
            .map(|known| {
                let particulars = Particulars {
                    decided_at,
                    cause: &cause,
                    merge_request: self.claim.merge_request,
                    sha: &known.sha,
                    check: known.check,
                    check_name: &known.name,
                    evaluation: &evaluation,
                    answer: Some(status),
                };
                new_decision(&shared, &particulars)
            })
            .collect()
    }

    fn is_in_force(&self, policies: &PolicySet) -> bool {
        self.resources.bundle.current().revision() == policies.revision()
    }

    /// Whether nothing newer came, no other policies came into force, and the lease outlasts the call. The first answer
    /// follows the record at once, which proved the claim in the same commit; `proven` is when that began.
    async fn may_still_speak(
        &self,
        proven: Option<Instant>,
        policies: &PolicySet,
    ) -> Result<bool, StoreError> {
        if !self.is_in_force(policies) {
            return Ok(false);
        }
        let (proven, is_current) = match proven {
            Some(proven) => (proven, true),
            None => (Instant::now(), self.resources.queue.is_current(&self.claim).await?),
        };
        // A process that was stopped in between must not speak with an old right.
        Ok(is_current && proven.elapsed() + CALL_TIMEOUT < LEASE)
    }

    /// What each verdict means for what GitLab shows.
    async fn weigh(&self, decided: &Decided) -> Vec<Said> {
        // Who can't say anything but passed need not ask which words there are.
        let only_passes = decided.checks.iter().all(|(_, evaluation)| evaluation.verdict == Verdict::Passed);
        let vocabulary = if only_passes { Vocabulary::Unproven } else { self.resources.vocabulary().await };
        let undecided_for = self.claim.undecided_since.map_or(Duration::ZERO, since_then);
        self.resources.metrics.panics.inc_by(decided.panics.try_into().unwrap_or(u64::MAX));
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
            said.push(Said { check: check.clone(), verdict: evaluation.verdict, shown, vocabulary, answer });
        }
        said
    }

    fn shown(&self, decided: &Decided, check: StatusCheckId) -> Option<Shown> {
        if let Some(listed) = &decided.listed {
            let status = listed.iter().find(|(id, _)| *id == check).map(|(_, status)| status);
            return status.and_then(|status| match status {
                Status::Passed => Some(Shown::Passed),
                Status::Failed => Some(Shown::Failed),
                Status::Pending => self.listed_pending(&decided.facts.merge_request, check),
            });
        }
        self.of_head(&decided.facts.merge_request).find(|known| known.check == check)?.shown
    }

    /// The list does not tell a pending without a row from a row that runs out. After a Retry it is a row, and
    /// whoever pressed it wants an answer.
    fn listed_pending(&self, subject: &MergeRequestFacts, check: StatusCheckId) -> Option<Shown> {
        let mut statuses = self.memory.statuses.iter();
        let remembered = statuses.find(|known| known.sha == subject.sha && known.check == check);
        let is_retried = self.memory.asked.iter().any(|asked| asked.check == check && asked.by_retry);
        match remembered.map(|known| known.shown) {
            Some(Some(Shown::PostedPending)) => Some(Shown::PostedPending),
            _ if is_retried => None,
            None | Some(Some(Shown::ImplicitPending)) => Some(Shown::ImplicitPending),
            Some(Some(Shown::Passed | Shown::Failed) | None) => Some(Shown::PostedPending),
        }
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
        let shared = Shared::new(&decided.facts, policies).map_err(|error| unwritable(&error))?;
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
            decisions.push(new_decision(&shared, &particulars)?);
        }
        Ok((decisions, observations(decided)))
    }

    fn cause(&self) -> Cause {
        let delivery = self.claim.waiting_since.and(self.memory.newest_delivery.as_ref());
        let (event, action) = delivery.map_or_else(
            || ("time".to_owned(), None),
            |delivery| (delivery.event.clone(), delivery.action.clone()),
        );
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
            may_show_passed: false,
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
        let unsayable = || said.iter().filter(|said| said.answer == Answer::Unsayable);
        // A GitLab without the word gets it with an upgrade at the earliest.
        if unsayable().any(|said| said.vocabulary == Vocabulary::OnlyPassed) {
            self.resources.metrics.parked.inc();
            settlement.settled_as = "unsayable";
            settlement.next = earliest(settlement.next, Some(Timestamp::now() + PARKED_FOR));
        }
        if curable || unsayable().any(|said| said.vocabulary != Vocabulary::OnlyPassed) {
            settlement.unfinished = true;
            settlement.undecided = curable;
            settlement.settled_as = "undecided";
            settlement.next = earliest(settlement.next, Some(Timestamp::now() + pause(self.claim.attempt)));
        }
        settlement
    }

    /// Ends the claim.
    pub(super) async fn settle(self, settlement: Settlement) -> Result<(), StoreError> {
        if !settlement.unfinished
            && let Some(since) = self.claim.waiting_since
        {
            self.resources.metrics.delivery_to_answer.observe(since_then(since).as_secs_f64());
        }
        self.resources.queue.settle(self.claim, settlement).await
    }
}

fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Row(error.to_string())
}

fn new_decision(shared: &Shared<'_>, particulars: &Particulars<'_>) -> Result<NewDecision, StoreError> {
    Ok(NewDecision {
        decided_at: particulars.decided_at,
        sha: particulars.sha.clone(),
        check: particulars.check,
        name: particulars.check_name.clone(),
        verdict: verdict_word(particulars.evaluation.verdict),
        record: canonical(shared, particulars).map_err(|error| unwritable(&error))?,
        blobs: Arc::clone(&shared.blobs),
    })
}
