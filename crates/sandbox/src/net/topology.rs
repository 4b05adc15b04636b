//! Speakers, sessions, links and tunnels, derived from the view alone. Pure: the same view gives the same topology, but
//! for the addresses that Microsoft picks, which stay with a connection once given ([`Assigned`]).
//!
//! A session carries what configuration alone decides ([`Session::refused`]); what breaks later (links, nodes, tunnels)
//! is `engine`'s business.

use super::proposals;
use super::view::{Port, Udr, Vnet};
use super::world::NetWorld;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;

/// Microsoft's edge routers (azure.md §2.4).
pub const MSEE_ASN: u32 = 12076;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NodeKind {
    Msee {
        circuit: String,
        port: Port,
    },
    ErGateway {
        gateway: String,
        vnet: String,
        index: usize,
    },
    VpnGateway {
        gateway: String,
        vnet: String,
        index: usize,
    },
    Mcr {
        uid: String,
    },
    Dxgw {
        id: String,
    },
    Vgw {
        id: String,
    },
}

impl NodeKind {
    /// What `GET /nodes` calls it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Msee { .. } => "msee",
            Self::ErGateway { .. } => "expressRouteGateway",
            Self::VpnGateway { .. } => "vpnGateway",
            Self::Mcr { .. } => "mcr",
            Self::Dxgw { .. } => "dxgw",
            Self::Vgw { .. } => "vgw",
        }
    }
}

/// A prefix that a speaker originates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalRoute {
    pub prefix: Ipv4Net,
    pub as_path: Vec<u32>,
    pub origin: super::table::Origin,
    pub towards: Option<SessionKind>,
    /// VXC of the interface, for connected routes of an MCR.
    pub vxc: Option<String>,
    /// Not out of the view but a world's [`super::world::ExtraRoute`]: there is nothing to deliver to behind it.
    pub extra: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub key: String,
    /// Readable and fit for a URL path; unique.
    pub name: String,
    pub kind: NodeKind,
    pub asn: u32,
    /// Address in the virtual network, for gateway instances.
    pub address: Option<Ipv4Addr>,
    pub local: Vec<LocalRoute>,
    /// Prefixes of the virtual network, which a gateway ignores when it hears them from outside (azure.md §3.3).
    pub own: Vec<Ipv4Net>,
    pub prefix_limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionKind {
    /// MSEE and MCR.
    Peering,
    /// Direct Connect gateway and MCR.
    Vif,
    /// MSEE and ExpressRoute gateway instance.
    ErGateway,
    /// iBGP between gateways of one virtual network.
    Mesh,
    /// VGW and VPN gateway instance, in a tunnel.
    Tunnel,
    /// VGW and Direct Connect gateway: AWS's own business, not a BGP session that anybody sees.
    Association,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum End {
    A,
    B,
}

impl End {
    pub const BOTH: [End; 2] = [End::A, End::B];
    pub fn i(self) -> usize {
        self as usize
    }
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Why configuration keeps a session down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    Shutdown,
    PeeringDisabled,
    FailoverTest,
    NoFarEnd,
    Address,
    Asn,
    Password,
    Vlan,
    BgpDisabled,
    NobodyListens,
    VxcShutdown,
    TunnelDown,
    LinkDown,
    NodeDown,
    MeshBroken,
    PrefixLimit,
}

impl Why {
    pub fn text(self) -> &'static str {
        match self {
            Self::Shutdown => "shut down by configuration",
            Self::PeeringDisabled => "the private peering is disabled",
            Self::FailoverTest => "a failover test keeps it down",
            Self::NoFarEnd => "nothing at the far end",
            Self::Address => "the two ends expect other addresses",
            Self::Asn => "the two ends expect other AS numbers",
            Self::Password => "the BGP passwords differ",
            Self::Vlan => "the VLANs differ",
            Self::BgpDisabled => "BGP is off on one side of the tunnel",
            Self::NobodyListens => {
                "the gateway instance has no BGP speaker at the address that AWS calls"
            }
            Self::VxcShutdown => "the whole VXC is shut down",
            Self::TunnelDown => "its IPsec tunnel is down",
            Self::LinkDown => "its link is silently down",
            Self::NodeDown => "one of its routers is silently down",
            Self::MeshBroken => {
                "a route on GatewaySubnet sends the gateways' traffic to an appliance"
            }
            Self::PrefixLimit => "too many prefixes",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Key of the node; one that does not exist when there is no far end.
    pub node: String,
    pub address: Ipv4Addr,
    pub asn: u32,
}

/// What an MCR does on a session, without its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct McrPolicy {
    pub med_in: Option<u32>,
    pub med_out: Option<u32>,
    pub prepend: u8,
    pub as_override: bool,
    pub peer_type: String,
    pub deny_by_default: bool,
    pub permit_export_to: Vec<Ipv4Addr>,
    pub deny_export_to: Vec<Ipv4Addr>,
    pub filters: super::view::Filters,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub key: String,
    pub name: String,
    pub kind: SessionKind,
    /// The cloud's end; MCRs are always B, so are gateway instances towards MSEE and VGW.
    pub a: Side,
    pub b: Side,
    /// Key of the link that can fail silently.
    pub link: Option<String>,
    pub tunnel: Option<String>,
    /// Configuration keeps it down; with the end that ends it, when one does.
    pub refused: Option<(Why, Option<End>)>,
    pub vxc_shutdown: bool,
    pub mesh_broken: bool,
    pub bfd: bool,
    /// Negotiated hold time in seconds.
    pub hold: f64,
    pub mcr: Option<McrPolicy>,
    pub vxc: Option<String>,
    /// The provider's object behind it: VIF, ExpressRoute connection, VPN connection.
    pub object: String,
    pub routing_weight: u32,
    /// Allowed prefixes of an association; empty means all.
    pub allowed: Vec<Ipv4Net>,
}

impl Session {
    pub fn side(&self, end: End) -> &Side {
        match end {
            End::A => &self.a,
            End::B => &self.b,
        }
    }
    pub fn end_of(&self, node: &str) -> Option<End> {
        End::BOTH.into_iter().find(|e| self.side(*e).node == node)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tunnel {
    pub key: String,
    pub vpn_connection: String,
    pub outside: Ipv4Addr,
    pub vgw: String,
    /// Azure's connection and gateway instance.
    pub connection: Option<String>,
    pub instance: Option<String>,
    pub refused: Option<proposals::Refusal>,
    /// Dead-peer detection in seconds on AWS's and on Azure's side.
    pub dpd: [f64; 2],
    pub lifetime: f64,
    pub rekeys: bool,
    /// Changes with the configuration, which restarts IKE.
    pub fingerprint: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub key: String,
    pub name: String,
    pub kind: String,
}

/// Addresses that Microsoft picks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Assigned {
    /// `<gateway>|<circuit>|<port>` to the MSEE's address in the virtual network.
    pub msee: BTreeMap<String, Ipv4Addr>,
    /// `<circuit>|<port>` to the underlay next hop.
    pub underlay: BTreeMap<String, Ipv4Addr>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    pub nodes: BTreeMap<String, Node>,
    pub sessions: BTreeMap<String, Session>,
    pub tunnels: BTreeMap<String, Tunnel>,
    pub links: BTreeMap<String, Link>,
    /// Virtual networks whose gateways can not talk to each other.
    pub broken_meshes: BTreeSet<String>,
}

pub fn msee(circuit: &str, port: Port) -> String {
    format!("msee:{circuit}:{}", port_name(port))
}
pub fn port_name(port: Port) -> &'static str {
    match port {
        Port::Primary => "primary",
        Port::Secondary => "secondary",
    }
}
pub fn er_instance(gateway: &str, index: usize) -> String {
    format!("er:{gateway}:{index}")
}
pub fn vpn_instance(gateway: &str, index: usize) -> String {
    format!("vpn:{gateway}:{index}")
}
pub fn mcr(uid: &str) -> String {
    format!("mcr:{uid}")
}
pub fn dxgw(id: &str) -> String {
    format!("dxgw:{id}")
}
pub fn vgw(id: &str) -> String {
    format!("vgw:{id}")
}
pub fn underlay_key(circuit: &str, port: Port) -> String {
    format!("{circuit}|{}", port_name(port))
}
pub const PORTS: [Port; 2] = [Port::Primary, Port::Secondary];

/// The n-th host of a subnet, counted from 1.
pub fn host(net: Ipv4Net, n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).wrapping_add(n))
}

/// The last segment of an ID, fit for a URL path.
pub fn short(id: &str) -> String {
    let last = id.rsplit('/').next().unwrap_or(id);
    last.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '-'
            }
        })
        .collect()
}

pub fn hash_of(text: &str) -> u64 {
    // DefaultHasher::new() has fixed keys: the same in every run.
    let mut h = DefaultHasher::new();
    text.hash(&mut h);
    h.finish()
}

/// What a user-defined route on GatewaySubnet does with a packet from a gateway to `to`; `None`: it goes straight.
/// A user route wins over the system route of the virtual network at equal length.
pub fn gateway_subnet_udr(vnet: &Vnet, to: Ipv4Addr) -> Option<&Udr> {
    let system = vnet
        .prefixes
        .iter()
        .filter(|p| p.contains(&to))
        .map(Ipv4Net::prefix_len)
        .max();
    vnet.gateway_subnet_routes
        .iter()
        .filter(|r| r.prefix.contains(&to))
        .max_by_key(|r| r.prefix.prefix_len())
        .filter(|r| {
            system.is_none_or(|len| r.prefix.prefix_len() >= len)
                && r.next_hop_type != "VnetLocal"
                && r.next_hop_type != "VirtualNetworkGateway"
        })
}

/// Whether the appliance that such a route names passes packets on; with `bgp`, whether it does so for BGP too.
pub fn passes(world: &NetWorld, udr: &Udr, bgp: bool) -> bool {
    udr.next_hop_type == "VirtualAppliance"
        && udr.next_hop.is_some_and(|a| {
            forwards(world, a) && !(bgp && world.filtering_appliances.contains(&a))
        })
}

/// Whether an appliance forwards ordinary packets.
pub fn forwards(world: &NetWorld, appliance: Ipv4Addr) -> bool {
    world.forwarding_appliances.contains(&appliance)
        || world.filtering_appliances.contains(&appliance)
}
