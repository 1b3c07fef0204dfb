//! `countersign reconcile`, as a shell sees it: with no service beside it, and with one that runs on the same database.

use std::process::{Command, Stdio};
use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Fault, FaultKind, ProjectSetting, Weather};
use serde_json::Value;

use crate::world::{Ground, PLAIN_POLICY, RESPOND, REVIEW_POLICY, Service, until};

use CheckStatus::{Failed, Passed, Pending, Unanswered};

/// What it printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// Runs it with the service's configuration.
async fn reconcile(ground: &Ground, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("reconcile").args(arguments).env_clear().envs(ground.environment());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// All that a person at a terminal sees of it.
async fn seen_at_a_terminal(ground: &Ground, arguments: &str) -> String {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command"]);
    command.arg(format!("'{}' reconcile {arguments}", env!("CARGO_BIN_EXE_countersign"))).arg("/dev/null");
    command.env_clear().envs(ground.environment()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// How often GitLab was asked to change something.
fn writes(ground: &Ground) -> u64 {
    ground.gitlab.calls_to("*") - ground.gitlab.calls_to("GET *")
}

/// A service with two merge requests: one passed and one that waits; then nobody hears that the first turned bad, and somebody
/// else passes the second.
async fn drifted(ground: Ground) -> (Service, [MergeRequestRef; 2]) {
    let bea = ground.reviewer();
    let service = Service::start_on(ground);
    let open = || service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    let both = [open(), open()];
    service.gitlab.approve(both[0], bea).unwrap();
    service.expect(both[0], Passed, "approved").await;
    service.expect(both[1], Unanswered, "it waits").await;
    service.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    service.gitlab.edit_title(both[0], "bad").unwrap();
    let author = service.ground.author;
    service.gitlab.post_status_as(author, both[1], service.check, Passed).unwrap();
    (service, both)
}

fn shown(service: &Service, both: [MergeRequestRef; 2]) -> [CheckStatus; 2] {
    both.map(|which| service.gitlab.status(which, service.check).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_terminal_a_bar_grows_and_is_gone_before_the_result_stands_there() {
    let (service, both) = drifted(Ground::prepare(REVIEW_POLICY).await).await;
    let seen = seen_at_a_terminal(&service.ground, "--dry-run").await;
    let gone = format!("\r{}\r", " ".repeat(79));
    let (bars, rest) = seen.split_once(&gone).unwrap_or_else(|| panic!("the bar stays: {seen:?}"));
    let told: Vec<_> = bars.strip_prefix('\r').unwrap().split('\r').collect();
    assert!(told.iter().all(|bar| bar.starts_with('[') && bar.len() == 79), "{told:?}");
    assert!(told.len() >= 3 && told.last().unwrap().contains("] 2 of 2 "), "{told:?}");
    assert!(rest.starts_with(&format!("shop/pay!{}", both[0].iid)), "{rest:?}");
    assert!(rest.trim_end().ends_with("2 drifted, 0 mended, 0 not examined"), "{rest:?}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_running_service_it_lets_that_one_mend_what_it_finds() {
    let (service, both) = drifted(Ground::prepare(REVIEW_POLICY).await).await;
    let (ground, before) = (&service.ground, writes(&service.ground));
    let dry = reconcile(ground, &["--dry-run", "--output", "json"]).await;
    assert_eq!((dry.code, dry.err.as_str()), (Some(1), ""));
    let found = dry.json()["found"].as_array().unwrap().clone();
    let kinds: Vec<_> = found.iter().map(|one| (one["drift"].as_str(), one["outcome"].as_str())).collect();
    assert_eq!(kinds, [(Some("missed_event"), Some("found")), (Some("foreign_status"), Some("found"))]);
    assert_eq!((writes(ground), shown(&service, both)), (before, [Passed, Passed]), "nothing is changed");

    let mended = reconcile(ground, &["shop/pay"]).await;
    assert_eq!(mended.code, Some(0), "{}{}", mended.out, mended.err);
    assert_eq!(shown(&service, both), [Failed, Pending]);
    let place = format!("shop/pay!{} countersign  foreign_status: ", both[1].iid);
    assert!(mended.out.contains(&place) && mended.out.contains("audit events"), "{}", mended.out);
    assert!(
        mended.out.ends_with("2 merge requests in 1 projects: 2 drifted, 2 mended, 0 not examined\n"),
        "{}",
        mended.out
    );
    // The service said it, once each, and goes on.
    service.until_metric("countersign_answers_total{status=\"failed\"}", 1.0).await;
    assert_eq!(writes(ground), before + 2);
    let again = reconcile(ground, &[]).await;
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
    assert!(again.out.starts_with("2 merge requests in 1 projects: 0 drifted"), "{}", again.out);
    assert_eq!(writes(ground), before + 2, "what is right is left alone");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_service_beside_it_it_mends_by_itself_and_the_next_start_still_looks_back() {
    let (mut service, both) = drifted(Ground::prepare(REVIEW_POLICY).await).await;
    service.terminate();
    let lost = service.gitlab.open_merge_request(service.ground.merge_request().title("bad")).unwrap();
    let named = service.ground.gitlab.create_project(countersign::simulator::NewProject::at("shop/other"));
    let member = countersign::simulator::Membership::new(service.ground.bot, 30);
    service.gitlab.add_member(named, member).unwrap();
    // Only another project is named: nothing is found there, and nothing is forgotten here.
    let other = reconcile(&service.ground, &["shop/other"]).await;
    assert_eq!(other.code, Some(0), "{}{}", other.out, other.err);
    assert_eq!(shown(&service, both), [Passed, Passed]);
    let mended = reconcile(&service.ground, &["shop/*", "--output", "json"]).await;
    assert_eq!(mended.code, Some(0), "{}{}", mended.out, mended.err);
    assert_eq!(shown(&service, both), [Failed, Pending]);
    assert_eq!(service.gitlab.status(lost, service.check), Ok(Failed), "nobody had heard of it");
    assert_eq!(mended.json()["found"].as_array().unwrap().len(), 3);
    let since: Option<i64> = rusqlite::Connection::open(service.ground.database())
        .unwrap()
        .query_row("SELECT sweep_since FROM life", [], |row| row.get(0))
        .unwrap();
    assert!(since.is_some(), "a look back is owed");
    service.start_again();
    service.until_metric("countersign_sweeps_total{kind=\"look_back\"}", 1.0).await;
    service.end().await;
}

/// It answers under policies that the service never had, and the service comes back with its own: these are news then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_answers_under_other_policies_is_decided_again_by_the_next_service() {
    let mut service = Service::start_on(Ground::prepare(PLAIN_POLICY).await);
    let which = service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    service.expect(which, Passed, "good").await;
    service.terminate();
    let _bea = service.ground.reviewer();
    service.ground.write_policy(REVIEW_POLICY);
    let mended = reconcile(&service.ground, &[]).await;
    assert_eq!(mended.code, Some(0), "{}{}", mended.out, mended.err);
    assert_eq!(service.gitlab.status(which, service.check), Ok(Pending), "nobody approved it");
    let revisions = |service: &Service| {
        let database = rusqlite::Connection::open(service.ground.database()).unwrap();
        database.query_row("SELECT count(*) FROM revision", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(revisions(&service), 2, "the policies of `reconcile` are written down");
    service.ground.write_policy(PLAIN_POLICY);
    service.start_again();
    let shown = || service.gitlab.status(which, service.check);
    until("it is good again", || shown() == Ok(Passed)).await;
    assert_eq!(revisions(&service), 3);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_needs_no_database_and_makes_none() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let check = ground.create_check("http://127.0.0.1:9");
    let which = ground.gitlab.open_merge_request(ground.merge_request().quietly()).unwrap();
    let dry = reconcile(&ground, &["--dry-run"]).await;
    assert_eq!(dry.code, Some(1), "{}{}", dry.out, dry.err);
    assert!(
        dry.out.contains("never_decided: GitLab is to show `passed` and does not\n  → found\n"),
        "{}",
        dry.out
    );
    assert!(!ground.database().exists() && writes(&ground) == 0);
    let mended = reconcile(&ground, &[]).await;
    assert_eq!(mended.code, Some(0), "{}{}", mended.out, mended.err);
    assert_eq!(ground.gitlab.status(which, check), Ok(Passed));
    assert_eq!(reconcile(&ground, &["--dry-run"]).await.code, Some(0));
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_mended_is_said_and_is_no_success() {
    let (service, both) = drifted(Ground::prepare(REVIEW_POLICY).await.configure("SWEEP__FULL", "1h")).await;
    let project = service.ground.project;
    service.until_metric("countersign_sweeps_total{kind=\"full\"}", 1.0).await;
    // GitLab takes no answers.
    let refused = service.gitlab.fault(Fault::error_page(RESPOND, 403));
    let failed = reconcile(&service.ground, &["--output", "json"]).await;
    assert_eq!(failed.code, Some(1), "{}{}", failed.out, failed.err);
    let outcomes: Vec<_> =
        failed.json()["found"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["not_mended", "not_mended"]);
    service.gitlab.lift(refused);
    assert_eq!(shown(&service, both), [Passed, Passed]);
    let check = service.check;
    service.gitlab.set_check_url(project, check, "https://elsewhere.example/hook").unwrap();
    let moved = reconcile(&service.ground, &[]).await;
    assert_eq!(moved.code, Some(1), "{}{}", moved.out, moved.err);
    assert!(
        moved.out.contains("check_moved: ") && moved.out.contains("→ to be mended by people"),
        "{}",
        moved.out
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_was_switched_off_is_said() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("SWEEP__FULL", "1h");
    let required = |ground: &Ground, on| {
        ground.gitlab.configure_project(ground.project, ProjectSetting::ChecksMustPass(on)).unwrap();
    };
    required(&ground, true);
    let service = Service::start_on(ground);
    service.until_metric("countersign_sweeps_total{kind=\"full\"}", 1.0).await;
    assert_eq!(reconcile(&service.ground, &["--dry-run"]).await.code, Some(0));
    required(&service.ground, false);
    let off = reconcile(&service.ground, &["--dry-run"]).await;
    assert_eq!(off.code, Some(1), "{}{}", off.out, off.err);
    assert!(off.out.starts_with("shop/pay  not_required: "), "{}", off.out);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_name_and_a_gitlab_that_is_down_are_told_apart() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let wrong = reconcile(&ground, &["shop/pey", "--dry-run"]).await;
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    assert!(wrong.err.contains("`shop/pey`: there is no such project"), "{}", wrong.err);
    ground.write_policy("policy: [");
    let broken = reconcile(&ground, &["--dry-run"]).await;
    assert_eq!(broken.code, Some(2), "{}", broken.err);
    ground.write_policy(PLAIN_POLICY);
    ground.gitlab.fault(Fault::on("*", FaultKind::Reset));
    let down = reconcile(&ground, &["--dry-run"]).await;
    assert_eq!(down.code, Some(3), "{}", down.err);
    assert!(down.err.contains("no answer from GitLab"), "{}", down.err);
    ground.simulator.stop().await;
}

/// A service that hangs in its own work is not spoken for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_request_that_can_not_be_examined_is_no_success() {
    let ground = Ground::prepare(REVIEW_POLICY).await;
    ground.create_check("http://127.0.0.1:9");
    ground.gitlab.open_merge_request(ground.merge_request().quietly()).unwrap();
    ground.gitlab.fault(Fault::error_page("GET /projects/:id/merge_requests/:iid/status_checks", 403));
    let said =
        tokio::time::timeout(Duration::from_secs(60), reconcile(&ground, &["--dry-run"])).await.unwrap();
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.out.contains("not examined: GitLab answered 403"), "{}", said.out);
    ground.simulator.stop().await;
}
