//! How many lines change in files of which GitLab shows no text, or which it does not list.
//!
//! GitLab gives these numbers for its newest push alone, so they count only if it names the commits of the version that is
//! looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Reader;
use super::size::fits;
use crate::decision::doubt::unknown;
use crate::gitlab;
use crate::policy::fact::{Code, DiffStats, Facts, Known, LineCount, Unknown, Version};

impl Reader<'_> {
    pub(super) async fn diff_stats(&self, facts: &Facts) -> Known<DiffStats> {
        self.lines_of_files(facts).await.into()
    }

    async fn lines_of_files(&self, facts: &Facts) -> Result<DiffStats, Unknown> {
        let (version, code) = newest_code(facts)?;
        let subject = &facts.merge_request;
        let read = self.gitlab.diff_stats(subject.merge_request, &subject.project_path).await;
        let read = read.map_err(unknown)?;
        let of_version = |sha: &str| sha == version.head.as_str();
        let base = read.diff_refs.base_sha.as_deref();
        if !of_version(&read.diff_head_sha)
            || !of_version(&read.diff_refs.head_sha)
            || base != version.base.as_ref().map(crate::merge_request::CommitSha::as_str)
        {
            let why = "GitLab counted the lines of another push".to_owned();
            return Err(Unknown { why, curable: true });
        }
        let size = self.newest.read(self.gitlab, subject.merge_request, version.id).await.map_err(unknown)?;
        let counted = read.files.len();
        let files: BTreeMap<_, _> = read.files.into_iter().map(lines_of).collect();
        let listed: BTreeSet<_> = code.listed().map(|file| file.new_path.as_str()).collect();
        let uncounted = listed.iter().find(|path| !files.contains_key(**path));
        // A path that the list has twice, for one kind of file replaces another, is one to git.
        let twice = code.listed().count() - listed.len();
        let fits = fits(size.real_size.as_deref(), files.len()..=files.len() + twice);
        if files.len() != counted || uncounted.is_some() || !fits {
            let why = "GitLab's numbers of changed lines do not fit the files that it lists".to_owned();
            return Err(Unknown { why, curable: false });
        }
        Ok(DiffStats { version: code.version, files })
    }
}

/// GitLab: where git counts no lines, for a file is binary or only moved, it says zero.
fn lines_of(file: gitlab::FileDiffStats) -> (String, Option<LineCount>) {
    let lines = LineCount { added: file.additions, removed: file.deletions };
    (file.path, Some(lines).filter(|lines| lines.added > 0 || lines.removed > 0))
}

/// The newest version and its code, if both are of the head that is looked at.
pub(super) fn newest_code(facts: &Facts) -> Result<(&Version, &Code), Unknown> {
    let version = match &facts.versions {
        Some(Known::Value(versions)) => versions.first(),
        Some(Known::Unknown(_)) | None => None,
    };
    let version = version.filter(|version| version.head == facts.merge_request.sha);
    match (version, &facts.code) {
        (Some(version), Some(Known::Value(code))) if code.version == version.id => Ok((version, code)),
        _ => Err(Unknown { why: "a push came while the facts were read".to_owned(), curable: true }),
    }
}
