//! MCR diagnostics: submitted, then polled; 202 means pending, and an empty list is a result (megaport.md §7.3). They are
//! rate limited and for troubleshooting: run them on a budget.

use super::client::{Ask, MegaportClient};
use causeway_model::intent::{CloudError, Sent};
use causeway_model::routes::Rows;
use causeway_model::routes::megaport::{BgpRouteRow, IpRouteRow};
use serde::de::DeserializeOwned;
use std::net::IpAddr;

/// Which way, seen from the MCR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Received,
    Advertised,
}

impl MegaportClient {
    /// Starts reading the BGP routes of all sessions; answers the operation ID.
    pub async fn start_bgp_routes(&self, mcr_uid: &str) -> Result<String, CloudError> {
        self.submit(
            "GET /v2/product/mcr2/{uid}/diagnostics/routes/bgp",
            mcr_uid,
            "",
        )
        .await
    }

    /// Starts reading the forwarding table.
    pub async fn start_ip_routes(&self, mcr_uid: &str) -> Result<String, CloudError> {
        self.submit(
            "GET /v2/product/mcr2/{uid}/diagnostics/routes/ip",
            mcr_uid,
            "",
        )
        .await
    }

    /// Starts reading what one neighbour sent or gets.
    pub async fn start_neighbor_routes(
        &self,
        mcr_uid: &str,
        peer: IpAddr,
        direction: Direction,
    ) -> Result<String, CloudError> {
        let direction = match direction {
            Direction::Received => "RECEIVED",
            Direction::Advertised => "ADVERTISED",
        };
        self.submit(
            "GET /v2/product/mcr2/{uid}/diagnostics/routes/bgp/neighbor",
            mcr_uid,
            &format!("&direction={direction}&peer_ip_address={peer}"),
        )
        .await
    }

    async fn submit(
        &self,
        operation: &'static str,
        mcr_uid: &str,
        parameters: &str,
    ) -> Result<String, CloudError> {
        let ask = Ask::on(operation, mcr_uid)
            .query(format!("?async=true{parameters}"))
            .table();
        let (_, data) = self.ask(&ask).await?;
        data.as_str()
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| ask.unreadable("it has no operation ID", Sent::No))
    }

    /// Looks at a BGP query; `None` while it runs.
    pub async fn poll_bgp_routes(
        &self,
        mcr_uid: &str,
        operation_id: &str,
    ) -> Result<Option<Rows<BgpRouteRow>>, CloudError> {
        self.poll(mcr_uid, operation_id).await
    }

    /// Looks at a query of the forwarding table; `None` while it runs.
    pub async fn poll_ip_routes(
        &self,
        mcr_uid: &str,
        operation_id: &str,
    ) -> Result<Option<Rows<IpRouteRow>>, CloudError> {
        self.poll(mcr_uid, operation_id).await
    }

    async fn poll<T: DeserializeOwned>(
        &self,
        mcr_uid: &str,
        operation_id: &str,
    ) -> Result<Option<Rows<T>>, CloudError> {
        let ask = Ask::on(
            "GET /v2/product/mcr2/{uid}/diagnostics/routes/operation",
            mcr_uid,
        )
        .query(format!("?operationId={operation_id}"))
        .table();
        let (status, data) = self.ask(&ask).await?;
        if status == 202 {
            return Ok(None);
        }
        Rows::one_or_many(data)
            .map(Some)
            .ok_or_else(|| ask.unreadable("it has no routes", Sent::No))
    }
}
