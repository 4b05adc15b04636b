//! Ground truth: what was ordered, what exists, what changed, who called, what ran.

use crate::calls::LoggedCall;
use crate::critical::{self, CriticalPath, Kind};
use crate::ledger::ProductKind;
use crate::ops::OpKind;
use crate::sandbox::{LiveObject, Sandbox};
use crate::time::SimTime;
use crate::wire::Provider;
use crate::{arm, aws, megaport};
use serde::Serialize;
use serde_json::Value;

/// An entry of `GET /ledger`; times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerView {
    pub provider: Provider,
    pub kind: ProductKind,
    pub id: String,
    pub name: String,
    pub ordered_at: String,
    pub ended_at: Option<String>,
    pub principal: String,
}

/// An entry of `GET /diff`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub provider: String,
    pub id: String,
    /// `changed`, `removed` or `added`.
    pub change: &'static str,
    /// What differs, by JSON pointer; empty when the object came or went as a whole.
    pub fields: Vec<ChangedField>,
}

/// A value that differs; `null` where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedField {
    pub path: String,
    pub before: Value,
    pub now: Value,
}

/// An entry of `GET /calls`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallView {
    pub seq: u64,
    pub at: String,
    pub provider: Provider,
    pub operation: String,
    pub method: String,
    pub path: String,
    /// 0 when no answer was given.
    pub status: u16,
    pub mutating: bool,
    pub principal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<(String, String)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl CallView {
    fn new(call: &LoggedCall, bodies: bool) -> Self {
        Self {
            seq: call.seq,
            at: call.at.rfc3339(),
            provider: call.provider,
            operation: call.operation.clone(),
            method: call.method.clone(),
            path: call.path.clone(),
            status: call.status,
            mutating: call.mutating,
            principal: call.principal.clone(),
            query: bodies.then(|| call.query.clone()),
            headers: bodies.then(|| call.headers.clone()),
            body: bodies.then(|| call.body.clone()),
        }
    }
}

/// An entry of `GET /operations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    pub id: u64,
    pub provider: Provider,
    pub operation: String,
    pub resource: String,
    pub kind: OpKind,
    pub started_at: String,
    /// When it is to end; `endedAt` is when it did.
    pub due: String,
    pub ended_at: Option<String>,
    pub depends_on: Vec<u64>,
    pub locks: Vec<String>,
}

impl Sandbox {
    /// Every chargeable product ever ordered, in order of time.
    pub fn ledger(&self) -> Vec<LedgerView> {
        self.read(|s| {
            s.ledger
                .0
                .iter()
                .map(|e| LedgerView {
                    provider: e.provider,
                    kind: e.kind,
                    id: e.id.clone(),
                    name: e.name.clone(),
                    ordered_at: e.ordered_at.rfc3339(),
                    ended_at: e.ended_at.map(SimTime::rfc3339),
                    principal: e.principal.clone(),
                })
                .collect()
        })
    }

    /// What exists now, apart from what the world started with.
    pub fn live(&self) -> Vec<LiveObject> {
        self.read(|s| [arm::live(s), aws::live(s), megaport::live(s)].concat())
    }

    /// What of the world's own objects has changed since the start.
    pub fn diff(&self) -> Vec<Change> {
        self.read(|s| {
            let now = s.world_objects();
            let mut out = Vec::new();
            for (key, before) in &s.initial {
                match now.get(key) {
                    None => out.push(change(key, "removed", Vec::new())),
                    Some(after) if after == before => {}
                    Some(after) => {
                        let mut fields = Vec::new();
                        compare("", before, after, &mut fields);
                        out.push(change(key, "changed", fields));
                    }
                }
            }
            let added = now.keys().filter(|k| !s.initial.contains_key(*k));
            out.extend(added.map(|key| change(key, "added", Vec::new())));
            out
        })
    }

    /// The calls after number `since`; `bodies` adds query, headers and body.
    pub fn calls(&self, since: u64, bodies: bool) -> Vec<CallView> {
        self.read(|s| {
            s.calls
                .since(since)
                .iter()
                .map(|c| CallView::new(c, bodies))
                .collect()
        })
    }

    /// All long-running work, in order of its start.
    pub fn operations(&self) -> Vec<OperationView> {
        self.read(|s| {
            s.ops
                .all
                .iter()
                .map(|o| OperationView {
                    id: o.id,
                    provider: o.provider,
                    operation: o.operation.clone(),
                    resource: o.resource.clone(),
                    kind: o.kind,
                    started_at: o.started_at.rfc3339(),
                    due: o.due.rfc3339(),
                    ended_at: o.ended_at.map(SimTime::rfc3339),
                    depends_on: o.depends_on.clone(),
                    locks: o.locks.clone(),
                })
                .collect()
        })
    }

    /// The longest chain of operations ([`crate::critical`]) that began at `since` or later.
    pub fn critical_path(&self, kind: Kind, since: Option<SimTime>) -> CriticalPath {
        self.read(|s| critical::path(&s.ops.all, kind, since.unwrap_or(SimTime(i64::MIN))))
    }
}

fn change(key: &str, change: &'static str, fields: Vec<ChangedField>) -> Change {
    let (provider, id) = key.split_once(':').unwrap_or(("", key));
    Change {
        provider: provider.to_owned(),
        id: id.to_owned(),
        change,
        fields,
    }
}

/// Adds what differs between two values; arrays are compared by place.
fn compare(path: &str, before: &Value, now: &Value, out: &mut Vec<ChangedField>) {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let pointer = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                let get =
                    |m: &serde_json::Map<String, Value>| m.get(key).cloned().unwrap_or(Value::Null);
                compare(&pointer, &get(a), &get(b), out);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for i in 0..a.len().max(b.len()) {
                let get = |l: &[Value]| l.get(i).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}/{i}"), &get(a), &get(b), out);
            }
        }
        (a, b) if a != b => out.push(ChangedField {
            path: path.to_owned(),
            before: a.clone(),
            now: b.clone(),
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_pointer() {
        let before = json!({"a": 1, "b": {"c/d": [1, 2]}, "gone": true});
        let now = json!({"a": 1, "b": {"c/d": [1, 3, 4]}, "new": "x"});
        let mut out = Vec::new();
        compare("", &before, &now, &mut out);
        let paths: Vec<&str> = out.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["/b/c~1d/1", "/b/c~1d/2", "/gone", "/new"]);
        assert_eq!(out[1].before, Value::Null);
        assert_eq!(out[3].now, json!("x"));
    }
}
