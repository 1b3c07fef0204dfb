//! What commits are beyond their messages: their parents and signatures.

use super::reader::Reader;
use crate::decision::doubt::{unknown, unreadable};
use crate::gitlab::{self, Error};
use crate::merge_request::CommitSha;
use crate::policy::fact::{Facts, Known, Parentage, Signature, Unknown};

impl Reader<'_> {
    pub(super) async fn parentage(&self, facts: &Facts) -> Known<Vec<Parentage>> {
        self.parents_since_base(facts).await.into()
    }

    /// The commits between the newest version's base and head, by their SHAs: those of the version and perhaps more.
    ///
    /// GitLab: what it lists with a merge request has no parents, for it keeps them only in the repository.
    async fn parents_since_base(&self, facts: &Facts) -> Result<Vec<Parentage>, Unknown> {
        let newest = match &facts.versions {
            Some(Known::Value(versions)) => versions.first(),
            Some(Known::Unknown(unknown)) => return Err(unknown.clone()),
            None => None,
        };
        let newest = newest.filter(|version| version.head == facts.merge_request.sha);
        let Some(base) = newest.and_then(|version| version.base.as_ref()) else {
            let why = "GitLab does not say where the source branch leaves the target branch".to_owned();
            return Err(Unknown { why, curable: false });
        };
        let project = facts.merge_request.merge_request.project;
        let commits =
            self.gitlab.commits_between(project, base, &facts.merge_request.sha).await.map_err(unknown)?;
        let parse = |sha: &String| CommitSha::parse(sha).map_err(unreadable);
        commits
            .iter()
            // A commit after another one has a parent; an empty list is one that was left out.
            .filter(|commit| !commit.parent_ids.is_empty())
            .map(|commit| {
                let parents = commit.parent_ids.iter().map(parse).collect::<Result<_, _>>()?;
                Ok(Parentage { sha: parse(&commit.id)?, parents })
            })
            .collect()
    }

    pub(super) async fn signature(&self, facts: &Facts, sha: &CommitSha) -> Known<Option<Signature>> {
        let project = facts.merge_request.merge_request.project;
        match self.gitlab.signature(project, sha).await {
            Ok(gitlab::CommitSignature { signature_type: kind, verification_status }) => {
                Known::Value(Some(Signature { kind, verification_status }))
            }
            // Only these words say that the commit is there and has none: a 404 may mean a hidden commit, project or route.
            Err(Error::NotFound { message, .. }) if message.ends_with("Signature Not Found") => {
                Known::Value(None)
            }
            Err(error) => Known::Unknown(unknown(error)),
        }
    }
}
