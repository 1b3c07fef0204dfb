//! The decision log: canonical bytes, all that they name is there, and a replay gives the same evaluation.

use countersign::merge_request::{CheckName, CommitSha, MergeRequestRef, StatusCheckId};
use countersign::policy::{Evaluation, Facts, PolicySet, PolicySource, Step, evaluate};
use countersign::simulator::{CheckStatus, Fault, NewGroup};
use countersign::store::StoredDecision;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::world::{APPROVALS, ONE, World};

const POLICY: &str = r#"
policy: review
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: files
    require: { changed_files: { none: ["secret/"] } }
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

/// The record as it is declared, read from the outside.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    engine: String,
    decided_at: jiff::Timestamp,
    cause: Cause,
    merge_request: MergeRequestRef,
    sha: CommitSha,
    check: StatusCheckId,
    check_name: CheckName,
    facts_format: u32,
    facts: Option<String>,
    revision: String,
    policies: Vec<Source>,
    evaluation: Evaluation,
    answer: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cause {
    event: String,
    action: Option<String>,
    delivery: i64,
    attempt: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    path: String,
    sha256: String,
}

/// Leads a merge request through every verdict.
async fn story(world: &World) -> Vec<StoredDecision> {
    let gitlab = &world.gitlab;
    let bea = world.ground.reviewer();
    let which = world.open(world.merge_request());
    world.expect(which, CheckStatus::Unanswered, "waiting").await;
    gitlab.edit_title(which, "bad").unwrap();
    world.expect(which, CheckStatus::Failed, "violated").await;
    gitlab.edit_title(which, "good").unwrap();
    world.settle().await;
    gitlab.approve(which, bea).unwrap();
    world.expect(which, CheckStatus::Passed, "approved").await;
    for route in [APPROVALS, ONE] {
        let fault = gitlab.fault(Fault::error_page(route, 503));
        gitlab.add_label(which, &format!("look {route}")).unwrap();
        world.until("it is taken back", |_| world.status(which) == CheckStatus::Pending).await;
        gitlab.lift(fault);
        world.expect(which, CheckStatus::Passed, "recovered").await;
    }
    gitlab.delete_group("shop/payments").unwrap();
    gitlab.add_label(which, "look").unwrap();
    world.expect(which, CheckStatus::Failed, "the group is gone").await;
    gitlab.create_group(NewGroup::at("shop/payments"));
    world.decisions(which).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decision_can_be_replayed_to_the_same_evaluation() {
    let world = World::start(POLICY).await;
    let decisions = story(&world).await;
    for verdict in ["waiting", "failed", "passed", "undecided"] {
        assert!(decisions.iter().any(|decision| decision.verdict == verdict), "no decision is {verdict}");
    }
    let mut replayed = 0;
    for decision in &decisions {
        let record: Record = serde_json::from_slice(&decision.record).unwrap();
        assert_eq!(serde_json::to_vec(&record).unwrap(), decision.record, "canonical: {}", decision.id);
        let mut sources = Vec::new();
        for Source { path, sha256 } in record.policies {
            sources
                .push(PolicySource { path, text: String::from_utf8(blob(&world, &sha256).await).unwrap() });
        }
        let set = PolicySet::compile(&sources).unwrap();
        assert_eq!(set.revision().to_string(), record.revision);
        let Some(facts) = record.facts else {
            assert!(
                record.evaluation.summary.contains("could not be decided"),
                "{}",
                record.evaluation.summary
            );
            continue;
        };
        let bytes = blob(&world, &facts).await;
        let facts: Facts = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json::to_vec(&facts).unwrap(), bytes, "canonical facts: {}", decision.id);
        let Step::Decided(again) = evaluate(&set, &record.check_name, &facts) else {
            panic!("decision {} wants facts that it did not record", decision.id)
        };
        assert_eq!(again, record.evaluation, "decision {}", decision.id);
        replayed += 1;
    }
    println!("{replayed} of {} decisions replayed to the same evaluation", decisions.len());
    assert!(replayed >= 6);
    world.end().await;
}

/// A blob by its digest, which is really its digest.
async fn blob(world: &World, sha256: &str) -> Vec<u8> {
    let mut digest = [0; 32];
    hex::decode_to_slice(sha256, &mut digest).unwrap();
    let bytes = world.app().store().decisions().blob(digest).await.unwrap().expect("it is there");
    assert_eq!(<[u8; 32]>::from(Sha256::digest(&bytes)), digest);
    bytes
}
