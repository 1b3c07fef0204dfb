//! Where a delivery goes: to the lane of its merge request, to those of its commit, to many, or nowhere.
//!
//! Events beside those of the merge request itself are taken only if a policy reads what they can change. What can't be told
//! for certain is taken: the project's path may be absent from a body, and is then looked up beside the lane.

use std::fmt;
use std::sync::Arc;

use crate::companion::Companion;
use crate::gitlab::webhook::{Delivery, Subject, Whom};
use crate::merge_request::{CheckName, CommitSha, ProjectId, StatusCheckId};
use crate::store::{Concerned, Crowd, Event, Hint, Proof, StoreError, Taken};

use super::intake::Intake;

/// Where a delivery goes.
pub(super) enum Destination {
    /// To a lane.
    Lane {
        /// Which one.
        subject: Subject,
        /// The check that was asked, and our name for it.
        check: Option<(StatusCheckId, Option<CheckName>)>,
        /// What is kept of its kind.
        event: Event,
    },
    /// To the lanes of which a commit is the head.
    Commit {
        /// What it is about.
        companion: Companion,
        /// Where it happened.
        project: ProjectId,
        /// The commit.
        sha: CommitSha,
    },
    /// To many lanes.
    Crowds(Vec<Crowd>),
}

/// Why a delivery goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Its URL and the address that it came to name different checks.
    Misdirected,
    /// Its project is none of ours.
    OutOfScope,
    /// It can change nothing that is decided.
    WakesNothing,
}

/// Where a delivery goes.
pub(super) fn of(intake: &Intake, name: &CheckName, delivery: Delivery) -> Result<Destination, NotTaken> {
    match delivery {
        Delivery::StatusCheck { check, external_url, subject } => {
            let configured = external_url.as_deref().and_then(|url| intake.address.name_of(url));
            if configured.as_ref().is_some_and(|configured| configured != name) {
                return Err(NotTaken::Misdirected);
            }
            in_scope(intake, subject.project_path.as_deref())?;
            Ok(Destination::Lane { subject, check: Some((check, configured)), event: Event::StatusCheck })
        }
        Delivery::MergeRequest(subject) => {
            in_scope(intake, subject.project_path.as_deref())?;
            Ok(Destination::Lane { subject, check: None, event: Event::MergeRequest })
        }
        Delivery::Companion { companion, subject } => {
            in_scope(intake, subject.project_path.as_deref())?;
            if let Some(companion) = companion {
                moves(intake, companion, subject.project_path.as_deref())?;
            }
            Ok(Destination::Lane { subject, check: None, event: Event::Companion(companion) })
        }
        // Where it ran may be a fork of a project of ours: whose head its commit is tells which one.
        Delivery::Commit { companion, project, sha } => {
            moves(intake, companion, None)?;
            Ok(Destination::Commit { companion, project, sha })
        }
        Delivery::Crowd { companion, whom } => crowds(intake, companion, whom),
        Delivery::AccessToken { user } => {
            // Whoever hears it looks every day as well.
            let _full = user.map(|user| intake.expiring_tokens.try_send(user));
            Err(NotTaken::WakesNothing)
        }
        Delivery::Other { kind } => {
            tracing::debug!(kind, "an event that wakes nothing");
            Err(NotTaken::WakesNothing)
        }
    }
}

fn crowds(intake: &Intake, companion: Companion, whom: Whom) -> Result<Destination, NotTaken> {
    let (project, path, branches) = match whom {
        Whom::Project { project, path, target_branches } => (Some(project), path, target_branches),
        Whom::Everybody => (None, None, None),
    };
    in_scope(intake, path.as_deref())?;
    moves(intake, companion, path.as_deref().filter(|_| companion != Companion::Move))?;
    let crowd = |target_branch| Crowd { companion, project, target_branch };
    Ok(Destination::Crowds(match branches {
        Some(branches) => branches.into_iter().map(|branch| crowd(Some(branch))).collect(),
        None => vec![crowd(None)],
    }))
}

fn in_scope(intake: &Intake, path: Option<&str>) -> Result<(), NotTaken> {
    match path {
        Some(path) if !intake.scope.contains(path) => Err(NotTaken::OutOfScope),
        Some(_) | None => Ok(()),
    }
}

fn moves(intake: &Intake, companion: Companion, path: Option<&str>) -> Result<(), NotTaken> {
    if (intake.is_moved_by)(companion, path) {
        return Ok(());
    }
    tracing::debug!(event = companion.as_str(), "an event of which no policy reads anything");
    Err(NotTaken::WakesNothing)
}

impl Destination {
    /// Puts it there, on disk.
    pub(super) async fn store(
        self,
        intake: &Intake,
        proof: Proof,
        unsigned: bool,
    ) -> Result<Taken, StoreError> {
        match self {
            Self::Lane { subject, event: Event::Companion(companion), .. } => {
                let hint = Hint {
                    sha: subject.sha,
                    target_branch: subject.target_branch,
                    ..Hint::of_companion(subject.merge_request, companion, proof)
                };
                match companion.filter(|_| subject.project_path.is_none()) {
                    Some(companion) => intake.queue.take_if(hint, concerned(intake, companion)).await,
                    None => intake.queue.take(hint).await,
                }
            }
            Self::Lane { subject, check, event } => {
                let (status_check, check_name) = check.unzip();
                let hint = Hint {
                    merge_request: subject.merge_request,
                    event,
                    action: subject.action,
                    status_check,
                    check_name: check_name.flatten(),
                    sha: subject.sha,
                    target_branch: subject.target_branch,
                    pusher: subject.pusher,
                    distrust: subject.distrust,
                    unsigned,
                    digest: proof.digest,
                    idempotency_key: proof.idempotency_key,
                };
                intake.queue.take(hint).await
            }
            Self::Commit { companion, project, sha } => {
                let concerned = concerned(intake, companion);
                intake.queue.take_for_commit(companion, (project, sha), proof, concerned).await
            }
            Self::Crowds(crowds) => intake.queue.take_crowd(crowds, proof).await,
        }
    }
}

fn concerned(intake: &Intake, companion: Companion) -> Arc<Concerned> {
    let is_moved_by = Arc::clone(&intake.is_moved_by);
    Arc::new(move |path: Option<&str>| is_moved_by(companion, path))
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane { subject, event, .. } => {
                write!(formatter, "{} {}", event.as_str(), subject.merge_request)
            }
            Self::Commit { companion, project, sha } => {
                write!(formatter, "{} {project}@{}", companion.as_str(), sha.short())
            }
            Self::Crowds(crowds) => {
                let Some(first) = crowds.first() else { return formatter.write_str("nobody") };
                let project = first.project.map_or_else(|| "any".to_owned(), |project| project.to_string());
                write!(formatter, "{} of project {project}", first.companion.as_str())
            }
        }
    }
}
