//! `countersign demo`: a story of merge requests in a simulated GitLab, answered by the real service.

use std::future::pending;

use clap::Args;

use super::exit_status::ExitStatus;
use super::report;
use super::signals::Signals;
use crate::demo::{Demo, DemoError, Expectation, Expected, Outcome};
use crate::telemetry::{LogFormat, start_logging};

/// The demo's own talk is the timeline; the log says what should not happen.
const LOG_LEVEL: &str = "warn";

/// How to play.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// End after the story: 0 if GitLab shows what it should on every merge request, 1 if not
    #[arg(long)]
    once: bool,
    /// Expect another status of one merge request, to see the demo fail
    #[arg(long, hide = true, value_name = "NAME=STATUS")]
    expect: Vec<Expectation>,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    if let Err(error) = start_logging(LogFormat::Pretty, LOG_LEVEL) {
        return failed(&error);
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(demo(arguments)),
        Err(error) => failed(&error),
    }
}

async fn demo(arguments: &Arguments) -> ExitStatus {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    let demo = match Demo::start().await {
        Ok(demo) => demo,
        Err(error) => return failed(&error),
    };
    let ended = tokio::select! {
        ended = show(&demo, arguments) => Some(ended),
        () = signals.told_to_stop() => None,
    };
    demo.stop().await;
    match ended {
        Some(Ok(outcome)) => judged(&outcome.wrong),
        // Somebody has seen enough.
        Some(Err(error)) if error.is_closed_pipe() => ExitStatus::Fine,
        Some(Err(error)) => failed(&error),
        None if arguments.once => {
            report::talk("error: the story was broken off\n");
            ExitStatus::Failed
        }
        None => ExitStatus::Fine,
    }
}

/// Plays the story; without `--once` it never ends.
async fn show(demo: &Demo, arguments: &Arguments) -> Result<Outcome, DemoError> {
    let mut expected = Expected::default();
    for expectation in &arguments.expect {
        expected.set(*expectation);
    }
    let mut out = anstream::stdout();
    let outcome = demo.play(&mut out, &expected).await?;
    if arguments.once {
        return Ok(outcome);
    }
    demo.invite(&mut out, &outcome)?;
    pending().await
}

fn judged(wrong: &[String]) -> ExitStatus {
    if wrong.is_empty() {
        return ExitStatus::Fine;
    }
    report::talk(&format!("error: GitLab shows something else than expected on {}\n", wrong.join(", ")));
    ExitStatus::NotPassed
}

fn failed(error: &dyn std::error::Error) -> ExitStatus {
    report::talk(&format!("error: {}\n", report::chain(error)));
    ExitStatus::Failed
}
