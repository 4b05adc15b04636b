//! Builds the topology out of a view. See `topology` for what the pieces mean.

use super::table::Origin;
use super::topology::{
    Assigned, Link, LocalRoute, MSEE_ASN, Node, NodeKind, PORTS, Session, SessionKind, Side,
    Topology, Why, dxgw, er_instance, gateway_subnet_udr, hash_of, host, mcr, msee, passes,
    port_name, short, underlay_key, vgw, vpn_instance,
};
use super::view::View;
use super::world::NetWorld;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

pub struct Builder<'a> {
    pub view: &'a View,
    pub world: &'a NetWorld,
    assigned: &'a Assigned,
    pub topo: Topology,
}

/// Gives addresses to new ExpressRoute connections and forgets those of connections that are gone.
pub fn assign(view: &View, world: &NetWorld, assigned: &mut Assigned) {
    let mut connections: Vec<_> = view.azure.er_connections.iter().collect();
    connections.sort_by(|x, y| x.id.cmp(&y.id));
    let wanted: Vec<(String, String, &str)> = connections
        .iter()
        .flat_map(|c| {
            PORTS.map(|p| {
                (
                    format!("{}|{}|{}", c.gateway, c.circuit, port_name(p)),
                    underlay_key(&c.circuit, p),
                    c.gateway.as_str(),
                )
            })
        })
        .collect();
    assigned
        .msee
        .retain(|k, _| wanted.iter().any(|(w, _, _)| w == k));
    assigned
        .underlay
        .retain(|k, _| wanted.iter().any(|(_, w, _)| w == k));
    for (key, underlay, gateway) in wanted {
        if !assigned.msee.contains_key(&key) {
            let subnet = view
                .azure
                .er_gateways
                .iter()
                .find(|g| g.id == gateway)
                .and_then(|g| view.azure.vnets.iter().find(|v| v.id == g.vnet))
                .and_then(|v| v.gateway_subnet);
            let Some(subnet) = subnet else { continue };
            let prefix = format!("{gateway}|");
            let taken: BTreeSet<Ipv4Addr> = assigned
                .msee
                .iter()
                .filter(|(k, _)| k.starts_with(&prefix))
                .map(|(_, a)| *a)
                .chain(
                    view.azure
                        .er_gateways
                        .iter()
                        .flat_map(|g| g.instances.iter().copied()),
                )
                .chain(
                    view.azure
                        .vpn_gateways
                        .iter()
                        .flat_map(|g| g.instances.iter().map(|i| i.address)),
                )
                .collect();
            let free = (world.msee_offset..1 << 16)
                .map(|n| host(subnet, n))
                .take_while(|a| subnet.contains(a))
                .find(|a| !taken.contains(a));
            if let Some(address) = free {
                assigned.msee.insert(key, address);
            }
        }
        if !assigned.underlay.contains_key(&underlay) {
            let used: BTreeSet<Ipv4Addr> = assigned.underlay.values().copied().collect();
            let next = (0u32..1 << 16)
                .map(|n| Ipv4Addr::from(u32::from(world.er_underlay).wrapping_add(n)))
                .find(|a| !used.contains(a));
            if let Some(address) = next {
                assigned.underlay.insert(underlay, address);
            }
        }
    }
}

pub fn build(view: &View, world: &NetWorld, assigned: &Assigned) -> Topology {
    let mut b = Builder {
        view,
        world,
        assigned,
        topo: Topology::default(),
    };
    b.azure_nodes();
    b.other_nodes();
    b.unique_names();
    b.express_route();
    b.meshes();
    for vxc in &view.megaport.vxcs {
        b.vxc(vxc);
    }
    for c in &view.aws.vpn_connections {
        for t in &c.tunnels {
            b.tunnel(c, t);
        }
    }
    b.associations();
    b.session_names();
    b.topo
}

impl Builder<'_> {
    fn node(
        &mut self,
        key: String,
        name: String,
        kind: NodeKind,
        asn: u32,
        address: Option<Ipv4Addr>,
    ) -> &mut Node {
        let node = Node {
            key: key.clone(),
            name,
            kind,
            asn,
            address,
            local: Vec::new(),
            own: Vec::new(),
            prefix_limit: None,
        };
        self.topo.nodes.entry(key).or_insert(node)
    }

    fn azure_nodes(&mut self) {
        let (view, world) = (self.view, self.world);
        for c in &view.azure.circuits {
            for port in PORTS {
                let kind = NodeKind::Msee {
                    circuit: c.id.clone(),
                    port,
                };
                let name = format!("{}-{}", short(&c.id), port_name(port));
                let node = self.node(msee(&c.id, port), name, kind, MSEE_ASN, None);
                node.prefix_limit = Some(if c.premium {
                    world.azure_premium_prefix_limit
                } else {
                    world.azure_prefix_limit
                });
            }
        }
        let prefixes = |vnet: &str| -> Vec<Ipv4Net> {
            view.azure
                .vnets
                .iter()
                .find(|v| v.id == vnet)
                .map(|v| v.prefixes.clone())
                .unwrap_or_default()
        };
        for g in &view.azure.er_gateways {
            for (index, address) in g.instances.iter().enumerate() {
                let kind = NodeKind::ErGateway {
                    gateway: g.id.clone(),
                    vnet: g.vnet.clone(),
                    index,
                };
                let name = format!("{}-{index}", short(&g.id));
                let own = prefixes(&g.vnet);
                let node = self.node(er_instance(&g.id, index), name, kind, g.asn, Some(*address));
                node.local = own.iter().map(|p| local(*p)).collect();
                node.own = own;
            }
        }
        for g in &view.azure.vpn_gateways {
            for (index, instance) in g.instances.iter().enumerate() {
                let kind = NodeKind::VpnGateway {
                    gateway: g.id.clone(),
                    vnet: g.vnet.clone(),
                    index,
                };
                let name = format!("{}-{index}", short(&g.id));
                let own = prefixes(&g.vnet);
                let node = self.node(
                    vpn_instance(&g.id, index),
                    name,
                    kind,
                    g.asn,
                    Some(instance.address),
                );
                node.local = own.iter().map(|p| local(*p)).collect();
                node.own = own;
                node.prefix_limit = Some(world.azure_prefix_limit);
            }
        }
    }

    fn other_nodes(&mut self) {
        let (view, world) = (self.view, self.world);
        for m in &view.megaport.mcrs {
            let connected: Vec<LocalRoute> = view
                .megaport
                .vxcs
                .iter()
                // A BGP shutdown leaves the interface up, a VXC shutdown does not (lab.md).
                .filter(|v| v.mcr == m.uid && !v.shutdown)
                .flat_map(|v| {
                    v.interfaces
                        .iter()
                        .flat_map(|i| &i.addresses)
                        .map(|a| LocalRoute {
                            origin: Origin::Incomplete,
                            vxc: Some(v.uid.clone()),
                            ..local(a.trunc())
                        })
                })
                .collect();
            let name = short(if m.name.is_empty() { &m.uid } else { &m.name });
            let kind = NodeKind::Mcr { uid: m.uid.clone() };
            self.node(mcr(&m.uid), name, kind, m.asn, None).local = connected;
        }
        for d in &view.aws.dxgws {
            let kind = NodeKind::Dxgw { id: d.id.clone() };
            let node = self.node(dxgw(&d.id), short(&d.id), kind, d.asn, None);
            node.prefix_limit = Some(world.aws_prefix_limit);
        }
        for v in &view.aws.vgws {
            let cidrs: Vec<Ipv4Net> = view
                .aws
                .vpcs
                .iter()
                .find(|p| Some(&p.id) == v.vpc.as_ref())
                .map(|p| p.cidrs.clone())
                .unwrap_or_default();
            let kind = NodeKind::Vgw { id: v.id.clone() };
            let node = self.node(vgw(&v.id), short(&v.id), kind, v.asn, None);
            node.local = cidrs.iter().map(|p| local(*p)).collect();
            node.prefix_limit = Some(world.aws_prefix_limit);
        }
    }

    /// Adds a part of the ID's hash to names that occur twice; then the world's extra routes find their speakers.
    fn unique_names(&mut self) {
        let mut count: BTreeMap<String, u32> = BTreeMap::new();
        for n in self.topo.nodes.values() {
            *count.entry(n.name.clone()).or_default() += 1;
        }
        for n in self.topo.nodes.values_mut() {
            if count.get(&n.name).is_some_and(|c| *c > 1) {
                n.name = format!("{}.{:04x}", n.name, hash_of(&n.key) & 0xffff);
            }
        }
        for extra in &self.world.extra_routes {
            for n in self.topo.nodes.values_mut() {
                let id = match &n.kind {
                    NodeKind::Msee { circuit, .. } => circuit,
                    NodeKind::ErGateway { gateway, .. } | NodeKind::VpnGateway { gateway, .. } => {
                        gateway
                    }
                    NodeKind::Mcr { uid } => uid,
                    NodeKind::Dxgw { id } | NodeKind::Vgw { id } => id,
                };
                let meant = n.name == extra.speaker
                    || id.eq_ignore_ascii_case(&extra.speaker)
                    || n.kind.word() == extra.speaker;
                if meant {
                    n.local.push(LocalRoute {
                        prefix: extra.prefix,
                        as_path: extra.as_path.clone(),
                        origin: extra.origin,
                        towards: extra.towards,
                        vxc: None,
                        extra: true,
                    });
                }
            }
        }
    }

    pub fn name_of(&self, node: &str) -> String {
        self.topo
            .nodes
            .get(node)
            .map_or_else(|| "none".to_owned(), |n| n.name.clone())
    }

    pub fn insert(&mut self, session: Session) {
        self.topo.sessions.insert(session.key.clone(), session);
    }

    /// `a--b`, with the far address where two sessions join the same speakers.
    fn session_names(&mut self) {
        let base: BTreeMap<String, String> = self
            .topo
            .sessions
            .values()
            .map(|s| {
                let name = format!("{}--{}", self.name_of(&s.a.node), self.name_of(&s.b.node));
                (s.key.clone(), name)
            })
            .collect();
        let mut count: BTreeMap<&String, u32> = BTreeMap::new();
        for name in base.values() {
            *count.entry(name).or_default() += 1;
        }
        for s in self.topo.sessions.values_mut() {
            let Some(name) = base.get(&s.key) else {
                continue;
            };
            let shared = count.get(name).is_some_and(|c| *c > 1) || s.kind == SessionKind::Tunnel;
            s.name = if shared {
                format!("{name}--{}", s.a.address)
            } else {
                name.clone()
            };
        }
    }

    pub fn link(&mut self, key: &str, name: String, kind: &str) {
        let link = Link {
            key: key.to_owned(),
            name,
            kind: kind.to_owned(),
        };
        self.topo.links.insert(key.to_owned(), link);
    }

    /// Sessions between the MSEEs of a circuit and the instances of the gateways connected to it. Both MSEEs always
    /// have them, even when one port of the circuit is unused (azure.md §3.6).
    fn express_route(&mut self) {
        for c in &self.view.azure.er_connections {
            let Some(g) = self
                .view
                .azure
                .er_gateways
                .iter()
                .find(|g| g.id == c.gateway)
            else {
                continue;
            };
            for port in PORTS {
                let key = format!("{}|{}|{}", c.gateway, c.circuit, port_name(port));
                let Some(address) = self.assigned.msee.get(&key).copied() else {
                    continue;
                };
                let edge = msee(&c.circuit, port);
                if !self.topo.nodes.contains_key(&edge) {
                    continue;
                }
                let link = format!("er:{}:{}", c.id, port_name(port));
                self.link(
                    &link,
                    format!("er-{}-{}", short(&c.id), port_name(port)),
                    "expressRoute",
                );
                for (index, instance) in g.instances.iter().enumerate() {
                    let s = Session {
                        link: Some(link.clone()),
                        object: c.id.clone(),
                        routing_weight: c.routing_weight,
                        hold: self.world.azure_hold_seconds,
                        ..plain(
                            format!("er:{}:{}:{index}", c.id, port_name(port)),
                            SessionKind::ErGateway,
                            Side {
                                node: edge.clone(),
                                address,
                                asn: MSEE_ASN,
                            },
                            Side {
                                node: er_instance(&g.id, index),
                                address: *instance,
                                asn: g.asn,
                            },
                        )
                    };
                    self.insert(s);
                }
            }
        }
    }

    /// iBGP between all gateways of a virtual network; the instances of one ExpressRoute gateway have none among
    /// themselves (lab.md: .13 lists .14 and .15, not .12).
    fn meshes(&mut self) {
        let view = self.view;
        for vnet in &view.azure.vnets {
            let mut speakers: Vec<Node> = self
                .topo
                .nodes
                .values()
                .filter(|n| {
                    matches!(&n.kind, NodeKind::ErGateway { vnet: v, .. } | NodeKind::VpnGateway { vnet: v, .. } if *v == vnet.id)
                })
                .cloned()
                .collect();
            speakers.sort_by_key(|n| n.address);
            let broken = |n: &Node| {
                n.address
                    .and_then(|a| gateway_subnet_udr(vnet, a))
                    .is_some_and(|r| !passes(self.world, r, true))
            };
            let mut any = false;
            let mut made = Vec::new();
            for (i, x) in speakers.iter().enumerate() {
                for y in &speakers[i + 1..] {
                    if matches!(x.kind, NodeKind::ErGateway { .. })
                        && matches!(y.kind, NodeKind::ErGateway { .. })
                    {
                        continue;
                    }
                    let (Some(ax), Some(ay)) = (x.address, y.address) else {
                        continue;
                    };
                    let mesh_broken = broken(x) || broken(y);
                    any |= mesh_broken;
                    let side = |n: &Node, address| Side {
                        node: n.key.clone(),
                        address,
                        asn: n.asn,
                    };
                    made.push(Session {
                        refused: (x.asn != y.asn).then_some((Why::Asn, None)),
                        mesh_broken,
                        hold: self.world.azure_hold_seconds,
                        ..plain(
                            format!("mesh:{}:{}", x.key, y.key),
                            SessionKind::Mesh,
                            side(x, ax),
                            side(y, ay),
                        )
                    });
                }
            }
            if any {
                self.topo.broken_meshes.insert(vnet.id.clone());
            }
            for s in made {
                self.insert(s);
            }
        }
    }
}

pub fn local(prefix: Ipv4Net) -> LocalRoute {
    LocalRoute {
        prefix,
        as_path: Vec::new(),
        origin: Origin::Igp,
        towards: None,
        vxc: None,
        extra: false,
    }
}

pub fn plain(key: String, kind: SessionKind, a: Side, b: Side) -> Session {
    Session {
        key,
        name: String::new(),
        kind,
        a,
        b,
        link: None,
        tunnel: None,
        refused: None,
        vxc_shutdown: false,
        mesh_broken: false,
        bfd: false,
        hold: 180.0,
        mcr: None,
        vxc: None,
        object: String::new(),
        routing_weight: 0,
        allowed: Vec::new(),
    }
}
