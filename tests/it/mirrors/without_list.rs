//! Instances of GitLab without external status checks, and checks that are not there any more.

use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{
    CheckStatus, Edition, HookEvent, Membership, NewHook, NewMergeRequest, NewProject, NewStatusCheck,
    PipelineKind, Push, SimulatorOptions,
};
use countersign::status_check::SweepKind;

use super::{A_WHILE, APPROVE, SET_STATUS, approves, ground, own_note, own_notes, world};
use crate::world::{Ground, HOOK_TOKEN, LIST, PLAIN_POLICY, RESPOND, SECRET, World, until};

use CheckStatus::Passed;

const ALL: &[(&str, &str)] = &[("COMMIT_STATUS", "true"), ("APPROVAL", "true"), ("NOTE", "true")];

/// A world whose GitLab has no external status checks.
async fn without(edition: Edition, policy: &str, keys: &[(&str, &str)]) -> World {
    let options = SimulatorOptions { edition, ..SimulatorOptions::default() };
    let world = World::start_on(ground(Ground::prepare_with(policy, options).await, keys)).await;
    world.gitlab.delete_status_check(world.ground.project, world.check).unwrap();
    let hook =
        NewHook::of(world.ground.project, &format!("{}/webhooks/gitlab", world.url())).token(HOOK_TOKEN);
    world.gitlab.create_hook(hook.event(HookEvent::MergeRequest));
    world
}

fn open(world: &World) -> MergeRequestRef {
    let which = world.open(world.merge_request().quietly());
    world.gitlab.run_pipeline(which, PipelineKind::MergeRequest, "success").unwrap();
    world.gitlab.add_label(which, "look").unwrap();
    which
}

fn words(world: &World) -> Vec<String> {
    world.gitlab.reports().into_iter().map(|report| report.state).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_status_checks_the_verdict_shows_in_the_other_ways() {
    for edition in [Edition::Community, Edition::Unlicensed] {
        let world = without(edition, PLAIN_POLICY, ALL).await;
        let which = open(&world);
        world.settle().await;
        assert_eq!(
            (words(&world), approves(&world, which)),
            (vec!["success".to_owned()], true),
            "{edition:?}"
        );
        assert!(own_note(&world, which).contains("`countersign`: the one rule that applies is met"));
        world.gitlab.edit_title(which, "bad").unwrap();
        world.settle().await;
        assert_eq!(
            (words(&world), approves(&world, which)),
            (vec!["success".to_owned(), "failed".to_owned()], false)
        );
        world.gitlab.edit_title(which, "good").unwrap();
        world.settle().await;
        assert!(approves(&world, which));
        assert_eq!(
            (world.calls(LIST), world.calls(RESPOND)),
            (1, 0),
            "asked once for this head\n{}",
            world.history()
        );
        world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
        world.settle().await;
        assert!(approves(&world, which));
        assert!(world.calls(LIST) > 1, "and for the next one");
        world.gitlab.close(which).unwrap();
        world.settle().await;
        assert!(!approves(&world, which), "closed");
        let verdicts: Vec<_> =
            world.decisions(which).await.into_iter().map(|decision| decision.name).collect();
        assert!(verdicts.iter().all(|name| name == "countersign") && !verdicts.is_empty());
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_status_alone_is_enough() {
    let world = without(Edition::Community, PLAIN_POLICY, &[("COMMIT_STATUS", "true")]).await;
    let which = open(&world);
    world.settle().await;
    assert_eq!(
        (words(&world), own_notes(&world, which).len(), approves(&world, which)),
        (vec!["success".to_owned()], 0, false)
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_of_another_check_do_not_speak_for_the_default_one() {
    const SECURITY: &str =
        "policy: s\napplies_to: {checks: [security]}\nrules: [{id: r, require: {draft: false}}]\n";
    let world = without(Edition::Community, SECURITY, ALL).await;
    let which = open(&world);
    world.settle().await;
    assert_eq!((words(&world), approves(&world, which)), (vec!["failed".to_owned()], false));
    assert!(own_note(&world, which).contains("no policy speaks for this merge request"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_policies_and_time_decide_what_has_no_status_check() {
    const FREEZE: &str = r"
policy: freeze
rules:
  - id: young
    require: { age: { since: opened, at_least: 1h } }
";
    let world = without(Edition::Community, PLAIN_POLICY, ALL).await;
    let which = open(&world);
    world.settle().await;
    assert!(approves(&world, which));
    world.write_policies(&[("policy.yaml", FREEZE)]).await;
    until("taken back", || !approves(&world, which)).await;
    world.settle().await;
    assert_eq!(words(&world).last().map(String::as_str), Some("pending"));
    for _ in 0..4 {
        world.pass(Duration::from_secs(3600)).await;
    }
    assert!(approves(&world, which), "an hour later: {}", world.account(which).await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_somebody_deleted_does_not_let_others_speak_for_it() {
    const SECURITY: &str = "policy: s\napplies_to: {checks: [security]}\nrules: [{id: r, require: {not: {title: {glob: ['bad*']}}}}]\n";
    let world = world(SECURITY, ALL).await;
    world
        .write_policies(&[
            ("s.yaml", SECURITY),
            (
                "p.yaml",
                "policy: p\napplies_to: {checks: [countersign]}\nrules: [{id: r, require: {draft: false}}]\n",
            ),
        ])
        .await;
    world.gitlab.delete_status_check(world.ground.project, world.check).unwrap();
    let create = |name: &str| {
        let url = format!("{}/webhooks/gitlab/{name}", world.url());
        let check = NewStatusCheck::new(name, &url).secret(SECRET);
        world.gitlab.create_status_check(world.ground.project, check).unwrap()
    };
    let security = create("security");
    let hook =
        NewHook::of(world.ground.project, &format!("{}/webhooks/gitlab", world.url())).token(HOOK_TOKEN);
    world.gitlab.create_hook(hook.event(HookEvent::MergeRequest));
    let which = open(&world);
    world.settle().await;
    assert!(approves(&world, which), "the one check passes");
    world.gitlab.edit_title(which, "bad").unwrap();
    world.settle().await;
    assert!(!approves(&world, which));
    world.gitlab.edit_title(which, "good").unwrap();
    world.settle().await;
    // The check goes, and with it all that speaks for this merge request.
    world.gitlab.delete_status_check(world.ground.project, security).unwrap();
    world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
    world.settle().await;
    assert!(!approves(&world, which), "{}", world.history());
    assert!(own_note(&world, which).contains("does not list this status check"));
    // Another one does not take its place on the head for which it was listed.
    let again = create("security");
    world.gitlab.add_label(which, "a").unwrap();
    world.settle().await;
    assert!(approves(&world, which), "it is back");
    world.gitlab.edit_title(which, "bad").unwrap();
    world.settle().await;
    assert!(!approves(&world, which));
    create("countersign");
    world.gitlab.delete_status_check(world.ground.project, again).unwrap();
    world.gitlab.add_label(which, "b").unwrap();
    world.settle().await;
    assert!(!approves(&world, which), "security said no and is gone: {}", world.history());
    world.gitlab.push(which, Push::new().file("src/third.rs")).unwrap();
    world.settle().await;
    assert!(approves(&world, which), "a new head is what GitLab lists");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_licence_that_ends_takes_back_what_was_said_and_gives_nothing() {
    let world = world(PLAIN_POLICY, ALL).await;
    let hook =
        NewHook::of(world.ground.project, &format!("{}/webhooks/gitlab", world.url())).token(HOOK_TOKEN);
    world.gitlab.create_hook(hook.event(HookEvent::MergeRequest));
    let which = open(&world);
    world.expect(which, Passed, "a good title").await;
    assert!(approves(&world, which));
    world.gitlab.install("18.3.0-ee", Edition::Unlicensed);
    world.gitlab.push(which, Push::new().file("src/other.rs")).unwrap();
    until("taken back", || !approves(&world, which)).await;
    let (approvals, statuses) = (world.calls(APPROVE), world.calls(SET_STATUS));
    for _ in 0..3 {
        world.pass(A_WHILE).await;
    }
    assert_eq!((world.calls(APPROVE), approves(&world, which)), (approvals, false));
    assert!(world.calls(SET_STATUS) <= statuses + 1 && !words(&world).is_empty());
    // One that is opened later is decided as the default check.
    let later = open(&world);
    world.rest().await;
    until("approved", || approves(&world, later)).await;
    world.rest().await;
    world.end().await;
}

/// A sweep reaches every project of which the token's user is a member, and most of those never asked for anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_writes_nothing_into_projects_of_which_nobody_ever_told() {
    let world = without(Edition::Unlicensed, PLAIN_POLICY, ALL).await;
    let quiet = world.gitlab.create_project(NewProject::at("shop/quiet"));
    for user in [world.ground.bot, world.ground.author] {
        world.gitlab.add_member(quiet, Membership::new(user, 30)).unwrap();
    }
    let elsewhere = NewMergeRequest::in_project(quiet).author(world.ground.author);
    let elsewhere = world.open(elsewhere);
    let unheard = world.open(world.merge_request().quietly());
    let heard = open(&world);
    world.settle().await;
    world.sweep(SweepKind::Full).await;
    assert!(approves(&world, heard) && approves(&world, unheard), "its project is one that tells");
    assert!(!approves(&world, elsewhere) && own_notes(&world, elsewhere).is_empty());
    assert!(world.gitlab.commit_statuses(quiet).unwrap().is_empty());
    world.end().await;
}
