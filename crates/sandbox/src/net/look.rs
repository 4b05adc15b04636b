//! Reading the simulation: what a speaker knows, what a link carries, what keeps a session down.

use super::NetState;
use super::engine::SessionNow;
use super::rib::{self, Candidate, Route};
use super::topology::{End, Node, NodeKind, Session, Why};
use super::world::NetWorld;
use crate::state::State;
use crate::time::SimTime;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;

/// What keeps a session from being established, or breaks it.
pub enum Cond {
    Ok,
    /// An end closes it (both, without one) and says so to the other.
    Explicit(Why, Option<End>),
    /// The named ends notice at once, the others by their timers.
    Silent(Why, [bool; 2]),
}

/// The simulation at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub net: &'a NetState,
    pub world: &'a NetWorld,
    pub now: SimTime,
}

impl<'a> Look<'a> {
    pub fn at(state: &'a State) -> Self {
        Self {
            net: &state.net,
            world: &state.world.network,
            now: state.now,
        }
    }

    pub fn node_dead(self, node: &str) -> bool {
        self.net.down_nodes.contains(node)
    }
    pub fn link_down(self, link: Option<&String>) -> bool {
        link.is_some_and(|l| self.net.down_links.contains(l))
    }
    pub fn vnet_of(self, node: &str) -> Option<&'a str> {
        match self.net.topo.nodes.get(node).map(|n| &n.kind) {
            Some(NodeKind::ErGateway { vnet, .. } | NodeKind::VpnGateway { vnet, .. }) => {
                Some(vnet)
            }
            _ => None,
        }
    }

    pub fn condition(self, s: &Session) -> Cond {
        if let Some((why, end)) = s.refused {
            return Cond::Explicit(why, end);
        }
        if s.vxc_shutdown {
            return Cond::Silent(Why::VxcShutdown, [false, true]);
        }
        if let Some(t) = s.tunnel.as_ref().and_then(|t| self.net.tunnels.get(t))
            && t.up != [true, true]
        {
            // Each side ends BGP with its own half of the tunnel; the other one by DPD or its hold timer.
            return Cond::Silent(Why::TunnelDown, t.up.map(|up| !up));
        }
        let dead = [self.node_dead(&s.a.node), self.node_dead(&s.b.node)];
        if dead != [false, false] {
            return Cond::Silent(Why::NodeDown, dead);
        }
        if self.link_down(s.link.as_ref()) {
            return Cond::Silent(Why::LinkDown, [false, false]);
        }
        if s.mesh_broken {
            return Cond::Silent(Why::MeshBroken, [false, false]);
        }
        let blocked = self
            .net
            .sessions
            .get(&s.key)
            .and_then(|n| n.blocked_until)
            .is_some_and(|t| t > self.now);
        if blocked {
            return Cond::Explicit(Why::PrefixLimit, None);
        }
        Cond::Ok
    }

    /// Whether packets pass between the two ends of a session's link now.
    pub fn carries(self, s: &Session) -> Result<(), Why> {
        if s.vxc_shutdown {
            return Err(Why::VxcShutdown);
        }
        if self.node_dead(&s.a.node) || self.node_dead(&s.b.node) {
            return Err(Why::NodeDown);
        }
        if self.link_down(s.link.as_ref()) {
            return Err(Why::LinkDown);
        }
        let tunnel = s.tunnel.as_ref().and_then(|t| self.net.tunnels.get(t));
        if tunnel.is_some_and(|t| t.up != [true, true]) {
            return Err(Why::TunnelDown);
        }
        if s.mesh_broken {
            return Err(Why::MeshBroken);
        }
        Ok(())
    }

    /// All routes that a speaker has, by prefix.
    pub fn candidates(self, node: &'a Node) -> BTreeMap<Ipv4Net, Vec<Candidate<'a>>> {
        let mut all: BTreeMap<Ipv4Net, Vec<Candidate<'a>>> = BTreeMap::new();
        for l in &node.local {
            all.entry(l.prefix).or_default().push(Candidate {
                route: Route {
                    prefix: l.prefix,
                    next_hop: node.address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED),
                    as_path: l.as_path.clone(),
                    origin: l.origin,
                    med: None,
                },
                session: None,
                towards: l.towards,
                vxc: l.vxc.as_deref(),
                extra: l.extra,
            });
        }
        for (key, n) in &self.net.sessions {
            let Some(s) = self.net.topo.sessions.get(key) else {
                continue;
            };
            let Some(end) = s.end_of(&node.key).filter(|e| n.up[e.i()]) else {
                continue;
            };
            for route in accepted(node, s, n, end) {
                all.entry(route.prefix).or_default().push(Candidate {
                    route,
                    session: Some((s, end)),
                    towards: None,
                    vxc: s.vxc.as_deref(),
                    extra: false,
                });
            }
        }
        all
    }

    /// The routes that one end of a session has accepted from the other.
    pub fn received(self, s: &'a Session, end: End) -> Vec<Route> {
        let node = self.net.topo.nodes.get(&s.side(end).node);
        match (node, self.net.sessions.get(&s.key)) {
            (Some(node), Some(now)) => accepted(node, s, now, end).collect(),
            _ => Vec::new(),
        }
    }

    /// The sessions of a speaker, with its end of each.
    pub fn sessions(self, node: &str) -> impl Iterator<Item = (&'a Session, End)> {
        self.net
            .topo
            .sessions
            .values()
            .filter_map(move |s| s.end_of(node).map(|e| (s, e)))
    }
}

/// What a speaker takes of what it has heard on a session.
fn accepted<'a>(
    node: &'a Node,
    s: &'a Session,
    now: &'a SessionNow,
    end: End,
) -> impl Iterator<Item = Route> {
    let med_in = s
        .mcr
        .as_ref()
        .filter(|_| end == End::B)
        .and_then(|m| m.med_in);
    now.rib_in[end.i()]
        .values()
        .filter(move |r| rib::accepts(node, s, r))
        .map(move |r| Route {
            med: med_in.or(r.med),
            ..r.clone()
        })
}
