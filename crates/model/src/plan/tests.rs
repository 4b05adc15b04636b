//! Tests of the planner: against a small simulated world that does what plans say, slowly and with lagging reads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation is the test's failure"
)]

mod deleted;
mod given;
mod orders;

use super::{Action, Input, Mode, Plan, Why, plan};
use crate::lab;
use crate::observe::{Memo, Observed, Ownership, Present, Record, Seen, State, Twin};
use crate::provider::{Provider, Timing};
use crate::slot::{Birth, Class, Graph, Level, LockKey, Output, SlotId};
use crate::spec::Policy;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// An object in the simulated world.
#[derive(Debug, Clone)]
struct Object {
    ready_at: i64,
    gone_at: Option<i64>,
    visible_at: i64,
    confirmed: bool,
}

/// A world with one owner: seconds are its time.
struct World {
    graph: Graph,
    now: i64,
    objects: BTreeMap<SlotId, Object>,
    records: BTreeMap<SlotId, Record>,
    memos: BTreeMap<SlotId, Memo>,
    lag: i64,
    /// Seconds that the provider side of the circuit needs to follow, and whether a refresh has shown it.
    provider_shown: bool,
    created: BTreeMap<SlotId, u32>,
    order: Vec<(String, SlotId)>,
}

const TAKES: i64 = 40;

impl World {
    fn new(graph: Graph, lag: i64) -> Self {
        Self {
            graph,
            now: 1_000_000,
            objects: BTreeMap::new(),
            records: BTreeMap::new(),
            memos: BTreeMap::new(),
            lag,
            provider_shown: false,
            created: BTreeMap::new(),
            order: Vec::new(),
        }
    }

    fn at(t: i64) -> Timestamp {
        Timestamp::from_second(t).unwrap()
    }

    fn exists(&self, slot: &str) -> bool {
        let with = self.graph.get(slot).and_then(|s| s.leaves_with.clone());
        if with.is_some_and(|with| !self.exists(with.as_str())) {
            return false;
        }
        self.objects
            .get(slot)
            .is_some_and(|o| o.gone_at.is_none_or(|g| self.now < g))
    }

    fn ready(&self, slot: &str) -> bool {
        self.exists(slot)
            && self
                .objects
                .get(slot)
                .is_some_and(|o| o.ready_at <= self.now && o.gone_at.is_none() && o.confirmed)
    }

    fn see(&self, id: &SlotId) -> Seen {
        let slot = self.graph.slots.get(id).unwrap();
        if slot.imported {
            return Seen::Present(Box::new(self.present(id, State::Ready)));
        }
        if let Birth::Emerges { from } = &slot.birth {
            if !self.ready(from.as_str()) {
                return Seen::Absent;
            }
            let state = match self.objects.get(id) {
                None => State::AwaitsConfirmation,
                Some(o) if o.gone_at.is_some_and(|g| g <= self.now) => return Seen::Absent,
                Some(o) if o.gone_at.is_some() => State::Deleting,
                Some(o) if o.ready_at > self.now => State::Settling {
                    forbids_deletion: false,
                },
                Some(_) => State::Ready,
            };
            return Seen::Present(Box::new(self.present(id, state)));
        }
        let Some(o) = self.objects.get(id) else {
            return Seen::Absent;
        };
        if self.now < o.visible_at || o.gone_at.is_some_and(|g| g <= self.now) {
            return Seen::Absent;
        }
        let state = if o.gone_at.is_some() {
            State::Deleting
        } else if o.ready_at > self.now {
            State::Settling {
                forbids_deletion: true,
            }
        } else {
            State::Ready
        };
        Seen::Present(Box::new(self.present(id, state)))
    }

    fn present(&self, id: &SlotId, state: State) -> Present {
        let slot = self.graph.slots.get(id).unwrap();
        let mut outputs = BTreeMap::new();
        let ready = state == State::Ready;
        match slot.class {
            Class::Circuit if ready => {
                outputs.insert(Output::ServiceKey, String::new());
                if self.provider_shown {
                    outputs.insert(Output::ProviderProvisioned, String::new());
                }
            }
            Class::VxcAws if ready => {
                outputs.insert(Output::VifId, "dxvif-1".to_owned());
                outputs.insert(Output::ConnectionId, "dxcon-1".to_owned());
            }
            Class::PublicIp if ready => {
                outputs.insert(Output::IpAddress, "203.0.113.1".to_owned());
            }
            Class::VpnConnection if ready => {
                outputs.insert(Output::OutsideAddress, String::new());
            }
            _ => {}
        }
        let holds = slot.class == Class::Circuit && self.provider_shown;
        Present {
            id: format!("id-{id}"),
            state,
            provider_state: "state".to_owned(),
            ownership: if slot.imported {
                Ownership::Unmarked
            } else {
                Ownership::Ours
            },
            outputs,
            fields: BTreeMap::new(),
            tags: None,
            holds_deletion: holds.then(|| "the provider side reads Provisioned".to_owned()),
        }
    }

    fn observed(&self) -> Observed {
        let seen: BTreeMap<SlotId, Seen> = self
            .graph
            .slots
            .keys()
            .map(|id| (id.clone(), self.see(id)))
            .collect();
        Observed {
            read_at: seen
                .keys()
                .map(|k| (k.clone(), Self::at(self.now)))
                .collect(),
            held: self.held(),
            seen,
            records: self.records.clone(),
            memos: self.memos.clone(),
            amnesia_since: None,
            predecessor_until: None,
            twins: BTreeMap::new(),
        }
    }

    /// Locks of objects that are not settled.
    fn held(&self) -> BTreeMap<LockKey, String> {
        self.graph
            .slots
            .values()
            .filter(|s| {
                self.objects.get(&s.id).is_some_and(|o| {
                    o.ready_at > self.now || o.gone_at.is_some_and(|g| g > self.now)
                })
            })
            .flat_map(|s| s.locks.iter().map(|l| (l.clone(), s.id.to_string())))
            .collect()
    }

    fn plan(&self, mode: Mode, policy: &Policy) -> Plan {
        self.plan_on(&self.observed(), mode, policy)
    }

    /// With something else observed than there is.
    fn plan_on(&self, observed: &Observed, mode: Mode, policy: &Policy) -> Plan {
        plan(Input {
            graph: &self.graph,
            observed,
            policy,
            mode,
            timing: &Timing::scaled(1.0),
            now: Self::at(self.now),
            other_path_proven: None,
            consent: true,
        })
    }

    fn apply(&mut self, p: &Plan) {
        let mut taken: BTreeSet<LockKey> = self.held().into_keys().collect();
        for (slot, id) in &p.adopt {
            self.records.insert(
                slot.clone(),
                Record {
                    id: Some(id.clone()),
                    intent: None,
                    seen: true,
                    applied: BTreeMap::new(),
                },
            );
        }
        for slot in &p.forget {
            self.records.remove(slot);
            self.memos.remove(slot);
        }
        for action in &p.actions {
            let slot = self.graph.slots.get(action.slot()).unwrap().clone();
            for lock in &slot.locks {
                assert!(
                    taken.insert(lock.clone()),
                    "{action:?} takes {lock}, which is held"
                );
            }
            self.order.push((action.verb().to_owned(), slot.id.clone()));
            let mut memo = self.memos.get(&slot.id).cloned().unwrap_or_default();
            match action {
                Action::Create { .. } => {
                    for need in &slot.needs {
                        let ok = self.graph.slots.get(&need.slot).unwrap().imported
                            || match need.level {
                                Level::Exists => self.exists(need.slot.as_str()),
                                _ => self.ready(need.slot.as_str()),
                            };
                        assert!(ok, "{} is created before {} is there", slot.id, need.slot);
                    }
                    assert!(
                        !self.exists(slot.id.as_str()),
                        "{} is created twice",
                        slot.id
                    );
                    *self.created.entry(slot.id.clone()).or_default() += 1;
                    self.records.insert(
                        slot.id.clone(),
                        Record {
                            id: None,
                            intent: Some(Self::at(self.now)),
                            seen: false,
                            applied: BTreeMap::new(),
                        },
                    );
                    memo.acted = Some(Self::at(self.now));
                    let lag = if slot.provider == Provider::Kubernetes {
                        0
                    } else {
                        self.lag
                    };
                    self.objects.insert(
                        slot.id.clone(),
                        Object {
                            ready_at: self.now + TAKES,
                            gone_at: None,
                            visible_at: self.now + lag,
                            confirmed: true,
                        },
                    );
                }
                Action::Confirm { .. } => {
                    memo.acted = Some(Self::at(self.now));
                    self.objects.insert(
                        slot.id.clone(),
                        Object {
                            ready_at: self.now + TAKES,
                            gone_at: None,
                            visible_at: 0,
                            confirmed: true,
                        },
                    );
                }
                Action::CancelTwin { .. } => panic!("there are no twins in this world"),
                Action::Refresh { .. } => {
                    memo.refreshed = Some(Self::at(self.now));
                    self.provider_shown = self.ready("vxc-primary");
                }
                Action::Delete { .. } => {
                    for first in &slot.gone_first {
                        let other = self.graph.slots.get(first).unwrap();
                        assert!(
                            other.imported || !self.exists(first.as_str()),
                            "{} is deleted before {first} is gone",
                            slot.id
                        );
                    }
                    if slot.class == Class::Circuit {
                        assert!(
                            !self.provider_shown,
                            "the circuit is deleted while the provider holds it"
                        );
                    }
                    memo.acted = Some(Self::at(self.now));
                    assert_eq!(slot.leaves_with, None, "{} is not ours to delete", slot.id);
                    let gone_at = Some(self.now + TAKES);
                    self.objects.get_mut(&slot.id).unwrap().gone_at = gone_at;
                }
                Action::Adopt { .. } | Action::Update { .. } | Action::Release { .. } => {
                    panic!("nothing to update or release: {action:?}")
                }
            }
            self.memos.insert(slot.id.clone(), memo);
        }
    }

    /// Runs until the plan says done; panics when that never comes.
    fn run(&mut self, mode: Mode) {
        for _ in 0..2000 {
            let p = self.plan(mode, &lab::policy());
            self.apply(&p);
            if p.done {
                return;
            }
            self.now += 7;
        }
        panic!("no end: {:#?}", self.plan(mode, &lab::policy()).blockers);
    }
}

#[test]
fn plans_converge_and_then_say_nothing() {
    for (name, graph) in lab::graphs() {
        let mut w = World::new(graph, 30);
        w.run(Mode::Converge);
        let p = w.plan(Mode::Converge, &lab::policy());
        assert!(
            p.actions.is_empty() && p.blockers.is_empty() && p.adopt.is_empty(),
            "{name}: {p:#?}"
        );
        assert!(
            w.created.values().all(|n| *n == 1),
            "{name}: {:?}",
            w.created
        );
        w.run(Mode::TearDown);
        assert!(w.records.is_empty(), "{name}: {:?}", w.records);
        let left: Vec<&SlotId> = w.objects.keys().filter(|s| w.exists(s.as_str())).collect();
        assert!(
            left.is_empty() || left.iter().all(|s| s.as_str() == "vif"),
            "{name}: {left:?}"
        );
    }
}

#[test]
fn the_circuit_goes_last_and_only_after_a_refresh() {
    let mut w = World::new(
        crate::graph::expressroute::graph(&lab::express_route(), &[]),
        0,
    );
    w.run(Mode::Converge);
    w.order.clear();
    w.run(Mode::TearDown);
    let words: Vec<String> = w.order.iter().map(|(v, s)| format!("{v} {s}")).collect();
    assert_eq!(
        words,
        [
            "Delete er-connection",
            "Delete peering",
            "Delete vxc-primary",
            "Refresh circuit",
            "Delete circuit"
        ]
    );
}

#[test]
fn independent_branches_start_at_once() {
    let w = World::new(
        crate::graph::interconnect::graph(&lab::interconnect(Vec::new()), &[]),
        0,
    );
    let p = w.plan(Mode::Converge, &lab::policy());
    let mut first: Vec<&str> = p.actions.iter().map(|a| a.slot().as_str()).collect();
    first.sort_unstable();
    assert_eq!(first, ["dxgw", "er-gateway", "router-a", "vgw"]);
}

#[test]
fn one_lock_one_action() {
    let mut w = World::new(crate::graph::vpn::graph(&lab::vpn(), &[]), 0);
    for _ in 0..40 {
        let p = w.plan(Mode::Converge, &lab::policy());
        let ipsec = p
            .actions
            .iter()
            .filter(|a| a.slot().as_str().starts_with("ipsec-"))
            .count();
        assert!(ipsec <= 1, "connections of one gateway are serial");
        w.apply(&p);
        w.now += 7;
    }
}

#[test]
fn unreadable_is_not_absent() {
    let w = World::new(
        crate::graph::expressroute::graph(&lab::express_route(), &[]),
        0,
    );
    let mut observed = w.observed();
    observed
        .seen
        .insert("circuit".into(), Seen::Unreadable("time-out".to_owned()));
    let input = |mode| Input {
        graph: &w.graph,
        observed: &observed,
        policy: Box::leak(Box::new(lab::policy())),
        mode,
        timing: Box::leak(Box::new(Timing::scaled(1.0))),
        now: World::at(w.now),
        other_path_proven: None,
        consent: true,
    };
    let p = plan(input(Mode::Converge));
    assert!(
        !p.actions.iter().any(|a| a.slot().as_str() == "circuit"),
        "{:?}",
        p.actions
    );
    assert!(p.blockers.iter().any(|b| b.why == Why::Unreadable));
    let p = plan(input(Mode::TearDown));
    assert!(!p.done, "what can not be read is not gone");
}

#[test]
fn somebody_else_s_object_is_a_conflict_and_is_left_alone() {
    let w = World::new(
        crate::graph::expressroute::graph(&lab::express_route(), &[]),
        0,
    );
    for ownership in [
        Ownership::Unmarked,
        Ownership::Foreign("ExpressRouteLink other/x".to_owned()),
    ] {
        let mut observed = w.observed();
        let mut p = w.present(&"circuit".into(), State::Ready);
        p.ownership = ownership;
        observed
            .seen
            .insert("circuit".into(), Seen::Present(Box::new(p)));
        for mode in [Mode::Converge, Mode::TearDown] {
            let policy = lab::policy();
            let timing = Timing::scaled(1.0);
            let got = plan(Input {
                graph: &w.graph,
                observed: &observed,
                policy: &policy,
                mode,
                timing: &timing,
                now: World::at(w.now),
                other_path_proven: None,
                consent: true,
            });
            assert!(
                !got.actions.iter().any(|a| a.slot().as_str() == "circuit"),
                "{mode:?}"
            );
            assert_eq!(
                got.blockers.iter().any(|b| b.why == Why::NameConflict),
                mode == Mode::Converge
            );
        }
    }
}

#[test]
fn policies_forbid_writes_and_say_so() {
    let w = World::new(crate::graph::vpn::graph(&lab::vpn(), &[]), 0);
    let paused = Policy {
        paused: true,
        ..lab::policy()
    };
    let p = w.plan(Mode::Converge, &paused);
    assert!(p.actions.is_empty() && p.blockers.iter().any(|b| b.why == Why::Paused));
    let observe = Policy {
        observe_only: true,
        ..lab::policy()
    };
    let p = w.plan(Mode::Converge, &observe);
    assert!(p.actions.is_empty() && p.blockers.iter().any(|b| b.why == Why::ObserveOnly));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whenever deletion strikes, it ends with nothing left, and nothing is ever made twice.
    #[test]
    fn deletion_at_any_moment_leaves_nothing(which in 0usize..4, steps in 0usize..80, lag in 0i64..50) {
        let (_, graph) = lab::graphs().swap_remove(which);
        let mut w = World::new(graph, lag);
        for _ in 0..steps {
            let p = w.plan(Mode::Converge, &lab::policy());
            w.apply(&p);
            w.now += 7;
        }
        w.run(Mode::TearDown);
        prop_assert!(w.records.is_empty());
        prop_assert!(w.created.values().all(|n| *n == 1));
        let left: Vec<String> = w.objects.keys().filter(|s| w.exists(s.as_str()) && s.as_str() != "vif").map(ToString::to_string).collect();
        prop_assert!(left.is_empty(), "{:?}", left);
    }

    /// A restart loses the memos and nothing else: still one of each.
    #[test]
    fn a_restart_at_any_moment_makes_nothing_twice(which in 0usize..4, steps in 0usize..80, lag in 0i64..50) {
        let (_, graph) = lab::graphs().swap_remove(which);
        let mut w = World::new(graph, lag);
        for _ in 0..steps {
            let p = w.plan(Mode::Converge, &lab::policy());
            w.apply(&p);
            w.now += 7;
        }
        w.memos.clear();
        w.run(Mode::Converge);
        prop_assert!(w.created.values().all(|n| *n == 1));
    }
}
