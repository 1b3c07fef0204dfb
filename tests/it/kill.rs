//! SIGKILL at every phase and at any moment: after the next start all is right, also what nobody could be told.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{ApiCall, CallOutcome, CheckStatus, DeliveryState, Fault, FaultKind, Gitlab};
use jiff::Timestamp;

use crate::world::{BOUND, Chance, Ground, ONE, PLAIN_POLICY, RESPOND, Service, scale, until};

/// How many merge requests are decided at the same time.
const LANES: u64 = 32;

/// How far a delivery has come when the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// 202 was given, nobody is at it.
    Taken,
    /// The merge request is being read.
    Claimed,
    /// The answer is at GitLab's door.
    Recorded,
    /// GitLab has applied the answer and we have not heard.
    Posted,
}

const PHASES: [Phase; 4] = [Phase::Taken, Phase::Claimed, Phase::Recorded, Phase::Posted];

/// Brings a merge request to a phase and holds it there.
async fn bring(service: &Service, phase: Phase) -> MergeRequestRef {
    let gitlab = &service.gitlab;
    let (route, kind) = match phase {
        Phase::Taken | Phase::Claimed => (ONE, FaultKind::Hang),
        Phase::Recorded => (RESPOND, FaultKind::Hang),
        Phase::Posted => (RESPOND, FaultKind::ApplyThenHang),
    };
    gitlab.fault(Fault::on(route, kind));
    let open = || gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    if phase == Phase::Taken {
        for _ in 0..LANES {
            open();
        }
        until("all lanes hang", || gitlab.calls_to(ONE) == LANES).await;
    }
    let which = open();
    gitlab.deliveries_settled().await.unwrap();
    if phase != Phase::Taken {
        until("it hangs", || gitlab.calls_to(route) == 1).await;
    }
    which
}

/// Whether the process really is at that phase, as GitLab sees it.
fn is_hit(service: &Service, which: MergeRequestRef, phase: Phase) -> bool {
    let gitlab = &service.gitlab;
    let of_it = format!("/merge_requests/{}", which.iid);
    let calls: Vec<_> = gitlab.calls().into_iter().filter(|call| call.target.contains(&of_it)).collect();
    let under_way =
        |route| calls.iter().any(|call| call.route == route && call.outcome == CallOutcome::UnderWay);
    let rows = gitlab.responses(which, service.check).len();
    let taken = gitlab.deliveries().last().unwrap().state == DeliveryState::Answered(202);
    taken
        && match phase {
            Phase::Taken => !calls.iter().any(|call| call.target.ends_with(&of_it)),
            Phase::Claimed => under_way(ONE) && rows == 0,
            Phase::Recorded => under_way(RESPOND) && rows == 0,
            Phase::Posted => under_way(RESPOND) && rows == 1,
        }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_each_phase_it_answers_rightly_after_the_next_start() {
    let mut hits: BTreeMap<Phase, u32> = BTreeMap::new();
    for (phase, turns_bad) in PHASES.into_iter().flat_map(|phase| [(phase, false), (phase, true)]) {
        let mut service = Service::start(PLAIN_POLICY).await;
        let which = bring(&service, phase).await;
        *hits.entry(phase).or_default() += u32::from(is_hit(&service, which, phase));
        if turns_bad {
            service.gitlab.edit_title(which, "bad").unwrap();
            service.gitlab.deliveries_settled().await.unwrap();
        }
        service.kill();
        service.gitlab.lift_all();
        service.start_again();
        let right = if turns_bad { CheckStatus::Failed } else { CheckStatus::Passed };
        service.expect(which, right, &format!("{phase:?}, turns bad: {turns_bad}")).await;
        assert!(
            service.gitlab.responses(which, service.check).len() <= 2,
            "{phase:?}: nothing is posted that shows"
        );
        service.end().await;
    }
    println!("kills by phase: {hits:?}");
    assert!(PHASES.iter().all(|phase| hits.get(phase) == Some(&2)), "a phase was missed: {hits:?}");
}

/// How many merge requests the load is about: more than are decided at the same time.
const CROWD: usize = 48;
/// How many flips the process gets while it is dead.
const UNHEARD: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_ends_right_without_any_further_event() {
    kills_under_load().await;
}

/// Each event changes the right answer, some of them are told to nobody, and the process dies again and again.
pub async fn kills_under_load() {
    let mut chance = Chance::new("kills under load");
    let ground = Ground::prepare(PLAIN_POLICY).await;
    // A sweep at each start: its budget is for an installation that is swept now and then.
    let mut service = Service::start_on(ground.configure("GITLAB__BACKGROUND_CALLS_PER_MINUTE", "60000"));
    let mut load = Load::begin(&service);
    let (kills, events) = if scale() > 1 { (24, 210) } else { (6, 50) };
    let (mut hit, mut caught): (BTreeMap<_, u32>, BTreeMap<_, usize>) = Default::default();
    let mut started = service.gitlab.now();
    for kill in 0..kills {
        // Each phase in turn is made long, for only some calls and from a random moment on; the last two of six times none.
        let aim = PHASES.get(kill % 6).copied();
        let heard = events - UNHEARD;
        let aimed_from = chance.below(heard);
        for event in 0..heard {
            if event == aimed_from {
                slow_down(&service.gitlab, aim, &mut chance);
            }
            load.flip(&service.gitlab, &mut chance);
            tokio::time::sleep(Duration::from_micros(chance.below(4000))).await;
        }
        for _ in 0..heard {
            if aim.is_none_or(|aim| load.phases(&service, started).contains_key(&aim)) {
                break;
            }
            load.flip(&service.gitlab, &mut chance);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.kill();
        for (phase, lanes) in load.phases(&service, started) {
            *hit.entry(phase).or_default() += 1;
            *caught.entry(phase).or_default() += lanes;
        }
        service.gitlab.lift_all();
        (0..UNHEARD).for_each(|_| load.flip(&service.gitlab, &mut chance));
        if chance.coin() {
            service.gitlab.deliveries_settled().await.unwrap();
        }
        started = service.gitlab.now();
        service.start_again();
        // Either at once into the next load, or after everything was found.
        if chance.coin() {
            load.nothing_is_lost(&service, &format!("after kill {kill}")).await;
        }
    }
    load.nothing_is_lost(&service, "after the last kill").await;
    service.settle().await;
    load.nothing_is_lost(&service, "and it stays so").await;
    let deliveries = service.gitlab.deliveries();
    let untaken = deliveries.iter().filter(|delivery| delivery.state != DeliveryState::Answered(202)).count();
    println!(
        "{kills} kills, {} deliveries ({untaken} of them never taken), each of which changed the right answer; kills by \
         phase: {hit:?}; merge requests caught in it: {caught:?}; losses: 0",
        deliveries.len()
    );
    assert_eq!(deliveries.len(), CROWD + load.flips, "each flip is told once");
    assert!(PHASES.iter().all(|phase| hit.contains_key(phase)), "a phase was missed: {hit:?}");
    assert!(untaken > 0, "nothing had to be found by the sweep");
    service.end().await;
}

/// Makes a phase last, for a few calls.
fn slow_down(gitlab: &Gitlab, aim: Option<Phase>, chance: &mut Chance) {
    let some = 1 + chance.below(5);
    let fault = match aim {
        Some(Phase::Taken) => Fault::on(ONE, FaultKind::Hang),
        Some(Phase::Claimed) => Fault::on(ONE, FaultKind::Hang).times(some),
        Some(Phase::Recorded) => Fault::on(RESPOND, FaultKind::Hang).times(some),
        Some(Phase::Posted) => Fault::on(RESPOND, FaultKind::ApplyThenHang).times(some),
        None => return,
    };
    gitlab.fault(fault);
}

/// Merge requests whose titles flip between good and bad, never the same twice.
struct Load {
    /// Whether each is bad, and where in the log of deliveries its newest one is.
    all: BTreeMap<MergeRequestRef, (bool, usize)>,
    flips: usize,
}

impl Load {
    fn begin(service: &Service) -> Self {
        let open = |index| {
            let which = service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
            (which, (false, index))
        };
        Self { all: (0..CROWD).map(open).collect(), flips: 0 }
    }

    fn flip(&mut self, gitlab: &Gitlab, chance: &mut Chance) {
        let which = chance.pick(&self.all.keys().copied().collect::<Vec<_>>());
        let newest = CROWD + self.flips;
        self.flips += 1;
        let (bad, delivery) = self.all.get_mut(&which).unwrap();
        (*bad, *delivery) = (!*bad, newest);
        let word = if *bad { "bad" } else { "good" };
        gitlab.edit_title(which, &format!("{word} {newest}")).unwrap();
    }

    /// How many merge requests are in which phase, as GitLab sees it: by calls of the process that started at an instant,
    /// by rows, and by answers to deliveries. Who died while a call was under way never hears its end.
    fn phases(&self, service: &Service, started: Timestamp) -> BTreeMap<Phase, usize> {
        let (calls, deliveries) = (service.gitlab.calls(), service.gitlab.deliveries());
        let calls: Vec<_> = calls.into_iter().filter(|call| call.at >= started).collect();
        let mut phases = BTreeMap::new();
        for (which, (_, newest)) in &self.all {
            let of_one = format!("/merge_requests/{}", which.iid);
            let below = format!("{of_one}/");
            let is_of_it = |call: &&ApiCall| call.target.ends_with(&of_one) || call.target.contains(&below);
            let calls: Vec<_> = calls.iter().filter(is_of_it).collect();
            let under_way = calls.iter().find(|call| call.outcome == CallOutcome::UnderWay);
            let delivery = &deliveries[*newest];
            let is_looked_at = || calls.iter().any(|call| call.route == ONE && call.at >= delivery.at);
            let phase = match under_way {
                Some(call) if call.route == RESPOND => {
                    let rows = service.gitlab.responses(*which, service.check);
                    let is_applied = rows.iter().any(|row| row.created_at >= call.at);
                    if is_applied { Phase::Posted } else { Phase::Recorded }
                }
                Some(_) => Phase::Claimed,
                None if delivery.state == DeliveryState::Answered(202) && !is_looked_at() => Phase::Taken,
                None => continue,
            };
            *phases.entry(phase).or_default() += 1;
        }
        phases
    }

    /// Every merge request shows what is right, without another event.
    async fn nothing_is_lost(&self, service: &Service, when: &str) {
        let shows = |which: &MergeRequestRef| service.gitlab.status(*which, service.check).unwrap();
        let right = |bad: bool| if bad { CheckStatus::Failed } else { CheckStatus::Passed };
        let lost = || self.all.iter().filter(|(which, (bad, _))| shows(which) != right(*bad)).count();
        let waiting = async {
            while lost() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(BOUND, waiting).await;
        assert!(found.is_ok(), "{when}: {} lost of {CROWD}", lost());
    }
}

/// What the dead process said may be applied when the next one has spoken already: a proxy does not ask who still lives.
pub async fn answers_that_outlive_their_sender() {
    const COUNT: u64 = 8;
    let mut chance = Chance::new("answers that outlive their sender");
    let mut service = Service::start(PLAIN_POLICY).await;
    let gitlab = service.gitlab.clone();
    for index in 0..COUNT {
        let held_up = Duration::from_millis(3000 + chance.below(4000));
        gitlab.fault(Fault::on(RESPOND, FaultKind::ApplyAfter(held_up)).skip(index).times(1));
    }
    let open = |_| gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    let all: Vec<_> = (0..COUNT).map(open).collect();
    until("the answers are held up", || gitlab.calls_to(RESPOND) == COUNT).await;
    service.kill();
    for which in &all {
        gitlab.edit_title(*which, "bad").unwrap();
    }
    service.start_again();
    let posted = |which: &MergeRequestRef| -> Vec<_> {
        gitlab.responses(*which, service.check).iter().map(|row| row.posted).collect()
    };
    let is_late = |which: &MergeRequestRef| posted(which).contains(&CheckStatus::Passed);
    until("the old answers are applied", || all.iter().all(is_late)).await;
    let late = all.iter().filter(|which| posted(which).first() == Some(&CheckStatus::Failed)).count();
    let is_failed = |which: &MergeRequestRef| gitlab.status(*which, service.check) == Ok(CheckStatus::Failed);
    until("none of them shows any more", || all.iter().all(is_failed)).await;
    println!(
        "{COUNT} answers of a dead process, {late} applied after the next one had spoken; 0 ended as passed"
    );
    assert!(late > 0);
    service.end().await;
}
