//! Every chargeable product ever ordered: the ground truth for "bought once".

use crate::time::SimTime;
use crate::wire::Provider;
use serde::{Deserialize, Serialize};

/// What costs money (contract §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProductKind {
    Mcr,
    Vxc,
    ExpressRouteCircuit,
    ExpressRouteGateway,
    VpnGateway,
    PublicIPAddress,
    VpnConnection,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub provider: Provider,
    pub kind: ProductKind,
    pub id: String,
    pub name: String,
    pub ordered_at: SimTime,
    pub ended_at: Option<SimTime>,
    pub principal: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ledger(pub Vec<Entry>);

impl Ledger {
    /// Billing starts.
    pub fn order(
        &mut self,
        provider: Provider,
        kind: ProductKind,
        id: &str,
        name: &str,
        at: SimTime,
        principal: &str,
    ) {
        self.0.push(Entry {
            provider,
            kind,
            id: id.to_owned(),
            name: name.to_owned(),
            ordered_at: at,
            ended_at: None,
            principal: principal.to_owned(),
        });
    }
    /// Billing of the open entry with this ID ends; nothing happens when there is none.
    pub fn end(&mut self, id: &str, at: SimTime) {
        if let Some(e) = self
            .0
            .iter_mut()
            .rev()
            .find(|e| e.ended_at.is_none() && e.id.eq_ignore_ascii_case(id))
        {
            e.ended_at = Some(at);
        }
    }
}
