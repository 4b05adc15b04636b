//! The decisions of Causeway, and nothing else: topology rules, slot graphs, the planner, drift, health and conditions.
//!
//! Pure by construction: no I/O, no clock (time is an argument), no tokio, no kube, no HTTP client or SDK, and not even
//! `causeway-api` among the dependencies. A test in `e2e` fails when that changes.

pub mod desired;
pub mod graph;
pub mod guard;
pub mod health;
pub mod intent;
#[cfg(test)]
mod lab;
pub mod observe;
pub mod plan;
pub mod provider;
pub mod report;
pub mod routes;
pub mod rules;
pub mod secret;
pub mod slot;
pub mod spec;
pub mod takeover;
