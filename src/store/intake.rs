//! Taking a delivery: one row for it, and its lane is due.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use crate::companion::Companion;
use crate::merge_request::{CheckName, CommitSha, MergeRequestIid, MergeRequestRef, ProjectId};

use super::column::{column, id, millis};
use super::error::StoreError;
use super::hint::{Concerned, Crowd, Event, Hint, Proof, Taken};
use super::lane::LEASE;
use super::status;

/// How long a delivery that nothing vouched for leaves the field to others.
const UNSIGNED_WAIT: Duration = Duration::from_secs(2);
/// How soon what was looked at for the first time is looked at again, after an event that may be its own: such looks keep to no
/// other pause.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(10);
/// Where the number of a merge request would stand in the delivery of an event that may concern many.
const OF_MANY: i64 = 0;
/// How many old deliveries are forgotten with one commit.
pub const PRUNED_AT_ONCE: usize = 1000;
/// Deliveries older than this are forgotten; only the audit of causes looks at them.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn take(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<Taken, StoreError> {
    if is_duplicate(connection, hint, now)? {
        return Ok(Taken::Duplicate);
    }
    wake(connection, hint, now)?;
    Ok(Taken::New)
}

/// Takes a delivery, unless its merge request is remembered to be of a project that it does not concern.
pub(super) fn take_if(
    connection: &Connection,
    hint: &Hint,
    concerned: &Concerned,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let key = (column(hint.merge_request.project.get())?, column(hint.merge_request.iid.get())?);
    let sql = "SELECT project_path FROM lane WHERE project_id = ?1 AND iid = ?2 AND project_path IS NOT NULL";
    let path: Option<String> = connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    if path.is_some() && !concerned(path.as_deref()) {
        return Ok(Taken::Nobody);
    }
    take(connection, hint, now)
}

/// Takes an event of a commit for every open merge request of which that is the head.
pub(super) fn take_for_commit(
    connection: &Connection,
    (companion, project, sha): (Companion, ProjectId, &CommitSha),
    proof: &Proof,
    concerned: &Concerned,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let mut taken =
        if concerned(None) { look_once_more(connection, companion, project, now)? } else { Taken::Nobody };
    for (merge_request, path) in of_head(connection, sha, now)? {
        if !concerned(path.as_deref()) {
            continue;
        }
        let hint = Hint::of_companion(merge_request, Some(companion), proof.clone());
        match take(connection, &hint, now)? {
            Taken::New => taken = Taken::New,
            Taken::Duplicate if taken == Taken::Nobody => taken = Taken::Duplicate,
            Taken::Duplicate | Taken::Nobody => {}
        }
    }
    Ok(taken)
}

/// What is being looked at for the first time may be about to be remembered with any head: it is looked at again soon. That
/// leaves alone what the look that is under way comes to: in a busy project there is always an event.
fn look_once_more(
    connection: &Connection,
    companion: Companion,
    project: ProjectId,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let sql = "UPDATE lane SET look_at = min(coalesce(look_at, ?5), ?5), woken_by = ?2
               WHERE project_id = ?3 AND may_pass IN (0, 1) AND due_at > ?1 AND due_at <= ?4 AND claim IS NOT NULL
                 AND sha IS NULL";
    let again = millis(now + LOOKED_AT_AGAIN);
    let key = (millis(now), companion.as_str(), column(project.get())?, millis(now + LEASE), again);
    let looks = connection.prepare_cached(sql)?.execute(key)?;
    Ok(if looks > 0 { Taken::New } else { Taken::Nobody })
}

/// The open merge requests with a head. One that is being looked at may be about to be remembered with it: whether it is,
/// a delivery tells that was not served yet.
fn of_head(
    connection: &Connection,
    sha: &CommitSha,
    now: Timestamp,
) -> Result<Vec<(MergeRequestRef, Option<String>)>, StoreError> {
    let sql = "SELECT project_id, iid, project_path FROM lane WHERE sha = ?1 AND is_open = 1
               UNION
               SELECT project_id, iid, project_path FROM lane
               WHERE may_pass IN (0, 1) AND due_at > ?2 AND due_at <= ?3 AND claim IS NOT NULL AND EXISTS
                   (SELECT 1 FROM delivery WHERE delivery.project_id = lane.project_id AND delivery.iid = lane.iid
                        AND delivery.id > lane.settled_generation AND delivery.sha = ?1)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((sha.as_str(), millis(now), millis(now + LEASE)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let project = ProjectId::new(id(row.get(0)?)?);
        let iid = MergeRequestIid::new(id(row.get(1)?)?);
        found.push((MergeRequestRef { project, iid }, row.get(2)?));
    }
    Ok(found)
}

/// Puts an event on disk that may concern many, those of one project or of all. What asks for the same again before that was
/// begun changes nothing more.
pub(super) fn take_crowd(
    connection: &Connection,
    crowds: &[Crowd],
    proof: &Proof,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let Some(first) = crowds.first() else { return Ok(Taken::Nobody) };
    let project = first.project.map_or(Ok(0), |project| column(project.get()))?;
    if let Some(key) = &proof.idempotency_key
        && was_taken(connection, (project, OF_MANY), key, &proof.digest)?
    {
        return Ok(Taken::Duplicate);
    }
    let sql = "INSERT INTO delivery (taken_at, project_id, iid, event, digest, idempotency_key)
               VALUES (:now, :project, :iid, :event, :digest, :key)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":now": millis(now),
        ":project": project,
        ":iid": OF_MANY,
        ":event": Event::Companion(Some(first.companion)).as_str(),
        ":digest": proof.digest,
        ":key": proof.idempotency_key,
    })?;
    let generation = connection.last_insert_rowid();
    for crowd in crowds {
        let sql =
            "INSERT INTO crowd (companion, project_id, target_branch, generation) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET generation = excluded.generation";
        let branch = crowd.target_branch.as_deref().unwrap_or_default();
        connection.prepare_cached(sql)?.execute((crowd.companion.as_str(), project, branch, generation))?;
    }
    Ok(Taken::New)
}

/// Writes a delivery down and makes its lane due.
fn wake(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<(), StoreError> {
    let project = column(hint.merge_request.project.get())?;
    let iid = column(hint.merge_request.iid.get())?;
    let user = hint.pusher.map(|user| column(user.get())).transpose()?;
    let sql =
        "INSERT INTO delivery (taken_at, project_id, iid, event, action, status_check_id, check_name, sha,
                                     user_id, digest, idempotency_key)
               VALUES (:now, :project, :iid, :event, :action, :check, :name, :sha, :user, :digest, :key)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":now": millis(now),
        ":project": project,
        ":iid": iid,
        ":event": hint.event.as_str(),
        ":action": hint.action,
        ":check": hint.status_check.map(|check| column(check.get())).transpose()?,
        ":name": hint.check_name.as_ref().map(CheckName::as_str),
        ":sha": hint.sha.as_ref().map(CommitSha::as_str),
        ":user": user,
        ":digest": hint.digest,
        ":key": hint.idempotency_key,
    })?;
    let generation = connection.last_insert_rowid();
    // A lane that was never decided need not be decided anew for the policies in force.
    let sql = "INSERT INTO lane (project_id, iid, generation, doubted, due_at, waiting_since, told_target, revision,
                                 queued_revision)
               SELECT :project, :iid, :generation, :doubted, :due, :now, :target, newest, newest
                   FROM (SELECT coalesce(max(id), 0) AS newest FROM revision) WHERE true
               ON CONFLICT (project_id, iid) DO UPDATE SET
                   generation = excluded.generation,
                   doubted = max(doubted, excluded.doubted),
                   told_target = coalesce(excluded.told_target, told_target),
                   due_at = CASE WHEN claim IS NULL THEN min(coalesce(due_at, excluded.due_at), excluded.due_at)
                                 ELSE due_at END,
                   waiting_since = coalesce(waiting_since, excluded.waiting_since)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":project": project,
        ":iid": iid,
        ":generation": generation,
        ":doubted": hint.distrust,
        ":target": hint.target_branch,
        ":due": millis(if hint.unsigned { now + UNSIGNED_WAIT } else { now }),
        ":now": millis(now),
    })?;
    if let (Some(sha), true) = (&hint.sha, user.is_some()) {
        // A push that brings a commit back brings back what shows on it: it must be taken back before others are granted.
        let sql =
            "UPDATE lane SET may_pass = 1 WHERE project_id = ?1 AND iid = ?2 AND may_pass = 0 AND EXISTS
                       (SELECT 1 FROM status WHERE project_id = ?1 AND iid = ?2 AND sha = ?3
                            AND (shown IS NULL OR shown = 'passed'))";
        connection.prepare_cached(sql)?.execute((project, iid, sha.as_str()))?;
    }
    if let (None, Some(check)) = (&hint.action, hint.status_check) {
        status::doubt(connection, hint.merge_request, check)?;
    }
    if let Some(user) = user {
        let sql = "INSERT OR IGNORE INTO pusher (project_id, iid, user_id) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute((project, iid, user))?;
    }
    Ok(())
}

/// The same `Idempotency-Key` with the same body is the same event. Without a key nothing proves that: GitLab's bodies
/// carry no nonce and date to the second, so two events can have one body, and what the second tells may have come after
/// the first was served. So the same body is a duplicate only while the first is still waiting to be looked at; later it
/// costs a look. A Retry (no action) is never one: each must lead to an answer.
fn is_duplicate(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<bool, StoreError> {
    let project = column(hint.merge_request.project.get())?;
    let iid = column(hint.merge_request.iid.get())?;
    if let Some(key) = &hint.idempotency_key {
        return was_taken(connection, (project, iid), key, &hint.digest);
    }
    let found: Option<i64> = if hint.action.is_some() {
        let sql = "SELECT 1 FROM lane JOIN delivery ON delivery.id = lane.generation
                   WHERE lane.project_id = ?1 AND lane.iid = ?2 AND claim IS NULL AND due_at <= ?3
                     AND generation > settled_generation AND digest = ?4";
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row((project, iid, millis(now), hint.digest), |row| row.get(0)).optional()?
    } else {
        None
    };
    Ok(found.is_some())
}

fn was_taken(
    connection: &Connection,
    place: (i64, i64),
    key: &str,
    digest: &[u8; 32],
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM delivery
               WHERE idempotency_key = ?1 AND project_id = ?2 AND iid = ?3 AND digest = ?4";
    let found: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row((key, place.0, place.1, digest), |row| row.get(0))
        .optional()?;
    Ok(found.is_some())
}

/// Forgets deliveries that nothing needs any more, a bounded number at a time.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    // Only the oldest are looked at: a search by age would read all that there are.
    let sql = "DELETE FROM delivery WHERE id IN
               (SELECT id FROM (SELECT id, taken_at FROM delivery ORDER BY id LIMIT :portion) WHERE taken_at < :before)";
    let portion = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
    Ok(connection
        .prepare_cached(sql)?
        .execute(named_params! { ":before": millis(now - KEPT_FOR), ":portion": portion })?)
}

#[cfg(test)]
mod tests {
    use crate::merge_request::{MergeRequestIid, MergeRequestRef, ProjectId};

    use super::super::claiming::claim;
    use super::super::hint::Event;
    use super::super::lane::{Settlement, settle};
    use super::super::schema::empty_database;
    use super::*;

    fn hint(action: Option<&str>, key: Option<&str>) -> Hint {
        let merge_request = MergeRequestRef { project: ProjectId::new(7), iid: MergeRequestIid::new(1) };
        Hint {
            event: Event::StatusCheck,
            action: action.map(str::to_owned),
            idempotency_key: key.map(str::to_owned),
            ..Hint::example(merge_request, 1)
        }
    }

    #[test]
    fn the_same_body_is_a_duplicate_only_while_the_first_waits() {
        let connection = empty_database();
        let now = Timestamp::UNIX_EPOCH;
        let body = hint(Some("update"), None);
        assert_eq!(take(&connection, &body, now).unwrap(), Taken::New);
        assert_eq!(take(&connection, &body, now).unwrap(), Taken::Duplicate, "nobody has looked yet");
        let claimed = claim(&connection, 1, None, now).unwrap().remove(0);
        assert_eq!(take(&connection, &body, now).unwrap(), Taken::New, "somebody is looking");
        settle(&connection, &claimed, &Settlement::default(), now).unwrap();
        assert_eq!(take(&connection, &body, now).unwrap(), Taken::Duplicate, "it waits for its further run");
        let claimed = claim(&connection, 1, None, now).unwrap().remove(0);
        settle(&connection, &claimed, &Settlement::default(), now).unwrap();
        assert_eq!(take(&connection, &body, now).unwrap(), Taken::New, "the first was served");
    }

    #[test]
    fn a_key_is_the_same_event_for_ever_and_a_retry_never_is() {
        let connection = empty_database();
        let now = Timestamp::UNIX_EPOCH;
        let keyed = hint(Some("update"), Some("one"));
        assert_eq!(take(&connection, &keyed, now).unwrap(), Taken::New);
        let claimed = claim(&connection, 1, None, now).unwrap().remove(0);
        settle(&connection, &claimed, &Settlement::default(), now).unwrap();
        assert_eq!(take(&connection, &keyed, now).unwrap(), Taken::Duplicate);
        let other = Hint { digest: [2; 32], ..keyed };
        assert_eq!(take(&connection, &other, now).unwrap(), Taken::New, "another body under the same key");
        for _ in 0..2 {
            assert_eq!(take(&connection, &hint(None, None), now).unwrap(), Taken::New);
        }
    }
}
