//! Virtual network gateways (ExpressRoute and VPN) and the public IPs of VPN gateways (azure.md §3, §5.4).

use super::client::{Accepted, AzureClient};
use super::id::ResourceId;
use super::resource::{ProvisioningState, Reference, Resource};
use crate::clients::wire::{Extra, loose_u32, null_default};
use causeway_model::intent::CloudError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

pub type Gateway = Resource<GatewayProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayProperties {
    pub provisioning_state: ProvisioningState,
    /// `ExpressRoute` or `Vpn`.
    #[serde(deserialize_with = "null_default")]
    pub gateway_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpn_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpn_gateway_generation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<GatewaySku>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_bgp: Option<bool>,
    /// Old ExpressRoute gateways carry a public IP here and must keep it (azure.md §3.2): written back as read.
    #[serde(deserialize_with = "null_default")]
    pub ip_configurations: Vec<GatewayIpConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bgp_settings: Option<BgpSettings>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A gateway's SKU sits inside its properties, and reads add `capacity`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySku {
    pub name: String,
    pub tier: String,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayIpConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    pub properties: GatewayIpConfigurationProperties,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayIpConfigurationProperties {
    #[serde(
        rename = "privateIPAllocationMethod",
        skip_serializing_if = "Option::is_none"
    )]
    pub private_ip_allocation_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Reference>,
    #[serde(rename = "publicIPAddress", skip_serializing_if = "Option::is_none")]
    pub public_ip_address: Option<Reference>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpSettings {
    #[serde(
        deserialize_with = "loose_u32",
        skip_serializing_if = "Option::is_none"
    )]
    pub asn: Option<u32>,
    /// On an active/active gateway both addresses, joined by a comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bgp_peering_address: Option<String>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub bgp_peering_addresses: Vec<BgpPeeringAddress>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpPeeringAddress {
    /// Lower-case `c`, unlike on connections (azure.md §3.3).
    #[serde(rename = "ipconfigurationId", alias = "ipConfigurationId")]
    pub ip_configuration_id: String,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub default_bgp_ip_addresses: Vec<String>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub custom_bgp_ip_addresses: Vec<String>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tunnel_ip_addresses: Vec<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// An ExpressRoute gateway to be created: no public IP (azure.md §3.2), no `vpnType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressRouteGatewaySpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    pub sku: String,
    /// The GatewaySubnet.
    pub subnet: ResourceId,
}

/// An active/active VPN gateway with APIPA BGP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnGatewaySpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    pub sku: String,
    /// `Generation1` or `Generation2`.
    pub generation: String,
    pub asn: u32,
    /// The GatewaySubnet.
    pub subnet: ResourceId,
    /// Per instance: name of the IP configuration, its public IP, its APIPA addresses in order (the first one is used by
    /// connections that name none).
    pub instances: Vec<VpnInstanceSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnInstanceSpec {
    pub ip_configuration: String,
    pub public_ip: ResourceId,
    pub bgp_addresses: Vec<String>,
}

pub type PublicIp = Resource<PublicIpProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublicIpProperties {
    pub provisioning_state: ProvisioningState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    #[serde(
        rename = "publicIPAllocationMethod",
        skip_serializing_if = "Option::is_none"
    )]
    pub public_ip_allocation_method: Option<String>,
    /// Who uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_configuration: Option<Reference>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A static Standard public IP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIpSpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    /// Immutable; empty where the region has none.
    pub zones: Vec<String>,
}

impl AzureClient {
    pub async fn gateway(&self, id: &ResourceId) -> Result<Option<Gateway>, CloudError> {
        self.find("virtualNetworkGateways.get", id).await
    }

    /// Lists by resource group: there is no subscription-wide list (azure.md §3.1).
    pub async fn gateways(&self, resource_group: &str) -> Result<Vec<Gateway>, CloudError> {
        self.list(
            "virtualNetworkGateways.list",
            resource_group,
            "virtualNetworkGateways",
        )
        .await
    }

    pub async fn create_express_route_gateway(
        &self,
        id: &ResourceId,
        spec: &ExpressRouteGatewaySpec,
    ) -> Result<Accepted, CloudError> {
        let body = json!({
            "location": spec.location,
            "tags": spec.tags,
            "properties": {
                "gatewayType": "ExpressRoute",
                "sku": { "name": spec.sku, "tier": spec.sku },
                "ipConfigurations": [{
                    "name": "default",
                    "properties": {
                        "privateIPAllocationMethod": "Dynamic",
                        "subnet": { "id": spec.subnet.as_str() },
                    },
                }],
            },
        });
        self.put("virtualNetworkGateways.put", id, &body, None)
            .await
    }

    pub async fn create_vpn_gateway(
        &self,
        id: &ResourceId,
        spec: &VpnGatewaySpec,
    ) -> Result<Accepted, CloudError> {
        let configurations: Vec<_> = spec
            .instances
            .iter()
            .map(|i| {
                json!({
                    "name": i.ip_configuration,
                    "properties": {
                        "privateIPAllocationMethod": "Dynamic",
                        "subnet": { "id": spec.subnet.as_str() },
                        "publicIPAddress": { "id": i.public_ip.as_str() },
                    },
                })
            })
            .collect();
        let addresses: Vec<_> = spec
            .instances
            .iter()
            .map(|i| {
                json!({
                    "ipconfigurationId": id.child("ipConfigurations", &i.ip_configuration).as_str(),
                    "customBgpIpAddresses": i.bgp_addresses,
                })
            })
            .collect();
        let body = json!({
            "location": spec.location,
            "tags": spec.tags,
            "properties": {
                "gatewayType": "Vpn",
                "vpnType": "RouteBased",
                "vpnGatewayGeneration": spec.generation,
                "sku": { "name": spec.sku, "tier": spec.sku },
                "activeActive": spec.instances.len() > 1,
                "enableBgp": true,
                "ipConfigurations": configurations,
                "bgpSettings": {
                    "asn": spec.asn,
                    "peerWeight": 0,
                    "bgpPeeringAddresses": addresses,
                },
            },
        });
        self.put("virtualNetworkGateways.put", id, &body, None)
            .await
    }

    /// Writes back a gateway that was read and changed; refused when it changed meanwhile.
    pub async fn update_gateway(
        &self,
        id: &ResourceId,
        gateway: &Gateway,
    ) -> Result<Accepted, CloudError> {
        self.put(
            "virtualNetworkGateways.put",
            id,
            gateway,
            gateway.etag.as_deref(),
        )
        .await
    }

    pub async fn delete_gateway(&self, id: &ResourceId) -> Result<Option<Accepted>, CloudError> {
        self.delete("virtualNetworkGateways.delete", id).await
    }

    pub async fn public_ip(&self, id: &ResourceId) -> Result<Option<PublicIp>, CloudError> {
        self.find("publicIPAddresses.get", id).await
    }

    pub async fn public_ips(&self, resource_group: &str) -> Result<Vec<PublicIp>, CloudError> {
        self.list(
            "publicIPAddresses.list",
            resource_group,
            "publicIPAddresses",
        )
        .await
    }

    /// The address is there as soon as the PUT is done (static), so that customer gateways need not wait for the VPN
    /// gateway.
    pub async fn create_public_ip(
        &self,
        id: &ResourceId,
        spec: &PublicIpSpec,
    ) -> Result<Accepted, CloudError> {
        let mut body = json!({
            "location": spec.location,
            "tags": spec.tags,
            "sku": { "name": "Standard", "tier": "Regional" },
            "properties": {
                "publicIPAllocationMethod": "Static",
                "publicIPAddressVersion": "IPv4",
            },
        });
        if !spec.zones.is_empty()
            && let Some(b) = body.as_object_mut()
        {
            b.insert("zones".to_owned(), json!(spec.zones));
        }
        self.put("publicIPAddresses.put", id, &body, None).await
    }

    /// Refused with [`causeway_model::intent::Intent::Blocked`] for a while after its gateway is gone (azure.md §1.4).
    pub async fn delete_public_ip(&self, id: &ResourceId) -> Result<Option<Accepted>, CloudError> {
        self.delete("publicIPAddresses.delete", id).await
    }
}
