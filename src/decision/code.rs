//! From a diff version to the facts about code: what is listed, what was left out, and whether that is all.

use sha2::{Digest, Sha256};

use crate::gitlab;
use crate::merge_request::{CommitSha, VersionId};
use crate::policy::fact::{ChangeKind, ChangedFile, Code, Commit, LineCount, Unknown};

use super::doubt::unreadable;

/// Files and commits of a version.
pub(super) fn code_of(detail: &gitlab::VersionDetail) -> Result<Code, Unknown> {
    // Who made the change is read off its commits: a list without the head is not all of them.
    let is_head = |commit: &gitlab::VersionCommit| commit.id == detail.head_commit_sha;
    if !detail.diffs.is_empty() && !detail.commits.iter().any(is_head) {
        let why = "GitLab does not list the commits of the newest push".to_owned();
        return Err(Unknown { why, curable: true });
    }
    let commits = detail
        .commits
        .iter()
        .map(|commit| {
            Ok(Commit {
                sha: CommitSha::parse(&commit.id).map_err(unreadable)?,
                message: commit.message.clone(),
                author_email: commit.author_email.clone(),
                committer_email: commit.committer_email.clone(),
            })
        })
        .collect::<Result<Vec<_>, Unknown>>()?;
    Ok(Code {
        version: VersionId::new(detail.id),
        files: detail.diffs.iter().map(file_of).collect(),
        complete: is_complete(detail),
        commits,
    })
}

/// Whether the list has every file: GitLab cuts it by its diff limits and says so only in `real_size` (`"1000+"`).
fn is_complete(detail: &gitlab::VersionDetail) -> bool {
    let counted = detail.real_size.as_deref().and_then(|size| size.parse::<usize>().ok());
    match (counted, detail.state.as_str()) {
        (_, state) if state.starts_with("overflow") || state == "without_files" => false,
        (Some(count), _) => count == detail.diffs.len(),
        (None, state) => detail.real_size.is_none() && state == "empty" && detail.diffs.is_empty(),
    }
}

fn file_of(diff: &gitlab::Diff) -> ChangedFile {
    let kind = kind_of(diff);
    let comes_or_goes = matches!(kind, ChangeKind::Added | ChangeKind::Deleted);
    let hunks = hunks_of(diff);
    ChangedFile {
        old_path: diff.old_path.clone(),
        new_path: diff.new_path.clone(),
        old_mode: diff.a_mode.clone(),
        new_mode: diff.b_mode.clone(),
        kind,
        lines: hunks.map(count_lines),
        // A file that only moves shows nothing of its text.
        binary: text_of(diff).filter(|text| !text.is_empty() || comes_or_goes).map(is_binary),
        generated: diff.generated_file,
        hunks_sha256: hunks.map(hunks_digest),
    }
}

fn kind_of(diff: &gitlab::Diff) -> ChangeKind {
    match (diff.new_file, diff.deleted_file, diff.renamed_file || diff.old_path != diff.new_path) {
        (true, _, _) => ChangeKind::Added,
        (_, true, _) => ChangeKind::Deleted,
        (_, _, true) => ChangeKind::Renamed,
        (false, false, false) => ChangeKind::Modified,
    }
}

/// The hunks, where they are all that changed in the file; empty where only its mode or its path did.
///
/// git shows no line of a binary file, and a NUL byte makes any file one: what stands in it is never taken for nothing.
pub(super) fn hunks_of(diff: &gitlab::Diff) -> Option<&str> {
    // Something did change in a file that is modified: if neither text nor mode says what, the same nothing may stand for
    // another content.
    let says_what =
        |text: &str| !text.is_empty() || kind_of(diff) != ChangeKind::Modified || diff.a_mode != diff.b_mode;
    text_of(diff).filter(|text| says_what(text) && !is_binary(text))
}

/// What GitLab gave of the change, if it did. An empty text is a change without hunks only where GitLab says of both reasons
/// that it left nothing out for them (18.x); before, nothing tells a collapsed file from an empty one.
fn text_of(diff: &gitlab::Diff) -> Option<&str> {
    let left_out = [diff.collapsed, diff.too_large];
    match diff.diff.as_deref() {
        _ if left_out.contains(&Some(true)) => None,
        Some("") => (left_out == [Some(false); 2]).then_some(""),
        text => text,
    }
}

/// The lines from the first hunk on: a header of file names may stand before it.
pub(super) fn hunk_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').skip_while(|line| !line.starts_with("@@"))
}

/// git writes one line about a binary file, and no hunk.
fn is_binary(text: &str) -> bool {
    !text.is_empty() && hunk_lines(text).next().is_none()
}

fn count_lines(text: &str) -> LineCount {
    let count = |sign: char| hunk_lines(text).filter(|line| line.starts_with(sign)).count() as u64;
    LineCount { added: count('+'), removed: count('-') }
}

/// The digest of the hunks without their line numbers.
fn hunks_digest(text: &str) -> String {
    let mut digest = Sha256::new();
    for line in hunk_lines(text) {
        digest.update(if line.starts_with("@@") { "@@\n" } else { line });
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> serde_json::Value {
        serde_json::json!({"old_path": "a", "new_path": "a", "a_mode": "100644", "b_mode": "100644",
            "diff": "@@ -1 +1 @@\n-x\n+y\n", "new_file": false, "renamed_file": false, "deleted_file": false,
            "collapsed": false, "too_large": false})
    }

    fn diff(json: &serde_json::Value) -> ChangedFile {
        let mut whole = listed();
        for (key, value) in json.as_object().unwrap() {
            whole[key] = value.clone();
        }
        file_of(&serde_json::from_value(whole).unwrap())
    }

    #[test]
    fn moved_hunks_have_the_same_digest_and_other_space_another() {
        let here = diff(&serde_json::json!({}));
        let moved = diff(&serde_json::json!({"diff": "@@ -91 +95 @@ fn f()\n-x\n+y\n"}));
        let spaced = diff(&serde_json::json!({"diff": "@@ -1 +1 @@\n-x\n+y \n"}));
        assert_eq!(here.hunks_sha256, moved.hunks_sha256);
        assert_ne!(here.hunks_sha256, spaced.hunks_sha256);
        assert_eq!(here.lines, Some(LineCount { added: 1, removed: 1 }));
    }

    #[test]
    fn what_was_left_out_is_not_known() {
        for left_out in [
            serde_json::json!({"collapsed": true, "diff": ""}),
            serde_json::json!({"too_large": true, "diff": ""}),
            serde_json::json!({"collapsed": null, "too_large": null, "diff": ""}),
            serde_json::json!({"collapsed": null, "diff": ""}),
            serde_json::json!({"too_large": null, "diff": ""}),
            serde_json::json!({"diff": null}),
        ] {
            let file = diff(&left_out);
            assert_eq!((file.lines, file.hunks_sha256), (None, None));
        }
        let binary = diff(&serde_json::json!({"diff": "Binary files a/x and b/x differ\n"}));
        assert_eq!((binary.lines, binary.hunks_sha256), (None, None), "git shows no line of it");
        let silent = diff(&serde_json::json!({"diff": ""}));
        assert_eq!((silent.lines, silent.hunks_sha256), (None, None), "modified, and nothing says how");
        let executable = diff(&serde_json::json!({"diff": "", "b_mode": "100755"}));
        assert_eq!(executable.lines, Some(LineCount { added: 0, removed: 0 }));
        assert!(executable.hunks_sha256.is_some());
        let rename = diff(&serde_json::json!({"new_path": "b", "renamed_file": true, "diff": ""}));
        assert_eq!((rename.kind, rename.hunks_sha256.is_some()), (ChangeKind::Renamed, true));
        assert_eq!((rename.binary, executable.binary), (None, None), "nothing of the text is shown");
        let empty = diff(&serde_json::json!({"diff": "", "new_file": true, "a_mode": "0"}));
        assert_eq!((empty.binary, binary.binary), (Some(false), Some(true)));
    }

    #[test]
    fn a_change_without_its_commits_proves_nothing_of_who_made_it() {
        let head = "a".repeat(40);
        let detail = |commits: serde_json::Value, files: usize| -> gitlab::VersionDetail {
            serde_json::from_value(serde_json::json!({"id": 1, "head_commit_sha": head, "real_size": "1",
                "state": "collected", "diffs": vec![listed(); files], "commits": commits}))
            .unwrap()
        };
        let commit = |sha: &str| serde_json::json!({"id": sha, "message": "fix: it", "author_email": "a@x", "committer_email": "a@x"});
        assert!(code_of(&detail(serde_json::json!([commit(&head)]), 1)).is_ok());
        assert!(code_of(&detail(serde_json::json!([]), 0)).is_ok());
        assert!(code_of(&detail(serde_json::json!([]), 1)).is_err());
        assert!(code_of(&detail(serde_json::json!([commit(&"b".repeat(40))]), 1)).is_err());
    }

    #[test]
    fn a_list_is_complete_only_if_it_is_as_long_as_counted() {
        let detail = |size: serde_json::Value, state: &str, files: usize| -> gitlab::VersionDetail {
            serde_json::from_value(serde_json::json!({"id": 1, "head_commit_sha": "x", "state": state,
                "real_size": size, "commits": [], "diffs": vec![listed(); files]}))
            .unwrap()
        };
        assert!(is_complete(&detail("2".into(), "collected", 2)));
        assert!(!is_complete(&detail("3".into(), "collected", 2)));
        assert!(!is_complete(&detail("1000+".into(), "collected", 1000)));
        assert!(!is_complete(&detail("2".into(), "overflow", 2)));
        assert!(!is_complete(&detail(serde_json::Value::Null, "collected", 0)));
        assert!(is_complete(&detail(serde_json::Value::Null, "empty", 0)));
    }
}
