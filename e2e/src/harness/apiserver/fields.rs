//! Who owns which field: the sets of paths behind server-side apply.
//!
//! May only compute. Kept beside the objects and not shown as `metadata.managedFields`, which nothing of ours reads.
//! Paths follow the schema: maps and `x-kubernetes-list-type: map` or `set` are owned piece by piece, other lists as a whole.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::kinds::Kind;
use super::schema::{field, identity, items};

type Schema = JSONSchemaProps;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Field(String),
    /// An item of a list that is a map or a set, by [`identity`].
    Item(String),
}

/// From the root of the object.
pub(super) type Path = Vec<Step>;

/// What one manager owns.
pub(super) type Paths = BTreeSet<Path>;

/// Who writes, and how: the same name is another manager when it applies, and another on the status subresource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub name: String,
    pub apply: bool,
    pub status: bool,
}

impl Manager {
    /// As the API server prints it in a conflict.
    pub(super) fn shown(&self, kind: &Kind) -> String {
        let mut text = format!("\"{}\"", self.name);
        if self.status {
            text.push_str(" with subresource \"status\"");
        }
        if !self.apply {
            text.push_str(&format!(" using {}", kind.api_version()));
        }
        text
    }
}

/// All managers of one object.
pub(super) type Owners = BTreeMap<Manager, Paths>;

/// How a list or map is owned.
fn granular(value: &Value, schema: Option<&Schema>) -> bool {
    match value {
        Value::Object(_) => {
            schema.and_then(|s| s.x_kubernetes_map_type.as_deref()) != Some("atomic")
        }
        Value::Array(_) => matches!(
            schema.and_then(|s| s.x_kubernetes_list_type.as_deref()),
            Some("map" | "set")
        ),
        _ => false,
    }
}

/// What stands at each path: a leaf, or nothing of its own (an item of a list that is a map).
type Leaves<'v> = BTreeMap<Path, Option<&'v Value>>;

/// The paths of `value`, which stands at `at`: leaves, and items of lists that are maps or sets; nothing of what is in
/// `but`.
fn collect<'v>(
    value: &'v Value,
    schema: Option<&Schema>,
    at: &mut Path,
    but: &[Path],
    into: &mut Leaves<'v>,
) {
    if at.len() <= 2 && but.contains(at) {
        return;
    }
    let pieces = granular(value, schema);
    match (value, schema) {
        (Value::Object(map), _) if pieces && !map.is_empty() => {
            for (name, value) in map {
                at.push(Step::Field(name.clone()));
                collect(value, schema.and_then(|s| field(s, name)), at, but, into);
                at.pop();
            }
        }
        (Value::Array(list), Some(schema)) if pieces && !list.is_empty() => {
            for item in list {
                at.push(Step::Item(identity(item, schema)));
                if granular(item, items(schema)) {
                    into.insert(at.clone(), None);
                    collect(item, items(schema), at, but, into);
                } else {
                    into.insert(at.clone(), Some(item));
                }
                at.pop();
            }
        }
        _ => {
            into.insert(at.clone(), Some(value));
        }
    }
}

/// What names or versions an object is nobody's field.
fn system(path: &Path) -> bool {
    let names: Vec<_> = path
        .iter()
        .take(2)
        .map(|step| match step {
            Step::Field(name) | Step::Item(name) => name.as_str(),
        })
        .collect();
    match names.as_slice() {
        ["apiVersion" | "kind" | "metadata"] => true,
        ["metadata", name] => matches!(
            *name,
            "name"
                | "namespace"
                | "generateName"
                | "uid"
                | "resourceVersion"
                | "generation"
                | "creationTimestamp"
                | "deletionTimestamp"
                | "deletionGracePeriodSeconds"
        ),
        _ => false,
    }
}

fn leaves<'v>(object: &'v Value, schema: &Schema) -> Leaves<'v> {
    leaves_but(object, schema, &[])
}

/// The fields of an object, and the fields of these, that are equal in both.
fn unchanged(old: &Value, new: &Value) -> Vec<Path> {
    let mut same = Vec::new();
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return same;
    };
    for (name, value) in after {
        let Some(was) = before.get(name) else {
            continue;
        };
        let at = vec![Step::Field(name.clone())];
        if was == value {
            same.push(at);
        } else if let (Value::Object(before), Value::Object(after)) = (was, value) {
            let equal = after
                .iter()
                .filter(|(name, value)| before.get(*name) == Some(*value));
            same.extend(equal.map(|(name, _)| {
                let mut at = at.clone();
                at.push(Step::Field(name.clone()));
                at
            }));
        }
    }
    same
}

/// As [`leaves`], without what lies at or under these paths.
fn leaves_but<'v>(object: &'v Value, schema: &Schema, same: &[Path]) -> Leaves<'v> {
    let mut all = Leaves::new();
    collect(object, Some(schema), &mut Path::new(), same, &mut all);
    all.retain(|path, _| !system(path));
    all
}

/// Every path of an object that somebody can own.
pub(super) fn paths(object: &Value, schema: &Schema) -> Paths {
    leaves(object, schema).into_keys().collect()
}

/// The value at a path.
pub(super) fn at<'v>(object: &'v Value, path: &[Step], schema: &Schema) -> Option<&'v Value> {
    let mut value = object;
    let mut schema = Some(schema);
    for step in path {
        match step {
            Step::Field(name) => {
                value = value.get(name)?;
                schema = schema.and_then(|s| field(s, name));
            }
            Step::Item(id) => {
                let list = schema?;
                value = value
                    .as_array()?
                    .iter()
                    .find(|item| identity(item, list) == *id)?;
                schema = items(list);
            }
        }
    }
    Some(value)
}

/// Takes the value at a path away, and every map and list that becomes empty by that.
pub(super) fn remove(object: &mut Value, path: &[Step], schema: Option<&Schema>) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match (step, object) {
        (Step::Field(name), Value::Object(map)) => {
            let Some(inner) = map.get_mut(name) else {
                return;
            };
            remove(inner, rest, schema.and_then(|s| field(s, name)));
            if rest.is_empty() || empty(inner) {
                map.remove(name);
            }
        }
        (Step::Item(id), Value::Array(list)) => {
            let Some(schema) = schema else { return };
            let Some(i) = list.iter().position(|item| identity(item, schema) == *id) else {
                return;
            };
            if let Some(inner) = list.get_mut(i) {
                remove(inner, rest, items(schema));
            }
            if rest.is_empty() || list.get(i).is_some_and(empty) {
                list.remove(i);
            }
        }
        _ => {}
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Ownership after `manager` changed `old` into `new` by anything but an apply: what it set or changed is its own and nobody
/// else's, what it took away is nobody's.
pub(super) fn written(
    owners: &Owners,
    manager: &Manager,
    old: Option<&Value>,
    new: &Value,
    schema: &Schema,
) -> Owners {
    // Most of an object stays as it was, and a status is written often: what did not change is not taken apart.
    let same = old.map(|old| unchanged(old, new)).unwrap_or_default();
    let kept = |path: &Path| same.iter().any(|s| path.starts_with(s));
    let after = leaves_but(new, schema, &same);
    let before = old
        .map(|old| leaves_but(old, schema, &same))
        .unwrap_or_default();
    let changed: Paths = after
        .iter()
        .filter(|(path, value)| before.get(*path) != Some(*value))
        .map(|(path, _)| path.clone())
        .collect();
    let mut next = owners.clone();
    for (other, owned) in &mut next {
        owned.retain(|path| {
            kept(path) || after.contains_key(path) && (other == manager || !changed.contains(path))
        });
    }
    next.entry(manager.clone()).or_default().extend(changed);
    next.retain(|_, owned| !owned.is_empty());
    next
}

/// The paths under `path`, without itself.
pub(super) fn below<'p>(path: &'p Path, all: &'p Paths) -> impl Iterator<Item = &'p Path> {
    all.range(path.clone()..)
        .skip_while(move |p| *p == path)
        .take_while(move |p| p.starts_with(path))
}

/// As the API server prints a path in a conflict: `.spec.ports[name="a"].mtu`.
pub(super) fn print(path: &Path) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) => text.push_str(&format!(".{name}")),
            Step::Item(id) => match serde_json::from_str::<Value>(id) {
                Ok(Value::Object(keys)) => {
                    let keys: Vec<_> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
                    text.push_str(&format!("[{}]", keys.join(",")));
                }
                _ => text.push_str(&format!("[={id}]")),
            },
        }
    }
    text
}
