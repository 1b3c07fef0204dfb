//! Code owners over HTTP: from which branch the file is, who an owner is, what never passes, and what it costs.

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::policy::{Remedy, RuleState};
use countersign::simulator::{Fault, FaultKind, FileChange, Membership, NewGroup, Push, Visibility};

use super::Stage;

const OWNED: &str = "{code_owners: {every_file_owned: true}}";
const APPROVED: &str = "{code_owners: {approved: true}}";
const BRANCH: &str = "GET /projects/:id/repository/branches/:branch";
const RAW: &str = "GET /projects/:id/repository/files/:path/raw";
const USERS: &str = "GET /users";
const UNKNOWN: RuleState = RuleState::Unknown { curable: false };

/// A merge request that changes `pay/a.rs`, with this CODEOWNERS in `main`, and a developer `@bob`.
async fn owned_by(text: &str) -> (Stage, MergeRequestRef, UserId) {
    let stage = Stage::new().await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    gitlab.write_file(project, "main", ".gitlab/CODEOWNERS", Some(text)).unwrap();
    let bob = gitlab.create_user("bob");
    gitlab.add_member(project, Membership::new(bob, 30)).unwrap();
    let request = stage.ground.merge_request().file(FileChange::modified("pay/a.rs"));
    let which = gitlab.open_merge_request(request).unwrap();
    (stage, which, bob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_approves_and_each_place_of_the_file_costs_one_read() {
    let (stage, which, bob) = owned_by("/pay/ @Bob\n").await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    let played = stage.play(which, APPROVED).await;
    assert_eq!(played.state(), RuleState::Waiting, "{}", played.sentence());
    let from = vec!["@Bob".to_owned()];
    assert_eq!(played.rules[0].remedies, [Remedy::Approve { missing: 1, from }]);
    // The branch, three places, approvals, versions, and the newest version.
    assert_eq!(
        (played.calls[BRANCH], played.calls[RAW], played.further_calls()),
        (1, 3, 7),
        "{:?}",
        played.calls
    );
    gitlab.approve(which, bob).unwrap();
    let played = stage.play(which, APPROVED).await;
    // Whose the author's commit is takes one more.
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 8), "{:?}", played.calls);

    gitlab.create_user("cleo");
    gitlab.write_file(project, "main", "CODEOWNERS", Some("* @cleo\n")).unwrap();
    let played = stage.play(which, APPROVED).await;
    assert_eq!((played.state(), played.calls[RAW]), (RuleState::Waiting, 1), "the first place counts");
    assert_eq!(played.calls[USERS], 2, "`@cleo` might be a group, and the author's commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_approval_can_ever_meet_does_not_wait_for_one() {
    let (stage, which, bob) = owned_by("[Payments][2]\n/pay/ @bob\n").await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    gitlab.approve(which, bob).unwrap();
    let played = stage.play(which, APPROVED).await;
    assert_eq!((played.state(), played.calls[USERS]), (RuleState::Violated, 1), "{}", played.sentence());
    assert!(played.sentence().ends_with("only 1 of its owners can approve: @bob"), "{}", played.sentence());
    let to = "name 1 more owner of `/pay/` (line 2)".to_owned();
    assert_eq!(played.rules[0].remedies, [Remedy::EditCodeOwners { to }]);
    // Its author owns it, too, and can't approve.
    let write = |text| gitlab.write_file(project, "main", ".gitlab/CODEOWNERS", Some(text)).unwrap();
    write("[Payments][2]\n/pay/ @bob @ana\n");
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Violated);
    let cleo = gitlab.create_user("cleo");
    write("[Payments][2]\n/pay/ @bob @ana @cleo\n");
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting);
    gitlab.add_member(project, Membership::new(cleo, 30)).unwrap();
    gitlab.approve(which, cleo).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed);
    // A group may have as many members as it likes.
    gitlab.create_group(NewGroup::at("payers").visibility(Visibility::Public));
    write("[Payments][2]\n/pay/ @payers\n");
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_target_branch_says_who_owns() {
    let (stage, which, bob) = owned_by("/pay/ @cleo\n").await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    gitlab.create_user("cleo");
    gitlab.write_file(project, "change-1", ".gitlab/CODEOWNERS", Some("* @bob\n")).unwrap();
    gitlab.write_file(project, "change-1", "CODEOWNERS", Some("* @bob\n")).unwrap();
    let push =
        Push::new().file(FileChange::modified("pay/a.rs")).file(FileChange::modified(".gitlab/CODEOWNERS"));
    gitlab.push(which, push).unwrap();
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting);
    let played = stage.play(which, OWNED).await;
    assert_eq!(played.state(), RuleState::Violated);
    assert_eq!(played.sentence(), "by `.gitlab/CODEOWNERS` nobody owns `.gitlab/CODEOWNERS`");
    gitlab.write_file(project, "main", ".gitlab/CODEOWNERS", Some("* @bob\n")).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed);

    let elsewhere =
        stage.ground.merge_request().target_branch("release/1.0").file(FileChange::modified("pay/b"));
    gitlab.write_file(project, "release/1.0", ".gitlab/CODEOWNERS", Some("* @cleo\n")).unwrap();
    let elsewhere = gitlab.open_merge_request(elsewhere).unwrap();
    gitlab.approve(elsewhere, bob).unwrap();
    assert_eq!(stage.play(elsewhere, APPROVED).await.state(), RuleState::Waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_file_nothing_passes() {
    let (stage, which, bob) = owned_by("").await;
    let gitlab = &stage.ground.gitlab;
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed, "a file that owns nothing");
    assert_eq!(stage.play(which, OWNED).await.state(), RuleState::Violated);
    gitlab.write_file(stage.ground.project, "main", ".gitlab/CODEOWNERS", None).unwrap();
    for require in [APPROVED, OWNED] {
        let played = stage.play(which, require).await;
        assert_eq!((played.state(), played.calls[RAW]), (RuleState::Violated, 3));
        assert_eq!(played.sentence(), "`main` has no CODEOWNERS file");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cant_be_read_is_never_no_file() {
    let (stage, which, bob) = owned_by("/docs/ @bob\n").await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed, "nothing is owned");
    let faults = [
        (Fault::error_page(BRANCH, 404), UNKNOWN),
        (Fault::error_page(BRANCH, 403), UNKNOWN),
        (Fault::error_page(RAW, 500), RuleState::Unknown { curable: true }),
        // A page of a proxy, not the file: `200 OK` alone is no answer of GitLab's.
        (Fault::error_page(RAW, 200), RuleState::Unknown { curable: true }),
        (Fault::on(RAW, FaultKind::Truncate), RuleState::Unknown { curable: true }),
    ];
    for (fault, expected) in faults {
        let told = format!("{fault:?}");
        let fault = gitlab.fault(fault);
        let played = stage.play(which, APPROVED).await;
        assert_eq!(played.state(), expected, "{told}: {}", played.sentence());
        gitlab.lift(fault);
    }
    let huge = format!("/docs/ @bob\n{}", "# and so on\n".repeat(100_000));
    gitlab.write_file(project, "main", "CODEOWNERS", Some(&huge)).unwrap();
    let played = stage.play(which, APPROVED).await;
    assert_eq!(
        (played.state(), played.sentence()),
        (UNKNOWN, "not known: `CODEOWNERS` is larger than 1 MiB")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_owns_by_its_members_and_a_hidden_one_passes_nothing() {
    let (stage, which, bob) = owned_by("/pay/ @payers\n").await;
    let gitlab = &stage.ground.gitlab;
    gitlab.create_group(NewGroup::at("payers").visibility(Visibility::Public));
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting);
    gitlab.add_member("payers", Membership::new(bob, 30)).unwrap();
    let played = stage.play(which, APPROVED).await;
    // As above, with the name that is no user's, the group, and the membership.
    assert_eq!((played.state(), played.further_calls()), (RuleState::Passed, 11), "{:?}", played.calls);
    gitlab.set_visibility("payers", Visibility::Private).unwrap();
    let played = stage.play(which, APPROVED).await;
    assert_eq!(played.state(), UNKNOWN, "{}", played.sentence());
    let asks = |remedy: &Remedy| matches!(remedy, Remedy::AskOperator { what } if what.contains("`@payers`"));
    assert!(played.rules[0].remedies.iter().any(asks), "{:?}", played.rules[0].remedies);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_of_direct_members_alone() {
    let (stage, which, bob) = owned_by("/pay/ @@developers\n").await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed);
    gitlab.add_member(project, Membership::new(bob, 40)).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting, "exactly that role");
    gitlab.remove_member(project, bob).unwrap();
    gitlab.add_member("shop", Membership::new(bob, 30)).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting, "an inherited one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_owns_if_gitlab_knows_whose_it_is() {
    let (stage, which, bob) = owned_by("/pay/ BOB@example.com\n").await;
    let (gitlab, project) = (&stage.ground.gitlab, stage.ground.project);
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed);
    gitlab.write_file(project, "main", ".gitlab/CODEOWNERS", Some("/pay/ nobody@example.com\n")).unwrap();
    let played = stage.play(which, APPROVED).await;
    assert_eq!(played.state(), UNKNOWN);
    assert!(played.sentence().contains("0 of 1 approvals needed"), "{}", played.sentence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_out_of_an_owned_path_still_needs_its_owner() {
    let (stage, _, bob) = owned_by("* @bob\n[Pay]\n/pay/ @cleo\n").await;
    let gitlab = &stage.ground.gitlab;
    let cleo = gitlab.create_user("cleo");
    gitlab.add_member(stage.ground.project, Membership::new(cleo, 30)).unwrap();
    let request = stage.ground.merge_request().file(FileChange::renamed("pay/a.rs", "src/a.rs"));
    let which = gitlab.open_merge_request(request).unwrap();
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Waiting);
    gitlab.approve(which, cleo).unwrap();
    assert_eq!(stage.play(which, APPROVED).await.state(), RuleState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_can_be_whoever_owns_a_changed_path() {
    let (stage, which, bob) = owned_by("/pay/ @bob\n/docs/ @cleo\n").await;
    let gitlab = &stage.ground.gitlab;
    let cleo = gitlab.create_user("cleo");
    gitlab.add_member(stage.ground.project, Membership::new(cleo, 30)).unwrap();
    let from = "{approvals: {count: 1, from: {code_owners: true}}}";
    gitlab.approve(which, cleo).unwrap();
    assert_eq!(stage.play(which, from).await.state(), RuleState::Waiting);
    gitlab.approve(which, bob).unwrap();
    assert_eq!(stage.play(which, from).await.state(), RuleState::Passed);
}
