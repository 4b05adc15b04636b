//! The route contract: every vantage holds its prefixes, over the path of the contract, and nothing else (api.md §2).

mod compare;
mod count;
mod findings;

pub(super) use count::count;

use super::paths::{Carrier, Inferred, carrier_of};
use super::picture::{Picture, Reading};
use super::sessions::{SessionVerdict, Standing};
use super::{Doubt, Raw, listed, mesh};
use crate::graph::expressroute::MSEE_ASN;
use crate::report::Truth;
use crate::routes::aws::TunnelHealth;
use crate::routes::{Learned, NextHop, Route, Table};
use crate::spec::PeeringPort;
use findings::{Findings, list};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

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
            let list = list(wanted);
            self.found.unexpected.push(format!(
                "{what} shows {p}, expected only {list}: stop its announcement, add it to spec.routes, or set additionalPrefixes to Allow"
            ));
        }
    }

    fn circuits(&mut self) {
        let p = self.picture;
        for er in &p.express_routes {
            for port in &er.ports {
                let what = format!("port {} of circuit {}", port_name(port.port), er.circuit);
                let Some(table) = self.found.open_table(&what, &port.routes, &p.azure_sees) else {
                    continue;
                };
                let customer = NextHop::Address(port.customer.into());
                let from_router = |r: &&Route| r.usable && r.next_hop == customer;
                for prefix in &p.azure_sees {
                    if !table.to(*prefix).any(|r| from_router(&r)) {
                        self.found.lacks(
                            table,
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
                        "{what} shows {prefix} with 12076 behind the router's AS, expected nothing from AS 12076: the router announces to it what another port sent; set bgp.exportFilter of the ports to Auto, so that the session with {} gets nothing from AS 12076",
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
                self.found.peers(
                    &format!("BGP peers of {what}"),
                    &gateway.peers,
                    &mesh::silence(p, gateway.silent),
                );
            }
            if let Some(table) = self
                .found
                .open_table(&what, &gateway.learned, &p.azure_sees)
            {
                for prefix in &p.azure_sees {
                    let has = |c: Carrier| {
                        table
                            .to(*prefix)
                            .any(|r| r.usable && carrier_of(r) == Some(c))
                    };
                    if !p.express_routes.is_empty() && !has(Carrier::ExpressRoute) {
                        self.found
                            .lacks(table, &what, *prefix, "from Microsoft's edge (AS 12076)");
                    }
                    if !p.vpns.is_empty() && !has(Carrier::Vpn) {
                        self.found
                            .lacks(table, &what, *prefix, "from the VPN gateway");
                        self.found.cause = p.trap().map(|t| t.sentence());
                    }
                }
                self.nothing_else(&what, table, &p.azure_sees, &p.own_azure);
            }
        }
        for vpn in &p.vpns {
            let what = format!("VPN gateway {}", vpn.gateway);
            self.found.peers(
                &format!("BGP peers of {what}"),
                &vpn.peers,
                &mesh::silence(p, vpn.silent),
            );
            let Some(table) = self.found.open_table(&what, &vpn.learned, &p.azure_sees) else {
                continue;
            };
            for prefix in &p.azure_sees {
                if !table
                    .to(*prefix)
                    .any(|r| r.usable && r.learned == Learned::Ebgp)
                {
                    self.found
                        .lacks(table, &what, *prefix, "from AWS over a tunnel");
                }
            }
            self.nothing_else(&what, table, &p.azure_sees, &p.own_azure);
        }
    }

    /// The gateways do not even answer for their tables: what the trap does to them is known.
    fn mesh(&mut self) {
        let p = self.picture;
        let (Some(gateway), Some(trap)) = (&p.er_gateway, mesh::bitten(p)) else {
            return;
        };
        for prefix in p.azure_sees.iter().filter(|_| !p.vpns.is_empty()) {
            self.found.missing.push(format!(
                "ExpressRoute gateway {} gets no {prefix}, expected from the VPN gateway",
                gateway.name
            ));
        }
        self.found.cause = Some(trap.sentence());
    }

    fn hosts(&mut self) {
        let p = self.picture;
        for nic in &p.nics {
            let what = format!("network interface {}", nic.name);
            let Some(table) = self.found.open_table(
                &format!("effective routes of {what}"),
                &nic.routes,
                &p.azure_sees,
            ) else {
                continue;
            };
            for prefix in &p.azure_sees {
                if !table
                    .to(*prefix)
                    .any(|r| r.usable && r.learned == Learned::Propagated)
                {
                    self.found
                        .lacks(table, &what, *prefix, "from a virtual network gateway");
                    if !p.vpns.is_empty() {
                        self.found.cause = p.trap().map(|t| t.sentence());
                    }
                }
            }
            self.nothing_else(&what, table, &p.azure_sees, &p.own_azure);
        }
        for view in &p.route_tables {
            let what = format!("route table {}", view.id);
            let Some(table) = self.found.open_table(&what, &view.routes, &p.aws_sees) else {
                continue;
            };
            for prefix in &p.aws_sees {
                if !table.has(*prefix) {
                    self.found
                        .lacks(table, &what, *prefix, "from the virtual private gateway");
                }
            }
            self.nothing_else(&what, table, &p.aws_sees, &p.own_aws);
        }
    }

    fn direct_connects(&mut self) {
        let p = self.picture;
        for dx in &p.direct_connects {
            let what = format!("virtual interface of {}", dx.name);
            if let Some(table) = self.found.open_table(
                &format!("accepted routes of the {what}"),
                &dx.accepted,
                &p.aws_sees,
            ) {
                for prefix in &p.aws_sees {
                    if !table.has(*prefix) {
                        self.found.lacks(
                            table,
                            &format!("the {what}"),
                            *prefix,
                            &format!("from the router ({}, AS {})", dx.customer, dx.router_asn),
                        );
                    }
                }
                self.nothing_else(&format!("the {what}"), table, &p.aws_sees, &[]);
            }
            if let Some(table) = self.found.open_table(
                &format!("advertised routes of the {what}"),
                &dx.advertised,
                &p.azure_sees,
            ) {
                for prefix in &p.azure_sees {
                    if table.is_whole() && !table.has(*prefix) {
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
            let both: Vec<IpNet> = p.azure_sees.iter().chain(&p.aws_sees).copied().collect();
            let Some(table) =
                self.found
                    .open_table(&format!("BGP routes of {what}"), &router.routes, &both)
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
                        self.found.lacks(
                            table,
                            &what,
                            *prefix,
                            &format!("from AWS ({})", dx.amazon),
                        );
                    }
                }
            }
            for er in &p.express_routes {
                for port in er.ports.iter().filter(|x| x.router == router.key) {
                    for prefix in &p.aws_sees {
                        if !from(*prefix, port.microsoft.into()) {
                            self.found.lacks(
                                table,
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
                let Some(row) =
                    self.found
                        .open(&format!("telemetry of {what}"), &t.telemetry, &p.aws_sees)
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
                        self.found.missing.push(format!(
                            "{what}: AWS accepts no route over it, expected {}",
                            list(&p.aws_sees)
                        ));
                    }
                }
            }
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
    check.mesh();
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
            let mut message = listed(list);
            if let Some(cause) = f.cause.as_ref().filter(|_| reason == "MissingPrefix") {
                message = format!("{cause}; {message}");
            }
            let mut raw = Raw::firm(Truth::False, reason, message);
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
