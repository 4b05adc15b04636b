//! What one reconcile works with once references and accounts are resolved.

use super::marks::Marks;
use super::secrets::SecretValues;
use crate::clients::azure::ResourceId;
use crate::inventory::Part;
use crate::inventory::aws::{AwsAccount, AwsSnapshot};
use crate::inventory::azure::{AzureAccount, AzureSnapshot};
use crate::inventory::megaport::{MegaportAccount, MegaportSnapshot};
use causeway_model::observe::Seen;
use causeway_model::slot::SlotId;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct AzureEnv {
    pub account: Arc<AzureAccount>,
    pub snapshot: Arc<AzureSnapshot>,
    pub subscription: String,
    pub resource_group: String,
    pub location: String,
    pub tags: BTreeMap<String, String>,
    pub virtual_network: Option<ResourceId>,
    /// The field and the Secret to correct when Azure refuses the credentials, for people.
    pub credentials: String,
}

impl AzureEnv {
    /// An object of ours in the spec's resource group.
    pub fn id(&self, kind: &str, name: &str) -> ResourceId {
        ResourceId::network(&self.subscription, &self.resource_group, kind, name)
    }
}

#[derive(Debug, Clone)]
pub struct AwsEnv {
    pub account: Arc<AwsAccount>,
    pub snapshot: Arc<AwsSnapshot>,
    pub region: String,
    /// The account that the credentials belong to.
    pub account_id: String,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct MegaportEnv {
    pub account: Arc<MegaportAccount>,
    pub snapshot: Arc<MegaportSnapshot>,
    pub cost_centre: Option<String>,
    /// The field and the Secret to correct when Megaport refuses the credentials, for people.
    pub credentials: String,
}

/// Everything that observing and executing need beside the graph.
#[derive(Debug, Clone)]
pub struct Env {
    pub now: Timestamp,
    pub stale_after: Duration,
    pub marks: Marks,
    pub namespace: String,
    pub azure: Option<AzureEnv>,
    pub aws: Option<AwsEnv>,
    pub megaport: Option<MegaportEnv>,
    /// Slots that no provider's inventory shows: dependents' (seen through their status) and Secrets.
    pub foreign: BTreeMap<SlotId, Seen>,
    /// Keys that reads are compared with. Values stay here: what is compared becomes a word.
    pub secrets: SecretValues,
    /// The partner port of a Direct Connect link, resolved once and kept in status.
    pub partner_port: Option<String>,
}

impl Env {
    /// Whether every inventory that this object needs was read since this process began, or could not be. Before that,
    /// nothing can be said, and what an earlier process said stands.
    pub fn looked_at(&self) -> bool {
        fn known<T>(p: &Part<T>) -> bool {
            p.read_at.is_some() || p.error.is_some()
        }
        let azure = self.azure.as_ref().is_none_or(|a| {
            a.snapshot.group(&a.resource_group).is_some_and(|g| {
                known(&g.gateways)
                    && known(&g.circuits)
                    && known(&g.connections)
                    && known(&g.virtual_networks)
            })
        });
        let aws = self.aws.as_ref().is_none_or(|a| {
            let s = &a.snapshot;
            known(&s.vpcs)
                && known(&s.vifs)
                && known(&s.vpn_connections)
                && known(&s.vpn_gateways)
                && known(&s.associations)
        });
        azure
            && aws
            && self
                .megaport
                .as_ref()
                .is_none_or(|m| known(&m.snapshot.products))
    }
}
