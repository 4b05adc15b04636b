//! Azure's objects: their bodies, what the network already knows of them, and what lagging reads still show.
//!
//! A resource's `doc` is the body that a GET answers (without what is computed at reading), `applied` the last body whose
//! operation succeeded: only that carries packets.

use super::ids::{Kind, Name};
use super::lro::Lro;
use crate::rng::Rng;
use crate::state::State;
use crate::time::SimTime;
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A top-level resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resource {
    pub name: Name,
    /// The body with id, name, type, etag and `properties.provisioningState`.
    pub doc: Value,
    /// `doc` when its last operation succeeded; `None` before the first success and once a deletion has begun.
    pub applied: Option<Value>,
    /// Secrets that reads do not show: `sharedKey`, `peering/<name>`, `authorization/<name>`.
    pub hidden: BTreeMap<String, String>,
    /// Part of the start-up world.
    pub world: bool,
    pub created_at: SimTime,
    /// The operation that last worked on it, as ARM names it in errors.
    pub last_operation: String,
    /// The long-running operation that works on it now.
    pub lro: Option<String>,
    /// Resources (lower-case IDs) that have ever referred to it: their deletions come before its own.
    pub used_by: BTreeSet<String>,
}

impl Resource {
    pub fn id(&self) -> String {
        self.name.id()
    }
    pub fn props(&self) -> &Value {
        &self.doc["properties"]
    }
    pub fn props_mut(&mut self) -> &mut Map<String, Value> {
        object(&mut self.doc["properties"])
    }
    pub fn provisioning(&self) -> &str {
        text(&self.doc["properties"]["provisioningState"])
    }
    pub fn set_provisioning(&mut self, state: &str) {
        self.props_mut()
            .insert("provisioningState".into(), state.into());
    }
    pub fn ready(&self) -> bool {
        self.provisioning() == "Succeeded"
    }
    pub fn location(&self) -> &str {
        text(&self.doc["location"])
    }
}

/// What a read may show of a resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// From when lists show it.
    pub visible_at: SimTime,
    /// `None`: it did not exist.
    pub doc: Option<Value>,
}

/// A circuit's state that is not in its body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CircuitState {
    pub service_key: String,
    pub s_tag: u16,
    /// Live VXCs by port name (`primary`, `secondary`).
    pub ports: BTreeMap<String, String>,
    /// What the provider has told Microsoft; the body shows it later (azure.md §2.6).
    pub actual: String,
    /// Counts changes, so that an event knows whether it is outdated.
    pub generation: u64,
}

/// This provider's objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AzureState {
    /// By lower-case ID.
    pub resources: BTreeMap<String, Resource>,
    pub circuits: BTreeMap<String, CircuitState>,
    pub history: BTreeMap<String, Vec<Version>>,
    pub lros: BTreeMap<String, Lro>,
    /// Signs access tokens.
    pub token_key: String,
    pub next_address: u32,
    pub next_s_tag: u16,
    /// Resources that still count as used by a gateway that is gone: until when, and by which.
    pub lingering: BTreeMap<String, (SimTime, String)>,
    /// Circuits made again under an old name are not found until then (azure.md §1.2).
    pub unseen_until: BTreeMap<String, SimTime>,
    /// Circuit IDs that were deleted.
    pub buried: BTreeSet<String>,
    /// The start-up objects as they were.
    pub world_keys: BTreeSet<String>,
}

impl AzureState {
    pub fn new(world: &World, rng: &mut Rng, now: SimTime) -> Self {
        let mut azure = Self {
            resources: BTreeMap::new(),
            circuits: BTreeMap::new(),
            history: BTreeMap::new(),
            lros: BTreeMap::new(),
            token_key: rng.hex(64),
            next_address: 0,
            next_s_tag: 20,
            lingering: BTreeMap::new(),
            unseen_until: BTreeMap::new(),
            buried: BTreeSet::new(),
            world_keys: BTreeSet::new(),
        };
        super::seed::fill(&mut azure, world, rng, now);
        azure.world_keys = azure.resources.keys().cloned().collect();
        azure
    }

    pub fn get(&self, id: &str) -> Option<&Resource> {
        self.resources.get(&id.to_lowercase())
    }
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&String, &Resource)> {
        self.resources
            .iter()
            .filter(move |(_, r)| r.name.kind == kind)
    }
    /// Puts a finished object of the start-up world in place.
    pub fn seed(
        &mut self,
        name: Name,
        location: &str,
        properties: Value,
        rng: &mut Rng,
        now: SimTime,
    ) {
        let mut doc = skeleton(&name, location, rng);
        doc["properties"] = properties;
        doc["properties"]["provisioningState"] = "Succeeded".into();
        doc["properties"]["resourceGuid"] = rng.uuid().into();
        let key = name.key();
        self.history.insert(
            key.clone(),
            vec![Version {
                visible_at: now,
                doc: Some(doc.clone()),
            }],
        );
        let resource = Resource {
            name,
            applied: Some(doc.clone()),
            doc,
            hidden: BTreeMap::new(),
            world: true,
            created_at: now,
            last_operation: "PutOperation".into(),
            lro: None,
            used_by: BTreeSet::new(),
        };
        self.resources.insert(key, resource);
    }
}

/// `etag` in the form that the service uses.
pub fn new_etag(rng: &mut Rng) -> String {
    format!("W/\"{}\"", rng.uuid())
}

/// The frame of a body: everything but the properties.
pub fn skeleton(name: &Name, location: &str, rng: &mut Rng) -> Value {
    json!({
        "name": name.name,
        "id": name.id(),
        "etag": new_etag(rng),
        "type": format!("Microsoft.Network/{}", name.kind.path()),
        "location": location,
        "properties": {},
    })
}

/// Notes that a resource has changed: a new etag, and a version that lists show after the read lag.
pub fn touch(state: &mut State, key: &str) {
    let lag = state.read_lag("arm");
    let etag = new_etag(&mut state.rng);
    let now = state.now;
    if let Some(resource) = state.azure.resources.get_mut(key) {
        resource.doc["etag"] = etag.into();
        let doc = Some(resource.doc.clone());
        push(state, key, now, lag, doc);
    }
}

/// Removes a resource; lists show it until the read lag is over.
pub fn bury(state: &mut State, key: &str) {
    let lag = state.read_lag("arm");
    let now = state.now;
    state.azure.resources.remove(key);
    push(state, key, now, lag, None);
}

fn push(state: &mut State, key: &str, now: SimTime, lag: f64, doc: Option<Value>) {
    let versions = state.azure.history.entry(key.to_owned()).or_default();
    // What came before the newest one that lists show is never shown again.
    let keep_from = versions
        .iter()
        .rposition(|v| v.visible_at <= now)
        .unwrap_or(0);
    versions.drain(..keep_from);
    versions.push(Version {
        visible_at: now.plus_secs(lag),
        doc,
    });
}

/// What a list shows of a resource now.
pub fn listed(versions: &[Version], now: SimTime) -> Option<&Value> {
    versions
        .iter()
        .rev()
        .find(|v| v.visible_at <= now)
        .and_then(|v| v.doc.as_ref())
}

/// The string in a value; empty when it is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The object in a value, made one when it is none.
pub fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        // Made an object above.
        _ => unreachable!("just made an object"),
    }
}

/// The list in a value; empty when it is none.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The entry of a list with this `name`, compared without case.
pub fn named<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    list(value)
        .iter()
        .find(|v| text(&v["name"]).eq_ignore_ascii_case(name))
}
