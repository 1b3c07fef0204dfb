//! The `countersign` command: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::cli::run().into()
}
