//! What is remembered of a merge request between two evaluations.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, StatusCheckId, UserId, VersionId};

use super::column::{column, id, millis, timestamp};
use super::error::StoreError;
use super::mirror::{self, KnownMirror};
use super::revision;
use super::status::{self, KnownStatus};

/// What this service remembers of a merge request.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// What GitLab shows, per SHA and check.
    pub statuses: Vec<KnownStatus>,
    /// What the other ways of answering said.
    pub mirrors: Vec<KnownMirror>,
    /// Users seen pushing.
    pub pushers: Vec<UserId>,
    /// Target branch by the version first seen under it.
    pub version_targets: BTreeMap<VersionId, String>,
    /// Approvals seen, and not before when each was given.
    pub approvals: BTreeMap<UserId, Option<Timestamp>>,
    /// When approvals were read last, on GitLab's clock.
    pub approvals_read_at: Option<Timestamp>,
    /// The newest delivery.
    pub newest_delivery: Option<NewestDelivery>,
    /// The checks that GitLab asked since the last settlement.
    pub asked: Vec<Asked>,
    /// Whether anything was ever heard of its project: a sweep reaches others, too.
    pub is_project_heard: bool,
    /// Whether it was reopened since it was last looked at: what it was closed with may show again.
    pub reopened: bool,
    /// The last look and what came of it; none before the first that got so far.
    pub last: Option<LastDecision>,
}

/// What a look saw, for the lane to be decided again without another.
#[derive(Debug, Clone)]
pub struct LastLook {
    /// The project's path.
    pub project_path: String,
    /// The head.
    pub sha: CommitSha,
    /// The target branch.
    pub target_branch: String,
    /// The digest of the facts, which a decision brought into the store, and the version of their form.
    pub facts: Option<([u8; 32], u32)>,
    /// Whether GitLab has no external status checks, so that it was decided as the default check.
    pub unlisted: bool,
    /// The checks that GitLab listed for this head and target branch before, and not any more.
    pub dropped: BTreeSet<CheckName>,
}

/// How the lane was left by the last look.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct LastDecision {
    /// What it saw.
    pub look: LastLook,
    /// Whether it could be merged then.
    pub is_open: bool,
    /// The revision of the policies that decided it.
    pub revision: Option<String>,
    /// Whether no other one came since, not even one that is gone again.
    pub is_newest: bool,
    /// Whether GitLab was asked under the newest policies, and not only what was remembered.
    pub is_looked_at: bool,
    /// Whether no others were in force between those of the look and those of today. Where there were, nobody watched over
    /// what they did not read.
    pub is_watched: bool,
}

/// What the newest delivery said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestDelivery {
    /// See [`super::Event::as_str`].
    pub event: String,
    /// GitLab's `action`; none on a Retry.
    pub action: Option<String>,
    /// The head that it named.
    pub sha: Option<CommitSha>,
}

/// A check that GitLab asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub check: StatusCheckId,
    /// Our name for it by the URL that GitLab had for it then.
    pub name: Option<CheckName>,
    /// The head for which somebody pressed Retry.
    pub retried: Option<CommitSha>,
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

pub(super) fn observe(
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

pub(super) fn memory(
    connection: &Connection,
    merge_request: MergeRequestRef,
    claims_before: i64,
) -> Result<Memory, StoreError> {
    let project = column(merge_request.project.get())?;
    let iid = column(merge_request.iid.get())?;
    let key = (project, iid);
    let mut memory = Memory {
        statuses: status::of(connection, merge_request, claims_before)?,
        mirrors: mirror::of(connection, merge_request, claims_before)?,
        newest_delivery: newest_delivery(connection, key)?,
        asked: asked(connection, key)?,
        is_project_heard: connection
            .prepare_cached("SELECT 1 FROM lane WHERE project_id = ?1 AND generation > 0 LIMIT 1")?
            .exists([project])?,
        reopened: reopened(connection, key)?,
        last: last(connection, key)?,
        ..Memory::default()
    };
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
    Ok(memory)
}

fn newest_delivery(connection: &Connection, key: (i64, i64)) -> Result<Option<NewestDelivery>, StoreError> {
    let sql =
        "SELECT event, action, sha FROM delivery WHERE project_id = ?1 AND iid = ?2 ORDER BY id DESC LIMIT 1";
    let newest = connection
        .prepare_cached(sql)?
        .query_row(key, |row| {
            let sha: Option<String> = row.get(2)?;
            let sha = sha.and_then(|sha| CommitSha::parse(&sha).ok());
            Ok(NewestDelivery { event: row.get(0)?, action: row.get(1)?, sha })
        })
        .optional()?;
    Ok(newest)
}

/// The checks that deliveries asked which no settlement has served yet.
fn asked(connection: &Connection, key: (i64, i64)) -> Result<Vec<Asked>, StoreError> {
    let sql = "SELECT status_check_id, check_name, max(CASE WHEN action IS NULL THEN sha END) FROM delivery
               WHERE project_id = ?1 AND iid = ?2 AND status_check_id IS NOT NULL AND id > coalesce(
                   (SELECT settled_generation FROM lane WHERE project_id = ?1 AND iid = ?2), 0)
               GROUP BY status_check_id, check_name";
    let mut asked = Vec::new();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(1)?;
        asked.push(Asked {
            check: StatusCheckId::new(id(row.get(0)?)?),
            name: name.and_then(|name| CheckName::parse(&name).ok()),
            retried: row.get::<_, Option<String>>(2)?.and_then(|sha| CommitSha::parse(&sha).ok()),
        });
    }
    Ok(asked)
}

/// Whether an unserved delivery tells of a reopening that no served one told of: GitLab tells of one event by several
/// ways. The close may have come and gone unseen.
fn reopened(connection: &Connection, key: (i64, i64)) -> Result<bool, StoreError> {
    let sql = "SELECT action, id > coalesce((SELECT settled_generation FROM lane WHERE project_id = ?1 AND iid = ?2), 0)
               FROM delivery WHERE project_id = ?1 AND iid = ?2 AND action IN ('close', 'reopen') ORDER BY id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let (mut told, mut closed) = (false, false);
    while let Some(row) = rows.next()? {
        let (action, unserved): (String, bool) = (row.get(0)?, row.get(1)?);
        match (action.as_str(), unserved) {
            ("reopen", true) => told = true,
            ("reopen", false) => return Ok(told && closed),
            (_, true) => closed = true,
            (_, false) => return Ok(told),
        }
    }
    Ok(told)
}

fn last(connection: &Connection, key: (i64, i64)) -> Result<Option<LastDecision>, StoreError> {
    let sql = "SELECT sha, target_branch, facts, facts_format, is_open, unlisted, dropped, coalesce(project_path, ''),
                      NOT EXISTS (SELECT 1 FROM revision
                                  WHERE id > look_revision AND id < (SELECT max(id) FROM revision)),
                      (SELECT revision.revision FROM revision WHERE revision.id = lane.revision AND engine = ?3),
                      revision = (SELECT max(id) FROM revision),
                      look_revision = (SELECT max(id) FROM revision) FROM lane
               WHERE project_id = ?1 AND iid = ?2 AND sha IS NOT NULL AND target_branch IS NOT NULL";
    let last = connection.prepare_cached(sql)?.query_row((key.0, key.1, revision::ENGINE), |row| {
        let (sha, target_branch): (String, String) = (row.get(0)?, row.get(1)?);
        let facts = row.get::<_, Option<[u8; 32]>>(2)?.zip(row.get(3)?);
        let rest: (bool, String, String) = (row.get(5)?, row.get(6)?, row.get(7)?);
        let revisions = (row.get(9)?, row.get(10)?, row.get(11)?, row.get(8)?);
        Ok((sha, (target_branch, facts), rest, row.get(4)?, revisions))
    });
    let Some((sha, head, rest, is_open, revisions)) = last.optional()? else {
        return Ok(None);
    };
    let ((target_branch, facts), (unlisted, dropped, project_path)) = (head, rest);
    let (revision, is_newest, is_looked_at, is_watched) = revisions;
    let sha = CommitSha::parse(&sha).map_err(|error| StoreError::Row(error.to_string()))?;
    let dropped = dropped.split(',').filter_map(|name| CheckName::parse(name).ok()).collect();
    let look = LastLook { project_path, sha, target_branch, facts, unlisted, dropped };
    Ok(Some(LastDecision { look, is_open, revision, is_newest, is_looked_at, is_watched }))
}

#[cfg(test)]
mod tests {
    use super::super::claiming::claim;
    use super::super::hint::{Event, Hint};
    use super::super::intake::take;
    use super::super::lane::{Settlement, settle};
    use super::super::schema::empty_database;
    use super::*;
    use crate::merge_request::{MergeRequestIid, ProjectId};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const MERGE_REQUEST: MergeRequestRef =
        MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };

    fn tell(connection: &Connection, action: &str, event: Event) {
        let hint = Hint {
            event,
            action: Some(action.to_owned()),
            ..Hint::example(MERGE_REQUEST, action.as_bytes()[0])
        };
        take(connection, &hint, NOW).unwrap();
    }

    fn serve(connection: &Connection) -> bool {
        let claim = claim(connection, 1, None, NOW).unwrap().remove(0);
        let reopened = memory(connection, MERGE_REQUEST, 0).unwrap().reopened;
        settle(connection, &claim, &Settlement::default(), NOW).unwrap();
        reopened
    }

    #[test]
    fn a_reopening_is_one_however_often_it_is_told() {
        let connection = empty_database();
        tell(&connection, "open", Event::StatusCheck);
        assert!(!serve(&connection));
        tell(&connection, "reopen", Event::StatusCheck);
        assert!(serve(&connection), "the close was never heard of");
        tell(&connection, "reopen", Event::MergeRequest);
        assert!(!serve(&connection), "the same one by another way");
        tell(&connection, "close", Event::StatusCheck);
        tell(&connection, "reopen", Event::StatusCheck);
        assert!(serve(&connection), "closed and reopened before anybody looked");
        tell(&connection, "close", Event::StatusCheck);
        assert!(!serve(&connection));
        tell(&connection, "reopen", Event::StatusCheck);
        assert!(serve(&connection), "closed, looked at, reopened");
    }

    #[test]
    fn policies_that_were_in_force_for_a_moment_leave_nothing_watched_over() {
        let connection = empty_database();
        let activate = |name: &str| revision::activate(&connection, name, NOW).unwrap();
        let last = || {
            let last = memory(&connection, MERGE_REQUEST, 0).unwrap().last.unwrap();
            (last.is_newest, last.is_watched)
        };
        activate("a");
        tell(&connection, "open", Event::StatusCheck);
        let claim = claim(&connection, 1, None, NOW).unwrap().remove(0);
        let look = LastLook {
            project_path: "shop/pay".to_owned(),
            sha: CommitSha::parse(&"a".repeat(40)).unwrap(),
            target_branch: "main".to_owned(),
            facts: None,
            unlisted: false,
            dropped: BTreeSet::new(),
        };
        let settlement =
            Settlement { look: Some(look), revision: Some("a".to_owned()), ..Settlement::default() };
        settle(&connection, &claim, &settlement, NOW).unwrap();
        assert_eq!(last(), (true, true));
        activate("b");
        assert_eq!(last(), (false, true), "nothing came between the look and them");
        activate("a");
        assert_eq!(last(), (false, false), "what `b` did not read may have changed without a word");
    }
}
