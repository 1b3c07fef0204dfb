//! `reconcile`: examines what is open, lets the owner of the store mend what is not as it should be, and examines that again.
//!
//! It is safe beside a running `serve`, for one process alone decides: who holds the lock of the database. Where `serve` does,
//! this process asks for looks as rows of the queue, which `serve` finds within seconds, and writes nothing else. Where
//! nobody does, it takes the lock, and decides by the same worker, until it is done. A dry run opens the database to read.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::drain::drain;
use super::plan::{Plan, StartError, installation};
use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::config::Config;
use crate::decision::Decider;
use crate::gitlab;
use crate::merge_request::{CheckName, MergeRequestRef, ProjectId};
use crate::setup::{Naming, Selection, select};
use crate::status_check::{Drift, Noticed, Project, Reconciler, Resources, SweepError, Worker};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

/// How many merge requests are examined at the same time.
const AT_ONCE: usize = 8;
/// How often it is asked whether the owner of the store is done.
const GLANCE: Duration = Duration::from_millis(200);
/// How long the owner may look at none of those that are left before nobody waits for it any more.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be reconciled.
#[derive(Debug, Clone)]
pub struct ReconcileOrder {
    /// Which projects; none for all that were ever seen, and those that the token reaches inside `gitlab.projects`.
    pub projects: Vec<Naming>,
    /// Whether nothing is to be mended.
    pub dry_run: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub stage: &'static str,
    /// To how many.
    pub done: usize,
    /// Of how many.
    pub of: usize,
}

/// What became of something that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was to be mended.
    Found,
    /// It is as it should be.
    Mended,
    /// It is not yet as it should be.
    NotMended,
    /// Only people can mend it.
    Reported,
    /// It could not be examined.
    Unknown,
}

impl Outcome {
    /// The word of reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Mended => "mended",
            Self::NotMended => "not mended",
            Self::Reported => "to be mended by people",
            Self::Unknown => "unknown",
        }
    }
}

/// Something that is otherwise than it should be, or could not be examined.
#[derive(Debug, Clone)]
pub struct Found {
    /// Of which project: its path, or its id where that is not known.
    pub project: String,
    /// Which merge request, where it is about one.
    pub merge_request: Option<MergeRequestRef>,
    /// Our name of the check, where it is about one.
    pub check: Option<CheckName>,
    /// What sort of drift; none where it could not be examined.
    pub drift: Option<Drift>,
    /// In a sentence.
    pub what: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// How it ended.
#[derive(Debug, Default)]
pub struct Reconciliation {
    /// How many projects were examined.
    pub projects: usize,
    /// How many merge requests were.
    pub merge_requests: usize,
    /// What was found, by project and merge request.
    pub found: Vec<Found>,
}

/// Why it did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The configuration or the policies are wrong.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A project was named that can't be had.
    #[error("`{name}`: {what}")]
    Named {
        /// What was named.
        name: String,
        /// Why it can't be had.
        what: String,
    },
    /// What there is can't be listed.
    #[error("what is to be examined can't be listed")]
    List(#[from] SweepError),
    /// GitLab does not say which projects are meant.
    #[error("GitLab does not say which projects are meant")]
    Gitlab(#[from] gitlab::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl ReconcileError {
    /// Whether the user can mend it.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Start(error) => error.is_users(),
            Self::Named { .. } => true,
            Self::List(_) | Self::Gitlab(_) | Self::Store(_) => false,
        }
    }
}

/// Reconciles; `tell` hears how far it is.
pub async fn reconcile(
    config: &Config,
    bundle: Arc<Bundle>,
    clock: Clock,
    order: &ReconcileOrder,
    tell: &mut dyn FnMut(Progress),
) -> Result<Reconciliation, ReconcileError> {
    let named = named(config, &clock, order).await?;
    let place = Place::open(config, bundle, clock, order.dry_run).await?;
    let report = place.reconcile(named, tell).await;
    place.close().await;
    report
}

/// The projects that were named; none if none was.
async fn named(
    config: &Config,
    clock: &Clock,
    order: &ReconcileOrder,
) -> Result<Option<Vec<ProjectId>>, ReconcileError> {
    let installation = installation(config, clock.clone())?;
    if order.projects.is_empty() {
        return Ok(None);
    }
    let selected = select(&installation, &Selection::Named(order.projects.clone())).await?;
    if let Some(finding) = selected.findings.first() {
        let (name, what) = (finding.subject.clone(), finding.what.clone());
        return Err(ReconcileError::Named { name, what });
    }
    Ok(Some(selected.projects.iter().map(|project| project.id).collect()))
}

/// The store and who decides there.
struct Place {
    store: Store,
    reconciler: Reconciler,
    dry_run: bool,
    working: Option<Working>,
}

/// The worker of this process, where no other one owns the store.
struct Working {
    task: JoinHandle<()>,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl Place {
    async fn open(
        config: &Config,
        bundle: Arc<Bundle>,
        clock: Clock,
        dry_run: bool,
    ) -> Result<Self, ReconcileError> {
        let metrics = Arc::new(Metrics::default());
        let Plan { gitlab, settings, scope, address, .. } = Plan::of(config, clock.clone(), &metrics)?;
        let url = config.store.url.clone();
        let opened = tokio::task::spawn_blocking(move || open_store(&url, clock, dry_run)).await;
        let url = config.store.url.clone();
        let (store, owned) =
            opened.unwrap_or(Err(StoreError::Closed)).map_err(|source| StartError::Store { url, source })?;
        let decider = Decider { gitlab, address, scope };
        let revision = bundle.current().revision().as_str().to_owned();
        let resources = Arc::new(Resources::new(&store, decider, bundle, metrics, settings));
        let working = if owned {
            // What was lost while nobody listened is still to be looked for by the next `serve`, which looks back from the
            // last write: those of this process tell nothing of deliveries.
            if let Some(written) = store.queue().last_written() {
                store.queue().owe_sweep(written).await?;
            }
            // Where the next `serve` has others, it must know that what was answered here was under these.
            store.queue().activate_revision(revision).await?;
            let worker = Arc::new(Worker::sharing(Arc::clone(&resources)));
            let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
            let task = tokio::spawn(worker.decide(stop.clone(), abort.clone()));
            Some(Working { task, stop, abort })
        } else {
            None
        };
        Ok(Self { store, reconciler: Reconciler::new(resources), dry_run, working })
    }

    async fn reconcile(
        &self,
        named: Option<Vec<ProjectId>>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Reconciliation, ReconcileError> {
        let mut report = Reconciliation::default();
        let projects = match named {
            Some(named) => named,
            None => self.reconciler.projects().await?,
        };
        let mut surveyed = Vec::new();
        for (done, id) in projects.iter().enumerate() {
            tell(Progress { stage: "projects listed", done, of: projects.len() });
            match self.reconciler.survey(*id).await {
                Ok(Some(project)) => surveyed.push(project),
                Ok(None) => {}
                Err(SweepError::Gitlab(error)) if !error.is_curable() => {
                    report.found.push(unknown(id.to_string(), None, error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        report.projects = surveyed.len();
        for project in &surveyed {
            report.merge_requests += project.open.len();
            report.found.extend(project.noticed.iter().map(|noticed| self.found(project, None, noticed)));
        }
        let all = surveyed.iter().flat_map(|project| project.open.iter().map(move |which| (project, *which)));
        let examined = self.examine(all.collect(), "merge requests examined", tell).await?;
        report.found.extend(self.mend(examined, tell).await?);
        Ok(report)
    }

    /// Examines merge requests; gives what is found, each with its project.
    async fn examine<'p>(
        &self,
        which: Vec<(&'p Project, MergeRequestRef)>,
        stage: &'static str,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Vec<(&'p Project, Found)>, StoreError> {
        let of = which.len();
        let examining = stream::iter(which)
            .map(|(project, which)| async move { (project, which, self.reconciler.examine(which).await) });
        let mut examining = std::pin::pin!(examining.buffer_unordered(AT_ONCE));
        let (mut done, mut found) = (0, Vec::new());
        while let Some((project, which, examined)) = examining.next().await {
            done += 1;
            tell(Progress { stage, done, of });
            match examined? {
                Ok(noticed) => {
                    let of_one = noticed.iter().map(|noticed| self.found(project, Some(which), noticed));
                    found.extend(of_one.map(|found| (project, found)));
                }
                Err(failure) => {
                    found.push((project, unknown(project.path.clone(), Some(which), failure.to_string())));
                }
            }
        }
        found.sort_by_key(|(_, found)| found.merge_request);
        Ok(found)
    }

    /// Lets the owner of the store mend what is to be mended, and says what became of it.
    async fn mend(
        &self,
        found: Vec<(&Project, Found)>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Found>, StoreError> {
        let mut which: Vec<_> = found
            .iter()
            .filter(|(_, found)| found.outcome == Outcome::NotMended)
            .filter_map(|(project, found)| Some((*project, found.merge_request?)))
            .collect();
        which.dedup_by_key(|(_, which)| *which);
        if which.is_empty() {
            return Ok(found.into_iter().map(|(_, found)| found).collect());
        }
        let asked: Vec<_> = which.iter().map(|(_, which)| *which).collect();
        self.reconciler.ask(&asked).await?;
        self.wait_for(&asked, tell).await?;
        let again = self.examine(which, "merge requests examined again", tell).await?;
        let is_left = |found: &Found| {
            again.iter().any(|(_, again)| {
                let same = again.merge_request == found.merge_request;
                same && (again.check == found.check || again.outcome == Outcome::Unknown)
                    && again.outcome != Outcome::Reported
            })
        };
        let judged = found.into_iter().map(|(_, found)| {
            let is_mended = found.outcome == Outcome::NotMended && !is_left(&found);
            Found { outcome: if is_mended { Outcome::Mended } else { found.outcome }, ..found }
        });
        Ok(judged.collect())
    }

    /// Waits until the owner has looked at all of them, or looks at none of them any more.
    async fn wait_for(
        &self,
        asked: &[MergeRequestRef],
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let clock = self.store.clock();
        let (mut least, mut since) = (asked.len(), clock.now());
        loop {
            let left = self.reconciler.left_of(asked).await?;
            tell(Progress { stage: "merge requests decided", done: asked.len() - left, of: asked.len() });
            if left < least {
                (least, since) = (left, clock.now());
            }
            if left == 0 || clock.since(since) >= PATIENCE {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    fn found(&self, project: &Project, which: Option<MergeRequestRef>, noticed: &Noticed) -> Found {
        let outcome = match (noticed.drift.is_of_status(), self.dry_run) {
            (false, _) => Outcome::Reported,
            (true, true) => Outcome::Found,
            // Until the second examination proves it.
            (true, false) => Outcome::NotMended,
        };
        Found {
            project: project.path.clone(),
            merge_request: which,
            check: noticed.check.clone(),
            drift: Some(noticed.drift),
            what: noticed.what.clone(),
            outcome,
        }
    }

    async fn close(self) {
        if let Some(Working { task, stop, abort }) = self.working {
            stop.cancel();
            drain(task, &abort).await;
        }
        self.store.close().await;
    }
}

/// Opens the store, and says whether it is ours.
fn open_store(url: &str, clock: Clock, dry_run: bool) -> Result<(Store, bool), StoreError> {
    if dry_run {
        return Ok((Store::read(url, clock)?, false));
    }
    match Store::open(url, clock.clone()) {
        Ok(store) => Ok((store, true)),
        Err(StoreError::InUse(_)) => Ok((Store::visit(url, clock)?, false)),
        Err(error) => Err(error),
    }
}

fn unknown(project: String, merge_request: Option<MergeRequestRef>, what: String) -> Found {
    Found { project, merge_request, check: None, drift: None, what, outcome: Outcome::Unknown }
}
