//! How a claimed merge request stands, for the other ways to answer; and what of them its facts must leave out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::decision::{Check, Decided, Open, Own, WithoutList};
use crate::gitlab::Error;
use crate::merge_request::{CheckName, CommitSha, ProjectId};
use crate::policy::evaluation::{Evaluation, Verdict};
use crate::policy::fact::MergeRequestFacts;
use crate::store::{KnownMirror, Mirror};

use super::answer::{Answer, Vocabulary, Weighed, answer};
use super::lane::Lane;
use super::mirror::{Approves, CheckStanding, Standing, Word};

/// What GitLab tells of when our own approval may have gone.
const APPROVAL_ACTIONS: [&str; 4] = ["approved", "approval", "unapproved", "unapproval"];

impl Lane<'_> {
    /// Whether any of the other ways to answer is on, or was and left something behind.
    pub(super) fn is_mirrored(&self) -> bool {
        self.resources.settings.mirrors.is_any() || !self.memory.mirrors.is_empty()
    }

    /// What this service says in GitLab beside its answers, or did.
    pub(super) async fn own(&self) -> Result<Own, Error> {
        if !self.is_mirrored() {
            return Ok(Own::default());
        }
        let mirrors = &self.resources.settings.mirrors;
        let did = |is_it: fn(&Mirror) -> bool| self.memory.mirrors.iter().any(|known| is_it(&known.mirror));
        Ok(Own {
            user: Some(self.resources.own_user().await?),
            approves: mirrors.approval || did(|mirror| *mirror == Mirror::Approval),
            sets_commit_statuses: mirrors.commit_status
                || did(|mirror| matches!(mirror, Mirror::CommitStatus { .. })),
            labels: mirrors.labels.all(),
        })
    }

    /// What it means that GitLab has no list of status checks. Who was listed before is never decided as another check: by
    /// other policies it might pass.
    pub(super) fn without_list(&self) -> WithoutList {
        if !self.resources.settings.mirrors.is_any() {
            WithoutList::Fails
        } else if !self.memory.is_project_heard {
            // A sweep reaches projects that never asked: what would be written there is nobody's wish.
            WithoutList::IsNone
        } else if self.memory.statuses.is_empty() {
            WithoutList::IsDefault
        } else {
            WithoutList::TakesBack
        }
    }

    /// Whether the last look found that GitLab has no status checks, and nothing has asked one since.
    pub(super) fn is_unlisted(&self) -> bool {
        let found = self.memory.last.as_ref().is_some_and(|last| last.look.unlisted);
        found && self.resources.settings.mirrors.is_any() && self.memory.asked.is_empty()
    }

    /// The checks that GitLab listed for this head and target branch before, and not any more.
    pub(super) fn dropped<'c>(
        &self,
        subject: &MergeRequestFacts,
        checks: impl Iterator<Item = &'c Check>,
        is_listed: bool,
    ) -> BTreeSet<CheckName> {
        let last = self.memory.last.as_ref().map(|last| &last.look);
        let last = last.filter(|look| look.sha == subject.sha && look.target_branch == subject.target_branch);
        let mut dropped = last.map(|look| look.dropped.clone()).unwrap_or_default();
        if is_listed {
            dropped.extend(self.of_head(subject).map(|known| known.name.clone()));
        }
        for check in checks {
            dropped.remove(&check.name);
        }
        dropped
    }

    /// By what was decided just now.
    pub(super) fn standing_of<'d>(
        &self,
        decided: &'d Decided,
        weighed: &[Weighed],
        dropped: &BTreeSet<CheckName>,
    ) -> Standing<'d> {
        let approves = match &decided.approvals {
            Some(read) => Approves::Read(read.own),
            None if self.is_approval_doubted() => Approves::Doubted,
            None => Approves::Unread,
        };
        let standing = self.standing(&decided.facts.merge_request, &decided.checks, weighed, dropped);
        Standing { seen: Some(&decided.seen), approves, ..standing }
    }

    /// By what is remembered, or what was decided of it.
    pub(super) fn standing<'d>(
        &self,
        subject: &MergeRequestFacts,
        checks: &'d [(Check, Evaluation)],
        weighed: &[Weighed],
        dropped: &BTreeSet<CheckName>,
    ) -> Standing<'d> {
        let is_kept = |weighed: &Weighed| weighed.on_merge_train && weighed.answer == Answer::Silence;
        let decided = checks.iter().zip(weighed).map(|((check, evaluation), weighed)| CheckStanding {
            name: check.name.clone(),
            word: if is_kept(weighed) { Word::Kept } else { self.word(evaluation.verdict) },
            evaluation: Cow::Borrowed(evaluation),
        });
        let gone = dropped.iter().map(|name| self.alike(name.clone(), not_listed()));
        Standing {
            sha: subject.sha.clone(),
            source: source_of(subject),
            checks: decided.chain(gone).collect(),
            seen: None,
            approves: Approves::Unread,
        }
    }

    /// All checks alike, by an evaluation that no policy led to.
    pub(super) fn standing_alike<'d>(
        &self,
        open: &'d Open,
        names: impl Iterator<Item = CheckName>,
        evaluation: &Evaluation,
    ) -> Standing<'d> {
        let subject = &open.subject;
        Standing {
            sha: subject.sha.clone(),
            source: source_of(subject),
            checks: names.map(|name| self.alike(name, evaluation.clone())).collect(),
            seen: Some(&open.seen),
            approves: Approves::Unread,
        }
    }

    /// What GitLab showed when it could be asked last, now that it can't; none if nothing was said of it.
    pub(super) fn standing_unknown(&self, evaluation: &Evaluation) -> Option<Standing<'static>> {
        let sha = self.memory.last.as_ref().map(|last| last.look.sha.clone())?;
        let names = self.names_at(&sha);
        Some(Standing {
            checks: names.into_iter().map(|name| self.alike(name, evaluation.clone())).collect(),
            sha,
            source: None,
            seen: None,
            approves: Approves::Unread,
        })
    }

    /// The checks that anything is remembered of at a head, else at the last one; the default one if that is none.
    pub(super) fn names_at(&self, sha: &CommitSha) -> BTreeSet<CheckName> {
        let at_last = || self.memory.last.as_ref().map(|last| self.remembered_at(&last.look.sha));
        let names = Some(self.remembered_at(sha)).filter(|names| !names.is_empty()).or_else(at_last);
        names.filter(|names| !names.is_empty()).unwrap_or_else(|| BTreeSet::from([CheckName::default()]))
    }

    fn remembered_at(&self, sha: &CommitSha) -> BTreeSet<CheckName> {
        let mut names: BTreeSet<_> = self
            .memory
            .statuses
            .iter()
            .filter(|known| known.sha == *sha)
            .map(|known| known.name.clone())
            .collect();
        for KnownMirror { mirror, .. } in &self.memory.mirrors {
            if let Mirror::CommitStatus { check, sha: of } = mirror
                && of == sha
            {
                names.insert(check.clone());
            }
        }
        names
    }

    /// Whether a pass may show on a head in any of the other ways, labels among them or not.
    pub(super) fn may_mirror_pass(&self, sha: &CommitSha, with_labels: bool) -> bool {
        self.memory.mirrors.iter().any(|known| {
            let is_meant = match &known.mirror {
                Mirror::CommitStatus { sha: of, .. } => of == sha,
                Mirror::Labels => with_labels,
                Mirror::Approval | Mirror::Note => true,
            };
            known.may_pass && is_meant
        })
    }

    fn alike(&self, name: CheckName, evaluation: Evaluation) -> CheckStanding<'static> {
        CheckStanding { name, word: self.word(evaluation.verdict), evaluation: Cow::Owned(evaluation) }
    }

    /// The word for a verdict where there are words for all of them, and what shows does not matter.
    fn word(&self, verdict: Verdict) -> Word {
        use crate::gitlab::Status;
        match answer(verdict, self.circumstances(None, Vocabulary::Full)) {
            Answer::Post(Status::Passed) => Word::Passed,
            Answer::Post(Status::Pending) => Word::Pending,
            Answer::Post(Status::Failed) => Word::Failed,
            Answer::Silence | Answer::Unsayable => Word::Kept,
        }
    }

    fn is_approval_doubted(&self) -> bool {
        let delivery = self.claim.waiting_since.and(self.memory.newest_delivery.as_ref());
        let action = delivery.and_then(|delivery| delivery.action.as_deref());
        self.claim.distrust || action.is_some_and(|action| APPROVAL_ACTIONS.contains(&action))
    }
}

/// Of a check that is gone: what it said stands for nothing.
pub(super) fn not_listed() -> Evaluation {
    let summary = "GitLab does not list this status check for the merge request any more".to_owned();
    Evaluation::without_policies(Verdict::Failed, summary)
}

fn source_of(subject: &MergeRequestFacts) -> Option<(ProjectId, String)> {
    subject.source_project.map(|project| (project, subject.source_branch.clone()))
}
