//! Why the demo could not be played to its end.

use std::io;

use crate::app::StartError;
use crate::simulator::SimulatorError;
use crate::store::StoreError;

/// Why the demo could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The machine gives no folder or no port.
    #[error("the demo can't be set up")]
    Machine(#[source] io::Error),
    /// The service did not start.
    #[error("the service can't be started")]
    Start(#[from] StartError),
    /// The story asks for something that GitLab does not do.
    #[error("the story can't go on")]
    Happening(#[from] SimulatorError),
    /// The decision log can't be read.
    #[error("the decisions can't be read")]
    Store(#[from] StoreError),
    /// Something did not come about in time.
    #[error("waited in vain: {0}")]
    Overdue(&'static str),
    /// The timeline can't be written.
    #[error("the timeline can't be written")]
    Write(#[source] io::Error),
}

impl DemoError {
    /// Whether the reader has closed the pipe: somebody has seen enough, and that is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
