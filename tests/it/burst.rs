//! Many deliveries at once: none is refused, none is lost, what must be taken back goes first; and how much is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use countersign::merge_request::MergeRequestRef;
use countersign::simulator::{CallOutcome, CheckStatus, DeliveryState, Fault, FaultKind, Push};
use jiff::Timestamp;

use crate::world::{BOUND, Chance, ONE, PLAIN_POLICY, World, scale, until};

/// How many merge requests are decided at the same time.
const LANES: usize = 32;
/// How many are prepared at once.
const AT_ONCE: usize = 50;

/// Needs every family of facts: a burst then takes more calls than GitLab grants in a minute.
const EVERYTHING: &str = r#"
policy: everything
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: files
    require: { changed_files: { none: ["secret/"] } }
  - id: pipeline
    require: { pipeline: success }
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

/// A burst: how many merge requests it is about, with two deliveries each, and what GitLab grants in a minute where a test
/// says so. The ratio is the same in both sizes: it takes some minutes.
fn size() -> (usize, u64) {
    if scale() > 1 { (500, 2000) } else { (100, 400) }
}

/// A world of many merge requests: half of them pass, and the others fail by nothing but their title.
struct Crowd {
    world: World,
    losing: BTreeSet<MergeRequestRef>,
    gaining: BTreeSet<MergeRequestRef>,
    /// How many deliveries and rows there were before the burst.
    deliveries: usize,
    rows: usize,
}

impl Crowd {
    async fn gather(policy: &str) -> Self {
        let world = World::start(policy).await;
        let bea = world.ground.reviewer();
        let open = |title: &str| {
            let which = world.open(world.merge_request().title(title));
            world.gitlab.set_pipeline(which, "success").unwrap();
            world.gitlab.approve(which, bea).unwrap();
            which
        };
        let (mut losing, mut gaining) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..size().0 / AT_ONCE {
            // Held until all of it is there: one look each.
            world.gitlab.hold_deliveries();
            losing.extend((0..AT_ONCE / 2).map(|_| open("good")));
            gaining.extend((0..AT_ONCE / 2).map(|_| open("bad")));
            world.gitlab.release_deliveries();
            world.settle().await;
        }
        let (deliveries, rows) = (world.gitlab.deliveries().len(), world.gitlab.all_responses().len());
        let crowd = Self { world, losing, gaining, deliveries, rows };
        assert_eq!(crowd.wrong(CheckStatus::Passed, CheckStatus::Failed), []);
        crowd
    }

    /// Two events each, in any order of all of them, sent at once. The second one says what is right. Gives how long the
    /// sending took.
    fn burst(&self, chance: &mut Chance, first: impl Fn(MergeRequestRef, &str)) -> Duration {
        let gitlab = &self.world.gitlab;
        gitlab.hold_deliveries();
        let mut order: Vec<_> =
            self.losing.iter().chain(&self.gaining).flat_map(|which| [*which; 2]).collect();
        chance.shuffle(&mut order);
        let mut begun = BTreeSet::new();
        for (number, which) in order.into_iter().enumerate() {
            let (before, after) =
                if self.losing.contains(&which) { ("good", "bad") } else { ("bad", "good") };
            // A number in the title: no two events are the same.
            if begun.insert(which) {
                first(which, &format!("{before} {number}"));
            } else {
                gitlab.edit_title(which, &format!("{after} {number}")).unwrap();
            }
        }
        let begun = Instant::now();
        gitlab.release_deliveries();
        begun.elapsed()
    }

    /// Waits until nothing is on its way; every delivery of the burst must have been taken, and at its first try.
    async fn all_taken(&self) {
        self.world.gitlab.deliveries_settled().await.unwrap();
        let deliveries = self.world.gitlab.deliveries();
        let of_burst = &deliveries[self.deliveries..];
        assert_eq!(of_burst.len(), 2 * size().0);
        for delivery in of_burst {
            assert_eq!((&delivery.state, delivery.attempts), (&DeliveryState::Answered(202), 1));
        }
    }

    /// Which merge requests show something else.
    fn wrong(&self, losing: CheckStatus, gaining: CheckStatus) -> Vec<MergeRequestRef> {
        let losing = self.losing.iter().map(|which| (*which, losing));
        let all = losing.chain(self.gaining.iter().map(|which| (*which, gaining)));
        let wrong = all.filter(|(which, right)| self.world.status(*which) != *right);
        wrong.map(|(which, _)| which).collect()
    }

    fn is_right(&self) -> bool {
        self.wrong(CheckStatus::Failed, CheckStatus::Passed).is_empty()
    }

    /// In which order `passed` was taken back and given.
    fn order(&self) -> Order {
        let mut seen = BTreeSet::new();
        let rows = self.world.gitlab.all_responses().split_off(self.rows);
        let firsts = rows.iter().filter(|row| {
            let is_passed = row.posted == CheckStatus::Passed;
            let is_change = is_passed == self.gaining.contains(&row.merge_request);
            let is_ours = self.losing.contains(&row.merge_request) || is_passed;
            is_ours && is_change && seen.insert(row.merge_request)
        });
        Order { withdrawals: firsts.map(|row| row.posted != CheckStatus::Passed).collect() }
    }
}

/// The first words of a burst that changed anything: whether each took a `passed` back, or gave one.
struct Order {
    withdrawals: Vec<bool>,
}

impl Order {
    fn median(&self, withdrawal: bool) -> usize {
        let kind =
            self.withdrawals.iter().enumerate().filter(|(_, is_withdrawal)| **is_withdrawal == withdrawal);
        let positions: Vec<_> = kind.map(|(position, _)| position).collect();
        positions[positions.len() / 2]
    }

    /// How many withdrawals were still to come when the first grant was said.
    fn after_first_grant(&self) -> usize {
        let first = self.withdrawals.iter().position(|withdrawal| !withdrawal).unwrap();
        self.withdrawals.iter().skip(first).filter(|withdrawal| **withdrawal).count()
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: of {} words that changed anything, withdrawals are number {} in the median and grants number {}; \
             {} withdrawals came after the first grant",
            self.withdrawals.len(),
            self.median(true),
            self.median(false),
            self.after_first_grant(),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_deliveries_is_taken_whole_and_each_head_ends_right() {
    burst().await;
}

pub async fn burst() {
    let crowd = Crowd::gather(PLAIN_POLICY).await;
    let gitlab = &crowd.world.gitlab;
    let mut chance = Chance::new("burst of deliveries");
    // Half of the first events are pushes: what is gained is gained on another head than the one that failed.
    let sending = crowd.burst(&mut chance, |which, title| {
        if crowd.gaining.contains(&which) {
            gitlab.push(which, Push::new().file("src/card.rs")).unwrap();
        } else {
            gitlab.edit_title(which, title).unwrap();
        }
    });
    let begun = Instant::now();
    crowd.all_taken().await;
    let taken = begun.elapsed();
    until("each head shows what is right", || crowd.is_right()).await;
    println!(
        "{} deliveries sent within {:.2} s: all taken after {:.2} s, all right after {:.2} s (this profile)",
        2 * size().0,
        sending.as_secs_f64(),
        taken.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
    );
    crowd.order().print("as they come");
    crowd.world.settle().await;
    assert!(crowd.is_right());
    crowd.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_gitlabs_rate_nothing_of_a_burst_is_lost_and_withdrawals_go_first() {
    burst_within_a_rate().await;
}

pub async fn burst_within_a_rate() {
    let crowd = Crowd::gather(EVERYTHING).await;
    let gitlab = &crowd.world.gitlab;
    let mut chance = Chance::new("within GitLab's rate");
    next_minute(&crowd);
    // All lanes are busy until the burst is in the queue: from there on the order is the queue's alone.
    let busy: Vec<_> = (0..LANES).map(|_| crowd.world.open(crowd.world.merge_request().quietly())).collect();
    let hang = gitlab.fault(Fault::on(ONE, FaultKind::Hang));
    let looks = gitlab.calls_to(ONE);
    for which in &busy {
        gitlab.add_label(*which, "look").unwrap();
    }
    until("every lane hangs", || gitlab.calls_to(ONE) == looks + LANES as u64).await;
    let crowd = Crowd { deliveries: gitlab.deliveries().len(), ..crowd };
    let gitlab = &crowd.world.gitlab;
    crowd.burst(&mut chance, |which, title| gitlab.edit_title(which, title).unwrap());
    crowd.all_taken().await;
    let begun = gitlab.now();
    gitlab.set_rate_limit(Some(size().1));
    gitlab.lift(hang);
    let minutes = wait_out_the_limit(&crowd).await;
    let calls = minutes_of_calls(&crowd, begun);
    println!(
        "{} calls a minute: calls and refusals by minute {calls:?}; all right in minute {minutes}",
        size().1
    );
    let order = crowd.order();
    order.print("within the rate");
    assert!(minutes > 1, "the limit was never felt: {calls:?}");
    assert!(calls.iter().all(|(_, refused)| *refused == 0), "what is told is obeyed: {calls:?}");
    // All of them were in the queue before anything of the burst was looked at. What was claimed last of them may be
    // overtaken by the first grants.
    assert!(order.after_first_grant() < LANES, "{:?}", order.withdrawals);
    crowd.world.settle().await;
    assert!(crowd.is_right());
    crowd.world.end().await;
}

/// Lets time pass until GitLab counts anew.
fn next_minute(crowd: &Crowd) {
    let second = crowd.world.gitlab.now().as_second().rem_euclid(60);
    crowd.world.gitlab.advance(Duration::from_secs(u64::try_from(61 - second).unwrap()));
}

/// Lets time pass whenever nobody asks any more. Gives how many minutes began until all was right.
async fn wait_out_the_limit(crowd: &Crowd) -> i64 {
    // Leases are kept meanwhile.
    const STEP: Duration = Duration::from_secs(5);
    let gitlab = &crowd.world.gitlab;
    let first = gitlab.now().as_second().div_euclid(60);
    let begun = Instant::now();
    while !crowd.is_right() {
        assert!(begun.elapsed() < 4 * BOUND, "it does not get through:\n{}", crowd.world.history());
        let calls = gitlab.calls_to("*");
        tokio::time::sleep(Duration::from_millis(50)).await;
        if gitlab.calls_to("*") == calls {
            gitlab.advance(STEP);
        }
    }
    let minutes = gitlab.now().as_second().div_euclid(60) - first + 1;
    // What is left of the queue has nothing to say any more.
    while crowd.world.app().store().queue().depth().await.unwrap().length > 0 {
        assert!(begun.elapsed() < 4 * BOUND, "it does not come to rest");
        tokio::time::sleep(Duration::from_millis(20)).await;
        gitlab.advance(STEP);
    }
    minutes
}

/// How many calls came in each minute, and how many of them were refused.
fn minutes_of_calls(crowd: &Crowd, since: Timestamp) -> Vec<(usize, usize)> {
    let mut minutes: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    for call in crowd.world.gitlab.calls().into_iter().filter(|call| call.at >= since) {
        let (calls, refused) = minutes.entry(call.at.as_second().div_euclid(60)).or_default();
        *calls += 1;
        *refused += usize::from(call.outcome == CallOutcome::Answered(429));
    }
    minutes.into_values().collect()
}

/// What `peers.md` measured of others on a GitHub of its own making: reads and writes at the first event, at the same
/// again with nothing changed, and after an approval. Quoted, not measured here; 11 and 9 are calls of both kinds.
const PEERS: [(&str, [&str; 3]); 2] =
    [("policy-bot (quoted)", ["11", "8 + 1", "9"]), ("mergeable (quoted)", ["11", "8 + 2", "10"])];

/// A policy for each family of facts, by name, and what the merge request itself and its pages are to read when nothing
/// changed: code is the list of versions and the newest of them, approvals belong to a version too.
fn families() -> [(&'static str, String, usize); 6] {
    let policy = |rule: &str| format!("policy: one\nrules:\n  - id: one\n    require: {{ {rule} }}\n");
    [
        ("title", PLAIN_POLICY.to_owned(), 1),
        ("code", policy(r#"changed_files: { none: ["secret/"] }"#), 3),
        ("approvals by group", policy(r#"approvals: { count: 1, from: { groups: ["shop/payments"] } }"#), 3),
        ("pipeline", policy("pipeline: success"), 2),
        ("threads", policy("unresolved_threads: { at_most: 0 }"), 2),
        ("everything", EVERYTHING.to_owned(), 6),
    ]
}

/// Reads and posts that one event of a merge request took.
async fn calls_for(world: &World, event: impl FnOnce()) -> (usize, usize) {
    world.settle().await;
    let before = world.gitlab.calls().len();
    event();
    world.settle().await;
    let calls = world.gitlab.calls().split_off(before);
    let posts = calls.iter().filter(|call| call.route.starts_with("POST")).count();
    (calls.len() - posts, posts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_asks_for_what_its_rules_need_and_says_nothing_twice() {
    println!(
        "{:<22}{:>14}{:>18}{:>20}",
        "reads + posts", "first event", "the same again", "after an approval"
    );
    for (family, policy, reads) in families() {
        let world = World::start(&policy).await;
        let bea = world.ground.reviewer();
        // GitLab's version is asked once an hour, for all.
        world.open(world.merge_request());
        let which = world.open(world.merge_request().quietly());
        world.gitlab.set_pipeline(which, "success").unwrap();
        let first = calls_for(&world, || world.gitlab.add_label(which, "first").unwrap()).await;
        let again = calls_for(&world, || world.gitlab.add_label(which, "again").unwrap()).await;
        let approved = calls_for(&world, || world.gitlab.approve(which, bea).unwrap()).await;
        assert_eq!(again, (reads, 0), "{family}: the same again, {}", world.history());
        assert_eq!(first.0, reads + 1, "{family}: the list of statuses at first sight, {}", world.history());
        assert!(first.1 <= 1 && approved.1 <= 1, "{family}: {first:?} {approved:?}");
        let cells = [first, again, approved].map(|(reads, posts)| format!("{reads} + {posts}"));
        println!("{family:<22}{:>14}{:>18}{:>20}", cells[0], cells[1], cells[2]);
        world.end().await;
    }
    for (peer, cells) in PEERS {
        println!("{peer:<22}{:>14}{:>18}{:>20}", cells[0], cells[1], cells[2]);
    }
}
