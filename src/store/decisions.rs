//! The decision log: every answer has a stored decision, and the decision has all that it was made from.
//!
//! A record is canonical bytes (JSON, keys in a declared order, no insignificant space); facts and policy sources are
//! large and repeat, so a record names them by SHA-256 and they stand once each, compressed, in the blob table.
//! Records are only ever added.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};
use sha2::{Digest, Sha256};

use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, StatusCheckId};

use super::column::{column, millis, timestamp};
use super::error::StoreError;
use super::writer::Thread;

/// A decision to be written.
#[derive(Debug, Clone)]
pub struct NewDecision {
    /// When it was made.
    pub decided_at: Timestamp,
    /// The head it speaks of.
    pub sha: CommitSha,
    /// The check it speaks for; none where GitLab has no status checks.
    pub check: Option<StatusCheckId>,
    /// Our name for the check.
    pub name: CheckName,
    /// The verdict in a word.
    pub verdict: &'static str,
    /// The canonical record.
    pub record: Vec<u8>,
    /// What the record names by digest, shared by the decisions of one evaluation.
    pub blobs: Arc<[Blob]>,
}

/// Bytes that records name by their digest: facts, a policy source.
#[derive(Debug, Clone)]
pub struct Blob {
    sha256: [u8; 32],
    bytes: Vec<u8>,
}

impl Blob {
    /// Digests the bytes, once for everybody who names them.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { sha256: Sha256::digest(&bytes).into(), bytes }
    }

    /// The digest.
    pub fn digest(&self) -> [u8; 32] {
        self.sha256
    }

    /// The digest as a record names it: lower-case hex.
    pub fn name(&self) -> String {
        hex::encode(self.sha256)
    }
}

/// What was said to GitLab for a decision.
#[derive(Debug, Clone)]
pub struct NewAnswer {
    /// The decision's number.
    pub decision: i64,
    /// `passed`, `failed` or `pending`.
    pub status: &'static str,
    /// When the request left.
    pub sent_at: Timestamp,
    /// When its fate was known.
    pub replied_at: Timestamp,
    /// GitLab's reply in a few words.
    pub reply: String,
}

/// A decision as stored.
#[derive(Debug, Clone)]
pub struct StoredDecision {
    /// Its number: later is larger.
    pub id: i64,
    /// When it was made.
    pub decided_at: Timestamp,
    /// The head it speaks of.
    pub sha: String,
    /// The check it speaks for.
    pub name: String,
    /// The verdict in a word.
    pub verdict: String,
    /// The canonical record.
    pub record: Vec<u8>,
    /// What was said for it.
    pub answers: Vec<StoredAnswer>,
}

/// An answer as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// `passed`, `failed` or `pending`.
    pub status: String,
    /// GitLab's reply in a few words.
    pub reply: String,
}

/// The decision log, for reading; writing goes through a claim ([`super::Queue::record`]).
#[derive(Clone)]
pub struct Decisions {
    reader: Thread,
}

impl Decisions {
    pub(super) fn new(reader: Thread) -> Self {
        Self { reader }
    }

    /// All decisions on a merge request, oldest first.
    pub async fn of(&self, merge_request: MergeRequestRef) -> Result<Vec<StoredDecision>, StoreError> {
        self.reader.run(move |connection| decisions_of(connection, merge_request)).await
    }

    /// The bytes of a blob by their SHA-256.
    pub async fn blob(&self, sha256: [u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader
            .run(move |connection| {
                let compressed: Option<Vec<u8>> = connection
                    .prepare_cached("SELECT bytes FROM blob WHERE sha256 = ?1")?
                    .query_row([sha256], |row| row.get(0))
                    .optional()?;
                compressed.map(|bytes| inflate(&bytes)).transpose()
            })
            .await
    }
}

/// Writes a decision and the blobs that it names; gives its number.
pub(super) fn insert(
    connection: &Connection,
    merge_request: MergeRequestRef,
    decision: &NewDecision,
) -> Result<i64, StoreError> {
    for Blob { sha256, bytes } in decision.blobs.iter() {
        let known: Option<i64> = connection
            .prepare_cached("SELECT 1 FROM blob WHERE sha256 = ?1")?
            .query_row([sha256], |row| row.get(0))
            .optional()?;
        if known.is_none() {
            connection
                .prepare_cached("INSERT INTO blob (sha256, bytes) VALUES (?1, ?2)")?
                .execute((sha256, deflate(bytes)?))?;
        }
    }
    let sql = "INSERT INTO decision (decided_at, project_id, iid, sha, status_check_id, check_name, verdict, record,
                                     record_sha256)
               VALUES (:at, :project, :iid, :sha, :check, :name, :verdict, :record, :digest)";
    let digest: [u8; 32] = Sha256::digest(&decision.record).into();
    connection.prepare_cached(sql)?.execute(named_params! {
        ":at": millis(decision.decided_at),
        ":project": column(merge_request.project.get())?,
        ":iid": column(merge_request.iid.get())?,
        ":sha": decision.sha.as_str(),
        ":check": column(decision.check.map_or(0, StatusCheckId::get))?,
        ":name": decision.name.as_str(),
        ":verdict": decision.verdict,
        ":record": decision.record,
        ":digest": digest,
    })?;
    Ok(connection.last_insert_rowid())
}

/// Writes what was said for a decision.
pub(super) fn insert_answer(connection: &Connection, answer: &NewAnswer) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO answer (decision_id, status, sent_at, replied_at, reply) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.execute((
        answer.decision,
        answer.status,
        millis(answer.sent_at),
        millis(answer.replied_at),
        &answer.reply,
    ))?;
    Ok(())
}

fn decisions_of(
    connection: &Connection,
    merge_request: MergeRequestRef,
) -> Result<Vec<StoredDecision>, StoreError> {
    let sql = "SELECT id, decided_at, sha, check_name, verdict, record FROM decision
               WHERE project_id = ?1 AND iid = ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows =
        statement.query((column(merge_request.project.get())?, column(merge_request.iid.get())?))?;
    let mut decisions = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        decisions.push(StoredDecision {
            id,
            decided_at: timestamp(row.get(1)?)?,
            sha: row.get(2)?,
            name: row.get(3)?,
            verdict: row.get(4)?,
            record: row.get(5)?,
            answers: answers_of(connection, id)?,
        });
    }
    Ok(decisions)
}

fn answers_of(connection: &Connection, decision: i64) -> Result<Vec<StoredAnswer>, StoreError> {
    let sql = "SELECT status, reply FROM answer WHERE decision_id = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let answers = statement
        .query_map([decision], |row| Ok(StoredAnswer { status: row.get(0)?, reply: row.get(1)? }))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(answers)
}

fn deflate(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let unwritable = |error: std::io::Error| StoreError::Row(error.to_string());
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).map_err(unwritable)?;
    encoder.finish().map_err(unwritable)
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut plain = Vec::new();
    ZlibDecoder::new(bytes).read_to_end(&mut plain).map_err(|error| StoreError::Row(error.to_string()))?;
    Ok(plain)
}
