//! Policies that change, break and get old while the service runs.

use countersign::simulator::{CheckStatus, Moment};

use crate::world::{Ground, ONE, PLAIN_POLICY, Service, World, until};

/// What passes only what is titled `fix*`.
const STRICTER: &str = r#"
policy: stricter
rules:
  - id: title
    require: { title: { glob: ["fix*"] } }
"#;
const BROKEN: &str = "policy: broken\nrule: []\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_are_replaced_on_disk_come_into_force() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().title("feat: x"));
    world.expect(which, CheckStatus::Passed, "by the plain policy").await;
    world.ground.write_policy(STRICTER);
    world.until_in_force().await;
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, CheckStatus::Failed, "by the stricter policy").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_set_is_told_and_the_last_good_one_stays_in_force() {
    let mut service = Service::start(STRICTER).await;
    service.ground.write_policy(BROKEN);
    service.until_metric("countersign_policies_broken", 1.0).await;
    let open =
        |title| service.gitlab.open_merge_request(service.ground.merge_request().title(title)).unwrap();
    let (good, bad) = (open("fix: x"), open("feat: x"));
    service.expect(good, CheckStatus::Passed, "by the last good set").await;
    service.expect(bad, CheckStatus::Failed, "by the last good set").await;
    let (code, output) = service.terminate();
    assert_eq!(code, Some(0));
    assert!(output.contains("the last good ones stay in force"), "{output}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passed_of_the_old_policies_is_not_posted_once_new_ones_are_in_force() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().title("feat: x").quietly());
    let (bundle, path) = (world.shared_bundle(), world.ground.folder.path().join("policies/policy.yaml"));
    world.gitlab.on_call(Moment::after(ONE), move |_| {
        std::fs::write(path, STRICTER).unwrap();
        // Two equal looks put a set in force.
        for _ in 0..2 {
            bundle.reload(jiff::Timestamp::now());
        }
    });
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, CheckStatus::Failed, "by the policies in force").await;
    assert_eq!(world.posted(which), [CheckStatus::Failed]);
    world.end().await;
}

/// The evaluation under the old policies had nothing to say, so nothing stopped it from settling.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_of_the_old_policies_is_not_the_last_word_either() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request().title("feat: x"));
    world.expect(which, CheckStatus::Passed, "by the plain policy").await;
    let (bundle, path) = (world.shared_bundle(), world.ground.folder.path().join("policies/policy.yaml"));
    world.gitlab.on_call(Moment::after(ONE), move |_| {
        std::fs::write(path, STRICTER).unwrap();
        // Two equal looks put a set in force.
        for _ in 0..2 {
            bundle.reload(jiff::Timestamp::now());
        }
    });
    world.gitlab.add_label(which, "look").unwrap();
    world.expect(which, CheckStatus::Failed, "by the policies in force").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_broken_for_too_long_give_no_new_pass_and_take_none_back_in_vain() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("POLICIES__STALE_AFTER", "1ms");
    let world = World::start_on(ground).await;
    let passed = world.open(world.merge_request());
    let bad = world.open(world.merge_request().title("bad"));
    world.expect(passed, CheckStatus::Passed, "while they are good").await;
    world.ground.write_policy(BROKEN);
    until("they are broken", || world.bundle().trouble().is_some()).await;
    let late = world.open(world.merge_request());
    world.gitlab.edit_title(bad, "good").unwrap();
    world.gitlab.add_label(passed, "look").unwrap();
    world.gitlab.deliveries_settled().await.unwrap();
    until("all were looked at", || world.metric("countersign_evaluations_total{verdict=\"passed\"}") >= 4.0)
        .await;
    assert_eq!(world.status(late), CheckStatus::Unanswered);
    assert_eq!(world.status(bad), CheckStatus::Failed);
    assert_eq!(world.status(passed), CheckStatus::Passed);
    world.ground.write_policy(PLAIN_POLICY);
    for which in [late, bad, passed] {
        world.expect(which, CheckStatus::Passed, "mended").await;
    }
    world.end().await;
}
