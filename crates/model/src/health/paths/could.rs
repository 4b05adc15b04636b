//! Whether a path could carry a prefix in a direction, whatever carries it now: its sessions, then the tables along it.

use super::super::mesh;
use super::super::picture::{DirectConnectView, ErPort, ExpressRouteView, Reading, VpnView};
use super::super::sessions::{SessionVerdict, Standing};
use super::super::{Doubt, listed};
use super::can::{Can, all_of, any_of, ask, ask_table};
use super::{Carrier, Infer, PathView, best_covering, v4};
use crate::graph::expressroute::MSEE_ASN;
use crate::routes::aws::TunnelHealth;
use crate::routes::{Learned, NextHop, Route, Table};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Infer<'_> {
    pub(super) fn session(&self, link: &str, peer: IpAddr) -> Option<&SessionVerdict> {
        self.sessions
            .iter()
            .find(|s| s.counted && s.link == link && s.peer == peer)
    }

    /// Any of these sessions up; explicitly none; or nobody knows.
    pub(super) fn any_up(&self, link: &str, peers: impl Iterator<Item = IpAddr>) -> Can {
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

    pub(super) fn ports<'b>(
        er: &'b ExpressRouteView,
        router: &'b str,
    ) -> impl Iterator<Item = &'b ErPort> {
        er.ports.iter().filter(move |p| p.router == router)
    }

    pub(super) fn er_sessions(&self, er: &ExpressRouteView, dx: &DirectConnectView) -> Can {
        let ports = Self::ports(er, &dx.router).map(|p| v4(p.microsoft));
        self.any_up(&er.name, ports)
            .and(|| self.any_up(&dx.name, std::iter::once(v4(dx.amazon))))
    }

    /// Whether a port of this circuit on that router hears the ExpressRoute gateway: what the gateway and AWS show does not
    /// tell several circuits, or several routers of one AS number, apart.
    fn connected(&self, er: &ExpressRouteView, dx: &DirectConnectView) -> Can {
        let own = &self.picture.own_azure;
        // One port in all: the gateway's own table tells as much, and sooner, where it can be read.
        let ports: usize = self
            .picture
            .express_routes
            .iter()
            .map(|e| e.ports.len())
            .sum();
        let gateway = self.picture.er_gateway.as_ref();
        let told = gateway.is_some_and(|g| g.learned.known().is_some());
        if own.is_empty() || (ports < 2 && told) {
            return Can::Yes;
        }
        let of_port = |port: &ErPort| {
            let what = format!("port {:?} of circuit {}", port.port, er.circuit);
            ask_table(&format!("route table of {what}"), &port.routes, |t| {
                let from_gateway = |r: &Route| {
                    r.usable
                        && own.contains(&r.prefix)
                        && r.next_hop != NextHop::Address(v4(port.customer))
                };
                if t.routes.iter().any(from_gateway) {
                    Can::Yes
                } else {
                    Can::No(format!(
                        "{what} has no route to the virtual network from an ExpressRoute gateway"
                    ))
                }
            })
        };
        any_of(Self::ports(er, &dx.router).map(of_port).collect())
    }

    /// Azure to AWS over a circuit and a virtual interface.
    pub(super) fn er_to_aws(
        &self,
        er: &ExpressRouteView,
        dx: &DirectConnectView,
        prefix: IpNet,
    ) -> Can {
        self.er_sessions(er, dx).and(|| self.connected(er, dx)).and(|| {
            if let Some(gateway) = &self.picture.er_gateway {
                let asked = ask_table(
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
                let asked = ask_table(
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
    pub(super) fn er_to_azure(
        &self,
        er: &ExpressRouteView,
        dx: &DirectConnectView,
        prefix: IpNet,
    ) -> Can {
        let associated = || {
            if dx.associated == Reading::Read(false) {
                return Can::No(format!(
                    "the Direct Connect gateway of {} is not associated with the virtual private gateway",
                    dx.name
                ));
            }
            Can::Yes
        };
        let behind = || {
            let own = &self.picture.own_aws;
            let sends = |t: &Table| own.is_empty() || own.iter().any(|p| t.has(*p));
            match dx.advertised.known() {
                Some(t) if t.is_whole() && !sends(t) => Can::No(format!(
                    "AWS advertises nothing of the VPC on the virtual interface of {}: the virtual private gateway does not answer the Direct Connect gateway, or no allowed prefix covers the VPC",
                    dx.name
                )),
                // Who can not be asked says nothing against it.
                _ => Can::Yes,
            }
        };
        self.er_sessions(er, dx)
            .and(associated)
            .and(behind)
            .and(|| self.connected(er, dx))
            .and(|| self.amazon_takes(er, dx, prefix))
    }

    pub(super) fn amazon_takes(
        &self,
        er: &ExpressRouteView,
        dx: &DirectConnectView,
        prefix: IpNet,
    ) -> Can {
        let asked = ask_table(
            &format!("routes of the virtual interface of {}", dx.name),
            &dx.accepted,
            |t| {
                // What somebody else announces to the router leads there and not to Azure.
                let to_azure = |r: &Route| r.as_path.is_empty() || r.as_path.contains(&MSEE_ASN);
                if t.to(prefix).any(|r| r.usable && to_azure(r)) {
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
        ask_table(
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

    pub(super) fn vpn_sessions(&self, vpn: &VpnView) -> Can {
        let peers = vpn
            .tunnels
            .iter()
            .filter(|t| t.bgp_expected)
            .map(|t| v4(crate::spec::first_host(t.inside)));
        self.any_up(&vpn.name, peers)
    }

    pub(super) fn vpn_to_aws(&self, vpn: &VpnView, prefix: IpNet) -> Can {
        self.vpn_sessions(vpn).and(|| {
            if self.picture.er_gateway.is_some()
                && let Some(trap) = mesh::bitten(self.picture)
            {
                return Can::No(trap.sentence());
            }
            let learned = ask_table(
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
            let meshed = ask_table(
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

    pub(super) fn vpn_to_azure(vpn: &VpnView) -> Can {
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

    /// Circuits and virtual interfaces that meet at a router.
    pub(super) fn pairs(&self) -> Vec<(&ExpressRouteView, &DirectConnectView)> {
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

    pub(super) fn paths(&self) -> Vec<PathView> {
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

pub(super) fn over_router(r: &Route, dx: &DirectConnectView) -> bool {
    r.as_path.first() == Some(&MSEE_ASN)
        && r.as_path.contains(&dx.router_asn)
        && dx.gateway_asn.is_none_or(|a| r.as_path.contains(&a))
}
