//! Pipelines' jobs, statuses of other systems, issues, other merge requests, times and the description, over HTTP.

use std::time::Duration;

use countersign::decision::Remembered;
use countersign::merge_request::MergeRequestRef;
use countersign::policy::RuleState;
use countersign::simulator::{
    CheckStatus, Edition, Fault, Gitlab, Membership, Moment, NewIssue, NewJob, NewProject, PipelineKind, Push,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Stage;
use crate::world::{PIPELINES, VERSIONS, World};

const JOBS: &str = "GET /projects/:id/pipelines/:pipeline_id/jobs";
const BRIDGES: &str = "GET /projects/:id/pipelines/:pipeline_id/bridges";
const STATUSES: &str = "GET /projects/:id/repository/commits/:sha/statuses";
const CLOSES_OR_MENTIONS: &str = "GET /projects/:id/merge_requests/:iid/related_issues";
const CLOSES: &str = "GET /projects/:id/merge_requests/:iid/closes_issues";
const BLOCKS: &str = "GET /projects/:id/merge_requests/:iid/blocks";
const NOTES: &str = "GET /projects/:id/merge_requests/:iid/notes";

const BUILD: &str = "{jobs: {all: [build, 'test *']}}";

async fn opened() -> (Stage, Gitlab, MergeRequestRef) {
    let stage = Stage::new().await;
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request()).unwrap();
    let gitlab = stage.ground.gitlab.clone();
    (stage, gitlab, which)
}

async fn described(text: &str) -> (Stage, Gitlab, MergeRequestRef) {
    let (stage, gitlab, which) = opened().await;
    gitlab.edit_description(which, text).unwrap();
    (stage, gitlab, which)
}

/// A pipeline of the head with these jobs.
fn pipeline(gitlab: &Gitlab, which: MergeRequestRef, status: &str, jobs: &[(&str, &str)]) -> u64 {
    let id = gitlab.run_pipeline(which, PipelineKind::MergeRequest, status).unwrap();
    for (name, status) in jobs {
        gitlab.run_job(which, id, NewJob::new(name, status)).unwrap();
    }
    id
}

fn is_unknown(state: RuleState) -> bool {
    matches!(state, RuleState::Unknown { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_jobs_and_bridges_cost_three_reads() {
    const DEPLOY: &str = "{jobs: {all: deploy}}";
    let (stage, gitlab, which) = opened().await;
    let jobs = [("build", "success"), ("test 1/2", "success"), ("test 2/2", "success"), ("lint", "failed")];
    let id = pipeline(&gitlab, which, "failed", &jobs);
    let played = stage.play(which, BUILD).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 3), "{:?}", played.calls);
    assert_eq!((played.calls[PIPELINES], played.calls[JOBS], played.calls[BRIDGES]), (1, 1, 1));
    gitlab.finish_job(which, id, "test 2/2", "failed").unwrap();
    assert_eq!(
        stage.play(which, BUILD).await.sentence(),
        "the job `test 2/2` ended as `failed`, not as `success`"
    );

    gitlab.run_job(which, id, NewJob::new("deploy", "manual").bridge().allow_failure()).unwrap();
    assert_eq!(stage.play(which, DEPLOY).await.state(), RuleState::Waiting);
    gitlab.finish_job(which, id, "deploy", "success").unwrap();
    assert_eq!(stage.play(which, DEPLOY).await.state(), RuleState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_job_waits_and_does_not_pass() {
    let (stage, gitlab, which) = opened().await;
    let played = stage.play(which, BUILD).await;
    assert_eq!((played.state(), played.sentence()), (RuleState::Waiting, "there is no pipeline yet"));
    assert_eq!((played.calls[PIPELINES], played.calls[VERSIONS]), (1, 1));
    let id = pipeline(&gitlab, which, "running", &[("build", "success")]);
    let played = stage.play(which, BUILD).await;
    assert_eq!((played.state(), played.sentence()), (RuleState::Waiting, "there is no job `test *` yet"));
    gitlab.finish_pipeline(which, id, "success").unwrap();
    assert_eq!(stage.play(which, BUILD).await.state(), RuleState::Violated);
    let lenient = "{jobs: {all: [build, 'test *'], if_present: true}}";
    assert_eq!(stage.play(which, lenient).await.state(), RuleState::Passed);
    pipeline(&gitlab, which, "failed", &[]);
    assert_eq!(stage.play(which, lenient).await.state(), RuleState::Violated, "a broken configuration");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_run_of_a_retried_job_counts() {
    const ONE: &str = "{jobs: {all: build}}";
    let (stage, gitlab, which) = opened().await;
    let id = pipeline(&gitlab, which, "running", &[("build", "failed")]);
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Violated);
    gitlab.run_job(which, id, NewJob::new("build", "running")).unwrap();
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Waiting);
    gitlab.finish_job(which, id, "build", "success").unwrap();
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Passed);
    gitlab.run_job(which, id, NewJob::new("build", "failed")).unwrap();
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Violated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_an_older_head_or_pipeline_decide_nothing() {
    const ONE: &str = "{jobs: {all: build}}";
    let (stage, gitlab, which) = opened().await;
    pipeline(&gitlab, which, "success", &[("build", "success")]);
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Passed);
    pipeline(&gitlab, which, "running", &[("build", "created")]);
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Waiting, "a newer pipeline of the head");
    let id = pipeline(&gitlab, which, "success", &[("build", "success")]);
    gitlab.push(which, Push::new()).unwrap();
    let played = stage.play(which, ONE).await;
    assert_eq!(
        (played.state(), played.calls.get(JOBS)),
        (RuleState::Waiting, None),
        "{id} is of the old head"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_jobs_that_fails_on_its_second_page_passes_nothing() {
    let (stage, gitlab, which) = opened().await;
    let id = pipeline(&gitlab, which, "success", &[("build", "success")]);
    for number in 0..120 {
        gitlab.run_job(which, id, NewJob::new(&format!("test {number}"), "success")).unwrap();
    }
    let played = stage.play(which, BUILD).await;
    assert_eq!((played.state(), played.calls[JOBS]), (RuleState::Passed, 2));
    gitlab.fault(Fault::error_page(JOBS, 500).skip(1));
    for require in [BUILD, "{jobs: {any: build}}", "{jobs: {all: build, if_present: true}}"] {
        assert!(is_unknown(stage.play(which, require).await.state()), "{require}");
    }
    gitlab.lift_all();
    gitlab.fault(Fault::error_page(BRIDGES, 500));
    assert!(is_unknown(stage.play(which, BUILD).await.state()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_a_fork_s_pipeline_are_read_in_the_fork() {
    const ONE: &str = "{jobs: {all: build}}";
    let stage = Stage::new().await;
    let gitlab = stage.ground.gitlab.clone();
    let fork = gitlab.create_project(NewProject::at("ana/pay"));
    let which = gitlab.open_merge_request(stage.ground.merge_request().fork(fork)).unwrap();
    let id = gitlab.run_pipeline(which, PipelineKind::Branch, "success").unwrap();
    gitlab.run_job(which, id, NewJob::new("build", "success")).unwrap();
    assert!(is_unknown(stage.play(which, ONE).await.state()), "hidden from the token");
    gitlab.add_member(fork, Membership::new(stage.ground.bot, 20)).unwrap();
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Passed);
}

/// The jobs that are read are those of the pipeline's own commit: nothing of them is ever said of the head that came since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_between_the_pipeline_and_its_jobs_lets_old_jobs_decide_nothing() {
    let world = World::start("policy: p\nrules: [{id: r, require: {jobs: {all: build}}}]\n").await;
    let which = world.open(world.merge_request().quietly());
    let old = world.gitlab.head(which).unwrap();
    pipeline(&world.gitlab, which, "success", &[("build", "success")]);
    world.gitlab.on_call(Moment::after(PIPELINES), move |gitlab| {
        gitlab.push(which, Push::new()).unwrap();
        pipeline(gitlab, which, "running", &[("build", "running")]);
    });
    world.gitlab.add_label(which, "wake").unwrap();
    world.expect(which, CheckStatus::Unanswered, "the new head's job runs").await;
    let new = world.gitlab.head(which).unwrap();
    assert_ne!(old, new);
    let rows = world.gitlab.responses(which, world.check);
    assert!(rows.iter().all(|row| row.sha == old || row.status != CheckStatus::Passed), "{rows:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_statuses_are_those_of_the_head_and_never_our_own() {
    const SCAN: &str = "{commit_statuses: {all: 'scan/*'}}";
    let (stage, gitlab, which) = opened().await;
    gitlab.report_status(which, "scan/licences", "failed").unwrap();
    gitlab.report_status(which, "scan/licences", "success").unwrap();
    let played = stage.play(which, SCAN).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 1), "{:?}", played.calls);
    assert_eq!(played.calls[STATUSES], 1);
    gitlab.report_status(which, "scan/secrets", "pending").unwrap();
    assert_eq!(stage.play(which, SCAN).await.state(), RuleState::Waiting);
    gitlab.report_status(which, "countersign", "success").unwrap();
    gitlab.report_status(which, "countersign/p", "success").unwrap();
    let own = stage.play(which, "{commit_statuses: {all: 'countersign*'}}").await;
    assert_eq!(own.sentence(), "there is no commit status `countersign*` yet");
    gitlab.fault(Fault::error_page(STATUSES, 500));
    assert!(is_unknown(stage.play(which, SCAN).await.state()));
    gitlab.lift_all();
    gitlab.push(which, Push::new()).unwrap();
    assert_eq!(stage.play(which, SCAN).await.state(), RuleState::Waiting, "nothing was said of this head");
    gitlab.advance(Duration::from_secs(601));
    assert_eq!(stage.play(which, SCAN).await.state(), RuleState::Violated);
}

/// Whoever can change `.gitlab-ci.yml` can call a job like anything, and so can whoever may say a status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_the_same_name_and_is_something_else_takes_nobody_s_place() {
    const SCAN: &str = "{commit_statuses: {all: scan}}";
    let (stage, gitlab, which) = opened().await;
    gitlab.report_status(which, "scan", "failed").unwrap();
    let id = pipeline(&gitlab, which, "success", &[("scan", "success")]);
    for require in
        [SCAN, "{commit_statuses: {any: ['sc*']}}", "{commit_statuses: {all: scan, if_present: true}}"]
    {
        assert_eq!(
            stage.play(which, require).await.state(),
            RuleState::Violated,
            "a job after it: {require}"
        );
    }
    gitlab.report_status(which, "scan", "success").unwrap();
    assert_eq!(stage.play(which, SCAN).await.state(), RuleState::Passed, "both");
    gitlab.finish_job(which, id, "scan", "failed").unwrap();
    assert_eq!(stage.play(which, SCAN).await.state(), RuleState::Violated, "a status after the job");
    gitlab.run_job(which, id, NewJob::new("scan", "success")).unwrap();
    assert_eq!(stage.play(which, SCAN).await.state(), RuleState::Passed, "a retry of the job");
    for (job, bridge, expected) in [
        ("failed", "success", RuleState::Violated),
        ("success", "failed", RuleState::Violated),
        ("success", "success", RuleState::Passed),
    ] {
        let id = pipeline(&gitlab, which, "success", &[("build", job)]);
        gitlab.run_job(which, id, NewJob::new("build", bridge).bridge()).unwrap();
        assert_eq!(stage.play(which, "{jobs: {all: build}}").await.state(), expected, "{job}, {bridge}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_can_be_counted_by_who_opened_them() {
    const LEADS: &str = "{unresolved_threads: {at_most: 0, opened_by: {groups: [shop/payments]}}}";
    let (stage, gitlab, which) = opened().await;
    let bea = stage.ground.reviewer();
    gitlab.open_thread(which, "why?").unwrap();
    let played = stage.play(which, LEADS).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 3), "{:?}", played.calls);
    gitlab.acting_as(bea).open_thread(which, "no").unwrap();
    assert_eq!(stage.play(which, LEADS).await.state(), RuleState::Waiting);
    gitlab.delete_group("shop/payments").unwrap();
    assert!(is_unknown(stage.play(which, LEADS).await.state()));
}

/// GitLab reads the issues off the commits of the newest push, whichever that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issues_read_while_another_push_came_and_went_decide_nothing() {
    for condition in ["closing_issues", "related_issues"] {
        let (stage, gitlab, which) = opened().await;
        gitlab.create_issue(which.project, NewIssue::titled("one")).unwrap();
        gitlab.edit_description(which, "Closes #1").unwrap();
        let first = Push::to(&gitlab.head(which).unwrap());
        let route = if condition == "closing_issues" { CLOSES } else { CLOSES_OR_MENTIONS };
        gitlab.on_call(Moment::before(route), move |gitlab| {
            gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
        });
        gitlab.on_call(Moment::after(route), move |gitlab| _ = gitlab.push(which, first).unwrap());
        let text = format!("policy: p\nrules: [{{id: r, require: {{{condition}: {{at_least: 1}}}}}}]\n");
        assert!(stage.attempt(which, &text, &Remembered::default()).await.is_none(), "{condition}");
        assert_eq!(
            stage.play(which, &format!("{{{condition}: {{at_least: 1}}}}")).await.state(),
            RuleState::Passed
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issues_count_if_they_fit() {
    const READY: &str = "{closing_issues: {state: opened, labels: {all: [ready]}, milestone: '18.*'}}";
    let (stage, gitlab, which) = described("Closes #1").await;
    let project = stage.ground.project;
    assert_eq!(stage.play(which, READY).await.state(), RuleState::Violated, "there is no such issue");
    let iid = gitlab.create_issue(project, NewIssue::titled("slow").label("bug").milestone("18.1")).unwrap();
    let played = stage.play(which, READY).await;
    assert_eq!(
        (played.state(), played.further_calls(), played.calls[CLOSES]),
        (RuleState::Waiting, 3, 1),
        "between two looks at the versions"
    );
    gitlab.change_issue(project, iid, |issue| _ = issue.labels.insert("ready".to_owned())).unwrap();
    assert_eq!(stage.play(which, READY).await.state(), RuleState::Passed);
    gitlab.change_issue(project, iid, |issue| issue.closed = true).unwrap();
    assert_eq!(stage.play(which, READY).await.state(), RuleState::Waiting);
    gitlab.edit_description(which, "nothing").unwrap();
    assert_eq!(stage.play(which, READY).await.state(), RuleState::Violated);
    gitlab.close_external_issue(which, "SHOP-1").unwrap();
    assert_eq!(stage.play(which, "{closing_issues: {at_least: 1}}").await.state(), RuleState::Passed);
    for asked in [
        "state: opened",
        "labels: {none: [wontfix]}",
        "labels: {any: [ready]}",
        "at_most: 0, milestone: ['!18.1']",
    ] {
        for require in
            [format!("{{closing_issues: {{{asked}}}}}"), format!("{{not: {{closing_issues: {{{asked}}}}}}}")]
        {
            let played = stage.play(which, &require).await;
            assert_eq!(played.state(), RuleState::Unknown { curable: false }, "another tracker's: {require}");
        }
    }
    gitlab.fault(Fault::error_page(CLOSES, 500));
    assert!(is_unknown(stage.play(which, "{closing_issues: {at_most: 9}}").await.state()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn related_issues_are_unknown_where_gitlab_can_not_list_them() {
    const ONE: &str = "{related_issues: {at_least: 1}}";
    let (stage, gitlab, which) = opened().await;
    let iid = gitlab.create_issue(stage.ground.project, NewIssue::titled("slow")).unwrap();
    assert_eq!(stage.play(which, ONE).await.state(), RuleState::Violated);
    gitlab.mention_issue(which, stage.ground.project, iid).unwrap();
    let played = stage.play(which, ONE).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 3));
    gitlab.install("16.11.0-ee", Edition::Ultimate);
    for require in [ONE, "{related_issues: {at_most: 0}}"] {
        assert_eq!(
            stage.play(which, require).await.state(),
            RuleState::Unknown { curable: false },
            "{require}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocks_in_gitlab_is_waited_for_and_never_guessed() {
    const MERGED: &str = "{blocking_merge_requests: merged}";
    let (stage, gitlab, which) = opened().await;
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Passed);
    let other = gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    gitlab.block(which, other).unwrap();
    let played = stage.play(which, MERGED).await;
    assert_eq!((played.state(), played.further_calls(), played.calls[BLOCKS]), (RuleState::Waiting, 1, 1));
    gitlab.merge(other).unwrap();
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Passed);
    let hidden = gitlab.create_project("secret/api");
    let hidden =
        gitlab.open_merge_request(countersign::simulator::NewMergeRequest::in_project(hidden)).unwrap();
    gitlab.block(which, hidden).unwrap();
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Unknown { curable: false });
    gitlab.unblock(which, hidden).unwrap();
    gitlab.install("16.11.0-ee", Edition::Ultimate);
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Unknown { curable: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dependency_must_be_seen_to_be_merged() {
    const MERGED: &str = "{depends_on: merged}";
    let (stage, gitlab, which) = described("No dependency.").await;
    let played = stage.play(which, MERGED).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 0));
    let api = gitlab.create_project("secret/api");
    let other = gitlab.open_merge_request(countersign::simulator::NewMergeRequest::in_project(api)).unwrap();
    let url = format!("{}/secret/api/-/merge_requests/{}", stage.ground.simulator.url(), other.iid);
    let here = gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    gitlab.edit_description(which, &format!("Depends-On: !{}, {url}", here.iid)).unwrap();
    gitlab.merge(here).unwrap();
    gitlab.merge(other).unwrap();
    for require in [MERGED, "{not: {depends_on: merged}}"] {
        let played = stage.play(which, require).await;
        assert_eq!((played.state(), played.further_calls()), (RuleState::Unknown { curable: false }, 2));
    }
    gitlab.add_member(api, Membership::new(stage.ground.bot, 20)).unwrap();
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Passed);
    let open = gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    gitlab.edit_description(which, &format!("Depends-On: !{}", open.iid)).unwrap();
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Waiting);
    gitlab.close(open).unwrap();
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Violated);
    gitlab.edit_description(which, "Depends-On: !999").unwrap();
    assert_eq!(stage.play(which, MERGED).await.sentence(), "there is no merge request `shop/pay!999`");
    gitlab.edit_description(which, &format!("Depends-On: !{}", which.iid)).unwrap();
    assert_eq!(stage.play(which, MERGED).await.state(), RuleState::Violated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_since_a_draft_became_ready_is_gitlab_s_own() {
    const HOUR: &str = "{age: {since: ready, at_least: 1h}}";
    let (stage, gitlab, which) = opened().await;
    gitlab.set_draft(which, true).unwrap();
    let played = stage.play(which, HOUR).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Waiting, 0), "a draft is asked nothing");
    gitlab.advance(Duration::from_secs(7_200));
    gitlab.set_draft(which, false).unwrap();
    let played = stage.play(which, HOUR).await;
    assert_eq!((played.state(), played.further_calls(), played.calls[NOTES]), (RuleState::Waiting, 1, 1));
    gitlab.advance(Duration::from_secs(3_601));
    assert_eq!(stage.play(which, HOUR).await.state(), RuleState::Passed);
    gitlab.comment(which, "marked this merge request as **ready**").unwrap();
    assert_eq!(stage.play(which, HOUR).await.state(), RuleState::Passed, "people's words are no such note");
    gitlab.system_note(which, "unmarked as a **Work In Progress**").unwrap();
    assert_eq!(stage.play(which, HOUR).await.state(), RuleState::Waiting, "an older GitLab's note is");
    gitlab.fault(Fault::error_page(NOTES, 500));
    assert!(is_unknown(stage.play(which, HOUR).await.state()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_comes_again_and_a_time_in_the_description_cost_no_read() {
    let (stage, gitlab, which) = opened().await;
    let noon = |at: Timestamp| 24 + 12 - at.to_zoned(TimeZone::UTC).hour();
    gitlab.advance(Duration::from_secs(3_600 * u64::try_from(noon(gitlab.now())).unwrap()));
    let day = gitlab.now().to_zoned(TimeZone::UTC).strftime("%A").to_string().to_lowercase();
    let today = format!("{{during: {{weekdays: [{day}], timezone: Etc/UTC}}}}");
    let played = stage.play(which, &today).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 0));

    let tomorrow = gitlab.now() + Duration::from_secs(24 * 3_600);
    let line = format!("Merge-After: {}", tomorrow.strftime("%Y-%m-%dT%H:%MZ"));
    gitlab.edit_description(which, &line).unwrap();
    let played = stage.play(which, "{merge_after: true}").await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Waiting, 0));
    gitlab.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(stage.play(which, "{merge_after: true}").await.state(), RuleState::Passed);
    assert_eq!(stage.play(which, &today).await.state(), RuleState::Waiting, "it comes again");
    gitlab.edit_description(which, "Merge-After: soon").unwrap();
    assert_eq!(stage.play(which, "{merge_after: true}").await.state(), RuleState::Violated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checklists_and_sections_are_read_off_the_description() {
    const FILLED: &str = "{description: {checklist: ticked, sections: {all: [Risk, Rollback]}}}";
    let (stage, gitlab, which) =
        described("## Risk\n<!-- say what can go wrong -->\n\n## Rollback\nRevert.\n\n- [ ] tried it").await;
    let played = stage.play(which, FILLED).await;
    assert_eq!((played.state(), played.further_calls()), (RuleState::Violated, 0));
    gitlab.edit_description(which, "## Risk\nNone.\n\n## Rollback\nRevert.\n\n- [x] tried it").unwrap();
    assert_eq!(stage.play(which, FILLED).await.state(), RuleState::Passed);
}
