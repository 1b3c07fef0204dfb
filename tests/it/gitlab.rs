//! The client against the simulator, over HTTP: what a sweep and a withdrawal ask GitLab.

use std::sync::Arc;
use std::time::Duration;

use countersign::gitlab::{Client, Error};
use countersign::merge_request::{MergeRequestIid, MergeRequestRef};
use countersign::simulator::{Edition, Fault, Membership, Moment, TrainStatus};
use jiff::Timestamp;

use crate::world::{BOUND, Ground, LIST, PLAIN_POLICY};

const CHANGED: &str = "GET /projects/:id/merge_requests";

async fn ground() -> (Ground, Client) {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let client = client(&ground, &ground.token);
    (ground, client)
}

fn client(ground: &Ground, token: &str) -> Client {
    Client::new(ground.simulator.url(), &token.into(), BOUND, Arc::default()).unwrap()
}

/// Opens so many, a second apart.
fn open(ground: &Ground, count: usize) -> Vec<MergeRequestRef> {
    let open = |_| {
        ground.gitlab.advance(Duration::from_secs(1));
        ground.gitlab.open_merge_request(ground.merge_request().quietly()).unwrap()
    };
    (0..count).map(open).collect()
}

async fn changed_since(
    client: &Client,
    ground: &Ground,
    since: Timestamp,
) -> Result<Vec<MergeRequestRef>, Error> {
    let changed = client.open_merge_requests_updated_after(ground.project, since).await?;
    // GitLab dates to the millisecond.
    let tick = Duration::from_millis(1);
    assert!(changed.iter().all(|(_, updated_at)| *updated_at + tick > since));
    Ok(changed.into_iter().map(|(which, _)| which).collect())
}

#[tokio::test]
async fn what_changed_is_listed_over_several_pages_the_longest_unchanged_first() {
    let (ground, client) = ground().await;
    let before = open(&ground, 3);
    ground.gitlab.advance(Duration::from_secs(1));
    let since = ground.gitlab.now();
    let mut expected = open(&ground, 230);
    let changed = async || changed_since(&client, &ground, since).await.unwrap();
    assert_eq!(changed().await, expected);
    assert_eq!(ground.gitlab.calls_to(CHANGED), 3);

    ground.gitlab.advance(Duration::from_secs(1));
    ground.gitlab.comment(before[0], "still there?").unwrap();
    ground.gitlab.close(expected.remove(5)).unwrap();
    expected.push(before[0]);
    assert_eq!(changed().await, expected, "what moved is there, what was closed is not");
}

#[tokio::test]
async fn nothing_is_missed_when_the_list_moves_while_it_is_read() {
    let (ground, client) = ground().await;
    let since = ground.gitlab.now();
    let all = open(&ground, 250);
    let (closed, edited) = (all[3], all[7]);
    ground.gitlab.on_call(Moment::after(CHANGED), move |gitlab| {
        gitlab.advance(Duration::from_secs(1));
        gitlab.close(closed).unwrap();
        gitlab.add_label(edited, "late").unwrap();
    });
    let changed = changed_since(&client, &ground, since).await.unwrap();
    assert_eq!(changed, all, "each once, in the place where it was first seen");
}

#[tokio::test]
async fn more_of_one_instant_than_a_page_holds_are_listed_too() {
    let (ground, client) = ground().await;
    let at = ground.gitlab.now();
    let imported =
        |_| ground.gitlab.open_merge_request(ground.merge_request().created_at(at).quietly()).unwrap();
    let all: Vec<_> = (0..120).map(imported).collect();
    assert_eq!(changed_since(&client, &ground, at).await, Ok(all));
}

#[tokio::test]
async fn a_page_that_can_not_be_had_is_an_error_and_not_the_end_of_the_list() {
    let (ground, client) = ground().await;
    let since = ground.gitlab.now();
    open(&ground, 120);
    ground.gitlab.fault(Fault::error_page(CHANGED, 502).skip(1));
    let changed = client.open_merge_requests_updated_after(ground.project, since).await;
    assert!(matches!(changed, Err(Error::Unavailable { status: 502, .. })), "{changed:?}");
}

#[tokio::test]
async fn a_merge_request_is_on_a_train_until_it_leaves_or_was_merged() {
    let (ground, client) = ground().await;
    let which = open(&ground, 1)[0];
    let gitlab = &ground.gitlab;
    assert_eq!(client.is_on_merge_train(which).await, Ok(false));
    gitlab.put_on_merge_train(which).unwrap();
    for (status, on_it) in [
        (TrainStatus::Idle, true),
        (TrainStatus::Fresh, true),
        (TrainStatus::Stale, true),
        (TrainStatus::Merging, true),
        (TrainStatus::Merged, false),
        (TrainStatus::SkipMerged, false),
    ] {
        gitlab.set_train_status(which, status).unwrap();
        assert_eq!(client.is_on_merge_train(which).await, Ok(on_it), "{status:?}");
    }
    gitlab.set_train_status(which, TrainStatus::Fresh).unwrap();
    gitlab.take_off_merge_train(which).unwrap();
    assert_eq!(client.is_on_merge_train(which).await, Ok(false));
    let absent = MergeRequestRef { iid: MergeRequestIid::new(99), ..which };
    assert_eq!(client.is_on_merge_train(absent).await, Ok(false));
}

#[tokio::test]
async fn a_train_that_can_not_be_asked_for_is_an_error_and_a_gitlab_without_the_question_has_none() {
    let (ground, client) = ground().await;
    let which = open(&ground, 1)[0];
    ground.gitlab.put_on_merge_train(which).unwrap();
    let (guest, token) = ground.gitlab.create_bot("guest", ground.project).unwrap();
    ground.gitlab.add_member(ground.project, Membership::new(guest, 10)).unwrap();
    let refused = self::client(&ground, &token).is_on_merge_train(which).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    let unknown = self::client(&ground, "glpat-unknown").is_on_merge_train(which).await;
    assert!(matches!(unknown, Err(Error::Unauthorized { .. })), "{unknown:?}");
    ground.gitlab.install("15.5.0-ee", Edition::Ultimate);
    assert_eq!(client.is_on_merge_train(which).await, Ok(false));
    ground.gitlab.install("18.3.0-ee", Edition::Unlicensed);
    assert!(matches!(client.is_on_merge_train(which).await, Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn a_list_that_shows_less_of_its_entries_is_an_error_and_not_a_shorter_one() {
    let (ground, client) = ground().await;
    let which = open(&ground, 1)[0];
    ground.create_check("http://127.0.0.1:9");
    assert_eq!(client.status_checks(which).await.map(|checks| checks.len()), Ok(1));
    for field in ["id", "name", "external_url", "status"] {
        let fault = ground.gitlab.fault(Fault::without(LIST, field));
        let error = client.status_checks(which).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
        let told = format!("GitLab's answer to {LIST} can't be read: [0]: missing field `{field}`");
        assert!(error.to_string().starts_with(&told), "{error}");
        ground.gitlab.lift(fault);
    }
    let since = ground.gitlab.now() - Duration::from_secs(60);
    for field in ["iid", "updated_at"] {
        let fault = ground.gitlab.fault(Fault::without(CHANGED, field));
        let listed = client.open_merge_requests_updated_after(ground.project, since).await;
        assert!(matches!(listed, Err(Error::Malformed { .. })), "{listed:?}");
        ground.gitlab.lift(fault);
    }
}
