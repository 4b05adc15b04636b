//! ExpressRoute circuits, their private peering, and the providers' catalogue (azure.md §2).

use super::client::{Accepted, AzureClient};
use super::id::ResourceId;
use super::resource::{ProvisioningState, Resource};
use crate::clients::wire::{Extra, WireSecret, loose_u32, null_default};
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use causeway_model::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How far the connectivity provider has come with a circuit (azure.md §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ProviderState {
    #[default]
    NotProvisioned,
    Provisioning,
    Provisioned,
    Deprovisioning,
    DeProvisioned,
    Other(String),
}

impl From<String> for ProviderState {
    fn from(s: String) -> Self {
        match s.to_ascii_lowercase().as_str() {
            "notprovisioned" | "" => Self::NotProvisioned,
            "provisioning" => Self::Provisioning,
            "provisioned" => Self::Provisioned,
            "deprovisioning" => Self::Deprovisioning,
            "deprovisioned" => Self::DeProvisioned,
            _ => Self::Other(s),
        }
    }
}
impl From<ProviderState> for String {
    fn from(s: ProviderState) -> Self {
        s.as_str().to_owned()
    }
}
impl ProviderState {
    pub fn as_str(&self) -> &str {
        match self {
            Self::NotProvisioned => "NotProvisioned",
            Self::Provisioning => "Provisioning",
            Self::Provisioned => "Provisioned",
            Self::Deprovisioning => "Deprovisioning",
            Self::DeProvisioned => "DeProvisioned",
            Self::Other(s) => s,
        }
    }
    /// Azure accepts the deletion of the circuit.
    pub fn is_deletable(&self) -> bool {
        matches!(self, Self::NotProvisioned | Self::DeProvisioned)
    }
}

pub type Circuit = Resource<CircuitProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitProperties {
    pub provisioning_state: ProvisioningState,
    /// Whoever has it can order on the circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_key: Option<WireSecret>,
    /// Microsoft's side: `Enabled` once created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_provisioning_state: Option<String>,
    /// Follows the provider only after a refresh (azure.md §2.6).
    pub service_provider_provisioning_state: ProviderState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_provider_properties: Option<ServiceProviderProperties>,
    /// Left out of a PUT they are deleted (azure.md §1.3).
    #[serde(deserialize_with = "null_default")]
    pub peerings: Vec<Peering>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceProviderProperties {
    #[serde(deserialize_with = "null_default")]
    pub service_provider_name: String,
    #[serde(deserialize_with = "null_default")]
    pub peering_location: String,
    #[serde(
        deserialize_with = "loose_u32",
        skip_serializing_if = "Option::is_none"
    )]
    pub bandwidth_in_mbps: Option<u32>,
    #[serde(flatten)]
    pub extra: Extra,
}

pub type Peering = Resource<PeeringProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeeringProperties {
    pub provisioning_state: ProvisioningState,
    #[serde(deserialize_with = "null_default")]
    pub peering_type: String,
    #[serde(
        rename = "peerASN",
        deserialize_with = "loose_u32",
        skip_serializing_if = "Option::is_none"
    )]
    pub peer_asn: Option<u32>,
    #[serde(
        rename = "azureASN",
        deserialize_with = "loose_u32",
        skip_serializing_if = "Option::is_none"
    )]
    pub azure_asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_peer_address_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secondary_peer_address_prefix: Option<String>,
    #[serde(
        deserialize_with = "loose_u32",
        skip_serializing_if = "Option::is_none"
    )]
    pub vlan_id: Option<u32>,
    /// `Enabled` or `Disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `Customer` when made through ARM by the customer (azure.md §2.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_key: Option<WireSecret>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A circuit to be created on a provider's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitSpec {
    pub location: String,
    pub tags: BTreeMap<String, String>,
    /// `Standard`, `Premium`, `Local`.
    pub sku_tier: String,
    /// `MeteredData`, `UnlimitedData`.
    pub sku_family: String,
    pub service_provider: String,
    pub peering_location: String,
    pub bandwidth_mbps: u32,
}

/// The private peering of a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeringSpec {
    /// The MCR's ASN.
    pub peer_asn: u32,
    /// /30 each; the MCR takes the first host, Microsoft the second.
    pub primary_prefix: String,
    pub secondary_prefix: String,
    pub vlan_id: u16,
    /// MD5 key; `None` means no MD5.
    pub shared_key: Option<Secret>,
}

/// An entry of the providers' catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceProvider {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    pub properties: ServiceProviderCatalogue,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceProviderCatalogue {
    #[serde(deserialize_with = "null_default")]
    pub peering_locations: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub bandwidths_offered: Vec<Bandwidth>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bandwidth {
    pub offer_name: String,
    #[serde(deserialize_with = "loose_u32")]
    pub value_in_mbps: Option<u32>,
}

impl AzureClient {
    pub async fn circuit(&self, id: &ResourceId) -> Result<Option<Circuit>, CloudError> {
        self.find("expressRouteCircuits.get", id).await
    }

    pub async fn circuits(&self, resource_group: &str) -> Result<Vec<Circuit>, CloudError> {
        self.list(
            "expressRouteCircuits.list",
            resource_group,
            "expressRouteCircuits",
        )
        .await
    }

    /// Orders a circuit. The name makes it idempotent, but it would replace an existing circuit's peerings: look first.
    pub async fn create_circuit(
        &self,
        id: &ResourceId,
        spec: &CircuitSpec,
    ) -> Result<Accepted, CloudError> {
        let body = json!({
            "location": spec.location,
            "tags": spec.tags,
            "sku": {
                "name": format!("{}_{}", spec.sku_tier, spec.sku_family),
                "tier": spec.sku_tier,
                "family": spec.sku_family,
            },
            "properties": {
                "allowClassicOperations": false,
                "serviceProviderProperties": {
                    "serviceProviderName": spec.service_provider,
                    "peeringLocation": spec.peering_location,
                    "bandwidthInMbps": spec.bandwidth_mbps,
                },
            },
        });
        self.put("expressRouteCircuits.put", id, &body, None).await
    }

    /// Writes back a circuit that was read and changed; refused when it changed meanwhile.
    pub async fn update_circuit(
        &self,
        id: &ResourceId,
        circuit: &Circuit,
    ) -> Result<Accepted, CloudError> {
        self.put(
            "expressRouteCircuits.put",
            id,
            circuit,
            circuit.etag.as_deref(),
        )
        .await
    }

    /// Makes Azure look at the provider's state again: GET, then PUT of the whole body (azure.md §2.6). The body goes
    /// back untyped, so that nothing is lost. Newer API versions hide the peering's MD5 key in reads; `peering_key` is
    /// written into the private peering when the answer lacks it.
    pub async fn refresh_circuit(
        &self,
        id: &ResourceId,
        peering_key: Option<&Secret>,
    ) -> Result<Accepted, CloudError> {
        let mut body: Value = self.get("expressRouteCircuits.get", id).await?;
        if let Some(key) = peering_key {
            for peering in body
                .pointer_mut("/properties/peerings")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                let private = peering
                    .pointer("/properties/peeringType")
                    .and_then(Value::as_str)
                    == Some("AzurePrivatePeering");
                if private
                    && let Some(p) = peering.get_mut("properties").and_then(Value::as_object_mut)
                    && p.get("sharedKey").is_none_or(Value::is_null)
                {
                    p.insert("sharedKey".to_owned(), json!(key.expose()));
                }
            }
        }
        let etag = body.get("etag").and_then(Value::as_str).map(str::to_owned);
        self.put("expressRouteCircuits.put", id, &body, etag.as_deref())
            .await
    }

    /// A circuit that the provider still holds is refused at the end of the operation, not here (azure.md §2.6).
    pub async fn delete_circuit(&self, id: &ResourceId) -> Result<Option<Accepted>, CloudError> {
        self.delete("expressRouteCircuits.delete", id).await
    }

    pub async fn private_peering(
        &self,
        circuit: &ResourceId,
    ) -> Result<Option<Peering>, CloudError> {
        self.find(
            "expressRouteCircuitPeerings.get",
            &circuit.private_peering(),
        )
        .await
    }

    pub async fn put_private_peering(
        &self,
        circuit: &ResourceId,
        spec: &PeeringSpec,
    ) -> Result<Accepted, CloudError> {
        let mut body = json!({
            "properties": {
                "peeringType": "AzurePrivatePeering",
                "peerASN": spec.peer_asn,
                "primaryPeerAddressPrefix": spec.primary_prefix,
                "secondaryPeerAddressPrefix": spec.secondary_prefix,
                "vlanId": spec.vlan_id,
                "state": "Enabled",
            },
        });
        if let Some(key) = &spec.shared_key
            && let Some(p) = body.get_mut("properties").and_then(Value::as_object_mut)
        {
            p.insert("sharedKey".to_owned(), json!(key.expose()));
        }
        self.put(
            "expressRouteCircuitPeerings.put",
            &circuit.private_peering(),
            &body,
            None,
        )
        .await
    }

    pub async fn delete_private_peering(
        &self,
        circuit: &ResourceId,
    ) -> Result<Option<Accepted>, CloudError> {
        self.delete(
            "expressRouteCircuitPeerings.delete",
            &circuit.private_peering(),
        )
        .await
    }

    /// Connectivity providers with their peering locations and bandwidths.
    pub async fn service_providers(&self) -> Result<Vec<ServiceProvider>, CloudError> {
        let id = ResourceId::new(format!(
            "/subscriptions/{}/providers/Microsoft.Network/expressRouteServiceProviders",
            self.subscription()
        ));
        self.list_at("expressRouteServiceProviders.list", &id).await
    }
}

/// The circuit's service key as a secret, or an error that says what is missing.
impl CircuitProperties {
    pub fn key(&self, id: &ResourceId) -> Result<Secret, CloudError> {
        self.service_key
            .as_ref()
            .map(|k| k.0.clone())
            .filter(|k| !k.is_empty())
            .ok_or_else(|| {
                CloudError::new(
                    Provider::Azure,
                    "expressRouteCircuits.get",
                    id.tail(),
                    Intent::Blocked {
                        on: "the service key of the circuit".to_owned(),
                        retry_after: None,
                    },
                    "NoServiceKey",
                    "the circuit shows no service key yet",
                )
                .sent(Sent::No)
            })
    }
}
