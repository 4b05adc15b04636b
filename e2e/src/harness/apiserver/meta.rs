//! `metadata` on its way in: decoded as the API server decodes it, and what an update may not touch.
//!
//! May change or judge values; keeps nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::kinds::Kind;
use super::refuse::{Cause, Refusal};
use super::schema;

/// Longest prefix of `generateName` that is used; five letters follow.
const LONGEST_PREFIX: usize = 58;

pub(super) fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(super) fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(map) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        map.insert(field.to_owned(), value.into());
    }
}

pub(super) fn unset(object: &mut Value, field: &str) {
    if let Some(map) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        map.remove(field);
    }
}

pub(super) fn finalizers(object: &Value) -> Vec<String> {
    let list = object["metadata"]["finalizers"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(|f| f.as_str().map(str::to_owned))
        .collect()
}

pub(super) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    if finalizers.is_empty() {
        unset(object, "finalizers");
    } else {
        set(object, "finalizers", finalizers.to_vec());
    }
}

pub(super) fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

pub(super) fn deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(super) fn revision(object: &Value) -> u64 {
    text(object, "resourceVersion").parse().unwrap_or(0)
}

/// Body of a request as an object of `kind`: of the right type, known fields only, defaults in, empty metadata out.
///
/// # Errors
/// 400 when it is no object of that kind.
pub(super) fn decode(kind: &Kind, body: Value) -> Result<Value, Refusal> {
    let mut object = undefaulted(kind, body)?;
    if let Some(own) = &kind.schema {
        schema::default(&mut object, own);
    }
    if kind.is_secret() && object["type"].is_null() {
        object["type"] = "Opaque".into();
    }
    Ok(object)
}

/// The same without defaults: what an apply says is what it owns.
///
/// # Errors
/// 400 when it is no object of that kind.
pub(super) fn undefaulted(kind: &Kind, mut body: Value) -> Result<Value, Refusal> {
    if !body.is_object() {
        return Err(Refusal::bad_request("the body is no object"));
    }
    let given = (body["apiVersion"].as_str(), body["kind"].as_str());
    let wanted = (Some(kind.api_version()), Some(kind.kind.clone()));
    if given != (wanted.0.as_deref(), wanted.1.as_deref()) {
        return Err(Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): it says apiVersion {:?} and kind {:?}",
            kind.kind, given.0, given.1
        )));
    }
    if kind.is_secret() {
        encode_string_data(&mut body);
    }
    let metadata = clean(body["metadata"].take(), kind)?;
    let cannot = |error: serde_json::Error| {
        Refusal::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {error}",
            kind.kind, kind.version, kind.kind
        ))
    };
    let mut object = match kind.decode {
        Some(decode) => {
            body["metadata"] = Value::Object(Map::new());
            decode(body).map_err(cannot)?
        }
        None => body,
    };
    if let Some(map) = object.as_object_mut() {
        map.insert("metadata".to_owned(), metadata);
        if kind.kind == "Event" && kind.decode.is_some() {
            // A struct without a pointer: Go writes it even when it is empty.
            map.entry("deprecatedSource")
                .or_insert_with(|| Value::Object(Map::new()));
        }
    }
    if let Some(own) = &kind.schema {
        schema::prune(&mut object, own);
    }
    Ok(object)
}

fn clean(metadata: Value, kind: &Kind) -> Result<Value, Refusal> {
    let typed: ObjectMeta = match metadata {
        Value::Null => ObjectMeta::default(),
        value => serde_json::from_value(value).map_err(|error| {
            Refusal::bad_request(format!(
                "{} cannot be handled: metadata: {error}",
                kind.kind
            ))
        })?,
    };
    let typed = ObjectMeta {
        // Ownership of fields is kept beside the objects and not shown.
        managed_fields: None,
        self_link: None,
        ..typed
    };
    let mut value = serde_json::to_value(typed).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        });
    }
    Ok(value)
}

/// `stringData` is written into `data` and never read back.
fn encode_string_data(body: &mut Value) {
    use base64::Engine as _;
    let Some(Value::Object(plain)) = body.as_object_mut().and_then(|m| m.remove("stringData"))
    else {
        return;
    };
    if !body["data"].is_object() {
        body["data"] = Value::Object(Map::new());
    }
    for (key, value) in plain {
        let text = value.as_str().unwrap_or_default();
        body["data"][key] = base64::engine::general_purpose::STANDARD
            .encode(text)
            .into();
    }
}

/// What of `metadata` is wrong in a new object.
pub(super) fn check_new(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(object, "name");
    if !dns(name, kind.is_namespace()) {
        let why = "a lowercase RFC 1123 name must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
        causes.push(Cause::invalid("metadata.name", &name.into(), why));
    }
    check_owners(object, &mut causes);
    causes
}

fn dns(name: &str, label: bool) -> bool {
    let part = |part: &str| {
        let alphanumeric =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        alphanumeric(part.chars().next())
            && alphanumeric(part.chars().last())
            && part.chars().all(|c| c == '-' || alphanumeric(Some(c)))
    };
    if label {
        name.len() <= 63 && part(name)
    } else {
        name.len() <= 253 && name.split('.').all(part)
    }
}

fn check_owners(object: &Value, causes: &mut Vec<Cause>) {
    for owner in owners(object) {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().is_none_or(str::is_empty) {
                let at = format!("metadata.ownerReferences.{field}");
                causes.push(Cause::invalid(&at, &"".into(), "must not be empty"));
            }
        }
    }
    let controllers = owners(object).iter().filter(|o| o["controller"] == true);
    if controllers.count() > 1 {
        let field = "metadata.ownerReferences";
        let why = "Only one reference can have Controller set to true";
        causes.push(Cause::invalid(
            field,
            &object["metadata"]["ownerReferences"],
            why,
        ));
    }
}

/// Carries over what the API server alone decides, and what clients may leave out.
pub(super) fn carry_over(old: &Value, new: &mut Value) {
    if text(new, "uid").is_empty() {
        set(new, "uid", old["metadata"]["uid"].clone());
    }
    set(
        new,
        "creationTimestamp",
        old["metadata"]["creationTimestamp"].clone(),
    );
    match &old["metadata"]["generation"] {
        Value::Null => unset(new, "generation"),
        value => set(new, "generation", value.clone()),
    }
    // A deletion can not be taken back; one that a client invents is refused below.
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        if !old["metadata"][field].is_null() {
            set(new, field, old["metadata"][field].clone());
        }
    }
}

/// What of `metadata` an update may not do.
pub(super) fn check_update(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let (was, is) = (&old["metadata"][field], &new["metadata"][field]);
        if was != is {
            let at = format!("metadata.{field}");
            causes.push(Cause::invalid(&at, is, "field is immutable"));
        }
    }
    if deleting(old) {
        let before = finalizers(old);
        let mut added = finalizers(new);
        added.retain(|f| !before.contains(f));
        if !added.is_empty() {
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{added:?}"
            );
            causes.push(Cause::forbidden("metadata.finalizers", &why));
        }
    }
    check_owners(new, &mut causes);
    causes
}

/// The part of a generated name that the client chose.
pub(super) fn prefix(generate_name: &str) -> String {
    generate_name.chars().take(LONGEST_PREFIX).collect()
}
