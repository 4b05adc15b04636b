//! `HybridInterconnect`: what is unique per virtual network or VPC, and the links it makes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{AwsAccount, InterconnectDirectConnectGateway, VirtualPrivateGateway};
use crate::azure::{
    AzureAccount, Circuit, Connection, ExpressRouteGateway, ObservedNetworkInterface, Peering,
    PortName, PortSettings,
};
use crate::common::{
    AzureGatewayRef, DirectConnectGatewayRef, LinkRouteContract, Policy, VirtualNetworkRef,
    VirtualPrivateGatewayRef, VpcRef,
};
use crate::directconnect::DirectConnectSettings;
use crate::megaport::{MegaportAccount, Router};
use crate::rules;
use crate::status::{CommonStatus, RouteCount, SessionCount, State};
use crate::vpn::{VpnGateway, VpnSettings};

/// The Azure side of an interconnect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_block("virtualNetworkRef", "gateways cannot move; make a new interconnect for the other virtual network"),
    validation = rules::at_most_one("expressRouteGateway", "expressRouteGatewayRef"),
    validation = rules::no_exchange("expressRouteGateway", "expressRouteGatewayRef")
)]
pub struct InterconnectAzure {
    /// Subscription, resource group, location, credentials and tags.
    #[serde(flatten)]
    pub account: AzureAccount,
    /// The virtual network with the subnet GatewaySubnet. Cannot be changed.
    pub virtual_network_ref: VirtualNetworkRef,
    /// Network interfaces whose effective routes tell what the virtual machines really use. Up to 16. Default none. Can
    /// be changed at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub observed_network_interfaces: Vec<ObservedNetworkInterface>,
    /// An ExpressRoute gateway to make. This or expressRouteGatewayRef is needed with expressRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub express_route_gateway: Option<ExpressRouteGateway>,
    /// An ExpressRoute gateway that exists already in the virtual network. This or expressRouteGateway is needed with
    /// expressRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub express_route_gateway_ref: Option<AzureGatewayRef>,
}

/// The AWS side of an interconnect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_block("vpcRef", "gateways cannot move; make a new interconnect for the other VPC"),
    validation = rules::at_most_one("virtualPrivateGateway", "virtualPrivateGatewayRef"),
    validation = rules::no_exchange("virtualPrivateGateway", "virtualPrivateGatewayRef"),
    validation = rules::at_most_one("directConnectGateway", "directConnectGatewayRef"),
    validation = rules::no_exchange("directConnectGateway", "directConnectGatewayRef")
)]
pub struct InterconnectAws {
    /// Region, account, credentials and tags.
    #[serde(flatten)]
    pub account: AwsAccount,
    /// The VPC. Cannot be changed.
    pub vpc_ref: VpcRef,
    /// A virtual private gateway to make and attach. This or virtualPrivateGatewayRef is needed with directConnects and with
    /// vpn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_private_gateway: Option<VirtualPrivateGateway>,
    /// A virtual private gateway that exists already, attached to the VPC. This or virtualPrivateGateway is needed with
    /// directConnects and with vpn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_private_gateway_ref: Option<VirtualPrivateGatewayRef>,
    /// A Direct Connect gateway to make and to associate with the virtual private gateway. This or directConnectGatewayRef is
    /// needed with directConnects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_connect_gateway: Option<InterconnectDirectConnectGateway>,
    /// A Direct Connect gateway that exists already. This or directConnectGateway is needed with directConnects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_connect_gateway_ref: Option<DirectConnectGatewayRef>,
}

/// The Megaport side of an interconnect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterconnectMegaport {
    /// Credentials and cost centre.
    #[serde(flatten)]
    pub account: MegaportAccount,
    /// The routers, up to 8. A router can be added at any time, and removed when no link uses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub routers: Vec<Router>,
}

/// One port of a circuit in an interconnect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::immutable("router", "a VXC stays with its router; remove this port, wait until its VXC is gone, and add it with the other router"))]
pub struct PortEntry {
    /// Primary or Secondary, unique in the list.
    pub name: PortName,
    /// Name of the entry in megaport.routers at which the VXC starts. Cannot be changed.
    #[schemars(
        length(min = 1, max = 24),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub router: String,
    /// Rate, term, BGP and names of the VXC.
    #[serde(flatten)]
    pub settings: PortSettings,
}

/// An ExpressRouteLink that the interconnect makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_block("peering", "a peering that carries traffic is not renumbered; add an entry with the other values, then remove this one"),
    validation = rules::immutable_optional("adoptLink", "a link is taken over when its entry is made; remove the entry and add it again"),
    validation = rules::rule(
        "self.ports.all(p, !has(p.rateLimitMbps) || p.rateLimitMbps <= self.circuit.bandwidthMbps)",
        "rateLimitMbps of a port exceeds bandwidthMbps of the circuit: lower it, raise the circuit, or leave it out"
    ).field_path(".ports"),
    validation = rules::rule(
        "self.ports.size() < 2 || self.ports[0].router != self.ports[1].router || self.ports.all(p, !has(p.bgp) || !has(p.bgp.exportFilter) || p.bgp.exportFilter == 'Auto')",
        "both ports end on one router: without an export filter Microsoft's routes cross from one port to the other and flap; \
         set bgp.exportFilter to Auto, or use two routers"
    ).field_path(".ports")
)]
pub struct ExpressRouteEntry {
    /// Name of the entry, up to 24 characters, unique in the list. The link is called like the interconnect, -er- and this.
    #[schemars(
        length(min = 1, max = 24),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// The circuit to make.
    pub circuit: Circuit,
    /// The private peering of the circuit. Cannot be changed.
    pub peering: Peering,
    /// The ports of the circuit that are connected, 1 or 2. Both, from two routers, give redundancy and Microsoft's service
    /// level agreement. Can be added and removed.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub ports: Vec<PortEntry>,
    /// The connection between circuit and gateway.
    #[serde(default)]
    pub connection: Connection,
    /// Name of a stand-alone ExpressRouteLink in the same namespace to take over instead of making one. Cannot be changed,
    /// added or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub adopt_link: Option<String>,
}

/// A DirectConnectLink that the interconnect makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable("router", "a VXC stays with its router; add an entry with the other router, then remove this one"),
    validation = rules::immutable_optional("adoptLink", "a link is taken over when its entry is made; remove the entry and add it again")
)]
pub struct DirectConnectEntry {
    /// Name of the entry, up to 24 characters, unique in the list. The link is called like the interconnect, -dx- and this.
    #[schemars(
        length(min = 1, max = 24),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Name of the entry in megaport.routers at which the VXC starts. Cannot be changed.
    #[schemars(
        length(min = 1, max = 24),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub router: String,
    /// The VXC and the virtual interface.
    #[serde(flatten)]
    pub settings: DirectConnectSettings,
    /// Name of a stand-alone DirectConnectLink in the same namespace to take over instead of making one. Cannot be changed,
    /// added or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub adopt_link: Option<String>,
}

/// The VpnPair that the interconnect makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::immutable_optional("adoptLink", "a pair is taken over when vpn is made; remove vpn and add it again"))]
pub struct VpnEntry {
    /// The VPN gateway to make.
    #[serde(default)]
    pub gateway: VpnGateway,
    /// Tunnels and their algorithms.
    #[serde(flatten)]
    pub settings: VpnSettings,
    /// Name of a stand-alone VpnPair in the same namespace to take over instead of making one. Cannot be changed, added or
    /// removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub adopt_link: Option<String>,
}

/// Which path must carry the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PreferredPath {
    /// ExpressRoute and Direct Connect, while they are up.
    #[default]
    ExpressRoute,
    /// Any.
    Any,
}

/// What each side must see, and over which path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteContract {
    /// Prefixes.
    #[serde(flatten)]
    pub prefixes: LinkRouteContract,
    /// ExpressRoute (default): traffic on VPN while ExpressRoute is up is a fault (WrongPreference). Any: it is not. At equal
    /// prefix length both clouds prefer the private path; VPN can win only by more specific prefixes. Can be changed at any
    /// time.
    #[serde(default)]
    pub preferred_path: PreferredPath,
}

/// The private and the backup path between an Azure virtual network and an AWS VPC.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "causeway.dev",
    version = "v1alpha1",
    kind = "HybridInterconnect",
    namespaced,
    status = "HybridInterconnectStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "hi",
    category = "causeway",
    cel,
    doc = "The private and the backup path between an Azure virtual network and an AWS VPC: owns the routers and gateways that are unique per network, and makes the links.",
    validation = rules::name_length(35),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether everything holds for this generation"),
    printcolumn(name = "Path", type_ = "string", json_path = ".status.activePath", description = "The path that carries the traffic now"),
    printcolumn(name = "Redundant", type_ = "string", json_path = r#".status.conditions[?(@.type=="Redundant")].status"#, description = "Whether two independent paths hold"),
    printcolumn(name = "BGP", type_ = "string", json_path = ".status.bgp.summary", description = "BGP sessions up / expected"),
    printcolumn(name = "Routes", type_ = "string", json_path = ".status.routes.summary", description = "Prefixes seen / expected"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Why it is not Ready", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Since when the resource exists")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::rule(
        "!has(self.expressRoutes) || self.expressRoutes.size() == 0 || has(self.azure.expressRouteGateway) || has(self.azure.expressRouteGatewayRef)",
        "expressRoutes need an ExpressRoute gateway: set azure.expressRouteGateway (Causeway makes it) or \
         azure.expressRouteGatewayRef"
    ).field_path(".azure"),
    validation = rules::rule(
        "!has(self.directConnects) || self.directConnects.size() == 0 || has(self.aws.directConnectGateway) || has(self.aws.directConnectGatewayRef)",
        "directConnects need a Direct Connect gateway: set aws.directConnectGateway (Causeway makes it) or \
         aws.directConnectGatewayRef"
    ).field_path(".aws"),
    validation = rules::rule(
        "((!has(self.directConnects) || self.directConnects.size() == 0) && !has(self.vpn)) || has(self.aws.virtualPrivateGateway) || has(self.aws.virtualPrivateGatewayRef)",
        "directConnects and vpn need a virtual private gateway: set aws.virtualPrivateGateway (Causeway makes it) or \
         aws.virtualPrivateGatewayRef"
    ).field_path(".aws"),
    validation = rules::rule(
        "has(self.megaport) || ((!has(self.expressRoutes) || self.expressRoutes.size() == 0) && (!has(self.directConnects) || self.directConnects.size() == 0))",
        "expressRoutes and directConnects need Megaport: set megaport with credentialsSecretRef and routers"
    ),
    validation = rules::rule(
        "!has(self.expressRoutes) || !has(self.megaport) || self.expressRoutes.all(e, e.ports.all(p, has(self.megaport.routers) && self.megaport.routers.exists(r, r.name == p.router)))",
        "a port names a router that megaport.routers does not list: add the router there, or correct ports[].router"
    ).field_path(".expressRoutes"),
    validation = rules::rule(
        "!has(self.directConnects) || !has(self.megaport) || self.directConnects.all(d, has(self.megaport.routers) && self.megaport.routers.exists(r, r.name == d.router))",
        "an entry names a router that megaport.routers does not list: add the router there, or correct directConnects[].router"
    ).field_path(".directConnects"),
    validation = rules::rule(
        "!has(self.vpn) || self.vpn.gateway.asn == 65515 || !(has(self.azure.expressRouteGateway) || has(self.azure.expressRouteGatewayRef))",
        "beside an ExpressRoute gateway the VPN gateway must have ASN 65515, or Azure passes no routes between them: set \
         vpn.gateway.asn to 65515 or leave it out"
    ).field_path(".vpn"),
    validation = rules::rule(
        "!has(self.vpn) || !has(self.aws.virtualPrivateGateway) || self.vpn.gateway.asn != self.aws.virtualPrivateGateway.amazonASN",
        "the VPN gateway and the virtual private gateway must have different ASNs: change aws.virtualPrivateGateway.amazonASN"
    ).field_path(".aws"),
    validation = rules::rule(
        "!has(self.aws.directConnectGateway) || !has(self.megaport) || !has(self.megaport.routers) || \
         self.megaport.routers.all(r, !has(r.asn) || r.asn != self.aws.directConnectGateway.amazonASN)",
        "a router has the ASN of the Direct Connect gateway: BGP between them would be internal and pass no routes on; give \
         the router or aws.directConnectGateway another ASN"
    ).field_path(".megaport"),
    validation = rules::rule(
        "!has(self.expressRoutes) || self.expressRoutes.all(e, self.expressRoutes.all(f, e.name == f.name || \
         (e.peering.primaryPrefix != f.peering.primaryPrefix && e.peering.primaryPrefix != f.peering.secondaryPrefix && \
         e.peering.secondaryPrefix != f.peering.secondaryPrefix)))",
        "two expressRoutes share a /30: give every peering its own primaryPrefix and secondaryPrefix"
    ).field_path(".expressRoutes"),
    validation = rules::rule(
        "!has(self.expressRoutes) || !has(self.directConnects) || self.expressRoutes.all(e, self.directConnects.all(d, \
         !isCIDR(d.virtualInterface.amazonAddress) || \
         (isCIDR(e.peering.primaryPrefix) ? !cidr(e.peering.primaryPrefix).containsIP(cidr(d.virtualInterface.amazonAddress).ip()) : true) && \
         (isCIDR(e.peering.secondaryPrefix) ? !cidr(e.peering.secondaryPrefix).containsIP(cidr(d.virtualInterface.amazonAddress).ip()) : true)))",
        "a virtual interface lies in the /30 of a peering: give every link its own /30"
    ).field_path(".directConnects"),
    validation = rules::rule(
        "!has(self.directConnects) || self.directConnects.all(d, self.directConnects.all(f, d.name == f.name || \
         !isCIDR(d.virtualInterface.amazonAddress) || !isCIDR(f.virtualInterface.amazonAddress) || \
         !cidr(d.virtualInterface.amazonAddress).containsIP(cidr(f.virtualInterface.amazonAddress).ip())))",
        "two directConnects share a /30: give every virtual interface its own addresses"
    ).field_path(".directConnects"),
    validation = rules::rule(
        "!has(self.vpn) || !has(self.vpn.tunnels) || !has(self.expressRoutes) || self.vpn.tunnels.all(t, !has(t.insideCIDR) || \
         self.expressRoutes.all(e, e.peering.primaryPrefix != t.insideCIDR && e.peering.secondaryPrefix != t.insideCIDR))",
        "a tunnel has the /30 of a peering: give every tunnel and every peering its own /30"
    ).field_path(".vpn"),
    validation = rules::rule(
        "!has(self.vpn) || !has(self.vpn.tunnels) || !has(self.directConnects) || self.vpn.tunnels.all(t, !has(t.insideCIDR) || \
         !isCIDR(t.insideCIDR) || self.directConnects.all(d, !isCIDR(d.virtualInterface.amazonAddress) || \
         !cidr(t.insideCIDR).containsIP(cidr(d.virtualInterface.amazonAddress).ip())))",
        "a tunnel has the /30 of a virtual interface: give every tunnel and every virtual interface its own /30"
    ).field_path(".vpn")
)]
pub struct HybridInterconnectSpec {
    /// How Causeway treats the cloud objects of this interconnect and of its links.
    #[serde(flatten)]
    pub policy: Policy,
    /// The Azure side: account, virtual network, ExpressRoute gateway, vantages.
    pub azure: InterconnectAzure,
    /// The AWS side: account, VPC, virtual private gateway, Direct Connect gateway.
    pub aws: InterconnectAws,
    /// The Megaport side: credentials and routers. Needed with expressRoutes and directConnects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub megaport: Option<InterconnectMegaport>,
    /// The ExpressRoute links, up to 8. Can be added and removed; the last healthy path is kept until another one holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub express_routes: Vec<ExpressRouteEntry>,
    /// The Direct Connect links, up to 8. Can be added and removed; the last healthy path is kept until another one holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub direct_connects: Vec<DirectConnectEntry>,
    /// The backup path: four IPsec tunnels. Can be added and removed; the last healthy path is kept until another one holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpn: Option<VpnEntry>,
    /// The route contract: what each side must see, and over which path.
    #[serde(default)]
    pub routes: RouteContract,
}

/// The path that carries the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ActivePath {
    /// No path carries both directions.
    #[default]
    None,
    /// ExpressRoute and Direct Connect.
    ExpressRoute,
    /// The VPN pair.
    VPN,
    /// One direction takes one path, the other direction the other.
    Split,
}

/// The kind of a path.
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
pub enum PathKind {
    /// ExpressRoute and Direct Connect over one Megaport router.
    #[default]
    ExpressRoute,
    /// The VPN pair.
    VPN,
}

/// One path as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathStatus {
    /// Name of the path: the links it is made of.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// ExpressRoute or VPN.
    pub kind: PathKind,
    /// Whether Azure can reach AWS over it.
    #[serde(default, rename = "azureToAWS")]
    pub azure_to_aws: State,
    /// Whether AWS can reach Azure over it.
    #[serde(default, rename = "awsToAzure")]
    pub aws_to_azure: State,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
}

/// A change of the active path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    /// The path before.
    pub from: ActivePath,
    /// The path after.
    pub to: ActivePath,
    /// When it was noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// How long no path carried both directions, in seconds, as far as it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub duration_seconds: Option<i64>,
}

/// Most failovers that are kept.
pub const FAILOVERS_MAX: usize = 10;

/// What is known about a HybridInterconnect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HybridInterconnectStatus {
    /// What every kind shows.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// The path that carries the traffic now: ExpressRoute, VPN, Split or None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ActivePath")]
    pub active_path: Option<ActivePath>,
    /// Every path and whether it carries each direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 80))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub paths: Vec<PathStatus>,
    /// The last changes of the active path, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub failovers: Vec<Failover>,
    /// BGP sessions up and expected, over all links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp: Option<SessionCount>,
    /// Prefixes of the contract seen and expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<RouteCount>,
}
