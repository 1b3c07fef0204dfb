//! `countersign schema`: the JSON Schema of a file, so that editors complete and check while it is written.

use clap::{Args, ValueEnum};

use super::exit_status::ExitStatus;
use super::report;
use crate::{config, policy};

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
    /// The configuration file
    Config,
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let schema = match arguments.file {
        File::Policy => policy::schema(),
        File::Config => config::schema(),
    };
    report::data(&format!("{schema:#}\n"), ExitStatus::Fine)
}
