//! A lane's life in SQL: claimed, proven, settled. Its key is the merge request.
//!
//! INVARIANT: at most one live claim per lane, so answers of one merge request can't overtake each other. A claim is
//! visible again when its lease ends, and every write of a claim proves that it still holds the lane.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, named_params};

use crate::merge_request::{CheckName, MergeRequestRef};

use super::column::{column, id, millis, timestamp};
use super::decisions::{self, NewDecision};
use super::error::StoreError;
use super::memory::{LastLook, Observations, observe};
use super::mirror::{self, KnownMirror};
use super::revision;
use super::status::{self, KnownStatus};

/// How long a claim holds its lane without a sign of life. It must outlast the client's whole timeout for one answer.
pub const LEASE: Duration = Duration::from_secs(60);

/// What a claim is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Something may have changed: ask GitLab.
    Look,
    /// Only time or the policies changed: decide from what is remembered.
    Recall,
    /// Nobody told of anything: ask GitLab, what shows included, within the budget of calls that nobody waits for.
    Sweep,
}

/// The right to decide one merge request. It ends with [`super::Queue::settle`] or [`super::Queue::release`]; a claim that is merely
/// dropped comes back when its lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose lane.
    pub merge_request: MergeRequestRef,
    /// The newest delivery at the time of the claim.
    pub generation: i64,
    /// What to do.
    pub work: Work,
    /// Whether a delivery waits for a look that is not what is to be done: it goes on waiting.
    pub leaves_delivery: bool,
    /// Whether a look comes in any case, now or later.
    pub look_owed: bool,
    /// Which try this is since the last settlement, from 1.
    pub attempt: u32,
    /// Whether what GitLab shows must be read again.
    pub distrust: bool,
    /// Since when no verdict could be had.
    pub undecided_since: Option<Timestamp>,
    /// When the oldest delivery that is not yet served was taken; none when no delivery woke the lane.
    pub waiting_since: Option<Timestamp>,
    /// The event of many merge requests that asked for the look, if one did.
    pub woken_by: Option<String>,
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
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct Settlement {
    /// Decisions that were not recorded before because they had nothing to say to GitLab.
    pub decisions: Vec<NewDecision>,
    /// What the evaluation saw, unless it was recorded before.
    pub observations: Observations,
    /// What GitLab shows from now on, as far as it is known.
    pub statuses: Vec<KnownStatus>,
    /// What the other ways of answering say from now on, those of which anything was learned.
    pub mirrors: Vec<KnownMirror>,
    /// What was said and replied, by decision.
    pub answers: Vec<decisions::NewAnswer>,
    /// What the look saw, if there was one and it got so far.
    pub look: Option<LastLook>,
    /// When the merge request said that it changed last, if it was looked at.
    pub updated_at: Option<Timestamp>,
    /// Whether `statuses` is all that GitLab lists of ours for the head that the look saw.
    pub all_listed: bool,
    /// The revision of the policies by which all checks of the merge request were decided.
    pub revision: Option<String>,
    /// The merge request can't be merged any more, or is none of ours: only an event brings it back.
    pub ended: bool,
    /// Whether the lane must run again because this run did not finish its work.
    pub unfinished: bool,
    /// When to ask GitLab again though nothing new comes.
    pub look_at: Option<Timestamp>,
    /// When to decide again from what is remembered.
    pub recall_at: Option<Timestamp>,
    /// Whether the verdict could not be had.
    pub undecided: bool,
    /// How it ended, in a word, for people who look into the table.
    pub settled_as: &'static str,
}

impl Claim {
    /// A claim that holds no lane: who has it may look and weigh, and whatever it writes counts for nothing.
    pub fn of_nobody(merge_request: MergeRequestRef) -> Self {
        Self {
            merge_request,
            generation: 0,
            work: Work::Sweep,
            attempt: 1,
            distrust: true,
            undecided_since: None,
            waiting_since: None,
            woken_by: None,
            leaves_delivery: false,
            look_owed: false,
            // INVARIANT: numbers of claims begin at 1.
            number: 0,
        }
    }
}

impl Settlement {
    /// Asks GitLab again at an instant, or earlier.
    pub fn look_by(&mut self, at: Timestamp) {
        self.look_at = Some(self.look_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Decides again from memory at an instant, or earlier.
    pub fn recall_by(&mut self, at: Timestamp) {
        self.recall_at = Some(self.recall_at.map_or(at, |earlier| earlier.min(at)));
    }
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
    let sql =
        "UPDATE lane SET claim = NULL, due_at = :now, look_at = :now, doubted = 1 WHERE claim IS NOT NULL";
    connection.execute(sql, named_params! { ":now": millis(now) })?;
    Ok(connection.query_row("SELECT value FROM claim_counter", [], |row| row.get(0))?)
}

/// When the next lane is due, if any ever is.
pub(super) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    // One search in the index for each half of it: one query over both would read all of it.
    let sql = "SELECT min(due_at) FROM (SELECT min(due_at) AS due_at FROM lane WHERE may_pass = 1 AND due_at IS NOT NULL
               UNION ALL SELECT min(due_at) FROM lane WHERE may_pass = 0 AND due_at IS NOT NULL)";
    let due: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    due.map(timestamp).transpose()
}

/// How many lanes are due and not claimed, counted up to a limit.
pub(super) fn due_now(connection: &Connection, limit: usize, now: Timestamp) -> Result<usize, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM (SELECT 1 FROM lane WHERE may_pass = 1 AND due_at <= ?1 LIMIT ?2)
               UNION ALL SELECT 1 FROM (SELECT 1 FROM lane WHERE may_pass = 0 AND due_at <= ?1 LIMIT ?2) LIMIT ?2)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let due: i64 = connection.prepare_cached(sql)?.query_row((millis(now), limit), |row| row.get(0))?;
    usize::try_from(due).map_err(|_| StoreError::Row(format!("{due} lanes are due")))
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
    let held = settle_lane(connection, claim, settlement, now)?;
    keep_answers(connection, claim, settlement, held, now)?;
    if let (true, true, Some(look)) = (held, settlement.all_listed, &settlement.look) {
        let listed: Vec<_> = settlement.statuses.iter().map(|known| known.check).collect();
        status::forget_others(connection, claim.merge_request, &look.sha, &listed)?;
    }
    rank(connection, claim.merge_request)
}

/// Writes down what a claim said while it goes on.
pub(super) fn note(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<(), StoreError> {
    let held = renew(connection, claim, now)?;
    keep_answers(connection, claim, settlement, held, now)?;
    rank(connection, claim.merge_request)
}

/// What was said, and what shows since.
fn keep_answers(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    held: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    for answer in &settlement.answers {
        decisions::insert_answer(connection, answer)?;
    }
    for known in &settlement.statuses {
        // A claim that lost its lane may have been overtaken: what it believes to show is not known.
        let write = if held { status::remember } else { status::leave_open };
        write(connection, claim.merge_request, known, claim.number, now)?;
    }
    for known in &settlement.mirrors {
        let write = if held { mirror::remember } else { mirror::leave_open };
        write(connection, claim.merge_request, known, claim.number, now)?;
    }
    Ok(())
}

/// Whether the claim still held its lane. What was asked for while it ran stays asked for.
fn settle_lane(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE lane SET
                   claim = NULL, is_open = NOT :ended,
                   look_at = CASE WHEN NOT :ended THEN coalesce(min(look_at, :look_at), look_at, :look_at) END,
                   recall_at = CASE WHEN NOT :ended
                                    THEN coalesce(min(recall_at, :recall_at), recall_at, :recall_at) END,
                   doubted = max(doubted, :unfinished AND :distrust),
                   settled_generation = CASE WHEN :unserved THEN settled_generation ELSE :generation END,
                   waiting_since = CASE WHEN :unserved THEN waiting_since
                                        WHEN generation > :generation THEN :now END,
                   attempts = CASE WHEN :unfinished AND generation = :generation THEN attempts ELSE 0 END,
                   undecided_since = CASE WHEN :undecided THEN coalesce(undecided_since, :now)
                                          WHEN :unfinished THEN undecided_since END,
                   sweep_at = CASE WHEN NOT :ended THEN sweep_at END,
                   updated_at = CASE WHEN :unfinished THEN updated_at ELSE coalesce(:updated_at, updated_at) END,
                   settled_as = :settled_as
               WHERE project_id = :project AND iid = :iid AND claim = :claim";
    let held = connection.prepare_cached(sql)?.execute(named_params! {
        ":generation": claim.generation,
        ":now": millis(now),
        ":look_at": settlement.look_at.map(millis),
        ":recall_at": settlement.recall_at.map(millis),
        ":distrust": claim.distrust,
        ":unfinished": settlement.unfinished,
        ":unserved": settlement.unfinished || claim.leaves_delivery,
        ":updated_at": settlement.updated_at.map(millis),
        ":undecided": settlement.undecided,
        ":ended": settlement.ended,
        ":settled_as": settlement.settled_as,
        ":project": column(claim.merge_request.project.get())?,
        ":iid": column(claim.merge_request.iid.get())?,
        ":claim": claim.number,
    })?;
    if held == 0 {
        return Ok(false);
    }
    let key = (column(claim.merge_request.project.get())?, column(claim.merge_request.iid.get())?);
    make_due(connection, key, claim.generation, now)?;
    if let Some(LastLook { project_path, sha, target_branch, facts, unlisted, dropped }) = &settlement.look {
        let sql =
            "UPDATE lane SET sha = ?3, target_branch = ?4, facts = ?5, facts_format = ?6, unlisted = ?7,
                                   dropped = ?8, project_path = ?9
                   WHERE project_id = ?1 AND iid = ?2";
        let (digest, format) = facts.unzip();
        let dropped: Vec<_> = dropped.iter().map(CheckName::as_str).collect();
        connection.prepare_cached(sql)?.execute((
            key.0,
            key.1,
            sha.as_str(),
            target_branch,
            digest,
            format,
            unlisted,
            dropped.join(","),
            project_path,
        ))?;
    }
    if let Some(revision) = &settlement.revision {
        revision::decided(connection, key, revision, settlement.look.is_some())?;
    }
    Ok(true)
}

/// A lane that nobody holds is due at the earliest of what it waits for, at once if something came meanwhile.
fn make_due(
    connection: &Connection,
    key: (i64, i64),
    served: i64,
    now: Timestamp,
) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE lane SET due_at = CASE WHEN generation > ?3 THEN ?4 ELSE nullif(min(
                   coalesce(look_at, ?5), coalesce(recall_at, ?5), coalesce(sweep_at, ?5)), ?5) END
               WHERE project_id = ?1 AND iid = ?2";
    connection.prepare_cached(sql)?.execute((key.0, key.1, served, millis(now), i64::MAX))?;
    Ok(())
}

/// Puts a sweep's claim off to an instant: whatever else the lane waits for stays as it was.
pub(super) fn put_off(
    connection: &Connection,
    claim: &Claim,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = (column(claim.merge_request.project.get())?, column(claim.merge_request.iid.get())?);
    let sql = "UPDATE lane SET claim = NULL, attempts = max(attempts - 1, 0),
                               sweep_at = coalesce(min(sweep_at, ?4), ?4)
               WHERE project_id = ?1 AND iid = ?2 AND claim = ?3";
    if connection.prepare_cached(sql)?.execute((key.0, key.1, claim.number, millis(until)))? == 1 {
        make_due(connection, key, claim.generation, now)?;
    }
    Ok(())
}

/// Puts a lane among those that are served first if a `passed` may show on its head.
fn rank(connection: &Connection, merge_request: MergeRequestRef) -> Result<(), StoreError> {
    let sql = "UPDATE lane SET may_pass = EXISTS
                   (SELECT 1 FROM status WHERE status.project_id = lane.project_id AND status.iid = lane.iid
                       AND status.sha = coalesce(lane.sha, status.sha) AND (shown IS NULL OR shown = 'passed'))
                   OR EXISTS
                   (SELECT 1 FROM mirror WHERE mirror.project_id = lane.project_id AND mirror.iid = lane.iid
                       AND mirror.sha IN ('', coalesce(lane.sha, mirror.sha)) AND mirror.may_pass)
               WHERE project_id = ?1 AND iid = ?2";
    let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?);
    connection.prepare_cached(sql)?.execute(key)?;
    Ok(())
}

/// Hands a claim back undone.
pub(super) fn release(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE lane SET claim = NULL, due_at = :now, attempts = max(attempts - 1, 0),
                               doubted = max(doubted, :distrust), woken_by = coalesce(woken_by, :woken_by),
                               recall_at = CASE WHEN :recall THEN :now ELSE recall_at END,
                               sweep_at = CASE WHEN :sweep THEN :now ELSE sweep_at END,
                               look_at = CASE WHEN :recall OR :sweep THEN look_at ELSE :now END
               WHERE project_id = :project AND iid = :iid AND claim = :claim";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":now": millis(now),
        // A sweep reads the list in any case.
        ":distrust": claim.distrust && claim.work != Work::Sweep,
        ":woken_by": claim.woken_by,
        ":recall": claim.work == Work::Recall,
        ":sweep": claim.work == Work::Sweep,
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
    use super::super::claiming::claim;
    use super::super::hint::Hint;
    use super::super::intake::take;
    use super::super::schema::empty_database;
    use super::super::sweep;
    use super::*;
    use crate::merge_request::{MergeRequestIid, ProjectId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn of(iid: u64) -> MergeRequestRef {
        MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(iid) }
    }

    fn hint(iid: u64, byte: u8) -> Hint {
        Hint::example(of(iid), byte)
    }

    /// A database with one delivery and its claim, taken at second 0.
    fn claimed() -> (Connection, Claim) {
        let connection = empty_database();
        take(&connection, &hint(1, 1), at(0)).unwrap();
        let claim = claim(&connection, 1, None, at(0)).unwrap().remove(0);
        (connection, claim)
    }

    fn superseded(now: Timestamp) -> Settlement {
        Settlement { unfinished: true, look_at: Some(now), settled_as: "superseded", ..Settlement::default() }
    }

    #[test]
    fn an_answer_that_a_lost_lease_forbade_is_still_owed() {
        let (connection, late) = claimed();
        assert_eq!(prove(&connection, &late, at(61)).unwrap(), Recorded::Superseded);
        assert!(settle_lane(&connection, &late, &superseded(at(61)), at(61)).unwrap());
        let again = claim(&connection, 1, None, at(61)).unwrap();
        assert_eq!(again.len(), 1, "the delivery was taken, and nothing was said for it");
        assert_eq!((again[0].attempt, again[0].waiting_since), (2, Some(at(0))));
    }

    #[test]
    fn what_something_newer_superseded_runs_once_more_and_afresh() {
        let (connection, old) = claimed();
        take(&connection, &hint(1, 2), at(1)).unwrap();
        assert_eq!(prove(&connection, &old, at(2)).unwrap(), Recorded::Superseded);
        assert!(settle_lane(&connection, &old, &superseded(at(2)), at(2)).unwrap());
        let again = claim(&connection, 5, None, at(2)).unwrap();
        assert_eq!((again.len(), again[0].attempt), (1, 1));
    }

    #[test]
    fn a_claim_at_work_keeps_its_lane_and_a_lost_one_can_not_take_it_back() {
        let (connection, claimed) = claimed();
        assert!(renew(&connection, &claimed, at(50)).unwrap());
        assert!(claim(&connection, 1, None, at(100)).unwrap().is_empty());
        assert!(!renew(&connection, &claimed, at(111)).unwrap(), "the lease ended at 110");
        let other = claim(&connection, 1, None, at(111)).unwrap().remove(0);
        assert!(!renew(&connection, &claimed, at(112)).unwrap());
        assert!(renew(&connection, &other, at(112)).unwrap());
        assert!(!settle_lane(&connection, &claimed, &superseded(at(112)), at(112)).unwrap());
    }

    #[test]
    fn a_recall_leaves_a_later_look_alone_and_a_look_makes_recalls_needless() {
        let (connection, first) = claimed();
        let settlement =
            Settlement { look_at: Some(at(100)), recall_at: Some(at(50)), ..Settlement::default() };
        settle(&connection, &first, &settlement, at(1)).unwrap();
        assert!(claim(&connection, 1, None, at(49)).unwrap().is_empty());
        let recall = claim(&connection, 1, None, at(50)).unwrap().remove(0);
        assert_eq!(recall.work, Work::Recall);
        settle(&connection, &recall, &Settlement::default(), at(51)).unwrap();
        let look = claim(&connection, 1, None, at(100)).unwrap().remove(0);
        assert_eq!(look.work, Work::Look);
        let settlement = Settlement { recall_at: Some(at(200)), ..Settlement::default() };
        settle(&connection, &look, &settlement, at(101)).unwrap();
        take(&connection, &hint(1, 2), at(200)).unwrap();
        let look = claim(&connection, 1, None, at(200)).unwrap().remove(0);
        assert_eq!(look.work, Work::Look, "a delivery outranks time");
        settle(&connection, &look, &Settlement::default(), at(201)).unwrap();
        assert_eq!(next_due(&connection).unwrap(), None);
    }

    #[test]
    fn what_is_asked_for_while_a_claim_runs_makes_one_more_run() {
        let (connection, running) = claimed();
        sweep::ask(&connection, of(1), at(1)).unwrap();
        settle(&connection, &running, &Settlement::default(), at(2)).unwrap();
        let again = claim(&connection, 1, None, at(2)).unwrap().remove(0);
        assert_eq!((again.work, again.distrust), (Work::Sweep, true));
        settle(&connection, &again, &Settlement::default(), at(3)).unwrap();
        assert_eq!(next_due(&connection).unwrap(), None);
    }

    #[test]
    fn a_sweep_goes_after_everything_else_and_leaves_it_to_its_time() {
        let (connection, first) = claimed();
        let settlement =
            Settlement { look_at: Some(at(100)), recall_at: Some(at(50)), ..Settlement::default() };
        settle(&connection, &first, &settlement, at(1)).unwrap();
        sweep::ask(&connection, of(1), at(20)).unwrap();
        sweep::ask(&connection, of(1), at(10)).unwrap();
        sweep::ask(&connection, of(1), at(30)).unwrap();
        assert_eq!(next_due(&connection).unwrap(), Some(at(10)), "the earliest asking counts");
        let swept = claim(&connection, 1, None, at(10)).unwrap().remove(0);
        assert_eq!(swept.work, Work::Sweep);
        put_off(&connection, &swept, at(60), at(10)).unwrap();
        assert_eq!(next_due(&connection).unwrap(), Some(at(50)));
        let recall = claim(&connection, 1, None, at(60)).unwrap().remove(0);
        assert_eq!((recall.work, recall.attempt), (Work::Recall, 1));
        settle(&connection, &recall, &Settlement::default(), at(60)).unwrap();
        let swept = claim(&connection, 1, None, at(60)).unwrap().remove(0);
        assert_eq!(swept.work, Work::Sweep);
        release(&connection, &swept, at(61)).unwrap();
        take(&connection, &hint(1, 2), at(61)).unwrap();
        let look = claim(&connection, 1, None, at(61)).unwrap().remove(0);
        assert_eq!(look.work, Work::Look, "a delivery outranks a sweep");
        settle(&connection, &look, &Settlement { ended: true, ..Settlement::default() }, at(62)).unwrap();
        assert_eq!(next_due(&connection).unwrap(), None, "nothing is swept that has ended");
    }

    #[test]
    fn what_a_sweep_finds_ended_has_no_later_moment_that_could_say_anything() {
        let (connection, first) = claimed();
        let settlement =
            Settlement { look_at: Some(at(100)), recall_at: Some(at(50)), ..Settlement::default() };
        settle(&connection, &first, &settlement, at(1)).unwrap();
        sweep::ask(&connection, of(1), at(10)).unwrap();
        let swept = claim(&connection, 1, None, at(10)).unwrap().remove(0);
        assert_eq!(swept.work, Work::Sweep);
        settle(&connection, &swept, &Settlement { ended: true, ..Settlement::default() }, at(11)).unwrap();
        assert_eq!(next_due(&connection).unwrap(), None);
        // It was reopened, and somebody told.
        take(&connection, &hint(1, 2), at(20)).unwrap();
        assert_eq!(claim(&connection, 1, None, at(20)).unwrap()[0].work, Work::Look);
    }

    #[test]
    fn a_recall_that_a_crash_cut_off_becomes_a_look() {
        let (connection, first) = claimed();
        let settlement = Settlement { recall_at: Some(at(50)), ..Settlement::default() };
        settle(&connection, &first, &settlement, at(1)).unwrap();
        assert_eq!(claim(&connection, 1, None, at(50)).unwrap()[0].work, Work::Recall);
        void_leases(&connection, at(60)).unwrap();
        assert_eq!(claim(&connection, 1, None, at(60)).unwrap()[0].work, Work::Look);
    }
}
