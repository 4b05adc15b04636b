//! The lab's graphs against api.md §3.
#![allow(clippy::unwrap_used, reason = "a missing slot is the test's failure")]

use crate::lab;
use crate::spec::Dependent;

fn gone_first(graph: &crate::slot::Graph, slot: &str) -> Vec<String> {
    graph
        .get(slot)
        .unwrap()
        .gone_first
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_graph_has_an_order_of_creation_and_of_deletion() {
    for (name, graph) in lab::graphs() {
        assert_eq!(graph.check(), Ok(()), "{name}");
    }
}

#[test]
fn the_last_column_of_the_table_holds() {
    let er = crate::graph::expressroute::graph(&lab::express_route(), &[]);
    assert_eq!(
        gone_first(&er, "circuit"),
        ["er-connection", "peering", "vxc-primary"]
    );
    assert_eq!(gone_first(&er, "vxc-primary"), ["peering"]);
    assert_eq!(gone_first(&er, "peering"), ["er-connection"]);
    assert!(gone_first(&er, "er-connection").is_empty());

    let dx = crate::graph::directconnect::graph(&lab::direct_connect(), &[]);
    assert_eq!(gone_first(&dx, "vxc-aws"), ["vif"]);
    assert_eq!(gone_first(&dx, "keys"), ["vif", "vxc-aws"]);

    let own = crate::graph::directconnect::graph(&lab::hosted_connection(), &[]);
    assert_eq!(gone_first(&own, "vxc-aws"), ["vif"]);
    assert_eq!(gone_first(&own, "connection"), ["vif", "vxc-aws"]);
    assert_eq!(gone_first(&own, "keys"), ["connection", "vif", "vxc-aws"]);

    let vpn = crate::graph::vpn::graph(&lab::vpn(), &[]);
    assert_eq!(
        gone_first(&vpn, "vpn-gateway"),
        ["ipsec-0-1", "ipsec-0-2", "ipsec-1-1", "ipsec-1-2"]
    );
    assert_eq!(gone_first(&vpn, "cgw-1"), ["vpn-connection-1"]);
    assert_eq!(gone_first(&vpn, "lng-0-2"), ["ipsec-0-2"]);
    assert_eq!(gone_first(&vpn, "pip-0"), ["vpn-gateway"]);
    assert!(gone_first(&vpn, "vpn-connection-0").is_empty());
}

#[test]
fn an_interconnect_waits_for_what_its_links_still_have() {
    let dependent = |name: &str, slots: &[&str], routers: &[&str]| Dependent {
        describe: name.to_owned(),
        name: name.to_owned(),
        slots: slots.iter().map(|s| (*s).to_owned()).collect(),
        routers: routers.iter().map(|s| (*s).to_owned()).collect(),
    };
    let spec = lab::interconnect(vec![
        dependent(
            "lab-er-main",
            &["circuit", "er-connection", "vxc-primary"],
            &["a"],
        ),
        dependent("lab-dx-main", &["vif", "vxc-aws"], &["a"]),
        dependent("other", &["vxc-primary"], &["b"]),
        dependent("lab-vpn", &["vpn-connection-0"], &[]),
    ]);
    let g = crate::graph::interconnect::graph(&spec, &[]);
    assert_eq!(
        gone_first(&g, "router-a"),
        ["lab-dx-main/vxc-aws", "lab-er-main/vxc-primary"]
    );
    assert_eq!(gone_first(&g, "er-gateway"), ["lab-er-main/er-connection"]);
    assert_eq!(
        gone_first(&g, "dxgw"),
        ["dxgw-association", "lab-dx-main/vif"]
    );
    assert_eq!(
        gone_first(&g, "vgw-attachment"),
        [
            "dxgw-association",
            "lab-vpn/vpn-connection-0",
            "propagation-rtb-1"
        ]
    );
    assert_eq!(
        gone_first(&g, "vgw"),
        ["lab-vpn/vpn-connection-0", "vgw-attachment"]
    );
    assert!(
        gone_first(&g, "dxgw-association").is_empty(),
        "parallel to the virtual interfaces"
    );
}

#[test]
fn what_the_spec_no_longer_names_is_still_in_the_graph() {
    let g = crate::graph::expressroute::graph(&lab::express_route(), &["vxc-secondary".into()]);
    let slot = g.get("vxc-secondary").unwrap();
    assert!(!slot.wanted);
    assert_eq!(gone_first(&g, "vxc-secondary"), ["peering"]);
    assert!(gone_first(&g, "circuit").contains(&"vxc-secondary".to_owned()));
}

#[test]
fn two_ports_on_one_router_do_not_exchange_microsoft_s_routes() {
    let mut spec = lab::express_route();
    let mut second = spec.ports[0].clone();
    second.port = crate::spec::PeeringPort::Secondary;
    spec.ports.push(second);
    let g = crate::graph::expressroute::graph(&spec, &[]);
    let crate::desired::Desired::VxcAzure { session, .. } = &g.get("vxc-primary").unwrap().desired
    else {
        unreachable!()
    };
    assert_eq!(
        session.deny_export_to,
        ["169.254.101.222".parse::<std::net::Ipv4Addr>().unwrap()]
    );
    // One router under two names is one router; another circuit's port on it counts like the second one.
    spec.ports[1].router_describe = "router b".to_owned();
    spec.ports[0].other_edges = vec!["169.254.102.218".parse().unwrap()];
    let g = crate::graph::expressroute::graph(&spec, &[]);
    let crate::desired::Desired::VxcAzure { session, .. } = &g.get("vxc-primary").unwrap().desired
    else {
        unreachable!()
    };
    assert_eq!(
        crate::desired::address_list(&session.deny_export_to),
        "169.254.101.222,169.254.102.218"
    );
    spec.ports[0].other_edges.clear();
    spec.ports[1].router_uid = Some("mcr-2".to_owned());
    let g = crate::graph::expressroute::graph(&spec, &[]);
    let crate::desired::Desired::VxcAzure { session, .. } = &g.get("vxc-primary").unwrap().desired
    else {
        unreachable!()
    };
    assert!(
        session.deny_export_to.is_empty(),
        "two routers need no filter"
    );
}

#[test]
fn one_apipa_address_per_instance_unless_two_bgp_tunnels() {
    let mut spec = lab::vpn();
    let text = |spec: &crate::spec::Vpn| {
        crate::graph::vpn::apipa(spec)
            .iter()
            .map(|l| crate::desired::address_list(l))
            .collect::<Vec<_>>()
    };
    assert_eq!(text(&spec), ["169.254.21.2", "169.254.21.6"]);
    spec.bgp_tunnels_per_instance = 2;
    assert_eq!(
        text(&spec),
        ["169.254.21.2,169.254.22.2", "169.254.21.6,169.254.22.6"]
    );
}

/// Every compared field of the lab, one slot of a sort: `e2e/tests/drift.rs` has a person change each of them.
#[test]
fn the_list_of_compared_fields_is_current() {
    use crate::desired::Change;
    let mut lines = std::collections::BTreeSet::new();
    for (name, graph) in crate::lab::graphs() {
        // The lab's own four.
        if name == "hosted connection" {
            continue;
        }
        for slot in graph.slots.values() {
            // `ipsec-0-1` stands for all connections.
            let sort = slot
                .id
                .as_str()
                .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            for f in slot.desired.fields() {
                let change = match f.change {
                    Change::InPlace => "InPlace",
                    Change::Interrupting => "Interrupting",
                    Change::Refused(_) => "Refused",
                };
                lines.insert(format!("{sort} {} {change}", f.name));
            }
        }
    }
    let file = include_str!("../../../../e2e/tests/golden/fields.txt");
    let listed: std::collections::BTreeSet<String> = file.lines().map(str::to_owned).collect();
    assert_eq!(lines, listed, "e2e/tests/golden/fields.txt is not current");
}
