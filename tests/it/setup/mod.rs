//! `doctor` and `install`, as a shell sees them, against a GitLab and a service that run.

mod address;
mod broken;
mod doctor;
mod install;
mod repair;
mod silence;
mod token;

use std::process::Command;

use countersign::merge_request::{MergeRequestRef, UserId};
use countersign::simulator::{CheckStatus, Gitlab, Membership, SimulatorOptions};
use serde_json::Value;

use crate::sender::SIGNING_TOKEN;
use crate::world::{Ground, World};

const MASTER: &str = "sesame-of-the-master";
const MAINTAINER: u8 = 40;

/// Reads a pipeline, of which a status check is not told.
const POLICY: &str = r#"
policy: gate
applies_to: { target_branches: [main] }
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: pipeline
    require: { pipeline: success }
"#;

/// What a command printed, and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// A service that runs, and GitLab with its project and nothing set up in it.
struct Scene {
    world: World,
    gitlab: Gitlab,
}

impl Scene {
    async fn bare() -> Self {
        Self::of(POLICY, SimulatorOptions::default()).await
    }

    async fn of(policy: &str, options: SimulatorOptions) -> Self {
        let ground = Ground::prepare_with(policy, options).await;
        Self::on(ground.configure("WEBHOOKS__MASTER_SECRET", MASTER)).await
    }

    async fn on(ground: Ground) -> Self {
        let gitlab = ground.gitlab.clone();
        gitlab.add_member(ground.project, Membership::new(ground.bot, MAINTAINER)).unwrap();
        let world = World::start_on(ground).await;
        gitlab.delete_status_check(world.ground.project, world.check).unwrap();
        Self { world, gitlab }
    }

    /// Everything set up, and a merge request that passed by way of it.
    async fn healthy() -> Self {
        let scene = Self::bare().await;
        let said = scene.run(&["install", "shop/pay"], &[]).await;
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let merge_request = scene.world.open(scene.world.merge_request().title("feat: setup"));
        scene.gitlab.set_pipeline(merge_request, "success").unwrap();
        scene.world.settle().await;
        assert_eq!(scene.shown(merge_request).await, CheckStatus::Passed);
        scene
    }

    /// What GitLab shows for the one check of the project.
    async fn shown(&self, merge_request: MergeRequestRef) -> CheckStatus {
        let checks = self.checks().await;
        let id = checks[0]["id"].as_u64().unwrap();
        self.gitlab.status(merge_request, countersign::merge_request::StatusCheckId::new(id)).unwrap()
    }

    /// What GitLab shows to a Maintainer below the project.
    async fn get(&self, path: &str) -> Value {
        let (url, project) = (self.world.ground.simulator.url(), self.world.ground.project);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.get(format!("{url}/api/v4/projects/{project}{path}"));
        request.bearer_auth(self.admin()).send().await.unwrap().json().await.unwrap()
    }

    async fn checks(&self) -> Value {
        self.get("/external_status_checks").await
    }

    async fn hooks(&self) -> Value {
        self.get("/hooks").await
    }

    /// A token of somebody who sees everything.
    fn admin(&self) -> String {
        let root: UserId = self.gitlab.create_user(countersign::simulator::NewUser::named("root").admin());
        self.gitlab.create_token(countersign::simulator::NewToken::of(root)).unwrap()
    }

    /// Runs a command with the service's configuration, and `more`.
    async fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(arguments)
            .env_clear()
            .env("COUNTERSIGN__SERVER__PUBLIC_URL", self.world.url())
            .envs(self.world.ground.environment())
            .envs(more.iter().map(|(key, value)| (format!("COUNTERSIGN__{key}"), (*value).to_owned())))
            .current_dir(self.world.ground.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The doctor's exit code and findings; how full the disk is belongs to the machine.
    async fn doctor(&self, arguments: &[&str], more: &[(&str, &str)]) -> (i32, Vec<Value>) {
        let arguments: Vec<_> = ["doctor", "--output", "json"].iter().chain(arguments).copied().collect();
        let said = self.run(&arguments, more).await;
        assert_eq!(said.err, "");
        let report: Value = serde_json::from_str(&said.out).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        (said.code, findings.filter(|finding| finding["topic"] != "disk").cloned().collect())
    }

    /// How often GitLab was asked to change something.
    fn writes(&self) -> u64 {
        self.gitlab.calls_to("*") - self.gitlab.calls_to("GET *")
    }
}

/// What is not fine, as `severity topic`.
fn complaints(findings: &[Value]) -> Vec<String> {
    let bad = findings.iter().filter(|finding| finding["severity"] != "fine");
    bad.map(|finding| {
        format!("{} {}", finding["severity"].as_str().unwrap(), finding["topic"].as_str().unwrap())
    })
    .collect()
}

/// Every secret that a command could know.
fn secrets(scene: &Scene) -> Vec<String> {
    let plain = [MASTER, crate::world::SECRET, crate::world::HOOK_TOKEN, SIGNING_TOKEN];
    plain.iter().map(|secret| (*secret).to_owned()).chain([scene.world.ground.token.clone()]).collect()
}
