//! How many reads each condition costs beside the one of the merge request itself: none for what that says, one for each
//! further family of facts. A condition without a line here fails the test.

use std::collections::{BTreeMap, BTreeSet};

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::NewJob;

use super::Stage;
use crate::world::{APPROVALS, DISCUSSIONS, GROUP, GROUP_MEMBER, ONE, PIPELINES, VERSION, VERSIONS};

/// Each condition with the calls that it costs: one line at least for each.
pub const COSTS: &[(&str, &str, &[&str])] = &[
    ("title", "{regex: '.+'}", &[]),
    ("description", "{not_empty: true}", &[]),
    ("labels", "{any: ['type::*']}", &[]),
    ("draft", "false", &[]),
    ("source_branch", "'*'", &[]),
    ("target_branch", "main", &[]),
    ("author", "{users: [ana]}", &[]),
    ("author", "{groups: [shop/payments]}", &[GROUP, GROUP_MEMBER]),
    ("changed_files", "{any: ['**']}", &[VERSIONS, VERSION]),
    ("changed_files_count", "{at_least: 1}", &[VERSIONS, VERSION]),
    ("changed_lines", "{at_least: 0}", &[VERSIONS, VERSION]),
    ("approvals", "1", &[APPROVALS, VERSIONS, VERSION, USERS]),
    (
        "approvals",
        "{count: 1, from: {groups: [shop/payments]}}",
        &[APPROVALS, VERSIONS, VERSION, USERS, GROUP, GROUP_MEMBER],
    ),
    ("added_files", "{none: ['x']}", &[VERSIONS, VERSION]),
    ("modified_files", "{any: {regex: '.*'}}", &[VERSIONS, VERSION]),
    ("deleted_files", "{none: ['x']}", &[VERSIONS, VERSION]),
    ("renamed_files", "{none: ['x']}", &[VERSIONS, VERSION]),
    ("binary_files", "{none: ['x']}", &[VERSIONS, VERSION]),
    ("generated_files", "{none: ['x']}", &[VERSIONS, VERSION]),
    ("matching_lines", "{regex: x, at_least: 0}", &[VERSIONS, VERSION]),
    ("commits", "{at_least: 1}", &[VERSIONS, VERSION]),
    ("commits", "{none: {merge: true}}", &[VERSIONS, VERSION, COMMITS]),
    ("commits", "{any: {verified: true}}", &[VERSIONS, VERSION, SIGNATURE]),
    ("code_owners", "{every_file_owned: true}", &[VERSIONS, VERSION, BRANCH, RAW]),
    ("approvals", "{count: 1, methods: [{comment: nobody}]}", &[NOTES]),
    ("approvals", "{count: 1, methods: [{emoji: tada}]}", &[EMOJI]),
    ("vetoes", "{at_most: 0}", &[REVIEWERS]),
    ("expression", "size(title) > 0 && 'type::bug' in labels", &[]),
    ("expression", "changed_paths.size() > 0", &[VERSIONS, VERSION]),
    ("pipeline", "success", &[PIPELINES]),
    ("jobs", "{all: [build]}", &[PIPELINES, JOBS, BRIDGES]),
    ("commit_statuses", "{any: [scan]}", &[STATUSES]),
    ("closing_issues", "{at_least: 0}", &[VERSIONS, CLOSING, VERSIONS]),
    ("related_issues", "{at_least: 0}", &[VERSIONS, RELATED, VERSIONS]),
    ("blocking_merge_requests", "merged", &[BLOCKS]),
    ("depends_on", "merged", &[]),
    ("merge_after", "true", &[]),
    ("age", "{since: ready, at_least: 0m}", &[NOTES]),
    ("description", "{checklist: ticked}", &[]),
    ("during", "{weekdays: [monday], timezone: UTC}", &[]),
    ("unresolved_threads", "{at_least: 0}", &[DISCUSSIONS]),
    ("age", "{since: opened, at_least: 0m}", &[]),
    ("age", "{since: last_push, at_least: 0m}", &[VERSIONS]),
    ("milestone", "false", &[]),
    ("assignees", "{at_most: 0}", &[]),
    ("reviewers", "{at_least: 1}", &[]),
    ("reviewers", "{state: unreviewed}", &[REVIEWERS]),
    ("from_fork", "false", &[]),
    ("squash", "false", &[]),
    ("removes_source_branch", "true", &[]),
    ("conflicts", "false", &[]),
    ("first_contribution", "false", &[]),
    ("behind_target", "{at_most: 0}", &[BRANCH, COMMITS]),
    ("project", "{paths: ['shop/*']}", &[]),
    ("project", "{visibility: [public, private]}", &[PROJECT]),
    ("committers", "{all: {users: [ana]}}", &[VERSIONS, VERSION, USERS]),
    ("labels", "{any: ['type::*'], set_by: {users: [ana]}}", &[LABEL_EVENTS]),
    ("author", "{bots: true}", &[USER]),
    ("during", "{from: 2020-01-01T00:00Z}", &[]),
];

const USERS: &str = "GET /users";
const COMMITS: &str = "GET /projects/:id/repository/commits";
const SIGNATURE: &str = "GET /projects/:id/repository/commits/:sha/signature";
const JOBS: &str = "GET /projects/:id/pipelines/:pipeline_id/jobs";
const BRIDGES: &str = "GET /projects/:id/pipelines/:pipeline_id/bridges";
const STATUSES: &str = "GET /projects/:id/repository/commits/:sha/statuses";
const CLOSING: &str = "GET /projects/:id/merge_requests/:iid/closes_issues";
const RELATED: &str = "GET /projects/:id/merge_requests/:iid/related_issues";
const BLOCKS: &str = "GET /projects/:id/merge_requests/:iid/blocks";
const NOTES: &str = "GET /projects/:id/merge_requests/:iid/notes";
const BRANCH: &str = "GET /projects/:id/repository/branches/:branch";
const RAW: &str = "GET /projects/:id/repository/files/:path/raw";
const EMOJI: &str = "GET /projects/:id/merge_requests/:iid/award_emoji";
const USER: &str = "GET /users/:id";
const PROJECT: &str = "GET /projects/:id";
const REVIEWERS: &str = "GET /projects/:id/merge_requests/:iid/reviewers";
const LABEL_EVENTS: &str = "GET /projects/:id/merge_requests/:iid/resource_label_events";

/// A merge request about which there is something to read of every family.
fn prepared(stage: &Stage) -> MergeRequestRef {
    let gitlab = &stage.ground.gitlab;
    let bea = stage.ground.reviewer();
    let new = stage.ground.merge_request().reviewer(bea).description("What for").label("type::bug");
    let which = gitlab.open_merge_request(new).unwrap();
    gitlab.approve(which, bea).unwrap();
    gitlab.write_file(stage.ground.project, "main", "CODEOWNERS", Some("* @bea\n")).unwrap();
    let pipeline = gitlab.set_pipeline(which, "success").unwrap();
    gitlab.run_job(which, pipeline, NewJob::new("build", "success")).unwrap();
    gitlab.report_status(which, "scan", "success").unwrap();
    which
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_condition_costs_a_read_for_each_family_of_facts() {
    let stage = Stage::new().await;
    let which = prepared(&stage);
    let schema = countersign::policy::schema();
    let conditions = schema["$defs"]["conditions"]["properties"].as_object().unwrap();
    let operators = ["all_of", "any_of", "none_of", "not"];
    let mut missing: BTreeSet<_> =
        conditions.keys().map(String::as_str).filter(|key| !operators.contains(key)).collect();
    for (name, value, expected) in COSTS {
        missing.remove(name);
        let mut played = stage.play(which, &format!("{{{name}: {value}}}")).await;
        let own = played.calls.remove(ONE).unwrap() - 1;
        if own > 0 {
            played.calls.insert(ONE.to_owned(), own);
        }
        let called: BTreeMap<_, _> =
            played.calls.iter().map(|(route, count)| (route.as_str(), *count)).collect();
        let mut costs: BTreeMap<&str, usize> = BTreeMap::new();
        for route in *expected {
            *costs.entry(route).or_default() += 1;
        }
        assert_eq!(called, costs, "`{name}: {value}`: {}", played.sentence());
    }
    assert_eq!(missing, BTreeSet::new(), "no line says what these cost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_merge_request_settles_reads_nothing_of_the_rest() {
    let stage = Stage::new().await;
    let which = prepared(&stage);
    let expensive = "{approvals: {count: 1, from: {groups: [shop/payments]}}, changed_files: {any: [a]}, \
                     pipeline: success}";
    for require in [
        format!("{{any_of: [{{target_branch: main}}, {expensive}]}}"),
        format!("{{all_of: [{{target_branch: elsewhere}}, {expensive}]}}"),
        format!("{{none_of: [{{labels: {{any: ['type::*']}}}}, {expensive}]}}"),
        format!("{{not: {{all_of: [{{draft: true}}, {expensive}]}}}}"),
    ] {
        let played = stage.play(which, &require).await;
        assert_eq!(played.further_calls(), 0, "{require}: {:?}", played.calls);
    }
    let skipped = format!(
        "policy: p\notherwise: pass\nrules: [{{id: r, when: {{target_branch: x}}, require: {expensive}}}]\n"
    );
    assert_eq!(stage.play_policy(which, &skipped).await.further_calls(), 0);
    // The files are read before anybody's membership, which then no longer matters.
    let files_first = "{author: {groups: [shop/payments]}, changed_files: {any: [nowhere]}}";
    let played = stage.play(which, files_first).await;
    assert_eq!(played.calls.keys().collect::<Vec<_>>(), [ONE, VERSIONS, VERSION]);
}
