//! The part of the planner that takes existing objects over (`adoptID`): only after a look at whether they fit, and only
//! by writing our marks on them.

use super::{Action, Mode, Walk, Why};
use crate::desired::{Change, Drift};
use crate::observe::{Ownership, Present, State};
use crate::slot::{Adoption, Class, Slot, SlotId};

/// What hangs on an object without tags of its own and is taken along with it: a peering that Megaport or a person made
/// on a circuit, the attachment of a virtual private gateway. It must fit as well.
fn taken_along(class: Class) -> &'static [&'static str] {
    match class {
        Class::Circuit => &["peering"],
        Class::VirtualPrivateGateway => &["vgw-attachment"],
        Class::DirectConnectGateway => &["dxgw-association"],
        Class::VxcAws => &["vif"],
        _ => &[],
    }
}

impl Walk<'_> {
    /// Whether the spec asks to take this very object over.
    pub(super) fn to_adopt<'s>(slot: &'s Slot, p: &Present) -> Option<&'s Adoption> {
        slot.adopt.as_ref().filter(|a| a.means(&p.id))
    }

    pub(super) fn adopt(&mut self, slot: &Slot, p: &Present, adoption: &Adoption) {
        let name = format!("{}: {} {}", adoption.field, slot.noun, p.id);
        if let Ownership::Foreign(owner) = &p.ownership {
            let message = format!(
                "{name} belongs to {owner}: correct {}, or set deletionPolicy Retain there and delete it first",
                adoption.field
            );
            return self.block(slot, Why::NameConflict, message);
        }
        match &p.state {
            State::Ready => {}
            State::Settling { .. } | State::AwaitsConfirmation => {
                self.look_within(self.input.timing.settling);
                let message = format!(
                    "{name} is {}; it is taken over when that is done",
                    p.provider_state
                );
                return self.block(slot, Why::Settling, message);
            }
            State::Failed { message } => {
                let message = format!("{name} can not be taken over: {message}; mend it first");
                return self.block(slot, Why::AdoptionRefused, message);
            }
            State::Deleting => {
                let message = format!(
                    "{name} is being deleted: correct {0}, or remove {0} to have a new one made",
                    adoption.field
                );
                return self.block(slot, Why::AdoptionRefused, message);
            }
        }
        if let Some(misfit) = self.misfit(slot, p) {
            let message = format!(
                "{name} does not fit: {misfit}; make the spec say what the object is, or correct {}",
                adoption.field
            );
            return self.block(slot, Why::AdoptionRefused, message);
        }
        if self.reads_may_lag(slot) {
            self.look_within(self.input.timing.settling);
            let message =
                format!("{name} was marked as this object's, which reads do not show yet");
            return self.block(slot, Why::ReadLag, message);
        }
        if self.writes_forbidden(slot, "taken over")
            || self.in_backoff(slot)
            || !self.take_locks(slot)
        {
            return;
        }
        self.act(Action::Adopt {
            slot: slot.id.clone(),
        });
    }

    /// What can not be made fit without harm: of the object itself what can never change, of what is taken along also what
    /// interrupts when it changes.
    fn misfit(&self, slot: &Slot, p: &Present) -> Option<String> {
        let words = |noun: &str, d: &Drift| {
            format!(
                "{noun} {} is {} and the spec says {}",
                d.field, d.have, d.want
            )
        };
        let own = slot.desired.drift(&p.fields);
        if let Some(d) = own.iter().find(|d| matches!(d.change, Change::Refused(_))) {
            return Some(words("its", d));
        }
        taken_along(slot.class).iter().find_map(|id| {
            let other = self.input.graph.get(id)?;
            let seen = self.seen(&other.id);
            let drift = other.desired.drift(&seen.present()?.fields);
            let d = drift.iter().find(|d| d.change != Change::InPlace)?;
            Some(words(&format!("the {}'s", other.noun), d))
        })
    }

    /// Whether an object is recorded, and not only that one was to be made or marked.
    fn has(&self, slot: &SlotId) -> bool {
        let record = self.input.observed.records.get(slot);
        record.is_some_and(|r| r.id.is_some())
    }

    /// The object that `adoptID` names is not there, and nothing was taken over or made in its place yet.
    pub(super) fn nothing_to_adopt(&mut self, slot: &Slot) -> bool {
        let Some(adoption) = &slot.adopt else {
            return false;
        };
        if self.has(&slot.id) {
            return false;
        }
        let message = format!(
            "{0}: no {1} {2} exists or the credentials do not see it: correct {0}, or remove it to have a new one made",
            adoption.field, slot.noun, adoption.id
        );
        self.look_within(self.input.timing.retry);
        self.block(slot, Why::AdoptionRefused, message);
        true
    }

    /// What is to be taken over is taken over before anything is bought beside it.
    pub(super) fn nothing_half_built(&mut self) {
        if self.input.mode != Mode::Converge {
            return;
        }
        let taken = |slot: &Slot| self.has(&slot.id) || self.plan.adopt.contains_key(&slot.id);
        let pending: Vec<&SlotId> = self
            .input
            .graph
            .slots
            .values()
            .filter(|s| s.adopt.is_some() && !taken(s))
            .map(|s| &s.id)
            .collect();
        if pending.is_empty() {
            return;
        }
        let refused = self.plan.blockers.iter().any(|b| {
            pending.contains(&&b.slot) && matches!(b.why, Why::AdoptionRefused | Why::NameConflict)
        });
        self.plan.actions.retain(|a| match a {
            Action::Create { .. } => false,
            Action::Adopt { .. } => !refused,
            _ => true,
        });
        self.left = true;
    }
}
