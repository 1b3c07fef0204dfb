//! `countersign serve`: take deliveries, decide, answer, until told to stop.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::runtime::Builder;

use super::configuration;
use super::exit_status::ExitStatus;
use super::report;
use super::signals::Signals;
use crate::app::{App, StartError, load_bundle};
use crate::bundle::{Bundle, LoadError};
use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::start_logging;

/// What to serve.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file; `COUNTERSIGN_CONFIG` names it as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let (config, bundle) = match prepare(arguments.config.as_deref()) {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    let runtime = match report::runtime(Builder::new_multi_thread()) {
        Ok(runtime) => runtime,
        Err(status) => return status,
    };
    runtime.block_on(serve(&config, bundle))
}

/// Reads the configuration and the policies, and starts the log.
fn prepare(file: Option<&Path>) -> Result<(Config, Arc<Bundle>), ExitStatus> {
    let wrong = |error: &dyn Error| {
        report::talk(&format!("error: {}\n", report::chain(error)));
        ExitStatus::WrongInput
    };
    let file = configuration::file(file);
    let config = configuration::load(file.as_deref()).map_err(|error| wrong(&error))?;
    start_logging(config.log.format, &config.log.level).map_err(|error| wrong(&error))?;
    let bundle = load_bundle(&config).map_err(|error| match &error {
        StartError::Policies(LoadError::Policies { diagnostics, sources }) => {
            report::talk(&report::diagnostics(diagnostics, sources));
            ExitStatus::WrongInput
        }
        other => wrong(other),
    })?;
    Ok((config, bundle))
}

async fn serve(config: &Config, bundle: Arc<Bundle>) -> ExitStatus {
    // Before anything starts: a signal that comes early must not be lost.
    let Ok(mut signals) = Signals::listen() else {
        report::talk("error: signals can't be listened for\n");
        return ExitStatus::Failed;
    };
    let revision = bundle.current().revision().short().to_owned();
    let app = match App::start(config, bundle, Clock::default()).await {
        Ok(app) => app,
        Err(error) => {
            report::talk(&format!("error: {}\n", report::chain(&error)));
            return if error.is_users() { ExitStatus::WrongInput } else { ExitStatus::Failed };
        }
    };
    for address in app.addresses() {
        tracing::info!(%address, revision, "taking deliveries");
    }
    // Without systemd there is nobody to tell.
    let _untold = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    signals.told_to_stop().await;
    tracing::info!("stopping");
    let _untold = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    app.stop().await;
    tracing::info!("stopped");
    ExitStatus::Fine
}
