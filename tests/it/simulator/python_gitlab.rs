//! A client that others wrote: what it expects of GitLab, the simulator must do.

use std::path::Path;
use std::process::{Command, Stdio};

use countersign::simulator::NewJob;

use super::scene;

/// The parts of the script, in their order.
const PARTS: [&str; 7] =
    ["instance", "status_checks", "configuration", "code", "people", "talk", "pipelines"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter of the virtual environment, which is made here if nobody made it before.
fn python() -> String {
    let made =
        Command::new(root().join("tests/python-environment")).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    format!("{}/bin/python", String::from_utf8(made.stdout).unwrap().trim_end())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_gitlab_finds_what_it_expects_of_gitlab() {
    let scene = scene().await;
    let gitlab = &scene.gitlab;
    gitlab.write_file(scene.project, "main", "README.md", Some("read me\n")).unwrap();
    let pipeline = gitlab.set_pipeline(scene.merge_request, "failed").unwrap();
    gitlab.run_job(scene.merge_request, pipeline, NewJob::new("build", "failed")).unwrap();
    let token = scene.member("olga", 40);
    let (project, iid) = (scene.project.to_string(), scene.merge_request.iid.to_string());
    let url = scene.simulator.url().to_owned();
    let arguments = [url, token, project, iid];
    let driven = tokio::task::spawn_blocking(move || {
        let script = root().join("tests/python/drive_simulator.py");
        Command::new(python()).arg(script).args(arguments).stderr(Stdio::inherit()).output().unwrap()
    });
    let driven = driven.await.unwrap();
    let done = String::from_utf8(driven.stdout).unwrap();
    assert!(driven.status.success(), "{done}");
    assert_eq!(done.lines().collect::<Vec<_>>(), PARTS);
    assert_eq!(gitlab.unknown_calls(), Vec::<String>::new(), "routes that the client knows and we do not");
}
