//! Azure Resource Manager: tokens by azure_identity, everything else by hand on the transport seam (azure.md §7).
//!
//! [`AzureClient`] has a generic core (get, list, put, delete, operations) and one file per resource family on top of it.
//! Nothing here waits: a long-running operation is started and looked at again by the caller.

mod auth;
mod circuits;
mod classify;
mod client;
mod connections;
mod diagnostics;
mod gateways;
mod id;
mod networks;
mod resource;
#[cfg(test)]
mod tests;
mod tokens;

pub use auth::AzureCredential;
pub use circuits::{
    Bandwidth, Circuit, CircuitProperties, CircuitSpec, Peering, PeeringProperties, PeeringSpec,
    ProviderState, ServiceProvider, ServiceProviderCatalogue, ServiceProviderProperties,
};
pub use classify::{classify, classify_operation};
pub use client::{API_VERSION, Accepted, AzureClient, OperationStatus};
pub use connections::{
    Connection, ConnectionProperties, ConnectionStatus, CustomBgpAddress,
    ExpressRouteConnectionSpec, IpsecConnectionSpec, IpsecPolicy, LocalGateway,
    LocalGatewayProperties, LocalGatewaySpec,
};
pub use diagnostics::Long;
pub use gateways::{
    BgpPeeringAddress, BgpSettings, ExpressRouteGatewaySpec, Gateway, GatewayIpConfiguration,
    GatewayIpConfigurationProperties, GatewayProperties, GatewaySku, PublicIp, PublicIpProperties,
    PublicIpSpec, VpnGatewaySpec, VpnInstanceSpec,
};
pub use id::ResourceId;
pub use networks::{
    NetworkInterface, NetworkInterfaceProperties, RouteTable, RouteTableProperties, Subnet,
    SubnetProperties, UserRoute, UserRouteProperties, VirtualNetwork, VirtualNetworkProperties,
};
pub use resource::{ProvisioningState, Reference, Resource, Sku};
