//! Vantages that can not be read, or are being read again: nothing is claimed, nothing known is hidden.

use super::lab::*;
use crate::health::*;
use crate::routes::aws::{TunnelRow, VifDirection};
use crate::routes::{SessionState, Table};

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
    port.edge_says = Reading::Outdated(vec![session("169.254.101.217", SessionState::Up)].into());
    port.routes = Reading::Outdated(circuit(&PRIMARY));
    let j = judge(&p, &mut memory, &at(15));
    assert_eq!((j.sessions_up, bgp(&j).1), (3, "AdministrativelyDown"));
    // Nothing is held for a session that was not up.
    let j = judge(&p, &mut Memory::default(), &at(15));
    assert_eq!(j.sessions_up, 2);
}
