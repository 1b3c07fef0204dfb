//! What the code is, over HTTP: kinds of files, lines, commits. What can't be seen passes nothing, and nobody gets past a
//! rule by another way of writing the same change.

use countersign::decision::Remembered;
use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::policy::{Remedy, RuleState};
use countersign::simulator::{
    Edition, Fault, FaultKind, FileChange, Membership, Moment, NewCommit, NewMergeRequest, NewUser, Push,
};
use serde_json::json;

use super::{Played, Stage, answer};
use crate::world::{VERSION, VERSIONS};

const COMMITS: &str = "GET /projects/:id/repository/commits";
const SIGNATURE: &str = "GET /projects/:id/repository/commits/:sha/signature";
const UNKNOWN: RuleState = RuleState::Unknown { curable: false };
const DOUBTED: RuleState = RuleState::Unknown { curable: true };

fn open(stage: &Stage, files: &[FileChange]) -> MergeRequestRef {
    let new = files.iter().cloned().fold(stage.ground.merge_request(), NewMergeRequest::file);
    stage.ground.gitlab.open_merge_request(new).unwrap()
}

fn commit(stage: &Stage, commits: Vec<NewCommit>) -> MergeRequestRef {
    let new = commits.into_iter().fold(stage.ground.merge_request(), NewMergeRequest::commit);
    stage.ground.gitlab.open_merge_request(new).unwrap()
}

async fn state(stage: &Stage, which: MergeRequestRef, require: &str) -> RuleState {
    stage.play(which, require).await.state()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_file_is_told_from_two_reads() {
    let stage = Stage::new().await;
    let which = open(
        &stage,
        &[
            FileChange::added("src/new.rs"),
            FileChange::modified("src/same.rs"),
            FileChange::deleted("src/old.rs"),
            FileChange::renamed("src/here.rs", "lib/there.rs"),
            FileChange::added("logo.png").binary(),
            FileChange::modified("gen/api.ts").generated(),
        ],
    );
    let whole = "{added_files: {all: ['src/new.rs', 'lib/there.rs', logo.png]}, modified_files: {all: ['src/same.rs', 'gen/'], none: ['src/here.rs']}, deleted_files: {all: {regex: 'src/(old|here)\\.rs'}}, renamed_files: {all: [here.rs, there.rs]}, generated_files: {all: ['gen/']}, changed_files_count: {at_most: 5, except_generated: true}}";
    let played = stage.play(which, whole).await;
    assert_eq!(played.state(), RuleState::Passed, "{}", played.sentence());
    assert_eq!(played.further_calls(), 2, "{:?}", played.calls);
    for violated in [
        "{added_files: {none: ['lib/']}}",
        "{modified_files: {all: ['src/']}}",
        "{deleted_files: {none: ['src/here.rs']}}",
        "{renamed_files: {none: ['src/']}}",
        "{binary_files: {none: ['*.png']}}",
        "{generated_files: {any: ['src/']}}",
    ] {
        assert_eq!(state(&stage, which, violated).await, RuleState::Violated, "{violated}");
    }
    assert_eq!(
        state(&stage, which, "{binary_files: {any: ['*.png'], none: ['src/']}}").await,
        UNKNOWN,
        "moved"
    );
    assert_eq!(
        state(&stage, which, "{binary_files: {any: ['*.png'], none: ['src/'], except: [here.rs]}}").await,
        RuleState::Passed
    );
    stage.ground.gitlab.install("16.8.0-ee", Edition::Ultimate);
    for generated in
        ["{generated_files: {none: ['**']}}", "{changed_files_count: {at_most: 5, except_generated: true}}"]
    {
        assert_eq!(state(&stage, which, generated).await, UNKNOWN, "{generated}");
    }
}

/// A protected path can't be touched unseen, however the change is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_of_changing_a_protected_path_is_overlooked() {
    let stage = Stage::new().await;
    let guarded = "pay/guard.rs";
    let cases: [(&str, Vec<FileChange>, &[&str]); 10] = [
        ("left by a rename", vec![FileChange::renamed(guarded, "tmp/x.rs")], &["deleted", "renamed"]),
        ("entered by a rename", vec![FileChange::renamed("tmp/x.rs", guarded)], &["added", "renamed"]),
        ("a mode alone", vec![FileChange::made_executable(guarded)], &["modified"]),
        ("a symlink", vec![FileChange::symlink(guarded, "../tmp")], &["added"]),
        (
            "a symlink in place of a file",
            vec![FileChange::deleted(guarded), FileChange::symlink(guarded, "../tmp")],
            &["deleted", "added", "modified"],
        ),
        (
            "a file that becomes a symlink in one entry",
            vec![FileChange::modified(guarded).modes("100644", "120000")],
            &["modified"],
        ),
        ("a submodule", vec![FileChange::submodule(guarded)], &["modified"]),
        (
            "a submodule in place of a folder",
            vec![FileChange::deleted(guarded), FileChange::added("pay").modes("0", "160000")],
            &["deleted"],
        ),
        ("a letter's case", vec![FileChange::renamed(guarded, "Pay/guard.rs")], &["deleted", "renamed"]),
        (
            "a letter's case and its lines",
            vec![FileChange::renamed(guarded, "pay/Guard.rs").diff("@@ -1 +1 @@\n-a\n+b\n")],
            &["deleted", "renamed", "modified"],
        ),
    ];
    for (what, files, kinds) in cases {
        let which = open(&stage, &files);
        for patterns in ["['pay/']", "['/pay/guard.rs']", "{regex: ['pay/.*']}"] {
            let none = format!("{{changed_files: {{none: {patterns}}}}}");
            assert_eq!(state(&stage, which, &none).await, RuleState::Violated, "{what}: {none}");
            let any = format!("{{changed_files: {{any: {patterns}}}}}");
            assert_eq!(state(&stage, which, &any).await, RuleState::Passed, "{what}: {any}");
            let elsewhere = "{changed_files: {all: ['tmp/', 'Pay/']}}";
            assert_eq!(state(&stage, which, elsewhere).await, RuleState::Violated, "{what}");
            for kind in kinds {
                let none = format!("{{{kind}_files: {{none: {patterns}}}}}");
                assert_eq!(state(&stage, which, &none).await, RuleState::Violated, "{what}: {none}");
            }
        }
        let count = state(&stage, which, "{changed_files_count: {at_most: 0}}").await;
        assert_eq!(count, RuleState::Violated, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_shorter_than_counted_passes_nothing_by_absence() {
    let stage = Stage::new().await;
    let which = open(&stage, &[]);
    for (size, complete) in [("2", true), ("3", false), ("1000+", false)] {
        let push = Push::new()
            .file(FileChange::added("src/a.rs"))
            .file(FileChange::modified("src/b.rs").generated())
            .said_size(size);
        stage.ground.gitlab.push(which, push).unwrap();
        for absent in [
            "{changed_files: {none: ['pay/']}}",
            "{changed_files: {all: ['src/']}}",
            "{added_files: {none: ['pay/']}}",
            "{modified_files: {all: ['src/']}}",
            "{deleted_files: {none: ['**']}}",
            "{renamed_files: {none: {regex: '.*'}}}",
            "{binary_files: {none: ['**']}}",
            "{generated_files: {all: ['src/']}}",
            "{changed_files_count: {at_most: 1, except_generated: true}}",
            "{changed_lines: {at_most: 100}}",
            "{matching_lines: {regex: TODO, at_most: 0}}",
            "{matching_lines: {regex: TODO, at_most: 0, files: ['pay/']}}",
            "{not: {matching_lines: {regex: TODO}}}",
            "{not: {changed_files: {any: ['pay/']}}}",
        ] {
            let expected = if complete { RuleState::Passed } else { UNKNOWN };
            assert_eq!(state(&stage, which, absent).await, expected, "{size}: {absent}");
        }
        for there in ["{changed_files: {any: ['src/']}}", "{matching_lines: {regex: after, at_least: 1}}"] {
            assert_eq!(state(&stage, which, there).await, RuleState::Passed, "{size}: {there}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_searched_in_the_read_that_gives_the_files() {
    let stage = Stage::new().await;
    let diff = "@@ -1,2 +1,3 @@\n-TODO: old\n+TODO: one\n+// TODO: two\n+done\n";
    let which =
        open(&stage, &[FileChange::modified("src/a.rs").diff(diff), FileChange::modified("docs/b.md")]);
    for (require, expected) in [
        ("{matching_lines: {regex: TODO, side: added, at_least: 2, at_most: 2}}", RuleState::Passed),
        ("{matching_lines: {regex: '^TODO', at_most: 2}}", RuleState::Passed),
        ("{matching_lines: {regex: TODO, side: removed, at_most: 0}}", RuleState::Violated),
        ("{matching_lines: {regex: TODO, files: ['docs/'], at_most: 0}}", RuleState::Passed),
        ("{matching_lines: {regex: FIXME}}", RuleState::Violated),
    ] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), expected, "{require}: {}", played.sentence());
        assert_eq!(played.further_calls(), 2, "{require}: {:?}", played.calls);
    }
    let policy = "policy: p\nrules: [{id: r, when: {changed_files: {any: ['src/']}}, require: {matching_lines: {regex: TODO, side: added}, commits: {at_most: 1}}}]\n";
    let played = stage.play_policy(which, policy).await;
    assert_eq!(
        (played.state(), played.further_calls()),
        (RuleState::Passed, 2),
        "a round later: {:?}",
        played.calls
    );
    stage.ground.gitlab.fault(Fault::error_page(VERSION, 500));
    assert_eq!(state(&stage, which, "{matching_lines: {regex: TODO, at_most: 0}}").await, DOUBTED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_was_left_out_is_never_clean() {
    let stage = Stage::new().await;
    let secret = "@@ -0,0 +1 @@\n+password = 1\n";
    let file = || FileChange::added("src/a.rs").diff(secret);
    let none = "{matching_lines: {regex: password, at_most: 0}}";
    for (what, file) in [("collapsed", file().collapsed()), ("too large", file().too_large())] {
        let which = open(&stage, &[file, FileChange::modified("src/b.rs")]);
        for require in [
            none,
            "{not: {matching_lines: {regex: password}}}",
            "{matching_lines: {regex: password, side: added, at_most: 0, files: ['src/']}}",
            "{matching_lines: {regex: password}}",
            "{binary_files: {none: ['**']}}",
        ] {
            assert_eq!(state(&stage, which, require).await, UNKNOWN, "{what}: {require}");
        }
        let elsewhere = "{matching_lines: {regex: password, at_most: 0, except: ['src/a.rs']}}";
        assert_eq!(state(&stage, which, elsewhere).await, RuleState::Passed, "{what}");
        // Before 18.0 GitLab does not even say that it left something out.
        stage.ground.gitlab.install("17.11.0-ee", Edition::Ultimate);
        assert_eq!(state(&stage, which, none).await, UNKNOWN, "{what}, unsaid");
        stage.ground.gitlab.install("18.3.0-ee", Edition::Ultimate);
    }
    assert_eq!(state(&stage, open(&stage, &[file()]), none).await, RuleState::Violated);
}

/// A NUL byte in a comment, or a git attribute, and git shows no line of a script any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_git_takes_for_binary_is_neither_small_nor_clean() {
    let stage = Stage::new().await;
    let small = "{changed_lines: {at_most: 400}}";
    let clean = "{matching_lines: {regex: 'console\\.log', side: added, at_most: 0}}";
    let which = open(&stage, &[FileChange::modified("src/a.js"), FileChange::added("src/logo.png").binary()]);
    for require in [
        small,
        clean,
        "{not: {matching_lines: {regex: 'console\\.log'}}}",
        "{matching_lines: {regex: 'console\\.log', at_most: 0, files: ['src/']}}",
        "{changed_lines: {removed: {at_most: 1}}}",
        "{expression: 'files.all(file, file.added_lines < 400)'}",
    ] {
        assert_eq!(state(&stage, which, require).await, UNKNOWN, "{require}");
    }
    let played = stage.play(which, small).await;
    assert_eq!(
        played.sentence(),
        "2 or more lines change, the bounds are at most 400; GitLab shows no lines of `src/logo.png`"
    );
    let what = "name `src/logo.png` under `except` in the policy, if nobody need see these lines".to_owned();
    assert!(played.rules[0].remedies.contains(&Remedy::AskOperator { what }), "{:?}", played.rules);
    for require in [
        "{changed_lines: {at_most: 400, except: ['*.png']}}",
        "{matching_lines: {regex: 'console\\.log', at_most: 0, except: ['*.png']}}",
        "{matching_lines: {regex: 'console\\.log', at_most: 0, files: ['*.js']}}",
        "{matching_lines: {regex: 'console\\.log', side: removed, at_most: 0}}",
    ] {
        assert_eq!(state(&stage, which, require).await, RuleState::Passed, "{require}");
    }
    assert_eq!(state(&stage, which, "{changed_lines: {at_most: 1}}").await, RuleState::Violated);
    let gone = open(&stage, &[FileChange::deleted("src/logo.png").binary()]);
    assert_eq!(state(&stage, gone, clean).await, RuleState::Passed, "what goes adds no line");
    assert_eq!(state(&stage, gone, small).await, UNKNOWN);
    let silent = open(&stage, &[FileChange::modified("src/a.js").diff("")]);
    for require in [small, clean] {
        assert_eq!(
            state(&stage, silent, require).await,
            UNKNOWN,
            "modified, and nothing says how: {require}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_cost_no_read_of_their_own_and_parents_one() {
    let stage = Stage::new().await;
    let base = stage.ground.gitlab.write_file(stage.ground.project, "main", "a", Some("1")).unwrap();
    let signed = "feat: one\n\nSigned-off-by: Ana <ana@example.com>\n";
    let which = commit(&stage, vec![NewCommit::new(signed), NewCommit::new("fix: two\n\nRefs: #1\n")]);
    for (require, expected) in [
        ("{commits: {at_most: 2, all: {subject: {conventional_commit: true}}}}", RuleState::Passed),
        ("{commits: {all: {signed_off_by: author}}}", RuleState::Violated),
        ("{commits: {any: {signed_off_by: committer, trailers: [signed-off-by]}}}", RuleState::Passed),
        ("{commits: {none: {subject: {contains: fixup}, merge: true, verified: true}}}", RuleState::Passed),
    ] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), expected, "{require}: {}", played.sentence());
        assert_eq!(played.further_calls(), 2, "{require}: {:?}", played.calls);
    }
    let straight = stage.play(which, "{commits: {none: {merge: true}}}").await;
    assert_eq!(
        (straight.state(), straight.calls[COMMITS]),
        (RuleState::Passed, 1),
        "{}",
        straight.sentence()
    );
    assert_eq!(straight.further_calls(), 3, "{:?}", straight.calls);
    let below = stage.ground.gitlab.head(which).unwrap();
    let merge = NewCommit::new("Merge branch 'main'").parent(below).parent(base);
    stage.ground.gitlab.push(which, Push::new().commit(NewCommit::new("fix: below")).commit(merge)).unwrap();
    assert_eq!(state(&stage, which, "{commits: {none: {merge: true}}}").await, RuleState::Violated);
    // More than one page of them.
    let many =
        (0..150).fold(Push::new(), |push, number| push.commit(NewCommit::new(&format!("fix: {number}"))));
    stage.ground.gitlab.push(which, many).unwrap();
    let paged = stage.play(which, "{commits: {none: {merge: true}, at_least: 150}}").await;
    assert_eq!((paged.state(), paged.calls[COMMITS]), (RuleState::Passed, 2), "{}", paged.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_that_can_not_be_had_pass_nothing() {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let which = commit(&stage, vec![NewCommit::new("fix: one"), NewCommit::new("fix: two")]);
    let none = "{commits: {none: {merge: true}}}";
    let head = gitlab.head(which).unwrap();
    let version = gitlab.merge_request(which).unwrap().newest_version().unwrap().clone();
    let without_parents =
        version.commits.iter().map(|commit| json!({ "id": commit.sha, "parent_ids": [] })).collect();
    let only_the_head = json!([{ "id": head, "parent_ids": ["1".repeat(40)] }]);
    for (body, what) in [(without_parents, "no parents"), (only_the_head, "one of two"), (json!([]), "none")]
    {
        let fault = gitlab.fault(Fault::on(COMMITS, answer(200, &body)));
        for require in [none, "{commits: {any: {merge: true}}}", "{not: {commits: {any: {merge: true}}}}"] {
            assert_eq!(state(&stage, which, require).await, UNKNOWN, "{what}: {require}");
        }
        gitlab.lift(fault);
    }
    for (fault, expected) in [
        (Fault::error_page(COMMITS, 502), DOUBTED),
        (Fault::on(COMMITS, answer(404, &json!({ "message": "404 Project Not Found" }))), UNKNOWN),
    ] {
        let fault = gitlab.fault(fault);
        assert_eq!(state(&stage, which, none).await, expected);
        gitlab.lift(fault);
    }
    assert_eq!(state(&stage, which, none).await, RuleState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_signed_and_verified_commits_are_verified() {
    let stage = Stage::new().await;
    let all = "{commits: {all: {verified: true}}}";
    let good = || NewCommit::new("fix: good").signed("SSH", "verified");
    let verified = stage
        .play(commit(&stage, vec![good(), NewCommit::new("x").signed("PGP", "verified_system")]), all)
        .await;
    assert_eq!(
        (verified.state(), verified.calls[SIGNATURE]),
        (RuleState::Passed, 2),
        "{}",
        verified.sentence()
    );
    assert_eq!(verified.further_calls(), 4, "{:?}", verified.calls);
    for bad in [
        NewCommit::new("fix: unsigned"),
        NewCommit::new("fix: unverified").signed("SSH", "unverified"),
        NewCommit::new("fix: stolen").signed("PGP", "other_user"),
        NewCommit::new("fix: revoked").signed("X509", "revoked_key"),
    ] {
        for commits in [vec![good(), bad.clone()], vec![bad.clone(), good()]] {
            let which = commit(&stage, commits);
            assert_eq!(state(&stage, which, all).await, RuleState::Violated, "{bad:?}");
            assert_eq!(
                state(&stage, which, "{commits: {none: {verified: true}}}").await,
                RuleState::Violated
            );
        }
    }
    let strange = commit(&stage, vec![good().signed("SSH", "verified_by_tomorrow")]);
    assert_eq!(state(&stage, strange, all).await, UNKNOWN);
}

/// That there is no signature is believed only in GitLab's own words: everything else is a doubt, below a `not` as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_can_not_be_had_is_not_a_missing_one() {
    let stage = Stage::new().await;
    let which = commit(&stage, vec![NewCommit::new("fix: it").signed("SSH", "verified")]);
    let message = |text: &str| json!({ "message": text });
    for (fault, expected) in [
        (answer(404, &message("404 Commit Not Found")), UNKNOWN),
        (answer(404, &message("404 Project Not Found")), UNKNOWN),
        (answer(404, &json!({ "error": "404 Not Found" })), UNKNOWN),
        (answer(403, &message("403 Forbidden")), UNKNOWN),
        (answer(500, &message("500")), DOUBTED),
        (answer(200, &json!({ "signature_type": "PGP" })), DOUBTED),
        (FaultKind::Garbage, DOUBTED),
    ] {
        let fault = stage.ground.gitlab.fault(Fault::on(SIGNATURE, fault.clone()));
        for require in [
            "{commits: {all: {verified: true}}}",
            "{commits: {none: {verified: true}}}",
            "{not: {commits: {any: {verified: true}}}}",
        ] {
            assert_eq!(state(&stage, which, require).await, expected, "{require}");
        }
        stage.ground.gitlab.lift(fault);
    }
    let gone = answer(404, &message("404 GPG Signature Not Found"));
    stage.ground.gitlab.fault(Fault::on(SIGNATURE, gone));
    assert_eq!(state(&stage, which, "{commits: {all: {verified: true}}}").await, RuleState::Violated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_is_that_of_the_committer_s_account() {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let bea = stage.ground.reviewer();
    let shy = gitlab.create_user(NewUser::named("shy").public_email(None));
    gitlab.add_member("shop/payments", Membership::new(shy, 30)).unwrap();
    let by = |email: &str, status: &str| {
        let signed = NewCommit::new("fix: it").author_email("ana@example.com").committer_email(email);
        commit(&stage, vec![signed.signed("SSH", status)])
    };
    let private = |user: UserId, host: &str| format!("{user}-x@users.noreply.{host}");
    let all = "{commits: {all: {signed_by: {groups: [shop/payments]}}}}";
    for (email, status, expected) in [
        ("BEA@example.com".to_owned(), "verified", RuleState::Passed),
        (private(bea, "127.0.0.1"), "verified", RuleState::Passed),
        (private(bea, "evil.example.com"), "verified", UNKNOWN),
        ("ana@example.com".to_owned(), "verified", RuleState::Violated),
        ("bea@example.com".to_owned(), "unverified", RuleState::Violated),
        ("bea@example.com".to_owned(), "same_user_different_email", RuleState::Violated),
        ("bea@example.com".to_owned(), "verified_system", RuleState::Violated),
        ("shy@example.com".to_owned(), "verified", UNKNOWN),
    ] {
        assert_eq!(state(&stage, by(&email, status), all).await, expected, "{email}, {status}");
    }
    let played = stage.play(by("bea@example.com", "verified"), all).await;
    assert_eq!(
        played.further_calls(),
        6,
        "versions, files, signature, email, group, member: {:?}",
        played.calls
    );
    gitlab.fault(Fault::error_page("GET /users", 503));
    assert_eq!(state(&stage, by("bea@example.com", "verified"), all).await, DOUBTED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_commits_do_not_become_thousands_of_reads() {
    let stage = Stage::new().await;
    let commits = (0..320).map(|number| NewCommit::new(&format!("fix: {number}")).signed("SSH", "verified"));
    let which = commit(&stage, commits.collect());
    let played = stage.play(which, "{commits: {all: {verified: true}}}").await;
    assert_eq!((played.state(), played.calls[SIGNATURE]), (UNKNOWN, 300), "{}", played.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_commits_without_the_head_passes_nothing() {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let which = commit(&stage, vec![NewCommit::new("fix: it").signed("SSH", "verified")]);
    let bea = stage.ground.reviewer();
    gitlab.approve(which, bea).unwrap();
    let version = gitlab.merge_request(which).unwrap().newest_version().unwrap().clone();
    let listed = |commits: serde_json::Value, files: usize| {
        let file = json!({ "old_path": "a", "new_path": "a", "a_mode": "100644", "b_mode": "100644", "diff": "",
            "new_file": false, "renamed_file": false, "deleted_file": false, "collapsed": false, "too_large": false });
        json!({ "id": version.id, "head_commit_sha": version.head, "base_commit_sha": version.base,
            "state": "collected", "real_size": files.to_string(), "diffs": vec![file; files], "commits": commits })
    };
    let by_ana = |sha: &str| {
        let ana = "ana@example.com";
        json!([{ "id": sha, "message": "fix: it", "author_email": ana, "committer_email": ana }])
    };
    let below = by_ana(&"1".repeat(40));
    let all_is_well = listed(by_ana(version.head.as_str()), 0);
    let approved = ["{approvals: 1}", "{approvals: {count: 1, from: {groups: [shop/payments]}}}"];
    let fault = gitlab.fault(Fault::on(VERSION, answer(200, &all_is_well)));
    for require in approved.into_iter().chain(["{expression: 'commits.all(c, c.subject == \"fix: it\")'}"]) {
        assert_eq!(state(&stage, which, require).await, RuleState::Passed, "{require}");
    }
    gitlab.lift(fault);
    for body in [listed(json!([]), 1), listed(below.clone(), 1), listed(json!([]), 0), listed(below, 0)] {
        let fault = gitlab.fault(Fault::on(VERSION, answer(200, &body)));
        for require in approved {
            let played = stage.play(which, require).await;
            assert_eq!(played.state(), DOUBTED, "{require}: {}", played.sentence());
            let told = &played.rules[0].require.as_ref().unwrap().parts[0].sentence;
            assert!(told.contains("GitLab does not list the commits of the newest push"), "{told}");
        }
        for require in [
            "{expression: 'commits.all(c, c.subject == \"fix: it\")'}",
            "{expression: 'commits.size() < 2'}",
            "{expression: '!commits.exists(c, c.author_email == \"bea@example.com\")'}",
            "{commits: {at_most: 5}}",
            "{commits: {none: {subject: {contains: WIP}}}}",
            "{commits: {all: {subject: {contains: fix}}}}",
            "{commits: {all: {verified: true}}}",
            "{commits: {none: {merge: true}}}",
            "{not: {commits: {at_least: 2}}}",
        ] {
            assert_eq!(state(&stage, which, require).await, DOUBTED, "{require}");
        }
        gitlab.lift(fault);
    }
}

/// Plays while a push of another change comes in at a moment.
async fn play_with_push(stage: &Stage, which: MergeRequestRef, at: Moment, require: &str) -> Option<Played> {
    let bad = || NewCommit::new("WIP: evil").parent(stage.ground.gitlab.head(which).unwrap());
    let push =
        Push::new().file(FileChange::added("pay/evil.rs").diff("@@ -0,0 +1 @@\n+evil\n")).commit(bad());
    stage.ground.gitlab.on_call(at, move |gitlab| _ = gitlab.push(which, push).unwrap());
    let policy = format!("policy: p\nrules: [{{id: r, require: {require}}}]\n");
    stage.attempt(which, &policy, &Remembered::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_between_two_reads_never_lets_one_push_decide_for_another() {
    let conditions = [
        "{changed_files: {all: ['src/']}}",
        "{added_files: {none: ['pay/']}}",
        "{matching_lines: {regex: evil, at_most: 0}}",
        "{commits: {none: {subject: {contains: WIP}}}}",
        "{commits: {none: {merge: true}}}",
        "{commits: {all: {verified: true}}}",
    ];
    for require in conditions {
        let stage = Stage::new().await;
        let good = || stage.ground.merge_request().file(FileChange::added("src/a.rs"));
        let opened = || {
            let new = good().commit(NewCommit::new("fix: good").signed("SSH", "verified"));
            stage.ground.gitlab.open_merge_request(new).unwrap()
        };
        // The list of versions shows the other push: nothing is decided.
        let moved = play_with_push(&stage, opened(), Moment::before(VERSIONS), require).await;
        assert!(moved.is_none(), "{require}");
        // What is read by version or SHA is of the first push, and so is the decision.
        for route in [VERSION, COMMITS, SIGNATURE] {
            let played = play_with_push(&stage, opened(), Moment::before(route), require).await.unwrap();
            assert_eq!(played.state(), RuleState::Passed, "{require} at {route}: {}", played.sentence());
        }
        // And the other way round: what is bad stays bad although something good is pushed meanwhile.
        let bad = good().file(FileChange::added("pay/x.rs").diff("@@ -0,0 +1 @@\n+evil\n"));
        let bad = bad.commit(NewCommit::new("WIP: evil"));
        let which = stage.ground.gitlab.open_merge_request(bad).unwrap();
        if require.contains("merge") {
            continue;
        }
        let push = Push::new()
            .file(FileChange::added("src/a.rs"))
            .commit(NewCommit::new("fix").signed("SSH", "verified"));
        stage
            .ground
            .gitlab
            .on_call(Moment::before(VERSION), move |gitlab| _ = gitlab.push(which, push).unwrap());
        assert_eq!(state(&stage, which, require).await, RuleState::Violated, "{require}");
    }
}
