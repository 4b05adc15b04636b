//! What the control API (contract §4) asks of the network: sessions, silent failures, traces.
//!
//! Reads and sets the simulation directly, as nobody outside a test can; a provider's API never comes here.

use super::table::SessionState;
use crate::state::State;
use crate::time::SimTime;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A BGP session between two speakers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: String,
    /// The two speakers' names.
    pub a: String,
    pub b: String,
    pub state: SessionState,
    pub since: SimTime,
    pub prefixes_from_a: u32,
    pub prefixes_from_b: u32,
}

/// A node that a packet passes, with the address with which it would answer a traceroute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    pub node: String,
    /// `None`: the hop is silent.
    pub address: Option<Ipv4Addr>,
}

/// One ECMP branch of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    pub hops: Vec<Hop>,
    pub arrives: bool,
    /// Where the packet is dropped, and why; both `None` when it arrives.
    pub drop_at: Option<String>,
    pub reason: Option<String>,
    /// `ExpressRoute`, `VPN`, or what else carries this branch.
    pub path: String,
}

/// Why a control call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No such session, link, node or host; the text names it and what there is.
    #[error("{0}")]
    NotFound(String),
    /// It exists, but this can not be done to it.
    #[error("{0}")]
    Refused(String),
}

/// All BGP sessions, in the order of their IDs.
pub fn sessions(_state: &State) -> Vec<SessionRow> {
    Vec::new()
}

/// Shuts a session down or starts it again. An MCR's session gets the flag that the portal sets
/// (`megaport::set_session_shutdown`).
pub fn session_shutdown(_state: &mut State, id: &str, _shutdown: bool) -> Result<(), ControlError> {
    Err(ControlError::NotFound(format!("there is no session {id}")))
}

/// Cuts a link silently, or mends it.
pub fn link(_state: &mut State, id: &str, _up: bool) -> Result<(), ControlError> {
    Err(ControlError::NotFound(format!("there is no link {id}")))
}

/// Silences a node, or brings it back.
pub fn node(_state: &mut State, id: &str, _up: bool) -> Result<(), ControlError> {
    Err(ControlError::NotFound(format!("there is no node {id}")))
}

/// Follows the tables as they are now from one host of the world to another.
pub fn trace(_state: &State, from: &str, _to: &str) -> Result<Vec<Branch>, ControlError> {
    Err(ControlError::NotFound(format!("there is no host {from}")))
}
