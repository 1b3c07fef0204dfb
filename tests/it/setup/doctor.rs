//! The doctor where nothing is wrong, and where little can be seen.

use countersign::simulator::{Edition, Membership, SimulatorOptions};
use serde_json::Value;

use super::{Scene, complaints};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_world_has_nothing_to_complain_about_and_is_only_read() {
    let scene = Scene::healthy().await;
    let writes = scene.writes();
    let (code, findings) = scene.doctor(&[], &[]).await;
    assert_eq!((code, complaints(&findings)), (0, vec![]), "{findings:#?}");
    assert_eq!(scene.writes(), writes, "nothing was changed");
    let topics: Vec<_> = findings.iter().map(|finding| finding["topic"].as_str().unwrap()).collect();
    for topic in [
        "configuration",
        "policies",
        "store",
        "public-url",
        "address",
        "local-network",
        "version",
        "clock",
        "token",
        "token-scopes",
        "token-expiry",
        "role",
        "licence",
        "status-check",
        "shared-secret",
        "merging",
        "webhook",
        "webhook-deliveries",
        "deliveries",
    ] {
        assert!(topics.contains(&topic), "{topic} was not looked at: {topics:?}");
    }
    assert!(findings.iter().all(|finding| finding["remedy"] == Value::Null));

    let said = scene.run(&["doctor", "shop/pay"], &[]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(
        said.out.contains("\nshop/pay\n  fine     role: the token's user is a Maintainer\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("\n\n0 wrong, "), "{}", said.out);
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_developer_s_token_sees_less_and_is_told_how_to_see_more() {
    let scene = Scene::healthy().await;
    let ground = &scene.world.ground;
    scene.gitlab.add_member(ground.project, Membership::new(ground.bot, 30)).unwrap();
    let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
    assert_eq!(
        (code, complaints(&findings)),
        (0, vec!["unknown status-check".into(), "unknown webhook".into()])
    );
    let of = |topic: &str, severity: &str| {
        findings.iter().find(|it| it["topic"] == topic && it["severity"] == severity).cloned().unwrap()
    };
    let shown = of("status-check", "fine");
    assert_eq!(shown["what"], "`countersign` is listed on the newest merge request, !1");
    of("licence", "fine");
    let remedy = of("webhook", "unknown")["remedy"].clone();
    assert!(remedy.as_str().unwrap().contains("Maintainer's token"), "{remedy}");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_are_named_by_path_id_or_glob_and_else_those_that_the_token_reaches() {
    let scene = Scene::bare().await;
    let ground = &scene.world.ground;
    let more: Vec<_> = (0..24)
        .map(|number| {
            let project = scene.gitlab.create_project(format!("lib/p{number:02}").as_str());
            scene.gitlab.add_member(project, Membership::new(ground.bot, 40)).unwrap();
            project
        })
        .collect();
    let subjects = async |arguments: &[&str], settings: &[(&str, &str)]| {
        let (_, findings) = scene.doctor(arguments, settings).await;
        let mut subjects: Vec<_> =
            findings.iter().map(|finding| finding["subject"].as_str().unwrap().to_owned()).collect();
        subjects.retain(|subject| subject.contains('/'));
        subjects.dedup();
        subjects
    };
    assert_eq!(subjects(&["shop/pay"], &[]).await, ["shop/pay"]);
    assert_eq!(subjects(&[&more[3].to_string()], &[]).await, ["lib/p03"]);
    assert_eq!(subjects(&["lib/p0*", "lib/p01"], &[]).await.len(), 10);
    assert_eq!(subjects(&[], &[("GITLAB__PROJECTS", "shop/**")]).await, ["shop/pay"]);
    assert_eq!(subjects(&[], &[]).await.len(), 20);
    let said = scene.run(&["doctor"], &[]).await;
    assert!(said.out.contains("5 more projects were not looked at: name them"), "{}", said.out);
    let (code, findings) = scene.doctor(&["shop/nothing"], &[]).await;
    assert!(code == 1 && complaints(&findings).contains(&"wrong project".to_owned()), "{findings:?}");
    scene.world.end().await;
}

/// Instances of GitLab without status checks, and the role of who asks.
const WITHOUT_CHECKS: [(Edition, u8); 4] = [
    (Edition::Unlicensed, 40),
    (Edition::Unlicensed, 30),
    (Edition::Community, 40),
    (Edition::Community, 30),
];

/// Everything was set up, and then status checks went.
async fn without_checks(edition: Edition, role: u8) -> Scene {
    let scene = Scene::healthy().await;
    let ground = &scene.world.ground;
    scene.gitlab.add_member(ground.project, Membership::new(ground.bot, role)).unwrap();
    scene.gitlab.install("18.3.0", edition);
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_ultimate_it_says_so_whoever_asks() {
    for (edition, role) in WITHOUT_CHECKS {
        let scene = without_checks(edition, role).await;
        let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
        let complaints = complaints(&findings);
        assert!(
            code == 1 && complaints.contains(&"wrong licence".to_owned()),
            "{edition:?} {role}: {complaints:?}"
        );
        let community = complaints.contains(&"wrong edition".to_owned());
        assert_eq!(community, edition == Edition::Community, "{edition:?} {role}");
        scene.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_status_checks_nothing_is_wrong_where_verdicts_are_told_otherwise() {
    for (edition, role) in WITHOUT_CHECKS {
        let scene = without_checks(edition, role).await;
        for otherwise in [("ANSWERS__COMMIT_STATUS", "true"), ("ANSWERS__NOTE", "true")] {
            let (_, findings) = scene.doctor(&["shop/pay"], &[otherwise]).await;
            let found = complaints(&findings);
            let wrong = ["wrong licence", "wrong edition", "unknown merging"];
            assert!(
                wrong.iter().all(|wrong| !found.contains(&(*wrong).to_owned())),
                "{edition:?} {role}: {found:?}"
            );
            let told = findings.iter().filter(|finding| finding["topic"] == "licence").collect::<Vec<_>>();
            assert!(told.len() == 1 && told[0]["severity"] == "fine", "{edition:?} {role}: {told:?}");
        }
        scene.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_the_operator_tells_is_shown_beside_the_one_that_is_found() {
    let scene = Scene::healthy().await;
    let (_, findings) = scene.doctor(&["shop/pay"], &[("GITLAB__VERSION", "15.0")]).await;
    let version = findings.iter().find(|finding| finding["topic"] == "version").unwrap();
    let what = version["what"].as_str().unwrap();
    assert!(what.contains("answered as 15.0") && what.contains("takes `passed` and `failed`"), "{what}");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_gitlab_is_told_what_it_lacks() {
    for (version, expected) in [
        ("16.9.0-ee", vec!["warning version", "wrong shared-secret"]),
        (
            "15.0.0-ee",
            vec!["warning version", "unknown token-expiry", "wrong shared-secret", "warning merging"],
        ),
        (
            "14.10.0-ee",
            vec!["warning version", "unknown token-expiry", "wrong shared-secret", "warning merging"],
        ),
    ] {
        let scene = Scene::healthy().await;
        scene.gitlab.install(version, Edition::Ultimate);
        let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
        assert_eq!((code, complaints(&findings)), (1, expected.iter().map(ToString::to_string).collect()));
        let allowed = [("WEBHOOKS__ALLOW_UNSIGNED", "shop/**")];
        let (code, findings) = scene.doctor(&["shop/pay"], &allowed).await;
        assert!(code == 0 && !complaints(&findings).contains(&"wrong shared-secret".to_owned()), "{version}");
        scene.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_secret_is_said() {
    let options = SimulatorOptions { version: "19.1.0-ee".to_owned(), ..SimulatorOptions::default() };
    let scene = Scene::of(super::POLICY, options).await;
    let signing = [("WEBHOOKS__SIGNING_TOKENS", crate::sender::SIGNING_TOKEN)];
    let query = "sesame-in-the-query";
    let other = format!("https://other.example/webhooks/gitlab?key={query}");
    let new = countersign::simulator::NewStatusCheck::new("countersign", &other);
    scene.gitlab.create_status_check(scene.world.ground.project, new).unwrap();
    let mut said = String::new();
    for arguments in [
        &["install", "--dry-run", "shop/pay"][..],
        &["install", "--adopt", "--output", "json", "--dry-run", "shop/pay"],
        &["doctor", "shop/pay"],
        &["install", "--adopt", "shop/pay"],
        &["install", "--rotate", "--output", "json", "shop/pay"],
        &["doctor", "--output", "json"],
    ] {
        let Said { out, err, .. } = scene.run(arguments, &signing).await;
        said.push_str(&out);
        said.push_str(&err);
    }
    assert!(said.contains("signing token") && said.contains("other.example"), "{said}");
    for secret in super::secrets(&scene).iter().chain([&query.to_owned()]) {
        assert!(!said.contains(secret.as_str()), "{secret} stands in\n{said}");
    }
    scene.world.end().await;
}

use super::Said;
