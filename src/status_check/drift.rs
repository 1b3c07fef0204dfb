//! What is found to be otherwise than it should be: in kinds, and whether it was mended.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::merge_request::{CheckName, MergeRequestRef, ProjectId, StatusCheckId};
use crate::store::Settlement;
use crate::telemetry::Metrics;

/// What is otherwise than it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Drift {
    /// GitLab shows a status that was not the last word here: somebody else posted it, unless GitLab or this store lost what was.
    ForeignStatus,
    /// An answer of which GitLab never said that it took it does not show.
    LostAnswer,
    /// Something happened that was never told, and the status shows what was right before.
    MissedEvent,
    /// The check was never decided for the merge request, and no `passed` shows: nobody told of either.
    NeverDecided,
    /// GitLab does not list the check any more.
    CheckGone,
    /// The check calls another address.
    CheckMoved,
    /// The check has another name in GitLab.
    CheckRenamed,
    /// "Status checks must succeed" was on and is off.
    NotRequired,
}

impl Drift {
    /// The word of metrics and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::ForeignStatus => "foreign_status",
            Self::LostAnswer => "lost_answer",
            Self::MissedEvent => "missed_event",
            Self::NeverDecided => "never_decided",
            Self::CheckGone => "check_gone",
            Self::CheckMoved => "check_moved",
            Self::CheckRenamed => "check_renamed",
            Self::NotRequired => "not_required",
        }
    }

    /// Whether an answer mends it; otherwise only people do.
    pub fn is_of_status(self) -> bool {
        matches!(self, Self::ForeignStatus | Self::LostAnswer | Self::MissedEvent | Self::NeverDecided)
    }
}

/// One thing that was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// What sort of thing.
    pub drift: Drift,
    /// Our name of the check, where it is about one.
    pub check: Option<CheckName>,
    /// In a sentence.
    pub what: String,
    id: Option<StatusCheckId>,
}

impl Noticed {
    pub(super) fn of_check(drift: Drift, id: StatusCheckId, name: &CheckName, what: String) -> Self {
        Self { drift, check: Some(name.clone()), what, id: Some(id) }
    }

    /// That merging does not wait for status checks any more.
    pub(super) fn not_required() -> Self {
        let what = "“Status checks must succeed” was on and is off: merging does not wait for any check";
        Self { drift: Drift::NotRequired, check: None, what: what.to_owned(), id: None }
    }
}

/// What was noticed and is not mended yet, and what was told already.
#[derive(Debug, Default)]
pub(super) struct Book {
    unmended: Mutex<HashMap<(MergeRequestRef, StatusCheckId), Drift>>,
    /// What only people mend is told once for each project, not for each of its merge requests.
    told: Mutex<HashSet<(ProjectId, String)>>,
}

impl Book {
    pub(super) fn note(&self, metrics: &Metrics, merge_request: MergeRequestRef, noticed: &Noticed) {
        let Noticed { drift, check, what, id } = noticed;
        let is_new = match id {
            Some(id) if drift.is_of_status() => {
                let mut unmended = self.unmended.lock().unwrap_or_else(PoisonError::into_inner);
                let before = unmended.len();
                unmended.entry((merge_request, *id)).or_insert(*drift);
                unmended.len() > before
            }
            _ => {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                told.insert((merge_request.project, what.clone()))
            }
        };
        if !is_new {
            return;
        }
        metrics.count_drift(drift.word());
        let (project, iid) = (merge_request.project, merge_request.iid);
        let check = check.as_ref().map_or("", CheckName::as_str);
        tracing::warn!(%project, %iid, check, drift = drift.word(), "{what}");
    }

    /// Merging waits for status checks in a project: if it does not any more some day, that is news.
    pub(super) fn is_required(&self, project: ProjectId) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(&(project, Noticed::not_required().what));
    }

    /// A claim ends: unless its work is not finished, what shows now is what is right.
    pub(super) fn settled(&self, metrics: &Metrics, merge_request: MergeRequestRef, settlement: &Settlement) {
        if settlement.unfinished {
            return;
        }
        let mut unmended = self.unmended.lock().unwrap_or_else(PoisonError::into_inner);
        for known in settlement.statuses.iter().filter(|known| known.shown.is_some()) {
            if let Some(drift) = unmended.remove(&(merge_request, known.check)) {
                metrics.count_mended(drift.word());
            }
        }
        if settlement.ended {
            unmended.retain(|(of, _), _| *of != merge_request);
        }
    }
}
