//! The state of this GitLab, and how to find things in it.
//!
//! One value behind one lock. It decides nothing about HTTP and sends nothing: what it wants to send lies in
//! `outbox` until the lock is released. What became of it can be read off the post office.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::accounts::{Account, Token};
use super::diffs::DiffLimits;
use super::digest;
use super::envelope::Envelope;
use super::error::SimulatorError;
use super::hooks::Hook;
use super::issues::Issue;
use super::merge_requests::MergeRequest;
use super::namespaces::{CommitStatus, Group, Project};
use super::pattern;
use super::post_office::PostOffice;
use super::release::Release;
use super::snapshot::Snapshot;
use super::status_checks::{StatusCheck, StatusRows};
use crate::clock::Clock;
use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, StatusCheckId, User, UserId};

/// Where ids of things that nobody named begin: well away from those that tests write by hand.
const FIRST_ID: u64 = 1001;

/// So many calls in so many seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateLimit {
    pub(super) calls: u64,
    pub(super) period: i64,
}

/// Everything that this GitLab knows.
#[derive(Debug)]
pub(super) struct World {
    pub(super) url: String,
    pub(super) clock: Clock,
    pub(super) release: Release,
    pub(super) random: fastrand::Rng,
    pub(super) users: BTreeMap<UserId, Account>,
    pub(super) usernames: HashMap<String, UserId>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) projects: BTreeMap<ProjectId, Project>,
    pub(super) paths: HashMap<String, ProjectId>,
    pub(super) merge_requests: BTreeMap<MergeRequestRef, MergeRequest>,
    pub(super) issues: Vec<Issue>,
    pub(super) hooks: Vec<Hook>,
    pub(super) rows: StatusRows,
    /// Every commit status that was ever taken, as it was said.
    pub(super) reports: Vec<CommitStatus>,
    /// Whether `/approvals` says `approved_at` (newer versions do).
    pub(super) says_approved_at: bool,
    /// At most so many calls per period and user.
    pub(super) rate_limit: Option<RateLimit>,
    /// Calls of a user in a period.
    pub(super) observed: HashMap<UserId, (i64, u64)>,
    pub(super) outbox: Vec<Envelope>,
    pub(super) post_office: Arc<PostOffice>,
    /// Whether hooks that fail are not called for a while (GitLab's flag `auto_disabling_web_hooks`).
    pub(super) disables_failing_hooks: bool,
    /// How much of a diff is listed.
    pub(super) diff_limits: DiffLimits,
    /// Fields of GraphQL's merge request that fail, with the message.
    pub(super) failing_fields: BTreeMap<String, String>,
    /// Trees that were asked for: see [`World::snapshot`].
    pub(super) snapshots: HashMap<(ProjectId, CommitSha), Arc<Snapshot>>,
    next_id: u64,
    next_sha: u64,
}

impl World {
    /// An empty GitLab.
    pub(super) fn new(
        url: String,
        clock: Clock,
        release: Release,
        seed: u64,
        post_office: Arc<PostOffice>,
    ) -> Self {
        Self {
            url,
            clock,
            release,
            random: fastrand::Rng::with_seed(seed),
            users: BTreeMap::new(),
            usernames: HashMap::new(),
            tokens: HashMap::new(),
            groups: BTreeMap::new(),
            projects: BTreeMap::new(),
            paths: HashMap::new(),
            merge_requests: BTreeMap::new(),
            issues: Vec::new(),
            hooks: Vec::new(),
            rows: StatusRows::default(),
            reports: Vec::new(),
            says_approved_at: true,
            rate_limit: None,
            observed: HashMap::new(),
            outbox: Vec::new(),
            post_office,
            disables_failing_hooks: false,
            diff_limits: DiffLimits::default(),
            failing_fields: BTreeMap::new(),
            snapshots: HashMap::new(),
            next_id: FIRST_ID,
            next_sha: 0,
        }
    }

    /// Now; explicit `pending` that is too old has failed by then.
    pub(super) fn now(&mut self) -> Timestamp {
        let now = self.clock.now();
        if self.release.times_pending_out() {
            self.rows.sweep(now);
        }
        now
    }

    /// A new id, larger than every one given so far.
    pub(super) fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// The wanted id, or a new one; new ones stay above.
    pub(super) fn id_or_fresh(&mut self, wanted: Option<u64>) -> u64 {
        let Some(id) = wanted else { return self.fresh_id() };
        if id < 1 << 40 {
            self.next_id = self.next_id.max(id.saturating_add(1));
        }
        id
    }

    /// A SHA that was not there before.
    pub(super) fn fresh_sha(&mut self, content: &str) -> Result<CommitSha, SimulatorError> {
        self.next_sha = self.next_sha.saturating_add(1);
        Ok(digest::sha(self.next_sha, content)?)
    }

    /// A user.
    pub(super) fn user(&self, id: UserId) -> Result<&Account, SimulatorError> {
        self.users.get(&id).ok_or(SimulatorError::NoUser(id))
    }

    /// A user in the words of the product.
    pub(super) fn user_words(&self, id: UserId) -> Option<User> {
        self.users.get(&id).map(|account| User { id, username: account.username.clone() })
    }

    /// A group.
    pub(super) fn group_mut(&mut self, path: &str) -> Result<&mut Group, SimulatorError> {
        self.groups.get_mut(path).ok_or_else(|| SimulatorError::NoGroup(path.to_owned()))
    }

    /// A project.
    pub(super) fn project(&self, id: ProjectId) -> Result<&Project, SimulatorError> {
        self.projects.get(&id).ok_or(SimulatorError::NoProject(id))
    }

    /// A project, to be changed.
    pub(super) fn project_mut(&mut self, id: ProjectId) -> Result<&mut Project, SimulatorError> {
        self.projects.get_mut(&id).ok_or(SimulatorError::NoProject(id))
    }

    /// A merge request.
    pub(super) fn merge_request(&self, which: MergeRequestRef) -> Result<&MergeRequest, SimulatorError> {
        self.merge_requests.get(&which).ok_or(SimulatorError::NoMergeRequest(which))
    }

    /// A merge request, to be changed.
    pub(super) fn merge_request_mut(
        &mut self,
        which: MergeRequestRef,
    ) -> Result<&mut MergeRequest, SimulatorError> {
        self.merge_requests.get_mut(&which).ok_or(SimulatorError::NoMergeRequest(which))
    }

    /// A check of a project.
    pub(super) fn check(
        &self,
        project: ProjectId,
        id: StatusCheckId,
    ) -> Result<&StatusCheck, SimulatorError> {
        let checks = &self.project(project)?.checks;
        checks.iter().find(|check| check.id == id).ok_or(SimulatorError::NoCheck(id))
    }

    /// The checks that apply to a merge request's target branch.
    pub(super) fn applicable_checks(&self, merge_request: &MergeRequest) -> Vec<&StatusCheck> {
        let Some(project) = self.projects.get(&merge_request.reference.project) else { return Vec::new() };
        let target = &merge_request.target_branch;
        let names: BTreeMap<u64, &str> =
            project.protected_branches.iter().map(|branch| (branch.id, branch.name.as_str())).collect();
        let covers = |id: &u64| {
            let wildcards = self.release.is_past_14();
            names.get(id).is_some_and(|name| *name == target || (wildcards && pattern::fits(name, target)))
        };
        let applies = |check: &&StatusCheck| {
            check.protected_branches.is_empty() || check.protected_branches.iter().any(covers)
        };
        project.checks.iter().filter(applies).collect()
    }

    /// Label titles of a project's merge requests get stable ids.
    pub(super) fn label_id(title: &str) -> u64 {
        let digits = digest::hex_of(title.as_bytes());
        digits.get(..6).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }

    /// A milestone's id: the same title has the same one.
    pub(super) fn milestone_id(title: &str) -> u64 {
        Self::label_id(title)
    }

    /// The ids of hooks' events etc. are made of the same randomness everywhere.
    pub(super) fn uuid(&mut self) -> String {
        digest::uuid(&mut self.random)
    }

    /// The groups above a path, nearest first: `a/b/c` has `a/b` and `a`.
    pub(super) fn ancestors(path: &str) -> Vec<&str> {
        std::iter::successors(path.rsplit_once('/').map(|(parent, _)| parent), |path| {
            path.rsplit_once('/').map(|(parent, _)| parent)
        })
        .collect()
    }
}
