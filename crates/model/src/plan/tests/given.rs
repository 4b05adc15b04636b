//! What is there already: objects that are taken over, and the last path that holds.

use super::*;
use crate::plan::Blocker;

/// One object of a slot as a person left it: unmarked, with fields of its own.
fn theirs(slot: &str, fields: &[(&str, &str)], adopt: bool) -> (Graph, Observed) {
    let mut graph = crate::graph::interconnect::graph(&lab::interconnect(Vec::new()), &[]);
    let world = World::new(graph.clone(), 0);
    let mut observed = world.observed();
    if let Some(Seen::Present(p)) = observed.seen.get_mut(slot) {
        p.ownership = Ownership::Unmarked;
    } else {
        let mut p = world.present(&SlotId::new(slot), State::Ready);
        p.ownership = Ownership::Unmarked;
        observed
            .seen
            .insert(SlotId::new(slot), Seen::Present(Box::new(p)));
    }
    if let Some(Seen::Present(p)) = observed.seen.get_mut(slot) {
        p.fields = fields
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
    }
    if adopt {
        graph.slots.get_mut(slot).unwrap().adopt = Some(crate::slot::Adoption {
            id: format!("ID-{slot}"),
            field: format!("spec.{slot}.adoptID"),
        });
    }
    (graph, observed)
}

fn planned(graph: &Graph, observed: &Observed, policy: &Policy) -> Plan {
    plan(Input {
        graph,
        observed,
        policy,
        mode: Mode::Converge,
        timing: &Timing::scaled(1.0),
        now: World::at(1_000_000),
        other_path_proven: None,
        consent: true,
    })
}

fn verbs(p: &Plan) -> Vec<String> {
    p.actions
        .iter()
        .map(|a| format!("{} {}", a.verb(), a.slot()))
        .collect()
}

#[test]
fn what_fits_is_taken_over_before_anything_is_made() {
    let fits = [
        ("asn", "64600"),
        ("portSpeedMbps", "1000"),
        ("locationID", "67"),
    ];
    let (graph, observed) = theirs("router-a", &fits, true);
    assert_eq!(
        verbs(&planned(&graph, &observed, &lab::policy())),
        ["Adopt router-a"]
    );
    // Nobody asked for it: then it is a conflict, and everything else goes on.
    let (graph, observed) = theirs("router-a", &fits, false);
    let p = planned(&graph, &observed, &lab::policy());
    assert!(
        p.blockers.iter().any(|b| b.why == Why::NameConflict),
        "{p:#?}"
    );
    assert!(!verbs(&p).contains(&"Adopt router-a".to_owned()));
    // Observing and pausing write nothing, not even a mark.
    let (graph, observed) = theirs("router-a", &fits, true);
    for policy in [
        Policy {
            observe_only: true,
            ..lab::policy()
        },
        Policy {
            paused: true,
            ..lab::policy()
        },
    ] {
        assert_eq!(
            verbs(&planned(&graph, &observed, &policy)),
            Vec::<String>::new()
        );
    }
}

#[test]
fn what_does_not_fit_stops_everything_and_says_what_differs() {
    let (graph, observed) = theirs(
        "router-a",
        &[("asn", "64555"), ("portSpeedMbps", "1000")],
        true,
    );
    let p = planned(&graph, &observed, &lab::policy());
    assert_eq!(verbs(&p), Vec::<String>::new());
    let b = p
        .blockers
        .iter()
        .find(|b| b.why == Why::AdoptionRefused)
        .unwrap();
    for words in [
        "spec.router-a.adoptID",
        "id-router-a",
        "asn is 64555",
        "says 64600",
        "correct",
    ] {
        assert!(b.message.contains(words), "{words}: {}", b.message);
    }
    // Somebody else's mark.
    let (graph, mut observed) = theirs("router-a", &[], true);
    if let Some(Seen::Present(p)) = observed.seen.get_mut("router-a") {
        p.ownership = Ownership::Foreign("HybridInterconnect network/other".to_owned());
    }
    let p = planned(&graph, &observed, &lab::policy());
    assert_eq!(verbs(&p), Vec::<String>::new());
    let b = p
        .blockers
        .iter()
        .find(|b| b.why == Why::NameConflict)
        .unwrap();
    assert!(
        b.message.contains("HybridInterconnect network/other"),
        "{}",
        b.message
    );
    // Not there: nothing is ordered in its place.
    let (graph, mut observed) = theirs("router-a", &[], true);
    observed.seen.insert(SlotId::new("router-a"), Seen::Absent);
    let p = planned(&graph, &observed, &lab::policy());
    assert_eq!(verbs(&p), Vec::<String>::new());
    assert!(
        p.blockers.iter().any(|b| b.why == Why::AdoptionRefused),
        "{p:#?}"
    );
    // It was taken over once and is gone now: made anew.
    observed.records.insert(
        SlotId::new("router-a"),
        Record {
            id: Some("id-router-a".to_owned()),
            intent: None,
            seen: true,
            applied: BTreeMap::new(),
        },
    );
    assert!(
        verbs(&planned(&graph, &observed, &lab::policy())).contains(&"Create router-a".to_owned())
    );
}

/// A peering that Megaport made on a circuit comes along, if it is what the spec says.
#[test]
fn what_hangs_on_an_adopted_circuit_must_fit_too() {
    let none: [SlotId; 0] = [];
    let mut graph = crate::graph::expressroute::graph(&lab::express_route(), &none);
    graph.slots.get_mut("circuit").unwrap().adopt = Some(crate::slot::Adoption {
        id: "id-circuit".to_owned(),
        field: "spec.circuit.adoptID".to_owned(),
    });
    let world = World::new(graph.clone(), 0);
    let mut observed = world.observed();
    for (slot, vlan) in [("circuit", None), ("peering", Some("100"))] {
        let mut p = world.present(&SlotId::new(slot), State::Ready);
        p.ownership = Ownership::Unmarked;
        p.fields
            .extend(vlan.map(|v| ("vlanID".to_owned(), v.to_owned())));
        observed
            .seen
            .insert(SlotId::new(slot), Seen::Present(Box::new(p)));
    }
    assert_eq!(
        verbs(&planned(&graph, &observed, &lab::policy())),
        ["Adopt circuit"]
    );
    if let Some(Seen::Present(p)) = observed.seen.get_mut("peering") {
        p.fields.insert("vlanID".to_owned(), "300".to_owned());
    }
    let p = planned(&graph, &observed, &lab::policy());
    assert_eq!(verbs(&p), Vec::<String>::new());
    let b = p
        .blockers
        .iter()
        .find(|b| b.why == Why::AdoptionRefused)
        .unwrap();
    assert!(
        b.message.contains("private peering's vlanID is 300"),
        "{}",
        b.message
    );
}

/// A link of a living interconnect waits with its deletion while it carries the only path; consent ends the waiting.
#[test]
fn the_only_path_is_not_deleted_without_consent() {
    let graph = crate::graph::directconnect::graph(&lab::direct_connect(), &[]);
    let mut world = World::new(graph, 0);
    for id in ["vxc-aws", "vif"] {
        world.objects.insert(
            SlotId::new(id),
            Object {
                ready_at: 0,
                gone_at: None,
                visible_at: 0,
                confirmed: true,
            },
        );
    }
    let observed = world.observed();
    for (consent, proven, wanted) in [
        (false, Some(false), &[][..]),
        (false, Some(true), &["Delete vif"][..]),
        (false, None, &["Delete vif"][..]),
        (true, Some(false), &["Delete vif"][..]),
    ] {
        let p = plan(Input {
            graph: &world.graph,
            observed: &observed,
            policy: &lab::policy(),
            mode: Mode::TearDown,
            timing: &Timing::scaled(1.0),
            now: World::at(world.now),
            other_path_proven: proven,
            consent,
        });
        assert_eq!(
            verbs(&p),
            wanted,
            "consent {consent}, proven {proven:?}: {p:#?}"
        );
        let waits = p.blockers.iter().any(|b| b.why == Why::LastHealthyPath);
        assert_eq!(waits, wanted.is_empty());
    }
}

/// The marks were sent and reads do not show them yet: it is neither taken for done nor forgotten.
#[test]
fn what_was_begun_to_be_taken_over_is_waited_for() {
    let fits = [
        ("asn", "64600"),
        ("portSpeedMbps", "1000"),
        ("locationID", "67"),
    ];
    let (graph, mut observed) = theirs("router-a", &fits, true);
    let router = SlotId::new("router-a");
    let now = World::at(1_000_000);
    let record = crate::observe::Record {
        id: None,
        intent: Some(now),
        seen: false,
        applied: BTreeMap::new(),
    };
    observed.records.insert(router.clone(), record);
    observed.read_at.insert(router.clone(), now);
    assert_eq!(
        verbs(&planned(&graph, &observed, &lab::policy())),
        ["Adopt router-a"],
        "something is made beside it"
    );
    let going = |at: Timestamp, observed: &Observed| {
        plan(Input {
            graph: &graph,
            observed,
            policy: &lab::policy(),
            mode: Mode::TearDown,
            timing: &Timing::scaled(1.0),
            now: at,
            other_path_proven: None,
            consent: true,
        })
    };
    let p = going(now, &observed);
    assert!(!p.done && p.forget.is_empty(), "{p:#?}");
    let lag = |b: &&Blocker| b.slot == router && b.why == Why::ReadLag;
    assert!(p.blockers.iter().any(|b| lag(&b)), "{p:#?}");
    // Reads from long after show no mark: it was never ours.
    let later = World::at(1_100_000);
    observed.read_at.insert(router.clone(), later);
    assert!(going(later, &observed).forget.contains(&router));
    // It vanished before it was marked: nothing is made in its place.
    observed.seen.insert(router.clone(), Seen::Absent);
    let p = plan(Input {
        now: later,
        mode: Mode::Converge,
        observed: &observed,
        graph: &graph,
        policy: &lab::policy(),
        timing: &Timing::scaled(1.0),
        other_path_proven: None,
        consent: true,
    });
    let refused = |b: &&Blocker| b.slot == router && b.why == Why::AdoptionRefused;
    assert!(p.blockers.iter().any(|b| refused(&b)), "{p:#?}");
    assert_eq!(verbs(&p), Vec::<String>::new());
}
