//! Other topologies than the lab's, and moments of a failover: what the sweeps over `e2e/worlds` found.

use super::lab::*;
use crate::health::*;
use crate::routes::SessionState;
use crate::routes::aws::VifDirection;

fn path<'a>(j: &'a Judgement, name: &str) -> &'a PathView {
    j.paths.iter().find(|p| p.name == name).unwrap()
}

/// The lab with a second circuit on the same gateway and router.
fn two_circuits() -> Picture {
    let mut p = lab();
    let mut second = p.express_routes[0].clone();
    second.name = "lab-er-second".into();
    second.circuit = "second".into();
    let port = &mut second.ports[0];
    port.customer = ip("169.254.102.217");
    port.microsoft = ip("169.254.102.218");
    port.router_says = Reading::Read(Some(session("169.254.102.218", SessionState::Up)));
    port.edge_says = says("169.254.102.217", SessionState::Up);
    let rows = PRIMARY.map(|r| r.replace("169.254.101.217", "169.254.102.217"));
    port.routes = Reading::Read(circuit(&rows.each_ref().map(String::as_str)));
    second.link_nets = vec![net4("169.254.102.216/30"), net4("169.254.102.220/30")];
    p.express_routes.push(second);
    p
}

#[test]
fn a_circuit_whose_own_port_does_not_hear_the_gateway_carries_nothing() {
    let mut p = two_circuits();
    assert!(once(&p).paths.iter().all(PathView::holds));
    // Microsoft's own link of the second circuit fails: its port loses the virtual network, and nobody else's tables do.
    let rows = PRIMARY.map(|r| r.replace("169.254.101.217", "169.254.102.217"));
    p.express_routes[1].ports[0].routes = Reading::Read(circuit(&[&rows[0], &rows[1]]));
    let j = once(&p);
    let second = path(&j, "lab-er-second+lab-dx-main");
    assert_eq!(
        (second.azure_to_aws, second.aws_to_azure),
        (PathState::Down, PathState::Down)
    );
    assert!(path(&j, "lab-er-main+lab-dx-main").holds());
}

#[test]
fn a_prefix_that_covers_both_clouds_and_leads_elsewhere_carries_nothing() {
    // The VPC's own prefix is gone; a network behind the router announces 172.16.0.0/12.
    let mut p = lab();
    let mut rows: Vec<String> = ER_LEARNED.iter().map(|r| (*r).to_owned()).collect();
    rows.truncate(3);
    rows.push("172.16.0.0/12 EBgp 172.29.255.4 12076-64600-65001 32769".to_owned());
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    p.er_gateway.as_mut().unwrap().learned = Reading::Read(learned(&rows));
    p.nics[0].routes = Reading::Read(nic(&[("172.16.0.0/12", "10.3.129.92")]));
    let j = once(&p);
    assert_eq!(
        (available(&j).0, j.active),
        (Truth::False, Some(Active::None))
    );
}

#[test]
fn a_virtual_private_gateway_that_does_not_answer_takes_both_directions() {
    let mut p = lab();
    p.direct_connects[0].advertised = vif(VifDirection::Advertised, &[]);
    let er = path(&once(&p), "lab-er-main+lab-dx-main").clone();
    assert_eq!(er.aws_to_azure, PathState::Down);
    assert!(
        er.message
            .unwrap()
            .contains("AWS advertises nothing of the VPC")
    );
}

/// AWS has turned to the VPN already, Azure's table is older.
fn half_way() -> Picture {
    let mut p = lab();
    p.direct_connects[0].accepted = vif(VifDirection::Accepted, &[]);
    p
}

#[test]
fn a_moment_of_a_failover_is_not_split_and_what_stays_is() {
    let mut memory = Memory::default();
    assert_eq!(
        judge(&lab(), &mut memory, &at(0)).active,
        Some(Active::ExpressRoute)
    );
    let j = judge(&half_way(), &mut memory, &at(15));
    assert_eq!((j.active, j.pending), (Some(Active::ExpressRoute), true));
    assert_eq!(
        judge(&failed_over(), &mut memory, &at(30)).active,
        Some(Active::Vpn)
    );
    let mut memory = Memory::default();
    judge(&lab(), &mut memory, &at(0));
    let seen: Vec<Option<Active>> = (1..=5)
        .map(|i| judge(&half_way(), &mut memory, &at(15 * i)).active)
        .collect();
    let er = Some(Active::ExpressRoute);
    assert_eq!(seen, [er, er, er, er, Some(Active::Split)]);
}

#[test]
fn the_fabric_is_not_believed_when_its_gateway_says_otherwise() {
    let mut p = lab();
    let mut rows = ER_LEARNED.to_vec();
    rows.remove(3);
    p.er_gateway.as_mut().unwrap().learned = Reading::Read(learned(&rows));
    let j = once(&p);
    assert_eq!((available(&j).0, j.active), (Truth::Unknown, None));
}

#[test]
fn a_recovery_whose_evidence_comes_piece_by_piece_is_no_outage() {
    // Over the VPN; then the circuit's session comes back. AWS's table is read already, the edge's word is the last one.
    let mut memory = Memory::default();
    let mut p = lab();
    let port = &mut p.express_routes[0].ports[0];
    port.router_says = Reading::Read(Some(session("169.254.101.218", SessionState::Down)));
    port.edge_says = says("169.254.101.217", SessionState::Down);
    p.nics[0].routes = failed_over().nics[0].routes.clone();
    p.direct_connects[0].accepted = vif(VifDirection::Accepted, &[]);
    let j = judge(&p, &mut memory, &at(0));
    assert_eq!(
        (available(&j).0, j.active),
        (Truth::True, Some(Active::Vpn))
    );
    p.direct_connects[0].accepted = vif(VifDirection::Accepted, &["172.29.0.0/16"]);
    for i in 1..3 {
        let j = judge(&p, &mut memory, &at(15 * i));
        assert_eq!(
            (available(&j).0, j.active),
            (Truth::True, Some(Active::Vpn))
        );
        assert_eq!(bgp(&j), (Truth::False, "SessionDown"), "that one is down");
    }
    // A contradiction that lasts is not known to be an outage, nor to be none.
    let j = judge(&p, &mut memory, &at(45));
    assert_eq!((available(&j).0, j.active), (Truth::Unknown, None));
    let why = &j.verdicts.available.as_ref().unwrap().message;
    assert!(
        why.contains("AWS accepts 172.29.0.0/16") && why.contains("169.254.101.218"),
        "{why}"
    );
    // Where the machines still send it into the dead session, it is an outage at once.
    p.nics[0].routes = lab().nics[0].routes.clone();
    let j = judge(&p, &mut memory, &at(60));
    assert_eq!(
        (available(&j).0, j.active),
        (Truth::False, Some(Active::None))
    );
}
