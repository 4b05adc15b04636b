//! What forwards: the fabric of a virtual network, a VGW, and the longest-prefix match over them. The two tables follow
//! the speakers' best routes with a delay of their own (`engine`), which is most of what a failover takes.

use super::look::Look;
use super::rib::{self, Candidate};
use super::table::EffectiveRoute;
use super::topology::{self, Node, NodeKind, SessionKind};
use super::view::{Nic, Udr};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Azure's fabric spreads over at most so many next hops (lab.md).
const ECMP: usize = 8;

/// A gateway route as programmed into a virtual network's fabric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FabricRoute {
    pub prefix: Ipv4Net,
    /// What effective routes show: an underlay address for ExpressRoute, the instance's for VPN.
    pub next_hop: Ipv4Addr,
    /// Key of the MSEE or VPN gateway instance that it leads to.
    pub via: String,
}

/// A route as a VGW forwards by it: the sessions that it spreads over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VgwRoute {
    pub prefix: Ipv4Net,
    pub via: Vec<String>,
}

/// The entries that contain `to` and are longest.
pub fn longest<T: Clone>(items: &[T], prefix: impl Fn(&T) -> Ipv4Net, to: Ipv4Addr) -> Vec<T> {
    let hits: Vec<&T> = items.iter().filter(|x| prefix(x).contains(&to)).collect();
    let Some(len) = hits.iter().map(|x| prefix(x).prefix_len()).max() else {
        return Vec::new();
    };
    hits.into_iter()
        .filter(|x| prefix(x).prefix_len() == len)
        .cloned()
        .collect()
}

/// What the gateways of a virtual network want its fabric to know. With an ExpressRoute gateway it is that gateway's
/// business alone: what does not reach it over the mesh is not programmed (azure.md §3.4).
pub fn fabric(sim: Look<'_>, vnet: &str) -> Vec<FabricRoute> {
    let of_vnet = |n: &&Node| sim.vnet_of(&n.key) == Some(vnet);
    let all: Vec<&Node> = sim.net.topo.nodes.values().filter(of_vnet).collect();
    let express = all
        .iter()
        .any(|n| matches!(n.kind, NodeKind::ErGateway { .. }));
    let speakers: Vec<&Node> = all
        .into_iter()
        .filter(|n| matches!(n.kind, NodeKind::ErGateway { .. }) == express)
        .filter(|n| !sim.node_dead(&n.key))
        .collect();
    let mut by_prefix: BTreeMap<Ipv4Net, Vec<(Candidate<'_>, String)>> = BTreeMap::new();
    for node in &speakers {
        for (prefix, candidates) in sim.candidates(node) {
            // The fabric takes no link-local prefixes: the lab's NIC shows none of the /30s that its gateway knows.
            if prefix.network().is_link_local() {
                continue;
            }
            for c in candidates {
                let via = match (c.session, c.kind()) {
                    (Some((s, end)), Some(SessionKind::ErGateway | SessionKind::Mesh)) => {
                        if !express {
                            continue;
                        }
                        s.side(end.other()).node.clone()
                    }
                    (Some(_), Some(SessionKind::Tunnel)) => node.key.clone(),
                    _ => continue,
                };
                by_prefix.entry(prefix).or_default().push((c, via));
            }
        }
    }
    let Some(judge) = speakers.first() else {
        return Vec::new();
    };
    let mut out: Vec<FabricRoute> = Vec::new();
    for (prefix, candidates) in by_prefix {
        let (routes, vias): (Vec<Candidate<'_>>, Vec<String>) = candidates.into_iter().unzip();
        let mut hops: Vec<FabricRoute> = Vec::new();
        for chosen in rib::best(judge, &routes) {
            let index = routes.iter().position(|c| std::ptr::eq(c, chosen));
            let Some(via) = index.and_then(|i| vias.get(i)) else {
                continue;
            };
            let next_hop = match sim.net.topo.nodes.get(via).map(|n| (&n.kind, n.address)) {
                Some((NodeKind::Msee { circuit, port }, _)) => sim
                    .net
                    .assigned
                    .underlay
                    .get(&topology::underlay_key(circuit, *port))
                    .copied(),
                Some((_, address)) => address,
                None => None,
            };
            if let Some(next_hop) = next_hop
                && !hops.iter().any(|h| h.via == *via)
            {
                hops.push(FabricRoute {
                    prefix,
                    next_hop,
                    via: via.clone(),
                });
            }
        }
        hops.sort_by_key(|h| h.next_hop);
        hops.truncate(ECMP);
        out.extend(hops);
    }
    out
}

/// What a VGW wants to forward by.
pub fn vgw(sim: Look<'_>, id: &str) -> Vec<VgwRoute> {
    let key = topology::vgw(id);
    let Some(node) = sim.net.topo.nodes.get(&key) else {
        return Vec::new();
    };
    if sim.node_dead(&key) {
        return sim.net.vgw_fib.get(id).cloned().unwrap_or_default();
    }
    sim.candidates(node)
        .into_iter()
        .filter_map(|(prefix, candidates)| {
            let via: Vec<String> = rib::best(node, &candidates)
                .iter()
                .filter_map(|c| c.session.map(|(s, _)| s.key.clone()))
                .collect();
            (!via.is_empty()).then_some(VgwRoute { prefix, via })
        })
        .collect()
}

/// Prefixes that a virtual network's system routes drop unless something longer is known.
const DROPPED: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

fn system(prefixes: &[Ipv4Net]) -> Vec<EffectiveRoute> {
    let row = |prefix, kind: &str| EffectiveRoute {
        source: "Default".to_owned(),
        active: true,
        prefix,
        next_hop_type: kind.to_owned(),
        next_hop: None,
    };
    let mut rows: Vec<EffectiveRoute> = Vec::new();
    rows.push(row(Ipv4Net::default(), "Internet"));
    for (address, len) in DROPPED {
        if let Ok(prefix) = Ipv4Net::new(address, len)
            && !prefixes.contains(&prefix)
        {
            rows.push(row(prefix, "None"));
        }
    }
    rows
}

/// The effective routes of a NIC (azure.md §5.3): of equal prefixes a user's route wins over a gateway's, that over a
/// system route; the losers are listed as invalid. The longest active prefix forwards.
pub fn effective(
    prefixes: &[Ipv4Net],
    gateway_routes: &[FabricRoute],
    udrs: &[Udr],
    propagation: bool,
) -> Vec<EffectiveRoute> {
    let mut rows: Vec<EffectiveRoute> = prefixes
        .iter()
        .map(|p| EffectiveRoute {
            source: "Default".to_owned(),
            active: true,
            prefix: *p,
            next_hop_type: "VnetLocal".to_owned(),
            next_hop: None,
        })
        .collect();
    if propagation {
        rows.extend(gateway_routes.iter().map(|r| EffectiveRoute {
            source: "VirtualNetworkGateway".to_owned(),
            active: true,
            prefix: r.prefix,
            next_hop_type: "VirtualNetworkGateway".to_owned(),
            next_hop: Some(r.next_hop),
        }));
    }
    rows.extend(system(prefixes));
    rows.extend(udrs.iter().map(|u| EffectiveRoute {
        source: "User".to_owned(),
        active: true,
        prefix: u.prefix,
        next_hop_type: u.next_hop_type.clone(),
        next_hop: u.next_hop,
    }));
    let strength = |source: &str| match source {
        "User" => 2,
        "VirtualNetworkGateway" => 1,
        _ => 0,
    };
    let strongest: BTreeMap<Ipv4Net, i32> = rows.iter().fold(BTreeMap::new(), |mut m, r| {
        let s = strength(&r.source);
        let e = m.entry(r.prefix).or_insert(s);
        *e = (*e).max(s);
        m
    });
    for r in &mut rows {
        r.active = strongest.get(&r.prefix) == Some(&strength(&r.source));
    }
    rows
}

/// The routes of a NIC, or those of an address in a virtual network without one.
pub fn of_nic(sim: Look<'_>, vnet: &str, nic: Option<&Nic>) -> Vec<EffectiveRoute> {
    let prefixes = sim
        .net
        .view
        .azure
        .vnets
        .iter()
        .find(|v| v.id == vnet)
        .map(|v| v.prefixes.clone())
        .unwrap_or_default();
    let none = Vec::new();
    let programmed = sim.net.fabric.get(vnet).unwrap_or(&none);
    effective(
        &prefixes,
        programmed,
        nic.map_or(&[], |n| n.routes.as_slice()),
        nic.is_none_or(|n| n.bgp_propagation),
    )
}
