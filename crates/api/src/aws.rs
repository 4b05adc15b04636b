//! The AWS side: account, virtual private gateway, Direct Connect gateway, virtual interface.
//!
//! Names follow the EC2 and Direct Connect APIs; what can be changed in place comes from aws.md §1.5, §2.4 and §3.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{SecretKeyRef, SecretRef, Toggle, VirtualPrivateGatewayRef};
use crate::rules;

/// Where in AWS the objects are made, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable("region", "cloud objects cannot move; make a new resource for the other region"),
    validation = rules::transition(
        "!has(oldSelf.accountID) || (has(self.accountID) && self.accountID == oldSelf.accountID)",
        "accountID cannot be changed or removed: cloud objects cannot move; make a new resource for the other account"
    )
)]
pub struct AwsAccount {
    /// AWS region, for example us-east-1. Cannot be changed.
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")
    )]
    pub region: String,
    /// ID of the AWS account, 12 digits. Default: the account that the credentials belong to. If it is set and the
    /// credentials belong to another account, nothing is made. Can be added later, not changed or removed.
    #[serde(default, rename = "accountID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::aws_account_id())]
    pub account_id: Option<String>,
    /// Secret with the keys accessKeyID and secretAccessKey, and sessionToken if there is one. Default: the identity that
    /// the platform gives to the operator. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// Tags for every AWS object that is made, beside those that mark ownership. Up to 40; keys up to 128 and values up to
    /// 256 characters. Can be changed at any time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::tags")]
    pub tags: BTreeMap<String, String>,
}

/// Which route tables of the VPC learn routes from the virtual private gateway. Set exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::rule(
    "has(self.all) ? !has(self.routeTableIDs) : has(self.routeTableIDs)",
    "set exactly one of routeTableIDs and all: true"
))]
pub struct Propagation {
    /// IDs of the route tables, 1 to 64. A table that propagates already is left as it is found. Can be changed at any
    /// time.
    #[serde(
        default,
        rename = "routeTableIDs",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 1, max = 32), regex(pattern = r"^rtb-[0-9a-f]{8,17}$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub route_table_ids: Option<Vec<String>>,
    /// true: every route table of the VPC, also those that are made later. false says nothing and is refused. Can be changed
    /// for routeTableIDs at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::rule("self", "all: false says nothing: leave all out and list routeTableIDs instead"))]
    pub all: Option<bool>,
}

/// A virtual private gateway (VGW) that Causeway makes, attaches to the VPC, changes and deletes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_block("amazonASN", "AWS cannot change the ASN of a gateway; make a new interconnect"),
    validation = rules::adopt_id()
)]
pub struct VirtualPrivateGateway {
    /// Value of the gateway's tag Name, up to 255 characters. Default: the interconnect's name. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub name: Option<String>,
    /// ASN of the AWS side of VPN sessions: 64512 to 65534 or 4200000000 to 4294967294, but not 65515 to 65520. Must differ
    /// from the VPN gateway's. Cannot be changed.
    #[serde(rename = "amazonASN")]
    #[x_kube(validation = rules::amazon_asn_private(), validation = rules::amazon_asn_not_azure())]
    pub amazon_asn: i64,
    /// Which route tables learn the virtual network's prefixes. Default: none, and then the VPC has no way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation: Option<Propagation>,
    /// ID of an existing virtual private gateway to take over. From then on it is changed and deleted like one that Causeway
    /// made. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^vgw-[0-9a-f]{8,17}$"))]
    pub adopt_id: Option<String>,
}

/// A Direct Connect gateway (DXGW) that Causeway makes, changes and deletes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_block("amazonASN", "AWS cannot change the ASN of a gateway; make a new interconnect or link"),
    validation = rules::adopt_id()
)]
pub struct DirectConnectGateway {
    /// Name of the gateway, up to 100 characters. Default: the resource's name. Can be changed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub name: Option<String>,
    /// ASN of the AWS side of Direct Connect sessions, which Azure sees in its AS paths: 64512 to 65534 or 4200000000 to
    /// 4294967294, but not 65515 to 65520. Must differ from the routers'. Cannot be changed.
    #[serde(rename = "amazonASN")]
    #[x_kube(validation = rules::amazon_asn_private(), validation = rules::amazon_asn_not_azure())]
    pub amazon_asn: i64,
    /// ID of an existing Direct Connect gateway to take over. From then on it is changed and deleted like one that Causeway
    /// made. Can be removed later, not added or changed.
    #[serde(default, rename = "adoptID", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    )]
    pub adopt_id: Option<String>,
}

/// The Direct Connect gateway of an interconnect, with the prefixes of its association.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterconnectDirectConnectGateway {
    /// The gateway itself.
    #[serde(flatten)]
    pub gateway: DirectConnectGateway,
    /// IPv4 prefixes that the association announces towards Azure, 1 to 20. Default: the VPC's prefixes. Can be changed at
    /// any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), inner(length(max = 43)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::cidr_list("allowedPrefixes"))]
    pub allowed_prefixes: Option<Vec<String>>,
}

/// The association of a Direct Connect gateway with a virtual private gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::immutable_block("virtualPrivateGatewayRef", "an association stays with its gateways; make a new link"))]
pub struct Association {
    /// The virtual private gateway of the VPC. Cannot be changed.
    pub virtual_private_gateway_ref: VirtualPrivateGatewayRef,
    /// IPv4 prefixes that the association announces towards Azure, 1 to 20. Default: the VPC's prefixes. Can be changed at
    /// any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), inner(length(max = 43)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::cidr_list("allowedPrefixes"))]
    pub allowed_prefixes: Option<Vec<String>>,
}

/// What is ordered on the AWS side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DirectConnectType {
    /// Megaport makes the virtual interface in the account, which Causeway accepts. The rate can change.
    #[default]
    HostedVirtualInterface,
    /// Megaport makes a connection, which Causeway accepts and puts a virtual interface on. The rate is fixed.
    HostedConnection,
}

/// A private virtual interface (VIF).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::immutable_optional("name", "a virtual interface keeps its name; make a new link"),
    validation = rules::immutable("amazonAddress", "AWS cannot renumber a virtual interface; make a new link with the other addresses, then remove this one"),
    validation = rules::immutable("customerAddress", "AWS cannot renumber a virtual interface; make a new link with the other addresses, then remove this one"),
    validation = rules::immutable_optional("authKeySecretRef", "AWS cannot change the key of a virtual interface; make a new link"),
    validation = rules::rule(
        "isCIDR(self.amazonAddress) && isCIDR(self.customerAddress) && cidr(self.amazonAddress).prefixLength() == 30 && \
         cidr(self.customerAddress).prefixLength() == 30 ? \
         cidr(self.amazonAddress).containsIP(cidr(self.customerAddress).ip()) : true",
        "amazonAddress and customerAddress must lie in the same /30, for example 169.254.50.217/30 and 169.254.50.218/30"
    ).field_path(".customerAddress"),
    validation = rules::rule(
        "self.amazonAddress != self.customerAddress",
        "amazonAddress and customerAddress must be the two different hosts of one /30"
    ).field_path(".customerAddress")
)]
pub struct VirtualInterface {
    /// Name of the virtual interface, up to 100 characters. Default: the link's name. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[^\x00-\x1f]+$"))]
    pub name: Option<String>,
    /// IPv4 address of the AWS side with its length, one of the two hosts of a /30, for example 169.254.50.217/30. Cannot be
    /// changed.
    #[schemars(length(max = 43))]
    #[x_kube(validation = rules::cidr_format(), validation = rules::slash_30(), validation = rules::host_in_slash_30())]
    pub amazon_address: String,
    /// IPv4 address of the Megaport router's side with its length, the other host of the same /30, for example
    /// 169.254.50.218/30. Cannot be changed.
    #[schemars(length(max = 43))]
    #[x_kube(validation = rules::cidr_format(), validation = rules::slash_30(), validation = rules::host_in_slash_30())]
    pub customer_address: String,
    /// Largest packet in bytes: 1500 (default) or 8500. Can be changed; AWS may interrupt the whole connection for a moment.
    #[serde(default = "default_mtu")]
    #[x_kube(validation = rules::rule("self in [1500, 8500]", "AWS takes an MTU of 1500 or 8500: use one of these"))]
    pub mtu: i64,
    /// Key of a Secret that holds the MD5 key of the BGP session, 6 to 80 characters; both sides get it. Default: a key is
    /// generated into the link's own Secret. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_key_secret_ref: Option<SecretKeyRef>,
}

const fn default_mtu() -> i64 {
    1500
}

/// BGP between the Megaport router and AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectConnectBgp {
    /// Bidirectional Forwarding Detection: Enabled (default) notices a dead path within a second instead of the BGP hold
    /// time of ninety seconds. Can be changed at any time.
    #[serde(default)]
    pub bfd: Toggle,
    /// Whether the session is administratively down. Default false. A session that somebody else shut is started again only
    /// by a change of this field.
    #[serde(default)]
    pub shutdown: bool,
    /// How often the router's ASN is prepended towards AWS, 0 to 10. Default 0. Can be changed at any time.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10))]
    pub as_path_prepend: i64,
    /// Multi-exit discriminator sent to AWS, 0 to 4294967295; the lower one wins. Default 0. Can be changed at any time.
    #[serde(default)]
    #[schemars(range(min = 0, max = 4_294_967_295_i64))]
    pub med_out: i64,
}
