//! All mirrors of one merge request under one claim: compared, proven, said, remembered.

use jiff::Timestamp;
use tokio::time::Instant;

use super::deed::carry_out;
use super::finding::{Finding, Step, believed, find_out, label_change};
use super::place;
use super::standing::{Approves, Standing};
use super::wish::{Content, Wish, wishes};
use crate::gitlab::Error;
use crate::policy::PolicySet;
use crate::status_check::pause::{PARKED_FOR, UNCLEAR_LOOK, pause};
use crate::status_check::resources::Resources;
use crate::store::{Claim, KnownMirror, LEASE, Mirror, Recorded, Settlement, StoreError, UNCLEAR_FOR};
use crate::telemetry::Telling;

/// Which of the mirrors may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_check) enum Extent {
    /// Those alone that may say passed, are not to, and by which GitLab could merge: what is decided next says the rest.
    Early,
    /// Those alone that may say passed and are not to.
    Withdrawals,
    /// Those that ever said anything.
    Begun,
    /// All that are on.
    All,
}

/// Whether the claim may go on speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_check) enum Proof {
    /// Nothing newer came.
    Current,
    /// Something newer came, or the right to speak was lost.
    Superseded,
}

/// The mirrors of a merge request.
pub(in crate::status_check) struct Mirroring<'a> {
    resources: &'a Resources,
    claim: &'a Claim,
    policies: &'a PolicySet,
    standing: &'a Standing<'a>,
    wishes: Vec<Wish>,
    known: Vec<KnownMirror>,
    /// Those of which anything was learned.
    learned: Vec<Mirror>,
    /// When to look again because the head has moved: the news of it may be lost, and must not wait if it is not.
    moved: Option<Timestamp>,
}

impl<'a> Mirroring<'a> {
    /// What is to be said, by what is remembered.
    pub(in crate::status_check) fn new(
        resources: &'a Resources,
        claim: &'a Claim,
        policies: &'a PolicySet,
        remembered: &[KnownMirror],
        (standing, extent): (&'a Standing<'a>, Extent),
    ) -> Self {
        let mut wishes = wishes(&resources.settings.mirrors, standing, remembered);
        let known = |wish: &Wish| remembered.iter().find(|known| known.mirror == wish.mirror);
        wishes.retain(|wish| match extent {
            Extent::All => true,
            Extent::Begun => known(wish).is_some(),
            Extent::Early if wish.mirror == Mirror::Labels => false,
            Extent::Early | Extent::Withdrawals => {
                known(wish).is_some_and(|known| is_withdrawal(wish, known))
            }
        });
        let known = remembered.to_vec();
        Self { resources, claim, policies, standing, wishes, known, learned: Vec::new(), moved: None }
    }

    /// Whether GitLab would be asked or told anything.
    pub(in crate::status_check) fn may_speak(&self) -> bool {
        self.wishes.iter().any(|wish| !self.is_settled(wish) && self.may_try(wish))
    }

    /// Whether GitLab must be looked at before it is told: for a pass, and for what is not taken back where something may
    /// have moved unseen.
    pub(in crate::status_check) fn must_look(&self, may_have_moved: bool) -> bool {
        let takes_back = |wish: &Wish| self.known(wish).is_some_and(|known| is_withdrawal(wish, known));
        let must = |wish: &Wish| wish.passes || (may_have_moved && !takes_back(wish));
        self.wishes.iter().any(|wish| must(wish) && !self.is_settled(wish) && self.may_try(wish))
    }

    /// Takes back what says passed, or may, and is not to.
    pub(in crate::status_check) async fn withdraw(&mut self) -> Result<Proof, StoreError> {
        self.speak(|wish, known| known.is_some_and(|known| is_withdrawal(wish, known))).await
    }

    /// Whether anything was asked or told so far.
    pub(in crate::status_check) fn has_spoken(&self) -> bool {
        !self.learned.is_empty()
    }

    /// Says all of it.
    pub(in crate::status_check) async fn show(&mut self) -> Result<Proof, StoreError> {
        self.speak(|_, _| true).await
    }

    async fn speak(
        &mut self,
        which: impl Fn(&Wish, Option<&KnownMirror>) -> bool,
    ) -> Result<Proof, StoreError> {
        let wishes = std::mem::take(&mut self.wishes);
        let mut proof = Proof::Current;
        for wish in &wishes {
            let is_new = !self.learned.contains(&wish.mirror);
            let is_due = which(wish, self.known(wish)) && !self.is_settled(wish) && self.may_try(wish);
            if is_new && is_due && proof == Proof::Current {
                proof = self.say(wish).await?;
            }
        }
        self.wishes = wishes;
        Ok(proof)
    }

    fn known(&self, wish: &Wish) -> Option<&KnownMirror> {
        self.known.iter().find(|known| known.mirror == wish.mirror)
    }

    /// Whether it is known to be said, and still to show as far as this look saw it.
    fn is_settled(&self, wish: &Wish) -> bool {
        let Some(known) = self.known(wish) else { return false };
        let shows = match &wish.content {
            Content::Approval { given } => match self.standing.approves {
                Approves::Unread => true,
                Approves::Doubted => false,
                Approves::Read(stands) => stands == *given,
            },
            Content::Label { wanted, others } => {
                let labels = self.standing.seen.map(|seen| &seen.labels);
                let (add, remove) = label_change(wanted.as_ref(), others, labels);
                labels.is_none() || (add.is_empty() && remove.is_empty())
            }
            Content::Status { .. } => place::is_right(known, self.standing),
            Content::Note { .. } => true,
        };
        shows && believed(known) == Some(wish.said.as_str())
    }

    /// Whether it is time to try. What says passed and is not to does not wait.
    fn may_try(&self, wish: &Wish) -> bool {
        let Some(known) = self.known(wish) else { return true };
        let is_over = known.again_at.is_none_or(|at| at <= self.resources.clock.now());
        is_over || is_withdrawal(wish, known) || (known.parked && self.claim.distrust)
    }

    async fn say(&mut self, wish: &Wish) -> Result<Proof, StoreError> {
        let resources = self.resources;
        let known = self.known(wish).cloned().unwrap_or_else(|| KnownMirror::new(wish.mirror.clone()));
        let now = resources.clock.now();
        let merge_request = self.claim.merge_request;
        let step = match find_out(resources, merge_request, wish, &known, self.standing).await {
            Ok(Finding::Missing(step)) => step,
            Ok(Finding::Settled(place)) => {
                self.learn(said(wish, &known, place, now));
                return Ok(Proof::Current);
            }
            Ok(Finding::NotYet(at)) => {
                self.learn(KnownMirror { again_at: Some(at), ..known });
                return Ok(Proof::Current);
            }
            Ok(Finding::Nowhere) => {
                self.tell("refused", "there is no place for it: its source project is gone", &known.mirror);
                self.learn(KnownMirror { again_at: Some(now + PARKED_FOR), parked: true, ..known });
                return Ok(Proof::Current);
            }
            Err(error) => {
                self.fail(wish, known.clone(), known, &error).await;
                return Ok(Proof::Current);
            }
        };
        let open = KnownMirror {
            said: None,
            may_pass: known.may_pass || wish.passes,
            unclear_until: Some(now + UNCLEAR_FOR),
            ..known.clone()
        };
        if !self.is_proven(open.clone()).await? {
            return Ok(Proof::Superseded);
        }
        let is_note = matches!(step, Step::WriteNote { .. });
        match carry_out(resources, merge_request, wish, step, self.standing).await {
            Ok(place) => {
                resources.metrics.count_mirror(wish.mirror.as_str(), "said");
                let (project, iid) = (merge_request.project, merge_request.iid);
                let said_now = if is_note { "written" } else { wish.said.as_str() };
                tracing::info!(%project, %iid, mirror = wish.mirror.as_str(), said = said_now, "mirrored");
                self.learn(said(wish, &known, place, resources.clock.now()));
            }
            Err(error) => self.fail(wish, open, known, &error).await,
        }
        Ok(Proof::Current)
    }

    /// Proves the claim and, in the same commit, that what is said is not known while the call is under way.
    async fn is_proven(&self, open: KnownMirror) -> Result<bool, StoreError> {
        if !self.resources.is_in_force(self.policies) {
            return Ok(false);
        }
        let began = Instant::now();
        let recorded = self.resources.queue.leave_mirror_open(self.claim, open).await?;
        let outlasts = began.elapsed() + self.resources.decider.gitlab.timeout() < LEASE;
        Ok(recorded == Recorded::Current && outlasts)
    }

    /// It could not be said: `open` is what is known if it may have been all the same, `before` if it was not.
    async fn fail(&mut self, wish: &Wish, open: KnownMirror, before: KnownMirror, error: &Error) {
        let resources = self.resources;
        let now = resources.clock.now();
        if let Error::Unauthorized { .. } = error {
            resources.doubt_own_user().await;
        }
        let is_unclear = error.is_unclear();
        let failures = before.failures.saturating_add(1);
        // What says passed and is not to is tried again without any event.
        let parked = !error.is_curable() && !is_withdrawal(wish, &before);
        let outcome = match () {
            () if is_unclear => "unclear",
            () if error.is_curable() => "failed",
            () => "refused",
        };
        self.tell(outcome, &error.to_string(), &wish.mirror);
        let pause = if error.is_curable() {
            error.retry_after().unwrap_or_else(|| pause(failures))
        } else {
            resources.metrics.parked.inc();
            PARKED_FOR
        };
        let known = if is_unclear { open } else { before };
        let has_moved = matches!(error, Error::HeadMoved { .. });
        self.moved = self.moved.or(has_moved.then_some(now + pause));
        let again_at = Some(now + pause).filter(|_| !has_moved);
        self.learn(KnownMirror { failures, again_at, parked, ..known });
    }

    fn tell(&self, outcome: &'static str, why: &str, mirror: &Mirror) {
        self.resources.metrics.count_mirror(mirror.as_str(), outcome);
        let (project, iid) = (self.claim.merge_request.project, self.claim.merge_request.iid);
        let mirror = mirror.as_str();
        let now = self.resources.clock.now();
        let Some(Telling { left_out }) = self.resources.lines.unmirrored.tell(now) else { return };
        if outcome == "refused" {
            tracing::error!(%project, %iid, mirror, why, left_out, "not mirrored before somebody mends this");
        } else {
            tracing::warn!(%project, %iid, mirror, why, left_out, "not mirrored; tried again");
        }
    }

    fn learn(&mut self, now_known: KnownMirror) {
        if !self.learned.contains(&now_known.mirror) {
            self.learned.push(now_known.mirror.clone());
        }
        self.known.retain(|known| known.mirror != now_known.mirror);
        self.known.push(now_known);
    }

    /// Puts what was learned into the settlement, and when to come back for what could not be said.
    pub(in crate::status_check) fn end(self, settlement: &mut Settlement) {
        let now = self.resources.clock.now();
        for wish in self.wishes.iter().filter(|wish| !self.is_settled(wish)) {
            let Some(known) = self.known(wish) else { continue };
            if let Some(until) = known.unclear_until.filter(|until| *until > now) {
                settlement.look_by(until.min(now + UNCLEAR_LOOK));
            }
            if let Some(at) = known.again_at.filter(|at| *at > now && !known.parked) {
                settlement.look_by(at);
            }
        }
        if let Some(at) = self.moved {
            settlement.look_by(at);
        }
        let learned = self.known.into_iter().filter(|known| self.learned.contains(&known.mirror));
        settlement.mirrors.extend(learned);
    }
}

/// Whether a mirror may say passed and is not to.
fn is_withdrawal(wish: &Wish, known: &KnownMirror) -> bool {
    known.may_pass && !wish.passes
}

/// What is known of a mirror that says what it is to say. A call before this one may still take effect after it.
fn said(wish: &Wish, before: &KnownMirror, place: Option<String>, now: Timestamp) -> KnownMirror {
    let unclear_until = before.unclear_until.filter(|until| *until > now);
    KnownMirror {
        said: Some(wish.said.clone()),
        may_pass: wish.passes || (unclear_until.is_some() && before.may_pass),
        place: place.or_else(|| before.place.clone()),
        unclear_until,
        ..KnownMirror::new(wish.mirror.clone())
    }
}
