//! Megaport's vantage: an MCR.

use super::{row, sent};
use crate::net::look::Look;
use crate::net::rib;
use crate::net::table::Row;
use crate::net::topology::{self, End};
use crate::state::State;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Sessions of one VXC of an MCR: peer address and whether it is established.
pub fn mcr_sessions(state: &State, vxc: &str) -> Vec<(Ipv4Addr, bool)> {
    let look = Look::at(state);
    look.net
        .topo
        .sessions
        .values()
        .filter(|s| s.vxc.as_deref() == Some(vxc))
        .map(|s| {
            let up = look
                .net
                .sessions
                .get(&s.key)
                .is_some_and(|n| n.up[End::B.i()]);
            (s.a.address, up)
        })
        .collect()
}

/// The MCR's BGP table, with the VXC that each route came in on.
pub fn mcr_bgp_routes(state: &State, mcr: &str) -> Vec<(Row, Option<String>)> {
    let look = Look::at(state);
    let Some(node) = look.net.topo.nodes.get(&topology::mcr(mcr)) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (_, candidates) in look.candidates(node) {
        let top = rib::best(node, &candidates).first().copied();
        let mut here: Vec<(Row, Option<String>)> = candidates
            .iter()
            .map(|c| {
                let mut r = row(node, c);
                r.weight = 0;
                r.best = top.is_some_and(|t| std::ptr::eq(t, c));
                (r, c.vxc.map(str::to_owned))
            })
            .collect();
        here.sort_by_key(|(r, _)| (!r.best, r.source));
        rows.extend(here);
    }
    rows
}

/// The MCR's IP routes: prefix, protocol (`BGP`, `CONNECTED`), next hop, VXC.
pub fn mcr_ip_routes(
    state: &State,
    mcr: &str,
) -> Vec<(Ipv4Net, String, Option<Ipv4Addr>, Option<String>)> {
    let look = Look::at(state);
    let Some(node) = look.net.topo.nodes.get(&topology::mcr(mcr)) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (prefix, candidates) in look.candidates(node) {
        for c in rib::best(node, &candidates) {
            let vxc = c.vxc.map(str::to_owned);
            rows.push(match c.session {
                Some(_) => (prefix, "BGP".to_owned(), Some(c.route.next_hop), vxc),
                None => (prefix, "CONNECTED".to_owned(), None, vxc),
            });
        }
    }
    rows
}

/// Routes received from or advertised to a neighbour of an MCR.
pub fn mcr_neighbor_routes(state: &State, mcr: &str, peer: Ipv4Addr, received: bool) -> Vec<Row> {
    let look = Look::at(state);
    let key = topology::mcr(mcr);
    let Some((s, end)) = look
        .sessions(&key)
        .find(|(s, e)| s.side(e.other()).address == peer)
    else {
        return Vec::new();
    };
    let Some(now) = look.net.sessions.get(&s.key) else {
        return Vec::new();
    };
    let (table, source) = if received {
        (&now.rib_in[end.i()], peer)
    } else {
        (&now.rib_out[end.i()], s.side(end).address)
    };
    table.values().map(|r| sent(r, source, 0)).collect()
}
