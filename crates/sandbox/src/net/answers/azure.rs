//! Azure's vantages: circuits, gateways, NICs, connections.

use super::{peer, row, sent};
use crate::net::fib;
use crate::net::look::Look;
use crate::net::rib::{self, Candidate};
use crate::net::table::{EffectiveRoute, Learned, PeerRow, Row, SessionState};
use crate::net::topology::{self, End, Node, NodeKind, Session, SessionKind};
use crate::net::view::{FarEnd, Port};
use crate::state::State;
use crate::time::SimTime;
use std::net::Ipv4Addr;

/// Routes of a circuit's port (`routeTables/primary|secondary`): every route that the MSEE holds, the own side's gateway
/// instance first and the other one marked; without the port's own /30, which is connected there (lab.md).
pub fn circuit_routes(state: &State, circuit: &str, port: Port) -> Vec<Row> {
    let look = Look::at(state);
    let circuit = circuit.to_lowercase();
    let Some(node) = look.net.topo.nodes.get(&topology::msee(&circuit, port)) else {
        return Vec::new();
    };
    let own = look
        .net
        .view
        .azure
        .circuits
        .iter()
        .find(|c| c.id == circuit)
        .and_then(|c| c.peering.as_ref())
        .map(|p| match port {
            Port::Primary => p.primary,
            Port::Secondary => p.secondary,
        });
    let first = match port {
        Port::Primary => 0,
        Port::Secondary => 1,
    };
    let mut rows = Vec::new();
    for (prefix, candidates) in look.candidates(node) {
        if Some(prefix) == own {
            continue;
        }
        let instance = |c: &Candidate<'_>| match c
            .session
            .and_then(|(s, e)| look.net.topo.nodes.get(&s.side(e.other()).node))
            .map(|n| &n.kind)
        {
            Some(NodeKind::ErGateway { index, .. }) => Some(*index),
            _ => None,
        };
        let best = rib::best(node, &candidates);
        let top = best.iter().map(|c| c.route.as_path.len()).min();
        let mut here: Vec<(bool, bool, Row)> = candidates
            .iter()
            .map(|c| {
                let i = instance(c);
                let mut row = row(node, c);
                row.weight = 0;
                row.marked = i.is_some_and(|i| i != first);
                row.best = best.iter().any(|b| std::ptr::eq(*b, c)) && !row.marked;
                (top != Some(c.route.as_path.len()), row.marked, row)
            })
            .collect();
        here.sort_by_key(|(longer, marked, row)| (*longer, *marked, row.next_hop));
        rows.extend(here.into_iter().map(|(_, _, row)| row));
    }
    rows
}

/// Whether a router answers on a circuit's port, BGP or not: a live VXC leads to it with the peering's VLAN and the
/// customer's address (for ARP tables).
pub fn circuit_linked(state: &State, circuit: &str, port: Port) -> bool {
    let look = Look::at(state);
    let circuit = circuit.to_lowercase();
    let Some(c) = look
        .net
        .view
        .azure
        .circuits
        .iter()
        .find(|c| c.id == circuit)
    else {
        return false;
    };
    let Some(p) = &c.peering else { return false };
    let net = match port {
        Port::Primary => p.primary,
        Port::Secondary => p.secondary,
    };
    look.net.view.megaport.vxcs.iter().any(|v| {
        !v.shutdown
            && !look.net.down_links.contains(&format!("vxc:{}", v.uid))
            && matches!(&v.far, FarEnd::Azure { service_key, port: q } if *service_key == c.service_key && *q == port)
            && v.interfaces.iter().any(|i| {
                i.vlan == Some(p.vlan)
                    && i.addresses.iter().any(|a| a.addr() == topology::host(net, 1))
            })
    })
}

/// BGP neighbours of a circuit's port (`routeTablesSummary`): the customer's router, then the gateway instances.
pub fn circuit_peers(state: &State, circuit: &str, port: Port) -> Vec<PeerRow> {
    let look = Look::at(state);
    let circuit = circuit.to_lowercase();
    let key = topology::msee(&circuit, port);
    let mut rows: Vec<PeerRow> = Vec::new();
    let peering = look
        .net
        .view
        .azure
        .circuits
        .iter()
        .find(|c| c.id == circuit)
        .and_then(|c| c.peering.as_ref());
    if let Some(p) = peering {
        let net = match port {
            Port::Primary => p.primary,
            Port::Secondary => p.secondary,
        };
        // The configured neighbour is there whether a router answers or not.
        let known = look.sessions(&key).any(|(s, e)| {
            s.kind == SessionKind::Peering && s.side(e.other()).address == topology::host(net, 1)
        });
        if !known {
            rows.push(PeerRow {
                local: topology::host(net, 2),
                neighbor: topology::host(net, 1),
                asn: p.peer_asn,
                state: if p.enabled {
                    SessionState::Connect
                } else {
                    SessionState::Shutdown
                },
                since: state.started_at,
                routes_received: 0,
                messages_sent: 0,
                messages_received: 0,
            });
        }
    }
    let mut known: Vec<(&Session, End)> = look.sessions(&key).collect();
    known.sort_by_key(|(s, e)| (s.kind != SessionKind::Peering, s.side(e.other()).address));
    rows.extend(known.into_iter().map(|(s, e)| peer(look, s, e)));
    rows
}

/// Routes that a gateway (either type) has learned, one instance's view for ExpressRoute, all instances' for VPN;
/// with the local address of the instance. `None`: its instances can not talk to each other (azure.md §3.6: HTTP 500).
pub fn gateway_learned(state: &State, gateway: &str) -> Option<Vec<(Ipv4Addr, Row)>> {
    let look = Look::at(state);
    let mut rows = Vec::new();
    for node in gateway_view(look, gateway)? {
        let Some(local) = node.address else { continue };
        let mut here: Vec<Row> = look
            .candidates(node)
            .values()
            .flatten()
            .filter(|c| !c.extra)
            .map(|c| row(node, c))
            .collect();
        // Own routes, then peer by peer; prefixes as text, as lab.md lists them (101.216 before 50.216).
        here.sort_by_key(|r| (r.learned != Learned::Local, r.source, r.prefix.to_string()));
        rows.extend(here.into_iter().map(|r| (local, r)));
    }
    Some(rows)
}

/// Routes that a gateway advertises to `peer`.
pub fn gateway_advertised(
    state: &State,
    gateway: &str,
    peer: Ipv4Addr,
) -> Option<Vec<(Ipv4Addr, Row)>> {
    let look = Look::at(state);
    let mut rows = Vec::new();
    for node in gateway_view(look, gateway)? {
        let Some(local) = node.address else { continue };
        for (s, end) in look.sessions(&node.key) {
            if s.side(end.other()).address != peer {
                continue;
            }
            let Some(now) = look.net.sessions.get(&s.key).filter(|n| n.up[end.i()]) else {
                continue;
            };
            rows.extend(
                now.rib_out[end.i()]
                    .values()
                    .map(|r| (local, sent(r, local, 0))),
            );
        }
    }
    Some(rows)
}

/// BGP peers of a gateway: for ExpressRoute one instance's, for VPN all instances', each with the address of the
/// instance in the virtual network (lab.md). `None` as above.
pub fn gateway_peers(state: &State, gateway: &str) -> Option<Vec<PeerRow>> {
    let look = Look::at(state);
    let mut rows = Vec::new();
    for node in gateway_view(look, gateway)? {
        let Some(local) = node.address else { continue };
        let mut here: Vec<PeerRow> = look
            .sessions(&node.key)
            .filter(|(s, _)| s.kind != SessionKind::Tunnel)
            .map(|(s, e)| peer(look, s, e))
            .collect();
        here.extend(tunnel_peers(state, look, node));
        for r in &mut here {
            r.local = local;
        }
        here.sort_by_key(|r| r.neighbor);
        rows.extend(here);
    }
    Some(rows)
}

/// The far speakers of a VPN gateway's connections as one instance sees them: it has a row for each, connected only
/// where the tunnel ends on it and BGP is up (azure.md §3.6).
fn tunnel_peers(state: &State, look: Look<'_>, node: &Node) -> Vec<PeerRow> {
    let NodeKind::VpnGateway { gateway, .. } = &node.kind else {
        return Vec::new();
    };
    look.net
        .view
        .azure
        .ipsec_connections
        .iter()
        .filter(|c| c.gateway == *gateway && c.bgp)
        .filter_map(|c| {
            let neighbor = c.remote_bgp_address?;
            let found = look.sessions(&node.key).find(|(s, e)| {
                s.kind == SessionKind::Tunnel
                    && s.side(e.other()).address == neighbor
                    && look
                        .net
                        .topo
                        .tunnels
                        .get(s.tunnel.as_deref().unwrap_or_default())
                        .is_some_and(|t| t.outside == c.remote)
            });
            Some(match found {
                Some((s, e)) => peer(look, s, e),
                None => PeerRow {
                    local: neighbor,
                    neighbor,
                    asn: c.remote_asn.unwrap_or_default(),
                    state: SessionState::Connect,
                    since: state.started_at,
                    routes_received: 0,
                    messages_sent: 0,
                    messages_received: 0,
                },
            })
        })
        .collect()
}

/// The instances whose view a gateway's API shows; `None` when its mesh is broken and its sessions have noticed.
fn gateway_view<'a>(look: Look<'a>, gateway: &str) -> Option<Vec<&'a Node>> {
    let gateway = gateway.to_lowercase();
    let mut express: Vec<&Node> = Vec::new();
    let mut vpn: Vec<&Node> = Vec::new();
    for node in look.net.topo.nodes.values() {
        match &node.kind {
            NodeKind::ErGateway { gateway: g, .. } if *g == gateway => express.push(node),
            NodeKind::VpnGateway { gateway: g, .. } if *g == gateway => vpn.push(node),
            _ => {}
        }
    }
    let deaf = express.iter().chain(&vpn).any(|n| {
        look.sessions(&n.key).any(|(s, _)| {
            s.mesh_broken
                && look
                    .net
                    .sessions
                    .get(&s.key)
                    .is_some_and(|now| !now.established())
        })
    });
    if deaf {
        return None;
    }
    if express.is_empty() {
        vpn.sort_by_key(|n| n.address);
        return Some(vpn);
    }
    express.sort_by_key(|n| n.address);
    // One instance's view (lab.md: .13); the other's when that one is dead.
    let preferred = look.world.er_view_instance.min(express.len() - 1);
    let alive = |i: usize| express.get(i).is_some_and(|n| !look.node_dead(&n.key));
    let shown = if alive(preferred) {
        preferred
    } else {
        (0..express.len()).find(|i| alive(*i)).unwrap_or(preferred)
    };
    Some(express.get(shown).map(|n| vec![*n]).unwrap_or_default())
}

/// Effective routes of a NIC.
pub fn effective_routes(state: &State, nic: &str) -> Vec<EffectiveRoute> {
    let look = Look::at(state);
    let nic = nic.to_lowercase();
    look.net
        .view
        .azure
        .vnets
        .iter()
        .find_map(|v| v.nics.iter().find(|n| n.id == nic).map(|n| (v, n)))
        .map(|(v, n)| fib::of_nic(look, &v.id, Some(n)))
        .unwrap_or_default()
}

/// Whether the IPsec connection's tunnels are up on Azure's side, per VPN gateway instance address. The far end takes
/// the one instance whose public address its customer gateway names; the others' stay down (azure.md §4.2).
pub fn ipsec_status(state: &State, connection: &str) -> Vec<(Ipv4Addr, bool)> {
    let look = Look::at(state);
    let connection = connection.to_lowercase();
    let azure = &look.net.view.azure;
    let Some(c) = azure.ipsec_connections.iter().find(|c| c.id == connection) else {
        return Vec::new();
    };
    let Some(g) = azure.vpn_gateways.iter().find(|g| g.id == c.gateway) else {
        return Vec::new();
    };
    g.instances
        .iter()
        .enumerate()
        .map(|(i, instance)| {
            let key = topology::vpn_instance(&g.id, i);
            let up = look.net.topo.tunnels.values().any(|t| {
                t.connection.as_ref() == Some(&c.id)
                    && t.instance.as_ref() == Some(&key)
                    && look.net.tunnels.get(&t.key).is_some_and(|n| n.up[1])
            });
            (instance.address, up)
        })
        .collect()
}

/// Since when the IPsec connection's tunnel is as it is on Azure's side; `None` without any.
pub fn ipsec_since(state: &State, connection: &str) -> Option<SimTime> {
    let look = Look::at(state);
    let connection = connection.to_lowercase();
    look.net
        .topo
        .tunnels
        .values()
        .filter(|t| t.connection.as_ref() == Some(&connection))
        .filter_map(|t| look.net.tunnels.get(&t.key).map(|n| n.since[1]))
        .max()
}

/// Whether an ExpressRoute connection's gateway has a session with an edge router of its circuit.
pub fn er_connected(state: &State, connection: &str) -> bool {
    let look = Look::at(state);
    let connection = connection.to_lowercase();
    look.net
        .topo
        .sessions
        .values()
        .filter(|s| s.kind == SessionKind::ErGateway && s.object == connection)
        .any(|s| {
            look.net
                .sessions
                .get(&s.key)
                .is_some_and(|n| n.established())
        })
}
