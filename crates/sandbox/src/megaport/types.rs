//! Megaport's objects as the simulation keeps them. How they are printed is `read.rs`.
//!
//! Modelled: MCRs and VXCs from an MCR to AWS (hosted VIF, hosted connection), to Azure, and to another MCR of ours.
//! Not modelled: ports, MVEs, IXs, NAT gateways, other clouds, marketplace orders to other companies.

use super::secret::Secret;
use crate::net::view::Port;
use crate::time::SimTime;
use serde::{Deserialize, Deserializer, Serialize};

/// `provisioningStatus` (megaport.md §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Deployable,
    Configured,
    Live,
    Failed,
    Cancelled,
    CancelledParent,
    Decommissioned,
}

impl Status {
    pub fn text(self) -> &'static str {
        match self {
            Self::Deployable => "DEPLOYABLE",
            Self::Configured => "CONFIGURED",
            Self::Live => "LIVE",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::CancelledParent => "CANCELLED_PARENT",
            Self::Decommissioned => "DECOMMISSIONED",
        }
    }
    /// Deployed and usable.
    pub fn ready(self) -> bool {
        matches!(self, Self::Configured | Self::Live)
    }
    /// Still takes up what it was given (a product that stays `CANCELLED` is still live, §13.3).
    pub fn attached(self) -> bool {
        !matches!(
            self,
            Self::Decommissioned | Self::Failed | Self::CancelledParent
        )
    }
}

/// A resource tag (§6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// What every product has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    pub uid: String,
    /// `productId`.
    pub number: u64,
    /// `nServiceId`: the number that error messages and `megaports[].vxc` speak of.
    pub service_id: u64,
    pub name: String,
    pub status: Status,
    pub cost_centre: Option<String>,
    /// Months.
    pub term: u32,
    pub created: SimTime,
    pub live: Option<SimTime>,
    pub terminated: Option<SimTime>,
    pub locked: bool,
    pub tags: Vec<Tag>,
    /// User UID of whoever ordered it.
    pub created_by: String,
    /// Product lists show it from here on.
    pub listed_at: SimTime,
    /// An injected failure of the deployment.
    pub fails: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddOn {
    pub uid: String,
    pub tunnels: u32,
    pub packs: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrefixEntry {
    pub action: String,
    pub prefix: ipnet::IpNet,
    pub ge: Option<u8>,
    pub le: Option<u8>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PrefixList {
    pub id: u64,
    pub description: String,
    /// `IPv4` or `IPv6`.
    pub family: String,
    pub entries: Vec<PrefixEntry>,
    /// A removed session still refers to it until then (§5).
    pub held_until: SimTime,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mcr {
    pub service: Service,
    pub location: u32,
    /// Mbps, fixed for life.
    pub speed: u32,
    pub asn: u32,
    /// `red` or `blue`.
    pub zone: String,
    pub marketplace_visibility: bool,
    pub add_ons: Vec<AddOn>,
    pub prefix_lists: Vec<PrefixList>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vxc {
    pub service: Service,
    /// Mbps.
    pub rate: u32,
    pub shutdown: bool,
    pub a: End,
    pub b: End,
    pub cloud: Cloud,
}

/// One end of a VXC.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct End {
    pub product: String,
    /// Outer tag; `None` is untagged.
    pub vlan: Option<u16>,
    pub inner: Option<u16>,
    /// The virtual router's side, when this end is an MCR.
    pub interfaces: Vec<Interface>,
}

/// What the B-end is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "connectType", rename_all = "UPPERCASE")]
pub enum Cloud {
    /// A hosted VIF.
    Aws(AwsVif),
    /// A hosted connection.
    AwsHc(AwsConnection),
    Azure(AzureCircuit),
    /// Another MCR of ours.
    Mcr,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwsVif {
    pub owner: String,
    /// `private` or `public`.
    pub kind: String,
    pub name: String,
    pub asn: u32,
    pub amazon_asn: Option<u32>,
    /// Absent on the order: generated at deployment, given to AWS only (§8.21).
    pub auth_key: Option<Secret>,
    pub customer_address: String,
    pub amazon_address: String,
    pub prefixes: Option<String>,
    /// `dxvif-…` once AWS has it.
    pub vif: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwsConnection {
    pub owner: String,
    pub name: String,
    /// `dxcon-…` once AWS has it.
    pub connection: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AzureCircuit {
    pub service_key: Secret,
    pub port: Port,
    pub bandwidth: u32,
    pub peers: Vec<Peer>,
}

/// A peering ordered with an Azure VXC (§3.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    #[serde(rename = "type")]
    pub kind: String,
    pub peer_asn: u32,
    pub primary_subnet: Option<String>,
    pub secondary_subnet: Option<String>,
    pub prefixes: Option<String>,
    pub shared_key: Option<Secret>,
    pub vlan: u16,
}

fn sub_interface() -> String {
    "subInterface".into()
}
fn default_mtu() -> u32 {
    1500
}
/// Lists are null, missing or `[]` interchangeably (§4.2).
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// An interface of a virtual router (§3.3). What is not here, `bfd` among it, is dropped without an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default = "sub_interface")]
    pub interface_type: String,
    /// Inner tag.
    #[serde(default)]
    pub vlan: Option<i32>,
    #[serde(default = "default_mtu")]
    pub ip_mtu: u32,
    #[serde(default, deserialize_with = "nullable")]
    pub ip_addresses: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub ip_routes: Vec<IpRoute>,
    #[serde(default, deserialize_with = "nullable")]
    pub nat_ip_addresses: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub bgp_connections: Vec<Bgp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_sec_tunnel_options: Option<IpSec>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpRoute {
    pub prefix: String,
    pub next_hop: String,
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpSec {
    pub source_ip_address: String,
    pub destination_ip_address: String,
    pub pre_shared_key: Secret,
    #[serde(default)]
    pub passive: Option<bool>,
    #[serde(default)]
    pub local_id: Option<String>,
    #[serde(default)]
    pub remote_id: Option<String>,
    #[serde(default)]
    pub phase1_lifetime: Option<u32>,
    #[serde(default)]
    pub phase2_lifetime: Option<u32>,
}

/// A BGP session of an interface (§3.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bgp {
    pub peer_asn: u32,
    #[serde(default)]
    pub local_asn: Option<u32>,
    pub local_ip_address: std::net::IpAddr,
    pub peer_ip_address: std::net::IpAddr,
    #[serde(default)]
    pub password: Option<Secret>,
    #[serde(default, deserialize_with = "nullable")]
    pub shutdown: bool,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub bfd_enabled: bool,
    #[serde(default)]
    pub med_in: Option<u32>,
    #[serde(default)]
    pub med_out: Option<u32>,
    #[serde(default)]
    pub as_path_prepend_count: Option<u8>,
    #[serde(default)]
    pub as_override: Option<bool>,
    #[serde(default)]
    pub peer_type: Option<String>,
    #[serde(default)]
    pub export_policy: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub permit_export_to: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub deny_export_to: Vec<String>,
    #[serde(default)]
    pub import_whitelist: Option<u64>,
    #[serde(default)]
    pub import_blacklist: Option<u64>,
    #[serde(default)]
    pub export_whitelist: Option<u64>,
    #[serde(default)]
    pub export_blacklist: Option<u64>,
}

impl Bgp {
    /// IDs of the prefix lists that the session refers to; 0 means none.
    pub fn prefix_lists(&self) -> impl Iterator<Item = u64> {
        [
            self.import_whitelist,
            self.import_blacklist,
            self.export_whitelist,
            self.export_blacklist,
        ]
        .into_iter()
        .flatten()
        .filter(|id| *id != 0)
    }
}

impl Vxc {
    /// Every session of the VXC.
    pub fn sessions(&self) -> impl Iterator<Item = &Bgp> {
        self.a
            .interfaces
            .iter()
            .chain(&self.b.interfaces)
            .flat_map(|i| &i.bgp_connections)
    }
    /// Whether this product is one of its ends.
    pub fn touches(&self, product: &str) -> bool {
        self.a.product == product || self.b.product == product
    }
    /// The MCRs that it ends on.
    pub fn mcrs(&self) -> Vec<String> {
        let mut out = vec![self.a.product.clone()];
        if matches!(self.cloud, Cloud::Mcr) {
            out.push(self.b.product.clone());
        }
        out
    }
}
