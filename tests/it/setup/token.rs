//! What a token says of itself, and how a running service tells that it expires.

use std::sync::Arc;

use countersign::gitlab::{Client, Error, OwnToken};
use countersign::simulator::{NewToken, Scope, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};

use crate::world::{BOUND, Ground, PLAIN_POLICY, Process, World, metric, until, until_async};

const EXPIRY: &str = "countersign_gitlab_token_expires_timestamp_seconds{}";

async fn own_token(ground: &Ground, token: &str) -> Result<Option<OwnToken>, Error> {
    Client::new(ground.simulator.url(), &token.into(), BOUND, Arc::default()).unwrap().own_token().await
}

#[tokio::test]
async fn each_kind_of_token_says_what_it_is_where_gitlab_tells() {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let gitlab = &ground.gitlab;
    let at = gitlab.now() + SignedDuration::from_hours(100);
    let midnight = at.to_zoned(jiff::tz::TimeZone::UTC).date().to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let personal =
        gitlab.create_token(NewToken::of(ground.bot).scope(Scope::ReadApi).expires_at(at)).unwrap();
    let told = own_token(&ground, &personal).await.unwrap().unwrap();
    assert_eq!(told.expires_at, Some(midnight.timestamp()), "from the beginning of that day on");
    assert!(told.scopes.contains("read_api") && told.scopes.len() == 1);
    assert_eq!(own_token(&ground, &ground.token).await.unwrap().unwrap().expires_at, None);

    let granted = gitlab.create_token(NewToken::of(ground.bot).expires_at(at).granted()).unwrap();
    let told = own_token(&ground, &granted).await.unwrap().unwrap();
    let off = told.expires_at.unwrap().duration_since(at).abs();
    assert!(told.scopes.contains("api") && off < SignedDuration::from_mins(1), "{off:?}");

    gitlab.revoke_token(&personal);
    assert!(matches!(own_token(&ground, &personal).await, Err(Error::Unauthorized { .. })));
    gitlab.install("15.4.0-ee", countersign::simulator::Edition::Ultimate);
    assert_eq!(own_token(&ground, &ground.token).await, Ok(None), "GitLab does not tell");
    assert!(gitlab.unknown_calls().is_empty());
    ground.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_exports_until_when_its_token_is_good() {
    let ground = Ground::prepare_with(PLAIN_POLICY, SimulatorOptions::default()).await;
    let at: Timestamp = "2100-01-02T00:00:00Z".parse().unwrap();
    ground.gitlab.expire_token(&ground.token, at);
    let world = World::start_on(ground).await;
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
    let expected = at.as_second() as f64;
    until("the day is exported", || {
        let shown = metric(&world.app().metrics().render(), EXPIRY);
        (shown - expected).abs() < 1.0
    })
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expires_soon_is_told_in_the_log_and_one_that_does_not_is_not() {
    for (hours, warned) in [(2 * 24 + 30, true), (100 * 24, false)] {
        let ground = Ground::prepare(PLAIN_POLICY).await;
        ground.gitlab.expire_token(&ground.token, ground.gitlab.now() + SignedDuration::from_hours(hours));
        let process = Process::serve(&ground.environment());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let metrics = format!("{}/metrics", process.url());
        // The log is written before the task that exports the day rests again.
        until_async("the token was looked at", async || {
            metric(&http.get(&metrics).send().await.unwrap().text().await.unwrap(), EXPIRY) > 0.0
        })
        .await;
        let (code, output) = process.terminate();
        assert_eq!((code, output.contains("GitLab's token expires in ")), (Some(0), warned), "{output}");
        ground.simulator.stop().await;
    }
}
