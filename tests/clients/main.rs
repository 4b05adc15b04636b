//! The clients of the three clouds against the sandbox, in process: the real serialisers, credentials, signatures,
//! long-running operations and refusals, without sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

#[path = "../support/mod.rs"]
mod support;

mod changes;
mod direct_connect;
mod express_route;
mod failures;
mod sockets;
mod vpn;
