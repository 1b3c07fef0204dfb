//! `countersign check`: are these policies valid? Every mistake at once, each with its place and what would help.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;

use super::configuration;
use super::exit_status::ExitStatus;
use super::report::{self, Output};
use crate::app::examine;
use crate::bundle::{self, LoadError};
use crate::gitlab::GitlabVersion;
use crate::policy::{ChangeableRule, Diagnostics, PolicySet, PolicySource, Revision};
use crate::status_check::Vocabulary;

/// What to check.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Directories or files with policies; together they are one set [default: those of the configuration, else
    /// `policies`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Examine this configuration as well, with the environment, as `serve` would
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Warn of what a GitLab of this version, such as 14.9, can't be told
    #[arg(long, value_name = "VERSION", value_parser = version)]
    gitlab_version: Option<GitlabVersion>,
    /// Who reads the result
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let paths = match paths(arguments) {
        Ok(paths) => paths,
        Err(status) => return status,
    };
    match read(&paths) {
        Ok((sources, revision)) => match PolicySet::compile(&sources) {
            Ok(set) => valid(&set, revision.as_ref(), arguments),
            Err(diagnostics) => invalid(&diagnostics, &sources, arguments.output),
        },
        Err(error) => {
            report::talk(&format!("error: {error}\n"));
            ExitStatus::WrongInput
        }
    }
}

/// The policies to check; examines the configuration on the way, if one was named.
fn paths(arguments: &Arguments) -> Result<Vec<PathBuf>, ExitStatus> {
    let mut configured = PathBuf::from("policies");
    if let Some(file) = &arguments.config {
        let wrong = |error: &dyn Error| {
            report::talk(&format!("error: {}\n", report::chain(error)));
            ExitStatus::WrongInput
        };
        let config = configuration::load(Some(file)).map_err(|error| wrong(&error))?;
        examine(&config).map_err(|error| wrong(&error))?;
        configured = config.policies.path;
    }
    Ok(if arguments.paths.is_empty() { vec![configured] } else { arguments.paths.clone() })
}

/// Reads everything that was named, under names that lead people to the files; and the revision that a server with
/// this one directory would show, which does not depend on where the directory lies.
fn read(paths: &[PathBuf]) -> Result<(Vec<PolicySource>, Option<Revision>), LoadError> {
    let mut sources: Vec<PolicySource> = Vec::new();
    let mut revision = None;
    for path in paths {
        let found = bundle::read(path)?;
        revision = (paths.len() == 1).then(|| Revision::of(&found));
        sources.extend(found.into_iter().map(|source| shown(path, source)));
    }
    // The same file named twice is one policy, not two of the same name.
    sources.sort();
    sources.dedup();
    Ok((sources, revision))
}

fn shown(path: &Path, source: PolicySource) -> PolicySource {
    let shown = if path.is_dir() { path.join(&source.path) } else { path.to_owned() };
    let shown: PathBuf = shown.components().collect();
    PolicySource { path: shown.display().to_string(), text: source.text }
}

fn version(text: &str) -> Result<GitlabVersion, String> {
    GitlabVersion::parse(text)
        .ok_or_else(|| "give two numbers with a dot between them, such as 14.9".to_owned())
}

fn valid(set: &PolicySet, revision: Option<&Revision>, arguments: &Arguments) -> ExitStatus {
    let names: Vec<_> = set.policy_names().collect();
    let warnings = unsayable(set, arguments.gitlab_version);
    let text = match arguments.output {
        Output::Human => {
            let plural = if names.len() == 1 { "policy is" } else { "policies are" };
            let revision =
                revision.map(|revision| format!(", revision {}", revision.short())).unwrap_or_default();
            let valid = format!("{} {plural} valid{revision}: {}\n", names.len(), names.join(", "));
            warnings.iter().map(sentence).chain([valid]).collect::<Vec<_>>().join("\n")
        }
        Output::Json => {
            let report = serde_json::json!({
                "valid": true, "policies": names, "revision": revision, "diagnostics": [],
                "can_not_be_taken_back": warnings,
            });
            format!("{report:#}\n")
        }
    };
    report::data(&text, ExitStatus::Fine)
}

/// The rules whose pass a GitLab before 15.0 goes on showing when it does not hold any more.
fn unsayable(set: &PolicySet, version: Option<GitlabVersion>) -> Vec<ChangeableRule<'_>> {
    let can_not_take_back =
        version.is_some_and(|version| Vocabulary::from(version) == Vocabulary::OnlyPassed);
    if can_not_take_back { set.changeable_rules().collect() } else { Vec::new() }
}

fn sentence(warning: &ChangeableRule<'_>) -> String {
    let words: Vec<_> = warning.conditions.iter().map(|word| format!("`{word}`")).collect();
    format!(
        "warning: rule `{}` of policy `{}`: {} can change while the head stays, and this GitLab can't be told that a pass \
         does not hold any more",
        warning.rule,
        warning.policy,
        words.join(", ")
    )
}

fn invalid(diagnostics: &Diagnostics, sources: &[PolicySource], output: Output) -> ExitStatus {
    let text = match output {
        Output::Human => report::diagnostics(diagnostics, sources),
        Output::Json => {
            let report = serde_json::json!({ "valid": false, "diagnostics": diagnostics });
            format!("{report:#}\n")
        }
    };
    report::data(&text, ExitStatus::WrongInput)
}
