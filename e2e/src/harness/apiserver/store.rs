//! Create, update and delete with the rules of the API server's generic registry: what a client may set, what is carried over,
//! what is counted, when an object really goes.
//!
//! May change the state it is given. The order of the checks is the API server's, since it decides which refusal a client sees.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields;
use super::kinds::Kind;
use super::meta::{self, deleting, finalizers, revision, set, set_finalizers, text, unset};
use super::refuse::{Cause, Refusal};
use super::schema;
use super::state::{ApiState, Key, Write};

/// Which part of an object a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Main,
    Status,
}

/// An object that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub object: Arc<Value>,
    pub created: bool,
}

/// What happens to what an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Background,
    Foreground,
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
pub(super) struct DeleteOptions {
    pub policy: Option<Policy>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
}

/// Finalizers with which an object waits for what it owns.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

impl ApiState {
    /// # Errors
    /// 400, 403, 404, 409 or 422, as the API server would.
    pub(super) fn create(
        &mut self,
        kind: &Kind,
        namespace: &str,
        body: Value,
        write: &Write,
    ) -> Result<Arc<Value>, Refusal> {
        let mut object = meta::decode(kind, body)?;
        same_namespace(kind, &mut object, namespace)?;
        if revision(&object) != 0 {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(Refusal::internal(why));
        }
        self.name(kind, &mut object)?;
        let name = text(&object, "name").to_owned();
        if kind.namespaced {
            self.open(kind, &name, namespace)?;
        }
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
            unset(&mut object, field);
        }
        let uid = self.uid();
        set(&mut object, "uid", uid);
        set(&mut object, "creationTimestamp", write.time());
        if kind.generation {
            set(&mut object, "generation", 1);
        }
        if kind.status {
            take(&mut object, "status");
        }
        if kind.is_namespace() {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.clone().into();
        }
        let bare = object["status"].is_null();
        if let Some(own) = &kind.schema {
            schema::default(&mut object, own);
        }
        let unsettled = bare && !object["status"].is_null();
        let mut causes = meta::check_new(kind, &object);
        causes.extend(kind.schema.iter().flat_map(|s| schema::check(&object, s)));
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &name, causes));
        }
        let key = Key::new(kind, namespace, &name);
        if self.get(&key).is_some() {
            return Err(Refusal::already_exists(kind, &name));
        }
        let owners = write.applied.clone().unwrap_or_else(|| {
            let none = fields::Owners::new();
            fields::written(&none, &write.manager(false), None, &object, &kind.merge)
        });
        self.owners.insert(key.clone(), Arc::new(owners));
        let object = self.record(&key, object);
        if unsettled {
            self.unsettled.insert(key);
        }
        Ok(object)
    }

    fn name(&mut self, kind: &Kind, object: &mut Value) -> Result<(), Refusal> {
        if !text(object, "name").is_empty() {
            return Ok(());
        }
        let generate = text(object, "generateName").to_owned();
        if generate.is_empty() {
            let why = "Required value: name or generateName is required";
            let cause = Cause::new("FieldValueRequired", "metadata.name", why);
            return Err(Refusal::invalid(kind, "", vec![cause]));
        }
        let name = format!("{}{}", meta::prefix(&generate), self.suffix());
        set(object, "name", name);
        Ok(())
    }

    /// New content needs a namespace that is there to stay.
    fn open(&self, kind: &Kind, name: &str, namespace: &str) -> Result<(), Refusal> {
        let Some(spaces) = self.kinds.get("namespaces") else {
            return Ok(());
        };
        let space = self.found(spaces, &Key::new(spaces, "", namespace))?;
        if deleting(&space) {
            return Err(Refusal::terminating(kind, name, namespace));
        }
        Ok(())
    }

    /// Replaces an object, or its status, by `body`: the whole of it, from a client or computed by a patch.
    ///
    /// # Errors
    /// 400, 404, 409 or 422, as the API server would.
    pub(super) fn update(
        &mut self,
        kind: &Kind,
        key: &Key,
        part: Part,
        body: Value,
        write: &Write,
    ) -> Result<Written, Refusal> {
        let mut next = meta::decode(kind, body)?;
        same_namespace(kind, &mut next, &key.namespace)?;
        let name = text(&next, "name");
        if name != key.name {
            return Err(Refusal::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                key.name
            )));
        }
        let asked = text(&next, "uid").to_owned();
        let Some(old) = self.get(key).cloned() else {
            if kind.create_on_update && part == Part::Main {
                unset(&mut next, "resourceVersion");
                let object = self.create(kind, &key.namespace, next, write)?;
                let created = true;
                return Ok(Written { object, created });
            }
            return Err(Refusal::not_found(kind, &key.name));
        };
        let uid = text(&old, "uid");
        if !asked.is_empty() && asked != uid {
            return Err(Refusal::other_uid(kind, &key.name, &asked, uid));
        }
        let version = text(&next, "resourceVersion");
        if version.is_empty() || version == "0" {
            if !kind.unconditional_update {
                let field = "metadata.resourceVersion";
                let cause = Cause::invalid(field, &0.into(), "must be specified for an update");
                return Err(Refusal::invalid_resource(kind, &key.name, vec![cause]));
            }
        } else if version != text(&old, "resourceVersion") {
            return Err(Refusal::stale(kind, &key.name));
        }
        self.replace(kind, key, part, &old, next, write)
    }

    /// `next` is about the stored version; what is left is to see what of it counts.
    fn replace(
        &mut self,
        kind: &Kind,
        key: &Key,
        part: Part,
        old: &Arc<Value>,
        mut next: Value,
        write: &Write,
    ) -> Result<Written, Refusal> {
        match part {
            Part::Status => {
                let status = next["status"].take();
                next = (**old).clone();
                put(&mut next, "status", status);
            }
            Part::Main => {
                meta::carry_over(old, &mut next);
                if kind.status {
                    put(&mut next, "status", old["status"].clone());
                }
                if kind.is_namespace() {
                    put(&mut next, "spec", old["spec"].clone());
                }
                if kind.generation && content(old) != content(&next) {
                    let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
                    set(&mut next, "generation", generation);
                }
            }
        }
        if let Some(own) = &kind.schema {
            schema::default(&mut next, own);
        }
        let mut causes = meta::check_update(old, &next);
        causes.extend(kind.schema.iter().flat_map(|s| schema::check(&next, s)));
        if kind.is_secret() && old["type"] != next["type"] {
            causes.push(Cause::invalid("type", &next["type"], "field is immutable"));
        }
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &key.name, causes));
        }
        set(
            &mut next,
            "resourceVersion",
            old["metadata"]["resourceVersion"].clone(),
        );
        let (created, before) = (false, self.owners.get(key).cloned().unwrap_or_default());
        let owners = write.applied.clone().unwrap_or_else(|| {
            let manager = write.manager(part == Part::Status);
            fields::written(&before, &manager, Some(old), &next, &kind.merge)
        });
        if next == **old && owners == *before && !self.unsettled.contains(key) {
            let object = old.clone();
            return Ok(Written { object, created });
        }
        if deleting(&next) && finalizers(&next).is_empty() && next["spec"]["finalizers"].is_null() {
            // The last finalizer: the object goes instead of being written, and the client sees what it asked for.
            self.erase(key);
            let object = Arc::new(next);
            return Ok(Written { object, created });
        }
        self.owners.insert(key.clone(), Arc::new(owners));
        let object = self.record(key, next);
        Ok(Written { object, created })
    }

    /// Deletes an object, or marks it as being deleted while somebody's finalizer is on it.
    ///
    /// # Errors
    /// 404, or 409 when a precondition does not hold.
    pub(super) fn delete(
        &mut self,
        kind: &Kind,
        key: &Key,
        options: &DeleteOptions,
        write: &Write,
    ) -> Result<Value, Refusal> {
        let old = self.found(kind, key)?;
        let uid = text(&old, "uid").to_owned();
        if let Some(asked) = options.uid.as_ref().filter(|asked| **asked != uid) {
            return Err(Refusal::precondition(kind, &key.name, "UID", asked, &uid));
        }
        let version = text(&old, "resourceVersion");
        if let Some(asked) = options.resource_version.as_ref().filter(|v| *v != version) {
            return Err(Refusal::precondition(
                kind,
                &key.name,
                "ResourceVersion",
                asked,
                version,
            ));
        }
        let mut next = (*old).clone();
        let kept = kept_finalizers(kind, &old, options.policy);
        set_finalizers(&mut next, &kept);
        // A namespace always waits: for its content, and then for its own finalizers.
        if kept.is_empty() && !kind.is_namespace() {
            self.erase(key);
            return Ok(json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": success(kind, &key.name, &uid),
            }));
        }
        if !deleting(&old) {
            mark(&mut next, kind, write);
        }
        if next == *old {
            return Ok(next);
        }
        Ok((*self.record(key, next)).clone())
    }
}

/// Marks as being deleted. Counts as a change of the specification.
fn mark(object: &mut Value, kind: &Kind, write: &Write) {
    set(object, "deletionTimestamp", write.time());
    if kind.is_namespace() {
        object["status"]["phase"] = "Terminating".into();
        return;
    }
    set(object, "deletionGracePeriodSeconds", 0);
    if let Some(generation) = object["metadata"]["generation"].as_i64() {
        set(object, "generation", generation + 1);
    }
}

/// The finalizers of an object that is deleted now: the policy decides on the collector's two.
fn kept_finalizers(kind: &Kind, object: &Value, policy: Option<Policy>) -> Vec<String> {
    let before = finalizers(object);
    if !kind.collects {
        return before;
    }
    let had = |name: &str| before.iter().any(|f| f == name);
    let add = match policy {
        Some(Policy::Background) => None,
        Some(Policy::Foreground) => Some(FOREGROUND),
        Some(Policy::Orphan) => Some(ORPHAN),
        None if had(ORPHAN) => Some(ORPHAN),
        None if had(FOREGROUND) => Some(FOREGROUND),
        None => None,
    };
    let own = |f: &String| f == ORPHAN || f == FOREGROUND;
    // Nothing to change: the order stays.
    if before.iter().filter(|f| own(f)).eq(add.iter().copied()) {
        return before;
    }
    let kept = before.into_iter().filter(|f| !own(f));
    kept.chain(add.map(str::to_owned)).collect()
}

fn success(kind: &Kind, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": kind.plural, "uid": uid});
    if !kind.group.is_empty() {
        details["group"] = kind.group.clone().into();
    }
    details
}

fn same_namespace(kind: &Kind, object: &mut Value, namespace: &str) -> Result<(), Refusal> {
    if !kind.namespaced {
        unset(object, "namespace");
        return Ok(());
    }
    match text(object, "namespace") {
        "" => set(object, "namespace", namespace),
        own if own == namespace => {}
        _ => {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

fn take(object: &mut Value, field: &str) {
    if let Some(map) = object.as_object_mut() {
        map.remove(field);
    }
}

fn put(object: &mut Value, field: &str, value: Value) {
    if value.is_null() {
        take(object, field);
    } else if let Some(map) = object.as_object_mut() {
        map.insert(field.to_owned(), value);
    }
}

/// Everything but metadata: what a generation counts changes of.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    let fields = object.as_object().into_iter().flatten();
    let mut fields: Vec<_> = fields
        .filter(|(name, _)| name.as_str() != "metadata")
        .collect();
    fields.sort_by_key(|(name, _)| name.as_str());
    fields
}
