//! Sessions, silent failures and traces: hands over to the network simulation and writes times as RFC 3339.

use super::Refusal;
use crate::net::control::{self as net, Branch};
use crate::net::table::SessionState;
use crate::sandbox::Sandbox;
use serde::Serialize;

/// An entry of `GET /sessions`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    pub id: String,
    pub a: String,
    pub b: String,
    pub state: SessionState,
    pub since: String,
    #[serde(rename = "prefixesFromA")]
    pub prefixes_from_a: u32,
    #[serde(rename = "prefixesFromB")]
    pub prefixes_from_b: u32,
}

/// One ECMP branch of a trace.
pub type TraceBranch = Branch;

impl Sandbox {
    /// All BGP sessions between the speakers of the world.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.with(|s| {
            net::sessions(s)
                .into_iter()
                .map(|r| SessionView {
                    id: r.id,
                    a: r.a,
                    b: r.b,
                    state: r.state,
                    since: r.since.rfc3339(),
                    prefixes_from_a: r.prefixes_from_a,
                    prefixes_from_b: r.prefixes_from_b,
                })
                .collect()
        })
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

    /// Follows the tables as they are now from one host of the world to another.
    pub fn trace(&self, from: &str, to: &str) -> Result<Vec<TraceBranch>, Refusal> {
        Ok(self.with(|s| net::trace(s, from, to))?)
    }
}
