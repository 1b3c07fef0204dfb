//! `countersign schema`: the JSON Schema of a file, so that editors complete and check while it is written.

use clap::{Args, ValueEnum};

use super::exit_status::ExitStatus;
use super::report;
use crate::policy;

/// Which schema to print.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The kind of file
    #[arg(value_enum)]
    file: File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    /// A policy file
    Policy,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let schema = match arguments.file {
        File::Policy => policy::schema(),
    };
    report::data(&format!("{schema:#}\n"), ExitStatus::Fine)
}
