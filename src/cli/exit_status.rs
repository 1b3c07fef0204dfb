//! How a command ends, as the shell sees it.

use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// All is well.
    Fine,
    /// What was looked at did not pass.
    NotPassed,
    /// The user's input is wrong: a policy, the configuration, the command line.
    WrongInput,
    /// We failed.
    Failed,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Fine => 0,
            ExitStatus::NotPassed => 1,
            ExitStatus::WrongInput => 2,
            ExitStatus::Failed => 3,
        })
    }
}
