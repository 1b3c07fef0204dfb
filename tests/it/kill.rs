//! SIGKILL at every phase and at any moment: what was taken is answered after the next start.

use std::collections::BTreeMap;

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CallOutcome, CheckStatus, DeliveryState, Fault, FaultKind, Gitlab};

use crate::world::{Chance, ONE, PLAIN_POLICY, RESPOND, Service, scale, until};

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

/// Each delivery changes the right answer; the process dies at random moments of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_it_loses_nothing_that_it_took() {
    random_kills().await;
}

pub async fn random_kills() {
    let mut chance = Chance::new("random kills");
    let mut service = Service::start(PLAIN_POLICY).await;
    let merge_request = |_| service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    let all: Vec<_> = (0..12).map(merge_request).collect();
    let (kills, mut events) = (4 * scale(), 0_u64);
    for _ in 0..kills {
        let until_killed = 10 + chance.below(60);
        for _ in 0..until_killed {
            let which = chance.pick(&all);
            events += 1;
            // A number in the title: no two edits are the same.
            let word = chance.pick(&["bad", "good"]);
            service.gitlab.edit_title(which, &format!("{word} {events}")).unwrap();
            let pause = std::time::Duration::from_micros(chance.below(4000));
            tokio::time::sleep(pause).await;
        }
        service.kill();
        service.gitlab.deliveries_settled().await.unwrap();
        service.start_again();
    }
    service.settle().await;
    let (mut owed, mut untaken) = (0, Vec::new());
    for which in &all {
        if is_newest_taken(&service.gitlab, *which) {
            owed += 1;
            assert_eq!(
                service.gitlab.status(*which, service.check),
                Ok(right(&service.gitlab, *which)),
                "{which}"
            );
        } else {
            untaken.push(*which);
        }
    }
    // What nobody took can't be known before the next event.
    for which in &untaken {
        service.gitlab.add_label(*which, "look").unwrap();
        service.expect(*which, right(&service.gitlab, *which), "after one more event").await;
    }
    println!(
        "{kills} kills, {events} events; {owed} owed and right, {} untaken and right later",
        untaken.len()
    );
    assert!(owed > 0);
    service.end().await;
}

fn right(gitlab: &Gitlab, which: MergeRequestRef) -> CheckStatus {
    let bad = gitlab.merge_request(which).unwrap().title.starts_with("bad");
    if bad { CheckStatus::Failed } else { CheckStatus::Passed }
}

/// Whether the last thing that GitLab told of a merge request was taken: then its truth is owed.
fn is_newest_taken(gitlab: &Gitlab, which: MergeRequestRef) -> bool {
    let deliveries = gitlab.deliveries();
    let of_it = |iid: &serde_json::Value| iid.as_u64() == Some(which.iid.get());
    let mut newest = deliveries.iter().rev();
    let newest = newest.find(|delivery| of_it(&delivery.json()["object_attributes"]["iid"])).unwrap();
    newest.state == DeliveryState::Answered(202)
}
