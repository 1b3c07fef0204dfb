//! Deliveries and lanes: what was taken, what is to be decided, who is at it.
//!
//! The key of a lane is the merge request, so everything that arrives for it coalesces: while a lane waits, a further
//! delivery only raises its generation; while it is claimed, it makes exactly one more run. A claim is visible again
//! when its lease ends, and every write of a claim proves that it still holds the lane.
//!
//! INVARIANT: at most one live claim per lane, so answers of one merge request can't overtake each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use tokio::sync::Notify;

use crate::merge_request::{
    CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, StatusCheckId, UserId, VersionId,
};

use super::column::{column, id, millis, timestamp};
use super::decisions::{self, NewDecision};
use super::error::StoreError;
use super::status::{self, KnownStatus};
use super::writer::Thread;

/// How long a claim holds its lane without a sign of life. It must outlast the client's whole timeout for one answer.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// GitLab repeats a status-check delivery that timed out for about two minutes (contract section 3.1).
const REPEATED_WITHIN: Duration = Duration::from_secs(180);
/// Deliveries older than this are forgotten; only the audit of causes looks at them.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// What kind of delivery woke a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// GitLab asks a status check.
    StatusCheck,
    /// An ordinary hook about the merge request itself.
    MergeRequest,
    /// An ordinary hook about something of it: a comment, a pipeline, an emoji.
    Companion,
}

impl Event {
    /// The word of the table and of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatusCheck => "status_check",
            Self::MergeRequest => "merge_request",
            Self::Companion => "companion",
        }
    }
}

/// What is kept of a delivery: where to look. The body itself is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Which merge request to look at.
    pub merge_request: MergeRequestRef,
    /// What sent us there.
    pub event: Event,
    /// GitLab's `action`; none on a Retry.
    pub action: Option<String>,
    /// The check that was asked, if one was.
    pub status_check: Option<StatusCheckId>,
    /// The head that the body names.
    pub sha: Option<CommitSha>,
    /// Who pushed, if the body says that somebody did.
    pub pusher: Option<UserId>,
    /// Whether GitLab may show something else now than we remember (a Retry, a push, a reopening, a retarget).
    pub distrust: bool,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// `Idempotency-Key` (GitLab 17.4 and later, ordinary hooks).
    pub idempotency_key: Option<String>,
}

/// What became of a delivery, after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, and its lane will run.
    New,
    /// The same event was taken before; nothing was written.
    Duplicate,
}

/// The right to decide one merge request. It ends with [`Queue::settle`] or [`Queue::release`]; a claim that is merely
/// dropped comes back when its lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose lane.
    pub merge_request: MergeRequestRef,
    /// The newest delivery at the time of the claim.
    pub generation: i64,
    /// Which try this is since the last settlement, from 1.
    pub attempt: u32,
    /// Whether what GitLab shows must be read again.
    pub distrust: bool,
    /// Since when no verdict could be had.
    pub undecided_since: Option<Timestamp>,
    /// When the oldest delivery that is not yet served was taken; none when only time woke the lane.
    pub waiting_since: Option<Timestamp>,
    number: i64,
}

/// What this service remembers of a merge request.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// What GitLab shows, per SHA and check.
    pub statuses: Vec<KnownStatus>,
    /// Users seen pushing.
    pub pushers: Vec<UserId>,
    /// Target branch by the version first seen under it.
    pub version_targets: BTreeMap<VersionId, String>,
    /// Approvals seen, and not before when each was given.
    pub approvals: BTreeMap<UserId, Option<Timestamp>>,
    /// When approvals were read last, on GitLab's clock.
    pub approvals_read_at: Option<Timestamp>,
    /// Event and action of the newest delivery.
    pub newest_delivery: Option<(String, Option<String>)>,
}

/// One approval as it will be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SightedApproval {
    /// Who approves.
    pub user: UserId,
    /// Not before when it was given, if that is known.
    pub not_before: Option<Timestamp>,
}

/// What an evaluation saw that later ones need.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// The newest version and the target branch it was seen under.
    pub version_target: Option<(VersionId, String)>,
    /// All approvals of this read and its time on GitLab's clock; none when approvals were not read.
    pub approvals: Option<(Timestamp, Vec<SightedApproval>)>,
}

/// The answer to [`Queue::record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The claim holds, nothing newer came: answers may leave now.
    Current,
    /// Something newer came: nothing may be said; the lane runs again after its settlement.
    Superseded,
}

/// How a claim ends.
#[derive(Debug, Clone, Default)]
pub struct Settlement {
    /// Decisions that were not recorded before because they had nothing to say to GitLab.
    pub decisions: Vec<NewDecision>,
    /// What the evaluation saw, unless it was recorded before.
    pub observations: Observations,
    /// What GitLab shows from now on, as far as it is known.
    pub statuses: Vec<KnownStatus>,
    /// What was said and replied, by decision.
    pub answers: Vec<decisions::NewAnswer>,
    /// Whether the lane must run again because this run did not finish its work.
    pub unfinished: bool,
    /// When to run again though nothing new comes.
    pub next: Option<Timestamp>,
    /// Whether the verdict could not be had.
    pub undecided: bool,
    /// How it ended, in a word, for people who look into the table.
    pub settled_as: &'static str,
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Lanes that are due or being decided.
    pub length: u64,
    /// When the oldest unserved delivery was taken.
    pub oldest: Option<Timestamp>,
}

/// Deliveries and lanes.
#[derive(Clone)]
pub struct Queue {
    writer: Thread,
    reader: Thread,
    woken: Arc<Notify>,
}

impl Queue {
    pub(super) fn new(writer: Thread, reader: Thread) -> Self {
        Self { writer, reader, woken: Arc::new(Notify::new()) }
    }

    /// Puts a delivery on disk. When this returns `Ok`, it is there.
    pub async fn take(&self, hint: Hint) -> Result<Taken, StoreError> {
        let taken = self.writer.run(move |connection| take(connection, &hint, Timestamp::now())).await?;
        if taken == Taken::New {
            self.woken.notify_one();
        }
        Ok(taken)
    }

    /// Waits until a delivery was taken, or a lane was given another time, since the last call.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Claims up to `limit` due lanes, oldest first.
    pub async fn claim(&self, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.writer.run(move |connection| claim(connection, limit, Timestamp::now())).await
    }

    /// When the next lane is due, if any ever is.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reader
            .run(|connection| {
                let sql = "SELECT min(due_at) FROM lane WHERE due_at IS NOT NULL";
                let due: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                due.map(timestamp).transpose()
            })
            .await
    }

    /// What is remembered of a merge request.
    pub async fn memory(&self, merge_request: MergeRequestRef) -> Result<Memory, StoreError> {
        self.reader.run(move |connection| memory(connection, merge_request)).await
    }

    /// Writes decisions down before anyone outside is told, proves the claim and renews its lease. Statuses that are
    /// about to be answered become unknown in the same commit, so a crash in between leaves no false memory.
    pub async fn record(
        &self,
        claim: &Claim,
        decisions: Vec<NewDecision>,
        observations: Observations,
        answering: Vec<(CommitSha, StatusCheckId)>,
    ) -> Result<(Recorded, Vec<i64>), StoreError> {
        let claim = claim.clone();
        self.writer
            .run(move |connection| {
                let now = Timestamp::now();
                let recorded = prove(connection, &claim, now)?;
                observe(connection, claim.merge_request, &observations)?;
                let ids = decisions
                    .iter()
                    .map(|decision| decisions::insert(connection, claim.merge_request, decision))
                    .collect::<Result<Vec<_>, _>>()?;
                if recorded == Recorded::Current {
                    for (sha, check) in &answering {
                        status::forget(connection, claim.merge_request, sha, *check)?;
                    }
                }
                Ok((recorded, ids))
            })
            .await
    }

    /// Whether a claim still holds its lane and nothing newer came: asked again before each further answer.
    pub async fn is_current(&self, claim: &Claim) -> Result<bool, StoreError> {
        let claim = claim.clone();
        let recorded = self.writer.run(move |connection| prove(connection, &claim, Timestamp::now())).await?;
        Ok(recorded == Recorded::Current)
    }

    /// Ends a claim. What arrived meanwhile makes the lane due at once.
    pub async fn settle(&self, claim: Claim, settlement: Settlement) -> Result<(), StoreError> {
        // Whoever waits for the next due lane reckoned with the lease, which may end later than the lane is due now.
        let comes_back = settlement.next.is_some();
        let again = self
            .writer
            .run(move |connection| settle(connection, &claim, &settlement, Timestamp::now()))
            .await?;
        if again || comes_back {
            self.woken.notify_one();
        }
        Ok(())
    }

    /// Hands a claim back undone, for another process or the next start.
    pub async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let sql = "UPDATE lane SET claim = NULL, due_at = :now, attempts = max(attempts - 1, 0)
                           WHERE project_id = :project AND iid = :iid AND claim = :claim";
                connection.prepare_cached(sql)?.execute(named_params! {
                    ":now": millis(Timestamp::now()),
                    ":project": column(claim.merge_request.project.get())?,
                    ":iid": column(claim.merge_request.iid.get())?,
                    ":claim": claim.number,
                })?;
                Ok(())
            })
            .await
    }

    /// How much is waiting now.
    pub async fn depth(&self) -> Result<Depth, StoreError> {
        self.reader.run(|connection| depth(connection, Timestamp::now())).await
    }

    /// Forgets deliveries that nothing needs any more, a bounded number at a time.
    pub async fn prune(&self) -> Result<usize, StoreError> {
        self.writer
            .run(|connection| {
                let sql = "DELETE FROM delivery WHERE id IN
                           (SELECT id FROM delivery WHERE taken_at < :before ORDER BY id LIMIT 1000)";
                let before = millis(Timestamp::now() - KEPT_FOR);
                Ok(connection.prepare_cached(sql)?.execute(named_params! { ":before": before })?)
            })
            .await
    }
}

/// At start: whoever held a lane is gone, since this process holds the lock.
pub(super) fn void_leases(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE lane SET claim = NULL, due_at = :now WHERE claim IS NOT NULL";
    connection.execute(sql, named_params! { ":now": millis(now) })?;
    Ok(())
}

fn take(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<Taken, StoreError> {
    if is_duplicate(connection, hint, now)? {
        return Ok(Taken::Duplicate);
    }
    let project = column(hint.merge_request.project.get())?;
    let iid = column(hint.merge_request.iid.get())?;
    let user = hint.pusher.map(|user| column(user.get())).transpose()?;
    let sql = "INSERT INTO delivery (taken_at, project_id, iid, event, action, status_check_id, sha, user_id, digest,
                                     idempotency_key)
               VALUES (:now, :project, :iid, :event, :action, :check, :sha, :user, :digest, :key)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":now": millis(now),
        ":project": project,
        ":iid": iid,
        ":event": hint.event.as_str(),
        ":action": hint.action,
        ":check": hint.status_check.map(|check| column(check.get())).transpose()?,
        ":sha": hint.sha.as_ref().map(CommitSha::as_str),
        ":user": user,
        ":digest": hint.digest,
        ":key": hint.idempotency_key,
    })?;
    let generation = connection.last_insert_rowid();
    let sql = "INSERT INTO lane (project_id, iid, generation, unverified_generation, due_at, waiting_since)
               VALUES (:project, :iid, :generation, :unverified, :now, :now)
               ON CONFLICT (project_id, iid) DO UPDATE SET
                   generation = excluded.generation,
                   unverified_generation = max(unverified_generation, excluded.unverified_generation),
                   due_at = CASE WHEN claim IS NULL THEN excluded.due_at ELSE due_at END,
                   waiting_since = coalesce(waiting_since, excluded.waiting_since)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":project": project,
        ":iid": iid,
        ":generation": generation,
        ":unverified": if hint.distrust { generation } else { 0 },
        ":now": millis(now),
    })?;
    if let Some(user) = user {
        let sql = "INSERT OR IGNORE INTO pusher (project_id, iid, user_id) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute((project, iid, user))?;
    }
    Ok(Taken::New)
}

/// The same `Idempotency-Key` is the same event. Without one, the same body is the same event only while nothing else
/// came for the merge request, since GitLab's bodies carry no nonce and approve, unapprove, approve within a second
/// repeats one. A Retry (no action) is never a duplicate: it must lead to an answer each time.
fn is_duplicate(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<bool, StoreError> {
    let project = column(hint.merge_request.project.get())?;
    let iid = column(hint.merge_request.iid.get())?;
    if let Some(key) = &hint.idempotency_key {
        let sql = "SELECT 1 FROM delivery WHERE idempotency_key = ?1 AND project_id = ?2 AND iid = ?3 AND digest = ?4";
        let found: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row((key, project, iid, hint.digest), |row| row.get(0))
            .optional()?;
        return Ok(found.is_some());
    }
    if hint.action.is_none() {
        return Ok(false);
    }
    let sql = "SELECT digest = ?3 AND taken_at >= ?4 FROM delivery
               WHERE project_id = ?1 AND iid = ?2 ORDER BY id DESC LIMIT 1";
    let since = millis(now - REPEATED_WITHIN);
    let same: Option<bool> = connection
        .prepare_cached(sql)?
        .query_row((project, iid, hint.digest, since), |row| row.get(0))
        .optional()?;
    Ok(same.unwrap_or(false))
}

fn claim(connection: &Connection, limit: usize, now: Timestamp) -> Result<Vec<Claim>, StoreError> {
    let number: i64 = connection
        .prepare_cached("UPDATE claim_counter SET value = value + 1 RETURNING value")?
        .query_row([], |row| row.get(0))?;
    let sql = "UPDATE lane SET claim = :number, due_at = :lease, attempts = attempts + 1
               WHERE (project_id, iid) IN
                   (SELECT project_id, iid FROM lane WHERE due_at <= :now ORDER BY due_at LIMIT :limit)
               RETURNING project_id, iid, generation, attempts, unverified_generation > settled_generation,
                         undecided_since, waiting_since, claim";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(named_params! {
        ":number": number,
        ":lease": millis(now + LEASE),
        ":now": millis(now),
        ":limit": i64::try_from(limit).unwrap_or(i64::MAX),
    })?;
    let mut claims = Vec::new();
    while let Some(row) = rows.next()? {
        claims.push(claim_of(row)?);
    }
    Ok(claims)
}

fn claim_of(row: &Row<'_>) -> Result<Claim, StoreError> {
    let time = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        row.get::<_, Option<i64>>(index)?.map(timestamp).transpose()
    };
    Ok(Claim {
        merge_request: MergeRequestRef {
            project: ProjectId::new(id(row.get(0)?)?),
            iid: MergeRequestIid::new(id(row.get(1)?)?),
        },
        generation: row.get(2)?,
        attempt: row.get(3)?,
        distrust: row.get(4)?,
        undecided_since: time(5)?,
        waiting_since: time(6)?,
        number: row.get(7)?,
    })
}

/// Proves that `claim` holds its lane, renews its lease, and says whether anything newer came. A claim that lost its
/// lane is superseded too: whoever has it now decides.
fn prove(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<Recorded, StoreError> {
    let sql = "UPDATE lane SET due_at = :lease
               WHERE project_id = :project AND iid = :iid AND claim = :claim AND generation = :generation
                 AND due_at > :now";
    let held = connection.prepare_cached(sql)?.execute(named_params! {
        ":lease": millis(now + LEASE),
        ":project": column(claim.merge_request.project.get())?,
        ":iid": column(claim.merge_request.iid.get())?,
        ":claim": claim.number,
        ":generation": claim.generation,
        ":now": millis(now),
    })?;
    Ok(if held == 1 { Recorded::Current } else { Recorded::Superseded })
}

fn observe(
    connection: &Connection,
    merge_request: MergeRequestRef,
    observations: &Observations,
) -> Result<(), StoreError> {
    let project = column(merge_request.project.get())?;
    let iid = column(merge_request.iid.get())?;
    if let Some((version, target)) = &observations.version_target {
        let sql = "INSERT OR IGNORE INTO version_target (project_id, iid, version_id, target_branch)
                   VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute((project, iid, column(version.get())?, target))?;
    }
    let Some((read_at, approvals)) = &observations.approvals else { return Ok(()) };
    connection
        .prepare_cached("DELETE FROM approval_sighting WHERE project_id = ?1 AND iid = ?2")?
        .execute((project, iid))?;
    for approval in approvals {
        let sql = "INSERT OR REPLACE INTO approval_sighting (project_id, iid, user_id, not_before)
                   VALUES (?1, ?2, ?3, ?4)";
        let user = column(approval.user.get())?;
        connection.prepare_cached(sql)?.execute((project, iid, user, approval.not_before.map(millis)))?;
    }
    connection
        .prepare_cached("UPDATE lane SET approvals_read_at = ?3 WHERE project_id = ?1 AND iid = ?2")?
        .execute((project, iid, millis(*read_at)))?;
    Ok(())
}

/// Ends the claim; true when the lane is due again at once.
fn settle(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<bool, StoreError> {
    for decision in &settlement.decisions {
        decisions::insert(connection, claim.merge_request, decision)?;
    }
    observe(connection, claim.merge_request, &settlement.observations)?;
    for answer in &settlement.answers {
        decisions::insert_answer(connection, answer)?;
    }
    let again = settle_lane(connection, claim, settlement, now)?;
    for known in &settlement.statuses {
        // A claim that lost its lane may have been overtaken: what it believes to show is not known.
        let shown = again.and(known.shown);
        status::remember(connection, claim.merge_request, &KnownStatus { shown, ..known.clone() }, now)?;
    }
    Ok(again.unwrap_or(false))
}

/// True when the lane is due again at once; none when the claim does not hold it any more.
fn settle_lane(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<Option<bool>, StoreError> {
    let sql = "UPDATE lane SET
                   claim = NULL,
                   due_at = CASE WHEN generation > :generation THEN :now ELSE :next END,
                   settled_generation = CASE WHEN :unfinished THEN settled_generation ELSE :generation END,
                   waiting_since = CASE WHEN :unfinished THEN waiting_since
                                        WHEN generation > :generation THEN :now END,
                   attempts = CASE WHEN :unfinished THEN attempts ELSE 0 END,
                   undecided_since = CASE WHEN :undecided THEN coalesce(undecided_since, :now)
                                          WHEN :unfinished THEN undecided_since END,
                   settled_as = :settled_as
               WHERE project_id = :project AND iid = :iid AND claim = :claim
               RETURNING generation > :generation";
    let again: Option<bool> = connection
        .prepare_cached(sql)?
        .query_row(
            named_params! {
                ":generation": claim.generation,
                ":now": millis(now),
                ":next": settlement.next.map(millis),
                ":unfinished": settlement.unfinished,
                ":undecided": settlement.undecided,
                ":settled_as": settlement.settled_as,
                ":project": column(claim.merge_request.project.get())?,
                ":iid": column(claim.merge_request.iid.get())?,
                ":claim": claim.number,
            },
            |row| row.get(0),
        )
        .optional()?;
    Ok(again)
}

fn memory(connection: &Connection, merge_request: MergeRequestRef) -> Result<Memory, StoreError> {
    let project = column(merge_request.project.get())?;
    let iid = column(merge_request.iid.get())?;
    let key = (project, iid);
    let mut memory = Memory { statuses: status::of(connection, merge_request)?, ..Memory::default() };
    let mut statement =
        connection.prepare_cached("SELECT user_id FROM pusher WHERE project_id = ?1 AND iid = ?2")?;
    for user in statement.query_map(key, |row| row.get::<_, i64>(0))? {
        memory.pushers.push(UserId::new(id(user?)?));
    }
    let mut statement = connection.prepare_cached(
        "SELECT version_id, target_branch FROM version_target WHERE project_id = ?1 AND iid = ?2",
    )?;
    for version in statement.query_map(key, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))? {
        let (version, target) = version?;
        memory.version_targets.insert(VersionId::new(id(version)?), target);
    }
    let mut statement = connection.prepare_cached(
        "SELECT user_id, not_before FROM approval_sighting WHERE project_id = ?1 AND iid = ?2",
    )?;
    for seen in statement.query_map(key, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))? {
        let (user, not_before) = seen?;
        memory.approvals.insert(UserId::new(id(user)?), not_before.map(timestamp).transpose()?);
    }
    let read_at: Option<Option<i64>> = connection
        .prepare_cached("SELECT approvals_read_at FROM lane WHERE project_id = ?1 AND iid = ?2")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    memory.approvals_read_at = read_at.flatten().map(timestamp).transpose()?;
    memory.newest_delivery = connection
        .prepare_cached(
            "SELECT event, action FROM delivery WHERE project_id = ?1 AND iid = ?2 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(memory)
}

fn depth(connection: &Connection, now: Timestamp) -> Result<Depth, StoreError> {
    let sql = "SELECT count(*), min(waiting_since) FROM lane
               WHERE due_at IS NOT NULL AND (due_at <= ?1 OR claim IS NOT NULL OR waiting_since IS NOT NULL)";
    let (length, oldest): (i64, Option<i64>) =
        connection.prepare_cached(sql)?.query_row([millis(now)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Depth { length: id(length)?, oldest: oldest.map(timestamp).transpose()? })
}
