//! Path inference: which path carries each prefix in each direction now, and which would carry it.
//!
//! Azure to AWS is read where packets are forwarded: a next hop inside GatewaySubnet is a VPN gateway instance, one
//! outside is Microsoft's edge (azure.md §5.3). AWS to Azure is said by no API (aws.md §3): a prefix that AWS accepts on a
//! virtual interface whose BGP is up goes over Direct Connect, any other that the gateway has goes over VPN (aws.md §5).

use super::picture::{DirectConnectView, ErPort, ExpressRouteView, Picture, Reading, VpnView};
use super::sessions::{SessionVerdict, Standing};
use super::{Doubt, Raw, listed};
use crate::graph::expressroute::MSEE_ASN;
use crate::report::Truth;
use crate::routes::aws::TunnelHealth;
use crate::routes::{Learned, NextHop, Route, Table};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The path that carries the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Active {
    ExpressRoute,
    Vpn,
    /// The directions, or the prefixes, take different paths.
    Split,
    /// A direction of a prefix is carried by nothing.
    None,
}

/// What carries a packet between the clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Carrier {
    ExpressRoute,
    Vpn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathState {
    Up,
    Down,
    #[default]
    Unknown,
}

/// One path and whether it could carry each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathView {
    /// The links it is made of.
    pub name: String,
    pub carrier: Carrier,
    pub azure_to_aws: PathState,
    pub aws_to_azure: PathState,
    pub message: Option<String>,
    /// Links and routers that it depends on: two paths without a common one are independent.
    #[serde(skip)]
    pub uses: BTreeSet<String>,
}

impl PathView {
    /// It could carry both directions now.
    pub fn holds(&self) -> bool {
        self.azure_to_aws == PathState::Up && self.aws_to_azure == PathState::Up
    }
    fn is_down(&self) -> bool {
        self.azure_to_aws == PathState::Down || self.aws_to_azure == PathState::Down
    }
}

/// How a prefix is carried in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By these; by nothing when empty.
    By(BTreeSet<Carrier>),
    Unknown(Doubt),
}

impl Way {
    fn one(c: Carrier) -> Self {
        Self::By(BTreeSet::from([c]))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrefixWay {
    pub prefix: IpNet,
    pub way: Way,
    /// What was seen, for messages: `nic vm-nic sends it to 172.29.255.14`.
    pub seen: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inferred {
    pub to_aws: Vec<PrefixWay>,
    pub to_azure: Vec<PrefixWay>,
    pub paths: Vec<PathView>,
}

/// Whether a path can carry a prefix in one direction.
enum Can {
    Yes,
    No(String),
    Unknown(Doubt),
}

impl Can {
    fn and(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => next(),
            // A later No is certain whatever the earlier doubt.
            Self::Unknown(d) => match next() {
                Self::No(why) => Self::No(why),
                Self::Yes | Self::Unknown(_) => Self::Unknown(d),
            },
            no @ Self::No(_) => no,
        }
    }
    fn state(&self) -> PathState {
        match self {
            Self::Yes => PathState::Up,
            Self::No(_) => PathState::Down,
            Self::Unknown(_) => PathState::Unknown,
        }
    }
    fn why(&self) -> Option<String> {
        match self {
            Self::Yes => None,
            Self::No(why) => Some(why.clone()),
            Self::Unknown(d) => Some(d.why.clone()),
        }
    }
}

/// A table's answer, or why there is none.
fn ask<T>(what: &str, reading: &Reading<T>, f: impl FnOnce(&T) -> Can) -> Can {
    match reading {
        Reading::Read(t) => f(t),
        Reading::Outdated(_) => Can::Unknown(Doubt {
            why: format!("{what} is being read again"),
            waiting: true,
        }),
        Reading::Unknown(why) | Reading::NotOffered(why) => {
            Can::Unknown(Doubt::new(format!("{what}: {why}")))
        }
    }
}

fn v4(a: std::net::Ipv4Addr) -> IpAddr {
    a.into()
}

/// The usable routes that a packet to `prefix` as a whole would match: those of the longest prefix that covers it.
pub(super) fn best_covering(table: &Table, prefix: IpNet) -> Vec<&Route> {
    let covering: Vec<&Route> = table
        .routes
        .iter()
        .filter(|r| r.usable && r.prefix.contains(&prefix))
        .collect();
    let longest = covering.iter().map(|r| r.prefix.prefix_len()).max();
    covering
        .into_iter()
        .filter(|r| Some(r.prefix.prefix_len()) == longest)
        .collect()
}

/// Usable routes to parts of `prefix`.
fn parts(table: &Table, prefix: IpNet) -> impl Iterator<Item = &Route> {
    table
        .routes
        .iter()
        .filter(move |r| r.usable && r.prefix != prefix && prefix.contains(&r.prefix))
}

struct Infer<'a> {
    picture: &'a Picture,
    sessions: &'a [SessionVerdict],
}

impl Infer<'_> {
    fn session(&self, link: &str, peer: IpAddr) -> Option<&SessionVerdict> {
        self.sessions
            .iter()
            .find(|s| s.counted && s.link == link && s.peer == peer)
    }

    /// Any of these sessions up; explicitly none; or nobody knows.
    fn any_up(&self, link: &str, peers: impl Iterator<Item = IpAddr>) -> Can {
        let all: Vec<&SessionVerdict> = peers.filter_map(|p| self.session(link, p)).collect();
        if all.iter().any(|s| s.standing == Standing::Up) {
            return Can::Yes;
        }
        if all
            .iter()
            .all(|s| matches!(s.standing, Standing::Down | Standing::Shut))
        {
            let whys: Vec<String> = all.iter().map(|s| s.message.clone()).collect();
            return Can::No(if whys.is_empty() {
                format!("{link} has no session that could carry it")
            } else {
                listed(&whys)
            });
        }
        let doubtful: Vec<&&SessionVerdict> = all
            .iter()
            .filter(|s| matches!(s.standing, Standing::Unknown | Standing::Disputed))
            .collect();
        let whys: Vec<String> = doubtful.iter().map(|s| s.message.clone()).collect();
        Can::Unknown(Doubt {
            why: listed(&whys),
            waiting: doubtful.iter().any(|s| s.waiting),
        })
    }

    fn ports<'b>(er: &'b ExpressRouteView, router: &'b str) -> impl Iterator<Item = &'b ErPort> {
        er.ports.iter().filter(move |p| p.router == router)
    }

    fn er_sessions(&self, er: &ExpressRouteView, dx: &DirectConnectView) -> Can {
        let ports = Self::ports(er, &dx.router).map(|p| v4(p.microsoft));
        self.any_up(&er.name, ports)
            .and(|| self.any_up(&dx.name, std::iter::once(v4(dx.amazon))))
    }

    /// Azure to AWS over a circuit and a virtual interface.
    fn er_to_aws(&self, er: &ExpressRouteView, dx: &DirectConnectView, prefix: IpNet) -> Can {
        self.er_sessions(er, dx).and(|| {
            if let Some(gateway) = &self.picture.er_gateway {
                let asked = ask(
                    &format!("learned routes of {}", gateway.name),
                    &gateway.learned,
                    |t| {
                        let found = best_covering(t, prefix)
                            .into_iter()
                            .any(|r| over_router(r, dx));
                        if found {
                            Can::Yes
                        } else {
                            Can::No(format!(
                                "ExpressRoute gateway {} has no route to {prefix} over AS {}",
                                gateway.name, dx.router_asn
                            ))
                        }
                    },
                );
                if !matches!(asked, Can::Unknown(_)) {
                    return asked;
                }
            }
            let mut last = Can::Unknown(Doubt::new("no table tells"));
            for port in Self::ports(er, &dx.router) {
                let asked = ask(
                    &format!("route table of circuit {}", er.circuit),
                    &port.routes,
                    |t| {
                        let found = best_covering(t, prefix)
                            .into_iter()
                            .any(|r| r.next_hop == NextHop::Address(v4(port.customer)));
                        if found {
                            Can::Yes
                        } else {
                            Can::No(format!(
                                "port {:?} of circuit {} has no route to {prefix} from the router",
                                port.port, er.circuit
                            ))
                        }
                    },
                );
                if matches!(asked, Can::Yes) {
                    return asked;
                }
                last = asked;
            }
            last
        })
    }

    /// AWS to Azure over a virtual interface and a circuit.
    fn er_to_azure(&self, er: &ExpressRouteView, dx: &DirectConnectView, prefix: IpNet) -> Can {
        let associated = || {
            if dx.associated == Reading::Read(false) {
                return Can::No(format!(
                    "the Direct Connect gateway of {} is not associated with the virtual private gateway",
                    dx.name
                ));
            }
            Can::Yes
        };
        self.er_sessions(er, dx)
            .and(associated)
            .and(|| self.amazon_takes(er, dx, prefix))
    }

    fn amazon_takes(&self, er: &ExpressRouteView, dx: &DirectConnectView, prefix: IpNet) -> Can {
        let asked = ask(
            &format!("routes of the virtual interface of {}", dx.name),
            &dx.accepted,
            |t| {
                if t.has(prefix) {
                    Can::Yes
                } else {
                    Can::No(format!(
                        "AWS accepts no route to {prefix} on the virtual interface of {}",
                        dx.name
                    ))
                }
            },
        );
        if !matches!(asked, Can::Unknown(_)) || matches!(dx.accepted, Reading::Outdated(_)) {
            return asked;
        }
        // Not offered or not readable: what the router has from Microsoft's edge, it announces.
        let Some(router) = self.picture.router(&dx.router) else {
            return asked;
        };
        ask(
            &format!("routes of router {}", router.name),
            &router.routes,
            |t| {
                let from_edge = |r: &Route| {
                    Self::ports(er, &dx.router).any(|p| {
                        r.peer == Some(v4(p.microsoft))
                            || r.next_hop == NextHop::Address(v4(p.microsoft))
                    })
                };
                if t.to(prefix).any(|r| r.usable && from_edge(r)) {
                    Can::Yes
                } else {
                    Can::No(format!(
                        "router {} has no route to {prefix} from Microsoft's edge",
                        router.name
                    ))
                }
            },
        )
    }

    fn vpn_sessions(&self, vpn: &VpnView) -> Can {
        let peers = vpn
            .tunnels
            .iter()
            .filter(|t| t.bgp_expected)
            .map(|t| v4(crate::spec::first_host(t.inside)));
        self.any_up(&vpn.name, peers)
    }

    fn vpn_to_aws(&self, vpn: &VpnView, prefix: IpNet) -> Can {
        self.vpn_sessions(vpn).and(|| {
            let learned = ask(
                &format!("learned routes of {}", vpn.gateway),
                &vpn.learned,
                |t| {
                    let found = t
                        .to(prefix)
                        .chain(best_covering(t, prefix))
                        .any(|r| r.usable && r.learned == Learned::Ebgp);
                    if found {
                        Can::Yes
                    } else {
                        Can::No(format!(
                            "VPN gateway {} learns no route to {prefix} from AWS",
                            vpn.gateway
                        ))
                    }
                },
            );
            // Beside an ExpressRoute gateway, that one programs the virtual network for both (lab.md): what does not
            // reach it over iBGP reaches no virtual machine.
            let Some(gateway) = &self.picture.er_gateway else {
                return learned;
            };
            let meshed = ask(
                &format!("learned routes of {}", gateway.name),
                &gateway.learned,
                |t| {
                    let found = t
                        .to(prefix)
                        .chain(best_covering(t, prefix))
                        .any(|r| r.usable && r.learned == Learned::Ibgp);
                    if found {
                        Can::Yes
                    } else {
                        Can::No(format!(
                            "ExpressRoute gateway {} has no route to {prefix} from the VPN gateway",
                            gateway.name
                        ))
                    }
                },
            );
            match (learned, meshed) {
                (no @ Can::No(_), _) => no,
                (_, Can::Yes) => Can::Yes,
                (_, no @ Can::No(_)) => no,
                (learned, Can::Unknown(d)) => learned.and(|| Can::Unknown(d)),
            }
        })
    }

    fn vpn_to_azure(vpn: &VpnView) -> Can {
        let health: Vec<Can> = vpn
            .tunnels
            .iter()
            .filter(|t| t.bgp_expected)
            .map(|t| {
                ask(
                    &format!("telemetry of tunnel {}", t.name),
                    &t.telemetry,
                    |row| match row.health() {
                        TunnelHealth::Healthy => Can::Yes,
                        TunnelHealth::NoRoutes => Can::No(format!(
                            "AWS accepts no route over tunnel {} of {}",
                            t.name, vpn.name
                        )),
                        TunnelHealth::IpsecOnly | TunnelHealth::Down => Can::No(format!(
                            "tunnel {} of {} has no BGP at AWS",
                            t.name, vpn.name
                        )),
                        TunnelHealth::Unknown => Can::Unknown(Doubt::new(format!(
                            "AWS has no telemetry of tunnel {}",
                            t.name
                        ))),
                    },
                )
            })
            .collect();
        any_of(health)
    }

    /// What carries a route that the virtual private gateway has: Direct Connect first, then VPN (aws.md §5).
    fn behind_vgw(&self, prefix: IpNet) -> Way {
        let mut doubt = None;
        for dx in &self.picture.direct_connects {
            let circuits: Vec<&ExpressRouteView> = self
                .picture
                .express_routes
                .iter()
                .filter(|e| Self::ports(e, &dx.router).next().is_some())
                .collect();
            let amazon = self.any_up(&dx.name, std::iter::once(v4(dx.amazon)));
            let takes = amazon.and(|| {
                any_of(
                    circuits
                        .iter()
                        .map(|er| self.amazon_takes(er, dx, prefix))
                        .collect(),
                )
            });
            match takes {
                Can::Yes => {
                    // AWS sends it to the router. A router whose ports to Microsoft are down drops it.
                    let onward = any_of(
                        circuits
                            .iter()
                            .map(|er| {
                                self.any_up(
                                    &er.name,
                                    Self::ports(er, &dx.router).map(|p| v4(p.microsoft)),
                                )
                            })
                            .collect(),
                    );
                    return match onward {
                        Can::Yes => Way::one(Carrier::ExpressRoute),
                        Can::No(_) => Way::By(BTreeSet::new()),
                        Can::Unknown(d) => Way::Unknown(d),
                    };
                }
                Can::No(_) => {}
                Can::Unknown(d) => doubt = Some(d),
            }
        }
        if let Some(d) = doubt {
            return Way::Unknown(d);
        }
        match any_of(self.picture.vpns.iter().map(Self::vpn_to_azure).collect()) {
            Can::Yes => Way::one(Carrier::Vpn),
            Can::No(_) => Way::By(BTreeSet::new()),
            Can::Unknown(d) => Way::Unknown(d),
        }
    }

    fn to_azure(&self, prefix: IpNet) -> PrefixWay {
        let mut seen = String::new();
        let mut ways = Vec::new();
        for view in &self.picture.route_tables {
            let Some(table) = view.routes.known() else {
                continue;
            };
            let best = best_covering(table, prefix);
            let fixed = best
                .iter()
                .find(|r| r.learned == Learned::Static && !is_vgw(&r.next_hop));
            if let Some(r) = fixed {
                // At equal length a static route wins over a propagated one (aws.md §5).
                seen = format!(
                    "route table {} sends {} to {}",
                    view.id, r.prefix, r.next_hop
                );
                ways.push(Way::By(BTreeSet::new()));
            } else if best.iter().any(|r| is_vgw(&r.next_hop)) {
                let more: BTreeSet<IpNet> = parts(table, prefix)
                    .filter(|r| is_vgw(&r.next_hop) && !self.picture.is_link_net(r.prefix))
                    .map(|r| r.prefix)
                    .collect();
                let whole = best.first().map_or(prefix, |r| r.prefix);
                ways.push(self.behind_vgw(whole));
                ways.extend(more.into_iter().map(|p| self.behind_vgw(p)));
            } else {
                seen = format!(
                    "route table {} has no route to {prefix} over the virtual private gateway",
                    view.id
                );
                ways.push(Way::By(BTreeSet::new()));
            }
        }
        if ways.is_empty() {
            ways.push(self.behind_vgw(prefix));
        }
        PrefixWay {
            prefix,
            way: together(ways),
            seen,
        }
    }

    fn nic_way(&self, table: &Table, prefix: IpNet) -> Way {
        let routes: Vec<&Route> = best_covering(table, prefix)
            .into_iter()
            .chain(parts(table, prefix))
            .collect();
        let mut by = BTreeSet::new();
        for r in &routes {
            match (&r.next_hop, r.learned) {
                (NextHop::Address(hop), Learned::Propagated) => {
                    let inside = self.picture.gateway_subnet.is_some_and(|n| n.contains(hop))
                        || self.picture.own_azure.iter().any(|n| n.contains(hop));
                    by.insert(if inside {
                        Carrier::Vpn
                    } else {
                        Carrier::ExpressRoute
                    });
                }
                // An appliance, the Internet or nothing: not over one of our paths.
                _ if r.prefix.contains(&prefix) => return Way::By(BTreeSet::new()),
                _ => {}
            }
        }
        Way::By(by)
    }

    fn gateways_way(&self, prefix: IpNet) -> Way {
        let Some(gateway) = &self.picture.er_gateway else {
            let asked = self
                .picture
                .vpns
                .iter()
                .map(|v| self.vpn_to_aws(v, prefix))
                .collect();
            return match any_of(asked) {
                Can::Yes => Way::one(Carrier::Vpn),
                Can::No(_) => Way::By(BTreeSet::new()),
                Can::Unknown(d) => Way::Unknown(d),
            };
        };
        match &gateway.learned {
            Reading::Read(t) => {
                let best = best_covering(t, prefix);
                let weight = best.iter().filter_map(|r| r.weight).max();
                let chosen = best
                    .into_iter()
                    .filter(|r| r.weight == weight)
                    .chain(parts(t, prefix));
                Way::By(chosen.filter_map(carrier_of).collect())
            }
            Reading::Outdated(_) => Way::Unknown(Doubt {
                why: format!("learned routes of {} are being read again", gateway.name),
                waiting: true,
            }),
            Reading::Unknown(why) | Reading::NotOffered(why) => Way::Unknown(Doubt::new(format!(
                "learned routes of {}: {why}",
                gateway.name
            ))),
        }
    }

    fn to_aws(&self, prefix: IpNet) -> PrefixWay {
        let readable: Vec<(&str, &Table)> = self
            .picture
            .nics
            .iter()
            .filter_map(|n| n.routes.known().map(|t| (n.name.as_str(), t)))
            .collect();
        let (mut way, seen) = if readable.is_empty() {
            let way = self.gateways_way(prefix);
            let nics = self.picture.nics.iter().find_map(|n| match &n.routes {
                Reading::Outdated(_) => Some(Doubt {
                    why: format!("effective routes of {} are being read again", n.name),
                    waiting: true,
                }),
                _ => None,
            });
            // Where virtual machines can be asked, the gateways answer only when those can not.
            (nics.map_or(way, Way::Unknown), String::new())
        } else {
            let seen = readable
                .iter()
                .map(|(name, t)| {
                    format!("network interface {name} sends it to {}", hops(t, prefix))
                })
                .collect::<Vec<_>>();
            (
                together(
                    readable
                        .iter()
                        .map(|(_, t)| self.nic_way(t, prefix))
                        .collect(),
                ),
                listed(&seen),
            )
        };
        way = self.without_the_dead(way, prefix);
        PrefixWay { prefix, way, seen }
    }

    /// The fabric may still point at a path that is known to be dead: then nothing carries it.
    fn without_the_dead(&self, way: Way, prefix: IpNet) -> Way {
        let er_dead = || {
            let pairs = self.pairs();
            !pairs.is_empty()
                && pairs
                    .iter()
                    .all(|(er, dx)| matches!(self.er_sessions(er, dx), Can::No(_)))
        };
        let vpn_dead = || {
            self.picture
                .vpns
                .iter()
                .all(|v| matches!(self.vpn_sessions(v), Can::No(_)))
        };
        match way {
            Way::By(mut by) => {
                // A part of the prefix that is lost is not made good by the rest of it.
                let lost = (by.contains(&Carrier::ExpressRoute) && er_dead())
                    || (by.contains(&Carrier::Vpn) && vpn_dead());
                if lost {
                    by.clear();
                }
                Way::By(by)
            }
            Way::Unknown(d) => {
                let nothing_left = er_dead()
                    && self
                        .picture
                        .vpns
                        .iter()
                        .all(|v| matches!(self.vpn_to_aws(v, prefix), Can::No(_)));
                if nothing_left {
                    Way::By(BTreeSet::new())
                } else {
                    Way::Unknown(d)
                }
            }
        }
    }

    /// Circuits and virtual interfaces that meet at a router.
    fn pairs(&self) -> Vec<(&ExpressRouteView, &DirectConnectView)> {
        let mut out = Vec::new();
        for er in &self.picture.express_routes {
            for dx in &self.picture.direct_connects {
                if Self::ports(er, &dx.router).next().is_some() {
                    out.push((er, dx));
                }
            }
        }
        out
    }

    fn paths(&self) -> Vec<PathView> {
        let all = |f: &dyn Fn(IpNet) -> Can, prefixes: &[IpNet]| {
            let asked: Vec<Can> = prefixes.iter().map(|p| f(*p)).collect();
            if asked.is_empty() {
                Can::Unknown(Doubt::new("the route contract names no prefix"))
            } else {
                all_of(asked)
            }
        };
        let mut out = Vec::new();
        for (er, dx) in self.pairs() {
            let to_aws = all(&|p| self.er_to_aws(er, dx, p), &self.picture.azure_sees);
            let to_azure = all(&|p| self.er_to_azure(er, dx, p), &self.picture.aws_sees);
            let uses = BTreeSet::from([
                er.name.clone(),
                dx.name.clone(),
                format!("router {}", dx.router),
            ]);
            out.push(view(
                format!("{}+{}", er.name, dx.name),
                Carrier::ExpressRoute,
                &to_aws,
                &to_azure,
                uses,
            ));
        }
        for vpn in &self.picture.vpns {
            let to_aws = all(&|p| self.vpn_to_aws(vpn, p), &self.picture.azure_sees);
            out.push(view(
                vpn.name.clone(),
                Carrier::Vpn,
                &to_aws,
                &Self::vpn_to_azure(vpn),
                BTreeSet::from([vpn.name.clone()]),
            ));
        }
        out
    }
}

fn view(
    name: String,
    carrier: Carrier,
    to_aws: &Can,
    to_azure: &Can,
    uses: BTreeSet<String>,
) -> PathView {
    let whys: Vec<String> = [to_aws.why(), to_azure.why()]
        .into_iter()
        .flatten()
        .collect();
    PathView {
        name,
        carrier,
        azure_to_aws: to_aws.state(),
        aws_to_azure: to_azure.state(),
        message: (!whys.is_empty()).then(|| listed(&whys)),
        uses,
    }
}

fn is_vgw(hop: &NextHop) -> bool {
    matches!(hop, NextHop::Object(id) if id.starts_with("vgw-"))
}

fn over_router(r: &Route, dx: &DirectConnectView) -> bool {
    r.as_path.first() == Some(&MSEE_ASN)
        && r.as_path.contains(&dx.router_asn)
        && dx.gateway_asn.is_none_or(|a| r.as_path.contains(&a))
}

/// Which path a route of an Azure gateway belongs to.
pub(super) fn carrier_of(r: &Route) -> Option<Carrier> {
    match r.learned {
        Learned::Ebgp if r.as_path.first() == Some(&MSEE_ASN) => Some(Carrier::ExpressRoute),
        Learned::Ebgp | Learned::Ibgp if !r.as_path.is_empty() => Some(Carrier::Vpn),
        _ => None,
    }
}

fn hops(t: &Table, prefix: IpNet) -> String {
    let all: BTreeSet<String> = best_covering(t, prefix)
        .iter()
        .map(|r| r.next_hop.to_string())
        .collect();
    if all.is_empty() {
        "nowhere".to_owned()
    } else {
        all.into_iter().collect::<Vec<_>>().join(" and ")
    }
}

fn any_of(all: Vec<Can>) -> Can {
    let (mut no, mut doubt) = (Vec::new(), None);
    for c in all {
        match c {
            Can::Yes => return Can::Yes,
            Can::No(why) => no.push(why),
            Can::Unknown(d) => doubt = doubt.or(Some(d)),
        }
    }
    doubt.map_or_else(|| Can::No(listed(&no)), Can::Unknown)
}

fn all_of(all: Vec<Can>) -> Can {
    let (mut no, mut doubt) = (Vec::new(), None);
    for c in all {
        match c {
            Can::Yes => {}
            Can::No(why) => no.push(why),
            Can::Unknown(d) => doubt = doubt.or(Some(d)),
        }
    }
    if !no.is_empty() {
        return Can::No(listed(&no));
    }
    doubt.map_or(Can::Yes, Can::Unknown)
}

/// Several places, each of which must be carried. Being carried nowhere in one of them is decisive.
fn together(ways: Vec<Way>) -> Way {
    let mut by = BTreeSet::new();
    let mut doubt = None;
    for way in ways {
        match way {
            Way::By(set) if set.is_empty() => return Way::By(set),
            Way::By(set) => by.extend(set),
            Way::Unknown(d) => doubt = doubt.or(Some(d)),
        }
    }
    doubt.map_or(Way::By(by), Way::Unknown)
}

pub(super) fn infer(picture: &Picture, sessions: &[SessionVerdict]) -> Inferred {
    let i = Infer { picture, sessions };
    if picture.kind != super::SubjectKind::HybridInterconnect {
        return Inferred::default();
    }
    Inferred {
        to_aws: picture.azure_sees.iter().map(|p| i.to_aws(*p)).collect(),
        to_azure: picture.aws_sees.iter().map(|p| i.to_azure(*p)).collect(),
        paths: i.paths(),
    }
}

/// What inference says of the active path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub active: Option<Active>,
    /// Unknown only because a newer reading is on its way.
    pub waiting: bool,
}

pub(super) fn active(found: &Inferred) -> Found {
    let mut by = BTreeSet::new();
    let mut doubts = Vec::new();
    let (mut none, mut any) = (false, false);
    for w in found.to_aws.iter().chain(&found.to_azure) {
        any = true;
        match &w.way {
            Way::By(set) if set.is_empty() => none = true,
            Way::By(set) => by.extend(set.iter().copied()),
            Way::Unknown(d) => doubts.push(d.waiting),
        }
    }
    let waiting = !doubts.is_empty() && doubts.iter().all(|w| *w);
    let active = if none {
        Some(Active::None)
    } else if !doubts.is_empty() || !any {
        None
    } else if by.len() > 1 {
        Some(Active::Split)
    } else if by.contains(&Carrier::ExpressRoute) {
        Some(Active::ExpressRoute)
    } else {
        Some(Active::Vpn)
    };
    Found { active, waiting }
}

/// `Available`: every prefix of the contract is carried in its direction.
pub(super) fn available(found: &Inferred) -> Raw {
    let mut lost = Vec::new();
    let mut doubts = Vec::new();
    for (ways, from, to) in [
        (&found.to_aws, "Azure", "AWS"),
        (&found.to_azure, "AWS", "Azure"),
    ] {
        for w in ways {
            match &w.way {
                Way::By(set) if set.is_empty() => {
                    let seen = if w.seen.is_empty() {
                        String::new()
                    } else {
                        format!(" ({})", w.seen)
                    };
                    lost.push(format!(
                        "nothing carries {} from {from} to {to}{seen}",
                        w.prefix
                    ));
                }
                Way::By(_) => {}
                Way::Unknown(d) => doubts.push(Doubt {
                    why: format!("{from} to {to}: {}", d.why),
                    waiting: d.waiting,
                }),
            }
        }
    }
    if !lost.is_empty() {
        return Raw::firm(Truth::False, "NoPathAvailable", listed(&lost));
    }
    if !doubts.is_empty() {
        return Raw::unknown(&doubts);
    }
    if found.to_aws.is_empty() && found.to_azure.is_empty() {
        return Raw::unknown(&[Doubt::new(
            "the prefixes of the virtual network and the VPC are not known yet",
        )]);
    }
    let words = match active(found).active {
        Some(Active::ExpressRoute) => {
            "traffic goes over ExpressRoute and Direct Connect in both directions"
        }
        Some(Active::Vpn) => "traffic goes over the VPN in both directions",
        _ => "traffic is carried in both directions, over different paths",
    };
    Raw::firm(Truth::True, "PathAvailable", words)
}

/// `Redundant` of an interconnect: two paths without a common link or router hold.
pub(super) fn redundant(picture: &Picture, found: &Inferred) -> Raw {
    let paths = &found.paths;
    let independent = |a: &PathView, b: &PathView| a.uses.is_disjoint(&b.uses);
    let two = |ok: &dyn Fn(&PathView) -> bool| {
        paths
            .iter()
            .enumerate()
            .any(|(i, a)| ok(a) && paths.iter().skip(i + 1).any(|b| ok(b) && independent(a, b)))
    };
    if two(&|p| p.holds()) {
        return Raw::firm(
            Truth::True,
            "Redundant",
            "two independent paths carry both directions",
        );
    }
    if two(&|p| !p.is_down()) {
        let doubts: Vec<Doubt> = paths
            .iter()
            .filter(|p| !p.holds() && !p.is_down())
            .map(|p| {
                Doubt::new(format!(
                    "path {}: {}",
                    p.name,
                    p.message.as_deref().unwrap_or("not known")
                ))
            })
            .collect();
        let mut raw = Raw::unknown(&doubts);
        raw.waiting = doubts.iter().all(|d| d.why.contains("read again"));
        return raw;
    }
    let down: Vec<String> = paths
        .iter()
        .filter(|p| p.is_down())
        .map(|p| {
            format!(
                "path {} does not hold: {}",
                p.name,
                p.message.as_deref().unwrap_or("not known")
            )
        })
        .collect();
    if !two(&|_| true) {
        let remedy = if picture.vpns.is_empty() {
            "add spec.vpn"
        } else {
            "add expressRoutes and directConnects that meet at a router"
        };
        return Raw::firm(
            Truth::False,
            "SinglePath",
            format!("the spec has no second independent path: {remedy}"),
        );
    }
    Raw::firm(Truth::False, "SinglePath", listed(&down))
}

/// `Redundant` of an `ExpressRouteLink`: both ports of the circuit are connected and up.
pub(super) fn ports_redundant(picture: &Picture, sessions: &[SessionVerdict]) -> Raw {
    let ports: Vec<&SessionVerdict> = sessions.iter().filter(|s| s.counted).collect();
    if picture
        .express_routes
        .iter()
        .map(|e| e.ports.len())
        .sum::<usize>()
        < 2
    {
        let message = "only one port of the circuit is connected: add the other one to spec.ports, best from another router";
        return Raw::firm(Truth::False, "SingleExpressRoutePort", message);
    }
    let of = |s: Standing| {
        ports
            .iter()
            .filter(|p| p.standing == s)
            .map(|p| p.message.clone())
            .collect::<Vec<_>>()
    };
    let wrong: Vec<String> = [Standing::Down, Standing::Shut, Standing::Disputed]
        .into_iter()
        .flat_map(of)
        .collect();
    if !wrong.is_empty() {
        return Raw::firm(Truth::False, "SinglePath", listed(&wrong));
    }
    let doubts: Vec<Doubt> = ports
        .iter()
        .filter(|p| p.standing == Standing::Unknown)
        .map(|p| Doubt {
            why: p.message.clone(),
            waiting: p.waiting,
        })
        .collect();
    if !doubts.is_empty() {
        return Raw::unknown(&doubts);
    }
    Raw::firm(
        Truth::True,
        "Redundant",
        "both ports of the circuit are connected",
    )
}
