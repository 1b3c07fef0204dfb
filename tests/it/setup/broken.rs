//! One thing is broken at a time, and exactly that is found, with its remedy.

use std::fs;

use countersign::simulator::{
    Edition, HookDisabled, HookEvent, HookSetting, Membership, NewHook, NewStatusCheck, NewToken, NewUser,
    ProjectSetting, Scope,
};
use jiff::SignedDuration;

use super::{MAINTAINER, Scene, complaints};

/// What is broken, and how the configuration differs since.
type Break = fn(&Scene, &Parts) -> Vec<(&'static str, String)>;

/// What there is to break.
struct Parts {
    check: u64,
    hook: u64,
}

struct Case {
    what: &'static str,
    broken: Break,
    expected: &'static [&'static str],
    /// What the remedy of the first complaint says.
    remedy: &'static str,
}

const fn case(
    what: &'static str,
    broken: Break,
    expected: &'static [&'static str],
    remedy: &'static str,
) -> Case {
    Case { what, broken, expected, remedy }
}

async fn try_all(cases: &[Case]) {
    for Case { what, broken, expected, remedy } in cases {
        let scene = Scene::healthy().await;
        let parts = Parts {
            check: scene.checks().await[0]["id"].as_u64().unwrap(),
            hook: scene.hooks().await[0]["id"].as_u64().unwrap(),
        };
        let settings = broken(&scene, &parts);
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let (code, findings) = scene.doctor(&["shop/pay"], &settings).await;
        assert_eq!(complaints(&findings), *expected, "{what}: {findings:#?}");
        assert_eq!(code, i32::from(expected.iter().any(|it| it.starts_with("wrong"))), "{what}");
        let first = findings.iter().find(|finding| finding["severity"] != "fine").unwrap();
        let told = first["remedy"].as_str().unwrap();
        assert!(told.contains(remedy) && !told.contains('\n'), "{what}: {told}");
        scene.gitlab.lift_all();
        scene.world.end().await;
    }
}

fn none() -> Vec<(&'static str, String)> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn here() {
    try_all(&[
        case(
            "a policy has a mistake",
            |scene, _| {
                let policies = scene.world.ground.folder.path().join("elsewhere");
                fs::create_dir(&policies).unwrap();
                fs::write(policies.join("p.yaml"), "policy: p\nrules: []\n").unwrap();
                vec![("POLICIES__PATH", policies.display().to_string())]
            },
            &["wrong policies"],
            "countersign check",
        ),
        case(
            "there are no policies",
            |_, _| vec![("POLICIES__PATH", "/nowhere/policies".to_owned())],
            &["wrong policies"],
            "policies.path",
        ),
        case(
            "the store is of a newer release",
            |scene, _| {
                let path = scene.world.ground.folder.path().join("newer.db");
                let newer = rusqlite::Connection::open(&path).unwrap();
                newer.pragma_update(None, "user_version", 999).unwrap();
                vec![("STORE__URL", format!("sqlite:{}", path.display()))]
            },
            &["wrong store", "warning local-network"],
            "newer release",
        ),
        case(
            "the store's folder is not there",
            |_, _| vec![("STORE__URL", "sqlite:/nowhere/countersign.db".to_owned())],
            &["wrong store", "warning local-network"],
            "store.url",
        ),
        case(
            "the address leads nowhere",
            |scene, _| vec![("SERVER__PUBLIC_URL", format!("{}/elsewhere", scene.world.url()))],
            &["wrong address", "wrong status-check", "warning webhook"],
            "server.public_url",
        ),
        case(
            "nothing listens at the address",
            |_, _| vec![("SERVER__PUBLIC_URL", "http://127.0.0.1:9".to_owned())],
            &["unknown address", "wrong status-check", "warning webhook"],
            "start the service",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_and_the_token() {
    try_all(&[
        case(
            "GitLab does not answer",
            |_, _| vec![("GITLAB__URL", "http://127.0.0.1:9".to_owned())],
            &["wrong reach", "unknown token"],
            "gitlab.url",
        ),
        case(
            "the token was revoked",
            |scene, _| {
                scene.gitlab.revoke_token(&scene.world.ground.token);
                none()
            },
            &["wrong token"],
            "scope `api`",
        ),
        case(
            "the token may only read",
            |scene, _| {
                let new = NewToken::of(scene.world.ground.bot).scope(Scope::ReadApi);
                vec![("GITLAB__TOKEN", scene.gitlab.create_token(new).unwrap())]
            },
            &["wrong token-scopes"],
            "scope `api`",
        ),
        case(
            "the token expires in ten days",
            |scene, _| {
                let at = scene.gitlab.now() + SignedDuration::from_hours(10 * 24);
                scene.gitlab.expire_token(&scene.world.ground.token, at);
                none()
            },
            &["warning token-expiry"],
            "make a new token",
        ),
        case(
            "the token expires tomorrow",
            |scene, _| {
                let at = scene.gitlab.now() + SignedDuration::from_hours(30);
                scene.gitlab.expire_token(&scene.world.ground.token, at);
                none()
            },
            &["wrong token-expiry"],
            "make a new token",
        ),
        case(
            "the token is an administrator's",
            |scene, _| {
                let root = scene.gitlab.create_user(NewUser::named("boss").admin());
                scene
                    .gitlab
                    .add_member(scene.world.ground.project, Membership::new(root, MAINTAINER))
                    .unwrap();
                vec![("GITLAB__TOKEN", scene.gitlab.create_token(NewToken::of(root)).unwrap())]
            },
            &["warning token"],
            "no administrator",
        ),
        case(
            "the token's user is a Reporter",
            |scene, _| {
                let ground = &scene.world.ground;
                scene.gitlab.add_member(ground.project, Membership::new(ground.bot, 20)).unwrap();
                none()
            },
            &["wrong role", "unknown status-check", "unknown webhook"],
            "Developer",
        ),
        case(
            "GitLab's clock is ten minutes fast",
            |scene, _| {
                scene.gitlab.advance(std::time::Duration::from_mins(10));
                none()
            },
            &["wrong clock"],
            "NTP",
        ),
        case(
            "GitLab is too old",
            |scene, _| {
                scene.gitlab.install("13.12.0-ee", Edition::Ultimate);
                vec![("WEBHOOKS__ALLOW_UNSIGNED", "**".to_owned())]
            },
            &["wrong version", "unknown token-expiry", "warning merging"],
            "upgrade GitLab",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_project() {
    try_all(&[
        case(
            "it is not served",
            |_, _| vec![("GITLAB__PROJECTS", "other/**".to_owned())],
            &["wrong scope"],
            "gitlab.projects",
        ),
        case(
            "it is archived",
            |scene, _| {
                let project = scene.world.ground.project;
                scene.gitlab.configure_project(project, ProjectSetting::Archived(true)).unwrap();
                none()
            },
            &["wrong archived"],
            "unarchive it",
        ),
        case(
            "merging does not wait",
            |scene, _| {
                let project = scene.world.ground.project;
                scene.gitlab.configure_project(project, ProjectSetting::ChecksMustPass(false)).unwrap();
                none()
            },
            &["warning merging"],
            "countersign install shop/pay",
        ),
        case(
            "the check is gone",
            |scene, parts| {
                let check = countersign::merge_request::StatusCheckId::new(parts.check);
                scene.gitlab.delete_status_check(scene.world.ground.project, check).unwrap();
                none()
            },
            &["wrong status-check"],
            "countersign install shop/pay",
        ),
        case(
            "the check calls somebody else",
            |scene, parts| {
                let check = countersign::merge_request::StatusCheckId::new(parts.check);
                let elsewhere = "https://other.example/webhooks/gitlab";
                scene.gitlab.set_check_url(scene.world.ground.project, check, elsewhere).unwrap();
                none()
            },
            &["wrong status-check"],
            "--adopt",
        ),
        case(
            "the check has no secret",
            |scene, parts| {
                let check = countersign::merge_request::StatusCheckId::new(parts.check);
                scene.gitlab.set_check_secret(scene.world.ground.project, check, None).unwrap();
                none()
            },
            &["wrong shared-secret"],
            "countersign install shop/pay",
        ),
        case(
            "there are two of one name",
            |scene, _| {
                let url = format!("{}/webhooks/gitlab/", scene.world.url());
                let new = NewStatusCheck::new("again", &url).secret("x").branch("main");
                scene.gitlab.create_status_check(scene.world.ground.project, new).unwrap();
                none()
            },
            &["warning status-check"],
            "delete all but one",
        ),
        case(
            "a check has no policy",
            |scene, _| {
                scene.world.ground.write_policy(
                    &super::POLICY.replace("applies_to: { ", "applies_to: { checks: [security], "),
                );
                none()
            },
            &["wrong policies"],
            "applies_to",
        ),
        case(
            "a branch is not protected",
            |scene, _| {
                scene.world.ground.write_policy(&super::POLICY.replace("[main]", "[main, stable]"));
                none()
            },
            &["warning protected-branches"],
            "protect it",
        ),
        case(
            "the check is bound to another branch",
            |scene, _| {
                scene.gitlab.protect_branch(scene.world.ground.project, "stable").unwrap();
                scene.world.ground.write_policy(&super::POLICY.replace("[main]", "[main, stable]"));
                none()
            },
            &["warning branches"],
            "countersign install shop/pay",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook() {
    try_all(&[
        case(
            "it is gone",
            |scene, parts| {
                scene.gitlab.delete_hook(parts.hook);
                none()
            },
            &["warning webhook"],
            "countersign install shop/pay",
        ),
        case(
            "it is gone, and there is no token for another",
            |scene, parts| {
                scene.gitlab.delete_hook(parts.hook);
                vec![("WEBHOOKS__TOKENS", String::new())]
            },
            &["warning webhook"],
            "webhooks.tokens",
        ),
        case(
            "it does not tell of pipelines",
            |scene, parts| {
                scene.gitlab.configure_hook(parts.hook, HookSetting::Event(HookEvent::Pipeline, false));
                none()
            },
            &["warning webhook-events"],
            "countersign install shop/pay",
        ),
        case(
            "it has no token",
            |scene, parts| {
                scene.gitlab.configure_hook(parts.hook, HookSetting::Token(None));
                none()
            },
            &["wrong webhook-token"],
            "countersign install shop/pay",
        ),
        case(
            "it is disabled",
            |scene, parts| {
                let until = scene.gitlab.now() + SignedDuration::from_hours(1);
                scene
                    .gitlab
                    .configure_hook(parts.hook, HookSetting::Disabled(Some(HookDisabled::Until(until))));
                none()
            },
            &["wrong webhook-disabled"],
            "press Test",
        ),
        case(
            "it has a template",
            |scene, parts| {
                let template = r#"{"event":"{{object_kind}}"}"#.to_owned();
                scene.gitlab.configure_hook(parts.hook, HookSetting::Template(Some(template)));
                none()
            },
            &["wrong webhook-template"],
            "empty it",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_gitlab_can_not_deliver_is_explained() {
    let scene = Scene::healthy().await;
    let merge_request = scene.world.open(scene.world.merge_request());
    let hook = scene.hooks().await[0]["id"].as_u64().unwrap();
    let told = async |expected: &str, remedy: &str| {
        scene.gitlab.deliveries_settled().await.unwrap();
        let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
        let found = findings.iter().find(|it| it["topic"] == "webhook-deliveries").unwrap();
        assert_eq!((code, found["severity"].as_str().unwrap()), (1, "wrong"), "{found}");
        let (what, how) = (found["what"].as_str().unwrap(), found["remedy"].as_str().unwrap());
        assert!(what.contains(expected) && how.contains(remedy), "{found}");
    };
    scene.gitlab.configure_hook(hook, HookSetting::Token(Some("another".to_owned())));
    scene.gitlab.set_pipeline(merge_request, "running").unwrap();
    told("(401", "--rotate").await;
    scene.gitlab.allow_local_network(false);
    scene.gitlab.set_pipeline(merge_request, "failed").unwrap();
    told("(internal error", "Outbound requests").await;
    scene.gitlab.allow_local_network(true);
    let said = scene.run(&["install", "--rotate", "shop/pay"], &[]).await;
    assert_eq!(said.code, 0, "{}", said.out);
    scene.gitlab.set_pipeline(merge_request, "success").unwrap();
    scene.gitlab.deliveries_settled().await.unwrap();
    let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
    assert_eq!(
        (code, complaints(&findings)),
        (0, vec!["warning webhook-deliveries".to_owned()]),
        "mended since"
    );
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_gitlab_never_called_and_an_address_that_it_may_not_call_are_told() {
    let scene = Scene::bare().await;
    scene.gitlab.allow_local_network(false);
    let said = scene.run(&["install", "--no-hooks", "shop/pay"], &[]).await;
    assert_eq!(said.code, 0, "{}", said.out);
    scene.world.open(scene.world.merge_request());
    scene.gitlab.deliveries_settled().await.unwrap();
    let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
    let expected = ["warning local-network", "warning webhook", "warning deliveries"];
    assert_eq!((code, complaints(&findings).as_slice()), (0, &expected.map(str::to_owned)[..]));
    let never = findings.iter().find(|finding| finding["topic"] == "deliveries").unwrap();
    assert!(never["remedy"].as_str().unwrap().contains("in this order"), "{never}");
    scene.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_of_a_group_above_serves_as_well() {
    let scene = Scene::healthy().await;
    let ground = &scene.world.ground;
    let hook = scene.hooks().await[0]["id"].as_u64().unwrap();
    scene.gitlab.delete_hook(hook);
    scene.gitlab.add_member("shop", Membership::new(ground.bot, 50)).unwrap();
    let url = format!("{}/webhooks/gitlab", scene.world.url());
    let new = NewHook::of("shop", &url).token(crate::world::HOOK_TOKEN).event(HookEvent::Pipeline);
    scene.gitlab.create_hook(new);
    let (code, findings) = scene.doctor(&["shop/pay"], &[]).await;
    assert_eq!((code, complaints(&findings)), (0, vec!["unknown webhook-deliveries".to_owned()]), "none yet");
    let said = scene.run(&["install", "shop/pay"], &[]).await;
    assert!(said.out.contains("nothing to do"), "{}", said.out);
    scene.world.end().await;
}
