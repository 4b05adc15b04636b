//! Virtual networks, subnets, route tables and network interfaces: referenced and read, not made (azure.md §5).

use super::client::AzureClient;
use super::id::ResourceId;
use super::resource::{ProvisioningState, Reference, Resource};
use crate::clients::wire::{Extra, null_default};
use causeway_model::guard::{SubnetRoutes, UserRoute as GuardRoute};
use causeway_model::intent::CloudError;
use ipnet::IpNet;
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

impl VirtualNetwork {
    /// A subnet by its name.
    pub fn subnet(&self, name: &str) -> Option<&Subnet> {
        self.properties
            .subnets
            .iter()
            .find(|s| s.name().eq_ignore_ascii_case(name))
    }

    /// The route table on GatewaySubnet.
    pub fn gateway_table(&self) -> Option<ResourceId> {
        let table = self
            .subnet("GatewaySubnet")?
            .properties
            .route_table
            .as_ref()?;
        Some(ResourceId::new(table.id.clone()))
    }
}

impl RouteTable {
    /// For the guard of GatewaySubnet. A prefix may be a service tag, which is no prefix (azure.md §5.1).
    pub fn for_guard(&self) -> SubnetRoutes {
        let mut out = SubnetRoutes {
            name: self.name().to_owned(),
            propagation_disabled: self.properties.disable_bgp_route_propagation == Some(true),
            ..SubnetRoutes::default()
        };
        for r in &self.properties.routes {
            let p = &r.properties;
            match p.address_prefix.trim().parse::<IpNet>() {
                Ok(prefix) => out.routes.push(GuardRoute {
                    name: r.name().to_owned(),
                    prefix: prefix.trunc(),
                    next_hop_type: p.next_hop_type.clone(),
                    next_hop: p
                        .next_hop_ip_address
                        .as_ref()
                        .and_then(|a| a.trim().parse().ok()),
                }),
                Err(_) => out.other.push(format!(
                    "{}: {} to {}",
                    r.name(),
                    p.address_prefix,
                    p.next_hop_type
                )),
            }
        }
        out.routes.sort();
        out.other.sort();
        out
    }
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

    pub async fn route_tables(&self, resource_group: &str) -> Result<Vec<RouteTable>, CloudError> {
        self.list("routeTables.list", resource_group, "routeTables")
            .await
    }

    pub async fn network_interface(
        &self,
        id: &ResourceId,
    ) -> Result<Option<NetworkInterface>, CloudError> {
        self.find("networkInterfaces.get", id).await
    }
}
