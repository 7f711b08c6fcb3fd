//! Stopping: the signals that ask for it, and the way from running to stopped.

use crate::service::host::Host;
use anyhow::bail;

/// Listens for Ctrl+C and, where it exists, SIGTERM. From its making on neither ends the process by itself.
pub struct StopSignal {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    /// Starts listening.
    ///
    /// # Errors
    /// When the system does not take a handler.
    #[cfg(unix)]
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Starts listening.
    #[cfg(not(unix))]
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Resolves at the next signal.
    #[cfg(unix)]
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Resolves at the next signal.
    #[cfg(not(unix))]
    pub async fn received(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Waits until it is asked to stop, or a part has failed, and stops cleanly. A second signal ends it at once.
///
/// # Errors
/// Why it failed or did not stop cleanly. What was acknowledged is on disk in any case.
pub async fn run_until(signal: &mut StopSignal, mut host: Host) -> anyhow::Result<()> {
    let failed = host.serve(signal.received()).await;
    eprintln!("\nstopping …");
    let stopped = tokio::select! {
        stopped = host.stop() => stopped,
        () = signal.received() => bail!("stopped at once; what was acknowledged is on disk"),
    };
    match failed {
        Some(error) => Err(error),
        None => stopped,
    }
}
