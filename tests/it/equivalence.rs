//! What policy-bot's documented examples say, said in this language: the same change gets the same answer.
//!
//! policy-bot's *approved* is `passed` here. Its *pending* is `waiting` where people can still give what is missing, and
//! `failed` where only another change would do. A policy all of whose rules are skipped blocks there and fails here. Its team
//! is a group beside its organisation's here, since members of a group of GitLab's are members of all groups below it.

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::policy::Verdict::{self, Failed, Passed, Waiting};
use countersign::simulator::{FileChange, Gitlab, Membership, NewCommit, NewMergeRequest, Push};

use crate::conditions::Stage;

/// The people of every case; `ana` opens the merge request.
pub struct People {
    /// In `devtools` and in `palantir`.
    pub bob: UserId,
    /// In `palantir` alone.
    pub dora: UserId,
    /// In neither.
    pub eve: UserId,
}

/// The cases of one policy.
struct Cases {
    stage: Stage,
    people: People,
    policy: &'static str,
    wrong: Vec<String>,
    seen: usize,
}

type Deed<'a> = &'a dyn Fn(&Gitlab, MergeRequestRef, &People);

impl Cases {
    async fn of(policy: &'static str) -> Self {
        let stage = Stage::new().await;
        let ground = &stage.ground;
        let gitlab = &ground.gitlab;
        for group in ["palantir", "devtools"] {
            gitlab.create_group(group);
            gitlab.add_member(group, Membership::new(ground.bot, 10)).unwrap();
        }
        let person = |name: &str, groups: &[&str]| {
            let id = gitlab.create_user(name);
            gitlab.add_member(ground.project, Membership::new(id, 30)).unwrap();
            for group in groups {
                gitlab.add_member(*group, Membership::new(id, 30)).unwrap();
            }
            id
        };
        person("cleo", &["devtools", "palantir"]);
        let people = People {
            bob: person("bob", &["devtools", "palantir"]),
            dora: person("dora", &["palantir"]),
            eve: person("eve", &[]),
        };
        Self { stage, people, policy, wrong: Vec::new(), seen: 0 }
    }

    /// One change with what then happens to it, and the answer it must get.
    async fn see(
        &mut self,
        what: &str,
        change: impl FnOnce(NewMergeRequest, &People) -> NewMergeRequest,
        deed: Deed<'_>,
        expected: Verdict,
    ) {
        let gitlab = &self.stage.ground.gitlab;
        let which =
            gitlab.open_merge_request(change(self.stage.ground.merge_request(), &self.people)).unwrap();
        deed(gitlab, which, &self.people);
        let played = self.stage.play_policy(which, self.policy).await;
        self.seen += 1;
        if played.verdict != expected {
            let said: Vec<_> = played.rules.iter().filter_map(|rule| rule.require.as_ref()).collect();
            self.wrong.push(format!("{what}: {:?}, not {expected:?}: {said:#?}", played.verdict));
        }
    }

    fn end(self, cases: usize) {
        assert!(self.wrong.is_empty(), "{}\n{}", self.policy, self.wrong.join("\n"));
        assert_eq!(self.seen, cases);
    }
}

const NOTHING: Deed<'_> = &|_, _, _| {};

fn files<const N: usize>(paths: [&str; N]) -> impl FnOnce(NewMergeRequest, &People) -> NewMergeRequest {
    move |new, _| paths.into_iter().fold(new, NewMergeRequest::file)
}

fn approve(who: fn(&People) -> UserId) -> impl Fn(&Gitlab, MergeRequestRef, &People) {
    move |gitlab, which, people| gitlab.approve(which, who(people)).unwrap()
}

fn bob(people: &People) -> UserId {
    people.bob
}

fn eve(people: &People) -> UserId {
    people.eve
}

/// `or: [the devtools team has approved, only staging files have changed]`, the second by `only_changed_files` and
/// `count: 0`.
const STAGING: &str = r#"
policy: staging
rules:
  - id: devtools-or-staging
    require:
      any_of:
        - approvals: { count: 1, from: { groups: ["devtools"] } }
        - changed_files: { all: ["/staging/**"] }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_approves_or_only_some_files_change() {
    let mut cases = Cases::of(STAGING).await;
    cases.see("only staging", files(["staging/a"]), NOTHING, Passed).await;
    cases.see("staging and more", files(["staging/a", "src/b"]), NOTHING, Waiting).await;
    cases.see("the team approved", files(["src/b"]), &approve(bob), Passed).await;
    cases.see("somebody else approved", files(["src/b"]), &approve(eve), Waiting).await;
    let renamed = |from: &'static str, to: &'static str| {
        move |new: NewMergeRequest, _: &People| new.file(FileChange::renamed(from, to))
    };
    cases.see("a rename is delete and add", renamed("src/a", "staging/a"), NOTHING, Waiting).await;
    cases.see("moved out of staging", renamed("staging/a", "src/a"), NOTHING, Waiting).await;
    cases.see("renamed within staging", renamed("staging/a", "staging/b"), NOTHING, Passed).await;
    cases.see("deleted", |new, _| new.file(FileChange::deleted("staging/a")), NOTHING, Passed).await;
    cases
        .see(
            "the author is of the team",
            |new, people| new.file("src/a").author(people.bob),
            &approve(bob),
            Waiting,
        )
        .await;
    let by_bob = |new: NewMergeRequest, _: &People| {
        new.file("src/a").commit(NewCommit::new("a").author_email("bob@example.com"))
    };
    cases.see("who committed does not count", by_bob, &approve(bob), Waiting).await;
    let committed_by_bob = |new: NewMergeRequest, _: &People| {
        let commit = NewCommit::new("a").author_email("ana@example.com").committer_email("bob@example.com");
        new.file("src/a").commit(commit)
    };
    cases.see("nor who is the committer only", committed_by_bob, &approve(bob), Waiting).await;
    let unapproved: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.bob).unwrap();
        gitlab.unapprove(which, people.bob).unwrap();
    };
    cases.see("taken back", files(["src/a"]), unapproved, Waiting).await;
    cases.end(12);
}

/// `approval: [config is reviewed, code is reviewed]`, each with an `if`: skipped rules are as if they were not there, and
/// when all are skipped it blocks.
const SKIPPED: &str = r#"
policy: skipped
rules:
  - id: config
    when: { changed_files: { any: ["/config/**", "/server/views/*.tmpl"] } }
    require: { approvals: { count: 1, from: { groups: ["devtools"] } } }
  - id: code
    when: { changed_files: { any: ["/src/**"] } }
    require: { approvals: { count: 1, from: { groups: ["palantir"] } } }
"#;

fn dora(people: &People) -> UserId {
    people.dora
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skipped_is_not_failed_and_everything_skipped_blocks() {
    let mut cases = Cases::of(SKIPPED).await;
    cases.see("no rule applies", files(["README.md"]), NOTHING, Failed).await;
    cases.see("nor with an approval", files(["README.md"]), &approve(bob), Failed).await;
    cases.see("one is skipped", files(["src/a"]), &approve(dora), Passed).await;
    cases.see("the other one", files(["config/a"]), &approve(bob), Passed).await;
    cases.see("not enough for it", files(["config/a"]), &approve(dora), Waiting).await;
    cases.see("both, and one is met", files(["config/a", "src/b"]), &approve(dora), Waiting).await;
    cases.see("both by one person", files(["config/a", "src/b"]), &approve(bob), Passed).await;
    cases.see("the second pattern", files(["server/views/x.tmpl"]), NOTHING, Waiting).await;
    cases.see("deeper than it", files(["server/views/a/x.tmpl"]), NOTHING, Failed).await;
    cases.end(9);
}

/// `and: [or: [docs only, reviewed], or: [small (modified_lines), reviewed twice]]`, where `docs only` and `small` are
/// rules with `count: 0`.
const NESTED: &str = r#"
policy: nested
rules:
  - id: nested
    require:
      all_of:
        - any_of:
            - changed_files: { all: ["*.md"] }
            - approvals: 1
        - any_of:
            - changed_lines: { at_most: 10 }
            - approvals: 2
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_joined_by_or_and_and() {
    let mut cases = Cases::of(NESTED).await;
    let long = |path: &'static str| {
        let text = format!("@@ -0,0 +1,20 @@\n{}", "+line\n".repeat(20));
        move |new: NewMergeRequest, _: &People| new.file(FileChange::modified(path).diff(&text))
    };
    let two: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.eve).unwrap();
        gitlab.approve(which, people.dora).unwrap();
    };
    cases.see("small documentation", files(["a.md"]), NOTHING, Passed).await;
    cases.see("small code", files(["a.rs"]), NOTHING, Waiting).await;
    cases.see("small code, approved", files(["a.rs"]), &approve(eve), Passed).await;
    cases.see("long documentation", long("a.md"), NOTHING, Waiting).await;
    cases.see("long code, approved once", long("a.rs"), &approve(eve), Waiting).await;
    cases.see("long code, approved twice", long("a.rs"), two, Passed).await;
    let once_more: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.eve).unwrap();
        gitlab.unapprove(which, people.eve).unwrap();
        gitlab.approve(which, people.eve).unwrap();
    };
    cases.see("twice by the same person", long("a.rs"), once_more, Waiting).await;
    cases.end(7);
}

/// `if: {has_author_in, targets_branch, from_branch, has_labels, title}` in front of a rule with `count: 0`, or else a
/// review; `no_changed_files` in its conditions.
const AUTOMATIC: &str = r#"
policy: automatic
rules:
  - id: automatic-or-reviewed
    require:
      any_of:
        - approvals: 1
        - author: { users: ["dora"], groups: ["devtools"] }
          target_branch: ["main", "release/*"]
          source_branch: "dependencies/*"
          labels: { all: ["automatic"] }
          not: { title: { regex: "(fixup|squash)! .*" } }
          changed_files: { none: ["/src/**"] }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn predicates_approve_by_themselves() {
    let mut cases = Cases::of(AUTOMATIC).await;
    let fitting = |new: NewMergeRequest, author: UserId| {
        new.file("Cargo.lock").author(author).source_branch("dependencies/serde").label("automatic")
    };
    cases.see("all hold", |new, people| fitting(new, people.dora), NOTHING, Passed).await;
    cases.see("of the team", |new, people| fitting(new, people.bob), NOTHING, Passed).await;
    cases.see("another author", |new, people| fitting(new, people.eve), NOTHING, Waiting).await;
    cases.see("approved", |new, people| fitting(new, people.eve), &approve(bob), Passed).await;
    cases
        .see(
            "another branch",
            |new, people| fitting(new, people.dora).target_branch("develop"),
            NOTHING,
            Waiting,
        )
        .await;
    cases
        .see("a release", |new, people| fitting(new, people.dora).target_branch("release/1"), NOTHING, Passed)
        .await;
    cases
        .see(
            "from elsewhere",
            |new, people| fitting(new, people.dora).source_branch("mine"),
            NOTHING,
            Waiting,
        )
        .await;
    cases.see("a fixup", |new, people| fitting(new, people.dora).title("fixup! a"), NOTHING, Waiting).await;
    cases.see("code too", |new, people| fitting(new, people.dora).file("src/a"), NOTHING, Waiting).await;
    let unlabelled: Deed<'_> = &|gitlab, which, _| gitlab.remove_label(which, "automatic").unwrap();
    cases.see("no label", |new, people| fitting(new, people.dora), unlabelled, Waiting).await;
    cases.end(10);
}

/// `options: {allow_author: true, allow_contributor: true, invalidate_on_push: false}`.
const LENIENT: &str = r#"
policy: lenient
rules:
  - id: reviewed
    require:
      approvals: { count: 1, from: { groups: ["palantir"] }, allow_author: true, allow_committers: true, reset_on: never }
"#;

/// `options: {invalidate_on_push: true}` and `requires: {count: 2, permissions: ["write"]}`.
const STRICT: &str = r"
policy: strict
rules:
  - id: reviewed
    require: { approvals: { count: 2, from: { role: developer } } }
";

const PUSH: fn(&Gitlab, MergeRequestRef) = |gitlab, which| {
    gitlab.advance(std::time::Duration::from_secs(5));
    gitlab.push(which, Push::new().file("src/another")).unwrap();
    gitlab.advance(std::time::Duration::from_secs(5));
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_let_more_approvals_count() {
    let mut cases = Cases::of(LENIENT).await;
    let by_dora = |new: NewMergeRequest, people: &People| new.file("src/a").author(people.dora);
    cases.see("the author", by_dora, &approve(dora), Passed).await;
    let with_bob = |new: NewMergeRequest, _: &People| {
        new.file("src/a").commit(NewCommit::new("a").author_email("bob@example.com"))
    };
    cases.see("a contributor", with_bob, &approve(bob), Passed).await;
    cases.see("a stranger", with_bob, &approve(eve), Waiting).await;
    let then_pushed: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.bob).unwrap();
        PUSH(gitlab, which);
    };
    cases.see("it stands across a push", files(["src/a"]), then_pushed, Passed).await;
    cases.end(4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_invalidates_and_a_permission_is_a_least_one() {
    let mut cases = Cases::of(STRICT).await;
    let approve_by = |gitlab: &Gitlab, which, people: [UserId; 2]| {
        for user in people {
            gitlab.approve(which, user).unwrap();
        }
    };
    let two: Deed<'_> = &|gitlab, which, people| approve_by(gitlab, which, [people.eve, people.bob]);
    cases.see("two developers", files(["src/a"]), two, Passed).await;
    cases.see("one developer", files(["src/a"]), &approve(eve), Waiting).await;
    let then_pushed: Deed<'_> = &|gitlab, which, people| {
        approve_by(gitlab, which, [people.eve, people.bob]);
        PUSH(gitlab, which);
    };
    cases.see("pushed since", files(["src/a"]), then_pushed, Waiting).await;
    let before_and_after: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.eve).unwrap();
        PUSH(gitlab, which);
        gitlab.approve(which, people.bob).unwrap();
    };
    cases.see("one before and one after", files(["src/a"]), before_and_after, Waiting).await;
    let all_after: Deed<'_> = &|gitlab, which, people| {
        PUSH(gitlab, which);
        approve_by(gitlab, which, [people.eve, people.bob]);
    };
    cases.see("both after", files(["src/a"]), all_after, Passed).await;
    let reporter: Deed<'_> = &|gitlab, which, people| {
        let low = gitlab.create_user(format!("low-{}", which.iid).as_str());
        gitlab.add_member(which.project, Membership::new(low, 20)).unwrap();
        approve_by(gitlab, which, [people.eve, low]);
    };
    cases.see("a reporter", files(["src/a"]), reporter, Waiting).await;
    cases.end(6);
}

/// `has_status: {statuses: [build]}` as a predicate and `has_status` with `conclusions: [success, skipped]`; here the
/// pipeline.
const STATUS: &str = r"
policy: status
rules:
  - id: pipeline
    require: { pipeline: [success, skipped] }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_must_have_an_allowed_conclusion() {
    let mut cases = Cases::of(STATUS).await;
    let ended = |status: &'static str| {
        move |gitlab: &Gitlab, which: MergeRequestRef, _: &People| {
            gitlab.set_pipeline(which, status).unwrap();
        }
    };
    cases.see("success", files(["a"]), &ended("success"), Passed).await;
    cases.see("skipped", files(["a"]), &ended("skipped"), Passed).await;
    cases.see("failed", files(["a"]), &ended("failed"), Failed).await;
    cases.see("canceled", files(["a"]), &ended("canceled"), Failed).await;
    cases.see("running", files(["a"]), &ended("running"), Waiting).await;
    cases.see("none yet", files(["a"]), NOTHING, Waiting).await;
    cases.end(6);
}

/// `options: {methods: {comments: [":+1:"], github_review: true}, ignore_edited_comments: true}` and a disapproval by
/// `palantir`. (There a comment approves by a part of it; here only the whole comment does.)
const METHODS: &str = r#"
policy: methods
rules:
  - id: reviewed
    require:
      approvals: { count: 1, from: { groups: ["devtools"] }, methods: [approval, { comment: ":+1:" }] }
  - id: not-disapproved
    require:
      vetoes:
        at_most: 0
        from: { groups: ["palantir"] }
        by: [request_changes, { comment: ":-1:" }]
        revoked_by: [approval, { comment: ":+1:" }]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_approve_and_disapprove() {
    let mut cases = Cases::of(METHODS).await;
    let says = |who: fn(&People) -> UserId, text: &'static str| {
        move |gitlab: &Gitlab, which: MergeRequestRef, people: &People| {
            gitlab.acting_as(who(people)).comment(which, text).unwrap();
        }
    };
    cases.see("a comment", files(["a"]), &says(bob, ":+1:"), Passed).await;
    cases.see("an approval", files(["a"]), &approve(bob), Passed).await;
    cases.see("a stranger's comment", files(["a"]), &says(eve, ":+1:"), Waiting).await;
    cases.see("another comment", files(["a"]), &says(bob, "well"), Waiting).await;
    cases
        .see("the author's", |new, people| new.file("a").author(people.bob), &says(bob, ":+1:"), Waiting)
        .await;
    let tampered: Deed<'_> = &|gitlab, which, people| {
        let maintainer = gitlab.create_user(format!("maintainer-{}", which.iid).as_str());
        gitlab.add_member(which.project, Membership::new(maintainer, 40)).unwrap();
        let written = gitlab.acting_as(people.bob).comment(which, "wait").unwrap();
        gitlab.advance(std::time::Duration::from_secs(5));
        gitlab.acting_as(maintainer).edit_comment(which, &written, ":+1:").unwrap();
    };
    cases.see("edited by somebody else", files(["a"]), tampered, Waiting).await;
    let disapproved = |who: fn(&People) -> UserId| {
        move |gitlab: &Gitlab, which: MergeRequestRef, people: &People| {
            gitlab.approve(which, people.bob).unwrap();
            gitlab.acting_as(who(people)).comment(which, ":-1:").unwrap();
        }
    };
    cases.see("disapproved", files(["a"]), &disapproved(dora), Waiting).await;
    cases.see("disapproved by a stranger", files(["a"]), &disapproved(eve), Passed).await;
    let revoked: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.bob).unwrap();
        gitlab.acting_as(people.dora).comment(which, ":-1:").unwrap();
        gitlab.advance(std::time::Duration::from_secs(5));
        gitlab.acting_as(people.dora).comment(which, ":+1:").unwrap();
    };
    cases.see("revoked", files(["a"]), revoked, Passed).await;
    let requested: Deed<'_> = &|gitlab, which, people| {
        gitlab.approve(which, people.bob).unwrap();
        gitlab.review(which, people.dora, "requested_changes").unwrap();
    };
    cases.see("changes requested", files(["a"]), requested, Waiting).await;
    cases.end(10);
}

/// `has_contributor_in`, `only_has_contributors_in`, `author_is_only_contributor`, `has_valid_signatures`,
/// `file_not_deleted` and `modified_lines`.
const CONTRIBUTORS: &str = r#"
policy: contributors
rules:
  - id: ours
    require:
      committers: { all: { users: ["ana"], groups: ["devtools"] }, none: { users: ["eve"] } }
      deleted_files: { none: ["/config/**"] }
      changed_lines: { added: { at_most: 100 } }
  - id: alone
    when: { changed_files: { any: ["/alone/**"] } }
    require: { committers: { only_author: true } }
  - id: signed
    when: { changed_files: { any: ["/signed/**"] } }
    require: { commits: { all: { verified: true } } }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contributors_signatures_and_lines_are_looked_at() {
    let mut cases = Cases::of(CONTRIBUTORS).await;
    let by = |path: &'static str, email: &'static str| {
        move |new: NewMergeRequest, _: &People| new.file(path).commit(NewCommit::new("a").author_email(email))
    };
    cases.see("by the author", files(["a"]), NOTHING, Passed).await;
    cases.see("by the team", by("a", "cleo@example.com"), NOTHING, Passed).await;
    cases.see("by a stranger", by("a", "eve@example.com"), NOTHING, Failed).await;
    cases.see("by nobody known", by("a", "who@nowhere.example"), NOTHING, Waiting).await;
    cases.see("alone", files(["alone/a"]), NOTHING, Passed).await;
    cases.see("not alone", by("alone/a", "cleo@example.com"), NOTHING, Failed).await;
    let deleted = |new: NewMergeRequest, _: &People| new.file(FileChange::deleted("config/a"));
    cases.see("deleted", deleted, NOTHING, Failed).await;
    let moved = |new: NewMergeRequest, _: &People| new.file(FileChange::renamed("config/a", "b"));
    cases.see("a rename deletes, too", moved, NOTHING, Failed).await;
    let long = format!("@@ -0,0 +1,101 @@\n{}", "+line\n".repeat(101));
    let many = |new: NewMergeRequest, _: &People| new.file(FileChange::modified("a").diff(&long));
    cases.see("too many lines", many, NOTHING, Failed).await;
    cases.see("not signed", files(["signed/a"]), NOTHING, Failed).await;
    let signed = |new: NewMergeRequest, _: &People| {
        new.file("signed/a").commit(NewCommit::new("a").signed("PGP", "verified"))
    };
    cases.see("signed", signed, NOTHING, Passed).await;
    cases.end(11);
}
