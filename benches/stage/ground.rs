//! A GitLab to decide against: the simulator in this process, with a project, an author, a reviewer, and the product as a
//! process beside it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, ProjectId, StatusCheckId, UserId};
use countersign::simulator::{
    CheckStatus, Fault, FaultKind, Gitlab, Membership, NewMergeRequest, NewProject, NewStatusCheck,
    Simulator, SimulatorOptions, Weather,
};
use tempfile::TempDir;

use super::conditions;
use super::metrics::Metrics;
use super::process::Process;
use super::product::{SECRET, Setup};

const REPORTER: u8 = 20;
const DEVELOPER: u8 = 30;
/// How long anything may take to be decided.
const BOUND: Duration = Duration::from_secs(120);

/// GitLab, the product, and the people.
pub struct Ground {
    pub simulator: Simulator,
    pub gitlab: Gitlab,
    pub project: ProjectId,
    pub check: StatusCheckId,
    pub product: Process,
    pub metrics: Metrics,
    author: UserId,
    reviewer: UserId,
    _folder: TempDir,
}

impl Ground {
    /// Starts both, with one policy.
    pub async fn start(policy: &str) -> Self {
        let options = SimulatorOptions { workers: conditions::cores(), ..SimulatorOptions::default() };
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let gitlab = simulator.gitlab();
        let project = gitlab.create_project(NewProject::at("shop/pay"));
        let author = gitlab.create_user("ana");
        gitlab.add_member(project, Membership::new(author, DEVELOPER)).expect("ana joins");
        let (bot, token) = gitlab.create_bot("countersign", project).expect("the bot joins");
        gitlab.create_group("shop/payments");
        let reviewer = gitlab.create_user("bea");
        for (user, level) in [(reviewer, DEVELOPER), (bot, REPORTER)] {
            gitlab.add_member("shop/payments", Membership::new(user, level)).expect("they join");
        }
        let folder = conditions::folder();
        let policies: PathBuf = folder.path().join("policies");
        fs::create_dir(&policies).expect("a folder can be made");
        fs::write(policies.join("policy.yaml"), policy).expect("a file can be written");
        let setup = Setup {
            folder: folder.path(),
            gitlab: simulator.url(),
            token: &token,
            policies: &policies,
            listen: "127.0.0.1:0",
        };
        let product = setup.start();
        let url = product.url();
        let new = NewStatusCheck::new("countersign", &format!("{url}/webhooks/gitlab")).secret(SECRET);
        let check = gitlab.create_status_check(project, new).expect("the check is created");
        let metrics = Metrics::of(&url);
        Self { simulator, gitlab, project, check, product, metrics, author, reviewer, _folder: folder }
    }

    /// From now on every call of the API takes so long.
    pub fn slow_down(&self, latency: Duration) {
        let _for_ever = self.gitlab.fault(Fault::on("*", FaultKind::Latency(latency)));
    }

    /// A merge request by the author.
    pub fn new_merge_request(&self) -> NewMergeRequest {
        NewMergeRequest::in_project(self.project).author(self.author)
    }

    /// Merge requests that nobody was told of, with numbers from 1.
    pub fn open_quietly(&self, count: usize) -> Vec<MergeRequestRef> {
        (0..count).map(|_| self.open(self.new_merge_request().quietly())).collect()
    }

    pub fn open(&self, new: NewMergeRequest) -> MergeRequestRef {
        self.gitlab.open_merge_request(new).expect("it can be opened")
    }

    /// What happens in there is told to nobody: no delivery leaves.
    pub fn silently(&self, deed: impl FnOnce()) {
        self.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
        deed();
        self.gitlab.set_weather(Weather::default());
    }

    /// Who reviews.
    pub fn reviewer(&self) -> UserId {
        self.reviewer
    }

    /// The reviewer approves.
    pub fn approve(&self, which: MergeRequestRef) {
        self.gitlab.approve(which, self.reviewer).expect("bea may approve");
    }

    /// The reviewer takes the approval back and approves what is there now.
    pub fn approve_again(&self, which: MergeRequestRef) {
        self.gitlab.unapprove(which, self.reviewer).expect("bea has approved");
        self.approve(which);
    }

    pub fn status(&self, which: MergeRequestRef) -> CheckStatus {
        self.gitlab.status(which, self.check).expect("it is there")
    }

    /// Waits until every delivery has arrived and nothing is left to decide.
    pub async fn settle(&self) {
        self.gitlab.deliveries_settled().await.expect("deliveries arrive");
        self.metrics.until_idle(BOUND).await;
    }

    /// Reads and posts since the calls were forgotten.
    pub fn calls(&self) -> (u64, u64) {
        (self.gitlab.calls_to("GET *"), self.gitlab.calls_to("POST *"))
    }

    /// Ends both.
    pub async fn end(self) {
        let unknown = self.gitlab.unknown_calls();
        assert!(unknown.is_empty(), "calls that no GitLab knows: {unknown:?}");
        self.product.terminate();
        self.simulator.stop().await;
    }
}
