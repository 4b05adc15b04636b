//! AWS's vantages: virtual interfaces, tunnels, propagated routes.

use super::sent;
use crate::net::look::Look;
use crate::net::table::{Propagated, Row, TunnelState};
use crate::net::topology::{End, Session, SessionKind};
use crate::state::State;
use crate::time::SimTime;
use std::net::Ipv4Addr;

/// Whether BGP on a VIF is up on AWS's side.
pub fn vif_bgp_up(state: &State, vif: &str) -> bool {
    vif_sessions(Look::at(state), vif).any(|(s, look)| {
        look.net
            .sessions
            .get(&s.key)
            .is_some_and(|n| n.up[End::A.i()])
    })
}

/// Since when BGP on a VIF is as it is on AWS's side.
pub fn vif_bgp_since(state: &State, vif: &str) -> Option<SimTime> {
    vif_sessions(Look::at(state), vif)
        .filter_map(|(s, look)| look.net.sessions.get(&s.key).map(|n| n.since[End::A.i()]))
        .max()
}

fn vif_sessions<'a>(look: Look<'a>, vif: &str) -> impl Iterator<Item = (&'a Session, Look<'a>)> {
    look.net
        .topo
        .sessions
        .values()
        .filter(move |s| s.kind == SessionKind::Vif && s.object == vif)
        .map(move |s| (s, look))
}

/// Routes accepted from (`true`) or advertised to (`false`) the customer on a VIF.
pub fn vif_routes(state: &State, vif: &str, accepted: bool) -> Vec<Row> {
    vif_sessions(Look::at(state), vif)
        .flat_map(|(s, look)| {
            let (table, source) = if accepted {
                (look.received(s, End::A), s.b.address)
            } else {
                let now = look.net.sessions.get(&s.key);
                let sent = now.map(|n| n.rib_out[End::A.i()].values().cloned().collect());
                (sent.unwrap_or_default(), s.a.address)
            };
            table.iter().map(|r| sent(r, source, 0)).collect::<Vec<_>>()
        })
        .collect()
}

/// State of the tunnel with this outside address as AWS sees it.
pub fn tunnel(state: &State, vpn_connection: &str, outside: Ipv4Addr) -> Option<TunnelState> {
    let look = Look::at(state);
    let t = look
        .net
        .topo
        .tunnels
        .values()
        .find(|t| t.vpn_connection == vpn_connection && t.outside == outside)?;
    let now = look.net.tunnels.get(&t.key)?;
    let session = look
        .net
        .topo
        .sessions
        .values()
        .find(|s| s.tunnel.as_ref() == Some(&t.key));
    let bgp = session.and_then(|s| look.net.sessions.get(&s.key));
    // Moves with any change of IKE, IPsec or BGP (aws.md §2.5).
    let since = bgp.map_or(now.since[0], |b| b.since[0].max(now.since[0]));
    Some(TunnelState {
        ipsec_up: now.up[0],
        bgp_up: bgp.is_some_and(|b| b.up[0]),
        accepted_routes: session.map_or(0, |s| look.received(s, End::A).len() as u32),
        since,
    })
}

/// Routes that VGWs propagate into a route table: what the VGW has, whichever path is best, but for the VPC's own
/// prefixes. Sorted by address.
pub fn propagated(state: &State, route_table: &str) -> Vec<Propagated> {
    let look = Look::at(state);
    let Some((vpc, table)) = look.net.view.aws.vpcs.iter().find_map(|v| {
        v.route_tables
            .iter()
            .find(|t| t.id == route_table)
            .map(|t| (v, t))
    }) else {
        return Vec::new();
    };
    let mut rows: Vec<Propagated> = Vec::new();
    for id in &table.propagating {
        let attached = look
            .net
            .view
            .aws
            .vgws
            .iter()
            .any(|g| g.id == *id && g.vpc.as_ref() == Some(&vpc.id));
        if !attached {
            continue;
        }
        rows.extend(
            look.net
                .vgw_fib
                .get(id)
                .into_iter()
                .flatten()
                .filter(|r| !vpc.cidrs.contains(&r.prefix))
                .map(|r| Propagated {
                    prefix: r.prefix,
                    vgw: id.clone(),
                }),
        );
    }
    rows.sort_by_key(|r| r.prefix);
    rows
}
