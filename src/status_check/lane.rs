//! One claimed merge request: what is remembered of it, what is said about it, its settlement.
//!
//! How a verdict comes about is in `look.rs` (by asking GitLab) and `recall.rs` (by memory); both end here, where the
//! decision is recorded, the answers leave one by one, and the claim ends.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::decision::Check;
use crate::gitlab::Status;
use crate::merge_request::{CommitSha, StatusCheckId};
use crate::policy::PolicySet;
use crate::policy::evaluation::Evaluation;
use crate::policy::fact::MergeRequestFacts;
use crate::store::{
    Claim, KnownStatus, LEASE, Memory, NewDecision, Observations, PendingPeriod, Recorded, Settlement,
    StoreError, Work,
};

use super::aftermath::{forget, plan_heartbeats, supersede};
use super::mirror::{Extent, Mirroring, Proof, Standing};
use super::posting::{Saying, post, take_in};
use super::record::{Cause, Particulars, Shared, canonical, verdict_word};
use super::resources::Resources;

/// A claimed merge request with what is remembered of it.
pub(super) struct Lane<'a> {
    pub(super) resources: &'a Resources,
    pub(super) claim: Claim,
    pub(super) memory: Memory,
    /// GitLab's own names of the checks that it listed at this look, if it was asked.
    pub(super) titles: Vec<(StatusCheckId, String)>,
    /// When the merge request said that it changed last, if it was looked at.
    pub(super) updated_at: Option<Timestamp>,
}

/// A decision with what it says: one for each check, in the order of the settlement's statuses.
pub(super) struct Statement {
    pub(super) decision: NewDecision,
    pub(super) status: Option<Status>,
}

/// What is to be recorded and said, and how the claim ends after that.
pub(super) struct Conclusion<'a> {
    pub(super) statements: Vec<Statement>,
    pub(super) observations: Observations,
    /// What shows before anything is said.
    pub(super) settlement: Settlement,
    /// Whether GitLab lists the checks now, as opposed to being remembered to have listed them.
    pub(super) listed: bool,
    /// How the merge request stands, for those of the other ways to answer that may speak of it.
    pub(super) mirrored: Option<(Standing<'a>, Extent)>,
}

/// An answer to a check, with the index of its decision.
type Said = (usize, StatusCheckId, Status);

/// What answers are given with, and what becomes of them.
struct Telling<'a> {
    policies: &'a PolicySet,
    /// The decisions' numbers.
    numbers: &'a [i64],
    listed: bool,
    settlement: &'a mut Settlement,
}

impl<'a> Lane<'a> {
    pub(super) async fn open(resources: &'a Resources, claim: Claim) -> Result<Self, StoreError> {
        let memory = resources.queue.memory(claim.merge_request).await?;
        Ok(Self { resources, claim, memory, titles: Vec::new(), updated_at: None })
    }

    /// What is remembered for this very SHA and target branch.
    pub(super) fn of_head(&self, subject: &MergeRequestFacts) -> impl Iterator<Item = &KnownStatus> {
        self.memory
            .statuses
            .iter()
            .filter(|known| known.sha == subject.sha && known.target_branch == subject.target_branch)
    }

    /// What is remembered of a check on a SHA, whatever the target branch: rows of GitLab's know none.
    pub(super) fn remembered(&self, sha: &CommitSha, check: StatusCheckId) -> Option<&KnownStatus> {
        self.memory.statuses.iter().find(|known| known.sha == *sha && known.check == check)
    }

    /// Whether somebody pressed Retry for a check on a head since the lane was served last, and nothing was said since.
    pub(super) fn is_retried(&self, sha: &CommitSha, check: StatusCheckId) -> bool {
        let mut asked = self.memory.asked.iter();
        let is_asked = asked.any(|asked| asked.check == check && asked.retried.as_ref() == Some(sha));
        is_asked && self.remembered(sha, check).is_none_or(|known| known.shown.is_none())
    }

    /// Records what was decided, says what is to be said (what is taken back before what is granted, and first to the
    /// status checks), and settles.
    pub(super) async fn conclude(
        &self,
        policies: &PolicySet,
        conclusion: Conclusion<'_>,
    ) -> Result<Settlement, StoreError> {
        let Conclusion { statements, observations, mut settlement, listed, mirrored } = conclusion;
        let mut mirroring = mirrored.as_ref().map(|(standing, extent)| {
            let remembered = &self.memory.mirrors;
            Mirroring::new(self.resources, &self.claim, policies, remembered, (standing, *extent))
        });
        let said = statements
            .iter()
            .enumerate()
            .filter_map(|(index, statement)| Some((index, statement.decision.check?, statement.status?)));
        let (grants, withdrawals): (Vec<Said>, Vec<Said>) =
            said.partition(|(_, _, status)| *status == Status::Passed);
        let decisions: Vec<_> = statements.into_iter().map(|statement| statement.decision).collect();
        let is_silent = grants.is_empty() && withdrawals.is_empty();
        if is_silent && !mirroring.as_ref().is_some_and(Mirroring::may_speak) {
            settlement.decisions = decisions;
            settlement.observations = observations;
        } else {
            let answering = self.prepare(&mut settlement, withdrawals.iter().chain(&grants));
            let proven = Instant::now();
            let queue = &self.resources.queue;
            let (recorded, numbers) = queue.record(&self.claim, decisions, observations, answering).await?;
            if recorded == Recorded::Superseded {
                supersede(&mut settlement, self.resources.clock.now());
                return Ok(settlement);
            }
            let mut proven = Some(proven);
            let mut saying = Telling { policies, numbers: &numbers, listed, settlement: &mut settlement };
            self.say_all(&withdrawals, &mut proven, &mut saying).await?;
            if let Some(mirroring) = &mut mirroring {
                self.note_proof(mirroring.withdraw().await?, saying.settlement);
                proven = proven.filter(|_| !mirroring.has_spoken());
            }
            self.say_all(&grants, &mut proven, &mut saying).await?;
            if let Some(mirroring) = &mut mirroring {
                self.note_proof(mirroring.show().await?, saying.settlement);
            }
        }
        if let Some(mirroring) = mirroring {
            mirroring.end(&mut settlement);
        }
        if !self.is_in_force(policies) {
            supersede(&mut settlement, self.resources.clock.now());
        }
        Ok(settlement)
    }

    /// What is known of the checks that are about to be answered, each with the period of waiting that its answer makes.
    fn prepare<'b>(
        &self,
        settlement: &mut Settlement,
        said: impl Iterator<Item = &'b Said>,
    ) -> Vec<KnownStatus> {
        let mut answering = Vec::new();
        for (_, check, status) in said {
            for known in settlement.statuses.iter_mut().filter(|known| known.check == *check) {
                known.pending = self.period_after(known, *status);
                answering.push(known.clone());
            }
        }
        answering
    }

    /// Answers some of the checks, each only while it may still be answered.
    async fn say_all(
        &self,
        said: &[Said],
        proven: &mut Option<Instant>,
        telling: &mut Telling<'_>,
    ) -> Result<(), StoreError> {
        for (index, check, status) in said {
            let known = telling.settlement.statuses.iter().find(|known| known.check == *check).cloned();
            let (Some(known), Some(decision)) = (known, telling.numbers.get(*index).copied()) else {
                continue;
            };
            if !self.may_still_speak(proven.take(), telling.policies).await? {
                supersede(telling.settlement, self.resources.clock.now());
                forget(telling.settlement, known.check);
                continue;
            }
            let KnownStatus { sha, check, name, .. } = &known;
            let (status, listed) = (*status, telling.listed);
            let saying = Saying { sha, check: *check, name, status, decision, listed };
            let outcome = post(self.resources, &self.claim, saying).await;
            let now = self.resources.clock.now();
            take_in(telling.settlement, self.claim.work, known.check, outcome, now);
        }
        Ok(())
    }

    fn note_proof(&self, proof: Proof, settlement: &mut Settlement) {
        if proof == Proof::Superseded {
            supersede(settlement, self.resources.clock.now());
        }
    }

    /// The period of waiting that a word begins, goes on with, or ends.
    fn period_after(&self, known: &KnownStatus, status: Status) -> Option<PendingPeriod> {
        let now = self.resources.clock.now();
        let goes_on = known.pending.filter(|_| !self.is_retried(&known.sha, known.check));
        (status == Status::Pending)
            .then(|| PendingPeriod { since: goes_on.map_or(now, |pending| pending.since), said_at: now })
    }

    pub(super) fn is_in_force(&self, policies: &PolicySet) -> bool {
        self.resources.is_in_force(policies)
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
        Ok(is_current && proven.elapsed() + self.resources.decider.gitlab.timeout() < LEASE)
    }

    /// One decision on one check, in canonical bytes, with what it says.
    pub(super) fn statement(
        &self,
        shared: &Shared<'_>,
        (sha, check): (&CommitSha, &Check),
        evaluation: &Evaluation,
        status: Option<Status>,
    ) -> Result<Statement, StoreError> {
        let decided_at = self.resources.clock.now();
        let particulars = Particulars {
            decided_at,
            cause: &self.cause(shared.revision()),
            merge_request: self.claim.merge_request,
            sha,
            check: check.id,
            check_name: &check.name,
            evaluation,
            answer: status,
        };
        let record = canonical(shared, &particulars)?;
        let decision = NewDecision {
            decided_at,
            sha: sha.clone(),
            check: check.id,
            name: check.name.clone(),
            verdict: verdict_word(evaluation.verdict),
            record,
            blobs: Arc::clone(&shared.blobs),
        };
        Ok(Statement { decision, status })
    }

    fn cause(&self, revision: &str) -> Cause {
        let served = self.claim.waiting_since.filter(|_| !self.claim.leaves_delivery);
        let delivery = served.and(self.memory.newest_delivery.as_ref());
        let is_of_others = self.memory.last.as_ref().is_some_and(|last| {
            last.revision.as_deref().is_some_and(|under| under != revision || !last.is_newest)
        });
        let (event, action) = match delivery {
            Some(delivery) => (delivery.event.clone(), delivery.action.clone()),
            None if is_of_others => ("policies".to_owned(), None),
            None if let Some(event) = &self.claim.woken_by => (event.clone(), None),
            // One that has to be tried again is a look that doubts what shows.
            None if self.claim.work != Work::Recall && self.claim.distrust => ("sweep".to_owned(), None),
            None => ("time".to_owned(), None),
        };
        Cause { event, action, delivery: self.claim.generation, attempt: self.claim.attempt }
    }

    /// Ends the claim.
    pub(super) async fn settle(self, mut settlement: Settlement) -> Result<(), StoreError> {
        let resources = self.resources;
        if !settlement.unfinished
            && !self.claim.leaves_delivery
            && let Some(since) = self.claim.waiting_since
        {
            resources.metrics.delivery_to_answer.observe(resources.clock.since(since).as_secs_f64());
        }
        plan_heartbeats(&mut settlement, resources);
        settlement.updated_at = self.updated_at;
        let merge_request = self.claim.merge_request;
        resources.drift.settled(&resources.metrics, merge_request, &settlement);
        resources.queue.settle(self.claim, settlement).await
    }
}
