//! Taking a delivery: one row for it, and its lane is due.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use crate::merge_request::{CheckName, CommitSha};

use super::column::{column, millis};
use super::error::StoreError;
use super::hint::{Hint, Taken};
use super::status;

/// How long a delivery that nothing vouched for leaves the field to others.
const UNSIGNED_WAIT: Duration = Duration::from_secs(2);
/// How many old deliveries are forgotten with one commit.
pub const PRUNED_AT_ONCE: usize = 1000;
/// Deliveries older than this are forgotten; only the audit of causes looks at them.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn take(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<Taken, StoreError> {
    if is_duplicate(connection, hint, now)? {
        return Ok(Taken::Duplicate);
    }
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
    let sql = "INSERT INTO lane (project_id, iid, generation, doubted, due_at, waiting_since, revision, queued_revision)
               SELECT :project, :iid, :generation, :doubted, :due, :now, newest, newest
                   FROM (SELECT coalesce(max(id), 0) AS newest FROM revision) WHERE true
               ON CONFLICT (project_id, iid) DO UPDATE SET
                   generation = excluded.generation,
                   doubted = max(doubted, excluded.doubted),
                   due_at = CASE WHEN claim IS NULL THEN min(coalesce(due_at, excluded.due_at), excluded.due_at)
                                 ELSE due_at END,
                   waiting_since = coalesce(waiting_since, excluded.waiting_since)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":project": project,
        ":iid": iid,
        ":generation": generation,
        ":doubted": hint.distrust,
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
    Ok(Taken::New)
}

/// The same `Idempotency-Key` with the same body is the same event. Without a key nothing proves that: GitLab's bodies
/// carry no nonce and date to the second, so two events can have one body, and what the second tells may have come after
/// the first was served. So the same body is a duplicate only while the first is still waiting to be looked at; later it
/// costs a look. A Retry (no action) is never one: each must lead to an answer.
fn is_duplicate(connection: &Connection, hint: &Hint, now: Timestamp) -> Result<bool, StoreError> {
    let project = column(hint.merge_request.project.get())?;
    let iid = column(hint.merge_request.iid.get())?;
    let found: Option<i64> = if let Some(key) = &hint.idempotency_key {
        let sql = "SELECT 1 FROM delivery
                   WHERE idempotency_key = ?1 AND project_id = ?2 AND iid = ?3 AND digest = ?4";
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row((key, project, iid, hint.digest), |row| row.get(0)).optional()?
    } else if hint.action.is_some() {
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

    use super::super::hint::Event;
    use super::super::lane::{Settlement, claim, settle};
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
