//! One read of one table: start, look until it is there, parse. Bounded by the caller.

use crate::clients::azure::{AzureClient, Long, ResourceId};
use crate::clients::megaport::MegaportClient;
use causeway_aws::AwsApi;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use causeway_model::routes::{Rows, Sessions, Table, aws, azure, megaport};
use causeway_model::spec::PeeringPort;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Pauses between looks at a running read, where the provider gives none: in the clouds' time (megaport.md §7.3: 3 s).
const LOOK: Duration = Duration::from_secs(3);
const LOOK_FLOOR: Duration = Duration::from_millis(10);

/// Which table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    CircuitRoutes(ResourceId, PeeringPort),
    CircuitSummary(ResourceId, PeeringPort),
    GatewayPeers(ResourceId),
    GatewayRoutes(ResourceId),
    EffectiveRoutes(ResourceId),
    RouterRoutes(String),
    VifRoutes(String),
}

impl What {
    /// The cloud object that is asked, one read at a time.
    pub(super) fn object(&self) -> &str {
        match self {
            Self::CircuitRoutes(id, _)
            | Self::CircuitSummary(id, _)
            | Self::GatewayPeers(id)
            | Self::GatewayRoutes(id)
            | Self::EffectiveRoutes(id) => id.as_str(),
            Self::RouterRoutes(id) | Self::VifRoutes(id) => id,
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::CircuitRoutes(..) => "expressRouteCircuits.listRoutesTable",
            Self::CircuitSummary(..) => "expressRouteCircuits.listRoutesTableSummary",
            Self::GatewayPeers(_) => "virtualNetworkGateways.getBgpPeerStatus",
            Self::GatewayRoutes(_) => "virtualNetworkGateways.getLearnedRoutes",
            Self::EffectiveRoutes(_) => "networkInterfaces.getEffectiveRouteTable",
            Self::RouterRoutes(_) => "GET /v2/product/mcr2/{uid}/diagnostics/routes/bgp",
            Self::VifRoutes(_) => "ListVirtualInterfaceRoutes",
        }
    }

    fn provider(&self) -> Provider {
        match self {
            Self::RouterRoutes(_) => Provider::Megaport,
            Self::VifRoutes(_) => Provider::Aws,
            _ => Provider::Azure,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.operation(), self.object())
    }
}

/// A table, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Table(Table),
    Sessions(Sessions),
    Vif { accepted: Table, advertised: Table },
}

/// Who reads.
#[derive(Clone)]
pub enum Source {
    Azure(AzureClient),
    Aws(Arc<dyn AwsApi>),
    Megaport(MegaportClient),
}

impl Source {
    /// Tells accounts apart for as long as they live.
    pub(super) fn identity(&self) -> usize {
        match self {
            Self::Azure(c) => c.identity(),
            Self::Aws(c) => Arc::as_ptr(c).cast::<()>() as usize,
            Self::Megaport(c) => c.identity(),
        }
    }
}

fn failed(what: &What, intent: Intent, code: &str, message: &str) -> CloudError {
    CloudError::new(
        what.provider(),
        what.operation(),
        what.object(),
        intent,
        code,
        message,
    )
    .sent(Sent::No)
}

pub(super) fn timed_out(what: &What) -> CloudError {
    failed(
        what,
        Intent::Transient { retry_after: None },
        "Timeout",
        "the table did not come in time",
    )
}

pub(super) async fn read(source: &Source, what: &What, scale: f64) -> Result<Content, CloudError> {
    match (source, what) {
        (Source::Azure(c), What::CircuitRoutes(id, port)) => {
            let rows: Rows<_> =
                finish(c, what, id, c.start_circuit_routes(id, *port).await?, scale).await?;
            Ok(Content::Table(
                azure::circuit_routes(&rows.rows).with_odd(&rows.odd),
            ))
        }
        (Source::Azure(c), What::CircuitSummary(id, port)) => {
            let rows: Rows<_> = finish(
                c,
                what,
                id,
                c.start_circuit_summary(id, *port).await?,
                scale,
            )
            .await?;
            Ok(Content::Sessions(
                azure::circuit_sessions(&rows.rows).with_odd(&rows.odd),
            ))
        }
        (Source::Azure(c), What::GatewayPeers(id)) => {
            let rows: Rows<_> = finish(c, what, id, c.start_bgp_peers(id).await?, scale).await?;
            Ok(Content::Sessions(
                azure::gateway_sessions(&rows.rows).with_odd(&rows.odd),
            ))
        }
        (Source::Azure(c), What::GatewayRoutes(id)) => {
            let rows: Rows<_> =
                finish(c, what, id, c.start_learned_routes(id).await?, scale).await?;
            Ok(Content::Table(
                azure::gateway_routes(&rows.rows).with_odd(&rows.odd),
            ))
        }
        (Source::Azure(c), What::EffectiveRoutes(id)) => {
            let rows: Rows<_> =
                finish(c, what, id, c.start_effective_routes(id).await?, scale).await?;
            Ok(Content::Table(
                azure::effective_routes(&rows.rows).with_odd(&rows.odd),
            ))
        }
        (Source::Megaport(c), What::RouterRoutes(uid)) => {
            let operation = c.start_bgp_routes(uid).await?;
            loop {
                if let Some(rows) = c.poll_bgp_routes(uid, &operation).await? {
                    return Ok(Content::Table(
                        megaport::bgp_routes(&rows.rows).with_odd(&rows.odd),
                    ));
                }
                pause(None, scale).await;
            }
        }
        (Source::Aws(c), What::VifRoutes(id)) => {
            let rows = c.vif_routes(id).await?;
            Ok(Content::Vif {
                accepted: aws::vif_routes(&rows, aws::VifDirection::Accepted),
                advertised: aws::vif_routes(&rows, aws::VifDirection::Advertised),
            })
        }
        _ => Err(failed(
            what,
            Intent::Terminal,
            "WrongAccount",
            "the table belongs to another provider than the account",
        )),
    }
}

async fn pause(wish: Option<Duration>, scale: f64) {
    tokio::time::sleep(wish.unwrap_or(LOOK).div_f64(scale).max(LOOK_FLOOR)).await;
}

/// Looks at a diagnostic until it is done.
async fn finish<T: DeserializeOwned + Default>(
    c: &AzureClient,
    what: &What,
    id: &ResourceId,
    first: Long<T>,
    scale: f64,
) -> Result<T, CloudError> {
    let mut long = first;
    loop {
        match long {
            Long::Done(rows) => return Ok(rows),
            Long::Running {
                location,
                retry_after,
            } => {
                pause(retry_after, scale).await;
                long = c.poll(what.operation(), id, &location).await?;
            }
        }
    }
}
