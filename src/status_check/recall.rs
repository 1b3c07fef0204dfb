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

use super::aftermath::{SUPERSEDED, after};
use super::answer::{Answer, Weighed};
use super::lane::{Conclusion, Lane, Statement};
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
    /// What it takes to tell could not be asked for.
    HeldBack,
}

impl Lane<'_> {
    /// Decides from what is remembered.
    pub(super) async fn recall(&self, policies: &PolicySet) -> Result<Recalled, StoreError> {
        let unheard = Recalled::Look { recheck_at: None };
        let Some(facts) = self.facts().await? else { return Ok(unheard) };
        let checks = self.checks(&facts);
        let now = self.resources.on_gitlabs_clock(self.resources.clock.now());
        let Some(recollection) = decision::recall(policies, checks, facts, now) else { return Ok(unheard) };
        let Recollection { checks, facts, is_partial } = recollection;
        let recheck_at = checks.iter().filter_map(|(_, evaluation)| evaluation.recheck_at).min();
        let look = Recalled::Look { recheck_at };
        let mut weighed = self.weigh(&facts.merge_request, &checks, None).await;
        let is_rest_left = self.leave_to_a_look(&facts, &checks, &mut weighed, is_partial).await;
        if was_held_back() {
            return Ok(Recalled::HeldBack);
        }
        let takes_back = |weighed: &Weighed| weighed.answer.status().is_some() && weighed.may_show_passed();
        if checks.is_empty() || (is_rest_left && !weighed.iter().any(takes_back)) {
            return Ok(look);
        }
        let dropped = self.dropped(&facts.merge_request, checks.iter().map(|(check, _)| check), false);
        let standing =
            self.is_mirrored().then(|| self.standing(&facts.merge_request, &checks, &weighed, &dropped));
        let extent = if is_rest_left { Extent::Withdrawals } else { Extent::All };
        let mirrored = standing.map(|standing| (standing, extent));
        if let Some((standing, extent)) = &mirrored
            && self.must_look_to_mirror(policies, (standing, *extent), may_have_moved(&facts))
        {
            return Ok(look);
        }
        let shared = Shared::new(&facts, policies)?;
        let mut statements = self.state(&shared, &facts.merge_request.sha, &checks, &weighed)?;
        // Where nothing is said and no other policies decided, the decision before says it all; what is left to a look is not
        // decided at all.
        let says_something = |statement: &Statement| statement.status.is_some();
        if is_rest_left || (self.is_decided_under(policies) && !statements.iter().any(says_something)) {
            statements.retain(says_something);
        }
        let mut settlement = after(self.resources, &self.claim, &checks, weighed, is_partial || is_rest_left);
        settlement.settled_as = "recalled";
        // What other policies make of a pipeline that may have moved without an event is looked at in its turn, and so is what
        // is kept by facts that the policies in between did not read: no event of those woke anybody.
        let is_dated = !self.is_decided_under(policies) && (may_have_moved(&facts) || !self.is_watched());
        if (is_partial || is_rest_left || is_dated)
            && let Some(at) = self.turn(policies)
        {
            settlement.look_by(at);
        }
        settlement.revision = (!is_rest_left).then(|| policies.revision().as_str().to_owned());
        let observations = Observations::default();
        let conclusion = Conclusion { statements, observations, settlement, listed: false, mirrored };
        let mut settlement = self.conclude(policies, conclusion).await?;
        if settlement.settled_as == SUPERSEDED {
            // Before GitLab is asked, if that has to wait.
            settlement.recall_by(self.resources.clock.now() + pause(self.claim.attempt));
        }
        Ok(Recalled::Settled(Box::new(settlement)))
    }

    /// Silences what memory may not say; whether there is anything of that.
    async fn leave_to_a_look(
        &self,
        facts: &Facts,
        checks: &[(Check, Evaluation)],
        weighed: &mut [Weighed],
        is_partial: bool,
    ) -> bool {
        let mut is_rest_left = self.claim.leaves_delivery;
        for (weighed, (_, evaluation)) in weighed.iter_mut().zip(checks) {
            let is_unread = is_partial && evaluation.verdict == Verdict::UndecidedCurable;
            // On a merge train a pass goes for cause alone, and what was not asked is none.
            if is_unread
                && evaluation.is_held_back()
                && weighed.may_show_passed()
                && self.resources.is_on_merge_train(self.claim.merge_request).await
            {
                (weighed.answer, weighed.on_merge_train) = (Answer::Silence, true);
                continue;
            }
            let is_open = match evaluation.verdict {
                Verdict::UndecidedCurable => !(is_unread && evaluation.is_held_back()),
                Verdict::UndecidedIncurable => true,
                Verdict::Passed | Verdict::Failed | Verdict::Waiting => false,
            };
            // Nor does a pass stay for want of a word where not all was asked.
            let is_mute = is_partial && weighed.answer == Answer::Unsayable;
            let is_forestalled = self.claim.leaves_delivery && !weighed.may_show_passed();
            if is_open || is_mute || is_forestalled || !self.is_sayable_from_memory(weighed, facts) {
                weighed.answer = Answer::Silence;
                is_rest_left = true;
            }
        }
        is_rest_left
    }

    /// When GitLab is asked what memory does not know: at once if only time went on, in turn under policies under which it was
    /// never asked; none if that comes in any case.
    pub(super) fn turn(&self, policies: &PolicySet) -> Option<Timestamp> {
        let now = self.resources.clock.now();
        match &self.memory.last {
            Some(last) if last.is_looked_at => Some(now),
            _ if self.claim.look_owed => None,
            _ if self.is_decided_under(policies) => Some(now),
            _ => Some(self.resources.background.reserve(now)),
        }
    }

    /// Whether what another way to answer would say must be true of this very moment, as with answers.
    fn must_look_to_mirror(
        &self,
        policies: &PolicySet,
        standing: (&Standing<'_>, Extent),
        moves: bool,
    ) -> bool {
        let (claim, remembered) = (&self.claim, &self.memory.mirrors);
        Mirroring::new(self.resources, claim, policies, remembered, standing).must_look(moves)
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
