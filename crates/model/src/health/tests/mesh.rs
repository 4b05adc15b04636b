//! The guard of GatewaySubnet: before the trap bites, when it has bitten, and when it is something else.

use super::lab::*;
use crate::guard::{SubnetRoutes, UserRoute};
use crate::health::*;
use crate::routes::Table;

/// The lab's bonus exercise: the virtual network's prefix goes to an appliance.
fn trapped(mut p: Picture) -> Picture {
    p.gateway_routes = Reading::Read(Some(SubnetRoutes {
        name: "gw-routes".into(),
        routes: vec![UserRoute {
            name: "vnet-to-nva".into(),
            prefix: net("172.29.0.0/16"),
            next_hop_type: "VirtualAppliance".into(),
            next_hop: Some("172.29.10.4".parse().unwrap()),
        }],
        ..SubnetRoutes::default()
    }));
    p
}

/// The gateways answer `InternalServerError`, and keep their last tables.
fn silent(mut p: Picture) -> Picture {
    p.er_gateway.as_mut().unwrap().silent = true;
    p.vpns[0].silent = true;
    p
}

const MEND: &str = "add a route for 172.29.255.0/24 with next hop type VnetLocal (\"Virtual network\" in the portal) to route table gw-routes";

#[test]
fn before_it_bites_the_risk_is_said_beside_what_holds() {
    let j = once(&trapped(lab()));
    // An appliance that forwards breaks nothing.
    assert_eq!(
        (bgp(&j).0, routes(&j).0, available(&j).0),
        (Truth::True, Truth::True, Truth::True)
    );
    let v = j.verdicts.redundant.unwrap();
    assert_eq!((v.truth, v.reason), (Truth::True, "Redundant"));
    assert!(
        v.message.contains("at risk") && v.message.contains(MEND),
        "{}",
        v.message
    );
    // Mended.
    let mut p = trapped(lab());
    if let Reading::Read(Some(t)) = &mut p.gateway_routes {
        t.routes.push(UserRoute {
            name: "gw-local".into(),
            prefix: net("172.29.255.0/24"),
            next_hop_type: "VnetLocal".into(),
            next_hop: None,
        });
    }
    assert_eq!(p.trap(), None);
    assert_eq!(once(&p).verdicts, once(&lab()).verdicts);
}

#[test]
fn silence_of_the_gateways_and_the_trap_are_a_broken_mesh() {
    let j = once(&silent(trapped(lab())));
    // Traffic still goes over ExpressRoute; the VPN would carry nothing.
    assert_eq!(available(&j), (Truth::True, "PathAvailable"));
    assert_eq!(redundant(&j), (Truth::False, "SinglePath"));
    let vpn = j.paths.iter().find(|x| x.name == "lab-vpn").unwrap();
    assert_eq!(
        (vpn.azure_to_aws, vpn.aws_to_azure),
        (PathState::Down, PathState::Up)
    );
    assert_eq!(bgp(&j), (Truth::False, "SessionDown"));
    assert_eq!(routes(&j), (Truth::False, "MissingPrefix"));
    for v in [
        &j.verdicts.bgp_established,
        &j.verdicts.routes_as_expected,
        &j.verdicts.redundant,
    ] {
        let message = &v.as_ref().unwrap().message;
        assert!(message.contains(MEND), "{message}");
    }
    assert!(
        routes_message(&j).contains("172.16.0.0/16"),
        "{}",
        routes_message(&j)
    );

    // Silence without a trap is a doubt, not a verdict; nor is a trap when nothing else of Azure's can be read.
    let quiet = silent(lab());
    assert_eq!(bgp(&once(&quiet)).0, Truth::True);
    let mut outage = silent(trapped(lab()));
    outage.nics[0].routes = Reading::Unknown("HTTP 500".into());
    outage.express_routes[0].ports[0].routes = Reading::Unknown("HTTP 500".into());
    assert_eq!(bgp(&once(&outage)).0, Truth::True);
}

#[test]
fn over_the_vpn_the_broken_mesh_is_an_outage_with_the_route_to_add() {
    let mut p = trapped(failed_over());
    p.nics[0].routes = Reading::Read(nic(&[]));
    let g = p.er_gateway.as_mut().unwrap();
    g.learned = Reading::Read(learned(&ER_LEARNED[..3]));
    let j = once(&p);
    assert_eq!(available(&j), (Truth::False, "NoPathAvailable"));
    assert_eq!(routes(&j).1, "MissingPrefix");
    assert!(routes_message(&j).starts_with("route table gw-routes on GatewaySubnet sends 172.29.0.0/16 to the appliance 172.29.10.4"), "{}", routes_message(&j));
    assert!(routes_message(&j).contains(MEND));
}

#[test]
fn what_is_said_of_silence_depends_on_what_is_known_of_the_table() {
    let say = |table: Reading<Option<SubnetRoutes>>| {
        let mut p = silent(lab());
        p.gateway_routes = table;
        p.er_gateway.as_mut().unwrap().peers =
            Reading::Unknown("An error occurred. (InternalServerError)".into());
        let j = once(&p);
        assert_eq!(routes(&j), (Truth::Unknown, "StaleTelemetry"));
        routes_message(&j).to_owned()
    };
    let unread = say(Reading::Unknown("HTTP 403".into()));
    assert!(
        unread.contains("if a route table is on GatewaySubnet, add a route for 172.29.255.0/24 with next hop type VnetLocal"),
        "{unread}"
    );
    // There is none: no advice that leads nowhere.
    let none = say(Reading::Read(None));
    assert!(
        none.contains("may not reach each other") && !none.contains("VnetLocal"),
        "{none}"
    );
}

#[test]
fn rows_that_nobody_understood_are_unreadable_and_not_absent() {
    let odd = |t: &Reading<Table>| {
        let mut t = t.known().unwrap().clone();
        t.routes
            .retain(|r| r.prefix != net("172.16.0.0/16") && r.prefix != net("172.29.0.0/16"));
        t.not_understood
            .push("172.16.0.0/16 in a new dialect".into());
        Reading::Read(t)
    };
    let stale = (Truth::Unknown, "StaleTelemetry");
    let mut p = lab();
    p.nics[0].routes = odd(&p.nics[0].routes);
    let j = once(&p);
    assert_eq!((routes(&j), available(&j)), (stale, stale));
    assert!(
        routes_message(&j).contains("effective routes of network interface vm-nic: rows could not be understood; the RouteReport shows them as text (expected there: 172.16.0.0/16)"),
        "{}",
        routes_message(&j)
    );
    let mut p = lab();
    p.route_tables[0].routes = odd(&p.route_tables[0].routes);
    let j = once(&p);
    assert_eq!((routes(&j), available(&j)), (stale, stale));
    let mut p = lab();
    let dx = &mut p.direct_connects[0];
    dx.accepted = odd(&dx.accepted);
    let j = once(&p);
    // What the router has from Microsoft's edge stands in for it.
    assert_eq!((routes(&j), redundant(&j).0), (stale, Truth::True));
    let mut p = lab();
    let g = p.er_gateway.as_mut().unwrap();
    g.learned = odd(&g.learned);
    let j = once(&p);
    assert_eq!((routes(&j), redundant(&j).0), (stale, Truth::Unknown));
    // A neighbour that stands in such a row is not down.
    let mut p = lab();
    for peers in [
        &mut p.vpns[0].peers,
        &mut p.er_gateway.as_mut().unwrap().peers,
    ] {
        let Reading::Read(s) = peers else { panic!() };
        s.rows
            .retain(|r| r.state != crate::routes::SessionState::Up);
        s.not_understood.push("a peer in a new dialect".into());
    }
    let j = once(&p);
    assert_ne!(bgp(&j).0, Truth::False, "{:?}", j.verdicts.bgp_established);
    assert_ne!(redundant(&j).0, Truth::False);
}
