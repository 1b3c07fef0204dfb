//! SIGTERM: out within its bound, nothing lost, and the next start goes on.

use std::time::Duration;

use countersign::simulator::{CheckStatus, DeliveryState, Fault, FaultKind};

use crate::world::{BOUND, LIST, ONE, PLAIN_POLICY, Process, RESPOND, Service, signal, until};

/// What the design promises; the bound is kept by whoever waits, not by a measurement.
const EXIT_WITHIN: Duration = Duration::from_secs(10);

/// Waits for the end of a process that has SIGTERM already.
async fn exit_of(process: Process) -> (Option<i32>, String) {
    let waiting = tokio::task::spawn_blocking(move || process.wait());
    let exited = tokio::time::timeout(EXIT_WITHIN, waiting).await;
    exited.expect("it exits within 10 s").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_idle_it_exits_with_0() {
    let mut service = Service::start(PLAIN_POLICY).await;
    assert_eq!(service.get("/readyz").await.unwrap().0, 200);
    let which = service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    service.expect(which, CheckStatus::Passed, "it works").await;
    let process = service.take();
    signal("-TERM", process.id());
    let (code, output) = exit_of(process).await;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("\"stopped\""));
    service.end().await;
}

/// All lanes hang in a call, and more merge requests wait behind them.
async fn stops_while_it_hangs_in(route: &'static str, kind: FaultKind) {
    let mut service = Service::start(PLAIN_POLICY).await;
    service.gitlab.fault(Fault::on(route, kind));
    let open = |_| service.gitlab.open_merge_request(service.ground.merge_request()).unwrap();
    let all: Vec<_> = (0..40).map(open).collect();
    service.gitlab.deliveries_settled().await.unwrap();
    until("all lanes hang", || service.gitlab.calls_to(route) == 32).await;
    let process = service.take();
    signal("-TERM", process.id());
    let (code, output) = exit_of(process).await;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("handing back"), "{output}");
    service.gitlab.lift_all();
    service.start_again();
    for which in all {
        service.expect(which, CheckStatus::Passed, route).await;
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_in_gitlab_is_handed_back_and_the_next_start_goes_on() {
    tokio::join!(
        stops_while_it_hangs_in(ONE, FaultKind::Hang),
        stops_while_it_hangs_in(LIST, FaultKind::Hang),
        stops_while_it_hangs_in(RESPOND, FaultKind::ApplyThenHang),
    );
}

/// Deliveries keep coming while it stops: each is taken, or GitLab gets no 202.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_while_it_stops_is_durable_or_not_answered_202() {
    let mut service = Service::start(PLAIN_POLICY).await;
    let hang = service.gitlab.fault(Fault::on(ONE, FaultKind::Hang).times(1));
    let (gitlab, new) = (service.gitlab.clone(), service.ground.merge_request());
    let open = || gitlab.open_merge_request(new.clone()).unwrap();
    let mut all = vec![open()];
    until("one lane hangs", || service.gitlab.calls_to(ONE) == 1).await;
    all.extend((0..30).map(|_| open()));
    let process = service.take();
    signal("-TERM", process.id());
    let mut refused = false;
    let stopping = async {
        while !refused {
            all.push(open());
            service.gitlab.deliveries_settled().await.unwrap();
            refused = service.get("/readyz").await.map_or(true, |(status, _)| status != 200);
        }
    };
    tokio::time::timeout(BOUND, stopping).await.expect("it stops to be ready");
    let (code, output) = exit_of(process).await;
    assert_eq!(code, Some(0), "{output}");
    service.gitlab.lift(hang);
    service.gitlab.deliveries_settled().await.unwrap();
    let deliveries = service.gitlab.deliveries();
    service.start_again();
    service.settle().await;
    let mut taken = 0;
    for (which, delivery) in all.iter().zip(&deliveries) {
        let is_taken = delivery.state == DeliveryState::Answered(202);
        taken += u32::from(is_taken);
        // What was not taken, the sweep at the start finds in its turn.
        let status = || service.gitlab.status(*which, service.check) == Ok(CheckStatus::Passed);
        assert!(status() || !is_taken, "{:?}", delivery.state);
        until("the sweep finds it", status).await;
    }
    println!("{taken} of {} deliveries taken around the stop", all.len());
    service.end().await;
}
