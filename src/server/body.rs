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
/// What all bodies in flight may hold together is 64 MiB: this much for the beginnings of all, so that ordinary
/// deliveries find room while large ones crowd …
const BEGINNINGS: usize = 16 * 1024 * 1024;
/// … and this much for what goes beyond.
const REMAINDERS: usize = 48 * 1024 * 1024;
/// What counts as the beginning of a body. GitLab's deliveries are rarely longer.
const BEGINNING: usize = 32 * 1024;
/// How long a body may take to arrive, waiting for memory included.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a sender that is about to be refused may go on sending. Who is cut off in the middle of sending does not get
/// to read why.
const PATIENCE: Duration = Duration::from_secs(2);

/// The memory that bodies share.
#[derive(Clone)]
pub(super) struct Budget {
    beginnings: Arc<Semaphore>,
    remainders: Arc<Semaphore>,
    beginning: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(BEGINNINGS, REMAINDERS, BEGINNING)
    }
}

impl Budget {
    fn new(beginnings: usize, remainders: usize, beginning: usize) -> Self {
        let pool = |size| Arc::new(Semaphore::new(size));
        Self { beginnings: pool(beginnings), remainders: pool(remainders), beginning }
    }
}

/// What one body holds of the budget.
#[derive(Default)]
struct Held {
    beginning: Option<OwnedSemaphorePermit>,
    remainder: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Holds memory for a body that grows from `before` to `after` bytes and ends at `end` at the latest. A beginning is
    /// held as it comes, so an idle sender holds nothing. A remainder is held as a whole: bodies that each held a part
    /// and waited for more would wait for each other.
    async fn grow(
        &mut self,
        budget: &Budget,
        before: usize,
        after: usize,
        end: usize,
    ) -> Result<(), BodyFault> {
        let more = after.min(budget.beginning).saturating_sub(before);
        if more > 0 {
            let more = hold(&budget.beginnings, more).await?;
            match &mut self.beginning {
                Some(held) => held.merge(more),
                None => self.beginning = Some(more),
            }
        }
        if after > budget.beginning && self.remainder.is_none() {
            self.remainder = Some(hold(&budget.remainders, end.max(after) - budget.beginning).await?);
        }
        Ok(())
    }
}

async fn hold(pool: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, BodyFault> {
    let permits = u32::try_from(bytes).map_err(|_| BodyFault::TooLarge)?;
    Arc::clone(pool).acquire_many_owned(permits).await.map_err(|_| BodyFault::NoMemory)
}

/// A body that arrived whole; its memory is given back when it is dropped.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: [u8; 32],
    _held: Held,
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
    // A body never grows beyond what is announced, and one that announces nothing may become the largest.
    let end = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(LARGEST);
    let reading = read_pieces(payload, end, budget, verification, &mut waits_for_memory);
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
    end: usize,
    budget: &Budget,
    verification: &mut Verification,
    waits_for_memory: &mut bool,
) -> Result<Body, BodyFault> {
    let mut bytes = Vec::new();
    let mut digest = Sha256::new();
    let mut held = Held::default();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| BodyFault::Broken)?;
        if bytes.len() + piece.len() > LARGEST {
            return Err(BodyFault::TooLarge);
        }
        *waits_for_memory = true;
        held.grow(budget, bytes.len(), bytes.len() + piece.len(), end).await?;
        *waits_for_memory = false;
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
        let budget = Budget::new(10, 0, 10);
        let held = read_with(&budget, b"12345678").await.unwrap();
        assert_eq!(budget.beginnings.available_permits(), 2);
        let refused = read_with(&budget, b"abcd").await.map(|body| body.bytes);
        assert_eq!(refused, Err(BodyFault::NoMemory));
        drop(held);
        assert_eq!(read_with(&budget, b"abcd").await.unwrap().bytes, b"abcd");
        assert_eq!(budget.beginnings.available_permits(), 10);
    }

    #[tokio::test]
    async fn ordinary_bodies_find_room_while_large_ones_crowd() {
        let budget = Budget::new(8, LARGEST, 4);
        let large = read_with(&budget, b"12345678").await.unwrap();
        assert_eq!(budget.remainders.available_permits(), 4, "held as a whole, since nothing was announced");
        assert_eq!(read_with(&budget, b"abcd").await.unwrap().bytes, b"abcd");
        assert_eq!(read_with(&budget, b"abcdefgh").await.map(|body| body.bytes), Err(BodyFault::NoMemory));
        drop(large);
        assert_eq!(read_with(&budget, b"abcdefgh").await.unwrap().bytes, b"abcdefgh");
    }
}
