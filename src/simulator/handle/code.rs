//! Opening merge requests and pushing to them.

use std::collections::BTreeMap;

use serde_json::json;

use super::gitlab::Gitlab;
use crate::merge_request::{CommitSha, MergeRequestIid, MergeRequestRef, UserId};
use crate::simulator::accounts::NewUser;
use crate::simulator::diffs::Push;
use crate::simulator::error::SimulatorError;
use crate::simulator::merge_requests::{MergeRequest, MergeRequestState};
use crate::simulator::new_merge_request::{NewMergeRequest, Stage};
use crate::simulator::payload::Happening;
use crate::simulator::world::World;

impl Gitlab {
    /// Opens a merge request.
    pub fn open_merge_request(&self, new: NewMergeRequest) -> Result<MergeRequestRef, SimulatorError> {
        self.world(|world| {
            let stage = new.stage;
            let merge_request = make(world, new)?;
            let (which, author) = (merge_request.reference, merge_request.author);
            world.merge_requests.insert(which, merge_request);
            if matches!(stage, Stage::Announced | Stage::Empty) {
                let actor = self.actor.unwrap_or(author);
                world.announce(which, actor, &opened())?;
            }
            Ok(which)
        })
    }

    /// GitLab is ready with a merge request that was opened `preparing`: it has a head, and everybody is told.
    pub fn finish_preparing(&self, which: MergeRequestRef) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.preparing = false;
            self.announce(world, which, opened())
        })
    }

    /// Lets `sha` and `diff_refs` be null for a while, or ends that. Nobody is told.
    pub fn set_preparing(&self, which: MergeRequestRef, preparing: bool) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.merge_request_mut(which)?.preparing = preparing;
            Ok(())
        })
    }

    /// Pushes to the source branch. The new head has no answers, an old head that comes back has its old ones.
    pub fn push(&self, which: MergeRequestRef, push: Push) -> Result<CommitSha, SimulatorError> {
        self.world(|world| {
            let actor = self.actor(world, which)?;
            let merge_request = world.merge_request(which)?.clone();
            let before = merge_request.head().cloned();
            let version = world.new_version(&merge_request, push, actor)?;
            let head = version.head.clone();
            world.merge_request_mut(which)?.versions.push(version);
            let pushed = world.merge_request(which)?.clone();
            world.announce_push(&pushed, actor, before.as_ref())?;
            if pushed.state == MergeRequestState::Opened {
                let happening = Happening { oldrev: before, ..Happening::new("update") };
                self.announce(world, which, happening)?;
                self.reset_approvals(world, which, actor)?;
                world.leave_train(which, actor)?;
            }
            Ok(head)
        })
    }

    /// Approvals that a push removes are announced as one event of the pusher (18.6 and later).
    fn reset_approvals(
        &self,
        world: &mut World,
        which: MergeRequestRef,
        pusher: UserId,
    ) -> Result<(), SimulatorError> {
        let resets = world.project(which.project)?.resets_approvals;
        let merge_request = world.merge_request_mut(which)?;
        if !resets || merge_request.approvals.is_empty() {
            return Ok(());
        }
        let approved = merge_request.approvals_left() == 0;
        merge_request.approvals.clear();
        let lost = approved && merge_request.approvals_left() > 0;
        if !world.release.announces_approval_resets() {
            return Ok(());
        }
        let action = if lost { "unapproved" } else { "unapproval" };
        let system_action = Some("approvals_reset_on_push");
        let happening = Happening { system_action, ..Happening::new(action) };
        self.acting_as(pusher).announce(world, which, happening)
    }
}

fn opened() -> Happening {
    Happening::new("open").changed("merge_status", &json!("preparing"), &json!("checking"))
}

fn make(world: &mut World, new: NewMergeRequest) -> Result<MergeRequest, SimulatorError> {
    let author = match new.author {
        Some(author) => world.user(author)?.id,
        None => world.ensure_user(&NewUser::named("author")),
    };
    let project = world.project_mut(new.project)?;
    let iid = new.iid.unwrap_or(project.next_iid);
    project.next_iid = project.next_iid.max(iid.saturating_add(1));
    let approvals_required = new.approvals_required.unwrap_or(project.approvals_required);
    let target_branch = new.target_branch.unwrap_or_else(|| project.default_branch.clone());
    let reference = MergeRequestRef { project: new.project, iid: MergeRequestIid::new(iid) };
    let now = world.now();
    let mut merge_request = MergeRequest {
        reference,
        id: world.id_or_fresh(new.id),
        title: new.title,
        description: new.description,
        labels: new.labels,
        source_branch: new.source_branch.unwrap_or_else(|| format!("change-{iid}")),
        target_branch,
        source_project: Some(new.fork.unwrap_or(new.project)),
        author,
        assignees: new.assignees,
        reviewers: new.reviewers,
        reviewer_states: BTreeMap::new(),
        milestone: new.milestone,
        squash: false,
        removes_source_branch: true,
        conflicts: Some(false),
        first_contribution: Some(false),
        state: MergeRequestState::Opened,
        created_at: new.created_at.unwrap_or(now),
        updated_at: new.created_at.unwrap_or(now),
        preparing: new.stage == Stage::Preparing,
        versions: Vec::new(),
        approvals: Vec::new(),
        approvals_required,
        awards: Vec::new(),
        discussions: Vec::new(),
        label_events: Vec::new(),
        pipelines: Vec::new(),
        blocked_by: Vec::new(),
        mentioned_issues: Vec::new(),
        external_issues: Vec::new(),
        train_car: None,
        merge_commit: None,
        said_merge_status: None,
    };
    if new.stage != Stage::Empty {
        let push = Push {
            sha: new.head,
            base: new.base,
            files: Some(new.files).filter(|files| !files.is_empty()),
            commits: Some(new.commits).filter(|commits| !commits.is_empty()),
            said_size: None,
        };
        let mut version = world.new_version(&merge_request, push, author)?;
        version.created_at = merge_request.created_at;
        merge_request.versions.push(version);
    }
    Ok(merge_request)
}
