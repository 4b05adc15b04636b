//! Connections (ExpressRoute and IPsec), their shared keys, and local network gateways (azure.md §4).

use super::client::{Accepted, AzureClient};
use super::gateways::BgpSettings;
use super::id::ResourceId;
use super::resource::{ProvisioningState, Reference, Resource};
use crate::clients::wire::{Extra, loose_i64, null_default};
use causeway_model::intent::CloudError;
use causeway_model::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub type Connection = Resource<ConnectionProperties>;

/// `connectionStatus`: IKE and IPsec, or the ExpressRoute link; says nothing of BGP (azure.md §4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ConnectionStatus {
    Connected,
    Connecting,
    NotConnected,
    /// Absent in lists, or a word that nobody documented.
    #[default]
    Unknown,
}

impl From<String> for ConnectionStatus {
    fn from(s: String) -> Self {
        match s.as_str() {
            "Connected" => Self::Connected,
            "Connecting" => Self::Connecting,
            "NotConnected" => Self::NotConnected,
            _ => Self::Unknown,
        }
    }
}
impl From<ConnectionStatus> for String {
    fn from(s: ConnectionStatus) -> Self {
        match s {
            ConnectionStatus::Connected => "Connected",
            ConnectionStatus::Connecting => "Connecting",
            ConnectionStatus::NotConnected => "NotConnected",
            ConnectionStatus::Unknown => "Unknown",
        }
        .to_owned()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionProperties {
    pub provisioning_state: ProvisioningState,
    /// `ExpressRoute` or `IPsec`.
    #[serde(deserialize_with = "null_default")]
    pub connection_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_network_gateway1: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_network_gateway2: Option<Reference>,
    /// The circuit of an ExpressRoute connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Reference>,
    #[serde(
        deserialize_with = "loose_i64",
        skip_serializing_if = "Option::is_none"
    )]
    pub routing_weight: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_bgp: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_mode: Option<String>,
    #[serde(
        deserialize_with = "loose_i64",
        skip_serializing_if = "Option::is_none"
    )]
    pub dpd_timeout_seconds: Option<i64>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub ipsec_policies: Vec<IpsecPolicy>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub gateway_custom_bgp_ip_addresses: Vec<CustomBgpAddress>,
    pub connection_status: ConnectionStatus,
    #[serde(
        deserialize_with = "loose_i64",
        skip_serializing_if = "Option::is_none"
    )]
    pub egress_bytes_transferred: Option<i64>,
    #[serde(
        deserialize_with = "loose_i64",
        skip_serializing_if = "Option::is_none"
    )]
    pub ingress_bytes_transferred: Option<i64>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// All eight fields are mandatory (azure.md §4.4); `ipsec*` is phase 2, `ike*` phase 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpsecPolicy {
    pub sa_life_time_seconds: u32,
    pub sa_data_size_kilobytes: u32,
    pub ipsec_encryption: String,
    pub ipsec_integrity: String,
    pub ike_encryption: String,
    pub ike_integrity: String,
    pub dh_group: String,
    pub pfs_group: String,
}

/// Which of an instance's APIPA addresses a connection speaks BGP from. The spelling of the ID's key differs from the
/// gateway's (azure.md §3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomBgpAddress {
    pub ip_configuration_id: String,
    pub custom_bgp_ip_address: String,
}

/// An ExpressRoute connection to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressRouteConnectionSpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    pub gateway: ResourceId,
    pub circuit: ResourceId,
    /// 0 to 32000; chooses between several circuits.
    pub routing_weight: u32,
    /// Only for a circuit of another subscription.
    pub authorization_key: Option<Secret>,
}

/// An IPsec connection to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpsecConnectionSpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    pub gateway: ResourceId,
    pub local_gateway: ResourceId,
    /// Only used by the creating PUT; later changes go through [`AzureClient::put_shared_key`].
    pub shared_key: Secret,
    pub enable_bgp: bool,
    /// 9 to 3600.
    pub dpd_timeout_seconds: u32,
    pub policy: IpsecPolicy,
    /// IP configuration name and address, one per instance; empty: each instance's first address (azure.md §4.2).
    pub custom_bgp_addresses: Vec<(String, String)>,
}

pub type LocalGateway = Resource<LocalGatewayProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalGatewayProperties {
    pub provisioning_state: ProvisioningState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bgp_settings: Option<BgpSettings>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A local network gateway: one AWS tunnel end. Its address space stays empty, BGP brings the routes (azure.md §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalGatewaySpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    /// The tunnel's outside address at AWS.
    pub gateway_address: String,
    /// The VGW's ASN.
    pub asn: u32,
    /// AWS's end of the inside /30.
    pub bgp_peering_address: String,
}

impl AzureClient {
    pub async fn connection(&self, id: &ResourceId) -> Result<Option<Connection>, CloudError> {
        self.find("virtualNetworkGatewayConnections.get", id).await
    }

    /// The list may lack `connectionStatus` (azure.md §4.5).
    pub async fn connections(&self, resource_group: &str) -> Result<Vec<Connection>, CloudError> {
        self.list(
            "virtualNetworkGatewayConnections.list",
            resource_group,
            "connections",
        )
        .await
    }

    pub async fn create_express_route_connection(
        &self,
        id: &ResourceId,
        spec: &ExpressRouteConnectionSpec,
    ) -> Result<Accepted, CloudError> {
        let mut properties = json!({
            "connectionType": "ExpressRoute",
            "virtualNetworkGateway1": Reference::with_properties(&spec.gateway),
            "peer": { "id": spec.circuit.as_str() },
            "routingWeight": spec.routing_weight,
        });
        if let (Some(key), Some(p)) = (&spec.authorization_key, properties.as_object_mut()) {
            p.insert("authorizationKey".to_owned(), json!(key.expose()));
        }
        let body =
            json!({ "location": spec.location, "tags": spec.tags, "properties": properties });
        self.put("virtualNetworkGatewayConnections.put", id, &body, None)
            .await
    }

    pub async fn create_ipsec_connection(
        &self,
        id: &ResourceId,
        spec: &IpsecConnectionSpec,
    ) -> Result<Accepted, CloudError> {
        let mut properties = json!({
            "connectionType": "IPsec",
            "connectionProtocol": "IKEv2",
            "virtualNetworkGateway1": Reference::with_properties(&spec.gateway),
            "localNetworkGateway2": Reference::with_properties(&spec.local_gateway),
            "sharedKey": spec.shared_key.expose(),
            "enableBgp": spec.enable_bgp,
            // AWS initiates IKE and BGP (azure.md §4.4).
            "connectionMode": "Default",
            "dpdTimeoutSeconds": spec.dpd_timeout_seconds,
            "usePolicyBasedTrafficSelectors": false,
            "routingWeight": 0,
            "ipsecPolicies": [spec.policy],
        });
        if !spec.custom_bgp_addresses.is_empty() {
            let entries: Vec<CustomBgpAddress> = spec
                .custom_bgp_addresses
                .iter()
                .map(|(configuration, address)| CustomBgpAddress {
                    ip_configuration_id: spec
                        .gateway
                        .child("ipConfigurations", configuration)
                        .to_string(),
                    custom_bgp_ip_address: address.clone(),
                })
                .collect();
            if let Some(p) = properties.as_object_mut() {
                p.insert("gatewayCustomBgpIpAddresses".to_owned(), json!(entries));
            }
        }
        let body =
            json!({ "location": spec.location, "tags": spec.tags, "properties": properties });
        self.put("virtualNetworkGatewayConnections.put", id, &body, None)
            .await
    }

    /// Writes back a connection that was read and changed. Does not touch the shared key.
    pub async fn update_connection(
        &self,
        id: &ResourceId,
        connection: &Connection,
    ) -> Result<Accepted, CloudError> {
        self.put(
            "virtualNetworkGatewayConnections.put",
            id,
            connection,
            connection.etag.as_deref(),
        )
        .await
    }

    pub async fn delete_connection(&self, id: &ResourceId) -> Result<Option<Accepted>, CloudError> {
        self.delete("virtualNetworkGatewayConnections.delete", id)
            .await
    }

    /// The pre-shared key; `None` when the service answers with an empty list (ExpressRoute, too few rights).
    pub async fn shared_key(&self, connection: &ResourceId) -> Result<Option<Secret>, CloudError> {
        let id = ResourceId::new(format!("{connection}/sharedkey"));
        let body: Value = self
            .get("virtualNetworkGatewayConnections.getSharedKey", &id)
            .await?;
        Ok(body
            .get("value")
            .and_then(Value::as_str)
            .filter(|s| !s.is_empty())
            .map(Secret::from))
    }

    /// Changes the pre-shared key: a PUT of the connection would not (azure.md §4.3).
    pub async fn put_shared_key(
        &self,
        connection: &ResourceId,
        key: &Secret,
    ) -> Result<Accepted, CloudError> {
        let id = ResourceId::new(format!("{connection}/sharedkey"));
        let body = json!({ "value": key.expose() });
        self.put(
            "virtualNetworkGatewayConnections.setSharedKey",
            &id,
            &body,
            None,
        )
        .await
    }

    pub async fn local_gateway(&self, id: &ResourceId) -> Result<Option<LocalGateway>, CloudError> {
        self.find("localNetworkGateways.get", id).await
    }

    pub async fn local_gateways(
        &self,
        resource_group: &str,
    ) -> Result<Vec<LocalGateway>, CloudError> {
        self.list(
            "localNetworkGateways.list",
            resource_group,
            "localNetworkGateways",
        )
        .await
    }

    pub async fn put_local_gateway(
        &self,
        id: &ResourceId,
        spec: &LocalGatewaySpec,
    ) -> Result<Accepted, CloudError> {
        let body = json!({
            "location": spec.location,
            "tags": spec.tags,
            "properties": {
                "gatewayIpAddress": spec.gateway_address,
                "localNetworkAddressSpace": { "addressPrefixes": [] },
                "bgpSettings": {
                    "asn": spec.asn,
                    "bgpPeeringAddress": spec.bgp_peering_address,
                    "peerWeight": 0,
                },
            },
        });
        self.put("localNetworkGateways.put", id, &body, None).await
    }

    pub async fn delete_local_gateway(
        &self,
        id: &ResourceId,
    ) -> Result<Option<Accepted>, CloudError> {
        self.delete("localNetworkGateways.delete", id).await
    }
}
