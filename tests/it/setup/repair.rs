//! What is there and not right is mended; what is not ours stays as it is.

use countersign::merge_request::StatusCheckId;
use countersign::simulator::{
    Edition, Fault, HookEvent, HookSetting, NewHook, NewStatusCheck, ProjectSetting, SimulatorOptions,
};
use serde_json::json;

use super::{POLICY, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_of_ours_is_mended_and_what_is_not_ours_is_left_alone() {
    let scene = Scene::healthy().await;
    let (gitlab, project) = (&scene.gitlab, scene.world.ground.project);
    let check = StatusCheckId::new(scene.checks().await[0]["id"].as_u64().unwrap());
    let hook = scene.hooks().await[0]["id"].as_u64().unwrap();
    let other = gitlab
        .create_status_check(project, NewStatusCheck::new("QA", "https://qa.example/webhooks/other"))
        .unwrap();
    let foreign = gitlab.create_hook(NewHook::of(project, "https://chat.example/hook"));
    gitlab.set_check_secret(project, check, None).unwrap();
    gitlab.protect_branch(project, "release/*").unwrap();
    scene.world.ground.write_policy(&POLICY.replace("[main]", "[main, \"release/*\"]"));
    gitlab.configure_hook(hook, HookSetting::Event(HookEvent::Pipeline, false));
    gitlab.configure_hook(hook, HookSetting::Token(None));
    gitlab.configure_project(project, ProjectSetting::ChecksMustPass(false)).unwrap();
    let before = (scene.checks().await[1].clone(), scene.hooks().await[1].clone());
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    let expected = format!(
        "shop/pay\n  ~ webhook {hook}: secret token set, where there was none\n  ~ webhook {hook}: also pipelines\n  \
         ~ status check `countersign`: shared secret set, where there was none\n  \
         ~ status check `countersign`: on main → main, release/*\n  \
         ~ merging: status checks must succeed: no → yes\n\n5 changes made, 0 of 1 failed\n"
    );
    assert_eq!((said.code, said.out), (0, expected));
    let checks = scene.checks().await;
    assert_eq!(
        (&checks[0]["hmac"], checks[0]["protected_branches"].as_array().unwrap().len()),
        (&json!(true), 2)
    );
    assert_eq!((checks[1].clone(), scene.hooks().await[1].clone()), before);
    assert_eq!((&checks[1]["id"], foreign > 0), (&json!(other), true));
    let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
    assert_eq!((code, super::complaints(&findings)), (0, vec![]));
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_our_name_at_another_address_is_moved_only_when_that_is_asked_for() {
    let scene = Scene::healthy().await;
    let (gitlab, project) = (&scene.gitlab, scene.world.ground.project);
    let check = StatusCheckId::new(scene.checks().await[0]["id"].as_u64().unwrap());
    gitlab.set_check_url(project, check, "https://old.example/webhooks/gitlab").unwrap();
    gitlab.set_check_secret(project, check, Some("of the old one")).unwrap();
    let writes = scene.writes();
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert!(said.code == 1 && said.out.contains("--adopt"), "{}", said.out);
    assert_eq!(scene.writes(), writes);
    let said = scene.run(&["install", "--adopt", "shop/pay"], &[]).await;
    assert!(
        said.code == 0 && said.out.contains("address https://old.example/webhooks/gitlab → http"),
        "{}",
        said.out
    );
    let merge_request = scene.world.open(scene.world.merge_request().title("feat: moved"));
    gitlab.set_pipeline(merge_request, "success").unwrap();
    scene.world.settle().await;
    assert_eq!(scene.shown(merge_request).await, countersign::simulator::CheckStatus::Passed);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_there_is_set_again_only_when_that_is_asked_for() {
    let scene = Scene::healthy().await;
    let (gitlab, project) = (&scene.gitlab, scene.world.ground.project);
    let check = StatusCheckId::new(scene.checks().await[0]["id"].as_u64().unwrap());
    gitlab.set_check_secret(project, check, Some("somebody else's")).unwrap();
    let taken = async || {
        let merge_request = scene.world.open(scene.world.merge_request());
        gitlab.deliveries_settled().await.unwrap();
        gitlab.close(merge_request).unwrap();
        gitlab.deliveries_settled().await.unwrap();
        let sent = gitlab.deliveries();
        let last = sent.iter().rfind(|it| it.event == "status check").unwrap();
        format!("{:?}", last.state)
    };
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert!(said.out.contains("nothing to do"), "what can't be compared is left alone: {}", said.out);
    assert_eq!(taken().await, "Answered(401)");
    let said = scene.run(&["install", "--rotate", "shop/pay"], &[]).await;
    assert!(said.out.contains("status check `countersign`: shared secret set again"), "{}", said.out);
    assert_eq!(taken().await, "Answered(202)");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_half_way_is_said_and_made_good_by_the_next_run() {
    let scene = Scene::bare().await;
    scene.gitlab.fault(Fault::error_page("POST /projects/:id/external_status_checks", 502).times(1));
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert_eq!(said.code, 1);
    assert!(said.out.contains("    failed: GitLab answered 502 to POST"), "{}", said.out);
    assert!(said.out.contains("status checks must succeed: no → yes  (not made)"), "{}", said.out);
    assert!(said.out.ends_with("1 change made, 1 of 1 failed\n"), "{}", said.out);
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert!(said.code == 0 && said.out.ends_with("2 changes made, 0 of 1 failed\n"), "{}", said.out);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_installed_where_every_merge_request_would_be_held_up_for_ever() {
    let nobody = POLICY.replace("applies_to: { ", "applies_to: { projects: [other/*], ");
    let old = SimulatorOptions { version: "16.11.0-ee".to_owned(), ..SimulatorOptions::default() };
    let unlicensed = SimulatorOptions { edition: Edition::Unlicensed, ..SimulatorOptions::default() };
    for (policy, options, topic, settings) in [
        (nobody.as_str(), SimulatorOptions::default(), "policies", &[][..]),
        (POLICY, SimulatorOptions::default(), "scope", &[("GITLAB__PROJECTS", "other/**")]),
        (POLICY, old.clone(), "shared-secret", &[]),
        (POLICY, unlicensed, "licence", &[]),
    ] {
        let scene = Scene::of(policy, options).await;
        let said = scene.run(&["install", "shop/pay"], settings).await;
        assert!(said.code == 1 && said.out.contains(&format!("  ! {topic}: ")), "{topic}: {}", said.out);
        assert_eq!(scene.writes(), 0, "{topic}");
        scene.world.end().await;
    }
    let scene = Scene::of(POLICY, old).await;
    let said = scene.run(&["install", "shop/pay"], &[("WEBHOOKS__ALLOW_UNSIGNED", "shop/**")]).await;
    assert!(said.code == 0 && said.out.contains(", unsigned, on main"), "{}", said.out);
    scene.world.end().await;
}
