//! Sessions, silent failures and traces: hands over to the network simulation and writes times as RFC 3339.

use super::Refusal;
use crate::net::control::{self as net, Branch, PartRow, SessionRow};
use crate::net::table::SessionState;
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::time::SimTime;
use serde::Serialize;
use std::net::Ipv4Addr;

/// An entry of `GET /sessions`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    pub id: String,
    /// `peering`, `vif`, `erGateway`, `mesh`, `tunnel`.
    pub kind: String,
    pub a: String,
    pub b: String,
    pub address_a: Ipv4Addr,
    pub address_b: Ipv4Addr,
    pub state: SessionState,
    /// Since when it is in this state, RFC 3339.
    pub since: String,
    pub prefixes_from_a: u32,
    pub prefixes_from_b: u32,
    /// What keeps it down.
    pub reason: Option<String>,
}

impl From<SessionRow> for SessionView {
    fn from(row: SessionRow) -> Self {
        let kind = serde_json::to_value(row.kind)
            .ok()
            .and_then(|k| k.as_str().map(str::to_owned));
        Self {
            id: row.id,
            kind: kind.unwrap_or_default(),
            a: row.a,
            b: row.b,
            address_a: row.address_a,
            address_b: row.address_b,
            state: row.state,
            since: row.since.rfc3339(),
            prefixes_from_a: row.prefixes_from_a,
            prefixes_from_b: row.prefixes_from_b,
            reason: row.reason,
        }
    }
}

/// One ECMP branch of a trace.
pub type TraceBranch = Branch;
/// An entry of `GET /links` and `GET /nodes`.
pub type PartView = PartRow;

impl Sandbox {
    /// All BGP sessions between the speakers of the world.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.read(|s| {
            net::sessions(s)
                .into_iter()
                .map(SessionView::from)
                .collect()
        })
    }

    /// All links that can be cut.
    pub fn links(&self) -> Vec<PartView> {
        self.read(net::links)
    }

    /// All speakers that can be silenced.
    pub fn nodes(&self) -> Vec<PartView> {
        self.read(net::nodes)
    }

    /// Shuts a session down, or starts it again.
    pub fn session_shutdown(&self, id: &str, shutdown: bool) -> Result<(), Refusal> {
        Ok(self.change(|s| net::session_shutdown(s, id, shutdown))?)
    }

    /// Cuts a link silently, or mends it.
    pub fn link(&self, id: &str, up: bool) -> Result<(), Refusal> {
        Ok(self.change(|s| net::link(s, id, up))?)
    }

    /// Silences a node, or brings it back.
    pub fn node(&self, id: &str, up: bool) -> Result<(), Refusal> {
        Ok(self.change(|s| net::node(s, id, up))?)
    }

    /// When the network will change by itself next; `None` once it has converged.
    pub fn next_network_change(&self) -> Option<SimTime> {
        self.read(State::next_network_change)
    }

    /// Follows the tables as they are now from one host of the world to another.
    pub fn trace(&self, from: &str, to: &str) -> Result<Vec<TraceBranch>, Refusal> {
        Ok(self.read(|s| net::trace(s, from, to))?)
    }
}
