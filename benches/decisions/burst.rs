//! A burst: twice as many deliveries as merge requests within a fifth of a second, while the merge requests change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CheckStatus, Push};

use crate::stage::delivery::Writer;
use crate::stage::figures::thousands;
use crate::stage::ground::Ground;
use crate::stage::load;
use crate::{LANES, policies};

/// In which time the deliveries are sent.
const WITHIN: Duration = Duration::from_millis(200);
const CONNECTIONS: usize = 64;

pub async fn run(count: usize, latency: Duration) {
    println!("\nburst of {} deliveries over {count} merge requests, {latency:?} a call", 2 * count);
    let ground = Ground::start(policies::APPROVALS).await;
    ground.slow_down(latency);
    let merge_requests = ground.open_quietly(count);
    ground.silently(|| merge_requests.iter().for_each(|which| ground.approve(*which)));
    let first = merge_requests[0].iid.get() as usize;
    let writer = Writer::new(ground.project.get(), ground.check.get(), first, count);
    let requests = Arc::new(writer.requests(0..2 * count));
    let rate = 2.0 * count as f64 / WITHIN.as_secs_f64();
    let address = ground.product.address();

    let (begun, clock) = (Instant::now(), ground.gitlab.now());
    let half = load::pace(address, &requests, 0..count, CONNECTIONS, rate).await.all_taken("the product");
    ground.silently(|| change(&ground, &merge_requests));
    let rest =
        load::pace(address, &requests, count..2 * count, CONNECTIONS, rate).await.all_taken("the product");
    let sent = begun.elapsed();
    ground.metrics.until_idle(Duration::from_secs(300)).await;

    let calls = ground.gitlab.calls();
    let last = calls.iter().filter_map(|call| call.ended_at).max().expect("GitLab was asked");
    let total = last.duration_since(clock).as_secs_f64();
    let (reads, posts) = ground.calls();
    let wrong: Vec<_> = merge_requests
        .iter()
        .enumerate()
        .filter(|(index, which)| ground.status(**which) != expected(*index))
        .map(|(_, which)| which.to_string())
        .collect();
    assert!(wrong.is_empty(), "GitLab shows the wrong word on the head of {wrong:?}");
    let needed = calls.len() as f64 * latency.as_secs_f64() / LANES as f64;
    let measured: f64 = calls
        .iter()
        .filter_map(|call| Some(call.ended_at?.duration_since(call.at).as_secs_f64()))
        .sum::<f64>()
        / LANES as f64;
    println!(
        "  {} of {} taken, none refused, sent within {:.2} s; every merge request has the right word on its head",
        half.taken() + rest.taken(),
        2 * count,
        sent.as_secs_f64()
    );
    println!("  {reads} reads and {posts} posts, the last one {total:.2} s after the first delivery");
    println!(
        "  the calls alone, {LANES} at a time: {needed:.2} s at {latency:?} each, ratio {:.2}",
        total / needed
    );
    println!(
        "  the calls alone as long as GitLab took for them: {measured:.2} s, ratio {:.2}",
        total / measured
    );
    let evaluations = ground.metrics.read().await.evaluations();
    println!("  {} evaluations, {:.0} a second", thousands(evaluations), evaluations / total);
    ground.end().await;
    println!("  quoted, not run here: policy-bot answers 890 of 1,000 with 503 and loses them");
}

/// Between a merge request's first delivery and its second: of each three one gets a title that must not pass, one
/// another head that is approved anew, and one stays as it is.
fn change(ground: &Ground, merge_requests: &[MergeRequestRef]) {
    let every_third = |first: usize| merge_requests.iter().skip(first).step_by(3).copied();
    every_third(0).for_each(|which| ground.gitlab.edit_title(which, "bad title").expect("a title"));
    every_third(1).for_each(|which| _ = ground.gitlab.push(which, Push::new()).expect("a push"));
    // An approval of the same millisecond would not be later than the push.
    ground.gitlab.advance(Duration::from_millis(2));
    every_third(1).for_each(|which| ground.approve_again(which));
}

fn expected(index: usize) -> CheckStatus {
    if index.is_multiple_of(3) { CheckStatus::Failed } else { CheckStatus::Passed }
}
