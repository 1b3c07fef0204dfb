//! A large change of a large repository: what a dependency bump or a rename through many services touches.

use std::collections::BTreeSet;

use countersign::merge_request::{
    CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, User, UserId, VersionId,
};
use countersign::policy::fact::{
    ChangeKind, ChangedFile, Code, Commit, Facts, Known, LineCount, MergeRequestFacts, Sightings, Version,
};
use jiff::Timestamp;

use crate::rules::SERVICES;

/// Where a service's files are, and how they are called; the number is put between both.
const PLACES: &[(&str, &str)] = &[
    ("src/api/handler_", ".rs"),
    ("src/domain/model_", ".rs"),
    ("src/store/query_", ".rs"),
    ("tests/api/case_", ".rs"),
    ("migrations/", "_add_column.up.sql"),
    ("migrations/", "_add_column.down.sql"),
    ("web/components/Panel", ".tsx"),
    ("web/styles/panel-", ".css"),
    ("docs/how-to-", ".md"),
    ("config/env-", ".yaml"),
    ("generated/client_", ".ts"),
    ("deploy/base/job-", ".yml"),
];
/// The change leaves some services alone.
const TOUCHED: usize = 26;
/// Every so many-th file moved.
const RENAMES: usize = 12;

/// Everything that is known of the merge request.
pub fn facts(files: usize) -> Facts {
    let (sha, at) = (CommitSha::parse(&"b".repeat(40)).expect("a SHA"), Timestamp::UNIX_EPOCH);
    let author = User { id: UserId::new(1), username: "ana".to_owned() };
    let merge_request = MergeRequestFacts {
        merge_request: MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(3) },
        project_path: "shop/web".to_owned(),
        web_url: String::new(),
        sha: sha.clone(),
        title: "feat(cart): remember the basket".to_owned(),
        description: "Closes #12".to_owned(),
        labels: BTreeSet::from(["type::feature".to_owned()]),
        draft: false,
        source_branch: "feature/basket".to_owned(),
        target_branch: "main".to_owned(),
        source_project: Some(ProjectId::new(7)),
        author,
        created_at: at,
        milestone: None,
        assignees: BTreeSet::new(),
        reviewers: BTreeSet::new(),
        squash: false,
        removes_source_branch: true,
        has_conflicts: Some(false),
        first_contribution: Some(false),
    };
    let email = "ana@example.com".to_owned();
    let commit = Commit {
        sha: sha.clone(),
        message: "Remember the basket".to_owned(),
        author_email: email.clone(),
        committer_email: email,
    };
    let version = VersionId::new(1);
    let files = (0..files).map(file).collect();
    let mut facts = Facts::new(merge_request, Sightings::default());
    facts.now = Some(at);
    facts.versions = Some(Known::Value(vec![Version { id: version, head: sha, base: None, created_at: at }]));
    facts.code = Some(Known::Value(Code { version, files, complete: true, commits: vec![commit] }));
    facts.approvals = Some(Known::Value(Vec::new()));
    facts
}

/// Every path that the change touches.
pub fn paths(facts: &Facts) -> Vec<String> {
    let Some(Known::Value(code)) = &facts.code else { panic!("the files are known") };
    let paths = code.files.iter().flat_map(|file| {
        let old = (file.old_path != file.new_path).then(|| file.old_path.clone());
        old.into_iter().chain([file.new_path.clone()])
    });
    paths.collect()
}

fn file(number: usize) -> ChangedFile {
    let service = SERVICES[number % TOUCHED];
    let (before, after) = PLACES[number / TOUCHED % PLACES.len()];
    let new_path = format!("services/{service}/{before}{number}{after}");
    let renamed = number.is_multiple_of(RENAMES);
    let old_path = if renamed { new_path.replace("services/", "legacy/") } else { new_path.clone() };
    let amount = number as u64;
    ChangedFile {
        old_path,
        new_path,
        old_mode: "100644".to_owned(),
        new_mode: "100644".to_owned(),
        kind: if renamed { ChangeKind::Renamed } else { ChangeKind::Modified },
        lines: Some(LineCount { added: amount % 40, removed: amount % 7 }),
        binary: Some(false),
        generated: Some(false),
        hunks_sha256: Some(format!("{number:064x}")),
    }
}
