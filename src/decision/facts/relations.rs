//! Issues and other merge requests.

use super::reader::{Moved, Reader};
use crate::decision::doubt::unknown;
use crate::gitlab::{self, Error};
use crate::policy::fact::{Dependency, Facts, Issue, Known, Unknown};

impl Reader<'_> {
    pub(super) async fn closing_issues(&self, facts: &Facts) -> Result<Known<Vec<Issue>>, Moved> {
        let read = self.gitlab.closing_issues(facts.merge_request.merge_request);
        self.issues_of_push(facts, read).await
    }

    pub(super) async fn related_issues(&self, facts: &Facts) -> Result<Known<Vec<Issue>>, Moved> {
        let read = self.gitlab.related_issues(facts.merge_request.merge_request);
        self.issues_of_push(facts, read).await
    }

    /// GitLab reads issues off the description and off the commits of whatever version is the newest. They are of this
    /// push only if the same version is the newest before and after: another push may have come and gone in between.
    async fn issues_of_push(
        &self,
        facts: &Facts,
        read: impl Future<Output = Result<Vec<gitlab::Issue>, Error>> + Send,
    ) -> Result<Known<Vec<Issue>>, Moved> {
        let before = match &facts.versions {
            Some(Known::Value(versions)) => Ok(versions.clone()),
            Some(Known::Unknown(unknown)) => Err(unknown.clone()),
            None => self.versions(facts).await,
        };
        let before = match before {
            Ok(versions) => versions,
            Err(unknown) => return Ok(Known::Unknown(unknown)),
        };
        let issues = match read.await {
            Ok(issues) => issues,
            Err(error) => return Ok(Known::Unknown(unknown(error))),
        };
        let after = match self.versions(facts).await {
            Ok(versions) => versions,
            Err(unknown) => return Ok(Known::Unknown(unknown)),
        };
        let subject = &facts.merge_request;
        match (before.first(), after.first()) {
            (Some(before), Some(after)) if before.id == after.id && after.head == subject.sha => {
                Ok(Known::Value(issues.into_iter().map(issue_of).collect()))
            }
            _ => Err(Moved),
        }
    }

    /// All of them or nothing: one that is hidden from the token may be open.
    pub(super) async fn blocking_merge_requests(&self, facts: &Facts) -> Known<Vec<Dependency>> {
        let read = self.gitlab.blocks(facts.merge_request.merge_request).await.map_err(unknown);
        let blocking = read.and_then(|blocks| {
            let seen = blocks.into_iter().map(|block| {
                let hidden = || Unknown {
                    why: "a merge request that blocks this one is hidden from the token".to_owned(),
                    curable: false,
                };
                let blocking = block.blocking_merge_request.ok_or_else(hidden)?;
                Ok(Dependency { reference: blocking.references.full, state: blocking.state })
            });
            seen.collect::<Result<Vec<_>, _>>()
        });
        blocking.into()
    }

    pub(super) async fn other_merge_request(&self, reference: &str) -> Known<Option<Dependency>> {
        let parts = reference.rsplit_once('!').and_then(|(path, iid)| Some((path, iid.parse().ok()?)));
        let Some((path, iid)) = parts else { return Known::Value(None) };
        match self.gitlab.merge_request_state(path, iid).await {
            Ok(state) => Known::Value(Some(Dependency { reference: reference.to_owned(), state })),
            Err(Error::NotFound { .. }) => Known::Value(None),
            Err(error) => Known::Unknown(unknown(error)),
        }
    }
}

fn issue_of(issue: gitlab::Issue) -> Issue {
    match issue {
        gitlab::Issue::Gitlab(issue) => Issue {
            reference: issue.references.full,
            state: Some(issue.state),
            labels: issue.labels,
            milestone: issue.milestone.map(|milestone| milestone.title),
        },
        gitlab::Issue::External(issue) => {
            Issue { reference: issue.id, state: None, labels: [].into(), milestone: None }
        }
    }
}
