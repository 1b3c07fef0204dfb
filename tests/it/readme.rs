//! The README says what is true: its policy compiles, its commands are there, its links lead somewhere.

use std::path::Path;
use std::process::Command;

use countersign::policy::{PolicySet, PolicySource};

const README: &str = include_str!("../../README.md");

fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn its_policy_compiles() {
    let policies = blocks("yaml");
    assert!(!policies.is_empty());
    for text in policies {
        let source = PolicySource { path: "README.md".to_owned(), text: text.to_owned() };
        PolicySet::compile(&[source]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    }
}

#[test]
fn its_configuration_is_one() {
    let text = blocks("toml").concat();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.toml");
    std::fs::write(&file, &text).unwrap();
    let config = countersign::config::Config::load(Some(&file), []).unwrap();
    assert!(config.server.public_url.is_some() && config.gitlab.required_url().is_ok());
}

#[test]
fn its_lines_are_understood_by_the_command_line() {
    let lines = blocks("sh").into_iter().flat_map(str::lines).filter_map(|line| {
        let line = line.split('#').next().unwrap().trim();
        let arguments = line
            .strip_prefix("cargo run --release -- ")
            .or(line.split_once("countersign ").map(|it| it.1))?;
        Some(arguments.split_whitespace().collect::<Vec<_>>())
    });
    let mut tried = 0;
    for arguments in lines {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        // A flag that asks for nothing else: whatever stands before it is parsed, and nothing is done.
        let parsed = command.args(&arguments).arg("--help").output().unwrap();
        assert!(parsed.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&parsed.stderr));
        tried += 1;
    }
    assert!(tried >= 6, "{tried} lines");
}

#[test]
fn it_names_every_command_and_no_other() {
    let help = Command::new(env!("CARGO_BIN_EXE_countersign")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let mut commands: Vec<_> = commands.map(|line| line.split_whitespace().next().unwrap()).collect();
    commands.retain(|command| *command != "help");
    commands.sort_unstable();
    let (_, works) = README.split_once("\nWorks: ").unwrap();
    let mut named: Vec<_> = works.split(';').next().unwrap().split('`').skip(1).step_by(2).collect();
    named.sort_unstable();
    assert_eq!(named, commands);
}

#[test]
fn its_links_lead_to_files_and_headings() {
    let headings: Vec<_> = README
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace(',', ""))
        .collect();
    for link in README.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        match link.strip_prefix('#') {
            Some(heading) => assert!(headings.iter().any(|known| known == heading), "no heading: {link}"),
            None => assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "no file: {link}"),
        }
    }
}
