//! The story: thirteen merge requests, each of which shows one thing.
//!
//! One thing happens at a time, and every step ends when the service is at rest, so the story is the same each time.

mod machines;
mod people;
mod words;

use super::error::DemoError;
use super::play::Play;
use crate::merge_request::MergeRequestRef;

/// Plays all of it; gives the merge request that one more approval of anybody completes.
pub(super) async fn play(play: &mut Play<'_>) -> Result<MergeRequestRef, DemoError> {
    words::docs(play).await?;
    words::title(play).await?;
    machines::ci(play).await?;
    people::payments(play).await?;
    machines::race(play).await?;
    machines::outage(play).await?;
    machines::lost(play).await?;
    machines::forged(play).await?;
    let stale = people::stale(play).await?;
    machines::pipeline(play).await?;
    words::thread(play).await?;
    people::closed(play).await?;
    // The last one: an answered `pending` stands only while it is said again, ten minutes at most.
    people::withdrawn(play).await?;
    Ok(stale)
}
