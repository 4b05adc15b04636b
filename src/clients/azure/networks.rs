//! Virtual networks, subnets, route tables and network interfaces: referenced and read, not made (azure.md §5).

use super::client::AzureClient;
use super::id::ResourceId;
use super::resource::{ProvisioningState, Reference, Resource};
use crate::clients::wire::{Extra, null_default};
use causeway_model::intent::CloudError;
use serde::{Deserialize, Serialize};

pub type VirtualNetwork = Resource<VirtualNetworkProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualNetworkProperties {
    pub provisioning_state: ProvisioningState,
    pub address_space: AddressSpace,
    #[serde(deserialize_with = "null_default")]
    pub subnets: Vec<Subnet>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AddressSpace {
    #[serde(deserialize_with = "null_default")]
    pub address_prefixes: Vec<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

pub type Subnet = Resource<SubnetProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubnetProperties {
    pub provisioning_state: ProvisioningState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_prefix: Option<String>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub address_prefixes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_security_group: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_table: Option<Reference>,
    /// Who uses the subnet.
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub ip_configurations: Vec<Reference>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl SubnetProperties {
    /// The prefixes in whichever of the two forms the service used.
    pub fn prefixes(&self) -> Vec<&str> {
        self.address_prefix
            .iter()
            .chain(&self.address_prefixes)
            .map(String::as_str)
            .collect()
    }
}

pub type RouteTable = Resource<RouteTableProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteTableProperties {
    pub provisioning_state: ProvisioningState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_bgp_route_propagation: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub routes: Vec<UserRoute>,
    #[serde(flatten)]
    pub extra: Extra,
}

pub type UserRoute = Resource<UserRouteProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserRouteProperties {
    #[serde(deserialize_with = "null_default")]
    pub address_prefix: String,
    /// `VnetLocal`, `VirtualAppliance`, `VirtualNetworkGateway`, `Internet`, `None`.
    #[serde(deserialize_with = "null_default")]
    pub next_hop_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop_ip_address: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

pub type NetworkInterface = Resource<NetworkInterfaceProperties>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkInterfaceProperties {
    pub provisioning_state: ProvisioningState,
    /// Effective routes need a running VM (azure.md §5.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_machine: Option<Reference>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl AzureClient {
    pub async fn virtual_network(
        &self,
        id: &ResourceId,
    ) -> Result<Option<VirtualNetwork>, CloudError> {
        self.find("virtualNetworks.get", id).await
    }

    pub async fn virtual_networks(
        &self,
        resource_group: &str,
    ) -> Result<Vec<VirtualNetwork>, CloudError> {
        self.list("virtualNetworks.list", resource_group, "virtualNetworks")
            .await
    }

    pub async fn subnet(&self, id: &ResourceId) -> Result<Option<Subnet>, CloudError> {
        self.find("subnets.get", id).await
    }

    pub async fn route_table(&self, id: &ResourceId) -> Result<Option<RouteTable>, CloudError> {
        self.find("routeTables.get", id).await
    }

    pub async fn network_interface(
        &self,
        id: &ResourceId,
    ) -> Result<Option<NetworkInterface>, CloudError> {
        self.find("networkInterfaces.get", id).await
    }
}
