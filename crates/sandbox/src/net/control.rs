//! What the control API does to the network: it lists sessions, links and speakers, shuts a session by configuration,
//! and breaks links and speakers silently, so that only timers, BFD or dead-peer detection notice.

use super::answers::session_state;
use super::engine::run;
use super::look::{Cond, Look};
use super::table::SessionState;
use super::topology::{End, SessionKind};
use crate::state::State;
use crate::time::SimTime;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

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

impl ControlError {
    pub(super) fn unknown(what: &str, id: &str, known: impl IntoIterator<Item = String>) -> Self {
        let known: Vec<String> = known.into_iter().collect();
        Self::NotFound(format!(
            "there is no {what} {id}; there are: {}",
            known.join(", ")
        ))
    }
}

/// A BGP session between two speakers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRow {
    /// The two speakers' names, with an address where they have several sessions: `mcr-a` is always the second one.
    pub id: String,
    pub kind: SessionKind,
    /// The two speakers' names.
    pub a: String,
    pub b: String,
    pub address_a: Ipv4Addr,
    pub address_b: Ipv4Addr,
    /// Established when both ends say so.
    pub state: SessionState,
    pub since: SimTime,
    pub prefixes_from_a: u32,
    pub prefixes_from_b: u32,
    /// What keeps it down.
    pub reason: Option<String>,
}

/// A link or a speaker that can be broken silently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartRow {
    pub id: String,
    /// `vxc`, `expressRoute`, `ipsec`; `msee`, `expressRouteGateway`, `vpnGateway`, `mcr`, `dxgw`, `vgw`.
    pub kind: String,
    /// The product behind a link: a VXC's UID, a VPN connection's ID.
    pub object: Option<String>,
    pub up: bool,
    /// Why a tunnel over it does not come up, though the link itself is fine.
    pub reason: Option<String>,
}

/// All BGP sessions, sorted by ID.
pub fn sessions(state: &State) -> Vec<SessionRow> {
    let look = Look::at(state);
    let name = |key: &str| {
        look.net
            .topo
            .nodes
            .get(key)
            .map_or_else(|| "none".to_owned(), |n| n.name.clone())
    };
    let mut rows: Vec<SessionRow> = look
        .net
        .topo
        .sessions
        .values()
        .filter(|s| s.kind != SessionKind::Association)
        .map(|s| {
            let now = look.net.sessions.get(&s.key);
            let up = now.is_some_and(|n| n.established());
            let since = now.map_or(look.now, |n| n.since[0].max(n.since[1]));
            let (a, b) = (
                session_state(look, s, End::A),
                session_state(look, s, End::B),
            );
            let state = match (a, b) {
                _ if up => SessionState::Established,
                (SessionState::Shutdown, _) | (_, SessionState::Shutdown) => SessionState::Shutdown,
                (SessionState::Idle, _) | (_, SessionState::Idle) => SessionState::Idle,
                _ => SessionState::Connect,
            };
            let reason = match look.condition(s) {
                Cond::Ok => None,
                Cond::Explicit(why, _) | Cond::Silent(why, _) => Some(why.text().to_owned()),
            };
            let count = |end: End| look.received(s, end).len() as u32;
            SessionRow {
                id: s.name.clone(),
                kind: s.kind,
                a: name(&s.a.node),
                b: name(&s.b.node),
                address_a: s.a.address,
                address_b: s.b.address,
                state,
                since,
                prefixes_from_a: count(End::B),
                prefixes_from_b: count(End::A),
                reason,
            }
        })
        .collect();
    rows.sort_by(|x, y| x.id.cmp(&y.id));
    rows
}

fn tunnel_reason(state: &State, key: &str) -> Option<String> {
    let dead = state.net.tunnels.get(key).is_some_and(|n| n.dead);
    let refused = state.net.topo.tunnels.get(key).and_then(|t| t.refused);
    match refused {
        Some(r) => Some(r.text().to_owned()),
        None if dead => {
            Some("phase 2 could not be rekeyed: no Diffie-Hellman group in common".to_owned())
        }
        None => None,
    }
}

/// All links, sorted by ID.
pub fn links(state: &State) -> Vec<PartRow> {
    let net = &state.net;
    let mut rows: Vec<PartRow> = net
        .topo
        .links
        .values()
        .map(|l| PartRow {
            id: l.name.clone(),
            kind: l.kind.clone(),
            object: l
                .key
                .strip_prefix("vxc:")
                .or_else(|| l.key.strip_prefix("tunnel:")?.split(':').next())
                .map(str::to_owned),
            up: !net.down_links.contains(&l.key),
            reason: tunnel_reason(state, &l.key),
        })
        .collect();
    rows.sort_by(|x, y| x.id.cmp(&y.id));
    rows
}

/// All speakers, sorted by ID.
pub fn nodes(state: &State) -> Vec<PartRow> {
    let net = &state.net;
    let mut rows: Vec<PartRow> = net
        .topo
        .nodes
        .values()
        .map(|n| PartRow {
            id: n.name.clone(),
            kind: n.kind.word().to_owned(),
            object: None,
            up: !net.down_nodes.contains(&n.key),
            reason: None,
        })
        .collect();
    rows.sort_by(|x, y| x.id.cmp(&y.id));
    rows
}

/// Sets or clears the flag that shuts an MCR's session, as the portal does.
pub fn session_shutdown(state: &mut State, id: &str, shut: bool) -> Result<(), ControlError> {
    let found = state
        .net
        .topo
        .sessions
        .values()
        .find(|s| (s.name == id || s.key == id) && s.kind != SessionKind::Association)
        .map(|s| (s.vxc.clone(), s.a.address));
    let Some((vxc, peer)) = found else {
        return Err(ControlError::unknown(
            "BGP session",
            id,
            sessions(state).into_iter().map(|s| s.id),
        ));
    };
    let Some(vxc) = vxc else {
        return Err(ControlError::Refused(format!(
            "session {id} has no flag to shut it: only an MCR's sessions have one"
        )));
    };
    if let Some(view) = &mut state.net.pinned {
        // Without Megaport's API the flag is set in the view itself.
        for s in view
            .megaport
            .vxcs
            .iter_mut()
            .filter(|v| v.uid == vxc)
            .flat_map(|v| &mut v.interfaces)
            .flat_map(|i| &mut i.sessions)
            .filter(|s| s.peer_address == peer)
        {
            s.shutdown = shut;
        }
    } else if !crate::megaport::set_session_shutdown(state, &vxc, peer, shut) {
        return Err(ControlError::NotFound(format!(
            "Megaport has no VXC {vxc} with a BGP session to {peer}"
        )));
    }
    state.net.own_event = false;
    super::refresh(state);
    Ok(())
}

/// Breaks a link silently, or mends it.
pub fn link(state: &mut State, id: &str, up: bool) -> Result<(), ControlError> {
    let key = state
        .net
        .topo
        .links
        .values()
        .find(|l| l.name == id || l.key == id)
        .map(|l| l.key.clone());
    let Some(key) = key else {
        return Err(ControlError::unknown(
            "link",
            id,
            links(state).into_iter().map(|l| l.id),
        ));
    };
    run(state, |sim| sim.set_link(&key, up));
    Ok(())
}

fn node_key(state: &State, id: &str) -> Result<String, ControlError> {
    state
        .net
        .topo
        .nodes
        .values()
        .find(|n| n.name == id || n.key == id)
        .map(|n| n.key.clone())
        .ok_or_else(|| ControlError::unknown("node", id, nodes(state).into_iter().map(|n| n.id)))
}

/// Kills a speaker silently, or starts it again with empty tables.
pub fn node(state: &mut State, id: &str, up: bool) -> Result<(), ControlError> {
    let key = node_key(state, id)?;
    run(state, |sim| sim.set_node(&key, up));
    Ok(())
}

/// Lets a speaker prepend its own AS `count` times more (planned maintenance steers traffic away so); 0 ends it.
pub fn prepend(state: &mut State, id: &str, count: u8) -> Result<(), ControlError> {
    let key = node_key(state, id)?;
    run(state, |sim| sim.set_prepend(&key, count));
    Ok(())
}

/// Restarts IKE of the tunnel with this outside address, as AWS does when it replaces an endpoint; it stays down for
/// `seconds`.
pub fn tunnel_replacement(
    state: &mut State,
    outside: Ipv4Addr,
    seconds: f64,
) -> Result<(), ControlError> {
    let key = state
        .net
        .topo
        .tunnels
        .values()
        .find(|t| t.outside == outside)
        .map(|t| t.key.clone());
    let Some(key) = key else {
        return Err(ControlError::unknown(
            "link",
            &format!("tunnel-{outside}"),
            links(state).into_iter().map(|l| l.id),
        ));
    };
    run(state, |sim| sim.restart_tunnel(&key, seconds));
    Ok(())
}

pub use super::trace::{Branch, Hop, trace};
