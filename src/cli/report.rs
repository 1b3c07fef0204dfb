//! How results are shown: to people with the lines in question, to machines as JSON.
//!
//! Everything is written here, so that a closed pipe ends a command quietly and colours go only where they are
//! wanted (`NO_COLOR`, a terminal).

use std::error::Error;
use std::io::{self, ErrorKind, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

use super::exit_status::ExitStatus;
use crate::policy::{Diagnostic, Diagnostics, PolicySource, Severity};

/// Who reads a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// People
    Human,
    /// Machines
    Json,
}

/// Writes a result to stdout and ends with the status given. A reader who has seen enough is no failure.
pub(super) fn data(text: &str, status: ExitStatus) -> ExitStatus {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => status,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => status,
        Err(error) => {
            talk(&format!("error: the result can't be written: {error}\n"));
            ExitStatus::Failed
        }
    }
}

/// Says something to the person at the terminal; if nobody listens, nothing is lost.
pub(super) fn talk(text: &str) {
    let _unheard: io::Result<()> = anstream::stderr().lock().write_all(text.as_bytes());
}

/// What runs a command; where there is none to be had, why was told.
pub(super) fn runtime(mut builder: Builder) -> Result<Runtime, ExitStatus> {
    builder.enable_all().build().map_err(|error| {
        talk(&format!("error: the runtime can't be started: {error}\n"));
        ExitStatus::Failed
    })
}

/// An error with all that led to it, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The mistakes with their lines, and how many there are.
pub(super) fn diagnostics(diagnostics: &Diagnostics, sources: &[PolicySource]) -> String {
    let renderer = Renderer::styled();
    let mut text = String::new();
    for diagnostic in diagnostics.iter() {
        let source = sources.iter().find(|source| source.path == diagnostic.file);
        let source = source.map(|source| source.text.as_str()).unwrap_or_default();
        text.push_str(&renderer.render(&[group(diagnostic, source)]));
        text.push_str("\n\n");
    }
    let count = diagnostics.count();
    text + &format!("{count} {} found\n", if count == 1 { "mistake" } else { "mistakes" })
}

fn group<'a>(diagnostic: &'a Diagnostic, source: &'a str) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mark = AnnotationKind::Primary.span(diagnostic.span.clone());
    let snippet = Snippet::source(source).path(diagnostic.file.as_str()).annotation(mark);
    let group = level.primary_title(diagnostic.message.as_str()).element(snippet);
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}
