//! What people said: threads, comments, emoji, the states of reviewers, labels.

use super::reader::Reader;
use crate::decision::doubt::{known, unknown};
use crate::gitlab;
use crate::policy::fact::{Award, Comment, Facts, Known, LabelEvent, Reviewer, Thread, Unknown};

impl Reader<'_> {
    pub(super) async fn threads(&self, facts: &Facts) -> Known<Vec<Thread>> {
        let read = self.gitlab.discussions(facts.merge_request.merge_request).await;
        read.map_err(unknown).and_then(unresolved).into()
    }

    pub(super) async fn comments(&self, facts: &Facts) -> Known<Vec<Comment>> {
        let read = self.gitlab.notes(facts.merge_request.merge_request).await;
        let comments = |notes: Vec<_>| notes.into_iter().map(comment_of).collect();
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
            reviewers.into_iter().map(reviewer).collect()
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
        known(read.map(|events| events.into_iter().map(event).collect()))
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
