//! Placeholder: the network between the clouds.
use crate::state::State;
use crate::time::SimTime;
use crate::world::World;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

pub mod control;
pub mod table;
pub mod view;
use table::{EffectiveRoute, PeerRow, Propagated, Row, TunnelState};
use view::Port;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetState {}

impl NetState {
    pub fn new(_world: &World, _now: SimTime) -> Self {
        Self {}
    }
}

pub fn on_event(_state: &mut State, event: Event) {
    match event {}
}

/// Takes up what changed in the clouds; called after every request and event, so it must be cheap when nothing did.
pub fn refresh(_state: &mut State) {}

/// Routes of a circuit's port (`routeTables/primary|secondary`).
pub fn circuit_routes(_state: &State, _circuit: &str, _port: Port) -> Vec<Row> {
    Vec::new()
}
/// Routes that a gateway (either type) has learned, one instance's view for ExpressRoute, all instances' for VPN;
/// with the local address of the instance. `None`: its instances can not talk to each other (azure.md §3.6: HTTP 500).
pub fn gateway_learned(_state: &State, _gateway: &str) -> Option<Vec<(Ipv4Addr, Row)>> {
    Some(Vec::new())
}
/// Routes that a gateway advertises to `peer`.
pub fn gateway_advertised(
    _state: &State,
    _gateway: &str,
    _peer: Ipv4Addr,
) -> Option<Vec<(Ipv4Addr, Row)>> {
    Some(Vec::new())
}
/// BGP peers of a gateway. `None` as above.
pub fn gateway_peers(_state: &State, _gateway: &str) -> Option<Vec<PeerRow>> {
    Some(Vec::new())
}
pub fn effective_routes(_state: &State, _nic: &str) -> Vec<EffectiveRoute> {
    Vec::new()
}
/// Whether the IPsec connection's tunnels are up on Azure's side, per VPN gateway instance address.
pub fn ipsec_status(_state: &State, _connection: &str) -> Vec<(Ipv4Addr, bool)> {
    Vec::new()
}
/// Whether an ExpressRoute connection's circuit has a live port.
pub fn vif_bgp_up(_state: &State, _vif: &str) -> bool {
    false
}
/// Routes accepted from (`true`) or advertised to (`false`) the customer on a VIF.
pub fn vif_routes(_state: &State, _vif: &str, _accepted: bool) -> Vec<Row> {
    Vec::new()
}
/// State of the tunnel with this outside address.
pub fn tunnel(_state: &State, _vpn_connection: &str, _outside: Ipv4Addr) -> Option<TunnelState> {
    None
}
pub fn propagated(_state: &State, _route_table: &str) -> Vec<Propagated> {
    Vec::new()
}
/// Sessions of one VXC of an MCR: peer address and whether it is established.
pub fn mcr_sessions(_state: &State, _vxc: &str) -> Vec<(Ipv4Addr, bool)> {
    Vec::new()
}
/// The MCR's BGP table, with the VXC that each route came in on.
pub fn mcr_bgp_routes(_state: &State, _mcr: &str) -> Vec<(Row, Option<String>)> {
    Vec::new()
}
/// The MCR's IP routes: prefix, protocol (`BGP`, `CONNECTED`, `STATIC`), next hop, VXC.
pub fn mcr_ip_routes(
    _state: &State,
    _mcr: &str,
) -> Vec<(Ipv4Net, String, Option<Ipv4Addr>, Option<String>)> {
    Vec::new()
}
/// Routes received from or advertised to a neighbour of an MCR.
pub fn mcr_neighbor_routes(
    _state: &State,
    _mcr: &str,
    _peer: Ipv4Addr,
    _received: bool,
) -> Vec<Row> {
    Vec::new()
}
