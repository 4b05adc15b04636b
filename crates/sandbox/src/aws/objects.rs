//! AWS's objects as data. Rules live beside the operations; wire shapes in the printers.

use crate::time::SimTime;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub type Tags = BTreeMap<String, String>;

/// Life of an EC2 object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    Pending,
    Available,
    /// Being changed (VPN connections only).
    Modifying,
    Deleting,
    Deleted,
}

impl Life {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Modifying => "modifying",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

/// State of a VGW's attachment to a VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachState {
    Attaching,
    Attached,
    Detaching,
    Detached,
}

impl AttachState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Attaching => "attaching",
            Self::Attached => "attached",
            Self::Detaching => "detaching",
            Self::Detached => "detached",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub vpc: String,
    pub state: AttachState,
}

/// A virtual private gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vgw {
    pub id: String,
    pub region: String,
    pub asn: u32,
    pub availability_zone: Option<String>,
    pub state: Life,
    /// Old `detached` entries linger (aws.md §2.8).
    pub attachments: Vec<Attachment>,
    pub tags: Tags,
    /// Direct Connect gateway associations that it ever had: detaching takes minutes then (aws.md §1.6).
    pub associations: Vec<String>,
}

impl Vgw {
    /// The attachment that is not `detached`.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.attachments
            .iter()
            .find(|a| a.state != AttachState::Detached)
    }
    pub fn attached_to(&self) -> Option<&str> {
        self.attachment()
            .filter(|a| a.state == AttachState::Attached)
            .map(|a| a.vpc.as_str())
    }
}

/// A customer gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgw {
    pub id: String,
    pub region: String,
    pub ip: Option<Ipv4Addr>,
    pub asn: u32,
    pub device_name: Option<String>,
    pub certificate_arn: Option<String>,
    pub state: Life,
    pub tags: Tags,
}

/// The options of one tunnel, with every default filled in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelOptions {
    pub inside: Ipv4Net,
    pub pre_shared_key: String,
    pub phase1_lifetime: u32,
    pub phase2_lifetime: u32,
    pub rekey_margin: u32,
    pub rekey_fuzz: u32,
    pub replay_window: u32,
    pub dpd_timeout: u32,
    pub dpd_action: String,
    pub phase1_encryption: Vec<String>,
    pub phase2_encryption: Vec<String>,
    pub phase1_integrity: Vec<String>,
    pub phase2_integrity: Vec<String>,
    pub phase1_dh: Vec<u32>,
    pub phase2_dh: Vec<u32>,
    pub ike_versions: Vec<String>,
    pub startup_action: String,
    pub lifecycle_control: bool,
    pub log_enabled: bool,
    pub log_group_arn: Option<String>,
    pub log_format: Option<String>,
    pub bgp_log_enabled: bool,
    pub bgp_log_group_arn: Option<String>,
    pub bgp_log_format: Option<String>,
}

impl std::fmt::Debug for TunnelOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TunnelOptions")
            .field("inside", &self.inside)
            .field("pre_shared_key", &"***")
            .finish_non_exhaustive()
    }
}

/// One tunnel of a VPN connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    pub outside: Ipv4Addr,
    pub options: TunnelOptions,
    /// Its endpoint is being replaced or changed: it carries nothing.
    pub interrupted: bool,
    /// Last change of its endpoint.
    pub changed_at: SimTime,
    pub last_maintenance: Option<SimTime>,
}

/// In which lists the two tunnels appear the other way round (aws.md §2.4: their order is not stable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swapped {
    pub options: bool,
    pub telemetry: bool,
    pub configuration: bool,
}

/// A Site-to-Site VPN connection on a VGW.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpn {
    pub id: String,
    pub region: String,
    pub cgw: String,
    pub vgw: String,
    pub state: Life,
    pub static_routes_only: bool,
    pub local_cidr: String,
    pub remote_cidr: String,
    /// Pre-shared keys are kept in Secrets Manager and not shown.
    pub keys_in_secrets_manager: bool,
    pub tunnels: Vec<Tunnel>,
    pub swapped: Swapped,
    pub tags: Tags,
}

/// A VPC of the world, with what can be changed in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vpc {
    pub world: super::world::Vpc,
    pub tags: Tags,
    /// Tags of its subnets, route tables and instances.
    pub part_tags: BTreeMap<String, Tags>,
    /// Route table → VGWs that propagate into it.
    pub propagating: BTreeMap<String, std::collections::BTreeSet<String>>,
}

// ---- Direct Connect ----------------------------------------------------------------------------------------------

/// A Direct Connect gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dxgw {
    pub id: String,
    pub name: String,
    pub asn: u32,
    pub state: Life,
    pub error: Option<String>,
    pub tags: Tags,
    /// Associations and VIFs that ever hung on it: what its deletion waits for.
    pub held: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssociationState {
    Associating,
    Associated,
    Updating,
    Disassociating,
    Disassociated,
}

impl AssociationState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Associating => "associating",
            Self::Associated => "associated",
            Self::Updating => "updating",
            Self::Disassociating => "disassociating",
            Self::Disassociated => "disassociated",
        }
    }
}

/// A Direct Connect gateway's association with a VGW.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    pub id: String,
    pub dxgw: String,
    pub vgw: String,
    pub region: String,
    pub state: AssociationState,
    pub prefixes: Vec<Ipv4Net>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VifState {
    Confirming,
    Pending,
    /// Provisioned: shown as `available` or `down`.
    Provisioned,
    Testing,
    Deleting,
    Deleted,
    Rejected,
}

/// A private virtual interface.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vif {
    pub id: String,
    pub owner: String,
    pub name: String,
    /// `private`, `public`, `transit`.
    pub kind: String,
    pub region: String,
    pub location: String,
    pub connection: String,
    /// Allocated by a partner (a hosted VIF) rather than made by the account on its own connection.
    pub hosted: bool,
    pub vlan: u16,
    pub asn: u32,
    /// The ASN of its own that a VIF without a gateway shows.
    pub amazon_asn: Option<u32>,
    pub auth_key: String,
    pub amazon_address: Ipv4Net,
    pub customer_address: Ipv4Net,
    pub mtu: u32,
    pub site_link: bool,
    pub state: VifState,
    pub dxgw: Option<String>,
    pub vgw: Option<String>,
    pub peer: String,
    pub device: String,
    /// Shows `available` even while BGP is down: both are seen after provisioning (aws.md §1.2).
    pub available_without_bgp: bool,
    pub tags: Tags,
}

impl std::fmt::Debug for Vif {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vif")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("auth_key", &"***")
            .finish_non_exhaustive()
    }
}

/// A hosted connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    pub id: String,
    pub owner: String,
    pub name: String,
    pub region: String,
    pub location: String,
    pub vlan: u16,
    pub mbps: u32,
    pub partner: String,
    pub state: ConnectionState,
    pub device: String,
    pub tags: Tags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionState {
    Ordering,
    Pending,
    Available,
    Deleting,
    Deleted,
}

impl ConnectionState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordering => "ordering",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

/// A BGP failover test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverTest {
    pub id: String,
    pub vif: String,
    pub peers: Vec<String>,
    /// `In progress`, `Completed`, `Cancelled` (aws.md §1.7).
    pub status: String,
    pub minutes: u32,
    pub start: SimTime,
    pub end: Option<SimTime>,
}

/// Temporary credentials that STS gave out.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    pub secret: String,
    pub token: String,
    pub principal: String,
    /// `assumed-role/<role>/<session>`.
    pub resource: String,
    /// Wall time in seconds since the epoch.
    pub expires: i64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("resource", &self.resource)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
