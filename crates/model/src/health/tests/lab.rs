//! The lab as a picture, normal and failed over, with its own rows; and how to ask a judgement.

use super::super::*;
use crate::routes::aws::{
    RouteTableRow, TunnelRow, VifDirection, VifRouteRow, route_table, vif_routes,
};
use crate::routes::azure::{
    CircuitRouteRow, EffectiveRouteRow, GatewayPeerRow, GatewayRouteRow, circuit_routes,
    effective_routes, gateway_routes, gateway_sessions,
};
use crate::routes::megaport::{BgpRouteRow, bgp_routes};
use crate::routes::{Session, SessionState, Sessions, Table};
use crate::spec::PeeringPort;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;

pub(super) fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}
pub(super) fn net4(s: &str) -> ipnet::Ipv4Net {
    s.parse().unwrap()
}
pub(super) fn ip(s: &str) -> std::net::Ipv4Addr {
    s.parse().unwrap()
}

/// Rows as the lab prints them, one string per row.
pub(super) fn circuit(rows: &[&str]) -> Table {
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

pub(super) const PRIMARY: [&str; 4] = [
    "169.254.50.216/30 169.254.101.217 64600 ?",
    "172.16.0.0 169.254.101.217 64600 64901",
    "172.29.0.0 172.29.255.12 65515",
    "172.29.0.0 172.29.255.13* 65515",
];

/// `network origin peer path weight`.
pub(super) fn learned(rows: &[&str]) -> Table {
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

pub(super) const ER_LEARNED: [&str; 6] = [
    "172.29.0.0/16 Network 172.29.255.13  32768",
    "169.254.101.216/30 EBgp 172.29.255.4 12076-64600 32769",
    "169.254.50.216/30 EBgp 172.29.255.4 12076-64600 32769",
    "172.16.0.0/16 EBgp 172.29.255.4 12076-64600-64901 32769",
    "172.16.0.0/16 IBgp 172.29.255.14 64900 32768",
    "172.16.0.0/16 IBgp 172.29.255.15 64900 32768",
];
pub(super) const VPN_LEARNED: [&str; 5] = [
    "172.29.0.0/16 Network 172.29.255.14  32768",
    "172.16.0.0/16 EBgp 169.254.21.1 64900 32768",
    "172.16.0.0/16 IBgp 172.29.255.15 64900 32768",
    "172.16.0.0/16 EBgp 169.254.21.5 64900 32768",
    "172.16.0.0/16 IBgp 172.29.255.14 64900 32768",
];

pub(super) fn nic(prefixes: &[(&str, &str)]) -> Table {
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

pub(super) fn peers(rows: &[(&str, u32, &str, u32)]) -> Sessions {
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
    gateway_sessions(&rows)
}

pub(super) fn mcr(rows: &[(&str, &str, &str)]) -> Table {
    let rows: Vec<BgpRouteRow> = rows
        .iter()
        .map(|(p, peer, path)| {
            serde_json::from_value(json!({"prefix": p, "asPath": path, "source": peer, "best": true, "valid": true, "external": true, "nextHop": {"ip": peer}})).unwrap()
        })
        .collect();
    bgp_routes(&rows)
}

pub(super) const MCR: [(&str, &str, &str); 2] = [
    ("172.29.0.0/16", "169.254.101.218", "12076 65515"),
    ("172.16.0.0/16", "169.254.50.217", "64901"),
];

pub(super) fn session(peer: &str, state: SessionState) -> Session {
    Session {
        local: None,
        peer: ip(peer).into(),
        peer_asn: None,
        state,
        word: String::new(),
        routes_received: None,
    }
}

/// One neighbour of a circuit's port.
pub(super) fn says(peer: &str, state: SessionState) -> Reading<Sessions> {
    Reading::Read(vec![session(peer, state)].into())
}

pub(super) fn tunnel(name: &str, inside: &str, up: bool, message: &str) -> VpnTunnelView {
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

pub(super) fn vpc_table(routes: &[(&str, &str, &str)]) -> Table {
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

pub(super) const PROPAGATED: &str = "EnableVgwRoutePropagation";

pub(super) fn vif(direction: VifDirection, cidrs: &[&str]) -> Reading<Table> {
    let rows: Vec<VifRouteRow> = cidrs
        .iter()
        .map(|c| VifRouteRow {
            cidr: (*c).into(),
            direction,
            // The router's own networks, and what it has from Microsoft's edge.
            as_path: if c.starts_with("169.254.") {
                vec![64600]
            } else {
                vec![64600, 12076]
            },
            communities: Vec::new(),
        })
        .collect();
    Reading::Read(vif_routes(&rows, direction))
}

/// The lab as it is when all is well.
pub(super) fn lab() -> Picture {
    let mut p = Picture::empty(SubjectKind::HybridInterconnect);
    p.contract = true;
    p.azure_sees = vec![net("172.16.0.0/16")];
    p.aws_sees = vec![net("172.29.0.0/16")];
    p.deny_additional = true;
    p.prefer_express_route = true;
    p.own_azure = vec![net("172.29.0.0/16")];
    p.own_aws = vec![net("172.16.0.0/16")];
    p.gateway_subnet = Some(net("172.29.255.0/24"));
    p.mesh_subnets = vec![net("172.29.255.0/24")];
    p.gateway_routes = Reading::Read(None);
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
            edge_says: says("169.254.101.217", SessionState::Up),
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
        silent: false,
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
        silent: false,
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
pub(super) fn failed_over() -> Picture {
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

pub(super) fn at(seconds: i64) -> Clock {
    Clock {
        now: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + seconds),
        poll: Duration::from_secs(15),
        scale: 1.0,
    }
}

pub(super) fn once(p: &Picture) -> Judgement {
    judge(p, &mut Memory::default(), &at(0))
}

pub(super) fn shown(v: Option<&Verdict>) -> (Truth, &'static str) {
    v.map(|v| (v.truth, v.reason)).unwrap()
}
pub(super) fn bgp(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.bgp_established.as_ref())
}
pub(super) fn routes(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.routes_as_expected.as_ref())
}
pub(super) fn available(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.available.as_ref())
}
pub(super) fn redundant(j: &Judgement) -> (Truth, &'static str) {
    shown(j.verdicts.redundant.as_ref())
}
pub(super) fn routes_message(j: &Judgement) -> &str {
    &j.verdicts.routes_as_expected.as_ref().unwrap().message
}
