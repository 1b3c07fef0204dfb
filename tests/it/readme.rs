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
