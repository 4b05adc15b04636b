//! The inventory of one AWS account in one region.

use super::{Pace, Part, Poller};
use crate::controllers::marks::OWNER_TAG;
use causeway_aws::{
    AssociationOf, AttachmentOf, AwsApi, CustomerGateway, DxAssociation, DxAttachment, DxGateway,
    HostedConnection, RouteTable, Select, Vif, Vpc, VpnConnection, VpnGateway,
};
use causeway_model::intent::CloudError;
use jiff::Timestamp;
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
    pub fn start(client: Arc<dyn AwsApi>, account_id: String, pace: Pace) -> Self {
        let wanted_gateways: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let poller = Poller::start(pace, {
            let (client, wanted) = (client.clone(), wanted_gateways.clone());
            move |last: Arc<AwsSnapshot>| {
                let client = client.clone();
                let wanted = wanted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                async move { read(&*client, &wanted, (*last).clone()).await }
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
            self.poller.kick();
        }
    }
}

async fn read(
    client: &dyn AwsApi,
    wanted: &BTreeSet<String>,
    mut s: AwsSnapshot,
) -> (AwsSnapshot, bool) {
    let began = Timestamp::now();
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
    let (vpcs, tables, vgws, cgws, vpns, vifs, (gateways, associations, attachments), connections) = tokio::join!(
        client.vpcs(&all),
        client.route_tables(&[]),
        client.vpn_gateways(&all),
        client.customer_gateways(&all),
        client.vpn_connections(&all),
        client.vifs(),
        direct_connect,
        client.connections(),
    );
    // Without the gateways, nobody knows whose associations to ask for: the last ones stand.
    let failed = gateways.as_ref().err().cloned();
    let changed = [
        s.vpcs.take(began, vpcs),
        s.route_tables.take(began, tables),
        s.vpn_gateways.take(began, vgws),
        s.customer_gateways.take(began, cgws),
        s.vpn_connections.take(began, vpns),
        s.vifs.take(began, vifs),
        s.dx_gateways.take(began, gateways),
        s.associations
            .take(began, failed.clone().map_or(associations, Err)),
        s.attachments.take(began, failed.map_or(attachments, Err)),
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
