//! A decision by asking GitLab: one read of the merge request, what must be taken back at once, then all facts.

use std::time::Duration;

use crate::decision::{ApprovalMemory, Asking, Check, Decided, Failure, Listing, Open, Remembered, Sight};
use crate::gitlab::Status;
use crate::merge_request::CommitSha;
use crate::policy::PolicySet;
use crate::policy::evaluation::{Evaluation, Verdict};
use crate::policy::fact::{Facts, Known, MergeRequestFacts, Sightings};
use crate::store::{Asked, KnownStatus, LastLook, Observations, Settlement, Shown, StoreError};

use super::aftermath::{after, again, observations};
use super::answer::{Answer, Vocabulary};
use super::lane::{Conclusion, Lane};
use super::mirror::{Extent, Standing};
use super::pause::pause;
use super::record::Shared;
use super::standing::not_listed;

/// How often a head that a delivery named and GitLab does not show is looked for.
const BEHIND_TRIES: u32 = 4;
/// How soon a verdict is looked for again that time overtook.
const OVERTAKEN: Duration = Duration::from_secs(1);
/// How often a merge request that moves under our eyes is read anew before the worker tries later.
const STARTS: usize = 3;

/// What a look came to.
pub(super) enum Look {
    /// It is open and every check of ours has a verdict.
    Decided(Box<Decided>),
    /// It is closed, and this is what GitLab showed for our checks.
    Closed(Box<Open>),
    /// It is merged or being merged: nothing to answer.
    Ended,
    /// GitLab is still preparing it: there is no SHA to speak about yet.
    Preparing,
    /// Its project is outside of `gitlab.projects`.
    OutOfScope,
    /// GitLab lists no check of ours for its target branch.
    NoCheck(Box<Open>),
    /// It changed at every try.
    Moving,
    /// Something newer came while something was taken back.
    Superseded(Box<Settlement>),
}

/// How a merge request that was read stands to what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sighted {
    /// It is open.
    Open,
    /// It is open, and what passes there was given for another situation.
    BroughtBack,
    /// It is closed.
    Closed,
}

impl Lane<'_> {
    /// Looks at the merge request with everything that is remembered of it. What must not stand for as long as its facts
    /// are read is taken back before.
    pub(super) async fn look(&mut self, policies: &PolicySet) -> Result<Result<Look, Failure>, StoreError> {
        let remembered = self.remembered_facts();
        for _ in 0..STARTS {
            let asked_at = self.resources.clock.now();
            let mut open = match self.sight().await {
                Ok(Sight::Open(open)) => *open,
                Ok(Sight::Closed(open)) => {
                    self.note_sight(&open, Sighted::Closed);
                    return Ok(Ok(Look::Closed(open)));
                }
                Ok(Sight::Ended) => return Ok(Ok(Look::Ended)),
                Ok(Sight::Preparing) => return Ok(Ok(Look::Preparing)),
                Ok(Sight::OutOfScope) => return Ok(Ok(Look::OutOfScope)),
                Ok(Sight::NoCheck(open)) => {
                    self.note_sight(&open, Sighted::Open);
                    return Ok(Ok(Look::NoCheck(open)));
                }
                Err(failure) => return Ok(Err(failure)),
            };
            self.resources.note_time(open.now, asked_at);
            let is_brought_back = self.is_brought_back(&open.subject);
            self.note_sight(&open, if is_brought_back { Sighted::BroughtBack } else { Sighted::Open });
            if is_brought_back && let Some(settlement) = self.take_back(policies, &mut open, false).await? {
                return Ok(Ok(Look::Superseded(Box::new(settlement))));
            }
            if let Some(decided) = self.resources.decider.decide(policies, &remembered, open).await {
                return Ok(Ok(Look::Decided(Box::new(decided))));
            }
        }
        Ok(Ok(Look::Moving))
    }

    /// What facts about it need that only memory has.
    pub(super) fn remembered_facts(&self) -> Remembered {
        Remembered {
            sightings: Sightings {
                pushers: self.memory.pushers.iter().copied().collect(),
                version_targets: self.memory.version_targets.clone(),
            },
            approvals: ApprovalMemory {
                seen: self.memory.approvals.clone(),
                read_at: self.memory.approvals_read_at,
            },
        }
    }

    /// Takes in what was read of the merge request, and tells what of it is otherwise than it was left.
    fn note_sight(&mut self, open: &Open, sighted: Sighted) {
        self.titles.clone_from(&open.titles);
        self.updated_at = Some(open.updated_at);
        self.note_drift(self.compare(open, sighted == Sighted::Closed));
        if sighted != Sighted::Open {
            self.note_to_mend(self.missed_passes(open).into_iter());
        }
    }

    /// The first round of calls.
    pub(super) async fn sight(&self) -> Result<Sight, Failure> {
        let is_unseen = self.memory.statuses.is_empty() && !self.is_unlisted();
        let must = self.claim.distrust || is_unseen || self.is_in_doubt();
        let last = self.memory.last.as_ref().map(|last| last.look.sha.clone());
        let named = self.memory.newest_delivery.as_ref().and_then(|delivery| delivery.sha.as_ref());
        let listing = match last {
            Some(last) if must && named.is_none_or(|named| *named == last) => Listing::Beside(last),
            _ if must => Listing::After,
            _ => Listing::UnlessKnown,
        };
        let merge_request = self.claim.merge_request;
        let (own, without_list) = (self.own().await?, self.without_list());
        let known = &|subject: &_| self.known_checks(subject);
        let asking = Asking { merge_request, listing, known, own, without_list };
        self.resources.decider.sight(&asking).await
    }

    /// Whether the list has to be read if the head is still that of the last look: then it is read beside it.
    fn is_in_doubt(&self) -> bool {
        let Some(last) = &self.memory.last else { return false };
        let of_last = self.memory.statuses.iter().filter(|known| known.sha == last.look.sha);
        of_last.into_iter().any(is_doubted)
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
        if self.is_brought_back(subject)
            || of_head.iter().copied().any(is_doubted)
            || !self.memory.asked.iter().all(is_known)
        {
            return Vec::new();
        }
        if of_head.is_empty() && self.is_unlisted() {
            return vec![Check::unlisted()];
        }
        of_head.iter().map(|known| Check { id: Some(known.check), name: known.name.clone() }).collect()
    }

    /// Whether an older `passed` may show that was given for another situation: another target branch, an SHA that was
    /// the head before another one, or a merge request that was closed since.
    fn is_brought_back(&self, subject: &MergeRequestFacts) -> bool {
        let Some(last) = &self.memory.last else { return self.memory.reopened };
        let another = last.look.sha != subject.sha || last.look.target_branch != subject.target_branch;
        another || !last.is_open || self.memory.reopened
    }

    /// Takes back every `passed` that shows. Gives the settlement if the claim must end with it, because something newer
    /// came or an answer did not take effect.
    async fn take_back(
        &mut self,
        policies: &PolicySet,
        open: &mut Open,
        closing: bool,
    ) -> Result<Option<Settlement>, StoreError> {
        let shows_passed = |check: &&Check| match (check.id, &open.listed) {
            (None, _) => false,
            (Some(id), Some(listed)) => listed.contains(&(id, Status::Passed)),
            (Some(id), None) => self
                .of_head(&open.subject)
                .any(|known| known.check == id && known.shown == Some(Shown::Passed)),
        };
        let passed: Vec<_> = open.checks.iter().filter(shows_passed).cloned().collect();
        let may_mirror_pass = self.may_mirror_pass(&open.subject.sha, closing);
        if passed.is_empty() && !may_mirror_pass {
            return Ok(None);
        }
        let why = if closing {
            "the merge request is closed"
        } else {
            "it has to be decided anew: reopened, or another target branch or commit than before"
        };
        let facts = Facts::new(open.subject.clone(), Sightings::default());
        let shared = Shared::new(&facts, policies)?;
        let evaluation =
            Evaluation::without_policies(Verdict::Waiting, format!("a pass is taken back: {why}"));
        let checks: Vec<_> = passed.into_iter().map(|check| (check, evaluation.clone())).collect();
        let weighed = self.weigh(&open.subject, &checks, open.listed.as_ref()).await;
        let mut statements = self.state(&shared, &open.subject.sha, &checks, &weighed)?;
        let mut statuses: Vec<_> = weighed.into_iter().filter_map(|weighed| weighed.known).collect();
        if statements.iter().all(|statement| statement.status.is_none()) {
            // This GitLab has no word for it; what is decided next says what can be said.
            statements.clear();
            statuses.clear();
        }
        if statements.is_empty() && !may_mirror_pass {
            return Ok(None);
        }
        let names = open.checks.iter().map(|check| check.name.clone());
        let standing = self.standing_alike(open, names, &evaluation);
        let mirrored = Some((standing, if closing { Extent::All } else { Extent::Early }));
        let settlement = Settlement { statuses, settled_as: "taken back", ..Settlement::default() };
        let (listed, observations) = (open.listed.is_some(), Observations::default());
        let conclusion = Conclusion { statements, observations, settlement, listed, mirrored };
        let settlement = self.conclude(policies, conclusion).await?;
        if settlement.unfinished || closing {
            return Ok(Some(settlement));
        }
        self.go_on_after(open, settlement).await?;
        Ok(None)
    }

    /// What was just said is what shows from here on, for the list that was read before as well.
    async fn go_on_after(&mut self, open: &mut Open, settlement: Settlement) -> Result<(), StoreError> {
        if let Some(listed) = &mut open.listed {
            for (check, status) in listed {
                let known = settlement.statuses.iter().find(|known| known.check == *check);
                match known.and_then(|known| known.shown) {
                    Some(Shown::PostedPending) => *status = Status::Pending,
                    Some(Shown::Failed) => *status = Status::Failed,
                    _ => {}
                }
            }
        }
        self.resources.queue.note(&self.claim, settlement).await?;
        self.memory = self.resources.queue.memory(self.claim.merge_request).await?;
        Ok(())
    }

    /// A closed merge request has nothing to decide; a `passed` that shows on it would be there again when it is reopened.
    pub(super) async fn close(mut self, policies: &PolicySet, mut open: Open) -> Result<(), StoreError> {
        let taken_back = self.take_back(policies, &mut open, true).await?;
        let mut settlement = taken_back.unwrap_or_default();
        if !settlement.unfinished {
            // No heartbeat follows: it may run out.
            settlement.statuses.iter_mut().for_each(|known| known.pending = None);
            settlement.ended = true;
            settlement.settled_as = "ended";
        }
        let dropped = self.dropped(&open.subject, open.checks.iter(), open.listed.is_some());
        let unlisted = open.checks.iter().all(|check| check.id.is_none());
        let MergeRequestFacts { project_path, sha, target_branch, .. } = open.subject;
        settlement.look = Some(LastLook { project_path, sha, target_branch, facts: None, unlisted, dropped });
        self.settle(settlement).await
    }

    /// GitLab lists no check of ours: what the other ways said of it before stands for nothing any more.
    pub(super) async fn unlist(
        self,
        policies: &PolicySet,
        open: Open,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        if !self.is_mirrored() {
            return self.settle(settlement).await;
        }
        let names = self.names_at(&open.subject.sha).into_iter();
        let standing = self.standing_alike(&open, names, &not_listed());
        let mirrored = Some((standing, Extent::Begun));
        let observations = Observations::default();
        let statements = Vec::new();
        let conclusion = Conclusion { statements, observations, settlement, listed: true, mirrored };
        let settlement = self.conclude(policies, conclusion).await?;
        self.settle(settlement).await
    }

    /// Records what was decided, says what is to be said, and settles.
    pub(super) async fn answer(self, policies: &PolicySet, decided: Decided) -> Result<(), StoreError> {
        let subject = &decided.facts.merge_request;
        self.resources.metrics.panics.inc_by(decided.panics.try_into().unwrap_or(u64::MAX));
        let weighed = self.weigh(subject, &decided.checks, decided.listed.as_ref()).await;
        if decided.listed.is_some() {
            self.note_to_mend(weighed.iter().filter_map(|weighed| self.drift_of(weighed)));
        }
        let shared = Shared::new(&decided.facts, policies)?;
        let statements = self.state(&shared, &subject.sha, &decided.checks, &weighed)?;
        let checks = decided.checks.iter().map(|(check, _)| check);
        let dropped = self.dropped(subject, checks.clone(), decided.listed.is_some());
        let standing = self.is_mirrored().then(|| self.standing_of(&decided, &weighed, &dropped));
        let mut settlement = after(self.resources, &self.claim, &decided.checks, weighed, false);
        settlement.look = Some(LastLook {
            project_path: subject.project_path.clone(),
            sha: subject.sha.clone(),
            target_branch: subject.target_branch.clone(),
            facts: shared.facts_digest().map(|digest| (digest, Facts::FORMAT)),
            unlisted: checks.clone().all(|check| check.id.is_none()),
            dropped,
        });
        settlement.revision = Some(policies.revision().as_str().to_owned());
        let grants = statements.iter().any(|statement| statement.status == Some(Status::Passed))
            || standing.as_ref().is_some_and(Standing::grants);
        if grants && self.is_overtaken(&decided) {
            // The facts took so long that the present they were judged by is over.
            let settlement = again("overtaken by time", OVERTAKEN, self.resources.clock.now());
            return self.settle(settlement).await;
        }
        let is_silent = statements.iter().all(|statement| statement.status.is_none());
        if is_silent && self.is_behind(&decided.facts) {
            settlement.unfinished = true;
            settlement.look_by(self.resources.clock.now() + pause(self.claim.attempt));
        }
        let observations = observations(&decided);
        let listed = decided.listed.is_some();
        settlement.all_listed = listed;
        let mirrored = standing.map(|standing| (standing, Extent::All));
        let conclusion = Conclusion { statements, observations, settlement, listed, mirrored };
        let settlement = self.conclude(policies, conclusion).await?;
        self.settle(settlement).await
    }

    /// Whether time may have changed the verdict while its facts were read.
    fn is_overtaken(&self, decided: &Decided) -> bool {
        let now = self.resources.clock.now();
        let mut rechecks = decided.checks.iter().filter_map(|(_, evaluation)| evaluation.recheck_at);
        rechecks.any(|at| self.resources.on_our_clock(at) <= now)
    }

    /// Whether the newest delivery names a head that GitLab did not show us: a replica of its database may lag behind. An
    /// answer would meet a 409 there; silence would not. What is among the versions came before the head, or was it.
    fn is_behind(&self, facts: &Facts) -> bool {
        let newest = self.memory.newest_delivery.as_ref().and_then(|delivery| delivery.sha.as_ref());
        let versions =
            if let Some(Known::Value(versions)) = &facts.versions { versions.as_slice() } else { &[] };
        let is_new = |sha: &CommitSha| {
            *sha != facts.merge_request.sha
                && !versions.iter().any(|version| version.head == *sha)
                && !self.memory.statuses.iter().any(|known| known.sha == *sha)
        };
        let is_owed = self.claim.waiting_since.is_some() && self.claim.attempt < BEHIND_TRIES;
        is_owed && newest.is_some_and(is_new)
    }

    /// Nothing could be decided: a `passed` that may show is taken back, for what it was given for may have changed.
    /// Only of the newest head; GitLab itself refuses if another one came since.
    pub(super) async fn withdraw(
        self,
        policies: &PolicySet,
        failure: &Failure,
        mut settlement: Settlement,
    ) -> Result<(), StoreError> {
        let of_head: Vec<_> = self.of_newest_head().cloned().collect();
        let vocabulary =
            if of_head.is_empty() { Vocabulary::Unproven } else { self.resources.version.vocabulary().await };
        let shared = Shared::without_facts(policies);
        let summary = format!("could not be decided: {failure}");
        let evaluation = Evaluation::without_policies(Verdict::UndecidedCurable, summary);
        let mut statements = Vec::new();
        for known in of_head {
            let believed = KnownStatus { shown: shown_by_memory(&known), ..known };
            let circumstances = self.circumstances(Some(&believed), vocabulary);
            let Answer::Post(status) = self.answer_to(evaluation.verdict, circumstances) else { continue };
            let check = Check { id: Some(believed.check), name: believed.name.clone() };
            let of = (&believed.sha, &check);
            statements.push(self.statement(&shared, of, &evaluation, Some(status))?);
            settlement.statuses.push(believed);
        }
        let standing = self.is_mirrored().then(|| self.standing_unknown(&evaluation)).flatten();
        let mirrored = standing.map(|standing| (standing, Extent::Withdrawals));
        if statements.is_empty() && mirrored.is_none() {
            return self.settle(settlement).await;
        }
        let observations = Observations::default();
        let conclusion = Conclusion { statements, observations, settlement, listed: true, mirrored };
        let settlement = self.conclude(policies, conclusion).await?;
        self.settle(settlement).await
    }

    /// What is remembered of the newest head that is known.
    fn of_newest_head(&self) -> impl Iterator<Item = &KnownStatus> {
        let newest = self.memory.newest_delivery.as_ref().and_then(|delivery| delivery.sha.as_ref());
        let newest = newest.or_else(|| self.memory.statuses.first().map(|known| &known.sha));
        self.memory.statuses.iter().filter(move |known| Some(&known.sha) == newest)
    }
}

/// What shows is not known, or may change by an answer that is still under way.
fn is_doubted(known: &KnownStatus) -> bool {
    known.shown.is_none() || known.confirm_at.is_some()
}

/// What shows as far as it was ever written: what is not believed may only be taken for worse than it is.
fn shown_by_memory(known: &KnownStatus) -> Option<Shown> {
    match known.shown {
        Some(shown) => Some(shown),
        None if known.may_show_passed() => None,
        None if known.pending.is_some() => Some(Shown::PostedPending),
        None => Some(Shown::ImplicitPending),
    }
}
