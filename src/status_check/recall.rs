//! A decision by memory: only time or the policies changed, so what was read of the merge request still holds.
//!
//! What shows may be taken back, kept or said again from memory; what would be granted is looked at first. So a freeze
//! that begins withdraws a thousand passes without a single read.

use crate::decision::{self, Check, Recollection};
use crate::gitlab::{Status, was_held_back};
use crate::policy::PolicySet;
use crate::policy::evaluation::{Evaluation, Verdict};
use crate::policy::fact::Facts;
use crate::store::{Observations, Settlement, Shown, StoreError};
use jiff::Timestamp;

use super::aftermath::after;
use super::answer::{Answer, Weighed};
use super::lane::{Conclusion, Lane};
use super::mirror::{Extent, Mirroring, Standing};
use super::pause::pause;
use super::record::Shared;

/// What a recall came to.
pub(super) enum Recalled {
    /// All that is to be said is said; the claim ends so.
    Settled(Box<Settlement>),
    /// GitLab has to be asked.
    Look {
        /// When time may make plain what to take back, whatever GitLab says.
        recheck_at: Option<Timestamp>,
    },
}

impl Lane<'_> {
    /// Decides from what is remembered.
    pub(super) async fn recall(&self, policies: &PolicySet) -> Result<Recalled, StoreError> {
        const LOOK: Recalled = Recalled::Look { recheck_at: None };
        let Some(facts) = self.facts().await? else { return Ok(LOOK) };
        let checks = self.checks(&facts);
        let now = self.resources.on_gitlabs_clock(self.resources.clock.now());
        let Some(recollection) = decision::recall(policies, checks, facts, now) else { return Ok(LOOK) };
        let Recollection { checks, facts, is_partial } = recollection;
        if checks.is_empty() || checks.iter().any(|(_, evaluation)| is_open(evaluation, is_partial)) {
            let recheck_at = checks.iter().filter_map(|(_, evaluation)| evaluation.recheck_at).min();
            return Ok(Recalled::Look { recheck_at });
        }
        let mut weighed = self.weigh(&facts.merge_request, &checks, None).await;
        if is_partial && self.keeps_its_place(&weighed).await {
            return Ok(LOOK);
        }
        // Whether it is on a merge train, say, could not be asked.
        if was_held_back() {
            return Ok(LOOK);
        }
        if self.claim.leaves_delivery {
            weighed.iter_mut().filter(|weighed| !weighed.may_show_passed()).for_each(Weighed::silence);
        }
        let is_sayable = |weighed: &Weighed| self.is_sayable_from_memory(weighed, &facts);
        // Nor does a pass stay for want of a word where not all was asked.
        let is_mute = |weighed: &Weighed| is_partial && weighed.answer == Answer::Unsayable;
        if weighed.iter().any(|weighed| is_mute(weighed) || !is_sayable(weighed)) {
            return Ok(LOOK);
        }
        let dropped = self.dropped(&facts.merge_request, checks.iter().map(|(check, _)| check), false);
        let standing =
            self.is_mirrored().then(|| self.standing(&facts.merge_request, &checks, &weighed, &dropped));
        if let Some(standing) = &standing
            && self.must_look_to_mirror(policies, standing, may_have_moved(&facts))
        {
            return Ok(LOOK);
        }
        let shared = Shared::new(&facts, policies)?;
        let mut statements = self.state(&shared, &facts.merge_request.sha, &checks, &weighed)?;
        // Where nothing is said and no other policies decided, the decision before says it all.
        if self.is_decided_under(policies) && statements.iter().all(|statement| statement.status.is_none()) {
            statements.clear();
        }
        let mut settlement = after(self.resources, &self.claim, &checks, weighed, is_partial);
        settlement.settled_as = "recalled";
        // What other policies make of a pipeline that may have moved without an event is looked at in its turn, and so is what
        // is kept by facts that the policies in between did not read: no event of those woke anybody.
        let is_dated = !self.is_decided_under(policies) && (may_have_moved(&facts) || !self.is_watched());
        if (is_partial || is_dated)
            && let Some(at) = self.turn()
        {
            settlement.look_by(at);
        }
        settlement.revision = Some(policies.revision().as_str().to_owned());
        let observations = Observations::default();
        let extent = if self.claim.leaves_delivery { Extent::Withdrawals } else { Extent::All };
        let mirrored = standing.map(|standing| (standing, extent));
        let conclusion = Conclusion { statements, observations, settlement, listed: false, mirrored };
        let mut settlement = self.conclude(policies, conclusion).await?;
        if settlement.unfinished {
            // Its word did not take effect: memory can say it again before GitLab is asked.
            settlement.recall_by(self.resources.clock.now() + pause(self.claim.attempt));
        }
        Ok(Recalled::Settled(Box::new(settlement)))
    }

    /// When GitLab is asked what memory does not know: at once if only time went on since the last look, in turn under policies
    /// under which it was never asked; none if that comes in any case.
    pub(super) fn turn(&self) -> Option<Timestamp> {
        let now = self.resources.clock.now();
        match &self.memory.last {
            Some(last) if last.is_looked_at => Some(now),
            _ if self.claim.look_owed => None,
            _ => Some(self.resources.background.reserve(now)),
        }
    }

    /// Whether a pass that is not proven any more stays: on a merge train it goes for cause alone, and what was not asked is none.
    async fn keeps_its_place(&self, weighed: &[Weighed]) -> bool {
        let is_open = |weighed: &Weighed| weighed.verdict == Verdict::UndecidedCurable;
        let is_asked = weighed.iter().any(|weighed| is_open(weighed) && weighed.may_show_passed());
        is_asked && self.resources.is_on_merge_train(self.claim.merge_request).await
    }

    /// Whether what another way to answer would say must be true of this very moment, as with answers.
    fn must_look_to_mirror(&self, policies: &PolicySet, standing: &Standing<'_>, moves: bool) -> bool {
        let (claim, remembered) = (&self.claim, &self.memory.mirrors);
        let all = (standing, Extent::All);
        Mirroring::new(self.resources, claim, policies, remembered, all).must_look(moves)
    }

    /// The facts of the last look, if they are there in the form that is read today.
    async fn facts(&self) -> Result<Option<Facts>, StoreError> {
        let stored = self.memory.last.as_ref().and_then(|last| last.look.facts);
        let Some((digest, Facts::FORMAT)) = stored else { return Ok(None) };
        let blob = self.resources.decisions.blob(digest).await?;
        Ok(blob.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Our checks as they were listed for this head and target branch.
    fn checks(&self, facts: &Facts) -> Vec<Check> {
        let of_head = self.of_head(&facts.merge_request);
        let listed: Vec<_> =
            of_head.map(|known| Check { id: Some(known.check), name: known.name.clone() }).collect();
        if listed.is_empty() && self.is_unlisted() { vec![Check::unlisted()] } else { listed }
    }

    /// Whether the last decision was made under these policies: then it is time that woke the lane.
    pub(super) fn is_decided_under(&self, policies: &PolicySet) -> bool {
        let last = self.memory.last.as_ref().filter(|last| last.is_newest);
        last.and_then(|last| last.revision.as_deref()) == Some(policies.revision().as_str())
    }

    /// Whether the facts of the last look were watched over since, by policies that read them.
    fn is_watched(&self) -> bool {
        self.memory.last.as_ref().is_some_and(|last| last.is_watched)
    }

    /// Whether an answer may leave without asking GitLab first: silence, what takes a pass back, and what is said again
    /// while its period lasts. Anything else must be true of this very moment; a pipeline may have moved without an event,
    /// and what ran out for good must not be said anew by a process that does not know what shows.
    fn is_sayable_from_memory(&self, weighed: &Weighed, facts: &Facts) -> bool {
        let status = match weighed.answer {
            Answer::Silence | Answer::Unsayable => return true,
            Answer::Post(status) => status,
        };
        let Some(known) = &weighed.known else { return false };
        let is_again = status == Status::Pending && self.is_period_running(known);
        let is_believed = matches!(known.shown, Some(Shown::ImplicitPending | Shown::PostedPending));
        status != Status::Passed
            && (known.may_show_passed() || is_again || (is_believed && !may_have_moved(facts)))
    }
}

/// Whether something was read that moves without an event: a pipeline, or what other systems say of the head.
fn may_have_moved(facts: &Facts) -> bool {
    facts.pipeline.is_some() || facts.commit_statuses.is_some()
}

/// Whether only GitLab can tell. What was not asked tells nothing, unless it can't make it pass any more.
fn is_open(evaluation: &Evaluation, is_partial: bool) -> bool {
    match evaluation.verdict {
        Verdict::UndecidedCurable => !(is_partial && evaluation.is_held_back()),
        Verdict::UndecidedIncurable => true,
        Verdict::Passed | Verdict::Failed | Verdict::Waiting => false,
    }
}
