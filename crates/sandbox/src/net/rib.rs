//! Routes, best path and export policy of each kind of speaker. Reads the state of the sessions, changes nothing.
//!
//! Orders of preference: Azure gateways azure.md §3.4 and lab.md (weight, then the connection's routing weight, then AS
//! path length only), VGW aws.md §5 (Direct Connect before BGP VPN, AS path length, MED if the first AS is the same),
//! all others RFC 4271 §9.1.2.2.

use super::look::Look;
use super::table::Origin;
use super::topology::{End, MSEE_ASN, Node, NodeKind, Session, SessionKind};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A route as it travels between speakers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub prefix: Ipv4Net,
    pub next_hop: Ipv4Addr,
    pub as_path: Vec<u32>,
    pub origin: Origin,
    pub med: Option<u32>,
}

pub type Table = BTreeMap<Ipv4Net, Route>;

/// A route at a speaker, with the session it came over (`None`: its own) and that session's end here.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub route: Route,
    pub session: Option<(&'a Session, End)>,
    pub towards: Option<SessionKind>,
    pub vxc: Option<&'a str>,
    /// Of a world's extra route.
    pub extra: bool,
}

impl Candidate<'_> {
    pub fn kind(&self) -> Option<SessionKind> {
        self.session.map(|(s, _)| s.kind)
    }
    /// Address of the peer that it came from.
    pub fn peer(&self) -> Option<Ipv4Addr> {
        self.session.map(|(s, e)| s.side(e.other()).address)
    }
    /// Azure's internal weight (lab.md); not the connection's routing weight.
    pub fn weight(&self) -> u32 {
        if self.kind() == Some(SessionKind::ErGateway) {
            32769
        } else {
            32768
        }
    }
}

/// Private AS numbers (RFC 6996), which Microsoft's edge removes towards customers.
fn private_as(asn: u32) -> bool {
    (64512..=65534).contains(&asn) || (4_200_000_000..=4_294_967_294).contains(&asn)
}

fn rank(node: &Node, c: &Candidate<'_>) -> (u8, Reverse<u32>, Reverse<u32>, usize, Origin, u8) {
    let s = c.session.map(|(s, _)| s);
    let own = u8::from(s.is_some());
    let length = c.route.as_path.len();
    match node.kind {
        NodeKind::ErGateway { .. } | NodeKind::VpnGateway { .. } => (
            own,
            Reverse(c.weight()),
            Reverse(s.map_or(0, |s| s.routing_weight)),
            length,
            Origin::Igp,
            // Its own tunnel before what the sibling offers.
            u8::from(c.kind() == Some(SessionKind::Mesh)),
        ),
        NodeKind::Vgw { .. } => {
            let class = match c.kind() {
                Some(SessionKind::Association) => 1,
                _ => 0,
            };
            (own, Reverse(class), Reverse(0), length, Origin::Igp, 0)
        }
        NodeKind::Dxgw { .. } | NodeKind::Mcr { .. } | NodeKind::Msee { .. } => {
            (own, Reverse(0), Reverse(0), length, c.route.origin, 0)
        }
    }
}

/// The best candidates of one prefix, the very best first; more than one where the speaker would spread.
pub fn best<'a, 'c>(node: &Node, candidates: &'c [Candidate<'a>]) -> Vec<&'c Candidate<'a>> {
    let Some(top) = candidates.iter().map(|c| rank(node, c)).min() else {
        return Vec::new();
    };
    let mut set: Vec<&Candidate<'_>> = candidates.iter().filter(|c| rank(node, c) == top).collect();
    let compares_med = !matches!(
        node.kind,
        NodeKind::ErGateway { .. } | NodeKind::VpnGateway { .. }
    );
    if compares_med {
        // Lowest MED among routes from the same neighbouring AS; absent counts as 0.
        let all: Vec<(Option<u32>, u32)> = set
            .iter()
            .map(|c| (c.route.as_path.first().copied(), c.route.med.unwrap_or(0)))
            .collect();
        set.retain(|c| {
            let (first, med) = (c.route.as_path.first().copied(), c.route.med.unwrap_or(0));
            all.iter().all(|(f, m)| *f != first || *m >= med)
        });
    }
    set.sort_by_key(|c| (c.peer(), c.session.map(|(s, _)| s.key.as_str())));
    set
}

/// What may go out over a session, before the best of it is chosen.
fn eligible(node: &Node, to: &Session, c: &Candidate<'_>, sim: Look<'_>) -> bool {
    if c.towards.is_some_and(|k| k != to.kind) {
        return false;
    }
    let own_end = to.mcr.as_ref().filter(|_| to.b.node == node.key);
    if own_end.is_some_and(|m| !m.filters.sends(c.route.prefix)) {
        return false;
    }
    let Some(from) = c.session.map(|(s, _)| s) else {
        return match (&node.kind, to.kind) {
            // Only the ExpressRoute gateway's own edge and the tunnels hear of the virtual network's prefixes: the
            // other gateways know them (lab.md: one route received over the mesh).
            (_, SessionKind::Mesh) => c.extra,
            _ => true,
        };
    };
    if from.key == to.key {
        return false;
    }
    match (&node.kind, from.kind, to.kind) {
        (NodeKind::Msee { .. }, SessionKind::ErGateway, SessionKind::Peering)
        | (NodeKind::Msee { .. }, SessionKind::Peering, SessionKind::ErGateway) => true,
        // Virtual networks on one circuit reach each other through its edge.
        (NodeKind::Msee { .. }, SessionKind::ErGateway, SessionKind::ErGateway) => {
            sim.vnet_of(&from.b.node) != sim.vnet_of(&to.b.node)
        }
        // No transit between ExpressRoute and VPN: a gateway passes on over the mesh only what its tunnels bring.
        (NodeKind::VpnGateway { .. }, SessionKind::Tunnel, SessionKind::Mesh) => true,
        (NodeKind::Dxgw { .. }, SessionKind::Vif, SessionKind::Association) => true,
        (NodeKind::Dxgw { .. }, SessionKind::Association, SessionKind::Vif) => {
            // A VPC's prefix goes out only if an allowed prefix is equal or wider (aws.md §1.5).
            from.allowed.is_empty() || from.allowed.iter().any(|p| p.contains(&c.route.prefix))
        }
        // A VGW is a hub between its VPN connections (CloudHub), never between VPN and Direct Connect (aws.md §1.5).
        (NodeKind::Vgw { .. }, SessionKind::Tunnel, SessionKind::Tunnel) => {
            from.object != to.object
        }
        (NodeKind::Mcr { .. }, _, _) => mcr_passes(from, to),
        _ => false,
    }
}

/// Megaport's leaking rules between sessions (megaport.md §3.3): by peer type, then by the source session's own lists,
/// which name other sessions by their peer address.
fn mcr_passes(from: &Session, to: &Session) -> bool {
    let kind = |s: &Session| {
        s.mcr
            .as_ref()
            .map_or("", |m| m.peer_type.as_str())
            .to_owned()
    };
    let (f, t) = (kind(from), kind(to));
    if (f == "PRIV_CLOUD" && t == "PUB_CLOUD") || (f == "PUB_CLOUD" && t != "NON_CLOUD") {
        return false;
    }
    from.mcr.as_ref().is_none_or(|m| {
        if m.deny_by_default {
            m.permit_export_to.contains(&to.a.address)
        } else {
            !m.deny_export_to.contains(&to.a.address)
        }
    })
}

/// A route as it leaves `node` on `to`, whose end here is `end`.
fn outgoing(node: &Node, to: &Session, end: End, c: &Candidate<'_>, sim: Look<'_>) -> Route {
    let mut r = c.route.clone();
    let own = to.side(end);
    match (&node.kind, to.kind) {
        (_, SessionKind::Association) => return r,
        (_, SessionKind::Mesh) => {
            r.next_hop = own.address;
            return r;
        }
        (NodeKind::Msee { .. }, SessionKind::Peering) => r.as_path.retain(|a| !private_as(*a)),
        // Between virtual networks of one circuit the gateways' common AS is replaced, or each would see a loop.
        (NodeKind::Msee { .. }, SessionKind::ErGateway)
            if c.kind() == Some(SessionKind::ErGateway) =>
        {
            for a in &mut r.as_path {
                if *a == to.b.asn {
                    *a = MSEE_ASN;
                }
            }
        }
        _ => {}
    }
    let mut count = 1 + sim.net.prepend.get(&node.key).copied().unwrap_or(0);
    // MED is not passed on to another AS (RFC 4271 §5.1.4).
    r.med = None;
    if let (NodeKind::Mcr { .. }, Some(m)) = (&node.kind, &to.mcr) {
        r.med = m.med_out;
        count += m.prepend;
        if m.as_override {
            for a in &mut r.as_path {
                if *a == to.a.asn {
                    *a = own.asn;
                }
            }
        }
    }
    for _ in 0..count {
        r.as_path.insert(0, own.asn);
    }
    r.next_hop = own.address;
    r
}

/// Everything that `node` announces on a session.
pub fn export(
    sim: Look<'_>,
    node: &Node,
    all: &BTreeMap<Ipv4Net, Vec<Candidate<'_>>>,
    to: &Session,
    end: End,
) -> Table {
    let mut out = Table::new();
    for (prefix, candidates) in all {
        let chosen = if matches!(node.kind, NodeKind::Mcr { .. }) {
            // A router that learned a prefix from two neighbours offers each the other's route (lab.md: "MCR will
            // advertise all prefixes received from one VXC to all other VXCs").
            let offer: Vec<Candidate<'_>> = candidates
                .iter()
                .filter(|c| eligible(node, to, c, sim))
                .cloned()
                .collect();
            best(node, &offer)
                .first()
                .map(|c| outgoing(node, to, end, c, sim))
        } else {
            best(node, candidates)
                .first()
                .filter(|c| eligible(node, to, c, sim))
                .map(|c| outgoing(node, to, end, c, sim))
        };
        if let Some(route) = chosen {
            // A sender spares its peer what the peer's loop detection would drop; MSEEs have none for 12076.
            let peer = to.side(end.other());
            let internal = matches!(to.kind, SessionKind::Mesh | SessionKind::Association);
            if !internal && peer.asn != MSEE_ASN && route.as_path.contains(&peer.asn) {
                continue;
            }
            out.insert(*prefix, route);
        }
    }
    out
}

/// Whether `node` takes a route that it hears on a session.
pub fn accepts(node: &Node, on: &Session, route: &Route) -> bool {
    // AS path loop detection, but an MSEE accepts paths with its own AS (lab.md).
    let looped = !matches!(node.kind, NodeKind::Msee { .. }) && route.as_path.contains(&node.asn);
    // An MCR knows itself by the session's own AS as well, and has filters.
    let mcr = on.mcr.as_ref().filter(|_| on.b.node == node.key);
    let refused =
        mcr.is_some_and(|m| route.as_path.contains(&on.b.asn) || !m.filters.takes(route.prefix));
    !looped && !refused && !node.own.contains(&route.prefix)
}
