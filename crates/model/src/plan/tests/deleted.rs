//! What somebody deleted in a portal, and what hangs on it.

use super::*;
use crate::desired::Change;
use crate::graph::outside_addresses;

fn built(graph: Graph) -> World {
    let mut w = World::new(graph, 0);
    w.run(Mode::Converge);
    w
}

/// The hosted virtual interface is made with the VXC's order and never again.
#[test]
fn a_virtual_interface_that_somebody_deleted_comes_back_with_another_order_only() {
    let w = built(crate::graph::directconnect::graph(
        &lab::direct_connect(),
        &[],
    ));
    let vif = SlotId::new("vif");
    let recorded = |id: &str, seen: bool| Record {
        id: Some(id.to_owned()),
        intent: None,
        seen,
        applied: BTreeMap::new(),
    };
    let gone = |id: &str| Seen::Gone { id: id.to_owned() };
    let vxc = |state: State| Seen::Present(Box::new(w.present(&"vxc-aws".into(), state)));
    // The VXC says that its interface is dxvif-1.
    for (seen, record, order, why) in [
        (gone("dxvif-1"), None, State::Ready, Why::Terminal),
        (
            Seen::Absent,
            Some(recorded("dxvif-1", true)),
            State::Ready,
            Why::Terminal,
        ),
        // Not seen yet, or of an order before this one: it will come.
        (
            Seen::Absent,
            Some(recorded("dxvif-1", false)),
            State::Ready,
            Why::Settling,
        ),
        (
            Seen::Absent,
            Some(recorded("dxvif-0", true)),
            State::Ready,
            Why::Settling,
        ),
        // The order ends as well, and another one follows it.
        (gone("dxvif-1"), None, State::Deleting, Why::Settling),
    ] {
        let mut observed = w.observed();
        observed.seen.insert(vif.clone(), seen.clone());
        observed.seen.insert("vxc-aws".into(), vxc(order.clone()));
        observed.records.remove(&vif);
        observed
            .records
            .extend(record.clone().map(|r| (vif.clone(), r)));
        let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
        let b = p.blockers.iter().find(|b| b.slot == vif).unwrap();
        assert_eq!(b.why, why, "{seen:?} {record:?} {order:?}: {}", b.message);
        assert!(p.actions.is_empty(), "{:?}", p.actions);
        if why == Why::Terminal {
            assert!(b.message.contains("was deleted at AWS"), "{}", b.message);
            assert!(b.message.contains("cancel VXC"), "{}", b.message);
        }
    }
    // What may only be an older read is waited for first.
    let mut observed = w.observed();
    observed.seen.insert(vif.clone(), Seen::Absent);
    observed
        .records
        .insert(vif.clone(), recorded("dxvif-1", true));
    observed.memos.entry(vif.clone()).or_default().seen_since = Some(World::at(w.now));
    let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
    let b = p.blockers.iter().find(|b| b.slot == vif).unwrap();
    assert_eq!(b.why, Why::ReadLag, "{}", b.message);
}

/// A VPN connection that is made anew has other addresses, and so has a public IP: the other side's object is told, or a
/// person is where it can not be.
#[test]
fn the_other_end_of_a_tunnel_is_followed_when_it_moves() {
    let mut w = built(crate::graph::vpn::graph(&lab::vpn(), &[]));
    let ends = outside_addresses([
        ("169.254.22.0/30".parse().unwrap(), "203.0.113.8"),
        ("169.254.21.0/30".parse().unwrap(), "203.0.113.7"),
    ]);
    let mut observed = w.observed();
    let mut set = |slot: &str, change: &dyn Fn(&mut Present)| {
        let Some(Seen::Present(p)) = observed.seen.get_mut(slot) else {
            panic!("{slot} is not there");
        };
        change(p);
    };
    set("vpn-connection-0", &|p| {
        p.outputs.insert(Output::OutsideAddress, ends.clone());
    });
    for (slot, field, value) in [
        ("lng-0-1", "gatewayIpAddress", "198.51.100.1"),
        ("lng-0-2", "gatewayIpAddress", "203.0.113.8"),
        // What is not known does not differ.
        ("lng-1-1", "gatewayIpAddress", "198.51.100.3"),
        ("cgw-0", "ipAddress", "198.51.100.9"),
        ("cgw-1", "ipAddress", "203.0.113.1"),
    ] {
        set(slot, &|p| {
            p.fields.insert(field.to_owned(), value.to_owned());
        });
    }
    w.graph.learn(&observed.seen);
    let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
    let [Action::Update { slot, drift }] = p.actions.as_slice() else {
        panic!("{:#?}", p.actions);
    };
    assert_eq!(slot.as_str(), "lng-0-1");
    assert_eq!(drift[0].want, "203.0.113.7");
    // The tunnel carries nothing: nothing has to be proven first.
    assert_eq!(drift[0].change, Change::InPlace);
    let refused: Vec<_> = p
        .blockers
        .iter()
        .filter(|b| b.why == Why::RefusedChange)
        .collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0].slot.as_str(), "cgw-0");
    assert!(
        refused[0]
            .message
            .contains("ipAddress is 198.51.100.9 and should be 203.0.113.1"),
        "{}",
        refused[0].message
    );
}
