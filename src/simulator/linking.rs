//! Which issues a merge request closes or mentions.

use super::issues::Issue;
use super::merge_requests::MergeRequest;
use super::world::World;
use crate::merge_request::ProjectId;

/// GitLab's default words that close issues.
const CLOSING: [&str; 15] = [
    "close",
    "closes",
    "closed",
    "closing",
    "fix",
    "fixes",
    "fixed",
    "fixing",
    "resolve",
    "resolves",
    "resolved",
    "resolving",
    "implement",
    "implements",
    "implemented",
];

impl World {
    /// The issues that a merge closes: GitLab closes none if it does not go into the default branch.
    pub(super) fn closing_issues(&self, merge_request: &MergeRequest) -> Vec<&Issue> {
        let default =
            self.projects.get(&merge_request.reference.project).map(|project| &project.default_branch);
        if default != Some(&merge_request.target_branch) {
            return Vec::new();
        }
        let mut closing = false;
        let mut found = Vec::new();
        for word in merge_request.description.split_whitespace() {
            let plain = word.trim_matches([',', '.', ':', ';']);
            if CLOSING.contains(&plain.to_lowercase().as_str()) {
                closing = true;
            } else if let Some(issue) = self.referred(merge_request, plain) {
                found.extend(Some(issue).filter(|issue| closing && !found.contains(issue)));
            } else if plain != "and" {
                closing = false;
            }
        }
        found
    }

    /// The issues that it closes or mentions.
    pub(super) fn related_issues(&self, merge_request: &MergeRequest) -> Vec<&Issue> {
        let texts = [&merge_request.title, &merge_request.description];
        let words = texts.into_iter().flat_map(|text| text.split_whitespace());
        let written =
            words.filter_map(|word| self.referred(merge_request, word.trim_matches([',', '.', ':', ';'])));
        let said =
            merge_request.mentioned_issues.iter().filter_map(|(project, iid)| self.issue(*project, *iid));
        let mut found: Vec<&Issue> = Vec::new();
        for issue in written.chain(said) {
            if !found.contains(&issue) {
                found.push(issue);
            }
        }
        found
    }

    /// An issue by project and number.
    pub(super) fn issue(&self, project: ProjectId, iid: u64) -> Option<&Issue> {
        self.issues.iter().find(|issue| (issue.project, issue.iid) == (project, iid))
    }

    /// The issue that `#1` or `group/project#1` means.
    fn referred(&self, merge_request: &MergeRequest, word: &str) -> Option<&Issue> {
        let (path, iid) = word.split_once('#')?;
        let here = merge_request.reference.project;
        let project = if path.is_empty() { here } else { *self.paths.get(path)? };
        self.issue(project, iid.parse().ok()?)
    }
}
