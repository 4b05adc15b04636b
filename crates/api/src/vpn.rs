//! `VpnPair`: the active/active VPN gateway and its four IPsec tunnels to AWS.
//!
//! Facts from azure.md §3.3, §4.2, §4.4 and aws.md §4, §6.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::AwsAccount;
use crate::azure::LinkAzure;
use crate::common::{
    AzureGatewayRef, LinkRouteContract, Policy, SecretKeyRef, VirtualNetworkRef,
    VirtualPrivateGatewayRef,
};
use crate::rules;
use crate::status::{CommonStatus, SessionCount, State};

/// SKU of a VPN gateway. The SKUs without AZ, and Basic, are refused: Azure makes none of them any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum VpnGatewaySku {
    /// About 650 Mbps; Generation1 only.
    VpnGw1AZ,
    /// About 1 Gbps.
    #[default]
    VpnGw2AZ,
    /// About 1.25 Gbps (Generation1) or 2.5 Gbps (Generation2).
    VpnGw3AZ,
    /// About 5 Gbps; Generation2 only.
    VpnGw4AZ,
    /// About 10 Gbps; Generation2 only.
    VpnGw5AZ,
}

impl VpnGatewaySku {
    /// The name that Azure uses for `sku.name` and `sku.tier`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VpnGw1AZ => "VpnGw1AZ",
            Self::VpnGw2AZ => "VpnGw2AZ",
            Self::VpnGw3AZ => "VpnGw3AZ",
            Self::VpnGw4AZ => "VpnGw4AZ",
            Self::VpnGw5AZ => "VpnGw5AZ",
        }
    }
}

/// Hardware generation of a VPN gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum VpnGatewayGeneration {
    /// SKUs VpnGw2AZ to VpnGw5AZ.
    #[default]
    Generation2,
    /// SKUs VpnGw1AZ to VpnGw3AZ.
    Generation1,
}

impl VpnGatewayGeneration {
    /// The name that Azure uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generation1 => "Generation1",
            Self::Generation2 => "Generation2",
        }
    }
}

/// An active/active VPN gateway with two public IP addresses that Causeway makes, changes and deletes. Takes 30 to 45
/// minutes to make and costs money by the hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_optional("name", "Azure cannot rename a gateway; make a new one"),
    validation = rules::immutable("generation", "Azure cannot change the generation of a gateway; make a new one"),
    validation = rules::immutable_block("asn", "the customer gateways in AWS carry this ASN and cannot change it; make a new one"),
    validation = rules::immutable_block("publicIPZones", "Azure cannot move a public IP address between zones; make a new one"),
    validation = rules::rule(
        "self.generation == 'Generation1' ? self.sku in ['VpnGw1AZ', 'VpnGw2AZ', 'VpnGw3AZ'] : self.sku != 'VpnGw1AZ'",
        "this SKU does not exist in this generation: VpnGw1AZ needs Generation1, VpnGw4AZ and VpnGw5AZ need Generation2"
    ).field_path(".sku"),
    validation = rules::adopt_id()
)]
pub struct VpnGateway {
    /// Name of the gateway in Azure, up to 80 characters. Default: the resource's name. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9_])?$")
    )]
    pub name: Option<String>,
    /// SKU of the gateway: VpnGw1AZ, VpnGw2AZ (default), VpnGw3AZ, VpnGw4AZ or VpnGw5AZ. Can be changed within the
    /// generation; a change takes about 45 minutes.
    #[serde(default)]
    #[schemars(with = "String", length(max = 32))]
    #[x_kube(validation = rules::vpn_sku())]
    pub sku: VpnGatewaySku,
    /// Generation2 (default) or Generation1. Cannot be changed.
    #[serde(default)]
    pub generation: VpnGatewayGeneration,
    /// ASN of the gateway. Default 65515, and it must be 65515 where the virtual network has an ExpressRoute gateway.
    /// Otherwise 1 to 4294967294, none of the reserved ones. Cannot be changed.
    #[serde(default = "default_asn")]
    #[schemars(range(min = 1, max = 4_294_967_294_i64))]
    #[x_kube(validation = rules::vpn_gateway_asn())]
    pub asn: i64,
    /// Availability zones of the public IP addresses. Default all three; empty for a location without zones. Cannot be
    /// changed.
    #[serde(default = "all_zones", rename = "publicIPZones")]
    #[schemars(length(max = 3), inner(length(max = 1), regex(pattern = r"^[123]$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub public_ip_zones: Vec<String>,
    /// Azure resource ID of an existing VPN gateway to take over. From then on it is changed and deleted like one that
    /// Causeway made. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+$")
    )]
    pub adopt_id: Option<String>,
}

impl Default for VpnGateway {
    fn default() -> Self {
        Self {
            name: None,
            sku: VpnGatewaySku::default(),
            generation: VpnGatewayGeneration::default(),
            asn: default_asn(),
            public_ip_zones: all_zones(),
            adopt_id: None,
        }
    }
}

const fn default_asn() -> i64 {
    65515
}

fn all_zones() -> Vec<String> {
    ["1", "2", "3"].map(str::to_owned).to_vec()
}

/// One of the four tunnels: gateway instance 0 or 1, and tunnel 1 or 2 of its VPN connection in AWS.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum TunnelName {
    /// Gateway instance 0, tunnel 1.
    #[default]
    #[serde(rename = "instance0-tunnel1")]
    Instance0Tunnel1,
    /// Gateway instance 0, tunnel 2.
    #[serde(rename = "instance0-tunnel2")]
    Instance0Tunnel2,
    /// Gateway instance 1, tunnel 1.
    #[serde(rename = "instance1-tunnel1")]
    Instance1Tunnel1,
    /// Gateway instance 1, tunnel 2.
    #[serde(rename = "instance1-tunnel2")]
    Instance1Tunnel2,
}

impl TunnelName {
    /// All four, in order.
    pub const ALL: [Self; 4] = [
        Self::Instance0Tunnel1,
        Self::Instance0Tunnel2,
        Self::Instance1Tunnel1,
        Self::Instance1Tunnel2,
    ];

    /// The name in the spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance0Tunnel1 => "instance0-tunnel1",
            Self::Instance0Tunnel2 => "instance0-tunnel2",
            Self::Instance1Tunnel1 => "instance1-tunnel1",
            Self::Instance1Tunnel2 => "instance1-tunnel2",
        }
    }

    /// The gateway instance, 0 or 1.
    pub const fn instance(self) -> u8 {
        match self {
            Self::Instance0Tunnel1 | Self::Instance0Tunnel2 => 0,
            Self::Instance1Tunnel1 | Self::Instance1Tunnel2 => 1,
        }
    }

    /// The tunnel of the instance's VPN connection, 1 or 2.
    pub const fn tunnel(self) -> u8 {
        match self {
            Self::Instance0Tunnel1 | Self::Instance1Tunnel1 => 1,
            Self::Instance0Tunnel2 | Self::Instance1Tunnel2 => 2,
        }
    }
}

/// Addresses and key of one tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tunnel {
    /// instance0-tunnel1, instance0-tunnel2, instance1-tunnel1 or instance1-tunnel2, unique in the list.
    pub name: TunnelName,
    /// IPv4 /30 inside the tunnel, within 169.254.21.0-169.254.22.255. AWS takes the first host, Azure the second. Default:
    /// a free one is chosen once and kept in status. Cannot be changed.
    #[serde(
        default,
        rename = "insideCIDR",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 43))]
    #[x_kube(
        validation = rules::cidr_format(),
        validation = rules::cidr_canonical(),
        validation = rules::slash_30(),
        validation = rules::azure_apipa()
    )]
    pub inside_cidr: Option<String>,
    /// Key of a Secret that holds the pre-shared key: 8 to 64 letters, digits, dots and underscores, not starting with 0.
    /// Default: a key is generated into the pair's own Secret. Can be changed; the tunnel is interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_shared_key_secret_ref: Option<SecretKeyRef>,
}

/// Which algorithms the tunnels use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum IpsecProfile {
    /// AES256 with SHA256, DHGroup14, PFS2048: works everywhere.
    #[default]
    CBC,
    /// GCMAES256 with PFS: faster, less proven between these two clouds; a warning Event says so.
    GCM,
    /// What ipsec.custom says.
    Custom,
}

/// Encryption that both clouds know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Encryption {
    /// AES-CBC, 256 bit.
    #[default]
    AES256,
    /// AES-CBC, 128 bit.
    AES128,
    /// AES-GCM, 256 bit.
    GCMAES256,
    /// AES-GCM, 128 bit.
    GCMAES128,
}

/// Integrity of phase 1 that both clouds know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum IkeIntegrity {
    /// SHA2-256.
    #[default]
    SHA256,
    /// SHA2-384.
    SHA384,
}

/// Integrity of phase 2 that both clouds know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EspIntegrity {
    /// SHA2-256.
    #[default]
    SHA256,
    /// Part of AES-GCM, 256 bit.
    GCMAES256,
    /// Part of AES-GCM, 128 bit.
    GCMAES128,
}

/// Diffie-Hellman group of phase 1 that both clouds know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DhGroup {
    /// Group 14, 2048 bit.
    #[default]
    DHGroup14,
    /// Group 19.
    ECP256,
    /// Group 20.
    ECP384,
    /// Group 24.
    DHGroup24,
}

/// Perfect forward secrecy of phase 2 that both clouds know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PfsGroup {
    /// Group 14, 2048 bit.
    #[default]
    PFS2048,
    /// Group 19.
    ECP256,
    /// Group 20.
    ECP384,
    /// Group 24.
    PFS24,
    /// No PFS; always refused, since AWS ends such a tunnel at its first rekey.
    None,
}

/// Phase 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IkePolicy {
    /// AES256 (default), AES128, GCMAES256 or GCMAES128. Can be changed; the tunnels are interrupted for some seconds.
    #[serde(default)]
    pub encryption: Encryption,
    /// SHA256 (default) or SHA384. Can be changed; the tunnels are interrupted for some seconds.
    #[serde(default)]
    pub integrity: IkeIntegrity,
    /// DHGroup14 (default), ECP256, ECP384 or DHGroup24. Can be changed; the tunnels are interrupted for some seconds.
    #[serde(default)]
    pub dh_group: DhGroup,
}

/// Phase 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::rule(
        "!(self.encryption.startsWith('GCM') || self.integrity.startsWith('GCM')) || self.encryption == self.integrity",
        "Azure takes GCM only for both encryption and integrity, with the same key length: set both to GCMAES256 or both to \
         GCMAES128"
    ).field_path(".integrity"),
    validation = rules::rule(
        "self.pfsGroup != 'None' || !self.encryption.startsWith('GCM')",
        "GCM without PFS dies at the first rekey, because AWS insists on PFS: set pfsGroup to PFS2048 or ECP384"
    ).field_path(".pfsGroup"),
    validation = rules::rule(
        "self.pfsGroup != 'None' || self.encryption.startsWith('GCM')",
        "AWS rekeys phase 2 only with PFS: set pfsGroup to PFS2048 or ECP384"
    ).field_path(".pfsGroup")
)]
pub struct EspPolicy {
    /// AES256 (default), AES128, GCMAES256 or GCMAES128. Can be changed; the tunnels are interrupted for some seconds.
    #[serde(default)]
    pub encryption: Encryption,
    /// SHA256 (default), or with GCM the same as encryption. Can be changed; the tunnels are interrupted for some seconds.
    #[serde(default)]
    pub integrity: EspIntegrity,
    /// PFS2048 (default), ECP256, ECP384 or PFS24. None is refused. Can be changed; the tunnels are interrupted for
    /// some seconds.
    #[serde(default)]
    pub pfs_group: PfsGroup,
    /// Lifetime of a phase 2 key in seconds, 900 to 3600. Default 3600. Can be changed; it holds from the next key
    /// on.
    #[serde(default = "default_lifetime")]
    #[schemars(range(min = 900, max = 3600))]
    pub lifetime_seconds: i64,
}

impl Default for EspPolicy {
    fn default() -> Self {
        Self {
            encryption: Encryption::default(),
            integrity: EspIntegrity::default(),
            pfs_group: PfsGroup::default(),
            lifetime_seconds: default_lifetime(),
        }
    }
}

const fn default_lifetime() -> i64 {
    3600
}

/// Algorithms of both phases, named as Azure names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomIpsec {
    /// Phase 1 (IKE).
    #[serde(default)]
    pub ike: IkePolicy,
    /// Phase 2 (ESP).
    #[serde(default)]
    pub esp: EspPolicy,
}

/// Algorithms of the tunnels; both clouds get the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::rule(
    "(self.profile == 'Custom') == has(self.custom)",
    "custom belongs to the profile Custom: set profile to Custom and fill custom, or remove custom"
))]
pub struct Ipsec {
    /// CBC (default): AES256, SHA256, PFS2048. GCM: GCMAES256 with PFS, which warns. Custom: what custom says. Can be changed
    /// at any time; each tunnel is interrupted for some seconds, one after the other.
    #[serde(default)]
    pub profile: IpsecProfile,
    /// Algorithms of the profile Custom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomIpsec>,
}

/// What a parent's entry and a VpnPair have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::rule(
        "!has(self.tunnels) || self.tunnels.all(t, !has(t.insideCIDR) || self.tunnels.exists_one(u, has(u.insideCIDR) && u.insideCIDR == t.insideCIDR))",
        "two tunnels have the same insideCIDR: each of the four tunnels needs a /30 of its own"
    ).field_path(".tunnels"),
    validation = rules::transition(
        "(!has(self.tunnels) || self.tunnels.all(t, !has(t.insideCIDR) || (has(oldSelf.tunnels) && \
         oldSelf.tunnels.exists(o, o.name == t.name && has(o.insideCIDR) && o.insideCIDR == t.insideCIDR)))) && \
         (!has(oldSelf.tunnels) || oldSelf.tunnels.all(o, !has(o.insideCIDR) || (has(self.tunnels) && \
         self.tunnels.exists(t, t.name == o.name && has(t.insideCIDR) && t.insideCIDR == o.insideCIDR))))",
        "insideCIDR of a tunnel cannot be changed, added or removed: the gateways of both clouds carry the addresses; make a \
         new VpnPair (or remove vpn from the interconnect and add it again)"
    ).field_path(".tunnels")
)]
pub struct VpnSettings {
    /// How many of an instance's two tunnels carry BGP: 1 (default) uses tunnel 1 and keeps tunnel 2 up without BGP; 2 uses
    /// both. Can be changed; the gateway is updated.
    #[serde(default = "one_tunnel")]
    #[schemars(range(min = 1, max = 2))]
    pub bgp_tunnels_per_instance: i64,
    /// Addresses and keys of the four tunnels. What is not given is chosen once and kept in status (addresses) and in the
    /// pair's own Secret (keys). Keys can be changed, addresses cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tunnels: Vec<Tunnel>,
    /// Algorithms of the tunnels.
    #[serde(default)]
    pub ipsec: Ipsec,
    /// Dead peer detection in seconds, 30 to 3600; both clouds get it. Default 45. Can be changed; the tunnels are
    /// interrupted for some seconds.
    #[serde(default = "default_dpd")]
    #[schemars(range(min = 30, max = 3600))]
    pub dpd_timeout_seconds: i64,
}

impl Default for VpnSettings {
    fn default() -> Self {
        Self {
            bgp_tunnels_per_instance: one_tunnel(),
            tunnels: Vec::new(),
            ipsec: Ipsec::default(),
            dpd_timeout_seconds: default_dpd(),
        }
    }
}

const fn one_tunnel() -> i64 {
    1
}

const fn default_dpd() -> i64 {
    45
}

/// Two IPsec VPN connections between an active/active Azure VPN gateway and a virtual private gateway in AWS.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "causeway.dev",
    version = "v1alpha1",
    kind = "VpnPair",
    namespaced,
    status = "VpnPairStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "vpnp",
    category = "causeway",
    cel,
    doc = "Two IPsec VPN connections between an active/active Azure VPN gateway and a virtual private gateway in AWS: four tunnels, the backup path.",
    validation = rules::name_length(63),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether everything holds for this generation"),
    printcolumn(name = "Provisioned", type_ = "string", json_path = r#".status.conditions[?(@.type=="Provisioned")].status"#, description = "Whether every cloud object exists and matches"),
    printcolumn(name = "BGP", type_ = "string", json_path = ".status.bgp.summary", description = "BGP sessions up / expected"),
    printcolumn(name = "Gateway", type_ = "string", json_path = ".status.gatewayState", description = "State of the VPN gateway in Azure"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Why it is not Ready", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Since when the resource exists")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::managed_xor_ref("gateway", "gatewayRef"),
    validation = rules::fixed_choice("gateway", "gatewayRef", "a pair stays with its gateway; make a new VpnPair"),
    validation = rules::immutable_block("virtualNetworkRef", "a gateway cannot move; make a new VpnPair for the other virtual network"),
    validation = rules::fixed_reference("virtualPrivateGatewayRef", "the VPN connections cannot move; make a new VpnPair for the other gateway")
)]
pub struct VpnPairSpec {
    /// How Causeway treats the cloud objects of this pair.
    #[serde(flatten)]
    pub policy: Policy,
    /// The Azure side: subscription, resource group, location, credentials, tags, vantages.
    pub azure: LinkAzure,
    /// The AWS side: region, account, credentials, tags.
    pub aws: AwsAccount,
    /// The virtual network with the subnet GatewaySubnet. Cannot be changed.
    pub virtual_network_ref: VirtualNetworkRef,
    /// The virtual private gateway of the VPC, attached to it. Cannot be changed, except to hybridInterconnect when an
    /// interconnect takes the pair over.
    pub virtual_private_gateway_ref: VirtualPrivateGatewayRef,
    /// A VPN gateway to make. Either this or gatewayRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<VpnGateway>,
    /// An active/active VPN gateway that exists already, with the APIPA addresses that the tunnels need. Either this or
    /// gateway. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<AzureGatewayRef>,
    /// Tunnels and their algorithms.
    #[serde(flatten)]
    pub settings: VpnSettings,
    /// What each side must see over this pair. Default: no contract, unless a HybridInterconnect gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<LinkRouteContract>,
}

/// One tunnel as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TunnelStatus {
    /// instance0-tunnel1, instance0-tunnel2, instance1-tunnel1 or instance1-tunnel2.
    pub name: TunnelName,
    /// IPv4 /30 inside the tunnel: given, or chosen once. AWS has the first host, Azure the second.
    #[serde(
        default,
        rename = "insideCIDR",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 18))]
    pub inside_cidr: Option<String>,
    /// Public address of the AWS side.
    #[serde(
        default,
        rename = "outsideAddress",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 45))]
    pub outside_address: Option<String>,
    /// Whether IPsec is up.
    #[serde(default)]
    pub ipsec: State,
    /// Whether BGP is up.
    #[serde(default)]
    pub bgp: State,
    /// Whether BGP is expected on this tunnel; a session that is not expected does not count.
    #[serde(default)]
    pub bgp_expected: bool,
    /// What the provider says about the tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
}

/// What is known about a VpnPair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpnPairStatus {
    /// What every kind shows.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// BGP sessions up and expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp: Option<SessionCount>,
    /// provisioningState of the VPN gateway, as Azure says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub gateway_state: Option<String>,
    /// The tunnels, with the addresses that were chosen once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tunnels: Vec<TunnelStatus>,
}
