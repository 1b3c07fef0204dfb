//! How much GitLab is asked: what it grants is learned from its answers, and obeyed before it has to refuse.
//!
//! Reads wait: while less than half of a window's calls are left they are spread over its rest, and the last of them are left
//! to answers. They wait in turn, project by project. Answers never wait: their right to leave ends with a lease, so they go
//! at once or not at all; a withdrawal may take the very last call. A refusal (429) holds back what it is about: the limit of
//! a user everything, that of an application its route.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::telemetry::Metrics;

use super::asker;
use super::error::Hold;
use super::turns::{Share, Turns};
use super::window::{ToldLimit, Turn, Window};

/// How many reads are under way at the same time.
const READS_AT_ONCE: usize = 64;
/// The length of a window of our own ceiling.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a read waits for a window to begin anew; beyond, it is given up and asked for later.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many limits of GitLab's are told apart; it has a handful.
const MOST_LIMITS: usize = 16;
/// How soon it is looked again whether a read may be made that waits for another one.
const GLANCE: Duration = Duration::from_secs(1);
/// How long everything is held back after a refusal that does not say for how long.
const UNSAID_PAUSE: Duration = Duration::from_secs(10);
/// How long a route is held back after a first refusal of an application's limit, which never says; it doubles.
const ROUTE_PAUSE: Duration = Duration::from_secs(1);
/// And at most so long: such limits are by the minute.
const LONGEST_ROUTE_PAUSE: Duration = Duration::from_secs(60);

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It changes nothing.
    Read,
    /// It says something.
    Write,
    /// It takes back what must not stand, or tells how that is done.
    Withdrawal,
}

/// What may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayBegin {
    /// Whatever is due.
    Everything,
    /// What takes back what must not stand, if it needs no read: until an instant no read would wait so long.
    Withdrawals(Timestamp),
    /// Nothing until an instant.
    Nothing(Timestamp),
}

/// Why a call is not made, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldBack {
    pub(super) hold: Hold,
    pub(super) wait: Duration,
}

/// All calls with one token.
pub(super) struct Budget {
    clock: Clock,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

struct State {
    /// What GitLab says that it grants, by the limit's name: files, say, may have one of their own.
    told: BTreeMap<String, Window>,
    /// What the configuration grants.
    own: Option<Window>,
    /// Until when GitLab wants to hear nothing.
    paused_until: Option<Timestamp>,
    /// Until when a route is held back, and for how long the next time.
    routes: HashMap<&'static str, (Timestamp, Duration)>,
    /// When the last read began.
    last_read: Timestamp,
    reads: usize,
    under_way: u64,
    turns: Turns<oneshot::Sender<()>>,
}

/// A call that may be made; it is over when this is dropped.
pub(super) struct Permit<'a> {
    budget: &'a Budget,
    is_read: bool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.budget.end(self.is_read);
    }
}

/// A place among those who wait.
struct Place<'a> {
    budget: &'a Budget,
    share: Share,
    called: oneshot::Receiver<()>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // From here on it can't be called any more.
        self.called.close();
        // Called, and gone without having heard it.
        if self.called.try_recv().is_ok() {
            self.budget.end(true);
        }
        self.budget.state().turns.retain(self.share, |call| !call.is_closed());
    }
}

impl Budget {
    /// Nothing is known of GitLab's limits yet.
    pub(super) fn new(calls_per_minute: Option<u32>, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let state = State {
            told: BTreeMap::new(),
            own: calls_per_minute.map(|calls| Window::of(calls.into())),
            paused_until: None,
            routes: HashMap::new(),
            last_read: Timestamp::UNIX_EPOCH,
            reads: 0,
            under_way: 0,
            turns: Turns::default(),
        };
        Self { clock, metrics, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may be made, if it is one that can wait.
    pub(super) async fn admit(&self, purpose: Purpose, route: &'static str) -> Result<Permit<'_>, HeldBack> {
        let now = self.clock.now();
        if purpose != Purpose::Read {
            return self.admit_now(purpose, route, now);
        }
        let mut place = {
            let mut state = self.state();
            state.route_is_open(route, now)?;
            let (call, called) = oneshot::channel();
            let share = asker::share();
            state.turns.push(share, call);
            Place { budget: self, share, called }
        };
        loop {
            let now = self.clock.now();
            let wake = {
                let mut state = self.state();
                state.call(now);
                match state.next_read(now) {
                    Turn::At(at) => at,
                    Turn::Now | Turn::AfterAnother => now + GLANCE,
                }
            };
            if place.called.try_recv().is_ok() {
                return Ok(Permit { budget: self, is_read: true });
            }
            let held_back = HeldBack { hold: Hold::Limit, wait: self.clock.until(wake) };
            if held_back.wait > PATIENCE {
                return Err(held_back);
            }
            tokio::select! {
                called = &mut place.called => {
                    let permit = called.map(|()| Permit { budget: self, is_read: true });
                    return permit.map_err(|_| held_back);
                }
                () = self.clock.sleep_until(wake) => {}
            }
        }
    }

    fn admit_now(
        &self,
        purpose: Purpose,
        route: &'static str,
        now: Timestamp,
    ) -> Result<Permit<'_>, HeldBack> {
        let mut state = self.state();
        state.route_is_open(route, now)?;
        state.may_answer(purpose, now)?;
        state.under_way += 1;
        Ok(Permit { budget: self, is_read: false })
    }

    fn end(&self, is_read: bool) {
        let now = self.clock.now();
        let mut state = self.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.reads = state.reads.saturating_sub(usize::from(is_read));
        if let Some(own) = &mut state.own {
            own.roll(now);
            own.count(MINUTE, now);
        }
        state.call(now);
    }

    /// Takes in what an answer says of the limit.
    pub(super) fn learn(&self, told: ToldLimit) {
        let now = self.clock.now();
        let mut state = self.state();
        let window = Window::learn(state.told.remove(&told.name), &told, now);
        if state.told.len() < MOST_LIMITS {
            state.told.insert(told.name, window);
        }
        self.metrics.tell_rate_limit(state.told.values().map(|window| window.left(0)).min());
    }

    /// What was learned is of another token.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        (state.told, state.paused_until) = (BTreeMap::new(), None);
        self.metrics.tell_rate_limit(None);
    }

    /// A route was answered: its own limit is not reached.
    pub(super) fn note_success(&self, route: &'static str) {
        self.state().routes.remove(route);
    }

    /// Too many calls of ours: nothing is asked any more for as long as GitLab says.
    pub(super) fn pause(&self, time: Option<Duration>) {
        let now = self.clock.now();
        let mut state = self.state();
        let until = now + time.unwrap_or(UNSAID_PAUSE);
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// Too many calls of one route: it rests, longer each time. Gives for how long.
    pub(super) fn pause_route(&self, route: &'static str) -> Duration {
        let now = self.clock.now();
        let mut state = self.state();
        let (until, next) = state.routes.entry(route).or_insert((now, ROUTE_PAUSE));
        // Calls that were under way together are refused together.
        if *until <= now {
            *until = now + *next;
            *next = (*next * 2).min(LONGEST_ROUTE_PAUSE);
        }
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    }

    /// What may be begun now.
    pub(super) fn may_begin(&self) -> MayBegin {
        let now = self.clock.now();
        let mut state = self.state();
        state.roll(now);
        if let Some(until) = state.paused_until {
            return MayBegin::Nothing(until);
        }
        let under_way = state.under_way;
        let spent = state.windows().filter_map(|window| window.spent_until(under_way)).max();
        let next_read = match state.next_read(now) {
            Turn::At(at) if at > now + PATIENCE => Some(at),
            Turn::At(_) | Turn::Now | Turn::AfterAnother => None,
        };
        match spent.max(next_read) {
            None => MayBegin::Everything,
            Some(until) if state.may_answer(Purpose::Withdrawal, now).is_ok() => MayBegin::Withdrawals(until),
            Some(until) => MayBegin::Nothing(until),
        }
    }
}

impl State {
    fn windows(&self) -> impl Iterator<Item = &Window> {
        self.told.values().chain(&self.own)
    }

    /// Lets go what is over.
    fn roll(&mut self, now: Timestamp) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        for window in self.told.values_mut().chain(&mut self.own) {
            window.roll(now);
        }
    }

    fn route_is_open(&self, route: &'static str, now: Timestamp) -> Result<(), HeldBack> {
        match self.routes.get(route) {
            Some((until, _)) if *until > now => Err(held_until(Hold::Route, *until, now)),
            _ => Ok(()),
        }
    }

    /// Whether an answer may leave: not during a pause, and the last calls are for withdrawals.
    fn may_answer(&mut self, purpose: Purpose, now: Timestamp) -> Result<(), HeldBack> {
        self.roll(now);
        if let Some(until) = self.paused_until {
            return Err(held_until(Hold::Limit, until, now));
        }
        for window in self.windows() {
            let kept = if purpose == Purpose::Withdrawal { 0 } else { window.reserve() / 2 };
            if window.left(self.under_way) <= kept {
                let until = window.resets_at().unwrap_or(now + GLANCE);
                return Err(held_until(Hold::Limit, until, now));
            }
        }
        Ok(())
    }

    /// When the next read may be made.
    fn next_read(&mut self, now: Timestamp) -> Turn {
        self.roll(now);
        if self.reads >= READS_AT_ONCE {
            return Turn::AfterAnother;
        }
        let pause = self.paused_until.map_or(Turn::Now, Turn::At);
        let turns = self.windows().map(|window| window.next_read(self.under_way, self.last_read, now));
        turns.fold(pause, Turn::later)
    }

    /// Calls whose turn it is, as many as may go now.
    fn call(&mut self, now: Timestamp) {
        while self.next_read(now) == Turn::Now {
            let Some(next) = self.turns.pop() else { return };
            // Who went away meanwhile is passed over.
            if next.send(()).is_ok() {
                self.reads += 1;
                self.under_way += 1;
                self.last_read = now;
            }
        }
    }
}

fn held_until(hold: Hold, until: Timestamp, now: Timestamp) -> HeldBack {
    HeldBack { hold, wait: Duration::try_from(until.duration_since(now)).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_request::ProjectId;

    const ROUTE: &str = "GET /x";

    fn budget(calls_per_minute: Option<u32>) -> (Clock, Arc<Budget>) {
        let clock = Clock::default();
        (clock.clone(), Arc::new(Budget::new(calls_per_minute, clock, Arc::default())))
    }

    fn told(observed: u64) -> ToldLimit {
        ToldLimit { name: "api".to_owned(), limit: 100, observed, window: 60, resets_in: MINUTE }
    }

    #[tokio::test]
    async fn the_last_calls_are_for_answers_and_the_very_last_for_withdrawals() {
        let (_, budget) = budget(None);
        budget.learn(told(95));
        assert!(matches!(budget.may_begin(), MayBegin::Withdrawals(_)));
        let last: Vec<_> =
            (0..3).map(|_| budget.admit_now(Purpose::Write, ROUTE, budget.clock.now())).collect();
        assert!(last.iter().all(Result::is_ok));
        let now = budget.clock.now();
        assert_eq!(
            budget.admit_now(Purpose::Write, ROUTE, now).err().map(|held| held.hold),
            Some(Hold::Limit)
        );
        let withdrawals: Vec<_> = (0..3).map(|_| budget.admit_now(Purpose::Withdrawal, ROUTE, now)).collect();
        assert_eq!(withdrawals.iter().filter(|admitted| admitted.is_ok()).count(), 2);
        assert!(matches!(budget.may_begin(), MayBegin::Nothing(_)));
    }

    #[tokio::test]
    async fn limits_of_other_names_are_others() {
        let (_, budget) = budget(None);
        let files = |observed| ToldLimit { name: "files".to_owned(), limit: 50, ..told(observed) };
        for told in [told(45), files(2), told(46), files(3)] {
            budget.learn(told);
            assert_eq!(budget.may_begin(), MayBegin::Everything, "half of each is left");
        }
        budget.learn(files(49));
        assert!(matches!(budget.may_begin(), MayBegin::Withdrawals(_)), "each of them holds back");
    }

    #[tokio::test]
    async fn nothing_is_begun_while_no_read_would_wait_for_its_turn() {
        let (clock, budget) = budget(None);
        let hour = Duration::from_secs(3600);
        budget.learn(ToldLimit { window: 3600, resets_in: hour, ..told(85) });
        assert!(budget.admit(Purpose::Read, ROUTE).await.is_err());
        let MayBegin::Withdrawals(until) = budget.may_begin() else {
            panic!("the lane would be claimed again at once");
        };
        clock.advance(clock.until(until));
        assert_eq!(budget.may_begin(), MayBegin::Everything);
        assert!(budget.admit(Purpose::Read, ROUTE).await.is_ok());
    }

    #[tokio::test]
    async fn a_read_waits_for_the_next_window_and_is_woken_by_it() {
        let (clock, budget) = budget(None);
        budget.learn(told(99));
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.admit(Purpose::Read, ROUTE).await.map(drop) }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        clock.advance(MINUTE + GLANCE);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_read_is_given_up_where_the_wait_is_long_and_leaves_no_place_behind() {
        let (_, budget) = budget(None);
        budget.pause(Some(PATIENCE * 2));
        assert_eq!(budget.admit(Purpose::Read, ROUTE).await.err().map(|held| held.hold), Some(Hold::Limit));
        assert!(budget.state().turns.pop().is_none());
        budget.forget();
        assert!(budget.admit(Purpose::Read, ROUTE).await.is_ok());
        let state = budget.state();
        assert_eq!((state.reads, state.under_way), (0, 0));
    }

    #[tokio::test]
    async fn a_ceiling_of_our_own_is_kept_where_gitlab_tells_none() {
        let (clock, budget) = budget(Some(20));
        let reads: Vec<_> = (0..60)
            .map(|_| {
                let budget = Arc::clone(&budget);
                tokio::spawn(async move { budget.admit(Purpose::Read, ROUTE).await.map(drop) })
            })
            .collect();
        let made = || reads.iter().filter(|read| read.is_finished()).count();
        for minute in 1..=3 {
            for _ in 0..59 {
                clock.advance(GLANCE);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            assert!((minute * 10..=minute * 20).contains(&made()), "{} in minute {minute}", made());
        }
    }

    #[tokio::test]
    async fn where_calls_have_to_wait_projects_take_turns() {
        let (_, budget) = budget(None);
        let mut busy = Vec::new();
        for _ in 0..READS_AT_ONCE {
            busy.push(budget.admit(Purpose::Read, ROUTE).await.unwrap());
        }
        let (tell, mut order) = tokio::sync::mpsc::unbounded_channel();
        for project in [7, 7, 7, 9] {
            let (budget, tell) = (Arc::clone(&budget), tell.clone());
            tokio::spawn(asker::on_behalf_of(ProjectId::new(project), async move {
                let permit = budget.admit(Purpose::Read, ROUTE).await.unwrap();
                tell.send(project).unwrap();
                drop(permit);
            }));
            // In this order.
            tokio::task::yield_now().await;
        }
        busy.pop();
        let mut came = Vec::new();
        for _ in 0..4 {
            came.push(order.recv().await.unwrap());
        }
        assert_eq!(came, [7, 9, 7, 7]);
    }

    #[test]
    fn a_route_rests_longer_each_time_and_no_other_rests_with_it() {
        let (clock, budget) = budget(None);
        assert_eq!(budget.pause_route(ROUTE), ROUTE_PAUSE);
        assert!(budget.pause_route(ROUTE) <= ROUTE_PAUSE, "both were under way");
        let admit = |route| budget.admit_now(Purpose::Write, route, budget.clock.now()).map(drop);
        assert_eq!(admit(ROUTE).err().map(|held| held.hold), Some(Hold::Route));
        assert_eq!(admit("GET /y"), Ok(()));
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            clock.advance(MINUTE + GLANCE);
            assert_eq!(budget.pause_route(ROUTE), Duration::from_secs(seconds));
        }
        clock.advance(MINUTE + GLANCE);
        assert_eq!(admit(ROUTE), Ok(()));
        budget.note_success(ROUTE);
        assert_eq!(budget.pause_route(ROUTE), ROUTE_PAUSE);
    }
}
