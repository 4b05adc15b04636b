//! The lab in order and failed over; links alone; how each session stands.

use super::lab::*;
use crate::health::*;
use crate::routes::SessionState;
use crate::spec::PeeringPort;

#[test]
fn the_lab_in_order() {
    let j = once(&lab());
    assert_eq!(bgp(&j), (Truth::True, "Established"));
    assert_eq!(
        routes(&j),
        (Truth::True, "RoutesAsExpected"),
        "{}",
        routes_message(&j)
    );
    assert_eq!(available(&j), (Truth::True, "PathAvailable"));
    assert_eq!(redundant(&j), (Truth::True, "Redundant"));
    assert_eq!(j.active, Some(Active::ExpressRoute));
    assert_eq!((j.sessions_up, j.sessions_expected), (4, 4));
    assert_eq!((j.routes_seen, j.routes_expected), (2, 2));
    let paths: Vec<_> = j
        .paths
        .iter()
        .map(|p| (p.name.as_str(), p.azure_to_aws, p.aws_to_azure))
        .collect();
    assert_eq!(
        paths,
        [
            ("lab-er-main+lab-dx-main", PathState::Up, PathState::Up),
            ("lab-vpn", PathState::Up, PathState::Up)
        ]
    );
    let tunnels: Vec<_> = j
        .tunnels
        .iter()
        .map(|t| (t.ipsec, t.bgp, t.bgp_expected))
        .collect();
    let one = (PathState::Up, PathState::Up, true);
    let two = (PathState::Up, PathState::Down, false);
    assert_eq!(tunnels, [one, two, one, two]);
    assert!(!j.trouble && !j.pending);
}

#[test]
fn the_lab_failed_over() {
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let j = judge(&failed_over(), &mut memory, &at(15));
    assert_eq!(bgp(&j), (Truth::False, "AdministrativelyDown"));
    assert_eq!(
        j.verdicts.bgp_established.as_ref().unwrap().message,
        "virtual interface of lab-dx-main (peer 169.254.50.217) is shut: router a says so"
    );
    assert_eq!(routes(&j), (Truth::False, "MissingPrefix"));
    assert!(
        routes_message(&j).contains("port Primary of circuit to-megaport lacks 172.16.0.0/16"),
        "{}",
        routes_message(&j)
    );
    assert_eq!(available(&j), (Truth::True, "PathAvailable"));
    assert_eq!(redundant(&j), (Truth::False, "SinglePath"));
    assert_eq!(j.active, Some(Active::Vpn));
    assert_eq!((j.sessions_up, j.sessions_expected), (3, 4));
    // AWS's route table shows no change, and Azure has the prefix over VPN.
    assert_eq!((j.routes_seen, j.routes_expected), (2, 2));
    assert_eq!(j.failovers.len(), 1);
    assert_eq!(
        (
            j.failovers[0].from,
            j.failovers[0].to,
            j.failovers[0].outage_seconds
        ),
        (Active::ExpressRoute, Active::Vpn, None)
    );
    assert!(j.trouble);
    // Back: the path at once, the verdicts after three samples.
    let mut truths = Vec::new();
    for i in 0..4 {
        let j = judge(&lab(), &mut memory, &at(30 + 15 * i));
        assert_eq!(j.active, Some(Active::ExpressRoute));
        truths.push(bgp(&j).0);
    }
    assert_eq!(
        truths,
        [Truth::False, Truth::False, Truth::True, Truth::True]
    );
    assert_eq!(memory.failovers.len(), 2);
}

#[test]
fn links_alone_judge_their_own() {
    let mut er = lab();
    er.kind = SubjectKind::ExpressRouteLink;
    er.direct_connects.clear();
    er.vpns.clear();
    er.nics.clear();
    er.route_tables.clear();
    let j = once(&er);
    assert_eq!(
        (bgp(&j).1, routes(&j).1, redundant(&j)),
        (
            "Established",
            "RoutesAsExpected",
            (Truth::False, "SingleExpressRoutePort")
        )
    );
    assert_eq!(
        (j.verdicts.available.clone(), j.active, j.sessions_expected),
        (None, None, 1)
    );
    assert!(!j.trouble, "one port by choice is no trouble");
    let mut second = er.express_routes[0].ports[0].clone();
    second.port = PeeringPort::Secondary;
    second.customer = ip("169.254.101.221");
    second.microsoft = ip("169.254.101.222");
    second.router_says = Reading::Read(Some(session("169.254.101.222", SessionState::Up)));
    second.edge_says = says("169.254.101.221", SessionState::Up);
    er.express_routes[0].ports.push(second);
    assert_eq!(redundant(&once(&er)), (Truth::True, "Redundant"));
    er.express_routes[0].ports[1].edge_says = says("169.254.101.221", SessionState::Down);
    er.express_routes[0].ports[1].router_says =
        Reading::Read(Some(session("169.254.101.222", SessionState::Down)));
    let j = once(&er);
    assert_eq!(
        (redundant(&j), bgp(&j)),
        ((Truth::False, "SinglePath"), (Truth::False, "SessionDown"))
    );
    let mut dx = lab();
    dx.kind = SubjectKind::DirectConnectLink;
    dx.express_routes.clear();
    dx.vpns.clear();
    dx.er_gateway = None;
    dx.nics.clear();
    let j = once(&dx);
    assert_eq!(
        (bgp(&j).1, routes(&j).1, j.verdicts.redundant.clone()),
        ("Established", "RoutesAsExpected", None)
    );
    let mut vpn = lab();
    vpn.kind = SubjectKind::VpnPair;
    vpn.express_routes.clear();
    vpn.direct_connects.clear();
    vpn.routers.clear();
    vpn.er_gateway = None;
    vpn.nics.clear();
    let j = once(&vpn);
    assert_eq!(
        (bgp(&j).1, routes(&j).1, j.sessions_expected),
        ("Established", "RoutesAsExpected", 2),
        "{}",
        routes_message(&j)
    );
    vpn.vpns[0].tunnels.retain(|t| !t.bgp_expected);
    assert_eq!(bgp(&once(&vpn)), (Truth::True, "NoSessionExpected"));
}

#[test]
fn every_session_standing() {
    let mut p = lab();
    p.direct_connects[0].amazon_says =
        Reading::Read(Some(session("169.254.50.218", SessionState::Down)));
    assert_eq!(
        bgp(&once(&p)).1,
        "SourcesDisagree",
        "the router has routes from a peer that says down"
    );
    // A hint that the router's own routes contradict is no witness.
    p.direct_connects[0].router_says =
        Reading::Read(Some(session("169.254.50.217", SessionState::Down)));
    assert_eq!(bgp(&once(&p)).1, "SessionDown");
    p.direct_connects[0].amazon_says =
        Reading::Read(Some(session("169.254.50.218", SessionState::Up)));
    assert_eq!(bgp(&once(&p)).1, "Established");
    // Nor is one that AWS's accepted routes contradict; without them it is a dispute.
    p.routers[0].routes = Reading::Unknown("HTTP 500".into());
    assert_eq!(bgp(&once(&p)).1, "Established");
    p.direct_connects[0].accepted = Reading::NotOffered("denied".into());
    assert_eq!(bgp(&once(&p)).1, "SourcesDisagree");
    // A failover test is somebody's will.
    p.direct_connects[0].testing = true;
    assert_eq!(bgp(&once(&p)).1, "AdministrativelyDown");
    let mut p = lab();
    p.vpns[0].tunnels[0] = tunnel(
        "instance0-tunnel1",
        "169.254.21.0/30",
        false,
        "IPSEC IS DOWN",
    );
    p.vpns[0].peers = Reading::Read(peers(&[
        ("169.254.21.1", 64900, "Connecting", 0),
        ("169.254.21.5", 64900, "Connected", 1),
    ]));
    let j = once(&p);
    assert_eq!((bgp(&j).1, j.sessions_up), ("SessionDown", 3));
    assert_eq!(redundant(&j).0, Truth::True, "the other tunnel holds");
    let mut p = lab();
    p.er_gateway.as_mut().unwrap().peers = Reading::Read(peers(&[
        ("172.29.255.4", 12076, "Connected", 3),
        ("172.29.255.14", 65515, "Connecting", 0),
        ("172.29.255.15", 65515, "Connecting", 0),
    ]));
    let j = once(&p);
    assert_eq!(
        (bgp(&j).1, j.sessions_up, j.sessions_expected),
        ("SessionDown", 4, 4)
    );
    assert!(j.verdicts.bgp_established.unwrap().message.contains(
        "ExpressRoute gateway ergw to VPN gateway (172.29.255.14, 172.29.255.15) is down"
    ));
}

#[test]
fn broken_mesh_takes_the_vpn_from_the_virtual_machines() {
    // The lab's bonus exercise: over VPN, an appliance eats the iBGP between the gateways.
    let mut p = failed_over();
    p.nics[0].routes = Reading::Read(nic(&[]));
    p.vpns[0].peers = Reading::Unknown("InternalServerError".into());
    let g = p.er_gateway.as_mut().unwrap();
    g.learned = Reading::Read(learned(&ER_LEARNED[..3]));
    let j = once(&p);
    assert_eq!(available(&j), (Truth::False, "NoPathAvailable"));
    assert_eq!(j.active, Some(Active::None));
    assert!(j.paths.iter().all(|x| x.azure_to_aws == PathState::Down));
}
