//! From a diff version to the lines that match an expression: counted here, so that no text of a change is ever kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::code::{hunk_lines, hunks_of};
use crate::gitlab::{Diff, VersionDetail};
use crate::merge_request::VersionId;
use crate::policy::fact::{Known, LinePattern, LineSide, MatchingLines, Unknown};

/// How often each expression is found; those beyond the first `most` are not sought.
pub(super) async fn matching_lines(
    detail: Arc<VersionDetail>,
    patterns: Vec<LinePattern>,
    most: usize,
) -> Vec<(LinePattern, Known<MatchingLines>)> {
    if patterns.is_empty() {
        return Vec::new();
    }
    let sought = patterns.clone();
    // Much text and many expressions take a while, and everybody else's turns go on.
    let counting = tokio::task::spawn_blocking(move || {
        sought
            .iter()
            .enumerate()
            .map(|(number, pattern)| if number < most { count(&detail, pattern) } else { too_many() })
            .collect::<Vec<_>>()
    });
    let counted = counting.await.unwrap_or_else(|error| {
        let why = format!("the lines could not be searched: {error}");
        patterns.iter().map(|_| Err(Unknown { why: why.clone(), curable: false })).collect()
    });
    patterns.into_iter().zip(counted.into_iter().map(Known::from)).collect()
}

fn too_many() -> Result<MatchingLines, Unknown> {
    let why = "the policies seek too many expressions in the lines of one change".to_owned();
    Err(Unknown { why, curable: false })
}

fn count(detail: &VersionDetail, pattern: &LinePattern) -> Result<MatchingLines, Unknown> {
    let regex = pattern.compile().map_err(|why| {
        let why = format!("`{}` is not a regular expression: {why}", pattern.regex);
        Unknown { why, curable: false }
    })?;
    let mut files: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for diff in &detail.diffs {
        let found = count_in(diff, pattern.side, &regex);
        if found == Some(0) {
            continue;
        }
        // A path can be listed twice, where one kind of file replaces another.
        let count = files.entry(diff.new_path.clone()).or_insert(Some(0));
        *count = count.zip(found).map(|(count, found)| count.saturating_add(found));
    }
    Ok(MatchingLines { version: VersionId::new(detail.id), files })
}

/// None where GitLab does not show the lines. A file that goes adds none, and a new one takes none away, whatever is shown.
fn count_in(diff: &Diff, side: LineSide, regex: &Regex) -> Option<u64> {
    let sign = match side {
        LineSide::Added if diff.deleted_file => return Some(0),
        LineSide::Removed if diff.new_file => return Some(0),
        LineSide::Added => '+',
        LineSide::Removed => '-',
    };
    let lines = hunk_lines(hunks_of(diff)?).filter_map(|line| line.strip_prefix(sign));
    let lines = lines.map(|line| line.trim_end_matches(['\n', '\r']));
    Some(lines.filter(|line| regex.is_match(line)).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(diffs: &serde_json::Value) -> Arc<VersionDetail> {
        let version = serde_json::json!({"id": 7, "head_commit_sha": "x", "state": "collected", "real_size": null,
            "commits": [], "diffs": diffs});
        Arc::new(serde_json::from_value(version).unwrap())
    }

    fn file(path: &str, text: &str) -> serde_json::Value {
        serde_json::json!({"old_path": path, "new_path": path, "a_mode": "100644", "b_mode": "100644", "diff": text,
            "new_file": false, "renamed_file": false, "deleted_file": false, "collapsed": false, "too_large": false})
    }

    fn pattern(side: LineSide, regex: &str) -> LinePattern {
        LinePattern { regex: regex.to_owned(), side }
    }

    fn found(diffs: &serde_json::Value, side: LineSide, regex: &str) -> Vec<(String, Option<u64>)> {
        let counted = count(&detail(diffs), &pattern(side, regex)).unwrap();
        assert_eq!(counted.version, VersionId::new(7));
        counted.files.into_iter().collect()
    }

    #[test]
    fn lines_are_sought_in_hunks_without_their_sign() {
        let text = "--- a/x\n+++ b/x\n@@ -1,3 +1,4 @@ fn TODO()\n TODO\n-TODO: one\r\n+a\n+TODO: two\r\n+  TODO\n\\ No newline at end of file\n";
        let files = serde_json::json!([file("x", text), file("y", "@@ -1 +1 @@\n-a\n+b\n")]);
        assert_eq!(found(&files, LineSide::Added, "TODO"), [("x".to_owned(), Some(2))]);
        assert_eq!(found(&files, LineSide::Added, "^TODO: two$"), [("x".to_owned(), Some(1))]);
        assert_eq!(found(&files, LineSide::Removed, "TODO"), [("x".to_owned(), Some(1))]);
        assert_eq!(found(&files, LineSide::Added, r"^\+"), []);
        assert_eq!(found(&files, LineSide::Added, r"^\+\+ b/x"), [], "a header is no line");
    }

    #[test]
    fn lines_that_are_not_shown_are_open() {
        let mut collapsed = file("c", "");
        collapsed["collapsed"] = true.into();
        let mut unsaid = file("s", "");
        unsaid["collapsed"] = serde_json::Value::Null;
        unsaid["too_large"] = serde_json::Value::Null;
        let binary = file("b", "Binary files a/b and b/b differ\n");
        let twice = file("t", "@@ -0,0 +1 @@\n+a\n");
        let silent = file("e", "");
        let mut executable = file("x", "");
        executable["a_mode"] = "100644".into();
        executable["b_mode"] = "100755".into();
        let after = file("c", "@@ -0,0 +1 @@\n+a\n");
        let files = serde_json::json!([collapsed, unsaid, binary, twice, twice, silent, executable, after]);
        let open = |path: &str| (path.to_owned(), None);
        let expected = [open("b"), open("c"), open("e"), open("s"), ("t".to_owned(), Some(2))];
        assert_eq!(found(&files, LineSide::Added, "."), expected);
    }

    #[test]
    fn what_comes_takes_no_line_away_and_what_goes_adds_none() {
        let (mut new, mut gone) = (file("n", "Binary files differ\n"), file("g", "Binary files differ\n"));
        new["new_file"] = true.into();
        gone["deleted_file"] = true.into();
        let files = serde_json::json!([new, gone]);
        assert_eq!(found(&files, LineSide::Added, "."), [("n".to_owned(), None)]);
        assert_eq!(found(&files, LineSide::Removed, "."), [("g".to_owned(), None)]);
    }

    #[tokio::test]
    async fn what_is_no_expression_or_one_too_many_is_unknown() {
        let patterns =
            vec![pattern(LineSide::Added, "("), pattern(LineSide::Added, "a"), pattern(LineSide::Added, "b")];
        let found = matching_lines(detail(&serde_json::json!([])), patterns, 2).await;
        let known: Vec<_> = found.iter().map(|(_, found)| matches!(found, Known::Value(_))).collect();
        assert_eq!(known, [false, true, false]);
    }
}
