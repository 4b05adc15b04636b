//! Each reason of the route contract names the prefix, the vantage and what was expected.

use super::lab::*;
use crate::health::*;
use crate::routes::SessionState;
use crate::spec::PeeringPort;

/// The reason and the message must be these.
fn says_so(p: &Picture, reason: &str, words: &[&str]) {
    let mut memory = Memory::default();
    // A doubt needs three samples; certainty would show at once.
    let j = (0..3)
        .map(|i| judge(p, &mut memory, &at(15 * i)))
        .last()
        .unwrap();
    assert_eq!(routes(&j).1, reason, "{}", routes_message(&j));
    for word in words {
        assert!(
            routes_message(&j).contains(word),
            "{word} is not in: {}",
            routes_message(&j)
        );
    }
    println!("{reason}: {}", routes_message(&j));
}

#[test]
fn each_reason_names_prefix_vantage_and_what_was_expected() {
    let mut p = lab();
    p.express_routes[0].ports[0].routes =
        Reading::Read(circuit(&[PRIMARY[0], PRIMARY[2], PRIMARY[3]]));
    says_so(
        &p,
        "MissingPrefix",
        &[
            "port Primary of circuit to-megaport lacks 172.16.0.0/16",
            "expected from the router (169.254.101.217, AS 64600)",
        ],
    );

    let mut p = lab();
    let mut rows = PRIMARY.to_vec();
    rows.push("10.9.0.0/16 169.254.101.217 64600 64901");
    p.express_routes[0].ports[0].routes = Reading::Read(circuit(&rows));
    says_so(
        &p,
        "UnexpectedPrefix",
        &[
            "port Primary of circuit to-megaport shows 10.9.0.0/16",
            "expected only 172.16.0.0/16",
        ],
    );

    let mut p = lab();
    p.nics[0].routes = Reading::Read(nic(&[("172.16.0.0/16", "172.29.255.14")]));
    says_so(
        &p,
        "WrongPreference",
        &[
            "172.16.0.0/16 goes over VPN from Azure to AWS",
            "expected over ExpressRoute",
            "network interface vm-nic sends it to 172.29.255.14",
        ],
    );

    p.prefer_express_route = false;
    says_so(
        &p,
        "Asymmetric",
        &[
            "from Azure to AWS 172.16.0.0/16 goes over VPN (network interface vm-nic sends it to 172.29.255.14)",
            "from AWS to Azure 172.29.0.0/16 goes over ExpressRoute (AWS accepts it on a virtual interface whose BGP is up)",
            "expected the same path both ways",
        ],
    );

    // The gateway has it from the VPN gateway alone; the network interface still sends it to the edge.
    let mut p = lab();
    p.express_routes.clear();
    p.direct_connects.clear();
    p.routers.clear();
    p.er_gateway.as_mut().unwrap().learned =
        Reading::Read(learned(&[ER_LEARNED[0], ER_LEARNED[4], ER_LEARNED[5]]));
    p.prefer_express_route = false;
    p.aws_sees.clear();
    p.deny_additional = false;
    says_so(
        &p,
        "SourcesDisagree",
        &[
            "172.16.0.0/16: network interface vm-nic sends it to Microsoft's edge (10.3.129.92)",
            "ExpressRoute gateway ergw has no such route",
            "expected the same at both",
        ],
    );

    let mut p = lab();
    p.nics[0].routes = Reading::Unknown("HTTP 500".into());
    says_so(
        &p,
        "StaleTelemetry",
        &[
            "effective routes of network interface vm-nic: HTTP 500",
            "expected there: 172.16.0.0/16",
        ],
    );
}

/// Both ports of the circuit on one router.
fn both_ports() -> Picture {
    let mut p = lab();
    let mut second = p.express_routes[0].ports[0].clone();
    second.port = PeeringPort::Secondary;
    second.customer = ip("169.254.101.221");
    second.microsoft = ip("169.254.101.222");
    second.router_says = Reading::Read(Some(session("169.254.101.222", SessionState::Up)));
    second.edge_says = says("169.254.101.221", SessionState::Up);
    second.routes = Reading::Read(circuit(&[
        "169.254.50.216/30 169.254.101.221 64600 ?",
        "172.16.0.0 169.254.101.221 64600 64901",
        "172.29.0.0 172.29.255.13 65515",
        "172.29.0.0 172.29.255.12* 65515",
    ]));
    p.express_routes[0].ports.push(second);
    let mut routes = MCR.to_vec();
    routes.push(("172.29.0.0/16", "169.254.101.222", "12076 65515"));
    p.routers[0].routes = Reading::Read(mcr(&routes));
    p
}

#[test]
fn paths_leaked_between_the_ports_are_named_with_the_filter_that_mends_them() {
    let clean = once(&both_ports());
    assert_eq!(
        routes(&clean).1,
        "RoutesAsExpected",
        "{}",
        routes_message(&clean)
    );
    // lab.md: Microsoft's edge does not drop its own AS number.
    let mut p = both_ports();
    for (n, customer) in ["169.254.101.217", "169.254.101.221"].iter().enumerate() {
        let row = format!("172.29.0.0 {customer} 64600 12076 65515");
        let mut table = p.express_routes[0].ports[n].routes.known().unwrap().clone();
        table.routes.extend(circuit(&[&row]).routes);
        p.express_routes[0].ports[n].routes = Reading::Read(table);
    }
    says_so(
        &p,
        "UnexpectedPrefix",
        &[
            "port Primary of circuit to-megaport shows 172.29.0.0/16 with 12076 behind the router's AS",
            "port Secondary of circuit to-megaport shows 172.29.0.0/16 with 12076 behind the router's AS",
            "expected nothing from AS 12076",
            "set bgp.exportFilter of the ports to Auto",
            "the session with 169.254.101.222 gets nothing from AS 12076",
        ],
    );
    // Allowing additional prefixes does not make a leak right.
    p.deny_additional = false;
    says_so(&p, "UnexpectedPrefix", &["exportFilter"]);
}
