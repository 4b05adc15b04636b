//! The one planner: walks any slot graph and says what can be done now, what is in the way, and when to look again.
//!
//! `plan` is a pure function of the graph, what was observed, the policy and the time. It covers the union of desired,
//! recorded and found slots, so that what the spec no longer names is taken down and not leaked. Nothing here waits:
//! a plan says when to look again.

mod adopt;
mod converge;
mod teardown;
#[cfg(test)]
mod tests;
mod twins;

use crate::desired::{Change, Drift};
use crate::observe::{Memo, Observed, Ownership, Present, Seen, State};
use crate::provider::Timing;
use crate::slot::{Birth, Graph, Level, LockKey, Need, Recognition, Slot, SlotId};
use crate::spec::Policy;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whether the owner lives or is being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Mode {
    Converge,
    TearDown,
}

/// Everything that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub graph: &'a Graph,
    pub observed: &'a Observed,
    pub policy: &'a Policy,
    pub mode: Mode,
    pub timing: &'a Timing,
    pub now: Timestamp,
    /// Whether another path was proven to carry traffic; `None` where no path of anybody's is at stake.
    pub other_path_proven: Option<bool>,
    /// Whether the owner's deletion is consent to lose its paths: not that of a link whose interconnect lives on.
    pub consent: bool,
}

/// Something to do now; all actions of one plan are independent of each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "do")]
pub enum Action {
    Create {
        slot: SlotId,
    },
    /// Put our marks on an object that is to be taken over, and nothing else.
    Adopt {
        slot: SlotId,
    },
    Update {
        slot: SlotId,
        drift: Vec<Drift>,
    },
    /// Accept what emerged.
    Confirm {
        slot: SlotId,
    },
    /// Make the provider look again at a state that lags.
    Refresh {
        slot: SlotId,
    },
    Delete {
        slot: SlotId,
    },
    /// Cancel a second product with this slot's mark; the first one stays.
    CancelTwin {
        slot: SlotId,
        id: String,
    },
    /// Take our marks off and forget it (deletionPolicy Retain).
    Release {
        slot: SlotId,
    },
}

impl Action {
    pub fn slot(&self) -> &SlotId {
        match self {
            Self::Create { slot }
            | Self::Adopt { slot }
            | Self::Update { slot, .. }
            | Self::Confirm { slot }
            | Self::Refresh { slot }
            | Self::Delete { slot }
            | Self::CancelTwin { slot, .. }
            | Self::Release { slot } => slot,
        }
    }
    /// For logs, Events and metrics.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "Create",
            Self::Adopt { .. } => "Adopt",
            Self::Update { .. } => "Update",
            Self::Confirm { .. } => "Confirm",
            Self::Refresh { .. } => "Refresh",
            Self::Delete { .. } => "Delete",
            Self::CancelTwin { .. } => "CancelTwin",
            Self::Release { .. } => "Release",
        }
    }
}

/// Why a slot does not move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why")]
pub enum Why {
    /// Another slot must come first.
    WaitingFor {
        slot: SlotId,
        level: Level,
    },
    /// The provider works on it.
    Settling,
    /// Somebody holds a lock that it needs.
    Locked {
        lock: LockKey,
        by: String,
    },
    /// A write was accepted and reads may not show it yet.
    ReadLag,
    Unreadable,
    /// A call failed; the next try comes later.
    Backoff,
    /// Only a person can help: the failure will not go away by itself.
    Terminal,
    Auth,
    Quota,
    /// A second product carries the mark of the first.
    Duplicate,
    /// Somebody else's object stands where ours should be.
    NameConflict,
    /// The object that `adoptID` names is not there or does not fit.
    AdoptionRefused,
    /// The spec asks for a change that the living object can not make.
    RefusedChange,
    /// The provider gave up on it.
    ProviderFailed,
    /// The provider side of a circuit has not followed yet.
    WaitingForProvider,
    /// The private peering must go first (the Deleting reason of its own).
    WaitingForPeeringRemoval,
    WaitingForProviderDeprovision,
    BlockedByDependents {
        slots: Vec<SlotId>,
    },
    LastHealthyPath,
    /// Drift that the policy only reports.
    ReportOnly,
    ObserveOnly,
    Paused,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    pub slot: SlotId,
    #[serde(flatten)]
    pub why: Why,
    /// For people: names the object and what it waits for.
    pub message: String,
}

/// What status shows of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// Not ordered yet.
    Pending,
    Creating,
    Ready,
    Updating,
    Failed,
    Deleting,
    Gone,
    /// Could not be read.
    Unknown,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// Objects to record: seen, ours, and not recorded with this ID yet.
    pub adopt: BTreeMap<SlotId, String>,
    /// Records to drop: their objects are gone for good.
    pub forget: Vec<SlotId>,
    pub blockers: Vec<Blocker>,
    pub phases: BTreeMap<SlotId, Phase>,
    pub drift: BTreeMap<SlotId, Vec<Drift>>,
    pub look_again: Duration,
    /// Converge: every wanted slot is Ready without drift and nothing unwanted is left. `TearDown`: nothing is left.
    pub done: bool,
}

/// The walk's working state.
struct Walk<'a> {
    input: Input<'a>,
    plan: Plan,
    /// Locks taken by actions of this plan.
    taken: BTreeSet<LockKey>,
    left: bool,
}

/// Plans.
pub fn plan(input: Input<'_>) -> Plan {
    let mut walk = Walk {
        input,
        plan: Plan {
            actions: Vec::new(),
            adopt: BTreeMap::new(),
            forget: Vec::new(),
            blockers: Vec::new(),
            phases: BTreeMap::new(),
            drift: BTreeMap::new(),
            look_again: input.timing.resync,
            done: false,
        },
        taken: BTreeSet::new(),
        left: false,
    };
    // Longest chain first: where two slots want one lock, the one that more depends on gets it.
    for slot in by_depth(input.graph) {
        if slot.imported {
            walk.imported(slot);
        } else if slot.wanted && input.mode == Mode::Converge {
            walk.converge(slot);
        } else {
            walk.tear_down(slot);
        }
    }
    walk.nothing_half_built();
    let Walk { mut plan, left, .. } = walk;
    plan.done = !left && plan.actions.is_empty();
    if !plan.actions.is_empty() {
        plan.look_again = plan.look_again.min(input.timing.settling);
    }
    plan
}

/// Slots ordered by how long a chain of others waits for them, longest first, then by name.
fn by_depth(graph: &Graph) -> Vec<&Slot> {
    let mut depth: BTreeMap<&SlotId, usize> = graph.slots.keys().map(|k| (k, 0)).collect();
    // At most as many rounds as slots: the graph has no cycles.
    for _ in 0..graph.slots.len() {
        let mut changed = false;
        for slot in graph.slots.values() {
            let own = depth.get(&slot.id).copied().unwrap_or(0);
            for need in &slot.needs {
                if let Some(d) = depth.get_mut(&need.slot)
                    && *d < own + 1
                {
                    *d = own + 1;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    let mut slots: Vec<&Slot> = graph.slots.values().collect();
    slots.sort_by(|a, b| {
        depth
            .get(&b.id)
            .cmp(&depth.get(&a.id))
            .then(a.id.cmp(&b.id))
    });
    slots
}

impl Walk<'_> {
    fn seen(&self, id: &SlotId) -> Seen {
        // What was never looked at is not absent.
        self.input
            .observed
            .seen
            .get(id)
            .cloned()
            .unwrap_or_else(|| Seen::Unreadable("not read yet".to_owned()))
    }

    fn memo(&self, id: &SlotId) -> Memo {
        self.input
            .observed
            .memos
            .get(id)
            .cloned()
            .unwrap_or_default()
    }

    /// "circuit `to-megaport`" for messages.
    fn describe(slot: &Slot) -> String {
        match slot.desired.name() {
            Some(name) => format!("{} {name}", slot.noun),
            None => format!("{} ({})", slot.noun, slot.id),
        }
    }

    fn describe_id(&self, id: &SlotId) -> String {
        self.input
            .graph
            .slots
            .get(id)
            .map_or_else(|| id.to_string(), Self::describe)
    }

    fn block(&mut self, slot: &Slot, why: Why, message: String) {
        self.left = true;
        self.plan.blockers.push(Blocker {
            slot: slot.id.clone(),
            why,
            message,
        });
    }

    fn look_within(&mut self, d: Duration) {
        self.plan.look_again = self.plan.look_again.min(d.max(Duration::from_millis(5)));
    }

    fn phase(&mut self, slot: &Slot, phase: Phase) {
        self.plan.phases.insert(slot.id.clone(), phase);
    }

    /// Since `then`, or zero when it is in the future.
    fn age(&self, then: Timestamp) -> Duration {
        Duration::try_from(self.input.now.duration_since(then)).unwrap_or_default()
    }

    /// An accepted write is younger than the provider's read lag, or the read is older than the write.
    fn reads_may_lag(&self, slot: &Slot) -> bool {
        let Some(acted) = self.memo(&slot.id).acted else {
            return false;
        };
        self.age(acted) < self.input.timing.lag(slot.provider)
            || self
                .input
                .observed
                .read_at
                .get(&slot.id)
                .is_none_or(|read| *read <= acted)
    }

    /// A create whose outcome reads may not show yet. What a read says counts from when it began: one from before the
    /// call or from within the lag after it proves nothing, however long ago that is (a poller may have been held up, and
    /// a call may have taken long).
    fn create_is_ambiguous(&self, slot: &Slot) -> bool {
        let recent = |at: Timestamp| self.may_be_invisible(slot, at);
        let memo = self.memo(&slot.id);
        let record = self.input.observed.records.get(&slot.id);
        let sent = record.and_then(|r| r.intent).map(|intent| {
            let since = memo.pending_since.unwrap_or(intent);
            memo.acted.map_or(since, |at| at.max(since))
        });
        let wiped = slot.can_exist_twice() && self.input.observed.amnesia_since.is_some_and(recent);
        let late = sent.is_some() && self.predecessor_may_have_bought(slot);
        sent.is_some_and(recent) || wiped || late
    }

    /// Whether a read that lacks the object may only be older than it: another replica answered, or a list was cut from a state
    /// before its creation. Proven when the read shows a state from after we knew of it. A tombstone is no older than what it
    /// stands for.
    fn may_only_be_older(&self, slot: &Slot, seen: &Seen) -> bool {
        let record = self.input.observed.records.get(&slot.id);
        let since = self.memo(&slot.id).seen_since;
        *seen == Seen::Absent
            && record.is_some_and(|r| r.seen)
            && since.is_some_and(|at| self.may_be_invisible(slot, at))
    }

    /// Waits for a read that can not be older than the object, and says what happens `then`.
    fn awaits_newer_read(&mut self, slot: &Slot, seen: &Seen, then: &str) -> bool {
        if !self.may_only_be_older(slot, seen) {
            return false;
        }
        self.phase(slot, Phase::Unknown);
        self.look_within(self.input.timing.settling);
        let message = format!(
            "{} is missing in what {} shows, which may be older than it: should that last, {then}",
            Self::describe(slot),
            slot.provider
        );
        self.block(slot, Why::ReadLag, message);
        true
    }

    /// Whether what was carried out at `at` may be missing in what was read of this slot.
    fn may_be_invisible(&self, slot: &Slot, at: Timestamp) -> bool {
        let lag = self.input.timing.lag(slot.provider);
        let read = self.input.observed.read_at.get(&slot.id);
        let after = |read: &Timestamp| Duration::try_from(read.duration_since(at));
        self.age(at) < lag || read.is_some_and(|r| after(r).unwrap_or_default() < lag)
    }

    /// Whether an order of the process that led before this one may still become visible.
    fn predecessor_may_have_bought(&self, slot: &Slot) -> bool {
        let until = self.input.observed.predecessor_until;
        slot.paid && until.is_some_and(|at| self.may_be_invisible(slot, at))
    }

    /// Differences between spec and cloud, also in what only a record can tell.
    fn drift(&self, slot: &Slot, p: &Present) -> Vec<Drift> {
        let mut drift = slot.desired.drift(&p.fields);
        let nothing = BTreeMap::new();
        let record = self.input.observed.records.get(&slot.id);
        let applied = record.map_or(&nothing, |r| &r.applied);
        // Only when the spec changed: a session that somebody shut is theirs to start (api.md §2).
        if let (Some(session), Some(have)) = (slot.desired.session(), applied.get("shutdown"))
            && *have != session.shutdown.to_string()
        {
            drift.push(Drift {
                field: "shutdown",
                want: session.shutdown.to_string(),
                have: have.clone(),
                change: if session.shutdown {
                    Change::Interrupting
                } else {
                    Change::InPlace
                },
            });
        }
        if let Some(have) = &p.tags {
            let mut want: Vec<String> = Vec::new();
            let mut is: Vec<String> = Vec::new();
            for (k, v) in slot.tags.iter().filter(|(k, v)| have.get(*k) != Some(*v)) {
                want.push(format!("{k}={v}"));
                is.push(
                    have.get(k)
                        .map_or_else(|| format!("no {k}"), |h| format!("{k}={h}")),
                );
            }
            for k in slot.dropped_tags(applied) {
                if let Some(h) = have.get(k) {
                    want.push(format!("no {k}"));
                    is.push(format!("{k}={h}"));
                }
            }
            if !want.is_empty() {
                drift.push(Drift {
                    field: "tags",
                    want: want.join(", "),
                    have: is.join(", "),
                    change: Change::InPlace,
                });
            }
        }
        drift
    }

    /// The failure of the last call on this slot still forbids the next one.
    fn in_backoff(&mut self, slot: &Slot) -> bool {
        let memo = self.memo(&slot.id);
        let Some(until) = memo.not_before else {
            return false;
        };
        if until <= self.input.now {
            return false;
        }
        let wait = Duration::try_from(until.duration_since(self.input.now)).unwrap_or_default();
        self.look_within(wait);
        let (why, message) = match memo.failure {
            Some(f) if f.auth => (Why::Auth, f.message),
            Some(f) if f.quota => (Why::Quota, f.message),
            Some(f) if f.terminal => (Why::Terminal, f.message),
            Some(f) => (Why::Backoff, f.message),
            None => (
                Why::Backoff,
                format!("{}: trying again soon", Self::describe(slot)),
            ),
        };
        self.block(slot, why, message);
        true
    }

    /// Takes the slot's locks for an action of this plan, or says who holds them.
    fn take_locks(&mut self, slot: &Slot) -> bool {
        let busy = slot.locks.iter().find_map(|key| {
            if self.taken.contains(key) {
                return Some((key.clone(), "another step of this object".to_owned()));
            }
            let held = self.input.observed.held.get(key)?;
            Some((key.clone(), held.clone()))
        });
        if let Some((lock, by)) = busy {
            let message = format!(
                "{} waits: {by} is at work on {}, which takes one change at a time",
                Self::describe(slot),
                lock.describe()
            );
            self.block(slot, Why::Locked { lock, by }, message);
            self.look_within(self.input.timing.settling);
            return false;
        }
        self.taken.extend(slot.locks.iter().cloned());
        true
    }

    /// Whether a policy forbids all cloud writes; says so.
    fn writes_forbidden(&mut self, slot: &Slot, what: &str) -> bool {
        let policy = self.input.policy;
        let (why, word) = if policy.paused {
            (Why::Paused, "the object is paused")
        } else if policy.observe_only {
            (Why::ObserveOnly, "managementPolicy is ObserveOnly")
        } else {
            return false;
        };
        self.block(
            slot,
            why,
            format!("{} is not {what}: {word}", Self::describe(slot)),
        );
        true
    }

    fn reached(&self, need: &Need) -> bool {
        let Some(present) = self
            .input
            .observed
            .seen
            .get(&need.slot)
            .and_then(Seen::present)
        else {
            return false;
        };
        match need.level {
            Level::Exists => !matches!(present.state, State::Deleting),
            Level::Output(output) => present.outputs.contains_key(&output),
            Level::Ready => present.state == State::Ready,
        }
    }

    fn imported(&mut self, slot: &Slot) {
        let phase = match self.seen(&slot.id) {
            Seen::Unreadable(_) => Phase::Unknown,
            Seen::Absent => Phase::Pending,
            Seen::Gone { .. } => Phase::Gone,
            Seen::Present(p) => phase_of(&p),
        };
        self.phase(slot, phase);
    }

    fn is_ours(&self, slot: &Slot, p: &Present) -> bool {
        match p.ownership {
            Ownership::Ours => true,
            Ownership::Foreign(_) => false,
            Ownership::Unmarked => {
                let record = self.input.observed.records.get(&slot.id);
                matches!(
                    slot.recognition,
                    Recognition::Record | Recognition::Emergent
                ) && record.is_some()
            }
        }
    }

    fn act(&mut self, action: Action) {
        self.left = true;
        self.plan.actions.push(action);
    }
}

fn phase_of(p: &Present) -> Phase {
    match p.state {
        State::Settling { .. } | State::AwaitsConfirmation => Phase::Creating,
        State::Ready => Phase::Ready,
        State::Failed { .. } => Phase::Failed,
        State::Deleting => Phase::Deleting,
    }
}

/// An emerged object that was never confirmed goes with what it emerged from: it holds nothing.
fn unconfirmed(slot: &Slot, seen: &Seen) -> bool {
    matches!(slot.birth, Birth::Emerges { .. })
        && seen
            .present()
            .is_some_and(|p| p.state == State::AwaitsConfirmation)
}
