//! What differs between the kinds: references, graph, links, health.

mod common;
mod directconnect;
mod expressroute;
mod interconnect;
mod vpn;

pub use crate::health::{HealthDetail, HealthSpec};
pub(crate) use interconnect::is_child;
pub use interconnect::{going, related};
