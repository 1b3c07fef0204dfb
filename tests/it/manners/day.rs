//! A bad day: GitLab is away for hours, refuses in both of its ways, and fails at every third call, while people work on.
//! In the end every merge request shows what is right; GitLab was never asked more than it grants, and the log stayed short.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use countersign::merge_request::{MergeRequestRef, StatusCheckId};
use countersign::simulator::{CallOutcome, CheckStatus, Fault, FaultKind, Weather};
use jiff::Timestamp;
use tracing::Level;

use super::THREADS_POLICY;
use super::fairness::open_elsewhere;
use super::log::{Line, lines, run_logged};
use crate::world::{Chance, ONE, RESPOND, World};

use CheckStatus::{Failed, Passed};

/// How much time passes at a step: leases must be kept.
const STEP: Duration = Duration::from_secs(5);

/// How long the day is, and how much there is in it.
struct Size {
    /// How long an hour is, in minutes.
    hour: u64,
    projects: usize,
    merge_requests: usize,
    /// What GitLab grants in a minute.
    granted: usize,
    thread: &'static str,
}

/// A time of the day.
struct Phase {
    name: &'static str,
    hours: u64,
    faults: Vec<Fault>,
    /// Whether hardly anything is told that happens.
    deaf: bool,
}

fn phase(name: &'static str, hours: u64, faults: Vec<Fault>) -> Phase {
    Phase { name, hours, faults, deaf: false }
}

/// Twenty-four hours.
fn phases() -> Vec<Phase> {
    let quiet = |hours| phase("all is well", hours, Vec::new());
    let away = |name, fault| Phase { deaf: true, ..phase(name, 4, vec![fault]) };
    vec![
        quiet(2),
        away("GitLab is away", Fault::on("*", FaultKind::Reset)),
        quiet(1),
        phase("it refuses all calls, now and then", 2, vec![Fault::rate_limited("*", 30).percent(5)]),
        quiet(1),
        phase(
            "it refuses some routes",
            2,
            vec![Fault::rate_limited_json(ONE).percent(60), Fault::rate_limited_json(RESPOND).percent(60)],
        ),
        quiet(1),
        phase(
            "every third call fails",
            4,
            vec![
                Fault::error_page("*", 502).percent(15),
                Fault::on("*", FaultKind::Reset).percent(10),
                Fault::on("*", FaultKind::ApplyThenReset).percent(5),
            ],
        ),
        quiet(1),
        away("a proxy says that GitLab is away", Fault::error_page("*", 503)),
        quiet(2),
    ]
}

struct Day<'a> {
    size: &'a Size,
    world: World,
    /// What is right for each, by its project's check.
    all: BTreeMap<MergeRequestRef, (StatusCheckId, CheckStatus)>,
    chance: Chance,
    events: usize,
}

impl Day<'_> {
    /// Lets time pass; what was written down until then is on disk.
    async fn step(&self) {
        self.world.gitlab.advance(STEP);
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.world.app().store().queue().prune().await.unwrap();
    }

    /// Somebody changes a title: what is right changes with it, or not.
    fn happen(&mut self) {
        let all: Vec<_> = self.all.keys().copied().collect();
        let which = self.chance.pick(&all);
        let (word, right) = if self.chance.coin() { ("good", Passed) } else { ("bad", Failed) };
        self.events += 1;
        self.world.gitlab.edit_title(which, &format!("{word} {}", self.events)).unwrap();
        if let Some(entry) = self.all.get_mut(&which) {
            entry.1 = right;
        }
    }

    fn wrong(&self) -> usize {
        let is_wrong = |(which, (check, right)): &(&MergeRequestRef, &(StatusCheckId, CheckStatus))| {
            self.world.gitlab.status(**which, *check) != Ok(*right)
        };
        self.all.iter().filter(is_wrong).count()
    }

    async fn live_through(&mut self, phase: Phase) {
        let Phase { name, hours, faults, deaf } = phase;
        let faults: Vec<_> = faults.into_iter().map(|fault| self.world.gitlab.fault(fault)).collect();
        let drop = if deaf { 0.7 } else { 0.0 };
        self.world.gitlab.set_weather(Weather { drop, ..Weather::default() });
        let (began, before) = (self.world.gitlab.now(), self.told().len());
        let calls = self.world.calls("*");
        let over = began + Duration::from_secs(60 * hours * self.size.hour);
        while self.world.gitlab.now() < over {
            if self.chance.below(6) == 0 {
                self.happen();
            }
            self.step().await;
        }
        for fault in faults {
            self.world.gitlab.lift(fault);
        }
        self.world.gitlab.set_weather(Weather::default());
        let told = self.told().split_off(before);
        let loud = loud(&told);
        println!(
            "{:>3} min {name}: {} calls, {} lines, {loud} of them warnings",
            hours * self.size.hour,
            self.world.calls("*") - calls,
            told.len(),
        );
        // Ten of each kind in five minutes at most, and that only while it is as bad as can be.
        let minutes = usize::try_from(hours * self.size.hour).unwrap();
        assert!(loud <= 30 + 3 * minutes, "{name}: a flood of {loud} lines:\n{}", sample(&told));
        if deaf {
            assert!(loud <= 40 + minutes / 4, "{name}: {loud} lines:\n{}", sample(&told));
        }
    }

    fn told(&self) -> Vec<Line> {
        lines(self.size.thread)
    }

    /// Calls that GitLab counted, by minute.
    fn counted(&self) -> BTreeMap<i64, usize> {
        let mut minutes = BTreeMap::new();
        for call in self.world.gitlab.calls().iter().filter(|call| call.user.is_some()) {
            *minutes.entry(call.at.as_second().div_euclid(60)).or_default() += 1;
        }
        minutes
    }

    /// Refusals while nobody asked for any: we were too fast.
    fn refusals_between(&self, from: Timestamp, to: Timestamp) -> usize {
        let calls = self.world.gitlab.calls();
        let within = calls.iter().filter(|call| (from..to).contains(&call.at));
        within.filter(|call| call.outcome == CallOutcome::Answered(429)).count()
    }
}

fn loud(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.level <= Level::WARN).count()
}

fn sample(lines: &[Line]) -> String {
    let loud = lines.iter().filter(|line| line.level <= Level::WARN);
    let told: Vec<_> = loud.take(80).map(|line| format!("{} {}", line.level, line.text)).collect();
    told.join("\n")
}

async fn play(size: &Size) {
    let began = Instant::now();
    let world = World::start(THREADS_POLICY).await;
    let mut all = BTreeMap::new();
    for project in 0..size.projects {
        let (first, check) = open_elsewhere(&world, &format!("shop/part-{project}"));
        all.insert(first, (check, Passed));
        for _ in 1..size.merge_requests {
            let new = countersign::simulator::NewMergeRequest::in_project(first.project);
            all.insert(world.open(new.author(world.ground.author)), (check, Passed));
        }
    }
    world.settle().await;
    world.gitlab.set_rate_limit(Some(u64::try_from(size.granted).unwrap()));
    // What came before is of another minute.
    world.gitlab.advance(Duration::from_secs(61));
    world.gitlab.forget_calls();
    let mut day = Day { size, world, all, chance: Chance::new("a bad day"), events: 0 };
    for phase in phases() {
        let (name, from) = (phase.name, day.world.gitlab.now());
        day.live_through(phase).await;
        if name == "all is well" {
            assert_eq!(day.refusals_between(from, day.world.gitlab.now()), 0, "{name}");
        }
    }
    let mut steps = 0;
    while day.wrong() > 0 {
        steps += 1;
        assert!(steps < 3000, "{} of {} are not right", day.wrong(), day.all.len());
        day.step().await;
    }
    let most = day.counted().into_values().max().unwrap_or_default();
    let told = day.told();
    println!(
        "{} events on {} merge requests, {} calls, {most} in the fullest minute of {} granted, {} lines, {} warnings; all right \
         {} s after the end; {:.0} s for it all",
        day.events,
        day.all.len(),
        day.world.calls("*"),
        size.granted,
        told.len(),
        loud(&told),
        steps * 5,
        began.elapsed().as_secs_f64(),
    );
    assert!(most <= size.granted, "{most} calls in a minute");
    let opened = told.iter().filter(|line| line.text.contains("message=GitLab is down")).count();
    let closed = told.iter().filter(|line| line.text.contains("message=GitLab answers again")).count();
    assert!(opened == closed && (2..6).contains(&opened), "{opened} opened, {closed} closed");
    assert!(day.world.sweeps() >= 2, "each time in which nobody was told is made good");
    day.world.rest().await;
    assert_eq!(day.wrong(), 0);
    day.world.end().await;
}

#[test]
fn a_bad_day_of_gitlab_ends_well_within_its_limits_and_with_a_short_log() {
    let size = Size { hour: 8, projects: 3, merge_requests: 6, granted: 80, thread: "bad-day" };
    run_logged("bad-day", async move { play(&size).await });
}

/// The same with whole hours.
pub fn play_whole() {
    let size = Size { hour: 60, projects: 6, merge_requests: 10, granted: 200, thread: "whole-day" };
    run_logged("whole-day", async move { play(&size).await });
}
