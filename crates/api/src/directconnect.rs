//! `DirectConnectLink`: a VXC from a Megaport router to AWS and the private virtual interface on it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::aws::{
    Association, AwsAccount, DirectConnectBgp, DirectConnectGateway, DirectConnectType,
    VirtualInterface,
};
use crate::common::{DirectConnectGatewayRef, LinkRouteContract, Policy, RouterRef};
use crate::megaport::{MegaportAccount, PartnerPort};
use crate::rules;
use crate::status::{CommonStatus, SessionCount};

/// What a parent's entry and a DirectConnectLink have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable("type", "a virtual interface cannot become a connection or the reverse; make a new link, then remove this one"),
    validation = rules::immutable_optional("partnerPort", "a VXC stays with its port; make a new link, then remove this one"),
    validation = rules::rule(
        "self.type != 'HostedConnection' || self.bandwidthMbps in [50, 100, 200, 300, 400, 500, 1000, 2000, 5000, 10000, 25000]",
        "AWS sells hosted connections of 50, 100, 200, 300, 400, 500, 1000, 2000, 5000, 10000 or 25000 Mbps: use one of these"
    ).field_path(".bandwidthMbps"),
    validation = rules::rule(
        "self.type != 'HostedVirtualInterface' || self.bandwidthMbps <= 5000",
        "Megaport sells hosted virtual interfaces up to 5000 Mbps: lower bandwidthMbps, or use the type HostedConnection"
    ).field_path(".bandwidthMbps"),
    validation = rules::transition(
        "self.type != 'HostedConnection' || self.bandwidthMbps == oldSelf.bandwidthMbps",
        "the rate of a hosted connection is fixed: make a new link with the other rate, then remove this one"
    ).field_path(".bandwidthMbps"),
    validation = rules::transition(
        "self.termMonths >= oldSelf.termMonths",
        "a running contract cannot be shortened: keep termMonths or raise it"
    ).field_path(".termMonths"),
    validation = rules::adopt_id()
)]
pub struct DirectConnectSettings {
    /// HostedVirtualInterface (default): Megaport makes the virtual interface, and its rate can change. HostedConnection:
    /// Megaport makes a connection of a fixed rate, and Causeway puts the virtual interface on it. Cannot be changed.
    #[serde(default, rename = "type")]
    pub type_: DirectConnectType,
    /// The port of AWS at Megaport. Default: one in the location and zone of the router. It is chosen once and kept in
    /// status. Cannot be changed, added or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_port: Option<PartnerPort>,
    /// Rate limit of the VXC in Mbps: 1 to 5000 for HostedVirtualInterface, and can be changed; 50, 100, 200, 300, 400, 500,
    /// 1000, 2000, 5000, 10000 or 25000 for HostedConnection, and cannot.
    #[schemars(range(min = 1, max = 25_000))]
    pub bandwidth_mbps: i64,
    /// Contract term of the VXC in months: 1 (default), 12, 24, 36, 48 or 60. Can be raised; ending a longer term early costs
    /// a fee.
    #[serde(default = "crate::megaport::one_month")]
    #[x_kube(validation = rules::term_months())]
    pub term_months: i64,
    /// The private virtual interface in AWS.
    pub virtual_interface: VirtualInterface,
    /// BGP between the router and AWS.
    #[serde(default)]
    pub bgp: DirectConnectBgp,
    /// Name of the VXC at Megaport, without the ownership token that is added. Default: the link's name. Can be changed at any
    /// time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub product_name: Option<String>,
    /// Product UID of an existing VXC to take over with its virtual interface. From then on both are changed and deleted like
    /// ones that Causeway made. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub adopt_id: Option<String>,
}

/// A private virtual interface in AWS, reached from a Megaport router, on a Direct Connect gateway.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "causeway.dev",
    version = "v1alpha1",
    kind = "DirectConnectLink",
    namespaced,
    status = "DirectConnectLinkStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "dxl",
    category = "causeway",
    cel,
    doc = "A private virtual interface in AWS, reached from a Megaport router, on a Direct Connect gateway.",
    validation = rules::name_length(63),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether everything holds for this generation"),
    printcolumn(name = "Provisioned", type_ = "string", json_path = r#".status.conditions[?(@.type=="Provisioned")].status"#, description = "Whether every cloud object exists and matches"),
    printcolumn(name = "BGP", type_ = "string", json_path = ".status.bgp.summary", description = "BGP sessions up / expected"),
    printcolumn(name = "VIF", type_ = "string", json_path = ".status.virtualInterfaceState", description = "AWS's state of the virtual interface"),
    printcolumn(name = "VIF ID", type_ = "string", json_path = ".status.virtualInterfaceID", description = "ID of the virtual interface", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Why it is not Ready", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Since when the resource exists")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::fixed_reference("routerRef", "a VXC stays with its router; make a new link, then remove this one"),
    validation = rules::managed_xor_ref("gateway", "gatewayRef"),
    validation = rules::fixed_choice("gateway", "gatewayRef", "a virtual interface stays with its gateway; make a new link"),
    validation = rules::rule(
        "has(self.gateway) == has(self.association)",
        "gateway and association belong together: a Direct Connect gateway that Causeway makes needs \
         association.virtualPrivateGatewayRef to reach a VPC, and one that exists already brings its own associations"
    )
)]
pub struct DirectConnectLinkSpec {
    /// How Causeway treats the cloud objects of this link.
    #[serde(flatten)]
    pub policy: Policy,
    /// The AWS side: region, account, credentials, tags.
    pub aws: AwsAccount,
    /// The Megaport side: credentials and cost centre.
    pub megaport: MegaportAccount,
    /// The Megaport router at which the VXC starts. Cannot be changed, except to hybridInterconnect when an interconnect takes
    /// the link over.
    pub router_ref: RouterRef,
    /// The VXC and the virtual interface.
    #[serde(flatten)]
    pub settings: DirectConnectSettings,
    /// A Direct Connect gateway to make, together with association. Either this or gatewayRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<DirectConnectGateway>,
    /// The association of the gateway with a virtual private gateway. Only, and always, with gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<Association>,
    /// A Direct Connect gateway that exists already, with its associations. Either this or gateway. Cannot be changed, except
    /// to hybridInterconnect when an interconnect takes the link over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<DirectConnectGatewayRef>,
    /// What each side must see over this link. Default: no contract, unless a HybridInterconnect gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<LinkRouteContract>,
}

/// What is known about a DirectConnectLink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectConnectLinkStatus {
    /// What every kind shows.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// BGP sessions up and expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp: Option<SessionCount>,
    /// virtualInterfaceState, as AWS says it: confirming, pending, available, down and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub virtual_interface_state: Option<String>,
    /// ID of the virtual interface.
    #[serde(
        default,
        rename = "virtualInterfaceID",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 64))]
    pub virtual_interface_id: Option<String>,
    /// VLAN of the virtual interface, chosen by the provider.
    #[serde(default, rename = "vlanID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4095))]
    pub vlan_id: Option<i64>,
    /// connectionState of a hosted connection, as AWS says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub connection_state: Option<String>,
}
