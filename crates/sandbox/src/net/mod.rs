//! The network between the clouds, simulated: BGP speakers, IPsec tunnels, forwarding tables, and the answers that each
//! provider's API gives about them.
//!
//! It reads the clouds only through [`view::View`], keeps its own state in [`NetState`], and moves only by events on
//! simulated time: sessions come up through delays, updates travel hop by hop, silent failures are noticed by BFD, hold
//! timers and dead-peer detection. It changes nothing in the clouds (but for an MCR's session flag, on request of the
//! control API) and never guesses an answer: every table is read out of the speakers' state.
//!
//! Not modelled: IPv6, route flap damping, graceful restart, TCP itself, static routes of AWS VPN connections, communities, transit gateways, public and Microsoft peering.

use crate::state::State;
use crate::time::SimTime;
use crate::world::World;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod answers;
mod build;
pub mod control;
mod due;
mod edges;
mod engine;
mod fib;
mod look;
mod proposals;
mod rib;
pub mod table;
mod topology;
mod trace;
mod updates;
pub mod view;
pub mod world;

#[cfg(test)]
mod lab;
#[cfg(test)]
mod tests;

pub use answers::{
    circuit_linked, circuit_peers, circuit_routes, effective_routes, er_connected,
    gateway_advertised, gateway_learned, gateway_peers, ipsec_since, ipsec_status, mcr_bgp_routes,
    mcr_ip_routes, mcr_neighbor_routes, mcr_sessions, propagated, tunnel, vif_bgp_since,
    vif_bgp_up, vif_routes,
};
pub use control::*;
pub use due::is_due;
use view::View;

/// What will happen in the network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    Establish {
        session: String,
    },
    /// A timer of a session ran out, or its peer's NOTIFICATION arrives.
    SessionDown {
        session: String,
    },
    Update {
        session: String,
        to: topology::End,
        epoch: u64,
        announce: Vec<rib::Route>,
        withdraw: Vec<Ipv4Net>,
    },
    TunnelUp {
        tunnel: String,
    },
    /// Dead-peer detection.
    TunnelDown {
        tunnel: String,
    },
    /// The first rekey of a tunnel whose two sides have no group for it in common.
    Rekey {
        tunnel: String,
    },
    /// A session that broke a prefix limit is tried again.
    Retry,
    /// The fabric of a virtual network forwards by these routes now.
    Fabric {
        vnet: String,
        routes: engine::FabricTable,
    },
    Vgw {
        vgw: String,
        routes: engine::VgwTable,
    },
}

/// The network's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NetState {
    /// The view last taken up.
    view: View,
    /// A view to use instead of the providers': the network alone, without their APIs.
    #[serde(default)]
    pinned: Option<View>,
    topo: topology::Topology,
    assigned: topology::Assigned,
    sessions: BTreeMap<String, engine::SessionNow>,
    tunnels: BTreeMap<String, engine::TunnelNow>,
    down_links: BTreeSet<String>,
    down_nodes: BTreeSet<String>,
    /// Speakers that prepend their own AS, and how often.
    prepend: BTreeMap<String, u8>,
    fabric: BTreeMap<String, engine::FabricTable>,
    fabric_target: BTreeMap<String, engine::FabricTable>,
    vgw_fib: BTreeMap<String, engine::VgwTable>,
    vgw_target: BTreeMap<String, engine::VgwTable>,
    /// Establishments so far, of all sessions.
    epochs: u64,
    /// The network's own events change no cloud: the refresh after them has nothing to compare.
    own_event: bool,
}

impl NetState {
    pub fn new(_world: &World, _now: SimTime) -> Self {
        Self::default()
    }
}

pub fn on_event(state: &mut State, event: Event) {
    engine::run(state, |sim| sim.handle(event));
    state.net.own_event = true;
}

/// Takes up what changed in the clouds; called after every request and event. When nothing changed it costs building
/// and comparing one view, and nothing after the network's own events.
pub fn refresh(state: &mut State) {
    if std::mem::take(&mut state.net.own_event) {
        return;
    }
    let view = match &state.net.pinned {
        Some(view) if *view == state.net.view => return,
        Some(view) => view.clone(),
        None => View {
            azure: crate::arm::view(state),
            aws: crate::aws::view(state),
            megaport: crate::megaport::view(state),
        },
    };
    if view != state.net.view {
        engine::run(state, |sim| sim.take_up(view));
    }
}

/// Runs the network on `view` instead of on what the providers' modules show, until another view is given.
pub fn pin(state: &mut State, view: View) {
    state.net.pinned = Some(view);
    state.net.own_event = false;
    refresh(state);
}
