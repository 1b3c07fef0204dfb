//! `countersign doctor`: is everything set up right, here and in GitLab? Every finding that is not fine has a remedy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Builder;

use super::configuration;
use super::exit_status::ExitStatus;
use super::report::{self, Output};
use crate::app;
use crate::bundle;
use crate::clock::Clock;
use crate::merge_request::CheckName;
use crate::setup::{Diagnosis, Finding, Naming, Patient, Selection, Severity, examine};

/// How many projects are looked at when none is named.
const MOST: usize = 20;

/// What to examine.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Projects to look at, by path, id or glob [default: those that the token reaches within `gitlab.projects`]
    #[arg(value_name = "PROJECT", value_parser = Naming::parse)]
    projects: Vec<Naming>,
    /// The configuration file; `COUNTERSIGN_CONFIG` names it as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A check that the projects are to have, by our name [default: those of ours that are there, else `countersign`]
    #[arg(long = "check", value_name = "NAME", value_parser = CheckName::parse)]
    checks: Vec<CheckName>,
    /// Who reads the result
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let file = configuration::file(arguments.config.as_deref());
    let prepared = configuration::load(file.as_deref()).map_err(app::StartError::from).and_then(|config| {
        let installation = app::installation(&config, Clock::default())?;
        Ok((config, installation))
    });
    let (config, installation) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            report::talk(&format!("error: {}\n", report::chain(&error)));
            return ExitStatus::WrongInput;
        }
    };
    let named = || Selection::Named(arguments.projects.clone());
    let selection = if arguments.projects.is_empty() { Selection::Joined { most: MOST } } else { named() };
    let policies = bundle::load(&config.policies.path);
    let patient = Patient {
        configuration: file.as_deref(),
        installation: &installation,
        policies: &policies,
        store: &config.store.url,
        selection: &selection,
        checks: arguments.checks.iter().cloned().collect(),
    };
    let diagnosis = match report::runtime(Builder::new_current_thread()) {
        Ok(runtime) => runtime.block_on(examine(&patient)),
        Err(status) => return status,
    };
    let wrong = diagnosis.findings.iter().any(|finding| finding.severity() == Severity::Wrong);
    let text = match arguments.output {
        Output::Human => human(&diagnosis),
        Output::Json => {
            let Diagnosis { findings, left_out } = &diagnosis;
            let report = serde_json::json!({ "findings": findings, "projects_left_out": left_out });
            format!("{report:#}\n")
        }
    };
    report::data(&text, if wrong { ExitStatus::NotPassed } else { ExitStatus::Fine })
}

fn human(diagnosis: &Diagnosis) -> String {
    let mut text = findings(&diagnosis.findings);
    let all = [Severity::Wrong, Severity::Warning, Severity::Unknown, Severity::Fine];
    let counts = all.map(|severity| {
        let count = diagnosis.findings.iter().filter(|finding| finding.severity() == severity).count();
        format!("{count} {}", severity.word())
    });
    if diagnosis.left_out > 0 {
        let _infallible =
            writeln!(text, "\n{} more projects were not looked at: name them", diagnosis.left_out);
    }
    text + &format!("\n{}\n", counts.join(", "))
}

/// One line for each finding, below one for each subject, and a second one for the remedy.
fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for finding in findings {
        if !told.insert(finding.subject.as_str()) {
            continue;
        }
        let _infallible = writeln!(text, "{}", finding.subject);
        for finding in findings.iter().filter(|other| other.subject == finding.subject) {
            let (word, what) = (finding.severity().word(), &finding.what);
            let _infallible = writeln!(text, "  {word:<8} {}: {what}", finding.topic);
            if let Some(remedy) = finding.remedy() {
                let _infallible = writeln!(text, "           → {remedy}");
            }
        }
    }
    text
}
