//! The half of the planner that takes down: the whole owner, or what its spec no longer names.

use super::{Action, Mode, Phase, Walk, Why, phase_of, unconfirmed};
use crate::desired::Desired;
use crate::observe::{Present, Seen, State};
use crate::slot::{Birth, Class, Slot, SlotId};

impl Walk<'_> {
    pub(super) fn tear_down(&mut self, slot: &Slot) {
        let recorded = self.input.observed.records.contains_key(&slot.id);
        match self.seen(&slot.id) {
            Seen::Unreadable(why) => {
                if !recorded && slot.desired == Desired::Unwanted {
                    return;
                }
                self.phase(slot, Phase::Unknown);
                self.block(
                    slot,
                    Why::Unreadable,
                    format!("{} could not be read: {why}", Self::describe(slot)),
                );
                self.look_within(self.input.timing.settling);
            }
            seen @ (Seen::Absent | Seen::Gone { .. }) => {
                // A create that may still show itself must be waited for, or it would be left behind.
                if recorded && !self.was_seen(slot) && self.create_is_ambiguous(slot) {
                    self.phase(slot, Phase::Creating);
                    self.look_within(self.input.timing.settling);
                    let message = format!(
                        "{} may have been ordered and is not visible yet",
                        Self::describe(slot)
                    );
                    return self.block(slot, Why::ReadLag, message);
                }
                if !recorded && self.create_is_ambiguous(slot) {
                    self.look_within(self.input.timing.settling);
                    let message = format!(
                        "{}: status was lost, so this looks for what may have been ordered",
                        Self::describe(slot)
                    );
                    return self.block(slot, Why::ReadLag, message);
                }
                if self.awaits_newer_read(slot, &seen, "it is gone") {
                    return;
                }
                self.phase(slot, Phase::Gone);
                if recorded {
                    self.plan.forget.push(slot.id.clone());
                }
            }
            Seen::Present(p) => {
                if !self.is_ours(slot, &p) {
                    // The marks that make it ours may only not be visible yet.
                    if recorded && !self.was_seen(slot) && self.create_is_ambiguous(slot) {
                        self.phase(slot, phase_of(&p));
                        self.look_within(self.input.timing.settling);
                        let message = format!(
                            "{} may have been marked as this object's, which reads do not show yet",
                            Self::describe(slot)
                        );
                        return self.block(slot, Why::ReadLag, message);
                    }
                    if recorded {
                        self.plan.forget.push(slot.id.clone());
                    }
                    return;
                }
                // Found under another ID than is recorded: the record follows, or the old ID's object would be taken for
                // this one as soon as this one is gone.
                let record = self.input.observed.records.get(&slot.id);
                let known = record.and_then(|r| r.id.as_ref());
                if known.is_some_and(|id| *id != p.id) {
                    self.plan.adopt.insert(slot.id.clone(), p.id.clone());
                }
                self.phase(slot, phase_of(&p));
                self.remove(slot, &p);
            }
        }
    }

    fn was_seen(&self, slot: &Slot) -> bool {
        self.input
            .observed
            .records
            .get(&slot.id)
            .is_some_and(|r| r.seen)
    }

    fn remove(&mut self, slot: &Slot, p: &Present) {
        let name = Self::describe(slot);
        if self.input.policy.retain && self.input.mode == Mode::TearDown {
            if self.writes_forbidden(slot, "released") {
                return;
            }
            if self.reads_may_lag(slot) {
                self.look_within(self.input.timing.settling);
                let message =
                    format!("{name}: the marks were taken off, which reads do not show yet");
                return self.block(slot, Why::ReadLag, message);
            }
            if !self.in_backoff(slot) {
                self.act(Action::Release {
                    slot: slot.id.clone(),
                });
            }
            return;
        }
        if self.writes_forbidden(slot, "deleted") {
            return;
        }
        if matches!(p.state, State::Deleting) {
            self.look_within(self.input.timing.settling);
            if !p.deletion_failed() || self.reads_may_lag(slot) {
                let message = format!("{name} is {}", p.provider_state);
                return self.block(slot, Why::Settling, message);
            }
            let message = format!(
                "{name} is still {}: {} has not taken it out of its network and goes on billing it; it is cancelled again, and if that does not end it, ask {1}",
                p.provider_state, slot.provider
            );
            self.block(slot, Why::Settling, message);
        }
        if let Some(with) = &slot.leaves_with {
            self.look_within(self.input.timing.settling);
            let other = self.describe_id(with);
            let message = if self.is_gone(with) {
                format!(
                    "{name} goes with {other}, which is gone: should it stay, delete it at the provider"
                )
            } else {
                format!("{name} goes with {other}")
            };
            return self.block(slot, Why::Settling, message);
        }
        let waiting: Vec<SlotId> = slot
            .gone_first
            .iter()
            .filter(|id| !self.is_gone(id) && !self.serves_on(slot, id))
            .cloned()
            .collect();
        if !waiting.is_empty() {
            let names: Vec<String> = waiting.iter().map(|id| self.describe_id(id)).collect();
            let peering = waiting.iter().any(|id| id.as_str() == "peering");
            let why = if peering {
                Why::WaitingForPeeringRemoval
            } else {
                Why::BlockedByDependents { slots: waiting }
            };
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                why,
                format!("{name} waits until these are gone: {}", names.join(", ")),
            );
        }
        if matches!(slot.birth, Birth::Emerges { .. }) && p.state == State::AwaitsConfirmation {
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::Settling,
                format!("{name} was never confirmed and goes with the VXC"),
            );
        }
        // Also while the circuit is being refreshed: what is waited for is the provider, not the refresh.
        if let Some(held) = p
            .holds_deletion
            .as_ref()
            .filter(|_| slot.class == Class::Circuit)
        {
            let message = format!(
                "{name} waits for the provider: {held}; it is refreshed until Azure has taken it up"
            );
            self.phase(slot, Phase::Deleting);
            self.block(slot, Why::WaitingForProviderDeprovision, message);
            if matches!(p.state, State::Settling { .. }) {
                return self.look_within(self.input.timing.settling);
            }
            return self.refresh_when_due(slot);
        }
        if let State::Settling {
            forbids_deletion: true,
        } = p.state
        {
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::Settling,
                format!(
                    "{name} is {} and can not be deleted before that is done",
                    p.provider_state
                ),
            );
        }
        if let Some(held) = &p.holds_deletion {
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::BlockedByDependents { slots: Vec::new() },
                format!("{name} can not be deleted yet: {held}"),
            );
        }
        if self.reads_may_lag(slot) {
            self.look_within(self.input.timing.settling);
            return self.block(
                slot,
                Why::ReadLag,
                format!("{name}: the deletion was accepted and is not visible yet"),
            );
        }
        let consent = self.input.mode == Mode::TearDown && self.input.consent;
        if !consent && self.input.other_path_proven == Some(false) {
            self.look_within(self.input.timing.settling);
            let message = format!(
                "{name} waits: removing it would take down the only path that holds, so another one must hold first; delete the whole interconnect if that is wanted"
            );
            return self.block(slot, Why::LastHealthyPath, message);
        }
        if self.in_backoff(slot) || !self.take_locks(slot) {
            return;
        }
        self.phase(slot, Phase::Deleting);
        self.act(Action::Delete {
            slot: slot.id.clone(),
        });
    }

    /// One port of a living circuit goes while the peering serves the other one.
    fn serves_on(&self, slot: &Slot, other: &SlotId) -> bool {
        let wanted = |id| self.input.graph.slots.get(id).is_some_and(|s| s.wanted);
        self.input.mode == Mode::Converge
            && slot.class == Class::VxcAzure
            && other.as_str() == "peering"
            && wanted(other)
    }

    /// Gone for the purposes of deletion order: read back as absent, and not an order that may still show itself.
    fn is_gone(&self, id: &SlotId) -> bool {
        let Some(slot) = self.input.graph.slots.get(id) else {
            return true;
        };
        let seen = self.seen(id);
        if slot.imported {
            return seen.is_gone();
        }
        if unconfirmed(slot, &seen) {
            return true;
        }
        match &seen {
            Seen::Absent if self.may_only_be_older(slot, &seen) => false,
            Seen::Absent | Seen::Gone { .. } => {
                let recorded = self.input.observed.records.contains_key(id);
                !(recorded && !self.was_seen(slot) && self.create_is_ambiguous(slot))
            }
            Seen::Present(p) => !self.is_ours(slot, p),
            Seen::Unreadable(_) => false,
        }
    }
}
