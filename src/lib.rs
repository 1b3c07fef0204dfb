//! countersign: the policy gate for GitLab merge requests.
//!
//! GitLab calls when a merge request changes; countersign decides by policy files; it answers GitLab's external status
//! check for the head SHA: passed, failed, or left pending. This page is the map for whoever carries the work on.
//!
//! # The path of one status check
//!
//! Eight steps, one direction. The server and the worker meet only in the store.
//!
//! ```text
//! GitLab ▶ 1 receive ▶ 2 enqueue ▶ 3 claim ▶ 4 look ▶ 5 evaluate ▶ 6 record ▶ 7 answer ▶ 8 settle
//!          server       store       status_check  decision  policy    store      gitlab     store
//! ```
//!
//! 1. **receive** ([`server`], `server/webhook.rs`): the sender is verified while the body arrives
//!    (`server/authentication.rs`, `server/body.rs`); the body is read as a hint ([`gitlab::webhook`]) and forgotten.
//! 2. **enqueue** ([`store::Queue::take`], `store/intake.rs`): one lane per merge request; what arrives while it waits
//!    coalesces, what arrives while it is decided makes one more run. The commit is on disk before the 202 leaves
//!    (`store/writer.rs`: one thread writes, many deliveries share one sync).
//! 3. **claim** (`status_check/worker.rs`, `store/claiming.rs`): up to 32 lanes at a time, each with a lease; those on which
//!    a `passed` may show first, and where more are due every other place to the projects in turn. While no read is left
//!    only those that memory may have to take back, none while GitLab is down or grants no more calls.
//! 4. **look** (`status_check/look.rs`, [`decision::Decider`]): one read of the merge request, the status list at first
//!    sight of a SHA; a `passed` that was given for another situation is taken back; then rounds of the facts that the
//!    evaluation asks for (`decision/facts.rs`). Where only time or the policies changed, `status_check/recall.rs`
//!    decides from the facts of the last look instead, and asks only for what would be granted.
//! 5. **evaluate** ([`policy::evaluate`], `policy/evaluate.rs`): pure; gives a verdict with its tree of reasons, or the
//!    names of the facts it lacks.
//! 6. **record** ([`store::Queue::record`], `status_check/record.rs`): the decision in canonical bytes, facts and
//!    policy sources by digest; the same commit proves the claim and doubts what GitLab shows.
//! 7. **answer** (`status_check/answer.rs` says what, `status_check/weighing.rs` by what shows, `status_check/lane.rs` and
//!    `status_check/posting.rs` say it, `gitlab/status_checks.rs` is the wire): nothing is posted that already shows,
//!    nothing after something newer came, withdrawals before grants. The other ways to answer (`status_check/mirror/`: a
//!    commit status, a note, an approval, labels) say the same after the status checks; what they take back goes first.
//! 8. **settle** ([`store::Queue::settle`], `store/lane.rs`, `status_check/aftermath.rs`): what GitLab shows now is
//!    remembered if it was confirmed; the lane rests, runs again at once, or at the instant of its next look (a pipeline
//!    that runs, an answer of unclear fate) or recall (time, a heartbeat).
//!
//! Three tasks beside the worker put lanes into the queue without a delivery of their own: `status_check/revision.rs` follows
//! the policies in force, `status_check/crowd.rs` finds whom an event of many concerns, `status_check/sweep.rs` sweeps: it looks
//! back after a start or an outage, and from time to time looks at what changed and at everything that is open. What a sweep
//! found to be otherwise than it was left is told by `status_check/drift.rs`; `app/reconciliation.rs` examines the same way and
//! lets whoever owns the store mend it.
//!
//! What GitLab tells beside the events of merge requests (`server/destination.rs`) is taken only if a policy reads what it can
//! change; which event can change which facts is one table (`policy/source_of_change.rs`), by which `install` sets up webhooks
//! too. An event that names its merge request goes to its lane, one of a commit to the lanes of which that is the head (both
//! in step 2), one of many (a push to a target branch, a member) becomes a row of its own there, and a crowd afterwards.
//!
//! Everything after step 2 may be repeated after a crash: an answer is a statement about check, merge request and SHA,
//! and the last one stands. No transaction is held across a call of GitLab.
//!
//! # Rooms and floors
//!
//! Imports point down only, and no files import each other in a circle; `tests/it/house.rs` holds the plan as a table
//! and reads every path in `src/`.
//!
//! | floor | rooms |
//! |---|---|
//! | 9 | `main.rs` |
//! | 8 | `cli/`: the commands a person types |
//! | 7 | [`demo`]: the story that `countersign demo` plays |
//! | 6 | [`app`]: the composition root |
//! | 5 | [`setup`]: whether GitLab's side is set up right (`doctor`), and how it gets so (`install`) |
//! | 4 | [`server`]: what arrives; [`status_check`]: what is decided and answered. Neither knows the other |
//! | 3 | [`store`], [`bundle`] (policies on disk), [`decision`] (between GitLab and policy) |
//! | 2 | [`policy`] (pure), [`gitlab`] (the wire), [`simulator`] (a GitLab with state, for demo and tests) |
//! | 1 | [`merge_request`] (the shared words), [`companion`] (what GitLab tells beside), [`clock`], [`scope`] (what is ours), [`shared_secret`], [`schema`], [`config`], [`telemetry`] |
//!
//! # Where this differs from what one might expect
//!
//! - There are no traits for the store yet: one database, concrete types. A second database makes [`store::Queue`] and
//!   [`store::Decisions`] traits; nobody above speaks SQL.
//! - SQLite is driven by `rusqlite` on two threads of ours instead of an async pool: one writer with group commit is the
//!   shape of the promise "durable before the 202", and savepoints keep one failed piece from undoing its neighbours.
//! - "Now" is GitLab's `Date` of the merge request's read, so one clock dates pushes, approvals and the present.
//! - Approvals, comments and emoji are read before the version list: each then has its version in the list already.
//! - Policies on disk are compared by content every two seconds instead of watched: it works on every file system and
//!   for the symlink swaps of Kubernetes. Two looks must have found the same, so no half checkout comes into force.
//! - What GitLab shows is believed only within one run of the process: the file may be an older copy. After an answer
//!   of unclear fate the status list is read every ten seconds until a minute is over, and once more then.
//! - A recall never grants and never fails what merely waited while a pipeline may have moved: it takes back, keeps, or
//!   says again. Everything else is looked at, at once if time woke the lane, in turn if new policies did. What was never
//!   read stands as unknown meanwhile: what can't pass whatever it is loses its pass without waiting for its turn.
//! - Whether what changed was looked at since is told by the merge request's own `updated_at` as the last look read it, and by
//!   no clock. What a sweep found waits as a row (`lane.sweep_at`) and is charged to the budget when it begins, so that a
//!   restart loses none of it and events go before it.
//! - That a rule was without an event for a week is not told apart: the full sweep evaluates everything anyway.
//! - A look back is also of every lane on which a `passed` may show: GitLab dates neither pipelines nor memberships nor
//!   foreign statuses into the merge request.
//! - A pipeline or job that names no merge request finds those of its commit in the store alone: one that was never heard of has
//!   an event of its own to come, or is found by a sweep. So an event of a branch that is nobody's costs no call.
//! - Of a crowd nothing is asked of GitLab either: who is in it is remembered (project, target branch), and what a look that is
//!   under way may still find is told by the deliveries that it serves.
//! - A `passed` is taken back first on evidence of the merge request itself (another head or target branch than at the
//!   last look, closed then and open now), not of the delivery's kind: one reopening is told by several deliveries.
//! - Whether a merge request is on a merge train is asked only where a `passed` would be taken back for waiting, and a
//!   project without trains is asked once in ten minutes for all of its merge requests.
//! - Manners are the client's (`gitlab/client.rs`): `gitlab/budget.rs` keeps GitLab's limits, `gitlab/circuit.rs` knows that it is
//!   down, `gitlab/credential.rs` replaces the token. Reads wait there, in turn by the project for which the worker asks
//!   (`gitlab/asker.rs`); answers go at once or not at all, since their right to leave ends with a lease. A look of which a call
//!   was held back decides nothing: its lane goes back as it was.
//! - Conditional requests are not made: GitLab computes and counts them all the same, so they save bandwidth alone.
//! - A delivery with the body of the one before is a duplicate only while that one waits to be looked at: GitLab's bodies
//!   carry no nonce, so two events of one second can have one body. The same `Idempotency-Key` (`webhook-id`
//!   where it was signed) with the same body is the same event, for the 30 days that deliveries are kept.

pub mod app;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod companion;
pub mod config;
pub mod decision;
pub mod demo;
pub mod gitlab;
pub mod merge_request;
pub mod policy;
pub mod schema;
pub mod scope;
pub mod server;
pub mod setup;
pub mod shared_secret;
pub mod simulator;
pub mod status_check;
pub mod store;
pub mod telemetry;
