//! What kube-controller-manager does about owners and namespaces, in effect: dependents of what is gone go too, an owner that
//! waits for its dependents is let go when they are gone, orphans are cut loose, a namespace goes after its content.
//!
//! May change the state it is given. It works at once, after every change: no moment is seen in which it still has to. Who
//! wants to see that moment pauses it (`ApiServer::pause_collection`).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::kinds::Kind;
use super::meta::{self, deleting, finalizers, owners, set, set_finalizers, text, unset};
use super::state::{ApiState, Key, Write};
use super::store::{DeleteOptions, FOREGROUND, ORPHAN, Policy};

/// More rounds than any tree of ours is deep: the end of a loop that would otherwise be a defect here.
const ROUNDS: usize = 1000;

/// Where an owner stands that a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// There, or of a kind that nobody here knows.
    Solid,
    Gone,
    /// Being deleted, and waiting for what blocks it.
    Waiting,
}

impl ApiState {
    /// Does all that is to be done now.
    pub(super) fn collect(&mut self, write: &Write) {
        if !self.collecting {
            return;
        }
        let write = Write {
            applied: None,
            manager: "kube-controller-manager".to_owned(),
            ..write.clone()
        };
        for _ in 0..ROUNDS {
            if !self.collect_once(&write) {
                return;
            }
        }
    }

    /// The same, if something after `revision` can have given work: most writes of a busy operator do not.
    pub(super) fn collect_after(&mut self, revision: u64, write: &Write) {
        let work = self.since(revision).is_ok_and(|changes| {
            changes
                .into_iter()
                .any(|change| match (&change.before, &change.after) {
                    (_, None) => true,
                    (before, Some(after)) => {
                        let had = before.as_deref().map_or(&[][..], owners);
                        deleting(after) || owners(after) != had
                    }
                })
        });
        if work {
            self.collect(write);
        }
    }

    /// One pass over all objects; answers whether it changed any.
    fn collect_once(&mut self, write: &Write) -> bool {
        let before = self.revision();
        let keys: Vec<Key> = self.objects.keys().cloned().collect();
        for key in keys {
            let (Some(object), Some(kind)) = (
                self.get(&key).cloned(),
                self.kinds.get(&key.resource).cloned(),
            ) else {
                continue;
            };
            if kind.is_namespace() {
                self.end_namespace(&key, &object, write);
                continue;
            }
            if deleting(&object) {
                let has = |name: &str| finalizers(&object).iter().any(|f| f == name);
                if has(ORPHAN) {
                    self.orphan(&key, &object);
                } else if has(FOREGROUND) {
                    self.foreground(&key, &object, write);
                }
            } else if !owners(&object).is_empty() {
                self.dependent(&kind, &key, &object, write);
            }
        }
        self.revision() != before
    }

    fn owner(&self, dependent: &Key, reference: &Value) -> Owner {
        let field = |name: &str| reference[name].as_str().unwrap_or_default();
        let Some(kind) = self.kind_of(field("apiVersion"), field("kind")) else {
            return Owner::Solid;
        };
        let namespace = if kind.namespaced {
            dependent.namespace.as_str()
        } else {
            ""
        };
        match self.get(&Key::new(&kind, namespace, field("name"))) {
            Some(owner) if text(owner, "uid") == field("uid") => {
                if deleting(owner) && finalizers(owner).iter().any(|f| f == FOREGROUND) {
                    Owner::Waiting
                } else {
                    Owner::Solid
                }
            }
            _ => Owner::Gone,
        }
    }

    /// An object that has owners: it stays for the sake of one of them, or goes with the last.
    fn dependent(&mut self, kind: &Kind, key: &Key, object: &Arc<Value>, write: &Write) {
        let stand: Vec<_> = owners(object)
            .iter()
            .map(|reference| self.owner(key, reference))
            .collect();
        if stand.iter().all(|s| *s == Owner::Solid) {
            return;
        }
        if stand.contains(&Owner::Solid) {
            let kept = owners(object).iter().zip(&stand);
            let kept: Vec<_> = kept
                .filter(|(_, s)| **s == Owner::Solid)
                .map(|(reference, _)| reference.clone())
                .collect();
            self.set_owners(key, object, kept);
            return;
        }
        let waiting = stand.contains(&Owner::Waiting) && !self.dependents(key, object).is_empty();
        let own = finalizers(object);
        let policy = if waiting || own.iter().any(|f| f == FOREGROUND) {
            Policy::Foreground
        } else if own.iter().any(|f| f == ORPHAN) {
            Policy::Orphan
        } else {
            Policy::Background
        };
        self.delete_as(kind, key, policy, write);
    }

    fn delete_as(&mut self, kind: &Kind, key: &Key, policy: Policy, write: &Write) {
        let options = DeleteOptions {
            policy: Some(policy),
            ..DeleteOptions::default()
        };
        // It was there a moment ago and nobody else is at work: there is nothing to refuse.
        let _ = self.delete(kind, key, &options, write);
    }

    /// What names this very object as an owner, in its namespace (everywhere, if it has none).
    fn dependents(&self, key: &Key, owner: &Value) -> Vec<(Key, Arc<Value>)> {
        let uid = text(owner, "uid");
        self.objects
            .iter()
            .filter(|(k, _)| key.namespace.is_empty() || k.namespace == key.namespace)
            .filter(|(_, o)| owners(o).iter().any(|r| r["uid"] == uid))
            .map(|(k, o)| (k.clone(), o.clone()))
            .collect()
    }

    /// Cuts the dependents loose, then lets the owner go.
    fn orphan(&mut self, key: &Key, owner: &Arc<Value>) {
        let uid = text(owner, "uid");
        for (dependent, object) in self.dependents(key, owner) {
            let kept = owners(&object).iter().filter(|r| r["uid"] != uid);
            let kept: Vec<_> = kept.cloned().collect();
            self.set_owners(&dependent, &object, kept);
        }
        self.let_go(key, owner, ORPHAN);
    }

    /// Waits for what blocks; what is not being deleted yet is deleted by its own turn, as its owner is waiting.
    fn foreground(&mut self, key: &Key, owner: &Arc<Value>, write: &Write) {
        let uid = text(owner, "uid").to_owned();
        let blocks = |object: &Value| {
            owners(object)
                .iter()
                .any(|r| r["uid"] == *uid && r["blockOwnerDeletion"] == true)
        };
        let dependents = self.dependents(key, owner);
        if !dependents.iter().any(|(_, object)| blocks(object)) {
            // Those that do not block go as well, once the owner is gone or right now: the effect is the same.
            for (dependent, object) in dependents {
                if let Some(kind) = self.kinds.get(&dependent.resource).cloned()
                    && !deleting(&object)
                {
                    self.dependent(&kind, &dependent, &object, write);
                }
            }
            self.let_go(key, owner, FOREGROUND);
        }
    }

    /// Takes a finalizer of the collector off; the object goes if it was the last.
    fn let_go(&mut self, key: &Key, object: &Arc<Value>, finalizer: &str) {
        let mut kept = finalizers(object);
        kept.retain(|f| f != finalizer);
        if kept.is_empty() {
            self.erase(key);
            return;
        }
        let mut next = (**object).clone();
        set_finalizers(&mut next, &kept);
        self.record(key, next);
    }

    fn set_owners(&mut self, key: &Key, object: &Arc<Value>, kept: Vec<Value>) {
        let mut next = (**object).clone();
        if kept.is_empty() {
            unset(&mut next, "ownerReferences");
        } else {
            set(&mut next, "ownerReferences", kept);
        }
        self.record(key, next);
    }

    /// Deletes what is in a namespace that is being deleted, and the namespace when nothing is left. Its conditions
    /// (`NamespaceContentRemaining` and others) are not written.
    fn end_namespace(&mut self, key: &Key, namespace: &Arc<Value>, write: &Write) {
        if !deleting(namespace) {
            return;
        }
        let content: Vec<_> = self
            .objects
            .iter()
            .filter(|(k, _)| k.namespace == key.name)
            .map(|(k, o)| (k.clone(), deleting(o)))
            .collect();
        for (inside, going) in &content {
            if let Some(kind) = self.kinds.get(&inside.resource).cloned()
                && !going
            {
                self.delete_as(&kind, inside, Policy::Background, write);
            }
        }
        let left = self.objects.keys().any(|k| k.namespace == key.name);
        if !left && meta::finalizers(namespace).is_empty() {
            self.erase(key);
        } else if !left && !namespace["spec"]["finalizers"].is_null() {
            let mut next = (**namespace).clone();
            next["spec"] = Value::Object(Map::new());
            self.record(key, next);
        }
    }
}
