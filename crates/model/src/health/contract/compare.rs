//! Vantages against each other: the network interfaces against the gateway that programs them, the path that is taken
//! against the one that is preferred, and the two directions.

use super::super::paths::{Carrier, Inferred, PrefixWay, Way, carrier_of};
use super::Check;
use crate::routes::{Learned, NextHop};
use std::collections::BTreeSet;

impl Check<'_> {
    /// The network interfaces against the gateway that programs them.
    pub(super) fn agreement(&mut self) {
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
                // Nor does a gateway contradict anybody with a table that is not whole.
                if nic_vpn == has_er && (has_er || learned.1.is_whole()) {
                    let (a, b) = if nic_vpn {
                        ("a VPN gateway instance", "has it from Microsoft's edge")
                    } else {
                        ("Microsoft's edge", "has no such route")
                    };
                    self.found.disagree.push(format!("{prefix}: network interface {} sends it to {a} ({hop}), ExpressRoute gateway {} {b}; expected the same at both", nic.name, learned.0.name));
                }
            }
        }
    }

    pub(super) fn preference(&mut self, inferred: &Inferred) {
        let er_holds = inferred
            .paths
            .iter()
            .any(|x| x.carrier == Carrier::ExpressRoute && x.holds());
        for (ways, from, to) in [
            (&inferred.to_aws, "Azure", "AWS"),
            (&inferred.to_azure, "AWS", "Azure"),
        ] {
            for w in ways {
                let Way::By(by) = &w.way else { continue };
                if self.picture.prefer_express_route && er_holds && by.contains(&Carrier::Vpn) {
                    self.found.wrong_preference.push(format!(
                        "{} goes over VPN from {from} to {to}, expected over ExpressRoute, which holds{}: look for more specific prefixes over VPN",
                        w.prefix,
                        seen(w)
                    ));
                }
            }
        }
        let (Some(out), Some(back)) = (carriers(&inferred.to_aws), carriers(&inferred.to_azure))
        else {
            return;
        };
        if !out.is_empty() && !back.is_empty() && out != back {
            self.found.asymmetric.push(format!(
                "from Azure to AWS {}; from AWS to Azure {}; expected the same path both ways",
                going(&inferred.to_aws),
                going(&inferred.to_azure)
            ));
        }
    }
}

/// What carries a direction; `None` when a prefix is carried by nothing, or nobody knows.
fn carriers(ways: &[PrefixWay]) -> Option<BTreeSet<Carrier>> {
    let mut all = BTreeSet::new();
    for w in ways {
        match &w.way {
            Way::By(by) if !by.is_empty() => all.extend(by.iter().copied()),
            Way::By(_) | Way::Unknown(_) => return None,
        }
    }
    Some(all)
}

fn seen(w: &PrefixWay) -> String {
    if w.seen.is_empty() {
        String::new()
    } else {
        format!(" ({})", w.seen)
    }
}

/// Each prefix of a direction with what carries it.
fn going(ways: &[PrefixWay]) -> String {
    let one = |w: &PrefixWay| {
        let by = match &w.way {
            Way::By(by) => by
                .iter()
                .map(|c| match c {
                    Carrier::ExpressRoute => "ExpressRoute",
                    Carrier::Vpn => "VPN",
                })
                .collect::<Vec<_>>()
                .join(" and "),
            Way::Unknown(_) => "nobody knows what".to_owned(),
        };
        format!("{} goes over {by}{}", w.prefix, seen(w))
    };
    ways.iter().map(one).collect::<Vec<_>>().join(", ")
}
