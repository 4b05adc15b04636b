//! A packet's way from one host to another by the tables as they are now, every branch of it, with what each hop would
//! answer to a traceroute. Reads only. A return path is another trace.

use super::control::ControlError;
use super::fib::{self, longest};
use super::look::Look;
use super::rib;
use super::topology::{self, End, Node, NodeKind, Session, SessionKind};
use super::view::{Nic, Vnet, Vpc};
use crate::state::State;
use crate::wire::Provider;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// More hops than any topology here has; a packet that needs them is in a loop.
const TTL: usize = 24;
/// Branches beyond this are not followed.
const BRANCHES: usize = 64;

/// A node that a packet passes, with the address with which it would answer a traceroute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    pub node: String,
    /// `None`: the hop is silent.
    pub address: Option<Ipv4Addr>,
}

/// One way that a packet can take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// What a traceroute sees; the last one is the destination when it arrives. Gateways that a traceroute does not
    /// show (lab.md) are in `nodes` only.
    pub hops: Vec<Hop>,
    /// Names of the speakers that it passes, in order.
    pub nodes: Vec<String>,
    pub arrives: bool,
    /// Where the packet is dropped (a speaker or the host itself), and why; both `None` when it arrives.
    pub drop_at: Option<String>,
    pub reason: Option<String>,
    /// `ExpressRoute`, `VPN`, `Local` within one network, or `None` when it is dropped before any of them.
    pub path: String,
}

#[derive(Debug, Clone, Default)]
struct Walk {
    hops: Vec<Hop>,
    nodes: Vec<String>,
    keys: Vec<String>,
    path: Option<&'static str>,
}

impl Walk {
    /// The speaker entered last answers with `address`, or not at all.
    fn hop(&mut self, address: impl Into<Option<Ipv4Addr>>) {
        let node = self.nodes.last().cloned().unwrap_or_default();
        self.hops.push(Hop {
            node,
            address: address.into(),
        });
    }
}

struct Tracer<'a> {
    look: Look<'a>,
    to: Ipv4Addr,
    to_name: String,
    done: Vec<Branch>,
}

/// Traces from one of the world's hosts to another, by name.
pub fn trace(state: &State, from: &str, to: &str) -> Result<Vec<Branch>, ControlError> {
    let find = |name: &str| {
        state
            .world
            .hosts
            .iter()
            .find(|h| h.name == name)
            .ok_or_else(|| {
                let known = state.world.hosts.iter().map(|h| h.name.clone());
                ControlError::unknown("host", name, known)
            })
    };
    let (from, to) = (find(from)?, find(to)?);
    let mut tracer = Tracer {
        look: Look::at(state),
        to: to.address,
        to_name: to.name.clone(),
        done: Vec::new(),
    };
    match from.provider {
        Provider::Azure => tracer.leave_azure(&from.name, from.address),
        Provider::Aws => tracer.leave_aws(&from.name, from.address),
        Provider::Megaport => {
            tracer.drop(Walk::default(), &from.name, "no host lives at Megaport");
        }
    }
    Ok(tracer.done)
}

impl<'a> Tracer<'a> {
    fn drop(&mut self, walk: Walk, at: &str, reason: &str) {
        if self.done.len() < BRANCHES {
            self.done.push(Branch {
                hops: walk.hops,
                nodes: walk.nodes,
                arrives: false,
                drop_at: Some(at.to_owned()),
                reason: Some(reason.to_owned()),
                path: walk.path.unwrap_or("None").to_owned(),
            });
        }
    }

    fn arrive(&mut self, mut walk: Walk) {
        walk.hops.push(Hop {
            node: self.to_name.clone(),
            address: Some(self.to),
        });
        if self.done.len() < BRANCHES {
            self.done.push(Branch {
                hops: walk.hops,
                nodes: walk.nodes,
                arrives: true,
                drop_at: None,
                reason: None,
                path: walk.path.unwrap_or("Local").to_owned(),
            });
        }
    }

    fn node(&self, key: &str) -> Option<&'a Node> {
        self.look.net.topo.nodes.get(key)
    }
    fn name(&self, key: &str) -> String {
        self.node(key)
            .map_or_else(|| key.to_owned(), |n| n.name.clone())
    }

    /// Enters a speaker; `None`: dropped there already.
    fn enter(&mut self, key: &str, mut walk: Walk) -> Option<(Walk, &'a Node)> {
        let Some(node) = self.node(key) else {
            self.drop(walk, key, "it is gone");
            return None;
        };
        if self.look.node_dead(key) {
            self.drop(walk, &node.name, "it is silently down");
            return None;
        }
        if walk.keys.iter().any(|k| k == key) || walk.keys.len() >= TTL {
            self.drop(walk, &node.name, "routing loop");
            return None;
        }
        walk.keys.push(key.to_owned());
        walk.nodes.push(node.name.clone());
        Some((walk, node))
    }

    /// The sessions that a speaker would send the packet to. Empty: it has no route, or only one to itself.
    fn next(&self, node: &'a Node) -> Vec<(&'a Session, End)> {
        let all = self.look.candidates(node);
        let prefixes: Vec<ipnet::Ipv4Net> = all.keys().copied().collect();
        longest(&prefixes, |p| *p, self.to)
            .first()
            .and_then(|p| all.get(p))
            .map(|c| {
                rib::best(node, c)
                    .iter()
                    .filter_map(|c| c.session)
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Whether the session's link carries packets; drops the packet at `at` when not.
    fn carried(&mut self, s: &Session, at: &str, walk: &Walk) -> bool {
        match self.look.carries(s) {
            Ok(()) => true,
            Err(why) => {
                self.drop(walk.clone(), at, why.text());
                false
            }
        }
    }

    fn no_route(&mut self, walk: Walk, at: &str) {
        let reason = format!("no route to {}", self.to);
        self.drop(walk, at, &reason);
    }

    // ---- Azure ---------------------------------------------------------------------------------------------------

    fn leave_azure(&mut self, host: &str, address: Ipv4Addr) {
        let vnets = &self.look.net.view.azure.vnets;
        let Some(vnet) = vnets
            .iter()
            .find(|v| v.prefixes.iter().any(|p| p.contains(&address)))
        else {
            self.drop(
                Walk::default(),
                host,
                "its address is in no virtual network",
            );
            return;
        };
        let nic = vnet.nics.iter().find(|n| n.address == address);
        self.fabric(vnet, nic, host);
    }

    /// Out of a virtual machine, by the effective routes of its NIC.
    fn fabric(&mut self, vnet: &'a Vnet, nic: Option<&Nic>, host: &str) {
        let walk = Walk::default();
        let rows: Vec<_> = fib::of_nic(self.look, &vnet.id, nic)
            .into_iter()
            .filter(|r| r.active)
            .collect();
        let best = longest(&rows, |r| r.prefix, self.to);
        let Some(first) = best.first() else {
            self.no_route(walk, host);
            return;
        };
        let (kind, user) = (first.next_hop_type.as_str(), first.source == "User");
        match kind {
            "VnetLocal" => self.arrive(walk),
            "VirtualNetworkGateway" => {
                // A user route to the gateway uses whatever the gateways know.
                let prefix = (!user).then_some(first.prefix);
                self.gateways(vnet, prefix, walk, host);
            }
            "VirtualAppliance" => {
                let passes = first
                    .next_hop
                    .is_some_and(|a| topology::forwards(self.look.world, a));
                if passes {
                    self.gateways(vnet, None, walk, host);
                } else {
                    let reason = format!(
                        "route {} sends it to an appliance that drops it",
                        first.prefix
                    );
                    self.drop(walk, host, &reason);
                }
            }
            other => {
                let reason = format!("route {} says {other}", first.prefix);
                self.drop(walk, host, &reason);
            }
        }
    }

    fn gateways(&mut self, vnet: &'a Vnet, prefix: Option<ipnet::Ipv4Net>, walk: Walk, host: &str) {
        let programmed = self
            .look
            .net
            .fabric
            .get(&vnet.id)
            .cloned()
            .unwrap_or_default();
        let mut hops = longest(&programmed, |r| r.prefix, self.to);
        if let Some(p) = prefix {
            hops.retain(|h| h.prefix == p);
        }
        if hops.is_empty() {
            self.no_route(walk, host);
            return;
        }
        for h in hops {
            match self.node(&h.via).map(|n| &n.kind) {
                Some(NodeKind::Msee { .. }) => self.reach_msee(vnet, &h.via, walk.clone()),
                Some(_) => self.vpn_instance_out(&h.via, walk.clone()),
                None => {
                    self.drop(
                        walk.clone(),
                        host,
                        "the fabric still forwards to what is gone",
                    );
                }
            }
        }
    }

    /// From a virtual machine to the edge router: ExpressRoute's outbound traffic passes the gateway by.
    fn reach_msee(&mut self, vnet: &Vnet, msee: &str, mut walk: Walk) {
        walk.path = Some("ExpressRoute");
        let session = self
            .look
            .sessions(msee)
            .find(|(s, _)| {
                s.kind == SessionKind::ErGateway
                    && self.look.vnet_of(&s.b.node) == Some(vnet.id.as_str())
            })
            .map(|(s, _)| s);
        let Some(s) = session else {
            let at = self.name(msee);
            self.drop(walk, &at, "its circuit is not connected any more");
            return;
        };
        if self.look.link_down(s.link.as_ref()) {
            let at = self.name(msee);
            self.drop(walk, &at, "the link to the edge router is silently down");
            return;
        }
        let Some((mut walk, node)) = self.enter(msee, walk) else {
            return;
        };
        walk.hop(s.a.address);
        self.msee(node, walk);
    }

    fn msee(&mut self, node: &'a Node, walk: Walk) {
        let next = self.next(node);
        if next.is_empty() {
            self.no_route(walk, &node.name);
            return;
        }
        for (s, _) in next {
            if !self.carried(s, &node.name, &walk) {
                continue;
            }
            match s.kind {
                SessionKind::Peering => self.reach_mcr(s, walk.clone()),
                _ => self.er_instance_in(&s.b.node, walk.clone()),
            }
        }
    }

    /// Into a virtual network through an ExpressRoute gateway instance, which answers no traceroute (lab.md).
    fn er_instance_in(&mut self, key: &str, walk: Walk) {
        let Some((mut walk, node)) = self.enter(key, walk) else {
            return;
        };
        walk.hop(None);
        self.deliver_vnet(node, walk);
    }

    /// From a gateway instance to a virtual machine: the routes of GatewaySubnet decide.
    fn deliver_vnet(&mut self, node: &'a Node, walk: Walk) {
        let vnet = self
            .look
            .vnet_of(&node.key)
            .and_then(|id| self.look.net.view.azure.vnets.iter().find(|v| v.id == id));
        let Some(vnet) = vnet.filter(|v| v.prefixes.iter().any(|p| p.contains(&self.to))) else {
            // Nothing leads from one gateway out through another one (no transit).
            self.no_route(walk, &node.name);
            return;
        };
        match topology::gateway_subnet_udr(vnet, self.to) {
            Some(udr) if !topology::passes(self.look.world, udr, false) => {
                let reason = format!(
                    "route {} ({}) on GatewaySubnet sends it to what drops it",
                    udr.name, udr.prefix
                );
                self.drop(walk, &node.name, &reason);
            }
            _ => self.arrive(walk),
        }
    }

    /// Out of a virtual network through a VPN gateway instance: no traceroute shows it (lab.md).
    fn vpn_instance_out(&mut self, key: &str, walk: Walk) {
        let Some((mut walk, node)) = self.enter(key, walk) else {
            return;
        };
        walk.path = Some("VPN");
        let next = self.next(node);
        if next.is_empty() {
            self.no_route(walk, &node.name);
            return;
        }
        for (s, end) in next {
            if !self.carried(s, &node.name, &walk) {
                continue;
            }
            let far = &s.side(end.other()).node;
            match s.kind {
                SessionKind::Tunnel => self.vgw(far, walk.clone()),
                _ => self.vpn_instance_out(far, walk.clone()),
            }
        }
    }

    // ---- Megaport ------------------------------------------------------------------------------------------------

    /// Over a VXC to the MCR, which answers with the address of the interface that the packet came in on.
    fn reach_mcr(&mut self, ingress: &Session, walk: Walk) {
        let Some((mut walk, node)) = self.enter(&ingress.b.node, walk) else {
            return;
        };
        walk.hop(ingress.b.address);
        let next = self.next(node);
        if next.is_empty() {
            self.no_route(walk, &node.name);
            return;
        }
        for (s, _) in next {
            if !self.carried(s, &node.name, &walk) {
                continue;
            }
            let Some((mut walk, far)) = self.enter(&s.a.node, walk.clone()) else {
                continue;
            };
            walk.hop(s.a.address);
            if s.kind == SessionKind::Vif {
                self.dxgw_in(far, walk);
            } else {
                self.msee(far, walk);
            }
        }
    }

    // ---- AWS -----------------------------------------------------------------------------------------------------

    fn leave_aws(&mut self, host: &str, address: Ipv4Addr) {
        let walk = Walk::default();
        let vpcs = &self.look.net.view.aws.vpcs;
        let Some(vpc) = vpcs
            .iter()
            .find(|v| v.cidrs.iter().any(|p| p.contains(&address)))
        else {
            self.drop(walk, host, "its address is in no VPC");
            return;
        };
        // The local route wins even over a longer propagated one (aws.md §5).
        if vpc.cidrs.iter().any(|p| p.contains(&self.to)) {
            self.arrive(walk);
            return;
        }
        match self.target(vpc, address) {
            Ok(target) if target.starts_with("vgw-") => self.vgw_out(&target, walk, host),
            Ok(target) => {
                let reason = format!("the route table sends it to {target}");
                self.drop(walk, host, &reason);
            }
            Err(reason) => self.drop(walk, host, &reason),
        }
    }

    /// Where the route table of the host's subnet sends the packet: longest prefix, a static route before a propagated
    /// one of equal length (aws.md §5).
    fn target(&self, vpc: &Vpc, address: Ipv4Addr) -> Result<String, String> {
        let table = vpc
            .route_tables
            .iter()
            .find(|t| t.subnets.iter().any(|s| s.contains(&address)))
            .or_else(|| vpc.route_tables.first())
            .ok_or("the VPC has no route table")?;
        let mut all: Vec<(ipnet::Ipv4Net, String)> = table.static_routes.clone();
        for vgw in &table.propagating {
            let attached = self
                .look
                .net
                .view
                .aws
                .vgws
                .iter()
                .any(|g| g.id == *vgw && g.vpc.as_ref() == Some(&vpc.id));
            if attached {
                let routes = self.look.net.vgw_fib.get(vgw).into_iter().flatten();
                all.extend(routes.map(|r| (r.prefix, vgw.clone())));
            }
        }
        longest(&all, |r| r.0, self.to)
            .first()
            .map(|r| r.1.clone())
            .ok_or_else(|| format!("route table {} has no route to {}", table.id, self.to))
    }

    /// Out of a VPC: an address of the underlay answers first, one per parallel way.
    fn vgw_out(&mut self, id: &str, walk: Walk, host: &str) {
        let key = topology::vgw(id);
        let Some((walk, node)) = self.enter(&key, walk) else {
            return;
        };
        let programmed = self.look.net.vgw_fib.get(id).cloned().unwrap_or_default();
        let hops = longest(&programmed, |r| r.prefix, self.to);
        let Some(route) = hops.first() else {
            self.no_route(walk, host);
            return;
        };
        let underlay = &self.look.world.aws_underlay_hops;
        for (i, key) in route.via.iter().enumerate() {
            let mut walk = walk.clone();
            walk.hop(underlay.get(i % underlay.len().max(1)).copied());
            let Some(s) = self.look.net.topo.sessions.get(key) else {
                self.drop(walk, &node.name, "it still forwards to what is gone");
                continue;
            };
            if s.kind == SessionKind::Association {
                self.dxgw_out(s, walk);
                continue;
            }
            walk.path = Some("VPN");
            if !self.carried(s, &node.name, &walk) {
                continue;
            }
            if let Some((walk, instance)) = self.enter(&s.b.node, walk) {
                self.deliver_vnet(instance, walk);
            }
        }
    }

    /// From a VGW through its Direct Connect gateway: towards the VPC AWS's edge answers with its own side's address.
    fn dxgw_out(&mut self, association: &Session, mut walk: Walk) {
        walk.path = Some("ExpressRoute");
        let Some((walk, node)) = self.enter(&association.a.node, walk) else {
            return;
        };
        let next: Vec<_> = self
            .next(node)
            .into_iter()
            .filter(|(s, _)| s.kind == SessionKind::Vif)
            .collect();
        if next.is_empty() {
            let edge = self
                .look
                .sessions(&node.key)
                .find(|(s, _)| s.kind == SessionKind::Vif)
                .map(|(s, _)| s.a.address);
            let mut walk = walk;
            if let Some(a) = edge {
                walk.hop(a);
            }
            self.no_route(walk, &node.name);
            return;
        }
        for (s, _) in next {
            let mut walk = walk.clone();
            walk.hop(s.a.address);
            if self.carried(s, &node.name, &walk) {
                self.reach_mcr(s, walk);
            }
        }
    }

    /// From a VIF into AWS. No transit: only a VPC behind an associated VGW is reached (aws.md §1.5).
    fn dxgw_in(&mut self, node: &'a Node, mut walk: Walk) {
        walk.path = Some("ExpressRoute");
        let next: Vec<_> = self
            .next(node)
            .into_iter()
            .filter(|(s, _)| s.kind == SessionKind::Association)
            .collect();
        if next.is_empty() {
            self.no_route(walk, &node.name);
            return;
        }
        for (s, _) in next {
            self.vgw(&s.b.node, walk.clone());
        }
    }

    /// A VGW hands a packet from outside to its VPC.
    fn vgw(&mut self, key: &str, walk: Walk) {
        let Some((walk, node)) = self.enter(key, walk) else {
            return;
        };
        if node
            .local
            .iter()
            .any(|l| !l.extra && l.prefix.contains(&self.to))
        {
            self.arrive(walk);
        } else {
            self.no_route(walk, &node.name);
        }
    }
}
