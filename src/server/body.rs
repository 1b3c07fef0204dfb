//! Reading a body: bounded in size, in time, and in what all bodies together may hold in memory.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Payload;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::authentication::Verification;

/// GitLab sends no larger body (contract sections 3.1 and 4.3).
const LARGEST: usize = 25 * 1024 * 1024;
/// What all bodies in flight may hold together.
const BUDGET: usize = 64 * 1024 * 1024;
/// How long a body may take to arrive, waiting for memory included.
const DEADLINE: Duration = Duration::from_secs(10);

/// The memory that bodies share.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET)))
    }
}

/// A body that arrived whole; its memory is given back when it is dropped.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: [u8; 32],
    _held: Option<OwnedSemaphorePermit>,
}

/// Why a body did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFault {
    TooLarge,
    TooSlow,
    Broken,
    NoMemory,
}

/// Reads the body and runs the verification over it.
pub(super) async fn read(
    payload: Payload,
    announced: Option<u64>,
    budget: &Budget,
    verification: &mut Verification,
) -> Result<Body, BodyFault> {
    if announced.is_some_and(|length| length > LARGEST as u64) {
        return Err(BodyFault::TooLarge);
    }
    let mut waits_for_memory = false;
    let reading = read_pieces(payload, budget, verification, &mut waits_for_memory);
    match tokio::time::timeout(DEADLINE, reading).await {
        Ok(body) => body,
        Err(_) if waits_for_memory => Err(BodyFault::NoMemory),
        Err(_) => Err(BodyFault::TooSlow),
    }
}

async fn read_pieces(
    mut payload: Payload,
    budget: &Budget,
    verification: &mut Verification,
    waits_for_memory: &mut bool,
) -> Result<Body, BodyFault> {
    let mut bytes = Vec::new();
    let mut digest = Sha256::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| BodyFault::Broken)?;
        if bytes.len() + piece.len() > LARGEST {
            return Err(BodyFault::TooLarge);
        }
        // Memory is held as it is used, not as it is announced: an idle sender holds none.
        let permits = u32::try_from(piece.len()).map_err(|_| BodyFault::TooLarge)?;
        *waits_for_memory = true;
        let more =
            Arc::clone(&budget.0).acquire_many_owned(permits).await.map_err(|_| BodyFault::NoMemory)?;
        *waits_for_memory = false;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        verification.update(&piece);
        digest.update(&piece);
        bytes.extend_from_slice(&piece);
    }
    Ok(Body { bytes, digest: digest.finalize().into(), _held: held })
}
