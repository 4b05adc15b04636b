//! Should there ever be a second product with a slot's own mark: it is named beside the first, and cancelled when it is
//! surely the later one, surely ours and surely unused. Everything else is left to people, who are told.

use super::{Action, Walk, Why};
use crate::observe::Present;
use crate::slot::Slot;

impl Walk<'_> {
    /// `kept` is the slot's own object: the recorded one.
    pub(super) fn twins(&mut self, slot: &Slot, kept: &Present) {
        let twins = self.input.observed.twins.get(&slot.id).cloned();
        for twin in twins.unwrap_or_default() {
            let cancel = twin.later && twin.unused;
            let then = if cancel {
                "is unused, so it is cancelled".to_owned()
            } else if twin.later {
                format!(
                    "is in use or may be: cancel it at {} if it should not be",
                    slot.provider
                )
            } else {
                format!(
                    "is not surely the later one: cancel the one that is not needed at {}",
                    slot.provider
                )
            };
            let message = format!(
                "{} exists twice with this object's mark: {} is kept; {} {then}",
                Self::describe(slot),
                kept.id,
                twin.id
            );
            self.block(slot, Why::Duplicate, message);
            self.look_within(self.input.timing.settling);
            let policy = self.input.policy;
            if !cancel || policy.paused || policy.observe_only {
                continue;
            }
            let acting = self.plan.actions.iter().any(|a| a.slot() == &slot.id);
            if acting || self.reads_may_lag(slot) || self.in_backoff(slot) || !self.take_locks(slot)
            {
                continue;
            }
            self.act(Action::CancelTwin {
                slot: slot.id.clone(),
                id: twin.id,
            });
        }
    }
}
