//! A token that is replaced while the service runs.

use std::fs;
use std::time::Duration;

use countersign::simulator::{CheckStatus, NewToken};

use crate::world::{Ground, PLAIN_POLICY, Process, World, until};

/// A service that has its token from a file.
async fn ground() -> Ground {
    let ground = Ground::prepare(PLAIN_POLICY).await;
    let path = ground.folder.path().join("token");
    fs::write(&path, format!("{}\n", ground.token)).unwrap();
    ground.configure("GITLAB__TOKEN_FILE", path.to_str().unwrap()).without("GITLAB__TOKEN")
}

fn new_token(ground: &Ground) -> String {
    ground.gitlab.create_token(NewToken::of(ground.bot)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_replaced_in_its_file_is_used_before_a_refusal_counts() {
    let world = World::start_on(ground().await).await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "the old token").await;
    let new = new_token(&world.ground);
    fs::write(world.ground.folder.path().join("token"), &new).unwrap();
    world.gitlab.revoke_token(&world.ground.token);
    // At once: nobody has looked into the file since.
    world.gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, CheckStatus::Failed, "the new token").await;
    assert!(world.metric("countersign_lanes_parked_total") < 1.0, "no refusal counted");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_token_is_found_in_time_without_any_refusal() {
    let world = World::start_on(ground().await).await;
    let replaced = world.app().gitlab().token_replaced();
    let new = new_token(&world.ground);
    fs::write(world.ground.folder.path().join("token"), &new).unwrap();
    until("it is found", || *replaced.borrow() == 1).await;
    world.gitlab.revoke_token(&world.ground.token);
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "the new token").await;
    let refused = world.gitlab.calls().iter().filter(|call| call.user.is_none()).count();
    assert_eq!(refused, 0, "{}", world.history());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expired_is_replaced_and_what_was_parked_comes_back() {
    let world = World::start_on(ground().await).await;
    let which = world.open(world.merge_request());
    world.settle().await;
    world.gitlab.revoke_token(&world.ground.token);
    world.gitlab.edit_title(which, "bad").unwrap();
    until("it is refused", || world.metric("countersign_lanes_parked_total") > 0.0).await;
    let new = new_token(&world.ground);
    fs::write(world.ground.folder.path().join("token"), &new).unwrap();
    world.rest().await;
    world.pass(Duration::from_secs(700)).await;
    world.expect(which, CheckStatus::Failed, "parked for no more than ten minutes").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_old_token_nor_the_new_one_is_ever_printed() {
    let ground = ground().await;
    let process = Process::serve(&ground.environment());
    let check = ground.create_check(process.url());
    let new = new_token(&ground);
    fs::write(ground.folder.path().join("token"), &new).unwrap();
    ground.gitlab.revoke_token(&ground.token);
    let which = ground.gitlab.open_merge_request(ground.merge_request()).unwrap();
    until("it passes", || ground.gitlab.status(which, check) == Ok(CheckStatus::Passed)).await;
    let (code, printed) = process.terminate();
    assert_eq!(code, Some(0));
    assert!(printed.contains("token was replaced"), "{printed}");
    assert!(!printed.contains(&new) && !printed.contains(&ground.token));
}
