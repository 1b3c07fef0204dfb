//! A merge request's life, and what the status of its check is after each step.

use countersign::simulator::{CheckStatus, Membership, Push};

use crate::world::World;

const POLICY: &str = r#"
policy: life
rules:
  - id: conventional-title
    require: { title: { conventional_commit: { types: [feat, fix] } } }
  - id: review
    require:
      approvals:
        count: 1
        from: { groups: ["shop/payments"] }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_request_goes_through_all_of_its_life() {
    let world = World::start(POLICY).await;
    let gitlab = &world.gitlab;
    gitlab.create_group("shop/payments");
    let bea = gitlab.create_user("bea");
    gitlab.add_member("shop/payments", Membership::new(bea, 30)).unwrap();
    gitlab.add_member("shop/payments", Membership::new(world.ground.bot, 10)).unwrap();

    let merge_request = world.open(world.merge_request().title("feat: pay by card"));
    world.expect(merge_request, CheckStatus::Unanswered, "opened, waits for an approval").await;
    assert!(gitlab.responses(merge_request, world.check).is_empty(), "silence while GitLab shows pending");

    gitlab.approve(merge_request, bea).unwrap();
    world.expect(merge_request, CheckStatus::Passed, "approved").await;

    gitlab.unapprove(merge_request, bea).unwrap();
    world.expect(merge_request, CheckStatus::Pending, "approval withdrawn").await;

    gitlab.approve(merge_request, bea).unwrap();
    world.expect(merge_request, CheckStatus::Passed, "approved again").await;

    gitlab.push(merge_request, Push::new().file("src/card.rs")).unwrap();
    world.expect(merge_request, CheckStatus::Unanswered, "pushed: another patch").await;

    gitlab.edit_title(merge_request, "pay by card").unwrap();
    world.expect(merge_request, CheckStatus::Failed, "a title of no type").await;

    gitlab.edit_title(merge_request, "fix: pay by card").unwrap();
    world.expect(merge_request, CheckStatus::Pending, "mended, still to be approved").await;

    gitlab.unapprove(merge_request, bea).unwrap();
    gitlab.approve(merge_request, bea).unwrap();
    world.expect(merge_request, CheckStatus::Passed, "approved what was pushed").await;

    let posts = gitlab.responses(merge_request, world.check).len();
    gitlab.merge(merge_request).unwrap();
    world.expect(merge_request, CheckStatus::Passed, "merged").await;
    assert_eq!(gitlab.responses(merge_request, world.check).len(), posts, "a merged one gets no answer");
    world.end().await;
}
