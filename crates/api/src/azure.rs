//! The Azure side: account, gateways, circuit and peering.
//!
//! Shapes shared by HybridInterconnect, ExpressRouteLink and VpnPair. Names follow Azure Resource Manager; what can be
//! changed in place comes from azure.md §2.2, §3.2 and §3.3.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{SecretKeyRef, SecretRef, Toggle, VirtualNetworkRef};
use crate::rules;

/// Where in Azure the objects are made, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable("subscriptionID", "cloud objects cannot move; make a new resource for the other subscription"),
    validation = rules::immutable("resourceGroup", "cloud objects are not moved; make a new resource for the other resource group"),
    validation = rules::immutable("location", "cloud objects cannot move; make a new resource for the other location")
)]
pub struct AzureAccount {
    /// ID of the Azure subscription, a UUID. Cannot be changed.
    #[serde(rename = "subscriptionID")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub subscription_id: String,
    /// Resource group for all objects that are made. It must exist. Cannot be changed.
    #[schemars(length(min = 1, max = 90), regex(pattern = r"^[-\w.()]*[-\w()]$"))]
    pub resource_group: String,
    /// Azure region of all objects that are made, in its short form, for example eastus2. Cannot be changed.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9]+$"))]
    pub location: String,
    /// Secret with the keys tenantID, clientID and clientSecret of a service principal. Default: the identity that the
    /// platform gives to the operator. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// Tags for every Azure object that is made, beside those that mark ownership. Up to 40; names up to 512 and values
    /// up to 256 characters. Can be changed at any time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::tags")]
    pub tags: BTreeMap<String, String>,
}

/// A network interface whose effective routes are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedNetworkInterface {
    /// Name of the network interface. It must belong to a running virtual machine, or Azure cannot tell its routes.
    /// Entries can be added and removed.
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9_])?$")
    )]
    pub name: String,
    /// Its resource group. Default: azure.resourceGroup. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 90), regex(pattern = r"^[-\w.()]*[-\w()]$"))]
    pub resource_group: Option<String>,
}

/// The Azure side of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkAzure {
    /// Subscription, resource group, location, credentials and tags.
    #[serde(flatten)]
    pub account: AzureAccount,
    /// Network interfaces whose effective routes tell what the virtual machines really use. Up to 16. Default none. Can
    /// be changed at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub observed_network_interfaces: Vec<ObservedNetworkInterface>,
}

/// SKU of an ExpressRoute gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExpressRouteGatewaySku {
    /// Zone-redundant, up to 4 circuits, about 1 Gbps.
    #[default]
    ErGw1AZ,
    /// Zone-redundant, up to 8 circuits, about 2 Gbps.
    ErGw2AZ,
    /// Zone-redundant, up to 16 circuits, about 10 Gbps.
    ErGw3AZ,
    /// One zone, up to 4 circuits.
    Standard,
    /// One zone, up to 8 circuits.
    HighPerformance,
    /// One zone, up to 16 circuits.
    UltraPerformance,
}

impl ExpressRouteGatewaySku {
    /// The name that Azure uses for `sku.name` and `sku.tier`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ErGw1AZ => "ErGw1AZ",
            Self::ErGw2AZ => "ErGw2AZ",
            Self::ErGw3AZ => "ErGw3AZ",
            Self::Standard => "Standard",
            Self::HighPerformance => "HighPerformance",
            Self::UltraPerformance => "UltraPerformance",
        }
    }
}

/// An ExpressRoute gateway that Causeway makes, changes and deletes. Takes about 30 minutes to make and costs money by
/// the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_optional("name", "Azure cannot rename a gateway; delete it (remove expressRouteGateway and its circuits) and make it anew"),
    validation = rules::adopt_id(),
    validation = rules::transition(
        "self.sku == oldSelf.sku || (oldSelf.sku + '>' + self.sku) in ['ErGw1AZ>ErGw2AZ', 'ErGw1AZ>ErGw3AZ', 'ErGw2AZ>ErGw3AZ', \
         'ErGw2AZ>ErGw1AZ', 'Standard>HighPerformance', 'Standard>UltraPerformance', 'HighPerformance>UltraPerformance', \
         'HighPerformance>Standard']",
        "Azure cannot change between these gateway SKUs in place: it goes up within a family (ErGw1AZ, ErGw2AZ, ErGw3AZ; \
         or Standard, HighPerformance, UltraPerformance) and down only ErGw2AZ to ErGw1AZ and HighPerformance to Standard"
    ).field_path(".sku")
)]
pub struct ExpressRouteGateway {
    /// Name of the gateway in Azure, up to 80 characters. Default: the resource's name with -ergw. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9_])?$")
    )]
    pub name: Option<String>,
    /// SKU of the gateway: throughput, number of circuits and price. Default ErGw1AZ. Can go up within its family, and
    /// down by one step only from ErGw2AZ and HighPerformance.
    #[serde(default)]
    pub sku: ExpressRouteGatewaySku,
    /// Azure resource ID of an existing ExpressRoute gateway to take over. From then on it is changed and deleted like
    /// one that Causeway made. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+$")
    )]
    pub adopt_id: Option<String>,
}

/// Tier of a circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CircuitTier {
    /// Virtual networks of the same geopolitical region.
    #[default]
    Standard,
    /// Virtual networks of every region, and 10000 instead of 4000 prefixes.
    Premium,
    /// Only Azure regions near the peering location; always with unlimited data.
    Local,
}

impl CircuitTier {
    /// The name that Azure uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Premium => "Premium",
            Self::Local => "Local",
        }
    }
}

/// How outbound data is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CircuitFamily {
    /// By volume.
    #[default]
    MeteredData,
    /// By a flat price.
    UnlimitedData,
}

impl CircuitFamily {
    /// The name that Azure uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MeteredData => "MeteredData",
            Self::UnlimitedData => "UnlimitedData",
        }
    }
}

/// SKU of a circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::rule(
        "self.tier != 'Local' || self.family == 'UnlimitedData'",
        "a Local circuit is sold with unlimited data only: set sku.family to UnlimitedData, or use the tier Standard"
    ),
    validation = rules::transition(
        "!(oldSelf.family == 'UnlimitedData' && self.family == 'MeteredData')",
        "Azure does not change a circuit from UnlimitedData to MeteredData: keep UnlimitedData, or make a new link"
    ).field_path(".family"),
    validation = rules::transition(
        "self.tier == oldSelf.tier || self.tier != 'Local'",
        "Azure does not change a circuit to the tier Local: keep its tier, or make a new link"
    ).field_path(".tier")
)]
pub struct CircuitSku {
    /// Standard (default), Premium (every region, more prefixes) or Local (nearby regions only). Standard and Premium can
    /// be exchanged; Local can only be left.
    #[serde(default)]
    pub tier: CircuitTier,
    /// MeteredData (default) or UnlimitedData. Can go from MeteredData to UnlimitedData, not back.
    #[serde(default)]
    pub family: CircuitFamily,
}

/// An ExpressRoute circuit that Causeway makes, changes and deletes. Billing starts when it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_optional("name", "Azure cannot rename a circuit; make a new link with the other name"),
    validation = rules::immutable("serviceProviderName", "a circuit stays with its provider; make a new link"),
    validation = rules::immutable("peeringLocation", "a circuit cannot move; make a new link at the other location"),
    validation = rules::transition(
        "self.bandwidthMbps >= oldSelf.bandwidthMbps",
        "Azure raises the bandwidth of a circuit but never lowers it: keep it, or make a new link with the lower bandwidth"
    ).field_path(".bandwidthMbps"),
    validation = rules::adopt_id()
)]
pub struct Circuit {
    /// Name of the circuit in Azure, up to 80 characters. Default: the link's name. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9_])?$")
    )]
    pub name: Option<String>,
    /// Connectivity provider, as Azure's catalogue spells it. Default Megaport. Cannot be changed.
    #[serde(default = "default_provider")]
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub service_provider_name: String,
    /// Peering location, as Azure's catalogue of the provider spells it, for example Washington DC2. Cannot be changed.
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub peering_location: String,
    /// Bandwidth of the circuit in Mbps, 50 to 100000; one of those that the provider offers (usually 50, 100, 200, 500,
    /// 1000, 2000, 5000, 10000). Can be raised, never lowered.
    #[schemars(range(min = 50, max = 100_000))]
    pub bandwidth_mbps: i64,
    /// Tier and billing of the circuit. Default Standard with MeteredData.
    #[serde(default)]
    pub sku: CircuitSku,
    /// Azure resource ID of an existing circuit to take over. From then on it is changed and deleted like one that
    /// Causeway made. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+$")
    )]
    pub adopt_id: Option<String>,
}

fn default_provider() -> String {
    "Megaport".to_owned()
}

/// A circuit that exists already. Its VXCs, peering and connection are made; the circuit itself is never changed or
/// deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::immutable("id", "a link stays with its circuit; make a new link for the other circuit"))]
pub struct CircuitRef {
    /// Full Azure resource ID of the circuit; it may belong to another subscription. Cannot be changed.
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+$")
    )]
    pub id: String,
    /// Key of a Secret that holds an authorization key of the circuit. Needed when the circuit belongs to another
    /// subscription. Can be changed at any time; it is used only while the connection is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_key_secret_ref: Option<SecretKeyRef>,
}

/// The private peering of a circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::rule(
        "self.primaryPrefix != self.secondaryPrefix",
        "primaryPrefix and secondaryPrefix must be different /30s: each of the circuit's two ports has its own"
    ).field_path(".secondaryPrefix")
)]
pub struct Peering {
    /// IPv4 /30 of the primary port's BGP session. The Megaport router takes the first usable address, Microsoft the
    /// second. Must not overlap the virtual network, the VPC or another link. Cannot be changed.
    #[schemars(length(max = 43))]
    #[x_kube(validation = rules::cidr_format(), validation = rules::cidr_canonical(), validation = rules::slash_30())]
    pub primary_prefix: String,
    /// IPv4 /30 of the secondary port's BGP session. Azure wants it even when only one port is connected. Cannot be
    /// changed.
    #[schemars(length(max = 43))]
    #[x_kube(validation = rules::cidr_format(), validation = rules::cidr_canonical(), validation = rules::slash_30())]
    pub secondary_prefix: String,
    /// VLAN of the peering, 2 to 4093 (Megaport keeps 1 and 4094 to itself). The router's interface gets the same one.
    /// Cannot be changed.
    #[serde(rename = "vlanID")]
    #[x_kube(validation = rules::vlan())]
    pub vlan_id: i64,
    /// Key of a Secret that holds the MD5 key of the BGP sessions, up to 25 characters. Default: no MD5. Cannot be
    /// changed; the value in the Secret can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_key_secret_ref: Option<SecretKeyRef>,
}

/// The connection between a circuit and an ExpressRoute gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::immutable_optional("name", "Azure cannot rename a connection; make a new link"))]
pub struct Connection {
    /// Name of the connection in Azure, up to 80 characters. Default: the link's name. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9_])?$")
    )]
    pub name: Option<String>,
    /// Weight among several circuits on one gateway, 0 to 32000; the higher one wins. Default 0. Can be changed at any
    /// time.
    #[serde(default)]
    #[schemars(range(min = 0, max = 32_000))]
    pub routing_weight: i64,
}

/// BGP between the Megaport router and one port of the circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortBgp {
    /// Bidirectional Forwarding Detection: Enabled (default) notices a dead path within a second instead of the BGP hold
    /// time of three minutes. Can be changed at any time.
    #[serde(default)]
    pub bfd: Toggle,
    /// Whether the session is administratively down. Default false. A session that somebody else shut is started again
    /// only by a change of this field.
    #[serde(default)]
    pub shutdown: bool,
    /// How often the router's ASN is prepended towards Azure, 0 to 10. Default 0. Can be changed at any time.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10))]
    pub as_path_prepend: i64,
    /// Auto (default): routes from ASN 12076 never cross between the ports of an interconnect's circuits on the same
    /// router. None: no filter. Can be changed at any time.
    #[serde(default)]
    pub export_filter: ExportFilter,
}

/// Whether Microsoft's own routes are kept from crossing between two ports of one router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExportFilter {
    /// Filtered where several ports, of one circuit or of several of an interconnect, end on one router.
    #[default]
    Auto,
    /// Never filtered.
    None,
}

/// Which of the circuit's two ports.
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
pub enum PortName {
    /// The primary port.
    #[default]
    Primary,
    /// The secondary port.
    Secondary,
}

impl PortName {
    /// The name in the spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "Primary",
            Self::Secondary => "Secondary",
        }
    }
}

/// The VXC from a Megaport router to one port of the circuit: what a parent's entry and a link have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::adopt_id(),
    validation = rules::transition(
        "!has(oldSelf.termMonths) || !has(self.termMonths) || self.termMonths >= oldSelf.termMonths",
        "a running contract cannot be shortened: keep termMonths or raise it"
    ).field_path(".termMonths")
)]
pub struct PortSettings {
    /// Rate limit of the VXC in Mbps, 1 to 100000. Default: the circuit's bandwidth. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_limit_mbps: Option<i64>,
    /// Contract term of the VXC in months: 1 (default), 12, 24, 36, 48 or 60. Can be raised; ending a longer term early
    /// costs a fee.
    #[serde(default = "crate::megaport::one_month")]
    #[x_kube(validation = rules::term_months())]
    pub term_months: i64,
    /// BGP between the router and this port.
    #[serde(default)]
    pub bgp: PortBgp,
    /// Name of the VXC at Megaport, without the ownership token that is added. Default: the link's name and the port. Can
    /// be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub product_name: Option<String>,
    /// Product UID of an existing VXC to take over. From then on it is changed and cancelled like one that Causeway
    /// ordered. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub adopt_id: Option<String>,
}

/// The Azure side of an interconnect or a link: the reference to its virtual network, resolved against the account.
pub fn virtual_network_id(account: &AzureAccount, reference: &VirtualNetworkRef) -> Option<String> {
    match (&reference.id, &reference.name) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(name)) => Some(format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/{name}",
            account.subscription_id, account.resource_group
        )),
        (None, None) => None,
    }
}
