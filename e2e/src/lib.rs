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
pub mod secrecy;
pub mod trial;

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT (Ctrl-C), SIGTERM or SIGHUP and its name, for programs that must clean up before they end. The signals are
/// caught from the call on, not from the first poll: what is selected beside it may do much before it first waits.
pub fn interrupt() -> impl Future<Output = &'static str> {
    let caught = [
        (SignalKind::interrupt(), "interrupted"),
        (SignalKind::terminate(), "terminated"),
        (SignalKind::hangup(), "hung up"),
    ]
    .map(|(kind, name)| Box::pin(named(signal(kind), name)));
    async move {
        let [interrupted, terminated, hung_up] = caught;
        tokio::select! {
            name = interrupted => name,
            name = terminated => name,
            name = hung_up => name,
        }
    }
}

async fn named(signals: io::Result<Signal>, name: &'static str) -> &'static str {
    match signals {
        Ok(mut signals) => drop(signals.recv().await),
        // Without a handler the signal ends us at once, and the guards of our processes clean up.
        Err(_) => std::future::pending().await,
    }
    name
}
