//! What must hold in the lab's two states, from every vantage (the lab's tables), and in the ledger at the end.
//!
//! Pure. Each answer is a list of facts, good or bad: the demo prints them and fails if one is bad.

use std::collections::BTreeMap;

use causeway_api::report::{RouteEntry, Vantage, VantageKind};
use serde_json::Value;

use super::tables::Branch;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub what: String,
    pub holds: bool,
    /// What was seen instead.
    pub seen: String,
}

fn fact(what: &str, holds: bool, seen: impl std::fmt::Debug) -> Fact {
    Fact {
        what: what.to_owned(),
        holds,
        seen: if holds {
            String::new()
        } else {
            format!("{seen:?}")
        },
    }
}

/// Which of the lab's two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything is up.
    Normal,
    /// BGP from the MCR to AWS is shut.
    FailedOver,
}

const VPC: &str = "172.16.0.0/16";
const VNET: &str = "172.29.0.0/16";
const VPN_GATEWAY: [&str; 2] = ["172.29.255.14", "172.29.255.15"];

/// The lab's addresses (lab.md, "Endpoint Verification"); None is a silent hop, `169.254.255.` the underlay of AWS.
const THERE: [Option<&str>; 4] = [
    Some("172.29.255.4"),
    Some("169.254.101.217"),
    Some("169.254.50.217"),
    Some("172.16.0.10"),
];
const BACK: [Option<&str>; 6] = [
    Some("169.254.255."),
    Some("169.254.50.217"),
    Some("169.254.50.218"),
    Some("169.254.101.218"),
    None,
    Some("172.29.0.10"),
];

fn of(vantages: &[Vantage], kind: VantageKind, name: &str) -> Vec<RouteEntry> {
    let mut all = vantages.iter();
    all.find(|v| v.kind == kind && v.name.ends_with(name))
        .map(|v| v.routes.clone())
        .unwrap_or_default()
}

fn hops(routes: &[RouteEntry], prefix: &str) -> Vec<String> {
    let mut hops: Vec<String> = routes
        .iter()
        .filter(|r| r.prefix == prefix)
        .map(|r| r.next_hop.clone().unwrap_or_default())
        .collect();
    hops.sort();
    hops
}

/// Every table of the lab.
pub fn of_tables(vantages: &[Vantage], state: State) -> Vec<Fact> {
    let normal = state == State::Normal;
    let mut facts = Vec::new();

    let primary = of(vantages, VantageKind::CircuitPort, "primary");
    let path: Vec<_> = primary
        .iter()
        .filter(|r| r.prefix == VPC)
        .map(|r| r.as_path.clone().unwrap_or_default())
        .collect();
    if normal {
        facts.push(fact(
            "circuit, primary port: 172.16.0.0/16 from the MCR with path 64600 64901",
            path == ["64600 64901"],
            &primary,
        ));
    } else {
        facts.push(fact(
            "circuit, primary port: 172.16.0.0/16 is gone",
            path.is_empty() && !primary.is_empty(),
            &primary,
        ));
    }
    let secondary = of(vantages, VantageKind::CircuitPort, "secondary");
    facts.push(fact(
        "circuit, secondary port: only 172.29.0.0/16, from both gateway instances",
        hops(&secondary, VPC).is_empty() && hops(&secondary, VNET).len() == 2,
        &secondary,
    ));

    let gateway = vantages
        .iter()
        .find(|v| v.kind == VantageKind::ExpressRouteGateway);
    let connected: Vec<_> = gateway
        .iter()
        .flat_map(|v| &v.sessions)
        .filter(|s| s.state == "Connected")
        .filter_map(|s| s.peer.clone())
        .collect();
    let neighbors = [
        "172.29.255.4",
        "172.29.255.5",
        VPN_GATEWAY[0],
        VPN_GATEWAY[1],
    ];
    facts.push(fact(
        "ExpressRoute gateway: both edge routers and both VPN gateway instances Connected",
        neighbors.iter().all(|n| connected.iter().any(|c| c == n)),
        &connected,
    ));
    let learned: Vec<_> = gateway
        .iter()
        .flat_map(|v| &v.routes)
        .filter(|r| r.prefix == VPC)
        .collect();
    let mut said: Vec<_> = learned
        .iter()
        .map(|r| {
            let origin = r.origin.as_deref().unwrap_or("?");
            let hop = r.next_hop.as_deref().unwrap_or("?");
            format!("{origin} {hop} {}", r.weight.unwrap_or(0))
        })
        .collect();
    said.sort();
    let ibgp = VPN_GATEWAY.map(|hop| format!("IBgp {hop} 32768"));
    if normal {
        let all = [vec!["EBgp 172.29.255.4 32769".to_owned()], ibgp.to_vec()].concat();
        facts.push(fact(
            "ExpressRoute gateway: 172.16.0.0/16 by EBgp (weight 32769) and twice by IBgp (32768)",
            said == all,
            &said,
        ));
    } else {
        facts.push(fact(
            "ExpressRoute gateway: 172.16.0.0/16 only by IBgp, from both VPN gateway instances",
            said == ibgp,
            &said,
        ));
    }

    let nic = hops(&of(vantages, VantageKind::NetworkInterface, ""), VPC);
    if normal {
        facts.push(fact(
            "VM's NIC: 172.16.0.0/16 by one next hop, the edge router's",
            nic.len() == 1 && !VPN_GATEWAY.contains(&nic[0].as_str()),
            &nic,
        ));
    } else {
        facts.push(fact(
            "VM's NIC: 172.16.0.0/16 by both VPN gateway instances",
            nic == VPN_GATEWAY,
            &nic,
        ));
    }

    let vpc = of(vantages, VantageKind::RouteTable, "");
    let links = ["169.254.101.216/30", "169.254.50.216/30"];
    let seen = links.map(|l| vpc.iter().any(|r| r.prefix == l));
    facts.push(fact(
        if normal {
            "VPC route table: 172.29.0.0/16 and the /30s of the private path by the VGW"
        } else {
            "VPC route table: 172.29.0.0/16 by the VGW as before, the /30s are gone"
        },
        hops(&vpc, VNET).len() == 1 && seen == [normal; 2],
        &vpc,
    ));

    let vif: Vec<_> = vantages
        .iter()
        .filter(|v| v.kind == VantageKind::VirtualInterface)
        .flat_map(|v| &v.sessions)
        .map(|s| s.state.clone())
        .collect();
    facts.push(fact(
        if normal {
            "virtual interface: BGP up"
        } else {
            "virtual interface: BGP down"
        },
        !vif.is_empty() && vif.iter().all(|s| (s == "up") == normal),
        &vif,
    ));

    let up: Vec<_> = vantages
        .iter()
        .filter(|v| v.kind == VantageKind::VpnTunnel)
        .flat_map(|v| &v.sessions)
        .map(|s| (s.expected, s.state.clone()))
        .collect();
    facts.push(fact(
        "VPN: tunnel 1 of both connections UP, tunnel 2 without BGP as expected",
        up.len() == 4 && up.iter().all(|(expected, s)| *expected == (s == "UP")),
        &up,
    ));
    facts
}

fn matches(branch: &Branch, wanted: &[Option<&str>]) -> bool {
    branch.hops.len() == wanted.len()
        && branch
            .hops
            .iter()
            .zip(wanted)
            .all(|(hop, wanted)| match wanted {
                None => hop.address.is_none(),
                Some(w) if w.ends_with('.') => {
                    hop.address.as_deref().is_some_and(|a| a.starts_with(w))
                }
                Some(w) => hop.address.as_deref() == Some(*w),
            })
}

/// Both traceroutes.
pub fn of_traces(there: &[Branch], back: &[Branch], state: State) -> Vec<Fact> {
    let over = |branches: &[Branch], path: &str| {
        !branches.is_empty() && branches.iter().all(|b| b.arrives && b.path == path)
    };
    match state {
        State::Normal => vec![
            fact(
                "traceroute VM to EC2: the edge router, the MCR, AWS, as in the lab",
                over(there, "ExpressRoute") && there.iter().all(|b| matches(b, &THERE)),
                there,
            ),
            fact(
                "traceroute EC2 to VM: AWS, the MCR, the edge router, as in the lab",
                over(back, "ExpressRoute") && back.iter().all(|b| matches(b, &BACK)),
                back,
            ),
        ],
        State::FailedOver => vec![
            fact(
                "traceroute VM to EC2: one hop over the VPN, as in the lab",
                over(there, "VPN") && there.iter().all(|b| b.hops.len() == 1),
                there,
            ),
            fact(
                "traceroute EC2 to VM: over the VPN by both tunnels",
                over(back, "VPN") && back.len() > 1,
                back,
            ),
        ],
    }
}

/// What of the lab costs money, by kind of the ledger (api.md §3).
pub const BOUGHT: [(&str, usize); 7] = [
    ("expressRouteCircuit", 1),
    ("expressRouteGateway", 1),
    ("mcr", 1),
    ("publicIPAddress", 2),
    ("vpnConnection", 2),
    ("vpnGateway", 1),
    ("vxc", 2),
];

/// The same as a map.
pub fn bought_once() -> BTreeMap<String, usize> {
    BTreeMap::from(BOUGHT.map(|(kind, n)| (kind.to_owned(), n)))
}

/// Everything bought once, and nothing left.
pub fn of_ledger(ledger: &[Value], live: &[Value], diff: &Value) -> Vec<Fact> {
    let mut kinds = BTreeMap::<&str, usize>::new();
    for product in ledger {
        *kinds
            .entry(product["kind"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    let open: Vec<_> = ledger.iter().filter(|p| p["endedAt"].is_null()).collect();
    vec![
        fact(
            "everything was bought once",
            kinds == BTreeMap::from(BOUGHT),
            &kinds,
        ),
        fact(
            "nothing is paid for any more",
            open.is_empty() && !ledger.is_empty(),
            &open,
        ),
        fact("no cloud object is left", live.is_empty(), live),
        fact(
            "the networks are as they were",
            diff.as_array().is_some_and(Vec::is_empty),
            diff,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_ledger_with_a_duplicate_or_something_unpaid_is_not_fine() {
        let good: Vec<Value> = BOUGHT
            .iter()
            .flat_map(|(kind, n)| vec![json!({"kind": kind, "endedAt": "then"}); *n])
            .collect();
        let bad = |ledger: &[Value], live: &[Value], diff: Value| {
            let facts = of_ledger(ledger, live, &diff);
            facts.iter().filter(|f| !f.holds).count()
        };
        assert_eq!(bad(&good, &[], json!([])), 0);
        let twice = [
            good.clone(),
            vec![json!({"kind": "mcr", "endedAt": "then"})],
        ]
        .concat();
        assert_eq!(bad(&twice, &[], json!([])), 1);
        let mut open = good.clone();
        open[0]["endedAt"] = Value::Null;
        assert_eq!(bad(&open, &[json!({"kind": "vxc"})], json!([{}])), 3);
        assert_eq!(bad(&[], &[], json!([])), 2);
    }

    #[test]
    fn empty_tables_hold_nothing() {
        for state in [State::Normal, State::FailedOver] {
            let facts = of_tables(&[], state);
            assert!(facts.iter().all(|f| !f.holds), "{facts:#?}");
            assert!(of_traces(&[], &[], state).iter().all(|f| !f.holds));
        }
    }
}
