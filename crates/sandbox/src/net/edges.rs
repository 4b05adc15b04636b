//! The sessions between owners: an MCR's with Microsoft's and AWS's edge, BGP in tunnels, associations; and what
//! configuration alone keeps down on them. Second half of `build`.

use super::build::{Builder, plain};
use super::proposals;
use super::topology::{
    End, MSEE_ASN, McrPolicy, Node, Session, SessionKind, Side, Tunnel, Why, dxgw, hash_of, host,
    mcr, msee, short, vgw, vpn_instance,
};
use super::view::{
    BgpConnection, Circuit, FarEnd, IpsecConnection, Port, VpnConnection, VpnGateway, VpnTunnel,
    Vxc,
};
use std::net::Ipv4Addr;

impl Builder<'_> {
    /// The BGP sessions that an MCR has on a VXC.
    pub fn vxc(&mut self, vxc: &Vxc) {
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
                        filters: conn.filters.clone(),
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
                let gateway = v.dxgw.as_ref().and_then(|d| self.topo.nodes.get(&dxgw(d)));
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

    pub fn tunnel(&mut self, conn: &VpnConnection, t: &VpnTunnel) {
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
                .position(|i| i.public_ip == conn.customer_gateway_address)
        });
        let key = format!("tunnel:{}:{}", conn.id, t.outside);
        let end = gateway.zip(instance).map(|(g, i)| vpn_instance(&g.id, i));
        let refused = match (azure, instance) {
            (None, _) => Some(proposals::Refusal::NoAzureConnection),
            (_, None) => Some(proposals::Refusal::NoGatewayInstance),
            (Some(a), Some(_)) => proposals::agree(a, t).err(),
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
                vpn_connection: conn.id.clone(),
                outside: t.outside,
                vgw: vgw(&conn.vgw),
                connection: azure.map(|a| a.id.clone()),
                instance: end.clone(),
                refused,
                dpd: [
                    f64::from(t.dpd_seconds.max(30)),
                    azure.map_or(45.0, |a| f64::from(a.dpd_seconds.max(9))),
                ],
                lifetime: proposals::lifetime(policy, t),
                rekeys: proposals::rekeys(policy, t),
                fingerprint: hash_of(&text),
            },
        );
        self.link(&key, format!("tunnel-{}", t.outside), "ipsec");
        if conn.static_routes_only {
            return;
        }
        let Some(vgw_node) = self.topo.nodes.get(&vgw(&conn.vgw)) else {
            return;
        };
        let vgw_asn = vgw_node.asn;
        let (amazon, customer) = (host(t.inside, 1), host(t.inside, 2));
        let refused = match (azure, gateway, instance) {
            (Some(a), Some(g), Some(i)) => {
                tunnel_bgp_refusal(a, g, i, conn, vgw_asn, amazon, customer)
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
            object: conn.id.clone(),
            ..plain(
                format!("bgp:{}:{}", conn.id, t.outside),
                SessionKind::Tunnel,
                Side {
                    node: vgw(&conn.vgw),
                    address: amazon,
                    asn: vgw_asn,
                },
                Side {
                    node: end.unwrap_or_default(),
                    address: customer,
                    asn: gateway.map_or(conn.customer_asn, |g| g.asn),
                },
            )
        };
        self.insert(s);
    }

    pub fn associations(&mut self) {
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
                // AWS notices its own failures at once.
                bfd: true,
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
