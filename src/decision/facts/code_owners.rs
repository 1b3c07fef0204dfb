//! The CODEOWNERS file of the target branch.
//!
//! Where the branch stands is asked of the branch itself and the files are read at that commit: by its name alone GitLab
//! might read a tag that is called the same, and the branch might move between two reads. That commit was just shown, so
//! a 404 for a file at it is the proof that the file is not there.

use super::reader::Reader;
use crate::decision::doubt::{unknown, unreadable};
use crate::gitlab::Error;
use crate::merge_request::CommitSha;
use crate::policy::fact::{CodeOwnersFile, Facts, Known, Unknown};

/// Where GitLab looks, in its order: the first one found is the one.
const PLACES: [&str; 3] = ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];
/// The largest file that is read: one that is larger was not written by people.
const LARGEST: usize = 1024 * 1024;

impl Reader<'_> {
    pub(super) async fn code_owners(&self, facts: &Facts) -> Known<Option<CodeOwnersFile>> {
        self.first_code_owners(facts).await.into()
    }

    async fn first_code_owners(&self, facts: &Facts) -> Result<Option<CodeOwnersFile>, Unknown> {
        let subject = &facts.merge_request;
        let project = subject.merge_request.project;
        let branch = self.gitlab.branch(project, &subject.target_branch).await.map_err(unknown)?;
        let sha = CommitSha::parse(&branch.commit.id).map_err(unreadable)?;
        for place in PLACES {
            let bytes = match self.gitlab.file_at(project, place, &sha).await {
                Ok(bytes) => bytes,
                Err(Error::NotFound { .. }) => continue,
                Err(error) => return Err(unknown(error)),
            };
            let unfit = |why: &str| Unknown { why: format!("`{place}` {why}"), curable: false };
            if bytes.len() > LARGEST {
                return Err(unfit("is larger than 1 MiB"));
            }
            let text = String::from_utf8(bytes).map_err(|_| unfit("is no UTF-8 text"))?;
            return Ok(Some(CodeOwnersFile { path: place.to_owned(), text }));
        }
        Ok(None)
    }
}
