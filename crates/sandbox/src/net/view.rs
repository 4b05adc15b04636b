//! What the network simulation knows of the clouds: a typed view that each provider module derives from its own
//! objects. The simulation reads nothing else, so a provider's wire shapes never leak into routing.
//!
//! Only what exists and is settled enough to carry packets appears here: an object that is still being created is
//! absent, one that is being deleted has gone.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub azure: AzureView,
    pub aws: AwsView,
    pub megaport: MegaportView,
}

// ---- Azure -------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AzureView {
    pub vnets: Vec<Vnet>,
    pub er_gateways: Vec<ErGateway>,
    pub vpn_gateways: Vec<VpnGateway>,
    pub circuits: Vec<Circuit>,
    pub er_connections: Vec<ErConnection>,
    pub ipsec_connections: Vec<IpsecConnection>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vnet {
    /// ARM ID, lower case (all IDs in this view are).
    pub id: String,
    pub prefixes: Vec<Ipv4Net>,
    pub gateway_subnet: Option<Ipv4Net>,
    /// User-defined routes of the table on GatewaySubnet.
    pub gateway_subnet_routes: Vec<Udr>,
    pub nics: Vec<Nic>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nic {
    pub id: String,
    pub address: Ipv4Addr,
    pub subnet: Ipv4Net,
    /// User-defined routes of the table on the NIC's subnet.
    pub routes: Vec<Udr>,
    pub bgp_propagation: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Udr {
    pub name: String,
    pub prefix: Ipv4Net,
    /// `VirtualNetworkGateway`, `VnetLocal`, `Internet`, `VirtualAppliance`, `None`.
    pub next_hop_type: String,
    pub next_hop: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErGateway {
    pub id: String,
    pub vnet: String,
    pub asn: u32,
    /// Instance addresses in GatewaySubnet, in order (.12, .13 in the lab).
    pub instances: Vec<Ipv4Addr>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpnGateway {
    pub id: String,
    pub vnet: String,
    pub asn: u32,
    pub bgp: bool,
    pub instances: Vec<VpnInstance>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpnInstance {
    pub ip_configuration: String,
    pub address: Ipv4Addr,
    pub public_ip: Ipv4Addr,
    /// Custom APIPA BGP addresses in the order configured; without a choice on the connection the first one counts.
    pub apipa: Vec<Ipv4Addr>,
}

/// A port of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Port {
    Primary,
    Secondary,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Circuit {
    pub id: String,
    pub service_key: String,
    pub bandwidth_mbps: u32,
    pub premium: bool,
    pub peering: Option<PrivatePeering>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrivatePeering {
    pub enabled: bool,
    /// The customer's ASN.
    pub peer_asn: u32,
    /// Customer has the first host, Microsoft the second (azure.md §2.4).
    pub primary: Ipv4Net,
    pub secondary: Ipv4Net,
    pub vlan: u16,
    pub shared_key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErConnection {
    pub id: String,
    pub gateway: String,
    pub circuit: String,
    pub routing_weight: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpsecConnection {
    pub id: String,
    pub gateway: String,
    /// Public address of the far end (the local network gateway's).
    pub remote: Ipv4Addr,
    pub remote_asn: Option<u32>,
    pub remote_bgp_address: Option<Ipv4Addr>,
    pub remote_prefixes: Vec<Ipv4Net>,
    pub bgp: bool,
    /// (ip configuration ID, APIPA address) chosen on the connection.
    pub custom_bgp: Vec<(String, Ipv4Addr)>,
    pub shared_key: String,
    pub mode: String,
    pub dpd_seconds: u32,
    /// `None` is Azure's default policy set.
    pub policy: Option<IpsecPolicy>,
}

/// Azure's eight fields (azure.md §4.4), as spelt there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpsecPolicy {
    pub sa_life_time_seconds: u32,
    pub sa_data_size_kilobytes: u64,
    pub ipsec_encryption: String,
    pub ipsec_integrity: String,
    pub ike_encryption: String,
    pub ike_integrity: String,
    pub dh_group: String,
    pub pfs_group: String,
}

// ---- AWS ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AwsView {
    pub vpcs: Vec<Vpc>,
    pub vgws: Vec<Vgw>,
    pub dxgws: Vec<Dxgw>,
    pub associations: Vec<DxgwAssociation>,
    pub vifs: Vec<Vif>,
    pub vpn_connections: Vec<VpnConnection>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub id: String,
    pub cidrs: Vec<Ipv4Net>,
    pub instances: Vec<Ipv4Addr>,
    pub route_tables: Vec<RouteTable>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub id: String,
    pub subnets: Vec<Ipv4Net>,
    /// VGWs whose routes are propagated into it.
    pub propagating: Vec<String>,
    /// Static routes: prefix and target.
    pub static_routes: Vec<(Ipv4Net, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vgw {
    pub id: String,
    pub asn: u32,
    /// The VPC that it is attached to.
    pub vpc: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dxgw {
    pub id: String,
    pub asn: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DxgwAssociation {
    pub dxgw: String,
    pub vgw: String,
    pub allowed_prefixes: Vec<Ipv4Net>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vif {
    pub id: String,
    pub vlan: u16,
    /// The customer's ASN.
    pub asn: u32,
    pub amazon_address: Ipv4Net,
    pub customer_address: Ipv4Net,
    pub auth_key: Option<String>,
    /// Set once the VIF was confirmed.
    pub dxgw: Option<String>,
    /// A failover test keeps its BGP down.
    pub testing: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpnConnection {
    pub id: String,
    pub vgw: String,
    pub customer_gateway_address: Ipv4Addr,
    pub customer_asn: u32,
    pub static_routes_only: bool,
    pub tunnels: Vec<VpnTunnel>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpnTunnel {
    pub outside: Ipv4Addr,
    /// /30: AWS has the first host, the customer the second.
    pub inside: Ipv4Net,
    pub pre_shared_key: String,
    /// `add` or `start`.
    pub startup_action: String,
    pub ike_versions: Vec<String>,
    pub phase1_encryption: Vec<String>,
    pub phase1_integrity: Vec<String>,
    pub phase1_dh_groups: Vec<u32>,
    pub phase2_encryption: Vec<String>,
    pub phase2_integrity: Vec<String>,
    pub phase2_dh_groups: Vec<u32>,
    pub phase1_lifetime: u32,
    pub phase2_lifetime: u32,
    pub dpd_seconds: u32,
}

// ---- Megaport ----------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MegaportView {
    pub mcrs: Vec<Mcr>,
    pub vxcs: Vec<Vxc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mcr {
    pub uid: String,
    pub name: String,
    pub asn: u32,
}

/// A live VXC with an MCR as its A-end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vxc {
    pub uid: String,
    pub name: String,
    pub mcr: String,
    pub far: FarEnd,
    /// The whole VXC is shut: no link at all.
    pub shutdown: bool,
    pub interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FarEnd {
    /// A port of the circuit with this service key.
    Azure { service_key: String, port: Port },
    /// A hosted VIF.
    Aws { vif: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// The inner VLAN; for Azure it must equal the peering's VLAN, from here or from `bEnd.innerVlan` (api.md §3).
    pub vlan: Option<u16>,
    pub addresses: Vec<Ipv4Net>,
    pub sessions: Vec<BgpConnection>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BgpConnection {
    pub peer_asn: u32,
    pub local_asn: Option<u32>,
    pub local_address: Ipv4Addr,
    pub peer_address: Ipv4Addr,
    pub password: Option<String>,
    pub shutdown: bool,
    pub bfd: bool,
    pub med_in: Option<u32>,
    pub med_out: Option<u32>,
    pub prepend: u8,
    pub as_override: bool,
    /// `NON_CLOUD`, `PRIV_CLOUD`, `PUB_CLOUD`.
    pub peer_type: String,
    /// `permit` or `deny`.
    pub export_policy: String,
    pub permit_export_to: Vec<Ipv4Addr>,
    pub deny_export_to: Vec<Ipv4Addr>,
    pub filters: Filters,
}

/// An MCR's prefix lists as a session refers to them (megaport.md §3.3, §7.1): what it takes and what it sends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Filters {
    /// Only what the list permits passes.
    pub import_permit: Option<Vec<PrefixRule>>,
    /// What the list permits is what does not pass.
    pub import_deny: Option<Vec<PrefixRule>>,
    pub export_permit: Option<Vec<PrefixRule>>,
    pub export_deny: Option<Vec<PrefixRule>>,
}

/// An entry of a prefix list; without `ge` and `le` it matches its prefix alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrefixRule {
    pub permit: bool,
    pub prefix: Ipv4Net,
    pub ge: Option<u8>,
    pub le: Option<u8>,
}

impl PrefixRule {
    fn matches(&self, prefix: Ipv4Net) -> bool {
        let own = self.prefix.prefix_len();
        let low = self.ge.unwrap_or(own);
        let high = match (self.le, self.ge) {
            (Some(le), _) => le,
            (None, Some(_)) => 32,
            (None, None) => own,
        };
        self.prefix.contains(&prefix) && (low..=high).contains(&prefix.prefix_len())
    }
}

impl Filters {
    /// Whether a list (its first match counts) names the prefix.
    fn names(list: &[PrefixRule], prefix: Ipv4Net) -> bool {
        list.iter()
            .find(|r| r.matches(prefix))
            .is_some_and(|r| r.permit)
    }
    fn pass(
        permit: Option<&Vec<PrefixRule>>,
        deny: Option<&Vec<PrefixRule>>,
        prefix: Ipv4Net,
    ) -> bool {
        permit.is_none_or(|l| Self::names(l, prefix))
            && !deny.is_some_and(|l| Self::names(l, prefix))
    }
    pub fn takes(&self, prefix: Ipv4Net) -> bool {
        Self::pass(
            self.import_permit.as_ref(),
            self.import_deny.as_ref(),
            prefix,
        )
    }
    pub fn sends(&self, prefix: Ipv4Net) -> bool {
        Self::pass(
            self.export_permit.as_ref(),
            self.export_deny.as_ref(),
            prefix,
        )
    }
}
