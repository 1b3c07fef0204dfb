//! What people said: threads, comments, emoji, the states of reviewers, labels.

use super::reader::Reader;
use crate::decision::doubt::known;
use crate::gitlab;
use crate::merge_request::{User, UserId};
use crate::policy::fact::{Award, Comment, Facts, Known, LabelEvent, Reviewer, Thread, Unknown};

/// The longest comment whose text is kept: a longer one is no command and no note of GitLab's that matters.
const LONGEST_COMMENT: usize = 1024;

impl Reader<'_> {
    pub(super) async fn threads(&self, facts: &Facts) -> Known<Vec<Thread>> {
        known(self.gitlab.discussions(facts.merge_request.merge_request).await.map(unresolved))
    }

    pub(super) async fn comments(&self, facts: &Facts) -> Known<Vec<Comment>> {
        let read = self.gitlab.notes(facts.merge_request.merge_request).await;
        known(read.map(|notes| notes.into_iter().map(comment_of).collect()))
    }

    pub(super) async fn awards(&self, _facts: &Facts) -> Known<Vec<Award>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn reviewers(&self, facts: &Facts) -> Known<Vec<Reviewer>> {
        let reviewer =
            |reviewer: gitlab::Reviewer| Reviewer { user: user_of(&reviewer.user), state: reviewer.state };
        let read = self.gitlab.reviewers(facts.merge_request.merge_request).await;
        known(read.map(|reviewers| reviewers.into_iter().map(reviewer).collect()))
    }

    pub(super) async fn label_events(&self, facts: &Facts) -> Known<Vec<LabelEvent>> {
        let event = |event: gitlab::LabelEvent| LabelEvent {
            id: event.id,
            label: event.label.map(|label| label.name),
            added: event.action == "add",
            user: event.user.as_ref().map(user_of),
        };
        let read = self.gitlab.label_events(facts.merge_request.merge_request).await;
        known(read.map(|events| events.into_iter().map(event).collect()))
    }
}

fn user_of(user: &gitlab::BasicUser) -> User {
    User { id: UserId::new(user.id), username: user.username.clone() }
}

fn comment_of(note: gitlab::MergeRequestNote) -> Comment {
    Comment {
        id: note.id,
        author: user_of(&note.author),
        body: Some(note.body).filter(|body| body.len() <= LONGEST_COMMENT),
        created_at: note.created_at,
        edited: note.updated_at > note.created_at,
        system: note.system,
    }
}

fn unresolved(discussions: Vec<gitlab::Discussion>) -> Vec<Thread> {
    discussions
        .into_iter()
        .filter(|discussion| {
            discussion.notes.iter().any(|note| note.resolvable && note.resolved != Some(true))
        })
        .filter_map(|discussion| {
            let author = &discussion.notes.first()?.author;
            let author = User { id: UserId::new(author.id), username: author.username.clone() };
            Some(Thread { id: discussion.id, author })
        })
        .collect()
}
