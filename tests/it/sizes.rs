//! Facts at size: what GitLab cuts off is found another way, or nothing passes by it.

use std::sync::Arc;
use std::time::Duration;

use countersign::decision::Remembered;
use countersign::gitlab::{CallAllowance, Client};
use countersign::merge_request::{CommitSha, MergeRequestRef};
use countersign::policy::RuleState;
use countersign::simulator::{
    DiffLimits, Edition, Fault, FileChange, Membership, Moment, NewCommit, NewMergeRequest, Push,
};

use crate::conditions::{Played, Stage};
use crate::world::{VERSION, VERSIONS};

const TREE: &str = "GET /projects/:id/repository/tree";
const GRAPHQL: &str = "POST /api/graphql";
const NOTES: &str = "GET /projects/:id/merge_requests/:iid/notes";
const COMMITS: &str = "GET /projects/:id/repository/commits";
const UNKNOWN: RuleState = RuleState::Unknown { curable: false };
const DOUBTED: RuleState = RuleState::Unknown { curable: true };

fn open(stage: &Stage, files: impl IntoIterator<Item = FileChange>) -> MergeRequestRef {
    let new = files.into_iter().fold(stage.ground.merge_request(), NewMergeRequest::file);
    stage.ground.gitlab.open_merge_request(new).unwrap()
}

/// New pages in a hundred folders.
fn docs(count: usize) -> impl Iterator<Item = FileChange> {
    (0..count).map(|number| FileChange::added(&format!("docs/{:02}/page-{number:05}.md", number % 100)))
}

/// A GitLab that lists so many files and shows the text of fewer still.
async fn limited(files: usize, with_text: usize) -> Stage {
    let stage = Stage::new().await;
    stage.ground.gitlab.set_diff_limits(DiffLimits { files, with_text });
    stage
}

fn calls(played: &Played, route: &str) -> usize {
    played.calls.get(route).copied().unwrap_or_default()
}

async fn expect(stage: &Stage, which: MergeRequestRef, cases: &[(&str, RuleState)]) {
    for (require, expected) in cases {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), *expected, "{require}: {}", played.sentence());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_files_the_one_beyond_the_list_is_found() {
    let stage = Stage::new().await;
    let which = open(&stage, docs(10_000).chain([FileChange::modified("pay/guard.rs")]));
    let none = stage.play(which, "{changed_files: {none: ['pay/']}}").await;
    assert_eq!(none.state(), RuleState::Violated, "{}", none.sentence());
    assert!(none.sentence().contains("`pay/guard.rs`"), "{}", none.sentence());
    let read = calls(&none, TREE);
    assert!((100..=200).contains(&read), "{:?}", none.calls);
    assert_eq!((calls(&none, VERSIONS), calls(&none, VERSION), calls(&none, GRAPHQL)), (1, 1, 0));
    let only_docs = open(&stage, docs(10_000));
    let passing = "{changed_files: {all: ['docs/**'], none: ['pay/']}, added_files: {all: ['docs/']}, deleted_files: {none: ['**']}}";
    let played = stage.play(only_docs, passing).await;
    assert_eq!(played.state(), RuleState::Passed, "{}", played.sentence());
    assert_eq!(
        calls(&played, TREE),
        calls(&stage.play(only_docs, "{not: {changed_files: {any: ['pay/']}}}").await, TREE)
    );
    assert_eq!(stage.play(which, "{changed_files: {all: ['docs/**']}}").await.state(), RuleState::Violated);
    // What the first thousand settle needs no other.
    for (require, expected) in [
        ("{changed_files: {any: ['docs/']}}", RuleState::Passed),
        ("{changed_files: {none: ['docs/']}}", RuleState::Violated),
        ("{changed_files_count: {at_least: 1000}}", RuleState::Passed),
        ("{changed_lines: {at_most: 999}}", RuleState::Violated),
    ] {
        let played = stage.play(which, require).await;
        assert_eq!((played.state(), played.further_calls()), (expected, 2), "{require}: {:?}", played.calls);
    }
    for (require, expected) in [
        ("{changed_files_count: {at_least: 10001, at_most: 10001}}", RuleState::Passed),
        ("{changed_lines: {at_least: 10002, at_most: 10002}}", RuleState::Passed),
        ("{changed_lines: {removed: {at_most: 0}}}", RuleState::Violated),
    ] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), expected, "{require}: {}", played.sentence());
        assert_eq!((calls(&played, GRAPHQL), calls(&played, TREE)), (1, 0), "{require}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hides_behind_the_limit_by_the_way_in_which_it_changes() {
    let stage = limited(3, 3).await;
    let guarded = "pay/guard.rs";
    for (what, hidden) in [
        ("modified", vec![FileChange::modified(guarded)]),
        ("added", vec![FileChange::added(guarded)]),
        ("deleted", vec![FileChange::deleted(guarded)]),
        ("left by a rename", vec![FileChange::renamed(guarded, "tmp/x.rs")]),
        ("entered by a rename", vec![FileChange::renamed("tmp/x.rs", guarded)]),
        ("a mode alone", vec![FileChange::made_executable(guarded)]),
        ("a symlink", vec![FileChange::deleted(guarded), FileChange::symlink(guarded, "../tmp")]),
        ("a submodule", vec![FileChange::deleted(guarded), FileChange::added("pay").modes("0", "160000")]),
        ("a letter's case", vec![FileChange::renamed(guarded, "Pay/guard.rs")]),
    ] {
        let which = open(&stage, docs(5).chain(hidden));
        expect(
            &stage,
            which,
            &[
                ("{changed_files: {none: ['pay/']}}", RuleState::Violated),
                ("{changed_files: {any: ['/pay/guard.rs']}}", RuleState::Passed),
                ("{changed_files: {all: ['docs/', 'tmp/', 'Pay/']}}", RuleState::Violated),
                ("{not: {changed_files: {any: ['pay/']}}}", RuleState::Violated),
                ("{expression: \"!touches('pay/**')\"}", RuleState::Violated),
            ],
        )
        .await;
        let added = stage.play(which, "{added_files: {none: ['pay/']}, modified_files: {none: ['pay/']}, deleted_files: {none: ['pay/']}}").await;
        assert_eq!(added.state(), RuleState::Violated, "{what}: {}", added.sentence());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trees_do_not_tell_a_move_from_a_file_that_goes_and_one_that_comes() {
    let stage = limited(3, 3).await;
    let which = open(&stage, docs(5).chain([FileChange::renamed("src/a.rs", "lib/b.rs")]));
    expect(
        &stage,
        which,
        &[
            ("{renamed_files: {none: ['src/']}}", UNKNOWN),
            ("{renamed_files: {any: ['src/']}}", UNKNOWN),
            ("{renamed_files: {none: ['pay/']}}", RuleState::Passed),
            ("{modified_files: {none: ['lib/']}}", UNKNOWN),
            ("{modified_files: {none: ['pay/']}}", RuleState::Passed),
            ("{added_files: {any: ['lib/b.rs']}, deleted_files: {any: ['src/a.rs']}}", RuleState::Passed),
            ("{binary_files: {none: ['lib/']}}", UNKNOWN),
            ("{binary_files: {none: ['pay/']}}", RuleState::Passed),
            ("{expression: \"files.all(f, f.kind != 'renamed')\"}", UNKNOWN),
            ("{expression: \"files.exists(f, f.path == 'lib/b.rs')\"}", RuleState::Passed),
            ("{matching_lines: {regex: TODO, at_most: 0}}", UNKNOWN),
            ("{matching_lines: {regex: TODO, at_most: 0, files: ['lib/']}}", UNKNOWN),
            ("{matching_lines: {regex: TODO, at_most: 0, files: ['pay/']}}", RuleState::Passed),
            // A file that moved is one file, and git counts it as one.
            ("{changed_files_count: {at_most: 6, at_least: 6}}", RuleState::Passed),
        ],
    )
    .await;
    let all = stage
        .play(which, "{changed_files: {none: ['pay/']}, matching_lines: {regex: page, at_most: 3}}")
        .await;
    assert_eq!(all.state(), UNKNOWN, "found in the trees, no file is clean: {}", all.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_that_takes_too_many_calls_proves_nothing() {
    let stage = limited(3, 3).await;
    let deep = (0..150).map(|folder| FileChange::modified(&format!("docs/{folder}/page.md")));
    let which = open(&stage, deep.chain([FileChange::modified("pay/guard.rs")]));
    for require in [
        "{changed_files: {none: ['pay/']}}",
        "{changed_files: {all: ['docs/', 'pay/']}}",
        "{not: {changed_files: {any: ['pay/']}}}",
        "{expression: \"!touches('pay/**')\"}",
    ] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), UNKNOWN, "{require}: {}", played.sentence());
        assert!(played.sentence().contains("takes at least 308 calls"), "{}", played.sentence());
        assert_eq!(calls(&played, TREE), 200, "{require}");
    }
    // What is in the list is still true.
    expect(&stage, which, &[("{changed_files: {any: ['docs/']}}", RuleState::Passed)]).await;
    let wide = open(&stage, docs(21_000));
    let played = stage.play(wide, "{changed_files: {all: ['docs/']}}").await;
    assert_eq!((played.state(), calls(&played, TREE)), (UNKNOWN, 200), "{}", played.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_that_do_not_fit_the_list_prove_nothing() {
    let stage = Stage::new().await;
    let which = open(&stage, docs(2));
    let require = "{changed_files: {all: ['docs/']}}";
    for size in ["1000+", "3", "nonsense"] {
        let push = docs(2).fold(Push::new(), Push::file).said_size(size);
        stage.ground.gitlab.push(which, push).unwrap();
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), UNKNOWN, "{size}: {}", played.sentence());
        assert!(played.sentence().contains("the trees show 2"), "{}", played.sentence());
    }
    stage.ground.gitlab.set_diff_limits(DiffLimits { files: 1, with_text: 1 });
    stage.ground.gitlab.push(which, docs(2).fold(Push::new(), Push::file)).unwrap();
    expect(&stage, which, &[(require, RuleState::Passed)]).await;
    stage.ground.gitlab.fault(Fault::error_page(TREE, 500));
    expect(&stage, which, &[(require, DOUBTED)]).await;
    stage.ground.gitlab.lift_all();
    stage.ground.gitlab.fault(Fault::error_page(TREE, 404));
    expect(&stage, which, &[(require, UNKNOWN)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_are_not_shown_are_counted_by_git() {
    let stage = limited(1000, 2).await;
    let which = open(&stage, (0..6).map(|number| FileChange::modified(&format!("src/{number}.rs"))));
    for (require, expected) in [
        ("{changed_lines: {at_most: 12, at_least: 12}}", RuleState::Passed),
        ("{changed_lines: {at_most: 11}}", RuleState::Violated),
        ("{changed_lines: {added: {at_most: 6}, removed: {at_most: 6}}}", RuleState::Passed),
        ("{changed_lines: {at_most: 10, except: ['src/5.rs']}}", RuleState::Passed),
        ("{changed_lines: {at_most: 9, except: ['src/5.rs']}}", RuleState::Violated),
    ] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), expected, "{require}: {}", played.sentence());
        assert_eq!((calls(&played, GRAPHQL), calls(&played, TREE)), (1, 0), "{require}");
    }
    // Of four lines it needs no count, and the text stays unseen.
    let played = stage.play(which, "{changed_lines: {at_most: 3}}").await;
    assert_eq!((played.state(), calls(&played, GRAPHQL)), (RuleState::Violated, 0));
    expect(&stage, which, &[("{matching_lines: {regex: password, at_most: 0}}", UNKNOWN)]).await;
    // Where git counts no line, nothing tells a binary file from an empty one.
    for hidden in [FileChange::modified("src/x").binary(), FileChange::added("src/x").diff("")] {
        let which = open(&stage, docs(2).chain([hidden]));
        let played = stage.play(which, "{changed_lines: {at_most: 100}}").await;
        assert_eq!(played.state(), UNKNOWN, "{}", played.sentence());
        assert!(played.sentence().contains("shows no lines of `src/x`"), "{}", played.sentence());
        let except = "{changed_lines: {at_most: 2, except: ['src/x']}}";
        expect(&stage, which, &[(except, RuleState::Passed)]).await;
    }
    // A binary file that is shown as one is not asked for.
    let stage = Stage::new().await;
    let which = open(&stage, [FileChange::modified("x.png").binary()]);
    let played = stage.play(which, "{changed_lines: {at_most: 100}}").await;
    assert_eq!((played.state(), calls(&played, GRAPHQL)), (UNKNOWN, 0), "{}", played.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_counted_are_told_from_those_that_moved_there() {
    let stage = limited(2, 2).await;
    let vendored = || (0..5).map(|number| FileChange::added(&format!("vendor/{number}.js")));
    let (count, lines) = (
        "{changed_files_count: {at_most: 2, except: ['vendor/']}}",
        "{changed_lines: {at_most: 2, except: ['vendor/']}}",
    );
    let which = open(&stage, docs(2).chain(vendored()));
    for require in [count, lines] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), RuleState::Passed, "{require}: {}", played.sentence());
        assert_eq!(calls(&played, GRAPHQL), 1, "{require}");
        assert!(calls(&played, TREE) > 0, "{require}");
    }
    let moved = FileChange::renamed("src/a.js", "vendor/a.js").diff("@@ -1 +1 @@\n-a\n+b\n");
    let which = open(&stage, docs(2).chain(vendored()).chain([moved]));
    expect(&stage, which, &[(count, UNKNOWN), (lines, UNKNOWN)]).await;
    let generated = "{changed_files_count: {at_most: 2, except_generated: true}}";
    expect(&stage, which, &[(generated, UNKNOWN)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_graphql_does_not_say_is_unknown() {
    let stage = limited(2, 2).await;
    let gitlab = &stage.ground.gitlab;
    let which = open(&stage, docs(4));
    let require = "{changed_files_count: {at_most: 4}}";
    for edition in [Edition::Community, Edition::Unlicensed, Edition::Ultimate] {
        gitlab.install("18.3.0-ee", edition);
        expect(&stage, which, &[(require, RuleState::Passed)]).await;
    }
    gitlab.fail_field("diffStats", Some("Timeout on diffs"));
    let played = stage.play(which, require).await;
    assert_eq!(played.state(), DOUBTED);
    assert!(played.sentence().contains("Timeout on diffs"), "{}", played.sentence());
    gitlab.fail_field("diffStats", None);
    for (status, expected) in [(404, UNKNOWN), (403, UNKNOWN), (503, DOUBTED)] {
        gitlab.fault(Fault::error_page(GRAPHQL, status));
        expect(&stage, which, &[(require, expected)]).await;
        gitlab.lift_all();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_in_between_never_lends_its_facts() {
    let stage = limited(2, 2).await;
    let gitlab = &stage.ground.gitlab;
    let harmless = || docs(250);
    let evil = || docs(250).chain([FileChange::modified("pay/guard.rs")]);
    let push = |files: Vec<FileChange>| files.into_iter().fold(Push::new(), Push::file);
    let text = |require: &str| format!("policy: p\nrules: [{{id: r, require: {require}}}]\n");
    // The trees belong to the push that is looked at, whichever page a push comes behind.
    for (first, second, expected) in [
        (harmless().collect::<Vec<_>>(), evil().collect::<Vec<_>>(), RuleState::Passed),
        (evil().collect(), harmless().collect(), RuleState::Violated),
    ] {
        for moment in [Moment::before(TREE), Moment::after(TREE)] {
            let which = open(&stage, first.clone());
            let second = push(second.clone());
            gitlab.on_call(moment, move |gitlab| drop(gitlab.push(which, second).unwrap()));
            let policy = text("{changed_files: {none: ['pay/']}}");
            let played = stage.attempt(which, &policy, &Remembered::default()).await;
            let found = played.map(|played| played.state());
            assert!(found.is_none() || found == Some(expected), "{found:?}");
        }
    }
    // What is counted is of the newest push, and counts for no other one.
    for (first, second) in [(4, 6), (6, 4)] {
        let which = open(&stage, docs(first));
        let second = push(docs(second).collect());
        gitlab.on_call(Moment::before(GRAPHQL), move |gitlab| drop(gitlab.push(which, second).unwrap()));
        let policy = text("{changed_files_count: {at_most: 5}}");
        let played = stage.attempt(which, &policy, &Remembered::default()).await;
        let found = played.map(|played| played.state());
        assert!(found.is_none() || found == Some(DOUBTED), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_of_files_beyond_the_list_are_asked() {
    let stage = limited(2, 2).await;
    let gitlab = &stage.ground.gitlab;
    let bea = stage.ground.reviewer();
    gitlab
        .write_file(stage.ground.project, "main", "CODEOWNERS", Some("/docs/ @bea\n/pay/ @cleo\n"))
        .unwrap();
    let cleo = gitlab.create_user("cleo");
    gitlab.add_member(stage.ground.project, Membership::new(cleo, 30)).unwrap();
    let approved = "{code_owners: {approved: true}}";
    let owned = "{code_owners: {every_file_owned: true}}";
    let mine = open(&stage, docs(5));
    gitlab.approve(mine, bea).unwrap();
    expect(&stage, mine, &[(approved, RuleState::Passed), (owned, RuleState::Passed)]).await;
    let other = open(&stage, docs(5).chain([FileChange::modified("pay/guard.rs")]));
    gitlab.approve(other, bea).unwrap();
    expect(&stage, other, &[(approved, RuleState::Waiting), (owned, RuleState::Passed)]).await;
    gitlab.approve(other, cleo).unwrap();
    expect(&stage, other, &[(approved, RuleState::Passed)]).await;
    let nobodys = open(&stage, docs(5).chain([FileChange::modified("x")]));
    expect(&stage, nobodys, &[(owned, RuleState::Violated)]).await;
    gitlab.fault(Fault::error_page(TREE, 404));
    gitlab.approve(nobodys, bea).unwrap();
    expect(&stage, nobodys, &[(approved, UNKNOWN), (owned, UNKNOWN)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_commits_none_is_overlooked() {
    let stage = Stage::new().await;
    let commits = |bad: Option<usize>| {
        (0..1000).map(move |number| {
            let subject = if Some(number) == bad { "fixup! later" } else { "feat: a step" };
            NewCommit::new(subject)
        })
    };
    let none = "{commits: {none: {subject: {regex: 'fixup!.*'}}}}";
    let open = |bad| {
        let new = commits(bad).fold(stage.ground.merge_request(), NewMergeRequest::commit);
        stage.ground.gitlab.open_merge_request(new).unwrap()
    };
    let clean = open(None);
    expect(
        &stage,
        clean,
        &[
            (none, RuleState::Passed),
            ("{commits: {at_least: 1000, at_most: 1000}}", RuleState::Passed),
            ("{commits: {at_most: 999}}", RuleState::Violated),
        ],
    )
    .await;
    let merges = stage.play(clean, "{commits: {none: {merge: true}}}").await;
    assert_eq!((merges.state(), calls(&merges, COMMITS)), (RuleState::Passed, 10), "{}", merges.sentence());
    expect(&stage, open(Some(3)), &[(none, RuleState::Violated)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_thousand_notes_the_veto_is_heard() {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let which = open(&stage, docs(1));
    let ben = gitlab.create_user("ben");
    gitlab.add_member(stage.ground.project, Membership::new(ben, 30)).unwrap();
    let require = "{vetoes: {at_most: 0, by: [{comment: veto}]}}";
    let chatter = |count: usize| {
        for number in 0..count {
            gitlab.acting_as(ben).comment(which, &format!("remark {number}")).unwrap();
        }
    };
    chatter(1450);
    gitlab.acting_as(ben).comment(which, "veto").unwrap();
    chatter(550);
    let played = stage.play(which, require).await;
    assert_eq!((played.state(), calls(&played, NOTES)), (RuleState::Waiting, 21), "{}", played.sentence());
    let played = stage.play(which, "{vetoes: {at_most: 0, by: [{comment: never said}]}}").await;
    assert_eq!((played.state(), calls(&played, NOTES)), (RuleState::Passed, 21), "{}", played.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_read_to_its_end_by_the_link_alone() {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let which = open(&stage, docs(250).chain([FileChange::modified("README.md")]));
    let head: CommitSha = gitlab.head(which).unwrap();
    let token = stage.ground.token.clone().into();
    let client =
        Client::new(stage.ground.simulator.url(), &token, Duration::from_secs(10), Arc::default()).unwrap();
    let read = async |recursive, calls| {
        client.tree(stage.ground.project, &head, "docs", recursive, &CallAllowance::new(calls)).await.unwrap()
    };
    assert_eq!(read(false, 1).await.unwrap().len(), 100, "the folders of one page");
    assert_eq!(read(true, 4).await.unwrap().len(), 350);
    assert_eq!(read(true, 3).await, None, "a part is not all");
}
