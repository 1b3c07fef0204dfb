//! What machines do: pipelines, races, outages, a delivery that is lost, and one that nobody should believe.

use crate::demo::error::DemoError;
use crate::demo::play::Play;
use crate::merge_request::MergeRequestRef;
use crate::simulator::{Fault, FaultKind, Moment, Push, Weather};

const MERGE_REQUEST: &str = "GET /projects/:id/merge_requests/:iid";
const THREADS: &str = "GET /projects/:id/merge_requests/:iid/discussions";

async fn pipeline_is(play: &mut Play<'_>, which: MergeRequestRef, status: &str) -> Result<(), DemoError> {
    let what = format!("its pipeline is `{status}`");
    play.then(which, &what, |gitlab| gitlab.set_pipeline(which, status).map(drop)).await
}

/// Fails, and is mended by a push.
pub(super) async fn ci(play: &mut Play<'_>) -> Result<(), DemoError> {
    let bea = play.stage.cast.bea;
    let new = play.new_merge_request("fix: round totals up").file("src/totals.rs");
    let which = play.begin("ci", "a failed pipeline fails it; a push mends that", new).await?;
    pipeline_is(play, which, "failed").await?;
    play.then(which, "ana pushes a fix", |gitlab| {
        gitlab.push(which, Push::new().file("src/totals.rs").file("tests/totals.rs")).map(drop)
    })
    .await?;
    pipeline_is(play, which, "success").await?;
    play.then(which, "bea approves", |gitlab| gitlab.approve(which, bea)).await
}

/// A pipeline that takes its time.
pub(super) async fn pipeline(play: &mut Play<'_>) -> Result<(), DemoError> {
    let bea = play.stage.cast.bea;
    let new = play.new_merge_request("perf: cache the catalogue").file("src/catalogue.rs");
    let which = play.begin("pipeline", "a pipeline that runs is neither a pass nor a failure", new).await?;
    play.then(which, "bea approves", |gitlab| gitlab.approve(which, bea)).await?;
    pipeline_is(play, which, "running").await?;
    pipeline_is(play, which, "success").await
}

/// The title changes between two reads of one evaluation: after the merge request was read and before its threads are.
pub(super) async fn race(play: &mut Play<'_>) -> Result<(), DemoError> {
    let gitlab = play.stage.gitlab.clone();
    let new = play.new_merge_request("docs: list the regions").file("docs/regions.md");
    gitlab.hold_deliveries();
    let which = play.open("race", "what was read is outdated before the verdict is there", new)?;
    let threads_before = gitlab.calls_to(THREADS);
    gitlab.fault(Fault::on(THREADS, FaultKind::Hang).times(1));
    gitlab.on_call(Moment::after(MERGE_REQUEST), move |gitlab| {
        // It is there: its read was just answered.
        let _edited = gitlab.edit_title(which, "Regions");
    });
    gitlab.release_deliveries();
    play.until("the threads are asked for", |gitlab| gitlab.calls_to(THREADS) > threads_before).await?;
    // The delivery of the edit is taken before the evaluation goes on.
    gitlab.deliveries_settled().await?;
    let what = "ana opens it, and changes the title to `Regions` between two reads of the evaluation";
    play.tell(which, what).await?;
    gitlab.lift_all();
    Ok(())
}

/// GitLab answers 503 for a while.
pub(super) async fn outage(play: &mut Play<'_>) -> Result<(), DemoError> {
    let new = play.new_merge_request("docs: who is on call").file("docs/on-call.md");
    let which = play.begin("outage", "what can't be proven does not pass, and is asked again", new).await?;
    play.stage.gitlab.fault(Fault::error_page(THREADS, 503).times(3));
    let what = "ana changes the title to `docs: say who is on call`; GitLab answers 503 to three calls";
    play.then(which, what, |gitlab| gitlab.edit_title(which, "docs: say who is on call")).await?;
    play.stage.gitlab.lift_all();
    Ok(())
}

/// GitLab's call never arrives, and GitLab does not repeat it.
pub(super) async fn lost(play: &mut Play<'_>) -> Result<(), DemoError> {
    let new = play.new_merge_request("docs: how to send things back").file("docs/returns.md");
    play.stage.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    let which = play.open("lost", "what nobody told of is found by the sweep", new)?;
    play.tell(which, "ana opens it, and GitLab's call is lost on the way").await?;
    play.stage.gitlab.set_weather(Weather::default());
    play.stage.sweep().await?;
    play.tell(which, "the sweep that comes every five minutes comes now").await
}

/// A delivery that was signed by somebody who does not know the secret.
pub(super) async fn forged(play: &mut Play<'_>) -> Result<(), DemoError> {
    let (project, check) = (play.stage.project, play.stage.check);
    let secret = play.stage.secret.clone();
    let new = play.new_merge_request("docs: warn of forgers").file("docs/forgers.md");
    let which = play.begin("forged", "a delivery that nothing vouches for changes nothing", new).await?;
    play.then(which, "ana edits the description; the delivery is signed with another secret", |gitlab| {
        gitlab.set_check_secret(project, check, Some("guessed"))?;
        let sent = gitlab.edit_description(which, "Beware.");
        gitlab.set_check_secret(project, check, Some(&secret))?;
        sent
    })
    .await
}
