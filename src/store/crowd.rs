//! Events that may concern many merge requests: how these are queued, a few at a time, until all of them are.
//!
//! Those that were being decided when it was begun come first: they may have read what is no longer true. Then those on which
//! a `passed` may show, then the others. Whatever changes its rank meanwhile was claimed after the beginning, and so has
//! looked since.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::companion::Companion;
use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

use super::column::{column, id, millis};
use super::error::StoreError;
use super::hint::Crowd;
use super::lane::LEASE;

/// Before every merge request.
const START: (i64, i64) = (-1, -1);
/// The stage of those that are being decided; below it stand the two ranks of lanes.
const CLAIMED: i64 = 2;
/// Whatever has an unserved delivery, or is to be looked at in any case, until the instant `?1`.
const IS_COVERED: &str = "claim IS NULL
    AND (coalesce(look_at <= ?1, 0) OR (generation > settled_generation AND coalesce(due_at <= ?1, 0)))";

/// A crowd under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrowdTurn {
    /// Which one.
    pub crowd: Crowd,
    begun: i64,
    stage: i64,
    after: (i64, i64),
}

/// One of a crowd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which merge request.
    pub merge_request: MergeRequestRef,
    /// Its project's path at the last look.
    pub project_path: Option<String>,
    /// Whether it is going to be looked at before the given instant in any case.
    pub is_covered: bool,
}

/// The crowd that waits longest for its turn.
pub(super) fn next(connection: &Connection) -> Result<Option<CrowdTurn>, StoreError> {
    let sql = "SELECT companion, project_id, target_branch, coalesce(begun, generation), stage, after_project, after_iid
               FROM crowd ORDER BY turn, generation LIMIT 1";
    let turn = connection.prepare_cached(sql)?.query_row([], |row| Ok(turn_of(row))).optional()?;
    turn.transpose()
}

fn turn_of(row: &Row<'_>) -> Result<CrowdTurn, StoreError> {
    let companion: String = row.get(0)?;
    let companion = Companion::parse(&companion)
        .ok_or_else(|| StoreError::Row(format!("`{companion}` is no event that may concern many")))?;
    let (project, branch): (i64, String) = (row.get(1)?, row.get(2)?);
    let project = if project == 0 { None } else { Some(ProjectId::new(id(project)?)) };
    let target_branch = Some(branch).filter(|branch| !branch.is_empty());
    Ok(CrowdTurn {
        crowd: Crowd { companion, project, target_branch },
        begun: row.get(3)?,
        stage: row.get(4)?,
        after: (row.get(5)?, row.get(6)?),
    })
}

/// The next members of a crowd, up to `limit`, and all at once of those that are being decided. None of them: its stage is
/// over. `before`: a look until then is soon enough.
pub(super) fn members(
    connection: &Connection,
    turn: &CrowdTurn,
    limit: usize,
    (now, before): (Timestamp, Timestamp),
) -> Result<Vec<Member>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let project = turn.crowd.project.map_or(Ok(0), |project| column(project.get()))?;
    let branch = turn.crowd.target_branch.as_deref().unwrap_or_default();
    if turn.stage == CLAIMED {
        // The look may find another target branch than the one before, and a delivery has told which. A lease that was renewed
        // since `now` was read ends later than one from there.
        let sql = "SELECT project_id, iid, project_path, 0 FROM lane
                   WHERE may_pass IN (0, 1) AND due_at > ?1 AND due_at <= ?2 AND claim IS NOT NULL AND is_open = 1
                     AND ?3 IN (0, project_id)
                     AND (?4 = '' OR coalesce(target_branch, told_target, ?4) = ?4 OR coalesce(told_target = ?4, 0))";
        return read(connection, sql, (millis(now), millis(now + 2 * LEASE), project, branch));
    }
    if turn.crowd.project.is_some() {
        let sql = format!(
            "SELECT project_id, iid, project_path, {IS_COVERED} FROM lane
             WHERE is_open = 1 AND may_pass = ?2 AND project_id = ?3 AND iid > ?4
               AND (?5 = '' OR coalesce(target_branch, told_target, ?5) = ?5)
             ORDER BY iid LIMIT ?6"
        );
        return read(connection, &sql, (millis(before), turn.stage, project, turn.after.1, branch, limit));
    }
    let sql = format!(
        "SELECT project_id, iid, project_path, {IS_COVERED} FROM lane
         WHERE is_open = 1 AND may_pass = ?2 AND (project_id, iid) > (?3, ?4)
         ORDER BY project_id, iid LIMIT ?5"
    );
    read(connection, &sql, (millis(before), turn.stage, turn.after.0, turn.after.1, limit))
}

fn read(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<Member>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        members.push(Member {
            merge_request: MergeRequestRef {
                project: ProjectId::new(id(row.get(0)?)?),
                iid: MergeRequestIid::new(id(row.get(1)?)?),
            },
            project_path: row.get(2)?,
            is_covered: row.get(3)?,
        });
    }
    Ok(members)
}

/// Asks for looks at some of a crowd, and notes how far it got: behind `last`, or at the end of its stage where there is
/// none. A crowd that is through is forgotten, unless it was asked for again since it was begun.
pub(super) fn advance(
    connection: &Connection,
    turn: &CrowdTurn,
    looks: &[(MergeRequestRef, Timestamp)],
    last: Option<MergeRequestRef>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let companion = turn.crowd.companion.as_str();
    // Who had nobody to ask for keeps its place.
    let had_turn = (!looks.is_empty()).then(|| millis(now));
    for (merge_request, at) in looks {
        let sql = "UPDATE lane SET
                       woken_by = ?4,
                       look_at = min(coalesce(look_at, ?3), ?3),
                       due_at = CASE WHEN claim IS NULL THEN min(coalesce(due_at, ?3), ?3) ELSE due_at END
                   WHERE project_id = ?1 AND iid = ?2 AND is_open = 1";
        let key = (column(merge_request.project.get())?, column(merge_request.iid.get())?);
        connection.prepare_cached(sql)?.execute((key.0, key.1, millis(*at), companion))?;
    }
    let project = turn.crowd.project.map_or(Ok(0), |project| column(project.get()))?;
    let branch = turn.crowd.target_branch.as_deref().unwrap_or_default();
    let (stage, after) = match last {
        Some(last) if turn.stage < CLAIMED => {
            (turn.stage, (column(last.project.get())?, column(last.iid.get())?))
        }
        Some(_) | None => (turn.stage - 1, START),
    };
    if stage < 0 {
        let sql = "DELETE FROM crowd
                   WHERE companion = ?1 AND project_id = ?2 AND target_branch = ?3 AND generation = ?4";
        let gone = connection.prepare_cached(sql)?.execute((companion, project, branch, turn.begun))?;
        if gone == 1 {
            return Ok(());
        }
        let sql = "UPDATE crowd SET begun = NULL, stage = ?4, after_project = ?5, after_iid = ?5, turn = coalesce(?6, turn)
                   WHERE companion = ?1 AND project_id = ?2 AND target_branch = ?3";
        connection.prepare_cached(sql)?.execute((
            companion,
            project,
            branch,
            CLAIMED,
            START.0,
            millis(now),
        ))?;
        return Ok(());
    }
    let sql = "UPDATE crowd SET begun = ?4, stage = ?5, after_project = ?6, after_iid = ?7, turn = coalesce(?8, turn)
               WHERE companion = ?1 AND project_id = ?2 AND target_branch = ?3";
    connection
        .prepare_cached(sql)?
        .execute((companion, project, branch, turn.begun, stage, after.0, after.1, had_turn))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::claiming::claim;
    use super::super::hint::{Hint, Proof, Taken};
    use super::super::intake::{take, take_crowd};
    use super::super::lane::{Settlement, settle};
    use super::super::memory::LastLook;
    use super::super::schema::empty_database;
    use super::*;
    use crate::merge_request::CommitSha;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn of(iid: u64) -> MergeRequestRef {
        MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(iid) }
    }

    fn push(branch: &str) -> Crowd {
        let target_branch = Some(branch.to_owned());
        Crowd { companion: Companion::Push, project: Some(ProjectId::new(7)), target_branch }
    }

    fn proof(key: &str) -> Proof {
        Proof { digest: [1; 32], idempotency_key: Some(key.to_owned()) }
    }

    /// A database with merge requests into these branches, all of them looked at.
    fn looked_at(branches: &[&str]) -> Connection {
        let connection = empty_database();
        for (iid, branch) in (1..).zip(branches) {
            take(&connection, &Hint::example(of(iid), 1), at(0)).unwrap();
            let claim = claim(&connection, 1, None, at(0)).unwrap().remove(0);
            let look = LastLook {
                project_path: "shop/pay".to_owned(),
                sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
                target_branch: (*branch).to_owned(),
                facts: None,
                unlisted: false,
                dropped: [].into(),
            };
            let settlement = Settlement { look: Some(look), ..Settlement::default() };
            settle(&connection, &claim, &settlement, at(0)).unwrap();
        }
        connection
    }

    /// Carries the crowd whose turn it is through all of its stages, with a look for each member; gives whom it found.
    fn carry(connection: &Connection, second: i64) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some(turn) = next(connection).unwrap() {
            let members = members(connection, &turn, 2, (at(second), at(second))).unwrap();
            let last = members.last().filter(|_| members.len() == 2).map(|member| member.merge_request);
            let looks: Vec<_> = members.iter().map(|member| (member.merge_request, at(second))).collect();
            found.extend(members.iter().map(|member| member.merge_request.iid.get()));
            advance(connection, &turn, &looks, last, at(second)).unwrap();
        }
        found
    }

    #[test]
    fn a_crowd_is_all_that_are_open_into_the_branch_each_once() {
        let connection = looked_at(&["main", "main", "other", "main", "main"]);
        assert_eq!(take_crowd(&connection, &[push("main")], &proof("one"), at(1)).unwrap(), Taken::New);
        assert_eq!(carry(&connection, 1), [1, 2, 4, 5]);
        let claims = claim(&connection, 9, None, at(1)).unwrap();
        assert!(claims.iter().all(|claim| claim.woken_by.as_deref() == Some("push")));
        assert_eq!(claims.len(), 4);
        assert_eq!(take_crowd(&connection, &[push("main")], &proof("one"), at(2)).unwrap(), Taken::Duplicate);
        assert_eq!(next(&connection).unwrap(), None);
    }

    #[test]
    fn the_same_event_before_the_begin_is_one_and_after_it_makes_one_more() {
        let connection = looked_at(&["main"; 4]);
        for key in ["one", "two"] {
            take_crowd(&connection, &[push("main")], &proof(key), at(1)).unwrap();
        }
        let begun = next(&connection).unwrap().unwrap();
        advance(&connection, &begun, &[], None, at(1)).unwrap();
        for key in ["three", "four"] {
            take_crowd(&connection, &[push("main")], &proof(key), at(1)).unwrap();
        }
        assert_eq!(carry(&connection, 1), [1, 2, 3, 4, 1, 2, 3, 4], "once to its end, and once more");
    }

    #[test]
    fn who_is_to_be_looked_at_in_any_case_is_covered_unless_somebody_is_at_it() {
        let connection = looked_at(&["main"; 3]);
        take_crowd(&connection, &[push("main")], &proof("one"), at(1)).unwrap();
        for iid in [1, 2] {
            take(&connection, &Hint::example(of(iid), 2), at(1)).unwrap();
        }
        let running = claim(&connection, 1, None, at(1)).unwrap().remove(0);
        assert_eq!(running.merge_request, of(1));
        let stage = |turn: &CrowdTurn| {
            let members = members(&connection, turn, 9, (at(1), at(1))).unwrap();
            members
                .iter()
                .map(|member| (member.merge_request.iid.get(), member.is_covered))
                .collect::<Vec<_>>()
        };
        let mut turn = next(&connection).unwrap().unwrap();
        assert_eq!(stage(&turn), [(1, false)], "it may have read before");
        turn.stage = 0;
        assert_eq!(stage(&turn), [(1, false), (2, true), (3, false)]);
    }

    #[test]
    fn one_that_is_being_retargeted_is_in_the_crowd_of_its_new_branch() {
        let connection = looked_at(&["main"]);
        let target_branch = Some("next".to_owned());
        let hint = Hint { target_branch, ..Hint::example(of(1), 2) };
        take(&connection, &hint, at(1)).unwrap();
        claim(&connection, 1, None, at(1)).unwrap();
        take_crowd(&connection, &[push("next")], &proof("one"), at(1)).unwrap();
        let turn = next(&connection).unwrap().unwrap();
        assert_eq!(members(&connection, &turn, 9, (at(1), at(1))).unwrap().len(), 1);
        take_crowd(&connection, &[push("third")], &proof("two"), at(1)).unwrap();
        let other = CrowdTurn { crowd: push("third"), ..turn };
        assert_eq!(members(&connection, &other, 9, (at(1), at(1))).unwrap(), []);
    }
}
