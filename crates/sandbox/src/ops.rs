//! Long-running work of the providers and the locks that they take themselves: the source of `GET /operations` and of
//! the critical path.

use crate::time::SimTime;
use crate::wire::Provider;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an operation does to its resource; the critical path of `create` or `delete` is over these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpKind {
    Create,
    Update,
    Delete,
    /// Work that nobody asked for by itself, such as the provider state of a circuit following its VXC.
    Follow,
}

/// One piece of long-running work.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub id: u64,
    pub provider: Provider,
    pub operation: String,
    /// The resource that it works on, as its ID in lower case.
    pub resource: String,
    pub kind: OpKind,
    pub started_at: SimTime,
    /// When it will be, or was, done.
    pub due: SimTime,
    pub ended_at: Option<SimTime>,
    /// IDs of the operations that it had to wait for: those that made (or removed) resources it names, and the last
    /// holder of each of its locks.
    pub depends_on: Vec<u64>,
    pub locks: Vec<String>,
}

/// What an operation needs to be registered.
#[derive(Debug, Clone)]
pub struct NewOp<'a> {
    pub provider: Provider,
    pub operation: &'a str,
    pub resource: &'a str,
    pub kind: OpKind,
    pub seconds: f64,
    /// IDs of resources named in the request.
    pub names: &'a [String],
    /// Locks that it holds until it is done, such as `vnet:<id>`, `gateway:<id>`, `circuit:<id>`, `mcr:<uid>`.
    pub locks: &'a [String],
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ops {
    pub all: Vec<Operation>,
    /// The operation that last worked on each resource (lower-case ID).
    last_on: BTreeMap<String, u64>,
    last_lock: BTreeMap<String, u64>,
}

impl Ops {
    /// Registers work that starts now and ends after `new.seconds`; answers its ID. Whoever calls this schedules the
    /// event that calls [`Ops::finish`].
    pub fn begin(&mut self, now: SimTime, new: &NewOp<'_>) -> u64 {
        let id = self.all.len() as u64;
        let resource = new.resource.to_lowercase();
        let mut depends_on: Vec<u64> = new
            .names
            .iter()
            .map(|n| n.to_lowercase())
            .chain([resource.clone()])
            .filter_map(|n| self.last_on.get(&n).copied())
            .chain(
                new.locks
                    .iter()
                    .filter_map(|l| self.last_lock.get(l).copied()),
            )
            .collect();
        depends_on.sort_unstable();
        depends_on.dedup();
        for lock in new.locks {
            self.last_lock.insert(lock.clone(), id);
        }
        self.last_on.insert(resource.clone(), id);
        self.all.push(Operation {
            id,
            provider: new.provider,
            operation: new.operation.to_owned(),
            resource,
            kind: new.kind,
            started_at: now,
            due: now.plus_secs(new.seconds),
            ended_at: None,
            depends_on,
            locks: new.locks.to_vec(),
        });
        id
    }

    pub fn finish(&mut self, id: u64, now: SimTime) {
        if let Some(op) = self.all.get_mut(id as usize) {
            op.ended_at.get_or_insert(now);
        }
    }

    pub fn get(&self, id: u64) -> Option<&Operation> {
        self.all.get(id as usize)
    }

    /// The running operation that holds `lock`.
    pub fn holder(&self, lock: &str) -> Option<&Operation> {
        self.last_lock
            .get(lock)
            .and_then(|id| self.get(*id))
            .filter(|op| op.ended_at.is_none())
    }

    /// The running operation on a resource.
    pub fn running_on(&self, resource: &str) -> Option<&Operation> {
        self.last_on
            .get(&resource.to_lowercase())
            .and_then(|id| self.get(*id))
            .filter(|op| op.ended_at.is_none())
    }
}
