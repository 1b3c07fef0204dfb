//! The policies that ship, and the reference for authors: what is written there is what the compiler takes.

use std::collections::BTreeSet;

use countersign::bundle;
use countersign::merge_request::{
    CheckName, CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, User, UserId, VersionId,
};
use countersign::policy::fact::{
    AccessLevel, Approval, ChangeKind, ChangedFile, Code, Commit, Known, LineCount, MergeRequestFacts,
    Pipeline, Sightings, Thread, Version,
};
use countersign::policy::{
    Evaluation, FactKey, Facts, PolicySet, PolicySource, RuleState, Step, Verdict, evaluate,
};
use jiff::Timestamp;

const README: &str = include_str!("../../policies/README.md");

/// A merge request as a story tells it; what is not told is in order.
struct Story {
    title: &'static str,
    target: &'static str,
    paths: Vec<&'static str>,
    approvers: Vec<u64>,
    payments_people: Vec<u64>,
    pipeline: &'static str,
    threads: usize,
    asked: BTreeSet<FactKey>,
}

fn story(paths: &[&'static str]) -> Story {
    Story {
        title: "feat(cart): remember the basket",
        target: "main",
        paths: paths.to_vec(),
        approvers: vec![],
        payments_people: vec![],
        pipeline: "success",
        threads: 0,
        asked: BTreeSet::new(),
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn sha() -> CommitSha {
    CommitSha::parse(&"a".repeat(40)).unwrap()
}

fn user(id: u64) -> User {
    User { id: UserId::new(id), username: format!("user-{id}") }
}

impl Story {
    fn facts(&self) -> Facts {
        Facts::new(
            MergeRequestFacts {
                merge_request: MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(3) },
                project_path: "shop/web".to_owned(),
                web_url: String::new(),
                sha: sha(),
                title: self.title.to_owned(),
                description: String::new(),
                labels: BTreeSet::new(),
                draft: false,
                source_branch: "feature/basket".to_owned(),
                target_branch: self.target.to_owned(),
                source_project: Some(ProjectId::new(7)),
                author: user(1),
                created_at: at(0),
                milestone: None,
                assignees: BTreeSet::new(),
                reviewers: BTreeSet::new(),
                squash: false,
                removes_source_branch: true,
                has_conflicts: Some(false),
                first_contribution: Some(false),
            },
            Sightings::default(),
        )
    }

    fn code(&self) -> Code {
        let file = |path: &&str| ChangedFile {
            old_path: (*path).to_owned(),
            new_path: (*path).to_owned(),
            old_mode: "100644".to_owned(),
            new_mode: "100644".to_owned(),
            kind: ChangeKind::Modified,
            lines: Some(LineCount { added: 3, removed: 1 }),
            binary: Some(false),
            generated: Some(false),
            hunks_sha256: Some("0".repeat(64)),
        };
        let commit = Commit {
            sha: sha(),
            message: self.title.to_owned(),
            author_email: "user-1@example.org".to_owned(),
            committer_email: "user-1@example.org".to_owned(),
        };
        Code {
            version: VersionId::new(1),
            files: self.paths.iter().map(file).collect(),
            complete: true,
            commits: vec![commit],
        }
    }

    /// Answers one question as GitLab would.
    fn answer(&self, key: FactKey, facts: &mut Facts) {
        match key {
            FactKey::Now => facts.now = Some(at(60)),
            FactKey::Versions => {
                let version = Version { id: VersionId::new(1), head: sha(), base: None, created_at: at(0) };
                facts.versions = Some(Known::Value(vec![version]));
            }
            FactKey::Code => facts.code = Some(Known::Value(self.code())),
            FactKey::Patch(version) => {
                facts.patches.insert(version, Known::Value(self.code()));
            }
            FactKey::Approvals => {
                let approval = |id: &u64| Approval { user: user(*id), not_before: Some(at(5)) };
                facts.approvals = Some(Known::Value(self.approvers.iter().map(approval).collect()));
            }
            FactKey::Pipeline => {
                let pipeline = Pipeline {
                    id: 1,
                    status: self.pipeline.to_owned(),
                    sha: sha(),
                    r#ref: "feature/basket".to_owned(),
                    project: None,
                };
                facts.pipeline = Some(Known::Value(Some(pipeline)));
            }
            FactKey::Threads => {
                let thread = |id: usize| Thread { id: id.to_string(), author: user(9) };
                facts.threads = Some(Known::Value((0..self.threads).map(thread).collect()));
            }
            FactKey::Group(path) => {
                facts.groups.insert(path, Known::Value(()));
            }
            FactKey::GroupMember(path, id) => {
                let level = self.payments_people.contains(&id.get()).then_some(AccessLevel(30));
                facts.group_members.entry(path).or_default().insert(id, Known::Value(level));
            }
            FactKey::ProjectMember(id) => {
                facts.project_members.insert(id, Known::Value(Some(AccessLevel(30))));
            }
            FactKey::Email(address) => {
                facts.emails.insert(address, Known::Value(Some(UserId::new(1))));
            }
            other => panic!("no shipped policy asks for {other:?}"),
        }
    }

    /// Evaluates the shipped policies, fetching what they ask for; no question comes twice.
    fn evaluate(&mut self) -> Evaluation {
        let set = PolicySet::compile(&bundle::shipped()).unwrap();
        let mut facts = self.facts();
        loop {
            match evaluate(&set, &CheckName::default(), &facts) {
                Step::Decided(evaluation) => return evaluation,
                Step::Needs(keys) => {
                    assert!(!keys.is_empty());
                    for key in keys {
                        assert!(self.asked.insert(key.clone()), "{key:?} is asked for twice");
                        self.answer(key, &mut facts);
                    }
                }
            }
        }
    }

    fn told(mut self) -> (Verdict, String) {
        let evaluation = self.evaluate();
        (evaluation.verdict, evaluation.summary)
    }
}

#[test]
fn documentation_goes_in_at_once() {
    let mut story = Story { title: "docs: explain the basket", ..story(&["docs/basket.md", "README.md"]) };
    assert_eq!(story.evaluate().verdict, Verdict::Passed);
    assert_eq!(
        story.asked,
        BTreeSet::from([FactKey::Code, FactKey::Threads]),
        "and little is asked of GitLab"
    );
}

#[test]
fn a_bad_title_fails_until_it_is_edited() {
    let (verdict, summary) = Story { title: "basket", ..story(&["docs/basket.md"]) }.told();
    assert_eq!(verdict, Verdict::Failed);
    assert!(
        summary.starts_with("not met: the title is a Conventional Commit: the title `basket` is not"),
        "{summary}"
    );
    assert_eq!(Story { title: "docs: basket", ..story(&["docs/basket.md"]) }.told().0, Verdict::Passed);
}

#[test]
fn payments_code_waits_for_two_payments_people() {
    let change = || story(&["services/payments/src/charge.rs"]);
    insta::assert_snapshot!(change().told().1, @"waiting: code has an approval of a developer: 0 of 1 approvals needed; 1 more is needed from people with at least the role developer; payments code has two approvals of payments people: 0 of 2 approvals needed; 2 more are needed from members of shop/payments");
    let one = Story { approvers: vec![2, 3], payments_people: vec![2], ..change() };
    insta::assert_snapshot!(one.told().1, @"waiting: payments code has two approvals of payments people: 1 of 2 approvals needed: @user-2 (member of `shop/payments`); 1 more is needed from members of shop/payments");
    let two = Story { approvers: vec![2, 3], payments_people: vec![2, 3], ..change() };
    assert_eq!(two.told(), (Verdict::Passed, "all 6 rules that apply are met".to_owned()));
    assert_eq!(
        story(&["services/payments/README.md"]).told().0,
        Verdict::Passed,
        "its documentation does not"
    );
}

#[test]
fn pipelines_and_threads_hold_a_change_back() {
    let change = || Story { approvers: vec![2], ..story(&["src/lib.rs"]) };
    assert_eq!(change().told().0, Verdict::Passed);
    assert_eq!(Story { pipeline: "running", ..change() }.told().0, Verdict::Waiting);
    assert_eq!(Story { pipeline: "failed", ..change() }.told().0, Verdict::Failed);
    assert_eq!(Story { pipeline: "something_new", ..change() }.told().0, Verdict::Waiting);
    assert_eq!(Story { threads: 2, ..change() }.told().0, Verdict::Waiting);
}

#[test]
fn a_release_branch_asks_for_more() {
    let mut change = Story { target: "release/1.2", approvers: vec![2], ..story(&["src/lib.rs"]) };
    let evaluation = change.evaluate();
    assert_eq!(evaluation.verdict, Verdict::Waiting);
    let release = evaluation.policies.iter().find(|policy| policy.policy == "release-branches").unwrap();
    let states: Vec<_> = release.rules.iter().map(|rule| rule.state).collect();
    assert_eq!(states, [RuleState::Waiting, RuleState::Waiting, RuleState::Passed]);
}

/// The YAML blocks of the reference.
fn examples() -> Vec<&'static str> {
    README.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_example_of_the_reference_compiles() {
    let examples = examples();
    assert!(examples.len() > 18, "{}", examples.len());
    for example in examples {
        let text = if example.starts_with("policy:") {
            example.to_owned()
        } else {
            let body = example.replace('\n', "\n      ");
            format!("policy: example\nrules:\n  - id: example\n    require:\n      {body}")
        };
        let source = PolicySource { path: "README.md".to_owned(), text };
        PolicySet::compile(&[source]).unwrap_or_else(|mistakes| panic!("{example}\n{mistakes}"));
    }
}

#[test]
fn the_reference_has_every_key_of_the_language() {
    let schema = countersign::policy::schema();
    for definition in schema["$defs"].as_object().unwrap().values() {
        for key in definition["properties"].as_object().unwrap().keys() {
            assert!(README.contains(key.as_str()), "`{key}` is not in the reference");
        }
    }
}
