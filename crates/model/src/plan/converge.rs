//! The half of the planner that makes and mends what the spec names.

use super::{Action, Phase, Walk, Why, phase_of};
use crate::desired::{Change, Drift};
use crate::observe::{Ownership, Present, Seen, State};
use crate::slot::{Birth, Class, Level, Recognition, Slot, SlotId};
use std::time::Duration;

impl Walk<'_> {
    pub(super) fn converge(&mut self, slot: &Slot) {
        match self.seen(&slot.id) {
            Seen::Unreadable(why) => {
                self.phase(slot, Phase::Unknown);
                self.block(
                    slot,
                    Why::Unreadable,
                    format!("{} could not be read: {why}", Self::describe(slot)),
                );
                self.look_within(self.input.timing.settling);
            }
            Seen::Present(p) => self.present(slot, &p),
            seen @ (Seen::Absent | Seen::Gone { .. }) => self.absent(slot, &seen),
        }
    }

    fn present(&mut self, slot: &Slot, p: &Present) {
        self.phase(slot, phase_of(p));
        if !self.is_ours(slot, p) {
            return match Self::to_adopt(slot, p) {
                Some(adoption) => self.adopt(slot, p, adoption),
                None => self.not_ours(slot, p),
            };
        }
        let recorded = self.input.observed.records.get(&slot.id);
        if recorded
            .is_none_or(|r| r.id.as_deref() != Some(p.id.as_str()) || !r.seen || r.intent.is_some())
        {
            self.plan.adopt.insert(slot.id.clone(), p.id.clone());
        }
        match &p.state {
            State::Settling { .. } => {
                self.block(
                    slot,
                    Why::Settling,
                    format!("{} is {}", Self::describe(slot), p.provider_state),
                );
                self.look_within(self.input.timing.settling);
            }
            State::Deleting => {
                let held = p.holds_deletion.as_ref();
                let what = format!(
                    "{} is being deleted by somebody else; it is made anew when it is gone{}",
                    Self::describe(slot),
                    held.map(|by| format!(": {by}")).unwrap_or_default()
                );
                self.block(slot, Why::Settling, what);
                self.look_within(self.input.timing.settling);
            }
            State::AwaitsConfirmation => self.confirm(slot),
            State::Failed { message } => self.mend(slot, message),
            State::Ready => self.compare(slot, p),
        }
        self.twins(slot, p);
        self.refresh_for_creation(slot, p);
    }

    fn not_ours(&mut self, slot: &Slot, p: &Present) {
        let name = Self::describe(slot);
        match &p.ownership {
            // Found already on, recorded by nobody: used as it is, and never removed by us.
            Ownership::Unmarked if slot.recognition == Recognition::Record => {}
            Ownership::Foreign(owner) => {
                let message = format!(
                    "{name} ({}) belongs to {owner}: choose another name, or delete it there first",
                    p.id
                );
                self.block(slot, Why::NameConflict, message);
            }
            _ => {
                let message = format!(
                    "{name} ({}) exists and does not carry this object's mark: choose another name, or set adoptID to take it over",
                    p.id
                );
                self.block(slot, Why::NameConflict, message);
            }
        }
    }

    fn confirm(&mut self, slot: &Slot) {
        if self.reads_may_lag(slot) || !self.needs_reached(slot) {
            self.left = true;
            return self.look_within(self.input.timing.settling);
        }
        if self.writes_forbidden(slot, "confirmed")
            || self.in_backoff(slot)
            || !self.take_locks(slot)
        {
            return;
        }
        self.act(Action::Confirm {
            slot: slot.id.clone(),
        });
    }

    /// A resource left in `Failed` is usually mended by repeating the same PUT (azure.md §1.2); elsewhere a person
    /// must look.
    fn mend(&mut self, slot: &Slot, message: &str) {
        let text = format!("{} failed at the provider: {message}", Self::describe(slot));
        if slot.recognition != Recognition::NameAndTag {
            return self.block(slot, Why::ProviderFailed, text);
        }
        if self.reads_may_lag(slot) {
            self.look_within(self.input.timing.settling);
            return self.block(slot, Why::ReadLag, text);
        }
        if self.writes_forbidden(slot, "mended") || self.in_backoff(slot) || !self.take_locks(slot)
        {
            return;
        }
        self.block(slot, Why::ProviderFailed, text);
        self.act(Action::Update {
            slot: slot.id.clone(),
            drift: Vec::new(),
        });
    }

    fn compare(&mut self, slot: &Slot, p: &Present) {
        let drift = self.drift(slot, p);
        if drift.is_empty() {
            return;
        }
        self.left = true;
        self.plan.drift.insert(slot.id.clone(), drift.clone());
        let name = Self::describe(slot);
        let refused: Vec<&Drift> = drift
            .iter()
            .filter(|d| matches!(d.change, Change::Refused(_)))
            .collect();
        if let Some(first) = refused.first()
            && let Change::Refused(remedy) = first.change
        {
            let message = format!(
                "{name}: {} is {} and should be {}; {remedy}",
                first.field, first.have, first.want
            );
            self.block(slot, Why::RefusedChange, message);
        }
        let mendable: Vec<Drift> = drift
            .into_iter()
            .filter(|d| !matches!(d.change, Change::Refused(_)))
            .collect();
        let Some(first) = mendable.first() else {
            return;
        };
        let what = format!(
            "{name}: {} is {} and should be {}",
            first.field, first.have, first.want
        );
        if self.input.policy.report_drift_only {
            return self.block(
                slot,
                Why::ReportOnly,
                format!("{what}; driftPolicy is Report"),
            );
        }
        if self.reads_may_lag(slot) {
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::ReadLag,
                format!("{what}; the change was accepted and is not visible yet"),
            );
        }
        if let Some(circuit) = self.circuit_first(slot, &mendable) {
            self.look_within(self.input.timing.settling);
            let message = format!("{what}; it waits until {circuit} has its bandwidth");
            let why = Why::WaitingFor {
                slot: "circuit".into(),
                level: Level::Ready,
            };
            return self.block(slot, why, message);
        }
        let interrupts = mendable.iter().any(|d| d.change == Change::Interrupting);
        if interrupts && self.input.other_path_proven == Some(false) {
            self.look_within(self.input.timing.settling);
            return self.block(slot, Why::LastHealthyPath, format!("{what}; changing it would interrupt the only healthy path, so it waits for another one"));
        }
        if self.writes_forbidden(slot, "changed") || self.in_backoff(slot) || !self.take_locks(slot)
        {
            return;
        }
        self.phase(slot, Phase::Updating);
        self.act(Action::Update {
            slot: slot.id.clone(),
            drift: mendable,
        });
    }

    /// Megaport takes no higher rate than the circuit's bandwidth (megaport.md §3.4), so the circuit's change comes first.
    fn circuit_first(&self, slot: &Slot, drift: &[Drift]) -> Option<String> {
        let rate = drift.iter().any(|d| d.field == "rateLimitMbps");
        let circuit = self.input.graph.get("circuit")?;
        if !rate || slot.class != Class::VxcAzure || circuit.imported {
            return None;
        }
        let seen = self.seen(&circuit.id);
        let done = seen.present().is_some_and(|p| {
            p.state == State::Ready
                && !circuit
                    .desired
                    .drift(&p.fields)
                    .iter()
                    .any(|d| d.field == "bandwidthMbps" && d.change == Change::InPlace)
        });
        (!done).then(|| Self::describe(circuit))
    }

    fn absent(&mut self, slot: &Slot, seen: &Seen) {
        self.phase(slot, Phase::Pending);
        let name = Self::describe(slot);
        if let Birth::Emerges { from } = &slot.birth {
            return self.not_emerged(slot, seen, from);
        }
        if self.create_is_ambiguous(slot) || self.reads_may_lag(slot) {
            self.phase(slot, Phase::Creating);
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::ReadLag,
                format!("{name} was ordered and is not visible yet"),
            );
        }
        if self.awaits_newer_read(slot, seen, "it is made anew") {
            return;
        }
        if self.nothing_to_adopt(slot) || !self.needs_reached(slot) {
            return;
        }
        if self.predecessor_may_have_bought(slot) {
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::ReadLag,
                format!("{name} is not ordered yet: another operator led until a moment ago, and what it may have ordered is not visible yet"),
            );
        }
        if self.writes_forbidden(slot, "created") || self.in_backoff(slot) || !self.take_locks(slot)
        {
            return;
        }
        self.phase(slot, Phase::Creating);
        self.act(Action::Create {
            slot: slot.id.clone(),
        });
    }

    /// What a partner makes with its order it makes once: when somebody deleted it, the order stays, and is billed, and only
    /// another order brings another one (aws.md §1.2).
    fn not_emerged(&mut self, slot: &Slot, seen: &Seen, from: &SlotId) {
        let (name, order) = (Self::describe(slot), self.describe_id(from));
        self.look_within(self.input.timing.settling);
        let yielded = |id: &str| {
            let from = self.seen(from);
            let order = from.present().filter(|p| p.state == State::Ready);
            order.is_some_and(|p| p.outputs.values().any(|o| o == id))
        };
        let record = self.input.observed.records.get(&slot.id);
        let deleted = match seen {
            Seen::Gone { id } => yielded(id),
            _ => record.is_some_and(|r| r.seen && r.id.as_deref().is_some_and(yielded)),
        };
        if !deleted {
            let message = format!("{name} appears once {order} is deployed");
            return self.block(slot, Why::Settling, message);
        }
        let remedy = format!("cancel {order} at Megaport, and both are made anew");
        if self.awaits_newer_read(slot, seen, &remedy) {
            return;
        }
        let message = format!(
            "{name} was deleted at {}, and {order} makes no second one: {remedy}",
            slot.provider
        );
        self.block(slot, Why::Terminal, message);
    }

    /// Whether all needs are reached; blocks on the first that is not.
    fn needs_reached(&mut self, slot: &Slot) -> bool {
        let Some(need) = slot.needs.iter().find(|n| !self.reached(n)).cloned() else {
            return true;
        };
        let other = self.describe_id(&need.slot);
        let words = match need.level {
            Level::Exists => format!("{other} to exist"),
            Level::Ready => format!("{other} to be ready"),
            Level::Output(o) => format!("the {o} of {other}"),
        };
        let message = format!("{} waits for {words}", Self::describe(slot));
        self.block(
            slot,
            Why::WaitingFor {
                slot: need.slot,
                level: need.level,
            },
            message,
        );
        self.look_within(self.input.timing.settling);
        false
    }

    /// While creating: the provider side is done, and the state that others wait for has not followed.
    fn refresh_for_creation(&mut self, slot: &Slot, p: &Present) {
        let Some(rule) = slot.refresh.clone() else {
            return;
        };
        if p.outputs.contains_key(&rule.output) || p.state != State::Ready {
            return;
        }
        let provider_done = rule.after.iter().any(|s| {
            self.input
                .observed
                .seen
                .get(s)
                .and_then(Seen::present)
                .is_some_and(|p| p.state == State::Ready)
        });
        if !provider_done {
            return;
        }
        let message = format!(
            "{} reads {}: the provider's side is deployed and Azure has not taken it up yet",
            Self::describe(slot),
            p.provider_state
        );
        self.block(slot, Why::WaitingForProvider, message);
        self.refresh_when_due(slot);
    }

    pub(super) fn refresh_when_due(&mut self, slot: &Slot) {
        let period = self.input.timing.refresh;
        let wait = self
            .memo(&slot.id)
            .refreshed
            .map_or(Duration::ZERO, |at| period.saturating_sub(self.age(at)));
        self.look_within(self.input.timing.settling);
        if !wait.is_zero() || self.input.policy.paused || self.input.policy.observe_only {
            return;
        }
        if self.plan.actions.iter().any(|a| a.slot() == &slot.id)
            || self.in_backoff(slot)
            || !self.take_locks(slot)
        {
            return;
        }
        self.act(Action::Refresh {
            slot: slot.id.clone(),
        });
    }
}
