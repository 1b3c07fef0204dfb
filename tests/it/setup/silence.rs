//! What no webhook of a project tells of is said, and by whom it can be told.

use countersign::simulator::{Edition, HookEvent, Membership, NewHook, SimulatorOptions};
use serde_json::Value;

use super::{Scene, complaints};

const OWNER: u8 = 50;
/// An approval of a group, as in the first example of all.
const APPROVED: &str = r"
policy: gate
applies_to: { target_branches: [main] }
rules:
  - id: payments
    require: { approvals: { count: 1, from: { groups: [shop/payments] } } }
";
const VETOES: &str = r"
policy: gate
applies_to: { target_branches: [main] }
rules:
  - id: vetoes
    require: { vetoes: { at_most: 0 } }
";

/// A world in which the check is installed, and whatever webhook its project can have.
async fn installed(policy: &str, version: &str) -> Scene {
    let options = SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() };
    let scene = Scene::of(policy, options).await;
    scene.world.ground.reviewer();
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    scene
}

async fn found(scene: &Scene, topic: &str) -> Option<Value> {
    let (_, findings) = scene.doctor(&["shop/pay"], &[]).await;
    findings.into_iter().find(|finding| finding["topic"] == topic)
}

fn says(finding: &Value, severity: &str, words: &[&str]) {
    assert_eq!(finding["severity"], severity, "{finding}");
    let text = format!("{} → {}", finding["what"], finding["remedy"]);
    for word in words {
        assert!(text.contains(word), "{word}: {finding}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_nobody_tells_of_members_is_said_until_a_webhook_of_a_group_does() {
    let scene = installed(APPROVED, "18.3.0-ee").await;
    let (code, _) = scene.doctor(&["shop/pay"], &[]).await;
    assert_eq!(code, 0, "it is no failure");
    let hidden = found(&scene, "members").await.unwrap();
    says(
        &hidden,
        "unknown",
        &["Owners only", "`sweep.full`", "install --group shop --group-hook", "Premium"],
    );

    scene.gitlab.add_member("shop", Membership::new(scene.world.ground.bot, OWNER)).unwrap();
    let untold = found(&scene, "members").await.unwrap();
    says(
        &untold,
        "warning",
        &["no webhook of a group above", "`sweep.full`", "install --group shop --group-hook"],
    );
    let url = format!("{}/webhooks/gitlab", scene.world.url());
    let new = NewHook::of("shop", &url).token(crate::world::HOOK_TOKEN).event(HookEvent::Pipeline);
    scene.gitlab.create_hook(new);
    says(&found(&scene, "members").await.unwrap(), "warning", &[]);

    let writes = scene.writes();
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert!(said.code == 0 && said.out.contains("  ! members: "), "{}", said.out);
    assert!(said.out.contains("--group-hook"), "{}", said.out);
    assert_eq!(scene.writes(), writes, "it is only said");

    let said = scene.run(&["install", "--group", "shop", "--group-hook"], &[]).await;
    assert!(
        said.code == 0 && said.out.contains("members") && !said.out.contains("! members"),
        "{}",
        said.out
    );
    says(&found(&scene, "members").await.unwrap(), "fine", &["of others a system hook", "`sweep.full`"]);
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert!(said.out.contains("nothing to do") && !said.out.contains("! members"), "{}", said.out);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_group_has_webhooks_nothing_is_to_be_mended_and_the_truth_is_said() {
    let scene = installed(APPROVED, "18.3.0-ee").await;
    scene.gitlab.install("18.3.0", Edition::Community);
    let (_, findings) = scene.doctor(&["shop/pay"], &[("ANSWERS__COMMIT_STATUS", "true")]).await;
    assert!(!complaints(&findings).iter().any(|it| it.ends_with(" members")), "{findings:#?}");
    let sweep = findings.iter().find(|finding| finding["topic"] == "sweep").unwrap();
    says(sweep, "fine", &["people (a system hook does)", "commit emails (nobody does)", "`sweep.full`"]);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_sweep_finds_is_said() {
    const NOBODY: &str = "{ commits: { all: { verified: true } } }";
    const PROJECT: &str = "{ not: { project: { topics: { any: [frozen] } } } }";
    const EMOJI: &str = "{ approvals: { count: 1, methods: [{ emoji: tada }] } }";
    const TITLE: &str = "{ not: { title: { glob: ['bad*'] } } }";
    for (require, version, expected) in [
        (
            NOBODY,
            "18.3.0-ee",
            Some(["signatures (nobody does)", "a rewritten target branch (push events do)"]),
        ),
        (EMOJI, "16.1.0-ee", Some(["emoji (GitLab 16.2 and later do)", "`sweep.full`"])),
        (TITLE, "18.3.0-ee", None),
        (PROJECT, "18.3.0-ee", Some(["the project (a system hook does)", "`sweep.full`"])),
    ] {
        let options = SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() };
        let policy = format!("policy: gate\nrules: [{{ id: gate, require: {require} }}]\n");
        let scene = Scene::of(&policy, options).await;
        let sweep = found(&scene, "sweep").await;
        match expected {
            Some(expected) => says(&sweep.unwrap(), "fine", &expected),
            None => assert_eq!(sweep, None, "{require}"),
        }
        scene.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vetoes_hear_of_comments_until_gitlab_tells_of_reviews() {
    for (version, hears) in [("19.2.0-ee", true), ("19.3.0-ee", false)] {
        let scene = installed(VETOES, version).await;
        let hooks = scene.hooks().await;
        let notes = hooks.as_array().unwrap().iter().any(|hook| hook["note_events"] == true);
        assert_eq!(notes, hears, "{version}: {hooks}");
        let (_, findings) = scene.doctor(&["shop/pay"], &[]).await;
        let said = findings.iter().any(|finding| {
            finding["topic"] == "sweep"
                && finding["what"].as_str().unwrap().contains("reviews without a comment")
        });
        assert_eq!(said, hears, "{version}: {findings:#?}");
        scene.world.end().await;
    }
}
