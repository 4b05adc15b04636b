//! How a life ended, in lines that are equal for two runs if nothing that matters differs; and what no run may do.
//!
//! May read objects, ledger and the clouds' state. Names, phases, reasons and contents are compared; identifiers, times and
//! messages are not.

use super::super::rig::Rig;
use causeway_sandbox::control::CallView;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Sorted lines; what there is twice stands twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End(Vec<String>);

/// What differs from run to run: tokens and IDs in names.
static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("[0-9a-f]{6,}").ok());

fn plain(text: &str) -> String {
    let ids = IDS.as_ref();
    ids.map_or_else(
        || text.to_owned(),
        |r| r.replace_all(text, "#").into_owned(),
    )
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Our kinds; the last one says nothing of itself.
const RESOURCES: [&str; 5] = [
    "hybridinterconnects.causeway.dev",
    "expressroutelinks.causeway.dev",
    "directconnectlinks.causeway.dev",
    "vpnpairs.causeway.dev",
    REPORTS,
];
const REPORTS: &str = "routereports.causeway.dev";

fn name(object: &Value) -> String {
    let name = text(object, "/metadata/name");
    format!("{}/{name}", text(object, "/kind"))
}

/// Status of a condition; empty where there is none.
fn condition<'o>(object: &'o Value, kind: &str) -> &'o str {
    let all = object["status"]["conditions"].as_array();
    let found = all.and_then(|c| c.iter().find(|c| c["type"] == kind));
    found.map_or("", |c| text(c, "/status"))
}

/// Whether there are objects with slots, and all say that they are ready.
pub(super) fn ready(rig: &Rig) -> bool {
    let objects = RESOURCES.iter().filter(|r| **r != REPORTS);
    let mut objects = objects.flat_map(|r| rig.api.objects(r)).peekable();
    objects.peek().is_some() && objects.all(|o| condition(&o, "Ready") == "True")
}

/// Whether no object of ours is left.
pub(super) fn gone(rig: &Rig) -> bool {
    RESOURCES.iter().all(|r| rig.api.objects(r).is_empty())
}

/// What the objects say; cheap.
pub(super) fn said(rig: &Rig) -> End {
    let mut lines = Vec::new();
    for object in RESOURCES.iter().flat_map(|r| rig.api.objects(r)) {
        let name = name(&object);
        let deleting = object["metadata"]["deletionTimestamp"].is_string();
        let finalizers = &object["metadata"]["finalizers"];
        lines.push(format!(
            "{name} deleting {deleting} finalizers {finalizers}"
        ));
        if object["kind"] == "RouteReport" {
            continue;
        }
        let status = &object["status"];
        lines.push(format!("{name} path {}", status["activePath"]));
        for slot in status["slots"].as_array().into_iter().flatten() {
            lines.push(format!(
                "{name} slot {} {} id {} intent {}",
                text(slot, "/name"),
                text(slot, "/phase"),
                slot["id"].is_string(),
                slot["intent"].is_object(),
            ));
        }
        let generation = object["metadata"]["generation"].as_i64();
        for c in status["conditions"].as_array().into_iter().flatten() {
            let now = c["observedGeneration"].as_i64() == generation;
            lines.push(format!(
                "{name} {} {} {}{}",
                text(c, "/type"),
                text(c, "/status"),
                text(c, "/reason"),
                if now { "" } else { " of an older generation" },
            ));
        }
    }
    for secret in rig.api.objects("secrets") {
        let finalizers = &secret["metadata"]["finalizers"];
        let name = text(&secret, "/metadata/name");
        lines.push(format!("Secret/{name} finalizers {finalizers}"));
    }
    lines.sort();
    End(lines)
}

/// What is not as it should be, in the operator's own words.
pub(super) fn messages(rig: &Rig) -> Vec<String> {
    let mut lines = Vec::new();
    for object in RESOURCES.iter().flat_map(|r| rig.api.objects(r)) {
        let conditions = object["status"]["conditions"].as_array();
        for c in conditions.into_iter().flatten() {
            let good = if matches!(text(c, "/type"), "Stalled" | "Deleting" | "Reconciling") {
                "False"
            } else {
                "True"
            };
            if c["status"] != good {
                let (kind, message) = (text(c, "/type"), text(c, "/message"));
                lines.push(format!("{} says of {kind}: {message}", name(&object)));
            }
        }
    }
    lines
}

/// What the clouds have and what was paid for; dear.
pub(super) fn stands(rig: &Rig) -> End {
    let mut lines = Vec::new();
    for o in rig.sandbox.live() {
        lines.push(format!("live {} {} {}", o.kind, plain(&o.name), o.state));
    }
    for p in rig.sandbox.ledger() {
        let kind = serde_json::to_value(p.kind).unwrap_or_default();
        let ended = p.ended_at.is_some();
        lines.push(format!(
            "bought by {}: {kind} {} ended {ended}",
            p.principal,
            plain(&p.name)
        ));
    }
    for c in rig.sandbox.diff() {
        let fields: Vec<&str> = c.fields.iter().map(|f| f.path.as_str()).collect();
        lines.push(format!("{} {} {fields:?}", c.change, plain(&c.id)));
    }
    let contents = rig.sandbox.read(|s| {
        let all = [
            serde_json::to_value(&s.azure.resources),
            serde_json::to_value(&s.aws),
            serde_json::to_value(&s.megaport.vxcs),
        ];
        all.map(Result::unwrap_or_default)
    });
    let mut found = BTreeMap::new();
    for value in &contents {
        contents_of(value, &mut found);
    }
    lines.extend(found.into_iter().map(|(what, n)| format!("{n} × {what}")));
    lines.sort();
    End(lines)
}

/// Fields of the clouds' objects that the changes of `scene` are about.
const CONTENTS: [&str; 6] = [
    "bandwidthInMbps",
    "rate",
    "routingWeight",
    "dpdTimeoutSeconds",
    "prefixes",
    "sku",
];

fn contents_of(value: &Value, found: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if CONTENTS.contains(&key.as_str()) {
                    *found.entry(format!("{key} {value}")).or_default() += 1;
                } else if key != "previous" {
                    // What reads still show of the past is no content.
                    contents_of(value, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|v| contents_of(v, found)),
        _ => {}
    }
}

impl End {
    /// What only one of the two has.
    pub(super) fn differences(&self, should: &Self) -> Vec<String> {
        let count = |end: &Self| {
            let mut n = BTreeMap::<String, isize>::new();
            for line in &end.0 {
                *n.entry(line.clone()).or_default() += 1;
            }
            n
        };
        let (have, want) = (count(self), count(should));
        let lines: BTreeSet<&String> = have.keys().chain(want.keys()).collect();
        let mut out = Vec::new();
        for line in lines {
            let n = |of: &BTreeMap<String, isize>| of.get(line).copied().unwrap_or(0);
            match n(&have) - n(&want) {
                0 => {}
                more if more > 0 => out.push(format!("is {more} times too much: {line}")),
                less => out.push(format!("is {} times missing: {line}", -less)),
            }
        }
        out
    }
}

/// Products of the operator that were ordered twice, ended ones included. Names are its own, with a token for each slot.
pub(super) fn bought_twice(rig: &Rig) -> Vec<String> {
    let mut bought = BTreeMap::<String, usize>::new();
    for (kind, name, _) in rig.products() {
        *bought.entry(format!("{kind} {name}")).or_default() += 1;
    }
    bought
        .into_iter()
        .filter(|(what, n)| *n > 1 && !what.ends_with(' '))
        .map(|(what, n)| format!("bought {n} times: {what}"))
        .collect()
}

/// Mutating calls that were accepted, the same request counted together, by operation and request.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(BTreeMap<String, BTreeMap<String, usize>>);

/// What may be sent again and again by its nature: the circuit's own refresh (GET, then PUT of the whole body).
const REPEATED: [&str; 1] = ["expressRouteCircuits.put"];

impl Calls {
    pub(super) fn add<'c>(&mut self, calls: impl IntoIterator<Item = &'c CallView>) {
        for c in calls {
            if c.principal == "causeway" && c.mutating && (200..300).contains(&c.status) {
                let request = format!(
                    "{} {} {} {}",
                    c.method,
                    c.path,
                    c.query.as_deref().unwrap_or_default(),
                    c.body.as_deref().unwrap_or_default()
                );
                let of = self.0.entry(c.operation.clone()).or_default();
                *of.entry(request).or_default() += 1;
            }
        }
    }

    pub(super) fn total(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// Requests that were sent more often than in `reference` by more than `crashes` explain: each may have lost one
    /// answer to each request.
    pub(super) fn too_many(&self, reference: &Self, crashes: usize) -> Vec<String> {
        let mut out = Vec::new();
        for (operation, requests) in &self.0 {
            if REPEATED.contains(&operation.as_str()) {
                continue;
            }
            let usual = reference.0.get(operation);
            let usual = usual.and_then(|r| r.values().max()).copied().unwrap_or(1);
            for (request, n) in requests.iter().filter(|(_, n)| **n > usual + crashes) {
                let words: String = request.chars().take(160).collect();
                out.push(format!(
                    "sent {n} times, {usual} without a crash: {operation}: {words}"
                ));
            }
        }
        out
    }
}
