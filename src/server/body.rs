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

/// How long a sender that is about to be refused may go on sending. Who is cut off in the middle of sending does not get
/// to read why.
const PATIENCE: Duration = Duration::from_secs(2);

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
    payload: &mut Payload,
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

/// Takes what still comes, keeping nothing of it.
pub(super) async fn discard(payload: &mut Payload) {
    let discarding = async { while let Some(Ok(_)) = payload.next().await {} };
    let _enough = tokio::time::timeout(PATIENCE, discarding).await;
}

async fn read_pieces(
    payload: &mut Payload,
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

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;

    use super::super::authentication::Secrets;
    use super::*;

    async fn read_with(budget: &Budget, body: &'static [u8]) -> Result<Body, BodyFault> {
        let secrets =
            Secrets { status_check: vec!["secret".into()], master: None, tokens: vec![], signing: vec![] };
        let request = TestRequest::post().insert_header(("x-gitlab-signature", "0".repeat(64)));
        let (request, mut payload) = request.set_payload(body).to_http_parts();
        let mut verification = Verification::begin(request.headers(), &secrets, 0).unwrap();
        let mut payload = Payload::from_request(&request, &mut payload).await.unwrap();
        read(&mut payload, None, budget, &mut verification).await
    }

    #[tokio::test]
    async fn a_body_holds_memory_while_it_is_there_and_one_that_finds_none_in_time_is_given_up() {
        let budget = Budget(Arc::new(Semaphore::new(10)));
        let held = read_with(&budget, b"12345678").await.unwrap();
        assert_eq!(budget.0.available_permits(), 2);
        let refused = read_with(&budget, b"abcd").await.map(|body| body.bytes);
        assert_eq!(refused, Err(BodyFault::NoMemory));
        drop(held);
        assert_eq!(read_with(&budget, b"abcd").await.unwrap().bytes, b"abcd");
        assert_eq!(budget.0.available_permits(), 10);
    }
}
