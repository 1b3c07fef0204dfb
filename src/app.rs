//! The composition root: from a configuration to running parts, and back to rest.
//!
//! Everything is built once, here, and the tests build through it too. Order of the start: logs, policies, store,
//! GitLab, worker, server; the reverse at the stop.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bundle::{Bundle, LoadError, Reloaded};
use crate::clock::Clock;
use crate::companion::Companion;
use crate::config::{Config, ConfigError, GitlabConfig, LabelsConfig, WaitingAnswer};
use crate::decision::Decider;
use crate::gitlab::{Access, Client, ClientError, GitlabVersion, ReadToken};
use crate::scope::{CheckAddress, ProjectScope, ScopeError};
use crate::server::{self, Intake, IsMovedBy, Secrets, SigningKey, Vitals};
use crate::setup::{self, Credentials, Installation};
use crate::status_check::{Mirrors, Resources, Settings, StateLabels, Worker};
use crate::store::{PRUNED_AT_ONCE, Store, StoreError};
use crate::telemetry::Metrics;

/// How often the policies on disk are compared with those in force.
const POLICIES_LOOK: Duration = Duration::from_secs(2);
/// How often it is looked whether the token was replaced.
const TOKEN_LOOK: Duration = Duration::from_secs(2);
/// How often old deliveries are forgotten.
const PRUNING: Duration = Duration::from_secs(600);
/// How long claimed merge requests may take once the service stops; with the server's own time it stays below 10 s.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policies are wrong.
    #[error("the policies can't be used")]
    Policies(#[from] LoadError),
    /// The store can't be opened.
    #[error("the store `{url}` can't be opened")]
    Store {
        /// `store.url`
        url: String,
        /// Why.
        source: StoreError,
    },
    /// The GitLab client can't be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A project glob is wrong.
    #[error("`{key}`: {source}")]
    Scope {
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: ScopeError,
    },
    /// The address can't be listened on.
    #[error("`server.listen`: can't listen on {address}: {source}")]
    Listen {
        /// `server.listen`
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The server can't be set up.
    #[error("the HTTP server can't be set up")]
    Server(#[source] std::io::Error),
}

impl StartError {
    /// Whether the user can mend it (configuration, policies), as opposed to the machine.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Config(_) | Self::Policies(_) | Self::Client(_) | Self::Scope { .. } => true,
            Self::Store { source, .. } => matches!(source, StoreError::Url(_)),
            Self::Listen { .. } | Self::Server(_) => false,
        }
    }
}

/// What a configuration means, before anything is opened or bound.
struct Plan {
    gitlab: Client,
    version: Option<GitlabVersion>,
    secrets: Secrets,
    scope: Arc<ProjectScope>,
    allow_unsigned: ProjectScope,
    address: CheckAddress,
    mirrors: Mirrors,
}

impl Plan {
    fn of(config: &Config, clock: Clock, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let secrets = secrets(config)?;
        let gitlab = Client::reach(&access(&config.gitlab)?, clock, Arc::clone(metrics))?;
        Ok(Self {
            gitlab,
            version: version(config)?,
            secrets,
            scope: Arc::new(compile("gitlab.projects", &config.gitlab.projects)?),
            allow_unsigned: compile("webhooks.allow_unsigned", &config.webhooks.allow_unsigned)?,
            address: CheckAddress::new(config.server.public_url.clone()),
            mirrors: mirrors(config)?,
        })
    }
}

/// How GitLab is reached, and as whom.
fn access(config: &GitlabConfig) -> Result<Access, ConfigError> {
    let (token, url) = (config.required_token()?, config.required_url()?);
    let again = config.clone();
    let read_token: ReadToken = Arc::new(move || again.required_token().ok());
    Ok(Access {
        read_token: config.token_may_change().then_some(read_token),
        ca_file: config.ca_file.clone(),
        proxy: config.proxy()?,
        calls_per_minute: config.calls_per_minute()?,
        ..Access::new(url.as_str(), &token, config.timeout()?)
    })
}

fn settings(config: &Config, gitlab_version: Option<GitlabVersion>, mirrors: Mirrors) -> Settings {
    Settings {
        waiting_is_failed: config.answers.waiting == WaitingAnswer::Failed,
        heartbeat_for: config.answers.heartbeat_for,
        heartbeats_per_minute: config.answers.heartbeats_per_minute,
        undecided_after: config.answers.undecided_after,
        stale_after: config.policies.stale_after,
        background_calls_per_minute: config.gitlab.background_calls_per_minute,
        gitlab_version,
        mirrors,
    }
}

fn mirrors(config: &Config) -> Result<Mirrors, ConfigError> {
    let LabelsConfig { passed, failed, waiting, undecided } = config.answers.labels()?.clone();
    Ok(Mirrors {
        commit_status: config.answers.commit_status,
        note: config.answers.note,
        approval: config.answers.approval,
        labels: StateLabels { passed, failed, waiting, undecided },
        public_url: config.server.public_url.clone(),
    })
}

/// Whether `serve` could start with a configuration, as far as that can be told without opening anything.
pub fn examine(config: &Config) -> Result<(), StartError> {
    Plan::of(config, Clock::default(), &Arc::new(Metrics::default())).map(drop)
}

/// What a configuration means for setting up GitLab's side.
pub fn installation(config: &Config, clock: Clock) -> Result<Installation, StartError> {
    let Plan { gitlab, scope, allow_unsigned, address, .. } =
        Plan::of(config, clock.clone(), &Arc::default())?;
    let webhooks = &config.webhooks;
    let credentials = Credentials {
        master: webhooks.master_secret()?,
        status_check: webhooks.status_check_secrets()?.into_iter().next(),
        token: webhooks.tokens()?.into_iter().next(),
        signing: webhooks.signing_tokens()?.into_iter().next(),
    };
    let public_url = config.server.public_url.clone();
    Ok(Installation { gitlab, public_url, address, scope, allow_unsigned, credentials, clock })
}

/// The running service.
pub struct App {
    addresses: Vec<SocketAddr>,
    store: Arc<Store>,
    gitlab: Client,
    metrics: Arc<Metrics>,
    server: actix_web::dev::ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    working: JoinHandle<()>,
    caring: JoinHandle<()>,
    watching: JoinHandle<()>,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl App {
    /// Starts everything. When this returns, deliveries are taken. `bundle` is the policies to serve with, `clock`
    /// tells the time.
    pub async fn start(config: &Config, bundle: Arc<Bundle>, clock: Clock) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::default());
        let Plan { gitlab, version, secrets, scope, allow_unsigned, address, mirrors } =
            Plan::of(config, clock.clone(), &metrics)?;
        let listener = listen(&config.server.listen)?;
        let url = config.store.url.clone();
        let opened = tokio::task::spawn_blocking(move || Store::open(&url, clock)).await;
        let store = opened.unwrap_or(Err(StoreError::Closed));
        let store =
            Arc::new(store.map_err(|source| StartError::Store { url: config.store.url.clone(), source })?);

        // Full: who listens looks every day as well.
        let (expiring_tokens, expiring) = mpsc::channel(16);
        let watch = setup::watch_token(gitlab.clone(), store.clock().clone(), Arc::clone(&metrics), expiring);
        let decider = Decider { gitlab: gitlab.clone(), address: address.clone(), scope: Arc::clone(&scope) };
        let settings = settings(config, version, mirrors);
        let queue = store.queue().clone();
        let (policies, counters) = (Arc::clone(&bundle), Arc::clone(&metrics));
        let resources = Resources::new(&store, decider, policies, counters, settings);
        let worker = Arc::new(Worker::new(resources));
        let watched = Arc::clone(&bundle);
        let is_moved_by = is_moved_by(Arc::clone(&bundle), config.answers.commit_status);
        let vitals = Vitals {
            store: Arc::clone(&store),
            metrics: Arc::clone(&metrics),
            policies_broken: Box::new(move || watched.trouble().is_some()),
        };
        let intake = Intake {
            queue,
            secrets,
            scope,
            allow_unsigned,
            address,
            metrics: Arc::clone(&metrics),
            is_moved_by,
            expiring_tokens,
        };
        let unsigned_possible = !config.webhooks.allow_unsigned.is_empty();
        let bound = server::bind(listener, intake, unsigned_possible, vitals).map_err(StartError::Server)?;

        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let stopped = stop.clone();
        Ok(Self {
            addresses: bound.addresses().to_vec(),
            server: bound.handle(),
            serving: tokio::spawn(bound.run()),
            working: tokio::spawn(worker.run(stop.clone(), abort.clone())),
            caring: tokio::spawn(care(bundle, Arc::clone(&store), gitlab.clone(), stop.clone())),
            watching: tokio::spawn(async move { _ = stopped.run_until_cancelled(watch).await }),
            store,
            gitlab,
            metrics,
            stop,
            abort,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The open store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// GitLab, as the service sees it.
    pub fn gitlab(&self) -> &Client {
        &self.gitlab
    }

    /// The metrics of this service.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Stops taking, finishes or hands back what is claimed, closes the store; within 10 s.
    pub async fn stop(self) {
        self.stop.cancel();
        self.server.stop(true).await;
        let _served = self.serving.await;
        let mut working = self.working;
        if tokio::time::timeout(DRAIN, &mut working).await.is_err() {
            tracing::warn!("handing back what is not finished");
            self.abort.cancel();
            let _worked = working.await;
        }
        let _cared = self.caring.await;
        let _watched = self.watching.await;
        self.store.close().await;
    }
}

/// What is done from time to time: policies and a token that changed on disk, deliveries that are old.
async fn care(bundle: Arc<Bundle>, store: Arc<Store>, gitlab: Client, stop: CancellationToken) {
    let mut looks = tokio::time::interval(POLICIES_LOOK);
    let mut tokens = tokio::time::interval(TOKEN_LOOK);
    let mut prunings = tokio::time::interval(PRUNING);
    let mut told = String::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => told = reload(&bundle, store.clock(), told).await,
            _ = tokens.tick() => {
                let gitlab = gitlab.clone();
                let _looked = tokio::task::spawn_blocking(move || gitlab.look_for_token()).await;
            }
            _ = prunings.tick() => loop {
                match store.queue().prune().await {
                    // As long as there are whole portions of them.
                    Ok(forgotten) if forgotten == PRUNED_AT_ONCE && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "old deliveries were not forgotten");
                        break;
                    }
                }
            },
        }
    }
}

/// Compares the policies on disk with those in force; `told` is what was said last of broken ones, so that each trouble
/// is told once.
async fn reload(bundle: &Arc<Bundle>, clock: &Clock, told: String) -> String {
    let reloading = Arc::clone(bundle);
    let now = clock.now();
    match tokio::task::spawn_blocking(move || reloading.reload(now)).await {
        Err(_) => told,
        Ok(Reloaded::Unchanged) => String::new(),
        Ok(Reloaded::Replaced(revision)) => {
            tracing::info!(revision = revision.short(), "new policies are in force");
            String::new()
        }
        Ok(Reloaded::Broken(trouble)) => {
            let trouble = trouble.error.to_string();
            if trouble != told {
                tracing::error!(
                    trouble,
                    "the policies on disk can't be used; the last good ones stay in force"
                );
            }
            trouble
        }
    }
}

/// Whether an event can change what is said of merge requests of a project: by the policies, or since a commit status goes into
/// each new pipeline.
fn is_moved_by(bundle: Arc<Bundle>, sets_commit_statuses: bool) -> Arc<IsMovedBy> {
    Arc::new(move |companion: Companion, project: Option<&str>| {
        bundle.is_moved_by(companion, project) || (sets_commit_statuses && companion == Companion::Pipeline)
    })
}

fn secrets(config: &Config) -> Result<Secrets, ConfigError> {
    let webhooks = &config.webhooks;
    let key = "webhooks.signing_tokens";
    let signing = webhooks
        .signing_tokens()?
        .iter()
        .map(|token| {
            let problem = "holds something that is not `whsec_` and the base64 of 32 bytes".to_owned();
            SigningKey::parse(token).ok_or(ConfigError::Value { key, problem })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let secrets = Secrets {
        status_check: webhooks.status_check_secrets()?,
        master: webhooks.master_secret()?,
        tokens: webhooks.tokens()?,
        signing,
    };
    let nothing = secrets.status_check.is_empty()
        && secrets.master.is_none()
        && secrets.tokens.is_empty()
        && secrets.signing.is_empty()
        && webhooks.allow_unsigned.is_empty();
    if nothing {
        let problem = "is missing: without `status_check_secrets`, `master_secret`, `tokens`, `signing_tokens` or \
                       `allow_unsigned` no delivery could ever be taken";
        return Err(ConfigError::Value { key: "webhooks.status_check_secrets", problem: problem.to_owned() });
    }
    Ok(secrets)
}

fn version(config: &Config) -> Result<Option<GitlabVersion>, ConfigError> {
    let read = |text: &String| {
        let problem = format!("is `{text}`: give two numbers with a dot between them, such as 15.0");
        GitlabVersion::parse(text).ok_or(ConfigError::Value { key: "gitlab.version", problem })
    };
    config.gitlab.version.as_ref().map(read).transpose()
}

fn compile(key: &'static str, patterns: &[String]) -> Result<ProjectScope, StartError> {
    ProjectScope::compile(patterns.iter().map(String::as_str))
        .map_err(|source| StartError::Scope { key, source })
}

fn listen(address: &str) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Listen { address: address.to_owned(), source };
    TcpListener::bind(address).map_err(failed)
}

/// Policies as configured.
pub fn load_bundle(config: &Config) -> Result<Arc<Bundle>, StartError> {
    Ok(Arc::new(Bundle::open(&config.policies.path, Timestamp::now())?))
}
