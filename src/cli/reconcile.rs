//! `countersign reconcile`: does GitLab show what it should, now? What does not is mended, unless it is a dry run.

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::configuration;
use super::exit_status::ExitStatus;
use super::report::{self, Output};
use crate::app::{
    self, Found, Outcome, Progress, ReconcileError, ReconcileOrder, Reconciliation, StartError,
};
use crate::bundle::LoadError;
use crate::clock::Clock;
use crate::setup::Naming;
use crate::status_check::Drift;

/// How wide the bar is.
const BAR: usize = 30;
/// How wide its line is. What was longer is covered with blanks: a terminal without colours gets no escapes.
const LINE: usize = 79;

/// What to reconcile.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Projects, by path, id or glob [default: those that were ever seen, and those that the token reaches within
    /// `gitlab.projects`]
    #[arg(value_name = "PROJECT", value_parser = Naming::parse)]
    projects: Vec<Naming>,
    /// The configuration file; `COUNTERSIGN_CONFIG` names it as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say what is not as it should be, and mend nothing
    #[arg(long)]
    dry_run: bool,
    /// Who reads the result
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let reconciled = match report::runtime(Builder::new_multi_thread()) {
        Ok(runtime) => runtime.block_on(reconcile(arguments)),
        Err(status) => return status,
    };
    let reconciliation = match reconciled {
        Ok(reconciliation) => reconciliation,
        Err(error) => return failed(&error),
    };
    let fine = reconciliation.found.iter().all(|found| found.outcome == Outcome::Mended);
    let text = match arguments.output {
        Output::Human => human(&reconciliation),
        Output::Json => format!("{:#}\n", machine(&reconciliation, arguments.dry_run)),
    };
    report::data(&text, if fine { ExitStatus::Fine } else { ExitStatus::NotPassed })
}

async fn reconcile(arguments: &Arguments) -> Result<Reconciliation, ReconcileError> {
    let file = configuration::file(arguments.config.as_deref());
    let config = configuration::load(file.as_deref()).map_err(StartError::from)?;
    let bundle = app::load_bundle(&config)?;
    let order = ReconcileOrder { projects: arguments.projects.clone(), dry_run: arguments.dry_run };
    let terminal = stderr().is_terminal();
    let mut tell = |progress: Progress| {
        if terminal {
            report::talk(&bar(progress));
        }
    };
    let reconciled = app::reconcile(&config, bundle, Clock::default(), &order, &mut tell).await;
    if terminal {
        report::talk(&format!("\r{:LINE$}\r", ""));
    }
    reconciled
}

fn failed(error: &ReconcileError) -> ExitStatus {
    match error {
        ReconcileError::Start(StartError::Policies(LoadError::Policies { diagnostics, sources })) => {
            report::talk(&report::diagnostics(diagnostics, sources));
        }
        other => report::talk(&format!("error: {}\n", report::chain(other))),
    }
    if error.is_users() { ExitStatus::WrongInput } else { ExitStatus::Failed }
}

/// One line, over and over.
fn bar(Progress { stage, done, of }: Progress) -> String {
    let filled = (done * BAR).checked_div(of).unwrap_or(BAR).min(BAR);
    let line = format!("[{}{}] {done} of {of} {stage}", "#".repeat(filled), " ".repeat(BAR - filled));
    format!("\r{line:<LINE$}")
}

fn human(reconciliation: &Reconciliation) -> String {
    let mut text = String::new();
    for found in &reconciliation.found {
        let Found { what, outcome, drift, .. } = found;
        let place = place(found);
        let kind = drift.map_or("not examined", Drift::word);
        let _infallible = writeln!(text, "{place}  {kind}: {what}\n  → {}", outcome.word());
    }
    let count = |wanted: &[Outcome]| {
        reconciliation.found.iter().filter(|found| wanted.contains(&found.outcome)).count()
    };
    let all = [Outcome::Found, Outcome::Mended, Outcome::NotMended, Outcome::Reported];
    let _infallible = writeln!(
        text,
        "{} merge requests in {} projects: {} drifted, {} mended, {} not examined",
        reconciliation.merge_requests,
        reconciliation.projects,
        count(&all),
        count(&[Outcome::Mended]),
        count(&[Outcome::Unknown]),
    );
    text
}

/// `shop/pay!7 countersign`.
fn place(found: &Found) -> String {
    let mut place = found.project.clone();
    if let Some(which) = found.merge_request {
        let _infallible = write!(place, "!{}", which.iid);
    }
    if let Some(check) = &found.check {
        let _infallible = write!(place, " {check}");
    }
    place
}

fn machine(reconciliation: &Reconciliation, dry_run: bool) -> Value {
    let found: Vec<_> = reconciliation
        .found
        .iter()
        .map(|found| {
            json!({
                "project": found.project,
                "merge_request": found.merge_request.map(|which| which.iid),
                "check": found.check,
                "drift": found.drift.map(Drift::word),
                "what": found.what,
                "outcome": found.outcome.word().replace(' ', "_"),
            })
        })
        .collect();
    json!({
        "dry_run": dry_run,
        "projects": reconciliation.projects,
        "merge_requests": reconciliation.merge_requests,
        "found": found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_it_is() {
        let shown = |done, of| bar(Progress { stage: "merge requests examined", done, of });
        assert!(shown(1, 2).starts_with(&format!("\r[{}{}] 1 of 2 ", "#".repeat(15), " ".repeat(15))));
        assert!(shown(0, 0).starts_with(&format!("\r[{}] 0 of 0", "#".repeat(30))));
        assert!(shown(9, 3).starts_with(&format!("\r[{}] 9", "#".repeat(30))));
    }
}
