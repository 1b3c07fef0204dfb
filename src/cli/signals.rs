//! SIGTERM and Ctrl-C: how a command that goes on is told to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// `SIGXFSZ`, by its number on Linux and macOS. A write beyond a limit on file sizes is to fail as on a full disk: then
/// deliveries are refused so that they come again, and the probes tell.
const FILE_TOO_LARGE: SignalKind = SignalKind::from_raw(25);

/// Listens from the moment it is made: a signal that comes early is not lost.
pub(super) struct Signals {
    terminated: Signal,
    interrupted: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> io::Result<Self> {
        // Listened for once, it no longer ends the process.
        let _unheard = signal(FILE_TOO_LARGE)?;
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits until the process is told to stop.
    pub(super) async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}
