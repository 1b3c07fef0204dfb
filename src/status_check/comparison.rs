//! What shows compared with what was left, whenever the list of statuses is read. Whether something was missed can be told
//! only by a sweep, which looks although nobody told of anything. Nothing is decided here.
//!
//! The list says neither who posted what shows nor when. So a status that was not the last word here is always told as somebody
//! else's: that GitLab lost what was said after it, or that this store is not the one that said it, can't be told apart from it, and
//! nobody must be able to answer in our place without an alarm.

use crate::decision::Open;
use crate::gitlab::Status;
use crate::policy::evaluation::Verdict;
use crate::store::{KnownStatus, Shown, Work};

use super::answer::{Answer, Weighed};
use super::drift::{Drift, Noticed};
use super::lane::Lane;

/// Of a `passed` on a head for which nothing is remembered to have been said.
const UNKNOWN_PASS: &str = "GitLab shows `passed`, and nothing is known here of having said it: any Developer of the project can \
                            post it, and GitLab's audit events name who did; countersign itself, if it did so with another database";

impl Lane<'_> {
    /// What the list of statuses shows that is otherwise than it was left, whatever the verdict.
    pub(super) fn compare(&self, open: &Open, closed: bool) -> Vec<Noticed> {
        let Some(listed) = &open.listed else { return Vec::new() };
        // On a closed one nothing but a pass matters.
        let listed = listed.iter().filter(|(_, status)| !closed || *status == Status::Passed);
        let sha = &open.subject.sha;
        let foreign = listed.filter_map(|(check, status)| {
            let known = self.remembered(sha, *check)?;
            let said = foreign_to(known, *status)?;
            let what = format!(
                "GitLab shows `{}` and {said}: any Developer of the project can post it, and GitLab's audit events name who \
                 did; if they name nobody, GitLab lost what was said last",
                status.as_str()
            );
            Some(Noticed::of_check(Drift::ForeignStatus, *check, &known.name, what))
        });
        let setup = self.of_head(&open.subject).filter_map(|known| changed(known, open));
        foreign.chain(setup).collect()
    }

    /// What it means that there is something to say for a check although nobody told of anything: none where nothing need be
    /// said.
    pub(super) fn drift_of(&self, weighed: &Weighed) -> Option<Noticed> {
        let (Answer::Post(status), Some(known)) = (weighed.answer, &weighed.known) else { return None };
        if weighed.verdict == Verdict::UndecidedCurable {
            return None;
        }
        let never = self.memory.statuses.iter().all(|other| other.check != known.check);
        let drift = match self.remembered(&known.sha, known.check) {
            None if known.shown == Some(Shown::Passed) => {
                return Some(Noticed::of_check(
                    Drift::ForeignStatus,
                    known.check,
                    &known.name,
                    UNKNOWN_PASS.to_owned(),
                ));
            }
            None if never => Drift::NeverDecided,
            None => Drift::MissedEvent,
            // What runs out is said again; that is no drift.
            Some(said)
                if said.pending.is_some()
                    && status == Status::Pending
                    && known.shown != Some(Shown::Passed) =>
            {
                return None;
            }
            Some(said) if said.written.is_none() || said.confirm_at.is_some() => Drift::LostAnswer,
            Some(_) => Drift::MissedEvent,
        };
        let what = format!("GitLab is to show `{}` and does not", status.as_str());
        Some(Noticed::of_check(drift, known.check, &known.name, what))
    }

    /// What it means that passes are found that must be taken back before anything is decided.
    pub(super) fn missed_passes(&self, open: &Open) -> Vec<Noticed> {
        let listed = open.listed.iter().flatten();
        let passed = listed.filter(|(_, status)| *status == Status::Passed);
        passed
            .filter_map(|(id, _)| {
                let check = open.checks.iter().find(|check| check.id == Some(*id))?;
                let (drift, what) = match self.remembered(&open.subject.sha, *id) {
                    Some(_) => {
                        (Drift::MissedEvent, "GitLab shows `passed`, which was given for another situation")
                    }
                    None => (Drift::ForeignStatus, UNKNOWN_PASS),
                };
                Some(Noticed::of_check(drift, *id, &check.name, what.to_owned()))
            })
            .collect()
    }

    /// Logs and counts what is to be mended. If somebody told of something, nothing was missed, and a stranger's answer is one
    /// all the same.
    pub(super) fn note_to_mend(&self, noticed: impl Iterator<Item = Noticed>) {
        let is_swept = self.claim.work == Work::Sweep;
        self.note_drift(noticed.filter(|one| is_swept || one.drift == Drift::ForeignStatus).collect());
    }

    /// Logs and counts what was noticed.
    pub(super) fn note_drift(&self, noticed: Vec<Noticed>) {
        for one in noticed {
            self.resources.drift.note(&self.resources.metrics, self.claim.merge_request, &one);
        }
    }
}

/// What was said instead, if somebody else must have posted what shows.
fn foreign_to(known: &KnownStatus, status: Status) -> Option<&'static str> {
    // An answer of unclear fate may be what shows.
    if known.confirm_at.is_some() {
        return None;
    }
    match (known.written?, status) {
        // Retry is of what failed alone (GitLab answers 422 otherwise), so it makes no `pending` of this.
        (Shown::Passed, Status::Failed | Status::Pending) => Some("countersign said `passed`"),
        (Shown::Failed, Status::Passed) => Some("countersign said `failed`"),
        (Shown::ImplicitPending, Status::Passed | Status::Failed) => Some("countersign said nothing"),
        // GitLab itself turns `pending` into `failed`.
        (Shown::PostedPending | Shown::ExpiredPending, Status::Passed) => Some("countersign said `pending`"),
        // Somebody pressed Retry.
        (Shown::Failed | Shown::ExpiredPending, Status::Pending) => None,
        (Shown::ImplicitPending | Shown::PostedPending, Status::Pending) => None,
        (Shown::Passed, Status::Passed) | (Shown::Failed, Status::Failed) => None,
        (Shown::PostedPending | Shown::ExpiredPending, Status::Failed) => None,
    }
}

/// What became of a check that was listed for this head and target branch before.
fn changed(known: &KnownStatus, open: &Open) -> Option<Noticed> {
    let KnownStatus { check, name, .. } = known;
    let noticed = |drift, what| Some(Noticed::of_check(drift, *check, name, what));
    let title = open.titles.iter().find(|(id, _)| id == check).map(|(_, title)| title.as_str());
    let ours = open.checks.iter().find(|ours| ours.id == Some(*check));
    match (ours, title) {
        (Some(ours), _) if ours.name != *name => {
            let what = format!("the status check that was `{name}` calls the address of `{}`", ours.name);
            noticed(Drift::CheckMoved, what)
        }
        (Some(_), Some(title)) if !known.title.is_empty() && title != known.title => {
            let what = format!("the status check `{}` is called `{title}` in GitLab", known.title);
            noticed(Drift::CheckRenamed, what)
        }
        (Some(_), _) => None,
        (None, Some(title)) => {
            let what = format!("the status check `{title}` calls another address than ours");
            noticed(Drift::CheckMoved, what)
        }
        (None, None) => {
            let branch = &known.target_branch;
            let what = format!(
                "GitLab lists the status check `{name}` no more for `{branch}`: deleted, or bound to other branches"
            );
            noticed(Drift::CheckGone, what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_request::{CheckName, CommitSha, StatusCheckId};

    #[test]
    fn what_gitlab_does_by_itself_is_not_foreign() {
        let left = |written| KnownStatus {
            sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
            check: StatusCheckId::new(3),
            name: CheckName::default(),
            title: String::new(),
            target_branch: "main".to_owned(),
            shown: None,
            confirm_at: None,
            written,
            pending: None,
        };
        let foreign = |written, status| foreign_to(&left(Some(written)), status).is_some();
        for written in [Shown::ImplicitPending, Shown::PostedPending, Shown::ExpiredPending, Shown::Failed] {
            assert!(foreign(written, Status::Passed), "{written:?}");
            assert!(!foreign(written, Status::Pending), "{written:?}: or somebody pressed Retry");
        }
        assert!(foreign(Shown::Passed, Status::Failed) && foreign(Shown::ImplicitPending, Status::Failed));
        assert!(foreign(Shown::Passed, Status::Pending), "nobody can press Retry on what passed");
        assert!(!foreign(Shown::PostedPending, Status::Failed), "GitLab let it run out");
        assert_eq!(foreign_to(&left(None), Status::Passed), None, "our own answer may have arrived");
        let unclear =
            KnownStatus { confirm_at: Some(jiff::Timestamp::UNIX_EPOCH), ..left(Some(Shown::Failed)) };
        assert_eq!(foreign_to(&unclear, Status::Passed), None);
    }
}
