//! A `pending` that was said: kept alive for its period, over restarts and within a budget, then left to run out.
//!
//! GitLab turns a `pending` of two minutes to `failed` (contract section 1.3). Simulator and service share one clock here,
//! so a weekend takes a second.

use std::time::{Duration, Instant};

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::{CheckStatus, Fault, HookEvent, NewHook};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::world::{APPROVALS, Ground, HOOK_TOKEN, ONE, REVIEW_POLICY, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// `answers.heartbeat_for` as it comes.
const PERIOD: Duration = Duration::from_secs(600);
/// GitLab lets a `pending` run out after that.
const RUNS_OUT: Duration = Duration::from_secs(120);
/// How often `pending` may be said in one period: at once, and each 65 to 85 seconds until it is over.
const SAID: std::ops::RangeInclusive<usize> = 8..=10;

/// A merge request that passed and waits again, since an instant.
struct Waiting {
    world: World,
    which: MergeRequestRef,
    bea: UserId,
    began: Instant,
    since: Timestamp,
    /// For how long the service was away.
    away: Duration,
}

impl Waiting {
    async fn start_on(ground: Ground) -> Self {
        let began = Instant::now();
        let world = World::start_on(ground).await;
        let hook = NewHook::of(world.ground.project, &format!("{}/webhooks/gitlab", world.url()));
        world.gitlab.create_hook(hook.token(HOOK_TOKEN).without_merge_requests().event(HookEvent::Note));
        let bea = world.ground.reviewer();
        let which = world.open(world.merge_request());
        world.gitlab.approve(which, bea).unwrap();
        world.expect(which, CheckStatus::Passed, "approved").await;
        world.gitlab.unapprove(which, bea).unwrap();
        let since = world.gitlab.now();
        world.settle().await;
        Self { world, which, bea, began, since, away: Duration::ZERO }
    }

    fn now(&self) -> Timestamp {
        self.world.gitlab.now()
    }

    fn status(&self) -> CheckStatus {
        self.world.status(self.which)
    }

    /// When each answer of ours was taken, from the one that took the `passed` back.
    fn said(&self) -> Vec<(CheckStatus, Timestamp)> {
        let rows = self.world.gitlab.responses(self.which, self.world.check);
        let ours = rows.iter().filter(|row| row.user == self.world.ground.bot);
        let ours = ours.skip_while(|row| row.posted == CheckStatus::Passed);
        ours.map(|row| (row.posted, row.created_at)).collect()
    }

    /// Nothing but `pending` was said since then, often enough and not too often, none after the period was over.
    fn demand_one_period(&self, since: Timestamp) {
        let said: Vec<_> = self.said().into_iter().filter(|(_, at)| *at >= since).collect();
        assert!(said.iter().all(|(status, _)| *status == CheckStatus::Pending), "{said:?}");
        assert!(SAID.contains(&said.len()), "{} times: {said:?}", said.len());
        let last = said.last().unwrap().1;
        assert!(last <= since + PERIOD + self.began.elapsed(), "the period was over: {said:?}");
        for pair in said.windows(2) {
            let gap = pair[1].1.duration_since(pair[0].1);
            let late = SignedDuration::try_from(self.began.elapsed() + self.away).unwrap();
            assert!(gap >= SignedDuration::from_secs(60), "too soon: {said:?}");
            assert!(gap <= SignedDuration::from_secs(85) + late, "too late: {said:?}");
        }
    }

    /// Lets time pass to what is due next, a minute at the most, until that instant; what shows may be this alone.
    async fn shows_until(&self, end: Timestamp, allowed: &[CheckStatus]) {
        while self.now() < end {
            self.world.pass(MINUTE.min(self.world.ground.clock.until(end))).await;
            let (shown, after) = (self.status(), self.now().duration_since(self.since));
            assert!(allowed.contains(&shown), "{shown:?} after {after:#}: {:?}", self.said());
        }
    }

    /// Lives through the rest of a period that began then.
    async fn live_through(&self, since: Timestamp) {
        self.shows_until(since + PERIOD, &[CheckStatus::Pending]).await;
        let end = since + PERIOD + RUNS_OUT + self.began.elapsed();
        self.shows_until(end, &[CheckStatus::Pending, CheckStatus::Failed]).await;
        assert_eq!(self.status(), CheckStatus::Failed, "it ran out: {:?}", self.said());
    }
}

/// The next Friday, at 18:00.
fn next_friday_evening(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC);
    let friday = today.nth_weekday(1, Weekday::Friday).unwrap().date().at(18, 0, 0, 0);
    friday.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weekend_of_waiting_is_ten_minutes_of_pending_then_gitlabs_own_failed_and_never_passed() {
    let ground = Ground::prepare(REVIEW_POLICY).await;
    let friday = next_friday_evening(ground.clock.now());
    ground.clock.advance(ground.clock.until(friday));
    let waiting = Waiting::start_on(ground).await;
    let (world, which, since) = (&waiting.world, waiting.which, waiting.since);
    assert_eq!(waiting.status(), CheckStatus::Pending, "withdrawn at once");

    let reads = world.calls("GET *");
    waiting.live_through(since).await;
    assert_eq!(world.calls("GET *"), reads, "what only time asks for is said from memory");
    waiting.demand_one_period(since);
    let said = waiting.said().len();

    let monday = friday + HOUR * 62;
    let mut events = 0;
    while waiting.now() < monday {
        world.pass(HOUR.min(world.ground.clock.until(monday))).await;
        assert_eq!(waiting.status(), CheckStatus::Failed, "at {}", waiting.now());
        if events % 3 == 0 {
            world.gitlab.add_label(which, &format!("label-{events}")).unwrap();
        } else {
            world.gitlab.comment(which, "anybody there?").unwrap();
        }
        events += 1;
        world.settle().await;
        assert_eq!(waiting.status(), CheckStatus::Failed, "after an event at {}", waiting.now());
    }
    assert_eq!(waiting.said().len(), said, "silence for the rest of the weekend: {:?}", waiting.said());
    let weekend = waiting.now().duration_since(since);
    println!(
        "{weekend:#} of waiting: {} posts (1 passed, {said} pending in {} s), {events} events without a post, \
         0 times passed",
        said + 1,
        waiting.said().last().unwrap().1.duration_since(since).as_secs()
    );

    world.gitlab.approve(which, waiting.bea).unwrap();
    world.expect(which, CheckStatus::Passed, "approved on Monday").await;
    assert_eq!(waiting.said().len(), said + 1);
    waiting.world.end().await;
}

/// The service stops so long after the withdrawal, and is away for so long.
async fn restart(stops_after: Duration, away: Duration) -> Waiting {
    let mut waiting = Waiting::start_on(Ground::prepare(REVIEW_POLICY).await).await;
    waiting.shows_until(waiting.since + stops_after, &[CheckStatus::Pending, CheckStatus::Failed]).await;
    waiting.world.stop().await;
    waiting.world.gitlab.advance(away);
    waiting.away = away;
    waiting.world.start_again().await;
    waiting.world.swept(1).await;
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_period_goes_on_after_a_restart_and_ends_when_it_would_have_ended() {
    let waiting = restart(MINUTE * 5, Duration::from_secs(10)).await;
    waiting.live_through(waiting.since).await;
    waiting.demand_one_period(waiting.since);
    waiting.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_that_ran_out_while_the_service_was_away_is_said_again_while_its_period_lasts() {
    let waiting = restart(MINUTE * 2, MINUTE * 3).await;
    assert_eq!(waiting.status(), CheckStatus::Pending, "{:?}", waiting.said());
    let before = waiting.said().len();
    assert!(before <= 4, "once for the start: {:?}", waiting.said());
    waiting.live_through(waiting.since).await;
    let said = waiting.said();
    assert!(said.iter().all(|(status, at)| {
        *status == CheckStatus::Pending && *at <= waiting.since + PERIOD + waiting.began.elapsed()
    }));
    assert!((before + 3..=before + 5).contains(&said.len()), "five more minutes: {said:?}");
    waiting.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_out_for_good_stays_silent_after_a_restart() {
    for (stops_after, away) in [(MINUTE * 5, MINUTE * 20), (MINUTE * 15, MINUTE), (MINUTE * 15, HOUR * 60)] {
        let mut waiting = Waiting::start_on(Ground::prepare(REVIEW_POLICY).await).await;
        let allowed = [CheckStatus::Pending, CheckStatus::Failed];
        waiting.shows_until(waiting.since + stops_after, &allowed).await;
        waiting.world.stop().await;
        waiting.world.gitlab.advance(away);
        let said = waiting.said().len();
        waiting.world.start_again().await;
        waiting.world.swept(1).await;
        waiting.world.gitlab.add_label(waiting.which, "look").unwrap();
        waiting.world.settle().await;
        waiting.shows_until(waiting.now() + MINUTE * 15, &[CheckStatus::Failed]).await;
        assert_eq!(waiting.said().len(), said, "{stops_after:?}, {away:?}: {:?}", waiting.said());
        waiting.world.gitlab.approve(waiting.which, waiting.bea).unwrap();
        waiting.world.expect(waiting.which, CheckStatus::Passed, "approved").await;
        waiting.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_begins_a_new_period() {
    let waiting = Waiting::start_on(Ground::prepare(REVIEW_POLICY).await).await;
    waiting.live_through(waiting.since).await;
    waiting.shows_until(waiting.now() + MINUTE * 30, &[CheckStatus::Failed]).await;
    let (said, retried) = (waiting.said().len(), waiting.now());
    waiting.world.gitlab.retry(waiting.which, waiting.world.check).unwrap();
    waiting.world.settle().await;
    assert_eq!(waiting.said().len(), said + 1, "whoever asks is answered");
    waiting.live_through(retried).await;
    waiting.demand_one_period(retried);
    // In the middle of a period as well.
    for _ in 0..2 {
        waiting.world.gitlab.retry(waiting.which, waiting.world.check).unwrap();
        waiting.world.settle().await;
        let retried = waiting.now();
        waiting.shows_until(retried + MINUTE * 2, &[CheckStatus::Pending]).await;
        waiting
            .world
            .gitlab
            .post_status_as(
                waiting.world.ground.author,
                waiting.which,
                waiting.world.check,
                CheckStatus::Failed,
            )
            .unwrap();
    }
    let retried = waiting.now();
    waiting.world.gitlab.retry(waiting.which, waiting.world.check).unwrap();
    waiting.world.settle().await;
    waiting.live_through(retried).await;
    waiting.demand_one_period(retried);
    waiting.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_stay_within_their_budget_and_withdrawals_need_none() {
    const MERGE_REQUESTS: usize = 30;
    const PER_MINUTE: usize = 4;
    // So many are said at once after a rest.
    const AT_ONCE: usize = 20;
    let ground = Ground::prepare(REVIEW_POLICY).await;
    let ground = ground.configure("ANSWERS__HEARTBEATS_PER_MINUTE", &PER_MINUTE.to_string());
    let world = World::start_on(ground).await;
    let bea = world.ground.reviewer();
    let all: Vec<_> = (0..MERGE_REQUESTS).map(|_| world.open(world.merge_request())).collect();
    for which in &all {
        world.gitlab.approve(*which, bea).unwrap();
    }
    for which in &all {
        world.expect(*which, CheckStatus::Passed, "approved").await;
    }
    for which in &all {
        world.gitlab.unapprove(*which, bea).unwrap();
    }
    world.settle().await;
    assert!(all.iter().all(|which| world.status(*which) == CheckStatus::Pending), "all of them at once");
    let since = world.gitlab.now();
    let posts = || world.gitlab.all_responses().len();
    let before = posts();
    let end = since + PERIOD + MINUTE * 5;
    while world.gitlab.now() < end {
        world.gitlab.advance(Duration::from_secs(5));
        world.rest().await;
        assert!(all.iter().all(|which| world.status(*which) != CheckStatus::Passed));
    }
    let said = posts() - before;
    let budget = AT_ONCE + PER_MINUTE * 11;
    println!("{MERGE_REQUESTS} wait for ten minutes: {said} heartbeats, the budget is {budget}");
    assert!(said <= budget, "{said} heartbeats");
    assert!(said >= AT_ONCE + PER_MINUTE * 7, "the budget is used: {said} heartbeats");
    assert!(all.iter().all(|which| world.status(*which) == CheckStatus::Failed), "all have run out");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_that_wants_red_until_green_sees_failed_and_no_heartbeat() {
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("ANSWERS__WAITING", "failed");
    let waiting = Waiting::start_on(ground).await;
    let (world, which) = (&waiting.world, waiting.which);
    waiting.shows_until(waiting.since + PERIOD * 3, &[CheckStatus::Failed]).await;
    world.gitlab.add_label(which, "look").unwrap();
    world.settle().await;
    let (failed, passed) = (CheckStatus::Failed, CheckStatus::Passed);
    assert_eq!(world.posted(which).iter().filter(|status| **status == CheckStatus::Pending).count(), 0);
    assert!(world.posted(which).ends_with(&[passed, failed]), "{:?}", world.posted(which));
    world.gitlab.approve(which, waiting.bea).unwrap();
    world.expect(which, passed, "approved").await;
    waiting.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_decided_any_more_is_taken_back_at_once_kept_pending_and_failed_in_the_end() {
    const UNDECIDED_AFTER: Duration = Duration::from_secs(240);
    let ground = Ground::prepare(REVIEW_POLICY).await.configure("ANSWERS__UNDECIDED_AFTER", "4m");
    let world = World::start_on(ground).await;
    let began = Instant::now();
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Passed, "approved").await;
    let fault = world.gitlab.fault(Fault::error_page(APPROVALS, 503));
    let looks = world.calls(ONE);
    let before = world.posted(which).len();
    world.gitlab.add_label(which, "look").unwrap();
    world.until("it is taken back", |_| world.status(which) != CheckStatus::Passed).await;
    assert_eq!(world.calls(ONE), looks + 1, "after the first try");
    world.rest().await;
    let since = world.gitlab.now();
    let slack = |instant: Timestamp| instant + began.elapsed();
    while world.gitlab.now() < since + UNDECIDED_AFTER {
        world.pass(MINUTE).await;
        let shown = world.status(which);
        let over = slack(world.gitlab.now()) >= since + UNDECIDED_AFTER;
        assert!(shown == CheckStatus::Pending || over, "{shown:?}: {:?}", world.posted(which));
    }
    // The next try says so, and a try comes each minute or so.
    while world.gitlab.now() < since + UNDECIDED_AFTER + MINUTE * 2 {
        world.pass(MINUTE).await;
    }
    let posted = world.posted(which).split_off(before);
    println!(
        "not decidable for {} minutes: {} pending, then failed",
        UNDECIDED_AFTER.as_secs() / 60,
        posted.len() - 1
    );
    let (last, pending) = posted.split_last().unwrap();
    assert_eq!(*last, CheckStatus::Failed, "{posted:?}");
    assert!(pending.iter().all(|status| *status == CheckStatus::Pending), "{posted:?}");
    assert!((3..=4).contains(&pending.len()), "{posted:?}");
    assert_eq!(world.status(which), CheckStatus::Failed);
    world.gitlab.lift(fault);
    while world.status(which) != CheckStatus::Passed
        && world.gitlab.now() < since + UNDECIDED_AFTER + MINUTE * 6
    {
        world.pass(MINUTE).await;
    }
    assert_eq!(
        world.status(which),
        CheckStatus::Passed,
        "it is tried again by itself: {:?}",
        world.posted(which)
    );
    world.end().await;
}
