//! The record of a decision: canonical bytes that say all of it, for the replay and the chain to come.
//!
//! Canonical means: JSON in UTF-8, keys in the order declared here, no space between tokens, maps in the order of their
//! keys. Facts and policy sources are named by the SHA-256 of their own canonical bytes. GitLab's reply comes later
//! and stands beside the record, not in it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::gitlab::Status;
use crate::merge_request::{CheckName, CommitSha, MergeRequestRef, StatusCheckId};
use crate::policy::evaluation::{Evaluation, Verdict};
use crate::policy::fact::Facts;
use crate::policy::{PolicySet, Revision};
use crate::store::{Blob, StoreError};

/// The version of the record's form.
const FORMAT: u32 = 1;

/// Why a decision was made.
#[derive(Debug, Clone, Serialize)]
pub struct Cause {
    /// `status_check`, `merge_request`, `companion` (the newest delivery); where none was unserved, `policies` (others are
    /// in force), `sweep`, or `time`.
    pub event: String,
    /// GitLab's `action`, if the delivery had one.
    pub action: Option<String>,
    /// The newest delivery's number.
    pub delivery: i64,
    /// Which try this was.
    pub attempt: u32,
}

/// A decision as it will be kept.
#[derive(Serialize)]
pub struct Record<'a> {
    format: u32,
    engine: &'static str,
    decided_at: Timestamp,
    cause: &'a Cause,
    merge_request: MergeRequestRef,
    sha: &'a CommitSha,
    check: Option<StatusCheckId>,
    check_name: &'a CheckName,
    facts_format: u32,
    facts: Option<&'a str>,
    revision: &'a str,
    policies: &'a [Source<'a>],
    evaluation: &'a Evaluation,
    answer: Option<Status>,
}

#[derive(Serialize)]
struct Source<'a> {
    path: &'a str,
    sha256: String,
}

/// What several checks of one merge request share: the facts, unless there are none, and the policies, digested once.
pub(super) struct Shared<'a> {
    facts: Option<String>,
    facts_digest: Option<[u8; 32]>,
    sources: Vec<Source<'a>>,
    revision: &'a Revision,
    /// What the records name by digest.
    pub(super) blobs: Arc<[Blob]>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(facts: &Facts, policies: &'a PolicySet) -> Result<Self, StoreError> {
        Ok(Self::of(Some(Blob::of(bytes_of(facts)?)), policies))
    }

    /// For what is said because there are no facts.
    pub(super) fn without_facts(policies: &'a PolicySet) -> Self {
        Self::of(None, policies)
    }

    fn of(facts: Option<Blob>, policies: &'a PolicySet) -> Self {
        let texts = policies.sources().iter().map(|source| Blob::of(source.text.clone().into_bytes()));
        let texts: Vec<_> = texts.collect();
        let sources = policies.sources().iter().zip(&texts);
        Self {
            facts: facts.as_ref().map(Blob::name),
            facts_digest: facts.as_ref().map(Blob::digest),
            sources: sources
                .map(|(source, text)| Source { path: &source.path, sha256: text.name() })
                .collect(),
            revision: policies.revision(),
            blobs: facts.into_iter().chain(texts).collect(),
        }
    }
}

impl Shared<'_> {
    /// What the facts are stored by; none where there were none.
    pub(super) fn facts_digest(&self) -> Option<[u8; 32]> {
        self.facts_digest
    }

    /// The revision of the policies that decided.
    pub(super) fn revision(&self) -> &str {
        self.revision.as_str()
    }
}

/// What is particular to one check.
pub(super) struct Particulars<'a> {
    pub(super) decided_at: Timestamp,
    pub(super) cause: &'a Cause,
    pub(super) merge_request: MergeRequestRef,
    pub(super) sha: &'a CommitSha,
    pub(super) check: Option<StatusCheckId>,
    pub(super) check_name: &'a CheckName,
    pub(super) evaluation: &'a Evaluation,
    pub(super) answer: Option<Status>,
}

/// The canonical bytes of a decision.
pub(super) fn canonical(shared: &Shared<'_>, particulars: &Particulars<'_>) -> Result<Vec<u8>, StoreError> {
    bytes_of(&Record {
        format: FORMAT,
        engine: env!("CARGO_PKG_VERSION"),
        decided_at: particulars.decided_at,
        cause: particulars.cause,
        merge_request: particulars.merge_request,
        sha: particulars.sha,
        check: particulars.check,
        check_name: particulars.check_name,
        facts_format: Facts::FORMAT,
        facts: shared.facts.as_deref(),
        revision: shared.revision.as_str(),
        policies: &shared.sources,
        evaluation: particulars.evaluation,
        answer: particulars.answer,
    })
}

fn bytes_of(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::Row(error.to_string()))
}

/// The verdict in the word of tables and metrics.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Waiting => "waiting",
        Verdict::UndecidedCurable | Verdict::UndecidedIncurable => "undecided",
    }
}
