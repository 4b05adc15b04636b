//! Orders that may have arrived, products too many, and products that a provider does not take down.

use super::*;

/// A finished world with a router of its own.
fn with_router() -> World {
    let graphs = lab::graphs().into_iter();
    let mut graphs = graphs.filter(|(_, g)| g.slots.contains_key("router-a"));
    let mut w = World::new(graphs.next().unwrap().1, 0);
    w.run(Mode::Converge);
    w
}

#[test]
fn an_ambiguous_order_is_waited_for_before_it_is_repeated_or_given_up() {
    let mut w = World::new(
        crate::graph::interconnect::graph(&lab::interconnect(Vec::new()), &[]),
        0,
    );
    w.records.insert(
        "router-a".into(),
        Record {
            id: None,
            intent: Some(World::at(w.now - 60)),
            seen: false,
            applied: BTreeMap::new(),
        },
    );
    let orders = |w: &World, mode| {
        w.plan(mode, &lab::policy())
            .actions
            .iter()
            .any(|a| a.slot().as_str() == "router-a")
    };
    assert!(
        !orders(&w, Mode::Converge),
        "Megaport's reads may lag five minutes"
    );
    assert!(
        !w.plan(Mode::TearDown, &lab::policy()).done,
        "it may still show itself"
    );
    w.now += 300;
    assert!(orders(&w, Mode::Converge), "now it surely was not made");
    let p = w.plan(Mode::TearDown, &lab::policy());
    assert!(p.forget.contains(&"router-a".into()));
}

/// A status that was lost says nothing of what was made a moment ago: whatever can exist twice is waited for, also what is
/// free, and the rest is made at once.
#[test]
fn nothing_that_can_exist_twice_is_made_before_a_lost_status_has_been_made_up_for() {
    for (name, graph) in lab::graphs() {
        let w = World::new(graph, 0);
        let mut observed = w.observed();
        for (lost_for, all) in [(0, false), (301, true)] {
            observed.amnesia_since = Some(World::at(w.now - lost_for));
            let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
            let slots = p.actions.iter().map(|a| &w.graph.slots[a.slot()]);
            let mut twice = slots.filter(|s| s.can_exist_twice()).map(|s| &s.id);
            assert!(all || twice.next().is_none(), "{name}: {:?}", p.actions);
        }
        observed.amnesia_since = None;
        let free = w.plan_on(&observed, Mode::Converge, &lab::policy());
        assert!(!free.actions.is_empty(), "{name}");
    }
}

/// How old a record looks depends on two clocks. What counts is since when this process knows of it.
#[test]
fn an_order_written_down_by_another_clock_is_waited_for_as_long() {
    let graph = crate::graph::interconnect::graph(&lab::interconnect(Vec::new()), &[]);
    let mut w = World::new(graph, 0);
    for written in [w.now - 600, w.now + 600] {
        let record = Record {
            id: None,
            intent: Some(World::at(written)),
            seen: false,
            applied: BTreeMap::new(),
        };
        w.records.insert("router-a".into(), record);
        for (known_for, orders) in [(0, false), (299, false), (301, true)] {
            let memo = w.memos.entry("router-a".into()).or_default();
            memo.pending_since = Some(World::at(w.now - known_for));
            let p = w.plan(Mode::Converge, &lab::policy());
            let acts = p.actions.iter().any(|a| a.slot().as_str() == "router-a");
            assert_eq!(acts, orders, "written {written}, known for {known_for}");
        }
    }
}

/// A leader that took over without a hand-over buys nothing until what its predecessor may have sent has become visible:
/// with a record of the order or without one, and what is free is made at once.
#[test]
fn a_successor_buys_nothing_until_its_predecessors_orders_are_visible() {
    let mut w = World::new(
        crate::graph::interconnect::graph(&lab::interconnect(Vec::new()), &[]),
        0,
    );
    let until = w.now + 30;
    let plan_at = |w: &World, mode, read_at: i64| {
        let mut observed = w.observed();
        observed.predecessor_until = Some(World::at(until));
        for at in observed.read_at.values_mut() {
            *at = World::at(read_at);
        }
        w.plan_on(&observed, mode, &lab::policy())
    };
    let acts = |p: &Plan, slot: &str| p.actions.iter().any(|a| a.slot().as_str() == slot);
    let now = plan_at(&w, Mode::Converge, w.now);
    assert!(
        acts(&now, "vgw"),
        "a virtual private gateway costs nothing: {now:#?}"
    );
    assert!(
        !acts(&now, "router-a") && !acts(&now, "er-gateway"),
        "{now:#?}"
    );
    let said = now.blockers.iter().any(|b| {
        b.why == Why::ReadLag
            && b.message
                .contains("another operator led until a moment ago")
    });
    assert!(said, "{:#?}", now.blockers);
    // Azure's reads lag a minute, Megaport's five.
    w.now = until + 61;
    let minute = plan_at(&w, Mode::Converge, w.now);
    assert!(acts(&minute, "er-gateway") && !acts(&minute, "router-a"));
    w.now = until + 301;
    let old = plan_at(&w, Mode::Converge, until + 299);
    assert!(!acts(&old, "router-a"), "what was read before says nothing");
    assert!(acts(&plan_at(&w, Mode::Converge, w.now), "router-a"));
    // A deletion does not forget an order that the predecessor may still have made.
    w.now = until + 200;
    w.records.insert(
        "router-a".into(),
        Record {
            id: None,
            intent: Some(World::at(until - 200)),
            seen: false,
            applied: BTreeMap::new(),
        },
    );
    assert!(!plan_at(&w, Mode::TearDown, w.now).done);
    w.now = until + 301;
    let p = plan_at(&w, Mode::TearDown, w.now);
    assert!(p.forget.contains(&"router-a".into()), "{p:#?}");
}

/// A second product with one token: both are named, and only what is surely the later one and unused is cancelled.
#[test]
fn a_second_product_with_one_token_is_named_and_cancelled_when_surely_unused() {
    let mut w = World::new(
        crate::graph::interconnect::graph(&lab::interconnect(Vec::new()), &[]),
        0,
    );
    w.run(Mode::Converge);
    for (later, unused, cancelled) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut observed = w.observed();
        // Long after the last write: reads show everything.
        observed.memos.clear();
        let twin = Twin {
            id: "second".to_owned(),
            later,
            unused,
        };
        observed.twins.insert("router-a".into(), vec![twin]);
        let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
        let told = p.blockers.iter().find(|b| b.why == Why::Duplicate).unwrap();
        assert!(
            told.message.contains("id-router-a") && told.message.contains("second"),
            "{told:?}"
        );
        let acts = p.actions
            == [Action::CancelTwin {
                slot: "router-a".into(),
                id: "second".to_owned(),
            }];
        assert_eq!(acts, cancelled, "{later} {unused}: {:?}", p.actions);
        assert_eq!(p.actions.is_empty(), !cancelled);
    }
}

/// `CANCELLED` may be the minute before the end, or an end that failed (megaport.md §13.3): then it is cancelled again.
#[test]
fn a_product_that_stays_cancelled_is_cancelled_again() {
    let w = with_router();
    let mut observed = w.observed();
    let Some(Seen::Present(router)) = observed.seen.get_mut(&SlotId::new("router-a")) else {
        panic!("no router: {:?}", observed.seen.keys());
    };
    router.state = State::Deleting;
    router.provider_state = "CANCELLED".to_owned();
    for slot in w.graph.slots.keys().filter(|s| s.as_str() != "router-a") {
        observed.seen.insert(slot.clone(), Seen::Absent);
    }
    observed.memos.clear();
    let again = [Action::Delete {
        slot: "router-a".into(),
    }];
    for (seconds_ago, acts) in [
        (None, true),
        (Some(60), false),
        (Some(299), false),
        (Some(301), true),
    ] {
        if let Some(ago) = seconds_ago {
            observed.memos.entry("router-a".into()).or_default().acted =
                Some(World::at(w.now - ago));
        }
        let p = w.plan_on(&observed, Mode::TearDown, &lab::policy());
        assert_eq!(
            p.actions == again,
            acts,
            "{seconds_ago:?}: {:?} {:?}",
            p.actions,
            p.blockers
        );
    }
}

/// Status may be edited by people. What is found with our mark counts: its ID is recorded, also while it is taken down, or the
/// object that status named would be deleted next.
#[test]
fn the_record_follows_what_is_found_under_another_id() {
    let w = with_router();
    for mode in [Mode::Converge, Mode::TearDown] {
        let mut observed = w.observed();
        assert!(w.plan_on(&observed, mode, &lab::policy()).adopt.is_empty());
        let record = observed.records.get_mut("router-a").unwrap();
        let ours = record.id.replace("somebody's".to_owned()).unwrap();
        let p = w.plan_on(&observed, mode, &lab::policy());
        assert_eq!(p.adopt, BTreeMap::from([("router-a".into(), ours)]));
    }
}

/// Reads of one provider may go back in time, as answers of another replica do: an object that was made and seen a moment ago
/// is missing in them, and neither made anew nor given up. A tombstone is believed.
#[test]
fn what_reads_from_before_its_creation_lack_is_not_gone() {
    let w = with_router();
    let router = SlotId::new("router-a");
    let mut observed = w.observed();
    // A new process: what was done is in records only.
    observed.memos.clear();
    for (since, missing, gone) in [
        (0, Seen::Absent, false),
        (299, Seen::Absent, false),
        (301, Seen::Absent, true),
        (
            0,
            Seen::Gone {
                id: "id".to_owned(),
            },
            true,
        ),
    ] {
        observed.memos.entry(router.clone()).or_default().seen_since =
            Some(World::at(w.now - since));
        observed.seen.insert(router.clone(), missing.clone());
        let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
        let made = p.actions.iter().any(|a| *a.slot() == router);
        assert_eq!(made, gone, "{since} {missing:?}: {:?}", p.blockers);
        let p = w.plan_on(&observed, Mode::TearDown, &lab::policy());
        assert_eq!(p.forget.contains(&router), gone, "{since} {missing:?}");
    }
    // The read counts from when it began, however late it is looked at.
    let memo = observed.memos.entry(router.clone()).or_default();
    memo.seen_since = Some(World::at(w.now - 400));
    observed.seen.insert(router.clone(), Seen::Absent);
    observed
        .read_at
        .insert(router.clone(), World::at(w.now - 200));
    let p = w.plan_on(&observed, Mode::Converge, &lab::policy());
    assert!(!p.actions.iter().any(|a| *a.slot() == router));
}
