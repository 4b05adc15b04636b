//! The lab normal and failed over, with its own tables; every vantage unreadable in turn; each reason once; steadiness.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use crate::routes::aws::{
    RouteTableRow, TunnelRow, VifDirection, VifRouteRow, route_table, vif_routes,
};
use crate::routes::azure::{
    CircuitRouteRow, EffectiveRouteRow, GatewayPeerRow, GatewayRouteRow, circuit_routes,
    effective_routes, gateway_routes, gateway_sessions,
};
use crate::routes::megaport::{BgpRouteRow, bgp_routes};
use crate::routes::{Session, SessionState, Table};
use crate::spec::PeeringPort;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}
fn net4(s: &str) -> ipnet::Ipv4Net {
    s.parse().unwrap()
}
fn ip(s: &str) -> std::net::Ipv4Addr {
    s.parse().unwrap()
}

/// Rows as the lab prints them, one string per row.
fn circuit(rows: &[&str]) -> Table {
    let rows: Vec<CircuitRouteRow> = rows
        .iter()
        .map(|r| {
            let mut w = r.splitn(3, ' ');
            CircuitRouteRow {
                network: w.next().unwrap().into(),
                next_hop: w.next().unwrap().into(),
                weight: "0".into(),
                path: w.next().unwrap().into(),
                ..Default::default()
            }
        })
        .collect();
    circuit_routes(&rows)
}

const PRIMARY: [&str; 4] = [
    "169.254.50.216/30 169.254.101.217 64600 ?",
    "172.16.0.0 169.254.101.217 64600 64901",
    "172.29.0.0 172.29.255.12 65515",
    "172.29.0.0 172.29.255.13* 65515",
];

/// `network origin peer path weight`.
fn learned(rows: &[&str]) -> Table {
    let rows: Vec<GatewayRouteRow> = rows
        .iter()
        .map(|r| {
            let w: Vec<&str> = r.split(' ').collect();
            GatewayRouteRow {
                network: w[0].into(),
                origin: w[1].into(),
                source_peer: w[2].into(),
                as_path: w[3].into(),
                weight: w[4].into(),
                next_hop: w[2].into(),
                ..Default::default()
            }
        })
        .collect();
    gateway_routes(&rows)
}

const ER_LEARNED: [&str; 6] = [
    "172.29.0.0/16 Network 172.29.255.13  32768",
    "169.254.101.216/30 EBgp 172.29.255.4 12076-64600 32769",
    "169.254.50.216/30 EBgp 172.29.255.4 12076-64600 32769",
    "172.16.0.0/16 EBgp 172.29.255.4 12076-64600-64901 32769",
    "172.16.0.0/16 IBgp 172.29.255.14 64900 32768",
    "172.16.0.0/16 IBgp 172.29.255.15 64900 32768",
];
const VPN_LEARNED: [&str; 5] = [
    "172.29.0.0/16 Network 172.29.255.14  32768",
    "172.16.0.0/16 EBgp 169.254.21.1 64900 32768",
    "172.16.0.0/16 IBgp 172.29.255.15 64900 32768",
    "172.16.0.0/16 EBgp 169.254.21.5 64900 32768",
    "172.16.0.0/16 IBgp 172.29.255.14 64900 32768",
];

fn nic(prefixes: &[(&str, &str)]) -> Table {
    let mut rows: Vec<EffectiveRouteRow> = serde_json::from_value(json!([
        {"source":"Default","state":"Active","addressPrefix":["172.29.0.0/16"],"nextHopType":"VnetLocal","nextHopIpAddress":[]},
        {"source":"Default","state":"Active","addressPrefix":["0.0.0.0/0"],"nextHopType":"Internet","nextHopIpAddress":[]}
    ]))
    .unwrap();
    rows.extend(prefixes.iter().map(|(p, hop)| EffectiveRouteRow {
        source: "VirtualNetworkGateway".into(),
        state: "Active".into(),
        address_prefix: vec![(*p).into()],
        next_hop_type: "VirtualNetworkGateway".into(),
        next_hop_ip_address: vec![(*hop).into()],
    }));
    effective_routes(&rows)
}

fn peers(rows: &[(&str, u32, &str, u32)]) -> Vec<Session> {
    let rows: Vec<GatewayPeerRow> = rows
        .iter()
        .map(|(n, asn, state, r)| GatewayPeerRow {
            neighbor: (*n).into(),
            asn: asn.to_string(),
            state: (*state).into(),
            routes_received: r.to_string(),
            ..Default::default()
        })
        .collect();
    gateway_sessions(&rows).0
}

fn mcr(rows: &[(&str, &str, &str)]) -> Table {
    let rows: Vec<BgpRouteRow> = rows
        .iter()
        .map(|(p, peer, path)| {
            serde_json::from_value(json!({"prefix": p, "asPath": path, "source": peer, "best": true, "valid": true, "external": true, "nextHop": {"ip": peer}})).unwrap()
        })
        .collect();
    bgp_routes(&rows)
}

const MCR: [(&str, &str, &str); 2] = [
    ("172.29.0.0/16", "169.254.101.218", "12076 65515"),
    ("172.16.0.0/16", "169.254.50.217", "64901"),
];

fn session(peer: &str, state: SessionState) -> Session {
    Session {
        local: None,
        peer: ip(peer).into(),
        peer_asn: None,
        state,
        word: String::new(),
        routes_received: None,
    }
}

fn tunnel(name: &str, inside: &str, up: bool, message: &str) -> VpnTunnelView {
    VpnTunnelView {
        name: name.into(),
        inside: net4(inside),
        bgp_expected: name.ends_with("tunnel1"),
        telemetry: Reading::Read(TunnelRow {
            inside_cidr: inside.into(),
            up: Some(up),
            message: message.into(),
            accepted_routes: Some(u32::from(up)),
            ..Default::default()
        }),
    }
}

fn vpc_table(routes: &[(&str, &str, &str)]) -> Table {
    let mut rows = vec![RouteTableRow {
        destination: "172.16.0.0/16".into(),
        target: "local".into(),
        origin: "CreateRouteTable".into(),
        state: "active".into(),
        prefix_list: None,
    }];
    rows.extend(routes.iter().map(|(d, t, o)| RouteTableRow {
        destination: (*d).into(),
        target: (*t).into(),
        origin: (*o).into(),
        state: "active".into(),
        prefix_list: None,
    }));
    route_table(&rows)
}

const PROPAGATED: &str = "EnableVgwRoutePropagation";

fn vif(direction: VifDirection, cidrs: &[&str]) -> Reading<Table> {
    let rows: Vec<VifRouteRow> = cidrs
        .iter()
        .map(|c| VifRouteRow {
            cidr: (*c).into(),
            direction,
            as_path: vec![64600],
            communities: Vec::new(),
        })
        .collect();
    Reading::Read(vif_routes(&rows, direction))
}

/// The lab as it is when all is well.
fn lab() -> Picture {
    let mut p = Picture::empty(SubjectKind::HybridInterconnect);
    p.contract = true;
    p.azure_sees = vec![net("172.16.0.0/16")];
    p.aws_sees = vec![net("172.29.0.0/16")];
    p.deny_additional = true;
    p.prefer_express_route = true;
    p.own_azure = vec![net("172.29.0.0/16")];
    p.own_aws = vec![net("172.16.0.0/16")];
    p.gateway_subnet = Some(net("172.29.255.0/24"));
    p.express_routes = vec![ExpressRouteView {
        name: "lab-er-main".into(),
        circuit: "to-megaport".into(),
        ports: vec![ErPort {
            port: PeeringPort::Primary,
            router: "a".into(),
            router_asn: 64600,
            customer: ip("169.254.101.217"),
            microsoft: ip("169.254.101.218"),
            router_says: Reading::Read(Some(session("169.254.101.218", SessionState::Up))),
            edge_says: Reading::Read(vec![session("169.254.101.217", SessionState::Up)]),
            routes: Reading::Read(circuit(&PRIMARY)),
        }],
        link_nets: vec![net4("169.254.101.216/30"), net4("169.254.101.220/30")],
    }];
    p.direct_connects = vec![DirectConnectView {
        name: "lab-dx-main".into(),
        router: "a".into(),
        router_asn: 64600,
        amazon: ip("169.254.50.217"),
        customer: ip("169.254.50.218"),
        link_net: net4("169.254.50.216/30"),
        gateway_asn: Some(64901),
        router_says: Reading::Read(Some(session("169.254.50.217", SessionState::Up))),
        amazon_says: Reading::Read(Some(session("169.254.50.218", SessionState::Up))),
        testing: false,
        accepted: vif(
            VifDirection::Accepted,
            &["172.29.0.0/16", "169.254.101.216/30"],
        ),
        advertised: vif(VifDirection::Advertised, &["172.16.0.0/16"]),
        associated: Reading::Read(true),
    }];
    p.vpns = vec![VpnView {
        name: "lab-vpn".into(),
        gateway: "vnet-gateway".into(),
        tunnels: vec![
            tunnel("instance0-tunnel1", "169.254.21.0/30", true, "1 BGP ROUTES"),
            tunnel("instance0-tunnel2", "169.254.22.0/30", false, "IPSEC IS UP"),
            tunnel("instance1-tunnel1", "169.254.21.4/30", true, "1 BGP ROUTES"),
            tunnel("instance1-tunnel2", "169.254.22.4/30", false, "IPSEC IS UP"),
        ],
        peers: Reading::Read(peers(&[
            ("169.254.21.1", 64900, "Connected", 1),
            ("169.254.21.1", 64900, "Connecting", 0),
            ("169.254.21.5", 64900, "Connecting", 0),
            ("169.254.21.5", 64900, "Connected", 1),
            ("169.254.22.1", 64900, "Connecting", 0),
        ])),
        learned: Reading::Read(learned(&VPN_LEARNED)),
    }];
    p.routers = vec![RouterView {
        key: "a".into(),
        name: "a".into(),
        asn: 64600,
        routes: Reading::Read(mcr(&MCR)),
    }];
    p.er_gateway = Some(ErGatewayView {
        name: "ergw".into(),
        peers: Reading::Read(peers(&[
            ("172.29.255.4", 12076, "Connected", 3),
            ("172.29.255.5", 12076, "Connected", 0),
            ("172.29.255.14", 65515, "Connected", 1),
            ("172.29.255.15", 65515, "Connected", 1),
        ])),
        learned: Reading::Read(learned(&ER_LEARNED)),
    });
    p.nics = vec![NicView {
        name: "vm-nic".into(),
        routes: Reading::Read(nic(&[("172.16.0.0/16", "10.3.129.92")])),
    }];
    p.route_tables = vec![RouteTableView {
        id: "rtb-1".into(),
        routes: Reading::Read(vpc_table(&[
            ("172.29.0.0/16", "vgw-1", PROPAGATED),
            ("169.254.50.216/30", "vgw-1", PROPAGATED),
            ("169.254.101.216/30", "vgw-1", PROPAGATED),
            ("0.0.0.0/0", "igw-1", "CreateRoute"),
        ])),
    }];
    p
}

/// The lab after the BGP session on the VXC to AWS was shut.
fn failed_over() -> Picture {
    let mut p = lab();
    let dx = &mut p.direct_connects[0];
    dx.router_says = Reading::Read(Some(session(
        "169.254.50.217",
        SessionState::AdministrativelyDown,
    )));
    dx.amazon_says = Reading::Read(Some(session("169.254.50.218", SessionState::Down)));
    dx.accepted = vif(VifDirection::Accepted, &[]);
    dx.advertised = vif(VifDirection::Advertised, &[]);
    p.express_routes[0].ports[0].routes =
        Reading::Read(circuit(&[PRIMARY[0], PRIMARY[2], PRIMARY[3]]));
    p.routers[0].routes = Reading::Read(mcr(&MCR[..1]));
    let mut rows = ER_LEARNED.to_vec();
    rows.remove(3);
    p.er_gateway.as_mut().unwrap().learned = Reading::Read(learned(&rows));
    p.nics[0].routes = Reading::Read(nic(&[
        ("172.16.0.0/16", "172.29.255.14"),
        ("172.16.0.0/16", "172.29.255.15"),
    ]));
    p.route_tables[0].routes = Reading::Read(vpc_table(&[
        ("172.29.0.0/16", "vgw-1", PROPAGATED),
        ("0.0.0.0/0", "igw-1", "CreateRoute"),
    ]));
    p
}

fn at(seconds: i64) -> Clock {
    Clock {
        now: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + seconds),
        poll: Duration::from_secs(15),
        scale: 1.0,
    }
}

fn once(p: &Picture) -> Judgement {
    judge(p, &mut Memory::default(), &at(0))
}

fn shown(v: Option<&Verdict>) -> (Truth, &'static str) {
    v.map(|v| (v.truth, v.reason)).unwrap()
}
fn bgp(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.bgp_established.as_ref())
}
fn routes(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.routes_as_expected.as_ref())
}
fn available(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.available.as_ref())
}
fn redundant(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.redundant.as_ref())
}
fn routes_message(j: &Judgement) -> &str {
    &j.verdicts.routes_as_expected.as_ref().unwrap().message
}

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
    second.edge_says = Reading::Read(vec![session("169.254.101.221", SessionState::Up)]);
    er.express_routes[0].ports.push(second);
    assert_eq!(redundant(&once(&er)), (Truth::True, "Redundant"));
    er.express_routes[0].ports[1].edge_says =
        Reading::Read(vec![session("169.254.101.221", SessionState::Down)]);
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
    assert!(
        j.verdicts
            .bgp_established
            .unwrap()
            .message
            .contains("add a route 172.29.255.0/24 with next hop type Virtual network")
    );
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

#[test]
fn each_provider_unreadable() {
    let why = || "HTTP 500".to_owned();
    let azure = |p: &mut Picture| {
        p.nics[0].routes = Reading::Unknown(why());
        let g = p.er_gateway.as_mut().unwrap();
        g.peers = Reading::Unknown(why());
        g.learned = Reading::Unknown(why());
        let port = &mut p.express_routes[0].ports[0];
        port.edge_says = Reading::Unknown(why());
        port.routes = Reading::Unknown(why());
        p.vpns[0].peers = Reading::Unknown(why());
        p.vpns[0].learned = Reading::Unknown(why());
    };
    let aws = |p: &mut Picture| {
        let dx = &mut p.direct_connects[0];
        dx.amazon_says = Reading::Unknown(why());
        dx.accepted = Reading::Unknown(why());
        dx.advertised = Reading::Unknown(why());
        dx.associated = Reading::Unknown(why());
        for t in &mut p.vpns[0].tunnels {
            t.telemetry = Reading::Unknown(why());
        }
        p.route_tables[0].routes = Reading::Unknown(why());
    };
    let megaport = |p: &mut Picture| {
        p.direct_connects[0].router_says = Reading::Unknown(why());
        p.express_routes[0].ports[0].router_says = Reading::Unknown(why());
        p.routers[0].routes = Reading::Unknown(why());
    };
    let stale = (Truth::Unknown, "StaleTelemetry");
    let mut p = lab();
    azure(&mut p);
    let j = once(&p);
    assert_eq!(
        (routes(&j), available(&j), redundant(&j).0),
        (stale, stale, Truth::Unknown)
    );
    assert_eq!(
        (bgp(&j).0, j.active),
        (Truth::True, None),
        "the router and AWS still say that the sessions are up"
    );
    let mut p = lab();
    aws(&mut p);
    let j = once(&p);
    // The router's routes prove its own sessions; what AWS does with them, nobody knows.
    assert_eq!((routes(&j), redundant(&j).0), (stale, Truth::Unknown));
    assert_eq!(bgp(&j).0, Truth::True);
    let mut p = lab();
    megaport(&mut p);
    let j = once(&p);
    assert_eq!(
        (routes(&j), available(&j), bgp(&j).0),
        (stale, (Truth::True, "PathAvailable"), Truth::True)
    );
    // All three: nothing is known, and nothing is claimed.
    let mut p = lab();
    for f in [&azure as &dyn Fn(&mut Picture), &aws, &megaport] {
        f(&mut p);
    }
    let j = once(&p);
    assert_eq!(
        (bgp(&j), routes(&j), available(&j), redundant(&j)),
        (stale, stale, stale, stale)
    );
    assert_eq!(j.sessions_up, 0);
    // A known failure stays known when the others can not be read.
    let mut p = failed_over();
    azure(&mut p);
    let j = once(&p);
    assert_eq!(
        (bgp(&j).1, redundant(&j)),
        ("AdministrativelyDown", (Truth::False, "SinglePath"))
    );
    // Lost telemetry takes three samples, and comes back at once.
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let mut p = lab();
    azure(&mut p);
    let seen: Vec<Truth> = (1..=4)
        .map(|i| available(&judge(&p, &mut memory, &at(15 * i))).0)
        .collect();
    assert_eq!(
        seen,
        [Truth::True, Truth::True, Truth::Unknown, Truth::Unknown]
    );
    assert_eq!(judge(&p, &mut memory, &at(75)).active, None);
    let j = judge(&lab(), &mut memory, &at(90));
    assert_eq!(
        (available(&j).0, j.active, j.failovers.len()),
        (Truth::True, Some(Active::ExpressRoute), 0)
    );
}

#[test]
fn vif_routes_that_nobody_offers_are_inferred_from_the_router() {
    let mut p = lab();
    p.direct_connects[0].accepted = Reading::NotOffered("denied".into());
    p.direct_connects[0].advertised = Reading::NotOffered("denied".into());
    let j = once(&p);
    assert_eq!(
        (routes(&j).0, j.active, redundant(&j).0),
        (Truth::True, Some(Active::ExpressRoute), Truth::True)
    );
}

#[test]
fn an_outdated_table_is_waited_for_and_not_counted() {
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    // The session was just shut; every table is being read again.
    let mut p = failed_over();
    p.nics[0].routes = Reading::Outdated(nic(&[("172.16.0.0/16", "10.3.129.92")]));
    p.er_gateway.as_mut().unwrap().learned = Reading::Outdated(learned(&ER_LEARNED));
    for i in 1..20 {
        let j = judge(&p, &mut memory, &at(15 * i));
        assert_eq!(bgp(&j), (Truth::False, "AdministrativelyDown"));
        assert_eq!(
            (available(&j).0, j.active),
            (Truth::True, Some(Active::ExpressRoute))
        );
    }
    // Without a VPN that could take over, the end is known at once.
    for t in &mut p.vpns[0].tunnels {
        t.telemetry = Reading::Read(TunnelRow {
            up: Some(false),
            message: "IPSEC IS DOWN".into(),
            accepted_routes: Some(0),
            ..Default::default()
        });
    }
    p.vpns[0].peers = Reading::Read(peers(&[
        ("169.254.21.1", 64900, "Connecting", 0),
        ("169.254.21.5", 64900, "Connecting", 0),
    ]));
    let j = judge(&p, &mut memory, &at(400));
    assert_eq!(
        (available(&j), j.active),
        ((Truth::False, "NoPathAvailable"), Some(Active::None))
    );
}

#[test]
fn a_late_hint_after_a_recovery_makes_nothing_unknown() {
    // AWS says up; Megaport's word is older; the tables are being read again.
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    judge(&failed_over(), &mut memory, &at(15));
    let mut p = lab();
    let dx = &mut p.direct_connects[0];
    dx.router_says = Reading::Read(Some(session("169.254.50.217", SessionState::Down)));
    dx.accepted = Reading::Outdated(Table::default());
    dx.advertised = Reading::Outdated(Table::default());
    p.routers[0].routes = Reading::Outdated(mcr(&MCR[..1]));
    p.nics[0].routes = Reading::Outdated(nic(&[]));
    p.er_gateway.as_mut().unwrap().learned = Reading::Outdated(learned(&ER_LEARNED));
    for i in 0..10 {
        let j = judge(&p, &mut memory, &at(30 + 15 * i));
        assert_eq!(
            (available(&j), j.active),
            ((Truth::True, "PathAvailable"), Some(Active::Vpn))
        );
        assert_eq!(bgp(&j), (Truth::False, "SourcesDisagree"));
    }
    // Then the tables come.
    let dx = &mut p.direct_connects[0];
    dx.accepted = vif(VifDirection::Accepted, &["172.29.0.0/16"]);
    p.nics[0].routes = lab().nics[0].routes.clone();
    let j = judge(&p, &mut memory, &at(200));
    assert_eq!(
        (available(&j).0, j.active),
        (Truth::True, Some(Active::ExpressRoute))
    );
}

#[test]
fn a_session_that_is_being_looked_at_again_still_counts() {
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let mut p = failed_over();
    // Only a hint is left of the session to Azure until its tables are read again.
    p.routers[0].routes = Reading::Outdated(mcr(&MCR));
    let port = &mut p.express_routes[0].ports[0];
    port.edge_says = Reading::Outdated(vec![session("169.254.101.217", SessionState::Up)]);
    port.routes = Reading::Outdated(circuit(&PRIMARY));
    let j = judge(&p, &mut memory, &at(15));
    assert_eq!((j.sessions_up, bgp(&j).1), (3, "AdministrativelyDown"));
    // Nothing is held for a session that was not up.
    let j = judge(&p, &mut Memory::default(), &at(15));
    assert_eq!(j.sessions_up, 2);
}

#[test]
fn a_new_process_goes_on_where_the_last_one_stopped() {
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let last = judge(&failed_over(), &mut memory, &at(15));
    let again = |v: &Option<Verdict>| {
        v.as_ref()
            .and_then(|v| shown_verdict(v.truth.as_str(), v.reason, &v.message))
    };
    let shown = HealthVerdicts {
        bgp_established: again(&last.verdicts.bgp_established),
        routes_as_expected: again(&last.verdicts.routes_as_expected),
        available: again(&last.verdicts.available),
        redundant: again(&last.verdicts.redundant),
    };
    assert_eq!(shown, last.verdicts);
    let mut next = Memory::resumed(&shown, last.active, last.failovers.clone());
    let j = judge(&failed_over(), &mut next, &at(30));
    assert_eq!(
        (j.verdicts, j.active, j.failovers),
        (last.verdicts, last.active, last.failovers)
    );
    let truths: Vec<Truth> = (0..3)
        .map(|i| bgp(&judge(&lab(), &mut next, &at(45 + 15 * i))).0)
        .collect();
    assert_eq!(truths, [Truth::False, Truth::False, Truth::True]);
    assert_eq!(shown_verdict("Unknown", "NotProvisioned", ""), None);
}

#[test]
fn a_failover_through_nothing_is_one_with_its_outage() {
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let mut dark = failed_over();
    dark.nics[0].routes = Reading::Read(nic(&[("172.16.0.0/16", "10.3.129.92")]));
    assert_eq!(
        judge(&dark, &mut memory, &at(15)).active,
        Some(Active::None)
    );
    let j = judge(&failed_over(), &mut memory, &at(29));
    assert_eq!(j.failovers.len(), 1);
    assert_eq!(
        (
            j.failovers[0].from,
            j.failovers[0].to,
            j.failovers[0].outage_seconds
        ),
        (Active::ExpressRoute, Active::Vpn, Some(14))
    );
    // The clock of the clouds may run faster than ours.
    let mut fast = Memory::default();
    let clock = |s| Clock {
        scale: 600.0,
        ..at(s)
    };
    judge(&lab(), &mut fast, &clock(0));
    judge(&dark, &mut fast, &clock(1));
    judge(&failed_over(), &mut fast, &clock(2));
    assert_eq!(fast.failovers[0].outage_seconds, Some(600));
    // Ten are kept.
    for i in 0..30 {
        let p = if i % 2 == 0 { lab() } else { failed_over() };
        judge(&p, &mut memory, &at(1000 + 1000 * i));
    }
    assert_eq!(memory.failovers.len(), 10);
}

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

#[test]
fn what_was_never_up_is_built_and_does_not_recover() {
    let mut memory = Memory::default();
    assert_eq!(
        bgp(&judge(&failed_over(), &mut memory, &at(0))).0,
        Truth::False
    );
    assert_eq!(bgp(&judge(&lab(), &mut memory, &at(15))).0, Truth::True);
}

#[test]
fn messages_do_not_depend_on_the_order_of_rows() {
    let a = once(&failed_over());
    let mut p = failed_over();
    p.vpns[0].tunnels.reverse();
    let b = once(&p);
    assert_eq!(a.verdicts, b.verdicts);
}

#[test]
fn memory_survives_serialisation() {
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    judge(&failed_over(), &mut memory, &at(15));
    let text = serde_json::to_string(&memory).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
}

/// A state that the picture can be in.
fn any_picture() -> impl Strategy<Value = Picture> {
    (any::<bool>(), 0u8..4, 0u8..4, 0u8..4, 0u8..4).prop_map(|(over, nics, aws, mp, edge)| {
        let mut p = if over { failed_over() } else { lab() };
        let spoil = |n: u8, t: Reading<Table>| match n {
            0 | 1 => t,
            2 => Reading::Unknown("HTTP 500".into()),
            _ => match t {
                Reading::Read(t) => Reading::Outdated(t),
                other => other,
            },
        };
        let old = p.nics[0].routes.clone();
        p.nics[0].routes = spoil(nics, old);
        let old = p.direct_connects[0].accepted.clone();
        p.direct_connects[0].accepted = spoil(aws, old);
        let old = p.routers[0].routes.clone();
        p.routers[0].routes = spoil(mp, old);
        let g = p.er_gateway.as_mut().unwrap();
        g.learned = spoil(edge, g.learned.clone());
        p
    })
}

proptest! {
    /// However it came there: equal input stops changing after three samples, and never goes back and forth.
    #[test]
    fn equal_input_does_not_flap(before in proptest::collection::vec(any_picture(), 0..6), then in any_picture(), gap in 1i64..40) {
        let mut memory = Memory::default();
        let mut t = 0;
        for p in &before {
            t += gap;
            judge(p, &mut memory, &at(t));
        }
        let mut last: Option<Vec<Option<(Truth, String)>>> = None;
        let mut changes = [0; 4];
        for i in 0..40 {
            t += gap;
            let j = judge(&then, &mut memory, &at(t));
            let v = j.verdicts;
            let now: Vec<Option<(Truth, String)>> = [v.bgp_established, v.routes_as_expected, v.available, v.redundant]
                .into_iter()
                .map(|v| v.map(|v| (v.truth, format!("{} {}", v.reason, v.message))))
                .collect();
            if let Some(last) = &last {
                for (n, (a, b)) in last.iter().zip(&now).enumerate() {
                    changes[n] += usize::from(a != b);
                }
                prop_assert!(i < 40 - 1 || *last == now);
            }
            last = Some(now);
        }
        prop_assert!(changes.iter().all(|c| *c <= 1), "{changes:?}");
    }

    /// What is read is never claimed wrongly: with every session up and readable, no session verdict is False.
    #[test]
    fn a_verdict_is_never_false_for_lack_of_reading(p in any_picture()) {
        let whole = once(&lab());
        let mut q = p.clone();
        q.direct_connects[0].router_says = lab().direct_connects[0].router_says.clone();
        q.direct_connects[0].amazon_says = lab().direct_connects[0].amazon_says.clone();
        let j = once(&q);
        prop_assert_eq!(bgp(&j).0, bgp(&whole).0);
    }
}
