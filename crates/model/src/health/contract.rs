//! The route contract: every vantage holds its prefixes, over the path of the contract, and nothing else (api.md §2).

use super::paths::{Carrier, Inferred, PathState, Way, carrier_of};
use super::picture::{Picture, Reading, SubjectKind};
use super::sessions::{SessionVerdict, Standing};
use super::{Doubt, Raw, listed};
use crate::graph::expressroute::MSEE_ASN;
use crate::report::Truth;
use crate::routes::aws::TunnelHealth;
use crate::routes::{Learned, NextHop, Route, Table};
use crate::spec::PeeringPort;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What was found, by reason.
#[derive(Default)]
struct Findings {
    wrong_preference: Vec<String>,
    asymmetric: Vec<String>,
    missing: Vec<String>,
    unexpected: Vec<String>,
    disagree: Vec<String>,
    doubts: Vec<Doubt>,
}

impl Findings {
    /// The table, or a doubt about it. What is not offered is nobody's fault.
    fn open<'a, T>(&mut self, what: &str, reading: &'a Reading<T>) -> Option<&'a T> {
        match reading {
            Reading::Read(t) => Some(t),
            Reading::Outdated(_) => {
                self.doubts.push(Doubt {
                    why: format!("{what} is being read again"),
                    waiting: true,
                });
                None
            }
            Reading::Unknown(why) => {
                self.doubts.push(Doubt::new(format!("{what}: {why}")));
                None
            }
            Reading::NotOffered(_) => None,
        }
    }

    fn lacks(&mut self, what: &str, prefix: IpNet, from: &str) {
        self.missing
            .push(format!("{what} lacks {prefix}, expected {from}"));
    }
}

fn port_name(p: PeeringPort) -> &'static str {
    match p {
        PeeringPort::Primary => "Primary",
        PeeringPort::Secondary => "Secondary",
    }
}

fn is_foreign(learned: Learned) -> bool {
    matches!(
        learned,
        Learned::Ebgp | Learned::Ibgp | Learned::Bgp | Learned::Propagated
    )
}

struct Check<'a> {
    picture: &'a Picture,
    sessions: &'a [SessionVerdict],
    found: Findings,
}

impl Check<'_> {
    /// Prefixes of a table beyond the contract. `own`: what the table holds anyway.
    fn nothing_else(&mut self, what: &str, table: &Table, wanted: &[IpNet], own: &[IpNet]) {
        if !self.picture.deny_additional {
            return;
        }
        let extra: BTreeSet<IpNet> = table
            .routes
            .iter()
            .filter(|r| r.usable && is_foreign(r.learned))
            .map(|r| r.prefix)
            .filter(|p| {
                !wanted.contains(p)
                    && !own.iter().any(|o| o.contains(p))
                    && !self.picture.is_link_net(*p)
            })
            .collect();
        for p in extra {
            let list = wanted
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            self.found.unexpected.push(format!(
                "{what} shows {p}, and the contract has only {list}: stop its announcement, add it to spec.routes, or set additionalPrefixes to Allow"
            ));
        }
    }

    fn circuits(&mut self) {
        let p = self.picture;
        for er in &p.express_routes {
            for port in &er.ports {
                let what = format!("port {} of circuit {}", port_name(port.port), er.circuit);
                let Some(table) = self.found.open(&what, &port.routes) else {
                    continue;
                };
                let customer = NextHop::Address(port.customer.into());
                let from_router = |r: &&Route| r.usable && r.next_hop == customer;
                for prefix in &p.azure_sees {
                    if !table.to(*prefix).any(|r| from_router(&r)) {
                        self.found.lacks(
                            &what,
                            *prefix,
                            &format!(
                                "from the router ({}, AS {})",
                                port.customer, port.router_asn
                            ),
                        );
                    }
                }
                // Microsoft's edge does not drop its own AS number: what one port sent comes back on the other (lab.md).
                let leaked: BTreeSet<IpNet> = table
                    .routes
                    .iter()
                    .filter(|r| from_router(r) && r.as_path.iter().skip(1).any(|a| *a == MSEE_ASN))
                    .map(|r| r.prefix)
                    .collect();
                for prefix in &leaked {
                    self.found.unexpected.push(format!(
                        "{what} shows {prefix} with 12076 behind the router's AS: the router announces to it what another port sent; set bgp.exportFilter of the ports to Auto, so that the session with {} gets nothing from AS 12076",
                        port.microsoft
                    ));
                }
                let others = Table {
                    routes: table
                        .routes
                        .iter()
                        .filter(|r| from_router(r) && !leaked.contains(&r.prefix))
                        .cloned()
                        .collect(),
                    not_understood: Vec::new(),
                };
                self.nothing_else(&what, &others, &p.azure_sees, &[]);
            }
        }
    }

    fn gateways(&mut self) {
        let p = self.picture;
        if let Some(gateway) = &p.er_gateway {
            let what = format!("ExpressRoute gateway {}", gateway.name);
            if !p.express_routes.is_empty() {
                self.found
                    .open(&format!("BGP peers of {what}"), &gateway.peers);
            }
            if let Some(table) = self.found.open(&what, &gateway.learned) {
                for prefix in &p.azure_sees {
                    let has = |c: Carrier| {
                        table
                            .to(*prefix)
                            .any(|r| r.usable && carrier_of(r) == Some(c))
                    };
                    if !p.express_routes.is_empty() && !has(Carrier::ExpressRoute) {
                        self.found
                            .lacks(&what, *prefix, "from Microsoft's edge (AS 12076)");
                    }
                    if !p.vpns.is_empty() && !has(Carrier::Vpn) {
                        self.found.lacks(&what, *prefix, "from the VPN gateway");
                    }
                }
                self.nothing_else(&what, table, &p.azure_sees, &p.own_azure);
            }
        }
        for vpn in &p.vpns {
            let what = format!("VPN gateway {}", vpn.gateway);
            self.found.open(&format!("BGP peers of {what}"), &vpn.peers);
            let Some(table) = self.found.open(&what, &vpn.learned) else {
                continue;
            };
            for prefix in &p.azure_sees {
                if !table
                    .to(*prefix)
                    .any(|r| r.usable && r.learned == Learned::Ebgp)
                {
                    self.found.lacks(&what, *prefix, "from AWS over a tunnel");
                }
            }
            self.nothing_else(&what, table, &p.azure_sees, &p.own_azure);
        }
    }

    fn hosts(&mut self) {
        let p = self.picture;
        for nic in &p.nics {
            let what = format!("network interface {}", nic.name);
            let Some(table) = self
                .found
                .open(&format!("effective routes of {what}"), &nic.routes)
            else {
                continue;
            };
            for prefix in &p.azure_sees {
                if !table
                    .to(*prefix)
                    .any(|r| r.usable && r.learned == Learned::Propagated)
                {
                    self.found
                        .lacks(&what, *prefix, "from a virtual network gateway");
                }
            }
            self.nothing_else(&what, table, &p.azure_sees, &p.own_azure);
        }
        for view in &p.route_tables {
            let what = format!("route table {}", view.id);
            let Some(table) = self.found.open(&what, &view.routes) else {
                continue;
            };
            for prefix in &p.aws_sees {
                if !table.has(*prefix) {
                    self.found
                        .lacks(&what, *prefix, "from the virtual private gateway");
                }
            }
            self.nothing_else(&what, table, &p.aws_sees, &p.own_aws);
        }
    }

    fn direct_connects(&mut self) {
        let p = self.picture;
        for dx in &p.direct_connects {
            let what = format!("virtual interface of {}", dx.name);
            if let Some(table) = self
                .found
                .open(&format!("accepted routes of the {what}"), &dx.accepted)
            {
                for prefix in &p.aws_sees {
                    if !table.has(*prefix) {
                        self.found.lacks(
                            &format!("the {what}"),
                            *prefix,
                            &format!("from the router ({}, AS {})", dx.customer, dx.router_asn),
                        );
                    }
                }
                self.nothing_else(&format!("the {what}"), table, &p.aws_sees, &[]);
            }
            if let Some(table) = self
                .found
                .open(&format!("advertised routes of the {what}"), &dx.advertised)
            {
                for prefix in &p.azure_sees {
                    if !table.has(*prefix) {
                        self.found.missing.push(format!(
                            "AWS does not advertise {prefix} on the {what}: add it to the allowed prefixes of the Direct Connect gateway's association"
                        ));
                    }
                }
            }
            if dx.associated == Reading::Read(false) {
                self.found.missing.push(format!("the Direct Connect gateway of {} is not associated with the virtual private gateway", dx.name));
            }
        }
    }

    fn routers(&mut self) {
        let p = self.picture;
        for router in &p.routers {
            let what = format!("router {}", router.name);
            let Some(table) = self
                .found
                .open(&format!("BGP routes of {what}"), &router.routes)
            else {
                continue;
            };
            let from = |prefix: IpNet, peer: IpAddr| {
                table.to(prefix).any(|r| {
                    r.usable && (r.peer == Some(peer) || r.next_hop == NextHop::Address(peer))
                })
            };
            for dx in p.direct_connects.iter().filter(|d| d.router == router.key) {
                for prefix in &p.azure_sees {
                    if !from(*prefix, dx.amazon.into()) {
                        self.found
                            .lacks(&what, *prefix, &format!("from AWS ({})", dx.amazon));
                    }
                }
            }
            for er in &p.express_routes {
                for port in er.ports.iter().filter(|x| x.router == router.key) {
                    for prefix in &p.aws_sees {
                        if !from(*prefix, port.microsoft.into()) {
                            self.found.lacks(
                                &what,
                                *prefix,
                                &format!(
                                    "from port {} of circuit {} ({})",
                                    port_name(port.port),
                                    er.circuit,
                                    port.microsoft
                                ),
                            );
                        }
                    }
                }
            }
        }
    }

    fn tunnels(&mut self) {
        let p = self.picture;
        for vpn in &p.vpns {
            for t in vpn.tunnels.iter().filter(|t| t.bgp_expected) {
                let what = format!("tunnel {} of {}", t.name, vpn.name);
                let Some(row) = self
                    .found
                    .open(&format!("telemetry of {what}"), &t.telemetry)
                else {
                    continue;
                };
                match row.health() {
                    TunnelHealth::Healthy => {}
                    TunnelHealth::Unknown => self
                        .found
                        .doubts
                        .push(Doubt::new(format!("AWS has no telemetry of {what}"))),
                    TunnelHealth::NoRoutes | TunnelHealth::IpsecOnly | TunnelHealth::Down => {
                        let list = p
                            .aws_sees
                            .iter()
                            .map(ToString::to_string)
                            .collect::<Vec<_>>()
                            .join(", ");
                        self.found.missing.push(format!(
                            "{what}: AWS accepts no route over it, expected {list}"
                        ));
                    }
                }
            }
        }
    }

    /// The network interfaces against the gateway that programs them.
    fn agreement(&mut self) {
        let p = self.picture;
        let Some(learned) = p
            .er_gateway
            .as_ref()
            .and_then(|g| g.learned.known().map(|t| (g, t)))
        else {
            return;
        };
        for nic in &p.nics {
            let Some(table) = nic.routes.known() else {
                continue;
            };
            for prefix in &p.azure_sees {
                let at_nic = table
                    .to(*prefix)
                    .find(|r| r.usable && r.learned == Learned::Propagated);
                let Some(NextHop::Address(hop)) = at_nic.map(|r| &r.next_hop) else {
                    continue;
                };
                let nic_vpn = p.gateway_subnet.is_some_and(|n| n.contains(hop));
                let has_er = learned
                    .1
                    .to(*prefix)
                    .any(|r| r.usable && carrier_of(r) == Some(Carrier::ExpressRoute));
                if nic_vpn == has_er {
                    let (a, b) = if nic_vpn {
                        ("a VPN gateway instance", "has it from Microsoft's edge")
                    } else {
                        ("Microsoft's edge", "has no such route")
                    };
                    self.found.disagree.push(format!("{prefix}: network interface {} sends it to {a} ({hop}), ExpressRoute gateway {} {b}", nic.name, learned.0.name));
                }
            }
        }
    }

    fn preference(&mut self, inferred: &Inferred) {
        let er_holds = inferred.paths.iter().any(|x| {
            x.carrier == Carrier::ExpressRoute
                && x.azure_to_aws == PathState::Up
                && x.aws_to_azure == PathState::Up
        });
        for (ways, from, to) in [
            (&inferred.to_aws, "Azure", "AWS"),
            (&inferred.to_azure, "AWS", "Azure"),
        ] {
            for w in ways {
                let Way::By(by) = &w.way else { continue };
                if self.picture.prefer_express_route && er_holds && by.contains(&Carrier::Vpn) {
                    let seen = if w.seen.is_empty() {
                        String::new()
                    } else {
                        format!(" ({})", w.seen)
                    };
                    self.found.wrong_preference.push(format!(
                        "{} goes over VPN from {from} to {to} although ExpressRoute holds{seen}: look for more specific prefixes over VPN",
                        w.prefix
                    ));
                }
            }
        }
        let carriers = |ways: &[super::paths::PrefixWay]| {
            let mut all = BTreeSet::new();
            for w in ways {
                match &w.way {
                    Way::By(by) if !by.is_empty() => all.extend(by.iter().copied()),
                    Way::By(_) | Way::Unknown(_) => return None,
                }
            }
            Some(all)
        };
        if let (Some(out), Some(back)) = (carriers(&inferred.to_aws), carriers(&inferred.to_azure))
            && !out.is_empty()
            && !back.is_empty()
            && out != back
        {
            let words = |s: &BTreeSet<Carrier>| {
                s.iter()
                    .map(|c| {
                        if *c == Carrier::ExpressRoute {
                            "ExpressRoute"
                        } else {
                            "VPN"
                        }
                    })
                    .collect::<Vec<_>>()
                    .join(" and ")
            };
            self.found.asymmetric.push(format!(
                "Azure reaches AWS over {}, AWS reaches Azure over {}",
                words(&out),
                words(&back)
            ));
        }
    }
}

/// `RoutesAsExpected`.
pub(super) fn verdict(picture: &Picture, sessions: &[SessionVerdict], inferred: &Inferred) -> Raw {
    let mut check = Check {
        picture,
        sessions,
        found: Findings::default(),
    };
    if picture.azure_sees.is_empty() && picture.aws_sees.is_empty() {
        return Raw::unknown(&[Doubt::new("the prefixes of the contract are not known yet")]);
    }
    check.circuits();
    check.gateways();
    check.hosts();
    check.direct_connects();
    check.routers();
    check.tunnels();
    check.agreement();
    check.preference(inferred);
    let all_up = check.sessions.iter().all(|s| s.standing == Standing::Up);
    let f = check.found;
    // The cause before its consequences.
    for (list, reason) in [
        (&f.wrong_preference, "WrongPreference"),
        (&f.missing, "MissingPrefix"),
        (&f.asymmetric, "Asymmetric"),
        (&f.unexpected, "UnexpectedPrefix"),
    ] {
        if !list.is_empty() {
            let mut raw = Raw::firm(Truth::False, reason, listed(list));
            // Right after sessions came up, routes are still on their way.
            raw.soft = all_up && f.doubts.iter().any(|d| d.waiting);
            return raw;
        }
    }
    if !f.disagree.is_empty() {
        let mut raw = Raw::firm(Truth::False, "SourcesDisagree", listed(&f.disagree));
        raw.soft = true;
        return raw;
    }
    if !f.doubts.is_empty() {
        return Raw::unknown(&f.doubts);
    }
    Raw::firm(
        Truth::True,
        "RoutesAsExpected",
        "every vantage shows the prefixes of the contract and nothing else",
    )
}

/// Prefixes of the contract that are seen where they belong, and all of them: at the network interfaces (else the
/// gateways) in Azure, in the route tables (else at the gateways' edge) in AWS.
pub(super) fn count(picture: &Picture) -> (usize, usize) {
    let p = picture;
    let everywhere = |tables: Vec<Option<&Table>>, ok: &dyn Fn(&Table) -> bool| {
        !tables.is_empty()
            && tables.iter().flatten().count() > 0
            && tables.iter().flatten().all(|t| ok(t))
    };
    let from_gateway =
        |t: &Table, prefix: IpNet| t.to(prefix).any(|r| r.usable && is_foreign(r.learned));
    let azure = |prefix: IpNet| {
        if p.kind == SubjectKind::HybridInterconnect && !p.nics.is_empty() {
            return everywhere(p.nics.iter().map(|n| n.routes.shown()).collect(), &|t| {
                from_gateway(t, prefix)
            });
        }
        if let Some(g) = &p.er_gateway {
            return everywhere(vec![g.learned.shown()], &|t| from_gateway(t, prefix));
        }
        if p.vpns.is_empty() {
            return everywhere(
                p.direct_connects
                    .iter()
                    .map(|d| d.advertised.shown())
                    .collect(),
                &|t| t.has(prefix),
            );
        }
        everywhere(p.vpns.iter().map(|v| v.learned.shown()).collect(), &|t| {
            from_gateway(t, prefix)
        })
    };
    let aws = |prefix: IpNet| {
        if !p.route_tables.is_empty() {
            return everywhere(
                p.route_tables.iter().map(|t| t.routes.shown()).collect(),
                &|t| t.has(prefix),
            );
        }
        if !p.direct_connects.is_empty() {
            return everywhere(
                p.direct_connects
                    .iter()
                    .map(|d| d.accepted.shown())
                    .collect(),
                &|t| t.has(prefix),
            );
        }
        everywhere(p.routers.iter().map(|r| r.routes.shown()).collect(), &|t| {
            t.has(prefix)
        })
    };
    let seen = p.azure_sees.iter().filter(|x| azure(**x)).count()
        + p.aws_sees.iter().filter(|x| aws(**x)).count();
    (seen, p.azure_sees.len() + p.aws_sees.len())
}
