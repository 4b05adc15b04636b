//! What the connectivity provider (Megaport) sees and does of ExpressRoute circuits: the counterpart of ARM's
//! `expressRouteCrossConnections`. Called by the Megaport module only.

use crate::net::view::Port;
use crate::state::State;

/// What a service key tells the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceKey {
    pub circuit_id: String,
    pub bandwidth_mbps: u32,
    pub peering_location: String,
    /// The outer tag that Microsoft gave the circuit.
    pub s_tag: u16,
    pub has_private_peering: bool,
}

/// A private peering as Megaport writes it when a VXC is ordered with `peers`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderPeering {
    pub peer_asn: u32,
    pub primary_subnet: Option<String>,
    pub secondary_subnet: Option<String>,
    pub vlan: u16,
    pub shared_key: Option<String>,
}

/// The circuit of a service key; `None` when no circuit has it (any more).
pub fn lookup(_state: &State, _service_key: &str) -> Option<ServiceKey> {
    None
}
/// A VXC to this port went live: the provider starts to report the circuit as provisioned.
pub fn vxc_live(_state: &mut State, _service_key: &str, _port: Port, _vxc: &str) {}
/// The VXC on this port is gone.
pub fn vxc_gone(_state: &mut State, _service_key: &str, _port: Port, _vxc: &str) {}
/// Megaport creates the private peering (it can not delete it).
pub fn create_peering(_state: &mut State, _service_key: &str, _peering: &ProviderPeering) {}
