//! Bent bodies: cut off, with fields missing or of another kind, with bytes that make no sense.
//!
//! Whatever is sent with right credentials, the service answers with 2xx or 400, goes on, and passes nothing that it
//! would not pass otherwise: a body only says where to look.

use std::collections::{BTreeMap, BTreeSet};

use countersign::merge_request::{CommitSha, MergeRequestRef, ProjectId};
use countersign::simulator::{CheckStatus, Membership, NewMergeRequest, NewProject, NewStatusCheck};
use fastrand::Rng;
use futures_util::StreamExt;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::samples::{self, Sample};
use crate::sender::{self, counted};
use crate::world::{Ground, HOOK_TOKEN, PLAIN_POLICY, Process, SECRET, until_async};

/// What must never pass.
const NOTHING_PASSES: &str = r#"
policy: nothing
rules:
  - id: never
    require: { not: { title: { glob: "*" } } }
"#;
/// How many bent bodies make one unit of scale.
const UNIT: usize = 400;
/// How many are under way at a time.
const TOGETHER: usize = 16;
/// Where a body is cut off.
const CUT: usize = 97;
/// A number that is an id like any other, and belongs to a merge request that must not pass.
const DECOY: u64 = 7;

/// One way to bend a body.
#[derive(Debug, Clone)]
enum Bend {
    CutAt(usize),
    Replaced(String, Value),
    Removed(String),
    Scrambled(u64),
    Noise(u64),
}

/// Every field of a body, as JSON pointers.
fn fields(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut child = |name: &str, value: &Value| {
        let path = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(path.clone());
        fields(value, &path, found);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| child(name, value)),
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| child(&at.to_string(), value)),
        _ => {}
    }
}

/// Every systematic way to bend a body.
fn bends(sample: &Sample) -> Vec<Bend> {
    let mut bends: Vec<_> = (0..sample.bytes.len()).step_by(CUT).map(Bend::CutAt).collect();
    let mut paths = Vec::new();
    fields(&sample.body, "", &mut paths);
    for path in paths {
        let values = [Value::Null, json!(DECOY), json!(u64::MAX), json!("x".repeat(10 * 1024))];
        bends.extend(values.map(|value| Bend::Replaced(path.clone(), value)));
        bends.push(Bend::Removed(path));
    }
    bends
}

fn bend(sample: &Sample, bend: &Bend) -> Vec<u8> {
    match bend {
        Bend::CutAt(at) => sample.bytes[..*at].to_vec(),
        Bend::Replaced(path, value) => {
            let mut body = sample.body.clone();
            *body.pointer_mut(path).unwrap() = value.clone();
            serde_json::to_vec(&body).unwrap()
        }
        Bend::Removed(path) => {
            let mut body = sample.body.clone();
            let (parent, name) = path.rsplit_once('/').unwrap();
            match body.pointer_mut(parent).unwrap() {
                Value::Object(map) => drop(map.remove(&name.replace("~1", "/").replace("~0", "~"))),
                Value::Array(list) => drop(list.remove(name.parse().unwrap())),
                _ => unreachable!("only these have fields"),
            }
            serde_json::to_vec(&body).unwrap()
        }
        Bend::Scrambled(seed) => {
            let mut random = Rng::with_seed(*seed);
            let mut bytes = sample.bytes.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes
        }
        Bend::Noise(seed) => {
            let mut random = Rng::with_seed(*seed);
            (0..random.usize(..2000)).map(|_| random.u8(..)).collect()
        }
    }
}

/// A GitLab with every merge request that a sample names, and beside each of them others that are titled badly.
/// Gives those that may pass.
fn people(ground: &Ground, url: &str, samples: &[Sample]) -> BTreeSet<MergeRequestRef> {
    let gitlab = &ground.gitlab;
    let mut projects = BTreeMap::new();
    let mut right = BTreeSet::new();
    let mut project_of = |id: u64| -> ProjectId {
        *projects.entry(id).or_insert_with(|| {
            let project = gitlab.create_project(NewProject::at(&format!("fuzz/p{id}")).id(id));
            gitlab.add_member(project, Membership::new(ground.bot, 30)).unwrap();
            let check = NewStatusCheck::new("gate", &format!("{url}/webhooks/gitlab"));
            gitlab.create_status_check(project, check.id(10_000 + id)).unwrap();
            project
        })
    };
    let quiet =
        |project, iid, title: &str| NewMergeRequest::in_project(project).iid(iid).title(title).quietly();
    for about in samples.iter().filter_map(Sample::about) {
        let project = project_of(about.project);
        let decoys = [(project, DECOY), (project, about.iid + 1), (project_of(DECOY), about.iid)];
        for (project, iid) in decoys {
            let which =
                MergeRequestRef { project, iid: countersign::merge_request::MergeRequestIid::new(iid) };
            if gitlab.merge_request(which).is_err() {
                gitlab.open_merge_request(quiet(project, iid, "bad decoy")).unwrap();
            }
        }
    }
    for about in samples.iter().filter_map(Sample::about) {
        let which = MergeRequestRef {
            project: project_of(about.project),
            iid: countersign::merge_request::MergeRequestIid::new(about.iid),
        };
        if gitlab.merge_request(which).is_err() {
            let mut new = quiet(which.project, about.iid, "feat: right");
            if let Some(sha) = &about.sha {
                new = new.head(&CommitSha::parse(sha).unwrap());
            }
            right.insert(gitlab.open_merge_request(new).unwrap());
        }
    }
    right
}

/// What a run did.
#[derive(Default)]
struct Tally {
    sent: usize,
    replies: BTreeMap<u16, u64>,
    passed: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sent, replies, passed } = self;
        write!(formatter, "{sent} bent bodies, replies {replies:?}, {passed} passed")
    }
}

/// Sends bent bodies to a service with `policy`; a scale of 100 sends every one there is.
async fn run(policy: &str, seed: u64, scale: usize) -> Tally {
    let samples = samples::all();
    let mut random = Rng::with_seed(seed);
    let mut all: Vec<_> = (0..samples.len())
        .flat_map(|which| bends(&samples[which]).into_iter().map(move |bend| (which, bend)))
        .collect();
    random.shuffle(&mut all);
    all.truncate(if scale >= 100 { usize::MAX } else { scale * UNIT });
    for _ in 0..scale * UNIT / 10 {
        let which = random.usize(..samples.len());
        all.push((
            which,
            if random.bool() { Bend::Scrambled(random.u64(..)) } else { Bend::Noise(random.u64(..)) },
        ));
    }

    let ground = Ground::prepare(policy).await;
    let mut environment = ground.environment();
    environment.push(("COUNTERSIGN__LOG__LEVEL".to_owned(), "info".to_owned()));
    let process = Process::serve(&environment);
    let right = people(&ground, process.url(), &samples);
    let url = format!("{}/webhooks/gitlab", process.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sending = all.iter().map(|(which, how)| {
        let (sample, client, url) = (&samples[*which], &client, &url);
        let body = bend(sample, how);
        let headers = if sample.is_status_check() {
            sender::signed(SECRET, &body)
        } else {
            sender::hook(&sample.event(), HOOK_TOKEN)
        };
        async move {
            let request =
                headers.iter().fold(client.post(url), |request, (name, value)| request.header(*name, value));
            let answered = request.body(body).send().await;
            let status =
                answered.unwrap_or_else(|error| panic!("{} {how:?}: {error}", sample.name)).status().as_u16();
            assert!(matches!(status, 200 | 202 | 400), "{} {how:?} is answered with {status}", sample.name);
            status
        }
    });
    let mut tally = Tally { sent: all.len(), ..Tally::default() };
    let mut replies = futures_util::stream::iter(sending).buffer_unordered(TOGETHER);
    while let Some(status) = replies.next().await {
        *tally.replies.entry(status).or_insert(0) += 1;
    }
    drop(replies);
    until_async("all that was taken is decided", async || {
        sender::metric(process.url(), "countersign_queue_length").await == 0
    })
    .await;

    let passed: Vec<_> =
        ground.gitlab.all_responses().into_iter().filter(|row| row.posted == CheckStatus::Passed).collect();
    let wrong: Vec<_> = passed.iter().filter(|row| !right.contains(&row.merge_request)).collect();
    assert!(wrong.is_empty(), "passed and must not: {wrong:?}");
    tally.passed = passed.len();
    let rows: u64 = Connection::open_with_flags(ground.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)
        .unwrap()
        .query_row("SELECT count(*) FROM delivery", [], |row| row.get::<_, i64>(0))
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(rows, counted(process.url(), "taken").await, "a row for each delivery taken, and no other");
    assert_eq!(sender::metric(process.url(), "countersign_evaluation_panics_total").await, 0);
    let (code, output) = process.terminate();
    assert_eq!(code, Some(0), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    ground.simulator.stop().await;
    tally
}

/// Both policies; printed, so that a run says what it did.
pub async fn bent_bodies(seed: u64, scale: usize) {
    let strict = run(NOTHING_PASSES, seed, scale).await;
    println!("seed {seed}, nothing may pass: {strict}");
    assert_eq!(strict.passed, 0);
    let plain = run(PLAIN_POLICY, seed, scale).await;
    println!("seed {seed}, only the right ones may pass: {plain}");
    assert!(
        plain.passed > 0,
        "bodies that were bent where it does not matter still lead to their merge request"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bent_body_is_refused_or_leads_to_what_is_true_and_never_breaks_anything() {
    bent_bodies(1, 1).await;
}
