//! What this process remembers of objects between reconciles. Lost on restart; correctness never depends on it.

use causeway_model::observe::{Memo, Record};
use causeway_model::report::Rejection;
use causeway_model::slot::SlotId;
use jiff::Timestamp;
use kube::ResourceExt;
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Default)]
pub struct SlotMemo {
    pub memo: Memo,
    /// Where Azure tells how the last accepted write ended.
    pub operation_url: Option<String>,
    pub object_id: Option<String>,
    /// The last accepted action was a deletion.
    pub deleting: bool,
}

#[derive(Debug, Clone, Default)]
pub struct ObjectMemo {
    pub slots: BTreeMap<SlotId, SlotMemo>,
    pub last_rejection: Option<Rejection>,
    /// When this process first saw the object without any record.
    pub first_seen: Option<Timestamp>,
    /// This process claimed it first: before that nobody ordered anything.
    pub born_here: bool,
    /// What was last told of second products with one mark.
    pub duplicates: Vec<String>,
    /// This process could check the spec once.
    pub decided: bool,
    /// Since when it could not, until then.
    pub undecided_since: Option<Timestamp>,
}

impl ObjectMemo {
    /// Whether records may have been lost: our finalizer was on it when this process first saw it, so that an earlier
    /// run may have ordered something.
    pub fn wiped_possible(&self) -> bool {
        !self.born_here
    }

    /// Notes since when creates that were written down have not shown themselves, and since when others have.
    pub fn learn(&mut self, records: &BTreeMap<SlotId, Record>, now: Timestamp) {
        for (slot, m) in &mut self.slots {
            let record = records.get(slot);
            if record.is_none_or(|r| r.intent.is_none()) {
                m.memo.pending_since = None;
            }
            if record.is_none_or(|r| !r.seen) {
                m.memo.seen_since = None;
            }
        }
        for (slot, _) in records.iter().filter(|(_, r)| r.seen) {
            let memo = &mut self.slots.entry(slot.clone()).or_default().memo;
            memo.seen_since.get_or_insert(now);
        }
        for (slot, _) in records.iter().filter(|(_, r)| r.intent.is_some()) {
            let memo = &mut self.slots.entry(slot.clone()).or_default().memo;
            memo.pending_since.get_or_insert(now);
        }
    }
}

/// Memos of all objects, and the newest version of each that this process wrote: a watch may be behind our own writes,
/// and a plan made on a status without our last records could order twice.
#[derive(Debug, Default)]
pub struct Memos {
    objects: Mutex<HashMap<String, ObjectMemo>>,
    latest: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

/// Resource versions of one kind can be compared as numbers (Kubernetes 1.35 made that a promise); what does not parse
/// is taken as old.
fn version<K: ResourceExt>(object: &K) -> u128 {
    object
        .resource_version()
        .and_then(|v| v.parse().ok())
        .unwrap_or(0)
}

impl Memos {
    pub fn take(&self, key: &str) -> ObjectMemo {
        self.objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
            .unwrap_or_default()
    }

    pub fn put(&self, key: &str, memo: ObjectMemo) {
        self.objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), memo);
    }

    pub fn forget(&self, key: &str) {
        self.objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        self.forget_latest(key);
    }

    pub fn forget_latest(&self, key: &str) {
        self.latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    /// Remembers what a write of ours returned.
    pub fn wrote<K: Send + Sync + 'static>(&self, key: &str, object: Arc<K>) {
        self.latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), object);
    }

    /// The newer of what the watch brought and what this process wrote last.
    pub fn freshest<K: ResourceExt + Send + Sync + 'static>(
        &self,
        key: &str,
        watched: Arc<K>,
    ) -> Arc<K> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ours) = latest
            .get(key)
            .cloned()
            .and_then(|a| a.downcast::<K>().ok())
        else {
            return watched;
        };
        if ours.uid() == watched.uid() && version(&*ours) > version(&*watched) {
            ours
        } else {
            latest.remove(key);
            watched
        }
    }
}
