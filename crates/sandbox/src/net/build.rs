//! Builds the topology out of a view. See `topology` for what the pieces mean.

use super::topology::{
    Assigned, End, Link, LocalRoute, MSEE_ASN, Node, NodeKind, PORTS, Session, SessionKind, Side,
    Topology, Tunnel, Why, McrPolicy, dxgw, er_instance, gateway_subnet_udr, hash_of, host, mcr, msee,
    passes, port_name, short, underlay_key, vgw, vpn_instance,
};
use super::table::Origin;
use super::tunnel;
use super::view::{
    BgpConnection, Circuit, FarEnd, IpsecConnection, Port, View, VpnConnection, VpnGateway, VpnTunnel, Vxc,
};
use super::world::NetWorld;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

struct Builder<'a> {
    view: &'a View,
    world: &'a NetWorld,
    assigned: &'a Assigned,
    topo: Topology,
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
            let free = (world.msee_offset..)
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
                let node = self.node(
                    er_instance(&g.id, index),
                    name,
                    kind,
                    g.asn,
                    Some(*address),
                );
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
                if n.name == extra.speaker || id.eq_ignore_ascii_case(&extra.speaker) {
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

    fn name_of(&self, node: &str) -> String {
        self.topo
            .nodes
            .get(node)
            .map_or_else(|| "none".to_owned(), |n| n.name.clone())
    }

    fn insert(&mut self, session: Session) {
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

    fn link(&mut self, key: &str, name: String, kind: &str) {
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
                    .is_some_and(|r| !passes(self.world, r))
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

    /// The BGP sessions that an MCR has on a VXC.
    fn vxc(&mut self, vxc: &Vxc) {
        let Some(router) = self.topo.nodes.get(&mcr(&vxc.mcr)) else {
            return;
        };
        let (router, router_asn) = (router.key.clone(), router.asn);
        let link = format!("vxc:{}", vxc.uid);
        let name = short(if vxc.name.is_empty() {
            &vxc.uid
        } else {
            &vxc.name
        });
        let taken = self.topo.links.values().any(|l| l.name == name);
        let name = if taken {
            format!("{name}.{:04x}", hash_of(&vxc.uid) & 0xffff)
        } else {
            name
        };
        self.link(&link, name, "vxc");
        for interface in &vxc.interfaces {
            for conn in &interface.sessions {
                let asn = conn.local_asn.unwrap_or(router_asn);
                let far = self.far_end(vxc, interface.vlan, conn, asn);
                let addressed = interface
                    .addresses
                    .iter()
                    .any(|a| a.addr() == conn.local_address);
                let refused = if conn.shutdown {
                    Some((Why::Shutdown, Some(End::B)))
                } else if !addressed {
                    Some((Why::Address, None))
                } else {
                    far.refused
                };
                let s = Session {
                    link: Some(link.clone()),
                    refused,
                    vxc_shutdown: vxc.shutdown,
                    // Both clouds have BFD on; it works once the MCR's session has it too (megaport.md §3.3).
                    bfd: conn.bfd,
                    hold: far.hold.min(self.world.mcr_hold_seconds),
                    mcr: Some(McrPolicy {
                        med_in: conn.med_in,
                        med_out: conn.med_out,
                        prepend: conn.prepend,
                        as_override: conn.as_override,
                        peer_type: conn.peer_type.clone(),
                        deny_by_default: conn.export_policy == "deny",
                        permit_export_to: conn.permit_export_to.clone(),
                        deny_export_to: conn.deny_export_to.clone(),
                    }),
                    vxc: Some(vxc.uid.clone()),
                    object: far.object,
                    ..plain(
                        format!("bgp:{}:{}", vxc.uid, conn.peer_address),
                        far.kind,
                        Side {
                            node: far.node,
                            address: conn.peer_address,
                            asn: far.asn,
                        },
                        Side {
                            node: router.clone(),
                            address: conn.local_address,
                            asn,
                        },
                    )
                };
                self.insert(s);
            }
        }
    }

    fn far_end(&self, vxc: &Vxc, vlan: Option<u16>, conn: &BgpConnection, asn: u32) -> Far {
        match &vxc.far {
            FarEnd::Azure { service_key, port } => {
                let mut far = Far {
                    node: String::new(),
                    asn: conn.peer_asn,
                    kind: SessionKind::Peering,
                    hold: self.world.azure_hold_seconds,
                    object: String::new(),
                    refused: Some((Why::NoFarEnd, None)),
                };
                let circuit = self
                    .view
                    .azure
                    .circuits
                    .iter()
                    .find(|c| c.service_key == *service_key);
                if let Some(c) = circuit {
                    far.node = msee(&c.id, *port);
                    far.object.clone_from(&c.id);
                    far.asn = MSEE_ASN;
                    far.refused = peering_refusal(c, *port, vlan, conn, asn);
                }
                far
            }
            FarEnd::Aws { vif } => {
                let mut far = Far {
                    node: String::new(),
                    asn: conn.peer_asn,
                    kind: SessionKind::Vif,
                    hold: self.world.dx_hold_seconds,
                    object: vif.clone(),
                    refused: Some((Why::NoFarEnd, None)),
                };
                let Some(v) = self.view.aws.vifs.iter().find(|v| v.id == *vif) else {
                    return far;
                };
                let gateway = v
                    .dxgw
                    .as_ref()
                    .and_then(|d| self.topo.nodes.get(&dxgw(d)));
                let Some(gateway) = gateway else { return far };
                far.node.clone_from(&gateway.key);
                far.asn = gateway.asn;
                far.refused = if v.testing {
                    Some((Why::FailoverTest, Some(End::A)))
                } else if v.amazon_address.addr() != conn.peer_address
                    || v.customer_address.addr() != conn.local_address
                {
                    Some((Why::Address, None))
                } else if gateway.asn != conn.peer_asn || v.asn != asn {
                    Some((Why::Asn, None))
                } else if v.auth_key != conn.password {
                    Some((Why::Password, None))
                } else {
                    None
                };
                far
            }
        }
    }

    fn tunnel(&mut self, c: &VpnConnection, t: &VpnTunnel) {
        let view = self.view;
        let azure = view
            .azure
            .ipsec_connections
            .iter()
            .find(|i| i.remote == t.outside);
        let gateway =
            azure.and_then(|i| view.azure.vpn_gateways.iter().find(|g| g.id == i.gateway));
        let instance = gateway.and_then(|g| {
            g.instances
                .iter()
                .position(|i| i.public_ip == c.customer_gateway_address)
        });
        let key = format!("tunnel:{}:{}", c.id, t.outside);
        let end = gateway
            .zip(instance)
            .map(|(g, i)| vpn_instance(&g.id, i));
        let refused = match (azure, instance) {
            (None, _) => Some(tunnel::Refusal::NoAzureConnection),
            (_, None) => Some(tunnel::Refusal::NoGatewayInstance),
            (Some(a), Some(_)) => tunnel::agree(a, t).err(),
        };
        let policy = azure.and_then(|a| a.policy.as_ref());
        let text = serde_json::to_string(&(
            t,
            azure.map(|a| (&a.shared_key, &a.mode, &a.policy, a.remote)),
        ))
        .unwrap_or_default();
        self.topo.tunnels.insert(
            key.clone(),
            Tunnel {
                key: key.clone(),
                vpn_connection: c.id.clone(),
                outside: t.outside,
                vgw: vgw(&c.vgw),
                connection: azure.map(|a| a.id.clone()),
                instance: end.clone(),
                refused,
                dpd: [
                    f64::from(t.dpd_seconds.max(30)),
                    azure.map_or(45.0, |a| f64::from(a.dpd_seconds.max(9))),
                ],
                lifetime: tunnel::lifetime(policy, t),
                rekeys: tunnel::rekeys(policy, t),
                fingerprint: hash_of(&text),
            },
        );
        self.link(&key, format!("tunnel-{}", t.outside), "ipsec");
        if c.static_routes_only {
            return;
        }
        let Some(vgw_node) = self.topo.nodes.get(&vgw(&c.vgw)) else {
            return;
        };
        let vgw_asn = vgw_node.asn;
        let (amazon, customer) = (host(t.inside, 1), host(t.inside, 2));
        let refused = match (azure, gateway, instance) {
            (Some(a), Some(g), Some(i)) => {
                tunnel_bgp_refusal(a, g, i, c, vgw_asn, amazon, customer)
            }
            _ => Some((Why::NoFarEnd, None)),
        };
        let s = Session {
            link: Some(key.clone()),
            tunnel: Some(key.clone()),
            refused,
            hold: self
                .world
                .aws_vpn_hold_seconds
                .min(self.world.azure_hold_seconds),
            object: c.id.clone(),
            ..plain(
                format!("bgp:{}:{}", c.id, t.outside),
                SessionKind::Tunnel,
                Side {
                    node: vgw(&c.vgw),
                    address: amazon,
                    asn: vgw_asn,
                },
                Side {
                    node: end.unwrap_or_default(),
                    address: customer,
                    asn: gateway.map_or(c.customer_asn, |g| g.asn),
                },
            )
        };
        self.insert(s);
    }

    fn associations(&mut self) {
        for a in &self.view.aws.associations {
            let (g, v) = (dxgw(&a.dxgw), vgw(&a.vgw));
            let (Some(gn), Some(vn)) = (self.topo.nodes.get(&g), self.topo.nodes.get(&v)) else {
                continue;
            };
            let side = |n: &Node| Side {
                node: n.key.clone(),
                address: Ipv4Addr::UNSPECIFIED,
                asn: n.asn,
            };
            let s = Session {
                allowed: a.allowed_prefixes.clone(),
                ..plain(
                    format!("assoc:{}:{}", a.dxgw, a.vgw),
                    SessionKind::Association,
                    side(gn),
                    side(vn),
                )
            };
            self.insert(s);
        }
    }
}

struct Far {
    node: String,
    asn: u32,
    kind: SessionKind,
    hold: f64,
    object: String,
    refused: Option<(Why, Option<End>)>,
}

fn local(prefix: Ipv4Net) -> LocalRoute {
    LocalRoute {
        prefix,
        as_path: Vec::new(),
        origin: Origin::Igp,
        towards: None,
        vxc: None,
        extra: false,
    }
}

fn plain(key: String, kind: SessionKind, a: Side, b: Side) -> Session {
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

/// What keeps an MCR's session with an MSEE down.
fn peering_refusal(
    c: &Circuit,
    port: Port,
    vlan: Option<u16>,
    conn: &BgpConnection,
    asn: u32,
) -> Option<(Why, Option<End>)> {
    let Some(p) = &c.peering else {
        return Some((Why::NoFarEnd, None));
    };
    let net = match port {
        Port::Primary => p.primary,
        Port::Secondary => p.secondary,
    };
    if !p.enabled {
        Some((Why::PeeringDisabled, Some(End::A)))
    } else if vlan != Some(p.vlan) {
        Some((Why::Vlan, None))
    // The customer has the first host, Microsoft the second (azure.md §2.4).
    } else if conn.local_address != host(net, 1) || conn.peer_address != host(net, 2) {
        Some((Why::Address, None))
    } else if conn.peer_asn != MSEE_ASN || p.peer_asn != asn {
        Some((Why::Asn, None))
    } else if p.shared_key != conn.password {
        Some((Why::Password, None))
    } else {
        None
    }
}

/// The address at which a gateway instance speaks BGP for a connection: its VNet address, unless the far speaker's
/// address is APIPA; then the one that the connection names, else the instance's first (azure.md §3.3, §4.2).
pub fn bgp_speaker(c: &IpsecConnection, g: &VpnGateway, index: usize) -> Option<Ipv4Addr> {
    let instance = g.instances.get(index)?;
    if !c.remote_bgp_address.is_some_and(|a| a.is_link_local()) {
        return Some(instance.address);
    }
    c.custom_bgp
        .iter()
        .find(|(id, _)| id.eq_ignore_ascii_case(&instance.ip_configuration))
        .map(|(_, a)| *a)
        .or_else(|| instance.apipa.first().copied())
        .filter(|a| instance.apipa.contains(a))
}

/// What keeps BGP in a tunnel down. AWS starts the session from the first host of the inside prefix to the second;
/// Azure only listens there, and starts none from an APIPA address (azure.md §3.3).
fn tunnel_bgp_refusal(
    a: &IpsecConnection,
    g: &VpnGateway,
    index: usize,
    c: &VpnConnection,
    vgw_asn: u32,
    amazon: Ipv4Addr,
    customer: Ipv4Addr,
) -> Option<(Why, Option<End>)> {
    if !a.bgp || !g.bgp {
        Some((Why::BgpDisabled, Some(End::B)))
    } else if bgp_speaker(a, g, index) != Some(customer) {
        Some((Why::NobodyListens, None))
    } else if a.remote_bgp_address != Some(amazon) {
        Some((Why::Address, None))
    } else if a.remote_asn != Some(vgw_asn) || c.customer_asn != g.asn {
        Some((Why::Asn, None))
    } else {
        None
    }
}
