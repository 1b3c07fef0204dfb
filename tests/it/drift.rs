//! Deliveries are lost, doubled and reordered, calls fail, strangers post statuses: after one sweep every status is right.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::{CheckStatus, Fault, FaultKind, Push, StatusRow, Weather};
use countersign::status_check::{Drift, SweepKind};

use crate::world::{APPROVALS, Chance, Ground, LIST, ONE, RESPOND, REVIEW_POLICY, World, scale};

const SECOND: Duration = Duration::from_secs(1);
const STATUS_DRIFT: [Drift; 4] =
    [Drift::ForeignStatus, Drift::LostAnswer, Drift::MissedEvent, Drift::NeverDecided];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sweep_puts_right_what_was_lost_doubled_reordered_and_faked() {
    drift().await;
}

/// What is true of a merge request, by what was done to it.
#[derive(Debug, Clone, Copy, Default)]
struct Truth {
    bad: bool,
    approval: Approval,
    closed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Approval {
    #[default]
    None,
    /// Given to another patch.
    Stale,
    /// Given to the patch as it is.
    Fresh,
}

struct Storm {
    world: World,
    bea: UserId,
    chance: Chance,
    all: Vec<(MergeRequestRef, Truth)>,
}

pub async fn drift() {
    let (events, merge_requests) = if scale() > 1 { (2_000, 200) } else { (200, 20) };
    // What is tried is whether it is right, not how long it takes.
    let ground =
        Ground::prepare(REVIEW_POLICY).await.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "600000");
    let world = World::start_on(ground).await;
    let bea = world.ground.reviewer();
    let mut storm = Storm { world, bea, chance: Chance::new("drift"), all: Vec::new() };
    storm.world.gitlab.set_weather(Weather { drop: 0.1, duplicate: 0.1, reorder: 0.1 });
    for _ in 0..merge_requests {
        let which = storm.world.open(storm.world.merge_request().title("good"));
        storm.all.push((which, Truth::default()));
    }
    for event in 0..events {
        storm.happens();
        storm.world.gitlab.advance(SECOND);
        if event % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    storm.world.gitlab.lift_all();
    storm.world.rest().await;
    // Few as they are, some of the last events are lost for certain.
    storm.world.gitlab.set_weather(Weather { drop: 1.0, ..Weather::default() });
    storm.turn_titles(4);
    storm.world.gitlab.set_weather(Weather::default());
    storm.world.rest().await;
    let wrong = storm.wrong();
    storm.world.sweep(SweepKind::Full).await;
    let left = storm.wrong();
    let counts: Vec<_> = STATUS_DRIFT.iter().map(|kind| (kind.word(), storm.world.drift(*kind))).collect();
    let (found, mended) =
        counts.iter().fold((0, 0), |(found, mended), (_, counts)| (found + counts.0, mended + counts.1));
    println!(
        "{events} events on {merge_requests} merge requests: {} statuses were wrong before the sweep, {} after it; \
         drift found {found}, mended {mended}: {counts:?}",
        wrong.len(),
        left.len()
    );
    if let Some((which, truth, shown)) = left.first() {
        panic!("{which}: {truth:?}, {shown:?}\n{}", storm.world.account(*which).await);
    }
    assert!(!wrong.is_empty(), "nothing was lost: the storm was none");
    // What was found on one that was closed before it was mended needs no answer any more.
    assert!(mended > 0 && mended <= found, "found {found}, mended {mended}");
    storm.world.end().await;
}

impl Storm {
    /// The first so many that are open get another title.
    fn turn_titles(&mut self, count: usize) {
        for (which, truth) in self.all.iter_mut().filter(|(_, truth)| !truth.closed).take(count) {
            truth.bad = !truth.bad;
            self.world.gitlab.edit_title(*which, if truth.bad { "bad" } else { "good" }).unwrap();
        }
    }

    /// One thing happens, to one of them or on the way to GitLab.
    fn happens(&mut self) {
        let index = usize::try_from(self.chance.below(self.all.len() as u64)).unwrap();
        let (gitlab, bea) = (&self.world.gitlab, self.bea);
        let (which, truth) = &mut self.all[index];
        match self.chance.below(20) {
            0..=3 if !truth.closed => {
                truth.bad = !truth.bad;
                gitlab.edit_title(*which, if truth.bad { "bad" } else { "good" }).unwrap();
            }
            4..=8 if !truth.closed => {
                if truth.approval == Approval::None {
                    gitlab.approve(*which, bea).unwrap();
                    truth.approval = Approval::Fresh;
                } else {
                    gitlab.unapprove(*which, bea).unwrap();
                    truth.approval = Approval::None;
                }
            }
            9..=11 if !truth.closed => {
                let file = format!("src/{}.rs", self.chance.below(1 << 40));
                gitlab.push(*which, Push::new().file(file.as_str())).unwrap();
                if truth.approval == Approval::Fresh {
                    truth.approval = Approval::Stale;
                }
            }
            12 => {
                if truth.closed {
                    gitlab.reopen(*which).unwrap();
                } else {
                    gitlab.close(*which).unwrap();
                }
                truth.closed = !truth.closed;
            }
            13 => {
                let status = self.chance.pick(&[CheckStatus::Passed, CheckStatus::Failed]);
                gitlab.post_status_as(self.world.ground.author, *which, self.world.check, status).unwrap();
            }
            14..=15 => {
                let route = self.chance.pick(&[ONE, LIST, APPROVALS, RESPOND]);
                let fault = match self.chance.below(3) {
                    0 => Fault::error_page(route, 503),
                    1 => Fault::on(route, FaultKind::Reset),
                    _ => Fault::on(route, FaultKind::ApplyThenReset),
                };
                gitlab.fault(fault.times(1 + self.chance.below(3)));
            }
            number => {
                let label = format!("label-{number}-{}", self.chance.below(1000));
                gitlab.add_label(*which, &label).unwrap();
            }
        }
    }

    /// Those of which GitLab does not show what it should.
    fn wrong(&self) -> Vec<(MergeRequestRef, Truth, CheckStatus)> {
        let shown = self.all.iter().map(|(which, truth)| (*which, *truth, self.world.status(*which)));
        shown.filter(|(which, truth, shown)| !self.is_right(*which, *truth, *shown)).collect()
    }

    fn is_right(&self, which: MergeRequestRef, truth: Truth, shown: CheckStatus) -> bool {
        let head = self.world.gitlab.head(which).unwrap();
        let mut rows = self.world.gitlab.responses(which, self.world.check);
        rows.retain(|row| row.sha == head);
        let is_ours = |row: &&StatusRow| row.user == self.world.ground.bot;
        if truth.closed {
            // Somebody else's pass on a closed one is taken back by its reopening, and harms nobody before.
            return shown != CheckStatus::Passed || !rows.last().is_some_and(|row| is_ours(&row));
        }
        match (truth.bad, truth.approval == Approval::Fresh, shown) {
            (true, _, shown) => shown == CheckStatus::Failed,
            (false, true, shown) => shown == CheckStatus::Passed,
            (false, false, CheckStatus::Pending | CheckStatus::Unanswered) => true,
            (false, false, CheckStatus::Passed) => false,
            // GitLab lets what we said run out: the recorded answer for waiting.
            (false, false, CheckStatus::Failed) => {
                rows.iter().rev().find(is_ours).is_some_and(|row| row.posted == CheckStatus::Pending)
            }
        }
    }
}
