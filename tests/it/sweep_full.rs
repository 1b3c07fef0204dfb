//! The full sweep: every open merge request is looked at from time to time, whether or not anybody told of it.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, ProjectId, StatusCheckId};
use countersign::simulator::{
    CheckStatus, Fault, FaultId, FaultKind, Membership, NewMergeRequest, NewProject, NewStatusCheck,
    ProjectSetting, Push, Weather,
};
use countersign::status_check::{Drift, SweepKind};

use crate::world::{
    Ground, LIST, ONE, PLAIN_POLICY, RESPOND, REVIEW_POLICY, SECRET, World, until, until_async,
};

use CheckStatus::{Failed, Passed, Pending, Unanswered};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const PROJECTS: &str = "GET /projects";
const CHANGED: &str = "GET /projects/:id/merge_requests";

async fn world(policy: &str) -> World {
    World::start_on(Ground::prepare(policy).await).await
}

/// Another project, with a check of ours or none.
fn project_with_check(world: &World, path: &str) -> (ProjectId, StatusCheckId) {
    let project = project(world, path);
    (project, add_check(world, project))
}

fn project(world: &World, path: &str) -> ProjectId {
    let project = world.gitlab.create_project(NewProject::at(path));
    for user in [world.ground.bot, world.ground.author] {
        world.gitlab.add_member(project, Membership::new(user, 30)).unwrap();
    }
    project
}

fn add_check(world: &World, project: ProjectId) -> StatusCheckId {
    let url = format!("{}/webhooks/gitlab", world.url());
    let check = NewStatusCheck::new("countersign", &url).secret(SECRET);
    world.gitlab.create_status_check(project, check).unwrap()
}

fn merge_request(world: &World, project: ProjectId) -> MergeRequestRef {
    world.open(NewMergeRequest::in_project(project).author(world.ground.author))
}

fn deaf(world: &World) {
    world.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
}

/// It showed nothing, nobody touched it for an hour, and nothing of it says that somebody posted a status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_passed_is_told_and_our_answer_restored_although_nothing_else_happened() {
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("SWEEP__FULL", "1h");
    let world = World::start_on(ground).await;
    let _bea = world.ground.reviewer();
    until("the first sweep is made", || world.sweeps_of(SweepKind::Full) == 1).await;
    let [waiting, bad] = ["good", "bad"].map(|title| world.open(world.merge_request().title(title)));
    world.expect(waiting, Unanswered, "it waits").await;
    world.expect(bad, Failed, "it is bad").await;
    world.gitlab.advance(MINUTE * 15);
    for which in [waiting, bad] {
        world.gitlab.post_status_as(world.ground.author, which, world.check, Passed).unwrap();
    }
    world.rest().await;
    assert_eq!([waiting, bad].map(|which| world.status(which)), [Passed, Passed]);
    world.gitlab.advance(MINUTE * 55);
    until("the second sweep is made", || world.sweeps_of(SweepKind::Full) == 2).await;
    world.gitlab.advance(MINUTE * 50);
    world.rest().await;
    assert_eq!(world.posted(waiting), [Passed, Pending]);
    assert_eq!(world.posted(bad), [Failed, Passed, Failed]);
    assert_eq!(world.drift(Drift::ForeignStatus), (2, 2));
    assert_eq!(world.drift(Drift::MissedEvent), (0, 0), "nothing is told twice");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merge_requests_that_were_open_before_their_check_are_decided() {
    let world = world(PLAIN_POLICY).await;
    let project = project(&world, "shop/older");
    let outside = world.gitlab.create_project(NewProject::at("shop/not-ours"));
    let [good, bad] = ["good", "bad"].map(|title| {
        world.open(NewMergeRequest::in_project(project).author(world.ground.author).title(title))
    });
    world.sweep(SweepKind::Full).await;
    let check = add_check(&world, project);
    world.settle().await;
    assert_eq!(world.gitlab.status(good, check), Ok(Unanswered), "GitLab tells nobody");
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.gitlab.status(good, check), Ok(Passed));
    assert_eq!(world.gitlab.status(bad, check), Ok(Failed));
    assert_eq!(world.drift(Drift::NeverDecided), (2, 2));
    // A second check on one that was decided for the first.
    let url = format!("{}/webhooks/gitlab/second", world.url());
    let second = NewStatusCheck::new("second", &url).secret(SECRET);
    let second = world.gitlab.create_status_check(project, second).unwrap();
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.gitlab.status(good, second), Ok(Passed));
    assert_eq!(world.gitlab.responses(good, check).len(), 1, "the first one shows what it should");
    let asked = world.gitlab.calls().iter().any(|call| call.target.contains(&format!("projects/{outside}/")));
    assert!(!asked, "a project in which nothing can be answered is not asked for");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_outside_of_the_scope_and_archived_ones_are_left_alone() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("GITLAB__PROJECTS", "shop/*,!shop/other");
    let world = World::start_on(ground).await;
    let (other, _) = project_with_check(&world, "shop/other");
    let (archived, _) = project_with_check(&world, "shop/archived");
    deaf(&world);
    let left_alone = [merge_request(&world, other), merge_request(&world, archived)];
    world.gitlab.configure_project(archived, ProjectSetting::Archived(true)).unwrap();
    let ours = merge_request(&world, world.ground.project);
    world.sweep(SweepKind::Full).await;
    world.expect(ours, Passed, "it is ours").await;
    let calls = world.gitlab.calls();
    for which in left_alone {
        let path = format!("/projects/{}/merge_requests", which.project);
        assert!(!calls.iter().any(|call| call.target.contains(&path)), "{which}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_renamed_moved_or_gone_is_reported_once_and_no_answer_is_lost_on_it() {
    let world = world(PLAIN_POLICY).await;
    let project = world.ground.project;
    let both = [world.open(world.merge_request()), world.open(world.merge_request())];
    for which in both {
        world.expect(which, Passed, "good").await;
    }
    let found = |kind| world.drift(kind).0;
    world.gitlab.rename_check(project, world.check, "Gate").unwrap();
    world.sweep(SweepKind::Full).await;
    assert_eq!(found(Drift::CheckRenamed), 1, "once, for two merge requests");
    world.sweep(SweepKind::Full).await;
    assert_eq!(found(Drift::CheckRenamed), 1, "and once for two sweeps");

    let ours = format!("{}/webhooks/gitlab", world.url());
    world.gitlab.set_check_url(project, world.check, "https://elsewhere.example/hook").unwrap();
    deaf(&world);
    for which in both {
        world.gitlab.edit_title(which, "bad").unwrap();
    }
    world.sweep(SweepKind::Full).await;
    world.sweep(SweepKind::Full).await;
    assert_eq!((found(Drift::CheckMoved), found(Drift::CheckGone)), (1, 0));
    for which in both {
        assert_eq!(world.posted(which), [Passed], "it is not ours to answer");
    }
    world.gitlab.set_check_url(project, world.check, &ours).unwrap();
    world.sweep(SweepKind::Full).await;
    for which in both {
        world.expect(which, Failed, "it is ours again").await;
    }

    world.gitlab.delete_status_check(project, world.check).unwrap();
    world.sweep(SweepKind::Full).await;
    assert_eq!(found(Drift::CheckGone), 1);
    assert_eq!(both.map(|which| world.gitlab.responses(which, world.check).len()), [2, 2]);
    assert_eq!(found(Drift::ForeignStatus), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_merging_waits_for_checks_no_more_is_reported_where_it_did_before() {
    let world = world(PLAIN_POLICY).await;
    let project = world.ground.project;
    let required = |on| world.gitlab.configure_project(project, ProjectSetting::ChecksMustPass(on)).unwrap();
    let _open = world.open(world.merge_request());
    required(false);
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.drift(Drift::NotRequired).0, 0, "it never was");
    required(true);
    world.sweep(SweepKind::Full).await;
    required(false);
    world.sweep(SweepKind::Full).await;
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.drift(Drift::NotRequired), (1, 0), "only people can mend that");
    required(true);
    world.sweep(SweepKind::Full).await;
    required(false);
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.drift(Drift::NotRequired).0, 2, "once more");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_on_a_merge_request_that_was_closed_unheard_is_taken_back_and_a_merged_one_is_left() {
    let world = world(PLAIN_POLICY).await;
    let [closed, merged] = [(); 2].map(|()| world.open(world.merge_request()));
    for which in [closed, merged] {
        world.expect(which, Passed, "good").await;
    }
    deaf(&world);
    world.gitlab.close(closed).unwrap();
    world.gitlab.merge(merged).unwrap();
    world.sweep(SweepKind::Full).await;
    assert_eq!((world.status(closed), world.status(merged)), (Pending, Passed));
    assert_eq!(world.drift(Drift::MissedEvent), (1, 1));
    let looks = world.calls(ONE);
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.calls(ONE), looks, "neither is open, and neither is looked at again");
    // Reopened unheard, it is decided anew.
    world.gitlab.reopen(closed).unwrap();
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.status(closed), Passed);
    world.end().await;
}

/// The recorded answer for waiting is what GitLab's own clock made of our word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_that_ran_out_is_no_drift() {
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("ANSWERS__HEARTBEAT_FOR", "1m");
    let world = World::start_on(ground).await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, Passed, "approved").await;
    world.gitlab.unapprove(which, bea).unwrap();
    world.expect(which, Pending, "not any more").await;
    world.gitlab.advance(MINUTE * 10);
    world.rest().await;
    assert_eq!(world.status(which), Failed, "GitLab turned it");
    world.sweep(SweepKind::Full).await;
    assert_eq!(world.posted(which), [Passed, Pending], "nothing is said anew");
    for kind in [Drift::ForeignStatus, Drift::LostAnswer, Drift::MissedEvent, Drift::NeverDecided] {
        assert_eq!(world.drift(kind), (0, 0), "{kind:?}");
    }
    world.end().await;
}

/// After `passed` nobody can press Retry, so that a `pending` is somebody's, as any other status is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_pending_or_failed_in_the_place_of_a_pass_is_told_as_foreign() {
    let world = world(PLAIN_POLICY).await;
    let both = [Pending, Failed].map(|status| (world.open(world.merge_request()), status));
    for (which, status) in both {
        world.expect(which, Passed, "good").await;
        world.gitlab.post_status_as(world.ground.author, which, world.check, status).unwrap();
    }
    world.sweep(SweepKind::Full).await;
    for (which, status) in both {
        assert_eq!(world.posted(which), [Passed, status, Passed]);
    }
    assert_eq!(world.drift(Drift::ForeignStatus), (2, 2));
    for other in [Drift::LostAnswer, Drift::MissedEvent, Drift::NeverDecided] {
        assert_eq!(world.drift(other), (0, 0), "{other:?}");
    }
    world.end().await;
}

/// GitLab has taken our answers and lost them: a copy of its database came back, say. What it took before shows again, a pass that
/// was taken back among it. By what GitLab lists nobody can tell that from a stranger's status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_gitlab_took_and_lost_are_said_again_and_told_like_a_stranger_s() {
    let world = world(REVIEW_POLICY).await;
    let bea = world.ground.reviewer();
    let [first, taken_back] = [(); 2].map(|()| world.open(world.merge_request()));
    for which in [first, taken_back] {
        world.gitlab.approve(which, bea).unwrap();
        world.expect(which, Passed, "approved").await;
    }
    world.gitlab.unapprove(taken_back, bea).unwrap();
    world.expect(taken_back, Pending, "not any more").await;
    for which in [first, taken_back] {
        assert_eq!(world.gitlab.lose_answer(which, world.check), Ok(true));
    }
    assert_eq!([first, taken_back].map(|which| world.status(which)), [Unanswered, Passed]);
    world.sweep(SweepKind::Full).await;
    assert_eq!([first, taken_back].map(|which| world.status(which)), [Passed, Pending]);
    assert_eq!(world.posted(first), [Passed, Passed]);
    assert_eq!(world.posted(taken_back), [Passed, Pending, Pending]);
    assert_eq!(world.drift(Drift::ForeignStatus), (2, 2));
    assert_eq!(world.drift(Drift::LostAnswer), (0, 0));
    world.end().await;
}

/// Our answer was taken, nobody told us, and then it was lost: here nothing speaks for a stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_unclear_fate_that_does_not_show_is_a_lost_one() {
    let world = world(PLAIN_POLICY).await;
    world.gitlab.fault(Fault::on(RESPOND, FaultKind::ApplyThenReset).times(1));
    let which = world.open(world.merge_request());
    world.until("it is taken", |gitlab| gitlab.status(which, world.check) == Ok(Passed)).await;
    // Its second look, long before its answer can't arrive any more, finds that it shows.
    for _ in 0..20 {
        world.rest().await;
        if world.calls(LIST) >= 2 {
            break;
        }
        world.gitlab.advance(Duration::from_secs(2));
    }
    world.rest().await;
    assert_eq!((world.calls(LIST), world.posted(which)), (2, vec![Passed]), "it was seen to show");
    assert_eq!(world.gitlab.lose_answer(which, world.check), Ok(true));
    world.sweep(SweepKind::Full).await;
    assert_eq!((world.status(which), world.posted(which)), (Passed, vec![Passed, Passed]));
    assert_eq!(world.drift(Drift::LostAnswer), (1, 1));
    assert_eq!(world.drift(Drift::ForeignStatus), (0, 0));
    world.end().await;
}

/// Who pushes and passes the new commit at once, before it is looked at; and who passes a merge request that was never looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_passed_on_a_head_that_was_never_answered_is_told_without_any_sweep() {
    let world = world(REVIEW_POLICY).await;
    let _bea = world.ground.reviewer();
    let pushed = world.open(world.merge_request());
    world.expect(pushed, Unanswered, "it waits").await;
    world.settle().await;
    world.gitlab.hold_deliveries();
    let new = world.open(world.merge_request());
    world.gitlab.push(pushed, Push::new().file("src/other.rs")).unwrap();
    for which in [pushed, new] {
        world.gitlab.post_status_as(world.ground.author, which, world.check, Passed).unwrap();
    }
    world.gitlab.release_deliveries();
    world.settle().await;
    for which in [pushed, new] {
        world.expect(which, Pending, "nobody approves").await;
    }
    assert_eq!(world.drift(Drift::ForeignStatus), (2, 2));
    world.end().await;
}

/// One after another, in nine tenths of the period; a restart in the middle goes on with what is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_sweep_is_spread_over_its_period_and_outlives_a_restart() {
    const MERGE_REQUESTS: usize = 60;
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("SWEEP__FULL", "1h");
    let mut world = World::start_on(ground).await;
    until("the first sweep is made", || world.sweeps_of(SweepKind::Full) == 1).await;
    let all: Vec<_> = (0..MERGE_REQUESTS).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    deaf(&world);
    world.gitlab.advance(MINUTE * 67);
    until("the second sweep is made", || world.sweeps_of(SweepKind::Full) == 2).await;
    for which in &all {
        world.gitlab.edit_title(*which, "bad").unwrap();
    }
    let right = |world: &World| all.iter().filter(|which| world.status(**which) == Failed).count();
    let mut after = BTreeSet::new();
    for minute in 1..=60_usize {
        world.gitlab.advance(MINUTE);
        world.rest().await;
        let right = right(&world);
        // Sixty in 54 minutes: by then so many, give or take what is due just now.
        let due = (minute * MERGE_REQUESTS / 54).min(MERGE_REQUESTS);
        assert!(right <= due + 3, "{right} after {minute} minutes: too fast");
        assert!(right + 3 >= due || minute >= 30, "{right} after {minute} minutes: too slow");
        after.insert(right);
        if minute == 20 {
            break;
        }
    }
    println!("merge requests that were right, minute by minute: {after:?}");
    let waiting = |world: &World| {
        let database = rusqlite::Connection::open(world.ground.database()).unwrap();
        let sql = "SELECT count(*) FROM lane WHERE sweep_at IS NOT NULL";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let left = waiting(&world);
    assert!(left >= 30, "{left} wait for their turn");
    world.stop().await;
    assert_eq!(waiting(&world), left, "and go on waiting while there is no service");
    // A start looks back besides, which gives them an earlier turn.
    world.start_again().await;
    world.swept(1).await;
    world.gitlab.advance(HOUR);
    world.rest().await;
    assert_eq!(right(&world), MERGE_REQUESTS);
    world.end().await;
}

/// However much a sweep has found, and however small the budget is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_served_at_once_while_a_sweep_waits_for_its_budget() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "5");
    let world = World::start_on(ground).await;
    let all: Vec<_> = (0..60).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    deaf(&world);
    for which in &all {
        world.gitlab.edit_title(*which, "bad").unwrap();
    }
    world.sweep(SweepKind::Full).await;
    let right = || all.iter().filter(|which| world.status(**which) == Failed).count();
    let swept = right();
    assert!((19..=22).contains(&swept), "{swept} at once, then one a minute");
    world.gitlab.set_weather(Weather::default());
    let last = *all.iter().rev().find(|which| world.status(**which) == Passed).unwrap();
    world.gitlab.add_label(last, "now").unwrap();
    world.expect(last, Failed, "its event is served at once").await;
    assert!(right() <= swept + 2, "and the others go on waiting");
    world.gitlab.advance(MINUTE * 5);
    world.rest().await;
    let later = right();
    assert!((swept + 2..=swept + 8).contains(&later), "{later}");
    world.end().await;
}

/// Who asks from outside (`reconcile` in another process) knows nothing of what else is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_that_are_asked_for_all_at_once_are_charged_to_the_budget_when_they_begin() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "30");
    let world = World::start_on(ground).await;
    let all: Vec<_> = (0..40).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    let (looks, now) = (world.calls(ONE), world.gitlab.now());
    let asked = all.iter().map(|which| (*which, now)).collect();
    world.app().store().queue().ask_for_sweep(asked).await.unwrap();
    world.rest().await;
    let done = || world.calls(ONE) - looks;
    assert!((20..=22).contains(&done()), "{} at once", done());
    let database = rusqlite::Connection::open(world.ground.database()).unwrap();
    let sql = "SELECT count(sweep_at), count(DISTINCT sweep_at) FROM lane";
    let (waiting, instants): (i64, i64) =
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert!(waiting >= 18, "{waiting} come back");
    assert_eq!(instants, waiting, "each at an instant of its own");
    for _ in 0..5 {
        let before = done();
        world.gitlab.advance(MINUTE);
        world.rest().await;
        assert!(done() - before <= 7, "{} in a minute", done() - before);
    }
    assert_eq!(done(), 40, "each of them once");
    assert_eq!(world.gitlab.all_responses().len(), 40, "and nothing was said in vain");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_is_looked_for_every_few_minutes_and_what_was_seen_is_not_looked_at_again() {
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("SWEEP__RECENT", "5m");
    let world = World::start_on(ground).await;
    let unheard = project(&world, "shop/unheard");
    let [lost, heard] = [(); 2].map(|()| world.open(world.merge_request()));
    for which in [lost, heard] {
        world.expect(which, Passed, "good").await;
    }
    deaf(&world);
    world.gitlab.edit_title(lost, "bad").unwrap();
    let check = add_check(&world, unheard);
    let new = merge_request(&world, unheard);
    let (looks, lists) = (world.calls(ONE), world.calls(CHANGED));
    world.gitlab.advance(MINUTE * 4);
    world.rest().await;
    assert_eq!((world.calls(CHANGED), world.status(lost)), (lists, Passed), "not yet");
    world.gitlab.advance(MINUTE * 2);
    until("it has swept", || world.sweeps_of(SweepKind::Recent) == 1).await;
    world.rest().await;
    assert_eq!(world.status(lost), Failed);
    assert_eq!(world.gitlab.status(new, check), Ok(Passed), "in a project that was never heard of");
    assert_eq!(world.calls(ONE), looks + 2, "what was heard of was seen as it is");
    assert_eq!(world.calls(CHANGED), lists + 2, "one list for each project");
    assert_eq!(world.calls(PROJECTS), 1);
    assert_eq!((world.drift(Drift::MissedEvent), world.drift(Drift::NeverDecided)), ((1, 1), (1, 1)));
    for sweeps in 2..=4 {
        world.gitlab.advance(MINUTE * 6);
        until("it has swept again", || world.sweeps_of(SweepKind::Recent) == sweeps).await;
        world.rest().await;
    }
    assert_eq!(world.calls(ONE), looks + 2, "nothing has changed since");
    world.end().await;
}

/// A full sweep begins, and GitLab lists one project and not the next one: the merge request of the first, that of the other with
/// its check, and what keeps it from being listed.
async fn half_listed() -> (World, MergeRequestRef, (MergeRequestRef, StatusCheckId), FaultId) {
    let world = world(PLAIN_POLICY).await;
    let (other, check) = project_with_check(&world, "shop/second");
    deaf(&world);
    let (first, second) = (merge_request(&world, world.ground.project), merge_request(&world, other));
    let broken = world.gitlab.fault(Fault::error_page(CHANGED, 502).skip(1));
    world.app().sweep_now(SweepKind::Full);
    (world, first, (second, check), broken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_sweep_that_could_not_list_everything_goes_on_with_what_is_left() {
    let (world, first, (second, check), down) = half_listed().await;
    until_async("it is tried again, in vain", async || {
        world.gitlab.advance(Duration::from_secs(2));
        world.calls(CHANGED) >= 8
    })
    .await;
    assert_eq!((world.sweeps_of(SweepKind::Full), world.status(first)), (0, Unanswered));
    world.gitlab.lift(down);
    until_async("it is made", async || {
        world.gitlab.advance(Duration::from_secs(5));
        world.sweeps_of(SweepKind::Full) == 1
    })
    .await;
    world.rest().await;
    assert_eq!((world.status(first), world.gitlab.status(second, check)), (Passed, Ok(Passed)));
    assert_eq!(world.calls(PROJECTS), 1, "what was learned before is not asked for again");
    world.end().await;
}

/// GitLab always fails at one project, whatever else it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_never_listed_keeps_no_other_from_being_swept() {
    let (world, first, (second, check), broken) = half_listed().await;
    until_async("the one that is listed is looked at", async || {
        world.gitlab.advance(Duration::from_secs(2));
        world.status(first) == Passed
    })
    .await;
    assert_eq!(world.gitlab.status(second, check), Ok(Unanswered));
    assert_eq!(world.app().store().queue().last_full_sweep().await.unwrap(), None, "it is not made");
    assert_eq!(world.sweeps_of(SweepKind::Full), 0);
    // Nor does it keep other sweeps from their turn.
    let looked_back = world.calls(CHANGED);
    world.app().sweep_now(SweepKind::LookBack);
    until_async("the look back ends without it", async || {
        world.gitlab.advance(Duration::from_secs(2));
        world.calls(CHANGED) > looked_back
    })
    .await;
    world.gitlab.lift(broken);
    until_async("what was left is swept later", async || {
        world.gitlab.advance(Duration::from_secs(30));
        world.sweeps_of(SweepKind::Full) == 1
    })
    .await;
    world.rest().await;
    assert_eq!(world.gitlab.status(second, check), Ok(Passed));
    world.end().await;
}

/// GitLab never comes to the end of a list of many projects, and serves everything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_projects_that_never_comes_keeps_no_known_project_from_being_swept() {
    let world = world(PLAIN_POLICY).await;
    let known = world.open(world.merge_request());
    world.expect(known, Passed, "good").await;
    let (unknown, check) = project_with_check(&world, "shop/second");
    deaf(&world);
    world.gitlab.edit_title(known, "bad").unwrap();
    let second = merge_request(&world, unknown);
    let broken = world.gitlab.fault(Fault::error_page(PROJECTS, 502));
    world.app().sweep_now(SweepKind::Full);
    until_async("the one that is known is looked at", async || {
        world.gitlab.advance(Duration::from_secs(2));
        world.status(known) == Failed
    })
    .await;
    assert_eq!(world.gitlab.status(second, check), Ok(Unanswered));
    assert_eq!(world.sweeps_of(SweepKind::Full), 0, "it is not made");
    world.gitlab.lift(broken);
    until_async("the others are swept once they are known", async || {
        world.gitlab.advance(Duration::from_secs(30));
        world.sweeps_of(SweepKind::Full) == 1
    })
    .await;
    world.rest().await;
    assert_eq!(world.gitlab.status(second, check), Ok(Passed));
    world.end().await;
}
