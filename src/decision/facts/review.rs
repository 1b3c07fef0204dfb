//! What people said: threads, comments, emoji, the states of reviewers, labels.

use super::reader::Reader;
use crate::decision::doubt::known;
use crate::gitlab;
use crate::policy::fact::{Award, Comment, Facts, Known, LabelEvent, Reviewer, Thread};

/// The longest text of a comment that is kept: facts are recorded with every decision.
const LONGEST_BODY: usize = 4 * 1024;
/// GitLab's word for a reviewer who says no.
const REQUESTED_CHANGES: &str = "requested_changes";

impl Reader<'_> {
    pub(super) async fn threads(&self, facts: &Facts) -> Known<Vec<Thread>> {
        known(self.gitlab.discussions(facts.merge_request.merge_request).await.map(unresolved))
    }

    pub(super) async fn comments(&self, facts: &Facts) -> Known<Vec<Comment>> {
        let read = self.gitlab.notes(facts.merge_request.merge_request).await;
        known(read.map(|notes| {
            // An account that was blocked vouches for nothing any more, and nobody could take back what it said.
            // What GitLab noted by itself happened, whoever brought it about.
            let is_own = |note: &gitlab::ListedNote| self.own.wrote(&note.author, &note.body);
            let counts =
                |note: &gitlab::ListedNote| (note.system || note.author.is_active()) && !is_own(note);
            notes.into_iter().filter(counts).map(comment_of).collect()
        }))
    }

    pub(super) async fn awards(&self, facts: &Facts) -> Known<Vec<Award>> {
        let read = self.gitlab.award_emoji(facts.merge_request.merge_request).await;
        known(read.map(|awards| {
            let award = |award: gitlab::AwardEmoji| Award {
                name: award.name,
                user: award.user.user(),
                created_at: award.created_at,
            };
            awards.into_iter().filter(|award| award.user.is_active()).map(award).collect()
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

fn comment_of(note: gitlab::ListedNote) -> Comment {
    Comment {
        id: note.id,
        author: note.author.user(),
        body: Some(note.body).filter(|body| body.len() <= LONGEST_BODY),
        created_at: note.created_at,
        updated_at: note.updated_at,
        system: note.system,
        internal: note.internal || note.confidential,
        in_thread: note.r#type.is_some(),
    }
}

fn unresolved(discussions: Vec<gitlab::Discussion>) -> Vec<Thread> {
    discussions
        .into_iter()
        .filter(|discussion| {
            discussion.notes.iter().any(|note| note.resolvable && note.resolved != Some(true))
        })
        .filter_map(|discussion| {
            let author = discussion.notes.into_iter().next()?.author;
            Some(Thread { id: discussion.id, author: author.user() })
        })
        .collect()
}
