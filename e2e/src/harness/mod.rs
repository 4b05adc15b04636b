//! The deterministic harness: operator, clouds and API server in one process, under tokio's paused clock.
//!
//! May start nothing outside of this process and touch neither network nor files.

pub mod apiserver;
