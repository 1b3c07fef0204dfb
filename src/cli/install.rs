//! `countersign install`: creates or repairs status checks, webhooks and the merge setting in GitLab projects, and shows what
//! is different from before. With `--dry-run` it shows it and changes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::configuration;
use super::exit_status::ExitStatus;
use super::report::{self, Output};
use crate::app::{self, StartError, load_bundle};
use crate::bundle::LoadError;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::merge_request::CheckName;
use crate::policy::PolicySet;
use crate::setup::{
    Account, Finding, HookOrder, Installation, Naming, Order, Outcome, Selection, Severity, Wishes, install,
};

/// Where to install what.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types or does not")]
pub(super) struct Arguments {
    /// Projects, by path, id or glob
    #[arg(value_name = "PROJECT", required_unless_present = "group", value_parser = Naming::parse)]
    projects: Vec<Naming>,
    /// The projects of a group
    #[arg(long, value_name = "GROUP", conflicts_with = "projects")]
    group: Option<String>,
    /// With those of its subgroups
    #[arg(long, requires = "group", conflicts_with = "projects")]
    recursive: bool,
    /// Show what would be different and change nothing
    #[arg(long)]
    dry_run: bool,
    /// A check to have, by our name [default: those of ours that are there, else `countersign`]
    #[arg(long = "check", value_name = "NAME", value_parser = CheckName::parse)]
    checks: Vec<CheckName>,
    /// One webhook at the group instead of one at each project (GitLab Premium)
    #[arg(long, requires = "group", conflicts_with_all = ["no_hooks", "projects"])]
    group_hook: bool,
    /// No webhooks
    #[arg(long)]
    no_hooks: bool,
    /// Leave `Status checks must succeed` as it is
    #[arg(long)]
    no_merge_setting: bool,
    /// Set secrets again that are there: GitLab does not show which they are
    #[arg(long)]
    rotate: bool,
    /// Let a check of our name that calls another address call ours
    #[arg(long)]
    adopt: bool,
    /// The configuration file; `COUNTERSIGN_CONFIG` names it as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who reads the result
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let (installation, policies) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    let runtime = match report::runtime(Builder::new_current_thread()) {
        Ok(runtime) => runtime,
        Err(status) => return status,
    };
    let order = order(arguments);
    let mut written = ExitStatus::Fine;
    let told = |account: &Account| {
        if arguments.output == Output::Human {
            written = report::data(&human(account, arguments.dry_run), written);
        }
    };
    let accounts = match runtime.block_on(install(&installation, &policies, &order, told)) {
        Ok(accounts) => accounts,
        Err(error) => {
            report::talk(&format!("error: {}\n", report::chain(&error)));
            return ExitStatus::Failed;
        }
    };
    if written != ExitStatus::Fine {
        return written;
    }
    let status = if accounts.iter().any(Account::failed) { ExitStatus::NotPassed } else { ExitStatus::Fine };
    let text = match arguments.output {
        Output::Human => summary(&accounts, arguments.dry_run),
        Output::Json => {
            let projects: Vec<_> = accounts.iter().map(machine).collect();
            let report = json!({ "dry_run": arguments.dry_run, "accounts": projects });
            format!("{report:#}\n")
        }
    };
    report::data(&text, status)
}

/// What the configuration and the policies ask for; without either there is nothing to install.
fn prepare(arguments: &Arguments) -> Result<(Installation, Arc<PolicySet>), ExitStatus> {
    let wrong = |error: &StartError| {
        match error {
            StartError::Policies(LoadError::Policies { diagnostics, sources }) => {
                report::talk(&report::diagnostics(diagnostics, sources));
            }
            other => report::talk(&format!("error: {}\n", report::chain(other))),
        }
        ExitStatus::WrongInput
    };
    let file = configuration::file(arguments.config.as_deref());
    let config = configuration::load(file.as_deref()).map_err(|error| wrong(&error.into()))?;
    let installation = app::installation(&config, Clock::default()).map_err(|error| wrong(&error))?;
    if installation.public_url.is_none() {
        let key = "server.public_url";
        let problem =
            "is missing: the address that GitLab is to call, in front of `/webhooks/gitlab`".to_owned();
        return Err(wrong(&ConfigError::Value { key, problem }.into()));
    }
    let bundle = load_bundle(&config).map_err(|error| wrong(&error))?;
    Ok((installation, Arc::clone(&bundle.current().set)))
}

fn order(arguments: &Arguments) -> Order {
    let group = |path: &String| path.trim_matches('/').to_owned();
    let selection = match &arguments.group {
        Some(path) => Selection::Group { path: group(path), deep: arguments.recursive },
        None => Selection::Named(arguments.projects.clone()),
    };
    let hooks = match &arguments.group {
        _ if arguments.no_hooks => HookOrder::None,
        Some(path) if arguments.group_hook => HookOrder::Group(group(path)),
        _ => HookOrder::Projects,
    };
    Order {
        selection,
        wishes: Wishes {
            checks: arguments.checks.iter().cloned().collect(),
            rotate: arguments.rotate,
            adopt: arguments.adopt,
        },
        hooks,
        merging: !arguments.no_merge_setting,
        dry_run: arguments.dry_run,
    }
}

/// What is to be known beside the changes.
fn noteworthy(account: &Account) -> Vec<&Finding> {
    account.findings.iter().filter(|finding| finding.severity() != Severity::Fine).collect()
}

fn human(account: &Account, dry_run: bool) -> String {
    let mut text = format!("{}\n", account.subject);
    for (change, outcome) in &account.changes {
        let _infallible = match outcome {
            Outcome::Made => writeln!(text, "  {change}"),
            Outcome::Planned if dry_run => writeln!(text, "  {change}"),
            Outcome::Planned => writeln!(text, "  {change}  (not made)"),
            Outcome::Failed(why) => writeln!(text, "  {change}\n    failed: {why}"),
        };
    }
    if account.changes.is_empty() && !account.failed() {
        text.push_str("  = nothing to do\n");
    }
    for finding in noteworthy(account) {
        let remedy = finding.remedy().unwrap_or_default();
        let _infallible = writeln!(text, "  ! {}: {}\n    → {remedy}", finding.topic, finding.what);
    }
    text
}

fn summary(accounts: &[Account], dry_run: bool) -> String {
    let changes = accounts.iter().flat_map(|account| &account.changes);
    let count = changes.filter(|(_, outcome)| dry_run || *outcome == Outcome::Made).count();
    let failed = accounts.iter().filter(|account| account.failed()).count();
    let made = if dry_run { "to be made" } else { "made" };
    let plural = if count == 1 { "change" } else { "changes" };
    format!("\n{count} {plural} {made}, {failed} of {} failed\n", accounts.len())
}

fn machine(account: &Account) -> Value {
    let changes: Vec<_> = account
        .changes
        .iter()
        .map(|(change, outcome)| {
            let (outcome, error) = match outcome {
                Outcome::Planned => ("planned", None),
                Outcome::Made => ("made", None),
                Outcome::Failed(why) => ("failed", Some(why)),
            };
            json!({ "change": change.to_string(), "outcome": outcome, "error": error })
        })
        .collect();
    json!({
        "subject": account.subject,
        "failed": account.failed(),
        "changes": changes,
        "findings": noteworthy(account),
    })
}
