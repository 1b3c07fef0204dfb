//! What people said: threads, comments, emoji, the states of reviewers, labels.

use super::reader::Reader;
use crate::decision::doubt::{known, unknown};
use crate::gitlab;
use crate::policy::fact::{Award, Comment, Facts, Known, LabelEvent, Reviewer, Thread, Unknown};

/// GitLab's word for a reviewer who says no.
const REQUESTED_CHANGES: &str = "requested_changes";

impl Reader<'_> {
    pub(super) async fn threads(&self, facts: &Facts) -> Known<Vec<Thread>> {
        let read = self.gitlab.discussions(facts.merge_request.merge_request).await;
        read.map_err(unknown).and_then(unresolved).into()
    }

    pub(super) async fn comments(&self, facts: &Facts) -> Known<Vec<Comment>> {
        let read = self.gitlab.notes(facts.merge_request.merge_request).await;
        let is_own = |note: &gitlab::ListedNote| self.own.wrote(&note.author, &note.body);
        let comments = |notes: Vec<gitlab::ListedNote>| {
            notes.into_iter().filter(|note| !is_own(note)).map(comment_of).collect()
        };
        read.map_err(unknown).and_then(comments).into()
    }

    pub(super) async fn awards(&self, facts: &Facts) -> Known<Vec<Award>> {
        let read = self.gitlab.award_emoji(facts.merge_request.merge_request).await;
        known(read.map(|awards| {
            let award = |award: gitlab::AwardEmoji| Award {
                name: award.name,
                user: award.user.user(),
                is_active: award.user.is_active(),
                created_at: award.created_at,
            };
            awards.into_iter().map(award).collect()
        }))
    }

    pub(super) async fn reviewers(&self, facts: &Facts) -> Known<Vec<Reviewer>> {
        let read = self.gitlab.reviewers(facts.merge_request.merge_request).await;
        known(read.map(|reviewers| {
            let reviewer =
                |reviewer: gitlab::Reviewer| Reviewer { user: reviewer.user.user(), state: reviewer.state };
            // An approval makes a reviewer of whoever gives it. A no stays one, whoever said it by our user's hand.
            let is_own = |reviewer: &gitlab::Reviewer| {
                self.own.reviews_as(&reviewer.user) && reviewer.state != REQUESTED_CHANGES
            };
            let others = reviewers.into_iter().filter(|reviewer| !is_own(reviewer));
            others.map(reviewer).collect()
        }))
    }

    pub(super) async fn label_events(&self, facts: &Facts) -> Known<Vec<LabelEvent>> {
        let event = |event: gitlab::LabelEvent| LabelEvent {
            id: event.id,
            label: event.label.map(|label| label.name),
            added: event.action == "add",
            user: event.user.as_ref().map(gitlab::BasicUser::user),
        };
        let read = self.gitlab.label_events(facts.merge_request.merge_request).await;
        let is_own = |event: &gitlab::LabelEvent| {
            event.label.as_ref().is_some_and(|label| self.own.labels.contains(&label.name))
        };
        known(read.map(|events| events.into_iter().filter(|event| !is_own(event)).map(event).collect()))
    }
}

fn comment_of(note: gitlab::ListedNote) -> Result<Comment, Unknown> {
    let internal = note.is_internal().ok_or_else(|| unsaid("whether a comment is `internal`"))?;
    Ok(Comment {
        id: note.id,
        author: note.author.user(),
        is_active: note.author.is_active(),
        body: Some(note.body).filter(|body| body.len() <= Comment::LONGEST_BODY),
        created_at: note.created_at,
        updated_at: note.updated_at,
        system: note.system,
        internal,
        in_thread: note.r#type.is_some(),
    })
}

fn unresolved(discussions: Vec<gitlab::Discussion>) -> Result<Vec<Thread>, Unknown> {
    let mut threads = Vec::new();
    for discussion in discussions {
        let mut is_resolved = true;
        for note in discussion.notes.iter().filter(|note| note.resolvable) {
            is_resolved &= note.resolved.ok_or_else(|| unsaid("whether a thread is `resolved`"))?;
        }
        let author = discussion.notes.into_iter().next().map(|note| note.author.user());
        threads.extend(author.filter(|_| !is_resolved).map(|author| Thread { id: discussion.id, author }));
    }
    Ok(threads)
}

/// What GitLab says in every version, and left out.
fn unsaid(what: &str) -> Unknown {
    Unknown { why: format!("GitLab does not say {what}"), curable: true }
}
