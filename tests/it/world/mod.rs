//! A world to test in: the real service, the simulator, real HTTP between them, a store on a real disk.
//!
//! Three verbs suffice: something happens in GitLab, the world settles, GitLab shows. Waits are bounded and print what
//! happened when they give up; at the end nothing may be left over.

mod chance;
mod process;
mod service;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::app::{App, load_bundle};
use countersign::bundle::Bundle;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::gitlab::MayBegin;
use countersign::merge_request::{MergeRequestRef, ProjectId, StatusCheckId, UserId};
use countersign::simulator::{
    CheckStatus, Gitlab, Membership, NewMergeRequest, NewProject, NewStatusCheck, Simulator, SimulatorOptions,
};
use countersign::status_check::{Drift, SweepKind};
use countersign::store::StoredDecision;
use countersign::telemetry::{DriftLabels, SweepLabels};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use rusqlite::Connection;
use tempfile::TempDir;

pub use self::chance::{Chance, scale, seed};
pub use self::process::{Process, delete_database, signal};
pub use self::service::Service;
pub use self::tls::{join, tls};

/// The secret of the check in every world; tests look for it where it must not be.
pub const SECRET: &str = "sesame-of-the-status-check";
/// The token of ordinary hooks.
pub const HOOK_TOKEN: &str = "sesame-of-the-hook";
/// How long anything may take before a test gives up. Nothing asserts that it took less.
pub const BOUND: Duration = Duration::from_secs(30);
/// How often the clock is moved where it runs faster.
const TICK: Duration = Duration::from_millis(10);
const DEVELOPER: u8 = 30;

/// The routes that a look at a merge request can call, and the one that answers.
pub const ONE: &str = "GET /projects/:id/merge_requests/:iid";
pub const LIST: &str = "GET /projects/:id/merge_requests/:iid/status_checks";
pub const VERSIONS: &str = "GET /projects/:id/merge_requests/:iid/versions";
pub const VERSION: &str = "GET /projects/:id/merge_requests/:iid/versions/:version_id";
pub const APPROVALS: &str = "GET /projects/:id/merge_requests/:iid/approvals";
pub const PIPELINES: &str = "GET /projects/:id/merge_requests/:iid/pipelines";
pub const DISCUSSIONS: &str = "GET /projects/:id/merge_requests/:iid/discussions";
pub const GROUP: &str = "GET /groups/:id";
pub const GROUP_MEMBER: &str = "GET /groups/:id/members/all/:user_id";
pub const RESPOND: &str = "POST /projects/:id/merge_requests/:iid/status_check_responses";

/// What passes everything that is not titled `bad`.
pub const PLAIN_POLICY: &str = r#"
policy: plain
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
"#;

/// What passes with an approval of `shop/payments` and a title that is not bad.
pub const REVIEW_POLICY: &str = r#"
policy: review
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

/// GitLab and what the service needs of it; the service itself comes and goes.
pub struct Ground {
    pub simulator: Simulator,
    pub gitlab: Gitlab,
    pub project: ProjectId,
    pub author: UserId,
    pub bot: UserId,
    pub token: String,
    pub folder: TempDir,
    /// What time it is for a service in this process; for GitLab as well, unless a test says otherwise.
    pub clock: Clock,
    more: Vec<(String, String)>,
    less: Vec<String>,
}

impl Ground {
    /// A GitLab with a project `shop/pay`, an author, and our bot as Developer; `policy` on disk.
    pub async fn prepare(policy: &str) -> Self {
        Self::prepare_with(policy, SimulatorOptions::default()).await
    }

    pub async fn prepare_with(policy: &str, options: SimulatorOptions) -> Self {
        let clock = options.clock.clone();
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let gitlab = simulator.gitlab();
        let project = gitlab.create_project(NewProject::at("shop/pay"));
        let author = gitlab.create_user("ana");
        gitlab.add_member(project, Membership::new(author, DEVELOPER)).unwrap();
        let (bot, token) = gitlab.create_bot("countersign", project).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        let (more, less) = (Vec::new(), Vec::new());
        let ground = Self { simulator, gitlab, project, author, bot, token, folder, clock, more, less };
        ground.write_policy(policy);
        ground
    }

    pub fn write_policy(&self, text: &str) {
        std::fs::write(self.folder.path().join("policies/policy.yaml"), text).unwrap();
    }

    /// Sets a key of the configuration, such as `ANSWERS__WAITING`.
    pub fn configure(mut self, key: &str, value: &str) -> Self {
        self.more.push((format!("COUNTERSIGN__{key}"), value.to_owned()));
        self
    }

    /// Takes a key out of the configuration.
    pub fn without(mut self, key: &str) -> Self {
        let key = format!("COUNTERSIGN__{key}");
        self.more.retain(|(name, _)| *name != key);
        self.less.push(key);
        self
    }

    /// Gives the service a clock of its own.
    pub fn with_own_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// `@bea` of the group `shop/payments`, which our bot can read.
    pub fn reviewer(&self) -> UserId {
        self.gitlab.create_group("shop/payments");
        let bea = self.gitlab.create_user("bea");
        self.gitlab.add_member("shop/payments", Membership::new(bea, DEVELOPER)).unwrap();
        self.gitlab.add_member("shop/payments", Membership::new(self.bot, 10)).unwrap();
        bea
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("countersign.db")
    }

    /// The environment of a service that serves this GitLab.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        [
            ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("GITLAB__URL", self.simulator.url().to_owned()),
            ("GITLAB__TOKEN", self.token.clone()),
            ("WEBHOOKS__STATUS_CHECK_SECRETS", format!("{SECRET},sesame-of-the-rotation")),
            ("WEBHOOKS__TOKENS", HOOK_TOKEN.to_owned()),
            ("STORE__URL", format!("sqlite:{}", self.database().display())),
            ("POLICIES__PATH", path("policies")),
            // A test that lets hours pass says by itself what is to be looked at meanwhile.
            ("SWEEP__RECENT", "0s".to_owned()),
            ("SWEEP__FULL", "0s".to_owned()),
        ]
        .map(|(key, value)| (format!("COUNTERSIGN__{key}"), value))
        .into_iter()
        .filter(|(key, _)| !self.less.contains(key))
        .chain(self.more.iter().cloned())
        .collect()
    }

    /// A merge request that a test needs: one file, by the author.
    pub fn merge_request(&self) -> NewMergeRequest {
        NewMergeRequest::in_project(self.project).author(self.author)
    }

    /// Creates the check that the service behind `url` answers.
    pub fn create_check(&self, url: &str) -> StatusCheckId {
        self.gitlab.create_status_check(self.project, check_at(url)).unwrap()
    }

    /// GitLab's check follows the service to another port.
    pub fn move_check(&self, check: StatusCheckId, url: &str) {
        // A service that looks around at its start must find it, whatever its address is by now.
        self.gitlab.set_check_url(self.project, check, &address_at(url)).unwrap();
    }
}

/// A whole world with the service in this process.
pub struct World {
    pub ground: Ground,
    pub gitlab: Gitlab,
    pub check: StatusCheckId,
    app: Option<App>,
    bundle: Option<Arc<Bundle>>,
    url: String,
}

impl World {
    pub async fn start(policy: &str) -> Self {
        Self::start_on(Ground::prepare(policy).await).await
    }

    pub async fn start_on(ground: Ground) -> Self {
        let (app, bundle) = start_app(&ground).await;
        let url = url_of(&app);
        let check = ground.create_check(&url);
        let gitlab = ground.gitlab.clone();
        Self { gitlab, ground, check, app: Some(app), bundle: Some(bundle), url }
    }

    pub fn app(&self) -> &App {
        self.app.as_ref().expect("the service runs")
    }

    /// Where the service listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn open(&self, new: NewMergeRequest) -> MergeRequestRef {
        self.gitlab.open_merge_request(new).unwrap()
    }

    pub fn merge_request(&self) -> NewMergeRequest {
        self.ground.merge_request()
    }

    /// Replaces all policies on disk and waits until they are in force.
    pub async fn write_policies(&self, policies: &[(&str, &str)]) {
        let folder = self.ground.folder.path().join("policies");
        std::fs::remove_file(folder.join("policy.yaml")).unwrap();
        for (name, text) in policies {
            std::fs::write(folder.join(name), text).unwrap();
        }
        self.until_in_force().await;
    }

    /// Waits until what is on disk is in force.
    pub async fn until_in_force(&self) {
        let path = self.ground.folder.path().join("policies");
        let revision = countersign::bundle::load(&path).unwrap().revision().clone();
        until("the policies are in force", || *self.bundle().current().revision() == revision).await;
    }

    pub fn bundle(&self) -> &Bundle {
        self.bundle.as_ref().expect("the service runs")
    }

    /// For a thread that outlives this borrow.
    pub fn shared_bundle(&self) -> Arc<Bundle> {
        Arc::clone(self.bundle.as_ref().expect("the service runs"))
    }

    /// Stops the service as SIGTERM does.
    pub async fn stop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop().await;
        }
    }

    /// Starts the service again on the same database; GitLab's check follows it to its new port.
    pub async fn start_again(&mut self) {
        let (app, bundle) = start_app(&self.ground).await;
        self.url = url_of(&app);
        (self.app, self.bundle) = (Some(app), Some(bundle));
        self.ground.move_check(self.check, &self.url);
    }

    /// Waits until every delivery has arrived and nothing is left to decide.
    pub async fn settle(&self) {
        let settled = async {
            loop {
                self.gitlab.deliveries_settled().await.unwrap();
                let depth = self.app().store().queue().depth().await.unwrap();
                if depth.length == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let settled = tokio::time::timeout(BOUND, settled).await;
        assert!(settled.is_ok(), "the world does not settle; GitLab was asked:\n{}", self.history());
    }

    /// Waits until every delivery has arrived, nobody is at work and nothing is due: what waits for its time goes on
    /// waiting, also what could not be decided yet.
    pub async fn rest(&self) {
        self.next_due().await;
    }

    /// Lets time pass to the next instant at which something is due, `most` at the most; then waits until it is done.
    pub async fn pass(&self, most: Duration) {
        let due = self.next_due().await;
        let clock = &self.ground.clock;
        // The clock is moved by whole milliseconds.
        let step = due.map(|due| clock.until(due) + Duration::from_millis(1));
        clock.advance(step.map_or(most, |step| step.min(most)));
        self.rest().await;
    }

    /// Rests, and says when anything is due next: while GitLab is down nothing is begun before it was asked again.
    async fn next_due(&self) -> Option<Timestamp> {
        self.gitlab.deliveries_settled().await.unwrap();
        let database = Connection::open(self.ground.database()).unwrap();
        // Of one moment: what is claimed is due when its lease ends, which is not what anybody waits for.
        let sql = "SELECT count(claim) FILTER (WHERE due_at > ?1), min(due_at) FROM lane";
        let resting = async {
            loop {
                let now = self.ground.clock.now().as_millisecond();
                let (claims, due): (i64, Option<i64>) =
                    database.query_row(sql, [now], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
                let due = due.map(|due| Timestamp::from_millisecond(due).unwrap());
                let held_until = due.and(match self.app().gitlab().may_begin() {
                    MayBegin::Everything => None,
                    MayBegin::Withdrawals(until) | MayBegin::Nothing(until) => Some(until),
                });
                let due = due.max(held_until);
                if claims == 0 && due.is_none_or(|due| due > self.ground.clock.now()) {
                    return due;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let rests = tokio::time::timeout(BOUND, resting).await;
        rests.unwrap_or_else(|_| {
            panic!("there is always something due; GitLab was asked:\n{}", self.history())
        })
    }

    /// Waits until as many sweeps came to their end since the service started, and what they found was looked at.
    pub async fn swept(&self, sweeps: u64) {
        until("it has swept", || self.sweeps() >= sweeps).await;
        self.rest().await;
    }

    /// How many looks back came to their end since the service started.
    pub fn sweeps(&self) -> u64 {
        self.sweeps_of(SweepKind::LookBack)
    }

    /// How many sweeps of a kind came to their end since the service started.
    pub fn sweeps_of(&self, kind: SweepKind) -> u64 {
        self.app().metrics().sweeps.get_or_create(&SweepLabels { kind: kind.word() }).get()
    }

    /// Lets one sweep be made now, and waits until what it found was looked at.
    pub async fn sweep(&self, kind: SweepKind) {
        let before = self.sweeps_of(kind);
        self.app().sweep_now(kind);
        until("it has swept", || self.sweeps_of(kind) > before).await;
        self.rest().await;
    }

    /// How much of one kind of drift was found, and how much of that was mended.
    pub fn drift(&self, kind: Drift) -> (u64, u64) {
        let (labels, metrics) = (DriftLabels { kind: kind.word() }, self.app().metrics());
        let count = |family: &Family<DriftLabels, Counter>| family.get_or_create(&labels).get();
        (count(&metrics.drift_found), count(&metrics.drift_mended))
    }

    /// What GitLab shows for our check.
    pub fn status(&self, merge_request: MergeRequestRef) -> CheckStatus {
        self.gitlab.status(merge_request, self.check).unwrap()
    }

    /// Settles, then says what GitLab shows.
    pub async fn settled_status(&self, merge_request: MergeRequestRef) -> CheckStatus {
        self.settle().await;
        self.status(merge_request)
    }

    /// Settles and demands what GitLab shows; tells the decisions if it is something else.
    pub async fn expect(&self, merge_request: MergeRequestRef, status: CheckStatus, why: &str) {
        let shown = self.settled_status(merge_request).await;
        if shown != status {
            let account = self.account(merge_request).await;
            panic!("{why}: GitLab shows {shown:?} instead of {status:?}\n{account}\n{}", self.history());
        }
    }

    /// Verdicts, sentences and answers so far.
    pub async fn account(&self, merge_request: MergeRequestRef) -> String {
        let decisions = self.decisions(merge_request).await;
        let line = |decision: &StoredDecision| {
            let record: serde_json::Value = serde_json::from_slice(&decision.record).unwrap();
            format!("{}: {:#} {:?}\n", decision.verdict, record["evaluation"], decision.answers)
        };
        decisions.iter().map(line).collect()
    }

    pub async fn decisions(&self, merge_request: MergeRequestRef) -> Vec<StoredDecision> {
        self.app().store().decisions().of(merge_request).await.unwrap()
    }

    /// Waits until `done` says so.
    pub async fn until(&self, what: &str, done: impl Fn(&Gitlab) -> bool) {
        until(what, || done(&self.gitlab)).await;
    }

    /// Waits until `done` says so, with the clock that the service and GitLab share running that much faster than the
    /// machine's. What is real (a call, a held-up answer) must be over before, or it would be slower than it is.
    pub async fn until_with_the_clock_at(&self, speed: u32, what: &str, done: impl Fn() -> bool) {
        let begun = self.gitlab.now();
        while !done() {
            assert!(self.ground.clock.since(begun) < 4 * BOUND, "in vain: {what}\n{}", self.history());
            tokio::time::sleep(TICK).await;
            self.ground.clock.advance(TICK * (speed - 1));
        }
    }

    /// How often a route was called so far.
    pub fn calls(&self, route: &str) -> u64 {
        self.gitlab.calls_to(route)
    }

    /// What was posted for our check, oldest first.
    pub fn posted(&self, merge_request: MergeRequestRef) -> Vec<CheckStatus> {
        self.gitlab.responses(merge_request, self.check).iter().map(|row| row.posted).collect()
    }

    /// The value of a metric, with its labels as they are exported; 0 when it is not there yet.
    pub fn metric(&self, name: &str) -> f64 {
        metric(&self.app().metrics().render(), name)
    }

    /// The value of a counter.
    pub fn count(&self, name: &str) -> u64 {
        sample(&self.app().metrics().render(), name).map_or(0, |value| value.parse().unwrap())
    }

    /// Every call that GitLab saw, for a test that gives up.
    pub fn history(&self) -> String {
        let calls: Vec<_> = self.gitlab.calls().iter().map(|call| format!("{call:?}")).collect();
        calls.join("\n")
    }

    /// Ends the world: nothing may be left over.
    pub async fn end(mut self) {
        let unknown = self.gitlab.unknown_calls();
        assert!(unknown.is_empty(), "calls that no GitLab knows: {unknown:?}");
        self.stop().await;
        self.ground.simulator.stop().await;
    }
}

/// Our check, still to be created.
fn check_at(url: &str) -> NewStatusCheck {
    NewStatusCheck::new("countersign", &address_at(url)).secret(SECRET)
}

fn address_at(url: &str) -> String {
    format!("{url}/webhooks/gitlab")
}

/// Waits with a bound until a condition holds.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(BOUND, waiting).await.is_ok(), "in vain: {what}");
}

/// The value of a metric in an exposition.
pub fn metric(exposition: &str, name: &str) -> f64 {
    sample(exposition, name).map_or(0.0, |value| value.parse().unwrap())
}

/// The value of a metric as it is written, if it is there.
pub fn sample<'e>(exposition: &'e str, name: &str) -> Option<&'e str> {
    exposition.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// Waits with a bound until a condition holds that has to be asked for.
pub async fn until_async(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(BOUND, waiting).await.is_ok(), "in vain: {what}");
}

async fn start_app(ground: &Ground) -> (App, Arc<Bundle>) {
    let config = Config::load(None::<&Path>, ground.environment()).unwrap();
    let bundle = load_bundle(&config).unwrap();
    (App::start(&config, Arc::clone(&bundle), ground.clock.clone()).await.unwrap(), bundle)
}

fn url_of(app: &App) -> String {
    format!("http://{}", app.addresses()[0])
}
