//! The composition root: from a configuration to running parts, and back to rest.
//!
//! Everything is built once, here, and the tests build through it too. Order of the start: logs, policies, store,
//! GitLab, worker, server; the reverse at the stop. `plan` says what a configuration means; `reconciliation` composes the
//! same parts for as long as a command runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bundle::{Bundle, Reloaded};
use crate::clock::Clock;
use crate::companion::Companion;
use crate::config::Config;
use crate::decision::Decider;
use crate::gitlab::Client;
use crate::server::{self, Intake, IsMovedBy, Vitals};
use crate::setup;
use crate::status_check::{Resources, SweepKind, Worker};
use crate::store::{PRUNED_AT_ONCE, Store, StoreError};
use crate::telemetry::Metrics;

mod drain;
mod plan;
mod reconciliation;

pub use self::plan::{StartError, examine, installation, load_bundle};
pub use self::reconciliation::{
    Found, Outcome, Progress, ReconcileError, ReconcileOrder, Reconciliation, reconcile,
};

use self::drain::drain;
use self::plan::Plan;

/// How often the policies on disk are compared with those in force.
const POLICIES_LOOK: Duration = Duration::from_secs(2);
/// How often it is looked whether the token was replaced.
const TOKEN_LOOK: Duration = Duration::from_secs(2);
/// How often old deliveries are forgotten.
const PRUNING: Duration = Duration::from_secs(600);

/// The running service.
pub struct App {
    addresses: Vec<SocketAddr>,
    worker: Arc<Worker>,
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
        let Plan { gitlab, settings, secrets, scope, allow_unsigned, address } =
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
            working: tokio::spawn(Arc::clone(&worker).run(stop.clone(), abort.clone())),
            caring: tokio::spawn(care(bundle, Arc::clone(&store), gitlab.clone(), stop.clone())),
            watching: tokio::spawn(async move { _ = stopped.run_until_cancelled(watch).await }),
            worker,
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

    /// Lets a sweep begin now, whenever the next one was due.
    pub fn sweep_now(&self, kind: SweepKind) {
        self.worker.sweep_now(kind);
    }

    /// Stops taking, finishes or hands back what is claimed, closes the store; within 10 s.
    pub async fn stop(self) {
        self.stop.cancel();
        self.server.stop(true).await;
        let _served = self.serving.await;
        drain(self.working, &self.abort).await;
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

fn listen(address: &str) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Listen { address: address.to_owned(), source };
    TcpListener::bind(address).map_err(failed)
}
