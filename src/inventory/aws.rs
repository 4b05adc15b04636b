//! The inventory of one AWS account in one region.

use super::{Pace, Part, Parts, Poller, when};
use crate::clock::Clock;
use crate::controllers::marks::OWNER_TAG;
use causeway_aws::{
    AssociationOf, AttachmentOf, AwsApi, CustomerGateway, DxAssociation, DxAttachment, DxGateway,
    HostedConnection, RouteTable, Select, Vif, Vpc, VpnConnection, VpnGateway,
};
use causeway_model::intent::CloudError;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Default)]
pub struct AwsSnapshot {
    pub vpcs: Part<Vpc>,
    pub route_tables: Part<RouteTable>,
    pub vpn_gateways: Part<VpnGateway>,
    pub customer_gateways: Part<CustomerGateway>,
    pub vpn_connections: Part<VpnConnection>,
    pub vifs: Part<Vif>,
    pub dx_gateways: Part<DxGateway>,
    /// Of the Direct Connect gateways that carry our mark or that somebody asked about.
    pub associations: Part<DxAssociation>,
    pub attachments: Part<DxAttachment>,
    pub connections: Part<HostedConnection>,
}

/// One identity in one region.
pub struct AwsAccount {
    pub client: Arc<dyn AwsApi>,
    pub account_id: String,
    pub poller: Poller<AwsSnapshot>,
    wanted_gateways: Arc<Mutex<BTreeSet<String>>>,
}

impl std::fmt::Debug for AwsAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsAccount")
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

impl AwsAccount {
    pub fn start(client: Arc<dyn AwsApi>, account_id: String, pace: Pace, clock: Clock) -> Self {
        let wanted_gateways: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let poller = Poller::start(pace, clock.clone(), {
            let (client, wanted) = (client.clone(), wanted_gateways.clone());
            move |last: Arc<AwsSnapshot>, parts| {
                let (client, clock) = (client.clone(), clock.clone());
                let wanted = wanted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                async move { read(&*client, &clock, &wanted, (*last).clone(), parts).await }
            }
        });
        Self {
            client,
            account_id,
            poller,
            wanted_gateways,
        }
    }

    /// Includes a Direct Connect gateway without our mark in the reads of associations and attachments.
    pub fn want_gateway(&self, id: &str) {
        if self
            .wanted_gateways
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned())
        {
            self.poller.kick(DIRECT_CONNECT);
        }
    }
}

pub const VPCS: Parts = Parts::one(0);
pub const ROUTE_TABLES: Parts = Parts::one(1);
pub const VPN_GATEWAYS: Parts = Parts::one(2);
pub const CUSTOMER_GATEWAYS: Parts = Parts::one(3);
pub const VPN_CONNECTIONS: Parts = Parts::one(4);
pub const VIFS: Parts = Parts::one(5);
/// Direct Connect gateways with their associations and attachments.
pub const DIRECT_CONNECT: Parts = Parts::one(6);
pub const HOSTED_CONNECTIONS: Parts = Parts::one(7);

async fn read(
    client: &dyn AwsApi,
    clock: &Clock,
    wanted: &BTreeSet<String>,
    mut s: AwsSnapshot,
    parts: Parts,
) -> (AwsSnapshot, bool) {
    let began = clock.now();
    let all = Select::All;
    let direct_connect = async {
        let gateways = client.dx_gateways().await;
        let ids: Vec<String> = gateways
            .iter()
            .flatten()
            .filter(|g| g.tags.contains_key(OWNER_TAG) || wanted.contains(&g.id))
            .map(|g| g.id.clone())
            .collect();
        // AWS wants a selector, so these are asked per gateway of ours.
        let associations = collect(ids.iter().map(|id| client.dx_associations_of(id))).await;
        let attachments = collect(ids.iter().map(|id| client.dx_attachments_of(id))).await;
        (gateways, associations, attachments)
    };
    let (vpcs, tables, vgws, cgws, vpns, vifs, direct_connect, connections) = tokio::join!(
        when(parts.has(VPCS), client.vpcs(&all)),
        when(parts.has(ROUTE_TABLES), client.route_tables(&[])),
        when(parts.has(VPN_GATEWAYS), client.vpn_gateways(&all)),
        when(parts.has(CUSTOMER_GATEWAYS), client.customer_gateways(&all)),
        when(parts.has(VPN_CONNECTIONS), client.vpn_connections(&all)),
        when(parts.has(VIFS), client.vifs()),
        when(parts.has(DIRECT_CONNECT), direct_connect),
        when(parts.has(HOSTED_CONNECTIONS), client.connections()),
    );
    let (gateways, associations, attachments) = match direct_connect {
        None => (None, None, None),
        // Without the gateways, nobody knows whose associations to ask for: the last ones stand.
        Some((Err(e), _, _)) => (Some(Err(e.clone())), Some(Err(e.clone())), Some(Err(e))),
        Some((gateways, associations, attachments)) => {
            (Some(gateways), Some(associations), Some(attachments))
        }
    };
    let changed = [
        s.vpcs.take(began, vpcs),
        s.route_tables.take(began, tables),
        s.vpn_gateways.take(began, vgws),
        s.customer_gateways.take(began, cgws),
        s.vpn_connections.take(began, vpns),
        s.vifs.take(began, vifs),
        s.dx_gateways.take(began, gateways),
        s.associations.take(began, associations),
        s.attachments.take(began, attachments),
        s.connections.take(began, connections),
    ];
    (s, changed.contains(&true))
}

async fn collect<T, F>(reads: impl Iterator<Item = F>) -> Result<Vec<T>, CloudError>
where
    F: Future<Output = Result<Vec<T>, CloudError>>,
{
    let mut out = Vec::new();
    for part in futures::future::join_all(reads).await {
        out.extend(part?);
    }
    Ok(out)
}

/// Reads by owned ID, so that many can run at once.
trait ByGateway {
    async fn dx_associations_of(&self, id: &str) -> Result<Vec<DxAssociation>, CloudError>;
    async fn dx_attachments_of(&self, id: &str) -> Result<Vec<DxAttachment>, CloudError>;
}

impl ByGateway for dyn AwsApi + '_ {
    async fn dx_associations_of(&self, id: &str) -> Result<Vec<DxAssociation>, CloudError> {
        self.dx_associations(&AssociationOf::DxGateway(id.to_owned()))
            .await
    }
    async fn dx_attachments_of(&self, id: &str) -> Result<Vec<DxAttachment>, CloudError> {
        self.dx_attachments(&AttachmentOf::DxGateway(id.to_owned()))
            .await
    }
}
