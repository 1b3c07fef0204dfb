//! `countersign demo`, run as a person runs it: its exit code, its output, and what it leaves behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::world::signal;

/// The story's merge requests: written here once more, so that none of them is lost unnoticed.
const NAMES: [&str; 13] = [
    "docs",
    "title",
    "ci",
    "payments",
    "race",
    "outage",
    "lost",
    "forged",
    "stale",
    "pipeline",
    "thread",
    "closed",
    "withdrawn",
];

/// The demo with an environment of its own: a folder for what is temporary, and a proxy that leads nowhere.
fn demo(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("demo").args(arguments).env_clear().env("TMPDIR", folder.path());
    command.envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("http_proxy", "http://127.0.0.1:9")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn play(arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = demo(&folder, arguments).output().unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the database is removed");
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// What the timeline tells of one merge request.
fn chapter<'a>(timeline: &'a str, name: &str) -> &'a str {
    let begin = timeline.find(&format!(" {name}  “")).unwrap_or_else(|| panic!("{name} is not told"));
    let rest = &timeline[begin..];
    rest.split_once("\n!").map_or(rest, |(chapter, _)| chapter)
}

/// The longest run of characters that a secret could be made of.
fn longest_hex(text: &str) -> usize {
    text.split(|character: char| !character.is_ascii_hexdigit()).map(str::len).max().unwrap_or_default()
}

#[test]
fn the_story_ends_as_expected_and_tells_everything_but_secrets() {
    let (code, timeline, log) = play(&["--once"]);
    assert_eq!(code, Some(0), "{timeline}\n{log}");
    for name in NAMES {
        chapter(&timeline, name);
    }
    assert_eq!(timeline.matches("\n✓ !").count(), NAMES.len(), "{timeline}");
    let race = chapter(&timeline, "race");
    assert!(race.contains("passed is not said: something newer came"), "{race}");
    let outage = chapter(&timeline, "outage");
    assert!(outage.contains("threads ×4 (503)") && outage.contains("could not be decided"), "{outage}");
    let (told, lost) = chapter(&timeline, "lost").split_once("the sweep that comes").unwrap();
    assert!(told.contains("asked   nothing") && told.contains("answer  none"), "{told}");
    assert!(lost.contains("what changed") && lost.contains("answer  passed"), "{lost}");
    let (_, forged) = chapter(&timeline, "forged").split_once("another secret").unwrap();
    assert!(forged.contains("is answered 401") && forged.contains("asked   nothing"), "{forged}");
    let stale = chapter(&timeline, "stale");
    assert!(stale.contains("the approval by @bea does not count"), "{stale}");
    let closed = chapter(&timeline, "closed");
    assert!(closed.contains("none, and nothing is decided: GitLab shows pending by itself"), "{closed}");

    assert!(!timeline.contains('\u{1b}'), "no colours in a pipe");
    let all = timeline + &log;
    assert!(!all.contains("glpat-") && !all.contains("whsec_"), "{all}");
    assert!(longest_hex(&all) < 20, "something looks like a secret:\n{all}");
}

#[test]
fn a_status_that_is_not_the_expected_one_is_named_and_fails() {
    let (code, timeline, log) = play(&["--once", "--expect", "race=passed"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(timeline.contains("\n✗ !5 race        passed      failed"), "{timeline}");
    assert!(log.contains("GitLab shows something else than expected on race\n"), "{log}");
}

#[test]
fn an_expectation_that_names_nothing_is_a_wrong_command_line() {
    let (code, timeline, log) = play(&["--once", "--expect", "rice=passed"]);
    assert_eq!((code, timeline.as_str()), (Some(2), ""));
    assert!(log.contains("no merge request of the story has that name"), "{log}");
}

#[test]
fn a_reader_who_has_seen_enough_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(&folder, &["--once"]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(first.starts_with("countersign demo"), "{first}");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn it_goes_on_serving_until_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(&folder, &[]).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> = lines.take_while(|line| !line.starts_with("You are `you`")).collect();
    let service = told.iter().find_map(|line| line.trim().strip_prefix("the service   http://"));
    let alive = get(service.unwrap_or_else(|| ended(&mut child)), "/healthz");
    let metrics = get(service.unwrap(), "/metrics");
    signal("-INT", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(alive.starts_with("HTTP/1.1 200") && alive.contains("alive"), "{alive}");
    assert!(metrics.contains("countersign_answers_total"), "{metrics}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the database is removed");
}

fn ended(child: &mut Child) -> ! {
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    panic!("the demo told no address:\n{log}");
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
