//! From an event in GitLab to the answer in GitLab, one merge request after the other, with calls that take their time.

use std::time::{Duration, Instant};

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{ApiCall, Moment};
use tokio::sync::oneshot;

use crate::stage::figures::Durations;
use crate::stage::ground::Ground;
use crate::{RESPOND, policies};

/// How long an answer may take.
const BOUND: Duration = Duration::from_secs(30);

pub async fn run(count: usize, latency: Duration) {
    println!("\nevent to answer, {count} one after the other, {latency:?} a call, approvals by group");
    let ground = Ground::start(policies::APPROVALS).await;
    ground.slow_down(latency);
    let (unseen, known) = (ground.open_quietly(count), ground.open_quietly(count));
    for which in &known {
        ground.gitlab.add_label(*which, "look").expect("a label");
    }
    ground.settle().await;
    for (what, merge_requests) in [("known before", known), ("seen for the first time", unseen)] {
        let (mut taken, mut rounds) = (Durations::default(), Vec::new());
        for which in merge_requests {
            ground.gitlab.forget_calls();
            taken.push(approved_to_answered(&ground, which).await);
            ground.settle().await;
            rounds.push(longest_chain(&ground.gitlab.calls()));
        }
        rounds.sort_unstable();
        let chain = rounds[rounds.len() / 2];
        let unit = latency.as_secs_f64() * 1e3;
        let (median, high) = (taken.percentile(0.5), taken.percentile(0.99));
        println!(
            "  an approval, merge request {what}: median {median:.1} ms, p99 {high:.1} ms; {chain} calls one after \
             the other, the answer among them, so {:.2} calls' time beside them",
            median / unit - chain as f64,
        );
    }
    ground.end().await;
    println!(
        "  quoted, not run here, at 20 ms a call: policy-bot 212 ms (10 calls in a row), mergeable 1,243 ms"
    );
}

/// The approval of a merge request, until GitLab has taken the answer.
async fn approved_to_answered(ground: &Ground, which: MergeRequestRef) -> Duration {
    let (told, answered) = oneshot::channel();
    ground.gitlab.on_call(Moment::after(RESPOND), move |_| {
        // Nobody waits for it any more only if the bench has failed.
        let _unheard = told.send(Instant::now());
    });
    let begun = Instant::now();
    ground.approve(which);
    let answered = tokio::time::timeout(BOUND, answered).await.expect("it is answered in time");
    answered.expect("the moment comes").duration_since(begun)
}

/// How many calls there are at most of which each began after the one before had ended.
fn longest_chain(calls: &[ApiCall]) -> usize {
    let mut ended: Vec<_> = calls.iter().filter_map(|call| Some((call.ended_at?, call.at))).collect();
    ended.sort_unstable();
    let (mut count, mut free) = (0, None);
    for (end, begin) in ended {
        if free.is_none_or(|free| begin >= free) {
            count += 1;
            free = Some(end);
        }
    }
    count
}
