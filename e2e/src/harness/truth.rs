//! What really carries the traffic: from the sandbox's traces, which the operator never sees. The judge of sweeps.
//!
//! Reads states only, and imagines futures on copies of them.

use causeway_sandbox::net::{self, Branch};
use causeway_sandbox::wire::Provider;
use causeway_sandbox::{State, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One interconnect and the hosts at its two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Name of the `HybridInterconnect`.
    pub name: String,
    pub azure: Vec<String>,
    pub aws: Vec<String>,
}

impl Scope {
    /// The interconnects of a case's manifests.
    pub fn of(world: &World, manifests: &[Value]) -> Vec<Self> {
        let hosts = |provider, inside: &dyn Fn(std::net::Ipv4Addr) -> bool| {
            let found = world.hosts.iter().filter(|h| h.provider == provider);
            let found = found.filter(|h| inside(h.address));
            found.map(|h| h.name.clone()).collect::<Vec<_>>()
        };
        let of = |m: &Value| {
            let vnet = m["spec"]["azure"]["virtualNetworkRef"]["name"].as_str();
            let vpc = m["spec"]["aws"]["vpcRef"]["id"].as_str();
            Self {
                name: m["metadata"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                azure: hosts(Provider::Azure, &|a| {
                    let own = world.azure.virtual_networks.iter();
                    let mut own = own.filter(|v| Some(v.name.as_str()) == vnet);
                    own.any(|v| v.address_prefixes.iter().any(|p| p.contains(&a)))
                }),
                aws: hosts(Provider::Aws, &|a| {
                    let own = world.aws.vpcs.iter();
                    let mut own = own.filter(|v| Some(v.id.as_str()) == vpc);
                    own.any(|v| v.cidrs.iter().any(|p| p.contains(&a)))
                }),
            }
        };
        let ours = manifests
            .iter()
            .filter(|m| m["kind"] == "HybridInterconnect");
        ours.map(of).collect()
    }
}

/// What carries one direction: every branch of every pair of hosts. Lost when any of them is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Direction {
    pub by: BTreeSet<String>,
    /// Why a branch does not arrive.
    pub lost: Option<String>,
}

impl Direction {
    fn of(state: &State, from: &[String], to: &[String]) -> Self {
        let mut out = Self::default();
        for a in from {
            for b in to {
                let branches = net::trace(state, a, b).unwrap_or_default();
                if branches.is_empty() {
                    out.lost = Some(format!("{a} to {b}: no way at all"));
                }
                for branch in branches {
                    out.add(a, b, &branch);
                }
            }
        }
        out
    }

    fn add(&mut self, from: &str, to: &str, branch: &Branch) {
        if branch.arrives {
            self.by.insert(branch.path.clone());
        } else {
            let at = branch.drop_at.as_deref().unwrap_or_default();
            let why = branch.reason.as_deref().unwrap_or_default();
            self.lost = Some(format!("{from} to {to}: dropped at {at}: {why}"));
        }
    }

    pub fn arrives(&self) -> bool {
        self.lost.is_none()
    }
}

/// Both directions of an interconnect, now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    pub to_aws: Direction,
    pub to_azure: Direction,
}

impl Truth {
    pub fn of(state: &State, scope: &Scope) -> Self {
        Self {
            to_aws: Direction::of(state, &scope.azure, &scope.aws),
            to_azure: Direction::of(state, &scope.aws, &scope.azure),
        }
    }

    /// What `status.activePath` must say.
    pub fn active(&self) -> &'static str {
        if !self.to_aws.arrives() || !self.to_azure.arrives() {
            return "None";
        }
        let by: BTreeSet<&str> = self
            .to_aws
            .by
            .iter()
            .chain(&self.to_azure.by)
            .map(String::as_str)
            .collect();
        match by.iter().copied().collect::<Vec<_>>()[..] {
            ["ExpressRoute"] => "ExpressRoute",
            ["VPN"] => "VPN",
            [] => "None",
            _ => "Split",
        }
    }

    /// Where packets are lost, for people.
    pub fn why(&self) -> String {
        let lost: Vec<&str> = [&self.to_aws, &self.to_azure]
            .into_iter()
            .filter_map(|d| d.lost.as_deref())
            .collect();
        format!(
            "to AWS by {:?}, to Azure by {:?}{}{}",
            self.to_aws.by,
            self.to_azure.by,
            if lost.is_empty() { "" } else { "; " },
            lost.join("; ")
        )
    }
}

/// Everything that was true of an interconnect since a case began, each direction by itself.
#[derive(Debug, Clone, Default)]
pub struct Ever {
    to_aws: BTreeSet<String>,
    to_azure: BTreeSet<String>,
    lost: bool,
}

impl Ever {
    pub fn take(&mut self, now: &Truth) {
        self.to_aws.extend(now.to_aws.by.iter().cloned());
        self.to_azure.extend(now.to_azure.by.iter().cloned());
        self.lost |= !now.to_aws.arrives() || !now.to_azure.arrives();
    }

    /// Whether `status.activePath` may say this: of each direction it says what was true of it at some time. A status
    /// learns of the two directions at two moments, so that the pair need not have been true at one.
    pub fn allows(&self, claim: &str) -> bool {
        let both = |path: &str| self.to_aws.contains(path) && self.to_azure.contains(path);
        match claim {
            "None" => self.lost,
            "Split" => self.to_aws.union(&self.to_azure).count() > 1,
            path => both(path),
        }
    }
}

/// The links of the sandbox that a path of `status.paths[]` is made of: VXCs by UID, or all tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    Vxcs(BTreeSet<String>),
    Tunnels,
}

impl Made {
    /// Of a path, from the links' status: `slots[].id` of the VXCs between its router and the clouds.
    pub fn of(path: &Value, links: &BTreeMap<String, Value>) -> Option<Self> {
        if path["kind"] == "VPN" {
            return Some(Self::Tunnels);
        }
        let name = path["name"].as_str()?;
        let (er, dx) = name.split_once('+')?;
        let slot = |link: &Value, wanted: &str| {
            let slots = link["status"]["slots"].as_array()?;
            let found = slots.iter().find(|s| s["name"] == wanted)?;
            found["id"].as_str().map(str::to_owned)
        };
        let er = links.get(&format!("ExpressRouteLink/{er}"))?;
        let dx = links.get(&format!("DirectConnectLink/{dx}"))?;
        let router = slot(dx, "router")?;
        let mut vxcs = BTreeSet::from([slot(dx, "vxc-aws")?]);
        for port in ["primary", "secondary"] {
            if slot(er, &format!("router-{port}")).as_ref() == Some(&router) {
                vxcs.extend(slot(er, &format!("vxc-{port}")));
            }
        }
        Some(Self::Vxcs(vxcs))
    }
}

/// How long an imagined world may take to come to rest, in simulated seconds.
const REST: f64 = 1800.0;

/// What the two directions would be if this were the only path left, once the network came to rest.
pub fn alone(state: &State, scope: &Scope, made: &Made) -> Truth {
    let mut state = state.clone();
    for link in net::links(&state) {
        let keep = match made {
            Made::Tunnels => link.kind == "ipsec",
            // Microsoft's own links, between its edge and the gateways, belong to every path over a circuit.
            Made::Vxcs(own) => {
                link.kind == "expressRoute" || link.object.is_some_and(|o| own.contains(&o))
            }
        };
        if !keep {
            // Named by `links`, so it exists.
            let _ = net::link(&mut state, &link.id, false);
        }
    }
    rest(&mut state);
    Truth::of(&state, scope)
}

/// Lets a copy of the clouds go on until its network has come to rest.
pub fn rest(state: &mut State) {
    let end = state.now.plus_secs(REST);
    while let Some(next) = state.next_network_change().filter(|t| *t <= end) {
        state.advance_to(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(to_aws: &[&str], to_azure: &[&str], lost: bool) -> Truth {
        let direction = |by: &[&str]| Direction {
            by: by.iter().map(|p| (*p).to_owned()).collect(),
            lost: lost.then(|| "dropped".to_owned()),
        };
        Truth {
            to_aws: direction(to_aws),
            to_azure: direction(to_azure),
        }
    }

    #[test]
    fn a_claim_is_late_or_a_lie() {
        let mut ever = Ever::default();
        ever.take(&truth(&["ExpressRoute"], &["ExpressRoute"], false));
        let allowed = |e: &Ever| {
            ["ExpressRoute", "VPN", "Split", "None"]
                .into_iter()
                .filter(|c| e.allows(c))
                .collect::<Vec<_>>()
        };
        assert_eq!(allowed(&ever), ["ExpressRoute"]);
        // One direction has moved, the other one is lost: Split is late, VPN would be a lie.
        ever.take(&truth(&["VPN"], &[], true));
        assert_eq!(allowed(&ever), ["ExpressRoute", "Split", "None"]);
        ever.take(&truth(&["VPN"], &["VPN"], false));
        assert_eq!(allowed(&ever), ["ExpressRoute", "VPN", "Split", "None"]);
    }
}
