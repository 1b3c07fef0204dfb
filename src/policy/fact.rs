//! What can be known of a merge request, and the questions that ask for it.
//!
//! The evaluation never fetches: it names [`FactKey`]s, whoever calls it puts the answers into [`Facts`] and asks
//! again. Facts are the record of a decision too: serialised in the declared order they are its canonical bytes
//! (format [`Facts::FORMAT`]), so a decision can be replayed without GitLab. Everything about code here was read by
//! diff version or SHA, never from an endpoint that means "latest".

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, MergeRequestRef, ProjectId, User, UserId, VersionId};

/// One question about a merge request. A closed set: what is not here can't be asked by a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKey {
    /// The instant of the evaluation.
    Now,
    /// The list of diff versions, newest first ([`Facts::versions`]).
    Versions,
    /// Files and commits of the newest diff version ([`Facts::code`]).
    Code,
    /// Files of an older diff version, to tell whether an approval was given for the same patch ([`Facts::patches`]).
    Patch(VersionId),
    /// Who approves, now ([`Facts::approvals`]).
    Approvals,
    /// The pipeline of the head ([`Facts::pipeline`]).
    Pipeline,
    /// Threads that are not resolved ([`Facts::threads`]).
    Threads,
    /// Whether a group can be read, by full path ([`Facts::groups`]).
    Group(String),
    /// A user's membership in a group, inherited ones included ([`Facts::group_members`]).
    GroupMember(String, UserId),
    /// A user's role on the target project, inherited ones included ([`Facts::project_members`]).
    ProjectMember(UserId),
    /// Which user a commit's email address belongs to ([`Facts::emails`]).
    Email(String),
}

/// An answer: the value, or why it could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// Read from GitLab.
    Value(T),
    /// Asked for in vain: it never proves anything.
    Unknown(Unknown),
}

/// Why a fact could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// One sentence without a final full stop, for people.
    pub why: String,
    /// Whether asking again later may help (a timeout does, a missing group does not).
    pub curable: bool,
}

/// What GitLab says of the merge request itself, from one read. Everything else is a further fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRequestFacts {
    /// Which one.
    pub merge_request: MergeRequestRef,
    /// The target project's full path at the time of the read.
    pub project_path: String,
    /// The head of the newest diff version (`sha`, contract section 1.5).
    pub sha: CommitSha,
    /// The title, `Draft:` prefix included.
    pub title: String,
    /// The description, empty when there is none.
    pub description: String,
    /// Label titles, sorted.
    pub labels: BTreeSet<String>,
    /// Whether it is marked as draft.
    pub draft: bool,
    /// The branch that would be merged.
    pub source_branch: String,
    /// The branch it would be merged into.
    pub target_branch: String,
    /// The project of the source branch; none when a fork was deleted.
    pub source_project: Option<ProjectId>,
    /// Who opened it.
    pub author: User,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// One push, as GitLab keeps it (`/versions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// GitLab's id; larger is newer.
    pub id: VersionId,
    /// The head that was pushed.
    pub head: CommitSha,
    /// When GitLab made the version: the only trustworthy time of a push.
    pub created_at: Timestamp,
}

/// Files and commits of one diff version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Of which version.
    pub version: VersionId,
    /// The files that GitLab listed.
    pub files: Vec<ChangedFile>,
    /// Whether that is all of them: only then does an absent file prove anything.
    pub complete: bool,
    /// The commits of the version, newest first.
    pub commits: Vec<Commit>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// The path before the change (equal to `new_path` unless renamed).
    pub old_path: String,
    /// The path after the change.
    pub new_path: String,
    /// The mode before, as git writes it (`100644`; `120000` is a symlink, `160000` a submodule, `0` absent).
    pub old_mode: String,
    /// The mode after.
    pub new_mode: String,
    /// Added, deleted, renamed or modified.
    pub kind: ChangeKind,
    /// Lines added and removed; none when GitLab left the text out (collapsed, too large).
    pub lines: Option<LineCount>,
    /// SHA-256 (hex) over the byte-exact hunks with their line numbers left out; none when the text was left out.
    pub hunks_sha256: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It did not exist before.
    Added,
    /// It does not exist any more.
    Deleted,
    /// It has another path; both paths are touched.
    Renamed,
    /// Its text or mode changed.
    Modified,
}

/// Lines of one file's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCount {
    /// Lines that start with `+` in the diff.
    pub added: u64,
    /// Lines that start with `-` in the diff.
    pub removed: u64,
}

/// One commit of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its SHA.
    pub sha: CommitSha,
    /// The whole message.
    pub message: String,
    /// The author's email as the commit claims it.
    pub author_email: String,
    /// The committer's email as the commit claims it.
    pub committer_email: String,
}

/// Who approves at the moment, per GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The approver.
    pub user: User,
    /// The earliest moment at which it can have been given: GitLab's `approved_at`, else the last moment at which
    /// this service saw that it was not yet there. None: neither is known, and the approval counts for no version.
    pub not_before: Option<Timestamp>,
}

/// The newest pipeline whose commit is the head or has the head as a parent, merge train pipelines left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// GitLab's id.
    pub id: u64,
    /// GitLab's status word: `success`, `failed`, `running`, `manual`, … An unknown word counts as unsettled.
    pub status: String,
    /// The commit it ran on.
    pub sha: CommitSha,
    /// The ref it ran on.
    pub r#ref: String,
}

/// A thread that is not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// GitLab's discussion id.
    pub id: String,
    /// Who opened it.
    pub author: User,
}

/// A role on a project or in a group: GitLab's access level (10 guest, 15 planner, 20 reporter, 30 developer,
/// 40 maintainer, 50 owner).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessLevel(pub u8);

/// What this service saw itself, from its store: it can only make an approval count for less.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// Users whom a delivery named as having pushed to the source branch.
    pub pushers: BTreeSet<UserId>,
    /// The target branch that the merge request had when a version was first seen as the newest.
    pub version_targets: BTreeMap<VersionId, String>,
}

/// All that is known in one evaluation. An absent entry has not been asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The merge request itself.
    pub merge_request: MergeRequestFacts,
    /// What this service saw.
    pub sightings: Sightings,
    /// See [`FactKey::Now`].
    pub now: Option<Timestamp>,
    /// See [`FactKey::Versions`]: newest first, never empty.
    pub versions: Option<Known<Vec<Version>>>,
    /// See [`FactKey::Code`].
    pub code: Option<Known<Code>>,
    /// See [`FactKey::Patch`].
    pub patches: BTreeMap<VersionId, Known<Code>>,
    /// See [`FactKey::Approvals`].
    pub approvals: Option<Known<Vec<Approval>>>,
    /// See [`FactKey::Pipeline`]: `Value(None)` is the proof that there is none.
    pub pipeline: Option<Known<Option<Pipeline>>>,
    /// See [`FactKey::Threads`].
    pub threads: Option<Known<Vec<Thread>>>,
    /// See [`FactKey::Group`]: the group was read, so a 404 for a member of it means "not a member".
    pub groups: BTreeMap<String, Known<()>>,
    /// See [`FactKey::GroupMember`]: `Value(None)` is the proof that the user is no active member.
    pub group_members: BTreeMap<String, BTreeMap<UserId, Known<Option<AccessLevel>>>>,
    /// See [`FactKey::ProjectMember`]: `Value(None)` is the proof that the user is no active member.
    pub project_members: BTreeMap<UserId, Known<Option<AccessLevel>>>,
    /// See [`FactKey::Email`]: `Value(None)`: no user is known by that address.
    pub emails: BTreeMap<String, Known<Option<UserId>>>,
}

impl Facts {
    /// The version of the recorded format: it changes when a field changes its meaning.
    pub const FORMAT: u32 = 1;

    /// Starts from the merge request alone.
    pub fn new(merge_request: MergeRequestFacts, sightings: Sightings) -> Self {
        Self {
            merge_request,
            sightings,
            now: None,
            versions: None,
            code: None,
            patches: BTreeMap::new(),
            approvals: None,
            pipeline: None,
            threads: None,
            groups: BTreeMap::new(),
            group_members: BTreeMap::new(),
            project_members: BTreeMap::new(),
            emails: BTreeMap::new(),
        }
    }
}
