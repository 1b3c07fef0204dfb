//! What nobody was told of is found: after a start, an outage of GitLab, a disk that was full, and by no event at all.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::{
    CheckStatus, Fault, FaultKind, Membership, NewMergeRequest, NewProject, NewStatusCheck, Weather,
};

use crate::world::{Ground, ONE, PLAIN_POLICY, REVIEW_POLICY, SECRET, World, until_async};

use CheckStatus::{Failed, Passed, Pending, Unanswered};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The list that a sweep reads.
const CHANGED: &str = "GET /projects/:id/merge_requests";

/// Whatever happens from here on is told to nobody.
fn deaf(world: &World) {
    world.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
}

/// One merge request for each change that nobody is told of.
struct Scene {
    world: World,
    bea: UserId,
    bad: MergeRequestRef,
    unapproved: MergeRequestRef,
    foreign: MergeRequestRef,
    mended: MergeRequestRef,
    untouched: MergeRequestRef,
}

impl Scene {
    async fn start() -> Self {
        Self::start_on(Ground::prepare(REVIEW_POLICY).await).await
    }

    async fn start_on(ground: Ground) -> Self {
        let world = World::start_on(ground).await;
        let bea = world.ground.reviewer();
        let open = |title| world.open(world.merge_request().title(title));
        let [bad, unapproved, foreign, untouched] = [(); 4].map(|()| open("good"));
        let mended = open("bad");
        for which in [bad, unapproved, mended, untouched] {
            world.gitlab.approve(which, bea).unwrap();
        }
        for (which, status) in [
            (bad, Passed),
            (unapproved, Passed),
            (foreign, Unanswered),
            (mended, Failed),
            (untouched, Passed),
        ] {
            world.expect(which, status, "before").await;
        }
        Self { world, bea, bad, unapproved, foreign, mended, untouched }
    }

    /// What happens to them while nobody listens; gives one more merge request that is opened then.
    fn change(&self) -> MergeRequestRef {
        let (gitlab, ground) = (&self.world.gitlab, &self.world.ground);
        deaf(&self.world);
        gitlab.edit_title(self.bad, "bad").unwrap();
        gitlab.unapprove(self.unapproved, self.bea).unwrap();
        // GitLab dates no status into the merge request: this one is found because it changed not long ago.
        gitlab.post_status_as(ground.author, self.foreign, self.world.check, Passed).unwrap();
        gitlab.edit_title(self.mended, "good").unwrap();
        let new = self.world.open(self.world.merge_request());
        gitlab.approve(new, self.bea).unwrap();
        new
    }

    /// All of it is right, and nobody said a word.
    async fn demand_right(&self, new: MergeRequestRef) {
        for (which, status, what) in [
            (self.bad, Failed, "its title is bad"),
            (self.unapproved, Pending, "nobody approves it"),
            (self.foreign, Pending, "somebody else passed it"),
            (self.mended, Passed, "its title is good"),
            (new, Passed, "it is new"),
            (self.untouched, Passed, "nothing happened to it"),
        ] {
            self.world.expect(which, status, what).await;
        }
        assert_eq!(self.world.posted(self.untouched), [Passed], "nothing was said in vain");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_the_service_was_away_is_found_at_its_start_without_an_event() {
    let mut scene = Scene::start().await;
    scene.world.stop().await;
    scene.world.gitlab.advance(HOUR);
    let new = scene.change();
    scene.world.gitlab.advance(HOUR);
    scene.world.start_again().await;
    scene.world.swept(1).await;
    scene.demand_right(new).await;
    let found = scene.world.metric("countersign_swept_merge_requests_total");
    println!("{found} merge requests were looked at by the sweep");
    scene.world.end().await;
}

/// It was lost before the stop: the last minutes are looked at once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_in_the_last_minutes_before_a_stop_is_found_at_the_next_start() {
    let mut scene = Scene::start().await;
    let new = scene.change();
    scene.world.gitlab.advance(MINUTE * 9);
    // Something is made durable after it was lost.
    let late = scene.world.gitlab.acting_as(scene.world.ground.author);
    scene.world.gitlab.set_weather(Weather::default());
    late.add_label(scene.untouched, "late").unwrap();
    scene.world.settle().await;
    scene.world.stop().await;
    scene.world.start_again().await;
    scene.world.swept(1).await;
    scene.demand_right(new).await;
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_project_that_was_ever_seen_is_swept_and_one_that_is_gone_keeps_no_other_from_it() {
    let mut scene = Scene::start().await;
    let gone = scene.world.gitlab.create_project(NewProject::at("shop/a-gone"));
    let ground = &scene.world.ground;
    let member = Membership::new(ground.bot, 30);
    scene.world.gitlab.add_member(gone, member).unwrap();
    let url = format!("{}/webhooks/gitlab", scene.world.url());
    let check = NewStatusCheck::new("countersign", &url).secret(SECRET);
    scene.world.gitlab.create_status_check(gone, check).unwrap();
    let there = NewMergeRequest::in_project(gone).author(ground.author);
    scene.world.open(there);
    scene.world.settle().await;
    scene.world.stop().await;
    let new = scene.change();
    scene.world.gitlab.delete_project(gone).unwrap();
    let lists = scene.world.calls(CHANGED);
    scene.world.start_again().await;
    scene.world.swept(1).await;
    scene.demand_right(new).await;
    assert_eq!(scene.world.calls(CHANGED), lists + 2, "both projects were asked for");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_finds_gitlab_down_is_made_once_it_is_up() {
    let mut scene = Scene::start().await;
    scene.world.stop().await;
    let new = scene.change();
    let down = scene.world.gitlab.fault(Fault::on("*", FaultKind::Reset));
    scene.world.start_again().await;
    until_async("GitLab counts as down", async || {
        scene.world.gitlab.advance(Duration::from_secs(2));
        scene.world.metric("countersign_gitlab_down") > 0.0
    })
    .await;
    assert_eq!(scene.world.sweeps(), 0);
    // A look that GitLab's return catches between its last read and its answer takes a pass back, and rightly so.
    scene.world.rest().await;
    scene.world.gitlab.lift(down);
    scene.through_the_pauses().await;
    scene.demand_right(new).await;
    scene.world.end().await;
}

/// It is owed from the instant of the first one on, not from that of the second start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_was_cut_off_is_still_owed_after_the_next_start() {
    let mut scene = Scene::start().await;
    scene.world.stop().await;
    let new = scene.change();
    let lists = scene.world.calls(CHANGED);
    let down = scene.world.gitlab.fault(Fault::on(CHANGED, FaultKind::Hang));
    scene.world.start_again().await;
    scene.world.until("the sweep is under way", |gitlab| gitlab.calls_to(CHANGED) > lists).await;
    // While it hangs, much is written, and time goes by.
    scene.world.gitlab.advance(HOUR * 5);
    scene.world.gitlab.set_weather(Weather::default());
    scene.world.gitlab.add_label(scene.untouched, "later").unwrap();
    scene.world.settle().await;
    scene.world.stop().await;
    deaf(&scene.world);
    scene.world.gitlab.lift(down);
    assert_eq!(scene.world.status(new), Unanswered, "nobody has found it yet");
    scene.world.start_again().await;
    scene.world.swept(1).await;
    scene.demand_right(new).await;
    scene.world.end().await;
}

impl Scene {
    /// Lets time pass until the sweep was made and what it found was looked at.
    async fn through_the_pauses(&self) {
        for _ in 0..40 {
            if self.world.sweeps() > 0 {
                break;
            }
            self.world.gitlab.advance(Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.world.swept(1).await;
        // What failed meanwhile waits for its next try; in small steps, so that no heartbeat is missed.
        let database = rusqlite::Connection::open(self.world.ground.database()).unwrap();
        let left = || {
            let sql =
                "SELECT count(*) FROM lane WHERE attempts > 0 OR look_at IS NOT NULL OR sweep_at IS NOT NULL";
            database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        for _ in 0..60 {
            self.world.pass(Duration::from_secs(10)).await;
            if left() == 0 {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_of_more_than_a_minute_what_it_hid_is_found() {
    let scene = Scene::start().await;
    assert_eq!(scene.world.sweeps(), 0, "a new store has nothing to look back to");
    // GitLab does not answer, and tells nobody what happens to it.
    let down = scene.world.gitlab.fault(Fault::on("*", FaultKind::Reset));
    let looks = scene.world.calls(ONE);
    scene.world.gitlab.add_label(scene.untouched, "look").unwrap();
    scene.world.until("a look fails", |gitlab| gitlab.calls_to(ONE) > looks).await;
    scene.world.rest().await;
    let new = scene.change();
    let over = scene.world.gitlab.now() + Duration::from_secs(70);
    while scene.world.gitlab.now() < over {
        scene.world.pass(MINUTE).await;
    }
    scene.world.gitlab.lift(down);
    for _ in 0..4 {
        scene.world.pass(MINUTE).await;
    }
    scene.world.swept(1).await;
    for (which, status, what) in [
        (scene.bad, Failed, "its title is bad"),
        (scene.unapproved, Pending, "nobody approves it"),
        (scene.foreign, Pending, "somebody else passed it"),
        (scene.mended, Passed, "its title is good"),
        (new, Passed, "it is new"),
        (scene.untouched, Passed, "it is decided anew"),
    ] {
        scene.world.expect(which, status, what).await;
    }
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_outage_is_made_good_by_the_tries_that_failed_and_needs_no_sweep() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request());
    world.expect(which, Passed, "good").await;
    let down = world.gitlab.fault(Fault::on("*", FaultKind::Reset));
    let looks = world.calls(ONE);
    world.gitlab.edit_title(which, "bad").unwrap();
    world.until("a look fails", |gitlab| gitlab.calls_to(ONE) > looks).await;
    world.rest().await;
    world.gitlab.lift(down);
    world.pass(MINUTE).await;
    world.expect(which, Failed, "bad").await;
    assert_eq!((world.calls(CHANGED), world.sweeps()), (0, 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_delivery_was_turned_away_what_it_told_is_found() {
    let scene = Scene::start().await;
    let new = scene.change();
    scene.world.gitlab.advance(MINUTE * 5);
    scene.world.app().store().queue().note_turned_away();
    scene.world.swept(1).await;
    scene.demand_right(new).await;
    // And again, when it comes to that again.
    scene.world.gitlab.edit_title(scene.mended, "bad").unwrap();
    scene.world.app().store().queue().note_turned_away();
    // Not at once: two sweeps are some time apart.
    scene.world.gitlab.advance(MINUTE);
    scene.world.swept(2).await;
    scene.world.expect(scene.mended, Failed, "bad again").await;
    scene.world.end().await;
}

/// Nobody waits for it, and GitLab has others to serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sweep_finds_is_looked_at_within_the_budget_of_calls() {
    const MERGE_REQUESTS: usize = 60;
    const LOOKS_AT_ONCE: usize = 20;
    const LOOKS_PER_MINUTE: usize = 6;
    let ground = Ground::prepare(PLAIN_POLICY).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "30");
    let mut world = World::start_on(ground).await;
    let all: Vec<_> = (0..MERGE_REQUESTS).map(|_| world.open(world.merge_request())).collect();
    world.settle().await;
    world.stop().await;
    deaf(&world);
    for which in &all {
        world.gitlab.edit_title(*which, "bad").unwrap();
    }
    let (looks, began) = (world.calls(ONE), world.gitlab.now());
    world.start_again().await;
    world.swept(1).await;
    let done = |world: &World| usize::try_from(world.calls(ONE) - looks).unwrap();
    let mut minutes = 0;
    while all.iter().any(|which| world.status(*which) != Failed) {
        let time = world.gitlab.now().duration_since(began).as_secs();
        let allowed = LOOKS_AT_ONCE + 1 + usize::try_from(time).unwrap() * LOOKS_PER_MINUTE / 60;
        assert!(done(&world) <= allowed, "{} looks after {time} s", done(&world));
        world.gitlab.advance(MINUTE);
        world.rest().await;
        minutes += 1;
        assert!(minutes < 10, "it does not come to its end");
    }
    println!(
        "{} looks within {minutes} minutes, {LOOKS_AT_ONCE} at once and {LOOKS_PER_MINUTE} a minute",
        done(&world)
    );
    assert_eq!(done(&world), MERGE_REQUESTS, "each of them once");
    assert!(minutes >= (MERGE_REQUESTS - LOOKS_AT_ONCE) / LOOKS_PER_MINUTE, "{minutes} minutes");
    world.end().await;
}
