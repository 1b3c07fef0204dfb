//! From a question to GitLab's answer: the only place that turns what GitLab says into facts.
//!
//! Everything about code is read by diff version. Approvals, comments and emoji are the exception: GitLab has only "now",
//! so they are read first and the versions after them: every approval then belongs to a version that the list already
//! has, and a push in between shows as another head.

mod code_owners;
mod commits;
mod composite;
mod diff_stats;
mod people;
mod pipeline;
mod project;
mod reader;
mod relations;
mod review;
mod size;
mod trees;

use std::collections::BTreeSet;

use futures_util::future::{self, BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use crate::gitlab::{self, Error};
use crate::merge_request::{CommitSha, UserId, VersionId};
use crate::policy::fact::{Approval, ChangedFile, FactKey, Facts, Known, LinePattern, Unknown, Version};

pub use self::reader::{ApprovalMemory, ReadApprovals};
pub(super) use self::reader::{Moved, NewestVersion, Reader};
use super::code::code_of;
use super::doubt::{known, unknown, unreadable};
use super::lines::matching_lines;

/// How many questions of one merge request GitLab is asked at the same time.
const AT_ONCE: usize = 8;
/// How many commit emails are looked up for one merge request: anybody can write thousands of them into commits.
const EMAILS_SOUGHT: usize = 300;
/// How many signatures are read for one merge request: anybody can push thousands of commits.
const SIGNATURES_READ: usize = 300;
/// How many expressions are sought in the lines of one change.
const PATTERNS_SOUGHT: usize = 100;

/// The answers to one question or a family of them.
enum Answer {
    /// A fact, with the place where it belongs.
    Fact(Box<dyn FnOnce(&mut Facts) + Send>),
    /// The list of versions.
    Versions(Known<Vec<Version>>),
    /// Who approves.
    Approvals(Known<Vec<Approval>>, Option<ReadApprovals>),
    /// Another push showed up.
    Moved,
}

/// An answer that is one fact.
fn fact(file: impl FnOnce(&mut Facts) + Send + 'static) -> Answer {
    Answer::Fact(Box::new(file))
}

/// The machine's own clock: the one place where it becomes a fact.
pub(super) fn local_time() -> Timestamp {
    Timestamp::now()
}

impl Reader<'_> {
    /// Answers every question, those that do not depend on each other at the same time. Gives the approvals if they
    /// were read.
    pub(super) async fn answer(
        &self,
        facts: &mut Facts,
        keys: BTreeSet<FactKey>,
    ) -> Result<Option<ReadApprovals>, Moved> {
        let answers = {
            let facts = &*facts;
            let mut family = CodeFamily::default();
            let (mut emails, mut signatures) = (0, facts.signatures.len());
            let mut calls: Vec<BoxFuture<'_, Vec<Answer>>> = Vec::new();
            for key in &keys {
                match key {
                    FactKey::Now => {}
                    FactKey::Versions => family.versions = true,
                    FactKey::Code => family.code = true,
                    FactKey::Approvals => family.approvals = true,
                    FactKey::Comments => family.comments = true,
                    FactKey::Awards => family.awards = true,
                    FactKey::Email(email) if emails == EMAILS_SOUGHT => {
                        let why = format!("more than {EMAILS_SOUGHT} emails stand in its commits");
                        let unknown = Known::Unknown(Unknown { why, curable: false });
                        let email = email.clone();
                        let answer = fact(|facts| drop(facts.emails.insert(email, unknown)));
                        calls.push(std::future::ready(vec![answer]).boxed());
                    }
                    FactKey::Email(email) => {
                        emails += 1;
                        let key = FactKey::Email(email.clone());
                        calls.push(self.one(facts, key).map(|answer| vec![answer]).boxed());
                    }
                    FactKey::Signature(sha) if signatures == SIGNATURES_READ => {
                        let why = format!("it has more than {SIGNATURES_READ} commits");
                        let unknown = Known::Unknown(Unknown { why, curable: false });
                        let sha = sha.clone();
                        let answer = fact(|facts| drop(facts.signatures.insert(sha, unknown)));
                        calls.push(std::future::ready(vec![answer]).boxed());
                    }
                    FactKey::Signature(sha) => {
                        signatures += 1;
                        let key = FactKey::Signature(sha.clone());
                        calls.push(self.one(facts, key).map(|answer| vec![answer]).boxed());
                    }
                    FactKey::MatchingLines(pattern) => family.lines.push(pattern.clone()),
                    other => calls.push(self.one(facts, other.clone()).map(|answer| vec![answer]).boxed()),
                }
            }
            if family.depends_on_versions() || facts.versions.is_some() && family.says_something() {
                calls.push(self.code_family(facts, family).boxed());
            } else if family.says_something() {
                calls.push(self.said(facts, &family).boxed());
            }
            stream::iter(calls).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await
        };
        if keys.contains(&FactKey::Now) {
            facts.now = Some(self.now);
        }
        settle(facts, answers.into_iter().flatten())
    }
}

/// Puts answers where they belong.
fn settle(facts: &mut Facts, answers: impl Iterator<Item = Answer>) -> Result<Option<ReadApprovals>, Moved> {
    let mut approvals = None;
    for answer in answers {
        match answer {
            Answer::Versions(versions) => {
                if let Known::Value(versions) = &versions
                    && let Some(newest) = versions.first()
                {
                    let target = facts.merge_request.target_branch.clone();
                    facts.sightings.version_targets.entry(newest.id).or_insert(target);
                }
                facts.versions = Some(versions);
            }
            Answer::Fact(file) => file(facts),
            Answer::Approvals(known, read) => {
                facts.approvals = Some(known);
                approvals = read;
            }
            Answer::Moved => return Err(Moved),
        }
    }
    doubt_members_of_unread_groups(facts);
    Ok(approvals)
}

/// The files that GitLab did not list stand after those that it did; then they are all.
fn complete(facts: &mut Facts, found: Result<Vec<ChangedFile>, Unknown>) {
    let found = match (found, &mut facts.code) {
        (Ok(files), Some(Known::Value(code))) => {
            code.files.extend(files);
            code.complete = true;
            Ok(())
        }
        (found, _) => found.map(drop),
    };
    facts.unlisted_files = Some(found.into());
}

/// A group and its members are read at the same time; a 404 for a member proves nothing unless the group was read too.
fn doubt_members_of_unread_groups(facts: &mut Facts) {
    for (path, members) in &mut facts.group_members {
        let unread = match facts.groups.get(path) {
            Some(Known::Value(())) => continue,
            Some(Known::Unknown(unknown)) => unknown.clone(),
            None => Unknown { why: format!("the group `{path}` was not read"), curable: false },
        };
        for member in members.values_mut() {
            *member = Known::Unknown(unread.clone());
        }
    }
}
impl Reader<'_> {
    #[expect(clippy::too_many_lines, reason = "one arm for each question")]
    async fn one(&self, facts: &Facts, key: FactKey) -> Answer {
        match key {
            FactKey::Pipeline => {
                let pipeline = self.pipeline(facts).await;
                fact(|facts| facts.pipeline = Some(pipeline))
            }
            FactKey::Jobs(pipeline) => {
                let jobs = self.jobs(facts, pipeline).await;
                fact(move |facts| drop(facts.jobs.insert(pipeline, jobs)))
            }
            FactKey::CommitStatuses => {
                let statuses = self.commit_statuses(facts).await;
                fact(|facts| facts.commit_statuses = Some(statuses))
            }
            FactKey::Threads => {
                let threads = self.threads(facts).await;
                fact(|facts| facts.threads = Some(threads))
            }
            FactKey::Reviewers => {
                let reviewers = self.reviewers(facts).await;
                fact(|facts| facts.reviewers = Some(reviewers))
            }
            FactKey::LabelEvents => {
                let events = self.label_events(facts).await;
                fact(|facts| facts.label_events = Some(events))
            }
            FactKey::Patch(version) => {
                let read = self.gitlab.version(facts.merge_request.merge_request, version).await;
                let code = read.map_err(unknown).and_then(|detail| code_of(&detail)).into();
                fact(move |facts| drop(facts.patches.insert(version, code)))
            }
            FactKey::Group(path) => {
                let proof = known(self.gitlab.prove_group(&path).await);
                fact(|facts| drop(facts.groups.insert(path, proof)))
            }
            FactKey::GroupMember(path, user) => {
                let level = self.group_level(&path, user).await;
                fact(move |facts| drop(facts.group_members.entry(path).or_default().insert(user, level)))
            }
            FactKey::ProjectMember(user) => {
                let level = self.project_level(facts, user).await;
                fact(move |facts| drop(facts.project_members.insert(user, level)))
            }
            FactKey::DirectProjectMember(user) => {
                let level = self.direct_project_level(facts, user).await;
                fact(move |facts| drop(facts.direct_project_members.insert(user, level)))
            }
            FactKey::Email(email) => {
                let user = self.owner_of(&email).await;
                fact(|facts| drop(facts.emails.insert(email, user)))
            }
            FactKey::Username(username) => {
                let user = self.user_named(&username).await;
                fact(|facts| drop(facts.usernames.insert(username, user)))
            }
            FactKey::Account(user) => {
                let account = self.account(user).await;
                fact(move |facts| drop(facts.accounts.insert(user, account)))
            }
            FactKey::Project => {
                let project = self.project(facts).await;
                fact(|facts| facts.project = Some(project))
            }
            FactKey::Behind => {
                let behind = self.behind(facts).await;
                fact(|facts| facts.behind = Some(behind))
            }
            FactKey::ClosingIssues => match self.closing_issues(facts).await {
                Ok(issues) => fact(|facts| facts.closing_issues = Some(issues)),
                Err(Moved) => Answer::Moved,
            },
            FactKey::RelatedIssues => match self.related_issues(facts).await {
                Ok(issues) => fact(|facts| facts.related_issues = Some(issues)),
                Err(Moved) => Answer::Moved,
            },
            FactKey::BlockingMergeRequests => {
                let blocking = self.blocking_merge_requests(facts).await;
                fact(|facts| facts.blocking_merge_requests = Some(blocking))
            }
            FactKey::OtherMergeRequest(reference) => {
                let other = self.other_merge_request(&reference).await;
                fact(|facts| drop(facts.other_merge_requests.insert(reference, other)))
            }
            FactKey::CodeOwners => {
                let owners = self.code_owners(facts).await;
                fact(|facts| facts.code_owners = Some(owners))
            }
            FactKey::Parentage => {
                let parentage = self.parentage(facts).await;
                fact(|facts| facts.parentage = Some(parentage))
            }
            FactKey::Signature(sha) => {
                let signature = self.signature(facts, &sha).await;
                fact(|facts| drop(facts.signatures.insert(sha, signature)))
            }
            FactKey::UnlistedFiles => {
                let found = self.unlisted_files(facts).await;
                fact(|facts| complete(facts, found))
            }
            FactKey::DiffStats => {
                let stats = self.diff_stats(facts).await;
                fact(|facts| facts.diff_stats = Some(stats))
            }
            // Approvals, versions and what depends on them are read together: see `code_family`.
            FactKey::Now
            | FactKey::Versions
            | FactKey::Code
            | FactKey::Approvals
            | FactKey::Comments
            | FactKey::Awards
            | FactKey::MatchingLines(_) => Answer::Moved,
        }
    }

    /// Approvals, versions and code, in the order that makes them agree.
    async fn code_family(&self, facts: &Facts, wanted: CodeFamily) -> Vec<Answer> {
        let subject = &facts.merge_request;
        let mut first_sighted = BTreeSet::new();
        let approvals = async {
            if wanted.approvals { Some(self.gitlab.approvals(subject.merge_request).await) } else { None }
        };
        let (mut answers, approvals) = future::join(self.said(facts, &wanted), approvals).await;
        if let Some(read) = approvals {
            first_sighted = self.first_sighted(&read);
            answers.push(self.approvals_of(read));
        }
        let anything_said = wanted.approvals || wanted.says_something();
        let known_versions = match &facts.versions {
            Some(Known::Value(versions)) if !anything_said => Ok(versions.clone()),
            _ => self.versions(facts).await,
        };
        let versions = match known_versions {
            Ok(versions) => versions,
            Err(unknown) => {
                // To which push a new approval belongs can't be told, so it is not remembered.
                for answer in &mut answers {
                    if let Answer::Approvals(_, read) = answer {
                        *read = None;
                    }
                }
                answers.extend(wanted.doubt(&unknown));
                answers.push(Answer::Versions(Known::Unknown(unknown)));
                return answers;
            }
        };
        let newest = versions.first().map(|version| (version.id, version.head.clone()));
        let Some((newest, head)) = newest else { return vec![Answer::Moved] };
        let before = match &facts.versions {
            Some(Known::Value(before)) => before.first().map(|version| version.id),
            _ => None,
        };
        if head != subject.sha || before.is_some_and(|before| before != newest) {
            return vec![Answer::Moved];
        }
        for answer in &mut answers {
            doubt_ambiguous(answer, &first_sighted, &versions);
            let seen_before = facts.sightings.version_targets.contains_key(&newest);
            date_after_push(answer, &subject.sha, &versions, seen_before);
        }
        answers.push(Answer::Versions(Known::Value(versions)));
        answers.extend(self.newest_version(facts, newest, wanted).await);
        answers
    }

    /// Files, commits and lines of the newest version: of one read.
    async fn newest_version(&self, facts: &Facts, newest: VersionId, wanted: CodeFamily) -> Vec<Answer> {
        if !wanted.code && wanted.lines.is_empty() {
            return Vec::new();
        }
        let read = self.newest.read(self.gitlab, facts.merge_request.merge_request, newest).await;
        let detail = match read.map_err(unknown) {
            Ok(detail) => detail,
            Err(unknown) => return wanted.doubt(&unknown),
        };
        let mut answers = Vec::new();
        if wanted.code {
            let code = code_of(&detail).into();
            answers.push(fact(|facts| facts.code = Some(code)));
        }
        let left = PATTERNS_SOUGHT.saturating_sub(facts.matching_lines.len());
        for (pattern, lines) in matching_lines(detail, wanted.lines, left).await {
            answers.push(fact(move |facts| drop(facts.matching_lines.insert(pattern.to_string(), lines))));
        }
        answers
    }

    /// Comments and emoji.
    async fn said(&self, facts: &Facts, wanted: &CodeFamily) -> Vec<Answer> {
        let comments = async {
            if !wanted.comments {
                return None;
            }
            let comments = self.comments(facts).await;
            Some(fact(|facts| facts.comments = Some(comments)))
        };
        let awards = async {
            if !wanted.awards {
                return None;
            }
            let awards = self.awards(facts).await;
            Some(fact(|facts| facts.awards = Some(awards)))
        };
        let (comments, awards) = future::join(comments, awards).await;
        comments.into_iter().chain(awards).collect()
    }

    async fn versions(&self, facts: &Facts) -> Result<Vec<Version>, Unknown> {
        let read = self.gitlab.versions(facts.merge_request.merge_request).await.map_err(unknown)?;
        read.iter()
            .map(|version| {
                Ok(Version {
                    id: VersionId::new(version.id),
                    head: CommitSha::parse(&version.head_commit_sha).map_err(unreadable)?,
                    base: version.base_commit_sha.as_deref().and_then(|sha| CommitSha::parse(sha).ok()),
                    created_at: version.created_at,
                })
            })
            .collect()
    }

    /// Who approves now and did not at the last read, where GitLab does not say since when.
    fn first_sighted(&self, read: &Result<gitlab::Dated<gitlab::Approvals>, Error>) -> BTreeSet<UserId> {
        let Ok(read) = read else { return BTreeSet::new() };
        let undated = read.value.approved_by.iter().filter(|approval| approval.approved_at.is_none());
        let users = undated.map(|approval| UserId::new(approval.user.id));
        users.filter(|user| !self.approvals.seen.contains_key(user)).collect()
    }

    fn approvals_of(&self, read: Result<gitlab::Dated<gitlab::Approvals>, Error>) -> Answer {
        let read = match read {
            Ok(read) => read,
            Err(error) => return Answer::Approvals(Known::Unknown(unknown(error)), None),
        };
        let mut active = BTreeSet::new();
        let own = self.own.user.is_some_and(|own| read.value.has(own));
        let all: Vec<Approval> = read
            .value
            .approved_by
            .into_iter()
            .filter(|approval| !self.own.reviews_as(&approval.user))
            .map(|approval| {
                let id = UserId::new(approval.user.id);
                // Not seen at the last read, so given since; seen then, so what was known then still holds.
                let sighted = self.approvals.seen.get(&id).copied().unwrap_or(self.approvals.read_at);
                // An account that was blocked after it approved vouches for nothing any more; the approval is still
                // remembered, for it is not a new one should the account come back.
                if approval.user.is_active() {
                    active.insert(id);
                }
                Approval { user: approval.user.user(), not_before: approval.approved_at.or(sighted) }
            })
            .collect();
        let approvals = all.iter().filter(|approval| active.contains(&approval.user.id)).cloned().collect();
        // GitLab dates its answer when it is written, which may be after a push that came while it was made. What was
        // not yet there was not there before the merge request's own read either, and that one is over.
        let read_at = read.date.map(|date| date.min(self.now));
        Answer::Approvals(Known::Value(approvals), Some(ReadApprovals { read_at, approvals: all, own }))
    }
}

/// An approval that was not there at the last read, with a push since: it may have been given for what was there before
/// the push, for the push, or for another one in between, so it counts for none.
fn doubt_ambiguous(answer: &mut Answer, first_sighted: &BTreeSet<UserId>, versions: &[Version]) {
    let Answer::Approvals(Known::Value(approvals), read) = answer else { return };
    let remembered = read.iter_mut().flat_map(|read| &mut read.approvals);
    for approval in approvals.iter_mut().chain(remembered) {
        let pushed_since = |since| versions.iter().any(|version| version.created_at > since);
        if first_sighted.contains(&approval.user.id) && approval.not_before.is_some_and(pushed_since) {
            approval.not_before = None;
        }
    }
}

/// GitLab dates its answers to the second. A read of approvals came after the push whose head the merge request showed
/// before it: of those that brought this head the first one, unless the newest was seen by an earlier look.
fn date_after_push(answer: &mut Answer, head: &CommitSha, versions: &[Version], seen_before: bool) {
    let Answer::Approvals(_, Some(read)) = answer else { return };
    let of_head = versions.iter().filter(|version| version.head == *head);
    let pushed_at = of_head.map(|version| version.created_at);
    let pushed_at = if seen_before { pushed_at.max() } else { pushed_at.min() };
    read.read_at = read.read_at.map(|read_at| pushed_at.map_or(read_at, |pushed_at| read_at.max(pushed_at)));
}

/// Which of the facts about code, and about what was said of it, are wanted in this round.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question, asked or not")]
struct CodeFamily {
    versions: bool,
    code: bool,
    approvals: bool,
    comments: bool,
    awards: bool,
    lines: Vec<LinePattern>,
}

impl CodeFamily {
    fn depends_on_versions(&self) -> bool {
        self.versions || self.code || self.approvals || !self.lines.is_empty()
    }

    /// What was to be read of the newest version, and could not be.
    fn doubt(&self, unknown: &Unknown) -> Vec<Answer> {
        let mut answers = Vec::new();
        if self.code {
            let code = Known::Unknown(unknown.clone());
            answers.push(fact(|facts| facts.code = Some(code)));
        }
        for pattern in &self.lines {
            let (pattern, lines) = (pattern.to_string(), Known::Unknown(unknown.clone()));
            answers.push(fact(|facts| drop(facts.matching_lines.insert(pattern, lines))));
        }
        answers
    }

    fn says_something(&self) -> bool {
        self.comments || self.awards
    }
}

#[cfg(test)]
mod tests {
    use super::super::own::Own;
    use super::*;
    use crate::gitlab::Client;
    use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId, User};
    use crate::policy::fact::{AccessLevel, MergeRequestFacts, Sightings};
    use secrecy::SecretString;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn nobody_listens() -> Client {
        Client::new("http://127.0.0.1:1", &SecretString::from("x"), TIMEOUT, Arc::default()).unwrap()
    }

    fn reader<'a>(gitlab: &'a Client, approvals: &'a ApprovalMemory, now: Timestamp) -> Reader<'a> {
        Reader { gitlab, approvals, now, newest: NewestVersion::default(), own: Own::default() }
    }

    fn read_approvals(
        memory: &ApprovalMemory,
        states: &[(u64, &str)],
        date: i64,
    ) -> (Vec<Approval>, ReadApprovals) {
        let gitlab = nobody_listens();
        let reader = reader(&gitlab, memory, at(100));
        let by = |(id, state): &(u64, &str)| serde_json::json!({"user": {"id": id, "username": "u", "state": state}});
        let approved_by: Vec<_> = states.iter().map(by).collect();
        let value = serde_json::from_value(serde_json::json!({"approved_by": approved_by})).unwrap();
        match reader.approvals_of(Ok(gitlab::Dated { value, date: Some(at(date)) })) {
            Answer::Approvals(Known::Value(approvals), Some(read)) => (approvals, read),
            _ => panic!("no approvals"),
        }
    }

    #[test]
    fn a_read_of_approvals_is_no_younger_than_the_read_before_it() {
        let (_, read) = read_approvals(&ApprovalMemory::default(), &[], 107);
        assert_eq!(
            read.read_at,
            Some(at(100)),
            "a push at 105 may have come after an approval that it missed"
        );
    }

    #[test]
    fn a_read_within_the_second_of_a_push_came_after_it() {
        let (first, second) =
            (CommitSha::parse(&"a".repeat(40)).unwrap(), CommitSha::parse(&"b".repeat(40)).unwrap());
        let version = |id, head: &CommitSha, created_at| Version {
            id: VersionId::new(id),
            head: head.clone(),
            base: None,
            created_at,
        };
        let within = |second: i64| at(second) + Duration::from_millis(400);
        let read_at = |head: &CommitSha, versions: &[Version], seen_before| {
            let (_, read) = read_approvals(&ApprovalMemory::default(), &[], 100);
            let mut answer = Answer::Approvals(Known::Value(Vec::new()), Some(read));
            date_after_push(&mut answer, head, versions, seen_before);
            let Answer::Approvals(_, Some(read)) = answer else { panic!("no approvals") };
            read.read_at
        };
        let versions = [version(2, &second, within(100)), version(1, &first, within(50))];
        assert_eq!(read_at(&second, &versions, false), Some(within(100)));
        // Pushed back after the read, for all that is known: the read may be older than that push.
        let back = [
            version(3, &first, within(101)),
            version(2, &second, within(99)),
            version(1, &first, within(50)),
        ];
        assert_eq!(read_at(&first, &back, false), Some(at(100)));
        assert_eq!(read_at(&first, &back, true), Some(within(101)));
    }

    #[test]
    fn an_approval_of_a_blocked_account_does_not_become_a_new_one() {
        let first = ApprovalMemory { seen: [(UserId::new(5), Some(at(1)))].into(), read_at: Some(at(9)) };
        let (counted, read) = read_approvals(&first, &[(5, "blocked")], 100);
        assert!(counted.is_empty());
        let seen = read.approvals.iter().map(|approval| (approval.user.id, approval.not_before)).collect();
        let second = ApprovalMemory { seen, read_at: read.read_at };
        let (counted, _) = read_approvals(&second, &[(5, "active")], 100);
        assert_eq!(counted[0].not_before, Some(at(1)));
    }

    #[test]
    fn minimal_access_is_no_membership() {
        let (gitlab, memory) = (nobody_listens(), ApprovalMemory::default());
        let reader = reader(&gitlab, &memory, at(0));
        let level = |level: u8| {
            let member = serde_json::json!({"access_level": level, "state": "active", "expires_at": null});
            reader.active_level(Ok(serde_json::from_value(member).unwrap()))
        };
        assert_eq!(level(10), Known::Value(Some(AccessLevel(10))));
        assert_eq!((level(5), level(0)), (Known::Value(None), Known::Value(None)));
    }

    #[tokio::test]
    async fn thousands_of_commit_emails_do_not_become_thousands_of_calls() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let _read = stream.read(&mut [0; 4096]).await;
                let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _written = stream.write_all(answer.as_bytes()).await;
            }
        });
        let gitlab = Client::new(&url, &SecretString::from("x"), TIMEOUT, Arc::default()).unwrap();
        let memory = ApprovalMemory::default();
        let reader = reader(&gitlab, &memory, at(0));
        let mut facts = Facts::new(
            MergeRequestFacts {
                merge_request: MergeRequestRef { project: ProjectId::new(1), iid: MergeRequestIid::new(1) },
                project_path: "a/b".to_owned(),
                web_url: String::new(),
                sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
                title: String::new(),
                description: String::new(),
                labels: BTreeSet::new(),
                draft: false,
                source_branch: String::new(),
                target_branch: String::new(),
                source_project: None,
                author: User { id: UserId::new(1), username: "a".to_owned() },
                created_at: at(0),
                milestone: None,
                assignees: BTreeSet::new(),
                reviewers: BTreeSet::new(),
                squash: false,
                removes_source_branch: false,
                has_conflicts: None,
                first_contribution: None,
            },
            Sightings::default(),
        );
        facts.emails.insert("x".to_owned(), Known::Value(None));
        let keys = (0..5_000).map(|number| FactKey::Email(format!("{number:04}@x"))).collect();
        assert!(reader.answer(&mut facts, keys).await.is_ok());
        serving.abort();
        assert_eq!(served.load(Ordering::Relaxed), EMAILS_SOUGHT);
        let incurable =
            |email: &str| matches!(&facts.emails[email], Known::Unknown(unknown) if !unknown.curable);
        assert!(incurable("0300@x") && incurable("4999@x"));
    }
}
