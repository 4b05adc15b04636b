//! What the tests share: the repository, the schemas as JSON, the samples and the cases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// Root of the repository.
pub fn repository() -> PathBuf {
    // Looked for, not counted up to: e2e runs the same cases on a real API server from a folder of its own.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest
        .ancestors()
        .find(|folder| folder.join("config/samples").is_dir());
    root.expect("config/samples above the crate").to_owned()
}

/// Text of a file of the repository.
pub fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The schemas by kind, as the API server gets them.
pub fn schemas() -> BTreeMap<String, Value> {
    causeway_api::all_crds()
        .into_iter()
        .map(|crd| {
            let schema = crd.spec.versions[0]
                .schema
                .as_ref()
                .unwrap()
                .open_api_v3_schema
                .as_ref()
                .unwrap();
            (crd.spec.names.kind, serde_json::to_value(schema).unwrap())
        })
        .collect()
}

/// Every document of every sample.
pub fn samples() -> Vec<Value> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(repository().join("config/samples"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.retain(|p| {
        p.extension().is_some_and(|e| e == "yaml") && !p.ends_with("kustomization.yaml")
    });
    paths.sort();
    paths
        .iter()
        .flat_map(|p| {
            let text = std::fs::read_to_string(p).unwrap();
            serde_saphyr::from_multiple::<Value>(&text)
                .unwrap_or_else(|e| panic!("{}: {e}", p.display()))
        })
        .collect()
}

/// The sample of a kind.
pub fn base(kind: &str) -> Value {
    samples()
        .into_iter()
        .find(|d| d["kind"] == kind)
        .unwrap_or_else(|| panic!("no sample of {kind}"))
}

/// Changes of a document, by JSON pointer. A pointer that ends in `/-` appends to a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    #[serde(default)]
    pub remove: Vec<String>,
}

impl Change {
    pub fn apply(&self, document: &Value) -> Value {
        let mut document = document.clone();
        for pointer in &self.remove {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let parent = document
                .pointer_mut(parent)
                .unwrap_or_else(|| panic!("{pointer}: no parent"));
            let gone = parent.as_object_mut().unwrap().shift_remove(key);
            assert!(gone.is_some(), "{pointer}: nothing to remove");
        }
        for (pointer, value) in &self.set {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let mut at = &mut document;
            for step in parent.split('/').skip(1) {
                at = match at {
                    Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
                    Value::Object(map) => map
                        .entry(step)
                        .or_insert_with(|| Value::Object(serde_json::Map::default())),
                    other => panic!("{pointer}: {other} has no {step}"),
                };
            }
            match at {
                Value::Array(items) if key == "-" => items.push(value.clone()),
                Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
                Value::Object(map) => {
                    map.insert(key.to_owned(), value.clone());
                }
                other => panic!("{pointer}: {other} has no {key}"),
            }
        }
        document
    }
}

/// One case of cases.yaml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub kind: String,
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    #[serde(default)]
    pub remove: Vec<String>,
    #[serde(default)]
    pub old: Option<Change>,
    #[serde(default)]
    pub rejects: Option<String>,
    #[serde(default)]
    pub also: Vec<String>,
    #[serde(default)]
    pub at: Option<String>,
}

impl Case {
    pub fn change(&self) -> Change {
        Change {
            set: self.set.clone(),
            remove: self.remove.clone(),
        }
    }
}

/// The cases.
pub fn cases() -> Vec<Case> {
    serde_saphyr::from_str(&read("crates/api/tests/cases.yaml")).unwrap()
}
