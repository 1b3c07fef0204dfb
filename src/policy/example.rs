//! Facts and policies for the tests of this room: a merge request that is all right, to be changed in one place.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::evaluation::{Reason, Remedy, RuleEvaluation, RuleState, Step, Truth};
use super::fact::{
    AccessLevel, Approval, Award, ChangeKind, ChangedFile, Code, Comment, Commit, FactKey, Facts, Known,
    LineCount, MergeRequestFacts, Sightings, Unknown, Version,
};
use super::{PolicySet, PolicySource, evaluate};
use crate::merge_request::{
    CheckName, CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, User, UserId, VersionId,
};

pub(super) const AUTHOR: u64 = 1;

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

pub(super) fn sha(digit: char) -> CommitSha {
    CommitSha::parse(&digit.to_string().repeat(40)).unwrap()
}

pub(super) fn user(id: u64) -> User {
    let names = ["nobody", "author", "ana", "bob", "cleo"];
    User { id: UserId::new(id), username: names[usize::try_from(id).unwrap()].to_owned() }
}

pub(super) fn facts() -> Facts {
    let merge_request = MergeRequestFacts {
        merge_request: MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(3) },
        project_path: "shop/web".to_owned(),
        web_url: "https://gitlab.example/shop/web/-/merge_requests/3".to_owned(),
        sha: sha('b'),
        title: "feat(cart): remember the basket".to_owned(),
        description: "Closes #12".to_owned(),
        labels: BTreeSet::from(["type::feature".to_owned()]),
        draft: false,
        source_branch: "feature/basket".to_owned(),
        target_branch: "main".to_owned(),
        source_project: Some(ProjectId::new(7)),
        author: user(AUTHOR),
        created_at: at(0),
        milestone: None,
        assignees: BTreeSet::new(),
        reviewers: BTreeSet::new(),
        squash: false,
        removes_source_branch: true,
        has_conflicts: Some(false),
        first_contribution: Some(false),
    };
    let mut facts = Facts::new(merge_request, Sightings::default());
    // What the reader knows of private commit addresses of the host that it calls.
    for id in 1..5 {
        for name in ["author", "ana", "x"] {
            let address = format!("{id}-{name}@users.noreply.gitlab.example");
            facts.emails.insert(address, Known::Value(Some(UserId::new(id))));
        }
    }
    // Beyond what GitLab lists and shows nothing can be had, unless a test says otherwise.
    (facts.unlisted_files, facts.diff_stats) = (Some(unknown(false)), Some(unknown(false)));
    facts
}

pub(super) fn file(path: &str) -> ChangedFile {
    ChangedFile {
        old_path: path.to_owned(),
        new_path: path.to_owned(),
        old_mode: "100644".to_owned(),
        new_mode: "100644".to_owned(),
        kind: ChangeKind::Modified,
        lines: Some(LineCount { added: 10, removed: 5 }),
        binary: Some(false),
        generated: Some(false),
        hunks_sha256: Some(format!("hash of {path}")),
    }
}

/// The code of a version, committed by the author.
pub(super) fn code(version: u64, paths: &[&str]) -> Code {
    let commit = Commit {
        sha: sha('b'),
        message: "feat: basket".to_owned(),
        author_email: "1-author@users.noreply.gitlab.example".to_owned(),
        committer_email: "1-author@users.noreply.gitlab.example".to_owned(),
    };
    Code {
        version: VersionId::new(version),
        files: paths.iter().map(|path| file(path)).collect(),
        complete: true,
        commits: vec![commit],
    }
}

/// Versions with the ids 1 to `count`, pushed at the minutes 0, 10, 20 …; newest first.
pub(super) fn versions(count: u64) -> Known<Vec<Version>> {
    let version = |id: u64| Version {
        id: VersionId::new(id),
        head: sha('b'),
        base: Some(sha('a')),
        created_at: at(10 * (i64::try_from(id).unwrap() - 1)),
    };
    Known::Value((1..=count).rev().map(version).collect())
}

pub(super) fn approval(id: u64, minute: i64) -> Approval {
    Approval { user: user(id), not_before: Some(at(minute)) }
}

pub(super) fn comment(id: u64, minute: i64, body: &str) -> Comment {
    Comment {
        id: 100 * id + u64::try_from(minute).unwrap(),
        author: user(id),
        is_active: true,
        body: Some(body.to_owned()),
        created_at: at(minute),
        updated_at: at(minute),
        system: false,
        internal: false,
        in_thread: false,
    }
}

pub(super) fn award(id: u64, minute: i64, name: &str) -> Award {
    Award { name: name.to_owned(), user: user(id), is_active: true, created_at: at(minute) }
}

pub(super) fn join_group(facts: &mut Facts, group: &str, id: u64, level: Option<u8>) {
    facts.groups.insert(group.to_owned(), Known::Value(()));
    let members = facts.group_members.entry(group.to_owned()).or_default();
    members.insert(UserId::new(id), Known::Value(level.map(AccessLevel)));
}

pub(super) fn unknown<T>(curable: bool) -> Known<T> {
    Known::Unknown(Unknown { why: "GitLab did not answer".to_owned(), curable })
}

pub(super) fn compile(text: &str) -> PolicySet {
    let source = PolicySource { path: "p.yaml".to_owned(), text: text.to_owned() };
    PolicySet::compile(&[source]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// What is wrong with a text, or nothing.
pub(super) fn mistakes(text: &str) -> String {
    let source = PolicySource { path: "p.yaml".to_owned(), text: text.to_owned() };
    PolicySet::compile(&[source]).err().map(|mistakes| mistakes.to_string()).unwrap_or_default()
}

/// What a rule that requires these conditions comes to.
pub(super) fn step(require: &str, facts: &Facts) -> Step {
    let text = format!("policy: p\nrules: [{{id: r, require: {require}}}]\n");
    evaluate(&compile(&text), &CheckName::default(), facts)
}

fn rule(require: &str, facts: &Facts) -> RuleEvaluation {
    match step(require, facts) {
        Step::Decided(mut evaluation) => evaluation.policies.remove(0).rules.remove(0),
        Step::Needs(keys) => panic!("{require} needs {keys:?}"),
    }
}

pub(super) fn reason(require: &str, facts: &Facts) -> Reason {
    rule(require, facts).require.unwrap()
}

pub(super) fn truth(require: &str, facts: &Facts) -> Truth {
    reason(require, facts).truth
}

pub(super) fn state(require: &str, facts: &Facts) -> RuleState {
    rule(require, facts).state
}

pub(super) fn remedies(require: &str, facts: &Facts) -> Vec<Remedy> {
    rule(require, facts).remedies
}

pub(super) fn needs(require: &str, facts: &Facts) -> Vec<FactKey> {
    match step(require, facts) {
        Step::Needs(keys) => keys.into_iter().collect(),
        Step::Decided(evaluation) => panic!("{require} is decided: {}", evaluation.summary),
    }
}
