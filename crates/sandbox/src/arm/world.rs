//! Azure's part of the world file: who may call, which subscriptions and resource groups exist, and the network
//! objects that are there before anybody asks for anything. `Default` is the lab (lab.md, config/samples/lab.yaml).

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// An app registration with a client secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppCredential {
    #[serde(rename = "clientID")]
    pub client_id: String,
    pub client_secret: String,
}

/// A subscription and its resource groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionWorld {
    #[serde(rename = "subscriptionID")]
    pub subscription_id: String,
    pub display_name: String,
    pub resource_groups: Vec<ResourceGroupWorld>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGroupWorld {
    pub name: String,
    /// Region in its short form, such as `eastus2`.
    pub location: String,
}

/// Where an object of the world lives. Empty fields mean the first subscription and its first resource group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    #[serde(rename = "subscriptionID")]
    pub subscription_id: String,
    pub resource_group: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkWorld {
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    pub address_prefixes: Vec<Ipv4Net>,
    pub subnets: Vec<SubnetWorld>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetWorld {
    pub name: String,
    pub address_prefix: Ipv4Net,
    /// Name of a route table of the same resource group.
    #[serde(default)]
    pub route_table: Option<String>,
    /// Name of a network security group of the same resource group.
    #[serde(default)]
    pub network_security_group: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceWorld {
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    pub virtual_network: String,
    pub subnet: String,
    pub address: Ipv4Addr,
    /// Name of the virtual machine that it belongs to.
    pub virtual_machine: Option<String>,
    /// Whether that machine runs: effective routes can be read only then (azure.md §5.3).
    pub running: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteTableWorld {
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    #[serde(default)]
    pub disable_bgp_route_propagation: bool,
    #[serde(default)]
    pub routes: Vec<RouteWorld>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteWorld {
    pub name: String,
    pub address_prefix: Ipv4Net,
    /// `VirtualNetworkGateway`, `VnetLocal`, `Internet`, `VirtualAppliance`, `None`.
    pub next_hop_type: String,
    #[serde(default)]
    pub next_hop_ip_address: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupWorld {
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
}

/// An entry of the catalogue of ExpressRoute providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProviderWorld {
    pub name: String,
    pub peering_locations: Vec<String>,
    /// Mbps.
    pub bandwidths: Vec<u32>,
}

/// Which host numbers of GatewaySubnet the gateways' instances take, whatever order they are made in (lab.md shows
/// .12/.13 and .14/.15; Microsoft's edge routers are the network's part of the world file).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayHosts {
    pub express_route: [u32; 2],
    pub vpn: [u32; 2],
}

impl Default for GatewayHosts {
    fn default() -> Self {
        Self {
            express_route: [12, 13],
            vpn: [14, 15],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureWorld {
    #[serde(rename = "tenantID")]
    pub tenant_id: String,
    /// The operator's own app registration.
    pub causeway: AppCredential,
    /// People in the portal.
    pub human: AppCredential,
    /// Named in `WWW-Authenticate` (azure.md §11); over sockets it is the authority that serves there.
    pub authority: String,
    /// Lifetime of access tokens in real seconds.
    pub token_lifetime_seconds: u64,
    pub subscriptions: Vec<SubscriptionWorld>,
    pub virtual_networks: Vec<VirtualNetworkWorld>,
    pub network_interfaces: Vec<NetworkInterfaceWorld>,
    pub route_tables: Vec<RouteTableWorld>,
    pub network_security_groups: Vec<SecurityGroupWorld>,
    pub service_providers: Vec<ServiceProviderWorld>,
    /// Gateway SKUs that exist but can no longer be created (azure.md §3.3), as `type/name`.
    pub retired_gateway_skus: Vec<String>,
    pub gateway_hosts: GatewayHosts,
    /// Public addresses are handed out from here.
    pub public_address_pool: Ipv4Net,
    /// Entries per page of a list.
    pub page_size: usize,
}

impl Default for AzureWorld {
    fn default() -> Self {
        let net = |a: [u8; 4], len| Ipv4Net::new_assert(a.into(), len);
        let subnet = |name: &str, address_prefix| SubnetWorld {
            name: name.into(),
            address_prefix,
            route_table: None,
            network_security_group: None,
        };
        let provider = |name: &str, locations: &[&str], bandwidths: &[u32]| ServiceProviderWorld {
            name: name.into(),
            peering_locations: locations.iter().map(|l| (*l).to_owned()).collect(),
            bandwidths: bandwidths.to_vec(),
        };
        let common = [50, 100, 200, 500, 1000, 2000, 5000, 10000];
        Self {
            tenant_id: "00000000-0000-4000-8000-0000000000aa".into(),
            causeway: AppCredential {
                client_id: "00000000-0000-4000-8000-0000000000c1".into(),
                client_secret: "sandbox-azure-causeway-secret".into(),
            },
            human: AppCredential {
                client_id: "00000000-0000-4000-8000-0000000000c2".into(),
                client_secret: "sandbox-azure-human-secret".into(),
            },
            authority: "https://login.microsoftonline.com".into(),
            token_lifetime_seconds: 3599,
            subscriptions: vec![SubscriptionWorld {
                subscription_id: "00000000-0000-4000-8000-000000000001".into(),
                display_name: "lab".into(),
                resource_groups: vec![ResourceGroupWorld {
                    name: "vpn-rg".into(),
                    location: "eastus2".into(),
                }],
            }],
            virtual_networks: vec![VirtualNetworkWorld {
                place: Place::default(),
                name: "vnet".into(),
                address_prefixes: vec![net([172, 29, 0, 0], 16)],
                subnets: vec![
                    subnet("vm", net([172, 29, 0, 0], 24)),
                    subnet("GatewaySubnet", net([172, 29, 255, 0], 24)),
                ],
            }],
            network_interfaces: vec![NetworkInterfaceWorld {
                place: Place::default(),
                name: "vm-nic".into(),
                virtual_network: "vnet".into(),
                subnet: "vm".into(),
                address: Ipv4Addr::new(172, 29, 0, 10),
                virtual_machine: Some("vpn-vm".into()),
                running: true,
            }],
            route_tables: Vec::new(),
            network_security_groups: Vec::new(),
            service_providers: vec![
                provider(
                    "Megaport",
                    &[
                        "Amsterdam",
                        "Chicago",
                        "Dallas",
                        "Frankfurt",
                        "London",
                        "New York",
                        "Silicon Valley",
                        "Singapore",
                        "Sydney",
                        "Washington DC",
                        "Washington DC2",
                    ],
                    &common,
                ),
                provider(
                    "Equinix",
                    &["Amsterdam", "Frankfurt", "London", "Washington DC"],
                    &common,
                ),
            ],
            retired_gateway_skus: [
                "Vpn/VpnGw1",
                "Vpn/VpnGw2",
                "Vpn/VpnGw3",
                "Vpn/VpnGw4",
                "Vpn/VpnGw5",
                "Vpn/Standard",
                "Vpn/HighPerformance",
            ]
            .map(str::to_owned)
            .to_vec(),
            gateway_hosts: GatewayHosts::default(),
            public_address_pool: net([20, 62, 0, 0], 20),
            page_size: 100,
        }
    }
}

impl AzureWorld {
    /// The first subscription's ID (world.json's `subscriptionID`); empty when the world has none.
    pub fn subscription_id(&self) -> &str {
        self.subscriptions
            .first()
            .map_or("", |s| s.subscription_id.as_str())
    }
    /// The first resource group of the first subscription.
    pub fn first_group(&self) -> Option<&ResourceGroupWorld> {
        self.subscriptions.first()?.resource_groups.first()
    }
    pub fn resource_group(&self) -> &str {
        self.first_group().map_or("", |g| g.name.as_str())
    }
    pub fn location(&self) -> &str {
        self.first_group().map_or("", |g| g.location.as_str())
    }
    pub fn virtual_network(&self) -> &str {
        self.virtual_networks
            .first()
            .map_or("", |v| v.name.as_str())
    }
    pub fn network_interface(&self) -> &str {
        self.network_interfaces
            .first()
            .map_or("", |n| n.name.as_str())
    }
}
