//! What each API's vantage shows, as plain rows in the order of lab.md. Reads only; how a provider prints a row is its
//! module's business.

use super::look::{Cond, Look};
use super::rib::{Candidate, Route};
use super::table::{Learned, PeerRow, Row, SessionState};
use super::topology::{End, Node, Session, SessionKind, Why};
use std::net::Ipv4Addr;

mod aws;
mod azure;
mod megaport;

pub use aws::*;
pub use azure::*;
pub use megaport::*;

pub(super) fn row(node: &Node, c: &Candidate<'_>) -> Row {
    let own = node.address.unwrap_or(Ipv4Addr::UNSPECIFIED);
    Row {
        prefix: c.route.prefix,
        next_hop: c.route.next_hop,
        as_path: c.route.as_path.clone(),
        origin: c.route.origin,
        learned: match c.kind() {
            None => Learned::Local,
            Some(SessionKind::Mesh | SessionKind::Association) => Learned::Ibgp,
            Some(_) => Learned::Ebgp,
        },
        source: c.peer().unwrap_or(own),
        weight: c.weight(),
        local_pref: None,
        med: c.route.med,
        best: false,
        marked: false,
    }
}

pub(super) fn sent(r: &Route, source: Ipv4Addr, weight: u32) -> Row {
    Row {
        prefix: r.prefix,
        next_hop: r.next_hop,
        as_path: r.as_path.clone(),
        origin: r.origin,
        learned: Learned::Ebgp,
        source,
        weight,
        local_pref: None,
        med: r.med,
        best: true,
        marked: false,
    }
}

/// A session as its end `end` sees it.
pub(super) fn peer(look: Look<'_>, s: &Session, end: End) -> PeerRow {
    let (own, far) = (s.side(end), s.side(end.other()));
    let i = end.i();
    let now = look.net.sessions.get(&s.key);
    let up = now.is_some_and(|n| n.up[i]);
    let state = session_state(look, s, end);
    // Keepalives every third of the hold time, one OPEN, and what UPDATEs went each way.
    let keepalives = now.filter(|_| up).map_or(0, |n| {
        (look.now.secs_since(n.established_at) / (s.hold / 3.0)).max(0.0) as u64 + 2
    });
    PeerRow {
        local: own.address,
        neighbor: far.address,
        asn: far.asn,
        state,
        since: now.map_or(look.now, |n| n.since[i]),
        routes_received: look.received(s, end).len() as u32,
        messages_sent: keepalives + now.map_or(0, |n| n.updates[i]),
        messages_received: keepalives + now.map_or(0, |n| n.updates[end.other().i()]),
    }
}

/// The state of a session at one end.
pub fn session_state(look: Look<'_>, s: &Session, end: End) -> SessionState {
    if look.net.sessions.get(&s.key).is_some_and(|n| n.up[end.i()]) {
        return SessionState::Established;
    }
    match look.condition(s) {
        Cond::Explicit(Why::Shutdown | Why::PeeringDisabled | Why::FailoverTest, who)
            if who.is_none_or(|w| w == end) =>
        {
            SessionState::Shutdown
        }
        Cond::Explicit(Why::Asn | Why::PrefixLimit | Why::BgpDisabled, _)
        | Cond::Silent(Why::VxcShutdown, _) => SessionState::Idle,
        _ => SessionState::Connect,
    }
}
