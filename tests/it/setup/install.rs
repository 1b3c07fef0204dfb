//! Installing into a project that has nothing, into a group, and a second time.

use countersign::merge_request::ProjectId;
use countersign::simulator::{CheckStatus, Edition, Membership, NewProject, SimulatorOptions};
use serde_json::{Value, json};

use super::{MAINTAINER, POLICY, Scene};
use crate::sender::SIGNING_TOKEN;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_installed_works_end_to_end_and_a_second_time_changes_nothing() {
    let scene = Scene::bare().await;
    let said = scene.run(&["install", "--dry-run", "shop/pay"], &[]).await;
    let address = format!("{}/webhooks/gitlab", scene.world.url());
    let expected = format!(
        "shop/pay\n  + webhook → {address}: merge requests, pipelines; with a secret token\n  \
         + status check `countersign` → {address}, signed, on main\n  \
         ~ merging: status checks must succeed: no → yes\n\n3 changes to be made, 0 of 1 failed\n"
    );
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, expected.as_str(), ""));
    assert_eq!(scene.writes(), 0, "a dry run changes nothing");
    assert_eq!(scene.checks().await, json!([]));

    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert_eq!((said.code, said.out), (0, expected.replace("to be made", "made")));
    let check = &scene.checks().await[0];
    assert_eq!((&check["name"], &check["hmac"]), (&json!("countersign"), &json!(true)));
    assert_eq!(check["protected_branches"][0]["name"], "main");
    let hook = &scene.hooks().await[0];
    assert_eq!((&hook["pipeline_events"], &hook["push_events"]), (&json!(true), &json!(false)));
    assert_eq!((&hook["token_present"], &hook["enable_ssl_verification"]), (&json!(true), &json!(true)));

    // Signed with the secret that is derived from the master secret: no other one of this project's would do.
    let merge_request = scene.world.open(scene.world.merge_request().title("feat: one"));
    scene.gitlab.set_pipeline(merge_request, "success").unwrap();
    scene.world.settle().await;
    assert_eq!(scene.shown(merge_request).await, CheckStatus::Passed);
    assert!(scene.gitlab.deliveries().iter().all(|it| format!("{:?}", it.state) == "Answered(202)"));
    assert!(scene.gitlab.deliveries().len() > 2);

    let writes = scene.writes();
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "shop/pay\n  = nothing to do\n\n0 changes made, 0 of 1 failed\n")
    );
    assert_eq!(scene.writes(), writes, "there is nothing to change");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_status_checks_the_webhook_alone_is_installed_where_verdicts_are_told_otherwise() {
    for edition in [Edition::Unlicensed, Edition::Community] {
        let scene = Scene::bare().await;
        scene.gitlab.install("18.3.0", edition);
        let refused = scene.run(&["install", "shop/pay"], &[]).await;
        assert_eq!((refused.code, scene.writes()), (1, 0), "{}", refused.out);
        let otherwise = [("ANSWERS__COMMIT_STATUS", "true")];
        let said = scene.run(&["install", "shop/pay"], &otherwise).await;
        let address = format!("{}/webhooks/gitlab", scene.world.url());
        let expected = format!(
            "shop/pay\n  + webhook → {address}: merge requests, pipelines; with a secret token\n\n\
             1 change made, 0 of 1 failed\n"
        );
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, expected.as_str(), ""));
        let hook = &scene.hooks().await[0];
        assert_eq!((&hook["merge_requests_events"], &hook["pipeline_events"]), (&json!(true), &json!(true)));
        let said = scene.run(&["install", "shop/pay"], &otherwise).await;
        assert_eq!((said.code, scene.writes()), (0, 1), "{}", said.out);
        scene.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_installed_project_by_project_and_one_that_is_forbidden_stops_no_other() {
    let scene = Scene::bare().await;
    let (gitlab, bot) = (&scene.gitlab, scene.world.ground.bot);
    let member = |path: &str, role: u8| {
        let project = gitlab.create_project(NewProject::at(path));
        gitlab.add_member(project, Membership::new(bot, role)).unwrap();
        project
    };
    let forbidden = member("shop/forbidden", 30);
    member("shop/last", MAINTAINER);
    let deep = member("shop/lib/deep", MAINTAINER);
    let said = scene.run(&["install", "--group", "shop", "--output", "json"], &[]).await;
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let account = |path: &str| {
        let accounts = report["accounts"].as_array().unwrap();
        accounts.iter().find(|account| account["subject"] == path).cloned()
    };
    assert_eq!(said.code, 1);
    for path in ["shop/pay", "shop/last"] {
        let account = account(path).unwrap();
        assert_eq!((&account["failed"], account["changes"].as_array().unwrap().len()), (&json!(false), 3));
        assert!(account["changes"].as_array().unwrap().iter().all(|it| it["outcome"] == "made"));
    }
    let refused = account("shop/forbidden").unwrap();
    assert_eq!((&refused["failed"], &refused["changes"]), (&json!(true), &json!([])));
    assert_eq!(refused["findings"][0]["topic"], "role");
    assert!(account("shop/lib/deep").is_none(), "not without --recursive");
    let writes_to = |project: ProjectId| {
        let of_it = format!("/projects/{project}/");
        gitlab.calls().iter().filter(|it| !it.target.starts_with("GET") && it.target.contains(&of_it)).count()
    };
    assert_eq!((writes_to(forbidden), writes_to(deep)), (0, 0));
    let said = scene.run(&["install", "--group", "shop", "--recursive"], &[]).await;
    assert!(said.out.contains("shop/lib/deep\n  + webhook"), "{}", said.out);
    assert!(said.out.ends_with("3 changes made, 1 of 4 failed\n"), "{}", said.out);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_projects_are_installed_by_name_and_no_other() {
    let scene = Scene::bare().await;
    for path in ["lib/core", "lib/rest"] {
        let project = scene.gitlab.create_project(NewProject::at(path));
        scene.gitlab.add_member(project, Membership::new(scene.world.ground.bot, MAINTAINER)).unwrap();
    }
    let said = scene.run(&["install", "shop/pay", "lib/core"], &[]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let told = |path: &str| said.out.lines().filter(|line| *line == path).count();
    assert_eq!((told("shop/pay"), told("lib/core"), told("lib/rest")), (1, 1, 0), "{}", said.out);
    assert_eq!((said.out.matches("+ webhook").count(), said.out.matches("+ status check").count()), (2, 2));
    assert!(said.out.ends_with("6 changes made, 0 of 2 failed\n"), "{}", said.out);
    assert_eq!(scene.checks().await.as_array().unwrap().len(), 1);
    let writes = scene.writes();
    let said = scene.run(&["install", "lib/core", "shop/pay"], &[]).await;
    assert!(said.out.ends_with("0 changes made, 0 of 2 failed\n"), "{}", said.out);
    assert_eq!(scene.writes(), writes);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_hook_at_the_group_serves_all_of_its_projects() {
    let scene = Scene::bare().await;
    let (gitlab, bot) = (&scene.gitlab, scene.world.ground.bot);
    gitlab.add_member("shop", Membership::new(bot, 50)).unwrap();
    gitlab.create_project(NewProject::at("shop/last"));
    let said = scene.run(&["install", "--group", "shop", "--group-hook"], &[]).await;
    assert_eq!((said.code, said.out.matches("+ webhook").count()), (0, 1), "{}", said.out);
    assert!(
        said.out.contains("\nshop\n  + webhook") || said.out.starts_with("shop\n  + webhook"),
        "{}",
        said.out
    );
    let merge_request = scene.world.open(scene.world.merge_request().title("feat: one"));
    gitlab.set_pipeline(merge_request, "success").unwrap();
    scene.world.settle().await;
    assert_eq!(scene.shown(merge_request).await, CheckStatus::Passed);
    for arguments in [&["install", "--group", "shop", "--group-hook"][..], &["install", "--group", "shop"]] {
        let writes = scene.writes();
        let said = scene.run(arguments, &[]).await;
        assert_eq!((said.code, scene.writes()), (0, writes), "{}", said.out);
    }
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gitlab_that_can_sign_webhooks_is_given_a_signing_token_and_an_older_one_a_token() {
    for (version, noun, kept) in [("19.1.0-ee", "signing token", true), ("18.11.0-ee", "secret token", false)]
    {
        let options = SimulatorOptions { version: version.to_owned(), ..SimulatorOptions::default() };
        let ground = crate::world::Ground::prepare_with(POLICY, options).await;
        let ground = ground
            .configure("WEBHOOKS__MASTER_SECRET", super::MASTER)
            .configure("WEBHOOKS__SIGNING_TOKENS", SIGNING_TOKEN);
        let scene = Scene::on(ground).await;
        let said = scene.run(&["install", "shop/pay"], &[]).await;
        assert!(said.code == 0 && said.out.contains(noun), "{version}: {}", said.out);
        let hook = &scene.hooks().await[0];
        assert_eq!(hook["signing_token_present"], json!(kept), "{version}");
        assert_eq!(hook["token_present"], json!(!kept), "{version}");
        let merge_request = scene.world.open(scene.world.merge_request().title("feat: one"));
        scene.gitlab.set_pipeline(merge_request, "success").unwrap();
        scene.world.settle().await;
        assert_eq!(scene.shown(merge_request).await, CheckStatus::Passed, "{version}");
        let said = scene.run(&["install", "shop/pay"], &[]).await;
        assert!(said.out.contains("nothing to do"), "{version}: {}", said.out);
        scene.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_check_has_its_own_address_and_its_own_secret() {
    let scene = Scene::bare().await;
    let arguments = ["install", "--check", "security", "--check", "countersign", "--no-hooks", "shop/pay"];
    let said = scene.run(&arguments, &[]).await;
    assert_eq!(said.code, 0, "{}", said.out);
    let checks = scene.checks().await;
    let urls: Vec<_> =
        checks.as_array().unwrap().iter().map(|it| it["external_url"].as_str().unwrap()).collect();
    let address = format!("{}/webhooks/gitlab", scene.world.url());
    assert_eq!(urls, [address.clone(), format!("{address}/security")]);
    assert_eq!(scene.hooks().await, json!([]));
    scene.world.open(scene.world.merge_request());
    scene.gitlab.deliveries_settled().await.unwrap();
    let states: Vec<_> = scene.gitlab.deliveries().iter().map(|it| format!("{:?}", it.state)).collect();
    assert_eq!(states, ["Answered(202)", "Answered(202)"], "each is signed with its own secret");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_before_anything_is_changed() {
    let scene = Scene::bare().await;
    for (arguments, settings, words) in [
        (&["install"][..], &[][..], "required"),
        (&["install", "--group", "shop", "shop/pay"], &[], "cannot be used with"),
        (&["install", "--recursive", "shop/pay"], &[], "--group"),
        (&["install", "--check", "a b", "shop/pay"], &[], "a check's name"),
        (&["install", "shop/["], &[], "no project glob"),
        (&["install", "shop/pay"], &[("POLICIES__PATH", "/nowhere")], "/nowhere"),
        (&["install", "shop/pay"], &[("SERVER__PUBLIC_URL", "nonsense")], "server.public_url"),
        (&["doctor"], &[("GITLAB__URL", "ftp://gitlab")], "gitlab.url"),
        (&["doctor"], &[("GITLAB__TIMEOUT", "1h")], "gitlab.timeout"),
    ] {
        let said = scene.run(arguments, settings).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(words) || words == "no project glob", "{arguments:?}: {}", said.err);
    }
    // GitLab can't be asked at all: that is nobody's wrong input.
    let said = scene.run(&["install", "shop/pay"], &[("GITLAB__URL", "http://127.0.0.1:9")]).await;
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{}", said.err);
    assert_eq!(scene.writes(), 0);
    scene.world.end().await;
}
