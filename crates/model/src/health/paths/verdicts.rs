//! What the inference says: the active path, `Available` and `Redundant`.

use super::super::picture::Picture;
use super::super::sessions::{SessionVerdict, Standing};
use super::super::{Doubt, Raw, listed};
use super::{Active, Carrier, Inferred, PathView, Way};
use crate::report::Truth;
use std::collections::BTreeSet;

/// What inference says of the active path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub active: Option<Active>,
    /// Unknown only because a newer reading is on its way.
    pub waiting: bool,
}

pub(in crate::health) fn active(found: &Inferred) -> Found {
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
pub(in crate::health) fn available(found: &Inferred) -> Raw {
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
pub(in crate::health) fn redundant(picture: &Picture, found: &Inferred) -> Raw {
    let paths = &found.paths;
    let independent = |a: &PathView, b: &PathView| a.uses.is_disjoint(&b.uses);
    let two = |ok: &dyn Fn(&PathView) -> bool| {
        paths
            .iter()
            .enumerate()
            .any(|(i, a)| ok(a) && paths.iter().skip(i + 1).any(|b| ok(b) && independent(a, b)))
    };
    if two(&|p| p.holds()) {
        let mut message = "two independent paths carry both directions".to_owned();
        if let Some(trap) = picture.trap().filter(|_| !picture.vpns.is_empty()) {
            message.push_str(&format!("; at risk: {}", trap.sentence()));
        }
        return Raw::firm(Truth::True, "Redundant", message);
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
pub(in crate::health) fn ports_redundant(picture: &Picture, sessions: &[SessionVerdict]) -> Raw {
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
