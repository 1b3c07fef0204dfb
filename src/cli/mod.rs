//! The commands that a person types.
//!
//! Each command is a file with its arguments and a `run`; this door knows their names and how the process ends.
//! What a machine may read goes to stdout, talk goes to stderr.

mod check;
mod configuration;
mod demo;
mod doctor;
mod exit_status;
mod install;
mod reconcile;
mod report;
mod schema;
mod serve;
mod signals;

use clap::{Parser, Subcommand};

pub use self::exit_status::ExitStatus;

/// The policy gate for GitLab merge requests: answers external status checks from policy files.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Take deliveries, decide, answer, until told to stop
    Serve(serve::Arguments),
    /// Play a story of merge requests in a simulated GitLab; needs no configuration
    Demo(demo::Arguments),
    /// Say whether policies are valid, with every mistake at once
    Check(check::Arguments),
    /// Say whether everything is set up right, here and in GitLab; changes nothing
    Doctor(doctor::Arguments),
    /// Create or repair status checks and webhooks in GitLab projects
    Install(install::Arguments),
    /// Compare what GitLab shows with what it should show, and mend what differs
    Reconcile(reconcile::Arguments),
    /// Print the JSON Schema of a file, for editors
    Schema(schema::Arguments),
}

/// Parses the command line and does what it says.
pub fn run() -> ExitStatus {
    match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Command::Serve(arguments) => serve::run(&arguments),
            Command::Demo(arguments) => demo::run(&arguments),
            Command::Check(arguments) => check::run(&arguments),
            Command::Doctor(arguments) => doctor::run(&arguments),
            Command::Install(arguments) => install::run(&arguments),
            Command::Reconcile(arguments) => reconcile::run(&arguments),
            Command::Schema(arguments) => schema::run(&arguments),
        },
        Err(error) => {
            // Help and the version are asked for and go to stdout; everything else is a wrong command line.
            let status = if error.use_stderr() { ExitStatus::WrongInput } else { ExitStatus::Fine };
            if error.print().is_ok() { status } else { ExitStatus::Failed }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
