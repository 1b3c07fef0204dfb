//! What people write: titles, documentation, threads.

use crate::demo::error::DemoError;
use crate::demo::play::Play;

/// Passes at once.
pub(super) async fn docs(play: &mut Play<'_>) -> Result<(), DemoError> {
    let new = play.new_merge_request("docs: say how to run it locally").file("docs/running.md");
    play.begin("docs", "documentation alone needs neither an approval nor a pipeline", new).await?;
    Ok(())
}

/// Fails, and is mended by another title.
pub(super) async fn title(play: &mut Play<'_>) -> Result<(), DemoError> {
    let new = play.new_merge_request("Some words on refunds").file("docs/refunds.md");
    let which = play.begin("title", "fails, until its author gives it another title", new).await?;
    play.then(which, "ana changes the title to `docs: explain refunds`", |gitlab| {
        gitlab.edit_title(which, "docs: explain refunds")
    })
    .await
}

/// A thread that is not resolved.
pub(super) async fn thread(play: &mut Play<'_>) -> Result<(), DemoError> {
    let bea = play.stage.cast.bea;
    let new = play.new_merge_request("docs: describe the API").file("docs/api.md");
    let which = play.begin("thread", "a pass is taken back while somebody still asks", new).await?;
    let thread = play
        .then(which, "bea opens a thread", |gitlab| {
            gitlab.acting_as(bea).open_thread(which, "Which version is this?")
        })
        .await?;
    play.then(which, "ana resolves it", |gitlab| gitlab.resolve_thread(which, &thread)).await
}
