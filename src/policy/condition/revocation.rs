//! Whether a veto was taken back: by its own author, after the last moment at which it can have been said.
//!
//! Words that nobody can rely on take nothing back for certain, and perhaps they do.

use jiff::Timestamp;

use super::flaw::Flaw;
use super::methods::{Method, Saying};
use crate::merge_request::UserId;
use crate::policy::fact::{Approval, Award, Comment, FactKey};
use crate::policy::finding::{Stop, known, open_of_any};
use crate::policy::view::View;

/// Whether a veto was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Revoked {
    No,
    /// It may have been, by what nobody can rely on.
    Perhaps,
    Yes,
}

/// Whether somebody took back by one of the methods what they said until then; all methods are asked for at once.
pub(super) fn is_revoked(
    user: UserId,
    said_by: Timestamp,
    methods: &[Method],
    view: &View<'_>,
) -> Result<Revoked, Stop> {
    let facts = view.facts;
    let mut stops = Vec::new();
    let mut revoked = Revoked::No;
    let mut hear = |heard: Result<Revoked, Stop>| match heard {
        Ok(heard) => revoked = revoked.max(heard),
        Err(stop) => stops.push(stop),
    };
    if methods.iter().any(|method| matches!(method, Method::Approval)) {
        let approvals = known(facts.approvals.as_ref(), FactKey::Approvals);
        hear(approvals.map(|approvals| {
            let by_user = approvals.iter().filter(|approval| approval.user.id == user);
            strongest(by_user.map(|approval| by_approval(approval, said_by)))
        }));
    }
    if methods.iter().any(Method::is_written) {
        let comments = known(facts.comments.as_ref(), FactKey::Comments);
        hear(comments.map(|comments| {
            let later = |comment: &&Comment| comment.author.id == user && comment.created_at > said_by;
            strongest(comments.iter().filter(later).map(|comment| by_comment(comment, methods)))
        }));
    }
    if methods.iter().any(|method| matches!(method, Method::Emoji(_))) {
        let awards = known(facts.awards.as_ref(), FactKey::Awards);
        hear(awards.map(|awards| {
            let later = |award: &&Award| award.user.id == user && award.created_at > said_by;
            let is_one = awards.iter().filter(later).any(|award| Method::any_is_emoji(methods, &award.name));
            if is_one { Revoked::Yes } else { Revoked::No }
        }));
    }
    match open_of_any(stops) {
        Some(stop) if revoked != Revoked::Yes => Err(stop),
        _ => Ok(revoked),
    }
}

fn by_approval(approval: &Approval, said_by: Timestamp) -> Revoked {
    match approval.not_before {
        Some(given) if given > said_by => Revoked::Yes,
        Some(_) => Revoked::No,
        None => Revoked::Perhaps,
    }
}

fn by_comment(comment: &Comment, methods: &[Method]) -> Revoked {
    match Method::clearest(methods, comment) {
        Saying::Said if comment.may_be_edited() => Revoked::Perhaps,
        Saying::Said => Revoked::Yes,
        Saying::Flawed(Flaw::Doubtful(_)) => Revoked::Perhaps,
        Saying::Flawed(Flaw::Certain(_)) | Saying::TooLong | Saying::Nothing => Revoked::No,
    }
}

fn strongest(revoked: impl Iterator<Item = Revoked>) -> Revoked {
    revoked.max().unwrap_or(Revoked::No)
}
