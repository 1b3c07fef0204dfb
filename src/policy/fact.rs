//! What can be known of a merge request, and the questions that ask for it.
//!
//! The evaluation never fetches: it names [`FactKey`]s, whoever calls it puts the answers into [`Facts`] and asks
//! again. Facts are the record of a decision too: serialised in the declared order they are its canonical bytes
//! (format [`Facts::FORMAT`]), so a decision can be replayed without GitLab. Everything about code here was read by
//! diff version or SHA, never from an endpoint that means "latest".

mod code;
mod family;
mod key;
mod merge_request;
mod person;
mod pipeline;
mod relation;
mod review;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::merge_request::{CommitSha, UserId, VersionId};

pub use self::code::{
    ChangeKind, ChangedFile, Code, CodeOwnersFile, Commit, DiffStats, LineCount, LinePattern, LineSide,
    MatchingLines, Parentage, Signature, TreeChange, Version,
};
pub use self::family::Family;
pub use self::key::FactKey;
pub use self::merge_request::{Distance, MergeRequestFacts, ProjectFacts};
pub use self::person::{AccessLevel, Account, Sightings};
pub use self::pipeline::{CommitStatus, Job, Pipeline};
pub use self::relation::{Dependency, Issue};
pub use self::review::{Approval, Award, Comment, LabelEvent, Reviewer, Thread};

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
    /// See [`FactKey::DirectProjectMember`]: `Value(None)` is the proof that the user is no active direct member.
    pub direct_project_members: BTreeMap<UserId, Known<Option<AccessLevel>>>,
    /// See [`FactKey::Email`]: `Value(None)`: no user is known by that address.
    pub emails: BTreeMap<String, Known<Option<UserId>>>,
    /// See [`FactKey::Username`]: `Value(None)`: no user has that name.
    pub usernames: BTreeMap<String, Known<Option<UserId>>>,
    /// See [`FactKey::Account`].
    pub accounts: BTreeMap<UserId, Known<Account>>,
    /// See [`FactKey::Project`].
    pub project: Option<Known<ProjectFacts>>,
    /// See [`FactKey::Behind`].
    pub behind: Option<Known<Distance>>,
    /// See [`FactKey::Reviewers`].
    pub reviewers: Option<Known<Vec<Reviewer>>>,
    /// See [`FactKey::LabelEvents`]: oldest first.
    pub label_events: Option<Known<Vec<LabelEvent>>>,
    /// See [`FactKey::Comments`]: oldest first.
    pub comments: Option<Known<Vec<Comment>>>,
    /// See [`FactKey::Awards`].
    pub awards: Option<Known<Vec<Award>>>,
    /// See [`FactKey::Jobs`].
    pub jobs: BTreeMap<u64, Known<Vec<Job>>>,
    /// See [`FactKey::CommitStatuses`].
    pub commit_statuses: Option<Known<Vec<CommitStatus>>>,
    /// See [`FactKey::ClosingIssues`].
    pub closing_issues: Option<Known<Vec<Issue>>>,
    /// See [`FactKey::RelatedIssues`].
    pub related_issues: Option<Known<Vec<Issue>>>,
    /// See [`FactKey::BlockingMergeRequests`].
    pub blocking_merge_requests: Option<Known<Vec<Dependency>>>,
    /// See [`FactKey::OtherMergeRequest`]: `Value(None)`: there is none, or the token can't see it.
    pub other_merge_requests: BTreeMap<String, Known<Option<Dependency>>>,
    /// See [`FactKey::CodeOwners`]: `Value(None)` is the proof that there is none.
    pub code_owners: Option<Known<Option<CodeOwnersFile>>>,
    /// See [`FactKey::Parentage`].
    pub parentage: Option<Known<Vec<Parentage>>>,
    /// See [`FactKey::Signature`]: `Value(None)` is the proof that it has none.
    pub signatures: BTreeMap<CommitSha, Known<Option<Signature>>>,
    /// See [`FactKey::MatchingLines`], by the pattern's own words.
    pub matching_lines: BTreeMap<String, Known<MatchingLines>>,
    /// See [`FactKey::UnlistedFiles`]: they were found, and stand in [`Code::files`] of the newest version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_files: Option<Known<()>>,
    /// See [`FactKey::DiffStats`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff_stats: Option<Known<DiffStats>>,
}

impl Facts {
    /// The version of the recorded format: it changes when a field changes its meaning.
    pub const FORMAT: u32 = 3;

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
            direct_project_members: BTreeMap::new(),
            emails: BTreeMap::new(),
            usernames: BTreeMap::new(),
            accounts: BTreeMap::new(),
            project: None,
            behind: None,
            reviewers: None,
            label_events: None,
            comments: None,
            awards: None,
            jobs: BTreeMap::new(),
            commit_statuses: None,
            closing_issues: None,
            related_issues: None,
            blocking_merge_requests: None,
            other_merge_requests: BTreeMap::new(),
            code_owners: None,
            parentage: None,
            signatures: BTreeMap::new(),
            matching_lines: BTreeMap::new(),
            unlisted_files: None,
            diff_stats: None,
        }
    }

    /// Leaves a question open for now: what follows in any case can be told all the same. The instant of the evaluation is
    /// never open.
    pub fn leave_unread(&mut self, key: FactKey) {
        fn unread<T>() -> Known<T> {
            Known::Unknown(Unknown { why: "GitLab was not asked for it yet".to_owned(), curable: true })
        }
        match key {
            FactKey::Now => {}
            FactKey::Versions => self.versions = Some(unread()),
            FactKey::Code => self.code = Some(unread()),
            FactKey::Patch(version) => drop(self.patches.insert(version, unread())),
            FactKey::Approvals => self.approvals = Some(unread()),
            FactKey::Pipeline => self.pipeline = Some(unread()),
            FactKey::Threads => self.threads = Some(unread()),
            FactKey::Group(path) => drop(self.groups.insert(path, unread())),
            FactKey::GroupMember(path, user) => {
                self.group_members.entry(path).or_default().insert(user, unread());
            }
            FactKey::ProjectMember(user) => drop(self.project_members.insert(user, unread())),
            FactKey::DirectProjectMember(user) => drop(self.direct_project_members.insert(user, unread())),
            FactKey::Email(email) => drop(self.emails.insert(email, unread())),
            FactKey::Username(name) => drop(self.usernames.insert(name, unread())),
            FactKey::Account(user) => drop(self.accounts.insert(user, unread())),
            FactKey::Project => self.project = Some(unread()),
            FactKey::Behind => self.behind = Some(unread()),
            FactKey::Reviewers => self.reviewers = Some(unread()),
            FactKey::LabelEvents => self.label_events = Some(unread()),
            FactKey::Comments => self.comments = Some(unread()),
            FactKey::Awards => self.awards = Some(unread()),
            FactKey::Jobs(pipeline) => drop(self.jobs.insert(pipeline, unread())),
            FactKey::CommitStatuses => self.commit_statuses = Some(unread()),
            FactKey::ClosingIssues => self.closing_issues = Some(unread()),
            FactKey::RelatedIssues => self.related_issues = Some(unread()),
            FactKey::BlockingMergeRequests => self.blocking_merge_requests = Some(unread()),
            FactKey::OtherMergeRequest(reference) => {
                drop(self.other_merge_requests.insert(reference, unread()));
            }
            FactKey::CodeOwners => self.code_owners = Some(unread()),
            FactKey::Parentage => self.parentage = Some(unread()),
            FactKey::Signature(sha) => drop(self.signatures.insert(sha, unread())),
            FactKey::MatchingLines(pattern) => {
                drop(self.matching_lines.insert(pattern.to_string(), unread()));
            }
            FactKey::UnlistedFiles => self.unlisted_files = Some(unread()),
            FactKey::DiffStats => self.diff_stats = Some(unread()),
        }
    }
}
