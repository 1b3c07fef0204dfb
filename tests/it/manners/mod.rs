//! How GitLab is treated: within its limits, gently while it is down, over proxies and private authorities, with tokens that
//! come and go.

pub mod day;
mod fairness;
mod limits;
mod log;
mod outage;
mod redirects;
mod token;
mod way;

use std::time::{Duration, Instant};

use crate::world::{BOUND, World};

/// Takes three calls for a verdict: the merge request, and two lists.
const THREADS_POLICY: &str = r#"
policy: threads
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
"#;

/// Lets time pass until a condition holds, in steps in which leases can be kept; for two hours at the most.
async fn pass_until(world: &World, what: &str, done: impl Fn() -> bool) {
    const STEP: Duration = Duration::from_secs(1);
    let (real, simulated) = (Instant::now(), world.gitlab.now());
    while !done() {
        let passed = world.ground.clock.since(simulated);
        let in_time = passed < Duration::from_hours(2) && real.elapsed() < 3 * BOUND;
        assert!(in_time, "in vain after {passed:?}: {what}\n{}", world.history());
        tokio::time::sleep(Duration::from_millis(5)).await;
        world.gitlab.advance(STEP);
    }
}
