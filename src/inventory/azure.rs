//! The inventory of one Azure subscription, per resource group.

use super::{Pace, Part, Parts, Poller, when};
use crate::clients::azure::{
    AzureClient, Circuit, Connection, Gateway, LocalGateway, PublicIp, ResourceId, RouteTable,
    ServiceProvider, VirtualNetwork,
};
use crate::clock::Clock;
use causeway_model::intent::CloudError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What a resource group holds, by the lists that ARM offers (azure.md §3.1: gateways have no wider list).
#[derive(Debug, Clone, Default)]
pub struct GroupSnapshot {
    pub circuits: Part<Circuit>,
    pub gateways: Part<Gateway>,
    pub connections: Part<Connection>,
    pub local_gateways: Part<LocalGateway>,
    pub public_ips: Part<PublicIp>,
    pub virtual_networks: Part<VirtualNetwork>,
    /// The route tables on this group's GatewaySubnets, wherever they live; nothing is read while there are none.
    pub gateway_tables: Part<RouteTable>,
}

/// Resource groups by lower-case name.
#[derive(Debug, Clone, Default)]
pub struct AzureSnapshot {
    pub groups: BTreeMap<String, GroupSnapshot>,
}

impl AzureSnapshot {
    pub fn group(&self, name: &str) -> Option<&GroupSnapshot> {
        self.groups.get(&name.to_lowercase())
    }
}

/// One identity in one subscription.
#[derive(Debug)]
pub struct AzureAccount {
    pub client: AzureClient,
    pub poller: Poller<AzureSnapshot>,
    /// Resource groups that somebody asked about.
    wanted: Arc<Mutex<BTreeSet<String>>>,
    /// The providers' catalogue; it hardly changes, so it is read once per account.
    catalogue: tokio::sync::OnceCell<Arc<Vec<ServiceProvider>>>,
}

impl AzureAccount {
    pub fn start(client: AzureClient, pace: Pace, clock: Clock) -> Self {
        let wanted: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let poller = Poller::start(pace, clock.clone(), {
            let (client, wanted) = (client.clone(), wanted.clone());
            move |last: Arc<AzureSnapshot>, parts| {
                let (client, wanted, clock) = (client.clone(), wanted.clone(), clock.clone());
                async move {
                    let groups: Vec<String> = wanted
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .iter()
                        .cloned()
                        .collect();
                    let mut next = AzureSnapshot {
                        groups: last.groups.clone(),
                    };
                    next.groups.retain(|g, _| groups.contains(g));
                    let reads = groups.iter().map(|group| {
                        read_group(
                            &client,
                            &clock,
                            group,
                            last.groups.get(group).cloned().unwrap_or_default(),
                            parts,
                        )
                    });
                    let mut changed = false;
                    for (group, (snapshot, moved)) in
                        groups.iter().zip(futures::future::join_all(reads).await)
                    {
                        changed |= moved;
                        next.groups.insert(group.clone(), snapshot);
                    }
                    (next, changed)
                }
            }
        });
        Self {
            client,
            poller,
            wanted,
            catalogue: tokio::sync::OnceCell::new(),
        }
    }

    /// Includes a resource group in the polls.
    pub fn want_group(&self, name: &str) {
        let new = self
            .wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_lowercase());
        if new {
            self.poller.kick(Parts::ALL);
        }
    }

    /// Connectivity providers with their peering locations and bandwidths.
    ///
    /// # Errors
    /// The provider's, while it could not be read.
    pub async fn catalogue(&self) -> Result<Arc<Vec<ServiceProvider>>, CloudError> {
        self.catalogue
            .get_or_try_init(|| async { self.client.service_providers().await.map(Arc::new) })
            .await
            .cloned()
    }
}

pub const CIRCUITS: Parts = Parts::one(0);
pub const GATEWAYS: Parts = Parts::one(1);
pub const CONNECTIONS: Parts = Parts::one(2);
pub const LOCAL_GATEWAYS: Parts = Parts::one(3);
pub const PUBLIC_IPS: Parts = Parts::one(4);
pub const VIRTUAL_NETWORKS: Parts = Parts::one(5);

async fn read_group(
    client: &AzureClient,
    clock: &Clock,
    group: &str,
    mut s: GroupSnapshot,
    parts: Parts,
) -> (GroupSnapshot, bool) {
    let began = clock.now();
    // A group that is new to the snapshot is read whole.
    let new = s.circuits.read_at.is_none() && s.circuits.error.is_none();
    let parts = if new { Parts::ALL } else { parts };
    let (a, b, c, d, e, f) = tokio::join!(
        when(parts.has(CIRCUITS), client.circuits(group)),
        when(parts.has(GATEWAYS), client.gateways(group)),
        when(parts.has(CONNECTIONS), client.connections(group)),
        when(parts.has(LOCAL_GATEWAYS), client.local_gateways(group)),
        when(parts.has(PUBLIC_IPS), client.public_ips(group)),
        when(parts.has(VIRTUAL_NETWORKS), client.virtual_networks(group)),
    );
    // Not `||`: each list must be taken.
    let changed = [
        s.circuits.take(began, a),
        s.gateways.take(began, b),
        s.connections
            .take(began, c.map(|r| r.map(without_counters))),
        s.local_gateways.take(began, d),
        s.public_ips.take(began, e),
        s.virtual_networks.take(began, f),
    ];
    let tables = if parts.has(VIRTUAL_NETWORKS) {
        Some(gateway_tables(client, &s.virtual_networks.items).await)
    } else {
        None
    };
    let tables_changed = s.gateway_tables.take(began, tables);
    (s, changed.contains(&true) || tables_changed)
}

/// Reads the route tables on the GatewaySubnets of these networks, one list per resource group that has one.
async fn gateway_tables(
    client: &AzureClient,
    networks: &[VirtualNetwork],
) -> Result<Vec<RouteTable>, CloudError> {
    let wanted: Vec<ResourceId> = networks
        .iter()
        .filter_map(VirtualNetwork::gateway_table)
        .collect();
    let groups: BTreeSet<String> = wanted
        .iter()
        .filter_map(|id| id.resource_group().map(str::to_lowercase))
        .collect();
    let mut out = Vec::new();
    for group in groups {
        let all = client.route_tables(&group).await?;
        out.extend(
            all.into_iter()
                .filter(|t| t.resource_id().is_some_and(|id| wanted.contains(&id))),
        );
    }
    Ok(out)
}

/// Byte counters move with every packet and are nobody's change.
fn without_counters(mut connections: Vec<Connection>) -> Vec<Connection> {
    for c in &mut connections {
        c.properties.egress_bytes_transferred = None;
        c.properties.ingress_bytes_transferred = None;
    }
    connections
}
