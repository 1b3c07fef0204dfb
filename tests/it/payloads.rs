//! What GitLab really sends: every body leads where it points, once, and nowhere else.

use countersign::merge_request::{CommitSha, MergeRequestRef};
use countersign::simulator::{
    CheckStatus, Membership, MergeRequestState, NewMergeRequest, NewProject, NewStatusCheck,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::samples::{self, About, Sample};
use crate::sender::{self, Headers, SIGNING_TOKEN};
use crate::world::{Ground, HOOK_TOKEN, PLAIN_POLICY, SECRET, World};

/// What every comment, emoji, pipeline and job can change, and passes by its title without a look at them.
const WIDE_POLICY: &str = r#"
policy: wide
rules:
  - id: wide
    require:
      any_of:
        - not: { title: { glob: ["bad*"] } }
        - unresolved_threads: { at_most: 0 }
          jobs: { all: [build] }
          vetoes: { by: [{ emoji: thumbsdown }], at_most: 0 }
"#;

/// A world whose GitLab holds the merge request of a body as the body tells it, with a check of ours.
async fn world_of(about: Option<(&About, Option<u64>)>) -> (World, Option<MergeRequestRef>) {
    let ground = Ground::prepare(WIDE_POLICY).await.configure("WEBHOOKS__SIGNING_TOKENS", SIGNING_TOKEN);
    let mut world = World::start_on(ground).await;
    let Some((about, check)) = about else { return (world, None) };
    let gitlab = &world.gitlab;
    let target = about.target_branch.as_deref().unwrap_or("main");
    let project = gitlab.create_project(NewProject::at(&about.path).id(about.project).default_branch(target));
    gitlab.add_member(project, Membership::new(world.ground.bot, 30)).unwrap();
    let mut new = NewMergeRequest::in_project(project).iid(about.iid).target_branch(target).quietly();
    if let Some(id) = about.id {
        new = new.id(id);
    }
    if let Some(branch) = &about.source_branch {
        new = new.source_branch(branch);
    }
    if let Some(sha) = &about.sha {
        new = new.head(&CommitSha::parse(sha).unwrap());
    }
    let merge_request = gitlab.open_merge_request(new).unwrap();
    match about.state.as_str() {
        "opened" => {}
        "closed" => gitlab.set_state(merge_request, MergeRequestState::Closed).unwrap(),
        "merged" => gitlab.set_state(merge_request, MergeRequestState::Merged).unwrap(),
        other => panic!("a body says that the state is {other}"),
    }
    let mut new = NewStatusCheck::new("gate", &format!("{}/webhooks/gitlab", world.url())).secret(SECRET);
    if let Some(id) = check {
        new = new.id(id);
    }
    world.check = gitlab.create_status_check(project, new).unwrap();
    (world, Some(merge_request))
}

/// The ways in which GitLab may send a body, each a different event where GitLab gives events a key.
fn ways(sample: &Sample) -> Vec<Headers> {
    if sample.is_status_check() {
        return vec![sender::signed(SECRET, &sample.bytes)];
    }
    let keyed = sender::signed_hook(&sample.event(), SIGNING_TOKEN, "f5e5f430-f57b-4e6e-9fac", &sample.bytes);
    let mut both = sender::signed_hook(&sample.event(), SIGNING_TOKEN, "another", &sample.bytes);
    both.push(("X-Gitlab-Token", "not the token: a signature is enough".to_owned()));
    vec![sender::hook(&sample.event(), HOOK_TOKEN), keyed, both]
}

fn settled_as(world: &World, merge_request: MergeRequestRef) -> Option<String> {
    let connection =
        Connection::open_with_flags(world.ground.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let key = [merge_request.project.to_string(), merge_request.iid.to_string()];
    connection
        .query_row("SELECT settled_as FROM lane WHERE project_id = ?1 AND iid = ?2", key, |row| row.get(0))
        .unwrap()
}

async fn arrives(sample: &Sample) -> Option<String> {
    let name = &sample.name;
    let about = sample.about();
    let (world, merge_request) = world_of(about.as_ref().map(|about| (about, sample.check()))).await;
    let url = format!("{}/webhooks/gitlab", world.url());
    let mut kind = None;
    for (sent, headers) in (1..).zip(ways(sample)) {
        let reply = sender::post(&url, &headers, sample.bytes.clone()).await;
        let Some((about, merge_request)) = about.as_ref().zip(merge_request) else {
            // It is taken, and finds nobody.
            let status = if sample.may_concern_many() { 202 } else { 200 };
            assert_eq!(reply.status, status, "{name}: {reply:?}");
            let located = !sample.is_merge_request_event();
            kind = Some(if located { "wakes nothing" } else { "says not which merge request" });
            continue;
        };
        assert_eq!(reply.status, 202, "{name}: {reply:?}");
        world.settle().await;
        let decisions = world.decisions(merge_request).await;
        if about.state == "opened" {
            kind = Some("decided");
            assert_eq!(decisions.len(), sent, "{name}: one decision for each event");
            let head = world.gitlab.merge_request(merge_request).unwrap().head().unwrap().clone();
            assert!(about.sha.as_ref().is_none_or(|sha| sha == head.as_str()), "{name}");
            for decision in &decisions {
                assert_eq!(
                    (decision.sha.as_str(), decision.verdict.as_str()),
                    (head.as_str(), "passed"),
                    "{name}"
                );
            }
            assert_eq!(world.status(merge_request), CheckStatus::Passed, "{name}");
        } else {
            kind = Some("ended");
            assert_eq!(decisions.len(), 0, "{name}: nothing to decide");
            assert_eq!(settled_as(&world, merge_request).as_deref(), Some("ended"), "{name}");
            assert!(world.gitlab.all_responses().is_empty(), "{name}: nothing to answer");
        }
    }
    let responses = world.gitlab.all_responses();
    assert!(responses.iter().all(|row| Some(row.merge_request) == merge_request), "{name}: {responses:?}");
    assert!(responses.len() <= 1, "{name}: said once is enough: {responses:?}");
    world.end().await;
    kind.map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_body_leads_to_its_merge_request_and_to_one_decision_for_each_event() {
    let samples = samples::all();
    let mut kinds = std::collections::BTreeMap::new();
    for sample in &samples {
        *kinds.entry(arrives(sample).await.unwrap()).or_insert(0) += 1;
    }
    println!("{} bodies: {kinds:?}", samples.len());
    assert!(kinds["decided"] > 0 && kinds["ended"] > 0 && kinds["wakes nothing"] > 0, "{kinds:?}");
}

/// GitLab adds actions and fields as it goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_nobody_knows_and_fields_that_nobody_reads_lead_to_a_look() {
    let world = World::start(PLAIN_POLICY).await;
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Passed, "good").await;
    world.settle().await;
    world.gitlab.hold_deliveries();
    world.gitlab.edit_title(which, "bad").unwrap();
    let mut body = world.gitlab.deliveries().last().unwrap().json();
    body["object_attributes"]["action"] = json!("frobnicated");
    for place in ["", "/object_attributes", "/project", "/user", "/changes", "/external_approval_rule"] {
        body.pointer_mut(place).unwrap()["unheard_of"] = json!({ "previous": [1, null], "current": {} });
    }
    let body = body.to_string();
    let url = format!("{}/webhooks/gitlab", world.url());
    let reply = sender::post(&url, &sender::signed(SECRET, body.as_bytes()), body).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    world.expect(which, CheckStatus::Failed, "it was looked at").await;
    world.end().await;
}
