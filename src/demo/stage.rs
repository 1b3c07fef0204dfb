//! What the story is played on: a simulated GitLab with its people, and the service as it serves anybody else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::error::DemoError;
use crate::app::{App, StartError};
use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::config::Config;
use crate::merge_request::{MergeRequestRef, ProjectId, StatusCheckId, UserId};
use crate::simulator::{
    CheckStatus, Gitlab, HookEvent, Membership, NewHook, NewProject, NewStatusCheck, NewToken, Simulator,
    SimulatorError, SimulatorOptions,
};
use crate::status_check::SweepKind;
use crate::store::StoredDecision;
use crate::telemetry::SweepLabels;

/// How long anything may take before the demo gives up.
pub(super) const BOUND: Duration = Duration::from_secs(30);
/// How often the service is asked whether it is done.
const GLANCE: Duration = Duration::from_millis(5);
/// The token by which a person at the terminal plays: of a GitLab that only this machine reaches, and no secret.
const VISITOR_TOKEN: &str = "demo";
const PROJECT: &str = "shop/web";
const PAYMENTS: &str = "shop/payments";
const REPORTER: u8 = 20;
const DEVELOPER: u8 = 30;

/// The people of the story.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast {
    /// Writes every merge request.
    pub(super) ana: UserId,
    /// Reviews.
    pub(super) bea: UserId,
    /// Answers for payments.
    pub(super) dora: UserId,
    /// Answers for payments too.
    pub(super) emil: UserId,
}

/// GitLab, the service, and the folder of its database.
pub(super) struct Stage {
    simulator: Simulator,
    pub(super) gitlab: Gitlab,
    pub(super) project: ProjectId,
    pub(super) cast: Cast,
    pub(super) check: StatusCheckId,
    /// What GitLab signs its calls with.
    pub(super) secret: String,
    app: App,
    bundle: Arc<Bundle>,
    folder: TempDir,
}

impl Stage {
    /// Founds a GitLab, starts the service, and makes the two known to each other.
    pub(super) async fn start() -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("countersign-demo-").tempdir();
        let folder = folder.map_err(DemoError::Machine)?;
        let simulator = Simulator::start(SimulatorOptions::default()).await.map_err(DemoError::Machine)?;
        let gitlab = simulator.gitlab();
        let project = gitlab.create_project(NewProject::at(PROJECT).checks_must_pass());
        let cast = found(&gitlab, project)?;
        let (bot, token) = gitlab.create_bot("countersign", project)?;
        // A policy names this group, so the bot must be able to see it.
        gitlab.add_member(PAYMENTS, Membership::new(bot, REPORTER))?;

        let (secret, hook_token) = (random(), random());
        let config = configuration(simulator.url(), &token, &secret, &hook_token, folder.path())?;
        let bundle = Arc::new(Bundle::embedded(Timestamp::now()).map_err(StartError::from)?);
        let app = App::start(&config, Arc::clone(&bundle), Clock::default()).await?;
        let address = format!("{}/webhooks/gitlab", url_of(&app));
        let check = NewStatusCheck::new("countersign", &address).secret(&secret);
        let check = gitlab.create_status_check(project, check)?;
        // GitLab calls a status check neither for pipelines nor for comments; an ordinary webhook does.
        let hook = NewHook::of(project, &address).token(&hook_token).without_merge_requests();
        gitlab.create_hook(hook.event(HookEvent::Pipeline).event(HookEvent::Note));
        Ok(Self { simulator, gitlab, project, cast, check, secret, app, bundle, folder })
    }

    /// The names of the policies in force.
    pub(super) fn policies(&self) -> Vec<String> {
        self.bundle.current().set.policy_names().map(ToString::to_string).collect()
    }

    /// Where GitLab listens.
    pub(super) fn gitlab_url(&self) -> &str {
        self.simulator.url()
    }

    /// Where the service listens.
    pub(super) fn service_url(&self) -> String {
        url_of(&self.app)
    }

    /// Lets a person at the terminal take part, as a Developer.
    pub(super) fn visitor_token(&self) -> Result<&'static str, SimulatorError> {
        let visitor = self.gitlab.create_user("you");
        self.gitlab.add_member(self.project, Membership::new(visitor, DEVELOPER))?;
        self.gitlab.create_token(NewToken::of(visitor).value(VISITOR_TOKEN))?;
        Ok(VISITOR_TOKEN)
    }

    /// Waits until every delivery has arrived and nothing is left to decide. A merge request that is tried again counts
    /// as left; calls that hang are let go.
    pub(super) async fn settle(&self) -> Result<(), DemoError> {
        let settled = async {
            loop {
                self.gitlab.deliveries_settled().await?;
                if self.app.store().queue().depth().await?.length == 0 {
                    return Ok(());
                }
                self.gitlab.release_hanging();
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(BOUND, settled).await.unwrap_or(Err(DemoError::Overdue("all is decided")))
    }

    /// Lets the sweep that looks for what changed come now, and waits until it has looked.
    pub(super) async fn sweep(&self) -> Result<(), DemoError> {
        let labels = SweepLabels { kind: SweepKind::Recent.word() };
        let sweeps = || self.app.metrics().sweeps.get_or_create(&labels).get();
        let before = sweeps();
        self.app.sweep_now(SweepKind::Recent);
        let swept = self.gitlab.eventually(BOUND, |_| sweeps() > before).await;
        swept.then_some(()).ok_or(DemoError::Overdue("the sweep has looked"))
    }

    /// What GitLab shows for our check.
    pub(super) fn shown(&self, which: MergeRequestRef) -> Result<CheckStatus, SimulatorError> {
        self.gitlab.status(which, self.check)
    }

    /// Every decision on a merge request, oldest first.
    pub(super) async fn decisions(&self, which: MergeRequestRef) -> Result<Vec<StoredDecision>, DemoError> {
        Ok(self.app.store().decisions().of(which).await?)
    }

    /// Stops the service, then GitLab; the database goes with its folder.
    pub(super) async fn stop(self) {
        self.app.stop().await;
        self.simulator.stop().await;
        // What the system does not let go of, it clears from its folder for temporary files by itself.
        let _left_over = self.folder.close();
    }
}

/// The people and what they are.
fn found(gitlab: &Gitlab, project: ProjectId) -> Result<Cast, SimulatorError> {
    gitlab.create_group(PAYMENTS);
    let [ana, bea, dora, emil] = ["ana", "bea", "dora", "emil"].map(|name| gitlab.create_user(name));
    for developer in [ana, bea, dora, emil] {
        gitlab.add_member(project, Membership::new(developer, DEVELOPER))?;
    }
    for member in [dora, emil] {
        gitlab.add_member(PAYMENTS, Membership::new(member, DEVELOPER))?;
    }
    Ok(Cast { ana, bea, dora, emil })
}

/// The configuration, as its environment would say it.
fn configuration(
    gitlab_url: &str,
    token: &str,
    secret: &str,
    hook_token: &str,
    folder: &Path,
) -> Result<Config, StartError> {
    let database = format!("sqlite:{}", folder.join("countersign.db").display());
    let keys = [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("GITLAB__URL", gitlab_url),
        ("GITLAB__TOKEN", token),
        ("WEBHOOKS__STATUS_CHECK_SECRETS", secret),
        ("WEBHOOKS__TOKENS", hook_token),
        ("STORE__URL", database.as_str()),
        // The story is the same each time: what is looked at is up to it.
        ("SWEEP__FULL", "0s"),
    ];
    let variables = keys.map(|(key, value)| (format!("COUNTERSIGN__{key}"), value.to_owned()));
    Ok(Config::load(None, variables)?)
}

fn url_of(app: &App) -> String {
    app.addresses().first().map(|address| format!("http://{address}")).unwrap_or_default()
}

/// A secret for one run, on one machine.
fn random() -> String {
    format!("{:032x}", fastrand::u128(..))
}
