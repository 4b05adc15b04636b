//! What tests of the whole, the playground and the demo stand on.
//!
//! May start processes on this machine and write into the folders it is given; reaches the network only to obtain the
//! control plane's programs.

pub mod controlplane;
pub mod demo;
pub mod harness;
pub mod lives;
pub mod objects;
pub mod playground;
pub mod trial;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT (Ctrl-C), SIGTERM or SIGHUP and answers its name; for programs that must clean up before they end.
pub async fn interrupt() -> &'static str {
    let wait = async |kind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // Without a handler the signal ends us at once, and the guards of our processes clean up.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "interrupted",
        () = wait(SignalKind::terminate()) => "terminated",
        () = wait(SignalKind::hangup()) => "hung up",
    }
}
