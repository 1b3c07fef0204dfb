//! Approvals, threads and pipelines.

use super::gitlab::Gitlab;
use crate::merge_request::{CommitSha, MergeRequestRef, UserId};
use crate::simulator::diffs::Commit;
use crate::simulator::error::SimulatorError;
use crate::simulator::merge_requests::{Note, PipelineKind, PipelineRun};
use crate::simulator::payload::Happening;
use crate::simulator::reviewing::NoteKind;
use crate::simulator::world::World;

impl Gitlab {
    /// Somebody approves.
    pub fn approve(&self, which: MergeRequestRef, user: UserId) -> Result<(), SimulatorError> {
        self.world(|world| world.approve(which, user))
    }

    /// Somebody takes an approval back.
    pub fn unapprove(&self, which: MergeRequestRef, user: UserId) -> Result<(), SimulatorError> {
        self.world(|world| world.unapprove(which, user))
    }

    /// Whether `/approvals` says `approved_at` (older versions do not).
    pub fn say_approved_at(&self, says: bool) {
        self.world(|world| world.says_approved_at = says);
    }

    /// Changes how many approvals are required. Nobody is told.
    pub fn require_approvals(&self, which: MergeRequestRef, count: u32) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.approvals_required = count;
            Ok(())
        })
    }

    /// Opens a thread that can be resolved; note hooks hear of it, status checks do not.
    pub fn open_thread(&self, which: MergeRequestRef, body: &str) -> Result<String, SimulatorError> {
        self.discuss(which, body, NoteKind::Thread)
    }

    /// Writes a comment that is no thread.
    pub fn comment(&self, which: MergeRequestRef, body: &str) -> Result<String, SimulatorError> {
        self.discuss(which, body, NoteKind::Comment)
    }

    /// Writes a comment that only project members see.
    pub fn internal_comment(&self, which: MergeRequestRef, body: &str) -> Result<String, SimulatorError> {
        self.discuss(which, body, NoteKind::Internal)
    }

    /// Changes the comment that began a discussion; its author or a Maintainer may. Note hooks hear of
    /// it since 16.11.
    pub fn edit_comment(
        &self,
        which: MergeRequestRef,
        discussion: &str,
        body: &str,
    ) -> Result<(), SimulatorError> {
        let id = self.first_note(which, discussion)?;
        self.world(|world| world.edit_note(which, id, body))
    }

    /// Deletes the comment that began a discussion. Nobody is told.
    pub fn delete_comment(&self, which: MergeRequestRef, discussion: &str) -> Result<(), SimulatorError> {
        let id = self.first_note(which, discussion)?;
        self.world(|world| world.delete_note(which, id))
    }

    fn first_note(&self, which: MergeRequestRef, discussion: &str) -> Result<u64, SimulatorError> {
        self.world(|world| {
            let threads = &world.merge_request(which)?.discussions;
            let thread = threads.iter().find(|thread| thread.id == discussion);
            let note = thread.and_then(|thread| thread.notes.first());
            note.map(|note| note.id).ok_or_else(|| SimulatorError::NoDiscussion(discussion.to_owned()))
        })
    }

    /// Somebody awards an emoji. Only emoji hooks hear of it.
    pub fn award(&self, which: MergeRequestRef, user: UserId, name: &str) -> Result<(), SimulatorError> {
        self.world(|world| world.award(which, user, name).map(drop))
    }

    /// Somebody takes an emoji back. Only emoji hooks hear of it.
    pub fn take_award_back(
        &self,
        which: MergeRequestRef,
        user: UserId,
        name: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| world.take_award_back(which, |award| award.user == user && award.name == name))
    }

    /// A reviewer, who becomes one if need be, says how far the review is (`requested_changes`, `reviewed`, …). Before 19.3
    /// nobody is told.
    pub fn review(&self, which: MergeRequestRef, user: UserId, state: &str) -> Result<(), SimulatorError> {
        self.world(|world| world.review(which, user, state, None))
    }

    /// The same with a comment, of which note hooks hear.
    pub fn review_with_comment(
        &self,
        which: MergeRequestRef,
        user: UserId,
        state: &str,
        comment: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| world.review(which, user, state, Some(comment)))
    }

    /// GitLab notes something by itself.
    pub fn system_note(&self, which: MergeRequestRef, body: &str) -> Result<String, SimulatorError> {
        self.discuss(which, body, NoteKind::System)
    }

    fn discuss(&self, which: MergeRequestRef, body: &str, kind: NoteKind) -> Result<String, SimulatorError> {
        self.world(|world| {
            let author = self.actor(world, which)?;
            world.discuss(which, author, body, kind)
        })
    }

    /// Answers in a thread.
    pub fn reply(&self, which: MergeRequestRef, thread: &str, body: &str) -> Result<(), SimulatorError> {
        self.world(|world| {
            let author = self.actor(world, which)?;
            let (id, created_at) = (world.fresh_id(), world.now());
            let merge_request = world.merge_request_mut(which)?;
            let found = merge_request.discussions.iter_mut().find(|discussion| discussion.id == thread);
            let found = found.ok_or_else(|| SimulatorError::NoDiscussion(thread.to_owned()))?;
            let first = found.notes.first_mut().filter(|_| !found.resolvable);
            // GitLab: the first reply makes a thread of a comment, which touches it.
            if let Some(comment) = first {
                comment.touch(created_at);
            }
            found.resolvable = true;
            let (body, updated_at) = (body.to_owned(), created_at);
            let (system, internal) = (false, false);
            found.notes.push(Note { id, author, body, system, internal, created_at, updated_at });
            merge_request.updated_at = created_at;
            world.announce_note(which, thread, author)
        })
    }

    /// Resolves a thread. Only when it was the last open one is anybody told.
    pub fn resolve_thread(&self, which: MergeRequestRef, thread: &str) -> Result<(), SimulatorError> {
        self.world(|world| {
            let now = world.now();
            let merge_request = world.merge_request_mut(which)?;
            let open = !merge_request.all_resolved();
            let found = merge_request.discussions.iter_mut().find(|discussion| discussion.id == thread);
            let found = found.ok_or_else(|| SimulatorError::NoDiscussion(thread.to_owned()))?;
            found.resolved = true;
            found.notes.iter_mut().for_each(|note| note.touch(now));
            if open && world.merge_request(which)?.all_resolved() {
                self.announce(world, which, Happening::new("update"))?;
            }
            Ok(())
        })
    }

    /// Takes back that a thread is resolved. Nobody is told.
    pub fn unresolve_thread(&self, which: MergeRequestRef, thread: &str) -> Result<(), SimulatorError> {
        self.world(|world| {
            let merge_request = world.merge_request_mut(which)?;
            let found = merge_request.discussions.iter_mut().find(|discussion| discussion.id == thread);
            found.ok_or_else(|| SimulatorError::NoDiscussion(thread.to_owned()))?.resolved = false;
            Ok(())
        })
    }

    /// The newest pipeline of the head has this status; there is one afterwards. Only pipeline hooks hear of it.
    pub fn set_pipeline(&self, which: MergeRequestRef, status: &str) -> Result<u64, SimulatorError> {
        let current = self.world(|world| -> Result<Option<u64>, SimulatorError> {
            let merge_request = world.merge_request_mut(which)?;
            let head = merge_request.head().cloned().ok_or(SimulatorError::NoHead(which))?;
            let run = merge_request.pipelines.iter_mut().rev().find(|run| run.sha == head);
            let Some(run) = run else { return Ok(None) };
            status.clone_into(&mut run.status);
            let run = run.clone();
            let actor = self.actor(world, which)?;
            world.announce_pipeline(which, actor, &run)?;
            Ok(Some(run.id))
        })?;
        current.map_or_else(|| self.run_pipeline(which, PipelineKind::MergeRequest, status), Ok)
    }

    /// A new pipeline of the head. Only pipeline hooks hear of it.
    pub fn run_pipeline(
        &self,
        which: MergeRequestRef,
        kind: PipelineKind,
        status: &str,
    ) -> Result<u64, SimulatorError> {
        self.world(|world| {
            let actor = self.actor(world, which)?;
            let merge_request = world.merge_request(which)?;
            let branch = merge_request.source_branch.clone();
            let head = merge_request.head().cloned().ok_or(SimulatorError::NoHead(which))?;
            let (sha, source, reference) = match kind {
                PipelineKind::Branch => (head, "push", branch),
                PipelineKind::MergeRequest => (head, "merge_request_event", special(which, "head")),
                PipelineKind::MergedResult => {
                    (merged_result(world, which)?, "merge_request_event", special(which, "merge"))
                }
                PipelineKind::Train => {
                    (merged_result(world, which)?, "merge_request_event", special(which, "train"))
                }
            };
            let (id, created_at, status) = (world.fresh_id(), world.now(), status.to_owned());
            // GitLab: a branch's pipeline runs where the branch is.
            let fork = world.merge_request(which)?.source_project.filter(|_| kind == PipelineKind::Branch);
            let (project, jobs) = (fork.unwrap_or(which.project), Vec::new());
            let run = PipelineRun { id, sha, reference, status, source, created_at, project, jobs };
            world.merge_request_mut(which)?.pipelines.push(run.clone());
            world.announce_pipeline(which, actor, &run)?;
            Ok(id)
        })
    }

    /// Changes the status of a pipeline by its id.
    pub fn finish_pipeline(
        &self,
        which: MergeRequestRef,
        id: u64,
        status: &str,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let actor = self.actor(world, which)?;
            let merge_request = world.merge_request_mut(which)?;
            let run = merge_request.pipelines.iter_mut().find(|run| run.id == id);
            let run = run.ok_or_else(|| SimulatorError::Refused(format!("there is no pipeline {id}")))?;
            status.clone_into(&mut run.status);
            let run = run.clone();
            world.announce_pipeline(which, actor, &run)
        })
    }
}

fn special(which: MergeRequestRef, kind: &str) -> String {
    format!("refs/merge-requests/{}/{kind}", which.iid)
}

/// A commit that merges the head into the target branch, on no branch of its own.
fn merged_result(world: &mut World, which: MergeRequestRef) -> Result<CommitSha, SimulatorError> {
    let merge_request = world.merge_request(which)?;
    let head = merge_request.head().cloned().ok_or(SimulatorError::NoHead(which))?;
    let target = merge_request.target_branch.clone();
    let onto = world.branch_head(which.project, &target)?;
    let sha = world.fresh_sha("merged result")?;
    let commit = Commit {
        sha: sha.clone(),
        message: format!("Merge {head} into {onto}"),
        author_email: "root@example.com".to_owned(),
        committer_email: "root@example.com".to_owned(),
        parents: vec![onto, head],
        at: world.now(),
        signature: None,
    };
    world.project_mut(which.project)?.repository.add_commit(commit);
    Ok(sha)
}
