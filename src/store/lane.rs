//! A lane's life in SQL: claimed, proven, settled. Its key is the merge request.
//!
//! INVARIANT: at most one live claim per lane, so answers of one merge request can't overtake each other. A claim is
//! visible again when its lease ends, and every write of a claim proves that it still holds the lane.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

use super::column::{column, id, millis, timestamp};
use super::decisions::{self, NewDecision};
use super::error::StoreError;
use super::memory::{Observations, observe};
use super::status::{self, KnownStatus};

/// How long a claim holds its lane without a sign of life. It must outlast the client's whole timeout for one answer.
pub const LEASE: Duration = Duration::from_secs(60);

/// The right to decide one merge request. It ends with [`super::Queue::settle`] or [`super::Queue::release`]; a claim that is merely
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
    pub(super) number: i64,
}

/// The answer to [`super::Queue::record`].
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

/// At start: whoever held a lane is gone, since this process holds the lock. Gives the last number of a claim.
pub(super) fn void_leases(connection: &Connection, now: Timestamp) -> Result<i64, StoreError> {
    let sql = "UPDATE lane SET claim = NULL, due_at = :now WHERE claim IS NOT NULL";
    connection.execute(sql, named_params! { ":now": millis(now) })?;
    Ok(connection.query_row("SELECT value FROM claim_counter", [], |row| row.get(0))?)
}

pub(super) fn claim(connection: &Connection, limit: usize, now: Timestamp) -> Result<Vec<Claim>, StoreError> {
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
pub(super) fn prove(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<Recorded, StoreError> {
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

/// Renews the lease of a claim that is at work; false when it ended, or another claim has the lane.
pub(super) fn renew(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE lane SET due_at = :lease
               WHERE project_id = :project AND iid = :iid AND claim = :claim AND due_at > :now";
    let held = connection.prepare_cached(sql)?.execute(named_params! {
        ":lease": millis(now + LEASE),
        ":project": column(claim.merge_request.project.get())?,
        ":iid": column(claim.merge_request.iid.get())?,
        ":claim": claim.number,
        ":now": millis(now),
    })?;
    Ok(held == 1)
}

/// Ends the claim.
pub(super) fn settle(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<(), StoreError> {
    for decision in &settlement.decisions {
        decisions::insert(connection, claim.merge_request, decision)?;
    }
    observe(connection, claim.merge_request, &settlement.observations)?;
    for answer in &settlement.answers {
        decisions::insert_answer(connection, answer)?;
    }
    let held = settle_lane(connection, claim, settlement, now)?;
    for known in &settlement.statuses {
        // A claim that lost its lane may have been overtaken: what it believes to show is not known.
        let write = if held { status::remember } else { status::leave_open };
        write(connection, claim.merge_request, known, claim.number, now)?;
    }
    Ok(())
}

/// Whether the claim still held its lane.
fn settle_lane(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE lane SET
                   claim = NULL,
                   due_at = CASE WHEN generation > :generation THEN :now ELSE :next END,
                   settled_generation = CASE WHEN :unfinished THEN settled_generation ELSE :generation END,
                   waiting_since = CASE WHEN :unfinished THEN waiting_since
                                        WHEN generation > :generation THEN :now END,
                   attempts = CASE WHEN :unfinished AND generation = :generation THEN attempts ELSE 0 END,
                   undecided_since = CASE WHEN :undecided THEN coalesce(undecided_since, :now)
                                          WHEN :unfinished THEN undecided_since END,
                   settled_as = :settled_as
               WHERE project_id = :project AND iid = :iid AND claim = :claim";
    let held = connection.prepare_cached(sql)?.execute(named_params! {
        ":generation": claim.generation,
        ":now": millis(now),
        ":next": settlement.next.map(millis),
        ":unfinished": settlement.unfinished,
        ":undecided": settlement.undecided,
        ":settled_as": settlement.settled_as,
        ":project": column(claim.merge_request.project.get())?,
        ":iid": column(claim.merge_request.iid.get())?,
        ":claim": claim.number,
    })?;
    Ok(held == 1)
}

/// Hands a claim back undone.
pub(super) fn release(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE lane SET claim = NULL, due_at = :now, attempts = max(attempts - 1, 0)
               WHERE project_id = :project AND iid = :iid AND claim = :claim";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":now": millis(now),
        ":project": column(claim.merge_request.project.get())?,
        ":iid": column(claim.merge_request.iid.get())?,
        ":claim": claim.number,
    })?;
    Ok(())
}

pub(super) fn depth(connection: &Connection, now: Timestamp) -> Result<Depth, StoreError> {
    let sql = "SELECT count(*), min(waiting_since) FROM lane
               WHERE due_at IS NOT NULL AND (due_at <= ?1 OR claim IS NOT NULL OR waiting_since IS NOT NULL)";
    let (length, oldest): (i64, Option<i64>) =
        connection.prepare_cached(sql)?.query_row([millis(now)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Depth { length: id(length)?, oldest: oldest.map(timestamp).transpose()? })
}

#[cfg(test)]
mod tests {
    use super::super::hint::{Event, Hint};
    use super::super::intake::take;
    use super::*;

    const MIGRATION: &str = include_str!("migrations/0001.sql");

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn hint(byte: u8) -> Hint {
        Hint {
            merge_request: MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) },
            event: Event::MergeRequest,
            action: Some("update".to_owned()),
            status_check: None,
            check_name: None,
            sha: None,
            pusher: None,
            distrust: false,
            unsigned: false,
            digest: [byte; 32],
            idempotency_key: None,
        }
    }

    /// A database with one delivery and its claim, taken at second 0.
    fn claimed() -> (Connection, Claim) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATION).unwrap();
        take(&connection, &hint(1), at(0)).unwrap();
        let claim = claim(&connection, 1, at(0)).unwrap().remove(0);
        (connection, claim)
    }

    fn superseded(now: Timestamp) -> Settlement {
        Settlement { unfinished: true, next: Some(now), settled_as: "superseded", ..Settlement::default() }
    }

    #[test]
    fn an_answer_that_a_lost_lease_forbade_is_still_owed() {
        let (connection, late) = claimed();
        assert_eq!(prove(&connection, &late, at(61)).unwrap(), Recorded::Superseded);
        assert!(settle_lane(&connection, &late, &superseded(at(61)), at(61)).unwrap());
        let again = claim(&connection, 1, at(61)).unwrap();
        assert_eq!(again.len(), 1, "the delivery was taken, and nothing was said for it");
        assert_eq!((again[0].attempt, again[0].waiting_since), (2, Some(at(0))));
    }

    #[test]
    fn what_something_newer_superseded_runs_once_more_and_afresh() {
        let (connection, old) = claimed();
        take(&connection, &hint(2), at(1)).unwrap();
        assert_eq!(prove(&connection, &old, at(2)).unwrap(), Recorded::Superseded);
        assert!(settle_lane(&connection, &old, &superseded(at(2)), at(2)).unwrap());
        let again = claim(&connection, 5, at(2)).unwrap();
        assert_eq!((again.len(), again[0].attempt), (1, 1));
    }

    #[test]
    fn a_claim_at_work_keeps_its_lane_and_a_lost_one_can_not_take_it_back() {
        let (connection, claimed) = claimed();
        assert!(renew(&connection, &claimed, at(50)).unwrap());
        assert!(claim(&connection, 1, at(100)).unwrap().is_empty());
        assert!(!renew(&connection, &claimed, at(111)).unwrap(), "the lease ended at 110");
        let other = claim(&connection, 1, at(111)).unwrap().remove(0);
        assert!(!renew(&connection, &claimed, at(112)).unwrap());
        assert!(renew(&connection, &other, at(112)).unwrap());
        assert!(!settle_lane(&connection, &claimed, &superseded(at(112)), at(112)).unwrap());
    }
}
