//! Refusals in the API server's own words: HTTP code, reason and the `Status` body that clients parse.
//!
//! May only build values. Which refusal fits is decided where the request is worked on.

use serde_json::{Value, json};

use super::kinds::Kind;

/// One field that is wrong, as it stands under `details.causes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub reason: &'static str,
    pub message: String,
    /// As the API server prints it: `spec.ports[0].name`.
    pub field: String,
}

impl Cause {
    pub(super) fn new(reason: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            field: field.to_owned(),
        }
    }

    pub(super) fn required(field: &str) -> Self {
        Self::new("FieldValueRequired", field, "Required value")
    }

    /// `value` is shown as JSON, as the API server does.
    pub(super) fn invalid(field: &str, value: &Value, why: &str) -> Self {
        let message = format!("Invalid value: {value}: {why}");
        Self::new("FieldValueInvalid", field, message)
    }

    pub(super) fn forbidden(field: &str, why: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }
}

/// A request that is not done, and what the client is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub code: u16,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    /// Which object, under its resource's name.
    fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.details = Some(details(&kind.group, &kind.plural, name));
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self::new(404, "NotFound", message).about(kind, name)
    }

    pub(super) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.resource());
        Self::new(409, "AlreadyExists", message).about(kind, name)
    }

    pub(super) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let resource = kind.resource();
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// A precondition of a deletion does not hold: told by the kind's name.
    pub(super) fn precondition(kind: &Kind, name: &str, what: &str, asked: &str, is: &str) -> Self {
        let group = &kind.group;
        let word = if group.is_empty() {
            kind.kind.clone()
        } else {
            format!("{}.{group}", kind.kind)
        };
        let message = format!(
            "Operation cannot be fulfilled on {word} \"{name}\": the {what} in the precondition ({asked}) does not match the {what} in record ({is}). The object might have been deleted and then recreated"
        );
        let mut refusal = Self::new(409, "Conflict", message);
        refusal.details = Some(details(group, &kind.kind, name));
        refusal
    }

    /// The version in the request is not the stored one.
    pub(super) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// The UID in the request is not the stored one (empty: there is no such object).
    pub(super) fn other_uid(kind: &Kind, name: &str, asked: &str, stored: &str) -> Self {
        let why = format!(
            "Precondition failed: UID in precondition: {asked}, UID in object meta: {stored}"
        );
        Self::conflict(kind, name, &why)
    }

    /// Other managers (as they are shown) own fields that an apply without `force` would change.
    pub(super) fn owned(causes: Vec<(String, String)>) -> Self {
        let n = causes.len();
        let plural = if n == 1 { "" } else { "s" };
        let lines: Vec<_> = causes
            .iter()
            .map(|(manager, field)| format!("conflict with {manager}: {field}"))
            .collect();
        let message = format!(
            "Apply failed with {n} conflict{plural}: {}",
            lines.join(", ")
        );
        let causes: Vec<_> = causes
            .into_iter()
            .map(|(manager, field)| {
                json!({
                    "reason": "FieldManagerConflict",
                    "message": format!("conflict with {manager}"),
                    "field": field,
                })
            })
            .collect();
        let mut refusal = Self::new(409, "Conflict", message);
        refusal.details = Some(json!({"causes": causes}));
        refusal
    }

    /// `causes` must not be empty.
    pub(super) fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_as(kind, &kind.kind, name, causes)
    }

    /// The same from below the kinds, where only resources have names.
    pub(super) fn invalid_resource(kind: &Kind, name: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_as(kind, &kind.plural, name, causes)
    }

    fn invalid_as(kind: &Kind, word: &str, name: &str, causes: Vec<Cause>) -> Self {
        let lines: Vec<_> = causes
            .iter()
            .map(|c| format!("{}: {}", c.field, c.message))
            .collect();
        let all = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let what = if kind.group.is_empty() {
            word.to_owned()
        } else {
            format!("{word}.{}", kind.group)
        };
        let message = format!("{what} \"{name}\" is invalid: {all}");
        let mut body = details(&kind.group, word, name);
        let causes: Vec<_> = causes
            .into_iter()
            .map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field}))
            .collect();
        if let Some(map) = body.as_object_mut() {
            map.insert("causes".to_owned(), causes.into());
        }
        let mut refusal = Self::new(422, "Invalid", message);
        refusal.details = Some(body);
        refusal
    }

    /// A JSON patch whose `test` failed or whose path is not there: the API server says no more than this.
    pub(super) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        let mut refusal = Self::new(422, "Invalid", message);
        refusal.details = Some(json!({}));
        refusal
    }

    pub(super) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let resource = kind.resource();
        let message = format!(
            "{resource} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut body = details(&kind.group, &kind.plural, name);
        if let Some(map) = body.as_object_mut() {
            let cause = json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
            map.insert("causes".to_owned(), cause);
        }
        let mut refusal = Self::new(403, "Forbidden", message);
        refusal.details = Some(body);
        refusal
    }

    /// A path behind which there is nothing.
    pub(super) fn page_not_found() -> Self {
        let message = "the server could not find the requested resource";
        let mut refusal = Self::new(404, "NotFound", message);
        refusal.details = Some(json!({}));
        refusal
    }

    pub(super) fn apply_needs_manager() -> Self {
        let why = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        let mut refusal = Self::new(422, "Invalid", why);
        refusal.details = Some(json!({
            "group": "meta.k8s.io", "kind": "PatchOptions",
            "causes": [{
                "reason": "FieldValueRequired", "field": "fieldManager",
                "message": "Required value: is required for apply patch",
            }],
        }));
        refusal
    }

    /// A version that is no longer in the history.
    pub(super) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message)
    }

    pub(super) fn media_type(got: &str) -> Self {
        let message = format!("the body of the request was in an unknown format - {got}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// What the storage refuses by itself comes without a reason.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// What a fault makes of a request: any code, with the reason that belongs to it.
    pub(super) fn fault(code: u16) -> Self {
        let reason = match code {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "InternalError",
        };
        Self::new(code, reason, "a fault that the test asked for")
    }

    /// The `Status` object.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if let Some(map) = body.as_object_mut() {
            if !self.reason.is_empty() {
                map.insert("reason".to_owned(), self.reason.into());
            }
            map.extend(
                self.details
                    .iter()
                    .map(|d| ("details".to_owned(), d.clone())),
            );
        }
        body
    }
}

fn details(group: &str, kind: &str, name: &str) -> Value {
    let mut map = serde_json::Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            map.insert(key.to_owned(), value.into());
        }
    }
    Value::Object(map)
}
