//! `countersign check` and `countersign schema`, as a shell sees them: output, and the code they end with.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const GOOD: &str = "policy: good\nrules:\n  - id: ready\n    require: {draft: false}\n";
const BAD: &str =
    "policy: bad\nrules:\n  - id: ready\n    require:\n      drafts: false\n      labels: [bug]\n";

fn countersign(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).current_dir(directory).env_remove("CLICOLOR_FORCE");
    command
}

fn run(arguments: &[&str], directory: &Path) -> (i32, String, String) {
    let Output { status, stdout, stderr } = countersign(arguments, directory).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("policies")).unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join("policies").join(name), text).unwrap();
    }
    directory
}

#[test]
fn valid_policies_end_well() {
    let here = directory(&[("good.yaml", GOOD)]);
    let (code, out, err) = run(&["check"], here.path());
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out, @"1 policy is valid, revision 90a88e7da18a: good");
    let (code, out, _) = run(&["check", "--output", "json", "policies/good.yaml"], here.path());
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &report["valid"], &report["policies"]),
        (0, &true.into(), &serde_json::json!(["good"]))
    );
    assert_eq!(
        run(&["check", "policies", "policies/good.yaml"], here.path()).0,
        0,
        "named twice is there once"
    );
}

#[test]
fn what_a_gitlab_before_15_can_not_be_told_is_warned_of() {
    let files = "policy: files\nrules:\n  - id: files\n    require: {changed_files: {none: [secret/]}}\n";
    let here = directory(&[("good.yaml", GOOD), ("files.yaml", files)]);
    let (code, out, _) = run(&["check", "--gitlab-version", "14.10"], here.path());
    assert_eq!(code, 0);
    insta::assert_snapshot!(out.lines().next().unwrap(), @"warning: rule `ready` of policy `good`: `draft` can change while the head stays, and this GitLab can't be told that a pass does not hold any more");
    assert_eq!(out.matches("warning").count(), 1, "files belong to the commit");
    let (_, out, _) = run(&["check", "--gitlab-version", "15.0-ee"], here.path());
    assert!(!out.contains("warning"), "{out}");
    assert_eq!(run(&["check", "--gitlab-version", "new"], here.path()).0, 2);
    let (_, out, _) = run(&["check", "--gitlab-version", "14.0", "--output", "json"], here.path());
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["can_not_be_taken_back"][0]["conditions"], serde_json::json!(["draft"]));
}

#[test]
fn broken_policies_are_shown_with_their_lines() {
    let here = directory(&[("bad.yaml", BAD), ("good.yaml", GOOD)]);
    let (code, out, err) = run(&["check"], here.path());
    assert_eq!((code, err.as_str()), (2, ""));
    insta::assert_snapshot!(out, @r#"
    error: `drafts` is no key of `require`
     --> policies/bad.yaml:5:7
      |
    5 |       drafts: false
      |       ^^^^^^
      |
      = help: did you mean `draft`?

    error: `labels` must be a mapping, not a list
     --> policies/bad.yaml:6:15
      |
    6 |       labels: [bug]
      |               ^^^^^
      |
      = help: write `labels: {all: […]}` if every one must be there, or `labels: {any: […]}` if one is enough

    2 mistakes found
    "#);
    let (code, out, _) = run(&["check", "--output", "json"], here.path());
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["valid"]), (2, &false.into()));
    let first = &report["diagnostics"][0];
    assert_eq!((&first["line"], &first["column"]), (&5.into(), &7.into()));
    assert_eq!(first["help"], "did you mean `draft`?");
}

#[test]
fn what_is_not_there_is_the_users_mistake() {
    let here = directory(&[]);
    let (code, out, err) = run(&["check"], here.path());
    assert_eq!((code, out.as_str()), (2, ""));
    insta::assert_snapshot!(err, @"error: `policies` holds no policy: put a `.yaml` file there, or name another directory");
    assert_eq!(run(&["check", "elsewhere"], here.path()).0, 2);
    assert_eq!(run(&["chekc"], here.path()).0, 2);
    assert_eq!(run(&["--help"], here.path()).0, 0);
}

#[test]
fn the_schema_is_json_and_a_closed_pipe_is_no_failure() {
    let here = directory(&[]);
    let (code, out, _) = run(&["schema", "policy"], here.path());
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &schema["$schema"]), (0, &"https://json-schema.org/draft/2020-12/schema".into()));

    let mut child = countersign(&["schema", "policy"], here.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}
