//! What people decide: approvals, given, withdrawn and outdated; and a merge request that is closed.

use crate::demo::error::DemoError;
use crate::demo::play::Play;
use crate::merge_request::MergeRequestRef;
use crate::simulator::Push;

/// The pipeline of the head ends well.
async fn turns_green(play: &mut Play<'_>, which: MergeRequestRef) -> Result<(), DemoError> {
    play.then(which, "its pipeline succeeds", |gitlab| gitlab.set_pipeline(which, "success").map(drop)).await
}

/// Waits for approvals, gets them.
pub(super) async fn payments(play: &mut Play<'_>) -> Result<(), DemoError> {
    let cast = play.stage.cast;
    let new = play.new_merge_request("feat: pay by card").file("services/payments/card.rs");
    let which = play.begin("payments", "waits for two approvals of payments people", new).await?;
    turns_green(play, which).await?;
    play.then(which, "bea approves", |gitlab| gitlab.approve(which, cast.bea)).await?;
    play.then(which, "dora, of shop/payments, approves", |gitlab| gitlab.approve(which, cast.dora)).await?;
    play.then(which, "emil, of shop/payments, approves", |gitlab| gitlab.approve(which, cast.emil)).await
}

/// Passes, and loses its approval.
pub(super) async fn withdrawn(play: &mut Play<'_>) -> Result<(), DemoError> {
    let bea = play.stage.cast.bea;
    let new = play.new_merge_request("feat: remember the cart").file("src/cart.rs");
    let which = play.begin("withdrawn", "a pass goes with the approval that it stood on", new).await?;
    turns_green(play, which).await?;
    play.then(which, "bea approves", |gitlab| gitlab.approve(which, bea)).await?;
    play.then(which, "bea takes the approval back", |gitlab| gitlab.unapprove(which, bea)).await
}

/// Is approved, then becomes something else.
pub(super) async fn stale(play: &mut Play<'_>) -> Result<MergeRequestRef, DemoError> {
    let bea = play.stage.cast.bea;
    let new = play.new_merge_request("feat: sort by price").file("src/sort.rs");
    let which = play.begin("stale", "an approval counts for the patch that it was given to", new).await?;
    turns_green(play, which).await?;
    play.then(which, "bea approves", |gitlab| gitlab.approve(which, bea)).await?;
    play.then(which, "ana pushes another change", |gitlab| {
        gitlab.push(which, Push::new().file("src/sort.rs").file("src/price.rs")).map(drop)
    })
    .await?;
    turns_green(play, which).await?;
    Ok(which)
}

/// Is closed, and never gets an answer.
pub(super) async fn closed(play: &mut Play<'_>) -> Result<(), DemoError> {
    let new = play.new_merge_request("feat: try something").file("src/attempt.rs");
    let which = play.begin("closed", "a closed merge request gets no answer", new).await?;
    play.then(which, "ana closes it", |gitlab| gitlab.close(which)).await
}
