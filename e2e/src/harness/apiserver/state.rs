//! The stored objects and their history: plain data that can be copied, kept and sent to another thread.
//!
//! May be changed only through [`ApiState::record`] and [`ApiState::erase`], so that every change has a revision and an entry
//! in the history that watches read. Deterministic: UIDs and generated names come from a counter and a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::fields::{Manager, Owners};
use super::kinds::{Kind, Kinds, standard};
use super::meta;
use super::refuse::Refusal;

/// The UID of the namespace `kube-system`, by which the operator knows its cluster.
pub const CLUSTER_UID: &str = "c1a57e12-0000-4000-8000-000000000001";

/// Where the counter starts, so that a watch from version 1 is too old, as in any cluster that has lived a while.
const FIRST_REVISION: u64 = 1000;

/// Apart from the sandbox's sequence, which is of the same sort: with one seed a UID was also a service key, and passed for a
/// secret that was shown.
const OWN_STREAM: u64 = 0x5eed_0f0b_1ec7_0000;

/// How many changes are kept for watches. Older ones are compacted away, and a watch from there is told so.
const HISTORY: usize = 10_000;

/// Address of an object: resource (`vpnpairs.causeway.dev`), namespace (empty for cluster scope), name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub resource: String,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub(super) fn new(kind: &Kind, namespace: &str, name: &str) -> Self {
        Self {
            resource: kind.resource(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// One entry of the history.
#[derive(Clone)]
pub(super) struct Change {
    pub revision: u64,
    pub key: Key,
    /// What was there before; `None`: nothing.
    pub before: Option<Arc<Value>>,
    /// What is there now; `None`: nothing.
    pub after: Option<Arc<Value>>,
}

/// Who writes, when, and whether for good.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub now: Timestamp,
    /// The field manager.
    pub manager: String,
    /// Who owns what afterwards, if this is an apply.
    pub applied: Option<Owners>,
}

impl Write {
    pub(super) fn new(now: Timestamp, manager: &str) -> Self {
        Self {
            now,
            manager: manager.to_owned(),
            applied: None,
        }
    }

    pub(super) fn manager(&self, status: bool) -> Manager {
        Manager {
            name: self.manager.clone(),
            apply: false,
            status,
        }
    }

    /// As `metav1.Time` prints it: whole seconds.
    pub(super) fn time(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// Everything that the stand-in knows. A copy is a snapshot; it shares the objects, which are never changed in place.
#[derive(Clone)]
pub struct ApiState {
    pub(super) kinds: Arc<Kinds>,
    pub(super) objects: BTreeMap<Key, Arc<Value>>,
    pub(super) owners: BTreeMap<Key, Arc<Owners>>,
    /// Created and not written since. A new custom resource is stored without `status`, whose default shows only in reads, so
    /// that the first update is a change even if nothing changes.
    pub(super) unsettled: BTreeSet<Key>,
    history: VecDeque<Change>,
    revision: u64,
    compacted: u64,
    seed: u64,
    drawn: u64,
    /// When the server was last asked something: where a restored one goes on if nobody gives it a clock.
    pub(super) at: Timestamp,
    /// Whether owners' deaths are acted on (`ApiServer::pause_collection`).
    pub(super) collecting: bool,
}

/// Names and numbers only: Secrets are among the objects.
impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self
            .objects
            .keys()
            .map(|k| format!("{} {}/{}", k.resource, k.namespace, k.name))
            .collect();
        f.debug_struct("ApiState")
            .field("revision", &self.revision)
            .field("compacted", &self.compacted)
            .field("at", &self.at)
            .field("objects", &names)
            .finish_non_exhaustive()
    }
}

impl ApiState {
    pub(super) fn new(seed: u64, now: Timestamp) -> Self {
        let mut state = Self {
            kinds: standard(),
            objects: BTreeMap::new(),
            owners: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            history: VecDeque::new(),
            revision: FIRST_REVISION,
            compacted: FIRST_REVISION,
            seed,
            drawn: 0,
            at: now,
            collecting: true,
        };
        for name in ["default", "kube-system"] {
            state.add_namespace(name);
        }
        state
    }

    /// Makes a namespace, unless it exists.
    pub(super) fn add_namespace(&mut self, name: &str) {
        let Some(kind) = self.kinds.get("namespaces").cloned() else {
            return;
        };
        let key = Key::new(&kind, "", name);
        if self.objects.contains_key(&key) {
            return;
        }
        let uid = if name == "kube-system" {
            CLUSTER_UID.to_owned()
        } else {
            self.uid()
        };
        let time = Write::new(self.at, "").time();
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {
                "name": name, "uid": uid, "creationTimestamp": time,
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        });
        self.record(&key, object);
    }

    /// The version of the newest change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The kind that is served under this group, version and plural.
    pub(super) fn kind(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let found = self
            .kinds
            .values()
            .find(|k| k.group == group && k.version == version && k.plural == plural);
        found.cloned()
    }

    /// The kind that an owner reference names.
    pub(super) fn kind_of(&self, api_version: &str, kind: &str) -> Option<Arc<Kind>> {
        let found = self
            .kinds
            .values()
            .find(|k| k.kind == kind && k.api_version() == api_version);
        found.cloned()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// # Errors
    /// 404 when there is no such object.
    pub(super) fn found(&self, kind: &Kind, key: &Key) -> Result<Arc<Value>, Refusal> {
        let found = self.get(key).cloned();
        found.ok_or_else(|| Refusal::not_found(kind, &key.name))
    }

    /// A new UID. Looks like a random one (version 4), and is the same in every run with this seed.
    pub(super) fn uid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }

    /// Five letters for `generateName`, from the alphabet without vowels that the API server uses.
    pub(super) fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut drawn = self.draw();
        (0..5)
            .map(|_| {
                let i = usize::try_from(drawn % LETTERS.len() as u64).unwrap_or(0);
                drawn /= LETTERS.len() as u64;
                LETTERS.get(i).map_or('x', |letter| char::from(*letter))
            })
            .collect()
    }

    /// The next number of a sequence that only the seed decides (the finaliser of SplitMix64).
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let mut z = self
            .seed
            .wrapping_add(OWN_STREAM)
            .wrapping_add(self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// As many numbers are used up as in `copy`.
    pub(super) fn drew(&mut self, copy: &Self) {
        self.drawn = copy.drawn;
    }

    /// Stores an object under a new revision.
    pub(super) fn record(&mut self, key: &Key, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        meta::set(&mut object, "resourceVersion", self.revision.to_string());
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), object.clone());
        self.unsettled.remove(key);
        self.remember(key, before, Some(object.clone()));
        object
    }

    /// Removes an object; its last state, with the revision of the removal, is what watches show.
    pub(super) fn erase(&mut self, key: &Key) {
        let Some(before) = self.objects.remove(key) else {
            return;
        };
        self.owners.remove(key);
        self.unsettled.remove(key);
        self.revision += 1;
        self.remember(key, Some(before), None);
    }

    fn remember(&mut self, key: &Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        self.history.push_back(Change {
            revision: self.revision,
            key: key.clone(),
            before,
            after,
        });
        while self.history.len() > HISTORY {
            if let Some(oldest) = self.history.pop_front() {
                self.compacted = oldest.revision;
            }
        }
    }

    /// Forgets the history up to now.
    pub(super) fn compact(&mut self) {
        self.history.clear();
        self.compacted = self.revision;
    }

    /// The changes after `revision`.
    ///
    /// # Errors
    /// 410 when they are no longer known.
    pub(super) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, Refusal> {
        if revision < self.compacted {
            return Err(Refusal::expired(format!(
                "too old resource version: {revision} ({})",
                self.compacted
            )));
        }
        let start = self.history.partition_point(|c| c.revision <= revision);
        Ok(self.history.range(start..))
    }

    /// The state as it was at `revision`.
    ///
    /// # Errors
    /// 410 when the changes since then are no longer known.
    pub(super) fn as_of(&self, revision: u64) -> Result<Self, Refusal> {
        let mut state = self.clone();
        let changes: Vec<_> = self.since(revision)?.collect();
        for change in changes.into_iter().rev() {
            match &change.before {
                Some(before) => state.objects.insert(change.key.clone(), before.clone()),
                None => state.objects.remove(&change.key),
            };
        }
        state.history.retain(|c| c.revision <= revision);
        state.revision = state.revision.min(revision);
        Ok(state)
    }

    /// The state as it stood `changes` changes ago, as far back as is known: what a stale read sees.
    pub(super) fn stale(&self, changes: u64) -> Self {
        let revision = self.revision.saturating_sub(changes).max(self.compacted);
        self.as_of(revision).unwrap_or_else(|_| self.clone())
    }
}
