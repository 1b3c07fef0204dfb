//! Which lanes are claimed next: the longest due, withdrawals before grants, and projects in turn.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

use super::column::{id, millis, timestamp};
use super::error::StoreError;
use super::lane::{Claim, LEASE, Work};

/// By how much a lane on which a `passed` may show goes ahead of one on which nothing can be taken back: withdrawals go
/// before grants, and yet no grant waits for ever.
const HEAD_START: Duration = Duration::from_secs(300);
/// How many projects are looked at for those whose turn it is.
const MOST_GLANCES: usize = 100;

/// Claims up to `limit` due lanes: the longest due first, those that may have to withdraw with a head start. Where more are
/// due, half of the places go to the projects in turn, so that none waits behind all that is due in another. What was
/// due before `served_since` could not have been served, and counts as due since then.
pub(super) fn claim(
    connection: &Connection,
    limit: usize,
    served_since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Claim>, StoreError> {
    let (number, served): (i64, i64) = connection
        .prepare_cached("UPDATE claim_counter SET value = value + 1 RETURNING value, served_project")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let seniority = Seniority { served_since, now };
    let mut longest = seniority.longest_due(connection, limit)?;
    let mut claims = Vec::new();
    if longest.len() == limit {
        // Of a single place every other one.
        let parity = usize::from(number % 2 != 0);
        let in_turn = limit.midpoint(parity);
        let mut rota = Rota { served, seniority, glances: 0 };
        while claims.len() < in_turn
            && let Some(key) = rota.next(connection)?
        {
            claims.push(claim_one(connection, number, key, None, now)?);
        }
        // In any case: who looked at many projects in vain goes on behind them, or would look at the same again for ever.
        let sql = "UPDATE claim_counter SET served_project = ?1";
        connection.prepare_cached(sql)?.execute([rota.served])?;
        if !claims.is_empty() {
            longest = seniority.longest_due(connection, limit - claims.len())?;
        }
    }
    for key in longest {
        claims.push(claim_one(connection, number, key, None, now)?);
    }
    Ok(claims)
}

/// Claims up to `limit` lanes on which a `passed` may show and which time or other policies made due, for a recall: what else
/// they are due for stays due.
pub(super) fn claim_recalls(
    connection: &Connection,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Claim>, StoreError> {
    let sql = "SELECT project_id, iid FROM lane
               WHERE may_pass = 1 AND recall_at <= ?1 AND claim IS NULL ORDER BY recall_at LIMIT ?2";
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let due = statement.query_map((millis(now), most), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let due: Vec<Key> = due.collect::<Result<_, _>>()?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let number = connection
        .prepare_cached("UPDATE claim_counter SET value = value + 1 RETURNING value")?
        .query_row([], |row| row.get(0))?;
    due.into_iter().map(|key| claim_one(connection, number, key, Some(Work::Recall), now)).collect()
}

/// A lane's key in SQL.
type Key = (i64, i64);

/// Who is served before whom.
#[derive(Clone, Copy)]
struct Seniority {
    served_since: Option<Timestamp>,
    now: Timestamp,
}

impl Seniority {
    /// What is compared: the lower, the earlier.
    fn rank(self, may_pass: bool, due_at: i64) -> i64 {
        let due_at = self.served_since.map_or(due_at, |since| due_at.max(millis(since)));
        let head_start = if may_pass { HEAD_START } else { Duration::ZERO };
        due_at - i64::try_from(head_start.as_millis()).unwrap_or(0)
    }

    /// Up to `limit` due lanes, the longest due first.
    fn longest_due(self, connection: &Connection, limit: usize) -> Result<Vec<Key>, StoreError> {
        let sql = "SELECT due_at, project_id, iid FROM lane
                   WHERE may_pass = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3";
        let mut statement = connection.prepare_cached(sql)?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut due = Vec::new();
        for may_pass in [true, false] {
            let rows = statement.query_map((may_pass, millis(self.now), most), |row| {
                let due_at: i64 = row.get(0)?;
                Ok((self.rank(may_pass, due_at), due_at, (row.get(1)?, row.get(2)?)))
            })?;
            for row in rows {
                due.push(row?);
            }
        }
        due.sort_unstable();
        due.truncate(limit);
        Ok(due.into_iter().map(|(_, _, key)| key).collect())
    }

    /// The due lane of a project that is served first.
    fn first_of(self, connection: &Connection, project: i64) -> Result<Option<Key>, StoreError> {
        let sql = "SELECT due_at, iid FROM lane
                   WHERE project_id = ?1 AND may_pass = ?2 AND due_at <= ?3 ORDER BY due_at LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut first = None;
        for may_pass in [true, false] {
            let found = statement
                .query_row((project, may_pass, millis(self.now)), |row| {
                    Ok((self.rank(may_pass, row.get(0)?), row.get(1)?))
                })
                .optional()?;
            first = match (first, found) {
                (Some(one), Some(other)) => Some(std::cmp::min::<(i64, i64)>(one, other)),
                (one, other) => one.or(other),
            };
        }
        Ok(first.map(|(_, iid)| (project, iid)))
    }
}

/// The projects in turn.
struct Rota {
    served: i64,
    seniority: Seniority,
    /// How many projects were looked at.
    glances: usize,
}

impl Rota {
    /// The first lane of the next project in which any is due; none where that would take many looks.
    fn next(&mut self, connection: &Connection) -> Result<Option<Key>, StoreError> {
        let sql = "SELECT project_id FROM lane WHERE due_at IS NOT NULL AND project_id > ?1
                   ORDER BY project_id LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        while self.glances < MOST_GLANCES {
            self.glances += 1;
            let next = statement.query_row([self.served], |row| row.get(0)).optional()?;
            // After the last one comes the first.
            self.served = next.unwrap_or(0);
            if next.is_none() {
                continue;
            }
            if let Some(key) = self.seniority.first_of(connection, self.served)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}

fn claim_one(
    connection: &Connection,
    number: i64,
    (project, iid): (i64, i64),
    work: Option<Work>,
    now: Timestamp,
) -> Result<Claim, StoreError> {
    // A recall leaves a later look to its time; a look makes every recall needless, for it decides anew. A sweep leaves
    // everything to its time: it may yet be put off.
    // What a claim that was lost had in its hands is not known: everything is looked at.
    let sql =
        "SELECT project_id, iid, generation, attempts + 1, doubted OR claim IS NOT NULL, undecided_since,
                      waiting_since,
                      CASE WHEN claim IS NOT NULL OR generation > settled_generation
                                OR coalesce(look_at <= ?3, false) THEN 0
                           WHEN coalesce(recall_at <= ?3, false) THEN 1
                           WHEN coalesce(sweep_at <= ?3, false) THEN 2 ELSE 0 END, woken_by,
                      generation > settled_generation, look_at IS NOT NULL
               FROM lane WHERE project_id = ?1 AND iid = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let key = (project, iid, millis(now));
    let claim = statement.query_row(key, |row| Ok(claim_of(row, number, work)))??;
    let sql = match claim.work {
        Work::Look => {
            "UPDATE lane SET claim = ?3, due_at = ?4, attempts = attempts + 1, look_at = NULL, recall_at = NULL,
                             doubted = 0, woken_by = NULL
             WHERE project_id = ?1 AND iid = ?2"
        }
        Work::Recall => {
            "UPDATE lane SET claim = ?3, due_at = ?4, attempts = attempts + 1, recall_at = NULL
             WHERE project_id = ?1 AND iid = ?2"
        }
        Work::Sweep => {
            "UPDATE lane SET claim = ?3, due_at = ?4, attempts = attempts + 1, sweep_at = NULL
             WHERE project_id = ?1 AND iid = ?2"
        }
    };
    connection.prepare_cached(sql)?.execute((project, iid, number, millis(now + LEASE)))?;
    Ok(claim)
}

/// `work`: what is done if it is not all that is due.
fn claim_of(row: &Row<'_>, number: i64, work: Option<Work>) -> Result<Claim, StoreError> {
    let time = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        row.get::<_, Option<i64>>(index)?.map(timestamp).transpose()
    };
    let due = match row.get::<_, i64>(7)? {
        1 => Work::Recall,
        2 => Work::Sweep,
        _ => Work::Look,
    };
    let work = work.unwrap_or(due);
    Ok(Claim {
        merge_request: MergeRequestRef {
            project: ProjectId::new(id(row.get(0)?)?),
            iid: MergeRequestIid::new(id(row.get(1)?)?),
        },
        generation: row.get(2)?,
        work,
        leaves_delivery: work == Work::Recall && row.get(9)?,
        look_owed: work == Work::Recall && (row.get(9)? || row.get(10)?),
        attempt: row.get(3)?,
        distrust: row.get::<_, bool>(4)? || work == Work::Sweep,
        undecided_since: time(5)?,
        waiting_since: time(6)?,
        // What asked for a look is none of the others' business.
        woken_by: row.get::<_, Option<String>>(8)?.filter(|_| work == Work::Look),
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::super::hint::Hint;
    use super::super::intake::take;
    use super::super::lane::{Settlement, next_due, release, settle};
    use super::super::schema::empty_database;
    use super::super::status::{KnownStatus, Shown};
    use super::*;
    use crate::merge_request::{CheckName, CommitSha, StatusCheckId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn of(iid: u64) -> MergeRequestRef {
        of_project(7, iid)
    }

    fn hint(iid: u64, byte: u8) -> Hint {
        Hint::example(of(iid), byte)
    }

    fn shows(shown: Shown) -> KnownStatus {
        KnownStatus {
            sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
            check: StatusCheckId::new(3),
            name: CheckName::default(),
            title: String::new(),
            target_branch: "main".to_owned(),
            shown: Some(shown),
            confirm_at: None,
            written: Some(shown),
            pending: None,
        }
    }

    #[test]
    fn a_lane_that_may_have_to_withdraw_is_claimed_before_older_ones() {
        let connection = empty_database();
        take(&connection, &hint(1, 1), at(0)).unwrap();
        let passed = claim(&connection, 1, None, at(0)).unwrap().remove(0);
        let settlement = Settlement { statuses: vec![shows(Shown::Passed)], ..Settlement::default() };
        settle(&connection, &passed, &settlement, at(0)).unwrap();
        for (iid, second) in [(2, 1), (3, 2), (1, 3)] {
            take(&connection, &hint(iid, 9), at(second)).unwrap();
        }
        let claims = claim(&connection, 2, None, at(4)).unwrap();
        assert_eq!([claims[0].merge_request, claims[1].merge_request], [of(1), of(2)]);
        assert_eq!(next_due(&connection).unwrap(), Some(at(2)), "the third one still waits");
        // And yet no grant waits for ever.
        let settlement = Settlement { look_at: Some(at(303)), ..settlement };
        settle(&connection, &claims[0], &settlement, at(4)).unwrap();
        assert_eq!(claim(&connection, 1, None, at(303)).unwrap()[0].merge_request, of(3), "301 s longer due");
    }

    fn of_project(project: u64, iid: u64) -> MergeRequestRef {
        MergeRequestRef { project: ProjectId::new(project), iid: MergeRequestIid::new(iid) }
    }

    #[test]
    fn a_busy_project_keeps_no_other_from_its_turn() {
        let connection = empty_database();
        for iid in 1..=50 {
            take(&connection, &Hint::example(of_project(7, iid), 1), at(0)).unwrap();
        }
        for project in [3, 8, 9] {
            take(&connection, &Hint::example(of_project(project, 1), 1), at(1)).unwrap();
        }
        let mut claimed = Vec::new();
        for _ in 0..4 {
            let claims = claim(&connection, 4, None, at(2)).unwrap();
            assert_eq!(claims.len(), 4);
            claimed.extend(claims.into_iter().map(|claim| claim.merge_request));
        }
        for project in [3, 8, 9] {
            assert!(claimed[..8].contains(&of_project(project, 1)), "{project}: {claimed:?}");
        }
        // Place by place it is the same, and what is left is served in its order.
        let one = |second| claim(&connection, 1, None, at(second)).unwrap()[0].merge_request;
        take(&connection, &Hint::example(of_project(9, 2), 1), at(2)).unwrap();
        assert!([one(2), one(2)].contains(&of_project(9, 2)));
    }

    #[test]
    fn after_an_outage_withdrawals_go_first_however_long_others_were_due() {
        let connection = empty_database();
        take(&connection, &hint(1, 1), at(0)).unwrap();
        let passed = claim(&connection, 1, None, at(0)).unwrap().remove(0);
        let settlement = Settlement {
            statuses: vec![shows(Shown::Passed)],
            look_at: Some(at(7200)),
            ..Settlement::default()
        };
        settle(&connection, &passed, &settlement, at(0)).unwrap();
        take(&connection, &hint(2, 1), at(1)).unwrap();
        let first = |back, second| {
            let claim = claim(&connection, 1, back, at(second)).unwrap().remove(0);
            release(&connection, &claim, at(second)).unwrap();
            claim.merge_request
        };
        assert_eq!(first(Some(at(7200)), 7201), of(1), "GitLab is back since 7200");
        let connection = &connection;
        connection
            .execute("UPDATE lane SET due_at = CASE iid WHEN 1 THEN 1700007200000 ELSE 1700000001000 END", ())
            .unwrap();
        assert_eq!(first(None, 7201), of(2), "it waited for two hours");
    }
}
