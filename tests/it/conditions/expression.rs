//! `expression`: it asks for what it speaks of and no more, and what could not be had passes nothing.

use countersign::policy::RuleState;
use countersign::simulator::{Fault, FileChange, Push};

use super::Stage;
use crate::world::{APPROVALS, DISCUSSIONS, PIPELINES, VERSION};

const UNKNOWN: RuleState = RuleState::Unknown { curable: false };

fn require(expression: &str) -> String {
    format!("{{expression: \"{expression}\"}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_reads_what_it_speaks_of() {
    let stage = Stage::new().await;
    let new = stage.ground.merge_request().title("fix: a").label("type::bug").file("docs/a.md");
    let which =
        stage.ground.gitlab.open_merge_request(new.file(FileChange::renamed("old.rs", "new.rs"))).unwrap();
    let bea = stage.ground.reviewer();
    stage.ground.gitlab.approve(which, bea).unwrap();
    stage.ground.gitlab.set_pipeline(which, "success").unwrap();
    stage.ground.gitlab.open_thread(which, "why?").unwrap();
    for (expression, calls) in [
        ("labels.exists(l, l.startsWith('type::')) && size(title) <= 72 && author == 'ana' && !from_fork", 0),
        ("!open_for('1h') && created_at > 0", 0),
        ("'old.rs' in changed_paths && touches('*.rs') && touches_only('*.rs', 'docs/')", 2),
        ("files.exists(f, f.kind == 'renamed' && f.old_path == 'old.rs') && commits.size() > 0", 2),
        ("!quiet_for('1h') && files.size() == 2", 2),
        ("approvers == ['bea']", 2),
        ("pipeline_status == 'success'", 1),
        ("unresolved_threads == 1", 1),
        (
            "unresolved_threads == 1 && approvers.size() == 1 && pipeline_status == 'success' || touches('x')",
            5,
        ),
    ] {
        let played = stage.play(which, &require(expression)).await;
        assert_eq!(played.state(), RuleState::Passed, "{expression}: {}", played.sentence());
        assert_eq!(played.further_calls(), calls, "{expression}: {:?}", played.calls);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_expressions_read_everything_once() {
    let stage = Stage::new().await;
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    let policy = "policy: p\nrules:\n  - {id: a, require: {expression: 'files.size() > 0'}}\n  - {id: b, require: {expression: 'changed_paths != []'}}\n  - {id: c, when: {expression: \"touches('**')\"}, require: {changed_files_count: {at_least: 1}}}\n";
    let played = stage.play_policy(which, policy).await;
    assert!(played.rules.iter().all(|rule| rule.state == RuleState::Passed), "{:?}", played.rules);
    assert_eq!(played.further_calls(), 2, "{:?}", played.calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gitlab_does_not_say_passes_nothing() {
    let stage = Stage::new().await;
    let gitlab = &stage.ground.gitlab;
    let new = stage.ground.merge_request().file("a").file(FileChange::modified("b").too_large());
    let which = gitlab.open_merge_request(new).unwrap();
    for expression in ["files.all(f, f.added_lines < 500)", "!files.exists(f, f.binary)"] {
        assert_eq!(stage.play(which, &require(expression)).await.state(), UNKNOWN, "{expression}");
        let not = format!("{{not: {}}}", require(expression));
        assert_eq!(stage.play(which, &not).await.state(), UNKNOWN, "{expression}");
    }
    assert_eq!(
        stage.play(which, &require("files.exists(f, f.path == 'b')")).await.state(),
        RuleState::Passed
    );

    gitlab.push(which, Push::new().file("a").said_size("1000+")).unwrap();
    for expression in
        ["'a' in changed_paths", "!('b' in changed_paths)", "touches('a') || true", "!touches('b')"]
    {
        let played = stage.play(which, &require(expression)).await;
        assert_eq!(played.state(), UNKNOWN, "{expression}");
        assert!(played.sentence().contains("lists only 1 of the changed files"), "{}", played.sentence());
    }
    let waits = stage.play(which, &require("pipeline_status != 'failed'")).await;
    assert_eq!((waits.state(), waits.further_calls()), (RuleState::Waiting, 1), "there is no pipeline yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gitlab_that_fails_leaves_it_unknown() {
    let stage = Stage::new().await;
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    for (route, expression) in [
        (VERSION, "size(changed_paths) < 100"),
        (APPROVALS, "size(approvers) < 100"),
        (DISCUSSIONS, "unresolved_threads < 100"),
        (PIPELINES, "pipeline_status != 'failed'"),
    ] {
        stage.ground.gitlab.fault(Fault::error_page(route, 403));
        for require in [require(expression), format!("{{not: {}}}", require(expression))] {
            let played = stage.play(which, &require).await;
            assert!(matches!(played.state(), RuleState::Unknown { .. }), "{require}: {:?}", played.state());
        }
    }
}
