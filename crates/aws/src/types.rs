//! Domain types of the AWS side. States are open enums: a word that nobody modelled means "in progress" and is never an
//! error (aws.md §2.4). Keys are [`Secret`]s, so that every `Debug` is safe.

use causeway_model::routes::aws::{RouteTableRow, TunnelRow, VifPeerRow};
use causeway_model::secret::Secret;
use causeway_model::spec::IpsecProfile;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

pub type Tags = BTreeMap<String, String>;

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A word that is not modelled: in progress, as far as we can tell.
            Other(String),
        }
        impl $name {
            /// Reads the provider's word.
            pub fn parse(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
            /// The provider's word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(s) => s,
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// State of a VGW, customer gateway, VPN connection or Direct Connect gateway.
    State {
        Pending = "pending",
        Available = "available",
        Deleting = "deleting",
        /// A tombstone: EC2 lists it for about an hour.
        Deleted = "deleted",
    }
}

states! {
    /// State of an attachment: VGW to VPC, or virtual interface to Direct Connect gateway.
    AttachmentState {
        Attaching = "attaching",
        Attached = "attached",
        Detaching = "detaching",
        /// A tombstone.
        Detached = "detached",
    }
}

states! {
    /// State of a virtual interface (aws.md §1.2).
    VifState {
        /// Waits for our confirmation.
        Confirming = "confirming",
        Verifying = "verifying",
        Pending = "pending",
        /// Can forward; does not prove BGP.
        Available = "available",
        /// BGP is down: a legitimate outcome of the confirmation.
        Down = "down",
        /// A failover test runs: an intentional outage.
        Testing = "testing",
        Deleting = "deleting",
        Deleted = "deleted",
        /// Its owner deleted it while it waited: terminal.
        Rejected = "rejected",
        /// AWS cannot tell: hold the last known state.
        Unknown = "unknown",
    }
}

states! {
    /// State of a Direct Connect gateway association.
    AssociationState {
        Associating = "associating",
        Associated = "associated",
        /// Allowed prefixes are changing; not an outage.
        Updating = "updating",
        Disassociating = "disassociating",
        Disassociated = "disassociated",
    }
}

states! {
    /// State of a hosted connection (aws.md §1.3).
    ConnectionState {
        /// Waits for our confirmation.
        Ordering = "ordering",
        Requested = "requested",
        Pending = "pending",
        Available = "available",
        Down = "down",
        Deleting = "deleting",
        Deleted = "deleted",
        Rejected = "rejected",
        Unknown = "unknown",
    }
}

/// Which objects a list returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// Everything in the region, tombstones included.
    All,
    /// These IDs; unknown ones are simply missing from the answer.
    Ids(Vec<String>),
    /// Objects that carry this tag key, whatever its value.
    TagKey(String),
}

impl Select {
    pub fn id(id: impl Into<String>) -> Self {
        Self::Ids(vec![id.into()])
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    pub id: String,
    /// `pending` or `available`.
    pub state: String,
    /// The IPv4 prefixes that are associated now, the primary one first.
    pub cidrs: Vec<Ipv4Net>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    pub id: String,
    pub vpc_id: String,
    pub routes: Vec<RouteTableRow>,
    pub propagating_vgws: Vec<String>,
    /// Subnets that are associated explicitly; all others use the main table.
    pub subnets: Vec<String>,
    pub main: bool,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnGateway {
    pub id: String,
    pub state: State,
    pub amazon_asn: Option<u32>,
    /// Old `detached` entries linger beside the current one (aws.md §2.8).
    pub attachments: Vec<VpcAttachment>,
    pub tags: Tags,
}

impl VpnGateway {
    /// The attachment to this VPC that counts: one that is not a tombstone, if there is one.
    pub fn attachment(&self, vpc_id: &str) -> Option<&VpcAttachment> {
        let mut of_vpc = self.attachments.iter().filter(|a| a.vpc_id == vpc_id);
        let first = of_vpc.next()?;
        if first.state != AttachmentState::Detached {
            return Some(first);
        }
        of_vpc
            .find(|a| a.state != AttachmentState::Detached)
            .or(Some(first))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcAttachment {
    pub vpc_id: String,
    pub state: AttachmentState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerGateway {
    pub id: String,
    pub state: State,
    pub ip_address: Option<String>,
    pub bgp_asn: Option<u32>,
    pub device_name: Option<String>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnConnection {
    pub id: String,
    pub state: State,
    pub customer_gateway_id: String,
    pub vpn_gateway_id: Option<String>,
    pub static_routes_only: bool,
    /// Ordered by inside CIDR, never by AWS's order, which changes (aws.md §2.4). Look them up with
    /// [`VpnConnection::tunnel`].
    pub tunnels: Vec<Tunnel>,
    pub tags: Tags,
}

impl VpnConnection {
    /// The tunnel with this inside CIDR.
    pub fn tunnel(&self, inside: Ipv4Net) -> Option<&Tunnel> {
        self.tunnels.iter().find(|t| {
            t.health
                .inside_cidr
                .parse::<Ipv4Net>()
                .is_ok_and(|n| n.trunc() == inside.trunc())
        })
    }
}

/// Options and telemetry of one tunnel, joined by its outside address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Outside address, inside CIDR, status.
    pub health: TunnelRow,
    pub policy: TunnelPolicy,
    pub dpd_timeout_seconds: Option<u32>,
    pub startup_action: Option<String>,
    pub pre_shared_key: Option<Secret>,
}

/// What a tunnel may negotiate, in AWS's words. Lists are sorted. Empty in a read: AWS did not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TunnelPolicy {
    pub phase1_encryption: Vec<String>,
    pub phase1_integrity: Vec<String>,
    pub phase1_dh_groups: Vec<u32>,
    pub phase1_lifetime_seconds: Option<u32>,
    pub phase2_encryption: Vec<String>,
    pub phase2_integrity: Vec<String>,
    pub phase2_dh_groups: Vec<u32>,
    /// 900 to 3600, and less than phase 1.
    pub phase2_lifetime_seconds: Option<u32>,
    pub ike_versions: Vec<String>,
}

impl TunnelPolicy {
    /// Exactly what a profile names, for the AWS side. Says which word AWS has no counterpart for.
    pub fn of(profile: &IpsecProfile) -> Result<Self, String> {
        let encryption = |word: &str| match word {
            "AES128" | "AES256" => Ok(word.to_owned()),
            "GCMAES128" => Ok("AES128-GCM-16".to_owned()),
            "GCMAES256" => Ok("AES256-GCM-16".to_owned()),
            other => Err(format!(
                "AWS has no encryption {other}: use AES128, AES256, GCMAES128 or GCMAES256"
            )),
        };
        let integrity = |word: &str| match word {
            "SHA1" => Ok("SHA1".to_owned()),
            // GCM brings its own integrity; AWS wants a list nevertheless and does not use it.
            "SHA256" | "GCMAES128" | "GCMAES256" => Ok("SHA2-256".to_owned()),
            "SHA384" => Ok("SHA2-384".to_owned()),
            other => Err(format!(
                "AWS has no integrity {other}: use SHA1, SHA256 or SHA384"
            )),
        };
        let group = |word: &str| match word {
            "DHGroup2" | "PFS2" => Ok(2),
            "DHGroup14" | "DHGroup2048" | "PFS14" | "PFS2048" => Ok(14),
            "ECP256" => Ok(19),
            "ECP384" => Ok(20),
            "DHGroup24" | "PFS24" => Ok(24),
            other => Err(format!(
                "AWS has no Diffie-Hellman group {other} (and insists on PFS): use group 2, 14, 24, ECP256 or ECP384"
            )),
        };
        Ok(Self {
            phase1_encryption: vec![encryption(&profile.ike_encryption)?],
            phase1_integrity: vec![integrity(&profile.ike_integrity)?],
            phase1_dh_groups: vec![group(&profile.dh_group)?],
            phase1_lifetime_seconds: Some(28800),
            phase2_encryption: vec![encryption(&profile.esp_encryption)?],
            phase2_integrity: vec![integrity(&profile.esp_integrity)?],
            phase2_dh_groups: vec![group(&profile.pfs_group)?],
            phase2_lifetime_seconds: Some(profile.lifetime_seconds),
            ike_versions: vec!["ikev2".to_owned()],
        })
    }
}

/// Options of a tunnel to be made or changed. AWS initiates (`StartupAction` start), because Azure only listens on APIPA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelOptions {
    /// A /30 out of 169.254.0.0/16; AWS takes the first host.
    pub inside_cidr: Ipv4Net,
    /// 8 to 64 of `A-Z a-z 0-9 . _`, not starting with 0.
    pub pre_shared_key: Secret,
    pub policy: TunnelPolicy,
    /// At least 30.
    pub dpd_timeout_seconds: u32,
}

/// A changed tunnel: only what is given is sent. The tunnel drops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TunnelChange {
    pub pre_shared_key: Option<Secret>,
    pub policy: Option<TunnelPolicy>,
    pub dpd_timeout_seconds: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVpnConnection {
    pub customer_gateway_id: String,
    pub vpn_gateway_id: String,
    /// Exactly two: with one, AWS leaves the second tunnel on permissive defaults and a random key (aws.md §2.3).
    pub tunnels: [TunnelOptions; 2],
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomerGateway {
    pub ip_address: Ipv4Addr,
    pub bgp_asn: u32,
    /// Unique per object of ours: an identical request returns somebody's existing gateway (aws.md §2.2).
    pub device_name: String,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vif {
    pub id: String,
    pub name: String,
    pub state: VifState,
    /// `private`, `public`, `transit`.
    pub kind: String,
    pub region: Option<String>,
    pub owner_account: Option<String>,
    /// The partner's for a hosted interface.
    pub connection_id: Option<String>,
    pub location: Option<String>,
    pub vlan: u32,
    /// The customer's ASN (`asnLong` first: the legacy field is 0 for 4-byte ASNs).
    pub asn: u32,
    pub amazon_asn: Option<u32>,
    pub amazon_address: Option<String>,
    pub customer_address: Option<String>,
    pub mtu: Option<u32>,
    pub dx_gateway_id: Option<String>,
    pub vpn_gateway_id: Option<String>,
    pub peers: Vec<VifPeerRow>,
    pub auth_key: Option<Secret>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DxGateway {
    pub id: String,
    pub name: String,
    pub state: State,
    pub amazon_asn: Option<u32>,
    pub owner_account: Option<String>,
    /// The only place where a failed change is explained.
    pub state_change_error: Option<String>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DxAssociation {
    pub id: String,
    pub dx_gateway_id: String,
    /// VGW or transit gateway.
    pub gateway_id: String,
    pub state: AssociationState,
    pub allowed_prefixes: Vec<Ipv4Net>,
    pub state_change_error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DxAttachment {
    pub dx_gateway_id: String,
    pub vif_id: String,
    pub state: AttachmentState,
    pub region: Option<String>,
    pub owner_account: Option<String>,
    pub state_change_error: Option<String>,
}

/// Selector of associations: AWS insists on one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssociationOf {
    DxGateway(String),
    Gateway(String),
    Id(String),
}

/// Selector of attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentOf {
    DxGateway(String),
    Vif(String),
}

/// A connection that a partner delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedConnection {
    pub id: String,
    pub name: String,
    pub state: ConnectionState,
    pub vlan: u32,
    /// `50Mbps`, `1Gbps`.
    pub bandwidth: Option<String>,
    pub location: Option<String>,
    pub partner: Option<String>,
    pub tags: Tags,
}

/// A private virtual interface on a hosted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrivateVif {
    pub connection_id: String,
    pub name: String,
    /// The partner's VLAN.
    pub vlan: u32,
    pub asn: u32,
    /// 6 to 80 characters.
    pub auth_key: Option<Secret>,
    pub amazon_address: Option<String>,
    pub customer_address: Option<String>,
    /// 1500 or 8500.
    pub mtu: u32,
    pub dx_gateway_id: String,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DxLocation {
    pub code: String,
    pub name: String,
    pub region: Option<String>,
}

/// Who the credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

/// The ARN of a virtual interface, for tagging.
pub fn vif_arn(region: &str, account: &str, vif_id: &str) -> String {
    format!("arn:aws:directconnect:{region}:{account}:dxvif/{vif_id}")
}

/// The ARN of a connection, whoever made it.
pub fn connection_arn(region: &str, account: &str, connection_id: &str) -> String {
    format!("arn:aws:directconnect:{region}:{account}:dxcon/{connection_id}")
}

/// The ARN of a Direct Connect gateway: it has no region (aws.md §1.4).
pub fn dx_gateway_arn(account: &str, id: &str) -> String {
    format!("arn:aws:directconnect::{account}:dx-gateway/{id}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests
    use super::*;

    #[test]
    fn unknown_words_are_kept_and_mean_in_progress() {
        assert_eq!(
            State::parse("modifying"),
            State::Other("modifying".to_owned())
        );
        assert_eq!(VifState::parse("testing"), VifState::Testing);
        assert_eq!(AssociationState::parse("updating").to_string(), "updating");
    }

    #[test]
    fn profiles_translate_word_by_word() {
        let cbc = TunnelPolicy::of(&IpsecProfile::cbc()).unwrap();
        assert_eq!(cbc.phase2_encryption, ["AES256"]);
        assert_eq!(cbc.phase2_dh_groups, [14]);
        assert_eq!(cbc.phase1_integrity, ["SHA2-256"]);
        let gcm = TunnelPolicy::of(&IpsecProfile::gcm()).unwrap();
        assert_eq!(gcm.phase2_encryption, ["AES256-GCM-16"]);
        let no_pfs = IpsecProfile {
            pfs_group: "None".to_owned(),
            ..IpsecProfile::gcm()
        };
        assert!(TunnelPolicy::of(&no_pfs).unwrap_err().contains("PFS"));
    }

    #[test]
    fn the_attachment_that_counts_is_not_a_tombstone() {
        let at = |state| VpcAttachment {
            vpc_id: "vpc-1".to_owned(),
            state,
        };
        let vgw = VpnGateway {
            id: "vgw-1".to_owned(),
            state: State::Available,
            amazon_asn: None,
            attachments: vec![at(AttachmentState::Detached), at(AttachmentState::Attached)],
            tags: Tags::new(),
        };
        assert_eq!(
            vgw.attachment("vpc-1").unwrap().state,
            AttachmentState::Attached
        );
        assert!(vgw.attachment("vpc-2").is_none());
    }
}
