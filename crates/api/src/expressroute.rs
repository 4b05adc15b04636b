//! `ExpressRouteLink`: circuit, private peering, one VXC per port, connection to an ExpressRoute gateway.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::azure::{
    AzureAccount, Circuit, CircuitRef, Connection, ExpressRouteGateway, ObservedNetworkInterface,
    Peering, PortName, PortSettings,
};
use crate::common::{AzureGatewayRef, LinkRouteContract, Policy, RouterRef, VirtualNetworkRef};
use crate::megaport::MegaportAccount;
use crate::rules;
use crate::status::{CommonStatus, SessionCount};

/// The Azure side of an ExpressRouteLink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExpressRouteAzure {
    /// Subscription, resource group, location, credentials and tags.
    #[serde(flatten)]
    pub account: AzureAccount,
    /// The virtual network with the subnet GatewaySubnet. Needed with gateway, and then it cannot be
    /// changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_network_ref: Option<VirtualNetworkRef>,
    /// Network interfaces whose effective routes tell what the virtual machines really use. Up to 16. Default none. Can
    /// be changed at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub observed_network_interfaces: Vec<ObservedNetworkInterface>,
}

/// One port of the circuit and the VXC that leads to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::fixed_reference("routerRef", "a VXC stays with its router; remove this port, wait until its VXC is gone, and add it with the other router"))]
pub struct Port {
    /// Primary or Secondary, unique in the list.
    pub name: PortName,
    /// The Megaport router at which the VXC starts. Cannot be changed, except to hybridInterconnect when an interconnect takes
    /// the link over.
    pub router_ref: RouterRef,
    /// Rate, term, BGP and names of the VXC.
    #[serde(flatten)]
    pub settings: PortSettings,
}

/// An ExpressRoute circuit with private peering, reached from Megaport routers and connected to a virtual network.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "causeway.dev",
    version = "v1alpha1",
    kind = "ExpressRouteLink",
    namespaced,
    status = "ExpressRouteLinkStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "erl",
    category = "causeway",
    cel,
    doc = "An ExpressRoute circuit with private peering, reached from Megaport routers and connected to a virtual network.",
    validation = rules::name_length(63),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether everything holds for this generation"),
    printcolumn(name = "Provisioned", type_ = "string", json_path = r#".status.conditions[?(@.type=="Provisioned")].status"#, description = "Whether every cloud object exists and matches"),
    printcolumn(name = "BGP", type_ = "string", json_path = ".status.bgp.summary", description = "BGP sessions up / expected"),
    printcolumn(name = "Provider", type_ = "string", json_path = ".status.providerState", description = "Azure's serviceProviderProvisioningState of the circuit"),
    printcolumn(name = "Redundant", type_ = "string", json_path = r#".status.conditions[?(@.type=="Redundant")].status"#, description = "Whether both ports of the circuit are connected", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Why it is not Ready", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Since when the resource exists")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::managed_xor_ref("circuit", "circuitRef"),
    validation = rules::fixed_presence("circuit", "a link stays with its circuit; make a new link"),
    validation = rules::managed_xor_ref("gateway", "gatewayRef"),
    validation = rules::fixed_choice("gateway", "gatewayRef", "a link stays with its gateway; make a new link"),
    validation = rules::rule(
        "!has(self.gateway) || has(self.azure.virtualNetworkRef)",
        "a gateway needs azure.virtualNetworkRef: name the virtual network in whose GatewaySubnet it is made"
    ).field_path(".azure"),
    validation = rules::transition(
        "!has(self.gateway) || !has(oldSelf.gateway) || !has(self.azure.virtualNetworkRef) || !has(oldSelf.azure.virtualNetworkRef) || \
         self.azure.virtualNetworkRef == oldSelf.azure.virtualNetworkRef",
        "azure.virtualNetworkRef cannot be changed: a gateway cannot move; make a new link for the other virtual network"
    ).field_path(".azure.virtualNetworkRef"),
    validation = rules::immutable_block("peering", "a peering that carries traffic is not renumbered; make a new link with the other values, then remove this one"),
    validation = rules::rule(
        "!has(self.circuit) || self.ports.all(p, !has(p.rateLimitMbps) || p.rateLimitMbps <= self.circuit.bandwidthMbps)",
        "rateLimitMbps of a port exceeds bandwidthMbps of the circuit: lower it, raise the circuit, or leave it out"
    ).field_path(".ports"),
    validation = rules::rule(
        "self.ports.size() < 2 || self.ports[0].routerRef != self.ports[1].routerRef || self.ports.all(p, !has(p.bgp) || !has(p.bgp.exportFilter) || p.bgp.exportFilter == 'Auto')",
        "both ports end on one router: without an export filter Microsoft's routes cross from one port to the other and flap; \
         set bgp.exportFilter to Auto, or use two routers"
    ).field_path(".ports")
)]
pub struct ExpressRouteLinkSpec {
    /// How Causeway treats the cloud objects of this link.
    #[serde(flatten)]
    pub policy: Policy,
    /// The Azure side: subscription, resource group, location, credentials, tags, virtual network, vantages.
    pub azure: ExpressRouteAzure,
    /// The Megaport side: credentials and cost centre.
    pub megaport: MegaportAccount,
    /// A circuit to make. Either this or circuitRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Circuit>,
    /// A circuit that exists already. Either this or circuit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_ref: Option<CircuitRef>,
    /// The private peering of the circuit. Cannot be changed.
    pub peering: Peering,
    /// The ports of the circuit that are connected, 1 or 2. Both, from two routers, give redundancy and Microsoft's service
    /// level agreement. Can be added and removed.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub ports: Vec<Port>,
    /// An ExpressRoute gateway to make. Either this or gatewayRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<ExpressRouteGateway>,
    /// An ExpressRoute gateway that exists already. Either this or gateway. Cannot be changed, except to hybridInterconnect when
    /// an interconnect takes the link over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<AzureGatewayRef>,
    /// The connection between circuit and gateway.
    #[serde(default)]
    pub connection: Connection,
    /// What each side must see over this link. Default: no contract, unless a HybridInterconnect gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<LinkRouteContract>,
}

/// What is known about an ExpressRouteLink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExpressRouteLinkStatus {
    /// What every kind shows.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// BGP sessions up and expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp: Option<SessionCount>,
    /// serviceProviderProvisioningState of the circuit, as Azure says it: NotProvisioned, Provisioning, Provisioned,
    /// Deprovisioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub provider_state: Option<String>,
    /// circuitProvisioningState, Microsoft's side of the circuit: Enabled, Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub circuit_state: Option<String>,
}
