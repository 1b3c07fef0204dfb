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
        // Whatever its target branch was at the look before: this look may find another.
        let sql = "SELECT project_id, iid, project_path, 0 FROM lane
                   WHERE may_pass IN (0, 1) AND due_at > ?1 AND due_at <= ?2 AND claim IS NOT NULL AND is_open = 1
                     AND ?3 IN (0, project_id)";
        return read(connection, sql, (millis(now), millis(now + LEASE), project));
    }
    // Covered is whatever has an unserved delivery, or is to be looked at in any case.
    if turn.crowd.project.is_some() {
        let sql = "SELECT project_id, iid, project_path, claim IS NULL
                          AND (coalesce(look_at <= ?1, 0) OR (generation > settled_generation AND coalesce(due_at <= ?1, 0)))
                   FROM lane
                   WHERE is_open = 1 AND may_pass = ?2 AND project_id = ?3 AND iid > ?4
                     AND (?5 = '' OR coalesce(target_branch = ?5, 1))
                   ORDER BY iid LIMIT ?6";
        return read(connection, sql, (millis(before), turn.stage, project, turn.after.1, branch, limit));
    }
    let sql = "SELECT project_id, iid, project_path, claim IS NULL
                      AND (coalesce(look_at <= ?1, 0) OR (generation > settled_generation AND coalesce(due_at <= ?1, 0)))
               FROM lane
               WHERE is_open = 1 AND may_pass = ?2 AND (project_id, iid) > (?3, ?4)
               ORDER BY project_id, iid LIMIT ?5";
    read(connection, sql, (millis(before), turn.stage, turn.after.0, turn.after.1, limit))
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
