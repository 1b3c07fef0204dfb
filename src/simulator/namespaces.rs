//! Groups, projects and who belongs to them.
//!
//! A group is known by its full path; its parents are the shorter paths. Membership is inherited downwards and
//! through invited groups, as `/members/all` shows it.

use jiff::civil::Date;

use super::repository::Repository;
use super::status_checks::StatusCheck;
use crate::merge_request::{CommitSha, ProjectId, UserId};

/// Who may see a group or project at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Members.
    #[default]
    Private,
    /// Everybody who is signed in.
    Internal,
    /// Everybody.
    Public,
}

impl Visibility {
    /// GitLab's word and number.
    pub(super) fn words(self) -> (&'static str, u8) {
        match self {
            Self::Private => ("private", 0),
            Self::Internal => ("internal", 10),
            Self::Public => ("public", 20),
        }
    }
}

/// Where somebody is a member, or where a hook hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A group, by full path.
    Group(String),
    /// A project.
    Project(ProjectId),
}

impl From<&str> for Place {
    fn from(path: &str) -> Self {
        Self::Group(path.to_owned())
    }
}

impl From<ProjectId> for Place {
    fn from(project: ProjectId) -> Self {
        Self::Project(project)
    }
}

/// One direct membership.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Membership {
    pub(super) user: UserId,
    pub(super) level: u8,
    pub(super) expires_at: Option<Date>,
    pub(super) awaiting: bool,
}

impl Membership {
    /// A member with an access level (10 guest, 20 reporter, 30 developer, 40 maintainer, 50 owner).
    pub fn new(user: UserId, level: u8) -> Self {
        Self { user, level, expires_at: None, awaiting: false }
    }

    /// Until (and without) that day. GitLab may still list it afterwards.
    pub fn expires_at(mut self, day: Date) -> Self {
        self.expires_at = Some(day);
        self
    }

    /// Not yet active (`membership_state` is `awaiting`).
    pub fn awaiting(mut self) -> Self {
        self.awaiting = true;
        self
    }
}

/// A group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) path: String,
    pub(super) visibility: Visibility,
    pub(super) members: Vec<Membership>,
    /// Groups invited to this one, each with the highest level it may have here.
    pub(super) invited: Vec<(String, u8)>,
}

/// A group to be created; `"shop/payments".into()` is private, and its parents come into being with it.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewGroup {
    pub(super) path: String,
    pub(super) id: Option<u64>,
    pub(super) visibility: Visibility,
}

impl NewGroup {
    /// A private group.
    pub fn at(path: &str) -> Self {
        Self { path: path.to_owned(), id: None, visibility: Visibility::Private }
    }

    /// With this id.
    pub fn id(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// Seen by these.
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }
}

impl From<&str> for NewGroup {
    fn from(path: &str) -> Self {
        Self::at(path)
    }
}

/// A branch, or a wildcard over branches, that is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProtectedBranch {
    pub(super) id: u64,
    pub(super) name: String,
}

/// A status that an outside service gave a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// GitLab's id; larger is newer.
    pub id: u64,
    /// Which commit.
    pub sha: CommitSha,
    /// `pending`, `running`, `success`, `failed`, `canceled` or `skipped`.
    pub state: String,
    /// What distinguishes it from others of the same commit.
    pub name: String,
    /// Where to read more.
    pub target_url: Option<String>,
    /// A sentence.
    pub description: Option<String>,
    /// Who gave it.
    pub user: UserId,
    /// The ref of the pipeline that it is a part of; none for one that stands by itself.
    pub reference: Option<String>,
    /// That pipeline.
    pub pipeline: Option<u64>,
    /// Whether a newer one of its name took its place in the pipeline.
    pub retried: bool,
}

/// A project.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "settings of a project, each on or off by itself")]
pub(super) struct Project {
    pub(super) id: ProjectId,
    pub(super) path: String,
    pub(super) moved_from: Vec<String>,
    pub(super) visibility: Visibility,
    pub(super) archived: bool,
    pub(super) default_branch: String,
    pub(super) checks_must_pass: bool,
    /// Whether merge trains are switched on; the first merge request that boards one switches them on.
    pub(super) has_merge_trains: bool,
    pub(super) resets_approvals: bool,
    pub(super) approvals_required: u32,
    pub(super) topics: Vec<String>,
    pub(super) merge_method: &'static str,
    pub(super) squash_option: Option<&'static str>,
    pub(super) protected_branches: Vec<ProtectedBranch>,
    pub(super) members: Vec<Membership>,
    pub(super) invited: Vec<(String, u8)>,
    /// Reporters whom a group approval rule lets approve: permission to approve without being a Developer.
    pub(super) approvers: Vec<UserId>,
    pub(super) checks: Vec<StatusCheck>,
    pub(super) repository: Repository,
    pub(super) next_iid: u64,
    pub(super) commit_statuses: Vec<CommitStatus>,
}

impl Project {
    /// The full path of the group it lies in.
    pub(super) fn namespace(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }
}

/// A project to be created; `"shop/web".into()` is private with the default branch `main`, protected.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewProject {
    pub(super) path: String,
    pub(super) id: Option<u64>,
    pub(super) visibility: Visibility,
    pub(super) default_branch: String,
    pub(super) protected_branches: Vec<String>,
    pub(super) checks_must_pass: bool,
    pub(super) resets_approvals: bool,
    pub(super) approvals_required: u32,
}

impl NewProject {
    /// A private project.
    pub fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            id: None,
            visibility: Visibility::Private,
            default_branch: "main".to_owned(),
            protected_branches: Vec::new(),
            checks_must_pass: false,
            resets_approvals: false,
            approvals_required: 0,
        }
    }

    /// With this id.
    pub fn id(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// Seen by these.
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// With another default branch.
    pub fn default_branch(mut self, branch: &str) -> Self {
        branch.clone_into(&mut self.default_branch);
        self
    }

    /// With one more protected branch; `*` is a wildcard.
    pub fn protected_branch(mut self, name: &str) -> Self {
        self.protected_branches.push(name.to_owned());
        self
    }

    /// With "status checks must succeed" ticked.
    pub fn checks_must_pass(mut self) -> Self {
        self.checks_must_pass = true;
        self
    }

    /// With approvals removed by each push.
    pub fn resets_approvals(mut self) -> Self {
        self.resets_approvals = true;
        self
    }

    /// With so many approvals required.
    pub fn approvals_required(mut self, count: u32) -> Self {
        self.approvals_required = count;
        self
    }
}

impl From<&str> for NewProject {
    fn from(path: &str) -> Self {
        Self::at(path)
    }
}
