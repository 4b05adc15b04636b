//! What a structural schema does to an object on its way in: unknown fields go, defaults come, the rest is checked.
//!
//! May change or judge the value it is given. It knows what our definitions use: types, `required`, `enum`, bounds, lengths,
//! patterns, `date-time`, lists that are maps or sets. It does NOT evaluate CEL rules (`x-kubernetes-validations`), `oneOf`,
//! `anyOf` or `not`: the tests against the real API server cover those.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use k8s_openapi::jiff::Timestamp;
use regex::Regex;
use serde_json::{Map, Value};

use super::refuse::Cause;

type Schema = JSONSchemaProps;

pub(super) fn items(schema: &Schema) -> Option<&Schema> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// The schema of a field: its own, or that of all values of a map.
pub(super) fn field<'s>(schema: &'s Schema, name: &str) -> Option<&'s Schema> {
    let own = schema.properties.as_ref().and_then(|p| p.get(name));
    own.or_else(|| values(schema))
}

fn values(schema: &Schema) -> Option<&Schema> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(values) => Some(values),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// What belongs to every object and to no schema.
fn envelope(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

/// Takes unknown fields out of an object of this kind.
pub(super) fn prune(object: &mut Value, schema: &Schema) {
    if let Value::Object(map) = object {
        prune_map(map, schema, envelope);
    }
}

fn prune_map(map: &mut Map<String, Value>, schema: &Schema, keep: fn(&str) -> bool) {
    let open = schema.x_kubernetes_preserve_unknown_fields == Some(true)
        || matches!(
            schema.additional_properties,
            Some(JSONSchemaPropsOrBool::Bool(true))
        );
    map.retain(|name, _| open || keep(name) || field(schema, name).is_some());
    for (name, value) in map.iter_mut().filter(|(name, _)| !keep(name)) {
        if let Some(inner) = field(schema, name) {
            prune_value(value, inner);
        }
    }
}

fn prune_value(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => prune_map(map, schema, |_| false),
        Value::Array(list) => {
            if let Some(inner) = items(schema) {
                for value in list {
                    prune_value(value, inner);
                }
            }
        }
        _ => {}
    }
}

/// Fills in defaults. A `null` where none is allowed counts as absent.
pub(super) fn default(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| {
                !value.is_null()
                    || field(schema, name).is_none_or(|inner| inner.nullable == Some(true))
            });
            for (name, inner) in schema.properties.iter().flatten() {
                if let (Some(default), false) = (&inner.default, map.contains_key(name)) {
                    map.insert(name.clone(), default.0.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(inner) = field(schema, name) {
                    default(value, inner);
                }
            }
        }
        Value::Array(list) => {
            if let Some(inner) = items(schema) {
                for value in list {
                    default(value, inner);
                }
            }
        }
        _ => {}
    }
}

/// Every violation in an object of this kind.
pub(super) fn check(object: &Value, schema: &Schema) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_value(object, schema, "", &mut causes);
    causes
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(value: &Value, wanted: &str) -> bool {
    match (wanted, value) {
        ("number", Value::Number(_)) => true,
        ("integer", Value::Number(n)) => n.as_f64().is_some_and(|f| f.fract() == 0.0),
        _ => type_of(value) == wanted,
    }
}

fn check_value(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema.nullable == Some(true) {
        return;
    }
    if let Some(wanted) = schema.type_.as_deref()
        && !fits(value, wanted)
        && schema.x_kubernetes_int_or_string != Some(true)
    {
        let got = type_of(value);
        let message =
            format!("Invalid value: \"{got}\": {path} in body must be of type {wanted}: \"{got}\"");
        causes.push(Cause::new("FieldValueTypeInvalid", path, message));
        return;
    }
    if let Some(allowed) = &schema.enum_
        && !allowed.iter().any(|a| a.0 == *value)
    {
        let all: Vec<_> = allowed.iter().map(|a| a.0.to_string()).collect();
        let message = format!(
            "Unsupported value: {value}: supported values: {}",
            all.join(", ")
        );
        causes.push(Cause::new("FieldValueNotSupported", path, message));
    }
    match value {
        Value::Object(map) => check_map(map, schema, path, causes),
        Value::Array(list) => check_list(list, schema, path, causes),
        Value::String(text) => check_text(text, schema, path, causes),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let shown = |bound: f64| format!("{path} in body should be {{}} {bound}");
            if let Some(least) = schema.minimum.filter(|least| number < *least) {
                let why = shown(least).replace("{}", "greater than or equal to");
                causes.push(Cause::invalid(path, value, &why));
            }
            if let Some(most) = schema.maximum.filter(|most| number > *most) {
                let why = shown(most).replace("{}", "less than or equal to");
                causes.push(Cause::invalid(path, value, &why));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_map(map: &Map<String, Value>, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    for name in schema.required.iter().flatten() {
        if !map.contains_key(name) {
            causes.push(Cause::required(&join(path, name)));
        }
    }
    if over(map.len(), schema.max_properties) {
        let most = schema.max_properties.unwrap_or(0);
        let message = format!("Too many: {}: must have at most {most} items", map.len());
        causes.push(Cause::new("FieldValueTooMany", path, message));
    }
    for (name, value) in map {
        if path.is_empty() && envelope(name) {
            continue;
        }
        if let Some(inner) = field(schema, name) {
            check_value(value, inner, &join(path, name), causes);
        }
    }
}

fn check_list(list: &[Value], schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    if over(list.len(), schema.max_items) {
        let most = schema.max_items.unwrap_or(0);
        let message = format!("Too many: {}: must have at most {most} items", list.len());
        causes.push(Cause::new("FieldValueTooMany", path, message));
    }
    if under(list.len(), schema.min_items) {
        let least = schema.min_items.unwrap_or(0);
        let why = format!("{path} in body should have at least {least} items");
        causes.push(Cause::invalid(path, &list.len().into(), &why));
    }
    let unique = matches!(
        schema.x_kubernetes_list_type.as_deref(),
        Some("map" | "set")
    );
    let mut seen = BTreeSet::new();
    for (i, value) in list.iter().enumerate() {
        let at = format!("{path}[{i}]");
        if let Some(inner) = items(schema) {
            check_value(value, inner, &at, causes);
        }
        if unique && !seen.insert(identity(value, schema)) {
            let message = format!("Duplicate value: {}", identity(value, schema));
            causes.push(Cause::new("FieldValueDuplicate", &at, message));
        }
    }
}

/// What tells an item of a list that is a map or a set from the others: its keys, or the whole of it.
pub(super) fn identity(item: &Value, schema: &Schema) -> String {
    let Some(keys) = &schema.x_kubernetes_list_map_keys else {
        return item.to_string();
    };
    let own = keys
        .iter()
        .filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
    Value::Object(own.collect()).to_string()
}

fn over(len: usize, most: Option<i64>) -> bool {
    most.is_some_and(|most| i64::try_from(len).unwrap_or(i64::MAX) > most)
}

fn under(len: usize, least: Option<i64>) -> bool {
    least.is_some_and(|least| i64::try_from(len).unwrap_or(i64::MAX) < least)
}

fn check_text(text: &str, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let len = text.chars().count();
    let shown = Value::from(text);
    if over(len, schema.max_length) {
        let most = schema.max_length.unwrap_or(0);
        let message = format!("Too long: may not be more than {most} bytes");
        causes.push(Cause::new("FieldValueTooLong", path, message));
    }
    if under(len, schema.min_length) {
        let least = schema.min_length.unwrap_or(0);
        let why = format!("{path} in body should be at least {least} chars long");
        causes.push(Cause::invalid(path, &shown, &why));
    }
    if let Some(pattern) = &schema.pattern
        && !matches(pattern, text)
    {
        let why = format!("{path} in body should match '{pattern}'");
        causes.push(Cause::invalid(path, &shown, &why));
    }
    if schema.format.as_deref() == Some("date-time") && text.parse::<Timestamp>().is_err() {
        let message =
            format!("Invalid value: {shown}: {path} in body must be of type date-time: {shown}");
        causes.push(Cause::new("FieldValueTypeInvalid", path, message));
    }
}

/// Patterns are compiled once per process. One that does not compile matches everything: the real API server refuses such a
/// definition, so it cannot be ours.
fn matches(pattern: &str, text: &str) -> bool {
    type Compiled = HashMap<String, Option<Arc<Regex>>>;
    static COMPILED: OnceLock<Mutex<Compiled>> = OnceLock::new();
    let mut compiled = COMPILED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if !compiled.contains_key(pattern) {
        let regex = Regex::new(pattern).ok().map(Arc::new);
        compiled.insert(pattern.to_owned(), regex);
    }
    let regex = compiled.get(pattern).cloned().flatten();
    drop(compiled);
    regex.is_none_or(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        serde_json::from_value(json!({
            "type": "object", "required": ["spec"],
            "properties": {
                "spec": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 4},
                    "size": {"type": "integer", "minimum": 1, "maximum": 9},
                    "mode": {"type": "string", "enum": ["A", "B"], "default": "A"},
                    "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "properties": {
                            "name": {"type": "string"}, "mtu": {"type": "integer", "default": 1500}}}},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                }},
                "status": {"type": "object", "default": {"observedGeneration": -1},
                    "properties": {"observedGeneration": {"type": "integer"}}},
            },
        }))
        .unwrap()
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let mut object = json!({
            "apiVersion": "a/v1", "kind": "K", "metadata": {"labels": {"x": "y"}}, "extra": 1,
            "spec": {"name": "a", "mode": null, "odd": {}, "ports": [{"name": "p", "odd": 1}], "tags": {"k": "v"}},
        });
        prune(&mut object, &schema());
        default(&mut object, &schema());
        assert_eq!(
            object,
            json!({
                "apiVersion": "a/v1", "kind": "K", "metadata": {"labels": {"x": "y"}},
                "spec": {"name": "a", "ports": [{"name": "p", "mtu": 1500}], "tags": {"k": "v"}, "mode": "A"},
                "status": {"observedGeneration": -1},
            })
        );
        assert_eq!(check(&object, &schema()), []);
    }

    #[test]
    fn each_violation_is_named_by_field() {
        let object = json!({"spec": {
            "name": "Toolong", "size": 12, "mode": "C", "ports": [{"name": "p"}, {"name": "p"}], "tags": {"k": 1},
        }});
        let mut found: Vec<_> = check(&object, &schema())
            .into_iter()
            .map(|c| (c.field, c.reason))
            .collect();
        found.sort();
        let expected = [
            ("spec.mode", "FieldValueNotSupported"),
            ("spec.name", "FieldValueInvalid"),
            ("spec.name", "FieldValueTooLong"),
            ("spec.ports[1]", "FieldValueDuplicate"),
            ("spec.size", "FieldValueInvalid"),
            ("spec.tags.k", "FieldValueTypeInvalid"),
        ];
        assert_eq!(found, expected.map(|(f, r)| (f.to_owned(), r)));
        let missing = check(&json!({}), &schema());
        assert_eq!(missing, [Cause::required("spec")]);
    }
}
