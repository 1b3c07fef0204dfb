//! The sweep: what nobody told of is found without a delivery.
//!
//! Three kinds, one way. *Looking back*, at start and after a time in which deliveries could not be made durable or GitLab
//! could not be reached: what changed since the last durable write (or the begin of that time) minus ten minutes, over the
//! projects that were ever seen. *Recent*, every `sweep.recent`: what changed since the last one and was not looked at as it
//! is now. *Full*, every `sweep.full`: every open merge request, spread over that time. Each only puts lanes into the queue,
//! as rows, so that a restart goes on with them; the worker decides and answers them as any other (`Work::Sweep`), each
//! charged to the budget of calls that nobody waits for when it begins. A look back that fails is owed, also after a restart,
//! until it was made; a full sweep whose list was not complete begins again. A project of which GitLab gives no list keeps
//! nobody else waiting: after some tries the sweep ends without it, and comes back to it later.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::gitlab::{Error, Hold};
use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};
use crate::store::StoreError;

use super::pause::{PARKED_FOR, pause};
use super::resources::Resources;
use super::survey::{Surveyed, SweepError, changed_since, not_required, projects, survey};

/// How much further back a sweep looks than it must: clocks differ, and deliveries are under way.
const MARGIN: Duration = Duration::from_secs(600);
/// The least time between two looks back.
const REST: Duration = Duration::from_secs(30);
/// How many merge requests are queued with one commit.
const QUEUED_AT_ONCE: usize = 200;
/// How often a project is tried while GitLab is there before a sweep ends without it.
const TRIES: u32 = 5;
/// How long recent sweeps do without a list of projects that GitLab would not give.
const WITHOUT_LIST: Duration = Duration::from_secs(3600);
/// The part of its period over which a full sweep is spread.
const SPREAD: f64 = 0.9;

/// What a sweep is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepKind {
    /// What changed while deliveries may have been lost.
    LookBack,
    /// What changed a short time ago.
    Recent,
    /// Everything that is open.
    Full,
}

impl SweepKind {
    /// The word of metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::LookBack => "look_back",
            Self::Recent => "recent",
            Self::Full => "full",
        }
    }
}

/// Notes in the store that from an instant on something may have been lost, so that also a later start looks back there.
pub(super) async fn owe_look_back(resources: &Resources, since: Timestamp) -> Result<(), StoreError> {
    resources.queue.owe_sweep(with_margin(since)).await.map(drop)
}

fn with_margin(since: Timestamp) -> Timestamp {
    since.checked_sub(MARGIN).unwrap_or(since)
}

/// Sweeps at start, whenever something may have been lost, and from time to time, until `stop`.
pub(super) async fn sweep_when_needed(resources: Arc<Resources>, stop: CancellationToken) {
    let mut timetable = Timetable::begin(&resources).await;
    let mut since = resources.queue.last_written().map(|written| written.min(resources.clock.now()));
    loop {
        if let Some(lost_since) = since.take() {
            let mut sweep = Sweep::new(&resources, SweepKind::LookBack, with_margin(lost_since));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sweep_until_done(&resources, &mut sweep) => timetable.done(&resources, sweep),
            }
            // Whoever makes us turn deliveries away must not make us sweep without end.
            tokio::select! {
                () = stop.cancelled() => return,
                () = resources.clock.sleep(REST) => {}
            }
        }
        let mut sweep = tokio::select! {
            () = stop.cancelled() => return,
            lost_since = resources.queue.recovered() => {
                since = Some(lost_since);
                continue;
            }
            lost_since = resources.outage.over() => {
                since = Some(lost_since);
                continue;
            }
            sweep = timetable.next(&resources) => sweep,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sweep_until_done(&resources, &mut sweep) => timetable.done(&resources, sweep),
        }
    }
}

/// When the periodic sweeps are due, and those that ended without some project.
struct Timetable {
    recent_at: Option<Timestamp>,
    full_at: Option<Timestamp>,
    /// From when on what changed is yet to be looked at.
    recent_since: Timestamp,
    /// Sweeps with something left, one of a kind at most, each with when that is tried again; the longest waiting first.
    unfinished: Vec<(Timestamp, Sweep)>,
    /// Until when recent sweeps do without the list of projects, which GitLab would not give. What changes in projects that were
    /// never seen is found by the full ones meanwhile.
    without_list_until: Timestamp,
}

impl Timetable {
    /// A full sweep whose time is over, and one in a store that knows of none, is due at once.
    async fn begin(resources: &Resources) -> Self {
        let now = resources.clock.now();
        let last = resources.queue.last_full_sweep().await.unwrap_or_default();
        resources.metrics.tell_last_full_sweep(last);
        let due = |period| last.map_or(now, |last| last + jittered(period));
        Self {
            recent_at: resources.settings.sweep_recent.map(|period| now + jittered(period)),
            full_at: resources.settings.sweep_full.map(due),
            recent_since: with_margin(now),
            unfinished: Vec::new(),
            without_list_until: now,
        }
    }

    /// Waits for the next one.
    async fn next(&mut self, resources: &Resources) -> Sweep {
        let clock = &resources.clock;
        let until = async |at: Option<Timestamp>| match at {
            Some(at) => clock.sleep_until(at).await,
            None => std::future::pending().await,
        };
        let kind = tokio::select! {
            biased;
            () = resources.wanted.full.notified() => SweepKind::Full,
            () = resources.wanted.recent.notified() => SweepKind::Recent,
            () = until(self.full_at) => {
                let spread = resources.settings.sweep_full.unwrap_or_default();
                // What a store knows nothing of may show anything.
                let is_first = resources.queue.last_full_sweep().await.unwrap_or_default().is_none();
                let sweep = Sweep::new(resources, SweepKind::Full, self.recent_since);
                return Sweep { spread: if is_first { Duration::ZERO } else { spread }, ..sweep };
            }
            () = until(self.recent_at) => SweepKind::Recent,
            () = until(self.unfinished.first().map(|(at, _)| *at)) => return self.unfinished.remove(0).1,
        };
        let lacks_list = kind == SweepKind::Recent && resources.clock.now() < self.without_list_until;
        Sweep { lacks_list, ..Sweep::new(resources, kind, self.recent_since) }
    }

    /// One has come to its end, with or without all of its projects.
    fn done(&mut self, resources: &Resources, sweep: Sweep) {
        let now = resources.clock.now();
        let began = sweep.began;
        if sweep.lacks_list && self.without_list_until <= now {
            self.without_list_until = now + WITHOUT_LIST;
        }
        let due = |period: Option<Duration>| period.map(|period| (began + jittered(period)).max(now));
        match sweep.kind {
            SweepKind::LookBack => {}
            SweepKind::Recent => {
                self.recent_at = due(resources.settings.sweep_recent);
                // The next one looks for what this one left.
                if sweep.is_complete() {
                    self.recent_since = with_margin(began);
                }
                return;
            }
            SweepKind::Full => self.full_at = due(resources.settings.sweep_full),
        }
        // A later one of its kind has everything that an earlier one left.
        self.unfinished.retain(|(_, earlier)| earlier.kind != sweep.kind);
        if !sweep.is_complete() {
            self.unfinished.push((now + PARKED_FOR, sweep));
        }
    }
}

/// A period, a tenth shorter or longer: not all services ask at once, nor does anybody's clockwork fall into step.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.9 + fastrand::f64() * 0.2)
}

/// Tries until it was made, or only what can't be swept for now is left. What was swept once is not swept again for the sake
/// of a project that can't be.
async fn sweep_until_done(resources: &Resources, sweep: &mut Sweep) {
    for attempt in 1.. {
        let error = match sweep.go_on(resources).await {
            Ok(()) => return,
            Err(error) => error,
        };
        tracing::warn!(kind = sweep.kind.word(), since = %sweep.since, attempt,
            error = &error as &dyn std::error::Error, "not swept yet; tried again");
        let asked = if let SweepError::Gitlab(error) = &error { error.retry_after() } else { None };
        resources.clock.sleep(asked.unwrap_or_else(|| pause(attempt))).await;
    }
}

/// A sweep under way.
struct Sweep {
    kind: SweepKind,
    began: Timestamp,
    since: Timestamp,
    /// Over which time what is found is spread.
    spread: Duration,
    /// The projects that are not swept yet; none before it is known which there are.
    left: Option<Vec<ProjectId>>,
    /// Those that are.
    swept: HashSet<ProjectId>,
    /// Whether GitLab would not say that: only projects that were seen are swept for now.
    lacks_list: bool,
    /// How often what is left was tried in vain while GitLab was there.
    tries: u32,
    /// The merge requests that it queued, or will: each once, for a second turn in the budget would be taken from others.
    found: HashSet<MergeRequestRef>,
    /// How many of them were given their time.
    queued: usize,
}

impl Sweep {
    fn new(resources: &Resources, kind: SweepKind, since: Timestamp) -> Self {
        let began = resources.clock.now();
        let (spread, found) = (Duration::ZERO, HashSet::new());
        let (left, swept, lacks_list) = (None, HashSet::new(), false);
        Self { kind, began, since, spread, left, swept, lacks_list, tries: 0, found, queued: 0 }
    }

    /// Whether nothing is left of it.
    fn is_complete(&self) -> bool {
        let lacks_list = self.lacks_list && self.kind == SweepKind::Full;
        !lacks_list && self.left.as_ref().is_some_and(Vec::is_empty)
    }

    /// Sweeps what is left, and ends if nothing is, or nothing that can be swept for now; else fails with the last of the
    /// failures.
    async fn go_on(&mut self, resources: &Resources) -> Result<(), SweepError> {
        let left = match self.left.take() {
            Some(left) => left,
            None => self.begin(resources).await?,
        };
        let (mut failed, mut failure) = (Vec::new(), None);
        for project in left {
            match self.sweep(resources, project).await {
                Ok(()) => _ = self.swept.insert(project),
                // One project that is gone or hidden must not keep the others from being swept.
                // Every few minutes is too often to be told that a project is gone.
                Err(SweepError::Gitlab(error)) if !error.is_curable() && self.kind == SweepKind::Recent => {
                    tracing::debug!(%project, %error, "a project can't be swept");
                }
                Err(SweepError::Gitlab(error)) if !error.is_curable() => {
                    tracing::warn!(%project, %error, "a project can't be swept");
                }
                Err(error) => {
                    failed.push(project);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(SweepError::Gitlab(error)) if self.gives_up(resources, &error) => {
                for project in &failed {
                    tracing::warn!(%project, kind = self.kind.word(), %error, "a project can't be swept for now");
                }
            }
            Some(error) => {
                self.left = Some(failed);
                return Err(error);
            }
            None => {}
        }
        self.left = Some(failed);
        self.end(resources).await
    }

    /// Whether it ends without what is left. Not while GitLab is down or takes no more calls: that says nothing of a project.
    fn gives_up(&mut self, resources: &Resources, error: &Error) -> bool {
        let is_of_all = match error {
            Error::HeldBack { hold, .. } | Error::RateLimited { hold, .. } => *hold != Hold::Route,
            _ => false,
        };
        if is_of_all || resources.decider.gitlab.down_since().is_some() {
            return false;
        }
        self.tries += 1;
        self.tries >= TRIES
    }

    /// Owes a look back first, so that a crash can't forget it.
    async fn begin(&mut self, resources: &Resources) -> Result<Vec<ProjectId>, SweepError> {
        if self.kind != SweepKind::LookBack {
            let mut projects = self.list(resources).await?;
            projects.retain(|project| !self.swept.contains(project));
            return Ok(projects);
        }
        self.since = resources.queue.owe_sweep(self.since).await?;
        let projects = resources.queue.projects_seen().await?;
        // GitLab dates neither a pipeline nor a membership nor a foreign status into the merge request: where a `passed`
        // may show it is looked at in any case.
        let may_pass = may_pass(resources).await?;
        self.queue(resources, may_pass).await?;
        Ok(projects)
    }

    /// A list that never comes must not keep the projects that are known from being swept.
    async fn list(&mut self, resources: &Resources) -> Result<Vec<ProjectId>, SweepError> {
        // Which is long, and costs as much every few minutes.
        if self.kind == SweepKind::Recent && self.lacks_list {
            return Ok(resources.queue.projects_seen().await?);
        }
        match projects(resources).await {
            Ok(projects) => {
                self.lacks_list = false;
                Ok(projects.into_iter().collect())
            }
            Err(SweepError::Gitlab(error)) if self.gives_up(resources, &error) => {
                let kind = self.kind.word();
                tracing::warn!(kind, %error, "which projects the token reaches is not known for now: others are swept");
                (self.tries, self.lacks_list) = (0, true);
                Ok(resources.queue.projects_seen().await?)
            }
            Err(error) => Err(error),
        }
    }

    async fn sweep(&mut self, resources: &Resources, project: ProjectId) -> Result<(), SweepError> {
        if self.kind == SweepKind::Full {
            let Some(Surveyed { open, requires, .. }) = survey(resources, project).await? else {
                return Ok(());
            };
            if let Some(noticed) = not_required(resources, project, requires).await? {
                resources.drift.note(&resources.metrics, of_project(project), &noticed);
            } else if requires == Some(true) {
                resources.drift.is_required(project);
                if !resources.queue.was_requiring_checks(project).await? {
                    resources.queue.note_requiring_checks(project).await?;
                }
            }
            self.found.extend(open);
            return Ok(());
        }
        let since = resources.on_gitlabs_clock(self.since);
        let changed = changed_since(resources, project, since).await?;
        let changed = if self.kind == SweepKind::Recent {
            resources.queue.unseen(changed).await?
        } else {
            changed.into_iter().map(|(merge_request, _)| merge_request).collect()
        };
        Ok(self.queue(resources, changed).await?)
    }

    /// One that something is left of is owed, and not done.
    async fn end(&mut self, resources: &Resources) -> Result<(), SweepError> {
        if self.kind == SweepKind::Full {
            // What may have to be taken back is looked at first.
            let may_pass: HashSet<_> = may_pass(resources).await?.into_iter().collect();
            let (first, rest): (Vec<_>, Vec<_>) =
                self.found.iter().copied().partition(|found| may_pass.contains(found));
            self.write_down(resources, &first).await?;
            self.write_down(resources, &rest).await?;
        }
        let (kind, found, since) = (self.kind.word(), self.found.len(), self.since);
        if !self.is_complete() {
            tracing::warn!(kind, %since, found, "swept but for some projects: what else is to be looked at is queued");
            if self.kind == SweepKind::Full {
                // What it finds later comes on top of that, and has waited long enough.
                (self.found, self.queued, self.spread) = (HashSet::new(), 0, Duration::ZERO);
            }
            if self.lacks_list && self.kind == SweepKind::Full {
                self.left = None;
            }
            return Ok(());
        }
        match self.kind {
            SweepKind::LookBack => resources.queue.sweep_done(since).await?,
            SweepKind::Recent => {}
            SweepKind::Full => {
                resources.queue.full_sweep_done(self.began).await?;
                resources.metrics.tell_last_full_sweep(Some(self.began));
            }
        }
        resources.metrics.count_sweep(kind, found);
        tracing::info!(kind, %since, found, "swept: what is to be looked at is queued");
        Ok(())
    }

    /// Queues those that were not found before.
    async fn queue(
        &mut self,
        resources: &Resources,
        mut which: Vec<MergeRequestRef>,
    ) -> Result<(), StoreError> {
        which.retain(|merge_request| !self.found.contains(merge_request));
        self.write_down(resources, &which).await?;
        // Not before: what could not be written down is to be queued by the next try.
        self.found.extend(which);
        Ok(())
    }

    /// Gives each its time: evenly over the spread, and never more at once than the budget has room for.
    async fn write_down(
        &mut self,
        resources: &Resources,
        which: &[MergeRequestRef],
    ) -> Result<(), StoreError> {
        let now = resources.clock.now();
        let count = u32::try_from(self.found.len().max(1)).unwrap_or(u32::MAX);
        for some in which.chunks(QUEUED_AT_ONCE) {
            let begin = self.queued;
            let slots = some.iter().enumerate().map(|(index, merge_request)| {
                let index = u32::try_from(begin + index).unwrap_or(u32::MAX);
                let spread = self.spread.mul_f64(SPREAD * f64::from(index) / f64::from(count));
                (*merge_request, now + spread.max(resources.background.pace(index)))
            });
            resources.queue.ask_for_sweep(slots.collect()).await?;
            self.queued += some.len();
        }
        Ok(())
    }
}

/// What is about a project and none of its merge requests.
fn of_project(project: ProjectId) -> MergeRequestRef {
    MergeRequestRef { project, iid: MergeRequestIid::new(0) }
}

/// The open merge requests on which a `passed` may show.
async fn may_pass(resources: &Resources) -> Result<Vec<MergeRequestRef>, StoreError> {
    let mut all = Vec::new();
    loop {
        let page = resources.queue.that_may_pass(all.last().copied(), QUEUED_AT_ONCE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_services_sweep_in_step() {
        let hour = Duration::from_secs(3600);
        let (mut shortest, mut longest) = (hour, hour);
        for _ in 0..1000 {
            let period = jittered(hour);
            (shortest, longest) = (shortest.min(period), longest.max(period));
        }
        let minutes = |count: u64| Duration::from_secs(count * 60);
        assert!((minutes(54)..minutes(56)).contains(&shortest), "{shortest:?}");
        assert!((minutes(64)..=minutes(66)).contains(&longest), "{longest:?}");
    }
}
