//! What must hold of every policy over all facts: doubt never passes, knowledge never overturns, order says nothing,
//! questions end, and no text makes the compiler fall over.

mod doubts;
mod further;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use countersign::merge_request::{
    CheckName, CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, User, UserId, VersionId,
};
use countersign::policy::fact::{
    AccessLevel, Account, Approval, Award, ChangeKind, ChangedFile, Code, Comment, Commit, CommitStatus,
    Dependency, Issue, Job, Known, LineCount, MergeRequestFacts, Pipeline, Reviewer, Sightings, Thread,
    Unknown, Version,
};
use countersign::policy::{
    Evaluation, FactKey, Facts, PolicySet, PolicySource, RuleState, Step, Verdict, evaluate,
};
use jiff::Timestamp;
use proptest::prelude::*;

use self::doubts::Cloud;

/// Conditions of every family, each of which is true in some worlds and false in others.
const LEAVES: [&str; 68] = [
    "title: {conventional_commit: true}",
    "draft: false",
    "labels: {any: [a]}",
    "labels: {all: [a, b]}",
    "target_branch: main",
    "author: {groups: [g]}",
    "author: {users: [u1], role: maintainer}",
    "changed_files: {any: ['*.md']}",
    "changed_files: {all: ['*.md']}",
    "changed_files: {none: ['src/**'], except: ['*.md']}",
    "changed_files_count: {at_most: 1}",
    "changed_lines: {at_least: 5}",
    "modified_files: {all: {globs: ['*.md'], regex: ['src/b.*']}}",
    "binary_files: {none: ['src/**']}",
    "changed_files_count: {at_most: 1, except_generated: true}",
    "matching_lines: {regex: x, at_most: 3, except: ['*.md']}",
    "commits: {at_least: 2, all: {verified: true}}",
    "commits: {none: {merge: true, verified: true}}",
    "commits: {none: {subject: {contains: one}}, any: {signed_by: {groups: [g], users: [u3]}}}",
    "commits: {all: {trailers: [Refs], signed_by: {role: maintainer}}}",
    "approvals: 1",
    "approvals: {count: 1, reset_on: never, unmatched_committers: allow}",
    "approvals: {count: 2, from: {groups: [g], role: maintainer, users: [u3]}}",
    "approvals: {count: 1, from: {role: developer}, allow_committers: true}",
    "approvals: {count: 1, from: {code_owners: true}}",
    "author: {code_owners: true}",
    "code_owners: {every_file_owned: true}",
    "code_owners: {approved: true, reset_on: never, unmatched_committers: allow}",
    "code_owners: {every_file_owned: true, approved: true, optional_sections: true, sections: [Docs, codeowners]}",
    "approvals: {count: 1, methods: [approval, {comment: [LGTM]}, {trailer: Reviewed-by}]}",
    "approvals: {count: 2, methods: [{comment: LGTM}, {emoji: thumbsup}], reset_on: never, allow_committers: true}",
    "vetoes: {by: [request_changes, {comment: veto}], revoked_by: [approval, {emoji: thumbsup}]}",
    "vetoes: {at_most: 1, from: {groups: [g]}, by: [{comment: veto}, {emoji: thumbsup}], revoked_by: [{comment: LGTM}]}",
    "vetoes: {from: {users: [u2], role: maintainer}, by: [{comment: {regex: '(?s)veto.*'}}], revoked_by: [{emoji: thumbsup}]}",
    "approvals: {count: 1, methods: [{comment: {regex: '(LGTM|Reviewed).*'}}], unmatched_committers: allow}",
    "pipeline: success",
    "pipeline: [success, missing]",
    "unresolved_threads: {at_most: 0}",
    "age: {since: last_push, at_least: 20m}",
    "during: {from: 2027-01-15T08:30Z, to: 2027-01-15T09:00Z}",
    "during: {to: 2027-01-15T09:10, timezone: Europe/Berlin}",
    "author: {bots: true}",
    "milestone: 'v*'",
    "conflicts: false",
    "behind_target: {at_most: 1}",
    "project: {topics: {any: [a]}, visibility: private}",
    "labels: {any: [a, b], set_by: {groups: [g]}}",
    "assignees: {at_least: 2, from: {groups: [g], role: maintainer}}",
    "reviewers: {state: approved, at_most: 1, from: {users: [u2], bots: true}}",
    "committers: {all: {groups: [g], users: [u3]}}",
    "committers: {any: {role: maintainer}}",
    "committers: {none: {bots: true}, unmatched: allow}",
    "committers: {only_author: true}",
    "during: {weekdays: friday, from: '09:30', to: '10:00', timezone: Europe/Berlin}",
    "jobs: {all: [build, 'test *']}",
    "jobs: {any: [build, 'test *'], status: [success, manual], if_present: true}",
    "commit_statuses: {all: [build, 'test *'], missing_after: 30m}",
    "commit_statuses: {any: [build, 'test *'], if_present: true}",
    "unresolved_threads: {at_most: 0, opened_by: {users: [u3], groups: [g], role: maintainer}}",
    "closing_issues: {labels: {any: [a]}, state: opened}",
    "depends_on: merged",
    "age: {since: ready, at_least: 20m}",
    "expression: \"'a' in labels || title.startsWith('fix')\"",
    "expression: touches('*.md') && !touches_only('*.md')",
    "expression: 'files.exists(f, f.added_lines > 2) || commits.size() > 1'",
    "expression: {holds: \"approvers.exists(a, a != author) && pipeline_status == 'success'\", otherwise: waiting}",
    "expression: {holds: unresolved_threads < 2 || quiet_for('20m'), otherwise: waiting}",
    "expression: 1 / size(labels) == 1 || open_for('30m')",
];

#[derive(Debug, Clone)]
enum Tree {
    Leaf(usize),
    Join(&'static str, Vec<Tree>),
    Not(Box<Tree>),
}

impl Tree {
    fn yaml(&self) -> String {
        match self {
            Self::Leaf(index) => format!("{{{}}}", LEAVES[*index]),
            Self::Join(word, parts) => {
                let parts: Vec<_> = parts.iter().map(Self::yaml).collect();
                format!("{{{word}: [{}]}}", parts.join(", "))
            }
            Self::Not(inner) => format!("{{not: {}}}", inner.yaml()),
        }
    }

    fn reversed(&self) -> Self {
        match self {
            Self::Leaf(index) => Self::Leaf(*index),
            Self::Join(word, parts) => Self::Join(word, parts.iter().rev().map(Self::reversed).collect()),
            Self::Not(inner) => Self::Not(Box::new(inner.reversed())),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    tree_of(0..LEAVES.len())
}

fn tree_of(leaves: impl Strategy<Value = usize> + 'static) -> impl Strategy<Value = Tree> {
    leaves.prop_map(Tree::Leaf).prop_recursive(3, 12, 3, |inner| {
        let word = prop_oneof![Just("all_of"), Just("any_of"), Just("none_of")];
        prop_oneof![
            (word, prop::collection::vec(inner.clone(), 1..4))
                .prop_map(|(word, parts)| Tree::Join(word, parts)),
            inner.prop_map(|inner| Tree::Not(Box::new(inner))),
        ]
    })
}

/// A rule: perhaps a `when`, and a `require`.
type RuleTree = (Option<Tree>, Tree);

fn policy(rules: &[(usize, &RuleTree)], otherwise: &str) -> PolicySet {
    let mut text = format!("policy: p\notherwise: {otherwise}\nrules:\n");
    for (id, (when, require)) in rules {
        let when = when.as_ref().map(|when| format!("    when: {}\n", when.yaml())).unwrap_or_default();
        text.push_str(&[format!("  - id: r{id}\n    require: {}\n", require.yaml()), when].concat());
    }
    let source = PolicySource { path: "p.yaml".to_owned(), text };
    PolicySet::compile(&[source]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn set_of(rules: &[RuleTree], otherwise: &str) -> PolicySet {
    policy(&rules.iter().enumerate().collect::<Vec<_>>(), otherwise)
}

/// Everything that is so.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact, drawn by itself")]
struct World {
    good_title: bool,
    draft: bool,
    labels: BTreeSet<String>,
    main: bool,
    paths: BTreeSet<&'static str>,
    complete: bool,
    text_left_out: bool,
    approvals: BTreeMap<u64, Option<i64>>,
    pushes: u64,
    rebased: bool,
    target_seen: bool,
    members: BTreeSet<u64>,
    maintainers: BTreeSet<u64>,
    emails: BTreeMap<String, Option<u64>>,
    pipeline: Option<&'static str>,
    threads: usize,
    /// By whom, when, what, and whether it was touched a minute later.
    comments: Vec<(u64, i64, &'static str, bool)>,
    awards: BTreeMap<u64, i64>,
    reviewers: BTreeMap<u64, &'static str>,
    bots: BTreeSet<u64>,
    now: i64,
    /// What is drawn from it is the same for the same question.
    seed: u64,
    outcomes: BTreeMap<&'static str, &'static str>,
    issues: Vec<(Option<&'static str>, bool)>,
    dependencies: Option<[Option<&'static str>; 2]>,
    /// What people left unclear of it.
    unclear: Cloud,
    /// What was unclear of it, and is plain now.
    cleared: Cloud,
}

const EMAILS: [&str; 3] = ["one@x.org", "two@x.org", "3-u3@users.noreply.x.org"];

fn world() -> impl Strategy<Value = World> {
    let people = || prop::collection::btree_set(1_u64..5, 0..4);
    let request = (
        any::<bool>(),
        any::<bool>(),
        prop::collection::btree_set(prop_oneof![Just("a".to_owned()), Just("b".to_owned())], 0..3),
        any::<bool>(),
    );
    let paths =
        prop::collection::btree_set(prop_oneof![Just("README.md"), Just("src/a.rs"), Just("src/b.md")], 0..4);
    let code = (paths, any::<bool>(), any::<bool>());
    let approvals = prop::collection::btree_map(1_u64..5, prop::option::of(-1_i64..40), 0..4);
    let history = (approvals, 1_u64..4, any::<bool>(), any::<bool>());
    let owners = prop::sample::subsequence(EMAILS.to_vec(), 0..=3);
    let emails = (owners, prop::collection::vec(prop::option::of(1_u64..5), 3));
    let status = prop_oneof![Just("success"), Just("failed"), Just("running"), Just("manual")];
    let name = prop_oneof![Just("build"), Just("test 1"), Just("test 2")];
    let outcomes = prop::collection::btree_map(name, status.clone(), 0..4);
    let issue = (prop::option::of(prop_oneof![Just("opened"), Just("closed")]), any::<bool>());
    let state =
        || prop::option::of(prop_oneof![Just("merged"), Just("merged"), Just("opened"), Just("closed")]);
    let dependencies = prop::option::of([state(), state()]);
    let issues = prop::collection::vec(issue, 0..3);
    let delivery = (outcomes, issues, dependencies);
    let rest = (people(), people(), emails, prop::option::of(status), 0_usize..3, 0_i64..90, any::<u64>());
    let text = prop_oneof![
        Just("LGTM"),
        Just("veto"),
        Just("Reviewed-by: @u2"),
        Just("> LGTM"),
        Just(doubts::LONG_VETO)
    ];
    let comments = prop::collection::vec((1_u64..5, 0_i64..40, text, prop::bool::weighted(0.2)), 0..4);
    let awards = prop::collection::btree_map(1_u64..5, 0_i64..40, 0..3);
    let review = prop_oneof![Just("requested_changes"), Just("reviewed"), Just("a_word_of_tomorrow")];
    let said = (comments, awards, prop::collection::btree_map(1_u64..5, review, 0..3), people());
    (request, code, history, rest, delivery, said).prop_map(
        |(request, code, history, rest, delivery, said)| World {
            good_title: request.0,
            draft: request.1,
            labels: request.2,
            main: request.3,
            paths: code.0,
            complete: code.1,
            text_left_out: code.2,
            approvals: history.0,
            pushes: history.1,
            rebased: history.2,
            target_seen: history.3,
            members: rest.0,
            maintainers: rest.1,
            emails: rest.2.0.into_iter().map(str::to_owned).zip(rest.2.1).collect(),
            pipeline: rest.3,
            threads: rest.4,
            comments: said.0,
            awards: said.1,
            reviewers: said.2,
            bots: said.3,
            now: rest.5,
            seed: rest.6,
            outcomes: delivery.0,
            issues: delivery.1,
            dependencies: delivery.2,
            unclear: Cloud::default(),
            cleared: Cloud::default(),
        },
    )
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn sha() -> CommitSha {
    CommitSha::parse(&"a".repeat(40)).unwrap()
}

fn user(id: u64) -> User {
    User { id: UserId::new(id), username: format!("u{id}") }
}

impl World {
    fn target(&self) -> String {
        if self.main { "main" } else { "develop" }.to_owned()
    }

    fn facts(&self) -> Facts {
        let seen = if self.target_seen { self.target() } else { "elsewhere".to_owned() };
        let request = MergeRequestFacts {
            merge_request: MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(3) },
            project_path: "shop/web".to_owned(),
            web_url: String::new(),
            sha: sha(),
            title: if self.good_title { "fix: a" } else { "a" }.to_owned(),
            description: self
                .dependencies
                .map(|_| "Depends-On: !5, shop/api!6".to_owned())
                .unwrap_or_default(),
            labels: self.labels.clone(),
            draft: self.draft,
            source_branch: "x".to_owned(),
            target_branch: self.target(),
            source_project: None,
            author: user(1),
            created_at: at(0),
            milestone: self.good_title.then(|| "v1".to_owned()),
            assignees: self.members.iter().map(|id| user(*id)).collect(),
            reviewers: self.maintainers.iter().map(|id| user(*id)).collect(),
            squash: false,
            removes_source_branch: true,
            has_conflicts: [Some(false), Some(true), None][self.threads],
            first_contribution: Some(false),
        };
        let is_seen = |id: &u64| !self.unclear.covers("target", id);
        let version_targets =
            (1..self.pushes).filter(is_seen).map(|id| (VersionId::new(id), seen.clone())).collect();
        Facts::new(request, Sightings { pushers: BTreeSet::from([UserId::new(4)]), version_targets })
    }

    /// A change as GitLab lists it.
    fn code(&self, version: u64) -> Code {
        self.clouded_code(self.whole_code(version))
    }

    fn whole_code(&self, version: u64) -> Code {
        let file = |path: &&str| ChangedFile {
            old_path: (*path).to_owned(),
            new_path: (*path).to_owned(),
            old_mode: "100644".to_owned(),
            new_mode: "100644".to_owned(),
            kind: ChangeKind::Modified,
            lines: (!self.text_left_out).then_some(LineCount { added: 3, removed: 1 }),
            binary: (!self.text_left_out).then_some(path.ends_with("a.rs")),
            generated: (!self.text_left_out).then_some(path.ends_with("b.md")),
            hunks_sha256: Some(if self.rebased { "same".to_owned() } else { version.to_string() }),
        };
        let commit = |email: &String| Commit {
            sha: sha(),
            message: format!("fix: {email}\n\nRefs: #1"),
            author_email: email.clone(),
            committer_email: email.clone(),
        };
        Code {
            version: VersionId::new(version),
            files: self.paths.iter().map(file).collect(),
            complete: self.complete,
            commits: self.emails.keys().map(commit).collect(),
        }
    }

    fn level(people: &BTreeSet<u64>, id: UserId) -> Option<AccessLevel> {
        people.contains(&id.get()).then_some(AccessLevel(40))
    }

    /// Answers a question truly, unless the mask hides the answer.
    fn answer(&self, key: &FactKey, mask: Mask, facts: &mut Facts) {
        match key.clone() {
            FactKey::Now => facts.now = Some(at(self.now)),
            FactKey::Versions => {
                let version = |id: u64| Version {
                    id: VersionId::new(id),
                    head: sha(),
                    base: None,
                    created_at: at(10 * (i64::try_from(id).unwrap() - 1)),
                };
                facts.versions = Some(mask.veil(key, (1..=self.pushes).rev().map(version).collect()));
            }
            FactKey::Code => facts.code = Some(mask.veil(key, self.code(self.pushes))),
            FactKey::Patch(id) => {
                facts.patches.insert(id, mask.veil(key, self.code(id.get())));
            }
            FactKey::Approvals => {
                let approval = |(id, minute): (&u64, &Option<i64>)| Approval {
                    user: user(*id),
                    not_before: minute.map(at).filter(|_| !self.unclear.covers("approval", id)),
                };
                facts.approvals = Some(mask.veil(key, self.approvals.iter().map(approval).collect()));
            }
            FactKey::Pipeline => {
                let pipeline = |status: &str| Pipeline {
                    id: 1,
                    status: status.to_owned(),
                    sha: sha(),
                    r#ref: "x".to_owned(),
                    project: None,
                };
                facts.pipeline = Some(mask.veil(key, self.pipeline.map(pipeline)));
            }
            FactKey::Threads => {
                let thread = |id: usize| Thread { id: id.to_string(), author: user(2 + id as u64 % 2) };
                facts.threads = Some(mask.veil(key, (0..self.threads).map(thread).collect()));
            }
            FactKey::Comments => {
                let comment = |(id, (by, minute, text, touched)): (usize, &(u64, i64, &str, bool))| Comment {
                    id: id as u64,
                    author: user(*by),
                    is_active: true,
                    body: Some((*text).to_owned()),
                    created_at: at(*minute),
                    updated_at: at(minute + i64::from(*touched)),
                    system: false,
                    internal: false,
                    in_thread: false,
                };
                let comments = self.comments.iter().enumerate().map(comment);
                let comments = comments.filter_map(|comment| self.clouded_comment(comment)).collect();
                facts.comments = Some(mask.veil(key, comments));
            }
            FactKey::Awards => {
                let award = |(by, minute): (&u64, &i64)| Award {
                    name: "thumbsup".to_owned(),
                    user: user(*by),
                    is_active: true,
                    created_at: at(*minute),
                };
                facts.awards = Some(mask.veil(key, self.awards.iter().map(award).collect()));
            }
            FactKey::Reviewers => {
                let reviewer =
                    |(id, state): (&u64, &&str)| Reviewer { user: user(*id), state: (*state).to_owned() };
                facts.reviewers = Some(mask.veil(key, self.reviewers.iter().map(reviewer).collect()));
            }
            FactKey::Account(id) => {
                let account = Account { bot: self.bots.contains(&id.get()) };
                facts.accounts.insert(id, mask.veil(key, account));
            }
            FactKey::Group(path) => {
                facts.groups.insert(path, mask.veil(key, ()));
            }
            FactKey::GroupMember(path, id) => {
                let level = mask.veil(key, Self::level(&self.members, id));
                facts.group_members.entry(path).or_default().insert(id, level);
            }
            FactKey::ProjectMember(id) => {
                facts.project_members.insert(id, mask.veil(key, Self::level(&self.maintainers, id)));
            }
            FactKey::Email(address) => {
                let is_plain = !self.unclear.covers("email", &address);
                let owner =
                    self.emails.get(&address).copied().flatten().filter(|_| is_plain).map(UserId::new);
                facts.emails.insert(address, mask.veil(key, owner));
            }
            FactKey::DirectProjectMember(id) => {
                facts.direct_project_members.insert(id, mask.veil(key, Self::level(&self.maintainers, id)));
            }
            FactKey::Jobs(id) => {
                let job = |(name, status): (&&str, &&str)| Job {
                    name: (*name).to_owned(),
                    status: (*status).to_owned(),
                    allow_failure: false,
                };
                facts.jobs.insert(id, mask.veil(key, self.outcomes.iter().map(job).collect()));
            }
            FactKey::CommitStatuses => {
                let status = |(name, status): (&&str, &&str)| CommitStatus {
                    name: (*name).to_owned(),
                    status: (*status).to_owned(),
                };
                facts.commit_statuses = Some(mask.veil(key, self.outcomes.iter().map(status).collect()));
            }
            FactKey::ClosingIssues => {
                let issue = |(state, labelled): &(Option<&str>, bool)| Issue {
                    reference: "shop/web#1".to_owned(),
                    state: state.map(str::to_owned),
                    labels: labelled.then(|| "a".to_owned()).into_iter().collect(),
                    milestone: None,
                };
                facts.closing_issues = Some(mask.veil(key, self.issues.iter().map(issue).collect()));
            }
            FactKey::OtherMergeRequest(reference) => {
                let [one, other] = self.dependencies.unwrap_or_default();
                let state = if reference == "shop/web!5" { one } else { other };
                let found =
                    state.map(|state| Dependency { reference: reference.clone(), state: state.to_owned() });
                facts.other_merge_requests.insert(reference, mask.veil(key, found));
            }
            _ => self.answer_further(key, mask, facts),
        }
    }

    /// Every question that could be asked here.
    fn every_key(&self) -> Vec<FactKey> {
        let mut keys = vec![
            FactKey::Now,
            FactKey::Versions,
            FactKey::Code,
            FactKey::Approvals,
            FactKey::Pipeline,
            FactKey::Threads,
            FactKey::Comments,
            FactKey::Awards,
            FactKey::Reviewers,
            FactKey::Group("g".to_owned()),
            FactKey::Jobs(1),
            FactKey::CommitStatuses,
            FactKey::ClosingIssues,
            FactKey::OtherMergeRequest("shop/web!5".to_owned()),
            FactKey::OtherMergeRequest("shop/api!6".to_owned()),
            FactKey::Group("shop/nobody".to_owned()),
            FactKey::UnlistedFiles,
            FactKey::DiffStats,
        ];
        for id in (1..5).map(UserId::new) {
            keys.push(FactKey::GroupMember("g".to_owned(), id));
            keys.push(FactKey::GroupMember("shop/nobody".to_owned(), id));
            keys.push(FactKey::ProjectMember(id));
            keys.push(FactKey::DirectProjectMember(id));
        }
        keys.extend((1..self.pushes).map(|id| FactKey::Patch(VersionId::new(id))));
        keys.extend(further::every_further_key());
        keys.extend(EMAILS.iter().map(|address| FactKey::Email((*address).to_owned())));
        keys
    }

    /// Asks and answers until it is decided.
    fn decide(&self, set: &PolicySet, mask: Mask) -> Evaluation {
        self.decide_by(set, |key, facts| self.answer(&key, mask, facts))
    }

    /// The same, but what is hidden is left unread.
    fn decide_reading_little(&self, set: &PolicySet, mask: Mask) -> Evaluation {
        self.decide_by(set, |key, facts| match mask.veil(&key, ()) {
            Known::Unknown(_) if key != FactKey::Now => facts.leave_unread(key),
            Known::Unknown(_) | Known::Value(()) => self.answer(&key, NOTHING_HIDDEN, facts),
        })
    }

    fn decide_by(&self, set: &PolicySet, answer: impl Fn(FactKey, &mut Facts)) -> Evaluation {
        let mut facts = self.facts();
        let mut asked = BTreeSet::new();
        loop {
            match evaluate(set, &CheckName::default(), &facts) {
                Step::Decided(evaluation) => return evaluation,
                Step::Needs(keys) => {
                    assert!(!keys.is_empty());
                    for key in keys {
                        assert!(asked.insert(key.clone()), "{key:?} is asked for twice");
                        answer(key, &mut facts);
                    }
                }
            }
        }
    }

    /// Decides with everything known beforehand.
    fn decide_knowing_all(&self, set: &PolicySet) -> Evaluation {
        let mut facts = self.facts();
        for key in self.every_key() {
            self.answer(&key, NOTHING_HIDDEN, &mut facts);
        }
        match evaluate(set, &CheckName::default(), &facts) {
            Step::Decided(evaluation) => evaluation,
            Step::Needs(keys) => panic!("{keys:?} is missing though all is known"),
        }
    }
}

/// Which answers can't be had: each bit hides those whose hash falls on it.
#[derive(Debug, Clone, Copy)]
struct Mask(u16);

const NOTHING_HIDDEN: Mask = Mask(0);

impl Mask {
    fn veil<T>(self, key: &FactKey, value: T) -> Known<T> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        if self.0 >> (hash % 16) & 1 == 0 {
            return Known::Value(value);
        }
        Known::Unknown(Unknown { why: "hidden".to_owned(), curable: hash & 64 == 0 })
    }
}

fn states(evaluation: &Evaluation) -> BTreeMap<String, RuleState> {
    evaluation
        .policies
        .iter()
        .flat_map(|policy| &policy.rules)
        .map(|rule| (rule.id.clone(), rule.state))
        .collect()
}

/// States without which doubt is told: where there are several, one may be found before the others are asked for.
fn uncured(mut states: BTreeMap<String, RuleState>) -> BTreeMap<String, RuleState> {
    for state in states.values_mut() {
        if let RuleState::Unknown { curable } = state {
            *curable = true;
        }
    }
    states
}

fn rules() -> impl Strategy<Value = Vec<RuleTree>> {
    prop::collection::vec((prop::option::of(tree()), tree()), 1..4)
}

fn otherwise() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("fail"), Just("wait"), Just("pass")]
}

/// Rules whose approvers must be distinct, each with a `when` or without.
fn distinct_set(rules: &[(Option<Tree>, usize)], backwards: bool) -> PolicySet {
    const APPROVALS: [&str; 4] = [
        "approvals: 1",
        "approvals: {count: 2, from: {groups: [g], users: [u2]}, reset_on: never, allow_committers: true}",
        "approvals: {count: 1, from: {role: maintainer}, methods: [approval, {comment: LGTM}], allow_author: true}",
        "approvals: {count: 1, methods: [{emoji: thumbsup}], unmatched_committers: allow}",
    ];
    let mut lines: Vec<_> = rules
        .iter()
        .enumerate()
        .map(|(id, (when, approvals))| {
            let when = when.as_ref().map(|when| format!("when: {}, ", when.yaml())).unwrap_or_default();
            format!("  - {{id: r{id}, {when}require: {{{}, draft: false}}}}\n", APPROVALS[*approvals])
        })
        .collect();
    if backwards {
        lines.reverse();
    }
    let ids: Vec<_> = (0..rules.len()).map(|id| format!("r{id}")).collect();
    let text = format!("policy: p\ndistinct_approvers: [{}]\nrules:\n{}", ids.join(", "), lines.concat());
    let source = PolicySource { path: "p.yaml".to_owned(), text };
    PolicySet::compile(&[source]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn distinct_rules() -> impl Strategy<Value = Vec<(Option<Tree>, usize)>> {
    prop::collection::vec((prop::option::weighted(0.3, tree()), 0_usize..4), 2..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn doubt_never_passes_and_knowledge_never_overturns(
        rules in rules(), otherwise in otherwise(), world in world(), mask in any::<u16>(),
    ) {
        let set = set_of(&rules, otherwise);
        let known = world.decide(&set, NOTHING_HIDDEN).verdict;
        for doubtful in [world.decide(&set, Mask(mask)), world.decide_reading_little(&set, Mask(mask))] {
            match doubtful.verdict {
                Verdict::Passed => prop_assert_eq!(known, Verdict::Passed),
                Verdict::Failed => prop_assert_eq!(known, Verdict::Failed),
                Verdict::Waiting => prop_assert_ne!(known, Verdict::Passed),
                Verdict::UndecidedCurable | Verdict::UndecidedIncurable => {}
            }
            if doubtful.is_held_back() {
                prop_assert_ne!(known, Verdict::Passed);
            }
        }
    }

    #[test]
    fn asking_little_decides_as_knowing_all(rules in rules(), otherwise in otherwise(), world in world()) {
        let set = set_of(&rules, otherwise);
        let (lazy, eager) = (world.decide(&set, NOTHING_HIDDEN), world.decide_knowing_all(&set));
        let undecided = [Verdict::UndecidedCurable, Verdict::UndecidedIncurable];
        let both_undecided = undecided.contains(&lazy.verdict) && undecided.contains(&eager.verdict);
        prop_assert!(lazy.verdict == eager.verdict || both_undecided, "{:?} {:?}", lazy.verdict, eager.verdict);
        prop_assert_eq!(uncured(states(&lazy)), uncured(states(&eager)));
    }

    #[test]
    fn the_order_of_rules_and_parts_says_nothing(
        rules in rules(), otherwise in otherwise(), world in world(), mask in any::<u16>(),
    ) {
        let reversed: Vec<_> =
            rules.iter().map(|(when, require)| (when.as_ref().map(Tree::reversed), require.reversed())).collect();
        let there = world.decide(&set_of(&rules, otherwise), Mask(mask));
        let back_rules: Vec<_> = reversed.iter().enumerate().rev().collect();
        let back = world.decide(&policy(&back_rules, otherwise), Mask(mask));
        prop_assert_eq!(there.verdict, back.verdict);
        prop_assert_eq!(states(&there), states(&back));
        prop_assert_eq!(there.recheck_at, back.recheck_at);
    }

    #[test]
    fn different_approvers_keep_all_of_this(
        rules in distinct_rules(), world in world(), mask in any::<u16>(),
    ) {
        let world = World { draft: false, ..world };
        let (set, turned) = (distinct_set(&rules, false), distinct_set(&rules, true));
        let (known, eager) = (world.decide(&set, NOTHING_HIDDEN), world.decide_knowing_all(&set));
        prop_assert_eq!(uncured(states(&known)), uncured(states(&eager)));
        let (hidden, back) = (world.decide(&set, Mask(mask)), world.decide(&turned, Mask(mask)));
        prop_assert_eq!(states(&hidden), states(&back));
        prop_assert_eq!(hidden.verdict, back.verdict);
        let known_states = states(&known);
        for (id, state) in states(&hidden) {
            if state == RuleState::Passed || state == RuleState::Violated {
                prop_assert!(known_states[&id] == state || known_states[&id] == RuleState::Skipped, "{}", id);
            }
        }
        if hidden.verdict == Verdict::Passed {
            prop_assert_eq!(known.verdict, Verdict::Passed);
        }
    }

    #[test]
    fn not_not_is_nothing(tree in tree(), world in world(), mask in any::<u16>()) {
        let doubled = Tree::Not(Box::new(Tree::Not(Box::new(tree.clone()))));
        let plain = world.decide(&set_of(&[(None, tree)], "fail"), Mask(mask));
        let doubled = world.decide(&set_of(&[(None, doubled)], "fail"), Mask(mask));
        prop_assert_eq!(states(&plain), states(&doubled));
    }

    #[test]
    fn not_turns_true_and_false_and_keeps_the_open(tree in tree(), world in world(), mask in any::<u16>()) {
        let turned = Tree::Not(Box::new(tree.clone()));
        let plain = world.decide(&set_of(&[(None, tree.clone())], "fail"), Mask(mask)).verdict;
        let turned = world.decide(&set_of(&[(None, turned)], "fail"), Mask(mask)).verdict;
        match (plain, matches!(tree, Tree::Not(_) | Tree::Join("none_of", _))) {
            (Verdict::Passed, false) => prop_assert_eq!(turned, Verdict::Failed),
            (Verdict::Passed, true) => prop_assert_ne!(turned, Verdict::Passed),
            (Verdict::Failed, _) => prop_assert_eq!(turned, Verdict::Passed),
            (Verdict::UndecidedCurable | Verdict::UndecidedIncurable, _) => prop_assert_eq!(turned, plain),
            // Waiting people make it true; an unsettled pipeline keeps it waiting.
            (Verdict::Waiting, _) => prop_assert!(matches!(turned, Verdict::Passed | Verdict::Waiting)),
        }
    }

    #[test]
    fn an_evaluation_is_read_back_as_it_was_written(rules in rules(), world in world(), mask in any::<u16>()) {
        let evaluation = world.decide(&set_of(&rules, "fail"), Mask(mask));
        let text = serde_json::to_string(&evaluation).unwrap();
        prop_assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
    }
}

/// Pieces that YAML and the language trip over.
const PIECES: [&str; 26] = [
    "!",
    "*",
    "&a",
    "*a",
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "\n",
    "\t",
    "\"",
    "'",
    "|",
    ">",
    "#",
    "---\n",
    "%",
    "@",
    "ö",
    "\u{feff}",
    "\0",
    "<<: ",
    "? ",
    "99999999999999999999",
];

/// A policy of expressions, to be broken.
const EXPRESSIONS: &str = r#"policy: expressions
rules:
  - id: one
    when: { expression: "labels.exists(l, l.startsWith('type::')) && size(title) <= 72" }
    require:
      expression:
        holds: |
          files.filter(f, f.kind == 'added').map(f, f.path).all(p, path_glob(p, 'docs/**') || p in changed_paths)
            && (draft ? -size(labels) : 1 + 2 * 3) > approvers.size() % 2
        otherwise: waiting
        because: it is so
  - id: two
    require: { expression: 'commits.exists_one(c, matches_whole(c.subject, "(a|b)+")) || touches("*.md", ''src/'')' }
"#;

#[test]
fn no_text_makes_the_compiler_fall_over() {
    compile_mutated_texts(20_260_101, 6_000);
}

/// Compiles texts that were policies once: each is taken or refused with a place, and nothing falls over.
pub fn compile_mutated_texts(seed: u64, rounds: usize) {
    let shipped = countersign::bundle::shipped().into_iter().map(|source| source.text);
    let seeds: Vec<String> = shipped.chain([EXPRESSIONS.to_owned()]).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut compiled = 0;
    for round in 0..rounds {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..random.usize(1..5) {
            if text.is_empty() {
                break;
            }
            let place = random.usize(0..text.len());
            match random.u8(0..4) {
                0 => drop(text.remove(place)),
                1 => drop(text.splice(place..place, PIECES[random.usize(0..PIECES.len())].chars())),
                2 => text.truncate(place + 1),
                _ => {
                    let end = (place + random.usize(1..40)).min(text.len());
                    let copy: Vec<char> = text[place..end].to_vec();
                    let to = random.usize(0..text.len());
                    text.splice(to..to, copy);
                }
            }
        }
        let text: String = text.into_iter().collect();
        let source = PolicySource { path: "p.yaml".to_owned(), text };
        match PolicySet::compile(std::slice::from_ref(&source)) {
            Ok(_) => compiled += 1,
            Err(mistakes) => {
                for mistake in mistakes.iter() {
                    assert!(source.text.get(mistake.span.clone()).is_some(), "{mistake}\n{}", source.text);
                    assert!(mistake.line >= 1 && mistake.column >= 1 && !mistake.message.is_empty());
                }
            }
        }
    }
    println!("{compiled} of {rounds} mutated texts still compiled");
    assert!(
        compiled > rounds / 60,
        "only {compiled} texts compiled: the mutations are too coarse to say anything"
    );
}
