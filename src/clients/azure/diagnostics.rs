//! Route and BGP tables: POSTs that run for seconds to minutes and are tracked by `Location` (azure.md §2.5, §3.6, §5.3).
//! `start_…` begins one, [`AzureClient::poll`] looks at it; nothing waits in between. They count as writes for
//! throttling, so they run on a budget. An `InternalServerError` from a gateway is a symptom: its instances cannot talk
//! to each other.

use super::client::AzureClient;
use super::id::ResourceId;
use causeway_model::intent::CloudError;
use causeway_model::routes::Rows;
use causeway_model::routes::azure::{
    CircuitRouteRow, CircuitSummaryRow, EffectiveRouteRow, GatewayPeerRow, GatewayRouteRow,
};
use causeway_model::spec::PeeringPort;
use std::time::Duration;

/// A diagnostic that is running or done.
#[derive(Debug, Clone, PartialEq)]
pub enum Long<T> {
    /// Poll this URL with the same operation, ID and result type.
    Running {
        location: String,
        retry_after: Option<Duration>,
    },
    Done(T),
}

impl AzureClient {
    /// The route table of one port of a circuit's private peering.
    pub async fn start_circuit_routes(
        &self,
        circuit: &ResourceId,
        port: PeeringPort,
    ) -> Result<Long<Rows<CircuitRouteRow>>, CloudError> {
        let action = format!("peerings/AzurePrivatePeering/routeTables/{}", port.lower());
        self.start("expressRouteCircuits.listRoutesTable", circuit, &action, "")
            .await
    }

    /// The BGP neighbours of one port.
    pub async fn start_circuit_summary(
        &self,
        circuit: &ResourceId,
        port: PeeringPort,
    ) -> Result<Long<Rows<CircuitSummaryRow>>, CloudError> {
        let action = format!(
            "peerings/AzurePrivatePeering/routeTablesSummary/{}",
            port.lower()
        );
        self.start(
            "expressRouteCircuits.listRoutesTableSummary",
            circuit,
            &action,
            "",
        )
        .await
    }

    /// BGP peers of a gateway, one row per instance and neighbour.
    pub async fn start_bgp_peers(
        &self,
        gateway: &ResourceId,
    ) -> Result<Long<Rows<GatewayPeerRow>>, CloudError> {
        self.start(
            "virtualNetworkGateways.getBgpPeerStatus",
            gateway,
            "getBgpPeerStatus",
            "",
        )
        .await
    }

    pub async fn start_learned_routes(
        &self,
        gateway: &ResourceId,
    ) -> Result<Long<Rows<GatewayRouteRow>>, CloudError> {
        self.start(
            "virtualNetworkGateways.getLearnedRoutes",
            gateway,
            "getLearnedRoutes",
            "",
        )
        .await
    }

    /// Routes advertised to one peer, which the service insists on.
    pub async fn start_advertised_routes(
        &self,
        gateway: &ResourceId,
        peer: std::net::IpAddr,
    ) -> Result<Long<Rows<GatewayRouteRow>>, CloudError> {
        self.start(
            "virtualNetworkGateways.getAdvertisedRoutes",
            gateway,
            "getAdvertisedRoutes",
            &format!("&peer={peer}"),
        )
        .await
    }

    /// Effective routes of a NIC; fails unless it is attached to a running VM.
    pub async fn start_effective_routes(
        &self,
        network_interface: &ResourceId,
    ) -> Result<Long<Rows<EffectiveRouteRow>>, CloudError> {
        self.start(
            "networkInterfaces.getEffectiveRouteTable",
            network_interface,
            "effectiveRouteTable",
            "",
        )
        .await
    }
}
