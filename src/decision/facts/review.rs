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

    pub(super) async fn reviewers(&self, _facts: &Facts) -> Known<Vec<Reviewer>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    pub(super) async fn label_events(&self, _facts: &Facts) -> Known<Vec<LabelEvent>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }
}

fn comment_of(note: gitlab::MergeRequestNote) -> Comment {
    Comment {
        id: note.id,
        author: User { id: UserId::new(note.author.id), username: note.author.username },
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
