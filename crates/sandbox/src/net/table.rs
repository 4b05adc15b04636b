//! Answers of the network simulation in plain terms. How a provider prints them is the provider module's business.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// How a route came to the speaker whose table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Learned {
    /// Originated by the speaker itself.
    Local,
    Ebgp,
    Ibgp,
}

/// RFC 4271 ORIGIN; connected routes of an MCR are redistributed as `Incomplete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    Igp,
    Egp,
    Incomplete,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub prefix: Ipv4Net,
    pub next_hop: Ipv4Addr,
    /// AS path as received, nearest AS first.
    pub as_path: Vec<u32>,
    pub origin: Origin,
    pub learned: Learned,
    /// The peer's address; the speaker's own for local routes.
    pub source: Ipv4Addr,
    /// Azure's internal weight (32769 ExpressRoute, 32768 otherwise); 0 elsewhere.
    pub weight: u32,
    pub local_pref: Option<u32>,
    pub med: Option<u32>,
    pub best: bool,
    /// A circuit's table marks the other instance's next hop (lab.md).
    pub marked: bool,
}

/// RFC 4271 state of a session, reduced to what APIs show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionState {
    /// Shut by configuration.
    Shutdown,
    Idle,
    Connect,
    Established,
}

/// One session as one of its two ends sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerRow {
    pub local: Ipv4Addr,
    pub neighbor: Ipv4Addr,
    pub asn: u32,
    pub state: SessionState,
    /// Since when, in simulated milliseconds.
    pub since: crate::time::SimTime,
    pub routes_received: u32,
    pub messages_sent: u64,
    pub messages_received: u64,
}

/// A row of a NIC's effective routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveRoute {
    /// `Default`, `User`, `VirtualNetworkGateway`.
    pub source: String,
    pub active: bool,
    pub prefix: Ipv4Net,
    /// `VnetLocal`, `VirtualNetworkGateway`, `Internet`, `VirtualAppliance`, `None`.
    pub next_hop_type: String,
    pub next_hop: Option<Ipv4Addr>,
}

/// State of one IPsec tunnel as AWS sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TunnelState {
    pub ipsec_up: bool,
    pub bgp_up: bool,
    pub accepted_routes: u32,
    pub since: crate::time::SimTime,
}

/// A route that a VGW propagates into a route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propagated {
    pub prefix: Ipv4Net,
    pub vgw: String,
}
