//! The one process-wide table of provider locks, over all kinds (design §4: locks are not edges). A lock is taken with
//! the call that needs it and held until the object reads back settled; after a restart the table fills again from what
//! is observed to be settling.

use causeway_model::slot::{LockKey, SlotId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Who holds a lock: an object (kind and name) and its slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    pub owner: String,
    pub slot: SlotId,
}

#[derive(Debug, Clone, Default)]
pub struct LockTable {
    held: Arc<Mutex<HashMap<LockKey, Holder>>>,
}

impl LockTable {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LockKey, Holder>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all keys or none.
    ///
    /// # Errors
    /// The first key that another holder has.
    pub fn acquire(&self, holder: &Holder, keys: &[LockKey]) -> Result<(), LockKey> {
        let mut held = self.lock();
        if let Some(busy) = keys
            .iter()
            .find(|k| held.get(k).is_some_and(|h| h != holder))
        {
            return Err(busy.clone());
        }
        for key in keys {
            held.insert(key.clone(), holder.clone());
        }
        Ok(())
    }

    /// What a slot that reads as settling holds by nature: taken unless somebody else has it.
    pub fn observe_settling(&self, holder: &Holder, keys: &[LockKey]) {
        let mut held = self.lock();
        for key in keys {
            held.entry(key.clone()).or_insert_with(|| holder.clone());
        }
    }

    /// Lets go of everything that this slot holds; says whether that was anything.
    pub fn release(&self, holder: &Holder) -> bool {
        let mut held = self.lock();
        let before = held.len();
        held.retain(|_, h| h != holder);
        before != held.len()
    }

    /// Lets go of everything of an object that no longer exists.
    pub fn release_owner(&self, owner: &str) {
        self.lock().retain(|_, h| h.owner != owner);
    }

    /// Locks that the planner of `owner` must respect, with words for who holds them. A slot's own locks are listed too:
    /// the planner acts on a slot only when it is settled, and then nothing of its own is held.
    pub fn held(&self) -> BTreeMap<LockKey, String> {
        self.lock()
            .iter()
            .map(|(k, h)| (k.clone(), format!("{} ({})", h.owner, h.slot)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(owner: &str, slot: &str) -> Holder {
        Holder {
            owner: owner.to_owned(),
            slot: slot.into(),
        }
    }

    #[test]
    fn a_lock_has_one_holder_and_all_or_nothing() {
        let t = LockTable::default();
        let (a, b) = (LockKey::vnet("/V"), LockKey::gateway("/g"));
        let one = holder("HybridInterconnect n/lab", "er-gateway");
        let two = holder("VpnPair n/lab-vpn", "vpn-gateway");
        assert!(t.acquire(&one, std::slice::from_ref(&a)).is_ok());
        assert_eq!(t.acquire(&two, &[b.clone(), a.clone()]), Err(a.clone()));
        assert!(
            !t.held().contains_key(&b),
            "nothing is taken when one is busy"
        );
        assert!(
            t.acquire(&one, std::slice::from_ref(&a)).is_ok(),
            "the holder may take it again"
        );
        assert!(t.release(&one));
        assert!(t.acquire(&two, &[b, a]).is_ok());
    }
}
