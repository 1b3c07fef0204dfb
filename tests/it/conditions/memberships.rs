//! Who belongs to a group or a project, and whose commits are never answered for.

use countersign::merge_request::UserId;
use countersign::policy::RuleState;
use countersign::simulator::{Fault, Membership, NewUser, PipelineKind, Place};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Stage;
use crate::world::{GROUP_MEMBER, ONE, RESPOND, World};

const PROJECT_MEMBER: &str = "GET /projects/:id/members/all/:user_id";
const BY_GROUP: &str = "{approvals: {count: 1, from: {groups: [shop/payments]}}}";
const BY_ROLE: &str = "{approvals: {count: 1, from: {role: maintainer}}}";

/// How an approval of somebody alone counts.
async fn counts(stage: &Stage, approver: UserId, require: &str) -> bool {
    let which = stage.ground.gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    stage.ground.gitlab.approve(which, approver).unwrap();
    let played = stage.play(which, require).await;
    assert!(
        matches!(played.state(), RuleState::Passed | RuleState::Waiting),
        "{approver}: {:?}",
        played.rules
    );
    played.state() == RuleState::Passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_membership_that_is_in_force_today_counts_however_it_came_about() {
    let stage = Stage::new().await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    let today = gitlab.now().to_zoned(TimeZone::UTC).date();
    for group in ["shop/payments", "guild"] {
        gitlab.create_group(group);
    }
    // Else the group is hidden from us, and nothing is known of anybody.
    gitlab.add_member("shop/payments", Membership::new(stage.ground.bot, 10)).unwrap();
    let person = |name: &str| {
        let person = gitlab.create_user(NewUser::named(name));
        gitlab.add_member(project, Membership::new(person, 30)).unwrap();
        person
    };
    let [plain, blocked, invited, stranger] = ["plain", "blocked", "invited", "stranger"].map(person);
    let [past, today_s, coming, awaited, minimal] =
        ["past", "today", "coming", "awaited", "minimal"].map(person);
    let of_group = [
        Membership::new(plain, 30),
        Membership::new(blocked, 30),
        Membership::new(past, 30).expires_at(today.checked_sub(1.day()).unwrap()),
        Membership::new(today_s, 30).expires_at(today),
        Membership::new(coming, 30).expires_at(today.checked_add(1.day()).unwrap()),
        Membership::new(awaited, 30).awaiting(),
        // GitLab: "minimal access" of a group is a seat, and no access.
        Membership::new(minimal, 5),
    ];
    for membership in of_group {
        gitlab.add_member("shop/payments", membership).unwrap();
    }
    gitlab.add_member("guild", Membership::new(invited, 50)).unwrap();
    gitlab.invite_group("shop/payments", "guild", 30).unwrap();
    for (name, who, expected) in [
        ("plain", plain, true),
        ("coming", coming, true),
        ("invited", invited, true),
        ("past", past, false),
        ("today", today_s, false),
        ("awaited", awaited, false),
        ("minimal", minimal, false),
        ("stranger", stranger, false),
    ] {
        assert_eq!(counts(&stage, who, BY_GROUP).await, expected, "{name}");
    }
    let which = gitlab.open_merge_request(stage.ground.merge_request().quietly()).unwrap();
    gitlab.approve(which, blocked).unwrap();
    gitlab.block_user(blocked).unwrap();
    assert_eq!(stage.play(which, BY_GROUP).await.state(), RuleState::Waiting, "approved, then blocked");
    // An owner at home is at most what the invitation says here.
    gitlab.invite_group(project, "guild", 30).unwrap();
    assert!(!counts(&stage, invited, BY_ROLE).await);
    gitlab.add_member(project, Membership::new(stranger, 40)).unwrap();
    assert!(counts(&stage, stranger, BY_ROLE).await);
}

/// GitLab: a custom role (16.7) is shown beside the level that it is based on, and may do more or less; nothing but the level
/// is a role to a policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_role_counts_as_the_role_that_it_is_based_on() {
    let stage = Stage::new().await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    let eve = gitlab.create_user(NewUser::named("eve"));
    gitlab.create_group("shop/payments");
    for place in [Place::from("shop/payments"), Place::from(project)] {
        gitlab.add_member(place, Membership::new(eve, 30)).unwrap();
    }
    gitlab.add_member("shop/payments", Membership::new(stage.ground.bot, 10)).unwrap();
    let role = json!({ "id": 7, "name": "Approver", "base_access_level": 30, "admin_merge_request": true });
    for route in [GROUP_MEMBER, PROJECT_MEMBER] {
        gitlab.fault(Fault::saying(route, "member_role", role.clone()));
    }
    assert!(counts(&stage, eve, BY_GROUP).await);
    assert!(!counts(&stage, eve, BY_ROLE).await);
    assert!(counts(&stage, eve, "{approvals: {count: 1, from: {role: developer}}}").await);
}

/// GitLab makes commits of its own for merged-results pipelines and merge trains, and takes answers for the head alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_ever_said_of_the_commits_that_gitlab_makes_for_a_pipeline() {
    let world = World::start("policy: p\nrules: [{id: green, require: {pipeline: success}}]\n").await;
    let which = world.open(world.merge_request());
    let head = world.gitlab.head(which).unwrap();
    for (kind, status) in [
        (PipelineKind::MergedResult, "success"),
        (PipelineKind::Train, "failed"),
        (PipelineKind::MergedResult, "failed"),
        (PipelineKind::Train, "success"),
    ] {
        world.gitlab.run_pipeline(which, kind, status).unwrap();
        world.gitlab.add_label(which, "look").unwrap();
        world.settle().await;
        world.gitlab.remove_label(which, "look").unwrap();
        world.settle().await;
    }
    let rows = world.gitlab.responses(which, world.check);
    assert!(!rows.is_empty() && rows.iter().all(|row| row.sha == head), "{rows:?}");
    let said = world.gitlab.calls().into_iter().filter(|call| call.route == RESPOND).count();
    assert_eq!(said, rows.len(), "none was refused for its commit: {}", world.history());
    assert!(world.calls(ONE) > 0);
    world.end().await;
}
