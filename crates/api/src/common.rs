//! Fields that several kinds share: policies, references to Secrets, networks and gateways.
//!
//! Plain data with its schema. Nothing here resolves a reference or reads a Secret.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Whether Causeway may write to the clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ManagementPolicy {
    /// Objects are made, changed and deleted.
    #[default]
    Full,
    /// Nothing is ever written to a cloud; what exists is read and reported.
    ObserveOnly,
}

/// What happens to a change that somebody else made to an owned cloud object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// It is set back to what the spec says.
    #[default]
    Repair,
    /// It is reported in the condition InSync and left alone.
    Report,
}

/// What happens to the cloud objects when the custom resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are deleted, in order, and the resource stays until all are gone.
    #[default]
    Delete,
    /// They stay and go on costing money; our marks are taken off them, so that they can be adopted.
    Retain,
}

/// An on-off setting of a provider, in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Toggle {
    /// On.
    #[default]
    Enabled,
    /// Off.
    Disabled,
}

/// How Causeway treats the cloud objects of this resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Full (default): cloud objects are made, changed and deleted. ObserveOnly: nothing is ever written to a
    /// cloud, what exists is read and reported. Can be changed at any time.
    #[serde(default)]
    pub management_policy: ManagementPolicy,
    /// Repair (default): a change that somebody else made to an owned cloud object is set back. Report: it is
    /// shown in the condition InSync and left alone. Can be changed at any time.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// Delete (default): deleting this resource deletes its cloud objects first and ends when all are gone.
    /// Retain: they stay, go on costing money, and can be adopted later. Can be changed at any time.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// While true, nothing is written to a cloud, deletion waits too, and the condition Paused is shown. Health
    /// is still read. Default false. Can be changed at any time.
    #[serde(default)]
    pub paused: bool,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret, which lives in the namespace of this resource.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// One key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret, which lives in the namespace of this resource.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Key inside the Secret's data. Default key.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn default_key() -> String {
    "key".to_owned()
}

/// An object of Azure Service Operator or of AWS Controllers for Kubernetes in the same namespace, whose status
/// holds the cloud's ID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group and version of the object, for example network.azure.com/v1api20240301 or ec2.services.k8s.aws/v1alpha1.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9.-]+/v[a-z0-9]+$")
    )]
    pub api_version: String,
    /// Kind of the object, for example VirtualNetwork or VPC.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// Name of the object, which lives in the namespace of this resource.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// A HybridInterconnect in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterconnectRef {
    /// Name of the HybridInterconnect, which lives in the namespace of this resource.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// A router of a HybridInterconnect in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterconnectRouterRef {
    /// Name of the HybridInterconnect, which lives in the namespace of this resource.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Name of the entry in the HybridInterconnect's spec.megaport.routers.
    #[schemars(
        length(min = 1, max = 24),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub router: String,
}

/// A virtual network that exists already. Causeway reads it and never changes it. Set exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one_of(&["name", "id", "objectRef"]))]
pub struct VirtualNetworkRef {
    /// Name of the virtual network in azure.resourceGroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 64),
        regex(pattern = r"^[A-Za-z0-9][-A-Za-z0-9._]*[A-Za-z0-9_]$")
    )]
    pub name: Option<String>,
    /// Full Azure resource ID of the virtual network; its resource group may be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+$")
    )]
    pub id: Option<String>,
    /// An object of Azure Service Operator whose status holds the ID of the virtual network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectRef>,
}

/// An Azure gateway that exists already. It is used and observed, never changed or deleted. Set exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one_of(&["name", "id", "objectRef", "hybridInterconnect"]))]
pub struct AzureGatewayRef {
    /// Name of the gateway in azure.resourceGroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9_])?$")
    )]
    pub name: Option<String>,
    /// Full Azure resource ID of the gateway; its resource group may be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+$")
    )]
    pub id: Option<String>,
    /// An object of Azure Service Operator whose status holds the ID of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectRef>,
    /// The gateway that a HybridInterconnect in the same namespace owns or references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hybrid_interconnect: Option<InterconnectRef>,
}

/// A VPC that exists already. Causeway reads it and changes nothing but route propagation. Set exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one_of(&["id", "name", "objectRef"]))]
pub struct VpcRef {
    /// ID of the VPC, for example vpc-0a1b2c3d4e5f60718.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^vpc-[0-9a-f]{8,17}$"))]
    pub id: Option<String>,
    /// Value of the VPC's tag Name; exactly one VPC of aws.region must carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub name: Option<String>,
    /// An object of AWS Controllers for Kubernetes whose status holds the ID of the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectRef>,
}

/// A virtual private gateway that exists already. It is used and observed, never changed or deleted. Set exactly
/// one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one_of(&["id", "name", "objectRef", "hybridInterconnect"]))]
pub struct VirtualPrivateGatewayRef {
    /// ID of the virtual private gateway, for example vgw-0a1b2c3d4e5f60718.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^vgw-[0-9a-f]{8,17}$"))]
    pub id: Option<String>,
    /// Value of the gateway's tag Name; exactly one gateway of aws.region must carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub name: Option<String>,
    /// An object of AWS Controllers for Kubernetes whose status holds the ID of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectRef>,
    /// The gateway that a HybridInterconnect in the same namespace owns or references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hybrid_interconnect: Option<InterconnectRef>,
}

/// A Direct Connect gateway that exists already. It is used and observed, never changed or deleted. Set exactly one
/// field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one_of(&["id", "name", "objectRef", "hybridInterconnect"]))]
pub struct DirectConnectGatewayRef {
    /// ID of the Direct Connect gateway, a UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    )]
    pub id: Option<String>,
    /// Name of the Direct Connect gateway; exactly one gateway of the account must carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub name: Option<String>,
    /// An object of AWS Controllers for Kubernetes whose status holds the ID of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectRef>,
    /// The gateway that a HybridInterconnect in the same namespace owns or references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hybrid_interconnect: Option<InterconnectRef>,
}

/// A Megaport Cloud Router (MCR) that exists already. VXCs are attached to it; the router itself is never changed or
/// deleted. Set exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one_of(&["hybridInterconnect", "productUID"]))]
pub struct RouterRef {
    /// A router of a HybridInterconnect in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hybrid_interconnect: Option<InterconnectRouterRef>,
    /// Megaport's product UID of the router.
    #[serde(
        default,
        rename = "productUID",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub product_uid: Option<String>,
}

/// A Megaport product that exists already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductRef {
    /// Megaport's product UID.
    #[serde(rename = "productUID")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub product_uid: String,
}

/// Whether prefixes beyond the expected ones are a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AdditionalPrefixes {
    /// They turn RoutesAsExpected False with the reason UnexpectedPrefix.
    #[default]
    Deny,
    /// They are accepted silently.
    Allow,
}

/// What each side must see. The links' own /30s are always ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkRouteContract {
    /// Prefixes that Azure must learn, exactly. Default: the VPC's prefixes. Up to 64. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 43)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::cidr_list("azureSees"))]
    pub azure_sees: Option<Vec<String>>,
    /// Prefixes that AWS must learn, exactly. Default: the virtual network's prefixes. Up to 64. Can be changed at
    /// any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 43)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::cidr_list("awsSees"))]
    pub aws_sees: Option<Vec<String>>,
    /// Deny (default): a prefix beyond the expected ones is a fault. Allow: it is not. Can be changed at any time.
    #[serde(default)]
    pub additional_prefixes: AdditionalPrefixes,
}
