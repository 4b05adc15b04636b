//! Samples from the lab's tables and the references, and a property: no input panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}
fn at(s: &str) -> NextHop {
    NextHop::Address(s.parse().unwrap())
}

#[test]
fn circuit_table_of_the_lab() {
    let rows: Vec<azure::CircuitRouteRow> = serde_json::from_value(json!([
        {"network":"169.254.50.216/30","nextHop":"169.254.101.217","locPrf":"","weight":0,"path":"64600 ?"},
        {"network":"172.16.0.0","nextHop":"169.254.101.217","locPrf":null,"weight":0,"path":"64600 64901"},
        {"network":"172.29.0.0","nextHop":"172.29.255.12","weight":0,"path":"65515"},
        {"network":"172.29.0.0","nextHop":"172.29.255.13*","weight":0,"path":"65515"},
        {"network":"10.0.0.0","nextHop":"172.29.255.13*","weight":0,"path":"65515"},
        {"network":"192.168.7.0","nextHop":"172.29.255.13*","weight":0,"path":"65515"}
    ]))
    .unwrap();
    let table = azure::circuit_routes(&rows);
    assert_eq!(table.not_understood, Vec::<String>::new());
    let vpc: Vec<_> = table.to(net("172.16.0.0/16")).collect();
    assert_eq!(vpc.len(), 1);
    assert_eq!(vpc[0].as_path, [64600, 64901]);
    assert_eq!(vpc[0].next_hop, at("169.254.101.217"));
    let vnet: Vec<_> = table
        .to(net("172.29.0.0/16"))
        .map(|r| r.next_hop.clone())
        .collect();
    assert_eq!(vnet, [at("172.29.255.12"), at("172.29.255.13")]);
    assert_eq!(
        table.to(net("169.254.50.216/30")).next().unwrap().as_path,
        [64600]
    );
    assert!(table.has(net("10.0.0.0/8")));
    assert!(table.has(net("192.168.7.0/24")));
}

#[test]
fn gateway_tables_of_the_lab() {
    let rows: Vec<azure::GatewayRouteRow> = serde_json::from_value(json!([
        {"network":"172.29.0.0/16","origin":"Network","sourcePeer":"172.29.255.13","asPath":"","weight":32768,"nextHop":null},
        {"network":"172.16.0.0/16","origin":"EBgp","sourcePeer":"172.29.255.4","asPath":"12076-64600-64901","weight":32769,"nextHop":"172.29.255.4"},
        {"network":"172.16.0.0/16","origin":"IBgp","sourcePeer":"172.29.255.14","asPath":"64900","weight":32768,"nextHop":"172.29.255.14"},
        {"network":"172.16.0.0/16","origin":"Incomplete","sourcePeer":null,"asPath":"65515","weight":0,"nextHop":"172.29.255.12"}
    ]))
    .unwrap();
    let table = azure::gateway_routes(&rows);
    assert!(table.not_understood.is_empty());
    let er = table
        .routes
        .iter()
        .find(|r| r.learned == Learned::Ebgp)
        .unwrap();
    assert_eq!(
        (er.as_path.as_slice(), er.weight),
        ([12076, 64600, 64901].as_slice(), Some(32769))
    );
    let own = table.to(net("172.29.0.0/16")).next().unwrap();
    assert_eq!(
        (own.learned, &own.next_hop),
        (Learned::Local, &NextHop::Local)
    );
    let rows: Vec<azure::GatewayPeerRow> = serde_json::from_value(json!([
        {"localAddress":"172.29.255.12","neighbor":"172.29.255.4","asn":12076,"state":"Connected","connectedDuration":"17:54:06.7422782","routesReceived":3},
        {"localAddress":"172.29.255.14","neighbor":"169.254.21.1","asn":64900,"state":"Connecting","connectedDuration":null,"routesReceived":0},
        {"neighbor":"172.29.255.15","asn":65515,"state":"Novel"}
    ]))
    .unwrap();
    let sessions = azure::gateway_sessions(&rows);
    assert!(sessions.is_whole());
    let state = |peer: &str| {
        sessions
            .rows
            .iter()
            .find(|s| s.peer.to_string() == peer)
            .map(|s| (s.state, s.routes_received))
            .unwrap()
    };
    assert_eq!(state("172.29.255.4"), (SessionState::Up, Some(3)));
    assert_eq!(state("169.254.21.1"), (SessionState::Down, Some(0)));
    assert_eq!(state("172.29.255.15"), (SessionState::Unknown, None));
}

#[test]
fn circuit_summary_counts_or_words() {
    let rows: Vec<azure::CircuitSummaryRow> = serde_json::from_value(json!([
        {"neighbor":"169.254.101.217","v":4,"as":64600,"upDown":"1d02h","statePfxRcd":"2"},
        {"neighbor":"169.254.101.221","v":4,"as":64600,"upDown":"never","statePfxRcd":"Idle"}
    ]))
    .unwrap();
    let s = azure::circuit_sessions(&rows);
    assert!(s.is_whole());
    let s = s.rows;
    assert_eq!(
        (s[0].state, s[0].routes_received),
        (SessionState::Up, Some(2))
    );
    assert_eq!(s[1].state, SessionState::Down);
}

#[test]
fn effective_routes_one_row_per_next_hop_or_arrays() {
    let arrays: Vec<azure::EffectiveRouteRow> = serde_json::from_value(json!([
        {"source":"VirtualNetworkGateway","state":"Active","addressPrefix":["172.16.0.0/16"],"nextHopType":"VirtualNetworkGateway","nextHopIpAddress":["172.29.255.14","172.29.255.15"]},
        {"source":"Default","state":"Active","addressPrefix":["172.29.0.0/16"],"nextHopType":"VnetLocal","nextHopIpAddress":[]},
        {"source":"Default","state":"Invalid","addressPrefix":["0.0.0.0/0"],"nextHopType":"Internet"}
    ]))
    .unwrap();
    let rows: Vec<azure::EffectiveRouteRow> = serde_json::from_value(json!([
        {"source":"VirtualNetworkGateway","state":"Active","addressPrefix":"172.16.0.0/16","nextHopType":"VirtualNetworkGateway","nextHopIpAddress":"172.29.255.15"},
        {"source":"VirtualNetworkGateway","state":"Active","addressPrefix":["172.16.0.0/16"],"nextHopType":"VirtualNetworkGateway","nextHopIpAddress":["172.29.255.14"]}
    ]))
    .unwrap();
    let a = azure::effective_routes(&arrays);
    let b = azure::effective_routes(&rows);
    assert!(a.to(net("172.16.0.0/16")).eq(b.to(net("172.16.0.0/16"))));
    assert_eq!(
        a.to(net("172.29.0.0/16")).next().unwrap().next_hop,
        NextHop::Local
    );
    assert!(!a.has(net("0.0.0.0/0")));
}

#[test]
fn aws_tables_and_telemetry() {
    let row = |d: &str, t: &str, o: &str, s: &str| aws::RouteTableRow {
        destination: d.into(),
        target: t.into(),
        origin: o.into(),
        state: s.into(),
        prefix_list: None,
    };
    let t = aws::route_table(&[
        row("172.16.0.0/16", "local", "CreateRouteTable", "active"),
        row(
            "172.29.0.0/16",
            "vgw-1",
            "EnableVgwRoutePropagation",
            "active",
        ),
        row("10.0.0.0/8", "vgw-1", "CreateRoute", "blackhole"),
    ]);
    assert!(t.has(net("172.29.0.0/16")) && !t.has(net("10.0.0.0/8")));
    let tunnel = |up, message: &str, n| aws::TunnelRow {
        up,
        message: message.into(),
        accepted_routes: n,
        inside_cidr: "169.254.21.4/30".into(),
        ..Default::default()
    };
    assert_eq!(
        tunnel(Some(true), "2 BGP ROUTES", Some(2)).health(),
        aws::TunnelHealth::Healthy
    );
    assert_eq!(
        tunnel(Some(true), "", Some(0)).health(),
        aws::TunnelHealth::NoRoutes
    );
    assert_eq!(
        tunnel(Some(false), "IPSEC IS UP", Some(0)).health(),
        aws::TunnelHealth::IpsecOnly
    );
    assert_eq!(
        tunnel(Some(false), "IPSEC IS DOWN", Some(0)).health(),
        aws::TunnelHealth::Down
    );
    assert_eq!(tunnel(None, "", None).health(), aws::TunnelHealth::Unknown);
    let s = tunnel(Some(true), "", Some(1)).session().unwrap();
    assert_eq!(
        (
            s.local.unwrap().to_string().as_str(),
            s.peer.to_string().as_str()
        ),
        ("169.254.21.5", "169.254.21.6")
    );
    let peer = |status: &str| aws::VifPeerRow {
        asn: 64600,
        amazon_address: "169.254.50.217/30".into(),
        customer_address: "169.254.50.218/30".into(),
        peer_state: "available".into(),
        status: status.into(),
        ..Default::default()
    };
    assert_eq!(
        aws::vif_sessions(&[peer("up")]).rows[0].state,
        SessionState::Up
    );
    assert_eq!(
        aws::vif_sessions(&[peer("unknown")]).rows[0].state,
        SessionState::Unknown
    );
}

#[test]
fn mcr_tables_and_sessions() {
    let rows: Vec<megaport::BgpRouteRow> = serde_json::from_value(json!([
        {"prefix":"172.29.0.0/16","asPath":"12076 65515","origin":"IGP","source":"169.254.101.218","localPref":100,"med":"0","best":true,"external":true,"valid":true,"nextHop":{"ip":"169.254.101.218","vxc":{"id":7,"name":"er"}}},
        {"prefix":"169.254.50.216/30","asPath":"","best":true,"external":false,"valid":true,"nextHop":{"ip":"0.0.0.0"}}
    ]))
    .unwrap();
    let t = megaport::bgp_routes(&rows);
    assert!(t.not_understood.is_empty());
    let r = t.to(net("172.29.0.0/16")).next().unwrap();
    assert_eq!(
        (r.learned, r.med, r.as_path.as_slice()),
        (Learned::Ebgp, Some(0), [12076, 65515].as_slice())
    );
    assert_eq!(
        t.to(net("169.254.50.216/30")).next().unwrap().next_hop,
        NextHop::Local
    );
    let conn = |peer: &str, shutdown| megaport::BgpConnectionRow {
        peer_asn: Some(12076),
        local_ip_address: "169.254.101.217".into(),
        peer_ip_address: peer.into(),
        shutdown,
    };
    let status = BTreeMap::from([
        ("169.254.101.218".to_owned(), 1),
        ("169.254.101.222".to_owned(), 0),
    ]);
    let s = megaport::sessions(
        &[
            conn("169.254.101.218", false),
            conn("169.254.101.222", true),
            conn("169.254.50.217", false),
        ],
        &status,
        false,
    );
    let states: Vec<_> = s.rows.iter().map(|s| s.state).collect();
    assert_eq!(
        states,
        [
            SessionState::Unknown,
            SessionState::Up,
            SessionState::AdministrativelyDown
        ]
    );
}

#[test]
fn a_row_that_cannot_be_read_is_reported() {
    let rows = [azure::CircuitRouteRow {
        network: "not a prefix".into(),
        ..Default::default()
    }];
    let t = azure::circuit_routes(&rows);
    assert_eq!((t.routes.len(), t.not_understood.len()), (0, 1));
}

/// Strings that look like what the parsers expect, and strings that do not.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9.:/* ?{}a-f-]{0,40}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,4}(/[0-9]{0,3})?\\*?",
        "([0-9]{1,11}[ -]){0,6}[?ie]?",
    ]
}

proptest! {
    #[test]
    fn no_text_panics(a in noise(), b in noise(), c in noise(), d in noise(), e in noise()) {
        let _ = azure::circuit_routes(&[azure::CircuitRouteRow { network: a.clone(), next_hop: b.clone(), loc_prf: c.clone(), weight: d.clone(), path: e.clone() }]);
        let _ = azure::circuit_sessions(&[azure::CircuitSummaryRow { neighbor: a.clone(), asn: b.clone(), up_down: c.clone(), state_pfx_rcd: d.clone() }]);
        let _ = azure::gateway_routes(&[azure::GatewayRouteRow { local_address: a.clone(), network: b.clone(), next_hop: c.clone(), source_peer: d.clone(), origin: e.clone(), as_path: a.clone(), weight: b.clone() }]);
        let _ = azure::gateway_sessions(&[azure::GatewayPeerRow { local_address: a.clone(), neighbor: b.clone(), asn: c.clone(), state: d.clone(), connected_duration: e.clone(), routes_received: a.clone() }]);
        let _ = azure::effective_routes(&[azure::EffectiveRouteRow { source: a.clone(), state: b.clone(), address_prefix: vec![c.clone(), d.clone()], next_hop_type: e.clone(), next_hop_ip_address: vec![b.clone()] }]);
        let _ = aws::route_table(&[aws::RouteTableRow { destination: a.clone(), prefix_list: None, target: b.clone(), origin: c.clone(), state: d.clone() }]);
        let t = aws::TunnelRow { outside_address: a.clone(), inside_cidr: b.clone(), up: Some(true), message: c.clone(), accepted_routes: None };
        let _ = (t.health(), t.session());
        let _ = aws::vif_sessions(&[aws::VifPeerRow { id: a.clone(), asn: 1, amazon_address: b.clone(), customer_address: c.clone(), peer_state: d.clone(), status: e.clone() }]);
        let _ = megaport::bgp_routes(&[megaport::BgpRouteRow { prefix: a.clone(), as_path: b.clone(), source: c.clone(), next_hop: Some(megaport::HopRow { ip: d.clone(), vxc: None }), ..Default::default() }]);
        let _ = megaport::ip_routes(&[megaport::IpRouteRow { prefix: a, protocol: b, metric: None, next_hop: Some(megaport::HopRow { ip: c, vxc: None }) }]);
        let _ = megaport::sessions(&[megaport::BgpConnectionRow { peer_ip_address: d, local_ip_address: e, ..Default::default() }], &BTreeMap::new(), false);
    }

    #[test]
    fn a_printed_prefix_reads_back(a in any::<u32>(), len in 0u8..=32) {
        let n = ipnet::Ipv4Net::new(a.into(), len).unwrap().trunc();
        prop_assert_eq!(text::prefix(&n.to_string()), Some(IpNet::V4(n)));
    }

    #[test]
    fn a_printed_path_reads_back(path in proptest::collection::vec(any::<u32>(), 0..8), dash in any::<bool>()) {
        let words: Vec<String> = path.iter().map(u32::to_string).collect();
        prop_assert_eq!(text::as_path(&words.join(if dash { "-" } else { " " })), Some(path));
    }
}
