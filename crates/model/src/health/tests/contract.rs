//! Each reason of the route contract.

use super::lab::*;
use crate::health::*;

#[test]
fn each_route_reason() {
    // More specific prefixes over VPN win on both sides.
    let mut p = lab();
    p.nics[0].routes = Reading::Read(nic(&[
        ("172.16.0.0/16", "10.3.129.92"),
        ("172.16.0.0/17", "172.29.255.14"),
        ("172.16.128.0/17", "172.29.255.14"),
    ]));
    let j = once(&p);
    assert_eq!(routes(&j).1, "WrongPreference", "{}", routes_message(&j));
    assert_eq!(j.active, Some(Active::Split));
    p.prefer_express_route = false;
    assert_eq!(routes(&once(&p)).1, "Asymmetric");
    // Both directions over VPN while ExpressRoute holds.
    let mut p = lab();
    p.nics[0].routes = Reading::Read(nic(&[("172.16.0.0/16", "172.29.255.14")]));
    p.prefer_express_route = false;
    let j = once(&p);
    assert_eq!(
        (routes(&j).1, j.active),
        ("Asymmetric", Some(Active::Split))
    );
    p.direct_connects[0].associated = Reading::Read(true);
    // A prefix too many.
    let mut p = lab();
    let mut rows = PRIMARY.to_vec();
    rows.push("10.9.0.0/16 169.254.101.217 64600 64901");
    p.express_routes[0].ports[0].routes = Reading::Read(circuit(&rows));
    let j = once(&p);
    assert_eq!(routes(&j).1, "UnexpectedPrefix");
    assert!(
        routes_message(&j).contains("port Primary of circuit to-megaport shows 10.9.0.0/16"),
        "{}",
        routes_message(&j)
    );
    p.deny_additional = false;
    assert_eq!(routes(&once(&p)).1, "RoutesAsExpected");
    // What one port sent comes back on the other.
    let mut rows = PRIMARY.to_vec();
    rows.push("172.29.0.0/16 169.254.101.217 64600 12076 65515");
    p.express_routes[0].ports[0].routes = Reading::Read(circuit(&rows));
    let j = once(&p);
    assert_eq!(routes(&j).1, "UnexpectedPrefix");
    assert!(
        routes_message(&j).contains("set bgp.exportFilter"),
        "{}",
        routes_message(&j)
    );
    // Two vantages, two truths: only after three samples.
    let mut p = lab();
    p.vpns[0].learned = Reading::Read(learned(&VPN_LEARNED));
    let mut rows = ER_LEARNED.to_vec();
    rows[3] = "172.16.0.0/16 EBgp 172.29.255.4 12076-64600-64901 32769";
    p.er_gateway.as_mut().unwrap().learned = Reading::Read(learned(&rows));
    p.nics[0].routes = Reading::Read(nic(&[("172.16.0.0/16", "172.29.255.14")]));
    // Make both directions VPN, so that only the disagreement is left.
    p.direct_connects[0].accepted = Reading::NotOffered("denied".into());
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let seen: Vec<&str> = (1..=3)
        .map(|i| routes(&judge(&p, &mut memory, &at(15 * i))).1)
        .collect();
    assert_eq!(seen, ["WrongPreference"; 3], "a wrong path is certain");
    // A prefix that AWS's table lacks.
    let mut p = lab();
    p.route_tables[0].routes = Reading::Read(vpc_table(&[]));
    let j = once(&p);
    assert_eq!(
        (routes(&j).1, available(&j).1, j.routes_seen),
        ("MissingPrefix", "NoPathAvailable", 1)
    );
    // A static route that wins.
    p.route_tables[0].routes =
        Reading::Read(vpc_table(&[("172.29.0.0/16", "eni-1", "CreateRoute")]));
    assert_eq!(available(&once(&p)), (Truth::False, "NoPathAvailable"));
}

#[test]
fn sources_that_disagree_need_three_samples() {
    let mut p = lab();
    // ExpressRoute's routes are gone at the gateway, and the fabric does not know yet.
    p.express_routes[0].ports.clear();
    p.express_routes.clear();
    p.direct_connects.clear();
    p.routers.clear();
    p.er_gateway.as_mut().unwrap().learned =
        Reading::Read(learned(&[ER_LEARNED[0], ER_LEARNED[4], ER_LEARNED[5]]));
    let good = {
        let mut g = p.clone();
        g.nics[0].routes = Reading::Read(nic(&[("172.16.0.0/16", "172.29.255.14")]));
        g
    };
    let mut memory = Memory::default();
    assert_eq!(
        routes(&judge(&good, &mut memory, &at(0))).1,
        "RoutesAsExpected"
    );
    // The first look at both directions is certain, the doubt is not.
    let mut bad = p.clone();
    bad.prefer_express_route = false;
    bad.aws_sees.clear();
    bad.deny_additional = false;
    let seen: Vec<&str> = (1..=4)
        .map(|i| routes(&judge(&bad, &mut memory, &at(15 * i))).1)
        .collect();
    assert_eq!(
        seen,
        [
            "RoutesAsExpected",
            "RoutesAsExpected",
            "SourcesDisagree",
            "SourcesDisagree"
        ]
    );
}

#[test]
fn one_path_in_the_spec_is_not_redundant_and_says_what_to_add() {
    let mut p = lab();
    p.vpns.clear();
    p.er_gateway.as_mut().unwrap().learned = Reading::Read(learned(&ER_LEARNED[..4]));
    let j = once(&p);
    assert_eq!(redundant(&j), (Truth::False, "SinglePath"));
    assert!(
        j.verdicts
            .redundant
            .unwrap()
            .message
            .contains("add spec.vpn")
    );
}
