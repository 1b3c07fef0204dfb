//! What an evaluation asks for and is not read for it.

use super::{FactKey, Facts, Known, Unknown};

impl Facts {
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
