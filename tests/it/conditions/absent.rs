//! Fields that are missing: no condition takes what a proxy took out of an answer, or GitLab stopped saying, for what is
//! not there.

use std::collections::{BTreeMap, BTreeSet};

use countersign::merge_request::MergeRequestRef;
use countersign::policy::RuleState;
use countersign::simulator::{
    Fault, FileChange, Gitlab, Membership, NewCommit, NewIssue, NewJob, PipelineKind, Push,
};
use serde_json::{Value, json};

use super::{Stage, reads};
use crate::world::{APPROVALS, DISCUSSIONS, GROUP_MEMBER, ONE, PIPELINES, VERSION, VERSIONS};

const NOTES: &str = "GET /projects/:id/merge_requests/:iid/notes";
const PROJECT: &str = "GET /projects/:id";
const STATUSES: &str = "GET /projects/:id/repository/commits/:sha/statuses";
const CLOSING: &str = "GET /projects/:id/merge_requests/:iid/closes_issues";
const RELATED: &str = "GET /projects/:id/merge_requests/:iid/related_issues";
const RAW: &str = "GET /projects/:id/repository/files/:path/raw";

/// Conditions that the scene meets and that read every route between them.
const MET: &[&str] = &[
    "{title: {regex: '.+'}}",
    "{changed_files: {any: ['**']}}",
    "{approvals: 1}",
    "{approvals: {count: 1, from: {groups: [shop/payments]}}}",
    "{approvals: {count: 1, from: {role: developer}}}",
    "{approvals: {count: 1, methods: [{comment: LGTM}]}}",
    "{approvals: {count: 1, methods: [{emoji: tada}]}}",
    "{commits: {none: {merge: true}}}",
    "{commits: {all: {verified: true}}}",
    "{committers: {only_author: true}}",
    "{code_owners: {every_file_owned: true}}",
    "{reviewers: {state: approved}}",
    "{pipeline: success}",
    "{jobs: {all: [build, deploy]}}",
    "{commit_statuses: {all: [scan]}}",
    "{closing_issues: {at_least: 1}}",
    "{related_issues: {at_least: 1}}",
    "{blocking_merge_requests: merged}",
    "{unresolved_threads: {at_most: 0}}",
    "{behind_target: {at_most: 9}}",
    "{project: {visibility: private}}",
    "{not: {author: {bots: true}}}",
    "{labels: {all: ['type::bug'], set_by: {users: [ana]}}}",
];

/// What GitLab leaves out in some version, or where it does not apply. Each is looked at below, or where its condition is.
const MAY_BE_ABSENT: &[(&str, &str)] = &[
    (ONE, "draft"),
    (ONE, "work_in_progress"),
    (ONE, "merge_status"),
    (ONE, "first_contribution"),
    // By it a commit status is placed; it decides nothing.
    (ONE, "head_pipeline"),
    (ONE, "head_pipeline.project_id"),
    (VERSION, "diffs.collapsed"),
    (VERSION, "diffs.too_large"),
    (VERSION, "diffs.generated_file"),
    (APPROVALS, "approved_by.approved_at"),
    (GROUP_MEMBER, "membership_state"),
    ("GET /projects/:id/members/all/:user_id", "membership_state"),
    (NOTES, "internal"),
    (NOTES, "confidential"),
    (STATUSES, "pipeline_id"),
    (PIPELINES, "project_id"),
    (PIPELINES, "source"),
    (PROJECT, "squash_option"),
];

/// What may be null beside that: there GitLab says that there is none.
const MAY_BE_NULL: &[(&str, &str)] = &[
    (ONE, "description"),
    (ONE, "milestone"),
    (ONE, "source_project_id"),
    (ONE, "force_remove_source_branch"),
    (ONE, "should_remove_source_branch"),
    (VERSIONS, "base_commit_sha"),
    (VERSION, "real_size"),
    (VERSION, "diffs.diff"),
    (GROUP_MEMBER, "expires_at"),
    ("GET /projects/:id/members/all/:user_id", "expires_at"),
    (NOTES, "type"),
    (STATUSES, "target_url"),
    (STATUSES, "author"),
    (STATUSES, "description"),
    (CLOSING, "milestone"),
    (RELATED, "milestone"),
];

/// A merge request about which there is something good to read in every list.
fn prepared(stage: &Stage) -> MergeRequestRef {
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    let bea = stage.ground.reviewer();
    gitlab.add_member(project, Membership::new(bea, 30)).unwrap();
    gitlab.write_file(project, "main", "CODEOWNERS", Some("* @bea\n")).unwrap();
    gitlab.create_issue(project, NewIssue::titled("slow").label("bug").milestone("18.1")).unwrap();
    let signed = NewCommit::new("fix: it").author_email("ana@example.com").signed("SSH", "verified");
    let new = stage.ground.merge_request().commit(signed).reviewer(bea).description("Closes #1");
    let which = gitlab.open_merge_request(new).unwrap();
    gitlab.acting_as(stage.ground.author).add_label(which, "type::bug").unwrap();
    gitlab.set_milestone(which, Some("18.1")).unwrap();
    gitlab.approve(which, bea).unwrap();
    gitlab.acting_as(bea).comment(which, "LGTM").unwrap();
    gitlab.award(which, bea, "tada").unwrap();
    let thread = gitlab.open_thread(which, "why?").unwrap();
    gitlab.resolve_thread(which, &thread).unwrap();
    let pipeline = gitlab.run_pipeline(which, PipelineKind::MergedResult, "success").unwrap();
    gitlab.run_job(which, pipeline, NewJob::new("build", "success")).unwrap();
    gitlab.run_job(which, pipeline, NewJob::new("deploy", "success").bridge()).unwrap();
    gitlab.report_status(which, "scan", "success").unwrap();
    let other = gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    gitlab.block(which, other).unwrap();
    gitlab.merge(other).unwrap();
    which
}

/// Every field of a body, lists gone through.
fn fields(json: &Value, before: &str, found: &mut BTreeSet<String>) {
    match json {
        Value::Array(entries) => entries.iter().for_each(|entry| fields(entry, before, found)),
        Value::Object(all) => {
            for (name, value) in all {
                let field = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
                fields(value, &field, found);
                found.insert(field);
            }
        }
        _ => {}
    }
}

/// Whether a condition is met while a fault is there.
async fn passes_with(stage: &Stage, which: MergeRequestRef, require: &str, fault: Fault) -> bool {
    let fault = stage.ground.gitlab.fault(fault);
    let passes = stage.passes(which, require).await;
    stage.ground.gitlab.lift(fault);
    passes
}

/// What each route answered in the last play.
async fn answered(stage: &Stage) -> BTreeMap<String, Value> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answers = BTreeMap::new();
    for call in stage.ground.gitlab.calls() {
        if answers.contains_key(&call.route) || call.route == RAW {
            continue;
        }
        let url = format!("{}{}", stage.ground.simulator.url(), call.target.strip_prefix("GET ").unwrap());
        let answer = client.get(url).bearer_auth(&stage.ground.token).send().await.unwrap();
        answers.insert(call.route, answer.json().await.unwrap());
    }
    answers
}

/// A field without which a condition is still met is one that is not read at all: then it may say anything. Otherwise it is
/// on the lists above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_field_that_is_read_is_missed_in_silence() {
    let stage = Stage::new().await;
    let which = prepared(&stage);
    let mut seen = BTreeSet::from([RAW.to_owned()]);
    let mut tried = 0;
    for require in MET {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), RuleState::Passed, "{require}: {}", played.sentence());
        for (route, answer) in answered(&stage).await {
            if !seen.insert(route.clone()) {
                continue;
            }
            let mut all = BTreeSet::new();
            fields(&answer, "", &mut all);
            assert!(!all.is_empty(), "{route} answers nothing: {answer}");
            for field in &all {
                tried += 1;
                let is_on = |list: &[(&str, &str)]| list.contains(&(route.as_str(), field.as_str()));
                let odd = Fault::saying(&route, field, json!({ "odd": true }));
                if passes_with(&stage, which, require, odd).await {
                    continue;
                }
                let absent = passes_with(&stage, which, require, Fault::without(&route, field)).await;
                assert!(!absent || is_on(MAY_BE_ABSENT), "{require} is met without `{field}` of {route}");
                let null = Fault::saying(&route, field, Value::Null);
                let null = passes_with(&stage, which, require, null).await;
                let may_be_null = is_on(MAY_BE_ABSENT) || is_on(MAY_BE_NULL);
                assert!(!null || may_be_null, "{require} is met with null for `{field}` of {route}");
            }
        }
    }
    assert!(tried > 300, "{tried}");
    let read: BTreeSet<_> = reads::COSTS.iter().flat_map(|(_, _, routes)| routes.iter().copied()).collect();
    let missing: Vec<_> = read.into_iter().filter(|route| !seen.contains(*route)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "no condition here reads these");
}

async fn opened() -> (Stage, Gitlab, MergeRequestRef) {
    let stage = Stage::new().await;
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    let gitlab = stage.ground.gitlab.clone();
    (stage, gitlab, which)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named_with_its_route() {
    let (stage, gitlab, which) = opened().await;
    let sentence =
        |field: &str, what: &str| format!("GitLab's answer to {VERSION} can't be read: {field}: {what}");
    for (fault, field, what) in [
        (Fault::without(VERSION, "diffs.a_mode"), "diffs[0]", "missing field `a_mode`"),
        (Fault::without(VERSION, "commits.committer_email"), "commits[0]", "missing field `committer_email`"),
        (
            Fault::saying(VERSION, "commits.author_email", Value::Null),
            "commits[0].author_email",
            "invalid type: null, expected a string",
        ),
    ] {
        let fault = gitlab.fault(fault);
        for require in ["{changed_files: {none: [pay]}}", "{not: {changed_files: {any: [pay]}}}"] {
            let played = stage.play(which, require).await;
            assert_eq!(played.state(), RuleState::Unknown { curable: true });
            let told = played.rules[0].require.as_ref().unwrap();
            let told = told.parts.first().unwrap_or(told);
            assert!(told.sentence.contains(&sentence(field, what)), "{}", told.sentence);
        }
        gitlab.lift(fault);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_request_that_says_less_of_itself_is_not_read_as_one_that_has_less() {
    let (stage, gitlab, which) = opened().await;
    let open = "{from_fork: false, draft: false, removes_source_branch: true, conflicts: false}";
    assert!(stage.passes(which, open).await);
    for field in ["draft", "work_in_progress"] {
        assert!(
            passes_with(&stage, which, open, Fault::without(ONE, field)).await,
            "the other word is there"
        );
    }
    let both = gitlab.fault(Fault::without(ONE, "work_in_progress"));
    assert!(!passes_with(&stage, which, "{draft: false}", Fault::without(ONE, "draft")).await);
    gitlab.lift(both);
    // Null is a fork that was deleted; a field that is gone is nothing of the kind.
    let deleted = Fault::saying(ONE, "source_project_id", Value::Null);
    assert!(passes_with(&stage, which, "{from_fork: true}", deleted).await);
    let gone = || Fault::without(ONE, "source_project_id");
    for require in ["{from_fork: true}", "{from_fork: false}", "{title: {regex: '.+'}}"] {
        assert!(!passes_with(&stage, which, require, gone()).await, "{require}");
    }
    for require in ["{conflicts: false}", "{conflicts: true}", "{not: {conflicts: true}}"] {
        assert!(!passes_with(&stage, which, require, Fault::without(ONE, "merge_status")).await, "{require}");
    }
    let reference = Fault::saying(ONE, "references.full", json!("shop/pay"));
    assert!(!passes_with(&stage, which, "{title: {regex: '.+'}}", reference).await);
    let other = gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    gitlab.merge(other).unwrap();
    gitlab.edit_description(which, &format!("Depends-On: !{}", other.iid)).unwrap();
    let merged = "{depends_on: merged}";
    assert!(stage.passes(which, merged).await);
    assert!(!passes_with(&stage, which, merged, Fault::without(ONE, "state").skip(1)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_whose_two_reasons_to_be_left_out_are_not_both_told_is_not_known() {
    let stage = Stage::new().await;
    let file = FileChange::added("src/a.rs").diff("@@ -0,0 +1 @@\n+password = 1\n");
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request().file(file.too_large()));
    let which = which.unwrap();
    let clean = "{matching_lines: {regex: password, at_most: 0}}";
    for field in ["diffs.collapsed", "diffs.too_large", "diffs.diff"] {
        assert!(!passes_with(&stage, which, clean, Fault::without(VERSION, field)).await, "{field}");
    }
    assert!(!passes_with(&stage, which, clean, Fault::saying(VERSION, "diffs.diff", Value::Null)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_or_a_comment_that_does_not_say_what_it_is_decides_nothing() {
    let (stage, gitlab, which) = opened().await;
    let bea = stage.ground.reviewer();
    let thread = gitlab.open_thread(which, "why?").unwrap();
    let fault = gitlab.fault(Fault::without(DISCUSSIONS, "notes.resolved"));
    for require in ["{unresolved_threads: {at_most: 0}}", "{not: {unresolved_threads: {at_most: 0}}}"] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), RuleState::Unknown { curable: true }, "{require}");
    }
    gitlab.lift(fault);
    gitlab.resolve_thread(which, &thread).unwrap();
    gitlab.acting_as(bea).internal_comment(which, "LGTM").unwrap();
    let comment = "{approvals: {count: 1, methods: [{comment: LGTM}]}}";
    let one = gitlab.fault(Fault::without(NOTES, "internal"));
    assert_eq!(stage.play(which, comment).await.state(), RuleState::Waiting, "the other word is there");
    gitlab.lift(one);
    gitlab.fault(Fault::without(NOTES, "internal"));
    gitlab.fault(Fault::without(NOTES, "confidential"));
    assert_eq!(stage.play(which, comment).await.state(), RuleState::Unknown { curable: true });
}

/// A branch can be called like the ref of merge trains, which count for nothing; old versions do not tell the two apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_the_head_that_may_be_a_merge_train_s_is_neither_counted_nor_passed_over() {
    let stage = Stage::new().await;
    let gitlab = stage.ground.gitlab.clone();
    let branch = "refs/merge-requests/1/train";
    let which = gitlab.open_merge_request(stage.ground.merge_request().source_branch(branch)).unwrap();
    gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    gitlab.run_pipeline(which, PipelineKind::Branch, "failed").unwrap();
    let green = "{pipeline: success}";
    assert_eq!(stage.play(which, green).await.state(), RuleState::Violated);
    let fault = gitlab.fault(Fault::without(PIPELINES, "source"));
    for require in [green, "{not: {pipeline: success}}"] {
        let played = stage.play(which, require).await;
        assert_eq!(played.state(), RuleState::Unknown { curable: false }, "{require}: {}", played.sentence());
    }
    gitlab.lift(fault);
    // A train's own commit is not the head's, whatever it is called.
    gitlab.push(which, Push::new()).unwrap();
    gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    gitlab.run_pipeline(which, PipelineKind::Train, "failed").unwrap();
    assert!(passes_with(&stage, which, green, Fault::without(PIPELINES, "source")).await);
    // What merges the head is told by its commit.
    gitlab.run_pipeline(which, PipelineKind::MergedResult, "failed").unwrap();
    gitlab.fault(Fault::without(PIPELINES, "source"));
    assert_eq!(stage.play(which, green).await.state(), RuleState::Violated);
}
