//! Steadiness: what a new process remembers, failovers and their outages, and that nothing flaps.

use super::lab::*;
use crate::health::*;
use crate::routes::Table;
use proptest::prelude::*;

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

#[test]
fn times_and_counters_stay_out_of_what_is_said() {
    for picture in [lab(), failed_over()] {
        let whole = once(&picture);
        let mut counted = picture.clone();
        for t in &mut counted.vpns[0].tunnels {
            if let Reading::Read(row) = &mut t.telemetry
                && row.up == Some(true)
            {
                row.accepted_routes = Some(7);
                row.message = "7 BGP ROUTES".into();
            }
        }
        for peers in [
            &mut counted.er_gateway.as_mut().unwrap().peers,
            &mut counted.vpns[0].peers,
        ] {
            if let Reading::Read(peers) = peers {
                for s in &mut peers.rows {
                    s.routes_received = Some(42);
                }
            }
        }
        let later = judge(&counted, &mut Memory::default(), &at(86_400));
        assert_eq!(later.verdicts, whole.verdicts);
        assert_eq!(later.paths, whole.paths);
    }
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
