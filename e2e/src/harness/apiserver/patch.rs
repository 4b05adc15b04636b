//! Patches: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and server-side apply.
//!
//! May only compute the object that a patch makes of another. Server-side apply follows ownership as the API server does: what
//! a manager no longer says goes, unless another manager owns it; what another owns is a conflict, unless forced.

use serde_json::{Map, Value};

use super::fields::{self, Manager, Owners, Paths, Step};
use super::kinds::Kind;
use super::refuse::Refusal;
use super::schema::{field, identity, items};

/// Merges `patch` into `target`; `null` removes.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Applies the operations of a JSON patch, all or none.
///
/// # Errors
/// 400 when it is no patch, 422 when a `test` fails or a path is not there.
pub(super) fn json(target: &Value, body: &[u8]) -> Result<Value, Refusal> {
    let patch: json_patch::Patch = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    let mut next = target.clone();
    json_patch::patch(&mut next, &patch).map_err(|_| Refusal::unprocessable())?;
    Ok(next)
}

/// What an apply makes: the object, and who owns what then.
pub(super) struct Applied {
    pub object: Value,
    pub owners: Owners,
}

/// Applies `config` as `manager`. `live` is `None` when there is no such object yet.
///
/// # Errors
/// 409 when another manager owns what would change, and `force` is not set.
pub(super) fn apply(
    kind: &Kind,
    live: Option<&Value>,
    owners: &Owners,
    config: &Value,
    manager: &Manager,
    force: bool,
) -> Result<Applied, Refusal> {
    let schema = &kind.merge;
    let mut config = config.clone();
    if let Some(map) = config.as_object_mut() {
        if manager.status {
            map.retain(|key, _| {
                matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status")
            });
            // The subresource takes names and versions from metadata, and nothing else.
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.retain(|key, _| {
                    matches!(
                        key.as_str(),
                        "name" | "namespace" | "uid" | "resourceVersion"
                    )
                });
            }
        } else if kind.status {
            map.remove("status");
        }
    }
    let wanted = fields::paths(&config, schema);
    let mut owners = owners.clone();
    yield_to(&mut owners, live, &config, &wanted, manager, kind, force)?;
    let mut object = match live {
        Some(live) => merged(live, &config, Some(schema)),
        None => config,
    };
    let dropped = owners.remove(manager).unwrap_or_default();
    for path in dropped.difference(&wanted) {
        let kept =
            |owned: &Paths| owned.contains(path) || fields::below(path, owned).next().is_some();
        if !owners.values().any(kept) && !kept(&wanted) {
            fields::remove(&mut object, path, Some(schema));
        }
    }
    if !wanted.is_empty() {
        owners.insert(manager.clone(), wanted);
    }
    Ok(Applied { object, owners })
}

/// Other managers lose what a forced apply changes; without force that is a conflict.
fn yield_to(
    owners: &mut Owners,
    live: Option<&Value>,
    config: &Value,
    wanted: &Paths,
    manager: &Manager,
    kind: &Kind,
    force: bool,
) -> Result<(), Refusal> {
    let schema = &kind.merge;
    let mut conflicts = Vec::new();
    for (other, owned) in owners.iter_mut().filter(|(other, _)| *other != manager) {
        let changed: Vec<_> = owned
            .intersection(wanted)
            .filter(|path| fields::below(path, wanted).next().is_none())
            .filter(|path| {
                live.and_then(|live| fields::at(live, path, schema))
                    != fields::at(config, path, schema)
            })
            // An item of a list is there or not; what stands in it is owned by its own path.
            .filter(|path| !matches!(path.last(), Some(Step::Item(_))))
            .cloned()
            .collect();
        for path in changed {
            conflicts.push((other.shown(kind), fields::print(&path)));
            owned.remove(&path);
        }
    }
    if !force && !conflicts.is_empty() {
        return Err(Refusal::owned(conflicts));
    }
    owners.retain(|_, owned| !owned.is_empty());
    Ok(())
}

type Schema = k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

/// `config` laid over `live`: piece by piece where the schema says so, else as a whole.
fn merged(live: &Value, config: &Value, schema: Option<&Schema>) -> Value {
    match (live, config) {
        (Value::Object(old), Value::Object(new))
            if schema.and_then(|s| s.x_kubernetes_map_type.as_deref()) != Some("atomic") =>
        {
            let mut map = old.clone();
            for (key, value) in new {
                let inner = schema.and_then(|s| field(s, key));
                let value = match old.get(key) {
                    Some(old) => merged(old, value, inner),
                    None => value.clone(),
                };
                map.insert(key.clone(), value);
            }
            Value::Object(map)
        }
        (Value::Array(old), Value::Array(new)) => match schema {
            Some(list) if matches!(list.x_kubernetes_list_type.as_deref(), Some("map" | "set")) => {
                Value::Array(merged_list(old, new, list))
            }
            _ => config.clone(),
        },
        _ => config.clone(),
    }
}

/// The applied order holds for what is applied; what only others put there stays where it stood between its neighbours.
fn merged_list(old: &[Value], new: &[Value], schema: &Schema) -> Vec<Value> {
    let of = |list: &[Value]| -> Vec<String> {
        list.iter().map(|item| identity(item, schema)).collect()
    };
    let (old_ids, new_ids) = (of(old), of(new));
    let mut out = Vec::new();
    let mut cursor = 0;
    for (i, (item, id)) in new.iter().zip(&new_ids).enumerate() {
        // What is still to come of the items in both lists: those wait for their turn.
        let next_shared = new_ids.iter().skip(i).find(|id| old_ids.contains(id));
        while let Some(own) = old_ids.get(cursor).filter(|own| Some(*own) != next_shared) {
            if !new_ids.contains(own) {
                out.extend(old.get(cursor).cloned());
            }
            cursor += 1;
        }
        let before = old_ids.iter().position(|own| own == id);
        match before.and_then(|at| old.get(at)) {
            Some(before) => {
                out.push(merged(before, item, items(schema)));
                cursor = cursor.max(before_end(&old_ids, id, cursor));
            }
            None => out.push(item.clone()),
        }
    }
    let rest = old.iter().zip(&old_ids).skip(cursor);
    out.extend(
        rest.filter(|(_, own)| !new_ids.contains(own))
            .map(|(item, _)| item.clone()),
    );
    out
}

/// Past the item `id`, if the cursor stands on it.
fn before_end(ids: &[String], id: &str, cursor: usize) -> usize {
    if ids.get(cursor).is_some_and(|own| own == id) {
        cursor + 1
    } else {
        cursor
    }
}
