//! One story of a merge request, told to every GitLab that differs: each shows the truth as far as it can be told it.
//!
//! What may be said follows from the version (contract section 1.2, design section 5): everything from 16.5 on, no
//! `pending` before, and before 15.0 nothing but a pass. Where the truth can't be said the table says so by name. That a
//! `pending` runs out after two minutes came with 16.6, and signed bodies of JSON with 17.3: each is told from both sides.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::{CheckStatus, Edition, Push, SimulatorOptions};
use futures_util::StreamExt;

use crate::world::{Ground, REVIEW_POLICY, Service, World};

use self::Shows::{CannotBeSaid, Failed, Passed, Pending, RunOut, Unanswered};
use self::Truth::{Closed, Failing, Passing, Waiting};

const MINUTE: Duration = Duration::from_secs(60);
/// Counts what could not be said.
const PARKED: &str = "countersign_lanes_parked_total";

/// A GitLab, and what it understands.
#[derive(Debug, Clone, Copy)]
struct Version {
    text: &'static str,
    /// The feature flag `status_checks_add_status_field` of 14.9 and 14.10.
    status_field: bool,
    words: Words,
    /// `gitlab.version`.
    told: Option<&'static str>,
    /// Whether a check's deliveries are signed, and say that they are JSON (17.3).
    signs: bool,
    /// Whether `/approvals` says when (18.5): before, only what was seen earlier tells.
    dates_approvals: bool,
}

/// Which words a GitLab takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// A `pending` that nobody says again is `failed` after two minutes (16.6).
    All,
    /// All of them, and nothing runs out (16.5).
    LastingPending,
    NoPending,
    OnlyPassed,
}

impl Words {
    /// The column of the story.
    fn column(self) -> usize {
        match self {
            Self::All | Self::LastingPending => 0,
            Self::NoPending => 1,
            Self::OnlyPassed => 2,
        }
    }
}

const OLD: Version = Version {
    text: "14.0.0-ee",
    status_field: false,
    told: None,
    words: Words::OnlyPassed,
    signs: false,
    dates_approvals: false,
};
const SAYS_ALL: Version = Version { words: Words::All, ..OLD };
const SIGNS: Version = Version { signs: true, ..SAYS_ALL };
const DATES: Version = Version { dates_approvals: true, ..SIGNS };

const VERSIONS: [Version; 15] = [
    OLD,
    // There `failed` would approve, whoever says otherwise.
    Version { told: Some("15.0"), ..OLD },
    Version { text: "14.9.0-ee", ..OLD },
    // With the flag it would understand `failed`, and nothing tells us that the flag is on.
    Version { text: "14.9.0-ee", status_field: true, ..OLD },
    Version { text: "14.10.0-ee", status_field: true, told: Some("15.0"), words: Words::NoPending, ..OLD },
    Version { text: "15.0.0-ee", words: Words::NoPending, ..OLD },
    Version { text: "16.4.9-ee", words: Words::NoPending, ..OLD },
    Version { text: "16.5.0-ee", words: Words::LastingPending, ..OLD },
    Version { text: "16.6.0-ee", ..SAYS_ALL },
    Version { text: "17.2.9-ee", ..SAYS_ALL },
    Version { text: "17.3.0-ee", ..SIGNS },
    Version { text: "18.4.6-ee", ..SIGNS },
    Version { text: "18.5.0-ee", ..DATES },
    Version { text: "19.0.0-ee", ..DATES },
    Version { text: "19.4.1-jh", ..DATES },
];

/// What is so, as the test knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    Passing,
    Failing,
    Waiting,
    /// It is closed: nothing may be given, and what was given is taken back.
    Closed,
}

/// What GitLab is to show in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// No row for the head: pending that never times out.
    Unanswered,
    Passed,
    Failed,
    Pending,
    /// What a `pending` is in the end: `failed`, where it runs out.
    RunOut,
    /// It goes on showing an old `passed`: it has no word for anything else. Nothing is posted.
    CannotBeSaid,
}

impl Shows {
    fn status(self, words: Words) -> CheckStatus {
        match self {
            Unanswered => CheckStatus::Unanswered,
            Passed | CannotBeSaid => CheckStatus::Passed,
            Failed => CheckStatus::Failed,
            RunOut if words == Words::All => CheckStatus::Failed,
            Pending | RunOut => CheckStatus::Pending,
        }
    }
}

/// What somebody does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Approve,
    Unapprove,
    Title(&'static str),
    PushFile(&'static str),
    /// The head that was there first comes back, and with it the rows that it had.
    PushBack,
    Close,
    Reopen,
    /// Nothing, for so many minutes. What shows meanwhile is what showed before, or what shows in the end.
    Wait(u32),
}

/// The story: what is done, what is so then, and what is shown by a GitLab that takes all words, one without `pending`,
/// and one to which every answer is a pass. A `pending` is said again for ten minutes (`answers.heartbeat_for`), and no more.
const STORY: [(Deed, Truth, [Shows; 3]); 15] = [
    (Deed::Approve, Passing, [Passed, Passed, Passed]),
    (Deed::Unapprove, Waiting, [Pending, Failed, CannotBeSaid]),
    (Deed::Title("bad"), Failing, [Failed, Failed, CannotBeSaid]),
    (Deed::Title("good"), Waiting, [Pending, Failed, CannotBeSaid]),
    (Deed::Wait(9), Waiting, [Pending, Failed, CannotBeSaid]),
    (Deed::Wait(5), Waiting, [RunOut, Failed, CannotBeSaid]),
    (Deed::Approve, Passing, [Passed, Passed, Passed]),
    (Deed::PushFile("src/other.rs"), Waiting, [Unanswered, Unanswered, Unanswered]),
    // The approval was given for this very patch.
    (Deed::PushBack, Passing, [Passed, Passed, Passed]),
    (Deed::PushFile("src/third.rs"), Waiting, [Unanswered, Unanswered, Unanswered]),
    (Deed::Unapprove, Waiting, [Unanswered, Unanswered, Unanswered]),
    // The row of another day says `passed`, and today nobody approves.
    (Deed::PushBack, Waiting, [Pending, Failed, CannotBeSaid]),
    (Deed::Approve, Passing, [Passed, Passed, Passed]),
    (Deed::Close, Closed, [Pending, Failed, CannotBeSaid]),
    (Deed::Reopen, Passing, [Passed, Passed, Passed]),
];

async fn ground_of(version: Version) -> Ground {
    let options = SimulatorOptions {
        version: version.text.to_owned(),
        edition: Edition::Ultimate,
        ..SimulatorOptions::default()
    };
    let ground = Ground::prepare_with(REVIEW_POLICY, options).await;
    ground.gitlab.set_status_field_flag(version.status_field);
    ground.gitlab.say_approved_at(version.dates_approvals);
    let ground = match version.told {
        Some(told) => ground.configure("GITLAB__VERSION", told),
        None => ground,
    };
    if version.signs { ground } else { ground.configure("WEBHOOKS__ALLOW_UNSIGNED", "shop/**") }
}

fn act(ground: &Ground, which: MergeRequestRef, bea: UserId, first_head: &Push, deed: Deed) {
    let gitlab = &ground.gitlab;
    match deed {
        Deed::Approve => gitlab.approve(which, bea).unwrap(),
        Deed::Unapprove => gitlab.unapprove(which, bea).unwrap(),
        Deed::Title(title) => gitlab.edit_title(which, title).unwrap(),
        Deed::PushFile(path) => _ = gitlab.push(which, Push::new().file(path)).unwrap(),
        Deed::PushBack => {
            gitlab.hold_deliveries();
            gitlab.push(which, first_head.clone()).unwrap();
            // GitLab's answers are dated to the second: a look within the second of a push that brings an old head back
            // could not tell whether an approval came before or after it.
            gitlab.advance(Duration::from_secs(2));
            gitlab.release_deliveries();
        }
        Deed::Close => gitlab.close(which).unwrap(),
        Deed::Reopen => gitlab.reopen(which).unwrap(),
        Deed::Wait(_) => {}
    }
}

/// Lets time pass, from one instant at which something is due to the next; gives what showed at any of them.
async fn wait(world: &World, which: MergeRequestRef, minutes: u32) -> Vec<CheckStatus> {
    let end = world.gitlab.now() + MINUTE * minutes;
    let mut shown = vec![world.status(which)];
    while world.gitlab.now() < end {
        world.pass(MINUTE.min(world.ground.clock.until(end))).await;
        shown.push(world.status(which));
    }
    shown
}

/// Deliveries that nothing vouches for wait for two seconds.
async fn skip_the_wait(world: &World) {
    world.gitlab.deliveries_settled().await.unwrap();
    world.gitlab.advance(Duration::from_secs(2));
}

/// Tells the story to one GitLab; gives everything that was not as it should be.
async fn tell(version: Version) -> Vec<String> {
    let world = World::start_on(ground_of(version).await).await;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request().title("good"));
    skip_the_wait(&world).await;
    let first_head = Push::to(&world.gitlab.head(which).unwrap());
    let mut wrong = Vec::new();
    let mut note = |step: &str, what: String| wrong.push(format!("{version:?}, {step}: {what}"));
    let shown = world.settled_status(which).await;
    if shown != CheckStatus::Unanswered || !world.posted(which).is_empty() {
        note("opened", format!("shows {shown:?} instead of an implicit pending"));
    }
    for (index, (deed, truth, columns)) in STORY.into_iter().enumerate() {
        let step = format!("step {} {deed:?}", index + 1);
        let expected = columns[version.words.column()];
        let (rows, parked) = (world.posted(which).len(), world.metric(PARKED));
        if let Deed::Wait(minutes) = deed {
            let before = world.status(which);
            let meanwhile = wait(&world, which, minutes).await;
            if meanwhile.iter().any(|shown| ![before, expected.status(version.words)].contains(shown)) {
                note(&step, format!("showed {meanwhile:?}"));
            }
        }
        act(&world.ground, which, bea, &first_head, deed);
        skip_the_wait(&world).await;
        let shown = world.settled_status(which).await;
        if shown != expected.status(version.words) {
            note(&step, format!("shows {shown:?}, expected {expected:?}"));
        }
        // Nothing but this step's deed can have led to these.
        let posted = &world.posted(which)[rows..];
        if truth != Passing && posted.contains(&CheckStatus::Passed) {
            note(&step, format!("it is {truth:?}, and posted was {posted:?}"));
        }
        let other = posted.iter().any(|status| *status != CheckStatus::Passed);
        if version.words == Words::OnlyPassed && other {
            note(&step, format!("every answer approves, and posted was {posted:?}"));
        }
        if version.words == Words::NoPending && posted.contains(&CheckStatus::Pending) {
            note(&step, "it does not know `pending`".to_owned());
        }
        if expected == CannotBeSaid && !posted.is_empty() {
            note(&step, format!("it can't be said, and posted was {posted:?}"));
        }
        // What is closed needs nobody to look after it, and what was counted is not counted again.
        let is_news = truth != Closed && !matches!(deed, Deed::Wait(_));
        if expected == CannotBeSaid && is_news && world.metric(PARKED) <= parked {
            note(&step, "it can't be said, and no metric counts it".to_owned());
        }
    }
    world.end().await;
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gitlab_shows_the_truth_as_far_as_it_can_be_told_it() {
    let stories = futures_util::stream::iter(VERSIONS).map(tell).buffer_unordered(VERSIONS.len());
    let wrong = stories.concat().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_gitlab_can_not_be_told_stands_in_the_log() {
    let mut service = Service::start_on(ground_of(OLD).await);
    let bea = service.ground.reviewer();
    let which = service.gitlab.open_merge_request(service.ground.merge_request().title("good")).unwrap();
    service.expect(which, CheckStatus::Unanswered, "it waits").await;
    service.gitlab.advance(Duration::from_secs(5));
    service.gitlab.approve(which, bea).unwrap();
    service.expect(which, CheckStatus::Passed, "approved").await;
    service.gitlab.unapprove(which, bea).unwrap();
    service.until_metric(PARKED, 1.0).await;
    service.expect(which, CheckStatus::Passed, "it can't be taken back").await;
    let (_, output) = service.terminate();
    assert!(output.contains("can't be said to this GitLab"), "{output}");
    service.end().await;
}
