//! How long Azure's operations take: names (for the world file's `durations`) and typical values in simulated seconds.
//!
//! | name | default | what |
//! |---|---|---|
//! | `arm.virtualNetwork` | 12 | PUT or DELETE of a virtual network |
//! | `arm.subnet` | 4 | PUT or DELETE of a subnet |
//! | `arm.publicIPAddress` | 9 | PUT or DELETE |
//! | `arm.routeTable` | 4 | PUT or DELETE of a route table or route |
//! | `arm.networkSecurityGroup` | 4 | PUT or DELETE |
//! | `arm.localNetworkGateway` | 10 | PUT or DELETE |
//! | `arm.expressRouteGateway.create`, `.update`, `.delete` | 1500, 600, 600 | |
//! | `arm.vpnGateway.create`, `.update`, `.delete` | 1800, 600, 600 | |
//! | `arm.gateway.tags` | 30 | tag PATCH of a gateway or connection |
//! | `arm.gateway.reset` | 300 | |
//! | `arm.expressRouteConnection.create`, `.update`, `.delete` | 120, 60, 90 | |
//! | `arm.ipsecConnection.create`, `.update`, `.delete` | 90, 60, 60 | |
//! | `arm.sharedKey` | 20 | PUT of a connection's shared key |
//! | `arm.expressRouteCircuit.create`, `.update`, `.delete` | 90, 75, 120 | an update is also the refresh |
//! | `arm.peering.create`, `.delete` | 120, 90 | |
//! | `arm.authorization` | 20 | |
//! | `arm.diagnostics` | 8 | a POST that reads tables |
//! | `arm.providerState.provisioned` | 60 | from a live VXC until the circuit shows `Provisioned` |
//! | `arm.providerState.released` | 120 | from the last VXC's end until a refresh shows `NotProvisioned` |
//! | `arm.providerState.unrefreshed` | 14400 | from then until it shows without a refresh |
//! | `arm.inUse.afterGateway` | 20 | public addresses and subnet stay "in use" after a gateway is gone |
//! | `arm.exists.afterCreate` | 6 | a circuit made again under an old name is not found for so long |
//!
//! Sources: azure.md §8, §2.6, §1.2.

use crate::state::State;

/// Name and default of every duration, for the documentation and for [`of`].
pub const TABLE: &[(&str, f64)] = &[
    ("arm.virtualNetwork", 12.0),
    ("arm.subnet", 4.0),
    ("arm.publicIPAddress", 9.0),
    ("arm.routeTable", 4.0),
    ("arm.networkSecurityGroup", 4.0),
    ("arm.localNetworkGateway", 10.0),
    ("arm.expressRouteGateway.create", 1500.0),
    ("arm.expressRouteGateway.update", 600.0),
    ("arm.expressRouteGateway.delete", 600.0),
    ("arm.vpnGateway.create", 1800.0),
    ("arm.vpnGateway.update", 600.0),
    ("arm.vpnGateway.delete", 600.0),
    ("arm.gateway.tags", 30.0),
    ("arm.gateway.reset", 300.0),
    ("arm.expressRouteConnection.create", 120.0),
    ("arm.expressRouteConnection.update", 60.0),
    ("arm.expressRouteConnection.delete", 90.0),
    ("arm.ipsecConnection.create", 90.0),
    ("arm.ipsecConnection.update", 60.0),
    ("arm.ipsecConnection.delete", 60.0),
    ("arm.sharedKey", 20.0),
    ("arm.expressRouteCircuit.create", 90.0),
    ("arm.expressRouteCircuit.update", 75.0),
    ("arm.expressRouteCircuit.delete", 120.0),
    ("arm.peering.create", 120.0),
    ("arm.peering.delete", 90.0),
    ("arm.authorization", 20.0),
    ("arm.diagnostics", 8.0),
    ("arm.providerState.provisioned", 60.0),
    ("arm.providerState.released", 120.0),
    ("arm.providerState.unrefreshed", 14400.0),
    ("arm.inUse.afterGateway", 20.0),
    ("arm.exists.afterCreate", 6.0),
];

/// The duration of this name in seconds, with the world's override and jitter.
pub fn of(state: &mut State, name: &str) -> f64 {
    let default = TABLE
        .iter()
        .find(|(n, _)| *n == name)
        .map_or(1.0, |(_, secs)| *secs);
    state.duration(name, default)
}
