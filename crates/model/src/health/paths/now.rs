//! What carries a prefix now: to AWS as the fabric forwards it, to Azure as AWS's order of preference says.

use super::super::picture::{ExpressRouteView, Reading};
use super::super::{Doubt, listed, partly};
use super::can::{Can, any_of};
use super::could::over_router;
use super::{Carrier, Infer, PrefixWay, Way, best_covering, carrier_of, v4};
use crate::routes::{Learned, NextHop, Route, Table};
use ipnet::IpNet;
use std::collections::BTreeSet;

/// Where a route that the fabric has over ExpressRoute ends.
enum Edge {
    Leads,
    /// At somebody else behind the router, who announces a prefix that covers both clouds and has no way to AWS.
    Elsewhere,
    /// The gateway has no such route (any more, or yet).
    Gone(Doubt),
}

impl Infer<'_> {
    /// What carries a route that the virtual private gateway has: Direct Connect first, then VPN (aws.md §5).
    pub(super) fn behind_vgw(&self, prefix: IpNet) -> Way {
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
                    // AWS sends it to the router. One whose ports to Microsoft are down would drop it; but such a router has
                    // taken the prefix back from AWS: one of the two was heard earlier, and the next reading tells which.
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
                        Can::No(why) => Way::Unknown(Doubt::new(format!(
                            "AWS accepts {prefix} on the virtual interface of {}, but {why}",
                            dx.name
                        ))),
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

    pub(super) fn to_azure(&self, prefix: IpNet) -> PrefixWay {
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
                let what = format!("route table {}", view.id);
                ways.push(if r.prefix == prefix {
                    Way::By(BTreeSet::new())
                } else {
                    known(Way::By(BTreeSet::new()), table, &what)
                });
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
                let what = format!("route table {}", view.id);
                ways.push(known(Way::By(BTreeSet::new()), table, &what));
            }
        }
        if ways.is_empty() {
            ways.push(self.behind_vgw(prefix));
        }
        let way = together(ways);
        if let Way::By(by) = &way
            && seen.is_empty()
        {
            let over_dx = "AWS accepts it on a virtual interface whose BGP is up";
            let over_vpn = "AWS has it over tunnels only";
            seen = match (
                by.contains(&Carrier::ExpressRoute),
                by.contains(&Carrier::Vpn),
            ) {
                (true, true) => "AWS has parts of it over tunnels only".to_owned(),
                (true, false) => over_dx.to_owned(),
                (false, true) => over_vpn.to_owned(),
                (false, false) => seen,
            };
        }
        PrefixWay { prefix, way, seen }
    }

    /// What the gateway knows of a prefix over ExpressRoute, which the network interface sends there.
    fn edge(&self, nic: &str, prefix: IpNet) -> Edge {
        let gateway = self.picture.er_gateway.as_ref();
        let Some((gateway, table)) = gateway.and_then(|g| Some((g, g.learned.known()?))) else {
            return Edge::Leads;
        };
        let routes: Vec<&Route> = table
            .to(prefix)
            .filter(|r| r.usable && carrier_of(r) == Some(Carrier::ExpressRoute))
            .collect();
        let links = &self.picture.direct_connects;
        let ours = |r: &&Route| links.iter().any(|dx| over_router(r, dx));
        if routes.is_empty() && !self.er_dead() {
            // One of the two tables is older: the gateway programs the virtual network, seconds later.
            Edge::Gone(Doubt::new(format!(
                "{nic}: {prefix} goes to Microsoft's edge, from which ExpressRoute gateway {} has no such route",
                gateway.name
            )))
        } else if routes.is_empty() || links.is_empty() || routes.iter().any(ours) {
            Edge::Leads
        } else {
            Edge::Elsewhere
        }
    }

    pub(super) fn nic_way(&self, what: &str, table: &Table, prefix: IpNet) -> Way {
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
                    if inside {
                        by.insert(Carrier::Vpn);
                        continue;
                    }
                    match self.edge(what, r.prefix) {
                        Edge::Leads => by.insert(Carrier::ExpressRoute),
                        Edge::Elsewhere => return Way::By(BTreeSet::new()),
                        Edge::Gone(doubt) => return Way::Unknown(doubt),
                    };
                }
                // An appliance, the Internet or nothing: not over one of our paths.
                _ if r.prefix.contains(&prefix) => {
                    return known(Way::By(BTreeSet::new()), table, what);
                }
                _ => {}
            }
        }
        known(Way::By(by), table, what)
    }

    pub(super) fn gateways_way(&self, prefix: IpNet) -> Way {
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
                known(
                    Way::By(chosen.filter_map(carrier_of).collect()),
                    t,
                    &format!("learned routes of {}", gateway.name),
                )
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

    pub(super) fn to_aws(&self, prefix: IpNet) -> PrefixWay {
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
            let seen = match (&self.picture.er_gateway, &way) {
                (Some(g), Way::By(by)) if !by.is_empty() => {
                    format!("ExpressRoute gateway {} has it so", g.name)
                }
                _ => String::new(),
            };
            (nics.map_or(way, Way::Unknown), seen)
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
                        .map(|(name, t)| {
                            self.nic_way(&format!("effective routes of {name}"), t, prefix)
                        })
                        .collect(),
                ),
                listed(&seen),
            )
        };
        way = self.without_the_dead(way, prefix);
        PrefixWay { prefix, way, seen }
    }

    /// No circuit and virtual interface that meet have sessions that could carry anything.
    fn er_dead(&self) -> bool {
        let pairs = self.pairs();
        !pairs.is_empty()
            && pairs
                .iter()
                .all(|(er, dx)| matches!(self.er_sessions(er, dx), Can::No(_)))
    }

    /// The fabric may still point at a path that is known to be dead: then nothing carries it.
    pub(super) fn without_the_dead(&self, way: Way, prefix: IpNet) -> Way {
        let vpn_dead = || {
            self.picture
                .vpns
                .iter()
                .all(|v| matches!(self.vpn_sessions(v), Can::No(_)))
        };
        match way {
            Way::By(mut by) => {
                // A part of the prefix that is lost is not made good by the rest of it.
                let lost = (by.contains(&Carrier::ExpressRoute) && self.er_dead())
                    || (by.contains(&Carrier::Vpn) && vpn_dead());
                if lost {
                    by.clear();
                }
                Way::By(by)
            }
            Way::Unknown(d) => {
                let nothing_left = self.er_dead()
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
}

/// Usable routes to parts of `prefix`.
fn parts(table: &Table, prefix: IpNet) -> impl Iterator<Item = &Route> {
    table
        .routes
        .iter()
        .filter(move |r| r.usable && r.prefix != prefix && prefix.contains(&r.prefix))
}

fn is_vgw(hop: &NextHop) -> bool {
    matches!(hop, NextHop::Object(id) if id.starts_with("vgw-"))
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

/// Nothing carries it, as far as the table is whole: else what does may stand in a row that nobody understood.
fn known(way: Way, table: &Table, what: &str) -> Way {
    match way {
        Way::By(by) if by.is_empty() && !table.is_whole() => Way::Unknown(Doubt::new(partly(what))),
        way => way,
    }
}
